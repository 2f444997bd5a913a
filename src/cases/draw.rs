//! Numbers by chance: a function of the seed, the purpose and how many were drawn before.

use crate::oracle::{Format, Tensor};
use crate::random;

/// Numbers for tensors.
pub(super) struct Draw(random::Draw);

impl Draw {
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        Self(random::Draw::new(seed, purpose))
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }

    /// One of these.
    pub(super) fn choose<T: Clone>(&mut self, from: &[T]) -> T {
        self.0.choose(from)
    }

    /// `x` or `-x`.
    pub(super) fn sign(&mut self, x: f64) -> f64 {
        if self.0.bits() & 1 == 0 { x } else { -x }
    }

    /// A number of either sign with a magnitude in `[2^lowest, 2^(highest + 1))`, every binade alike.
    pub(super) fn number(&mut self, lowest: i32, highest: i32) -> f64 {
        let binades = (highest - lowest + 1).unsigned_abs() as usize;
        let exponent = lowest.saturating_add_unsigned(self.below(binades) as u32);
        let significand = 1.0 + (self.0.bits() >> 12) as f64 * Format::F64.unit_roundoff();
        self.sign(times_power_of_two(significand, exponent))
    }

    /// These in random order.
    pub(super) fn shuffle(&mut self, x: &mut [f64]) {
        self.0.shuffle(x);
    }

    /// A vector of ordinary numbers.
    pub(super) fn vector(&mut self, name: &str, format: Format, len: usize) -> Tensor {
        let x: Vec<f64> = (0..len).map(|_| self.number(-6, 1)).collect();
        Tensor::vector(name, format, &x)
    }
}

/// `x·2^k`, exact wherever the result is normal.
pub(super) fn times_power_of_two(x: f64, k: i32) -> f64 {
    libm::scalbn(x, k)
}

/// Integers whose squares sum to `norm²`; signs and order by chance.
pub(super) struct Integers {
    base: &'static [f64],
    norm: f64,
}

/// Every one: the sum of squares is the square of the second number.
const TUPLES: [(&[f64], f64); 8] = [
    (&[3.0, 4.0], 5.0),
    (&[1.0, 2.0, 2.0], 3.0),
    (&[2.0, 3.0, 6.0], 7.0),
    (&[1.0, 1.0, 1.0, 1.0], 2.0),
    (&[1.0, 4.0, 8.0], 9.0),
    (&[1.0, 1.0, 1.0, 2.0, 3.0], 4.0),
    (&[5.0, 12.0], 13.0),
    (&[2.0, 5.0, 14.0], 15.0),
];

impl Integers {
    /// One of the tuples whose squares sum to less than `limit`.
    pub(super) fn below(draw: &mut Draw, limit: f64) -> Self {
        let fitting: Vec<_> = TUPLES
            .into_iter()
            .filter(|(_, norm)| norm * norm < limit)
            .collect();
        let (base, norm) = draw.choose(&fitting);
        Self { base, norm }
    }

    /// The norm of the tuple itself.
    pub(super) fn norm(&self) -> f64 {
        self.norm
    }

    /// The tuple `4^doublings` times, which has the norm `2^doublings` as large, padded with zeros to `len`, shuffled.
    pub(super) fn vector(&self, draw: &mut Draw, doublings: u32, len: usize) -> Vec<f64> {
        let copies = 4_usize.pow(doublings);
        let mut x: Vec<f64> = self.base.repeat(copies).iter().map(|&x| draw.sign(x)).collect();
        x.resize(len.max(x.len()), 0.0);
        draw.shuffle(&mut x);
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_have_integer_norms() {
        for (base, norm) in TUPLES {
            assert_eq!(base.iter().map(|x| x * x).sum::<f64>(), norm * norm);
        }
        let mut draw = Draw::new(0, "test");
        let integers = Integers::below(&mut draw, 256.0);
        let x = integers.vector(&mut draw, 2, 200);
        assert_eq!(
            x.iter().map(|x| x * x).sum::<f64>(),
            (4.0 * integers.norm()).powi(2)
        );
    }

    #[test]
    fn draws_depend_on_seed_and_purpose_alone() {
        let draw = |seed, purpose| Draw::new(seed, purpose).number(-3, 3);
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert!(draw(1, "a") != draw(2, "a") && draw(1, "a") != draw(1, "b"));
        let mut many = Draw::new(7, "range");
        for _ in 0..1000 {
            let x = many.number(-2, 0).abs();
            assert!((0.25..2.0).contains(&x), "{x}");
            assert!(many.below(5) < 5);
        }
    }
}
