//! Does one condition reach higher values with the same seeds? Two tests of pairs, both two-sided.
//!
//! Runs of one seed share their fresh weights and the order of their examples, so the difference within a pair may vary less
//! than the values do.

use super::summary::{mean, sum_of_squared_deviations};
use super::{beta, normal};

/// The result of the paired t test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedT {
    /// The statistic, positive if the first of each pair is the larger.
    pub t: f64,
    /// The degrees of freedom, pairs less one.
    pub df: f64,
    /// The two-sided p-value.
    pub p: f64,
}

/// Student's t test of the differences `d = x - y` of pairs: `t = d̄ / √(s² / n)`, `df = n - 1`.
///
/// `None` if there are fewer than two pairs or all differences are the same, up to the rounding of values near theirs.
///
/// # Panics
/// If the samples are not of equal length.
///
/// # Source
/// Student, *The probable error of a mean*, Biometrika 6 (1908).
pub fn paired_t(x: &[f64], y: &[f64]) -> Option<PairedT> {
    let (d, noise) = differences(x, y);
    let range =
        d.iter().copied().fold(f64::NEG_INFINITY, f64::max) - d.iter().copied().fold(f64::INFINITY, f64::min);
    if d.len() < 2 || range <= noise {
        return None;
    }
    let n = d.len() as f64;
    let df = n - 1.0;
    let variance = sum_of_squared_deviations(&d) / df / n;
    let t = mean(&d) / variance.sqrt();
    let squared = t * t;
    let p = beta::regularised(df / 2.0, 0.5, df / (df + squared), squared / (df + squared));
    Some(PairedT { t, df, p })
}

/// The result of Wilcoxon's signed-rank test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wilcoxon {
    /// The sum of the ranks of the positive differences.
    pub w: f64,
    /// The two-sided p-value.
    pub p: f64,
    /// Whether `p` comes from the exact distribution of `w`.
    pub is_exact: bool,
}

/// So many differences get the exact distribution: scipy's limit, and few enough for counts below 2⁵³.
const EXACT: usize = 50;

/// Wilcoxon's signed-rank test of pairs: are the differences `x - y` symmetric about 0?
///
/// Differences of 0 are left out; equal ones share the mean of their ranks. What differs by no more than the rounding of the
/// values is equal: accuracies are `k/n`, and 5/277 - 2/277 and 8/277 - 5/277 differ in their last bits. With at most 50 others, `p` is
/// `min(1, 2 P(W ≥ max(w, S - w)))`, `S` the sum of all ranks, from the exact distribution over all signs of these ranks,
/// tied or not; else from the normal distribution with tie correction, `s² = (n (n + 1) (2n + 1) - Σ (t³ - t) / 2) / 24`.
/// `None` if all differences are 0.
///
/// # Panics
/// If the samples are not of equal length.
///
/// # Source
/// Wilcoxon, *Individual comparisons by ranking methods*, Biometrics Bulletin 1 (1945); Hollander and Wolfe, *Nonparametric
/// statistical methods*, section 3.1.
pub fn wilcoxon(x: &[f64], y: &[f64]) -> Option<Wilcoxon> {
    let (mut d, noise) = differences(x, y);
    d.retain(|&d| d.abs() > noise);
    d.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    if d.is_empty() {
        return None;
    }
    // Twice the ranks are whole numbers: groups of ties have the mean of whole ranks.
    let (mut doubled, mut ties, mut w) = (Vec::with_capacity(d.len()), 0.0, 0.0);
    for group in d.chunk_by(|a, b| b.abs() - a.abs() <= noise) {
        let (first, t) = (doubled.len() + 1, group.len());
        let rank = 2 * first + t - 1;
        doubled.extend(std::iter::repeat_n(rank, t));
        ties += (t * t * t - t) as f64;
        w += group.iter().filter(|&&d| d > 0.0).count() as f64 * rank as f64 / 2.0;
    }
    let n = d.len() as f64;
    let all = n * (n + 1.0) / 2.0;
    let larger = w.max(all - w);
    let is_exact = d.len() <= EXACT;
    let tail = if is_exact {
        exact_tail(&doubled, (2.0 * larger) as usize)
    } else {
        let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0;
        normal::upper_tail((larger - all / 2.0) / variance.sqrt())
    };
    Some(Wilcoxon {
        w,
        p: (2.0 * tail).min(1.0),
        is_exact,
    })
}

/// `P(Σ ± counted ≥ sum)`, each of the `ranks` in the sum or not with equal chance.
fn exact_tail(ranks: &[usize], sum: usize) -> f64 {
    let mut counts = vec![0.0; ranks.iter().sum::<usize>() + 1];
    counts[0] = 1.0;
    for &rank in ranks {
        for total in (rank..counts.len()).rev() {
            counts[total] += counts[total - rank];
        }
    }
    counts[sum..].iter().sum::<f64>() / counts.iter().sum::<f64>()
}

