//! Names of tensors: old spellings to today's, and which part of the model a name belongs to.
//!
//! Both are functions of the name alone, so a rename is never a second try after a failed lookup.

use crate::model::Family;

/// Parts of the encoder, as files saved from a bare encoder begin with them.
const BARE: [&str; 3] = ["embeddings.", "encoder.", "pooler."];

/// Heads of other tasks: next sentences and question answering.
const OTHER_HEADS: [&str; 2] = ["cls.", "qa_outputs."];

/// The head of masked language modelling, of BERT and of RoBERTa: looked for before [`OTHER_HEADS`].
const PREDICTIONS: [&str; 2] = ["cls.predictions.", "lm_head."];

/// What a tied output layer shares, where a file writes it out: the name there, and whose values it must have.
const TIED: [(&str, &str); 2] = [
    (
        "cls.predictions.decoder.weight",
        "bert.embeddings.word_embeddings.weight",
    ),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
];

/// Index buffers that some versions saved along with the weights.
const BUFFERS: [&str; 2] = ["embeddings.position_ids", "embeddings.token_type_ids"];

/// Which part of a model a tensor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Embeddings and layers: never missing, never left over.
    Encoder,
    /// The layer after the first token; pre-trained files may lack it.
    Pooler,
    /// What fine-tuning trains for its task.
    Head,
    /// The head of masked language modelling.
    Predictions,
    /// Known, and of no model here.
    Unused,
    /// Nothing that is known here.
    Other,
}

/// Today's spelling: `LayerNorm.weight` for `LayerNorm.gamma`, `bert.encoder.…` for `encoder.…`.
pub(super) fn target(family: Family, name: &str) -> String {
    let prefix = if BARE.iter().any(|part| name.starts_with(part)) {
        format!("{}.", family.model_type())
    } else {
        String::new()
    };
    let (stem, leaf) = [("gamma", "weight"), ("beta", "bias")]
        .into_iter()
        .find_map(|(old, new)| {
            let stem = name.strip_suffix(old)?;
            stem.ends_with("LayerNorm.").then_some((stem, new))
        })
        .unwrap_or((name, ""));
    format!("{prefix}{stem}{leaf}")
}

/// The part that a name (in today's spelling) belongs to.
pub(super) fn part(family: Family, name: &str) -> Part {
    let inner = name
        .strip_prefix(family.model_type())
        .and_then(|rest| rest.strip_prefix('.'));
    match inner {
        Some(inner) if BUFFERS.contains(&inner) => Part::Unused,
        Some(inner) if inner.starts_with("pooler.") => Part::Pooler,
        Some(_) => Part::Encoder,
        None if PREDICTIONS.iter().any(|head| name.starts_with(head)) => Part::Predictions,
        None if OTHER_HEADS.iter().any(|head| name.starts_with(head)) => Part::Unused,
        None if name.starts_with("classifier.") => Part::Head,
        None => Part::Other,
    }
}

/// The tensor that this one is only another name of.
pub(super) fn tied_to(name: &str) -> Option<&'static str> {
    TIED.iter().find(|(tied, _)| *tied == name).map(|(_, to)| *to)
}

/// Whether this is the layer whose first extent is the number of labels.
pub(super) fn is_output_layer(family: Family, name: &str) -> bool {
    match family {
        Family::Bert => matches!(name, "classifier.weight" | "classifier.bias"),
        // The second pair is the head on every token.
        Family::Roberta => matches!(
            name,
            "classifier.out_proj.weight"
                | "classifier.out_proj.bias"
                | "classifier.weight"
                | "classifier.bias"
        ),
    }
}
