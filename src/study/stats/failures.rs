//! Shares of failed runs.

use super::{Interval, normal};

/// Tables whose probabilities differ by less than this, relatively, count as equally likely. The logarithms of binomials
/// are good to about 1e-13.
const SAME: f64 = 1e-9;

/// Fisher's exact test, two-sided: `a` of `m` runs and `b` of `n` runs failed, are the chances equal?
///
/// Given the margins, `a` has the hypergeometric distribution; `p` is the sum over all tables at most as likely as the one
/// seen.
///
/// # Panics
/// If more runs failed than there are.
///
/// # Source
/// Fisher, *Statistical methods for research workers* (1934), section 21.02.
pub fn fisher(a: usize, m: usize, b: usize, n: usize) -> f64 {
    assert!(a <= m && b <= n, "no more failures than runs");
    let failed = a + b;
    let (m, n, failed) = (m as u64, n as u64, failed as u64);
    let all = ln_binomial(m + n, failed);
    let probability = |a: u64| libm::exp(ln_binomial(m, a) + ln_binomial(n, failed - a) - all);
    let seen = probability(a as u64);
    let tables = failed.saturating_sub(n)..=failed.min(m);
    let p: f64 = tables
        .map(probability)
        .filter(|&p| p <= seen * (1.0 + SAME))
        .sum();
    p.min(1.0)
}

/// `ln (n! / (k! (n − k)!))`.
fn ln_binomial(n: u64, k: u64) -> f64 {
    let ln_factorial = |n: u64| libm::lgamma(n as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// Wilson's score interval for the chance of failure when `failed` of `n` runs failed; `None` of no runs.
///
/// The chances `p` for which `(failed / n - p)² ≤ z² p (1 - p) / n`, `z = Φ⁻¹((1 + level) / 2)`.
///
/// # Source
/// Wilson, *Probable inference, the law of succession, and statistical inference*, Journal of the American Statistical
/// Association 22 (1927).
pub fn wilson(failed: usize, n: usize, level: f64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (k, n) = (failed as f64, n as f64);
    let z = normal::quantile(f64::midpoint(1.0, level));
    let z2 = z * z;
    let middle = (k + z2 / 2.0) / (n + z2);
    let half = z / (n + z2) * (k * (n - k) / n + z2 / 4.0).sqrt();
    Some(Interval {
        low: if failed == 0 { 0.0 } else { middle - half },
        high: if k == n { 1.0 } else { middle + half },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fisher's tea: 4 cups of 4 said right. C(8,4) = 70 tables weigh 1, 16, 36, 16, 1; the two ends are as likely: 2/70. With
    /// 3 of 4 against 1 of 4 all but the middle count: 34/70.
    #[test]
    fn lady_tasting_tea() {
        assert!((fisher(4, 4, 0, 4) - 2.0 / 70.0).abs() < 1e-14);
        assert!((fisher(3, 4, 1, 4) - 34.0 / 70.0).abs() < 1e-13);
        assert!((fisher(0, 5, 0, 7) - 1.0).abs() < 1e-15);
        assert!((fisher(0, 0, 3, 7) - 1.0).abs() < 1e-15);
    }

    /// With no failure the upper end is z² / (n + z²), z = 1.959964.
    #[test]
    fn wilson_at_the_edge() {
        let none = wilson(0, 10, 0.95).expect("runs");
        assert_eq!(none.low, 0.0);
        assert!((none.high - 3.841_459 / 13.841_459).abs() < 1e-6, "{none:?}");
        assert_eq!(wilson(0, 0, 0.95), None);
        let all = wilson(10, 10, 0.95).expect("runs");
        assert_eq!(all.high, 1.0);
        assert!((all.low - 10.0 / 13.841_459).abs() < 1e-6, "{all:?}");
    }
}
