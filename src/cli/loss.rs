//! The flags of the training loss: label smoothing and class weights.

use super::Error;
use super::number::{positive, ratio};
use super::reading::{Reading, listed};
use crate::model::{Criterion, Problem, Target};
use crate::train::Sequence;
use clap::Args;
use serde_json::{Map, Value, json};
use std::fmt;
use std::str::FromStr;

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub(super) struct LossArgs {
    /// Give each class this share of the label, evenly, as in torch.nn.CrossEntropyLoss; evaluations stay without it
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = ratio)]
    pub(super) label_smoothing_factor: f64,
    /// How much the examples of a class count in the training loss, a weighted mean: balanced (the examples of all classes
    /// together count alike), a number for each class in order (1,2.5), or by name (no=1,yes=2.5)
    #[arg(long, value_name = "WEIGHTS")]
    pub(super) class_weights: Option<ClassWeights>,
}

/// What `--class-weights` says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ClassWeights {
    /// `n / (c n_class)`, as scikit-learn has it.
    Balanced,
    /// In class order.
    Listed(Vec<f64>),
    /// By name, in the order given.
    Named(Vec<(String, f64)>),
}

/// The weights that a class may have.
const SMALLEST: f64 = 1e-100;
const LARGEST: f64 = 1e100;

impl FromStr for ClassWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let number = |text: &str| {
            let weight = positive(text).map_err(|problem| format!("weight `{text}`: {problem}"))?;
            // Their sum over a batch must be a number, and a quotient of two keep its digits.
            if (SMALLEST..=LARGEST).contains(&weight) {
                return Ok(weight);
            }
            Err(format!(
                "weight `{text}`: from {SMALLEST:e} to {LARGEST:e} is right; the ratios count alone"
            ))
        };
        let pieces: Vec<&str> = text.split(',').collect();
        if !text.contains('=') {
            let weights = pieces.into_iter().map(number);
            return Ok(Self::Listed(weights.collect::<Result<_, _>>()?));
        }
        let mut weights: Vec<(String, f64)> = Vec::new();
        for piece in pieces {
            let Some((name, weight)) = piece.rsplit_once('=') else {
                return Err(format!(
                    "`{piece}` is no NAME=WEIGHT; give all weights by name, or all in class order"
                ));
            };
            if weights.iter().any(|(known, _)| known == name) {
                return Err(format!("class `{name}` has two weights"));
            }
            weights.push((name.to_owned(), number(weight)?));
        }
        Ok(Self::Named(weights))
    }
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights: Vec<String> = match self {
            Self::Balanced => vec!["balanced".to_owned()],
            Self::Listed(weights) => weights.iter().map(ToString::to_string).collect(),
            Self::Named(weights) => weights.iter().map(|(name, w)| format!("{name}={w}")).collect(),
        };
        f.write_str(&weights.join(","))
    }
}

impl LossArgs {
    /// The loss of training, for the classes as they were read and the examples that are trained on.
    pub(super) fn criterion(&self, reading: &Reading, train: &[Sequence]) -> Result<Criterion, Error> {
        if reading.problem != Problem::Classification {
            let flag = match (&self.class_weights, self.label_smoothing_factor) {
                (Some(_), _) => "--class-weights",
                (None, 0.0) => return Ok(Criterion::default()),
                _ => "--label-smoothing-factor",
            };
            let labels = reading.label_names();
            return Err(Error::Usage(match reading.problem {
                Problem::Tokens => format!(
                    "{flag} is for classes of whole texts; with a tag for each word (from {labels}) the loss is the plain \
                     cross-entropy"
                ),
                Problem::MultiLabel => format!(
                    "{flag} is for classes, of which a row has one; with labels from {labels} a row has any number of them, and \
                     the loss is the plain binary cross-entropy"
                ),
                _ => format!(
                    "{flag} is for classes; the labels in {labels} are numbers, and the loss is a squared error"
                ),
            }));
        }
        let weights = self.class_weights.as_ref();
        Ok(Criterion {
            smoothing: self.label_smoothing_factor,
            weights: weights
                .map(|weights| weights.resolve(reading, train))
                .transpose()?,
        })
    }

    /// The flags as part of a run's settings; those that are off have no entry.
    pub(super) fn record(&self) -> Map<String, Value> {
        let mut record = Map::new();
        if self.label_smoothing_factor > 0.0 {
            record.insert(
                "label_smoothing_factor".to_owned(),
                json!(self.label_smoothing_factor),
            );
        }
        if let Some(weights) = &self.class_weights {
            record.insert("class_weights".to_owned(), weights.to_string().into());
        }
        record
    }
}

impl ClassWeights {
    /// One weight for each class, in class order.
    fn resolve(&self, reading: &Reading, train: &[Sequence]) -> Result<Vec<f64>, Error> {
        let names = &reading.labels;
        let refuse = |why: String| {
            let classes = listed(names);
            Err(Error::Usage(format!(
                "--class-weights {self}: {why}; the classes are {classes}"
            )))
        };
        match self {
            Self::Balanced => {
                let mut counts = vec![0_usize; names.len()];
                for sequence in train {
                    if let Target::Class(class) = &sequence.target {
                        let class = *class;
                        counts[class] += 1;
                    }
                }
                if let Some(class) = counts.iter().position(|&count| count == 0) {
                    return refuse(format!("`{}` has no training example", names[class]));
                }
                let even = train.len() as f64 / names.len() as f64;
                Ok(counts.into_iter().map(|count| even / count as f64).collect())
            }
            Self::Listed(weights) if weights.len() == names.len() => Ok(weights.clone()),
            Self::Listed(weights) => refuse(format!("{} weights for {} classes", weights.len(), names.len())),
            Self::Named(weights) => {
                let mut found = vec![None; names.len()];
                for (name, weight) in weights {
                    // By its name, else by how the training file writes it.
                    let place = |all: &[String]| all.iter().position(|known| known == name);
                    let Some(class) = place(names).or_else(|| place(&reading.label_texts)) else {
                        return refuse(format!("there is no class `{name}`"));
                    };
                    if found[class].replace(*weight).is_some() {
                        return refuse(format!("class `{}` has two weights", names[class]));
                    }
                }
                if let Some(class) = found.iter().position(Option::is_none) {
                    return refuse(format!("class `{}` has no weight", names[class]));
                }
                Ok(found.into_iter().flatten().collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let read = |text: &str| text.parse::<ClassWeights>();
        assert_eq!(read("balanced"), Ok(ClassWeights::Balanced));
        assert_eq!(read("1,2.5"), Ok(ClassWeights::Listed(vec![1.0, 2.5])));
        // A name may have an equals sign of its own.
        let named = [("a=b", 1.0), ("c", 0.5)].map(|(name, w)| (name.to_owned(), w));
        assert_eq!(read("a=b=1,c=0.5"), Ok(ClassWeights::Named(named.to_vec())));
        for text in ["balanced", "1,2.5", "a=b=1,c=0.5"] {
            assert_eq!(read(text).map(|weights| weights.to_string()), Ok(text.to_owned()));
        }
        let refused = |text: &str, why: &str| assert_eq!(read(text), Err(why.to_owned()), "{text}");
        refused("1,0", "weight `0`: must be above 0");
        refused("1,-2", "weight `-2`: must be above 0");
        refused("1,", "weight ``: not a finite number");
        refused("inf,1", "weight `inf`: not a finite number");
        refused("Balanced", "weight `Balanced`: not a finite number");
        refused("a=1,a=2", "class `a` has two weights");
        refused(
            "a=1,2",
            "`2` is no NAME=WEIGHT; give all weights by name, or all in class order",
        );
    }
}
