//! What kind of problem a label column poses, where nobody has said so: classes or numbers, and when neither is sure.
//!
//! `run_glue.py` decides by the type that pandas gives the column, and one cell such as `NA` turns scores into classes.
//! Here every label must speak for the same answer; the first that does not is named.

use std::collections::HashMap;

use crate::model::Problem;

use super::error::{FileFault, LineFault};
use super::label::Written;
use super::read::Row;

/// Ways in which programs write that a value is missing. `none` is not among them: it is a class in many files.
const MISSING: [&str; 8] = ["na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "inf"];

/// Above so many classes, a column in which most labels come once is taken for a wrong one.
const CLASSES: usize = 10;

/// What a label looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Integer,
    /// Finite, not written as an integer.
    Fraction {
        is_whole: bool,
    },
    /// A number but for a comma.
    Comma,
    /// A number but for the blanks around it, or its quotes.
    Dressed,
    Missing,
    Word,
}

fn look(label: &str) -> Look {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    if MISSING.contains(&label.trim().to_lowercase().as_str()) {
        return Look::Missing;
    }
    if label.parse::<i128>().is_ok() {
        return Look::Integer;
    }
    if let Some(value) = number(label) {
        // 3e38 is written as numbers of any size are, and no class is.
        let is_whole = value.fract() == 0.0 && !label.contains(['e', 'E']);
        return Look::Fraction { is_whole };
    }
    if label.contains(',') && number(&label.trim().replace(',', ".")).is_some() {
        return Look::Comma;
    }
    if number(label.trim().trim_matches(['"', '\'']).trim()).is_some() {
        return Look::Dressed;
    }
    Look::Word
}

/// A fault and the line it is on; no line if it is one of the whole file.
pub(super) enum Doubt {
    Line(usize, LineFault),
    File(FileFault),
}

/// What the labels of the column say that they are: lists of labels, or what single ones are. Rows without a label say
/// nothing.
pub(super) fn problem(rows: &[Row], column: &str) -> Result<Problem, Doubt> {
    let (mut ones, mut lists) = (Vec::new(), Vec::new());
    for row in rows {
        match &row.label {
            Some(Written::One(label)) => ones.push((row.line, label.as_str())),
            Some(Written::List(_)) => lists.push(row.line),
            None => {}
        }
    }
    match (ones.first(), lists.first()) {
        (_, None) => of_single_labels(&ones, column),
        (None, Some(_)) => Ok(Problem::MultiLabel),
        (Some(&(line, label)), Some(_)) if lists.len() >= ones.len() => {
            let label = label.to_owned();
            Err(Doubt::Line(line, LineFault::LabelIsNoList { label }))
        }
        (Some(_), Some(&line)) => Err(Doubt::Line(line, LineFault::LabelIsList)),
    }
}

/// Whether a row has a list of labels.
pub(super) fn has_list(rows: &[Row]) -> bool {
    rows.iter().any(|row| matches!(row.label, Some(Written::List(_))))
}

/// What labels are that stand by themselves, each on its line.
fn of_single_labels(labels: &[(usize, &str)], column: &str) -> Result<Problem, Doubt> {
    let labels: Vec<(usize, &str, Look)> = labels
        .iter()
        .map(|&(line, label)| (line, label, look(label)))
        .collect();
    let doubt = |&(line, label, _): &(usize, &str, Look), reason: String| {
        let (column, label) = (column.to_owned(), label.to_owned());
        Doubt::Line(
            line,
            LineFault::Label {
                column,
                label,
                reason,
            },
        )
    };
    let first = |is: &dyn Fn(Look) -> bool| labels.iter().find(|(_, _, look)| is(*look));
    let count = |is: &dyn Fn(Look) -> bool| labels.iter().filter(|(_, _, look)| is(*look)).count();
    if let Some((label, reason)) = odd(&labels) {
        return Err(doubt(label, reason.to_owned()));
    }
    let is_number = |look| matches!(look, Look::Integer | Look::Fraction { .. });
    let (numbers, all) = (count(&is_number), labels.len());
    if numbers > 0 && numbers < all {
        let (odd, what, others) = if 2 * numbers >= all {
            (first(&|look| !is_number(look)), "is not a number", numbers)
        } else {
            (first(&is_number), "is a number", all - numbers)
        };
        if let Some(label) = odd {
            let not = if what == "is a number" { "not " } else { "" };
            return Err(doubt(
                label,
                format!("{what}, and {others} of the {all} labels are {not}numbers"),
            ));
        }
    }
    if count(&|look| matches!(look, Look::Fraction { .. })) > 0 {
        if count(&|look| look == Look::Fraction { is_whole: false }) > 0 {
            return Ok(Problem::Regression);
        }
        if let Some(label) = first(&|look| look == Look::Fraction { is_whole: true }) {
            return Err(doubt(
                label,
                "is a whole number with a fraction, and no label has another".to_owned(),
            ));
        }
    }
    alike(&labels, column)?;
    let classes: std::collections::BTreeSet<&str> = labels.iter().map(|(_, label, _)| *label).collect();
    if classes.len() > CLASSES && 2 * classes.len() > all {
        return Err(Doubt::File(FileFault::LabelsOfTheirOwn {
            column: column.to_owned(),
            classes: classes.len(),
            rows: all,
        }));
    }
    Ok(Problem::Classification)
}

/// The first label that is none, whatever the others are, and why.
fn odd<'l, 't>(labels: &'l [(usize, &'t str, Look)]) -> Option<(&'l (usize, &'t str, Look), &'static str)> {
    let is_list = |label: &str| serde_json::from_str::<Vec<serde_json::Value>>(label).is_ok();
    let list = labels.iter().find(|(_, label, _)| is_list(label));
    let list = list.map(|label| {
        (
            label,
            "is a list; `--problem-type multi-label` reads lists of labels",
        )
    });
    let reasons = [
        (Look::Comma, "has a comma; numbers are written as in 1.5"),
        (Look::Dressed, "is a number in blanks or quotes"),
        (Look::Missing, "marks a missing value"),
    ];
    list.or_else(|| {
        reasons.into_iter().find_map(|(wrong, reason)| {
            let first = labels.iter().find(|(_, _, look)| *look == wrong)?;
            Some((first, reason))
        })
    })
}

/// Two labels that differ in blanks, in case, or in how a number is written.
fn alike(labels: &[(usize, &str, Look)], column: &str) -> Result<(), Doubt> {
    let mut seen: HashMap<String, (usize, &str)> = HashMap::new();
    for &(line, label, _) in labels {
        let plain = label
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase();
        let plain = plain.parse::<i128>().map_or(plain, |number| number.to_string());
        let (first, other) = *seen.entry(plain).or_insert((line, label));
        if other != label {
            let reason = format!("is `{other}` of line {first} but for blanks, case or digits");
            let (column, label) = (column.to_owned(), label.to_owned());
            return Err(Doubt::Line(
                line,
                LineFault::Label {
                    column,
                    label,
                    reason,
                },
            ));
        }
    }
    Ok(())
}
