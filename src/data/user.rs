//! Reads users' own files: `.tsv`, `.csv`, `.jsonl` and `.json`, with named columns.
//!
//! The label column is `label` unless it is named. The texts are those named; else a well-known pair of columns
//! (`sentence1` and `sentence2`, `premise` and `hypothesis`, …), else the only column that can be text.
//! An index, an identifier or a date is never taken by guess, and of several candidates none is.
//!
//! * `.tsv`: tab-separated with a header, **no quoting**: a `"` is text.
//! * `.csv`: comma-separated with a header, quoted as RFC 4180 says; anything else is an error, not a guess.
//! * `.jsonl`, `.json`: one object a line; texts are strings, labels strings, numbers or truth values.
//!   The columns are the fields of all lines.
//!
//! Several labels a row are a list in a JSON file, a JSON list in a cell, or columns of 0 and 1 that are named after the
//! labels.
//!
//! * `.txt`, to predict alone: one text a line.
//!
//! An empty text is allowed; an empty label counts as none.

use std::path::Path;

use crate::model::Problem;

use super::columns::{self, Cell, FoundColumns};
use super::error::{DataError, FileFault, LineFault};
use super::infer::{self, Doubt};
use super::input::{FileKind, UserFile};
use super::label::{LabelSpace, NO_TAG, Written};
use super::read::{Dataset, Labels, Row, Rows, dataset};
use super::source::Source;
use super::table::{self, Layout, Record};
use super::task::Incomplete;
use super::{csv, jsonl, tagged, tsv};

/// Which columns hold the texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TextColumns {
    /// A well-known pair, or the only column that can be text.
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
    /// In its place, columns of 0 and 1, each of the label that it is named after; empty where there is one column.
    pub label_columns: Vec<String>,
    /// How the file may write the classes beside by their names, in class order; empty if by their names alone.
    pub label_texts: Vec<String>,
    /// What to add to the error about a column that is not there: who asked for it, and what to do.
    pub note: String,
}

/// The label column of a file unless another is named, and the one of lists in a JSON file that has no such column.
pub(super) const LABEL: &str = "label";
pub(super) const LISTS: &str = "labels";

impl UserColumns {
    /// The columns of labels: one, or one for each label.
    pub(super) fn asked_labels(&self) -> impl Iterator<Item = &String> {
        let one = self.label_columns.is_empty().then_some(&self.label);
        one.into_iter().chain(&self.label_columns)
    }

    /// Whether a column is one of labels.
    pub(super) fn is_label(&self, name: &String) -> bool {
        self.asked_labels().any(|label| label == name)
    }
}

impl Default for UserColumns {
    /// Detected texts, label column `label`.
    fn default() -> Self {
        Self {
            texts: TextColumns::Detect,
            label: LABEL.to_owned(),
            label_columns: Vec::new(),
            label_texts: Vec::new(),
            note: String::new(),
        }
    }
}

/// Reads a training file and collects its labels; also gives the columns with the texts found, for the other files.
///
/// `problem` `None` means: regression if every label is a finite number and one has a fraction, classification if every
/// label is an integer or none is a number. Everything between is an error that names the label. Classes are sorted, by
/// value if all labels are integers, else by character, so they do not depend on the order of rows. A list of labels in
/// every row is a multi-label classification, and so are label columns, whose order is that of the labels. Sentences in words
/// with a tag for each (a `.conll` file, or a list `tokens` and one of tags) are a token classification.
///
/// # Errors
/// [`DataError`] with file and line; beside what [`read_user`] refuses, a classification with one label only, and with
/// `problem` `None` labels that do not speak for one kind of problem: lists among words, words among numbers, a mark of a missing value, a
/// decimal comma, two labels that differ in blanks or case, or nearly as many labels as rows.
pub fn read_user_train(
    path: &Path,
    columns: &UserColumns,
    problem: Option<Problem>,
) -> Result<(Dataset, FoundColumns), DataError> {
    let file = UserFile::open(path, None)?;
    if problem == Some(Problem::Tokens) || problem.is_none() && tagged::is_tagged(&file, columns) {
        return read_tagged(&file, columns);
    }
    let (found, rows) = read_rows(&file, columns, Labels::Required)?;
    let source = file.source;
    // A row without a label is an error whatever the others are.
    let is_complete = rows.rows.iter().all(|row| row.label.is_some());
    let problem = match problem {
        Some(problem) => problem,
        None if !is_complete && infer::has_list(&rows.rows) => Problem::MultiLabel,
        None if !is_complete || rows.rows.is_empty() => Problem::Classification,
        None => infer::problem(&rows.rows, &columns.label).map_err(|doubt| match doubt {
            Doubt::Line(line, fault) => source.line_fault(line, fault),
            Doubt::File(fault) => source.fault(fault),
        })?,
    };
    let space = label_space(&source, columns, &rows, problem)?;
    let known = space.clone();
    let set = dataset(&source.path, rows, Labels::Required, space, |label| {
        known.understand(label, &[])
    })?;
    match known {
        LabelSpace::Classes(mut names) if names.len() < 2 => Err(source.fault(FileFault::OneLabel {
            label: names.pop().unwrap_or_default(),
        })),
        _ => Ok((set, found)),
    }
}

