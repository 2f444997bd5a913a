//! Metrics, with the values and the names that `run_glue.py` prints, and those that files of one's own get beside them.
//!
//! Sums run over the examples in order, in f64, on one thread: the same predictions give the same bits.
//!
//! Sources: the GLUE metrics of Hugging Face `evaluate` (`accuracy`, `f1`, `matthews_correlation`, `pearson`,
//! `spearmanr`), which call scikit-learn and `SciPy`; the edge cases below are theirs and are tested against both.
//! The averages of F1 and the numbers of each class are scikit-learn's with `zero_division=0` and without `labels`.

mod classes;
mod labels;
mod tags;
mod values;

pub use classes::{Confusion, Tally};
pub use labels::label_tallies;
pub use tags::entity_tallies;
pub(super) use tags::mark_entities;

use super::error::{DataError, ScoreFault};
use super::label::LabelSpace;
use crate::model::Target;

/// One number about predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Classes: `(1/n) Σ [p = t]`, in `[0, 1]`. Tags: the same over the words that count.
    Accuracy,
    /// Classes: `2 TP / (2 TP + FP + FN)` with class 1 positive and every other class negative, in `[0, 1]`; 0 when
    /// class 1 is neither predicted nor there. Tags: of entities, `2 TP / (2 TP + FP + FN)`; an entity is right if begin, end
    /// and type are.
    F1,
    /// Tags: the share of predicted entities that are right, in `[0, 1]`; 0 of none.
    Precision,
    /// Tags: the share of true entities that were found, in `[0, 1]`; 0 of none.
    Recall,
    /// Classes: `(1/m) Σₖ F1ₖ` over the `m` classes that occur in predictions or targets, in `[0, 1]`, with
    /// `F1ₖ = 2 TPₖ / (2 TPₖ + FPₖ + FNₖ)`. A class that occurs in neither does not count, as in scikit-learn.
    /// Sets of labels: the mean over all labels; one that occurs in neither counts as 0, as there.
    F1Macro,
    /// Classes: `(1/n) Σₖ tₖ F1ₖ` with `tₖ` occurrences of class `k` among `n` targets, in `[0, 1]`.
    F1Weighted,
    /// Classes: Matthews' correlation in Gorodkin's form for any number of classes `k`, in `[-1, 1]`. With `c` correct
    /// of `n`, `pₖ` predictions of class `k` and `tₖ` occurrences:
    /// `(c n − Σ pₖ tₖ) / √((n² − Σ pₖ²) (n² − Σ tₖ²))`; 0 when the root is 0, that is when one class fills the
    /// predictions or the targets.
    Matthews,
    /// Sets of labels: F1 of all labels together, `2 Σₖ TPₖ / Σₖ (2 TPₖ + FPₖ + FNₖ)`, in `[0, 1]`; 0 when there is no
    /// label, neither predicted nor there.
    F1Micro,
    /// Sets of labels: the share of examples of which every label is right, in `[0, 1]`; scikit-learn's accuracy.
    SubsetAccuracy,
    /// Values: Pearson's `r = Σ (p − p̄)(t − t̄) / √(Σ (p − p̄)² Σ (t − t̄)²)`, in `[-1, 1]`. NaN when it is not
    /// defined: constant predictions or targets, fewer than two of them, or a prediction that is not finite.
    Pearson,
    /// Values: Spearman's `ρ`, Pearson's `r` of the ranks, where equal values share the mean of their ranks. NaN when it
    /// is not defined: constant or fewer than two values, or a prediction that is NaN.
    Spearman,
    /// Values: mean squared error `(1/n) Σ (p − t)²`, in the square of the labels' unit.
    MeanSquaredError,
    /// Values: mean absolute error `(1/n) Σ |p − t|`, in the labels' unit.
    MeanAbsoluteError,
}

/// What a model predicted, one entry an example.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// Classes, from 0.
    Classes(Vec<usize>),
    /// Numbers.
    Values(Vec<f64>),
    /// Of each label whether it applies, in label order.
    Labels(Vec<Vec<bool>>),
    /// The tag of each token of each sentence, by its place among the names.
    Tags {
        /// The names of the tags.
        names: Vec<String>,
        /// One entry for each of the target.
        tags: Vec<Vec<usize>>,
    },
}

