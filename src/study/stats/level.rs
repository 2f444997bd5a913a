//! Does one sample lie higher than another? Two tests, both two-sided.

use super::summary::{mean, sum_of_squared_deviations};
use super::{beta, normal};

/// The result of Welch's t test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    /// The statistic, positive if the first sample lies higher.
    pub t: f64,
    /// The degrees of freedom of Welch and Satterthwaite.
    pub df: f64,
    /// The two-sided p-value.
    pub p: f64,
}

/// Welch's t test: equal means, variances not assumed equal.
///
/// `t = (x̄ - ȳ) / √(vₓ + v_y)` with `v = s² / n`, `s` the sample deviation, and
/// `df = (vₓ + v_y)² / (vₓ² / (nₓ - 1) + v_y² / (n_y - 1))`. `None` if a sample has fewer than two values or neither varies.
///
/// # Source
/// Welch, *The generalization of "Student's" problem when several different population variances are involved*,
/// Biometrika 34 (1947).
pub fn welch(x: &[f64], y: &[f64]) -> Option<Welch> {
    if x.len() < 2 || y.len() < 2 {
        return None;
    }
    let share = |x: &[f64]| sum_of_squared_deviations(x) / (x.len() - 1) as f64 / x.len() as f64;
    let (vx, vy) = (share(x), share(y));
    let v = vx + vy;
    if v == 0.0 {
        return None;
    }
    let t = (mean(x) - mean(y)) / v.sqrt();
    // Divided by v first: the squares of tiny variances would vanish.
    let (wx, wy) = (vx / v, vy / v);
    let df = 1.0 / (wx * wx / (x.len() - 1) as f64 + wy * wy / (y.len() - 1) as f64);
    // P(|T| ≥ t), by the incomplete beta function.
    let squared = t * t;
    let p = beta::regularised(df / 2.0, 0.5, df / (df + squared), squared / (df + squared));
    Some(Welch { t, df, p })
}

/// The result of the Mann-Whitney test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the first sample's value is the larger, ties as halves.
    pub u: f64,
    /// The two-sided p-value.
    pub p: f64,
    /// Whether `p` comes from the exact distribution of `u`.
    pub is_exact: bool,
}

/// Samples up to this size get the exact distribution, if there are no ties: scipy's rule.
const EXACT: usize = 8;

/// The Mann-Whitney U test: equal distributions, against one that lies higher.
///
/// Without ties and with a sample of at most 8 values, `p = min(1, 2 P(U ≥ max(u, nₓn_y - u)))` from the exact
/// distribution; else from the normal distribution with continuity and tie correction:
/// `z = (max(u, nₓn_y - u) - nₓn_y / 2 - 1/2) / s`, `s² = nₓn_y / 12 · (n + 1 - Σ (t³ - t) / (n (n - 1)))` over the
/// sizes `t` of the groups of ties. `None` if a sample is empty; `p = 1` if all values are the same.
///
/// # Source
/// Mann and Whitney, *On a test of whether one of two random variables is stochastically larger than the other*, Annals of
/// Mathematical Statistics 18 (1947); Hollander and Wolfe, *Nonparametric statistical methods*, section 4.1.
pub fn mann_whitney(x: &[f64], y: &[f64]) -> Option<MannWhitney> {
    if x.is_empty() || y.is_empty() {
        return None;
    }
    let u = wins(x, y);
    let pairs = (x.len() * y.len()) as f64;
    let larger = u.max(pairs - u);
    let ties = tie_sum(x, y);
    let is_exact = ties == 0.0 && x.len().min(y.len()) <= EXACT;
    let tail = if is_exact {
        exact_tail(x.len(), y.len(), larger as usize)
    } else {
        let n = (x.len() + y.len()) as f64;
        let variance = pairs / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
        if variance <= 0.0 {
            1.0
        } else {
            normal::upper_tail((larger - pairs / 2.0 - 0.5) / variance.sqrt())
        }
    };
    Some(MannWhitney {
        u,
        p: (2.0 * tail).min(1.0),
        is_exact,
    })
}

/// `#{x > y} + #{x = y} / 2` over all pairs.
pub(super) fn wins(x: &[f64], y: &[f64]) -> f64 {
    let win = |x: f64, y: f64| match x.total_cmp(&y) {
        _ if x == y => 0.5,
        std::cmp::Ordering::Greater => 1.0,
        _ => 0.0,
    };
    x.iter().map(|&x| y.iter().map(|&y| win(x, y)).sum::<f64>()).sum()
}

/// `Σ (t³ - t)` over the groups of equal values of both samples.
fn tie_sum(x: &[f64], y: &[f64]) -> f64 {
    let all = super::summary::sorted(&[x, y].concat());
    let sizes = all.chunk_by(|a, b| a == b).map(|group| group.len() as f64);
    sizes.map(|t| t * t * t - t).sum()
}

/// `P(U ≥ u)` where every order of `m + n` different values is equally likely.
///
/// `counts[u]`, the number of orders with `U = u`, are the coefficients of the Gaussian binomial
/// `Π_{i=1..m} (1 - qⁿ⁺ⁱ) / (1 - qⁱ)`.
fn exact_tail(m: usize, n: usize, u: usize) -> f64 {
    let (m, n) = (m.min(n), m.max(n));
    let mut counts = vec![0.0; m * n + 1];
    counts[0] = 1.0;
    for i in 1..=m {
        for power in (n + i..counts.len()).rev() {
            counts[power] -= counts[power - n - i];
        }
        for power in i..counts.len() {
            counts[power] += counts[power - i];
        }
    }
    counts[u..].iter().sum::<f64>() / counts.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two and three values: 10 orders, with U = 0..6 in 1, 1, 2, 2, 2, 1, 1 of them (Mann and Whitney's table).
    #[test]
    fn exact_distribution() {
        let tails: Vec<f64> = (0..=6).map(|u| exact_tail(2, 3, u) * 10.0).collect();
        for (found, expected) in tails.iter().zip([10.0, 9.0, 8.0, 6.0, 4.0, 2.0, 1.0]) {
            assert!((found - expected).abs() < 1e-12, "{tails:?}");
        }
        let test = mann_whitney(&[5.0, 4.0], &[1.0, 2.0, 3.0]).expect("two samples");
        assert_eq!((test.u, test.is_exact), (6.0, true));
        assert!((test.p - 0.2).abs() < 1e-15);
    }

    #[test]
    fn samples_that_do_not_vary() {
        assert_eq!(welch(&[1.0, 1.0], &[2.0, 2.0]), None);
        assert_eq!(welch(&[1.0], &[2.0, 3.0]), None);
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        let same = mann_whitney(&[1.0; 3], &[1.0; 4]).expect("two samples");
        assert_eq!((same.u, same.p, same.is_exact), (6.0, 1.0, false));
    }
}