/// A training file of sentences in words, each with a tag.
fn read_tagged(file: &UserFile, columns: &UserColumns) -> Result<(Dataset, FoundColumns), DataError> {
    let (found, rows) = tagged::read(file, columns, Labels::Required)?;
    let lists = rows.rows.iter().filter_map(|row| match &row.label {
        Some(Written::List(tags)) => Some(tags),
        _ => None,
    });
    let tags = lists.flatten().map(String::as_str).filter(|tag| *tag != NO_TAG);
    let names = LabelSpace::in_order(tags);
    let space = LabelSpace::Tags(names.clone());
    let understand = |label: &Written| space.understand(label, &[]);
    let set = dataset(
        &file.source.path,
        rows,
        Labels::Required,
        space.clone(),
        understand,
    )?;
    if names.len() < 2 {
        let label = names.into_iter().next().unwrap_or_default();
        return Err(file.source.fault(FileFault::OneLabel { label }));
    }
    Ok((set, found))
}

/// What the labels of a training file mean.
fn label_space(
    source: &Source,
    columns: &UserColumns,
    rows: &Rows,
    problem: Problem,
) -> Result<LabelSpace, DataError> {
    if problem == Problem::Regression {
        return Ok(LabelSpace::Values);
    }
    let mut labels = Vec::new();
    for row in &rows.rows {
        let of_row = row.label.as_ref().map(|label| match problem {
            Problem::MultiLabel => label.list(),
            _ => label.one().map(|label| vec![label.to_owned()]),
        });
        let of_row = of_row.transpose();
        labels.extend(
            of_row
                .map_err(|fault| source.line_fault(row.line, fault))?
                .into_iter()
                .flatten(),
        );
    }
    let names = LabelSpace::in_order(labels.iter().map(String::as_str));
    if problem == Problem::Classification {
        return Ok(LabelSpace::Classes(names));
    }
    if names.is_empty() && !rows.rows.is_empty() && rows.rows.iter().all(|row| row.label.is_some()) {
        return Err(source.fault(FileFault::NoLabels));
    }
    Ok(LabelSpace::Sets(if columns.label_columns.is_empty() {
        names
    } else {
        columns.label_columns.clone()
    }))
}

/// Reads a file to evaluate or predict, with the labels of the training file (or of a saved model), and gives the columns
/// that it took.
///
/// # Errors
/// [`DataError`] with file and line: no such file, unknown extension, not UTF-8, no rows, a column too many or too few,
/// a column that is not there or is there twice, several columns that can be the text, broken quoting, a line that is not
/// a JSON object, a label that is missing, not a number, not finite or not in `labels`.
pub fn read_user(
    path: &Path,
    columns: &UserColumns,
    labels: &LabelSpace,
    presence: Labels,
) -> Result<(Dataset, FoundColumns), DataError> {
    UserFile::open(path, None)?.examples(columns, labels, presence)
}

/// The columns with the texts found, and the rows of a file.
pub(super) fn read_rows(
    file: &UserFile,
    columns: &UserColumns,
    presence: Labels,
) -> Result<(FoundColumns, Rows), DataError> {
    let source = &file.source;
    match file.kind {
        FileKind::Tsv => {
            let read = read_table(source, tsv::records(&source.text), columns, presence, "tabs")?;
            tsv::refuse_quotes(source, &read.0, &read.1)?;
            Ok(read)
        }
        FileKind::Csv => read_table(source, csv::records(&source.text), columns, presence, "commas"),
        FileKind::JsonLines => jsonl::read(source, columns, presence),
        FileKind::PlainText => Ok(plain_text(source)),
        FileKind::Conll => Err(source.fault(FileFault::OnlyTagged)),
    }
}

