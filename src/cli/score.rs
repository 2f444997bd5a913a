//! From a model's outputs to a loss, predictions and metrics.

use super::Error;
use super::class_report::ClassReport;
use super::corpus::Corpus;
use super::progress::Progress;
use crate::data::{
    Confusion, LabelSpace, Metric, Predictions, entity_tallies, evaluate, evaluate_each, label_tallies,
};
use crate::model::{Criterion, ModelConfig, Problem, SequenceClassifier, Target, Targets, classifier};
use crate::pool::Pool;
use crate::real::Real;
use crate::train::{Sequence, predict};
use ndarray::Array2;
use serde_json::{Map, Value};
use std::time::Instant;

/// An evaluation of one file.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    /// What is logged: `eval_loss` and the metrics, by their names in `eval_results.json`, in that order; of a file of one's
    /// own the first metric and the one that decides.
    pub(super) values: Vec<(String, f64)>,
    /// The other metrics of a file of one's own.
    pub(super) further: Vec<(String, f64)>,
    /// What a file of one's own with classes has for each of them.
    pub(super) classes: Option<ClassReport>,
    /// Examples.
    pub(super) samples: usize,
    /// Batches.
    pub(super) batches: usize,
    /// Wall time.
    pub(super) seconds: f64,
    /// Appended to every name.
    pub(super) suffix: &'static str,
}

impl Scores {
    /// Every metric, those that are logged first.
    pub(super) fn all(&self) -> impl Iterator<Item = &(String, f64)> {
        self.values.iter().chain(&self.further)
    }

    /// Leaves in `values` what is logged of a file of one's own.
    fn shortened(mut self, corpus: &Corpus) -> Self {
        let logged = |name: &str| {
            let key = name.trim_start_matches("eval_");
            ["loss", corpus.metrics[0].key(), corpus.headline.key()].contains(&key)
        };
        if corpus.is_own {
            (self.values, self.further) = self.values.into_iter().partition(|(name, _)| logged(name));
        }
        self
    }
}

/// The names of the metrics that a results file has beside these, in the order in which they are printed.
pub(super) fn further_names(results: &Map<String, Value>, logged: &[&String]) -> Vec<String> {
    let names = Metric::ALL.map(|metric| format!("eval_{}", metric.key()));
    let is_further = |name: &String| results.contains_key(name) && !logged.contains(&name);
    names.into_iter().filter(is_further).collect()
}

/// `eval_accuracy = 0.6209`; a metric without a value is said to have none.
pub(super) fn line(name: &str, value: f64) -> String {
    if value.is_nan() {
        return format!("{name} = undefined");
    }
    if value.is_infinite() {
        return format!("{name} = beyond the largest number");
    }
    format!("{name} = {value:.4}")
}

/// Evaluates a model on each dev set.
pub(super) fn scores<T: Real>(
    config: &ModelConfig,
    model: &SequenceClassifier<T>,
    corpus: &Corpus,
    dev: &[Vec<Sequence>],
    batch_size: usize,
    progress: &mut Progress,
) -> Result<Vec<Scores>, Error> {
    let mut all = Vec::new();
    for (source, sequences) in corpus.dev.iter().zip(dev) {
        let start = Instant::now();
        let inputs: Vec<_> = sequences
            .iter()
            .map(|s| (&s.ids[..], &s.token_types[..]))
            .collect();
        let logits = predict(config, model, &inputs, batch_size, |done| {
            progress.count("evaluating", done, inputs.len());
        });
        let targets: Vec<Target> = sequences.iter().map(|s| s.target.clone()).collect();
        let predictions = predictions(config, &logits);
        let scores = Scores {
            values: values(corpus, &logits, &predictions, &targets, source.suffix)?,
            further: Vec::new(),
            classes: class_report(corpus, &predictions, &targets)?,
            samples: sequences.len(),
            batches: sequences.len().div_ceil(batch_size),
            seconds: start.elapsed().as_secs_f64(),
            suffix: source.suffix,
        };
        all.push(scores.shortened(corpus));
    }
    Ok(all)
}

fn values(
    corpus: &Corpus,
    logits: &[Vec<f64>],
    predictions: &Predictions,
    targets: &[Target],
    suffix: &str,
) -> Result<Vec<(String, f64)>, Error> {
    let named = |name: &str| format!("eval_{name}{suffix}");
    let mut values = vec![(
        named("loss"),
        mean_loss(corpus.labels.output_names().len(), logits, targets),
    )];
    let evaluate = if corpus.is_own { evaluate_each } else { evaluate };
    let scores = evaluate(corpus.metrics, predictions, targets)?;
    values.extend(scores.into_iter().map(|(name, value)| (named(name), value)));
    Ok(values)
}

/// The classes of a confusion matrix, which has their square of numbers; more have no matrix and no table.
const MOST_CLASSES: usize = 1000;

/// What a file of one's own has for each of its classes or labels.
fn class_report(
    corpus: &Corpus,
    predictions: &Predictions,
    targets: &[Target],
) -> Result<Option<ClassReport>, Error> {
    let labels = corpus.labels.output_names();
    if !corpus.is_own || labels.len() > MOST_CLASSES {
        return Ok(None);
    }
    Ok(match &corpus.labels {
        LabelSpace::Classes(_) => {
            let confusion = Confusion::of(labels.len(), predictions, targets)?;
            Some(ClassReport::new(&labels, &confusion.tallies(), Some(confusion)))
        }
        LabelSpace::Sets(_) => {
            let tallies = label_tallies(predictions, targets)?;
            Some(ClassReport::new(&labels, &tallies, None))
        }
        // Tags that mark no entities have no precision.
        LabelSpace::Tags(_) if !corpus.metrics.contains(&Metric::Precision) => None,
        LabelSpace::Tags(_) => {
            let tallies = entity_tallies(predictions, targets)?;
            let (labels, tallies): (Vec<_>, Vec<_>) = tallies.into_iter().unzip();
            Some(ClassReport::new(&labels, &tallies, None))
        }
        LabelSpace::Values => None,
    })
}

/// The class with the largest logit (the first of equals), the labels of a probability above 1/2, or the value.
pub(super) fn predictions(config: &ModelConfig, logits: &[Vec<f64>]) -> Predictions {
    match config.problem {
        Problem::Regression => Predictions::Values(logits.iter().map(|z| z[0]).collect()),
        Problem::Classification => Predictions::Classes(logits.iter().map(|z| largest(z)).collect()),
        Problem::Tokens => Predictions::Tags {
            names: config.labels.clone(),
            tags: logits
                .iter()
                .map(|z| z.chunks(config.num_labels()).map(largest).collect())
                .collect(),
        },
        Problem::MultiLabel => Predictions::Labels(logits.iter().map(|z| applying(z)).collect()),
    }
}

/// Which labels apply: those whose logit is above 0, and so their probability above 1/2.
pub(super) fn applying(z: &[f64]) -> Vec<bool> {
    z.iter().map(|&z| z > 0.0).collect()
}

/// The index of the largest number, the first of equals.
pub(super) fn largest(z: &[f64]) -> usize {
    (1..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best })
}

/// The plain mean over examples, or over the words that count.
fn mean_loss(columns: usize, logits: &[Vec<f64>], targets: &[Target]) -> f64 {
    let logits = logits.concat();
    let z = Array2::from_shape_vec((logits.len() / columns, columns), logits).expect("rows of logits");
    let (targets, plain) = (Targets::of(targets), Criterion::default());
    let total = classifier::total(&targets, &plain);
    classifier::loss(z.view(), &targets, &plain, total, &Pool::new()).0
}
