//! What an evaluation says of each class or label of a file of one's own: a table, and of classes the confusion matrix.

use super::aligned;
use crate::data::{Confusion, Tally};
use serde_json::{Map, Value, json};

/// The keys in results files.
const MATRIX: &str = "eval_confusion_matrix";
const CLASSES: &str = "eval_per_class";

/// The classes that a fine-tuning still shows at its end.
pub(super) const SHOWN: usize = 20;

/// The measures of every class, and how often each was taken for which.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ClassReport {
    pub(super) classes: Vec<ClassScores>,
    /// None where a row has any number of labels: no label is taken for another.
    confusion: Option<Confusion>,
}

/// The measures of one class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ClassScores {
    label: String,
    precision: f64,
    recall: f64,
    f1: f64,
    support: u64,
}

impl ClassReport {
    /// Of these labels, counted, in their order.
    pub(super) fn new(labels: &[String], tallies: &[Tally], confusion: Option<Confusion>) -> Self {
        let classes = labels.iter().zip(tallies).map(|(label, tally)| ClassScores {
            label: label.clone(),
            precision: tally.precision(),
            recall: tally.recall(),
            f1: tally.f1(),
            support: tally.actual as u64,
        });
        Self {
            classes: classes.collect(),
            confusion,
        }
    }

    /// The entries of a results file.
    pub(super) fn record(&self) -> Vec<(&'static str, Value)> {
        let classes = self.classes.iter().map(|class| {
            json!({
                "label": class.label,
                "precision": class.precision,
                "recall": class.recall,
                "f1": class.f1,
                "support": class.support,
            })
        });
        let matrix = self.confusion.as_ref();
        let matrix = matrix.map(|confusion| (MATRIX, json!(confusion.counts())));
        std::iter::once((CLASSES, classes.collect()))
            .chain(matrix)
            .collect()
    }

    /// What [`ClassReport::record`] wrote, if it is there.
    pub(super) fn read(results: &Map<String, Value>) -> Option<Self> {
        let classes = results.get(CLASSES)?.as_array()?.iter();
        let classes = classes.map(|class| {
            Some(ClassScores {
                label: class["label"].as_str()?.to_owned(),
                precision: class["precision"].as_f64()?,
                recall: class["recall"].as_f64()?,
                f1: class["f1"].as_f64()?,
                support: class["support"].as_u64()?,
            })
        });
        let classes: Vec<ClassScores> = classes.collect::<Option<_>>()?;
        let confusion = match results.get(MATRIX) {
            None => None,
            Some(counts) => {
                let confusion = Confusion::from_counts(serde_json::from_value(counts.clone()).ok()?)?;
                Some(confusion).filter(|confusion| confusion.counts().len() == classes.len())
            }
        };
        Some(Self { classes, confusion })
    }

    /// The tables, each after a blank line.
    pub(super) fn lines(&self) -> Vec<String> {
        let after_blank = |table: Vec<Vec<String>>| std::iter::once(String::new()).chain(aligned(&table));
        self.tables().into_iter().flat_map(after_blank).collect()
    }

    /// The measures of each class, and the confusion matrix if there is one; the first row is the header.
    pub(super) fn tables(&self) -> Vec<Vec<Vec<String>>> {
        let mut classes = vec![
            ["class", "precision", "recall", "f1", "support"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for class in &self.classes {
            let shares = [class.precision, class.recall, class.f1].map(|share| format!("{share:.4}"));
            let mut cells = vec![class.label.clone()];
            cells.extend(shares);
            cells.push(class.support.to_string());
            classes.push(cells);
        }
        let matrix = self.confusion.as_ref().map(|confusion| self.matrix(confusion));
        std::iter::once(classes).chain(matrix).collect()
    }

    fn matrix(&self, confusion: &Confusion) -> Vec<Vec<String>> {
        let names = || self.classes.iter().map(|class| class.label.clone());
        let mut matrix = vec![vec!["true \\ predicted".to_owned()]];
        matrix[0].extend(names());
        for (name, row) in names().zip(confusion.counts()) {
            let counts = row.iter().map(usize::to_string);
            matrix.push(std::iter::once(name).chain(counts).collect());
        }
        matrix
    }
}
