//! Sums in a fixed order: the only module that adds numbers up in parallel.
//!
//! Floating-point addition is not associative, so a sum split by the number of threads changes its bits with it.
//! Here a sum is cut into blocks of a fixed size, each block is added up by one thread in lanes of a fixed width, and
//! the block results are added in order. The bits depend on the data alone.

mod norms;
mod streamed;

pub use norms::{Norms, Written, norms, p_norms, write_norms};
pub use streamed::{BlockSum, Streamed};

use crate::real::Real;
use crate::simd::wide;
use ndarray::{ArrayView2, s};
use rayon::prelude::*;

/// Elements per block of a parallel sum.
pub const BLOCK: usize = 1 << 14;

/// Independent partial sums inside a block; the compiler turns them into vector registers.
const LANES: usize = 8;

/// Columns that one task sums when adding up the rows of a matrix.
const COLUMNS: usize = 32;

/// `Σ xᵢ` of a short row, in the type of its elements.
#[inline]
pub fn sum<T: Real>(x: &[T]) -> T {
    lanes(x, |x| x)
}

/// `Σ xᵢ yᵢ` of two short rows, in the type of their elements.
#[inline]
pub fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    assert_eq!(x.len(), y.len(), "dot product of rows of different length");
    let mut acc = [T::zero(); LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let mut rest = T::zero();
    for (&a, &b) in xs.remainder().iter().zip(ys.remainder()) {
        rest += a * b;
    }
    for (a, b) in xs.zip(ys) {
        for lane in 0..LANES {
            acc[lane] += a[lane] * b[lane];
        }
    }
    fold(acc) + rest
}

/// The largest of a row, −∞ of none; a NaN is passed over.
#[inline]
pub fn max<T: Real>(x: &[T]) -> T {
    let larger = |a: T, b: T| if b > a { b } else { a };
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut acc = [T::neg_infinity(); LANES];
    for block in blocks {
        for lane in 0..LANES {
            acc[lane] = larger(acc[lane], block[lane]);
        }
    }
    acc.iter().chain(rest).copied().fold(T::neg_infinity(), larger)
}

/// `Σ f(xᵢ)` in [`LANES`] partial sums.
#[inline]
fn lanes<T: Real, A: Real>(x: &[T], f: impl Fn(T) -> A) -> A {
    let mut sum = Lanes::default();
    sum.add(x, f);
    sum.total()
}

/// A sum in [`LANES`] partial sums, which may come strip by strip: all strips but the last are whole numbers of lanes.
#[derive(Clone, Copy, Default)]
struct Lanes<A> {
    acc: [A; LANES],
    /// What does not fill the lanes.
    rest: A,
}

impl<A: Real> Lanes<A> {
    #[inline]
    fn add<T: Real>(&mut self, x: &[T], f: impl Fn(T) -> A) {
        let (blocks, rest) = x.as_chunks::<LANES>();
        let mut acc = self.acc;
        for block in blocks {
            for lane in 0..LANES {
                acc[lane] += f(block[lane]);
            }
        }
        self.acc = acc;
        self.rest = rest.iter().fold(self.rest, |sum, &x| sum + f(x));
    }

    #[inline]
    fn total(&self) -> A {
        fold(self.acc) + self.rest
    }
}

/// The lanes added up by halves, which leaves neighbouring lanes in one vector register throughout.
#[inline]
fn fold<A: Real>(acc: [A; LANES]) -> A {
    ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]))
}

/// `out ← out + Σ_rows x`: the rows of `x` (`[n, h]`) added up into `out` (`[h]`), accumulated in `f64`.
pub fn add_rows<T: Real>(x: ArrayView2<'_, T>, out: &mut [T]) {
    assert_eq!(x.ncols(), out.len(), "rows added into a vector of another length");
    out.par_chunks_mut(COLUMNS).enumerate().for_each(|(block, out)| {
        let x = x.slice(s![.., block * COLUMNS..block * COLUMNS + out.len()]);
        let mut acc = [0.0; COLUMNS];
        wide!({
            for x in x.rows() {
                for (acc, x) in acc.iter_mut().zip(x) {
                    *acc += x.widen();
                }
            }
        });
        add_rounded(&acc, out);
    });
}

/// `out ← out + Σ_rows x ⊙ y`, accumulated in `f64`; `x` and `y` are `[n, h]`, `out` is `[h]`.
pub fn add_row_products<T: Real>(x: ArrayView2<'_, T>, y: ArrayView2<'_, T>, out: &mut [T]) {
    assert_eq!(x.dim(), y.dim(), "row products of matrices of different shape");
    assert_eq!(x.ncols(), out.len(), "rows added into a vector of another length");
    out.par_chunks_mut(COLUMNS).enumerate().for_each(|(block, out)| {
        let columns = s![.., block * COLUMNS..block * COLUMNS + out.len()];
        let (x, y) = (x.slice(columns), y.slice(columns));
        let mut acc = [0.0; COLUMNS];
        wide!({
            for (x, y) in x.rows().into_iter().zip(y.rows()) {
                for ((acc, x), y) in acc.iter_mut().zip(x).zip(y) {
                    *acc += x.widen() * y.widen();
                }
            }
        });
        add_rounded(&acc, out);
    });
}

/// Adds the `f64` sums, rounded once, to `out`.
fn add_rounded<T: Real>(acc: &[f64], out: &mut [T]) {
    for (out, &acc) in out.iter_mut().zip(acc) {
        *out = T::of(out.widen() + acc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    /// Sums of small integers are exact in any order: 1 + 2 + … + n = n(n+1)/2.
    #[test]
    fn rows() {
        for n in [0_u16, 1, 7, 8, 9, 50] {
            let x: Vec<f32> = (1..=n).map(f32::from).collect();
            let n = f64::from(n);
            assert_eq!(max(&x), if x.is_empty() { f32::NEG_INFINITY } else { n as f32 });
            assert_eq!(f64::from(sum(&x)), n * (n + 1.0) / 2.0);
            assert_eq!(f64::from(dot(&x, &x)), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
        }
        for at in 0..19 {
            let mut x = [-2.0; 19];
            (x[at], x[(at + 1) % 19]) = (-1.0, f64::NAN);
            assert_eq!(max(&x), -1.0);
        }
        let x = arr2(&[[1.0, 2.0], [3.0, 4.0]]);
        let mut out = [10.0, 20.0];
        add_rows(x.view(), &mut out);
        assert_eq!(out, [14.0, 26.0]);
        add_row_products(x.view(), x.view(), &mut out);
        assert_eq!(out, [14.0 + 10.0, 26.0 + 20.0]);
    }
}
