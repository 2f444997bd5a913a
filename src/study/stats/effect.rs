//! How large a difference is, whatever its p-value.

use super::level::wins;
use super::summary::{mean, sd, sum_of_squared_deviations};

/// Hedges' g: the difference of means in units of the pooled deviation, corrected for small samples.
///
/// `g = J (x̄ - ȳ) / s`, `s² = (Σ (x - x̄)² + Σ (y - ȳ)²) / df`, `df = nₓ + n_y - 2`,
/// `J = Γ(df/2) / (√(df/2) Γ((df-1)/2))`. `None` if `df < 2` or neither sample varies.
///
/// # Source
/// Hedges, *Distribution theory for Glass's estimator of effect size and related estimators*, Journal of Educational
/// Statistics 6 (1981).
pub fn hedges_g(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.is_empty() || y.is_empty() || x.len() + y.len() < 4 {
        return None;
    }
    let df = (x.len() + y.len() - 2) as f64;
    let pooled = ((sum_of_squared_deviations(x) + sum_of_squared_deviations(y)) / df).sqrt();
    let correction = libm::exp(libm::lgamma(df / 2.0) - libm::lgamma((df - 1.0) / 2.0)) / (df / 2.0).sqrt();
    (pooled > 0.0).then(|| correction * (mean(x) - mean(y)) / pooled)
}

/// Cliff's delta, also the rank-biserial correlation: `P(x > y) - P(x < y)` over all pairs, from -1 to 1. `None` if a sample
/// is empty.
///
/// # Source
/// Cliff, *Dominance statistics: ordinal analyses to answer ordinal questions*, Psychological Bulletin 114 (1993).
pub fn cliffs_delta(x: &[f64], y: &[f64]) -> Option<f64> {
    let pairs = (x.len() * y.len()) as f64;
    (pairs > 0.0).then(|| 2.0 * wins(x, y) / pairs - 1.0)
}

/// The ratio of the deviations of two samples; `None` if the second does not vary or one is not defined.
pub fn sd_ratio(x: &[f64], y: &[f64], ddof: usize) -> Option<f64> {
    let (x, y) = (sd(x, ddof)?, sd(y, ddof)?);
    (y > 0.0).then(|| x / y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Means 2 and 4, squared deviations 2 and 2, df 4, s = 1; J = Γ(2) / (√2 Γ(3/2)) = 1 / (√2 · √π / 2) = √(2/π).
    #[test]
    fn by_hand() {
        let (x, y) = ([1.0, 2.0, 3.0], [3.0, 4.0, 5.0]);
        let g = hedges_g(&x, &y).expect("they vary");
        let expected = -2.0 * std::f64::consts::FRAC_2_PI.sqrt();
        assert!((g - expected).abs() < 1e-14, "{g}");
        // Of nine pairs one is tied, none is won, eight are lost.
        assert!((cliffs_delta(&x, &y).expect("values") + 8.0 / 9.0).abs() < 1e-15);
        assert_eq!(sd_ratio(&x, &y, 0), Some(1.0));
        assert_eq!(sd_ratio(&x, &[2.0; 3], 0), None);
        assert_eq!(hedges_g(&[1.0; 3], &[2.0; 3]), None);
        assert_eq!(hedges_g(&[1.0], &[2.0, 3.0]), None);
    }
}
