//! A report as Markdown: tables with pipes, figures as links into `figures/`.

use super::{Block, Document, Table};

/// Writes the report.
pub fn markdown(document: &Document) -> String {
    let blocks = document.blocks.iter().map(block);
    let parts = [format!("# {}\n", escaped(&document.title))]
        .into_iter()
        .chain(blocks);
    parts.collect::<Vec<_>>().join("\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(title) => format!("## {}\n", escaped(title)),
        Block::Paragraph(words) => format!("{}\n", escaped(words)),
        Block::List(points) => {
            let points = points.iter().map(|point| format!("- {}\n", escaped(point)));
            points.collect::<Vec<_>>().concat()
        }
        Block::Table(table) => pipes(table),
        Block::Figure(figure) => {
            let caption = escaped(&figure.caption);
            format!("![{caption}](figures/{}.svg)\n\n{caption}\n", figure.name)
        }
        Block::Code(code) => fenced(code),
    }
}

fn pipes(table: &Table) -> String {
    let line = |cells: &Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let numbers = "---:|".repeat(table.header.len().saturating_sub(1));
    let rows = table.rows.iter().map(line).collect::<Vec<_>>().concat();
    format!(
        "{}|---|{numbers}\n{rows}\n{}\n",
        line(&table.header),
        escaped(&table.caption)
    )
}

/// In a fence longer than any in the text.
fn fenced(code: &str) -> String {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", code.trim_end())
}

/// Text that stands for itself: no markup, no tag, one line.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_named_is_no_markup() {
        let table = Table {
            caption: "c".to_owned(),
            header: vec!["a|b".to_owned(), "n".to_owned()],
            rows: vec![vec!["<b>`x`\ny".to_owned(), "1".to_owned()]],
        };
        let blocks = vec![Block::Table(table), Block::Code("```\nx".to_owned())];
        let title = "t_1 *".to_owned();
        assert_eq!(
            markdown(&Document { title, blocks }),
            "# t\\_1 \\*\n\n| a\\|b | n |\n|---|---:|\n| &lt;b&gt;\\`x\\` y | 1 |\n\nc\n\n````text\n```\nx\n````\n"
        );
    }
}
