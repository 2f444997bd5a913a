//! Lines for a terminal.

use std::fmt::Write;

/// A line that a terminal shows as it is: what would move the cursor, end the line, change colours or turn the direction of
/// writing stands as Rust escapes it, `\u{1b}` for example. Names in files are somebody else's text, and may hold any of these.
pub(crate) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            let _ = write!(line, "{}", c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Whether a character ends a line or turns the direction of writing (Unicode Standard Annex 9, section 2), so that what is
/// read is not what is there.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Rows as [`line`]s of aligned columns, two blanks between them.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| line(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths = vec![0; columns];
    for (column, cell) in rows.iter().flat_map(|row| row.iter().enumerate()) {
        widths[column] = cell.chars().count().max(widths[column]);
    }
    let joined = |row: &Vec<String>| {
        let mut text = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            text += cell;
            // Not `{cell:width$}`: a width in a format ends at 65,535.
            text += &" ".repeat(width - cell.chars().count() + 2);
        }
        text.trim_end().to_owned()
    };
    rows.iter().map(joined).collect()
}

#[cfg(test)]
mod tests {
    use super::{aligned, line};
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey() {
        assert_eq!(
            line("\u{1b}[2Jx.safetensors: PASS\n"),
            "\\u{1b}[2Jx.safetensors: PASS\\n"
        );
        assert_eq!(
            line("a\u{9b}31m\u{7}\u{7f}\r\t"),
            "a\\u{9b}31m\\u{7}\\u{7f}\\r\\t"
        );
        // Read from the right: `nat.` after `ten`.
        assert_eq!(line("ten\u{202e}.tan"), "ten\\u{202e}.tan");
        assert_eq!(line("Gewicht ä 重み שלום"), "Gewicht ä 重み שלום");
    }

    #[test]
    fn columns() {
        let rows = [vec!["a".to_owned(), "bc".to_owned()], vec!["def".to_owned()]];
        assert_eq!(aligned(&rows), ["a    bc", "def"]);
        let long = "x".repeat(70_000);
        assert_eq!(
            aligned(&[vec![long.clone(), "y".to_owned()]]),
            [format!("{long}  y")]
        );
    }

    proptest! {
        /// Any text is one line without control characters, and letters that need no escape stay.
        #[test]
        fn any_text_is_one_line(text in any::<String>(), plain in "[a-zA-Z0-9 äß重.]{0,20}") {
            prop_assert!(line(&text).chars().all(|c| !c.is_control()));
            prop_assert_eq!(line(&text).lines().count(), usize::from(!text.is_empty()));
            prop_assert_eq!(line(&plain), plain);
        }
    }
}
