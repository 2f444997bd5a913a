//! From what was measured on a component to what is done with it, for the rules without memory.

use super::elementwise::Each;
use super::report::Clipped;
use super::rule::{Floor, Rule};
use super::scaling::Scaling;
use super::statistic::Statistic;
use super::threshold::Threshold;
use crate::real::Real;

/// What is known of a component before it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// The policy's statistic.
    pub(super) statistic: f64,
    /// The 2-norm.
    pub(super) two: f64,
    /// Elements that count.
    pub(super) elements: usize,
    /// NaN and infinite elements.
    pub(super) non_finite: usize,
    /// Whether every element that is scaled counts.
    pub(super) whole: bool,
    /// The relative error of `statistic` against exact arithmetic is at most this.
    pub(super) error: f64,
    /// What the rule compares with: the weights' 2-norm, or StableAdamW's `r`; NaN where the rule has no use for it.
    pub(super) beside: f64,
}

/// What happens to a component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decision<T> {
    pub(super) act: Act<T>,
    pub(super) threshold: Option<f64>,
    /// Element-wise rules: `Ambiguous` until the elements were written.
    pub(super) clipped: Clipped,
}

/// The write pass of a component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act<T> {
    /// None.
    Scale(Scaling<T>),
    /// Element by element.
    Each(Each<T>),
    /// The edge rule: zero.
    Zero,
    /// The edge rule: do not update with it. No write.
    Skip,
}

impl<T: Real> Act<T> {
    pub(super) fn writes(self) -> bool {
        !matches!(self, Self::Skip | Self::Scale(Scaling::Keep))
    }
}

impl<T: Real> Decision<T> {
    pub(super) fn keep(threshold: Option<f64>) -> Self {
        Self {
            act: Act::Scale(Scaling::Keep),
            threshold,
            clipped: Clipped::No,
        }
    }

    pub(super) fn scale(scaling: Scaling<T>, threshold: Option<f64>, clipped: Clipped) -> Self {
        Self {
            act: Act::Scale(scaling),
            threshold,
            clipped,
        }
    }

    /// Multiplication by `k(n)`, rounded to `T`; clipped unless that is at least 1.
    pub(super) fn factor(m: &Measured, n: f64, threshold: Option<f64>, k: impl Fn(f64) -> f64) -> Self {
        let clipped = m.verdict(n, |n| k(n) < 1.0 || k(n).is_nan());
        let scaling = match k(n) {
            1.0 => Scaling::Keep,
            k => Scaling::Times(T::of(k)),
        };
        Self::scale(scaling, threshold, clipped)
    }

    fn each(rule: Each<T>, threshold: f64) -> Self {
        Self {
            act: Act::Each(rule),
            threshold: Some(threshold),
            clipped: Clipped::Ambiguous,
        }
    }

    /// A rule without memory.
    pub(super) fn of(rule: &Rule, statistic: Statistic, threshold: Option<Threshold>, m: &Measured) -> Self {
        let c = threshold.map_or(f64::NAN, Threshold::get);
        let n = m.statistic;
        match *rule {
            Rule::Norm { convention, eps, .. } => {
                let n = if convention.measures_mean() { m.two } else { n };
                let clipped = m.verdict(n, |n| convention.exceeds::<T>(n, c, eps, m.elements));
                Self::scale(convention.scaling(n, c, eps, m.elements), Some(c), clipped)
            }
            // No element that counts is above a p-norm.
            Rule::Value { .. }
                if m.whole && matches!(statistic, Statistic::Norm(_)) && n * (1.0 + m.error) <= c =>
            {
                Self::keep(Some(c))
            }
            Rule::Value { form, .. } => Self::each(Each::Value(form, T::of(c)), c),
            Rule::Soft { curve, .. } => Self::each(Each::Soft(curve, T::of(c)), c),
            Rule::Spam { .. } => Self::each(Each::Spam(T::of(c)), c),
            Rule::SoftNorm { .. } if c == 0.0 => Self::factor(m, n, Some(c), |_| 0.0),
            Rule::SoftNorm { .. } => Self::factor(m, n, Some(c), |n| 1.0 / (1.0 + n / c)),
            Rule::Normalise { floor, eps, .. } => Self::factor(m, n, Some(c), |n| match floor {
                Floor::Add => c / (n + eps),
                Floor::Max => c / greatest(n, eps),
            }),
            Rule::Agc { eps, .. } => Self::agc(c, eps, m),
            Rule::TrustRatio {
                coefficient,
                eps,
                max,
            } => Self::factor(m, n, None, |n| {
                let zero = m.beside == 0.0 || n == 0.0;
                let ratio = coefficient * m.beside / (n + eps);
                let k = if zero { 1.0 } else { ratio };
                if k > max { max } else { k }
            }),
            Rule::StableAdamW { .. } => Self::factor(m, m.beside, Some(c), |r| 1.0 / greatest(1.0, r / c)),
            Rule::Keep | Rule::Adaptive(_) => Self::keep(None),
        }
    }

    /// `m = c·max(‖w‖, ε)`; `n < m ? x : x·(m/max(n, 1e-6))`, in `T`.
    fn agc(c: f64, eps: f64, m: &Measured) -> Self {
        let limit = T::of(greatest(T::of(m.beside).widen(), T::of(eps).widen())) * T::of(c);
        let exceeds = |n: f64| n.is_nan() || T::of(n) >= limit || limit.is_nan();
        let n = T::of(m.statistic);
        let scaling = if exceeds(m.statistic) {
            Scaling::Times(limit / T::of(greatest(n.widen(), T::of(1e-6).widen())))
        } else {
            Scaling::Keep
        };
        Self::scale(scaling, Some(limit.widen()), m.verdict(m.statistic, exceeds))
    }
}

impl Measured {
    /// Whether `exceeds` says the same for every value that the true norm can have.
    pub(super) fn verdict(&self, n: f64, exceeds: impl Fn(f64) -> bool) -> Clipped {
        match (exceeds(n * (1.0 - self.error)), exceeds(n * (1.0 + self.error))) {
            (true, true) => Clipped::Yes,
            (false, false) => Clipped::No,
            _ => Clipped::Ambiguous,
        }
    }
}

/// The larger; NaN if either is NaN.
fn greatest(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}
