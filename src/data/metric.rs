//! Metrics, with the values and the names that `run_glue.py` prints.
//!
//! Sums run over the examples in order, in f64, on one thread: the same predictions give the same bits.
//!
//! Sources: the GLUE metrics of Hugging Face `evaluate` (`accuracy`, `f1`, `matthews_correlation`, `pearson`,
//! `spearmanr`), which call scikit-learn and `SciPy`; the edge cases below are theirs and are tested against both.

use super::error::{DataError, ScoreFault};
use crate::model::Target;

/// One number about predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Classes: `(1/n) Σ [p = t]`, in `[0, 1]`.
    Accuracy,
    /// Classes: `2 TP / (2 TP + FP + FN)` with class 1 positive and every other class negative, in `[0, 1]`; 0 when
    /// class 1 is neither predicted nor there.
    F1,
    /// Classes: Matthews' correlation in Gorodkin's form for any number of classes `k`, in `[-1, 1]`. With `c` correct
    /// of `n`, `pₖ` predictions of class `k` and `tₖ` occurrences:
    /// `(c n − Σ pₖ tₖ) / √((n² − Σ pₖ²) (n² − Σ tₖ²))`; 0 when the root is 0, that is when one class fills the
    /// predictions or the targets.
    Matthews,
    /// Values: Pearson's `r = Σ (p − p̄)(t − t̄) / √(Σ (p − p̄)² Σ (t − t̄)²)`, in `[-1, 1]`. NaN when it is not
    /// defined: constant predictions or targets, fewer than two of them, or a prediction that is not finite.
    Pearson,
    /// Values: Spearman's `ρ`, Pearson's `r` of the ranks, where equal values share the mean of their ranks. NaN when it
    /// is not defined: constant or fewer than two values, or a prediction that is NaN.
    Spearman,
    /// Values: mean squared error `(1/n) Σ (p − t)²`, in the square of the labels' unit.
    MeanSquaredError,
}

/// What a model predicted, one entry an example.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// Classes, from 0.
    Classes(Vec<usize>),
    /// Numbers.
    Values(Vec<f64>),
}

impl Predictions {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Metric {
    /// The name in results files, without the prefix `eval_`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 => "f1",
            Self::Matthews => "matthews_correlation",
            Self::Pearson => "pearson",
            Self::Spearman => "spearmanr",
            Self::MeanSquaredError => "mse",
        }
    }
}

/// The metrics by key, in the order given, and `combined_score`, their mean, if there are several.
///
/// An undefined correlation is NaN and makes the combined score NaN: a model that predicts one value for everything has
/// no correlation, and 0 would look like a result. JSON has no NaN; write `null`. A comparison such as
/// `score > threshold` is false for NaN, so such a run counts as failed, as it should.
///
/// # Errors
/// [`DataError::Score`] if there is nothing to score, if the counts differ, or if a metric of classes meets values or
/// the other way round.
///
/// # Examples
/// ```
/// use cwgnc::data::{Metric, Predictions, evaluate};
/// use cwgnc::model::Target;
///
/// // Two of three right; one true positive, one false negative: F1 = 2 / (2 + 0 + 1).
/// let predictions = Predictions::Classes(vec![1, 0, 0]);
/// let targets = [Target::Class(1), Target::Class(1), Target::Class(0)];
/// let scores = evaluate(&[Metric::Accuracy, Metric::F1], &predictions, &targets)?;
/// let two_thirds = 2.0 / 3.0;
/// assert_eq!(
///     scores,
///     [("accuracy", two_thirds), ("f1", two_thirds), ("combined_score", two_thirds)]
/// );
/// # Ok::<(), cwgnc::data::DataError>(())
/// ```
pub fn evaluate(
    metrics: &[Metric],
    predictions: &Predictions,
    targets: &[Target],
) -> Result<Vec<(&'static str, f64)>, DataError> {
    if targets.is_empty() {
        return Err(DataError::Score(ScoreFault::Nothing));
    }
    if predictions.len() != targets.len() {
        return Err(DataError::Score(ScoreFault::Lengths {
            predictions: predictions.len(),
            targets: targets.len(),
        }));
    }
    let mut scores = Vec::with_capacity(metrics.len() + 1);
    for &metric in metrics {
        scores.push((metric.key(), score(metric, predictions, targets)?));
    }
    if scores.len() > 1 {
        let sum: f64 = scores.iter().map(|(_, score)| score).sum();
        scores.push(("combined_score", sum / scores.len() as f64));
    }
    Ok(scores)
}

