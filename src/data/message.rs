//! The words of [`DataError`], lower case and without a full stop.

use std::fmt;

use super::error::{DataError, FileFault, LengthFault, LineFault, ScoreFault};
use super::task;

/// How many names a message lists before it says how many more there are.
const NAMES_SHOWN: usize = 20;

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
            Self::UnknownInput => write!(
                f,
                "unknown kind of file; expected .tsv, .csv, .jsonl, .json or .txt, or --input-format"
            ),
            Self::Empty => write!(f, "the file is empty"),
            Self::NoText => write!(f, "the file has nothing but blank lines"),
            Self::HeaderOnly => write!(f, "the file has a header and no rows"),
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
            Self::NotTagged => write!(
                f,
                "token classification reads a list of words and one of tags a row (.jsonl, .json: `tokens` and `ner_tags`), or \
                 a word and its tag a line (.conll)"
            ),
            Self::OnlyTagged => write!(
                f,
                "a .conll file has a tag for each word; --problem-type token-classification, and a model of it, take such files"
            ),
            Self::NoLabels => write!(
                f,
                "no row has a label; a list of labels is written as [\"a\", \"b\"], and one row at least needs a label"
            ),
            Self::NoTokenizer { reason } => write!(f, "no tokenizer: {reason}"),
            Self::Tokenizer { reason } => write!(f, "unusable tokenizer: {reason}"),
            Self::TooManyTokens { largest, rows } => write!(
                f,
                "tokenizer has ids up to {largest} but the word embedding has {rows} rows \
                 (vocab_size in config.json): tokenizer and model are not of one kind"
            ),
            about_columns => columns(about_columns, f),
        }
    }
}

/// The words of the faults about columns that are not there or not sure.
fn columns(fault: &FileFault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match fault {
        FileFault::MissingColumn {
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
        FileFault::ManyTagColumns { columns } => write!(
            f,
            "several columns can be the tags: {}; name one with --label-column",
            quoted(columns)
        ),
        FileFault::LabelColumns { columns, labels } => write!(
            f,
            "the label columns are {}, and the labels {}; each label has one column of its name",
            quoted(columns),
            quoted(labels)
        ),
        FileFault::RepeatedColumn { column } => write!(f, "the header names column `{column}` twice"),
        FileFault::NoTextColumn { label, passed_over } if passed_over.is_empty() => {
            write!(f, "no text column beside the label column `{label}`")
        }
        FileFault::NoTextColumn { passed_over, .. } => write!(
            f,
            "no column is text for sure: {} (an index, an identifier, a date, numbers or blanks by name or content); \
             name the text with --text-column",
            quoted(passed_over)
        ),
        FileFault::ManyTextColumns { columns } => write!(
            f,
            "several columns can be the text: {}; name it with --text-column, and the second of a pair with \
             --text-pair-column",
            quoted(columns)
        ),
        FileFault::TextIsLabel { column } => write!(
            f,
            "column `{column}` cannot be both text and label; name others with --text-column and --label-column"
        ),
        _ => Ok(()),
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
            Self::Index { index } => write!(f, "index `{index}` is not a whole number that no other row has"),
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
            about_lists => lists(about_lists, f),
        }
    }
}

/// The words of the faults about lists of labels, words and tags.
fn lists(fault: &LineFault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match fault {
        LineFault::NotAList { column, found } => {
            write!(
                f,
                "field `{column}` holds {found}, expected a list of words or tags"
            )
        }
        LineFault::NoWords => write!(f, "a sentence without words"),
        LineFault::EmptyCell => write!(f, "a word or a tag is missing"),
        LineFault::TagCount { words, tags } => {
            let noun = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
            write!(
                f,
                "{} and {}; each word has one tag",
                noun(*words, "word"),
                noun(*tags, "tag")
            )
        }
        LineFault::LabelIsList => write!(
            f,
            "a list of labels where one label is expected; --problem-type multi-label takes a list in every row"
        ),
        LineFault::LabelIsNoList { label } => write!(
            f,
            "`{label}` is no list of labels; they are written as [\"a\", \"b\"], none as [], or as columns of 0 and 1 \
             that --label-columns names"
        ),
        LineFault::RepeatedLabel { label } => write!(f, "label `{label}` is there twice in one row"),
        LineFault::NotZeroOrOne { column, found } if found.is_empty() => {
            write!(f, "label column `{column}` holds nothing; 0 or 1 is right")
        }
        LineFault::NotZeroOrOne { column, found } => {
            write!(f, "label column `{column}` holds `{found}`; 0 or 1 is right")
        }
        _ => Ok(()),
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
