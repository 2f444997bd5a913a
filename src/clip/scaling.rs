//! How each convention computes what it multiplies by: the order of operations and the type of every intermediate.
//!
//! Every line of [`Convention::scaling`] is one row of `docs/clipping.md`. All arithmetic is in the gradient's type `T`
//! unless the line says otherwise, each operation rounded once, as eager CPU frameworks do.

use super::convention::Convention;
use super::error::ClipError;
use crate::real::Real;

/// How much of a tensor there is, as far as the kernels of frameworks ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// No axis, and so one element.
    Scalar,
    /// One element, with axes.
    One,
    /// Any other number of elements.
    Many,
}

impl Extent {
    /// That of a tensor of this shape.
    pub fn of(shape: &[usize]) -> Self {
        match shape.iter().product() {
            _ if shape.is_empty() => Self::Scalar,
            1 => Self::One,
            _ => Self::Many,
        }
    }
}

/// What is done to each element `x` of a component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling<T> {
    /// `x`; not written.
    Keep,
    /// `x·k`.
    Times(T),
    /// `x/d`.
    Over(T),
    /// `x·RN(1/d)`; `x/d` in a tensor of one element.
    Reciprocal(T),
    /// `(x·RN(1/d))·c`; `(x/d)·c` in a tensor of one element.
    ReciprocalTimes(T, T),
    /// `(x/d)·c`.
    OverTimes(T, T),
    /// `(x·c)/d`.
    TimesOver(T, T),
    /// `(x·c)·m`.
    TimesTimes(T, T),
    /// `x·RN(c·m)`; `(x·c)·m` in a tensor without axes.
    TimesProduct(T, T),
}

impl<T: Real> Scaling<T> {
    /// The factor, as one number.
    pub fn factor(self) -> f64 {
        match self {
            Self::Keep => 1.0,
            Self::Times(k) => k.widen(),
            Self::Over(d) | Self::Reciprocal(d) => 1.0 / d.widen(),
            Self::ReciprocalTimes(d, k) | Self::OverTimes(d, k) | Self::TimesOver(k, d) => {
                k.widen() / d.widen()
            }
            Self::TimesTimes(a, b) | Self::TimesProduct(a, b) => a.widen() * b.widen(),
        }
    }

    /// Writes a block of a tensor of this extent.
    pub fn apply(self, x: &mut [T], tensor: Extent) {
        match self {
            Self::Reciprocal(d) if tensor != Extent::Many => Self::Over(d).apply(x, tensor),
            Self::ReciprocalTimes(d, c) if tensor != Extent::Many => Self::OverTimes(d, c).apply(x, tensor),
            Self::TimesProduct(c, m) if tensor == Extent::Scalar => Self::TimesTimes(c, m).apply(x, tensor),
            Self::Keep => {}
            Self::Times(k) => x.iter_mut().for_each(|x| *x *= k),
            Self::Over(d) => x.iter_mut().for_each(|x| *x /= d),
            Self::Reciprocal(d) => Self::Times(T::one() / d).apply(x, tensor),
            Self::OverTimes(d, c) => x.iter_mut().for_each(|x| *x = (*x / d) * c),
            Self::TimesProduct(c, m) => Self::Times(c * m).apply(x, tensor),
            Self::ReciprocalTimes(d, c) => {
                let r = T::one() / d;
                for x in x {
                    *x = (*x * r) * c;
                }
            }
            Self::TimesOver(c, d) => x.iter_mut().for_each(|x| *x = (*x * c) / d),
            Self::TimesTimes(c, m) => x.iter_mut().for_each(|x| *x = (*x * c) * m),
        }
    }

    /// `tf-average` one operation after the other, `tf-average-graph` with the two numbers multiplied first.
    pub(super) fn averaged(convention: Convention, c: T, m: T) -> Self {
        match convention {
            Convention::TfAverageGraph => Self::TimesProduct(c, m),
            _ => Self::TimesTimes(c, m),
        }
    }

    /// Multiplication and division by 1 change nothing and need no write.
    fn without_ones(self) -> Self {
        match self {
            Self::Times(k) | Self::Over(k) | Self::Reciprocal(k) if k == T::one() => Self::Keep,
            other => other,
        }
    }
}

impl Convention {
    /// Whether the source takes this threshold.
    pub(super) fn check(self, threshold: f64) -> Result<(), ClipError> {
        let expected = match self {
            Self::MindSpore if threshold <= 0.0 || threshold.is_nan() => "a threshold above 0",
            Self::JaxPrivacy if threshold < 0.0 => "a threshold of at least 0",
            _ => return Ok(()),
        };
        Err(ClipError::Threshold {
            convention: self.name(),
            threshold,
            expected,
        })
    }