/// One metric of predictions and targets of equal count, at least one.
fn score(metric: Metric, predictions: &Predictions, targets: &[Target]) -> Result<f64, DataError> {
    let fault = |needs| {
        DataError::Score(ScoreFault::Kinds {
            metric: metric.key(),
            needs,
        })
    };
    match metric {
        Metric::Accuracy | Metric::F1 | Metric::Matthews => {
            let pairs = class_pairs(predictions, targets).ok_or_else(|| fault("classes"))?;
            Ok(match metric {
                Metric::F1 => f1(&pairs),
                Metric::Matthews => matthews(&pairs),
                _ => accuracy(&pairs),
            })
        }
        Metric::Pearson | Metric::Spearman | Metric::MeanSquaredError => {
            let (p, t) = value_columns(predictions, targets).ok_or_else(|| fault("values"))?;
            Ok(match metric {
                Metric::Pearson => pearson(p, &t),
                Metric::Spearman => spearman(p, &t),
                _ => mean_squared_error(p, &t),
            })
        }
    }
}

/// Pairs of predicted and true class; `None` if there are values among them.
fn class_pairs(predictions: &Predictions, targets: &[Target]) -> Option<Vec<(usize, usize)>> {
    let Predictions::Classes(predicted) = predictions else {
        return None;
    };
    let classes = targets.iter().map(|target| match target {
        Target::Class(class) => Some(*class),
        Target::Value(_) => None,
    });
    predicted
        .iter()
        .zip(classes)
        .map(|(&p, class)| Some((p, class?)))
        .collect()
}

/// Predicted and true values; `None` if there are classes among them.
fn value_columns<'p>(predictions: &'p Predictions, targets: &[Target]) -> Option<(&'p [f64], Vec<f64>)> {
    let Predictions::Values(predicted) = predictions else {
        return None;
    };
    let values: Option<Vec<f64>> = targets
        .iter()
        .map(|target| match target {
            Target::Value(value) => Some(*value),
            Target::Class(_) => None,
        })
        .collect();
    Some((predicted, values?))
}

fn accuracy(pairs: &[(usize, usize)]) -> f64 {
    let correct = pairs.iter().filter(|(p, t)| p == t).count();
    correct as f64 / pairs.len() as f64
}

fn f1(pairs: &[(usize, usize)]) -> f64 {
    let count = |predicted: bool, actual: bool| {
        pairs
            .iter()
            .filter(|&&(p, t)| (p == 1) == predicted && (t == 1) == actual)
            .count() as f64
    };
    let (tp, fp, fnegative) = (count(true, true), count(true, false), count(false, true));
    let denominator = 2.0 * tp + fp + fnegative;
    if denominator == 0.0 {
        0.0
    } else {
        2.0 * tp / denominator
    }
}

fn matthews(pairs: &[(usize, usize)]) -> f64 {
    let n = pairs.len() as f64;
    let correct = pairs.iter().filter(|(p, t)| p == t).count() as f64;
    // Per class that occurs: predictions and occurrences. A map, so that a class number may be any number.
    let mut counts = std::collections::BTreeMap::<usize, (f64, f64)>::new();
    for &(p, t) in pairs {
        counts.entry(p).or_default().0 += 1.0;
        counts.entry(t).or_default().1 += 1.0;
    }
    let mut products = (0.0, 0.0, 0.0);
    for &(predicted, actual) in counts.values() {
        products.0 += predicted * actual;
        products.1 += predicted * predicted;
        products.2 += actual * actual;
    }
    // Whole numbers below 2^53 for any data set that fits in memory: exact, so the test for zero is, too.
    let denominator = (n * n - products.1) * (n * n - products.2);
    if denominator == 0.0 {
        0.0
    } else {
        (correct * n - products.0) / denominator.sqrt()
    }
}

fn mean_squared_error(p: &[f64], t: &[f64]) -> f64 {
    let sum: f64 = p.iter().zip(t).map(|(p, t)| (p - t) * (p - t)).sum();
    if sum.is_finite() {
        return sum / p.len() as f64;
    }
    // The sum is beyond the largest number; the mean need not be.
    let largest = p.iter().zip(t).map(|(p, t)| (p - t).abs()).fold(0.0, f64::max);
    let shares = p.iter().zip(t).map(|(p, t)| (p - t) / largest);
    let sum: f64 = shares.map(|share| share * share).sum();
    sum / p.len() as f64 * largest * largest
}

fn pearson(p: &[f64], t: &[f64]) -> f64 {
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

fn spearman(p: &[f64], t: &[f64]) -> f64 {
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
