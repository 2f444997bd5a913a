//! [`ModelConfig`] to `config.json`, such that transformers reads it back as the model that was saved.

use super::config::{ACTIVATIONS, PROBLEMS, model_config};
use super::config_fields::Fields;
use super::{CheckpointError, file};
use crate::model::{Family, ModelConfig, Problem};
use crate::real::Real;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Keys of a base that no longer hold once the model has been trained on: `id2label` supersedes the counts, and the
/// task may be another one.
const STALE: [&str; 3] = ["num_labels", "_num_labels", "finetuning_task"];

/// Which of transformers' models a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    /// `BertForSequenceClassification`, `RobertaForSequenceClassification`, and their `…ForTokenClassification`.
    SequenceClassification,
    /// `BertForMaskedLM`: no labels of its own.
    MaskedLm,
}

/// Writes `config.json` of a classifier's folder whose tensors are of type `T`.
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
    write(dir, config, base, Architecture::SequenceClassification, T::NAME)
}

/// [`write_config`] for a model of either kind whose tensors are of the type `dtype`.
pub(super) fn write(
    dir: &Path,
    config: &ModelConfig,
    base: &Map<String, Value>,
    architecture: Architecture,
    dtype: &str,
) -> Result<(), CheckpointError> {
    let path = dir.join("config.json");
    let raw = match architecture {
        Architecture::SequenceClassification => classifier(config, base, dtype),
        Architecture::MaskedLm => masked_lm(config, base, dtype),
    };
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

/// The object of a classifier: `base` with the model's own keys on top.
fn classifier(config: &ModelConfig, base: &Map<String, Value>, dtype: &str) -> Map<String, Value> {
    let mut raw = base.clone();
    // `remove` would move the last key into the gap.
    raw.retain(|key, _| !STALE.contains(&key.as_str()));
    let architecture = match (config.family, config.problem) {
        (Family::Bert, Problem::Tokens) => "BertForTokenClassification",
        (Family::Roberta, Problem::Tokens) => "RobertaForTokenClassification",
        (Family::Bert, _) => "BertForSequenceClassification",
        (Family::Roberta, _) => "RobertaForSequenceClassification",
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
    raw.insert("architectures".to_owned(), json!([architecture]));
    encoder(&mut raw, config);
    raw.insert("id2label".to_owned(), Value::Object(id2label));
    raw.insert("label2id".to_owned(), Value::Object(label2id));
    match PROBLEMS.iter().find(|(_, p)| *p == config.problem) {
        Some((name, _)) => {
            raw.insert("problem_type".to_owned(), json!(name));
        }
        // The architecture says it.
        None => raw.retain(|key, _| key != "problem_type"),
    }
    number_type(&mut raw, dtype);
    raw
}

/// The object of a masked language model; what `base` says of labels stays, for it is nobody's here.
fn masked_lm(config: &ModelConfig, base: &Map<String, Value>, dtype: &str) -> Map<String, Value> {
    let mut raw = base.clone();
    raw.insert("architectures".to_owned(), json!(["BertForMaskedLM"]));
    encoder(&mut raw, config);
    raw.insert("tie_word_embeddings".to_owned(), json!(true));
    number_type(&mut raw, dtype);
    raw
}

/// The keys that shape the encoder.
fn encoder(raw: &mut Map<String, Value>, config: &ModelConfig) {
    let activation = activation_name(config, raw).map(str::to_owned);
    let own = [
        ("model_type", json!(config.family.model_type())),
        ("vocab_size", json!(config.vocab_size)),
        ("hidden_size", json!(config.hidden_size)),
        ("num_hidden_layers", json!(config.num_hidden_layers)),
        ("num_attention_heads", json!(config.num_attention_heads)),
        ("intermediate_size", json!(config.intermediate_size)),
        ("hidden_act", json!(activation)),
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
    ];
    for (key, value) in own {
        raw.insert(key.to_owned(), value);
    }
}

/// The type of the tensors.
fn number_type(raw: &mut Map<String, Value>, dtype: &str) {
    raw.insert("dtype".to_owned(), json!(dtype));
    // The older name of `dtype`: left stale, it would decide the type in older readers.
    if let Some(older) = raw.get_mut("torch_dtype") {
        *older = json!(dtype);
    }
}

/// The base's spelling where it means the same function, else this crate's.
fn activation_name<'a>(config: &ModelConfig, base: &'a Map<String, Value>) -> Option<&'a str> {
    let same = |name: &str| ACTIVATIONS.contains(&(name, config.hidden_act));
    base.get("hidden_act")
        .and_then(Value::as_str)
        .filter(|name| same(name))
        .or_else(|| ACTIVATIONS.iter().map(|(name, _)| *name).find(|name| same(name)))
}
