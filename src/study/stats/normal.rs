//! The standard normal distribution.

use statrs::distribution::{ContinuousCDF, Normal};
use std::f64::consts::FRAC_1_SQRT_2;

/// `Φ(z) = P(Z ≤ z)`.
pub(super) fn cdf(z: f64) -> f64 {
    upper_tail(-z)
}

/// `P(Z ≥ z)`, from libm's `erfc`, which is good to the last digit; statrs' own is off by up to 1e-10.
pub(super) fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// `Φ⁻¹(p)` for `p` in `(0, 1)`.
pub(super) fn quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}
