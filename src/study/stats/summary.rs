//! What a sample looks like: its size, level, spread and order.

/// A sample in eight numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Values.
    pub n: usize,
    /// `Σ xᵢ / n`.
    pub mean: f64,
    /// The standard deviation, if it is defined: see [`sd`].
    pub sd: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The lower quartile.
    pub q1: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub q3: f64,
    /// The largest value.
    pub max: f64,
}

/// Summarises finite values; `None` if there are none. `ddof` is that of [`sd`].
///
/// # Examples
/// ```
/// let s = cwgnc::study::stats::summary(&[0.5, 0.7, 0.6], 1).expect("three values");
/// assert_eq!((s.n, s.median), (3, 0.6));
/// assert!((s.sd.unwrap() - 0.1).abs() < 1e-15);
/// ```
pub fn summary(x: &[f64], ddof: usize) -> Option<Summary> {
    let sorted = sorted(x);
    let (&min, &max) = (sorted.first()?, sorted.last()?);
    Some(Summary {
        n: x.len(),
        mean: mean(x),
        sd: sd(x, ddof),
        min,
        q1: quantile(&sorted, 0.25),
        median: quantile(&sorted, 0.5),
        q3: quantile(&sorted, 0.75),
        max,
    })
}

/// `Σ xᵢ / n`; NaN of no values.
pub fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// `√(Σ (xᵢ - x̄)² / (n - ddof))`: `ddof` 0 is the population's deviation, 1 the sample's. `None` if `n ≤ ddof`.
///
/// Equal values have deviation 0 exactly, whatever the rounding of their mean.
pub fn sd(x: &[f64], ddof: usize) -> Option<f64> {
    if x.len() <= ddof {
        return None;
    }
    Some((sum_of_squared_deviations(x) / (x.len() - ddof) as f64).sqrt())
}

/// `Σ (xᵢ - x̄)²`.
pub(super) fn sum_of_squared_deviations(x: &[f64]) -> f64 {
    if are_equal(x) {
        return 0.0;
    }
    let mean = mean(x);
    x.iter().map(|x| (x - mean) * (x - mean)).sum()
}

/// Whether all values are the same number.
pub(super) fn are_equal(x: &[f64]) -> bool {
    x.windows(2).all(|pair| pair[0] == pair[1])
}

/// The values in ascending order.
pub fn sorted(x: &[f64]) -> Vec<f64> {
    let mut sorted = x.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The quantile `p ∈ [0, 1]` of values in ascending order, linear between order statistics (type 7 of Hyndman and Fan,
/// numpy's default): position `p (n - 1)`.
///
/// # Panics
/// If there are no values.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let share = position - below as f64;
    sorted[below] + share * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, 2, 4, 8: mean 15/4; deviations -11/4, -7/4, 1/4, 17/4 with squares (121 + 49 + 1 + 289)/16 = 28.75; the
    /// quartiles are at positions 0.75, 1.5 and 2.25: 1.75, 3, 5.
    #[test]
    fn by_hand() {
        let s = summary(&[8.0, 1.0, 4.0, 2.0], 0).expect("four values");
        assert_eq!((s.n, s.mean, s.min, s.max), (4, 3.75, 1.0, 8.0));
        assert_eq!((s.q1, s.median, s.q3), (1.75, 3.0, 5.0));
        assert_eq!(s.sd, Some((28.75_f64 / 4.0).sqrt()));
        assert_eq!(sd(&[8.0, 1.0, 4.0, 2.0], 1), Some((28.75_f64 / 3.0).sqrt()));
    }

    #[test]
    fn few_or_equal_values() {
        assert_eq!(summary(&[], 0), None);
        assert_eq!((sd(&[3.0], 0), sd(&[3.0], 1)), (Some(0.0), None));
        // 0.1 added three times and divided by 3 is not 0.1.
        assert_eq!(sd(&[0.1; 3], 0), Some(0.0));
        assert_eq!(quantile(&[5.0], 0.3), 5.0);
    }
}
