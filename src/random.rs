//! Counter-based randomness: a number is a function of what it is for, never of what was drawn before it.
//!
//! Two kinds, both reproducible on every machine and from any point of a run:
//! * [`mix`] and [`key`], the finaliser of SplitMix64 (Steele, Lea, Flood, *Fast splittable pseudorandom number
//!   generators*, OOPSLA 2014), hash a few integers to 64 random bits. Dropout asks for millions of bits a step; they
//!   depend on (seed, step, site, sequence, position, element) alone, so threads, packing and resuming change nothing.
//! * [`stream`], a `ChaCha8` generator for each (seed, purpose), for initial weights and the order of the examples.
//!
//! [`Draw`] counts for those who ask one number after the other: cases and sentences.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The increment of SplitMix64, 2⁶⁴ divided by the golden ratio, made odd.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64: a bijection of 64 bits in which every input bit moves every output bit.
#[inline]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One key from several integers, in order.
pub fn key(parts: &[u64]) -> u64 {
    parts.iter().fold(GOLDEN, |state, &part| {
        mix(state.wrapping_add(GOLDEN) ^ mix(part.wrapping_add(GOLDEN)))
    })
}

/// The generator for one purpose of a run: `stream(seed, "order", epoch)`, `stream(seed, "classifier.weight", 0)`.
pub fn stream(seed: u64, purpose: &str, index: u64) -> ChaCha8Rng {
    let purpose = purpose
        .bytes()
        .fold(0, |state, byte| key(&[state, u64::from(byte)]));
    ChaCha8Rng::seed_from_u64(key(&[seed, purpose, index]))
}

/// A number in `[0, 1)` from 64 random bits: the first 53 of them, as a fraction.
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Numbers for one purpose, one after the other: the `k`-th is a function of the seed, the purpose and `k`.
#[derive(Debug)]
pub struct Draw {
    key: u64,
    count: u64,
}

impl Draw {
    /// The numbers of a seed and a purpose, from the first.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let bytes = purpose.bytes().map(u64::from);
        let parts: Vec<u64> = std::iter::once(seed).chain(bytes).collect();
        Self {
            key: key(&parts),
            count: 0,
        }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.count += 1;
        key(&[self.key, self.count])
    }

    /// A number below `n`. The bias of `n / 2⁶⁴` is of no account here.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn choose<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// These in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// A uniform integer in `0..n`, without bias (rejection above the largest multiple of `n`).
///
/// # Panics
/// If `n` is zero.
pub fn below(rng: &mut impl RngCore, n: u64) -> u64 {
    let limit = u64::MAX - u64::MAX % n;
    loop {
        let x = rng.next_u64();
        if x < limit {
            return x % n;
        }
    }
}

/// The numbers `0..n` in random order (Fisher-Yates).
pub fn permutation(rng: &mut impl RngCore, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, below(rng, i as u64 + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of SplitMix64 from seed 0 and from seed 1234567, as published with the generator's
    /// reference code and used as its test vectors elsewhere.
    #[test]
    fn split_mix_64() {
        let outputs = |seed: u64, n: u64| -> Vec<u64> {
            (1..=n)
                .map(|i| mix(seed.wrapping_add(i.wrapping_mul(GOLDEN))))
                .collect()
        };
        assert_eq!(
            outputs(0, 3),
            [
                0xe220_a839_7b1d_cdaf,
                0x6e78_9e6a_a1b9_65f4,
                0x06c4_5d18_8009_454f
            ]
        );
        assert_eq!(
            outputs(1_234_567, 2),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn keys_depend_on_every_part_and_their_order() {
        let all = [
            key(&[]),
            key(&[0]),
            key(&[0, 0]),
            key(&[1, 2]),
            key(&[2, 1]),
            key(&[1]),
            key(&[2]),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }

    /// Each of the 4! = 24 orders of four things should come up 1000 times in 24 000; the standard deviation of a
    /// count is √(24000 · 1/24 · 23/24) ≈ 31, so 150 is nearly five of them.
    #[test]
    fn permutations_are_uniform() {
        let mut rng = stream(1, "test", 0);
        let mut counts = std::collections::HashMap::new();
        for _ in 0..24_000 {
            *counts.entry(permutation(&mut rng, 4)).or_insert(0_i32) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|&n| (n - 1000).abs() < 150), "{counts:?}");
    }

    #[test]
    fn streams_differ_by_purpose_index_and_seed() {
        let first = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        let all = [
            first(1, "a", 0),
            first(2, "a", 0),
            first(1, "b", 0),
            first(1, "a", 1),
            first(1, "ab", 0),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }
}
