//! Files of sentences in words, each with a tag: JSON lines with two lists, and text with a word and its tag a line.
//!
//! * `.jsonl`, `.json`: a list of words in the column `tokens` and a list of tags, texts or numbers, in `ner_tags`, `tags` or
//!   `labels`, or in columns that are named.
//! * `.conll`: columns between tabs or blanks, the word first and its tag last; a blank line after each sentence. Lines
//!   that begin with `-DOCSTART-` are passed over, as `datasets` does it.
//! * `.txt`, to predict alone: a sentence a line, its words between blanks.
//!
//! A tag `-100` is none: the word does not count, as in transformers.

use serde_json::{Map, Value};

use super::columns::FoundColumns;
use super::error::{DataError, FileFault, LineFault};
use super::input::{FileKind, UserFile};
use super::jsonl;
use super::label::{Written, text_of};
use super::read::{Labels, Row, Rows};
use super::source::Source;
use super::tsv;
use super::user::{LABEL, TextColumns, UserColumns};

/// The column of words, unless another is named.
pub(super) const TOKENS: &str = "tokens";

/// The columns of tags, of which a file has one.
const TAGS: [&str; 3] = ["ner_tags", "tags", "labels"];

/// What a tag of a file of words and tags is called in what is said of it.
const TAG: &str = "tags";

/// Whether a file can be nothing else: words and tags a line, or JSON lines with a list of words and one of tags.
pub(super) fn is_tagged(file: &UserFile, columns: &UserColumns) -> bool {
    match file.kind {
        FileKind::Conll => true,
        FileKind::JsonLines => jsonl::objects(&file.source)
            .next()
            .and_then(Result::ok)
            .is_some_and(|(_, object)| {
                let is_list = |name: &str| matches!(object.get(name), Some(Value::Array(_)));
                let has_text = object
                    .iter()
                    .any(|(name, value)| name != "id" && value.is_string());
                // A text and lists of words and labels are texts with any number of labels.
                let labels = !has_text && (is_list(TAGS[2]) || is_list(&columns.label));
                is_list(words_column(columns)) && (is_list(TAGS[0]) || is_list(TAGS[1]) || labels)
            }),
        _ => false,
    }
}

fn words_column(columns: &UserColumns) -> &str {
    match &columns.texts {
        TextColumns::One(name) | TextColumns::Two(name, _) => name,
        TextColumns::Detect => TOKENS,
    }
}

/// The columns that are used and the sentences of a file.
///
/// # Errors
/// [`DataError`] with file and line: a kind of file that holds no lists, a column that is not there, no list, another number
/// of tags than of words, a sentence without words.
pub(super) fn read(
    file: &UserFile,
    columns: &UserColumns,
    presence: Labels,
) -> Result<(FoundColumns, Rows), DataError> {
    let source = &file.source;
    if matches!(columns.texts, TextColumns::Two(..)) || !columns.label_columns.is_empty() {
        return Err(source.fault(FileFault::NotTagged));
    }
    match file.kind {
        FileKind::JsonLines => json(source, columns, presence),
        FileKind::Conll => Ok((found(TOKENS, Some(TAG), Vec::new()), conll(source, presence)?)),
        FileKind::PlainText => {
            let lines = tsv::lines(&source.text).enumerate();
            let row = |(index, line): (usize, &str)| {
                row(
                    index + 1,
                    line.split_whitespace().map(str::to_owned).collect(),
                    None,
                )
            };
            let rows = lines.map(row).collect();
            Ok((found(TOKENS, None, Vec::new()), of(rows)))
        }
        FileKind::Csv | FileKind::Tsv => Err(source.fault(FileFault::NotTagged)),
    }
}

fn of(rows: Vec<Row>) -> Rows {
    let skipped_lines = 0;
    Rows { rows, skipped_lines }
}

fn found(words: &str, tags: Option<&str>, others: Vec<String>) -> FoundColumns {
    FoundColumns {
        text_a: words.to_owned(),
        text_b: None,
        label: tags.map(str::to_owned),
        label_columns: Vec::new(),
        others,
    }
}

fn row(line: usize, words: Vec<String>, tags: Option<Vec<String>>) -> Row {
    Row {
        line,
        text_a: words.join(" "),
        text_b: None,
        words,
        label: tags.map(Written::List),
    }
}

