//! `run.json` of a pretraining, the lines of its evaluations, and its results. No clock and no number of threads.

use super::args::Pretrain;
use super::inputs::{Inputs, wordpiece_settings};
use crate::checkpoint;
use crate::cli::Error;
use crate::cli::choice::name;
use crate::cli::machine::cpu_features;
use crate::cli::output::TrainingTotals;
use crate::gemm;
use crate::real::Real;
use crate::train::FillScores;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// The contents of `run.json`.
pub(super) fn record<T: Real>(
    args: &Pretrain,
    inputs: &Inputs<T>,
    total_steps: usize,
    eval_every: usize,
) -> Result<Map<String, Value>, Error> {
    let hash = |path: PathBuf| -> Result<(String, Value), Error> {
        let hash = checkpoint::fnv1a64(&checkpoint::read(&path)?);
        Ok((path.display().to_string(), hash.into()))
    };
    let data = args.train_file.iter().chain(&args.validation_file);
    let data: Map<String, Value> = data.map(|path| hash(path.clone())).collect::<Result<_, _>>()?;
    let mut model: Map<String, Value> = inputs
        .report
        .iter()
        .flat_map(|report| &report.files)
        .map(|file| (file.path.display().to_string(), file.hash.clone().into()))
        .collect();
    if let Some(dir) = &args.model {
        model.extend([hash(dir.join("config.json"))?]);
    }
    let tokenizer: Map<String, Value> = inputs
        .encoder
        .files()
        .map(|(name, bytes)| (name.to_owned(), checkpoint::fnv1a64(bytes).into()))
        .collect();
    model.extend(tokenizer);
    let initialised = inputs.report.as_ref().map(|report| &report.to_initialise);
    let record = json!({
        "cwgnc_version": env!("CARGO_PKG_VERSION"),
        "command": "pretrain",
        "settings": settings(args, inputs, total_steps, eval_every),
        "model_files": model,
        "data_files": data,
        "train_sequences": inputs.train.sequences.len(),
        "train_tokens": inputs.train.tokens(),
        "eval_sequences": inputs.held_out.sequences.len(),
        "initialised": initialised,
        "save_steps": args.save_steps,
        "save_total_limit": args.save_total_limit,
        "portable": gemm::is_portable(),
        "cpu_features": cpu_features(),
    });
    Ok(record.as_object().cloned().unwrap_or_default())
}

/// Every flag that a number of the run depends on, by its name with underscores.
fn settings<T: Real>(
    args: &Pretrain,
    inputs: &Inputs<T>,
    total_steps: usize,
    eval_every: usize,
) -> Map<String, Value> {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let list = |paths: &[PathBuf]| -> Vec<String> { paths.iter().map(|p| p.display().to_string()).collect() };
    let config = &inputs.config;
    let trained = args.tokenizer.is_none() && args.model.is_none();
    let pieces = trained.then(|| wordpiece_settings(args));
    let settings = json!({
        "train_file": list(&args.train_file),
        "validation_file": list(&args.validation_file),
        "validation_share": args.validation_file.is_empty().then_some(args.validation_share),
        "max_seq_length": args.max_seq_length,
        "mlm_probability": args.mlm_probability,
        "whole_word_masking": args.whole_word_masking,
        "tokenizer": text(&args.tokenizer),
        "model": text(&args.model),
        "vocab_size_limit": pieces.map(|p| p.vocab_size),
        "min_frequency": pieces.map(|p| p.min_frequency),
        "limit_alphabet": pieces.map(|p| p.limit_alphabet),
        "cased": args.cased,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "hidden_dropout_prob": config.hidden_dropout_prob,
        "attention_probs_dropout_prob": config.attention_probs_dropout_prob,
        "save_dtype": name(&args.save_dtype),
        "clip": args.clip.to_string(),
        "learning_rate": args.learning_rate,
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
        "dtype": name(&args.dtype),
        "seed": args.seed,
        "logging_steps": args.logging_steps,
        "eval_every": eval_every,
    });
    settings.as_object().cloned().unwrap_or_default()
}

/// What an evaluation found, by the names of the log and of `all_results.json`.
fn values(scores: FillScores) -> [(&'static str, f64); 3] {
    [
        ("eval_loss", scores.loss),
        ("perplexity", scores.perplexity()),
        ("eval_accuracy", scores.accuracy),
    ]
}

/// `eval_loss = 5.1234`, name by name.
pub(super) fn shown(scores: FillScores) -> Vec<String> {
    let values = values(scores).into_iter();
    values
        .map(|(name, value)| format!("{name} = {value:.4}"))
        .collect()
}

/// The log's line of an evaluation; `train_loss` is the mean loss of all steps before it.
pub(super) fn eval_line(totals: &TrainingTotals, epoch: f64, scores: FillScores) -> Value {
    let mut line = Map::new();
    line.insert("step".to_owned(), totals.all_steps.into());
    line.insert("epoch".to_owned(), epoch.into());
    line.insert("train_loss".to_owned(), totals.mean_loss().into());
    line.extend(values(scores).map(|(name, value)| (name.to_owned(), value.into())));
    Value::Object(line)
}

/// The contents of `all_results.json`.
pub(super) fn results(
    totals: &TrainingTotals,
    epoch: f64,
    samples: (usize, usize),
    scores: FillScores,
) -> Map<String, Value> {
    let mut results = Map::new();
    results.insert("epoch".to_owned(), epoch.into());
    results.extend(values(scores).map(|(name, value)| (name.to_owned(), value.into())));
    results.insert("eval_masked_tokens".to_owned(), scores.positions.into());
    results.insert("eval_samples".to_owned(), samples.1.into());
    results.insert("train_loss".to_owned(), totals.mean_loss().into());
    results.insert("train_samples".to_owned(), samples.0.into());
    results.insert("train_steps".to_owned(), totals.all_steps.into());
    results
}
