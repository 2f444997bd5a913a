//! Norms of many tensors at once: one pass over memory, safe at every magnitude.

use super::{BLOCK, LANES, Lanes, lanes};
use crate::real::Real;
use crate::simd::wide;
use rayon::prelude::*;

/// The Euclidean norms `‖x‖₂ = √Σ xᵢ²` of several tensors, each a slice, accumulated in `f64`.
///
/// All blocks of all tensors run in parallel, so many small tensors cost no more than one large one. No square
/// overflows or vanishes: an `f32` square always fits an `f64`, and an `f64` tensor whose sum of squares leaves the
/// range where it is accurate is added up again, scaled by a power of two. A NaN gives NaN, an infinity without a
/// NaN gives infinity.
pub fn norms<T: Real>(tensors: &[&[T]]) -> Vec<f64> {
    let blocks: Vec<&[T]> = tensors.iter().flat_map(|x| x.chunks(BLOCK)).collect();
    let sums: Vec<f64> = blocks.par_iter().map(|x| sum_of_squares(x)).collect();
    let mut sums = sums.into_iter();
    tensors
        .iter()
        .map(|x| {
            let total: f64 = sums
                .by_ref()
                .take(x.len().div_ceil(BLOCK))
                .fold(0.0, |s, y| s + y);
            norm_from_sum(x, total)
        })
        .collect()
}

/// `Σ xᵢ²` of one block, in `f64`.
fn sum_of_squares<T: Real>(x: &[T]) -> f64 {
    wide!(lanes(x, |x| x.widen() * x.widen()))
}

/// The smallest sum of squares that cannot have lost digits to underflow: 2⁻⁹⁰⁰ is far above the smallest normal
/// `f64` (2⁻¹⁰²²) times any number of elements, and far below what any `f32` tensor but zero gives (2⁻²⁹⁸).
pub(super) const SAFE_SUM: f64 = 1.183_007_812_713_498_3e-271;

/// The root of `total = Σ xᵢ²`, added up again with scaling where squares left the range.
fn norm_from_sum<T: Real>(x: &[T], total: f64) -> f64 {
    if (SAFE_SUM..f64::INFINITY).contains(&total) || total.is_nan() {
        return total.sqrt();
    }
    let largest = x.iter().fold(0.0_f64, |m, x| m.max(x.widen().abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    // 2^-exponent brings the largest element into [1, 2); in two factors, because 2^1074 itself is not an f64.
    let exponent = libm::ilogb(largest);
    let sum: f64 = x
        .chunks(BLOCK)
        .map(|x| scaled_squares(x, exponent))
        .fold(0.0, |s, y| s + y);
    libm::ldexp(sum.sqrt(), exponent)
}

/// `Σ (xᵢ·2^-exponent)²` of one block.
pub(super) fn scaled_squares<T: Real>(x: &[T], exponent: i32) -> f64 {
    let (half, rest) = (exponent / 2, exponent - exponent / 2);
    let scaled = |x: f64| x * libm::ldexp(1.0, -half) * libm::ldexp(1.0, -rest);
    lanes(x, |x| scaled(x.widen()) * scaled(x.widen()))
}

/// The Euclidean norm and the p-norm of one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norms {
    /// `‖x‖₂`.
    pub two: f64,
    /// `‖x‖_p = (Σ |xᵢ|ᵖ)^(1/p)`, `max |xᵢ|` for p = ∞.
    pub p: f64,
}

/// Both norms of several tensors in one pass, as accurate and as safe as [`norms`]; `p` is above 0, possibly ∞.
pub fn p_norms<T: Real>(tensors: &[&[T]], p: f64) -> Vec<Norms> {
    let blocks: Vec<&[T]> = tensors.iter().flat_map(|x| x.chunks(BLOCK)).collect();
    let sums: Vec<Sums> = blocks.par_iter().map(|x| Sums::of(x, p)).collect();
    let mut sums = sums.into_iter();
    let each = tensors.iter().map(|x| {
        let blocks = sums.by_ref().take(x.len().div_ceil(BLOCK));
        blocks.fold(Sums::default(), |a, b| a.add(b, p)).norms(x, p)
    });
    each.collect()
}

/// What [`write_norms`] did to one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written {
    /// The norms of what was written.
    pub norms: Norms,
    /// The sum of what the writer returned.
    pub changed: usize,
}

/// Elements that are rewritten and then measured: few enough to be in the nearest cache still, and for the processor to
/// fetch what comes next while it adds up. A whole number of lanes.
const STRIP: usize = 32 * LANES;

