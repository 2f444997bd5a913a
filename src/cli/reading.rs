//! `cwgnc.json` in a model folder: how training read its data, so that `eval` and `predict` read theirs alike.

use super::Error;
use super::corpus::Corpus;
use super::progress::Progress;
use crate::checkpoint::{self, CheckpointError};
use crate::data::{TextColumns, UserColumns};
use crate::model::{ModelConfig, Problem};
use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The key of the file for columns that are labels.
const LABEL_COLUMNS: &str = "label_columns";

/// The file's name.
pub(super) const FILE: &str = "cwgnc.json";

/// What `--label-columns` names: each column once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelColumns(pub(super) Vec<String>);

impl FromStr for LabelColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut names: Vec<String> = Vec::new();
        for name in text.split(',') {
            if name.is_empty() || names.iter().any(|known| known == name) {
                return Err(format!(
                    "`{name}` is no column of its own; right is a list of different names, as in price,taste"
                ));
            }
            names.push(name.to_owned());
        }
        Ok(Self(names))
    }
}

/// What `--text-column`, `--text-pair-column`, `--label-column`, `--label-columns` and `--max-seq-length` say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags<'a> {
    pub(super) text: Option<&'a String>,
    pub(super) pair: Option<&'a String>,
    pub(super) label: Option<&'a String>,
    pub(super) label_columns: Option<&'a LabelColumns>,
    pub(super) max_tokens: Option<usize>,
}

impl Flags<'_> {
    /// The columns of a training file: as the flags say, else to be found.
    pub(super) fn columns(self) -> UserColumns {
        let texts = match (self.text, self.pair) {
            (Some(first), Some(second)) => TextColumns::Two(first.clone(), second.clone()),
            (Some(first), None) => TextColumns::One(first.clone()),
            (None, _) => TextColumns::Detect,
        };
        let note = match self.text {
            Some(_) => "",
            None => "; columns are named with --text-column, --text-pair-column and --label-column",
        };
        UserColumns {
            texts,
            label: self.label.cloned().unwrap_or_else(|| "label".to_owned()),
            label_columns: self
                .label_columns
                .map_or_else(Vec::new, |columns| columns.0.clone()),
            label_texts: Vec::new(),
            note: note.to_owned(),
        }
    }
}

/// How a training read its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The text columns: one, or two of a pair.
    pub(super) texts: Vec<String>,
    pub(super) label: String,
    /// The columns of the labels, where each has one.
    pub(super) label_columns: Vec<String>,
    /// The classes by how the training file writes them, in class order; empty for numbers.
    pub(super) label_texts: Vec<String>,
    /// The classes by name, or the one name of a regression's output.
    pub(super) labels: Vec<String>,
    pub(super) problem: Problem,
    pub(super) max_tokens: usize,
}

impl Reading {
    /// That of a fine-tuning.
    pub(super) fn of(corpus: &Corpus, max_tokens: usize) -> Self {
        Self {
            texts: corpus.texts.clone(),
            label: corpus.label.clone(),
            label_columns: corpus.label_columns.clone(),
            label_texts: corpus.label_texts.clone(),
            labels: corpus.labels.output_names(),
            problem: corpus.labels.problem(),
            max_tokens,
        }
    }

    /// The contents of the file.
    pub(super) fn record(&self) -> Map<String, Value> {
        let record = json!({
            "text_columns": self.texts,
            "label_column": self.label,
            "label_texts": self.label_texts,
            "labels": self.labels,
            "problem_type": problem_name(self.problem),
            "max_seq_length": self.max_tokens,
        });
        let mut record = record.as_object().cloned().unwrap_or_default();
        if !self.label_columns.is_empty() {
            record.insert("label_column".to_owned(), Value::Null);
            record.insert(LABEL_COLUMNS.to_owned(), json!(self.label_columns));
        }
        record
    }

    /// The columns of labels, in backquotes.
    pub(super) fn label_names(&self) -> String {
        if self.label_columns.is_empty() {
            return format!("`{}`", self.label);
        }
        listed(&self.label_columns)
    }

    /// Reads the file of a model folder, if it has one, and holds it against the model's configuration.
    pub(super) fn load(dir: &Path, config: &ModelConfig) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE);
        let bytes = match checkpoint::read(&path) {
            Ok(bytes) => bytes,
            Err(CheckpointError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let bad = |what: &str| Error::Usage(format!("{}: {what}", path.display()));
        let record: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|error| bad(&format!("not valid JSON: {error}")))?;
        let reading =
            parsed(&record).map_err(|key| bad(&format!("`{key}` is missing or not what it should be")))?;
        if reading.labels != config.labels || reading.problem != config.problem {
            return Err(bad(&format!(
                "it has the labels {} ({}), and config.json beside it {} ({}); one of them is of another model",
                reading.labels.join(", "),
                problem_name(reading.problem),
                config.labels.join(", "),
                problem_name(config.problem),
            )));
        }
        Ok(Some(reading))
    }
}

