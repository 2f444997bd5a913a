//! One run of a study: a fine-tuning in its own folder, and the record that it leaves.

use super::flags::Flags;
use super::versions::PORTABLE;
use crate::checkpoint;
use crate::cli::finetune::{self, Facts};
use crate::cli::score::further_names;
use crate::cli::{Error, output, resume};
use crate::gemm;
use crate::study::{PlannedRun, Settings};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Everything that a run sets, its seed and its folder included.
pub(super) fn settings(run: &PlannedRun<'_>, folder: &Path, keep_models: bool) -> Settings {
    let mut settings = run.settings();
    if settings.get("save-strategy").is_none() {
        settings.set("save-strategy", if keep_models { "epoch" } else { "no" });
    }
    settings.set("seed", run.seed.to_string());
    settings.set("output", folder.display().to_string());
    settings
}

/// Does a run from its beginning, or from its last checkpoint if it has one, in the thread pool of the caller.
///
/// A run whose numbers leave the finite ones is a result; every other error is none.
pub(super) fn perform(
    run: &PlannedRun<'_>,
    folder: &Path,
    keep_models: bool,
    flags: &Flags,
) -> Result<Map<String, Value>, Error> {
    let mut args = flags
        .parse(&settings(run, folder, keep_models))
        .map_err(Error::Usage)?;
    args.quiet = true;
    // As it is: a setting is text, and a folder's name may be none.
    args.output = Some(folder.to_owned());
    args.resume = is_of_this_kind(&folder.join(output::RUN)) && !resume::checkpoints(folder)?.is_empty();
    args.overwrite = !args.resume;
    let (facts, end) = finetune::within_study(&args)?;
    match end {
        Ok(()) => record(run, facts, folder, None),
        Err(Error::Training { steps, reason, .. }) => record(run, facts, folder, Some((steps, reason))),
        Err(error) => Err(error),
    }
}

/// Whether there is a `run.json` of a machine whose numbers are like this one's. A run that one of the other kind left
/// unfinished is begun anew.
fn is_of_this_kind(run: &Path) -> bool {
    let record = crate::embedded::read(run).ok();
    let record: Option<Value> = record.and_then(|text| serde_json::from_slice(&text).ok());
    record.is_some_and(|record| record[PORTABLE] == gemm::is_portable())
}

/// The record of a run from the files that it wrote. Nothing in it depends on the clock or on the machine's load, or on the
/// machine if it has fused multiply-add.
fn record(
    run: &PlannedRun<'_>,
    facts: Facts,
    folder: &Path,
    stopped: Option<(usize, String)>,
) -> Result<Map<String, Value>, Error> {
    let key = format!("eval_{}", facts.metric.key());
    let evaluations = evaluations(&folder.join(output::LOG))?;
    let curve: Vec<Value> = evaluations.iter().map(|line| point(line, &key)).collect();
    let mut best = Value::Null;
    for point in &curve {
        let Some(value) = point["value"].as_f64() else {
            continue;
        };
        if best["value"].as_f64().is_none_or(|best: f64| value > best) {
            best = json!({"step": point["step"], "value": value});
        }
    }
    // The values are those of the results file: it may hold another evaluation than the last, the best.
    let (last, results) = match (&stopped, evaluations.last()) {
        (None, Some(last)) => (last.clone(), results(&folder.join(output::ALL))?),
        _ => (Map::new(), Map::new()),
    };
    let result = |name: &str| results.get(name).cloned().unwrap_or(Value::Null);
    let (status, steps, reason) = match stopped {
        None => (
            "finished",
            last.get("step").cloned().unwrap_or(Value::Null),
            Value::Null,
        ),
        Some((steps, reason)) => ("stopped", steps.into(), reason.into()),
    };
    let logged: Vec<&String> = last.keys().filter(|name| name.starts_with("eval_")).collect();
    let further = further_names(&results, &logged);
    let names = logged.into_iter().chain(&further);
    let metrics: Map<String, Value> = names.map(|name| (name.clone(), result(name))).collect();
    let record = json!({
        "run": run.id(),
        "task": run.task.name,
        "condition": run.condition.name,
        "seed": run.seed,
        PORTABLE: gemm::is_portable(),
        "status": status,
        "reason": reason,
        "steps": steps,
        "examples": facts.examples,
        "metric": facts.metric.key(),
        "value": result(&key),
        "majority": facts.majority,
        "train_loss": result("train_loss"),
        "metrics": metrics,
        "curve": curve,
        "best": best,
    });
    Ok(record.as_object().cloned().unwrap_or_default())
}

/// The contents of a run's `all_results.json`.
fn results(path: &Path) -> Result<Map<String, Value>, Error> {
    serde_json::from_slice(&checkpoint::read(path)?)
        .map_err(|error| Error::Study(format!("{}: {error}", path.display())))
}

/// The lines of a log that tell of evaluations.
fn evaluations(log: &Path) -> Result<Vec<Map<String, Value>>, Error> {
    let bytes = checkpoint::read(log)?;
    let mut found = Vec::new();
    for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        let line: Map<String, Value> = serde_json::from_str(line)
            .map_err(|error| Error::Study(format!("{} line {}: {error}", log.display(), number + 1)))?;
        if !line.contains_key("components") {
            found.push(line);
        }
    }
    Ok(found)
}

/// One point of the curve over the steps.
fn point(line: &Map<String, Value>, key: &str) -> Value {
    let value = |name: &str| line.get(name).cloned().unwrap_or(Value::Null);
    json!({
        "step": value("step"),
        "epoch": value("epoch"),
        "value": value(key),
        "eval_loss": value("eval_loss"),
        "train_loss": value("train_loss"),
    })
}
