//! From records of cells to rows of texts and labels: which column is what, and whether every record has all.

use std::borrow::Cow;

use super::error::{DataError, FileFault, LineFault};
use super::label::{self, Written};
use super::read::{Labels, Row, Rows};
use super::source::Source;
use super::task::Incomplete;

/// One record of a TSV or CSV file.
#[derive(Debug)]
pub(super) struct Record<'t> {
    /// Where it begins, from 1.
    pub(super) line: usize,
    pub(super) cells: Vec<Cow<'t, str>>,
}

/// Positions of the columns, from 0, and how many there are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) columns: usize,
    pub(super) text_a: usize,
    pub(super) text_b: Option<usize>,
    /// `None` when the file has no label column.
    pub(super) label: Option<usize>,
    /// Columns of 0 and 1, each of the label that it is named after.
    pub(super) label_columns: Vec<(usize, String)>,
}

impl Layout {
    /// Finds columns by name.
    pub(super) fn find(
        source: &Source,
        header: &[String],
        texts: (&str, Option<&str>),
        label: &str,
        presence: Labels,
        note: &str,
    ) -> Result<Self, DataError> {
        let must = |column: &str| {
            position(source, header, column)?.ok_or_else(|| {
                source.fault(FileFault::MissingColumn {
                    column: column.to_owned(),
                    columns: header.to_vec(),
                    note: note.to_owned(),
                })
            })
        };
        let (text_a, text_b) = texts;
        Ok(Self {
            columns: header.len(),
            text_a: must(text_a)?,
            text_b: text_b.map(must).transpose()?,
            label: match presence {
                Labels::Required => Some(must(label)?),
                Labels::Optional => position(source, header, label)?,
                Labels::Ignored => None,
            },
            label_columns: Vec::new(),
        })
    }
}

/// Where a column stands, if it is there; two columns of one name are an error, for nobody can say which is meant.
pub(super) fn position(source: &Source, header: &[String], column: &str) -> Result<Option<usize>, DataError> {
    let mut found = (0..header.len()).filter(|&index| header[index] == column);
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err(source.fault(FileFault::RepeatedColumn {
            column: column.to_owned(),
        })),
    }
}

/// The next record of a file, with its fault, if any, placed in the file.
pub(super) fn next_record<'t>(
    source: &Source,
    records: &mut impl Iterator<Item = Result<Record<'t>, (usize, LineFault)>>,
) -> Result<Option<Record<'t>>, DataError> {
    records
        .next()
        .transpose()
        .map_err(|(line, fault)| source.line_fault(line, fault))
}

/// The names in the first record.
pub(super) fn header<'t>(
    source: &Source,
    records: &mut impl Iterator<Item = Result<Record<'t>, (usize, LineFault)>>,
) -> Result<Vec<String>, DataError> {
    let record = next_record(source, records)?.ok_or_else(|| source.fault(FileFault::Empty))?;
    Ok(record.cells.into_iter().map(Cow::into_owned).collect())
}

/// The rows of the remaining records.
pub(super) fn rows<'t>(
    source: &Source,
    records: &mut impl Iterator<Item = Result<Record<'t>, (usize, LineFault)>>,
    layout: &Layout,
    incomplete: Incomplete,
) -> Result<Rows, DataError> {
    let mut all = Rows::default();
    while let Some(record) = next_record(source, records)? {
        let (found, expected) = (record.cells.len(), layout.columns);
        if found < expected && incomplete == Incomplete::Skip {
            all.skipped_lines += 1;
            continue;
        }
        if found != expected {
            return Err(source.line_fault(record.line, LineFault::Columns { found, expected }));
        }
        let cell = |column: usize| record.cells[column].to_string();
        let label = if layout.label_columns.is_empty() {
            let label = layout.label.map(cell);
            label.filter(|label| !label.trim().is_empty()).map(Written::One)
        } else {
            let cells = layout.label_columns.iter();
            let cells = cells.map(|(at, name)| (name.as_str(), Some(cell(*at))));
            Some(label::of_columns(cells).map_err(|fault| source.line_fault(record.line, fault))?)
        };
        all.rows.push(Row {
            line: record.line,
            text_a: cell(layout.text_a),
            text_b: layout.text_b.map(cell),
            words: Vec::new(),
            label,
        });
    }
    Ok(all)
}
