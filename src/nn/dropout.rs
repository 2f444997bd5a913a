//! Dropout (Srivastava et al., *Dropout*, JMLR 2014; the inverted form: scaled in training, nothing at inference).
//!
//! ```text
//! forward    y  = x ⊙ m             mⱼ = 0 with probability p, else 1 / (1 − p)
//! backward   dx = dy ⊙ m
//! ```
//!
//! Forward and backward are the same map, so there is one function. The mask is never stored: element `j` of a row is
//! a function of the mask's key, the row's key and `j` ([`crate::random`]), so both passes compute the same one, and
//! neither the number of threads nor the place of a row in a packed batch can change it.

use crate::nn::ROWS_PER_TASK;
use crate::pool::Buffer;
use crate::random::{GOLDEN, key, mix};
use crate::real::Real;
use crate::simd::wide;
use rayon::prelude::*;

/// Which elements are dropped at one place of the network in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    key: u64,
    /// An element is dropped when its 32 random bits are below this: `p 2³²`, rounded.
    threshold: u32,
}

impl Mask {
    /// The mask that keeps everything.
    pub const OFF: Self = Self { key: 0, threshold: 0 };

    /// The mask of one place in one step, dropping with probability `p` in `[0, 1)` (to within 2⁻³²).
    ///
    /// # Panics
    /// If `p` is not in `[0, 1)`.
    pub fn new(key: u64, p: f64) -> Self {
        assert!(
            (0.0..1.0).contains(&p),
            "dropout probability {p} is not in [0, 1)"
        );
        Self {
            key,
            threshold: (p * 4_294_967_296.0).round().min(f64::from(u32::MAX)) as u32,
        }
    }

    /// Whether this mask keeps everything.
    pub fn is_off(self) -> bool {
        self.threshold == 0
    }

    /// `1 / (1 − p)` with the `p` that is applied.
    fn scale(self) -> f64 {
        1.0 / (1.0 - f64::from(self.threshold) / 4_294_967_296.0)
    }

    /// `row ← row ⊙ m` for the row of the given key.
    pub fn apply_row<T: Real>(self, row_key: u64, row: &mut [T]) {
        if !self.is_off() {
            wide!(self.apply_row_narrow(row_key, row));
        }
    }

    #[inline]
    fn apply_row_narrow<T: Real>(self, row_key: u64, row: &mut [T]) {
        let scale = T::of(self.scale());
        let keep = |x: &mut T, bits: u32| {
            *x = if bits < self.threshold {
                T::zero()
            } else {
                *x * scale
            }
        };
        let mut state = key(&[self.key, row_key]);
        let mut pairs = row.chunks_exact_mut(2);
        for pair in &mut pairs {
            state = state.wrapping_add(GOLDEN);
            let bits = mix(state);
            keep(&mut pair[0], bits as u32);
            keep(&mut pair[1], (bits >> 32) as u32);
        }
        if let [last] = pairs.into_remainder() {
            keep(last, mix(state.wrapping_add(GOLDEN)) as u32);
        }
    }
}

/// `x ← x ⊙ m`: `x` holds one row for each key.
///
/// # Panics
/// If the rows and keys do not pair up.
pub fn apply<T: Real>(x: &mut Buffer<T>, mask: Mask, row_keys: &[u64]) {
    assert_eq!(x.nrows(), row_keys.len(), "dropout: one key for each row");
    if mask.is_off() {
        return;
    }
    let columns = x.ncols();
    let rows = x.flat_mut().par_chunks_mut(columns).zip(row_keys);
    rows.with_min_len(ROWS_PER_TASK)
        .for_each(|(row, &row_key)| mask.apply_row(row_key, row));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use ndarray::Array2;

    /// With p = 1/4 the kept elements are scaled by exactly 4/3, and of 10⁶ elements 250 000 ± 5·433 are dropped.
    #[test]
    fn scale_and_rate() {
        let mask = Mask::new(7, 0.25);
        let mut dropped = 0;
        for row_key in 0..1000 {
            let mut row = [3.0; 1000];
            mask.apply_row(row_key, &mut row);
            assert!(row.iter().all(|&x| x == 0.0 || x == 4.0));
            dropped += row.iter().filter(|&&x| x == 0.0).count();
        }
        assert!(dropped.abs_diff(250_000) < 2165, "{dropped}");
    }

    /// A shorter row has the mask of the beginning of a longer one; another row or key has another mask.
    #[test]
    fn a_mask_belongs_to_its_place() {
        let row = |key, row_key, len| {
            let mut row = vec![1.0_f32; len];
            Mask::new(key, 0.5).apply_row(row_key, &mut row);
            row
        };
        for len in 0..9 {
            assert_eq!(row(1, 2, len), row(1, 2, 99)[..len]);
        }
        assert_ne!(row(1, 2, 99), row(1, 3, 99));
        assert_ne!(row(1, 2, 99), row(2, 2, 99));
    }

    /// A matrix is masked row by row, each with its key.
    #[test]
    fn rows_of_a_matrix() {
        let pool = Pool::new();
        let x = Array2::from_shape_fn((40, 9), |(i, j)| (9 * i + j) as f32 - 3.0);
        let (mask, keys) = (Mask::new(5, 0.5), (100..140).collect::<Vec<u64>>());
        let mut dropped = pool.copy(x.view());
        apply(&mut dropped, mask, &keys);
        for ((dropped, x), key) in dropped.rows().into_iter().zip(x.rows()).zip(keys) {
            let mut row = x.to_vec();
            mask.apply_row(key, &mut row);
            assert_eq!(dropped.to_vec(), row);
        }
    }

    #[test]
    fn off_keeps_the_bits() {
        let mut row = [f32::NAN, -0.0, 1e-45];
        Mask::new(1, 0.0).apply_row(1, &mut row[1..]);
        assert_eq!(row[1].to_bits(), (-0.0_f32).to_bits());
        assert_eq!(row[2].to_bits(), 1);
        assert!(Mask::new(1, 0.0).is_off() && Mask::OFF.is_off());
    }
}
