//! What can be wrong with data, said so that the reader of the message can find the place.
//!
//! Messages are lower case and have no full stop; lines count from 1.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::task;
use super::wordpiece::VocabularyFault;

/// How many names a message lists before it says how many more there are.
const NAMES_SHOWN: usize = 20;

/// Anything wrong with a data file, a tokenizer, a length or a score.
#[derive(Debug)]
pub enum DataError {
    /// No GLUE task has this name.
    UnknownTask {
        /// The name as given.
        name: String,
    },
    /// A file could not be read.
    CannotRead {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
        /// What was expected there, or empty.
        note: String,
    },
    /// A file as a whole is not what it should be.
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        fault: FileFault,
    },
    /// One line of a file is not what it should be.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1; of a record that spans lines, its first.
        line: usize,
        /// What is wrong.
        fault: LineFault,
    },
    /// A length that the model or the tokenizer cannot serve.
    Length(LengthFault),
    /// The tokenizer refused a text.
    Encode {
        /// What the tokenizer said.
        reason: String,
    },
    /// A vocabulary that cannot be trained.
    Vocabulary(VocabularyFault),
    /// Predictions and targets that cannot be compared.
    Score(ScoreFault),
}

/// What is wrong with a file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// The extension is none of `.tsv`, `.csv`, `.jsonl`, `.json`.
    UnknownFormat,
    /// No bytes, or nothing but a byte-order mark.
    Empty,
    /// Nothing but blank lines.
    NoText,
    /// A header and no row.
    HeaderOnly,
    /// A column that was asked for is not there.
    MissingColumn {
        /// The column.
        column: String,
        /// The columns that are there.
        columns: Vec<String>,
        /// Who asked for it and what to do, or empty.
        note: String,
    },
    /// A column that was asked for is there more than once.
    RepeatedColumn {
        /// The column.
        column: String,
    },
    /// No column that can be text by guess.
    NoTextColumn {
        /// The label column.
        label: String,
        /// Columns that look like an index, an identifier or a date, or are blank.
        passed_over: Vec<String>,
    },
    /// Several columns that can be the text.
    ManyTextColumns {
        /// They.
        columns: Vec<String>,
    },
    /// One column for the text and the label.
    TextIsLabel {
        /// The column.
        column: String,
    },
    /// The first line is a sentence and not the names of columns.
    NoHeader {
        /// Its only column.
        first: String,
    },
    /// The columns seem to be separated by something else.
    Separator {
        /// What the header has.
        found: char,
        /// What the extension says.
        expected: &'static str,
    },
    /// A header in quotes where there is no quoting.
    QuotedHeader,
    /// A text column whose cells are all in quotes where there is no quoting.
    QuotedColumn {
        /// The column.
        column: String,
    },
    /// Nearly every row has a label of its own.
    LabelsOfTheirOwn {
        /// The label column.
        column: String,
        /// Different labels.
        classes: usize,
        /// Rows with a label.
        rows: usize,
    },
    /// Classification with fewer than two labels in the training file.
    OneLabel {
        /// The only label.
        label: String,
    },
    /// The folder has no tokenizer that this model can use.
    NoTokenizer {
        /// What is missing and what to do.
        reason: String,
    },
    /// A tokenizer file that cannot be used.
    Tokenizer {
        /// Why.
        reason: String,
    },
    /// Token ids beyond the word embedding.
    TooManyTokens {
        /// The largest id.
        largest: u32,
        /// Rows of the word embedding.
        rows: usize,
    },
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Too few or too many columns.
    Columns {
        /// Columns of this line.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// CSV quotes that do not follow RFC 4180.
    Quoting {
        /// Which rule is broken.
        rule: &'static str,
    },
    /// A line that is not a JSON object.
    Json {
        /// What the parser said.
        reason: String,
    },
    /// A JSON object without a text field, or with something else than text in it.
    NotText {
        /// The field.
        column: String,
        /// What is there: `nothing`, `null`, `a number`, …
        found: &'static str,
    },
    /// A label that is neither text, number nor truth value.
    NotALabel {
        /// The field.
        column: String,
        /// What is there.
        found: &'static str,
    },
    /// A JSON object that has a field twice.
    RepeatedField {
        /// The field.
        field: String,
    },
    /// The header once more, between the rows.
    RepeatedHeader,
    /// A quoted cell where there is no quoting.
    QuotedCell {
        /// The column.
        column: String,
    },
    /// A label that does not fit the others, where the kind of problem is to follow from them.
    Label {
        /// The label column.
        column: String,
        /// The label.
        label: String,
        /// In which way it does not fit.
        reason: String,
    },
    /// No label where one is needed.
    MissingLabel,
    /// A label that is not in the known set.
    UnknownLabel {
        /// The label.
        label: String,
        /// The known ones, in class order.
        known: Vec<String>,
    },
    /// A regression label that is not a number.
    NotANumber {
        /// The label.
        label: String,
    },
    /// A regression label that is infinite or not a number (`nan`).
    NotFinite {
        /// The label.
        label: String,
    },
    /// A vocabulary line that repeats an earlier one.
    RepeatedToken {
        /// The token.
        token: String,
        /// Where it stood first.
        first: usize,
    },
}

