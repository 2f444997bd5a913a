//! `cwgnc explain`: what a case asks, and what a result made of it.

use super::super::{Error, aligned, print};
use super::args::Explain;
use super::input::{about, called, case, plain_case, plain_pair};
use crate::cases::NamedCase;
use crate::cases::file::read_result;
use crate::oracle::report;
use crate::oracle::{Expectation, Judgement, expect, judge};
use std::path::Path;

/// Elements of each component that are shown with their expected values.
const SHOWN: usize = 4;

/// Runs the command.
pub(in crate::cli) fn command(args: &Explain) -> Result<u8, Error> {
    let asked = &args.question;
    let mut candidate = None;
    let named = match (&args.case, asked.before.as_slice()) {
        (Some(path), _) => case(path, asked.declared, asked.limits)?,
        (None, []) => return Err(Error::Usage("a case file or --before is missing".to_owned())),
        (None, [..]) if args.answer.after.is_empty() => plain_case(asked)?,
        (None, [..]) => {
            let (named, answered) = plain_pair(asked, &args.answer, None)?;
            if !answered.differences.is_empty() {
                answered.differences.iter().try_for_each(|line| print(line))?;
                return Ok(1);
            }
            candidate = Some((called(&args.answer.after), answered.candidate));
            named
        }
    };
    let path = args
        .case
        .as_deref()
        .map_or(named.name.clone(), |path| path.display().to_string());
    let expectation = expect(&named.case).map_err(|error| about(Path::new(&path), &error))?;
    let mut lines = question(&named);
    lines.extend(answer(&named, &expectation));
    let mut code = 0;
    if let Some(path) = &args.result {
        candidate = Some((path.display().to_string(), read_result(path)?));
    }
    if let Some((path, candidate)) = candidate {
        let judgement = judge(&named.case, &candidate).map_err(|error| about(Path::new(&path), &error))?;
        lines.push(String::new());
        lines.push(format!("{path}: {}", judgement.headline()));
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
