//! Reads users' own files: `.tsv`, `.csv`, `.jsonl` and `.json`, with named columns.
//!
//! Conventions are those of Hugging Face's `run_glue.py` (transformers, `examples/pytorch/text-classification`): the
//! label column is `label`; the texts are `sentence1` and `sentence2` if both are there, else the first two columns
//! that are not the label, or the only one. Mind the second rule with a file that has an `id` column: name the texts.
//!
//! * `.tsv`: tab-separated with a header, **no quoting**: a `"` is text.
//! * `.csv`: comma-separated with a header, quoted as RFC 4180 says; anything else is an error, not a guess.
//! * `.jsonl`, `.json`: one object a line; texts are strings, labels strings, numbers or truth values.
//!
//! An empty text is allowed; an empty label counts as none.

use std::path::Path;

use crate::model::Problem;

use super::error::{DataError, FileFault, LineFault};
use super::label::{self, LabelSpace};
use super::read::{Dataset, Labels, Rows, dataset};
use super::source::Source;
use super::table::{self, Layout, Record};
use super::task::Incomplete;
use super::{csv, jsonl, tsv};

/// Which columns hold the texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TextColumns {
    /// `sentence1` and `sentence2` if both are there, else the first two columns that are not the label, or the one.
    #[default]
    Detect,
    /// One text, in this column.
    One(String),
    /// Two texts, in these columns.
    Two(String, String),
}

/// Which columns of a user's file matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserColumns {
    /// The texts.
    pub texts: TextColumns,
    /// The label.
    pub label: String,
}

impl Default for UserColumns {
    /// What `run_glue.py` takes: detected texts, label column `label`.
    fn default() -> Self {
        Self {
            texts: TextColumns::Detect,
            label: "label".to_owned(),
        }
    }
}

/// Reads a training file and collects its labels; also gives the columns with the texts found, for the other files.
///
/// `problem` `None` means what `run_glue.py` decides: regression if every label is a finite number and at least one is
/// not written as an integer, else classification. Classes are sorted, by value if all labels are integers, else by
/// character, so they do not depend on the order of rows.
///
/// # Errors
/// [`DataError`] with file and line; beside what [`read_user`] refuses, a classification with one label only.
pub fn read_user_train(
    path: &Path,
    columns: &UserColumns,
    problem: Option<Problem>,
) -> Result<(Dataset, UserColumns), DataError> {
    let (source, columns, rows) = read_rows(path, columns, Labels::Required)?;
    let labels = || rows.rows.iter().filter_map(|row| row.label.as_deref());
    let problem = problem.unwrap_or(if label::are_floats(labels()) {
        Problem::Regression
    } else {
        Problem::Classification
    });
    let space = match problem {
        Problem::Regression => LabelSpace::Values,
        Problem::Classification => LabelSpace::from_labels(labels()),
    };
    let known = space.clone();
    let set = dataset(&source.path, rows, Labels::Required, space, |text| {
        known.understand(text)
    })?;
    match known {
        LabelSpace::Classes(mut names) if names.len() < 2 => Err(source.fault(FileFault::OneLabel {
            label: names.pop().unwrap_or_default(),
        })),
        _ => Ok((set, columns)),
    }
}

/// Reads a file to evaluate or predict, with the labels of the training file (or of a saved model).
///
/// # Errors
/// [`DataError`] with file and line: no such file, unknown extension, not UTF-8, no rows, a column too many or too few,
/// a column that is not there or is there twice, broken quoting, a line that is not a JSON object, a label that is
/// missing, not a number, not finite or not in `labels`.
pub fn read_user(
    path: &Path,
    columns: &UserColumns,
    labels: &LabelSpace,
    presence: Labels,
) -> Result<Dataset, DataError> {
    let (source, _, rows) = read_rows(path, columns, presence)?;
    dataset(&source.path, rows, presence, labels.clone(), |text| {
        labels.understand(text)
    })
}

/// The kinds of files.
#[derive(Clone, Copy)]
enum Format {
    Tsv,
    Csv,
    JsonLines,
}

/// The kind of a file, by its extension in any case.
fn format(path: &Path) -> Result<Format, DataError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("tsv") => Ok(Format::Tsv),
        Some("csv") => Ok(Format::Csv),
        Some("jsonl" | "json") => Ok(Format::JsonLines),
        _ => Err(DataError::File {
            path: path.to_owned(),
            fault: FileFault::UnknownFormat,
        }),
    }
}

/// The rows of a file, and its columns with the texts found.
fn read_rows(
    path: &Path,
    columns: &UserColumns,
    presence: Labels,
) -> Result<(Source, UserColumns, Rows), DataError> {
    let format = format(path)?;
    let source = Source::open(path, |_| String::new())?;
    let (texts, rows) = match format {
        Format::Tsv => read_table(&source, tsv::records(&source.text), columns, presence)?,
        Format::Csv => read_table(&source, csv::records(&source.text), columns, presence)?,
        Format::JsonLines => {
            let texts = Texts::find(&source, columns, &jsonl::header(&source)?)?;
            let rows = jsonl::rows(&source, &texts.a, texts.b.as_deref(), &columns.label, presence)?;
            (texts, rows)
        }
    };
    let columns = UserColumns {
        texts: texts.into(),
        label: columns.label.clone(),
    };
    Ok((source, columns, rows))
}

fn read_table<'t>(
    source: &Source,
    mut records: impl Iterator<Item = Result<Record<'t>, (usize, LineFault)>>,
    columns: &UserColumns,
    presence: Labels,
) -> Result<(Texts, Rows), DataError> {
    let header = table::header(source, &mut records)?;
    let texts = Texts::find(source, columns, &header)?;
    let layout = Layout::find(
        source,
        &header,
        &texts.a,
        texts.b.as_deref(),
        &columns.label,
        presence,
    )?;
    let rows = table::rows(source, &mut records, layout, Incomplete::Refuse)?;
    Ok((texts, rows))
}

/// The names of the text columns, once known.
struct Texts {
    a: String,
    b: Option<String>,
}

impl Texts {
    /// The columns asked for, or those that the header suggests.
    fn find(source: &Source, columns: &UserColumns, header: &[String]) -> Result<Self, DataError> {
        let (a, b) = match &columns.texts {
            TextColumns::One(a) => (a.as_str(), None),
            TextColumns::Two(a, b) => (a.as_str(), Some(b.as_str())),
            TextColumns::Detect => {
                let has = |column: &str| columns.label != column && header.iter().any(|name| name == column);
                if has("sentence1") && has("sentence2") {
                    ("sentence1", Some("sentence2"))
                } else {
                    let mut others = header.iter().filter(|name| **name != columns.label);
                    let first = others.next().ok_or_else(|| {
                        source.fault(FileFault::NoTextColumn {
                            label: columns.label.clone(),
                        })
                    })?;
                    (first.as_str(), others.next().map(String::as_str))
                }
            }
        };
        Ok(Self {
            a: a.to_owned(),
            b: b.map(str::to_owned),
        })
    }
}

impl From<Texts> for TextColumns {
    fn from(texts: Texts) -> Self {
        match texts.b {
            None => Self::One(texts.a),
            Some(b) => Self::Two(texts.a, b),
        }
    }
}
