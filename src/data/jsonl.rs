//! JSON lines: one object a line, as `datasets` writes and reads them. Blank lines are passed over.

use serde_json::{Map, Value};

use super::error::{DataError, FileFault, LineFault};
use super::read::{Labels, Row, Rows};
use super::source::Source;
use super::tsv;

/// One object and its line.
type Object = (usize, Map<String, Value>);

/// The field names of the first object, in its order.
pub(super) fn header(source: &Source) -> Result<Vec<String>, DataError> {
    let first = objects(source).next().transpose()?;
    let (_, object) = first.ok_or_else(|| source.fault(FileFault::Empty))?;
    Ok(object.into_iter().map(|(name, _)| name).collect())
}

/// The rows of all objects. A field that an object lacks counts as none, which is an error for a text.
pub(super) fn rows(
    source: &Source,
    text_a: &str,
    text_b: Option<&str>,
    label: &str,
    presence: Labels,
) -> Result<Rows, DataError> {
    let header = header(source)?;
    let mut needed = vec![text_a];
    needed.extend(text_b);
    if presence == Labels::Required {
        needed.push(label);
    }
    for column in needed {
        if !header.iter().any(|name| name == column) {
            return Err(source.fault(FileFault::MissingColumn {
                column: column.to_owned(),
                columns: header,
            }));
        }
    }
    let mut all = Rows::default();
    for object in objects(source) {
        let (line, object) = object?;
        let label = written_label(&object, label);
        let row = label.and_then(|label| {
            Ok(Row {
                line,
                text_b: text_b.map(|column| text(&object, column)).transpose()?,
                text_a: text(&object, text_a)?,
                label,
            })
        });
        all.rows
            .push(row.map_err(|fault| source.line_fault(line, fault))?);
    }
    Ok(all)
}

/// The objects of a file, in order.
fn objects(source: &Source) -> impl Iterator<Item = Result<Object, DataError>> {
    tsv::lines(&source.text)
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| {
            let line_number = index + 1;
            let reason = match serde_json::from_str(line) {
                Ok(Value::Object(object)) => return Ok((line_number, object)),
                Ok(other) => format!("found {}", kind(Some(&other))),
                Err(error) => column_only(&error),
            };
            Err(source.line_fault(line_number, LineFault::Json { reason }))
        })
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

/// The label as text: a number as it is written, a truth value as `true` or `false`.
fn written_label(object: &Map<String, Value>, column: &str) -> Result<Option<String>, LineFault> {
    match object.get(column) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(label)) => Ok(Some(label.clone()).filter(|label| !label.is_empty())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(label)) => Ok(Some(label.to_string())),
        other => Err(LineFault::NotALabel {
            column: column.to_owned(),
            found: kind(other),
        }),
    }
}

fn kind(value: Option<&Value>) -> &'static str {
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
