//! Tab-separated lines without quoting.
//!
//! A line ends with LF or CRLF, the last one may lack it. A cell is everything between two tabs: a `"` is text like any
//! other character, as GLUE's files want it (hundreds of their lines hold a single one), so a cell cannot hold a tab or
//! a line end.

use std::borrow::Cow;

use super::columns::FoundColumns;
use super::error::{DataError, FileFault, LineFault};
use super::read::{Row, Rows};
use super::source::Source;
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

/// One line, without its end, that the reader reads back as these cells; `Err` with the place of a cell that no line can
/// hold, for there is no quoting.
///
/// # Errors
/// The position of the first cell with a tab or a line end in it.
pub fn tsv_line(cells: &[String]) -> Result<String, usize> {
    match cells.iter().position(|cell| cell.contains(['\t', '\n', '\r'])) {
        Some(place) => Err(place),
        None => Ok(cells.join("\t")),
    }
}

/// The lines of a text without their ends (LF or CRLF); what follows the last end is a line unless it is empty.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').map(|line| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line)
    })
}

/// Whether a cell begins and ends with `"`, as a quoted cell of CSV does.
pub(super) fn is_quoted(cell: &str) -> bool {
    cell.len() > 1 && cell.starts_with('"') && cell.ends_with('"')
}

/// Refuses texts and labels that a program has quoted: here their quotes would be text.
///
/// That is a column with every cell in quotes, or one cell in quotes with doubled quotes and no other inside.
pub(super) fn refuse_quotes(source: &Source, found: &FoundColumns, rows: &Rows) -> Result<(), DataError> {
    let cell = |row: &'_ Row, column: usize| match column {
        0 => Some(row.text_a.clone()),
        1 => row.text_b.clone(),
        _ => row
            .label
            .as_ref()
            .and_then(|label| Some(label.one().ok()?.to_owned())),
    };
    let names = [Some(&found.text_a), found.text_b.as_ref(), found.label.as_ref()];
    for (column, name) in names.into_iter().enumerate() {
        let Some(name) = name else { continue };
        let mut cells = rows
            .rows
            .iter()
            .filter_map(|row| Some((row.line, cell(row, column)?)));
        let doubled = |cell: &str| {
            let inside = cell.get(1..cell.len().saturating_sub(1)).unwrap_or_default();
            inside.contains("\"\"") && !inside.replace("\"\"", "").contains('"')
        };
        if let Some((line, _)) = cells.clone().find(|(_, cell)| is_quoted(cell) && doubled(cell)) {
            let column = name.clone();
            return Err(source.line_fault(line, LineFault::QuotedCell { column }));
        }
        if cells.clone().next().is_some() && cells.all(|(_, cell)| is_quoted(&cell)) {
            let column = name.clone();
            return Err(source.fault(FileFault::QuotedColumn { column }));
        }
    }
    Ok(())
}
