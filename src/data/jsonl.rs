//! JSON lines: one object a line, as `datasets` writes and reads them. Blank lines are passed over.
//!
//! The columns of the file are the fields of all its objects: which rows come first makes no difference.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::columns::{self, Cell, FoundColumns};
use super::error::{DataError, FileFault, LineFault};
use super::label::{self, Written, text_of};
use super::read::{Labels, Row, Rows};
use super::source::Source;
use super::tsv;
use super::user::{LABEL, LISTS, UserColumns};

/// One object and its line.
pub(super) type Object = (usize, Map<String, Value>);

/// The columns that are used and the rows of all objects.
///
/// A label that an object lacks counts as none; a text that one lacks is an error.
pub(super) fn read(
    source: &Source,
    columns: &UserColumns,
    presence: Labels,
) -> Result<(FoundColumns, Rows), DataError> {
    let objects: Vec<Object> = objects(source).collect::<Result<_, _>>()?;
    if objects.is_empty() {
        return Err(source.fault(FileFault::Empty));
    }
    let header = fields(&objects);
    let columns = &with_lists(columns, &header, &objects);
    let there = |column: &str| {
        if header.iter().any(|name| name == column) {
            return Ok(());
        }
        Err(source.fault(FileFault::MissingColumn {
            column: column.to_owned(),
            columns: header.clone(),
            note: columns.note.clone(),
        }))
    };
    if presence == Labels::Required {
        columns.asked_labels().try_for_each(|label| there(label))?;
    }
    let found = columns::find(source, columns, &header, |column| {
        columns::is_text(
            objects
                .iter()
                .map(|(_, object)| match object.get(&header[column]) {
                    None | Some(Value::Null) => Cell::Blank,
                    Some(Value::String(text)) => Cell::from(text.as_str()),
                    Some(_) => Cell::NotText,
                }),
        )
    })?;
    there(&found.text_a)?;
    found.text_b.as_deref().map_or(Ok(()), there)?;
    let mut all = Rows::default();
    for (line, object) in &objects {
        let label = match presence {
            Labels::Ignored => Ok(None),
            _ => written_label(object, columns),
        };
        let row = label.and_then(|label| {
            Ok(Row {
                line: *line,
                text_a: text(object, &found.text_a)?,
                text_b: found
                    .text_b
                    .as_ref()
                    .map(|column| text(object, column))
                    .transpose()?,
                words: Vec::new(),
                label,
            })
        });
        all.rows
            .push(row.map_err(|fault| source.line_fault(*line, fault))?);
    }
    Ok((found, all))
}

/// The column `labels` for `label`, if there is no column of that name and this one has lists alone.
fn with_lists(columns: &UserColumns, header: &[String], objects: &[Object]) -> UserColumns {
    let has = |name: &str| header.iter().any(|column| column == name);
    let is_list = |(_, object): &Object| matches!(object.get(LISTS), Some(Value::Array(_)));
    let mut columns = columns.clone();
    if columns.label == LABEL && !has(LABEL) && has(LISTS) && objects.iter().all(is_list) {
        LISTS.clone_into(&mut columns.label);
    }
    columns
}

/// The names of the fields of all objects, each where it came first.
pub(super) fn fields(objects: &[Object]) -> Vec<String> {
    let mut seen = HashSet::new();
    let names = objects.iter().flat_map(|(_, object)| object.keys());
    names.filter(|name| seen.insert(*name)).cloned().collect()
}

/// The objects of a file, in order.
pub(super) fn objects(source: &Source) -> impl Iterator<Item = Result<Object, DataError>> {
    tsv::lines(&source.text)
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| {
            let line_number = index + 1;
            let fault = match serde_json::from_str(line) {
                Ok(Value::Object(object)) => match repeated(line) {
                    None => return Ok((line_number, object)),
                    Some(field) => LineFault::RepeatedField { field },
                },
                Ok(other) => LineFault::Json {
                    reason: format!("found {}", kind(Some(&other))),
                },
                Err(error) => LineFault::Json {
                    reason: column_only(&error),
                },
            };
            Err(source.line_fault(line_number, fault))
        })
}

