//! From flags to tokenised sequences.

use super::Error;
use super::args::{ColumnArgs, DataArgs, Finetune};
use super::best_metric::BestMetric;
use super::choice::ProblemType;
use super::progress::Progress;
use super::reading::{Asked, Flags};
use super::source::Source;
use super::task::Chosen;
use crate::builtin::Choice;
use crate::data::{
    Columns, FoundColumns, LabelSpace, Labels, Metric, Outcome, Task, UserColumns, read_glue, read_user,
    read_user_train,
};
use crate::model::{ModelConfig, Problem};
use std::path::Path;

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
    /// In its place, the columns of the labels, where each has one.
    pub(super) label_columns: Vec<String>,
    /// The classes as the files write them, in class order; empty for numbers.
    pub(super) label_texts: Vec<String>,
    pub(super) metrics: &'static [Metric],
    /// The one that stands for the task.
    pub(super) headline: BestMetric,
    /// Whether it is of files of one's own, whose metrics have no mean.
    pub(super) is_own: bool,
}

impl Corpus {
    /// The files that a fine-tuning reads.
    pub(super) fn for_finetuning(args: &Finetune) -> Result<Self, Error> {
        let mut corpus = Self::to_train_on(args)?;
        if let Some(name) = &args.stabilise.metric_for_best_model {
            corpus.headline = BestMetric::parse(name, corpus.metrics, corpus.is_own)?;
        }
        Ok(corpus)
    }

    fn to_train_on(args: &Finetune) -> Result<Self, Error> {
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
        let asked = flags(&args.data.columns).columns();
        let problem = asked_problem(args)?;
        let (set, found) = read_user_train(train, &asked, problem)?;
        let columns = UserColumns {
            texts: found.texts(),
            label: found.label.clone().unwrap_or(asked.label),
            note: format!("; {} has it", train.display()),
            ..asked
        };
        let dev_set = read_user(dev, &columns, &set.labels, Labels::Required)?;
        let train_set = Source::own(train, (set, found.clone()), args.max_train_samples);
        let dev_set = Source::own(dev, dev_set, args.data.max_eval_samples);
        Ok(Self::own(Some(train_set), dev_set, found, &columns.label))
    }

    /// Of users' files.
    fn own(train: Option<Source>, dev: Source, found: FoundColumns, label: &str) -> Self {
        let labels = dev.set.labels.clone();
        let metrics = Metric::own(&labels);
        let label_texts = match &labels {
            LabelSpace::Classes(names) | LabelSpace::Sets(names) | LabelSpace::Tags(names) => names.clone(),
            LabelSpace::Values => Vec::new(),
        };
        Self {
            headline: BestMetric::Metric(metrics[0]),
            is_own: true,
            train,
            dev: vec![dev],
            labels,
            texts: [found.text_a].into_iter().chain(found.text_b).collect(),
            label: found.label.unwrap_or_else(|| label.to_owned()),
            label_columns: found.label_columns,
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
        Ok(Self::own(None, dev, found, &asked.columns.label))
    }

    /// What a task's name stands for, without its training set.
    pub(super) fn dev_of(task: &str, data: Option<&Path>, limit: Option<usize>) -> Result<Self, Error> {
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
            label_columns: Vec::new(),
            label_texts: match task.outcome {
                Outcome::Classes(labels) => labels.iter().map(|label| label.text.to_owned()).collect(),
                Outcome::Value => Vec::new(),
            },
            metrics: task.metrics,
            headline: BestMetric::Metric(task.headline),
            is_own: false,
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

/// Which columns of a file are used.
pub(super) fn columns_line(path: &Path, found: &FoundColumns) -> String {
    let quoted = super::reading::listed;
    let texts: Vec<String> = [&found.text_a]
        .into_iter()
        .chain(&found.text_b)
        .cloned()
        .collect();
    let mut line = format!("{}: texts from {}", path.display(), quoted(&texts));
    let labels: Vec<String> = found.label.iter().chain(&found.label_columns).cloned().collect();
    if !labels.is_empty() {
        line = format!("{line}, labels from {}", quoted(&labels));
    }
    if !found.others.is_empty() {
        line = format!("{line}, not used: {}", quoted(&found.others));
    }
    line
}

/// What `--problem-type` and `--label-columns` say of the labels, if they say anything.
fn asked_problem(args: &Finetune) -> Result<Option<Problem>, Error> {
    let problem = args.problem_type.map(|problem| match problem {
        ProblemType::Classification => Problem::Classification,
        ProblemType::Regression => Problem::Regression,
        ProblemType::MultiLabel => Problem::MultiLabel,
        ProblemType::TokenClassification => Problem::Tokens,
    });
    match (problem, &args.data.columns.label_columns) {
        (None | Some(Problem::MultiLabel), Some(_)) => Ok(Some(Problem::MultiLabel)),
        (Some(other), Some(_)) => Err(Error::Usage(format!(
            "--label-columns are of --problem-type multi-label; for {} name one column with --label-column",
            super::reading::problem_name(other)
        ))),
        (problem, None) => Ok(problem),
    }
}

/// The length to which texts are cut: as asked for, else 128 or what the model can take.
pub(super) fn max_tokens(asked: Option<usize>, config: &ModelConfig) -> usize {
    asked.unwrap_or_else(|| config.max_tokens().min(128))
}

/// The flags that say how a file is read.
pub(super) fn flags(args: &ColumnArgs) -> Flags<'_> {
    Flags {
        text: args.text_column.as_ref(),
        pair: args.text_pair_column.as_ref(),
        label: args.label_column.as_ref(),
        label_columns: args.label_columns.as_ref(),
        max_tokens: args.max_seq_length,
    }
}

/// What a saved model's outputs mean.
pub(super) fn label_space(config: &ModelConfig) -> LabelSpace {
    match config.problem {
        Problem::Regression => LabelSpace::Values,
        Problem::Classification => LabelSpace::Classes(config.labels.clone()),
        Problem::MultiLabel => LabelSpace::Sets(config.labels.clone()),
        Problem::Tokens => LabelSpace::Tags(config.labels.clone()),
    }
}

/// A model whose outputs mean something else than the task's labels would be scored wrongly without a word. Labels
/// that are only numbered (`LABEL_0`) are taken to be in the task's order.
pub(super) fn check_labels(config: &ModelConfig, labels: &LabelSpace, task: &str) -> Result<(), Error> {
    let names = labels.output_names();
    let fits = config.problem == labels.problem()
        && config.num_labels() == names.len()
        && (config.has_unnamed_labels() || config.labels == names);
    if fits {
        return Ok(());
    }
    let (found, wanted) = (config.labels.join(", "), names.join(", "));
    Err(Error::Usage(format!(
        "the model predicts {found}; task `{task}` has the labels {wanted}"
    )))
}
