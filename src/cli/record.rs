//! `run.json`: what a run was made of, and whether a run to be resumed is the same one.

use super::args::Finetune;
use super::corpus::Corpus;
use super::settings::{cpu_features, differences, settings};
use super::{Error, output, resume};
use crate::checkpoint::{self, LoadReport};
use crate::model::ModelConfig;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The contents of `run.json`.
pub(super) fn record(
    args: &Finetune,
    config: &ModelConfig,
    corpus: &Corpus,
    report: &LoadReport,
    total_steps: usize,
    threads: usize,
) -> Result<Map<String, Value>, Error> {
    let mut files = Map::new();
    for source in corpus.train.iter().chain(&corpus.dev) {
        let (path, hash) = source.fingerprint()?;
        files.insert(path, hash.into());
    }
    let model: Map<String, Value> = report
        .files
        .iter()
        .map(|file| (file.path.display().to_string(), file.hash.clone().into()))
        .collect();
    let record = json!({
        "cwgnc_version": env!("CARGO_PKG_VERSION"),
        "settings": settings(args, config, total_steps),
        "labels": config.labels,
        "model_files": model,
        "data_files": files,
        "tensors": {
            "taken": report.taken.len(),
            "renamed": report.renamed.len(),
            "ignored": report.ignored,
            "initialised": report.to_initialise,
        },
        "threads": threads,
        "cpu_features": cpu_features(),
    });
    Ok(record.as_object().cloned().unwrap_or_default())
}

/// The checkpoint to go on from, if the run is to be resumed and has one.
pub(super) fn last_checkpoint(
    args: &Finetune,
    output: &Path,
    record: &Map<String, Value>,
) -> Result<Option<PathBuf>, Error> {
    let before = output.join(output::RUN);
    if !args.resume || !before.exists() {
        return Ok(None);
    }
    let text = checkpoint::read(&before)?;
    let was: Value = serde_json::from_slice(&text)
        .map_err(|error| Error::Resume(format!("cannot resume: {}: {error}", before.display())))?;
    let mut changed = Vec::new();
    let empty = Map::new();
    for part in ["settings", "model_files", "data_files"] {
        let part = |record: &Value| record[part].as_object().unwrap_or(&empty).clone();
        changed.extend(differences(&part(&was), &part(&Value::Object(record.clone()))));
    }
    let version = was["cwgnc_version"].as_str().unwrap_or("unknown");
    if version != env!("CARGO_PKG_VERSION") {
        changed.push(format!(
            "cwgnc version: was {version}, now {}",
            env!("CARGO_PKG_VERSION")
        ));
    }
    if !changed.is_empty() {
        let list = changed.join("\n  ");
        return Err(Error::Usage(format!(
            "cannot resume {}: it is another run\n  {list}",
            output.display()
        )));
    }
    Ok(resume::checkpoints(output)?.pop().map(|(_, path)| path))
}
