//! The records of a study: its journal, or `results.jsonl`, read line by line and checked.

use crate::checkpoint;
use crate::cli::Error;
use crate::cli::study::{self, FORMAT, JOURNAL, RESULTS, STUDY, VERSIONS};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Component, Path};

/// One run.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// Its name, and its folder under `runs`.
    pub(super) id: String,
    pub(super) task: String,
    pub(super) condition: String,
    pub(super) seed: u64,
    /// Why it stopped, if it did.
    pub(super) stopped: Option<String>,
    pub(super) steps: u64,
    /// The task's metric.
    pub(super) metric: String,
    /// Its value after the last step; none if the run stopped or the metric was not defined.
    pub(super) value: Option<f64>,
    /// What the metric is when always the majority class is predicted.
    pub(super) majority: f64,
    /// All metrics after the last step.
    pub(super) metrics: Map<String, Value>,
    /// Step and value of each evaluation.
    pub(super) curve: Vec<(f64, Option<f64>)>,
    /// The best value of the curve.
    pub(super) best: Option<f64>,
}

/// The records of a study, in the order of its plan.
#[derive(Debug)]
pub(super) struct Records {
    /// The runs that have ended.
    pub(super) runs: Vec<Run>,
    /// The runs that there will be.
    pub(super) planned: usize,
    /// The conditions of the plan; empty if there is none.
    pub(super) conditions: Vec<String>,
    /// What would not be noticed if it were damaged, one sentence each.
    pub(super) remarks: Vec<String>,
}

impl Records {
    /// What a report on a study says that has not come to its end, with notes on what it lacks.
    pub(super) fn unfinished(&self, notes: &[String]) -> Option<String> {
        let (done, all) = (self.runs.len(), self.planned);
        let notes: String = notes.iter().flat_map(|note| ["; ", note]).collect();
        (done < all).then(|| {
            format!("the study is not finished: {done} of {all} runs have ended, and this report is of these{notes}")
        })
    }
}

/// Reads the records of the study in a folder: of its journal, which has checksums and is there from the first run on, or
/// where there is none of `results.jsonl`.
pub(super) fn read(dir: &Path) -> Result<Records, Error> {
    if !dir.is_dir() {
        return Err(Error::Usage(format!(
            "{}: there is no such folder",
            dir.display()
        )));
    }
    check_version(&dir.join(VERSIONS))?;
    let results = dir.join(RESULTS);
    let written = if results.is_file() {
        lines(&results)?
    } else {
        Vec::new()
    };
    let (mut planned, mut conditions) = (written.len(), Vec::new());
    let mut remarks = Vec::new();
    let (source, lines) = match study::finished(dir)? {
        Some(study) => {
            remarks = study.remarks;
            let records = study.records;
            if let Some(at) = written.iter().position(|line| !records.contains(line)) {
                return Err(Error::Report(format!(
                    "{} line {}: not what {JOURNAL} says; cwgnc study --resume writes the file again",
                    results.display(),
                    at + 1
                )));
            }
            planned = study.planned;
            conditions = study.conditions;
            (dir.join(JOURNAL), records)
        }
        None if results.is_file() => {
            remarks.push(format!(
                "{} has no {JOURNAL} with checksums, so that damage to {RESULTS} and to the logs would not be noticed",
                dir.display()
            ));
            (results, written)
        }
        None => {
            let why = if dir.join(STUDY).exists() {
                "no run of the study has ended: begin it, or go on with it (cwgnc study --resume)"
            } else {
                "neither the folder of a study, with results.jsonl, nor of a run, with run.json and log.jsonl"
            };
            return Err(Error::Usage(format!("{}: {why}", dir.display())));
        }
    };
    let (mut runs, mut seen) = (Vec::new(), BTreeSet::new());
    for (number, line) in (1..).zip(&lines) {
        let wrong = |what: String| Error::Report(format!("{} line {number}: {what}", source.display()));
        let run = run(line).map_err(wrong)?;
        if !seen.insert(run.id.clone()) {
            return Err(wrong(format!("run {} is there before", run.id)));
        }
        runs.push(run);
    }
    if runs.is_empty() {
        return Err(Error::Usage(format!(
            "{}: the study has no finished run",
            source.display()
        )));
    }
    Ok(Records {
        runs,
        planned,
        conditions,
        remarks,
    })
}

/// The lines of `results.jsonl`.
fn lines(path: &Path) -> Result<Vec<Value>, Error> {
    let bytes = checkpoint::read(path)?;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
        let wrong = |what: String| Error::Report(format!("{} line {number}: {what}", path.display()));
        if !line.ends_with(b"\n") {
            return Err(wrong(
                "the line is cut off; cwgnc study --resume writes the file again".to_owned(),
            ));
        }
        lines.push(
            serde_json::from_slice(line).map_err(|error| wrong(format!("not a record of a run: {error}")))?,
        );
    }
    Ok(lines)
}

/// Whether the folder is of this version of the format; a folder that does not say is taken as it is.
fn check_version(path: &Path) -> Result<(), Error> {
    if !path.exists() {
        return Ok(());
    }
    let wrong = |what: String| Error::Report(format!("{}: {what}", path.display()));
    let versions: Value = serde_json::from_slice(&checkpoint::read(path)?)
        .map_err(|error| wrong(format!("not valid JSON: {error}")))?;
    match versions.get("format") {
        Some(format) if *format != FORMAT => Err(wrong(format!(
            "records of format {format} (cwgnc {}); this is cwgnc {}, which reads format {FORMAT}",
            versions["cwgnc_version"].as_str().unwrap_or("unknown"),
            env!("CARGO_PKG_VERSION")
        ))),
        _ => Ok(()),
    }
}

/// One line, or what is wrong with it.
fn run(line: &Value) -> Result<Run, String> {
    let text = |key: &str| {
        let found = line[key].as_str().filter(|text| !text.is_empty());
        found
            .map(str::to_owned)
            .ok_or_else(|| format!("`{key}` is not a text"))
    };
    let whole = |key: &str| {
        line[key]
            .as_u64()
            .ok_or_else(|| format!("`{key}` is not a whole number"))
    };
    let number = |value: &Value, key: &str| match &value[key] {
        Value::Null => Ok(None),
        found => found
            .as_f64()
            .map(Some)
            .ok_or_else(|| format!("`{key}` is not a number")),
    };
    let id = text("run")?;
    if !Path::new(&id)
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(format!("`run` is not a name of a folder: {id}"));
    }
    let stopped = match line["status"].as_str() {
        Some("finished") => None,
        Some("stopped") => Some(line["reason"].as_str().unwrap_or("no reason given").to_owned()),
        _ => return Err("`status` is neither `finished` nor `stopped`".to_owned()),
    };
    let points = line["curve"].as_array().ok_or("`curve` is not a list")?;
    let mut curve = Vec::with_capacity(points.len());
    for point in points {
        let step = number(point, "step")?.ok_or("a point of `curve` has no `step`")?;
        curve.push((step, number(point, "value")?));
    }
    Ok(Run {
        id,
        task: text("task")?,
        condition: text("condition")?,
        seed: whole("seed")?,
        value: if stopped.is_some() {
            None
        } else {
            number(line, "value")?
        },
        stopped,
        steps: whole("steps")?,
        metric: text("metric")?,
        majority: number(line, "majority")?.ok_or("`majority` is not a number")?,
        metrics: line["metrics"].as_object().cloned().unwrap_or_default(),
        best: number(&line["best"], "value")?,
        curve,
    })
}
