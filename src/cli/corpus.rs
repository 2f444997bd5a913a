//! From flags to tokenised sequences.

use super::Error;
use super::args::{DataArgs, Finetune};
use super::choice::ProblemType;
use super::task::Chosen;
use crate::builtin::{Choice, tsv};
use crate::checkpoint;
use crate::data::{
    Dataset, Example, LabelSpace, Labels, Metric, Task, TextColumns, TextEncoder, UserColumns, read_glue,
    read_user, read_user_train,
};
use crate::model::{ModelConfig, Problem};
use crate::train::Sequence;
use std::path::{Path, PathBuf};

/// A labelled file, or a set of a built-in task, and where it came from.
#[derive(Debug)]
pub(super) struct Source {
    /// The file, or the name of the set.
    pub(super) path: PathBuf,
    pub(super) set: Dataset,
    /// Of a set that was made here, the hash of all of it as a file.
    made: Option<String>,
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
        Self {
            path,
            set,
            made: None,
            suffix,
        }
    }

    /// A set of a built-in task, as in `builtin:paraphrase@0/train`.
    fn made(choice: Choice, part: &str, set: Dataset, limit: Option<usize>) -> Self {
        let name = format!("builtin:{}@{}/{part}", choice.task.name(), choice.seed);
        let hash = checkpoint::fnv1a64(tsv(choice.task, &set).as_bytes());
        Self {
            made: Some(hash),
            ..Self::new(name.into(), set, "", limit)
        }
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

    /// The file's name and a hash of its bytes; of a set that was made here, those of the file that `cwgnc tasks` would write.
    pub(super) fn fingerprint(&self) -> Result<(String, String), Error> {
        let hash = match &self.made {
            Some(hash) => hash.clone(),
            None => checkpoint::fnv1a64(&checkpoint::read(&self.path)?),
        };
        Ok((self.path.display().to_string(), hash))
    }
}

impl Corpus {
    /// The files that a fine-tuning reads.
    pub(super) fn for_finetuning(args: &Finetune) -> Result<Self, Error> {
        if let Some(task) = &args.data.task {
            return match Chosen::parse(task, args.data.data.as_deref())? {
                Chosen::Glue(task, dir) => {
                    let train = read_glue(dir, task, task.train_file, Labels::Required)?;
                    let train = Source::new(dir.join(task.train_file), train, "", args.max_train_samples);
                    Ok(Self {
                        train: Some(train),
                        ..Self::of_task(task, dir, args.data.max_eval_samples)?
                    })
                }
                Chosen::Builtin(choice) => Ok(Self::of_builtin(
                    choice,
                    args.max_train_samples,
                    args.data.max_eval_samples,
                )),
            };
        }
        let (Some(train), Some(dev)) = (&args.train_file, &args.data.validation_file) else {
            return Err(Error::Usage(
                "what to train on is missing: give --task and --data, --task builtin:NAME, or --train-file and \
                 --validation-file"
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
        if let Some(task) = &args.task {
            let corpus = Self::dev_of(task, args.data.as_deref(), args.max_eval_samples)?;
            check_labels(config, &corpus.labels, task)?;
            return Ok(corpus);
        }
        let Some(path) = &args.validation_file else {
            return Err(Error::Usage(
                "what to evaluate on is missing: give --task and --data, --task builtin:NAME, or --validation-file"
                    .to_owned(),
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

    /// What a task's name stands for, without its training set.
    fn dev_of(task: &str, data: Option<&Path>, limit: Option<usize>) -> Result<Self, Error> {
        match Chosen::parse(task, data)? {
            Chosen::Glue(task, dir) => Self::of_task(task, dir, limit),
            Chosen::Builtin(choice) => Ok(Self {
                train: None,
                ..Self::of_builtin(choice, None, limit)
            }),
        }
    }

    fn of_builtin(choice: Choice, train_limit: Option<usize>, dev_limit: Option<usize>) -> Self {
        let (sets, glue) = (choice.task.generate(choice.seed), choice.task.stands_for());
        Self {
            train: Some(Source::made(choice, "train", sets.train, train_limit)),
            dev: vec![Source::made(choice, "dev", sets.dev, dev_limit)],
            labels: glue.label_space(),
            metrics: glue.metrics,
            headline: glue.headline,
        }
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
    if let Some(task) = &args.task {
        let corpus = Corpus::dev_of(task, args.data.as_deref(), None)?;
        check_labels(config, &corpus.labels, task)?;
        return Ok(corpus
            .dev
            .into_iter()
            .flat_map(|source| source.set.examples)
            .collect());
    }
    Err(Error::Usage(
        "what to predict is missing: give --text, --file, --task and --data, or --task builtin:NAME"
            .to_owned(),
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
