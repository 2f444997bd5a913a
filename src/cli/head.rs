//! The head of the model folder that a fine-tuning starts from: kept if its outputs are the task's by name, in the task's
//! order; fresh if the folder has none or one of another size; refused if nothing tells which output is which.

use super::Error;
use super::corpus::Corpus;
use super::reading::{listed, problem_name};
use crate::checkpoint::LoadReport;
use crate::model::{ModelConfig, Problem, SequenceClassifier};
use crate::param::ParamTree;
use crate::real::Real;
use ndarray::Axis;
use serde_json::{Value, json};
use std::path::Path;

/// What became of the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Drawn anew: the folder has none, or it was not wanted.
    Fresh,
    /// Drawn anew in place of one with so many outputs of these names.
    Replaced(Vec<String>),
    /// As it is in the folder.
    Kept,
    /// As it is in the folder, where its outputs have no names.
    Unnamed,
    /// With its rows in the task's order; the names in the folder's.
    Reordered(Vec<String>),
}

impl Head {
    /// Brings the loaded head of the folder `dir` into the order of the task's labels. `was` is the folder's configuration.
    ///
    /// # Errors
    /// [`Error::Usage`] if the names are not the task's.
    pub(super) fn settle<T: Real>(
        dir: &Path,
        was: &ModelConfig,
        corpus: &Corpus,
        report: &LoadReport,
        model: &mut SequenceClassifier<T>,
    ) -> Result<Self, Error> {
        let (names, wanted) = (&was.labels, corpus.labels.output_names());
        if !report.other_labels.is_empty() {
            return Ok(Self::Replaced(names.clone()));
        }
        // The output layer is the last of the walk; a folder has it whole or not at all.
        let output = model.params().pop().map(|(name, _)| name);
        if output.is_none_or(|output| report.to_initialise.contains(&output)) {
            return Ok(Self::Fresh);
        }
        let same_problem = was.problem == corpus.labels.problem();
        let is_value = was.problem == Problem::Regression && wanted.len() == 1;
        if same_problem && (*names == wanted || is_value) {
            return Ok(Self::Kept);
        }
        if same_problem && was.has_unnamed_labels() {
            return Ok(Self::Unnamed);
        }
        let problems = [was.problem, corpus.labels.problem()];
        if !same_problem && (problems.contains(&Problem::MultiLabel) || problems.contains(&Problem::Tokens)) {
            return Err(Error::Usage(format!(
                "the head of {} is one of {}, and the data are {}; --fresh-head begins with a new head on the same encoder",
                dir.display(),
                problem_name(was.problem),
                problem_name(corpus.labels.problem())
            )));
        }
        let rows = |by: &[String]| -> Option<Vec<usize>> {
            let place = |name: &String| names.iter().position(|known| known == name);
            by.iter().map(place).collect()
        };
        let rows = rows(&wanted).or_else(|| rows(&corpus.label_texts));
        match rows.filter(|rows| same_problem && rows.len() == names.len()) {
            Some(rows) => {
                for (_, mut values) in model.head.out.params_mut() {
                    let permuted = values.select(Axis(0), &rows);
                    values.assign(&permuted);
                }
                let is_order = rows.iter().enumerate().any(|(to, &from)| to != from);
                Ok(if is_order {
                    Self::Reordered(names.clone())
                } else {
                    Self::Kept
                })
            }
            None => Err(Error::Usage(format!(
                "the head of {} predicts {}, and the data have the labels {}: its outputs cannot be matched by name; \
                 --fresh-head begins with a new head on the same encoder",
                dir.display(),
                listed(names),
                listed(&wanted)
            ))),
        }
    }

    /// For people.
    pub(super) fn line(&self, labels: &[String]) -> String {
        let labels = listed(labels);
        match self {
            Self::Fresh => format!("fresh, with the outputs {labels}"),
            Self::Replaced(was) => format!(
                "fresh, with the outputs {labels}; that of the model folder, with the outputs {}, is not used",
                listed(was)
            ),
            Self::Kept => format!("that of the model folder, with the outputs {labels}"),
            Self::Unnamed => format!(
                "that of the model folder, whose outputs have no names: they are taken as {labels}, in this order"
            ),
            Self::Reordered(was) => format!(
                "that of the model folder, its outputs {} brought into the order {labels}",
                listed(was)
            ),
        }
    }

    /// For `run.json`.
    pub(super) fn record(&self) -> Value {
        match self {
            Self::Fresh => json!({"state": "fresh"}),
            Self::Replaced(was) => json!({"state": "fresh", "was": was}),
            Self::Kept => json!({"state": "kept"}),
            Self::Unnamed => json!({"state": "kept without names"}),
            Self::Reordered(was) => json!({"state": "reordered", "was": was}),
        }
    }
}
