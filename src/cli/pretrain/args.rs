//! The flags of `cwgnc pretrain`, with the names that users of Hugging Face's `run_mlm.py` know.

#![expect(clippy::doc_markdown, reason = "the documentation of a flag is its help text")]

use crate::cli::args::RunArgs;
use crate::cli::choice::{Dtype, Optimizer, SaveDtype};
use crate::cli::number::{at_least_one, below_one, not_negative, positive, ratio, share};
use crate::clip::ClipPolicy;
use clap::Args;
use std::path::PathBuf;

/// Pretrain a BERT encoder on plain text: masked language modelling, from fresh weights or from a model folder.
///
/// Trains a WordPiece vocabulary on the text as well, unless it is given one. Writes to the output folder: the model as
/// transformers' BertForMaskedLM (config.json, model.safetensors, vocab.txt, tokenizer_config.json), which cwgnc finetune
/// --model takes; run.json, log.jsonl, all_results.json and curve.svg. No file depends on the clock or on the number of
/// threads. docs/pretraining.md says what is computed.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Examples:
  cwgnc pretrain --train-file a.txt b.txt --output tiny --max-steps 2000
  cwgnc pretrain --train-file more.txt --model tiny --output tiny-more --max-steps 500
  cwgnc finetune --model tiny --task rte --data glue/RTE"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct Pretrain {
    /// Plain text files: a sentence a line, a blank line after each paragraph
    #[arg(long, value_name = "FILE", num_args = 1.., required = true, help_heading = "Data")]
    pub(super) train_file: Vec<PathBuf>,
    /// Plain text files to evaluate on, in place of a share of the paragraphs
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = "Data")]
    pub(super) validation_file: Vec<PathBuf>,
    /// The share of the paragraphs, chosen by a hash of their text, that is held out to evaluate on
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = below_one, conflicts_with = "validation_file", help_heading = "Data")]
    pub(super) validation_share: f64,
    /// Tokens of a sequence at most, special ones included
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one, help_heading = "Data")]
    pub(super) max_seq_length: usize,
    /// The share of tokens that are to be guessed
    #[arg(long, value_name = "P", default_value_t = 0.15, value_parser = share, help_heading = "Data")]
    pub(super) mlm_probability: f64,
    /// Choose words to be guessed, not tokens
    #[arg(long, help_heading = "Data")]
    pub(super) whole_word_masking: bool,

    /// A folder whose tokenizer to use (tokenizer.json or vocab.txt) instead of training one
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "model",
        help_heading = "Vocabulary"
    )]
    pub(super) tokenizer: Option<PathBuf>,
    /// Pieces of the vocabulary at most [default: 8000]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with_all = ["tokenizer", "model"], help_heading = "Vocabulary")]
    pub(super) vocab_size: Option<usize>,
    /// Make a piece of a pair that the text has at least N times [default: 2]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with_all = ["tokenizer", "model"], help_heading = "Vocabulary")]
    pub(super) min_frequency: Option<usize>,
    /// Know the N most frequent characters; words with others are [UNK] [default: 1000]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with_all = ["tokenizer", "model"], help_heading = "Vocabulary")]
    pub(super) limit_alphabet: Option<usize>,
    /// Keep upper case and accents
    #[arg(long, conflicts_with_all = ["tokenizer", "model"], help_heading = "Vocabulary")]
    pub(super) cased: bool,

    /// Go on from a BERT folder, with its tokenizer, instead of fresh weights
    #[arg(
        long,
        visible_alias = "model-name-or-path",
        value_name = "DIR",
        help_heading = "Model"
    )]
    pub(super) model: Option<PathBuf>,
    /// Width of a token's vector [default: 128]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "model", help_heading = "Model")]
    pub(super) hidden_size: Option<usize>,
    /// Encoder layers [default: 2]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "model", help_heading = "Model")]
    pub(super) num_hidden_layers: Option<usize>,
    /// Attention heads; they divide the hidden size [default: 2]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "model", help_heading = "Model")]
    pub(super) num_attention_heads: Option<usize>,
    /// Width of the feed-forward layers [default: 4 times the hidden size]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "model", help_heading = "Model")]
    pub(super) intermediate_size: Option<usize>,
    /// Positions that the model can take [default: --max-seq-length]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "model", help_heading = "Model")]
    pub(super) max_position_embeddings: Option<usize>,
    /// Every dropout probability of the model [default: 0.1, or as the model's config.json says]
    #[arg(long, value_name = "P", value_parser = below_one, help_heading = "Model")]
    pub(super) dropout: Option<f64>,

    /// The folder to write to
    #[arg(
        long,
        visible_alias = "output-dir",
        value_name = "DIR",
        help_heading = "Output"
    )]
    pub(super) output: PathBuf,
    /// Replace what is in the output folder
    #[arg(long, visible_alias = "overwrite-output-dir", help_heading = "Output")]
    pub(super) overwrite: bool,
    /// Go on from the last checkpoint in the output folder; ends with the same bits as an undisturbed run
    #[arg(long, conflicts_with = "overwrite", help_heading = "Output")]
    pub(super) resume: bool,
    /// Write a checkpoint every N steps
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = at_least_one, help_heading = "Output")]
    pub(super) save_steps: usize,
    /// Keep the last N checkpoints
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one, help_heading = "Output")]
    pub(super) save_total_limit: usize,
    /// The number type of the model file at the end; checkpoints are exact
    #[arg(long, value_enum, default_value_t = SaveDtype::F32, help_heading = "Output")]
    pub(super) save_dtype: SaveDtype,
    /// Log every N-th step, the first and the last
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one, help_heading = "Output")]
    pub(super) logging_steps: usize,
    /// Evaluate every N steps as well as at the end [default: a tenth of the steps]
    #[arg(long, visible_alias = "eval-steps", value_name = "N", value_parser = at_least_one, help_heading = "Output")]
    pub(super) eval_every: Option<usize>,
    /// Print the results as JSON
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// No progress bar and no messages
    #[arg(long, help_heading = "Output")]
    pub(super) quiet: bool,

    /// Clipping policy: none, global:C, component:C (each named parameter by itself; CWGNC), or any other of
    /// docs/clipping.md
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "global:1",
        help_heading = "Training"
    )]
    pub(super) clip: ClipPolicy,
    /// The highest learning rate
    #[arg(long, value_name = "LR", default_value = "5e-4", value_parser = not_negative, help_heading = "Training")]
    pub(super) learning_rate: f64,
    /// Passes over the text; may be a fraction
    #[arg(long, visible_alias = "epochs", value_name = "N", default_value_t = 3.0, value_parser = not_negative, help_heading = "Training")]
    pub(super) num_train_epochs: f64,
    /// Stop after N optimiser steps, whatever the epochs say
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Training")]
    pub(super) max_steps: Option<usize>,
    /// Sequences that go through the model at once
    #[arg(long, visible_alias = "batch-size", value_name = "N", default_value_t = 64, value_parser = at_least_one, help_heading = "Training")]
    pub(super) per_device_train_batch_size: usize,
    /// Such batches for each optimiser step; the gradient is that of the mean loss over all their masked tokens, clipped once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one, help_heading = "Training")]
    pub(super) gradient_accumulation_steps: usize,
    /// The share of all steps over which the learning rate rises to its highest value; it falls to 0 from there
    #[arg(long, value_name = "RATIO", default_value_t = 0.1, value_parser = ratio, help_heading = "Training")]
    pub(super) warmup_ratio: f64,
    /// AdamW's decoupled weight decay, not applied to biases and LayerNorm
    #[arg(long, value_name = "DECAY", default_value_t = 0.01, value_parser = not_negative, help_heading = "Training")]
    pub(super) weight_decay: f64,
    /// Which published AdamW
    #[arg(long, value_enum, default_value_t = Optimizer::AdamwTorch, help_heading = "Training")]
    pub(super) optimizer: Optimizer,
    /// AdamW's decay of the mean
    #[arg(long, value_name = "BETA", default_value_t = 0.9, value_parser = below_one, help_heading = "Training")]
    pub(super) adam_beta1: f64,
    /// AdamW's decay of the mean square
    #[arg(long, value_name = "BETA", default_value_t = 0.999, value_parser = below_one, help_heading = "Training")]
    pub(super) adam_beta2: f64,
    /// AdamW's epsilon
    #[arg(long, value_name = "EPS", default_value = "1e-8", value_parser = positive, help_heading = "Training")]
    pub(super) adam_epsilon: f64,
    /// The number type of the model in training
    #[arg(long, value_enum, default_value_t = Dtype::F32, help_heading = "Training")]
    pub(super) dtype: Dtype,
    /// Fixes fresh weights, the order of the text, masking and dropout
    #[arg(long, value_name = "SEED", default_value_t = 42, help_heading = "Chance")]
    pub(super) seed: u64,

    /// Compute activations again in the backward pass instead of keeping them: less memory, about a third more time, no number
    /// changes
    #[arg(long, visible_alias = "gradient-checkpointing", help_heading = "Machine")]
    pub(super) checkpoint_activations: bool,
    #[command(flatten)]
    pub(super) run: RunArgs,
}
