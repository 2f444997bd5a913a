//! What reading gives: examples, targets, and the set they make.

use std::path::Path;

use super::error::{DataError, FileFault, LineFault};
use super::label::{LabelSpace, Written};
use crate::model::Target;

/// One text or pair of texts, as the file has it (case, blanks and quotes untouched; may be empty).
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The first or only text; of words, all of them with blanks between.
    pub text_a: String,
    /// The second text of a pair.
    pub text_b: Option<String>,
    /// The words of a sentence that comes in words, where each has a tag; else empty.
    pub words: Vec<String>,
    /// The label, unless the file has none.
    pub target: Option<Target>,
}

/// Whether a file must have labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// To train or to evaluate: every row needs one.
    Required,
    /// The column may be missing, and so may the label of a row. A label that is there is checked.
    Optional,
    /// To predict: labels are not read, whatever they are (`-1` in published test files).
    Ignored,
}

/// The rows of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The examples in file order; never empty.
    pub examples: Vec<Example>,
    /// What the targets mean.
    pub labels: LabelSpace,
    /// Incomplete lines left out (QQP only; elsewhere such a line is an error).
    pub skipped_lines: usize,
}

impl Dataset {
    /// The target of every example, or `None` if one has none.
    pub fn targets(&self) -> Option<Vec<Target>> {
        self.examples
            .iter()
            .map(|example| example.target.clone())
            .collect()
    }
}

/// A row before its label is understood.
#[derive(Debug)]
pub(super) struct Row {
    /// Where it begins, from 1.
    pub(super) line: usize,
    pub(super) text_a: String,
    pub(super) text_b: Option<String>,
    /// The words of a sentence that comes in words.
    pub(super) words: Vec<String>,
    /// The label as written; `None` where there is none.
    pub(super) label: Option<Written>,
}

/// The rows of a file and what was left out.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) skipped_lines: usize,
}

/// Turns rows into a data set, reading each label with `understand`.
pub(super) fn dataset(
    path: &Path,
    rows: Rows,
    presence: Labels,
    labels: LabelSpace,
    understand: impl Fn(&Written) -> Result<Target, LineFault>,
) -> Result<Dataset, DataError> {
    if rows.rows.is_empty() {
        return Err(DataError::File {
            path: path.to_owned(),
            fault: FileFault::HeaderOnly,
        });
    }
    let mut examples = Vec::with_capacity(rows.rows.len());
    for row in rows.rows {
        let target = match &row.label {
            Some(label) => understand(label).map(Some),
            None if presence != Labels::Required => Ok(None),
            None => Err(LineFault::MissingLabel),
        };
        let target = target.map_err(|fault| DataError::Line {
            path: path.to_owned(),
            line: row.line,
            fault,
        })?;
        examples.push(Example {
            text_a: row.text_a,
            text_b: row.text_b,
            words: row.words,
            target,
        });
    }
    Ok(Dataset {
        examples,
        labels,
        skipped_lines: rows.skipped_lines,
    })
}
