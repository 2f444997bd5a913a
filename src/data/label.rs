//! What labels mean: a set of classes in a fixed order, or numbers.

use crate::model::{Problem, Target};

use super::error::LineFault;

/// What a target means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSpace {
    /// Classes; the names in class order.
    Classes(Vec<String>),
    /// Numbers.
    Values,
}

impl LabelSpace {
    /// The kind of head and loss that fits.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Classes(_) => Problem::Classification,
            Self::Values => Problem::Regression,
        }
    }

    /// The names of the model's outputs: the classes, or the one `LABEL_0` that Hugging Face gives to a regression.
    pub fn output_names(&self) -> Vec<String> {
        match self {
            Self::Classes(names) => names.clone(),
            Self::Values => vec!["LABEL_0".to_owned()],
        }
    }

    /// The labels of a training file as classes: sorted by value if all are integers, otherwise by character.
    ///
    /// So `10` comes after `9`, and the order does not depend on the order of rows. Integers of one value that are
    /// written differently (`1`, `01`) stay two classes.
    pub(super) fn from_labels<'l>(labels: impl Iterator<Item = &'l str>) -> Self {
        let mut names: Vec<&str> = labels.collect();
        names.sort_unstable();
        names.dedup();
        let values: Option<Vec<i128>> = names.iter().map(|name| name.parse().ok()).collect();
        if let Some(values) = values {
            let mut pairs: Vec<(i128, &str)> = values.into_iter().zip(names).collect();
            pairs.sort_unstable();
            names = pairs.into_iter().map(|(_, name)| name).collect();
        }
        Self::Classes(names.into_iter().map(str::to_owned).collect())
    }

    /// The target that a label of a user's file stands for: by its name, else by how `texts` write the classes.
    pub(super) fn understand(&self, label: &str, texts: &[String]) -> Result<Target, LineFault> {
        let place = |all: &[String]| all.iter().position(|known| known == label);
        match self {
            Self::Classes(names) => match place(names).or_else(|| place(texts)) {
                Some(class) => Ok(Target::Class(class)),
                None => Err(LineFault::UnknownLabel {
                    label: label.to_owned(),
                    known: names.clone(),
                }),
            },
            Self::Values => value(label),
        }
    }
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
