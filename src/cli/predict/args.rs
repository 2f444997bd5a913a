//! The flags of `cwgnc predict`.

use crate::cli::args::{ColumnArgs, ModelArg, RunArgs};
use crate::cli::choice::Dtype;
use crate::data::FileKind;
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// Predict labels with their probabilities, for texts, a file, or a task's dev or test set.
///
/// Without flags one JSON object for each text. --format csv and tsv write a table that has the columns of the input, unchanged,
/// and after them those of the predictions; --keep-columns does the same with jsonl and table. The names of the predictions then
/// begin with predicted_ (--prefix), and a column of the input that has such a name already is an error.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  cwgnc predict --model runs/rte --text \"It rains.\" --text-pair \"The weather is dry.\"
  cwgnc predict --model runs/rte --file pairs.tsv --format table
  cwgnc predict --model runs/reviews --file reviews.csv --format csv --output predicted.csv
  sort -u lines.txt | cwgnc predict --model runs/reviews --file - --input-format txt --format tsv
  cwgnc predict --model runs/rte --task rte --data glue/RTE > predictions.jsonl
  cwgnc predict --model runs/rte --task rte --data glue/RTE --split test --output submission")]
pub(in crate::cli) struct Predict {
    #[command(flatten)]
    pub(super) model: ModelArg,
    /// A text
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["file", "task", "data"], help_heading = "Data")]
    pub(super) text: Option<String>,
    /// The second text of a pair
    #[arg(long, value_name = "TEXT", requires = "text", help_heading = "Data")]
    pub(super) text_pair: Option<String>,
    /// A file (.tsv, .csv, .jsonl) with text columns, labels are not needed; or plain text (.txt), one text a line; for a model
    /// of tags .jsonl with a list of words, .conll, or .txt with words between blanks; - for stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["task", "data"], help_heading = "Data")]
    pub(super) file: Option<PathBuf>,
    /// What --file is, whatever its extension; stdin has none
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        requires = "file",
        help_heading = "Data"
    )]
    pub(super) input_format: Option<InputFormat>,
    /// A GLUE task, for the dev set in --data, or a built-in task (builtin:NAME)
    #[arg(long, visible_alias = "task-name", value_name = "TASK", help_heading = "Data")]
    pub(super) task: Option<String>,
    /// The task's folder
    #[arg(long, value_name = "DIR", requires = "task", help_heading = "Data")]
    pub(super) data: Option<PathBuf>,
    /// The task's dev set, or its test set: without --format what GLUE's server takes (index and prediction, one file for each
    /// test file of the task)
    #[arg(long, value_enum, requires = "task", default_value_t = Split::Dev, help_heading = "Data")]
    pub(super) split: Split,
    #[command(flatten)]
    pub(super) columns: ColumnArgs,
    /// What to write [default: jsonl]
    #[arg(long, value_enum)]
    pub(super) format: Option<Format>,
    /// Write the columns of the input too; csv and tsv do so anyway
    #[arg(long)]
    pub(super) keep_columns: bool,
    /// What the names of the predictions begin with beside the columns of the input [default: predicted_]
    #[arg(long, value_name = "TEXT")]
    pub(super) prefix: Option<String>,
    /// Write to this file instead of stdout; of a test set, to the files of the submission in this folder
    #[arg(long, value_name = "PATH")]
    pub(super) output: Option<PathBuf>,
    /// The number type to compute in
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    pub(super) dtype: Dtype,
    /// No progress bar and no messages
    #[arg(long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

impl Predict {
    /// Whether the columns of the input are written too.
    pub(super) fn carries(&self) -> bool {
        self.keep_columns || matches!(self.format, Some(Format::Csv | Format::Tsv))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One JSON object a line
    Jsonl,
    /// Aligned columns, to look at
    Table,
    /// Comma-separated, quoted as RFC 4180 says
    Csv,
    /// Tab-separated, without quoting
    Tsv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum InputFormat {
    /// A header, cells between commas, quoted as RFC 4180 says
    Csv,
    /// A header, cells between tabs, no quoting
    Tsv,
    /// One JSON object a line
    Jsonl,
    /// One text a line
    Txt,
    /// A word a line, a blank line after each sentence, for a model of tags
    Conll,
}

impl InputFormat {
    pub(super) fn kind(self) -> FileKind {
        match self {
            Self::Csv => FileKind::Csv,
            Self::Tsv => FileKind::Tsv,
            Self::Jsonl => FileKind::JsonLines,
            Self::Txt => FileKind::PlainText,
            Self::Conll => FileKind::Conll,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Split {
    /// With labels, which are not read
    Dev,
    /// Without labels
    Test,
}