/// A field that an object has twice, of which the parser keeps the last. The text is a valid object.
fn repeated(object: &str) -> Option<String> {
    let mut seen = HashSet::new();
    let mut names = members(object).into_iter().map(|(name, _)| name);
    names.find(|name| !seen.insert(name.clone()))
}

/// The names of an object's fields and their values as they are written, in order. The text is a valid object.
fn members(object: &str) -> Vec<(String, &str)> {
    let bytes = object.as_bytes();
    let (mut depth, mut is_name, mut at) = (0_usize, false, 0);
    let (mut all, mut name, mut value) = (Vec::new(), None, 0);
    while at < bytes.len() {
        let begin = at;
        at += 1;
        if depth == 1
            && b",}".contains(&bytes[begin])
            && let Some(name) = name.take()
        {
            all.push((name, object[value..begin].trim()));
        }
        match bytes[begin] {
            b'{' | b'[' => (depth, is_name) = (depth + 1, bytes[begin] == b'{'),
            b'}' | b']' => depth -= 1,
            b',' => is_name = true,
            b':' => {
                is_name = false;
                if depth == 1 {
                    value = at;
                }
            }
            b'"' => {
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                // Names by what they mean: `\u0061` is `a`.
                if depth == 1 && is_name {
                    name = serde_json::from_str::<String>(&object[begin..at]).ok();
                }
            }
            _ => {}
        }
    }
    all
}

/// The objects of a file as they are written, without blanks around them.
pub(super) fn lines(source: &Source) -> Result<Vec<String>, DataError> {
    let there = tsv::lines(&source.text).map(str::trim_ascii);
    let there = there.filter(|line| !line.is_empty());
    objects(source)
        .zip(there)
        .map(|(object, line)| object.map(|_| line.to_owned()))
        .collect()
}

/// The names of the fields of all these objects, each where it comes first.
pub(super) fn names(objects: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let names = objects
        .iter()
        .flat_map(|object| members(object))
        .map(|(name, _)| name);
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// The values of these fields as texts: of a string what it says, nothing of `null` and of a field that is not there, and
/// anything else as it is written.
pub(super) fn cells(object: &str, names: &[String]) -> Vec<String> {
    let mut values: HashMap<String, &str> = members(object).into_iter().collect();
    let cell = |name: &String| match values.remove(name) {
        None | Some("null") => String::new(),
        Some(value) => serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned()),
    };
    names.iter().map(cell).collect()
}

/// The parser's words without its line, which is always 1 here: `expected value at column 3`.
fn column_only(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace(&format!(" at line {} ", error.line()), " at ")
}

fn text(object: &Map<String, Value>, column: &str) -> Result<String, LineFault> {
    match object.get(column) {
        Some(Value::String(text)) => Ok(text.clone()),
        other => Err(LineFault::NotText {
            column: column.to_owned(),
            found: kind(other),
        }),
    }
}

/// The label as text, the list of labels, or those whose own columns hold 1.
fn written_label(object: &Map<String, Value>, columns: &UserColumns) -> Result<Option<Written>, LineFault> {
    if !columns.label_columns.is_empty() {
        let cells = columns.label_columns.iter();
        let cell = |name: &String| {
            object
                .get(name)
                .map(|value| text_of(value).unwrap_or_else(|| value.to_string()))
        };
        return label::of_columns(cells.map(|name| (name.as_str(), cell(name)))).map(Some);
    }
    let not_a_label = |found: &'static str| LineFault::NotALabel {
        column: columns.label.clone(),
        found,
    };
    match object.get(&columns.label) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(values)) => {
            let labels = values.iter().map(text_of).collect::<Option<_>>();
            let labels = labels.ok_or_else(|| not_a_label("a list with something else than labels"))?;
            Ok(Some(Written::List(labels)))
        }
        Some(Value::Object(_)) => Err(not_a_label("an object")),
        Some(value) => Ok(text_of(value).map(Written::One)),
    }
}

pub(super) fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a truth value",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}
