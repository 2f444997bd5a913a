//! Predictions as lines: by themselves, or after the columns of the input.

use super::args::Format;
use crate::cli::score::{applying, largest};
use crate::cli::{Error, aligned};
use crate::data::{Carried, csv_line, tsv_line};
use crate::model::{ModelConfig, Problem};
use crate::nn::binary_cross_entropy::sigmoid;
use crate::nn::cross_entropy::softmax;
use crate::report::terminal;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Characters of a cell that a table shows.
const SHOWN: usize = 40;

/// The predictions by themselves.
pub(super) fn alone(config: &ModelConfig, logits: &[Vec<f64>], is_table: bool) -> Vec<String> {
    let indices = (0..logits.len()).map(|index| vec![index.to_string()]);
    if is_table {
        let header = ["index".to_owned()];
        return table(
            &header,
            indices.collect(),
            &names(config, "", false),
            config,
            logits,
        );
    }
    let line = |(index, z): (usize, &Vec<f64>)| {
        let mut line = Map::from_iter([("index".to_owned(), index.into())]);
        line.extend(object(config, "", z));
        Value::Object(line).to_string()
    };
    logits.iter().enumerate().map(line).collect()
}

/// The columns of the input, and those of the predictions after them.
pub(super) fn beside(
    carried: Carried,
    config: &ModelConfig,
    logits: &[Vec<f64>],
    format: Format,
    prefix: &str,
) -> Result<Vec<String>, Error> {
    let ours = match format {
        Format::Jsonl => object(config, prefix, &vec![0.0; config.num_labels()])
            .into_iter()
            .map(|(name, _)| name)
            .collect(),
        _ => names(config, prefix, true),
    };
    check_names(&carried, &ours, format)?;
    match (format, carried) {
        (Format::Jsonl, carried) => {
            let objects = logits.iter().map(|z| object(config, prefix, z));
            Ok(with_objects(carried, objects.collect()))
        }
        (Format::Table, carried) => {
            let (header, rows) = carried.into_cells();
            Ok(table(
                &header,
                rows,
                &names(config, prefix, false),
                config,
                logits,
            ))
        }
        (Format::Csv | Format::Tsv, carried) => {
            let (mut header, rows) = carried.into_cells();
            header.extend(names(config, prefix, true));
            let rows = rows.into_iter().zip(logits).map(|(mut row, z)| {
                row.extend(cells(config, z, true, written));
                row
            });
            let rows = std::iter::once(header.clone()).chain(rows).enumerate();
            rows.map(|(place, row)| separated(&header, place, &row, format))
                .collect()
        }
    }
}

/// The input as JSON lines, and the fields of these objects at the end of each.
pub(super) fn with_objects(carried: Carried, objects: Vec<Map<String, Value>>) -> Vec<String> {
    match carried {
        Carried::Objects(lines) => {
            let lines = lines.iter().zip(&objects);
            lines.map(|(line, object)| extended(line, object)).collect()
        }
        Carried::Cells { header, rows } => {
            let rows = rows.into_iter().zip(objects);
            rows.map(|(row, object)| {
                let cells = row.into_iter().map(Value::from);
                let mut line: Map<String, Value> = header.iter().cloned().zip(cells).collect();
                line.extend(object);
                Value::Object(line).to_string()
            })
            .collect()
        }
    }
}

/// A number with all of its digits, as JSON writes it; one that is not finite as `NaN` or `inf`.
fn written(number: f64) -> String {
    if number.is_finite() {
        Value::from(number).to_string()
    } else {
        number.to_string()
    }
}

/// One row of a table; the header is the one at place 0.
fn separated(header: &[String], place: usize, row: &[String], format: Format) -> Result<String, Error> {
    if format == Format::Csv {
        return Ok(csv_line(row));
    }
    tsv_line(row).map_err(|column| {
        let name = terminal::line(&header[column]);
        let row = if place == 0 {
            "the header".to_owned()
        } else {
            format!("row {place}")
        };
        Error::Usage(format!(
            "--format tsv: {row} has a tab or a line end in column `{name}`, which a .tsv file cannot hold; --format csv or \
             jsonl can"
        ))
    })
}

/// No name may be there twice where it would be lost or mean two things.
pub(super) fn check_names(carried: &Carried, ours: &[String], format: Format) -> Result<(), Error> {
    let there = carried.names();
    if let Some(name) = ours.iter().find(|name| there.contains(name)) {
        let name = terminal::line(name);
        return Err(Error::Usage(format!(
            "the input has a column `{name}` already: give --prefix, what the names of the predictions begin with"
        )));
    }
    let mut seen = BTreeSet::new();
    match there.iter().find(|name| !seen.insert(*name)) {
        Some(name) if format == Format::Jsonl => Err(Error::Usage(format!(
            "the input has column `{}` twice, which a JSON object cannot hold; --format csv can",
            terminal::line(name)
        ))),
        _ => Ok(()),
    }
}