/// A length that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LengthFault {
    /// More tokens than the model has positions.
    BeyondPositions {
        /// Tokens asked for.
        max_tokens: usize,
        /// Tokens the model can take.
        limit: usize,
        /// Rows of the position embedding.
        rows: usize,
    },
    /// Too few tokens to hold the special ones.
    BelowSpecial {
        /// Tokens asked for.
        max_tokens: usize,
        /// Special tokens of this input.
        special: usize,
    },
    /// A token type beyond the token-type embedding.
    TokenType {
        /// The type.
        token_type: u32,
        /// Rows of the token-type embedding.
        rows: usize,
    },
}

/// Predictions and targets that cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoreFault {
    /// Nothing to score.
    Nothing,
    /// Different counts.
    Lengths {
        /// Predictions.
        predictions: usize,
        /// Targets.
        targets: usize,
    },
    /// Classes against values, or a metric of the other kind.
    Kinds {
        /// The metric's key.
        metric: &'static str,
        /// `classes` or `values`.
        needs: &'static str,
    },
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::CannotRead { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTask { name } => {
                write!(f, "unknown task `{name}`; ")?;
                if let Some(nearest) = task::nearest(name) {
                    write!(f, "did you mean `{nearest}`? ")?;
                }
                let known: Vec<&str> = task::TASKS.iter().map(|task| task.key).collect();
                write!(f, "known: {}", known.join(", "))
            }
            Self::CannotRead { path, error, note } => {
                write!(f, "cannot read {}: {error}", path.display())?;
                if note.is_empty() {
                    Ok(())
                } else {
                    write!(f, "; {note}")
                }
            }
            Self::File { path, fault } => write!(f, "{}: {fault}", path.display()),
            Self::Line { path, line, fault } => write!(f, "{} line {line}: {fault}", path.display()),
            Self::Length(fault) => fault.fmt(f),
            Self::Encode { reason } => write!(f, "the tokenizer refused a text: {reason}"),
            Self::Vocabulary(fault) => fault.fmt(f),
            Self::Score(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFormat => write!(f, "unknown kind of file; expected .tsv, .csv, .jsonl or .json"),
            Self::Empty => write!(f, "the file is empty"),
            Self::NoText => write!(f, "the file has nothing but blank lines"),
            Self::HeaderOnly => write!(f, "the file has a header and no rows"),
            Self::MissingColumn {
                column,
                columns,
                note,
            } => {
                write!(
                    f,
                    "no column `{column}`; the columns are {}{note}",
                    quoted(columns)
                )
            }
            Self::RepeatedColumn { column } => write!(f, "the header names column `{column}` twice"),
            Self::NoTextColumn { label, passed_over } if passed_over.is_empty() => {
                write!(f, "no text column beside the label column `{label}`")
            }
            Self::NoTextColumn { passed_over, .. } => write!(
                f,
                "no column is text for sure: {} (an index, an identifier, a date, numbers or blanks by name or content); \
                 name the text with --text-column",
                quoted(passed_over)
            ),
            Self::ManyTextColumns { columns } => write!(
                f,
                "several columns can be the text: {}; name it with --text-column, and the second of a pair with \
                 --text-pair-column",
                quoted(columns)
            ),
            Self::TextIsLabel { column } => write!(
                f,
                "column `{column}` cannot be both text and label; name others with --text-column and --label-column"
            ),
            Self::NoHeader { first } => write!(
                f,
                "the first line must name the columns, found the sentence `{first}`; a column of that name is named \
                 with --text-column"
            ),
            Self::Separator { found, expected } => write!(
                f,
                "the header is one column with `{}` in it; this kind of file separates columns with {expected}",
                found.escape_debug()
            ),
            Self::QuotedHeader => write!(
                f,
                "the header is in quotes, and a .tsv file has no quoting; write it without quotes, or as .csv with commas"
            ),
            Self::QuotedColumn { column } => write!(
                f,
                "every text of column `{column}` is in quotes, which are text in a .tsv file; write it without quotes, or \
                 as .csv with commas"
            ),
            Self::LabelsOfTheirOwn {
                column,
                classes,
                rows,
            } => write!(
                f,
                "column `{column}` has {classes} different labels in {rows} rows; name the label with --label-column, or \
                 give --problem-type if they are right"
            ),
            Self::OneLabel { label } => {
                write!(
                    f,
                    "every row has the label `{label}`; classification needs two or more"
                )
            }
            Self::NoTokenizer { reason } => write!(f, "no tokenizer: {reason}"),
            Self::Tokenizer { reason } => write!(f, "unusable tokenizer: {reason}"),
            Self::TooManyTokens { largest, rows } => write!(
                f,
                "tokenizer has ids up to {largest} but the word embedding has {rows} rows \
                 (vocab_size in config.json): tokenizer and model are not of one kind"
            ),
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => write!(f, "invalid UTF-8"),
            Self::Columns { found, expected } => {
                let noun = if *found == 1 { "column" } else { "columns" };
                write!(f, "{found} {noun}, expected {expected}")
            }
            Self::Quoting { rule } => write!(f, "bad CSV quoting: {rule}"),
            Self::Json { reason } => write!(f, "expected one JSON object a line: {reason}"),
            Self::NotText { column, found } => write!(f, "field `{column}` holds {found}, expected text"),
            Self::NotALabel { column, found } => {
                write!(
                    f,
                    "field `{column}` holds {found}, expected a label (text, number, true or false)"
                )
            }
            Self::RepeatedField { field } => write!(f, "field `{field}` is there twice"),
            Self::RepeatedHeader => write!(f, "the header comes again"),
            Self::QuotedCell { column } => write!(
                f,
                "column `{column}` has a cell in quotes with doubled quotes, and a .tsv file has no quoting; write it \
                 without quotes, or as .csv with commas"
            ),
            Self::Label {
                column,
                label,
                reason,
            } => write!(
                f,
                "label `{label}` in column `{column}` {reason}; correct the file, or give --problem-type \
                 classification or regression to take the labels as they are"
            ),
            Self::MissingLabel => write!(f, "no label"),
            Self::UnknownLabel { label, known } => {
                write!(f, "unknown label `{label}`; known: {}", quoted(known))
            }
            Self::NotANumber { label } => write!(f, "label `{label}` is not a number"),
            Self::NotFinite { label } => write!(f, "label `{label}` is not finite"),
            Self::RepeatedToken { token, first } => {
                write!(f, "token `{token}` is already on line {first}")
            }
        }
    }
}

