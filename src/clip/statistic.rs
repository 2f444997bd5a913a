//! What is measured on a component.
//!
//! ```text
//! norm=p    ‖g‖_p = (Σ |gᵢ|ᵖ)^(1/p)      any p > 0; p = ∞ is max |gᵢ|
//! rms       ‖g‖₂ / √N                    N: the component's elements
//! mean      ‖g‖₂ / N                     the bound of TensorFlow's clip_by_average_norm, not the root mean square
//! ```
//!
//! All are 0 for an empty component, NaN if any element is NaN (the ∞-norm too), and ∞ if any is infinite and none NaN.
//! The accumulation is in `f64` and safe at every magnitude ([`crate::reduce`]); the order of a sum is no part of any
//! convention here, so what a source would lose to naive squares or to summation in `f32` is not imitated.

use super::error::PolicyError;
use std::fmt;
use std::str::FromStr;

/// The number that a rule compares with its threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// The p-norm. `p` is above 0, possibly ∞; [`Statistic::norm`] checks it.
    Norm(f64),
    /// The root mean square.
    Rms,
    /// The 2-norm divided by the number of elements.
    Mean,
}

impl Statistic {
    /// The sum of magnitudes.
    pub const L1: Self = Self::Norm(1.0);
    /// The Euclidean norm, the statistic of every rule unless it says otherwise.
    pub const L2: Self = Self::Norm(2.0);
    /// The largest magnitude.
    pub const MAX: Self = Self::Norm(f64::INFINITY);

    /// The p-norm.
    ///
    /// # Errors
    /// If `p` is not above 0.
    pub fn norm(p: f64) -> Result<Self, PolicyError> {
        if p > 0.0 {
            Ok(Self::Norm(p))
        } else {
            Err(PolicyError::value(
                "norm",
                &p.to_string(),
                "a number above 0, inf, rms or mean",
            ))
        }
    }
}

impl Statistic {
    /// The p-norm behind it.
    pub(super) fn p(self) -> f64 {
        match self {
            Self::Norm(p) => p,
            Self::Rms | Self::Mean => 2.0,
        }
    }

    /// From the norm of so many elements.
    pub(super) fn of_norm(self, norm: f64, elements: usize) -> f64 {
        let count = elements.max(1) as f64;
        match self {
            Self::Norm(_) => norm,
            Self::Rms => norm / count.sqrt(),
            Self::Mean => norm / count,
        }
    }

    /// A bound on the relative error of our statistic of so many elements in so many parts: half the longest chain of
    /// additions for the root of a sum of squares, twice that for p = 1, and the power's own rounding.
    pub(super) fn error(self, elements: usize, parts: usize) -> f64 {
        const BLOCK: usize = 1 << 14;
        let depth = (elements.min(BLOCK) / 8 + elements / BLOCK + parts + 16) as f64;
        let p = self.p();
        let u = f64::EPSILON / 2.0;
        if p == f64::INFINITY {
            0.0
        } else {
            u * (depth / p.min(1.0) + 8.0 * (p + 1.0 / p))
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Norm(p) => write!(f, "{p}"),
            Self::Rms => write!(f, "rms"),
            Self::Mean => write!(f, "mean"),
        }
    }
}

impl FromStr for Statistic {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "rms" => Ok(Self::Rms),
            "mean" => Ok(Self::Mean),
            p => Self::norm(p.parse().unwrap_or(f64::NAN))
                .map_err(|_| PolicyError::value("norm", p, "a number above 0, inf, rms or mean")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        for (text, statistic) in [
            ("1", Statistic::L1),
            ("2", Statistic::L2),
            ("inf", Statistic::MAX),
            ("0.5", Statistic::Norm(0.5)),
            ("rms", Statistic::Rms),
            ("mean", Statistic::Mean),
        ] {
            assert_eq!(text.parse(), Ok(statistic));
            assert_eq!(statistic.to_string(), text);
        }
        for text in ["0", "-1", "nan", "", "l2"] {
            assert_eq!(
                text.parse::<Statistic>().expect_err(text).to_string(),
                format!("`norm={text}`: not a number above 0, inf, rms or mean")
            );
        }
    }
}