/// One text a line, a blank one too.
fn plain_text(source: &Source) -> (FoundColumns, Rows) {
    let rows = tsv::lines(&source.text).enumerate().map(|(index, line)| Row {
        line: index + 1,
        text_a: line.to_owned(),
        text_b: None,
        words: Vec::new(),
        label: None,
    });
    let found = FoundColumns {
        text_a: PLAIN_TEXT.to_owned(),
        text_b: None,
        label: None,
        label_columns: Vec::new(),
        others: Vec::new(),
    };
    let rows = Rows {
        rows: rows.collect(),
        skipped_lines: 0,
    };
    (found, rows)
}

/// The name of the only column of plain text.
pub(super) const PLAIN_TEXT: &str = "text";

fn read_table<'t>(
    source: &Source,
    mut records: impl Iterator<Item = Result<Record<'t>, (usize, LineFault)>>,
    columns: &UserColumns,
    presence: Labels,
    separator: &'static str,
) -> Result<(FoundColumns, Rows), DataError> {
    let header = table::header(source, &mut records)?;
    if separator == "tabs" && header.iter().any(|name| tsv::is_quoted(name)) {
        return Err(source.fault(FileFault::QuotedHeader));
    }
    if let [only] = &header[..]
        && let Some(found) = only.chars().find(|c| ",;\t|".contains(*c))
        && columns.texts == TextColumns::Detect
    {
        let expected = separator;
        return Err(source.fault(FileFault::Separator { found, expected }));
    }
    let mut rest = Vec::new();
    let mut broken = None;
    for record in records {
        match record {
            Ok(record) => rest.push(record),
            Err(fault) => {
                broken = Some(fault);
                break;
            }
        }
    }
    // A column that is not there is said before a broken line; a broken line before a doubt about what is text.
    if presence == Labels::Required
        && let Some(missing) = columns.asked_labels().find(|label| !header.contains(label))
    {
        return Err(source.fault(FileFault::MissingColumn {
            column: missing.clone(),
            columns: header,
            note: columns.note.clone(),
        }));
    }
    if let Some((line, fault)) = broken.take_if(|_| columns.texts == TextColumns::Detect) {
        return Err(source.line_fault(line, fault));
    }
    let found = columns::find(source, columns, &header, |column| {
        // Of a file without rows the names alone decide; that it has none is said later.
        rest.is_empty()
            || columns::is_text(rest.iter().map(|record| {
                let cell = record.cells.get(column);
                cell.map_or(Cell::Blank, |cell| Cell::from(&**cell))
            }))
    })?;
    let texts = (found.text_a.as_str(), found.text_b.as_deref());
    let layout = layout(source, &header, texts, columns, presence)?;
    for record in &rest {
        if record.cells.iter().eq(header.iter()) {
            return Err(source.line_fault(record.line, LineFault::RepeatedHeader));
        }
    }
    let mut records = rest.into_iter().map(Ok).chain(broken.map(Err));
    let rows = table::rows(source, &mut records, &layout, Incomplete::Refuse)?;
    Ok((found, rows))
}

/// Where the columns stand: of labels one, or one for each of them.
fn layout(
    source: &Source,
    header: &[String],
    texts: (&str, Option<&str>),
    columns: &UserColumns,
    presence: Labels,
) -> Result<Layout, DataError> {
    let label = &columns.label;
    if columns.label_columns.is_empty() || presence == Labels::Ignored {
        return Layout::find(source, header, texts, label, presence, &columns.note);
    }
    let mut layout = Layout::find(source, header, texts, label, Labels::Ignored, &columns.note)?;
    let place = |name: &String| Ok(table::position(source, header, name)?.map(|at| (at, name.clone())));
    let places = columns.label_columns.iter().map(place);
    // Where labels are optional, some of their columns say nothing without the others.
    layout.label_columns = places
        .collect::<Result<Option<Vec<_>>, DataError>>()?
        .unwrap_or_default();
    Ok(layout)
}
