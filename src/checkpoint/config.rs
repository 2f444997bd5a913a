//! `config.json` to [`ModelConfig`]: what this crate can be is read, everything else is refused by name.
//!
//! Keys that are absent take the defaults of Hugging Face's `BertConfig` and `RobertaConfig`, but the five sizes that
//! make a model (`vocab_size`, `hidden_size`, `num_hidden_layers`, `num_attention_heads`, `intermediate_size`) must be
//! there: a forgotten size must not turn into a BERT-base.

use super::config_fields::Fields;
use super::{CheckpointError, file, json};
use crate::model::{Activation, Family, ModelConfig, Problem};
use serde_json::{Map, Value};
use std::path::Path;

/// More parameters than any published encoder of these families has; a larger request is a damaged file.
const MOST_PARAMETERS: u128 = 100_000_000_000;

/// Ten times the deepest transformers that have been published.
const MOST_LAYERS: usize = 10_000;

/// Fresh weights of a larger deviation overflow in the first layers.
const LARGEST_RANGE: f64 = 1000.0;

/// The names of `hidden_act` with what they mean; the first name of each activation is the one to write.
pub(super) const ACTIVATIONS: [(&str, Activation); 7] = [
    ("gelu", Activation::Gelu),
    ("gelu_python", Activation::Gelu),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("relu", Activation::Relu),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
];

/// The names of `problem_type` with what they mean.
pub(super) const PROBLEMS: [(&str, Problem); 3] = [
    ("single_label_classification", Problem::Classification),
    ("regression", Problem::Regression),
    ("multi_label_classification", Problem::MultiLabel),
];

const FAMILIES: [(&str, Family); 2] = [("bert", Family::Bert), ("roberta", Family::Roberta)];

/// A folder's configuration: what the model needs, and the whole object it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct FolderConfig {
    /// The fields that shape the model.
    pub config: ModelConfig,
    /// Every key of the file, in its order, so that saving keeps the keys this crate does not know.
    pub raw: Map<String, Value>,
}

/// Reads `config.json` of a model folder.
///
/// # Errors
/// [`CheckpointError`] if the file cannot be read, is not a JSON object, or describes a model that is not supported
/// here; the text names the key, its value and what would be right.
pub fn read_config(dir: &Path) -> Result<FolderConfig, CheckpointError> {
    let path = dir.join("config.json");
    let bytes = file::read(&path).map_err(|error| match error {
        CheckpointError::Read { source, .. }
            if source.kind() == std::io::ErrorKind::NotFound
                && !dir.exists()
                && !dir.to_string_lossy().starts_with("builtin:") =>
        {
            let path = dir.to_owned();
            CheckpointError::NoFolder { path }
        }
        error => error,
    })?;
    let raw = json::object(&path, &bytes)?;
    let config = model_config(Fields {
        path: &path,
        raw: &raw,
    })?;
    Ok(FolderConfig { config, raw })
}

/// The model that the fields describe.
pub(super) fn model_config(fields: Fields<'_>) -> Result<ModelConfig, CheckpointError> {
    let family = match fields.text("model_type")? {
        None => return fields.refuse("`model_type` is missing; supported: bert, roberta".to_owned()),
        Some(name) => named(fields, "model_type", name, &FAMILIES)?,
    };
    refuse_other_computations(fields)?;
    let labels = labels(fields)?;
    let config = ModelConfig {
        family,
        vocab_size: fields.size("vocab_size")?,
        hidden_size: fields.size("hidden_size")?,
        num_hidden_layers: fields.size("num_hidden_layers")?,
        num_attention_heads: fields.size("num_attention_heads")?,
        intermediate_size: fields.size("intermediate_size")?,
        hidden_act: named(
            fields,
            "hidden_act",
            fields.text("hidden_act")?.unwrap_or("gelu"),
            &ACTIVATIONS,
        )?,
        hidden_dropout_prob: fields.dropout_or("hidden_dropout_prob", 0.1)?,
        attention_probs_dropout_prob: fields.dropout_or("attention_probs_dropout_prob", 0.1)?,
        classifier_dropout: fields.dropout("classifier_dropout")?,
        max_position_embeddings: fields.size_or("max_position_embeddings", 512)?,
        type_vocab_size: fields.size_or("type_vocab_size", 2)?,
        layer_norm_eps: fields.positive_or("layer_norm_eps", 1e-12)?,
        initializer_range: fields.positive_or("initializer_range", 0.02)?,
        pad_token_id: fields.token_or("pad_token_id", default_pad(family))?,
        problem: problem(fields, labels.len())?,
        labels,
    };
    check_together(fields, &config)?;
    Ok(config)
}

fn default_pad(family: Family) -> u32 {
    match family {
        Family::Bert => 0,
        Family::Roberta => 1,
    }
}

/// The meaning of `name`, out of a table that is also the list of what is supported.
fn named<M: Copy>(
    fields: Fields<'_>,
    key: &str,
    name: &str,
    table: &[(&str, M)],
) -> Result<M, CheckpointError> {
    if let Some((_, meaning)) = table.iter().find(|(known, _)| *known == name) {
        return Ok(*meaning);
    }
    let known: Vec<&str> = table.iter().map(|(known, _)| *known).collect();
    fields.refuse(format!(
        "{key} `{name}` is not supported; supported: {}",
        known.join(", ")
    ))
}

