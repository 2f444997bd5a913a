//! The metrics of tags: the share of words whose tag is right, and entities by the tags `B-…`, `I-…` and `O`.
//!
//! An entity is a longest run of words of one type: `B` begins one, and so does `I` after `O`, after another type or at the
//! beginning of a sentence. It is right if begin, end and type are. These are the rules of seqeval in its default mode, and
//! of conlleval.

use std::collections::{BTreeMap, BTreeSet};

use super::classes::{self, Tally};
use super::{Metric, Predictions, check_lengths};
use crate::data::error::{DataError, ScoreFault};
use crate::model::Target;

/// Whether all names are `O`, `B-TYPE` or `I-TYPE`, so that they mark entities.
pub(in crate::data) fn mark_entities(names: &[String]) -> bool {
    names.iter().all(|name| name == "O" || typed(name).is_some())
}

/// `B` or `I`, and the type.
fn typed(name: &str) -> Option<(bool, &str)> {
    let of = |prefix| name.strip_prefix(prefix).filter(|kind| !kind.is_empty());
    of("B-")
        .map(|kind| (true, kind))
        .or_else(|| of("I-").map(|kind| (false, kind)))
}

/// The entities of each type, counted.
///
/// # Errors
/// [`DataError::Score`] if the counts differ, of sentences or of words, or there are no tags.
pub fn entity_tallies(
    predictions: &Predictions,
    targets: &[Target],
) -> Result<BTreeMap<String, Tally>, DataError> {
    let (names, sentences) = sentences("f1", predictions, targets)?;
    let mut tallies = BTreeMap::<String, Tally>::new();
    for sentence in &sentences {
        let [predicted, actual] =
            [0, 1].map(|side| entities(sentence.iter().map(|pair| names[[pair.0, pair.1][side]].as_str())));
        for (_, kind) in &predicted {
            tallies.entry((*kind).to_owned()).or_default().predicted += 1;
        }
        for (span, kind) in &actual {
            let tally = tallies.entry((*kind).to_owned()).or_default();
            tally.actual += 1;
            tally.correct += usize::from(predicted.contains(&(*span, kind)));
        }
    }
    Ok(tallies)
}

/// Begin and end, and the type, of each entity of a sentence.
fn entities<'n>(tags: impl Iterator<Item = &'n str>) -> BTreeSet<((usize, usize), &'n str)> {
    let mut found = BTreeSet::new();
    let mut open: Option<(usize, &str)> = None;
    let mut end = 0;
    for (place, tag) in tags.enumerate() {
        end = place + 1;
        let tag = typed(tag);
        let goes_on = matches!((open, tag), (Some((_, kind)), Some((false, same))) if kind == same);
        if goes_on {
            continue;
        }
        found.extend(open.take().map(|(begin, kind)| ((begin, place), kind)));
        open = tag.map(|(_, kind)| (place, kind));
    }
    found.extend(open.map(|(begin, kind)| ((begin, end), kind)));
    found
}

/// The predicted and the true tag of each word that counts, by sentence.
type Sentences = Vec<Vec<(usize, usize)>>;

fn sentences<'p>(
    metric: &'static str,
    predictions: &'p Predictions,
    targets: &[Target],
) -> Result<(&'p [String], Sentences), DataError> {
    check_lengths(predictions, targets)?;
    let needs = "tags";
    let fault = || DataError::Score(ScoreFault::Kinds { metric, needs });
    let Predictions::Tags { names, tags } = predictions else {
        return Err(fault());
    };
    let mut sentences = Vec::with_capacity(targets.len());
    for (predicted, target) in tags.iter().zip(targets) {
        let Target::Tags(actual) = target else {
            return Err(fault());
        };
        if predicted.len() != actual.len() {
            let (predictions, targets) = (predicted.len(), actual.len());
            return Err(DataError::Score(ScoreFault::Lengths { predictions, targets }));
        }
        let pairs = predicted.iter().zip(actual);
        sentences.push(pairs.filter_map(|(&p, t)| Some((p, (*t)?))).collect());
    }
    Ok((names, sentences))
}

/// One of the metrics of tags. Of no word at all the accuracy is 0, as every share of nothing.
pub(super) fn score(metric: Metric, predictions: &Predictions, targets: &[Target]) -> Result<f64, DataError> {
    if metric == Metric::Accuracy {
        let (_, sentences) = sentences(metric.key(), predictions, targets)?;
        return Ok(classes::accuracy(&sentences.concat()));
    }
    let all: Tally = entity_tallies(predictions, targets)?.into_values().sum();
    Ok(match metric {
        Metric::Precision => all.precision(),
        Metric::Recall => all.recall(),
        _ => all.f1(),
    })
}
