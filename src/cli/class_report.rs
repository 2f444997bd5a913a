//! What an evaluation says of each class of a file of one's own: a table, and the confusion matrix.

use super::aligned;
use crate::data::Confusion;
use serde_json::{Map, Value, json};

/// The keys in results files.
const MATRIX: &str = "eval_confusion_matrix";
const CLASSES: &str = "eval_per_class";

/// The classes that a fine-tuning still shows at its end.
pub(super) const SHOWN: usize = 20;

/// A confusion matrix with the names of its classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClassReport {
    pub(super) labels: Vec<String>,
    pub(super) confusion: Confusion,
}

impl ClassReport {
    /// The entries of a results file.
    pub(super) fn record(&self) -> [(&'static str, Value); 2] {
        let tallies = self.confusion.tallies();
        let classes = self.labels.iter().zip(tallies).map(|(label, tally)| {
            json!({
                "label": label,
                "precision": tally.precision(),
                "recall": tally.recall(),
                "f1": tally.f1(),
                "support": tally.actual,
            })
        });
        [
            (CLASSES, classes.collect()),
            (MATRIX, json!(self.confusion.counts())),
        ]
    }

    /// What [`ClassReport::record`] wrote, if it is there.
    pub(super) fn read(results: &Map<String, Value>) -> Option<Self> {
        let classes = results.get(CLASSES)?.as_array()?.iter();
        let labels: Option<Vec<String>> = classes
            .map(|class| class["label"].as_str().map(str::to_owned))
            .collect();
        let counts: Vec<Vec<usize>> = serde_json::from_value(results.get(MATRIX)?.clone()).ok()?;
        let confusion = Confusion::from_counts(counts)?;
        let labels = labels.filter(|labels| labels.len() == confusion.counts().len())?;
        Some(Self { labels, confusion })
    }

    /// Both tables, each after a blank line.
    pub(super) fn lines(&self) -> Vec<String> {
        let after_blank = |table: Vec<Vec<String>>| std::iter::once(String::new()).chain(aligned(&table));
        self.tables().into_iter().flat_map(after_blank).collect()
    }

    /// The measures of each class, and the confusion matrix; the first row is the header.
    pub(super) fn tables(&self) -> [Vec<Vec<String>>; 2] {
        let names = self.labels.clone();
        let mut classes = vec![
            ["class", "precision", "recall", "f1", "support"]
                .map(str::to_owned)
                .to_vec(),
        ];
        let mut matrix = vec![vec!["true \\ predicted".to_owned()]];
        matrix[0].extend(names.iter().cloned());
        let rows = self.confusion.tallies().into_iter().zip(self.confusion.counts());
        for (name, (tally, row)) in names.into_iter().zip(rows) {
            let shares = [tally.precision(), tally.recall(), tally.f1()].map(|share| format!("{share:.4}"));
            let mut cells = vec![name.clone()];
            cells.extend(shares);
            cells.push(tally.actual.to_string());
            classes.push(cells);
            let counts = row.iter().map(usize::to_string);
            matrix.push(std::iter::once(name).chain(counts).collect());
        }
        [classes, matrix]
    }
}
