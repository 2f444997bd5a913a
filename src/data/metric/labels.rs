//! The metrics of sets of labels, each label counted by itself.

use super::classes::Tally;
use super::{Metric, Predictions, check_lengths};
use crate::data::error::{DataError, ScoreFault};
use crate::model::Target;

/// Every label, counted, in label order.
///
/// # Errors
/// [`DataError::Score`] if the counts differ, of examples or of labels, or there are no sets of labels.
pub fn label_tallies(predictions: &Predictions, targets: &[Target]) -> Result<Vec<Tally>, DataError> {
    Ok(tallies(&rows("f1_micro", predictions, targets)?))
}

/// What was predicted of each label of an example, and what is true.
type Row<'r> = (&'r [bool], &'r [bool]);

/// The examples.
fn rows<'r>(
    metric: &'static str,
    predictions: &'r Predictions,
    targets: &'r [Target],
) -> Result<Vec<Row<'r>>, DataError> {
    check_lengths(predictions, targets)?;
    let needs = "sets of labels";
    let fault = || DataError::Score(ScoreFault::Kinds { metric, needs });
    let Predictions::Labels(predicted) = predictions else {
        return Err(fault());
    };
    let mut rows = Vec::with_capacity(targets.len());
    for (predicted, target) in predicted.iter().zip(targets) {
        let Target::Labels(actual) = target else {
            return Err(fault());
        };
        if predicted.len() != actual.len() {
            let (predictions, targets) = (predicted.len(), actual.len());
            return Err(DataError::Score(ScoreFault::Lengths { predictions, targets }));
        }
        rows.push((&predicted[..], &actual[..]));
    }
    Ok(rows)
}

fn tallies(rows: &[Row<'_>]) -> Vec<Tally> {
    let mut tallies = vec![Tally::default(); rows.first().map_or(0, |(predicted, _)| predicted.len())];
    for (predicted, actual) in rows {
        for (tally, (&predicted, &actual)) in tallies.iter_mut().zip(predicted.iter().zip(*actual)) {
            tally.predicted += usize::from(predicted);
            tally.actual += usize::from(actual);
            tally.correct += usize::from(predicted && actual);
        }
    }
    tallies
}

/// One of the three metrics of sets of labels.
pub(super) fn score(metric: Metric, predictions: &Predictions, targets: &[Target]) -> Result<f64, DataError> {
    let rows = rows(metric.key(), predictions, targets)?;
    Ok(match metric {
        Metric::SubsetAccuracy => {
            let right = rows.iter().filter(|(predicted, actual)| predicted == actual);
            right.count() as f64 / rows.len() as f64
        }
        Metric::F1Micro => tallies(&rows).into_iter().sum::<Tally>().f1(),
        _ => {
            let tallies = tallies(&rows);
            tallies.iter().map(|tally| tally.f1()).sum::<f64>() / tallies.len() as f64
        }
    })
}