/// An object as it is written, with more fields at its end.
fn extended(line: &str, more: &Map<String, Value>) -> String {
    let inside = line.strip_suffix('}').unwrap_or(line).trim_end();
    let more = Value::Object(more.clone()).to_string();
    format!("{inside},{}", &more[1..])
}

/// The probability of each label: together 1, or each by itself.
fn probabilities(config: &ModelConfig, z: &[f64]) -> Vec<f64> {
    if config.problem == Problem::MultiLabel {
        return z.iter().map(|&z| sigmoid(z)).collect();
    }
    softmax(z.iter().copied())
}

/// The labels of a probability above 1/2.
fn chosen<'c>(config: &'c ModelConfig, z: &[f64]) -> Vec<&'c str> {
    let labels = config.labels.iter().zip(applying(z));
    labels
        .filter(|(_, applies)| *applies)
        .map(|(label, _)| label.as_str())
        .collect()
}

/// `{"label": …, "probability": …, "probabilities": {…}, "logits": […]}`; `"labels"`, a list, where a text has any number of
/// them, or `"value"` for a regression; every name begins with the prefix.
fn object(config: &ModelConfig, prefix: &str, z: &[f64]) -> Map<String, Value> {
    let names = config.labels.iter().cloned();
    let p = probabilities(config, z);
    let by_name: Map<String, Value> = names.zip(p.iter().map(|&p| p.into())).collect();
    let said = match config.problem {
        Problem::Regression => json!({ "value": z[0], "logits": z }),
        Problem::MultiLabel => json!({
            "labels": chosen(config, z),
            "probabilities": by_name,
            "logits": z,
        }),
        Problem::Classification | Problem::Tokens => json!({
            "label": config.labels[largest(z)],
            "probability": p[largest(z)],
            "probabilities": by_name,
            "logits": z,
        }),
    };
    let said = said.as_object().cloned().unwrap_or_default();
    said.into_iter()
        .map(|(name, value)| (format!("{prefix}{name}"), value))
        .collect()
}

/// The names of the columns of a table: the label, its probability if asked for, or the labels, and the probability of every
/// label; or the value.
fn names(config: &ModelConfig, prefix: &str, with_probability: bool) -> Vec<String> {
    let mut names = match config.problem {
        Problem::Regression => return vec![format!("{prefix}value")],
        Problem::MultiLabel => vec![format!("{prefix}labels")],
        Problem::Classification | Problem::Tokens => {
            let probability = with_probability.then(|| format!("{prefix}probability"));
            std::iter::once(format!("{prefix}label"))
                .chain(probability)
                .collect()
        }
    };
    names.extend(config.labels.iter().map(|label| format!("{prefix}p({label})")));
    names
}

/// The cells under [`names`]; several labels are a JSON list.
fn cells(
    config: &ModelConfig,
    z: &[f64],
    with_probability: bool,
    number: impl Fn(f64) -> String,
) -> Vec<String> {
    let (p, best) = (probabilities(config, z), largest(z));
    let mut cells = match config.problem {
        Problem::Regression => return vec![number(z[0])],
        Problem::MultiLabel => vec![json!(chosen(config, z)).to_string()],
        Problem::Classification | Problem::Tokens => {
            let probability = with_probability.then(|| number(p[best]));
            std::iter::once(config.labels[best].clone())
                .chain(probability)
                .collect()
        }
    };
    cells.extend(p.iter().map(|&p| number(p)));
    cells
}

/// Aligned columns: no control character goes to the terminal, and long cells are cut.
fn table(
    header: &[String],
    rows: Vec<Vec<String>>,
    names: &[String],
    config: &ModelConfig,
    logits: &[Vec<f64>],
) -> Vec<String> {
    let shown = |cell: &String| {
        let cell = terminal::line(cell);
        match cell.char_indices().nth(SHOWN) {
            Some(_) => cell.chars().take(SHOWN - 1).chain(['…']).collect(),
            None => cell,
        }
    };
    let mut all = vec![header.iter().map(shown).collect::<Vec<_>>()];
    all[0].extend(names.iter().map(|name| terminal::line(name)));
    for (row, z) in rows.iter().zip(logits) {
        let mut line: Vec<String> = row.iter().map(shown).collect();
        let predicted = cells(config, z, false, |number| format!("{number:.4}"));
        line.extend(predicted.iter().map(|cell| terminal::line(cell)));
        all.push(line);
    }
    aligned(&all)
}
