//! From flags to tokenised sequences.

use super::Error;
use super::args::{DataArgs, Finetune};
use super::choice::ProblemType;
use crate::checkpoint;
use crate::data::{
    Dataset, Example, LabelSpace, Labels, Metric, Task, TextColumns, TextEncoder, UserColumns, read_glue,
    read_user, read_user_train,
};
use crate::model::{ModelConfig, Problem};
use crate::train::Sequence;
use std::path::{Path, PathBuf};

/// A labelled file and where it came from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) set: Dataset,
    /// What is appended to the names of its metrics (`_mm` for MNLI mismatched).
    pub(super) suffix: &'static str,
}

/// The files of a fine-tuning or an evaluation.
#[derive(Debug)]
pub(super) struct Corpus {
    /// The training file; none for an evaluation.
    pub(super) train: Option<Source>,
    /// The files to evaluate on.
    pub(super) dev: Vec<Source>,
    pub(super) labels: LabelSpace,
    pub(super) metrics: &'static [Metric],
    /// The one that stands for the task.
    pub(super) headline: Metric,
}

impl Source {
    fn new(path: PathBuf, set: Dataset, suffix: &'static str, limit: Option<usize>) -> Self {
        let mut set = set;
        set.examples.truncate(limit.unwrap_or(usize::MAX));
        Self { path, set, suffix }
    }

    /// The tokenised examples with their targets.
    pub(super) fn encode(&self, encoder: &TextEncoder, max_tokens: usize) -> Result<Vec<Sequence>, Error> {
        let encodings = encoder.encode_all(&self.set.examples, max_tokens)?;
        let targets = self
            .set
            .targets()
            .ok_or_else(|| Error::Usage(format!("{}: no labels", self.path.display())))?;
        let sequences = encodings.into_iter().zip(targets);
        Ok(sequences
            .map(|(encoding, target)| Sequence {
                ids: encoding.ids,
                token_types: encoding.token_types,
                target,
            })
            .collect())
    }

    /// The file's name and a hash of its bytes.
    pub(super) fn fingerprint(&self) -> Result<(String, String), Error> {
        Ok((
            self.path.display().to_string(),
            checkpoint::fnv1a64(&checkpoint::read(&self.path)?),
        ))
    }
}

impl Corpus {
    /// The files that a fine-tuning reads.
    pub(super) fn for_finetuning(args: &Finetune) -> Result<Self, Error> {
        if let (Some(task), Some(dir)) = (&args.data.task, &args.data.data) {
            let task = Task::parse(task)?;
            let train = read_glue(dir, task, task.train_file, Labels::Required)?;
            let train = Source::new(dir.join(task.train_file), train, "", args.max_train_samples);
            return Ok(Self {
                train: Some(train),
                ..Self::of_task(task, dir, args.data.max_eval_samples)?
            });
        }
        let (Some(train), Some(dev)) = (&args.train_file, &args.data.validation_file) else {
            return Err(Error::Usage(
                "what to train on is missing: give --task and --data, or --train-file and --validation-file"
                    .to_owned(),
            ));
        };
        let problem = args.problem_type.map(|problem| match problem {
            ProblemType::Classification => Problem::Classification,
            ProblemType::Regression => Problem::Regression,
        });
        let (set, columns) = read_user_train(train, &columns(&args.data), problem)?;
        let labels = set.labels.clone();
        let dev_set = read_user(dev, &columns, &labels, Labels::Required)?;
        let metrics = metrics(&labels);
        Ok(Self {
            headline: metrics[0],
            train: Some(Source::new(train.clone(), set, "", args.max_train_samples)),
            dev: vec![Source::new(dev.clone(), dev_set, "", args.data.max_eval_samples)],
            labels,
            metrics,
        })
    }

    /// The files that an evaluation of a saved model reads.
    pub(super) fn for_evaluation(args: &DataArgs, config: &ModelConfig) -> Result<Self, Error> {
        if let (Some(task), Some(dir)) = (&args.task, &args.data) {
            let corpus = Self::of_task(Task::parse(task)?, dir, args.max_eval_samples)?;
            check_labels(config, &corpus.labels, task)?;
            return Ok(corpus);
        }
        let Some(path) = &args.validation_file else {
            return Err(Error::Usage(
                "what to evaluate on is missing: give --task and --data, or --validation-file".to_owned(),
            ));
        };
        let labels = label_space(config);
        let set = read_user(path, &columns(args), &labels, Labels::Required)?;
        let metrics = metrics(&labels);
        Ok(Self {
            headline: metrics[0],
            train: None,
            dev: vec![Source::new(path.clone(), set, "", args.max_eval_samples)],
            labels,
            metrics,
        })
    }