impl Predictions {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.len(),
            Self::Labels(rows) => rows.len(),
            Self::Tags { tags, .. } => tags.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Accuracy,
        Self::F1,
        Self::Precision,
        Self::Recall,
        Self::F1Micro,
        Self::F1Macro,
        Self::F1Weighted,
        Self::SubsetAccuracy,
        Self::Matthews,
        Self::MeanSquaredError,
        Self::MeanAbsoluteError,
        Self::Pearson,
        Self::Spearman,
    ];

    /// The name in results files, without the prefix `eval_`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 => "f1",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1Micro => "f1_micro",
            Self::F1Macro => "f1_macro",
            Self::F1Weighted => "f1_weighted",
            Self::SubsetAccuracy => "subset_accuracy",
            Self::Matthews => "matthews_correlation",
            Self::Pearson => "pearson",
            Self::Spearman => "spearmanr",
            Self::MeanSquaredError => "mse",
            Self::MeanAbsoluteError => "mae",
        }
    }

    /// Whether a larger number is a better one.
    pub fn more_is_better(self) -> bool {
        !matches!(self, Self::MeanSquaredError | Self::MeanAbsoluteError)
    }

    /// What is said of a file of one's own. F1 of class 1 alone is said of two classes, where class 1 is the other.
    pub fn own(labels: &LabelSpace) -> &'static [Self] {
        match labels {
            LabelSpace::Classes(names) if names.len() == 2 => &[
                Self::Accuracy,
                Self::F1,
                Self::F1Macro,
                Self::F1Weighted,
                Self::Matthews,
            ],
            LabelSpace::Classes(_) => &[Self::Accuracy, Self::F1Macro, Self::F1Weighted, Self::Matthews],
            LabelSpace::Tags(names) if mark_entities(names) => {
                &[Self::F1, Self::Precision, Self::Recall, Self::Accuracy]
            }
            LabelSpace::Tags(_) => &[Self::Accuracy],
            LabelSpace::Sets(_) => &[Self::F1Micro, Self::F1Macro, Self::SubsetAccuracy],
            LabelSpace::Values => &[
                Self::MeanSquaredError,
                Self::MeanAbsoluteError,
                Self::Pearson,
                Self::Spearman,
            ],
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
/// [`DataError::Score`] if there is nothing to score, if the counts differ, or if a metric of one kind meets
/// predictions or targets of another.
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
    let mut scores = evaluate_each(metrics, predictions, targets)?;
    if scores.len() > 1 {
        let sum: f64 = scores.iter().map(|(_, score)| score).sum();
        scores.push(("combined_score", sum / scores.len() as f64));
    }
    Ok(scores)
}

/// [`evaluate`] without the mean, which says nothing of metrics that differ in their range or their direction.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_each(
    metrics: &[Metric],
    predictions: &Predictions,
    targets: &[Target],
) -> Result<Vec<(&'static str, f64)>, DataError> {
    if targets.is_empty() {
        return Err(DataError::Score(ScoreFault::Nothing));
    }
    let scores = metrics
        .iter()
        .map(|&metric| Ok((metric.key(), score(metric, predictions, targets)?)));
    scores.collect()
}

/// One metric of predictions and targets, of which there is at least one.
fn score(metric: Metric, predictions: &Predictions, targets: &[Target]) -> Result<f64, DataError> {
    let of_classes = |score: fn(&[(usize, usize)]) -> f64| {
        let pairs = class_pairs(metric.key(), predictions, targets)?;
        Ok(score(&pairs))
    };
    let of_values = |score: fn(&[f64], &[f64]) -> f64| {
        let (p, t) = value_columns(metric.key(), predictions, targets)?;
        Ok(score(p, &t))
    };
    match metric {
        Metric::Precision | Metric::Recall => tags::score(metric, predictions, targets),
        Metric::Accuracy | Metric::F1 if matches!(predictions, Predictions::Tags { .. }) => {
            tags::score(metric, predictions, targets)
        }
        Metric::Accuracy => of_classes(classes::accuracy),
        Metric::F1 => of_classes(classes::f1),
        Metric::F1Micro | Metric::SubsetAccuracy => labels::score(metric, predictions, targets),
        Metric::F1Macro if matches!(predictions, Predictions::Labels(_)) => {
            labels::score(metric, predictions, targets)
        }
        Metric::F1Macro => of_classes(classes::f1_macro),
        Metric::F1Weighted => of_classes(classes::f1_weighted),
        Metric::Matthews => of_classes(classes::matthews),
        Metric::Pearson => of_values(values::pearson),
        Metric::Spearman => of_values(values::spearman),
        Metric::MeanSquaredError => of_values(values::mean_squared_error),
        Metric::MeanAbsoluteError => of_values(values::mean_absolute_error),
    }
}

/// As many predictions as targets.
fn check_lengths(predictions: &Predictions, targets: &[Target]) -> Result<(), DataError> {
    if predictions.len() == targets.len() {
        return Ok(());
    }
    Err(DataError::Score(ScoreFault::Lengths {
        predictions: predictions.len(),
        targets: targets.len(),
    }))
}

/// Pairs of predicted and true class.
fn class_pairs(
    metric: &'static str,
    predictions: &Predictions,
    targets: &[Target],
) -> Result<Vec<(usize, usize)>, DataError> {
    check_lengths(predictions, targets)?;
    let class = |target: &Target| match target {
        Target::Class(class) => Some(*class),
        _ => None,
    };
    let pairs = match predictions {
        Predictions::Classes(predicted) => {
            let pairs = predicted.iter().zip(targets);
            pairs.map(|(&p, target)| Some((p, class(target)?))).collect()
        }
        _ => None,
    };
    let needs = "classes";
    pairs.ok_or(DataError::Score(ScoreFault::Kinds { metric, needs }))
}

/// Predicted and true values.
fn value_columns<'p>(
    metric: &'static str,
    predictions: &'p Predictions,
    targets: &[Target],
) -> Result<(&'p [f64], Vec<f64>), DataError> {
    check_lengths(predictions, targets)?;
    let value = |target: &Target| match target {
        Target::Value(value) => Some(*value),
        _ => None,
    };
    let columns = match predictions {
        Predictions::Values(predicted) => {
            let values: Option<Vec<f64>> = targets.iter().map(value).collect();
            values.map(|values| (&predicted[..], values))
        }
        _ => None,
    };
    let needs = "values";
    columns.ok_or(DataError::Score(ScoreFault::Kinds { metric, needs }))
}