/// Refuses keys that make Hugging Face compute something else than this crate would from the same weights.
fn refuse_other_computations(fields: Fields<'_>) -> Result<(), CheckpointError> {
    if let Some(kind) = fields.text("position_embedding_type")? {
        named(fields, "position_embedding_type", kind, &[("absolute", ())])?;
    }
    for key in ["is_decoder", "add_cross_attention"] {
        if fields.switch(key)? {
            return fields.refuse(format!("`{key}` is true, but only encoders are supported"));
        }
    }
    if fields.get("quantization_config").is_some() {
        return fields
            .refuse("`quantization_config` is set, but quantised weights are not supported".to_owned());
    }
    Ok(())
}

/// The names of the outputs: `id2label`, else `num_labels` default names, else two of them.
fn labels(fields: Fields<'_>) -> Result<Vec<String>, CheckpointError> {
    let count = match fields.get("num_labels") {
        None => None,
        Some(_) => Some(fields.size("num_labels")?),
    };
    let Some(map) = fields.object("id2label")? else {
        let count = count.unwrap_or(2);
        if count > 1 << 20 {
            return fields.refuse(format!("`num_labels` is {count}, more than 1048576"));
        }
        return Ok((0..count).map(|i| format!("LABEL_{i}")).collect());
    };
    if let Some(count) = count
        && count != map.len()
    {
        return fields.refuse(format!(
            "`num_labels` is {count}, but `id2label` names {}",
            map.len()
        ));
    }
    if map.is_empty() {
        return fields.refuse("`id2label` must name at least one label".to_owned());
    }
    let mut labels: Vec<String> = Vec::with_capacity(map.len());
    let mut seen = std::collections::HashSet::new();
    for i in 0..map.len() {
        match map.get(&i.to_string()) {
            None => {
                let last = map.len() - 1;
                return fields.refuse(format!(
                    "`id2label` must have the keys 0 to {last}, but lacks {i}"
                ));
            }
            Some(Value::String(label)) if seen.insert(label) => labels.push(label.clone()),
            Some(Value::String(label)) => {
                return fields.refuse(format!("`id2label` gives the label `{label}` twice"));
            }
            Some(other) => {
                let found = json::shown(other);
                return fields.refuse(format!("`id2label` must map to strings, found {found} at {i}"));
            }
        }
    }
    Ok(labels)
}

/// Token classification by the architecture, whose `problem_type` says nothing; else `problem_type`. Where it is not set,
/// one output means regression, as in Hugging Face's forward.
fn problem(fields: Fields<'_>, num_labels: usize) -> Result<Problem, CheckpointError> {
    if is_of_tokens(fields) {
        return Ok(Problem::Tokens);
    }
    let problem = match fields.text("problem_type")? {
        Some(name) => named(fields, "problem_type", name, &PROBLEMS)?,
        None if num_labels == 1 => Problem::Regression,
        None => Problem::Classification,
    };
    if problem == Problem::Classification && num_labels < 2 {
        return fields
            .refuse("problem_type `single_label_classification` needs at least 2 labels".to_owned());
    }
    Ok(problem)
}

/// Whether `architectures` names a head on every token.
fn is_of_tokens(fields: Fields<'_>) -> bool {
    let names = fields.get("architectures").and_then(Value::as_array);
    let mut names = names.into_iter().flatten().filter_map(Value::as_str);
    names.any(|name| name.ends_with("ForTokenClassification"))
}

/// Conditions between fields.
fn check_together(fields: Fields<'_>, config: &ModelConfig) -> Result<(), CheckpointError> {
    if let Err(problem) = config.validate() {
        return fields.refuse(problem);
    }
    if config.num_hidden_layers > MOST_LAYERS {
        let layers = config.num_hidden_layers;
        return fields.refuse(format!(
            "`num_hidden_layers` is {layers}, more than {MOST_LAYERS}"
        ));
    }
    if config.initializer_range > LARGEST_RANGE {
        let range = config.initializer_range;
        return fields.refuse(format!(
            "`initializer_range` is {range:e}, a standard deviation of more than {LARGEST_RANGE}"
        ));
    }
    let parameters = large_parameters(config);
    if parameters > MOST_PARAMETERS {
        return fields.refuse(format!(
            "the sizes ask for {parameters} parameters, more than {MOST_PARAMETERS}"
        ));
    }
    Ok(())
}

/// The elements of the large matrices of an encoder: embeddings, then four `[h, h]` and two `[h, i]` in each layer.
pub(super) fn large_parameters(config: &ModelConfig) -> u128 {
    let [h, i, layers] = [
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
    ]
    .map(|n| n as u128);
    let rows = [
        config.vocab_size,
        config.max_position_embeddings,
        config.type_vocab_size,
    ];
    rows.iter().map(|&n| n as u128 * h).sum::<u128>() + layers * (4 * h * h + 2 * h * i)
}