    fn of_task(task: &'static Task, dir: &Path, limit: Option<usize>) -> Result<Self, Error> {
        let mut dev = Vec::new();
        for file in task.dev_files {
            let set = read_glue(dir, task, file.name, Labels::Required)?;
            dev.push(Source::new(dir.join(file.name), set, file.suffix, limit));
        }
        Ok(Self {
            train: None,
            dev,
            labels: task.label_space(),
            metrics: task.metrics,
            headline: task.headline,
        })
    }
}

/// The examples to predict: one text, a file, or a task's dev set.
pub(super) fn to_predict(args: &super::args::Predict, config: &ModelConfig) -> Result<Vec<Example>, Error> {
    if let Some(text) = &args.text {
        return Ok(vec![Example {
            text_a: text.clone(),
            text_b: args.text_pair.clone(),
            target: None,
        }]);
    }
    if let Some(path) = &args.file {
        let texts = text_columns(args.text_column.as_ref(), args.text_pair_column.as_ref());
        let columns = UserColumns {
            texts,
            label: args.label_column.clone(),
        };
        return Ok(read_user(path, &columns, &label_space(config), Labels::Optional)?.examples);
    }
    if let (Some(task), Some(dir)) = (&args.task, &args.data) {
        let corpus = Corpus::of_task(Task::parse(task)?, dir, None)?;
        check_labels(config, &corpus.labels, task)?;
        return Ok(corpus
            .dev
            .into_iter()
            .flat_map(|source| source.set.examples)
            .collect());
    }
    Err(Error::Usage(
        "what to predict is missing: give --text, --file, or --task and --data".to_owned(),
    ))
}

/// The length to which texts are cut: as asked for, else 128 or what the model can take.
pub(super) fn max_tokens(asked: Option<usize>, config: &ModelConfig) -> usize {
    asked.unwrap_or_else(|| config.max_tokens().min(128))
}

fn columns(args: &DataArgs) -> UserColumns {
    let texts = text_columns(args.text_column.as_ref(), args.text_pair_column.as_ref());
    UserColumns {
        texts,
        label: args.label_column.clone(),
    }
}

fn text_columns(first: Option<&String>, second: Option<&String>) -> TextColumns {
    match (first, second) {
        (Some(first), Some(second)) => TextColumns::Two(first.clone(), second.clone()),
        (Some(first), None) => TextColumns::One(first.clone()),
        (None, _) => TextColumns::Detect,
    }
}

/// What a saved model's outputs mean.
fn label_space(config: &ModelConfig) -> LabelSpace {
    match config.problem {
        Problem::Regression => LabelSpace::Values,
        Problem::Classification => LabelSpace::Classes(config.labels.clone()),
    }
}

/// What is reported for a file of the user's own.
fn metrics(labels: &LabelSpace) -> &'static [Metric] {
    match labels {
        LabelSpace::Classes(_) => &[Metric::Accuracy],
        LabelSpace::Values => &[Metric::MeanSquaredError],
    }
}

/// A model whose outputs mean something else than the task's labels would be scored wrongly without a word. Labels
/// that are only numbered (`LABEL_0`) are taken to be in the task's order.
fn check_labels(config: &ModelConfig, labels: &LabelSpace, task: &str) -> Result<(), Error> {
    let unnamed = config
        .labels
        .iter()
        .enumerate()
        .all(|(i, name)| *name == format!("LABEL_{i}"));
    let names = labels.output_names();
    let fits = config.problem == labels.problem()
        && config.num_labels() == names.len()
        && (unnamed || config.labels == names);
    if fits {
        return Ok(());
    }
    let (found, wanted) = (config.labels.join(", "), names.join(", "));
    Err(Error::Usage(format!(
        "the model predicts {found}; task `{task}` has the labels {wanted}"
    )))
}
