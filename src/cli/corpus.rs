//! From flags to tokenised sequences.

use super::Error;
use super::args::{DataArgs, Finetune, Predict};
use super::choice::ProblemType;
use super::progress::Progress;
use super::reading::{Asked, Flags};
use super::task::Chosen;
use super::understood::FileFacts;
use crate::builtin::{Choice, tsv};
use crate::checkpoint;
use crate::data::{
    Columns, Dataset, Encoding, Example, FoundColumns, LabelSpace, Labels, Metric, Outcome, Task,
    TextEncoder, UserColumns, read_glue, read_user, read_user_train,
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
    /// Of a user's file, the columns that are read over.
    pub(super) others: Vec<String>,
}

/// The files of a fine-tuning or an evaluation.
#[derive(Debug)]
pub(super) struct Corpus {
    /// The training file; none for an evaluation.
    pub(super) train: Option<Source>,
    /// The files to evaluate on.
    pub(super) dev: Vec<Source>,
    pub(super) labels: LabelSpace,
    /// The text columns, one or two.
    pub(super) texts: Vec<String>,
    /// The label column.
    pub(super) label: String,
    /// The classes as the files write them, in class order; empty for numbers.
    pub(super) label_texts: Vec<String>,
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
            others: Vec::new(),
        }
    }

    /// A file of the user's own.
    fn own(path: &Path, read: (Dataset, FoundColumns), limit: Option<usize>) -> Self {
        Self {
            others: read.1.others,
            ..Self::new(path.to_owned(), read.0, "", limit)
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
    pub(super) fn encode(
        &self,
        encoder: &TextEncoder,
        max_tokens: usize,
        progress: &mut Progress,
    ) -> Result<Vec<Sequence>, Error> {
        self.sequences(encoded(encoder, &self.set.examples, max_tokens, progress)?)
    }

    /// [`Source::encode`], and what there is to say of the file.
    pub(super) fn encode_with_facts(
        &self,
        encoder: &TextEncoder,
        max_tokens: usize,
        progress: &mut Progress,
    ) -> Result<(Vec<Sequence>, FileFacts), Error> {
        let encodings = encoded(encoder, &self.set.examples, max_tokens, progress)?;
        let facts = FileFacts::of(self, &encodings, encoder, max_tokens)?;
        Ok((self.sequences(encodings)?, facts))
    }

    fn sequences(&self, encodings: Vec<Encoding>) -> Result<Vec<Sequence>, Error> {
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
        let asked = flags(&args.data).columns();
        let (set, found) = read_user_train(train, &asked, problem)?;
        let columns = UserColumns {
            texts: found.texts(),
            note: format!("; {} has it", train.display()),
            ..asked
        };
        let dev_set = read_user(dev, &columns, &set.labels, Labels::Required)?;
        let train_set = Source::own(train, (set, found.clone()), args.max_train_samples);
        let dev_set = Source::own(dev, dev_set, args.data.max_eval_samples);
        Ok(Self::own(Some(train_set), dev_set, found, columns.label))
    }

    /// Of users' files.
    fn own(train: Option<Source>, dev: Source, found: FoundColumns, label: String) -> Self {
        let labels = dev.set.labels.clone();
        let (metrics, label_texts) = match &labels {
            LabelSpace::Classes(names) => (&[Metric::Accuracy], names.clone()),
            LabelSpace::Values => (&[Metric::MeanSquaredError], Vec::new()),
        };
        Self {
            headline: metrics[0],
            train,
            dev: vec![dev],
            labels,
            texts: [found.text_a].into_iter().chain(found.text_b).collect(),
            label,
            label_texts,
            metrics,
        }
    }

    /// The files that an evaluation of a saved model reads.
    pub(super) fn for_evaluation(
        args: &DataArgs,
        config: &ModelConfig,
        asked: &Asked,
        progress: &mut Progress,
    ) -> Result<Self, Error> {
        if let Some(task) = &args.task {
            let corpus = Self::dev_of(task, args.data.as_deref(), args.max_eval_samples)?;
            check_labels(config, &corpus.labels, task)?;
            asked.compare(corpus.texts.len() == 2, progress);
            return Ok(corpus);
        }
        let Some(path) = &args.validation_file else {
            return Err(Error::Usage(
                "what to evaluate on is missing: give --task and --data, --task builtin:NAME, or --validation-file"
                    .to_owned(),
            ));
        };
        let (set, found) = read_user(path, &asked.columns, &label_space(config), Labels::Required)?;
        asked.compare(found.text_b.is_some(), progress);
        progress.message(&columns_line(path, &found));
        let dev = Source::own(path, (set, found.clone()), args.max_eval_samples);
        Ok(Self::own(None, dev, found, asked.columns.label.clone()))
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
        let is_pair = sets.dev.examples.iter().any(|example| example.text_b.is_some());
        Self {
            train: Some(Source::made(choice, "train", sets.train, train_limit)),
            dev: vec![Source::made(choice, "dev", sets.dev, dev_limit)],
            texts: text_names(is_pair),
            label: "label".to_owned(),
            ..Self::of(glue, Vec::new())
        }
    }

    /// The columns, labels and metrics of a task.
    fn of(task: &Task, dev: Vec<Source>) -> Self {
        let (texts, label) = match task.columns {
            Columns::Named {
                text_a,
                text_b,
                label,
            } => {
                let texts = [Some(text_a), text_b].into_iter().flatten();
                (texts.map(str::to_owned).collect(), label)
            }
            // CoLA, whose test file has a header.
            Columns::Unnamed { .. } => (text_names(false), "label"),
        };
        Self {
            train: None,
            dev,
            labels: task.label_space(),
            texts,
            label: label.to_owned(),
            label_texts: match task.outcome {
                Outcome::Classes(labels) => labels.iter().map(|label| label.text.to_owned()).collect(),
                Outcome::Value => Vec::new(),
            },
            metrics: task.metrics,
            headline: task.headline,
        }
    }

    fn of_task(task: &'static Task, dir: &Path, limit: Option<usize>) -> Result<Self, Error> {
        let mut dev = Vec::new();
        for file in task.dev_files {
            let set = read_glue(dir, task, file.name, Labels::Required)?;
            dev.push(Source::new(dir.join(file.name), set, file.suffix, limit));
        }
        Ok(Self::of(task, dev))
    }
}

/// The text columns of files that `cwgnc tasks` writes.
fn text_names(is_pair: bool) -> Vec<String> {
    let names: &[&str] = if is_pair {
        &["sentence1", "sentence2"]
    } else {
        &["sentence"]
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Examples that are tokenised between two drawings of the progress line.
const AT_ONCE: usize = 4096;

/// The tokens of all examples; long files show how far they are.
pub(super) fn encoded(
    encoder: &TextEncoder,
    examples: &[Example],
    max_tokens: usize,
    progress: &mut Progress,
) -> Result<Vec<Encoding>, Error> {
    let mut all = Vec::with_capacity(examples.len());
    for some in examples.chunks(AT_ONCE) {
        all.extend(encoder.encode_all(some, max_tokens)?);
        progress.count("tokenising", all.len(), examples.len());
    }
    progress.wipe();
    Ok(all)
}

/// Which columns of a file are used.
fn columns_line(path: &Path, found: &FoundColumns) -> String {
    let quoted = super::reading::listed;
    let texts: Vec<String> = [&found.text_a]
        .into_iter()
        .chain(&found.text_b)
        .cloned()
        .collect();
    let mut line = format!("{}: texts from {}", path.display(), quoted(&texts));
    if let Some(label) = &found.label {
        line += &format!(", labels from `{label}`");
    }
    if !found.others.is_empty() {
        line += &format!(", not used: {}", quoted(&found.others));
    }
    line
}

/// The examples to predict: one text, a file, or a task's dev set.
pub(super) fn to_predict(
    args: &Predict,
    config: &ModelConfig,
    asked: &Asked,
    progress: &mut Progress,
) -> Result<Vec<Example>, Error> {
    if let Some(text) = &args.text {
        asked.compare(args.text_pair.is_some(), progress);
        return Ok(vec![Example {
            text_a: text.clone(),
            text_b: args.text_pair.clone(),
            target: None,
        }]);
    }
    if let Some(path) = &args.file {
        let (set, found) = read_user(path, &asked.columns, &label_space(config), Labels::Ignored)?;
        asked.compare(found.text_b.is_some(), progress);
        progress.message(&columns_line(path, &FoundColumns { label: None, ..found }));
        return Ok(set.examples);
    }
    if let Some(task) = &args.task {
        let corpus = Corpus::dev_of(task, args.data.as_deref(), None)?;
        check_labels(config, &corpus.labels, task)?;
        asked.compare(corpus.texts.len() == 2, progress);
        let sources = corpus.dev.into_iter();
        return Ok(sources.flat_map(|source| source.set.examples).collect());
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

/// The flags that say how a file is read.
pub(super) fn flags(args: &DataArgs) -> Flags<'_> {
    Flags {
        text: args.text_column.as_ref(),
        pair: args.text_pair_column.as_ref(),
        label: args.label_column.as_ref(),
        max_tokens: args.max_seq_length,
    }
}

/// What a saved model's outputs mean.
fn label_space(config: &ModelConfig) -> LabelSpace {
    match config.problem {
        Problem::Regression => LabelSpace::Values,
        Problem::Classification => LabelSpace::Classes(config.labels.clone()),
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
