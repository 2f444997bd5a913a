//! What is to be predicted: one text, a file, stdin, or a set of a task; and the columns that are written beside it.

use super::args::{Predict, Split};
use crate::cli::Error;
use crate::cli::corpus::{Corpus, check_labels, columns_line, label_space};
use crate::cli::progress::Progress;
use crate::cli::reading::Asked;
use crate::cli::task::Chosen;
use crate::data::{
    Carried, Example, FileKind, FoundColumns, Labels, Task, TestFile, UserFile, read_glue_test,
};
use crate::model::{ModelConfig, Problem, Target};
use std::io::Read;
use std::path::Path;

/// What stdin is called in messages.
const STDIN: &str = "stdin";

/// Examples, and where they come from.
pub(super) struct Input {
    pub(super) examples: Vec<Example>,
    /// The columns that are written beside the predictions, if they are asked for.
    pub(super) carried: Option<Carried>,
    /// Of a test set, its task and files.
    pub(super) test: Option<TestSet>,
}

/// The test files of a task, one after the other.
pub(super) struct TestSet {
    pub(super) task: &'static Task,
    /// Each with the indices of its examples.
    pub(super) files: Vec<(&'static TestFile, Vec<String>)>,
}

impl Input {
    /// Reads what the flags name.
    pub(super) fn read(
        args: &Predict,
        config: &ModelConfig,
        asked: &Asked,
        progress: &mut Progress,
    ) -> Result<Self, Error> {
        if let Some(text) = &args.text {
            let is_tagged = config.problem == Problem::Tokens;
            if is_tagged && args.text_pair.is_some() {
                return Err(Error::Usage(
                    "--text-pair cannot be used with a model that predicts a tag for each word: it reads one sentence"
                        .to_owned(),
                ));
            }
            asked.compare(args.text_pair.is_some(), progress);
            return Ok(Self::of_text(args, text, is_tagged));
        }
        if let Some(path) = &args.file {
            return Self::of_file(args, path, config, asked, progress);
        }
        let Some(task) = &args.task else {
            return Err(Error::Usage(
                "what to predict is missing: give --text, --file, --task and --data, or --task builtin:NAME"
                    .to_owned(),
            ));
        };
        match args.split {
            Split::Dev => Self::of_dev(args, task, config, asked, progress),
            Split::Test => Self::of_test(args, task, config, asked, progress),
        }
    }

    /// One text, or pair; for tags its words, which stand between blanks.
    fn of_text(args: &Predict, text: &str, is_tagged: bool) -> Self {
        let words = text.split_whitespace().filter(|_| is_tagged);
        let example = Example {
            words: words.map(str::to_owned).collect(),
            text_a: text.to_owned(),
            text_b: args.text_pair.clone(),
            target: None,
        };
        let names = ["text".to_owned(), "text_pair".to_owned()];
        let names = &names[..=usize::from(example.text_b.is_some())];
        let row = vec![texts(&example)];
        Self {
            carried: args.carries().then(|| Carried::Cells {
                header: names.to_vec(),
                rows: row,
            }),
            examples: vec![example],
            test: None,
        }
    }

    fn of_file(
        args: &Predict,
        path: &Path,
        config: &ModelConfig,
        asked: &Asked,
        progress: &mut Progress,
    ) -> Result<Self, Error> {
        let file = open(args, path)?;
        let (set, found) = file.examples(&asked.columns, &label_space(config), Labels::Ignored)?;
        asked.compare(found.text_b.is_some(), progress);
        let name = if path == Path::new("-") {
            Path::new(STDIN)
        } else {
            path
        };
        progress.message(&columns_line(
            name,
            &FoundColumns {
                label: None,
                label_columns: Vec::new(),
                ..found
            },
        ));
        Ok(Self {
            examples: set.examples,
            carried: args.carries().then(|| file.carried()).transpose()?,
            test: None,
        })
    }

    /// The texts of a dev set and its labels as the task's files write them.
    fn of_dev(
        args: &Predict,
        task: &str,
        config: &ModelConfig,
        asked: &Asked,
        progress: &mut Progress,
    ) -> Result<Self, Error> {
        let corpus = Corpus::dev_of(task, args.data.as_deref(), None)?;
        check_labels(config, &corpus.labels, task)?;
        asked.compare(corpus.texts.len() == 2, progress);
        let header = [&corpus.texts[..], std::slice::from_ref(&corpus.label)].concat();
        let label_texts = corpus.label_texts;
        let label = |target: Option<&Target>| match target {
            Some(Target::Class(class)) => label_texts[*class].clone(),
            Some(Target::Value(value)) => value.to_string(),
            // Tasks have no sets of labels and no tags.
            Some(Target::Labels(_) | Target::Tags(_)) | None => String::new(),
        };
        let sources = corpus.dev.into_iter();
        let examples: Vec<Example> = sources.flat_map(|source| source.set.examples).collect();
        let rows = || {
            let rows = examples.iter();
            rows.map(|example| [texts(example), vec![label(example.target.as_ref())]].concat())
        };
        let carried = args.carries().then(|| Carried::Cells {
            header,
            rows: rows().collect(),
        });
        Ok(Self {
            examples,
            carried,
            test: None,
        })
    }

    /// The texts of the test files and their indices.
    fn of_test(
        args: &Predict,
        name: &str,
        config: &ModelConfig,
        asked: &Asked,
        progress: &mut Progress,
    ) -> Result<Self, Error> {
        let Chosen::Glue(task, dir) = Chosen::parse(name, args.data.as_deref())? else {
            return Err(Error::Usage(format!(
                "--split test cannot be used with --task {name}: a built-in task has a dev set alone"
            )));
        };
        check_labels(config, &task.label_space(), name)?;
        let (text_a, text_b) = task.test_texts();
        asked.compare(text_b.is_some(), progress);
        let (mut examples, mut rows, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for file in task.test_files {
            let (set, indices) = read_glue_test(dir, task, file.name)?;
            let (there, published) = (set.examples.len(), file.examples);
            if there != published {
                progress.message(&format!(
                    "warning: {} has {there} examples, and GLUE's test set has {published}: its server refuses another count",
                    dir.join(file.name).display()
                ));
            }
            let pairs = indices.iter().zip(&set.examples);
            rows.extend(pairs.map(|(index, example)| [vec![index.clone()], texts(example)].concat()));
            examples.extend(set.examples);
            files.push((file, indices));
        }
        let names = ["index", text_a].into_iter().chain(text_b);
        let header = names.map(str::to_owned).collect();
        Ok(Self {
            examples,
            carried: args.carries().then_some(Carried::Cells { header, rows }),
            test: Some(TestSet { task, files }),
        })
    }
}

/// The texts of an example, one or two.
fn texts(example: &Example) -> Vec<String> {
    let texts = std::iter::once(&example.text_a).chain(&example.text_b);
    texts.cloned().collect()
}

/// The file, or all of stdin.
fn open(args: &Predict, path: &Path) -> Result<UserFile, Error> {
    let kind = args.input_format.map(super::args::InputFormat::kind);
    if path != Path::new("-") {
        let kind = kind.map_or_else(|| FileKind::to_predict(path), Ok)?;
        return Ok(UserFile::open(path, Some(kind))?);
    }
    let Some(kind) = kind else {
        return Err(Error::Usage(
            "--file - reads stdin, which has no extension: say what it is with --input-format csv, tsv, jsonl or txt; a file \
             of that name is ./-"
                .to_owned(),
        ));
    };
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Error::Usage(format!("cannot read {STDIN}: {error}")))?;
    Ok(UserFile::from_bytes(STDIN, kind, bytes)?)
}
