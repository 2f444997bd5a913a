//! What labels mean: one of some classes in a fixed order, any number of some labels, or a number.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::{Problem, Target};

use super::error::LineFault;

/// What stands for no tag, as in transformers: the word does not count.
pub(super) const NO_TAG: &str = "-100";

/// The label of a row as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// One text.
    One(String),
    /// A list of texts, which may be empty.
    List(Vec<String>),
}

impl Written {
    /// The text of a row that has one label.
    pub(super) fn one(&self) -> Result<&str, LineFault> {
        match self {
            Self::One(label) => Ok(label),
            Self::List(_) => Err(LineFault::LabelIsList),
        }
    }

    /// The labels of a row that may have several: the list, or the JSON list that a cell holds.
    pub(super) fn list(&self) -> Result<Vec<String>, LineFault> {
        let labels = match self {
            Self::List(labels) => labels.clone(),
            Self::One(cell) => {
                let values = serde_json::from_str::<Vec<Value>>(cell).ok();
                values
                    .and_then(|values| values.iter().map(text_of).collect())
                    .ok_or_else(|| LineFault::LabelIsNoList { label: cell.clone() })?
            }
        };
        let mut seen = BTreeSet::new();
        match labels.iter().find(|label| !seen.insert(*label)) {
            None => Ok(labels),
            Some(label) => Err(LineFault::RepeatedLabel { label: label.clone() }),
        }
    }
}

/// A label of a JSON file as text: a number as it is written, a truth value as `true` or `false`; `None` of nothing, an empty
/// text, and what is no label.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(label) => Some(label.clone()).filter(|label| !label.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(label) => Some(label.to_string()),
        _ => None,
    }
}

/// What a target means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSpace {
    /// Classes; the names in class order.
    Classes(Vec<String>),
    /// Any number of these labels; their names in order.
    Sets(Vec<String>),
    /// One of these tags for each word; their names in order.
    Tags(Vec<String>),
    /// Numbers.
    Values,
}

impl LabelSpace {
    /// The kind of head and loss that fits.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Classes(_) => Problem::Classification,
            Self::Sets(_) => Problem::MultiLabel,
            Self::Tags(_) => Problem::Tokens,
            Self::Values => Problem::Regression,
        }
    }

    /// The names of the model's outputs: the classes or labels, or the one `LABEL_0` that Hugging Face gives to a regression.
    pub fn output_names(&self) -> Vec<String> {
        match self {
            Self::Classes(names) | Self::Sets(names) | Self::Tags(names) => names.clone(),
            Self::Values => vec!["LABEL_0".to_owned()],
        }
    }

    /// The names of a training file's labels in order: sorted by value if all are integers, otherwise by character.
    ///
    /// So `10` comes after `9`, and the order does not depend on the order of rows. Integers of one value that are
    /// written differently (`1`, `01`) stay two classes.
    pub(super) fn in_order<'l>(labels: impl Iterator<Item = &'l str>) -> Vec<String> {
        let mut names: Vec<&str> = labels.collect();
        names.sort_unstable();
        names.dedup();
        let values: Option<Vec<i128>> = names.iter().map(|name| name.parse().ok()).collect();
        if let Some(values) = values {
            let mut pairs: Vec<(i128, &str)> = values.into_iter().zip(names).collect();
            pairs.sort_unstable();
            names = pairs.into_iter().map(|(_, name)| name).collect();
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// The target that a label of a user's file stands for: by its name, else by how `texts` write the classes.
    pub(super) fn understand(&self, label: &Written, texts: &[String]) -> Result<Target, LineFault> {
        let class = |names: &[String], label: &str| {
            let place = |all: &[String]| all.iter().position(|known| known == label);
            place(names)
                .or_else(|| place(texts))
                .ok_or_else(|| LineFault::UnknownLabel {
                    label: label.to_owned(),
                    known: names.to_vec(),
                })
        };
        match self {
            Self::Classes(names) => Ok(Target::Class(class(names, label.one()?)?)),
            Self::Sets(names) => {
                let mut applies = vec![false; names.len()];
                for label in label.list()? {
                    applies[class(names, &label)?] = true;
                }
                Ok(Target::Labels(applies))
            }
            Self::Tags(names) => {
                let Written::List(tags) = label else {
                    return Err(LineFault::MissingLabel);
                };
                let class = |tag: &String| match tag.as_str() {
                    NO_TAG => Ok(None),
                    tag => class(names, tag).map(Some),
                };
                Ok(Target::Tags(tags.iter().map(class).collect::<Result<_, _>>()?))
            }
            Self::Values => value(label.one()?),
        }
    }
}

/// The labels of a row whose columns are named after labels and hold 0 or 1.
pub(super) fn of_columns<'c>(
    cells: impl Iterator<Item = (&'c str, Option<String>)>,
) -> Result<Written, LineFault> {
    let mut labels = Vec::new();
    for (column, cell) in cells {
        match cell.as_deref() {
            Some("1" | "1.0" | "true" | "True") => labels.push(column.to_owned()),
            Some("0" | "0.0" | "false" | "False") => {}
            _ => {
                return Err(LineFault::NotZeroOrOne {
                    column: column.to_owned(),
                    found: cell.unwrap_or_default(),
                });
            }
        }
    }
    Ok(Written::List(labels))
}

/// A regression label: a finite decimal number, written without blanks.
pub(super) fn value(label: &str) -> Result<Target, LineFault> {
    match label.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Target::Value(value)),
        Ok(_) => Err(LineFault::NotFinite {
            label: label.to_owned(),
        }),
        Err(_) => Err(LineFault::NotANumber {
            label: label.to_owned(),
        }),
    }
}
