//! What can be wrong with data, said so that the reader of the message can find the place.
//!
//! Messages are lower case and have no full stop; lines count from 1.

use std::io;
use std::path::PathBuf;

use super::wordpiece::VocabularyFault;

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
    /// The extension is none of `.tsv`, `.csv`, `.jsonl`, `.json`, `.conll`.
    UnknownFormat,
    /// Nothing says what kind of file it is that is to be predicted.
    UnknownInput,
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
    /// Columns that hold 0 and 1 are not those of the labels.
    LabelColumns {
        /// The columns.
        columns: Vec<String>,
        /// The labels.
        labels: Vec<String>,
    },
    /// Words with tags are wanted, and this kind of file, or what was asked of it, holds none.
    NotTagged,
    /// A file of words and tags where texts with labels are wanted.
    OnlyTagged,
    /// Several columns that can be the tags.
    ManyTagColumns {
        /// They.
        columns: Vec<String>,
    },
    /// Several labels a row, and no row of the training file has one.
    NoLabels,
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
    /// A row of a task's test file whose index is no whole number, or that of another row.
    Index {
        /// The index.
        index: String,
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
    /// A field without the list of words or of tags.
    NotAList {
        /// The field.
        column: String,
        /// What is there.
        found: &'static str,
    },
    /// A sentence without words.
    NoWords,
    /// A line without a word or without a tag.
    EmptyCell,
    /// Another number of tags than of words.
    TagCount {
        /// Words.
        words: usize,
        /// Tags.
        tags: usize,
    },
    /// A list where a row has one label.
    LabelIsList,
    /// No list where a row has any number of labels.
    LabelIsNoList {
        /// What is there.
        label: String,
    },
    /// A label twice in one row.
    RepeatedLabel {
        /// The label.
        label: String,
    },
    /// A column of a label that holds something else than 0 and 1.
    NotZeroOrOne {
        /// The column.
        column: String,
        /// What is there, or nothing.
        found: String,
    },
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
