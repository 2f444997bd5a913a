//! The flags, with the names that users of Hugging Face's `run_glue.py` know.

#![expect(clippy::doc_markdown, reason = "the documentation of a flag is its help text")]

use super::bench::Bench;
use super::choice::{Dtype, EvalStrategy, Optimizer, ProblemType, SaveDtype, SaveStrategy};
use super::clip::args::Clip;
use super::completions::Completions;
use super::first::First;
use super::loss::LossArgs;
use super::machine::VerifyMachine;
use super::number::{at_least_one, below_one, epochs, not_negative, positive, threads};
use super::oracle::args as oracle;
use super::patience::PatienceArgs;
use super::predict::args::Predict;
use super::pretrain::args::Pretrain;
use super::reading::LabelColumns;
use super::report::args as report;
use super::schedule::ScheduleArgs;
use super::stabilise::StabiliserArgs;
use super::study::args as study;
use crate::clip::ClipPolicy;
use clap::{Args as ClapArgs, Parser, Subcommand};
use std::path::PathBuf;

/// Fine-tune BERT and RoBERTa on a CPU with component-wise gradient norm clipping (CWGNC).
///
/// Without a command: a small study that needs no file, in about a minute, to see what this is for.
///
/// A model is a Hugging Face folder (config.json, model.safetensors, tokenizer.json or vocab.txt), or builtin:shallow, a
/// small encoder that this program carries. Results go to stdout, progress and messages to stderr. Exit code 0: done; 1: something failed; 2: the command line is wrong.
#[derive(Debug, Parser)]
#[command(
    name = "cwgnc",
    version,
    max_term_width = 110,
    args_conflicts_with_subcommands = true
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) first: First,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Finetune(Box<Finetune>),
    Pretrain(Box<Pretrain>),
    Eval(Eval),
    Predict(Predict),
    Inspect(Inspect),
    Clip(Box<Clip>),
    Report(report::Report),
    Study(Box<study::StudyArgs>),
    Tasks(Tasks),
    Bench(Bench),
    VerifyMachine(VerifyMachine),
    Cases(oracle::Cases),
    Check(Box<oracle::Check>),
    Identify(oracle::Identify),
    Explain(oracle::Explain),
    Expect(oracle::Expect),
    Pipe(oracle::Pipe),
    Answer(oracle::Answer),
    Completions(Completions),
}

