//! The records of one run: `run.json`, `log.jsonl`, and `all_results.json` if it has come to its end.

use super::super::series::{self, Line, Log};
use crate::checkpoint;
use crate::cli::{Error, output};
use crate::data::Task;
use serde_json::{Map, Value};
use std::path::Path;

/// What a line says of a step.
pub(super) const STEP: [&str; 6] = [
    "loss",
    "learning_rate",
    "grad_norm_before_clipping",
    "grad_norm_after_clipping",
    "clipped_elements",
    "clipped_components",
];
/// Keys of an evaluation's line that are no metrics.
const NO_METRICS: [&str; 5] = ["step", "epoch", "train_loss", "unfreezing_iteration", "updates"];

/// One run.
#[derive(Debug)]
pub(super) struct Run {
    /// `run.json`.
    pub(super) record: Value,
    /// The lines of the log, in order; at least one.
    pub(super) lines: Vec<Line>,
    /// What they say of each parameter.
    pub(super) log: Log,
    /// The metrics that were logged, in the order in which they came.
    pub(super) metrics: Vec<String>,
    /// `all_results.json`.
    pub(super) results: Option<Map<String, Value>>,
}

impl Run {
    /// Reads and checks them.
    pub(super) fn read(dir: &Path) -> Result<Self, Error> {
        let missing = |name: &str, what: &str| {
            let dir = dir.display();
            Error::Usage(format!(
                "{dir}: the folder of a run has {what} in {name}, and it is not there"
            ))
        };
        let (record, path) = (dir.join(output::RUN), dir.join(output::LOG));
        if !record.exists() {
            return Err(missing(output::RUN, "its settings"));
        }
        let record = series::record(&record)?;
        if !path.exists() {
            return Err(missing(output::LOG, "its steps"));
        }
        let all = dir.join(output::ALL);
        let results =
            if all.exists() {
                let read = serde_json::from_slice(&checkpoint::read(&all)?);
                Some(read.map_err(|error| {
                    Error::Report(format!("{}: not a JSON object: {error}", all.display()))
                })?)
            } else {
                None
            };
        let bytes = checkpoint::read(&path)?;
        // A process that writes, or that died, may have left half a line.
        let whole = match (&results, bytes.iter().rposition(|&byte| byte == b'\n')) {
            (None, Some(end)) => &bytes[..=end],
            _ => &bytes[..],
        };
        let lines = series::lines(&path, whole)?;
        let metrics = checked(&path, &lines)?;
        if lines.is_empty() {
            return Err(Error::Usage(format!(
                "{}: no step was logged yet",
                path.display()
            )));
        }
        let log = Log::of(&path, &lines)?;
        Ok(Self {
            record,
            lines,
            log,
            metrics,
            results,
        })
    }

    /// What is said of a run that has not come to its end.
    pub(super) fn unfinished(&self) -> Option<String> {
        let (last, all) = (self.last_step(), self.settings("total_steps"));
        self.results.is_none().then(|| {
            format!(
                "the run is not finished: its log goes to step {last} of {all}, and this report is of these"
            )
        })
    }

    /// A setting.
    pub(super) fn settings(&self, name: &str) -> &Value {
        &self.record["settings"][name]
    }

    /// The last step that the log knows.
    pub(super) fn last_step(&self) -> usize {
        self.lines.last().map_or(0, |line| line.step)
    }

    /// The lines of evaluations.
    pub(super) fn evaluations(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter().filter(|line| line.components().is_none())
    }

    /// Step and value of a number, where it has one.
    pub(super) fn points(&self, name: &str) -> Vec<(f64, f64)> {
        let point = |line: &Line| Some((line.step as f64, line.value[name].as_f64()?));
        self.lines.iter().filter_map(point).collect()
    }

    /// The results that the run reported; of one that is not finished, its last evaluation.
    pub(super) fn reported(&self) -> Value {
        let last = self.evaluations().next_back();
        match (&self.results, last) {
            (Some(results), _) => Value::Object(results.clone()),
            (None, Some(last)) => {
                let mut values = last.value.clone();
                values
                    .as_object_mut()
                    .map(|values| values.shift_remove("updates"));
                values
            }
            (None, None) => Value::Object(Map::new()),
        }
    }

    /// Step and value of the evaluation whose model `--load-best` took.
    pub(super) fn best(&self) -> Option<(u64, &Value)> {
        let step = self.results.as_ref()?.get("best_step")?.as_u64()?;
        let task = self
            .settings("task")
            .as_str()
            .and_then(|name| Task::parse(name).ok());
        let named = match (self.settings("metric_for_best_model").as_str(), task) {
            (Some(name), _) => name.strip_prefix("eval_").unwrap_or(name),
            (None, Some(task)) => task.headline.key(),
            (None, None) => "",
        };
        let known = self
            .metrics
            .iter()
            .filter(|name| *name != "eval_loss" || named == "loss");
        let wanted = |name: &&String| named.is_empty() || name.strip_prefix("eval_") == Some(named);
        let name = known.into_iter().find(wanted)?;
        let line = self.evaluations().find(|line| line.step as u64 == step)?;
        Some((step, &line.value[name]))
    }
}

/// Checks every line and gives the names of the metrics.
fn checked(path: &Path, lines: &[Line]) -> Result<Vec<String>, Error> {
    let (mut metrics, mut before): (Vec<String>, usize) = (Vec::new(), 0);
    for line in lines {
        let wrong = |what: String| Error::Report(format!("{} line {}: {what}", path.display(), line.number));
        let Some(values) = line.value.as_object() else {
            return Err(wrong("not a JSON object".to_owned()));
        };
        if line.step < before {
            return Err(wrong(format!("step {} after step {before}", line.step)));
        }
        before = line.step;
        let is_number = |name: &str| values.get(name).is_some_and(|v| v.is_number() || v.is_null());
        let needed: &[&str] = if line.components().is_some() {
            &STEP
        } else {
            &["train_loss"]
        };
        for name in ["epoch"].iter().chain(needed) {
            if !is_number(name) {
                return Err(wrong(format!("`{name}` is not a number")));
            }
        }
        if let Some(components) = line.components() {
            for component in components {
                let number = |key: &str| component[key].is_number() || component[key].is_null();
                let whole = component["name"].is_string() && component["clipped"].is_boolean();
                if !whole || !["grad_norm_before", "scale"].into_iter().all(number) {
                    return Err(wrong(format!(
                        "not what was measured of a parameter: {component}"
                    )));
                }
            }
            continue;
        }
        for name in values.keys().filter(|name| !NO_METRICS.contains(&name.as_str())) {
            let is_name = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            if !is_name || !is_number(name) {
                return Err(wrong(format!("`{name}` is not the value of a metric")));
            }
            if !metrics.contains(name) {
                metrics.push(name.clone());
            }
        }
    }
    Ok(metrics)
}
