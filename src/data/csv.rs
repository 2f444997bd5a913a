//! Comma-separated records, quoted as RFC 4180 says and no other way.
//!
//! A field is either bare, without quotes, or begins and ends with `"`, holds anything, and doubles the quotes inside.
//! Records end with LF or CRLF; blank lines between records are passed over.
//!
//! Written here rather than taken from a library because the usual parsers repair what they cannot read: a forgotten
//! closing quote swallows the rest of the file without a word, and a training set shrinks to one long sentence.
//!
//! Source: Shafranovich, "Common Format and MIME Type for Comma-Separated Values (CSV) Files", RFC 4180, section 2.

use std::borrow::Cow;

use super::error::LineFault;
use super::table::Record;

const UNCLOSED: &str = "a quoted field is never closed";
const AFTER_QUOTE: &str = "text after a closing quote (a quote inside a quoted field is written twice)";
const BARE_QUOTE: &str = "a quote inside a field that does not begin with one";
const BARE_RETURN: &str = "a carriage return without a line feed outside quotes";

/// The records of a text.
pub(super) fn records(text: &str) -> impl Iterator<Item = Result<Record<'_>, (usize, LineFault)>> {
    Records { rest: text, line: 1 }
}

/// One record, without its line end, that the reader reads back as these cells.
///
/// Quoted is what needs it, and beside it what other readers would change: blanks at the ends, and a first character that
/// would pass for a byte-order mark.
pub fn csv_line(cells: &[String]) -> String {
    let cells: Vec<Cow<'_, str>> = cells.iter().map(|cell| written(cell)).collect();
    match &cells[..] {
        // An empty line is no record.
        [only] if only.is_empty() => "\"\"".to_owned(),
        _ => cells.join(","),
    }
}

fn written(cell: &str) -> Cow<'_, str> {
    let is_bare =
        !cell.contains([',', '"', '\n', '\r']) && !cell.starts_with('\u{feff}') && cell.trim() == cell;
    if is_bare {
        return Cow::Borrowed(cell);
    }
    Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\"")))
}

/// What is still to be read, and its line. After a fault nothing is left.
struct Records<'t> {
    rest: &'t str,
    line: usize,
}

/// What follows a field.
enum End {
    Field,
    Record,
}

impl<'t> Iterator for Records<'t> {
    type Item = Result<Record<'t>, (usize, LineFault)>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.take_line_end() {}
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let mut cells = Vec::new();
        loop {
            match self.field() {
                Ok((cell, end)) => {
                    cells.push(cell);
                    if matches!(end, End::Record) {
                        return Some(Ok(Record { line, cells }));
                    }
                }
                Err((line, rule)) => {
                    self.rest = "";
                    return Some(Err((line, LineFault::Quoting { rule })));
                }
            }
        }
    }
}

impl<'t> Records<'t> {
    /// One field and what ends it, or the line and the rule that is broken.
    fn field(&mut self) -> Result<(Cow<'t, str>, End), (usize, &'static str)> {
        if let Some(inside) = self.rest.strip_prefix('"') {
            self.rest = inside;
            return self.quoted_field();
        }
        let length = self.rest.find([',', '\n', '\r', '"']).unwrap_or(self.rest.len());
        let (cell, rest) = self.rest.split_at(length);
        self.rest = rest;
        match rest.as_bytes().first() {
            Some(b'"') => Err((self.line, BARE_QUOTE)),
            _ => Ok((Cow::Borrowed(cell), self.end(BARE_RETURN)?)),
        }
    }

    /// The rest of a field whose opening quote has been read.
    fn quoted_field(&mut self) -> Result<(Cow<'t, str>, End), (usize, &'static str)> {
        let opened = self.line;
        let mut cell = Cow::Borrowed("");
        loop {
            let Some(length) = self.rest.find('"') else {
                return Err((opened, UNCLOSED));
            };
            let piece = &self.rest[..length];
            self.line += piece.matches('\n').count();
            self.rest = &self.rest[length + 1..];
            if cell.is_empty() {
                cell = Cow::Borrowed(piece);
            } else {
                cell.to_mut().push_str(piece);
            }
            match self.rest.strip_prefix('"') {
                Some(rest) => {
                    cell.to_mut().push('"');
                    self.rest = rest;
                }
                None => return Ok((cell, self.end(AFTER_QUOTE)?)),
            }
        }
    }

    /// Takes what ends a field: a comma, a line end or the end of the text.
    fn end(&mut self, rule: &'static str) -> Result<End, (usize, &'static str)> {
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            return Ok(End::Field);
        }
        if self.rest.is_empty() || self.take_line_end() {
            return Ok(End::Record);
        }
        Err((self.line, rule))
    }

    /// Takes an LF or CRLF if one is next.
    fn take_line_end(&mut self) -> bool {
        let rest = self
            .rest
            .strip_prefix('\n')
            .or_else(|| self.rest.strip_prefix("\r\n"));
        if let Some(rest) = rest {
            self.rest = rest;
            self.line += 1;
        }
        rest.is_some()
    }
}
