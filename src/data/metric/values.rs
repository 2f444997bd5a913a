//! The metrics of numbers: errors and correlations.

/// The mean over all examples of `|p − t|` to the power of one or two.
///
/// A sum beyond the largest number need not have a mean beyond it: then the deviations are divided by the largest first.
fn mean_error(p: &[f64], t: &[f64], power: u32) -> f64 {
    let error = |deviation: f64| {
        if power == 2 {
            deviation * deviation
        } else {
            deviation.abs()
        }
    };
    let deviations = || p.iter().zip(t).map(|(p, t)| p - t);
    let sum: f64 = deviations().map(error).sum();
    if sum.is_finite() {
        return sum / p.len() as f64;
    }
    let largest = deviations().map(f64::abs).fold(0.0, f64::max);
    let sum: f64 = deviations().map(|deviation| error(deviation / largest)).sum();
    (0..power).fold(sum / p.len() as f64, |mean, _| mean * largest)
}

pub(super) fn mean_squared_error(p: &[f64], t: &[f64]) -> f64 {
    mean_error(p, t, 2)
}

pub(super) fn mean_absolute_error(p: &[f64], t: &[f64]) -> f64 {
    mean_error(p, t, 1)
}

pub(super) fn pearson(p: &[f64], t: &[f64]) -> f64 {
    match (direction(p), direction(t)) {
        (Some(p), Some(t)) => {
            let r: f64 = p.iter().zip(&t).map(|(p, t)| p * t).sum();
            r.clamp(-1.0, 1.0)
        }
        _ => f64::NAN,
    }
}

/// `(x − x̄) / ‖x − x̄‖`; `None` if `x` is constant or not finite.
///
/// Constancy is asked of the values and not of the norm, for the rounded mean of equal values need not equal them. The
/// deviations are divided by the largest of them first, so that their squares neither overflow nor vanish. Values whose sum
/// could overflow, or whose mean would have too few digits, are multiplied by a power of two first, which is exact. Of values that
/// hardly differ, the rounding of the mean is as large as the deviations: there the mean is that of the differences from
/// the first value, which have no rounding at all (Sterbenz's lemma).
fn direction(x: &[f64]) -> Option<Vec<f64>> {
    if x.iter().all(|value| *value == x[0]) || x.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let x = in_range(x);
    let (mut mean, mut largest) = mean_and_spread(&x);
    let mut x = x;
    if largest <= NEARLY_CONSTANT * mean.abs() {
        let first = x[0];
        for value in &mut x {
            *value -= first;
        }
        (mean, largest) = mean_and_spread(&x);
    }
    let scaled: Vec<f64> = x.iter().map(|value| (value - mean) / largest).collect();
    let norm = scaled.iter().map(|value| value * value).sum::<f64>().sqrt();
    Some(scaled.iter().map(|value| value / norm).collect())
}

/// 2⁻²⁰: a mean of n values is off by at most n 2⁻⁵³ of itself, and so a deviation above this share by n 2⁻³³ of itself.
const NEARLY_CONSTANT: f64 = 1.0 / 1_048_576.0;

/// `2^exponent` of a normal number.
const fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// The values times a power of two that brings the largest away from the ends of what `f64` holds.
fn in_range(x: &[f64]) -> Vec<f64> {
    let largest = x.iter().map(|value| value.abs()).fold(0.0, f64::max);
    let factor = if largest > power_of_two(900) {
        power_of_two(-200)
    } else if largest < power_of_two(-900) {
        power_of_two(600)
    } else {
        1.0
    };
    x.iter().map(|value| value * factor).collect()
}

/// `x̄` and the largest `|x − x̄|`.
fn mean_and_spread(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (
        mean,
        x.iter().map(|value| (value - mean).abs()).fold(0.0, f64::max),
    )
}

pub(super) fn spearman(p: &[f64], t: &[f64]) -> f64 {
    if p.iter().chain(t).any(|value| value.is_nan()) {
        return f64::NAN;
    }
    pearson(&ranks(p), &ranks(t))
}

/// Ranks from 1; equal values share the mean of the ranks they fill.
fn ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    // `partial_cmp` rather than `total_cmp`: −0 and 0 are equal. There is no NaN here.
    order.sort_by(|&i, &j| x[i].partial_cmp(&x[j]).unwrap_or(std::cmp::Ordering::Equal));
    let mut ranks = vec![0.0; x.len()];
    let mut start = 0;
    for run in order.chunk_by(|&i, &j| x[i] == x[j]) {
        // The mean of the ranks start + 1 to start + len.
        let mean = start as f64 + f64::midpoint(1.0, run.len() as f64);
        for &index in run {
            ranks[index] = mean;
        }
        start += run.len();
    }
    ranks
}
