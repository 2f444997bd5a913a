//! Reads the files of GLUE in their original layout: one folder a task, tab-separated, no quoting.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{DataError, LineFault};
use super::label::{self, Written};
use super::read::{Dataset, Labels, dataset};
use super::source::Source;
use super::table::{self, Layout};
use super::task::{Columns, Incomplete, Outcome, Task};
use super::tsv;
use crate::model::Target;

/// Reads one file of a task, for example `read_glue(dir, task, task.train_file, Labels::Required)`.
///
/// Test files are [`read_glue_test`]'s.
///
/// # Errors
/// [`DataError`] with file and line: no such file, not UTF-8, no rows, a column too many or too few, a column that is
/// not there, a label that is not one of the task's.
pub fn read_glue(dir: &Path, task: &Task, file: &str, presence: Labels) -> Result<Dataset, DataError> {
    let source = Source::open(&dir.join(file), |error| expected(dir, task, file, error))?;
    let mut records = tsv::records(&source.text);
    let layout = match task.columns {
        Columns::Named {
            text_a,
            text_b,
            label,
        } => {
            let header = table::header(&source, &mut records)?;
            Layout::find(&source, &header, (text_a, text_b), label, presence, "")?
        }
        Columns::Unnamed { count, text, label } => Layout {
            columns: count,
            text_a: text,
            text_b: None,
            label: Some(label),
            label_columns: Vec::new(),
        },
    };
    let rows = table::rows(&source, &mut records, &layout, task.incomplete)?;
    dataset(&source.path, rows, presence, task.label_space(), |label| {
        understand(task, label.one()?)
    })
}

/// Reads a test file of a task: its examples, without labels, and the index of each.
///
/// The index is that of the column `index` or `id`, else the place from 0. No line may be incomplete: a row that is left
/// out would shift what is submitted.
///
/// # Errors
/// As [`read_glue`], and an index that is no whole number or there twice.
pub fn read_glue_test(dir: &Path, task: &Task, file: &str) -> Result<(Dataset, Vec<String>), DataError> {
    let source = Source::open(&dir.join(file), |error| {
        if error.kind() == io::ErrorKind::NotFound {
            format!("--split test reads the task's {file}")
        } else {
            String::new()
        }
    })?;
    let mut records = tsv::records(&source.text);
    let header = table::header(&source, &mut records)?;
    let texts = task.test_texts();
    let mut layout = Layout::find(&source, &header, texts, "", Labels::Ignored, "")?;
    layout.label = header.iter().position(|name| name == "index" || name == "id");
    let mut rows = table::rows(&source, &mut records, &layout, Incomplete::Refuse)?;
    let (mut indices, mut seen) = (Vec::new(), HashSet::new());
    for (place, row) in rows.rows.iter_mut().enumerate() {
        let index = match layout.label {
            Some(_) => match row.label.take() {
                Some(Written::One(index)) => index,
                _ => String::new(),
            },
            None => place.to_string(),
        };
        if index.parse::<u64>().is_err() || !seen.insert(index.clone()) {
            return Err(source.line_fault(row.line, LineFault::Index { index }));
        }
        indices.push(index);
    }
    let space = task.label_space();
    let set = dataset(&source.path, rows, Labels::Ignored, space, |label| {
        understand(task, label.one()?)
    })?;
    Ok((set, indices))
}

/// The target that a label text of the task's files stands for.
fn understand(task: &Task, text: &str) -> Result<Target, LineFault> {
    match task.outcome {
        Outcome::Classes(labels) => match labels.iter().position(|label| label.text == text) {
            Some(class) => Ok(Target::Class(class)),
            None => Err(LineFault::UnknownLabel {
                label: text.to_owned(),
                known: labels.iter().map(|label| label.text.to_owned()).collect(),
            }),
        },
        Outcome::Value => label::value(text),
    }
}

/// What a folder should hold, for the message about a file that is not there.
fn expected(dir: &Path, task: &Task, file: &str, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::NotFound {
        return String::new();
    }
    if !dir.is_dir() {
        return format!("there is no folder {}", dir.display());
    }
    if let Some(folder) = folder_with(dir, task, file) {
        return format!("{} has that file: give this folder", folder.display());
    }
    let mut files = vec![task.train_file];
    files.extend(task.dev_files.iter().map(|dev| dev.name));
    format!("task `{}` needs {} in that folder", task.key, files.join(" and "))
}

/// A sub-folder named after the task (`RTE`, `STS-B`) that holds the file: people give the folder of all tasks.
fn folder_with(dir: &Path, task: &Task, file: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(dir)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join(file).is_file())
        .collect();
    folders.sort();
    folders.into_iter().find(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| Task::parse(name).is_ok_and(|named| named.key == task.key))
    })
}