/// Fine-tune a model on a task and write the model and an honest record.
///
/// Writes to the output folder: the model (config.json, model.safetensors, tokenizer), all_results.json and
/// eval_results.json as run_glue.py does, run.json (every setting, versions, hashes), and log.jsonl (loss, learning
/// rate, and for each parameter the gradient norm before clipping, the scale, whether it was clipped, and the
/// parameter's norm). The defaults are the CWGNC run of Yang and Ma (EMNLP 2022): batch 16, 3 epochs, 128 tokens,
/// learning rate 2e-5 falling linearly without warm-up, no weight decay, AdamW with bias correction, and clipping of
/// every parameter tensor by itself at 0.05.
#[derive(Debug, ClapArgs)]
#[command(
    allow_negative_numbers = true,
    after_help = "Examples:
  cwgnc finetune --model bert-tiny --task rte --data glue/RTE --learning-rate 1e-4
  cwgnc finetune --model bert-tiny --task builtin:entailment --learning-rate 1e-4
  cwgnc finetune --model bert-tiny --task mrpc --data glue/MRPC --clip global:1 --output runs/mrpc-global
  cwgnc finetune --model bert-tiny --train-file a.csv --validation-file b.csv --text-column review --label-column stars
  cwgnc finetune --model bert-tiny --train-file a.csv --validation-file b.csv --text-column review --label-columns price,taste,service"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Finetune {
    /// A TOML file with flags of this command as name = value (learning-rate = 1e-4); flags of the command line win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) model: ModelArg,
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// A file of your own to train on (.tsv, .csv, .jsonl) instead of --task and --data
    #[arg(long, value_name = "FILE", requires = "validation_file", conflicts_with_all = ["task", "data"], help_heading = "Data")]
    pub(super) train_file: Option<PathBuf>,
    /// What the labels of --train-file are [default: regression if they are numbers with a fraction, classification if they
    /// are words or integers, multi-label if they are lists or --label-columns, an error if they are of several kinds]
    #[arg(long, value_name = "TYPE", conflicts_with = "task", help_heading = "Data")]
    pub(super) problem_type: Option<ProblemType>,
    /// Use only the first N training examples
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Data")]
    pub(super) max_train_samples: Option<usize>,

    /// The folder to write to [default: runs/TASK-MODEL-CLIP-seedSEED]
    #[arg(
        long,
        visible_alias = "output-dir",
        value_name = "DIR",
        help_heading = "Output"
    )]
    pub(super) output: Option<PathBuf>,
    /// Replace what is in the output folder
    #[arg(long, visible_alias = "overwrite-output-dir", help_heading = "Output")]
    pub(super) overwrite: bool,
    /// Go on from the last checkpoint in the output folder; ends with the same bits as an undisturbed run
    #[arg(long, conflicts_with = "overwrite", help_heading = "Output")]
    pub(super) resume: bool,
    /// Write a checkpoint every N steps as well as after each epoch
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Output")]
    pub(super) save_steps: Option<usize>,
    /// Keep the last N checkpoints
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one, help_heading = "Output")]
    pub(super) save_total_limit: usize,
    /// When to write checkpoints and the model: after each epoch and at the end, or never
    #[arg(long, value_enum, default_value_t = SaveStrategy::Epoch, help_heading = "Output")]
    pub(super) save_strategy: SaveStrategy,
    /// The number type of the model file at the end; checkpoints are exact
    #[arg(long, value_enum, default_value_t = SaveDtype::F32, help_heading = "Output")]
    pub(super) save_dtype: SaveDtype,
    /// Log every N-th step, the first and the last
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one, help_heading = "Output")]
    pub(super) logging_steps: usize,
    /// Evaluate every N steps as well as at the end
    #[arg(long, visible_alias = "eval-steps", value_name = "N", value_parser = at_least_one, help_heading = "Output")]
    pub(super) eval_every: Option<usize>,
    /// Log at each evaluation how far every parameter has moved, from the start and from the evaluation before
    #[arg(long, help_heading = "Output")]
    pub(super) log_updates: bool,
    /// Evaluate after each epoch too, or at the end alone
    #[arg(long, value_enum, default_value_t = EvalStrategy::No, help_heading = "Output")]
    pub(super) eval_strategy: EvalStrategy,
    /// Print the results as JSON
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// No progress bar and no messages
    #[arg(long, help_heading = "Output")]
    pub(super) quiet: bool,

    /// Clipping policy: none, global:C, component:C (each named parameter by itself; CWGNC), or any other of
    /// docs/clipping.md, as in component:0.05@optax or agc:0.01
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "component:0.05",
        help_heading = "Training"
    )]
    pub(super) clip: ClipPolicy,
    /// Take only the shape and the tokenizer of --model, and fresh weights: what the task gives without pretraining
    #[arg(long, conflicts_with_all = ["reinit_layers", "reinit_pooler", "mixout", "weight_decay_to_pretrained"], help_heading = "Training")]
    pub(super) from_scratch: bool,
    /// A fresh head, although the model folder has one: for a model that was trained on another task
    #[arg(long, help_heading = "Training")]
    pub(super) fresh_head: bool,
    /// The highest learning rate
    #[arg(long, value_name = "LR", default_value = "2e-5", value_parser = not_negative, help_heading = "Training")]
    pub(super) learning_rate: f64,
    /// Passes over the training set; may be a fraction
    #[arg(long, visible_alias = "epochs", value_name = "N", default_value_t = 3.0, value_parser = epochs, help_heading = "Training")]
    pub(super) num_train_epochs: f64,
    /// Stop after N optimiser steps, whatever the epochs say; 0 writes the freshly initialised model
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) max_steps: Option<usize>,
    /// Examples that go through the model at once
    #[arg(long, visible_alias = "batch-size", value_name = "N", default_value_t = 16, value_parser = at_least_one, help_heading = "Training")]
    pub(super) per_device_train_batch_size: usize,
    /// Such batches for each optimiser step; the gradient is that of the mean loss over all of them, clipped once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one, help_heading = "Training")]
    pub(super) gradient_accumulation_steps: usize,
    #[command(flatten)]
    pub(super) schedule: ScheduleArgs,
    #[command(flatten)]
    pub(super) loss: LossArgs,
    #[command(flatten)]
    pub(super) patience: PatienceArgs,
    /// AdamW's decoupled weight decay, not applied to biases and LayerNorm
    #[arg(long, value_name = "DECAY", default_value_t = 0.0, value_parser = not_negative, help_heading = "Training")]
    pub(super) weight_decay: f64,
    /// Which published AdamW
    #[arg(long, value_enum, default_value_t = Optimizer::AdamwHf, help_heading = "Training")]
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
    /// Every dropout probability of the model [default: as config.json says]
    #[arg(long, value_name = "P", value_parser = below_one, help_heading = "Training")]
    pub(super) dropout: Option<f64>,
    /// The number type of the model
    #[arg(long, value_enum, default_value_t = Dtype::F32, help_heading = "Training")]
    pub(super) dtype: Dtype,

    /// Fixes initialisation, order and dropout
    #[arg(long, value_name = "SEED", default_value_t = 42, help_heading = "Chance")]
    pub(super) seed: u64,
    /// The seed of fresh weights alone [default: --seed]
    #[arg(long, value_name = "SEED", help_heading = "Chance")]
    pub(super) init_seed: Option<u64>,
    /// The seed of the examples' order alone [default: --seed]
    #[arg(long, value_name = "SEED", help_heading = "Chance")]
    pub(super) data_seed: Option<u64>,
    /// The seed of dropout alone [default: --seed]
    #[arg(long, value_name = "SEED", help_heading = "Chance")]
    pub(super) dropout_seed: Option<u64>,

    #[command(flatten)]
    pub(super) stabilise: StabiliserArgs,
    /// Compute activations again in the backward pass instead of keeping them: less memory, about a third more time, no number
    /// changes
    #[arg(long, visible_alias = "gradient-checkpointing", help_heading = "Machine")]
    pub(super) checkpoint_activations: bool,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

