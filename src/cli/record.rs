//! `run.json`: what a run was made of, and whether a run to be resumed is the same one.

use super::args::Finetune;
use super::choice::name;
use super::corpus::Corpus;
use super::machine::cpu_features;
use super::settings::{differences, settings};
use super::{Error, output, resume};
use crate::checkpoint::{self, LoadReport};
use crate::data::TextEncoder;
use crate::gemm;
use crate::model::ModelConfig;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The contents of `run.json`.
pub(super) fn record(
    args: &Finetune,
    config: &ModelConfig,
    corpus: &Corpus,
    encoder: &TextEncoder,
    report: &LoadReport,
    total_steps: usize,
    threads: usize,
) -> Result<Map<String, Value>, Error> {
    let mut files = Map::new();
    for source in corpus.train.iter().chain(&corpus.dev) {
        let (path, hash) = source.fingerprint()?;
        files.insert(path, hash.into());
    }
    let dir = &args.model.dir;
    let in_folder = |name: &str, bytes: &[u8]| (dir.join(name), checkpoint::fnv1a64(bytes));
    let config_file = in_folder("config.json", &checkpoint::read(&dir.join("config.json"))?);
    let model: Map<String, Value> = std::iter::once(config_file)
        .chain(
            report
                .files
                .iter()
                .map(|file| (file.path.clone(), file.hash.clone())),
        )
        .chain(encoder.files().map(|(name, bytes)| in_folder(name, bytes)))
        .map(|(path, hash)| (path.display().to_string(), hash.into()))
        .collect();
    let builtin = args
        .data
        .task
        .as_deref()
        .and_then(|task| super::task::builtin(task).ok().flatten());
    let builtin = builtin.map(|choice| json!({"task": choice.task.name(), "seed": choice.seed}));
    let record = json!({
        "cwgnc_version": env!("CARGO_PKG_VERSION"),
        "settings": settings(args, config, total_steps),
        "labels": config.labels,
        "model_files": model,
        "data_files": files,
        "builtin": builtin,
        "tensors": {
            "taken": report.taken.len(),
            "renamed": report.renamed.len(),
            "ignored": report.ignored,
            "initialised": report.to_initialise,
        },
        "threads": threads,
        "per_device_eval_batch_size": args.run.per_device_eval_batch_size,
        "save_strategy": name(&args.save_strategy),
        "save_dtype": name(&args.save_dtype),
        "save_steps": args.save_steps,
        "save_total_limit": args.save_total_limit,
        "portable": gemm::is_portable(),
        "cpu_features": cpu_features(),
    });
    Ok(record.as_object().cloned().unwrap_or_default())
}

/// Where a run begins.
#[derive(Debug)]
pub(super) enum Start {
    /// At the first step.
    Fresh,
    /// After the step of this checkpoint.
    From(PathBuf),
    /// Nowhere: it has ended before.
    Finished,
}

/// Where to begin: a run is resumed only with the settings and files that it began with. Checkpoints before its last `keep`, which
/// it did not come to remove when it died, are removed.
pub(super) fn start(
    resume: bool,
    output: &Path,
    record: &Map<String, Value>,
    keep: usize,
) -> Result<Start, Error> {
    let before = output.join(output::RUN);
    if !resume || !before.exists() {
        return Ok(Start::Fresh);
    }
    let text = checkpoint::read(&before)?;
    let was: Value = serde_json::from_slice(&text)
        .map_err(|error| Error::Resume(format!("{}: not valid JSON: {error}", before.display())))?;
    let mut changed = Vec::new();
    let empty = Map::new();
    for part in ["settings", "model_files", "data_files"] {
        let part = |record: &Value| record[part].as_object().unwrap_or(&empty).clone();
        changed.extend(differences(&part(&was), &part(&Value::Object(record.clone()))));
    }
    // The rest of a run may not have other last digits than its beginning.
    let kind = |record: &Value| Map::from_iter([("portable".to_owned(), record["portable"].clone())]);
    changed.extend(differences(&kind(&was), &kind(&Value::Object(record.clone()))));
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
    if output.join(output::ALL).exists() {
        return Ok(Start::Finished);
    }
    Ok(resume::keep_last(output, keep)?.map_or(Start::Fresh, Start::From))
}
