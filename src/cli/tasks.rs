//! `cwgnc tasks`: the built-in tasks as a list, one of them as files, or the grammar's text.

use super::args::Tasks;
use super::{Error, aligned, print, print_document, task};
use crate::builtin::{BUILTINS, Builtin, Choice, PREFIX, text, tsv};
use crate::checkpoint;
use crate::data::{Metric, majority};
use std::path::Path;

/// The sentences that are written unless `--sentences` says otherwise.
const SENTENCES: usize = 1000;

/// Runs the command.
pub(super) fn command(args: &Tasks) -> Result<(), Error> {
    match args.what.as_deref() {
        None => list(args),
        Some("text") => write_text(args),
        Some(name) => write_task(args, name),
    }
}

fn refuse(text: &str) -> Result<(), Error> {
    Err(Error::Usage(text.to_owned()))
}

/// The names of the metrics, the headline first.
fn metrics(task: Builtin) -> String {
    let glue = task.stands_for();
    let others = glue.metrics.iter().filter(|metric| **metric != glue.headline);
    let all: Vec<&str> = std::iter::once(&glue.headline)
        .chain(others)
        .map(|metric| metric.key())
        .collect();
    all.join(", ")
}

/// Every task with its sizes, its metrics and what a constant answer reaches.
fn list(args: &Tasks) -> Result<(), Error> {
    if args.output.is_some() || args.sentences.is_some() {
        return refuse(
            "--output and --sentences need a task or `text` to write, as in cwgnc tasks builtin:paraphrase",
        );
    }
    let heading = [
        "task",
        "stands for",
        "train",
        "dev",
        "metrics",
        "a constant answer reaches",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for task in BUILTINS {
        let dev = task
            .generate(args.seed.unwrap_or(0))
            .dev
            .targets()
            .unwrap_or_default();
        let (glue, (train_size, dev_size)) = (task.stands_for(), task.sizes());
        let mut constant = format!("{:.3}", majority(glue.headline, &dev)?);
        if glue.headline == Metric::Matthews {
            constant = format!("{constant} (accuracy {:.3})", majority(Metric::Accuracy, &dev)?);
        }
        rows.push(vec![
            format!("{PREFIX}{}", task.name()),
            glue.key.to_owned(),
            train_size.to_string(),
            dev_size.to_string(),
            metrics(task),
            constant,
        ]);
    }
    for line in aligned(&rows) {
        print(&line)?;
    }
    Ok(())
}

/// Both sets of a task as files.
fn write_task(args: &Tasks, name: &str) -> Result<(), Error> {
    let Some(mut choice) = task::builtin(name)? else {
        // A name without its prefix, or none at all.
        let choice = name
            .parse::<Choice>()
            .map_err(|error| Error::Usage(error.to_string()))?;
        return refuse(&format!(
            "unknown task `{name}`; did you mean `{choice}`? A built-in task is named with `{PREFIX}`"
        ));
    };
    if args.sentences.is_some() {
        return refuse("--sentences is for `cwgnc tasks text`; a task has its sizes");
    }
    match args.seed {
        Some(_) if name.contains('@') => {
            return refuse(&format!(
                "--seed cannot be used with {name}, which names a seed itself"
            ));
        }
        Some(seed) => choice.seed = seed,
        None => {}
    }
    let Some(folder) = &args.output else {
        return refuse(&format!("where to write {choice} is missing: give --output DIR"));
    };
    std::fs::create_dir_all(folder).map_err(|source| Error::Folder {
        path: folder.clone(),
        source,
    })?;
    let sets = choice.task.generate(choice.seed);
    let files = [("train.tsv", &sets.train), ("dev.tsv", &sets.dev)];
    for (file, _) in files {
        let path = folder.join(file);
        if path.exists() {
            return refuse(&format!(
                "{} is there already; give another folder",
                path.display()
            ));
        }
    }
    for (file, set) in files {
        write(&folder.join(file), &tsv(choice.task, set))?;
    }
    print(&format!(
        "{choice}: {} examples in {}, {} in {}",
        sets.train.examples.len(),
        folder.join("train.tsv").display(),
        sets.dev.examples.len(),
        folder.join("dev.tsv").display()
    ))
}

/// The grammar's text, to a file or to stdout.
fn write_text(args: &Tasks) -> Result<(), Error> {
    let text = text(args.seed.unwrap_or(0), args.sentences.unwrap_or(SENTENCES));
    match &args.output {
        Some(path) => write(path, &text),
        None => print_document(text.trim_end()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    Ok(checkpoint::write_atomic(path, |out| {
        out.write_all(text.as_bytes())
    })?)
}
