//! Which columns of a user's file hold the texts, where nobody has said so.
//!
//! A column is taken without a flag only if nothing else could be meant. A well-known pair of names (those of GLUE, or
//! their usual spellings) is taken in the pair's order, not the file's. Otherwise there must be exactly one column that
//! can be text: not the label, not called like an index, an identifier or a date, and not filled with numbers, dates or
//! codes. Two such columns are an error that names the flags.

use super::error::{DataError, FileFault};
use super::source::Source;
use super::user::{TextColumns, UserColumns};

/// Pairs that are taken by their names alone, in any case: the columns of GLUE's files and of the data set `glue`, and
/// the names that converters of such pairs give.
const PAIRS: [[&str; 2]; 8] = [
    ["sentence1", "sentence2"],
    ["premise", "hypothesis"],
    ["question", "sentence"],
    ["question1", "question2"],
    ["#1 string", "#2 string"],
    ["text1", "text2"],
    ["text_a", "text_b"],
    ["sentence_a", "sentence_b"],
];

/// Words in a name that say: this numbers, names or dates the row.
const ROW_WORDS: [&str; 22] = [
    "id",
    "ids",
    "idx",
    "index",
    "uid",
    "uuid",
    "guid",
    "qid",
    "docid",
    "userid",
    "pid",
    "rowid",
    "key",
    "unnamed",
    "rownum",
    "row",
    "date",
    "datetime",
    "timestamp",
    "time",
    "dates",
    "year",
];

/// First words of names such as `created_at`.
const EVENTS: [&str; 6] = ["created", "updated", "modified", "published", "posted", "deleted"];

/// What dates are written with beside digits.
const DATE_WORDS: [&str; 26] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mon", "tue", "wed",
    "thu", "fri", "sat", "sun", "am", "pm", "utc", "gmt", "t", "z", "e",
];

/// A header of more words than this is a sentence: the file has no header.
const WORDS_OF_A_NAME: usize = 4;

/// What a cell is to the question whether its column holds text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'c> {
    /// Nothing, or blanks.
    Blank,
    /// A number, a truth value, a list.
    NotText,
    /// Characters.
    Text(&'c str),
}

impl<'c> From<&'c str> for Cell<'c> {
    fn from(text: &'c str) -> Self {
        if text.trim().is_empty() {
            Self::Blank
        } else {
            Self::Text(text)
        }
    }
}

/// The columns of a file that are used, and the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundColumns {
    /// The first or only text.
    pub text_a: String,
    /// The second text of a pair.
    pub text_b: Option<String>,
    /// The label; none where labels are not needed and the file has none, and where each label has a column.
    pub label: Option<String>,
    /// The columns of the labels, where each has one.
    pub label_columns: Vec<String>,
    /// Columns that are read over, in the order of the file.
    pub others: Vec<String>,
}

impl FoundColumns {
    /// The texts, as columns to ask of another file.
    pub fn texts(&self) -> TextColumns {
        match &self.text_b {
            None => TextColumns::One(self.text_a.clone()),
            Some(second) => TextColumns::Two(self.text_a.clone(), second.clone()),
        }
    }
}

/// The text columns asked for, or those that the file suggests; `is_text` says of a position whether its cells are text.
pub(super) fn find(
    source: &Source,
    columns: &UserColumns,
    header: &[String],
    is_text: impl Fn(usize) -> bool,
) -> Result<FoundColumns, DataError> {
    let (text_a, text_b) = match &columns.texts {
        TextColumns::One(a) => (a.clone(), None),
        TextColumns::Two(a, b) => (a.clone(), Some(b.clone())),
        TextColumns::Detect => guess(source, columns, header, is_text)?,
    };
    let is_text = |name: &String| *name == text_a || Some(name) == text_b.as_ref();
    if let Some(column) = columns.asked_labels().find(|label| is_text(label)).cloned() {
        return Err(source.fault(FileFault::TextIsLabel { column }));
    }
    let used = |name: &String| is_text(name) || columns.is_label(name);
    let has_one = columns.label_columns.is_empty() && header.contains(&columns.label);
    Ok(FoundColumns {
        others: header.iter().filter(|name| !used(name)).cloned().collect(),
        label: has_one.then(|| columns.label.clone()),
        label_columns: columns.label_columns.clone(),
        text_a,
        text_b,
    })
}