    /// What this convention does to a component with statistic `n` in `f64`, at threshold `c`. `eps` is added to the
    /// norm by those that have an ε ([`Convention::eps`]). `elements` is `N` of `tf-average` and `tf-average-graph`, whose
    /// `n` is the 2-norm.
    pub fn scaling<T: Real>(self, n: f64, c: f64, eps: f64, elements: usize) -> Scaling<T> {
        let (n64, c64) = (n, c);
        let (n, c, one) = (T::of(n), T::of(c), T::one());
        let scaling = match self {
            Self::Exact if n64 <= c64 => Scaling::Keep,
            Self::Exact => Scaling::Times(T::of(c64 / n64)),
            Self::Torch => Scaling::Times(least(one / (n + T::of(eps)) * c, one)),
            Self::TorchBranch => match c64 / (n.widen() + eps) {
                k if k < 1.0 => Scaling::Times(T::of(k)),
                _ => Scaling::Keep,
            },
            Self::DeepSpeed { loss_scale } => {
                let s = T::of(loss_scale);
                let clip = if c64 > 0.0 {
                    greatest((n / s + T::of(eps)) / c, one)
                } else {
                    one
                };
                Scaling::Times(one / (clip * s))
            }
            Self::Mxnet => Scaling::Times(least(c / (n + T::of(eps)), one)),
            // burn keeps thresholds in f32 whatever the gradient's type.
            Self::Burn => {
                let c = T::of(f64::from(c64 as f32));
                Scaling::Times(least(one / (n + T::min_positive_value()) * c, one))
            }
            Self::Optax | Self::OptaxJit | Self::JaxExample if n < c => Scaling::Keep,
            Self::Optax => Scaling::ReciprocalTimes(n, c),
            Self::OptaxJit => Scaling::OverTimes(n, c),
            Self::OptaxExample => match least(c / n, one) {
                k if k.is_nan() => Scaling::Times(one),
                k => Scaling::Times(k.max(T::min_value())),
            },
            Self::OptaxRms => Scaling::Reciprocal(greatest(one, n / c)),
            Self::OptaxRmsJit => Scaling::Reciprocal(greatest(one, n * (one / c))),
            Self::JaxExample => Scaling::Times(c / n),
            Self::JaxPrivacy => match least(one, c / n) {
                k if k.is_nan() => Scaling::Times(T::zero()),
                k => Scaling::Times(k),
            },
            Self::KerasGlobal if c64 <= 0.0 || c64.is_nan() => Scaling::Keep,
            // TensorFlow adds n - n: nothing, or NaN.
            Self::TfGlobal | Self::KerasGlobal if !n.is_finite() => Scaling::Times(T::nan()),
            Self::TfGlobal => Scaling::Times(c * least(one / n, one / c)),
            Self::KerasGlobal => Scaling::Times(c * least(one / n, T::of(1.0 / c64))),
            Self::TfNorm => {
                let c = greatest(c, T::zero());
                Scaling::TimesOver(c, greatest(n, c))
            }
            Self::TfAverage | Self::TfAverageGraph => {
                let count = T::of(elements as f64);
                Scaling::averaged(self, c, least(T::of(1.0 / n64) * count, one / c))
            }
            Self::TfPrivacy => Scaling::Times(least(one, c / greatest(n, T::of(1e-8)))),
            Self::PaddleGlobal => Scaling::Times(c / greatest(n, c)),
            Self::PaddleNorm => {
                let keep = if n <= c { one } else { T::zero() };
                let eps = if n <= T::of(1e-30) { T::of(1e-6) } else { T::zero() };
                Scaling::Times(keep + (one - keep) * c / (n + eps))
            }
            Self::MindSpore => Scaling::TimesOver(c, if n >= c { n } else { c }),
            Self::DivMax => Scaling::Over(greatest(one, n / c)),
        };
        scaling.without_ones()
    }

    /// Whether the convention takes a component with this statistic for one that is to be clipped: its own comparison
    /// where it has one, a factor below 1 where it has an ε, `n > c` otherwise. NaN exceeds every threshold, unless the
    /// source's own comparison then keeps the gradients.
    pub fn exceeds<T: Real>(self, n: f64, c: f64, eps: f64, elements: usize) -> bool {
        let (in_t, limit) = (T::of(n), T::of(c));
        let below = match self {
            Self::Exact => n <= c,
            Self::Optax | Self::OptaxJit | Self::JaxExample => in_t < limit,
            // Comparisons that NaN does not pass: such a component is not clipped.
            Self::MindSpore => in_t < limit || in_t.is_nan(),
            Self::OptaxExample => in_t <= limit || in_t.is_nan(),
            Self::Torch | Self::TorchBranch | Self::Mxnet | Self::Burn | Self::DeepSpeed { .. } => {
                let s = if let Self::DeepSpeed { loss_scale } = self {
                    loss_scale
                } else {
                    1.0
                };
                self.scaling::<T>(n, c, eps, elements).factor() * s >= 1.0
            }
            Self::TfAverage | Self::TfAverageGraph => n / elements as f64 <= c,
            _ => in_t <= limit,
        };
        !below
    }
}

/// The smaller; NaN if either is NaN, as in every framework here.
fn least<T: Real>(a: T, b: T) -> T {
    if a.is_nan() || a < b { a } else { b }
}

/// The larger; NaN if either is NaN.
fn greatest<T: Real>(a: T, b: T) -> T {
    if a.is_nan() || a > b { a } else { b }
}
