//! Does one sample vary more than another?

use super::beta;
use super::summary::{mean, quantile, sorted};

/// The result of the test of Brown and Forsythe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrownForsythe {
    /// The statistic, at least 0.
    pub w: f64,
    /// The p-value.
    pub p: f64,
}

/// The test of Brown and Forsythe: equal variances. Levene's test with medians, which skewed values mislead less.
///
/// With `zᵢⱼ = |xᵢⱼ - medianᵢ|`, `W` is the ratio of variances of a one-way analysis of the `z` of both samples:
/// `W = (n - 2) Σᵢ nᵢ (z̄ᵢ - z̄)² / Σᵢⱼ (zᵢⱼ - z̄ᵢ)²`, and `p = P(F(1, n - 2) ≥ W)`. `None` if a sample has fewer than two values
/// or no `z` differs from its mean.
///
/// # Source
/// Brown and Forsythe, *Robust tests for the equality of variances*, Journal of the American Statistical Association 69
/// (1974).
pub fn brown_forsythe(x: &[f64], y: &[f64]) -> Option<BrownForsythe> {
    if x.len() < 2 || y.len() < 2 {
        return None;
    }
    let groups = [distances(x), distances(y)];
    let all = mean(&groups.concat());
    let (mut between, mut within) = (0.0, 0.0);
    for z in &groups {
        let middle = mean(z);
        between += z.len() as f64 * (middle - all) * (middle - all);
        within += super::summary::sum_of_squared_deviations(z);
    }
    if within == 0.0 {
        return None;
    }
    let df = (x.len() + y.len() - 2) as f64;
    let w = df * between / within;
    // P(F(1, df) ≥ w) without `1 - cdf`, which would lose small p-values.
    let p = beta::regularised(df / 2.0, 0.5, df / (df + w), w / (df + w));
    Some(BrownForsythe { w, p })
}

/// `|xᵢ - median|`.
fn distances(x: &[f64]) -> Vec<f64> {
    let median = quantile(&sorted(x), 0.5);
    x.iter().map(|x| (x - median).abs()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// z = (1, 0, 1) and (2, 0, 2): means 2/3, 4/3 and 1; between 3 (1/9 + 1/9) = 2/3, within 2/3 + 8/3 = 10/3, W = 4 ·
    /// 0.2 = 0.8. With 4 degrees of freedom P(|t| ≥ √0.8) has a closed form: 1 - s (3 - s²) / 2 with s = √(0.8 / 4.8).
    #[test]
    fn by_hand() {
        let test = brown_forsythe(&[4.0, 5.0, 6.0], &[1.0, 3.0, 5.0]).expect("it varies");
        let s = (0.8_f64 / 4.8).sqrt();
        assert!((test.w - 0.8).abs() < 1e-15);
        assert!(
            (test.p - (1.0 - s * (3.0 - s * s) / 2.0)).abs() < 1e-14,
            "{test:?}"
        );
    }

    #[test]
    fn samples_that_do_not_vary() {
        assert_eq!(brown_forsythe(&[1.0; 3], &[2.0; 3]), None);
        assert_eq!(brown_forsythe(&[1.0], &[1.0, 2.0, 5.0]), None);
    }
}