/// The differences, and what two of them may differ by from the rounding of the values alone.
fn differences(x: &[f64], y: &[f64]) -> (Vec<f64>, f64) {
    assert_eq!(x.len(), y.len(), "one value of each sample in a pair");
    let largest = x.iter().chain(y).fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let differences = x.iter().zip(y).map(|(x, y)| x - y);
    (differences.collect(), 8.0 * f64::EPSILON * largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Differences 3, 1, -2: d̄ = 2/3, Σ (d - d̄)² = 114/9, s²/n = (114/9) / 2 / 3 = 19/9, t = (2/3) / √(19/9) = 2 / √19.
    /// With two degrees of freedom, p = 1 - t / √(2 + t²) = 1 - √(4 / 42).
    #[test]
    fn student_by_hand() {
        let test = paired_t(&[4.0, 3.0, 0.0], &[1.0, 2.0, 2.0]).expect("three pairs");
        assert!((test.t - 2.0 / 19.0_f64.sqrt()).abs() < 1e-15);
        assert!(
            (test.p - (1.0 - (4.0_f64 / 42.0).sqrt())).abs() < 1e-14,
            "{test:?}"
        );
        assert_eq!(paired_t(&[1.0, 2.0], &[0.0, 1.0]), None);
        assert_eq!(paired_t(&[1.0], &[0.0]), None);
    }

    /// Of the 8 signs of the ranks 1, 2, 3 the sums are 0, 1, 2, 3, 3, 4, 5, 6: P(W ≥ 5) = 2/8.
    #[test]
    fn wilcoxon_by_hand() {
        let test = wilcoxon(&[2.0, -1.0, 3.0], &[0.0, 0.0, 0.0]).expect("three differences");
        assert_eq!((test.w, test.p, test.is_exact), (5.0, 0.5, true));
        // A pair without a difference changes nothing.
        assert_eq!(
            wilcoxon(&[2.0, -1.0, 3.0, 7.0], &[0.0, 0.0, 0.0, 7.0]),
            Some(test)
        );
        assert_eq!(wilcoxon(&[1.0, 2.0], &[1.0, 2.0]), None);
    }

    /// All three differences are 3/277, but for their last bits.
    #[test]
    fn rounding_is_no_difference() {
        let shares = |counts: [u16; 6]| counts.map(|k| f64::from(k) / 277.0);
        let (x, y) = (
            shares([180, 185, 190, 192, 195, 188]),
            shares([177, 182, 187, 189, 192, 185]),
        );
        assert!(
            x.iter().zip(&y).any(|(a, b)| a - b != x[0] - y[0]),
            "they are not the same bits"
        );
        assert_eq!(paired_t(&x, &y), None);
        // Six equal positive differences: W = 21, p = 2/2⁶.
        let test = wilcoxon(&x, &y).expect("differences");
        assert_eq!((test.w, test.p), (21.0, 2.0 / 64.0));
    }

    proptest! {
        /// Shares of one set of examples rank as their counts do.
        #[test]
        fn shares_are_their_counts(pairs in prop::collection::vec((0_u16..20, 0_u16..20), 2..30)) {
            let counts = |of: fn(&(u16, u16)) -> u16| -> Vec<f64> { pairs.iter().map(|pair| f64::from(of(pair))).collect() };
            let (x, y) = (counts(|pair| 150 + pair.0), counts(|pair| 150 + pair.1));
            let share = |counts: &[f64]| -> Vec<f64> { counts.iter().map(|k| k / 277.0).collect() };
            prop_assert_eq!(wilcoxon(&share(&x), &share(&y)), wilcoxon(&x, &y));
            let (found, exact) = (paired_t(&share(&x), &share(&y)), paired_t(&x, &y));
            prop_assert_eq!(found.is_some(), exact.is_some());
            if let (Some(found), Some(exact)) = (found, exact) {
                prop_assert!((found.p - exact.p).abs() < 1e-9);
            }
        }

        /// All signs one by one, ranks by counting the smaller and the equal.
        #[test]
        fn all_signs(d in prop::collection::vec(-4_i32..=4, 1..10)) {
            let x: Vec<f64> = d.iter().map(|&d| f64::from(d)).collect();
            let kept: Vec<i32> = d.into_iter().filter(|&d| d != 0).collect();
            let found = wilcoxon(&x, &vec![0.0; x.len()]);
            prop_assert_eq!(found.is_none(), kept.is_empty());
            let Some(found) = found else { return Ok(()) };
            let rank = |d: i32| {
                let smaller = kept.iter().filter(|e| e.abs() < d.abs()).count() as f64;
                let equal = kept.iter().filter(|e| e.abs() == d.abs()).count() as f64;
                smaller + equal.midpoint(1.0)
            };
            let ranks: Vec<f64> = kept.iter().map(|&d| rank(d)).collect();
            let sum = |signs: usize| -> f64 {
                ranks.iter().enumerate().filter(|(i, _)| signs >> i & 1 == 1).map(|(_, rank)| rank).sum()
            };
            let observed: f64 = kept.iter().zip(&ranks).filter(|(d, _)| **d > 0).map(|(_, rank)| rank).sum();
            let all: f64 = ranks.iter().sum();
            let extreme = (observed - all / 2.0).abs();
            let as_extreme = (0..1 << kept.len()).filter(|&signs| (sum(signs) - all / 2.0).abs() >= extreme).count();
            let p = as_extreme as f64 / f64::from(1 << kept.len());
            prop_assert_eq!(found.w, observed);
            prop_assert!((found.p - p).abs() < 1e-12, "{} {}", found.p, p);
        }
    }
}