impl fmt::Display for LengthFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondPositions {
                max_tokens,
                limit,
                rows,
            } => write!(
                f,
                "--max-seq-length {max_tokens} is more than the {limit} tokens this model can take \
                 (its position embedding has {rows} rows)"
            ),
            Self::BelowSpecial { max_tokens, special } => write!(
                f,
                "--max-seq-length {max_tokens} has no room for text beside the {special} special tokens"
            ),
            Self::TokenType { token_type, rows } => write!(
                f,
                "token type {token_type} is not in the model: its token-type embedding has {rows} \
                 {} (type_vocab_size in config.json)",
                if *rows == 1 { "row" } else { "rows" }
            ),
        }
    }
}

impl fmt::Display for ScoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "no examples to score"),
            Self::Lengths { predictions, targets } => {
                write!(f, "{predictions} predictions for {targets} targets")
            }
            Self::Kinds { metric, needs } => {
                write!(
                    f,
                    "metric `{metric}` needs {needs}, in predictions and targets alike"
                )
            }
        }
    }
}

/// The names in backquotes, the first [`NAMES_SHOWN`] of them.
fn quoted(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMES_SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    let list = shown.join(", ");
    match names.len().checked_sub(NAMES_SHOWN) {
        Some(more) if more > 0 => format!("{list} and {more} more"),
        _ => list,
    }
}