fn guess(
    source: &Source,
    columns: &UserColumns,
    header: &[String],
    is_text: impl Fn(usize) -> bool,
) -> Result<(String, Option<String>), DataError> {
    let named = |wanted: &str| {
        let mut names = header.iter().filter(|name| !columns.is_label(name));
        names.find(|name| name.trim().to_lowercase() == wanted)
    };
    let mut pairs = PAIRS
        .iter()
        .filter_map(|[first, second]| Some((named(first)?.clone(), Some(named(second)?.clone()))));
    match (pairs.next(), pairs.next()) {
        (Some(pair), None) => return Ok(pair),
        (Some((a, b)), Some((c, d))) => {
            let columns = [Some(a), b, Some(c), d].into_iter().flatten().collect();
            return Err(source.fault(FileFault::ManyTextColumns { columns }));
        }
        (None, _) => {}
    }
    let others = || (0..header.len()).filter(|&column| !columns.is_label(&header[column]));
    let (candidates, passed_over): (Vec<usize>, Vec<usize>) =
        others().partition(|&column| !numbers_rows(&header[column]) && is_text(column));
    let names = |columns: Vec<usize>| columns.into_iter().map(|c| header[c].clone()).collect();
    match candidates[..] {
        [column] if header[column].split_whitespace().count() > WORDS_OF_A_NAME => {
            let first = header[column].clone();
            Err(source.fault(FileFault::NoHeader { first }))
        }
        [column] => Ok((header[column].clone(), None)),
        [] => Err(source.fault(FileFault::NoTextColumn {
            label: columns.asked_labels().next().cloned().unwrap_or_default(),
            passed_over: names(passed_over),
        })),
        _ => Err(source.fault(FileFault::ManyTextColumns {
            columns: names(candidates),
        })),
    }
}

/// Whether a column is called like an index, an identifier or a date: `id`, `idx`, `pair_ID`, `pairID`, `qid1`,
/// `Unnamed: 0`, `__index_level_0__`, `created_at`, or not at all.
fn numbers_rows(name: &str) -> bool {
    let words = words(name);
    let Some(first) = words.first() else {
        // No letter: an unnamed column, or one called `0` or `#`.
        return true;
    };
    words.iter().any(|word| ROW_WORDS.contains(&word.as_str()))
        || words.len() == 2 && EVENTS.contains(&first.as_str()) && ["at", "on"].contains(&words[1].as_str())
}

/// The words of a name in lower case, without digits: `pairID` and `pair_id2` are `pair`, `id`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphabetic() || before.is_lowercase() && c.is_uppercase() {
            words.push(String::new());
        }
        if c.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a column's cells are text: at least half of those that are not blank are no numbers, dates or codes.
pub(super) fn is_text<'c>(cells: impl Iterator<Item = Cell<'c>>) -> bool {
    let (mut texts, mut codes) = (0_usize, 0_usize);
    for cell in cells {
        match cell {
            Cell::Blank => {}
            Cell::Text(text) if !is_code(text.trim()) => texts += 1,
            Cell::NotText | Cell::Text(_) => codes += 1,
        }
    }
    texts > 0 && texts >= codes
}

/// Whether a cell is a number, a date, an address, or one word with a digit in it (`B00234`, a UUID). Scripts that write
/// no blanks between words are text.
fn is_code(cell: &str) -> bool {
    if !cell.is_ascii() {
        return false;
    }
    let is_one_word = !cell.contains(char::is_whitespace);
    let has_digit = cell.contains(|c: char| c.is_ascii_digit());
    if is_one_word && (has_digit || cell.contains("://") || cell.contains('@')) {
        return true;
    }
    let lower = cell.to_ascii_lowercase();
    let mut pieces = lower
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|piece| !piece.is_empty());
    let of_a_date = |piece: &str| {
        let ordinal = ["st", "nd", "rd", "th"].contains(&piece);
        let name = piece.get(..3).unwrap_or(piece);
        ordinal
            || DATE_WORDS.contains(&piece)
            || piece.len() > 3 && is_long_name(piece) && DATE_WORDS.contains(&name)
    };
    has_digit && pieces.all(of_a_date)
}

/// The months and days whose first three letters [`DATE_WORDS`] has.
fn is_long_name(word: &str) -> bool {
    const LONG: [&str; 18] = [
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    LONG.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::{is_code, numbers_rows};

    #[test]
    fn names_that_number_rows() {
        for name in [
            "",
            " ",
            "0",
            "#",
            "id",
            "ID",
            "Id",
            "idx",
            "index",
            "Unnamed: 0",
            "__index_level_0__",
            "pairID",
            "#1 ID",
            "qid1",
            "tweet_id",
            "user-id",
            "guid",
            "date",
            "Date",
            "review date",
            "timestamp",
            "created_at",
            "reviewTime",
            "year",
        ] {
            assert!(numbers_rows(name), "{name}");
        }
        for name in [
            "sentence",
            "text",
            "review",
            "paid",
            "idea",
            "candidate",
            "update",
            "sentence1",
            "文",
        ] {
            assert!(!numbers_rows(name), "{name}");
        }
    }

    #[test]
    fn cells_that_are_codes() {
        for cell in [
            "1",
            "-1.5",
            "1,5",
            "1e-5",
            "2020-01-31",
            "31.1.2020 10:00",
            "Jan 5, 2019",
            "12 March 2020",
            "3rd May 2001",
            "2020-01-31T10:00:00Z",
            "Monday 5 Jan 2020",
            "B00234",
            "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            "https://example.org/a",
            "a@example.org",
        ] {
            assert!(is_code(cell), "{cell}");
        }
        for cell in [
            "a",
            "good",
            "It rains.",
            "2 dogs sleep",
            ":-)",
            "我有2只猫",
            "in May 2001",
            "the 5th of May",
        ] {
            assert!(!is_code(cell), "{cell}");
        }
    }
}