/// Evaluate a fine-tuned model on a labelled file.
#[derive(Debug, ClapArgs)]
pub(super) struct Eval {
    #[command(flatten)]
    pub(super) model: ModelArg,
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// The number type to compute in
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    pub(super) dtype: Dtype,
    /// Print the results as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// No progress bar and no messages
    #[arg(long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

/// List the built-in tasks, write one of them as files, or write text to pretrain on.
///
/// The tasks need no file: their sentences come from a grammar and a lexicon of this program, by a seed. cwgnc finetune, eval,
/// predict and study take their names as --task. The files that are written here (train.tsv and dev.tsv, tab-separated, with a
/// header) are the same sets for other programs, and for --train-file and --validation-file. The text is plain English from
/// the same grammar, one sentence a line and a blank line between paragraphs; no sentence of it is in a development set
/// of seed 0. docs/tasks.md describes what each task asks.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  cwgnc tasks
  cwgnc tasks builtin:paraphrase --output paraphrase
  cwgnc tasks builtin:paraphrase --seed 7 --output paraphrase-7     the sets that --task builtin:paraphrase@7 names
  cwgnc tasks text --sentences 500000 --seed 1 --output text.txt")]
pub(super) struct Tasks {
    /// The task to write, as in builtin:entailment, or `text` [default: none, list the tasks]
    #[arg(value_name = "WHAT")]
    pub(super) what: Option<String>,
    /// The folder for a task's files, or the file for the text [default for text: stdout]
    #[arg(long, short, value_name = "PATH")]
    pub(super) output: Option<PathBuf>,
    /// The seed of the sets or of the text [default: 0]
    #[arg(long, value_name = "SEED")]
    pub(super) seed: Option<u64>,
    /// How many sentences of text [default: 1000]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(super) sentences: Option<usize>,
}

/// Show a model folder: its shape, its components with their sizes and norms, and what a fine-tuning would initialise.
#[derive(Debug, ClapArgs)]
pub(super) struct Inspect {
    /// The model folder, or builtin:shallow
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ModelArg {
    /// The model folder, or builtin:shallow
    #[arg(
        long = "model",
        visible_alias = "model-name-or-path",
        value_name = "DIR",
        help_heading = "Data"
    )]
    pub(super) dir: PathBuf,
}

/// Labelled data: a GLUE task with its folder, a built-in task, or a file.
#[derive(Debug, ClapArgs)]
pub(super) struct DataArgs {
    /// cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte or wnli, with --data; or a task that needs no file: builtin:acceptability,
    /// builtin:entailment, builtin:paraphrase or builtin:similarity (@7 after the name: the data set of seed 7)
    #[arg(long, visible_alias = "task-name", value_name = "TASK", help_heading = "Data")]
    pub(super) task: Option<String>,
    /// The task's folder, in GLUE's layout (train.tsv, dev.tsv)
    #[arg(long, value_name = "DIR", requires = "task", help_heading = "Data")]
    pub(super) data: Option<PathBuf>,
    /// A file of your own to evaluate on (.tsv, .csv, .jsonl)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["task", "data"], help_heading = "Data")]
    pub(super) validation_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) columns: ColumnArgs,
    /// Use only the first N examples to evaluate on
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Data")]
    pub(super) max_eval_samples: Option<usize>,
}

/// Which columns of a file are read, and how much of a text.
#[derive(Debug, ClapArgs)]
pub(super) struct ColumnArgs {
    /// The column with the text; eval and predict take that of the training [default: a well-known pair such as sentence1 and sentence2,
    /// or the only column that can be text]
    #[arg(long, value_name = "NAME", conflicts_with = "task", help_heading = "Data")]
    pub(super) text_column: Option<String>,
    /// The column with the second text of a pair [default: see --text-column]
    #[arg(long, value_name = "NAME", requires = "text_column", help_heading = "Data")]
    pub(super) text_pair_column: Option<String>,
    /// The column with the label; eval takes that of the training, predict does not read it [default: label]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(super) label_column: Option<String>,
    /// Columns of 0 and 1, each of the label that it is named after: a row has any number of labels (multi-label); eval takes
    /// those of the training
    #[arg(long, value_name = "A,B", conflicts_with_all = ["task", "label_column"], help_heading = "Data")]
    pub(super) label_columns: Option<LabelColumns>,
    /// Cut texts to this many tokens; eval and predict take the number of the training [default: 128, or as many as the model can take]
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub(super) max_seq_length: Option<usize>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RunArgs {
    /// Examples that go through the model at once where nothing is learned
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = at_least_one, help_heading = "Machine")]
    pub(super) per_device_eval_batch_size: usize,
    /// Threads [default: RAYON_NUM_THREADS, or one for each core]; no number changes with it
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Machine")]
    pub(super) threads: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Args::command().debug_assert();
    }
}
