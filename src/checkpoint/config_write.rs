//! [`ModelConfig`] to `config.json`, such that `AutoModelForSequenceClassification` reads it back.

use super::config::{ACTIVATIONS, PROBLEMS, model_config};
use super::config_fields::Fields;
use super::{CheckpointError, file};
use crate::model::{Family, ModelConfig};
use crate::real::Real;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Keys of a base that no longer hold once the model has been trained on: `id2label` supersedes the counts, and the
/// task may be another one.
const STALE: [&str; 3] = ["num_labels", "_num_labels", "finetuning_task"];

/// Writes `config.json` of a model folder whose tensors are of type `T`.
///
/// Keys of `base` (the [`FolderConfig::raw`](super::FolderConfig) of the model that training began from, or an empty
/// map) that this crate does not know are kept, in their order.
///
/// # Errors
/// [`CheckpointError`] if the file cannot be written, or if reading it back would not give `config` again: then
/// nothing is written.
pub fn write_config<T: Real>(
    dir: &Path,
    config: &ModelConfig,
    base: &Map<String, Value>,
) -> Result<(), CheckpointError> {
    let path = dir.join("config.json");
    let raw = object::<T>(config, base);
    if model_config(Fields {
        path: &path,
        raw: &raw,
    })? != *config
    {
        let problem = "the configuration would read back as another one".to_owned();
        return Err(CheckpointError::Config { path, problem });
    }
    file::write_atomic(&path, |out| {
        serde_json::to_writer_pretty(&mut *out, &raw)?;
        out.write_all(b"\n")
    })
}

/// The object to write: `base` with the model's own keys on top.
fn object<T: Real>(config: &ModelConfig, base: &Map<String, Value>) -> Map<String, Value> {
    let mut raw = base.clone();
    // `remove` would move the last key into the gap.
    raw.retain(|key, _| !STALE.contains(&key.as_str()));
    let architecture = match config.family {
        Family::Bert => "BertForSequenceClassification",
        Family::Roberta => "RobertaForSequenceClassification",
    };
    let id2label: Map<String, Value> = config
        .labels
        .iter()
        .enumerate()
        .map(|(i, label)| (i.to_string(), json!(label)))
        .collect();
    let label2id: Map<String, Value> = config
        .labels
        .iter()
        .enumerate()
        .map(|(i, label)| (label.clone(), json!(i)))
        .collect();
    let own = [
        ("architectures", json!([architecture])),
        ("model_type", json!(config.family.model_type())),
        ("vocab_size", json!(config.vocab_size)),
        ("hidden_size", json!(config.hidden_size)),
        ("num_hidden_layers", json!(config.num_hidden_layers)),
        ("num_attention_heads", json!(config.num_attention_heads)),
        ("intermediate_size", json!(config.intermediate_size)),
        ("hidden_act", json!(activation_name(config, base))),
        ("hidden_dropout_prob", json!(config.hidden_dropout_prob)),
        (
            "attention_probs_dropout_prob",
            json!(config.attention_probs_dropout_prob),
        ),
        ("classifier_dropout", json!(config.classifier_dropout)),
        ("max_position_embeddings", json!(config.max_position_embeddings)),
        ("type_vocab_size", json!(config.type_vocab_size)),
        ("layer_norm_eps", json!(config.layer_norm_eps)),
        ("initializer_range", json!(config.initializer_range)),
        ("pad_token_id", json!(config.pad_token_id)),
        ("id2label", Value::Object(id2label)),
        ("label2id", Value::Object(label2id)),
        (
            "problem_type",
            json!(
                PROBLEMS
                    .iter()
                    .find(|(_, p)| *p == config.problem)
                    .map(|(name, _)| name)
            ),
        ),
        ("dtype", json!(T::NAME)),
    ];
    for (key, value) in own {
        raw.insert(key.to_owned(), value);
    }
    // The older name of `dtype`: left stale, it would decide the type in older readers.
    if let Some(dtype) = raw.get_mut("torch_dtype") {
        *dtype = json!(T::NAME);
    }
    raw
}

/// The base's spelling where it means the same function, else this crate's.
fn activation_name<'a>(config: &ModelConfig, base: &'a Map<String, Value>) -> Option<&'a str> {
    let same = |name: &str| ACTIVATIONS.contains(&(name, config.hidden_act));
    base.get("hidden_act")
        .and_then(Value::as_str)
        .filter(|name| same(name))
        .or_else(|| ACTIVATIONS.iter().map(|(name, _)| *name).find(|name| same(name)))
}
