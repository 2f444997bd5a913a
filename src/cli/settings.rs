//! The settings of a run as a record: what `run.json` says, and what a resumed run must repeat.

use super::args::{Finetune, name};
use super::corpus::Corpus;
use super::{Error, output, resume};
use crate::checkpoint::{self, LoadReport};
use crate::data::TextEncoder;
use crate::model::ModelConfig;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Every flag that a number of the run depends on, by its name with underscores.
fn settings(args: &Finetune, config: &ModelConfig, total_steps: usize) -> Map<String, Value> {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let settings = json!({
        "model": args.model.dir.display().to_string(),
        "task": args.data.task,
        "data": text(&args.data.data),
        "train_file": text(&args.train_file),
        "validation_file": text(&args.data.validation_file),
        "text_column": args.data.text_column,
        "text_pair_column": args.data.text_pair_column,
        "label_column": args.data.label_column,
        "problem_type": args.problem_type.as_ref().map(name),
        "max_seq_length": args.data.max_seq_length,
        "max_train_samples": args.max_train_samples,
        "max_eval_samples": args.data.max_eval_samples,
        "clip": args.clip.to_string(),
        "learning_rate": args.learning_rate,
        "lr_scheduler_type": "linear",
        "num_train_epochs": args.num_train_epochs,
        "max_steps": args.max_steps,
        "total_steps": total_steps,
        "per_device_train_batch_size": args.per_device_train_batch_size,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "warmup_ratio": args.warmup_ratio,
        "weight_decay": args.weight_decay,
        "optimizer": name(&args.optimizer),
        "adam_beta1": args.adam_beta1,
        "adam_beta2": args.adam_beta2,
        "adam_epsilon": args.adam_epsilon,
        "hidden_dropout_prob": config.hidden_dropout_prob,
        "attention_probs_dropout_prob": config.attention_probs_dropout_prob,
        "classifier_dropout": config.head_dropout_prob(),
        "dtype": name(&args.dtype),
        "seed": args.seed,
        "init_seed": args.init_seed.unwrap_or(args.seed),
        "data_seed": args.data_seed.unwrap_or(args.seed),
        "dropout_seed": args.dropout_seed.unwrap_or(args.seed),
        "logging_steps": args.logging_steps,
        "eval_every": args.eval_every,
    });
    match settings {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

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
        "per_device_eval_batch_size": args.run.per_device_eval_batch_size,
        "save_steps": args.save_steps,
        "save_total_limit": args.save_total_limit,
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

/// Where to begin: a run is resumed only with the settings and files that it began with.
pub(super) fn start(args: &Finetune, output: &Path, record: &Map<String, Value>) -> Result<Start, Error> {
    let before = output.join(output::RUN);
    if !args.resume || !before.exists() {
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
    let last = resume::checkpoints(output)?.pop();
    Ok(last.map_or(Start::Fresh, |(_, path)| Start::From(path)))
}

/// Where two records of settings differ: `learning_rate: was 0.0001, now 0.00002`.
fn differences(was: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    let mut keys: Vec<&String> = was
        .keys()
        .chain(now.keys().filter(|key| !was.contains_key(*key)))
        .collect();
    keys.retain(|key| was.get(*key) != now.get(*key));
    let shown =
        |map: &Map<String, Value>, key: &String| map.get(key).map_or("absent".to_owned(), Value::to_string);
    keys.into_iter()
        .map(|key| format!("{key}: was {}, now {}", shown(was, key), shown(now, key)))
        .collect()
}

/// What the processor offers that `matrixmultiply` chooses its kernel by: bits are promised for one kernel.
fn cpu_features() -> Vec<&'static str> {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        let known = [
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("avx", std::arch::is_x86_feature_detected!("avx")),
        ];
        known
            .into_iter()
            .filter(|(_, there)| *there)
            .map(|(name, _)| name)
            .collect()
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_setting() {
        let map = |value: Value| value.as_object().cloned().unwrap_or_default();
        let was = map(json!({"a": 1, "b": 2.5, "c": null}));
        let now = map(json!({"a": 1, "b": 3.5, "d": "x"}));
        assert_eq!(
            differences(&was, &now),
            [
                "b: was 2.5, now 3.5",
                "c: was null, now absent",
                "d: was absent, now \"x\""
            ]
        );
        assert!(differences(&was, &was).is_empty());
    }
}
