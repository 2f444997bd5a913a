//! What a model reaches that says the same for every example.

use super::error::{DataError, ScoreFault};
use super::metric::{Metric, Predictions, evaluate};
use crate::model::Target;
use std::collections::{BTreeMap, BTreeSet};

/// The best value of a metric that one constant prediction reaches on these targets: what a fine-tuned model has to beat.
///
/// | metric | value |
/// |---|---|
/// | accuracy | the share of the largest class |
/// | F1 | `2p / (2p + n)` for `p` examples of class 1 and `n` others, as if all were positive |
/// | macro F1, weighted F1 | the largest that one class for all gives |
/// | macro F1 of sets of labels | that of all labels together |
/// | micro F1 | the largest `2 Σ nₖ / (m n + Σ nₖ of all)` of the `m` most frequent labels, label `k` on `nₖ` of `n` examples |
/// | subset accuracy | the share of the most frequent set |
/// | Matthews, Pearson, Spearman | 0: a constant correlates with nothing |
/// | mean squared error | the targets' variance, which the constant `t̄` reaches; less is better there |
/// | mean absolute error | the mean distance from the targets' median; less is better there |
///
/// Dodge et al. (2020, arXiv 2002.06305) and Mosbach et al. (2021, arXiv 2006.04884) call a run *failed* if it does not
/// beat this. One threshold for all metrics of a task is wrong: on MRPC's dev set the constant answer has accuracy 0.684
/// and F1 0.812.
///
/// # Errors
/// [`DataError::Score`] if there are no targets, or if a metric of classes meets values or the other way round.
///
/// # Examples
/// ```
/// use cwgnc::data::{Metric, majority};
/// use cwgnc::model::Target;
///
/// let targets = [1, 1, 0].map(Target::Class);
/// assert_eq!(majority(Metric::Accuracy, &targets)?, 2.0 / 3.0);
/// assert_eq!(majority(Metric::F1, &targets)?, 0.8); // 2 * 2 / (2 * 2 + 1)
/// # Ok::<(), cwgnc::data::DataError>(())
/// ```
pub fn majority(metric: Metric, targets: &[Target]) -> Result<f64, DataError> {
    if targets.is_empty() {
        return Err(DataError::Score(ScoreFault::Nothing));
    }
    let all = |value| Predictions::Values(vec![value; targets.len()]);
    let values: Vec<f64> = targets.iter().filter_map(value).collect();
    let sets: Vec<&[bool]> = targets.iter().filter_map(labels).collect();
    let (constants, needs): (Vec<Predictions>, _) = match metric {
        Metric::F1Macro | Metric::F1Micro | Metric::SubsetAccuracy if !sets.is_empty() => {
            let set = constant_set(metric, &sets);
            (
                vec![Predictions::Labels(vec![set; targets.len()])],
                "sets of labels",
            )
        }
        Metric::F1Micro | Metric::SubsetAccuracy => (Vec::new(), "sets of labels"),
        Metric::Precision | Metric::Recall => (Vec::new(), "tags"),
        Metric::Accuracy | Metric::F1 | Metric::F1Macro | Metric::F1Weighted | Metric::Matthews => {
            let classes: BTreeSet<usize> = targets.iter().filter_map(class).collect();
            let all = |class| Predictions::Classes(vec![class; targets.len()]);
            (classes.into_iter().map(all).collect(), "classes")
        }
        Metric::Pearson | Metric::Spearman | Metric::MeanSquaredError => {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (vec![all(mean)], "values")
        }
        Metric::MeanAbsoluteError => (median(values).map(all).into_iter().collect(), "values"),
    };
    let mut best = None;
    for constant in &constants {
        let score = evaluate(&[metric], constant, targets)?[0].1;
        // A correlation with a constant is not defined; it explains nothing, which is what 0 stands for.
        let score = if score.is_nan() { 0.0 } else { score };
        best = Some(best.map_or(score, |best: f64| best.max(score)));
    }
    best.ok_or(DataError::Score(ScoreFault::Kinds {
        metric: metric.key(),
        needs,
    }))
}

/// The best value that one tag for every word reaches, as [`majority`] says it of classes.
///
/// # Errors
/// [`DataError::Score`] if there are no targets, or they are no tags.
pub fn majority_tag(metric: Metric, names: &[String], targets: &[Target]) -> Result<f64, DataError> {
    let words = |target: &Target| match target {
        Target::Tags(tags) => tags.len(),
        _ => 0,
    };
    let mut best: f64 = 0.0;
    for tag in 0..names.len() {
        let constant = Predictions::Tags {
            names: names.to_vec(),
            tags: targets.iter().map(|target| vec![tag; words(target)]).collect(),
        };
        best = best.max(evaluate(&[metric], &constant, targets)?[0].1);
    }
    Ok(best)
}

/// The set of labels that reaches the most where it is the answer for every example.
fn constant_set(metric: Metric, sets: &[&[bool]]) -> Vec<bool> {
    let labels = sets[0].len();
    let mut often: Vec<(usize, usize)> = (0..labels)
        .map(|label| (sets.iter().filter(|set| set[label]).count(), label))
        .collect();
    match metric {
        Metric::SubsetAccuracy => {
            let mut counts = BTreeMap::<&[bool], usize>::new();
            for set in sets {
                *counts.entry(set).or_default() += 1;
            }
            let most = counts.into_iter().max_by_key(|&(_, count)| count);
            most.map_or_else(Vec::new, |(set, _)| set.to_vec())
        }
        Metric::F1Micro => {
            often.sort_unstable_by(|a, b| b.cmp(a));
            let all: usize = often.iter().map(|(count, _)| count).sum();
            let (mut met, mut best) = (0, (0.0, 0));
            for (rank, (count, _)) in (1..).zip(&often) {
                met += count;
                let score = 2.0 * met as f64 / (rank * sets.len() + all) as f64;
                if score > best.0 {
                    best = (score, rank);
                }
            }
            let chosen = |label: usize| often[..best.1].iter().any(|&(_, chosen)| chosen == label);
            (0..labels).map(chosen).collect()
        }
        // A label that is predicted nowhere has an F1 of 0.
        _ => vec![true; labels],
    }
}

/// The middle one of the values, or the mean of the two in the middle; `None` of none.
fn median(values: Vec<f64>) -> Option<f64> {
    let mut values = values;
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

fn class(target: &Target) -> Option<usize> {
    match target {
        Target::Class(class) => Some(*class),
        _ => None,
    }
}

fn value(target: &Target) -> Option<f64> {
    match target {
        Target::Value(value) => Some(*value),
        _ => None,
    }
}

fn labels(target: &Target) -> Option<&[bool]> {
    match target {
        Target::Labels(labels) => Some(labels),
        _ => None,
    }
}