/// Rewrites several tensors strip by strip and measures each strip while it is still in the cache.
///
/// `write` is given the tensor's index, the place of the strip in it and the strip, and returns a count.
pub fn write_norms<T: Real>(
    tensors: &mut [&mut [T]],
    p: f64,
    write: impl Fn(usize, usize, &mut [T]) -> usize + Sync,
) -> Vec<Written> {
    let blocks: Vec<(usize, usize, &mut [T])> = tensors
        .iter_mut()
        .enumerate()
        .flat_map(|(t, x)| {
            x.chunks_mut(BLOCK)
                .enumerate()
                .map(move |(b, x)| (t, b * BLOCK, x))
        })
        .collect();
    let sums: Vec<(Sums, usize)> = blocks
        .into_par_iter()
        .map(|(tensor, at, x)| {
            let (mut sums, mut changed) = (Running::default(), 0);
            for (i, x) in x.chunks_mut(STRIP).enumerate() {
                changed += write(tensor, at + i * STRIP, x);
                sums.add(x, p);
            }
            (sums.total(), changed)
        })
        .collect();
    let mut sums = sums.into_iter();
    let each = tensors.iter().map(|x| {
        let blocks = sums.by_ref().take(x.len().div_ceil(BLOCK));
        let (sums, changed) = blocks.fold((Sums::default(), 0), |(a, n), (b, m)| (a.add(b, p), n + m));
        Written {
            norms: sums.norms(x, p),
            changed,
        }
    });
    each.collect()
}

/// The sums behind [`Norms`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// `Σ xᵢ²`.
    pub(super) squares: f64,
    /// `Σ |xᵢ|ᵖ`, or the largest `|xᵢ|` that is a number; not used for p = 2.
    pub(super) powers: f64,
}

/// [`Sums`] of one block in the making.
#[derive(Clone, Copy, Default)]
struct Running {
    squares: Lanes<f64>,
    powers: Lanes<f64>,
    largest: f64,
}

impl Running {
    fn add<T: Real>(&mut self, x: &[T], p: f64) {
        wide!(self.squares.add(x, |x| x.widen() * x.widen()));
        if p == 2.0 {
        } else if p == f64::INFINITY {
            self.largest = self.largest.max(largest(x));
        } else if p == 1.0 {
            self.powers.add(x, |x| x.widen().abs());
        } else {
            self.powers.add(x, |x| libm::pow(x.widen().abs(), p));
        }
    }

    fn total(&self) -> Sums {
        Sums {
            squares: self.squares.total(),
            // One of the two is zero.
            powers: self.powers.total() + self.largest,
        }
    }
}

impl Sums {
    /// Of one block.
    pub(super) fn of<T: Real>(x: &[T], p: f64) -> Self {
        let mut sums = Running::default();
        sums.add(x, p);
        sums.total()
    }

    pub(super) fn add(self, other: Self, p: f64) -> Self {
        Self {
            squares: self.squares + other.squares,
            powers: if p == f64::INFINITY {
                self.powers.max(other.powers)
            } else {
                self.powers + other.powers
            },
        }
    }

    /// The roots, added up again with scaling where powers left the range.
    fn norms<T: Real>(self, x: &[T], p: f64) -> Norms {
        let two = norm_from_sum(x, self.squares);
        let p = if p == 2.0 || self.squares.is_nan() {
            two
        } else if p == f64::INFINITY || p == 1.0 && self.powers.is_finite() {
            self.powers
        } else if SAFE_POWERS.contains(&self.powers) {
            root(self.powers, p)
        } else {
            scaled_p_norm(x, p)
        };
        Norms { two, p }
    }
}

/// Sums of p-th powers that have lost nothing to overflow or underflow.
pub(super) const SAFE_POWERS: std::ops::Range<f64> = 1e-250..1e300;

/// `m · (Σ (|xᵢ|/m)ᵖ)^(1/p)` with `m` the largest magnitude.
fn scaled_p_norm<T: Real>(x: &[T], p: f64) -> f64 {
    let m = largest(x);
    if m == 0.0 || !m.is_finite() {
        return m;
    }
    let sum: f64 = x
        .chunks(BLOCK)
        .map(|x| scaled_powers(x, m, p))
        .fold(0.0, |s, y| s + y);
    m * root(sum, p)
}

/// `Σ (|xᵢ|/m)ᵖ` of one block.
pub(super) fn scaled_powers<T: Real>(x: &[T], m: f64, p: f64) -> f64 {
    lanes(x, |x| libm::pow(x.widen().abs() / m, p))
}

/// `s^(1/p)`. The rounding of `1/p` alone would cost `ln s` units, so one step of Newton's method on `rᵖ = s` follows.
pub(super) fn root(s: f64, p: f64) -> f64 {
    let r = libm::pow(s, 1.0 / p);
    if !r.is_finite() {
        return r;
    }
    r + r * (s / libm::pow(r, p) - 1.0) / p
}

