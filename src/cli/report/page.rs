//! The report in reading order.

use super::analysis::{LEVEL, SEED, Task};
use super::args::{Report, Stopped, Thresholds};
use super::logs::Logs;
use super::{figures, tables};
use crate::checkpoint;
use crate::checkpoint::shell;
use crate::cli::Error;
use crate::report::{Block, Document, Table};
use serde_json::{Map, Value};

/// What a reader should know before believing a number here.
const LIMITS: [&str; 6] = [
    "All runs of a task share one training and one dev set: intervals and tests speak of other seeds, not of other data or models.",
    "The dev set is where values were measured; nothing was measured on a test set. If settings were chosen on the same seeds or \
     the same dev set, p-values are too small.",
    "Seeds are shared by the conditions. Tests of level, spread and failed runs take the runs as independent samples; the tests by \
     seed compare the runs of one seed as pairs.",
    "Holm's correction covers the conditions of one task and one test. It does not cover several tasks, several tests, or looking again \
     after more runs.",
    "Means leave out runs that stopped, unless said otherwise: read them together with the share of failed runs.",
    "A difference that is not significant is not shown to be absent; the intervals say how large it may be.",
];

/// The whole report.
pub(super) fn document(
    args: &Report,
    unfinished: Option<String>,
    tasks: &[Task<'_>],
    logs: &[Logs],
) -> Result<Document, Error> {
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let mut document = Document {
        title: format!("Stability over seeds: {}", names.join(", ")),
        blocks: unfinished
            .map(|text| Block::Paragraph(format!("Note: {text}.")))
            .into_iter()
            .chain([Block::Paragraph(introduction(args, tasks))])
            .collect(),
    };
    let deviation = if args.ddof == 0 {
        "sd (population)"
    } else {
        "sd (sample)"
    };
    for (task, logs) in tasks.iter().zip(logs) {
        let blocks = &mut document.blocks;
        blocks.push(Block::Heading(format!("Task {}", task.name)));
        blocks.push(Block::Table(tables::summary(task, deviation)));
        blocks.extend(tables::comparison(task).map(Block::Table));
        blocks.extend(
            figures::figures(task, logs, args.layer)
                .into_iter()
                .map(Block::Figure),
        );
    }
    if let Some(table) = tables::stopped(tasks) {
        document
            .blocks
            .push(Block::Heading("Runs that stopped".to_owned()));
        document.blocks.push(Block::Table(table));
    }
    document
        .blocks
        .push(Block::Heading("How to read this".to_owned()));
    document
        .blocks
        .push(Block::List(LIMITS.map(str::to_owned).to_vec()));
    document
        .blocks
        .push(Block::Heading("Settings and versions".to_owned()));
    for (task, logs) in tasks.iter().zip(logs) {
        document.blocks.extend(settings(task, logs));
    }
    document.blocks.extend(versions(args)?);
    document
        .blocks
        .push(Block::Heading("How this was made".to_owned()));
    let program = env!("CARGO_PKG_VERSION");
    let text = format!("With cwgnc {program}, in the study's folder; the same records give the same bytes:");
    document.blocks.push(Block::Paragraph(text));
    document.blocks.push(Block::Code(command_line(args)));
    let study = args.dir.join("study.toml");
    if study.exists() {
        let text = String::from_utf8_lossy(&checkpoint::read(&study)?).into_owned();
        document.blocks.push(Block::Paragraph(
            "The study, as study.toml describes it:".to_owned(),
        ));
        document.blocks.push(Block::Code(text));
    }
    Ok(document)
}

fn introduction(args: &Report, tasks: &[Task<'_>]) -> String {
    let runs: usize = tasks
        .iter()
        .flat_map(|task| &task.conditions)
        .map(|c| c.runs.len())
        .sum();
    let conditions = tasks.iter().map(|task| task.conditions.len()).max().unwrap_or(0);
    let rule = match &args.thresholds {
        Thresholds::Majority => {
            "the value that the majority class reaches in the task's metric, counted on the dev set".to_owned()
        }
        Thresholds::Authors => {
            "the authors' value where they have one (rte 0.53, cola 0, mrpc 0.75, qnli 0.5), else what the majority class reaches"
                .to_owned()
        }
        given @ Thresholds::Given(_) => {
            format!("the value given for its task ({given}), else what the majority class reaches")
        }
    };
    let stopped = match args.stopped {
        Stopped::Exclude => "is left out of means, deviations and tests of level and spread",
        Stopped::Majority => "enters means, deviations and tests with the value of the majority class",
    };
    let divisor = if args.ddof == 0 { "n" } else { "n − 1" };
    format!(
        "Runs: {runs}; tasks: {}; conditions of a task: up to {conditions}; control: {}. A run failed if it stopped or its metric \
         is not above {rule}. A run without a value has failed and {stopped}. Standard deviations divide by {divisor}. Intervals \
         are of {} %; bootstrap: {} samples, seed {SEED}.",
        tasks.len(),
        tasks
            .first()
            .map_or("", |task| task.conditions[task.control].name.as_str()),
        100.0 * LEVEL,
        args.bootstrap,
    )
}

/// The flags that lead to this report.
fn command_line(args: &Report) -> String {
    let mut words = vec!["cwgnc report .".to_owned()];
    let mut add = |flag: &str, value: String| words.push(format!("{flag} {value}"));
    if let Some(metric) = &args.metric {
        add("--metric", shell::shown(metric));
    }
    if let Some(control) = &args.control {
        add("--control", shell::shown(control));
    }
    if args.thresholds != Thresholds::Majority {
        add("--thresholds", shell::shown(args.thresholds.to_string()));
    }
    if args.ddof != 0 {
        add("--ddof", args.ddof.to_string());
    }
    if args.stopped == Stopped::Majority {
        add("--stopped", "majority".to_owned());
    }
    if args.bootstrap != 10_000 {
        add("--bootstrap", args.bootstrap.to_string());
    }
    if let Some(layer) = args.layer {
        add("--layer", layer.to_string());
    }
    words.join(" ")
}

pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// What the conditions of a task share, and what they do not.
fn settings(task: &Task<'_>, logs: &Logs) -> Vec<Block> {
    let known: Vec<(&str, &Map<String, Value>)> = task
        .conditions
        .iter()
        .zip(&logs.settings)
        .filter_map(|(condition, settings)| settings.as_ref().map(|s| (condition.name.as_str(), s)))
        .collect();
    let Some((_, first)) = known.first() else {
        return Vec::new();
    };
    let mut keys: Vec<&String> = first.keys().collect();
    for key in known.iter().flat_map(|(_, settings)| settings.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let (same, different): (Vec<&String>, Vec<&String>) = keys.into_iter().partition(|key| {
        known
            .iter()
            .all(|(_, settings)| settings.get(*key) == first.get(*key))
    });
    let mut blocks = Vec::new();
    if !different.is_empty() {
        let row = |(name, settings): &(&str, &Map<String, Value>)| {
            let values = different.iter().map(|key| shown(settings.get(*key)));
            std::iter::once((*name).to_owned()).chain(values).collect()
        };
        let names = different.iter().map(|key| (*key).clone());
        blocks.push(Block::Table(Table {
            caption: format!("{}: settings in which the conditions differ.", task.name),
            header: std::iter::once("condition".to_owned()).chain(names).collect(),
            rows: known.iter().map(row).collect(),
        }));
    }
    blocks.push(Block::Table(Table {
        caption: format!("{}: settings of every run.", task.name),
        header: vec!["setting".to_owned(), "value".to_owned()],
        rows: same
            .iter()
            .map(|key| vec![(*key).clone(), shown(first.get(*key))])
            .collect(),
    }));
    blocks
}

/// `study.json`: versions and hashes.
fn versions(args: &Report) -> Result<Option<Block>, Error> {
    let path = args.dir.join("study.json");
    if !path.exists() {
        return Ok(None);
    }
    let record: Map<String, Value> = serde_json::from_slice(&checkpoint::read(&path)?)
        .map_err(|error| Error::Report(format!("{}: not valid JSON: {error}", path.display())))?;
    Ok(Some(facts(
        "Version of the program, processor, and hashes (FNV-1a, 64 bits) of the files of models and data.",
        &record,
    )))
}

/// A record as a table; the entries of an object in it have rows of their own.
pub(super) fn facts(caption: &str, record: &Map<String, Value>) -> Block {
    let mut rows = Vec::new();
    for (key, value) in record {
        match value {
            Value::Object(entries) => {
                rows.extend(entries.iter().map(|(name, v)| vec![name.clone(), shown(Some(v))]));
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| shown(Some(item))).collect();
                rows.push(vec![key.clone(), items.join(", ")]);
            }
            value => rows.push(vec![key.clone(), shown(Some(value))]),
        }
    }
    Block::Table(Table {
        caption: caption.to_owned(),
        header: vec!["what".to_owned(), "value".to_owned()],
        rows,
    })
}