/// The record's fields, or the key of the one that is wrong.
fn parsed(record: &Map<String, Value>) -> Result<Reading, &'static str> {
    let texts = |key: &'static str| -> Result<Vec<String>, &'static str> {
        let all = record.get(key).and_then(Value::as_array).ok_or(key)?;
        all.iter()
            .map(|text| text.as_str().map(str::to_owned).ok_or(key))
            .collect()
    };
    let text = |key: &'static str| record.get(key).and_then(Value::as_str).ok_or(key);
    let has_columns = record.contains_key(LABEL_COLUMNS);
    let label_columns = if has_columns {
        texts(LABEL_COLUMNS)?
    } else {
        Vec::new()
    };
    let length = record.get("max_seq_length").and_then(Value::as_u64);
    let reading = Reading {
        texts: texts("text_columns")?,
        label: match &label_columns[..] {
            [] => text("label_column")?.to_owned(),
            _ => "label".to_owned(),
        },
        label_columns,
        label_texts: texts("label_texts")?,
        labels: texts("labels")?,
        problem: problem_of(text("problem_type")?).ok_or("problem_type")?,
        max_tokens: length
            .and_then(|length| usize::try_from(length).ok())
            .ok_or("max_seq_length")?,
    };
    if !(1..=2).contains(&reading.texts.len()) {
        return Err("text_columns");
    }
    Ok(reading)
}

/// The problem's name, as `--problem-type` has it.
pub(super) fn problem_name(problem: Problem) -> &'static str {
    match problem {
        Problem::Classification => "classification",
        Problem::Regression => "regression",
        Problem::MultiLabel => "multi-label",
        Problem::Tokens => "token-classification",
    }
}

fn problem_of(name: &str) -> Option<Problem> {
    let all = [
        Problem::Classification,
        Problem::Regression,
        Problem::MultiLabel,
        Problem::Tokens,
    ];
    all.into_iter().find(|&problem| problem_name(problem) == name)
}

/// How the data of a saved model are read: by the flags, else as in training, else by guess and the defaults.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) columns: UserColumns,
    pub(super) max_tokens: usize,
    /// How many texts an example had in training, if that is known.
    texts: Option<usize>,
    dir: PathBuf,
}

impl Asked {
    pub(super) fn of(dir: &Path, flags: Flags<'_>, config: &ModelConfig) -> Result<Self, Error> {
        let reading = Reading::load(dir, config)?;
        let mut columns = flags.columns();
        let default = super::corpus::max_tokens(None, config);
        let length = flags
            .max_tokens
            .unwrap_or_else(|| reading.as_ref().map_or(default, |reading| reading.max_tokens));
        match &reading {
            None => {}
            Some(reading) => {
                columns.label_texts.clone_from(&reading.label_texts);
                if flags.label.is_none() && flags.label_columns.is_none() {
                    columns.label.clone_from(&reading.label);
                    columns.label_columns.clone_from(&reading.label_columns);
                }
                if flags.text.is_none() {
                    columns.texts = match &reading.texts[..] {
                        [first, second] => TextColumns::Two(first.clone(), second.clone()),
                        texts => TextColumns::One(texts[0].clone()),
                    };
                }
                columns.note = format!(
                    "; the model in {} was trained on the texts {} and the label {} ({FILE}): name the columns of this \
                     file with --text-column, --text-pair-column and --label-column",
                    dir.display(),
                    listed(&reading.texts),
                    reading.label_names()
                );
            }
        }
        Ok(Self {
            columns,
            max_tokens: length,
            texts: reading.map(|reading| reading.texts.len()),
            dir: dir.to_owned(),
        })
    }

    /// Says so if nothing tells how training read its data, or if examples have one text where training had pairs, or the
    /// other way round.
    pub(super) fn compare(&self, is_pair: bool, progress: &mut Progress) {
        if self.texts.is_none() {
            progress.message(&format!(
                "{} has no {FILE} (cwgnc finetune writes it), so nothing tells how its training read data: columns are taken \
                 by name or flag, texts are cut to {} tokens",
                self.dir.display(),
                self.max_tokens
            ));
        }
        let kind = |is_pair: bool| if is_pair { "pairs of texts" } else { "single texts" };
        if self.texts.is_some_and(|texts| (texts == 2) != is_pair) {
            progress.message(&format!(
                "warning: the model in {} was trained on {}, and these are {}",
                self.dir.display(),
                kind(!is_pair),
                kind(is_pair)
            ));
        }
    }
}

/// Names in backquotes.
pub(super) fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
