//! A file of a user's own, read once: its examples, and all of its columns as they are written.

use std::path::Path;

use super::columns::FoundColumns;
use super::error::{DataError, FileFault};
use super::label::LabelSpace;
use super::read::{Dataset, Labels, Row, dataset};
use super::source::Source;
use super::table::Record;
use super::tagged::{self, TOKENS};
use super::user::{self, PLAIN_TEXT, UserColumns};
use super::{csv, jsonl, tsv};
use serde_json::json;

/// The kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Tab-separated, without quoting.
    Tsv,
    /// Comma-separated, quoted as RFC 4180 says.
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// One text a line: to predict, for there is no place for a label.
    PlainText,
    /// A word and its tag a line, a blank line after each sentence.
    Conll,
}

impl FileKind {
    /// The kind of a file with labels, by its extension in any case.
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("tsv") => Some(Self::Tsv),
            Some("csv") => Some(Self::Csv),
            Some("jsonl" | "json") => Some(Self::JsonLines),
            Some("conll") => Some(Self::Conll),
            _ => None,
        }
    }

    /// The kind of a file to predict, by its extension in any case.
    ///
    /// # Errors
    /// [`DataError::File`] for every extension but `.tsv`, `.csv`, `.jsonl`, `.json`, `.conll` and `.txt`.
    pub fn to_predict(path: &Path) -> Result<Self, DataError> {
        let is_text = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("txt"));
        let kind = Self::of(path).or(is_text.then_some(Self::PlainText));
        kind.ok_or_else(|| DataError::File {
            path: path.to_owned(),
            fault: FileFault::UnknownInput,
        })
    }
}

/// A file in memory.
#[derive(Debug)]
pub struct UserFile {
    pub(super) source: Source,
    pub(super) kind: FileKind,
}

/// What a file has in its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Cells under a header.
    Cells {
        /// The names of the columns.
        header: Vec<String>,
        /// As many cells in each row.
        rows: Vec<Vec<String>>,
    },
    /// JSON objects as they are written, one for each row.
    Objects(Vec<String>),
}

impl UserFile {
    /// Reads a file; without a kind, one with labels that its extension tells.
    ///
    /// # Errors
    /// [`DataError`] with the file: no such file, unknown extension, not UTF-8, no bytes.
    pub fn open(path: &Path, kind: Option<FileKind>) -> Result<Self, DataError> {
        let kind = kind
            .or_else(|| FileKind::of(path))
            .ok_or_else(|| DataError::File {
                path: path.to_owned(),
                fault: FileFault::UnknownFormat,
            })?;
        let source = Source::open(path, |_| String::new())?;
        Ok(Self { source, kind })
    }

    /// Bytes from elsewhere, under the name that messages give them.
    ///
    /// # Errors
    /// [`DataError`] with the name: not UTF-8, no bytes.
    pub fn from_bytes(name: &str, kind: FileKind, bytes: Vec<u8>) -> Result<Self, DataError> {
        let source = Source::of_bytes(Path::new(name), bytes)?;
        Ok(Self { source, kind })
    }

    /// The examples, and the columns that were taken; what [`read_user`](super::read_user) gives.
    ///
    /// # Errors
    /// As [`read_user`](super::read_user).
    pub fn examples(
        &self,
        columns: &UserColumns,
        labels: &LabelSpace,
        presence: Labels,
    ) -> Result<(Dataset, FoundColumns), DataError> {
        let (found, rows) = match labels {
            LabelSpace::Tags(_) => tagged::read(self, columns, presence)?,
            _ => user::read_rows(self, columns, presence)?,
        };
        self.check_label_columns(&found, labels)?;
        let path = &self.source.path;
        let set = dataset(path, rows, presence, labels.clone(), |label| {
            labels.understand(label, &columns.label_texts)
        })?;
        Ok((set, found))
    }

    /// Where each label has a column, every label has.
    fn check_label_columns(&self, found: &FoundColumns, labels: &LabelSpace) -> Result<(), DataError> {
        let columns = &found.label_columns;
        let names = match labels {
            LabelSpace::Classes(names) | LabelSpace::Sets(names) | LabelSpace::Tags(names) => &names[..],
            LabelSpace::Values => &[],
        };
        let is_sets = matches!(labels, LabelSpace::Sets(_));
        if columns.is_empty()
            || is_sets && names.iter().all(|name| columns.contains(name)) && columns.len() == names.len()
        {
            return Ok(());
        }
        Err(self.source.fault(FileFault::LabelColumns {
            columns: columns.clone(),
            labels: names.to_vec(),
        }))
    }

    /// All columns, one row for each example.
    ///
    /// # Errors
    /// [`DataError`] with the line of a record that [`UserFile::examples`] refuses as well.
    pub fn carried(&self) -> Result<Carried, DataError> {
        let text = &self.source.text;
        match self.kind {
            FileKind::Tsv => self.cells(tsv::records(text)),
            FileKind::Csv => self.cells(csv::records(text)),
            FileKind::JsonLines => jsonl::lines(&self.source).map(Carried::Objects),
            FileKind::Conll => {
                let (_, rows) = tagged::read(self, &UserColumns::default(), Labels::Ignored)?;
                let object = |row: &Row| json!({ TOKENS: row.words }).to_string();
                Ok(Carried::Objects(rows.rows.iter().map(object).collect()))
            }
            FileKind::PlainText => Ok(Carried::Cells {
                header: vec![PLAIN_TEXT.to_owned()],
                rows: tsv::lines(text).map(|line| vec![line.to_owned()]).collect(),
            }),
        }
    }

    fn cells<'t>(
        &self,
        records: impl Iterator<Item = Result<Record<'t>, (usize, super::LineFault)>>,
    ) -> Result<Carried, DataError> {
        let mut rows = Vec::new();
        for record in records {
            let record = record.map_err(|(line, fault)| self.source.line_fault(line, fault))?;
            rows.push(record.cells.into_iter().map(String::from).collect::<Vec<_>>());
        }
        let header = if rows.is_empty() {
            Vec::new()
        } else {
            rows.remove(0)
        };
        Ok(Carried::Cells { header, rows })
    }
}

impl Carried {
    /// The names of the columns, each where it comes first.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Cells { header, .. } => header.clone(),
            Self::Objects(lines) => jsonl::names(lines),
        }
    }

    /// As cells under a header. Of a JSON object, a string is its text, `null` and what an object lacks are empty, and
    /// anything else is as it is written.
    pub fn into_cells(self) -> (Vec<String>, Vec<Vec<String>>) {
        match self {
            Self::Cells { header, rows } => (header, rows),
            Self::Objects(lines) => {
                let header = jsonl::names(&lines);
                let rows = lines.iter().map(|line| jsonl::cells(line, &header)).collect();
                (header, rows)
            }
        }
    }
}
