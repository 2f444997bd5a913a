//! The shape of a model: the fields of Hugging Face's `config.json` that a BERT-family encoder needs.

pub use crate::nn::activation::Activation;

/// Which published architecture: they differ in position numbering, parameter names and head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `model_type: "bert"` (Devlin et al. 2019): positions count from 0; a pooler, then one linear classifier.
    Bert,
    /// `model_type: "roberta"` (Liu et al. 2019): positions count from `pad_token_id + 1`; a two-layer head, no pooler.
    Roberta,
}

impl Family {
    /// The value of `model_type` in `config.json`, and the prefix of the encoder's parameter names.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
        }
    }
}

/// What the head predicts, and with which loss (`problem_type`, or the architecture).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// `single_label_classification`: cross-entropy over the labels.
    Classification,
    /// `regression`: mean squared error.
    Regression,
    /// `multi_label_classification`: binary cross-entropy of every label by itself.
    MultiLabel,
    /// `architectures: ["…ForTokenClassification"]`: cross-entropy over the labels, of every token by itself.
    Tokens,
}

/// A model's shape and rates; field names are those of `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// `model_type`.
    pub family: Family,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width `h` of the residual stream.
    pub hidden_size: usize,
    /// Encoder layers.
    pub num_hidden_layers: usize,
    /// Attention heads `a`; `h` is divisible by `a`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// The feed-forward activation.
    pub hidden_act: Activation,
    /// Dropout probability on embeddings, attention output and feed-forward output, in `[0, 1)`.
    pub hidden_dropout_prob: f64,
    /// Dropout probability on attention probabilities, in `[0, 1)`.
    pub attention_probs_dropout_prob: f64,
    /// Dropout probability in the head, in `[0, 1)`; `None` means `hidden_dropout_prob`.
    pub classifier_dropout: Option<f64>,
    /// Rows of the position embedding (for `RoBERTa` this includes the `pad_token_id + 1` rows below the first position).
    pub max_position_embeddings: usize,
    /// Rows of the token-type embedding.
    pub type_vocab_size: usize,
    /// `ε` inside `LayerNorm`'s square root.
    pub layer_norm_eps: f64,
    /// Standard deviation of freshly initialised weights.
    pub initializer_range: f64,
    /// The padding token: its embedding row gets no gradient (as `torch.nn.Embedding(padding_idx)`).
    pub pad_token_id: u32,
    /// What the head predicts.
    pub problem: Problem,
    /// Names of the outputs, by index; its length is `num_labels`.
    pub labels: Vec<String>,
}

impl ModelConfig {
    /// The number of outputs of the head.
    pub fn num_labels(&self) -> usize {
        self.labels.len()
    }

    /// Whether the outputs are numbered and have no names of their own: `LABEL_0`, `LABEL_1`, …, as in a `config.json`
    /// without `id2label`.
    pub fn has_unnamed_labels(&self) -> bool {
        let numbered = |(i, name): (usize, &String)| *name == format!("LABEL_{i}");
        self.labels.iter().enumerate().all(numbered)
    }

    /// The most tokens a sequence may have (`max_position_embeddings`, less `RoBERTa`'s offset).
    pub fn max_tokens(&self) -> usize {
        match self.family {
            Family::Bert => self.max_position_embeddings,
            Family::Roberta => self
                .max_position_embeddings
                .saturating_sub(self.pad_token_id as usize + 1),
        }
    }

    /// Whether a model of this shape can be: every size at least 1 (there may be no layer), heads that share the width, dropout that leaves something,
    /// a padding token of the vocabulary, a position for a token.
    ///
    /// # Errors
    /// The first field that is wrong, its value, and what would be right.
    pub fn validate(&self) -> Result<(), String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
            ("num_labels", self.labels.len()),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(format!("`{name}` is 0; at least 1 is needed"));
        }
        let probabilities = [
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.head_dropout_prob()),
        ];
        if let Some((name, p)) = probabilities.iter().find(|(_, p)| !(0.0..1.0).contains(p)) {
            return Err(format!("`{name}` is {p}; from 0 to below 1 is right"));
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps.is_finite()) {
            return Err(format!(
                "`layer_norm_eps` is {}; a number above 0 is right",
                self.layer_norm_eps
            ));
        }
        let (h, heads) = (self.hidden_size, self.num_attention_heads);
        if !h.is_multiple_of(heads) {
            return Err(format!(
                "`hidden_size` {h} is not divisible by `num_attention_heads` {heads}"
            ));
        }
        let (pad, vocab) = (self.pad_token_id, self.vocab_size);
        if pad as usize >= vocab {
            return Err(format!("`pad_token_id` {pad} is not below `vocab_size` {vocab}"));
        }
        if self.max_tokens() == 0 {
            return Err(format!(
                "`max_position_embeddings` {} leaves no position for a token: with `pad_token_id` {pad} the first is {}",
                self.max_position_embeddings,
                u64::from(pad) + 1
            ));
        }
        Ok(())
    }

    /// The dropout probability of the head.
    pub fn head_dropout_prob(&self) -> f64 {
        self.classifier_dropout.unwrap_or(self.hidden_dropout_prob)
    }
}
