//! Bootstrap intervals: how far a statistic would move with other seeds like these.
//!
//! Efron, *Better bootstrap confidence intervals*, Journal of the American Statistical Association 82 (1987);
//! Efron and Tibshirani, *An introduction to the bootstrap* (1993), sections 13.3 and 14.3.

use super::normal;
use super::summary::{are_equal, mean, quantile, sorted};
use crate::random;

/// From `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The statistic of `draws` samples drawn from `x` with replacement, each of the size of `x`, in ascending order.
///
/// Draw `i` takes its numbers from the `ChaCha8` stream `(seed, "bootstrap", i)`: the same seed gives the same replicates
/// on every machine.
///
/// # Panics
/// If there are no values.
pub fn replicates(x: &[f64], statistic: impl Fn(&[f64]) -> f64, draws: usize, seed: u64) -> Vec<f64> {
    let mut sample = vec![0.0; x.len()];
    let drawn = (0..draws).map(|draw| {
        let mut rng = random::stream(seed, "bootstrap", draw as u64);
        for value in &mut sample {
            *value = x[random::below(&mut rng, x.len() as u64) as usize];
        }
        statistic(&sample)
    });
    sorted(&drawn.collect::<Vec<_>>())
}

/// The percentile interval: the quantiles `(1 ∓ level) / 2` of the replicates, which are in ascending order.
///
/// # Panics
/// If there are no replicates.
pub fn percentile(replicates: &[f64], level: f64) -> Interval {
    Interval {
        low: quantile(replicates, (1.0 - level) / 2.0),
        high: quantile(replicates, f64::midpoint(1.0, level)),
    }
}

/// The bias-corrected and accelerated interval (`BCa`), from replicates in ascending order.
///
/// With `θ̂` the statistic of `x`, `ẑ₀ = Φ⁻¹((#{θ* < θ̂} + #{θ* ≤ θ̂}) / 2B)` corrects the bias, the jackknife values `θ₍ᵢ₎`
/// give the acceleration `â = Σ (θ̄ - θ₍ᵢ₎)³ / (6 (Σ (θ̄ - θ₍ᵢ₎)²)^{3/2})`, and the ends are the quantiles
/// `Φ(ẑ₀ + (ẑ₀ + z) / (1 - â (ẑ₀ + z)))` of the replicates for `z = Φ⁻¹((1 ∓ level) / 2)`.
///
/// Equal values have the interval of their one value. `None` where it is not defined: fewer than two values, all replicates on one side
/// of `θ̂`, or a jackknife that does not move though the values differ.
pub fn bca(x: &[f64], statistic: impl Fn(&[f64]) -> f64, replicates: &[f64], level: f64) -> Option<Interval> {
    if x.len() < 2 || replicates.is_empty() {
        return None;
    }
    let estimate = statistic(x);
    if are_equal(x) {
        return Some(Interval {
            low: estimate,
            high: estimate,
        });
    }
    // The same values added in another order give another last digit; they are tied all the same.
    let rounding = 1e-12 * estimate.abs();
    let below = replicates.partition_point(|&r| r < estimate - rounding);
    let up_to = replicates.partition_point(|&r| r <= estimate + rounding);
    let share = (below + up_to) as f64 / (2 * replicates.len()) as f64;
    if share <= 0.0 || share >= 1.0 {
        return None;
    }
    let bias = normal::quantile(share);
    let jackknife: Vec<f64> = (0..x.len())
        .map(|left_out| statistic(&[&x[..left_out], &x[left_out + 1..]].concat()))
        .collect();
    let middle = mean(&jackknife);
    let deviations = jackknife.iter().map(|j| middle - j);
    let squares: f64 = deviations.clone().map(|d| d * d).sum();
    let cubes: f64 = deviations.map(|d| d * d * d).sum();
    if squares == 0.0 {
        return None;
    }
    let acceleration = cubes / (6.0 * squares * squares.sqrt());
    let end = |tail: f64| {
        let z = bias + normal::quantile(tail);
        quantile(replicates, normal::cdf(bias + z / (1.0 - acceleration * z)))
    };
    Some(Interval {
        low: end((1.0 - level) / 2.0),
        high: end(f64::midpoint(1.0, level)),
    })
}
