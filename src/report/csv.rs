//! Comma-separated values (RFC 4180, with line feeds alone).

use super::significant;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A number, written with at most ten significant digits; what is not defined is empty.
    Number(Option<f64>),
    /// A count.
    Count(usize),
}

/// A header and rows as CSV.
///
/// # Examples
/// ```
/// use cwgnc::report::csv::{Cell, csv};
///
/// let rows = [vec![Cell::Text("a, \"b\"".into()), Cell::Number(Some(0.5)), Cell::Number(None)]];
/// assert_eq!(csv(&["name", "mean", "sd"], &rows), "name,mean,sd\n\"a, \"\"b\"\"\",0.5,\n");
/// ```
pub fn csv(header: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut text = header.join(",") + "\n";
    for row in rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => words(text),
        Cell::Number(Some(x)) if x.is_finite() => significant(*x, 10).to_string(),
        Cell::Number(_) => String::new(),
        Cell::Count(count) => count.to_string(),
    }
}

/// A text, quoted where it must be. A spreadsheet takes what begins with `=`, `+`, `-` or `@` for a formula and computes it;
/// an apostrophe before it says that it is text.
fn words(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = format!("{}{text}", if formula { "'" } else { "" });
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Cell, csv};

    #[test]
    fn no_formulas() {
        let cells = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "a=1", "=\"x\",y"];
        let rows: Vec<Vec<Cell>> = cells.map(|text| vec![Cell::Text(text.to_owned())]).into();
        let lines = [
            "name",
            "'=1+1",
            "'+1",
            "'-1",
            "'@SUM(A1)",
            "'\t=1",
            "a=1",
            "\"'=\"\"x\"\",y\"",
            "",
        ];
        assert_eq!(csv(&["name"], &rows), lines.join("\n"));
    }
}
