//! Thresholds.

use super::error::PolicyError;
use std::fmt;

/// The largest value of a statistic that a component keeps, in the unit of that statistic.
///
/// [`Threshold::new`] takes what a user can mean: a finite number of at least 0. Several conventions also compute
/// something for negative, infinite and NaN thresholds (PyTorch turns the gradient round for `c < 0`); to ask for
/// that, say so with [`Threshold::unchecked`]. A negative and a NaN threshold never come from a slip of the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Threshold(f64);

impl Threshold {
    /// Checks the value.
    ///
    /// # Errors
    /// If it is negative, NaN or infinite.
    pub fn new(c: f64) -> Result<Self, PolicyError> {
        let threshold = Self(c);
        if threshold.is_plain() {
            Ok(threshold)
        } else {
            Err(PolicyError::Threshold(c.to_string()))
        }
    }

    /// Any number; in a policy's text, the option `unchecked`.
    pub const fn unchecked(c: f64) -> Self {
        Self(c)
    }

    /// Reads any number; the policy checks afterwards whether it had to be plain.
    pub(super) fn from_text(text: &str) -> Result<Self, PolicyError> {
        text.parse()
            .map(Self)
            .map_err(|_| PolicyError::Threshold(text.to_owned()))
    }

    /// Whether [`Threshold::new`] takes it.
    pub fn is_plain(self) -> bool {
        self.0.is_finite() && self.0 >= 0.0
    }

    /// The value.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(self.0))
    }
}

/// A number as policies print it: with an exponent where it would be long without.
pub(super) fn plain(x: f64) -> String {
    let (text, short) = (x.to_string(), format!("{x:e}"));
    if text.len() > 24 && short.len() < text.len() {
        short
    } else {
        text
    }
}