/// The largest magnitude that is a number.
pub(super) fn largest<T: Real>(x: &[T]) -> f64 {
    x.iter().fold(T::zero(), |m, x| m.max(x.abs())).widen()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3-4-5 triangles at magnitudes whose squares overflow or vanish in the element type, and in f64.
    #[test]
    fn norms_at_every_magnitude() {
        for exponent in [-1060, -600, -140, -1, 0, 1, 100, 600, 1020] {
            let unit = libm::ldexp(1.0, exponent);
            assert_eq!(
                norms(&[&[3.0 * unit, 0.0, -4.0 * unit][..]]),
                [5.0 * unit],
                "2^{exponent}"
            );
        }
        assert_eq!(
            norms(&[&[3e30_f32, 4e30][..]])[0],
            (3e30_f32.widen()).hypot(4e30_f32.widen())
        );
        assert_eq!(norms(&[&[3e-40_f32][..]])[0], 3e-40_f32.widen());
    }

    #[test]
    fn norms_of_edge_cases() {
        assert_eq!(norms::<f64>(&[&[], &[0.0, -0.0]]), [0.0, 0.0]);
        assert_eq!(norms(&[&[1.0, f64::NEG_INFINITY][..]]), [f64::INFINITY]);
        assert!(norms(&[&[1.0, f64::NAN, f64::INFINITY][..]])[0].is_nan());
        assert_eq!(norms(&[&[f64::MAX, f64::MAX][..]]), [f64::INFINITY]);
    }

    /// Each tensor keeps its own sum, whatever the block boundaries: n ones have the norm √n.
    #[test]
    fn many_tensors_at_once() {
        let ones = vec![1.0_f32; 4 * BLOCK];
        let sizes = [0, 1, 7, 8, 9, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5];
        let tensors: Vec<&[f32]> = sizes.iter().map(|&n| &ones[..n]).collect();
        let expected: Vec<f64> = sizes.iter().map(|&n| (n as f64).sqrt()).collect();
        assert_eq!(norms(&tensors), expected);
    }

    /// ‖(3, -4)‖ for several p, at magnitudes whose powers leave the range: 7, 4, (√3 + 2)² and 91^(1/3).
    #[test]
    fn p_norms_at_every_magnitude() {
        let root = (3.0_f64.sqrt() + 2.0).powi(2);
        for (p, expected) in [
            (1.0, 7.0),
            (2.0, 5.0),
            (f64::INFINITY, 4.0),
            (0.5, root),
            (3.0, 91_f64.cbrt()),
        ] {
            for exponent in [-1060, -300, 0, 300, 1018] {
                let unit = libm::ldexp(1.0, exponent);
                let got = p_norms(&[&[3.0 * unit, -4.0 * unit][..]], p)[0];
                assert_eq!(got.two, 5.0 * unit, "p = {p}, 2^{exponent}");
                let error = (got.p - expected * unit).abs();
                // Half the smallest subnormal number for each of two roundings.
                assert!(
                    error <= 1e-14 * (expected * unit) + f64::from_bits(1),
                    "p = {p}, 2^{exponent}: {got:?}"
                );
            }
        }
    }

    #[test]
    fn p_norms_of_edge_cases() {
        for p in [0.5, 1.0, 2.0, 3.5, f64::INFINITY] {
            let norm = |x: &[f64]| p_norms(&[x], p)[0].p;
            assert_eq!(norm(&[]), 0.0);
            assert_eq!(norm(&[0.0, -0.0]), 0.0);
            assert!(norm(&[1.0, f64::NAN, f64::INFINITY]).is_nan(), "p = {p}");
            assert_eq!(norm(&[1.0, f64::NEG_INFINITY]), f64::INFINITY);
        }
    }

    /// 10 ones have the norm 10^(1/p): 10 for p = 1, 10^1000 for p = 0.001.
    #[test]
    fn a_p_norm_may_overflow_by_itself() {
        assert_eq!(p_norms(&[&[1.0; 10][..]], 0.001)[0].p, f64::INFINITY);
    }

    /// Every element of both tensors becomes its own place, 0, 1, 2, …; Σ i = n(n-1)/2 and Σ i² = n(n-1)(2n-1)/6.
    #[test]
    fn writing_measures_what_was_written() {
        let n = BLOCK + STRIP + 3;
        let (mut a, mut b) = (vec![1.0_f64; n], [2.0, 3.0]);
        let written = write_norms(&mut [&mut a[..], &mut b[..]], 1.0, |tensor, at, x| {
            for (i, x) in x.iter_mut().enumerate() {
                *x = (at + i) as f64;
            }
            tensor * x.len()
        });
        assert!(a.iter().enumerate().all(|(i, &x)| x == i as f64));
        assert_eq!(b, [0.0, 1.0]);
        let n = n as f64;
        assert_eq!((written[0].norms.p, written[0].changed), (n * (n - 1.0) / 2.0, 0));
        let squares = n * (n - 1.0) * (2.0 * n - 1.0) / 6.0;
        assert_eq!(written[0].norms.two, squares.sqrt());
        assert_eq!((written[1].norms.p, written[1].changed), (1.0, 2));
    }
}
