//! A report as one HTML page that needs nothing else: figures stand in it as SVG, colours follow the reader's choice of light
//! or dark, wide tables and figures scroll in their own box.

use super::{Block, Document, Table};

const STYLE: &str = include_str!("page.css");

/// Writes the page.
pub fn html(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n"
    );
    page += &contents(document);
    let mut headings = 0;
    for part in &document.blocks {
        headings += usize::from(matches!(part, Block::Heading(_)));
        page += &block(part, headings);
    }
    page + "</main>\n</body>\n</html>\n"
}

/// One part of the page; `section` is the number of the last heading.
fn block(block: &Block, section: usize) -> String {
    match block {
        Block::Heading(title) => format!("<h2 id=\"section-{section}\">{}</h2>\n", escaped(title)),
        Block::Paragraph(words) => format!("<p>{}</p>\n", escaped(words)),
        Block::List(points) => format!("<ul>\n{}</ul>\n", each(points, "<li>", "</li>\n")),
        Block::Table(table) => rows(table),
        Block::Figure(drawn) => format!(
            "<figure>\n<div class=\"scroll\" tabindex=\"0\">\n{}</div>\n<figcaption>{}</figcaption>\n</figure>\n",
            drawn.svg,
            escaped(&drawn.caption)
        ),
        Block::Code(code) => {
            let code = escaped(code.trim_end());
            format!("<pre tabindex=\"0\"><code>{code}</code></pre>\n")
        }
    }
}

/// Texts, each between these tags.
fn each(texts: &[String], before: &str, after: &str) -> String {
    let tagged = texts
        .iter()
        .map(|text| format!("{before}{}{after}", escaped(text)));
    tagged.collect::<Vec<_>>().concat()
}

/// Links to the sections.
fn contents(document: &Document) -> String {
    let titles = document.blocks.iter().filter_map(|block| match block {
        Block::Heading(title) => Some(title),
        _ => None,
    });
    let link = |(i, title): (usize, &String)| format!("<a href=\"#section-{i}\">{}</a>\n", escaped(title));
    let links: Vec<String> = (1..).zip(titles).map(link).collect();
    format!("<nav>\n{}</nav>\n", links.concat())
}

fn rows(table: &Table) -> String {
    let row = |row: &Vec<String>| {
        let (name, cells) = row.split_at(row.len().min(1));
        let (name, cells) = (
            each(name, "<th scope=\"row\">", "</th>"),
            each(cells, "<td>", "</td>"),
        );
        format!("<tr>{name}{cells}</tr>\n")
    };
    let body = table.rows.iter().map(row).collect::<Vec<_>>().concat();
    format!(
        "<figure>\n<figcaption>{}</figcaption>\n<div class=\"scroll\" tabindex=\"0\">\n<table>\n<thead><tr>{}</tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table>\n</div>\n</figure>\n",
        escaped(&table.caption),
        each(&table.header, "<th scope=\"col\">", "</th>")
    )
}

/// Text that stands for itself in an element or an attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // No other control character may stand in XML, which a figure is.
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_named_is_no_tag() {
        let name = "</style><script>alert('1')</script>&\u{1}";
        let table = Table {
            caption: name.to_owned(),
            header: vec![name.to_owned()],
            rows: vec![vec![name.to_owned(), name.to_owned()]],
        };
        let blocks = vec![
            Block::Heading(name.to_owned()),
            Block::Paragraph(name.to_owned()),
            Block::List(vec![name.to_owned()]),
            Block::Code(name.to_owned()),
            Block::Table(table),
        ];
        let title = name.to_owned();
        let page = html(&Document { title, blocks });
        assert!(!page.contains("<script") && !page.contains('\u{1}'));
        // Twice the title, the heading and its link, the other blocks, the table's four places.
        assert_eq!(
            page.matches("&lt;/style&gt;&lt;script&gt;alert(&#39;1&#39;)")
                .count(),
            11
        );
        assert_eq!(page.matches("</style>").count(), 1);
    }
}
