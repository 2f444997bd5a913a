//! Tab-separated lines without quoting.
//!
//! A line ends with LF or CRLF, the last one may lack it. A cell is everything between two tabs: a `"` is text like any
//! other character, as GLUE's files want it (hundreds of their lines hold a single one), so a cell cannot hold a tab or
//! a line end.

use std::borrow::Cow;

use super::error::LineFault;
use super::table::Record;

/// The lines of a text, cut at tabs.
pub(super) fn records(text: &str) -> impl Iterator<Item = Result<Record<'_>, (usize, LineFault)>> {
    lines(text).enumerate().map(|(index, line)| {
        Ok(Record {
            line: index + 1,
            cells: line.split('\t').map(Cow::Borrowed).collect(),
        })
    })
}

/// The lines of a text without their ends (LF or CRLF); what follows the last end is a line unless it is empty.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').map(|line| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line)
    })
}