fn json(source: &Source, columns: &UserColumns, presence: Labels) -> Result<(FoundColumns, Rows), DataError> {
    let objects: Vec<jsonl::Object> = jsonl::objects(source).collect::<Result<_, _>>()?;
    if objects.is_empty() {
        return Err(source.fault(FileFault::Empty));
    }
    let header = jsonl::fields(&objects);
    let words = words_column(columns).to_owned();
    let tags = tags_column(source, columns, &header)?.filter(|_| presence != Labels::Ignored);
    let missing = |column: &str| {
        source.fault(FileFault::MissingColumn {
            column: column.to_owned(),
            columns: header.clone(),
            note: columns.note.clone(),
        })
    };
    if !header.contains(&words) {
        return Err(missing(&words));
    }
    if tags.is_none() && presence == Labels::Required {
        let named = columns.label != LABEL;
        return Err(missing(if named { &columns.label } else { TAGS[0] }));
    }
    let mut rows = Vec::new();
    for (line, object) in &objects {
        let sentence = || {
            let texts = list(object, &words, |value| value.as_str().map(str::to_owned))?;
            let texts = texts.ok_or_else(|| not_a_list(&words, "nothing"))?;
            let tags = tags
                .as_ref()
                .map(|column| list(object, column, text_of))
                .transpose()?;
            check(texts, tags.flatten(), *line, presence)
        };
        rows.push(sentence().map_err(|fault| source.line_fault(*line, fault))?);
    }
    let is_other = |name: &&String| **name != words && Some(*name) != tags.as_ref();
    let others = header.iter().filter(is_other).cloned().collect();
    Ok((found(&words, tags.as_deref(), others), of(rows)))
}

/// The column of tags: the one named, else the one of the known names that is there.
fn tags_column(
    source: &Source,
    columns: &UserColumns,
    header: &[String],
) -> Result<Option<String>, DataError> {
    if columns.label != LABEL || header.contains(&columns.label) {
        return Ok(Some(columns.label.clone()).filter(|name| header.contains(name)));
    }
    let mut there = header
        .iter()
        .filter(|name| TAGS.contains(&name.as_str()))
        .cloned();
    match (there.next(), there.next()) {
        (Some(first), Some(second)) => {
            let columns = vec![first, second];
            Err(source.fault(FileFault::ManyTagColumns { columns }))
        }
        (only, _) => Ok(only),
    }
}

/// The list in a field; `None` where there is none.
fn list(
    object: &Map<String, Value>,
    column: &str,
    item: impl Fn(&Value) -> Option<String>,
) -> Result<Option<Vec<String>>, LineFault> {
    match object.get(column) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(values)) => {
            let items: Option<Vec<String>> = values.iter().map(item).collect();
            let items = items.ok_or_else(|| not_a_list(column, "a list with something else"))?;
            Ok(Some(items))
        }
        other => Err(not_a_list(column, jsonl::kind(other))),
    }
}

fn not_a_list(column: &str, found: &'static str) -> LineFault {
    LineFault::NotAList {
        column: column.to_owned(),
        found,
    }
}

/// A sentence has words, and as many tags if it has tags.
fn check(
    words: Vec<String>,
    tags: Option<Vec<String>>,
    line: usize,
    presence: Labels,
) -> Result<Row, LineFault> {
    if words.is_empty() && presence != Labels::Ignored {
        return Err(LineFault::NoWords);
    }
    match &tags {
        Some(tags) if tags.len() != words.len() => Err(LineFault::TagCount {
            words: words.len(),
            tags: tags.len(),
        }),
        _ => Ok(row(line, words, tags)),
    }
}

/// A word and its tag a line; to predict, the word alone is enough.
fn conll(source: &Source, presence: Labels) -> Result<Rows, DataError> {
    let mut rows = Vec::new();
    let (mut begin, mut words, mut tags) = (1, Vec::new(), Vec::new());
    let mut width = None;
    let mut end = |begin: usize, words: &mut Vec<String>, tags: &mut Vec<String>| {
        if !words.is_empty() {
            let tags = std::mem::take(tags);
            let tags = (presence != Labels::Ignored).then_some(tags);
            rows.push(row(begin, std::mem::take(words), tags));
        }
    };
    for (index, line) in tsv::lines(&source.text).enumerate() {
        if line.trim().is_empty() {
            end(begin, &mut words, &mut tags);
            continue;
        }
        if line.starts_with("-DOCSTART-") {
            continue;
        }
        let cells: Vec<&str> = if line.contains('\t') {
            line.split('\t').map(str::trim).collect()
        } else {
            line.split_whitespace().collect()
        };
        let fault = |fault| Err(source.line_fault(index + 1, fault));
        let expected = *width.get_or_insert(cells.len());
        if cells.len() != expected || cells.len() < 2 && presence != Labels::Ignored {
            let (found, expected) = (cells.len(), expected.max(2));
            return fault(LineFault::Columns { found, expected });
        }
        let (word, tag) = (cells[0], cells[cells.len() - 1]);
        if word.is_empty() || tag.is_empty() {
            return fault(LineFault::EmptyCell);
        }
        if words.is_empty() {
            begin = index + 1;
        }
        words.push(word.to_owned());
        tags.push(tag.to_owned());
    }
    end(begin, &mut words, &mut tags);
    Ok(of(rows))
}
