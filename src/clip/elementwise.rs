//! The rules that treat every element by itself: value clipping, soft clips, spikes.
//!
//! ```text
//! value@torch   min(max(x, -c), c)            value@tf   max(min(x, c), -c)          value@paper   min(x, c)
//! soft@rational x/(1+|x|/c)                   soft@tanh  c·tanh(x/c)                 soft@mu-law   c·sign(x)·log(1+127·|x|/c)/log(128)
//! spam          x² > Θ·v ? sign(x)·√(Θ·v) : x
//! stable-spam   |x| > M ? (x/max|g|)·M : x
//! ```
//!
//! The value forms are exact in any type. The soft clips and `spam` are computed in `f64` and rounded once, so that no square
//! or quotient leaves the type on the way; `stable-spam` in the gradient's type `T`. With `c = 0` every soft clip gives a zero of `x`'s sign. An element whose second moment `v` is 0 has no history and is no spike. NaN stays NaN.

use super::rule::{Curve, ValueForm};
use crate::real::Real;

/// What becomes of an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Each<T> {
    Value(ValueForm, T),
    Soft(Curve, T),
    /// `Θ`; the second moments come with the block.
    Spam(T),
    /// `M` and `max|g|`.
    Spike(T, T),
}

impl<T: Real> Each<T> {
    /// Rewrites a block and counts the elements whose bits changed but for NaN.
    pub(super) fn apply(self, x: &mut [T], second_moment: Option<&[T]>) -> usize {
        match self {
            Self::Value(form, c) => change(x, |x| form.of(x, c)),
            Self::Soft(curve, c) => change(x, |x| curve.of(x, c)),
            Self::Spike(peak, largest) => change(x, |x| if x.abs() > peak { x / largest * peak } else { x }),
            Self::Spam(theta) => {
                let v = second_moment.expect("the second moments were checked");
                let mut count = 0;
                for (x, &v) in x.iter_mut().zip(v) {
                    let bound = theta.widen() * v.widen();
                    if x.widen() * x.widen() > bound && v > T::zero() {
                        let y = T::of(bound.sqrt()).copysign(*x);
                        count += usize::from(y != *x);
                        *x = y;
                    }
                }
                count
            }
        }
    }
}

fn change<T: Real>(x: &mut [T], f: impl Fn(T) -> T) -> usize {
    let mut count = 0;
    for x in x {
        let y = f(*x);
        count += usize::from(y != *x && !x.is_nan());
        *x = y;
    }
    count
}

impl ValueForm {
    fn of<T: Real>(self, x: T, c: T) -> T {
        let at_least = |x: T, low: T| if x < low { low } else { x };
        let at_most = |x: T, high: T| if x > high { high } else { x };
        match self {
            // The source looks for an element above the bound first, and finds none.
            Self::Paper if c.is_nan() => x,
            _ if c.is_nan() => c,
            Self::Torch => at_most(at_least(x, -c), c),
            Self::Tf => at_least(at_most(x, c), -c),
            Self::Paper => at_most(x, c),
        }
    }
}

impl Curve {
    fn of<T: Real>(self, x: T, c: T) -> T {
        if c == T::zero() {
            return if x.is_nan() { x } else { T::zero().copysign(x) };
        }
        let (x, c) = (x.widen(), c.widen());
        T::of(match self {
            // ∞/(1+∞) would be NaN; the limit is c.
            Self::Rational if x.is_infinite() || (x / c).is_infinite() => c.copysign(x),
            Self::Rational => x / (1.0 + x.abs() / c),
            Self::Tanh => c * libm::tanh(x / c),
            Self::MuLaw => c * (libm::log1p(127.0 * x.abs() / c) / libm::log1p(127.0)).copysign(x),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn each(rule: Each<f64>, x: &[f64], expected: &[f64], changed: usize) {
        let mut y = x.to_vec();
        assert_eq!(rule.apply(&mut y, None), changed);
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&y), bits(expected), "{rule:?}: {y:?}");
    }

    /// The cells of the survey's paragraph on value clipping.
    #[test]
    fn values() {
        let x = [-9.0, -0.5, -0.0, 0.0, 0.5, 9.0];
        each(
            Each::Value(ValueForm::Torch, 1.0),
            &x,
            &[-1.0, -0.5, -0.0, 0.0, 0.5, 1.0],
            2,
        );
        each(
            Each::Value(ValueForm::Tf, 1.0),
            &x,
            &[-1.0, -0.5, -0.0, 0.0, 0.5, 1.0],
            2,
        );
        each(
            Each::Value(ValueForm::Paper, 1.0),
            &x,
            &[-9.0, -0.5, -0.0, 0.0, 0.5, 1.0],
            1,
        );
        each(
            Each::Value(ValueForm::Paper, 0.15),
            &[-9.0, 9.0],
            &[-9.0, 0.15],
            1,
        );
        // Bounds the wrong way round: PyTorch gives the upper one, TensorFlow the lower.
        each(Each::Value(ValueForm::Torch, -1.0), &x, &[-1.0; 6], 6);
        each(Each::Value(ValueForm::Tf, -1.0), &x, &[1.0; 6], 6);
        each(
            Each::Value(ValueForm::Torch, 1.0),
            &[f64::NEG_INFINITY],
            &[-1.0],
            1,
        );
        let mut nan = [f64::NAN, 2.0];
        Each::Value(ValueForm::Torch, 1.0).apply(&mut nan, None);
        assert!(nan[0].is_nan() && nan[1] == 1.0);
        Each::Value(ValueForm::Paper, f64::NAN).apply(&mut nan, None);
        assert!(nan[0].is_nan() && nan[1] == 1.0);
        Each::Value(ValueForm::Torch, f64::NAN).apply(&mut nan, None);
        assert!(nan.iter().all(|x| x.is_nan()));
    }

    /// x/(1+|x|/c): 1/(1+1/1) = 1/2, 6/(1+6/2) = 3/2. 127·|x|/c = 127 at x = c: the curve goes through (c, c).
    #[test]
    fn curves() {
        each(
            Each::Soft(Curve::Rational, 1.0),
            &[1.0, -0.0, -1.0],
            &[0.5, -0.0, -0.5],
            2,
        );
        each(
            Each::Soft(Curve::Rational, 2.0),
            &[6.0, f64::NEG_INFINITY],
            &[1.5, -2.0],
            2,
        );
        each(
            Each::Soft(Curve::Tanh, 2.0),
            &[f64::INFINITY, -0.0],
            &[2.0, -0.0],
            1,
        );
        each(Each::Soft(Curve::MuLaw, 2.0), &[-2.0, 0.0], &[-2.0, 0.0], 0);
        each(Each::Soft(Curve::Tanh, 0.0), &[3.0, -4.0], &[0.0, -0.0], 2);
    }

    /// v = 1, Θ = 4: |g| up to 2 stays, beyond it becomes 2.
    #[test]
    fn spikes() {
        let mut x = [1.0, -2.0, 3.0, -5.0];
        assert_eq!(Each::Spam(4.0).apply(&mut x, Some(&[1.0; 4])), 2);
        assert_eq!(x, [1.0, -2.0, 2.0, -2.0]);
        each(Each::Spike(2.0, 8.0), &[1.0, -4.0, 8.0], &[1.0, -1.0, 2.0], 2);
    }
}
