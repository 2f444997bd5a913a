//! `cwgnc explain`: what a case asks, and what a result made of it.

use super::super::{Error, aligned, print};
use super::args::Explain;
use super::input::{about, case, plain_candidate, plain_case};
use crate::cases::NamedCase;
use crate::cases::file::read_result;
use crate::oracle::report;
use crate::oracle::{Expectation, Judgement, expect, judge};

/// Elements of each component that are shown with their expected values.
const SHOWN: usize = 4;

/// Runs the command.
pub(in crate::cli) fn command(args: &Explain) -> Result<u8, Error> {
    let asked = &args.question;
    let (path, named) = match (&args.case, &asked.before) {
        (Some(path), _) => (path, case(path, asked.declared, asked.limits)?),
        (None, Some(path)) => (path, plain_case(asked, path)?),
        (None, None) => return Err(Error::Usage("a case file or --before is missing".to_owned())),
    };
    let expectation = expect(&named.case).map_err(|error| about(path, &error))?;
    let mut lines = question(&named);
    lines.extend(answer(&named, &expectation));
    let mut code = 0;
    let candidate = match (&args.result, &args.after) {
        (Some(path), _) => Some((path, read_result(path)?)),
        (None, Some(path)) => Some((path, plain_candidate(path, None)?)),
        (None, None) => None,
    };
    if let Some((path, candidate)) = candidate {
        let judgement = judge(&named.case, &candidate).map_err(|error| about(path, &error))?;
        lines.push(String::new());
        lines.push(format!("{}: {}", path.display(), judgement.headline()));
        lines.extend(judgement.details());
        lines.extend(histograms(&judgement));
        code = judgement.exit_code();
    }
    lines.iter().try_for_each(|line| print(line))?;
    Ok(code)
}

fn question(named: &NamedCase) -> Vec<String> {
    let case = &named.case;
    let mut lines = vec![format!("{}: `{}`", named.name, case.policy)];
    if !named.note.is_empty() {
        lines.push(named.note.clone());
    }
    lines.push(format!("declared arithmetic: {}", case.declared));
    lines.push(String::new());
    lines
}

/// Norm, threshold and scale of each component, then the first elements.
fn answer(named: &NamedCase, expectation: &Expectation) -> Vec<String> {
    let header = [
        "component",
        "elements",
        "norm",
        "allowed norm",
        "threshold",
        "scale",
        "clipped",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for expected in &expectation.components {
        rows.push(vec![
            expected.component.id.clone(),
            expected.norm.elements.to_string(),
            report::interval(expected.norm.interval),
            report::interval(expected.allowed_norm),
            expected.threshold.map_or("-".to_owned(), report::interval),
            report::scale(expected.scale),
            report::clipped(expected.clipped).to_owned(),
        ]);
    }
    let mut lines = aligned(&rows);
    if expectation.refuses {
        lines.push(
            "a component is not finite: the clipper must refuse and leave every gradient as it is".to_owned(),
        );
    }
    lines.push(String::new());
    let mut rows = vec![["element", "before", "expected"].map(str::to_owned).to_vec()];
    for ((lo, hi), before) in expectation
        .tensors(&named.case, false)
        .iter()
        .zip(&named.case.before)
    {
        for i in 0..before.data.len().min(SHOWN) {
            let (lo, hi) = (lo.data.get(i), hi.data.get(i));
            let expected = if lo == hi || lo.is_nan() {
                report::number(lo)
            } else {
                format!("{} to {}", report::number(lo), report::number(hi))
            };
            rows.push(vec![
                format!("{}[{i}]", before.name),
                report::number(before.data.get(i)),
                expected,
            ]);
        }
    }
    lines.extend(aligned(&rows));
    lines
}

/// How far the elements of each component are from the expected bits.
fn histograms(judgement: &Judgement) -> Vec<String> {
    let mut lines = Vec::new();
    for component in &judgement.components {
        let mut parts = Vec::new();
        for (bucket, count) in component
            .histogram
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            let range = match bucket {
                0 => "exact".to_owned(),
                1 => "1 ulp".to_owned(),
                15 => "more, or NaN".to_owned(),
                _ => format!("{} to {} ulp", 1_u64 << (bucket - 1), (1_u64 << bucket) - 1),
            };
            parts.push(format!("{range}: {count}"));
        }
        lines.push(format!(
            "`{}`: elements by distance: {}",
            component.id,
            parts.join(", ")
        ));
    }
    lines
}
