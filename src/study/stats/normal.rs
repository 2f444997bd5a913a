//! The standard normal distribution.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// `Φ(z) = P(Z ≤ z)`.
pub(super) fn cdf(z: f64) -> f64 {
    upper_tail(-z)
}

/// `P(Z ≥ z)`, good to the last digits also where it is tiny.
pub(super) fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// `Φ⁻¹(p)` for `p` in `(0, 1)`: Hastings' approximation, then Halley's steps on `Φ(z) = p`.
///
/// The approximation is within 4.5e-4, and a step makes of an error `e` one of about `e³`, so that two reach `f64`; the third
/// is for tiny `p`, where the error in `p` is relative.
///
/// # Source
/// Abramowitz and Stegun, *Handbook of mathematical functions*, 26.2.23.
pub(super) fn quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    let t = (-2.0 * libm::log(p)).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = above / below - t;
    for _ in 0..3 {
        let density = libm::exp(-0.5 * z * z) / (2.0 * PI).sqrt();
        let newton = (cdf(z) - p) / density;
        z -= newton / (1.0 + 0.5 * z * newton);
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tables: Φ(1.959963984540054) = 0.975, Φ(0) = 1/2, Φ(−3.090232306167813) = 0.001 (scipy 1.17 prints these digits).
    #[test]
    fn quantiles() {
        for (p, z) in [
            (0.975, 1.959_963_984_540_054),
            (0.5, 0.0),
            (0.001, -3.090_232_306_167_813),
        ] {
            assert!((quantile(p) - z).abs() < 1e-14, "{p}: {}", quantile(p));
        }
        for p in [1e-300, 1e-20, 1e-5, 0.02, 0.3] {
            assert!((cdf(quantile(p)) / p - 1.0).abs() < 1e-12, "{p}");
        }
        assert_eq!(quantile(0.7), -quantile(1.0 - 0.7));
    }
}
