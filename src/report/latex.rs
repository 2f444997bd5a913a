//! The tables of a report for a paper: LaTeX, with the rules of the package `booktabs`.

use super::{Block, Document, Table};

/// Every table as a `table` environment, in reading order. The preamble needs `\usepackage{booktabs}`, and a compiler that
/// reads UTF-8, as all do since 2018.
///
/// # Examples
/// ```
/// use cwgnc::report::{Block, Document, Table, latex};
///
/// let table = Table {
///     caption: "RTE, 30 seeds".into(),
///     header: vec!["condition".into(), "failed %".into()],
///     rows: vec![vec!["component_0.05".into(), "3.3".into()]],
/// };
/// let text = latex(&Document { title: "Stability".into(), blocks: vec![Block::Table(table)] });
/// assert!(text.contains("\\begin{tabular}{lr}\n\\toprule\ncondition & failed \\% \\\\\n\\midrule\n"));
/// assert!(text.contains("component\\_0.05 & 3.3 \\\\\n\\bottomrule\n"));
/// ```
pub fn latex(document: &Document) -> String {
    let tables = document.blocks.iter().filter_map(|block| match block {
        Block::Table(table) => Some(environment(table)),
        _ => None,
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn environment(table: &Table) -> String {
    let line = |cells: &Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        format!("{} \\\\\n", cells.join(" & "))
    };
    let columns = "r".repeat(table.header.len().saturating_sub(1));
    let rows: String = table.rows.iter().map(line).collect();
    format!(
        "\\begin{{table}}\n\\centering\n\\begin{{tabular}}{{l{columns}}}\n\\toprule\n{}\\midrule\n{rows}\\bottomrule\n\
         \\end{{tabular}}\n\\caption{{{}}}\n\\end{{table}}\n",
        line(&table.header),
        escaped(&table.caption)
    )
}

/// Text that stands for itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(c);
            }
            // At the start of a row they would belong to the line end before it.
            '[' => escaped += "{[}",
            '*' => escaped += "{*}",
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '<' => escaped += "\\textless{}",
            '>' => escaped += "\\textgreater{}",
            // Letters that text fonts have in mathematics alone.
            'Δ' => escaped += "$\\Delta$",
            'δ' => escaped += "$\\delta$",
            'β' => escaped += "$\\beta$",
            'ε' => escaped += "$\\varepsilon$",
            '−' => escaped += "$-$",
            '±' => escaped += "$\\pm$",
            '×' => escaped += "$\\times$",
            '√' => escaped += "$\\surd$",
            '≥' => escaped += "$\\geq$",
            '≤' => escaped += "$\\leq$",
            '’' => escaped.push('\''),
            '–' => escaped += "--",
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_latex_would_obey() {
        assert_eq!(
            escaped("50 % & a_b #1 {x} $y"),
            "50 \\% \\& a\\_b \\#1 \\{x\\} \\$y"
        );
        assert_eq!(
            escaped("\\input{/etc/passwd}"),
            "\\textbackslash{}input\\{/etc/passwd\\}"
        );
        assert_eq!(escaped("Δ mean\n\n"), "$\\Delta$ mean  ");
    }

    proptest! {
        /// The only commands in a text are ours.
        #[test]
        fn no_command_comes_through(text in "[a-z\\\\{}%&$#_^~*\\[ ]{0,30}") {
            let mut rest = escaped(&text);
            for ours in ["{[}", "{*}", "\\textbackslash{}", "\\textasciitilde{}", "\\textasciicircum{}"] {
                rest = rest.replace(ours, "");
            }
            for ours in ["\\&", "\\%", "\\$", "\\#", "\\_", "\\{", "\\}"] {
                rest = rest.replace(ours, "");
            }
            prop_assert!(!rest.contains(['\\', '[', '*', '{', '}', '%', '&', '$', '#', '_', '^', '~']), "{}", rest);
        }
    }
}
