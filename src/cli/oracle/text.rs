//! Verdicts in words: what was asked, what came, where it first goes wrong, and where to look.

use super::super::aligned;
use super::{Judged, Outcome};
use crate::clip::{ClipPolicy, Clipped, Rule};
use crate::oracle::{ComponentJudgement, Interval, Judgement, Place, Reduction, Verdict};
use std::fmt::Write;

/// Components that are listed; the worst come first.
const COMPONENTS: usize = 12;

/// Mismatches that are listed.
const MISMATCHES: usize = 5;

/// The report on all cases: failures at length, passes in one line; a single case at length in any event.
pub(super) fn report(judged: &[Judged]) -> Vec<String> {
    let mut lines = Vec::new();
    for one in judged {
        let pass = matches!(&one.outcome, Outcome::Judged(judgement) if judgement.passed());
        let silent = pass || matches!(one.outcome, Outcome::Declined);
        if judged.len() == 1 || !silent {
            lines.extend(case(one));
            lines.push(String::new());
        }
    }
    if judged.len() > 1 {
        lines.extend(summary(judged));
    } else {
        lines.pop();
    }
    lines
}

/// One case: a line with the verdict, and below it what explains it.
pub(super) fn case(one: &Judged) -> Vec<String> {
    let named = &one.named;
    let mut lines = Vec::new();
    match &one.outcome {
        Outcome::Judged(judgement) => {
            lines.push(format!("{}: {}", named.name, judgement.verdict));
            lines.push(format!(
                "  asked for `{}`, declared `{}`{}",
                named.case.policy,
                named.case.declared,
                if named.note.is_empty() {
                    String::new()
                } else {
                    format!("; {}", named.note)
                }
            ));
            lines.extend(
                judgement_lines(&named.case.policy, judgement)
                    .into_iter()
                    .map(indent),
            );
        }
        Outcome::Declined => lines.push(format!("{}: DECLINED", named.name)),
        other => {
            let (Outcome::Cannot(why) | Outcome::NoAnswer(why)) = other else {
                return lines;
            };
            let mut why = why.lines();
            let first = why.next().unwrap_or_default();
            lines.push(format!("{}: {}: {first}", named.name, other.name()));
            lines.extend(why.map(|line| format!("  {line}")));
        }
    }
    lines
}

fn indent(line: String) -> String {
    format!("  {line}")
}

/// The judgement: components, the first mismatches, advice.
pub(super) fn judgement_lines(policy: &ClipPolicy, judgement: &Judgement) -> Vec<String> {
    let mut lines = component_table(&judgement.components);
    for mismatch in judgement.mismatches.iter().take(MISMATCHES) {
        lines.push(mismatch.to_string());
    }
    let listed = judgement.mismatches.len().min(MISMATCHES) as u64;
    if judgement.mismatched > listed && listed > 0 {
        lines.push(format!("and {} elements more", judgement.mismatched - listed));
    }
    lines.extend(advice(policy, judgement));
    lines
}

fn component_table(components: &[ComponentJudgement]) -> Vec<String> {
    let mut order: Vec<&ComponentJudgement> = components.iter().collect();
    order.sort_by_key(|component| matches!(component.verdict, Verdict::Pass { .. }));
    let header = [
        "component",
        "elements",
        "exact norm",
        "scale",
        "clipped",
        "verdict",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for component in order.iter().take(COMPONENTS) {
        rows.push(vec![
            component.id.clone(),
            component.norm.elements.to_string(),
            component
                .norm
                .nearest
                .map_or_else(|| interval(component.norm.interval), number),
            scale(component.scale),
            clipped(component.clipped).to_owned(),
            component.verdict.to_string(),
        ]);
    }
    let mut lines = aligned(&rows);
    if order.len() > COMPONENTS {
        lines.push(format!("and {} components more", order.len() - COMPONENTS));
    }
    lines
}

/// The scale of a component, which rules that work on elements do not have.
pub(super) fn scale(scale: Interval) -> String {
    if scale.is_nan() {
        "-".to_owned()
    } else {
        interval(scale)
    }
}

pub(super) fn clipped(clipped: Clipped) -> &'static str {
    match clipped {
        Clipped::Yes => "yes",
        Clipped::No => "no",
        Clipped::Ambiguous => "either",
    }
}

/// The shortest text that reads back to the number.
pub(super) fn number(x: f64) -> String {
    if x == 0.0 || (1e-4..1e7).contains(&x.abs()) || !x.is_finite() {
        x.to_string()
    } else {
        format!("{x:e}")
    }
}

pub(super) fn interval(x: Interval) -> String {
    if x.is_point() {
        number(x.lo)
    } else {
        format!("{} to {}", number(x.lo), number(x.hi))
    }
}

/// What to do about a verdict.
fn advice(policy: &ClipPolicy, judgement: &Judgement) -> Vec<String> {
    match &judgement.verdict {
        Verdict::Pass { .. } => judgement
            .components
            .iter()
            .filter_map(|component| component.sufficient)
            .max_by_key(|reduction| rung(*reduction))
            .filter(|reduction| *reduction != Reduction::Exact)
            .map(|reduction| {
                format!(
                    "nothing was declared; a sum as good as `{reduction}` explains it: declare what the code does, and \
                     the check gets sharper"
                )
            })
            .into_iter()
            .collect(),
        Verdict::Vacuous { .. } => vec![
            "declare a reduction that the code really has and that bounds its error, for example blocks-1024; if it is \
             this one, its result is not to be relied on at this length"
                .to_owned(),
        ],
        Verdict::FailRounding { .. } => vec![
            "more rounding than declared: look for a sum or a scale in a narrower type, or a longer chain of additions \
             than was declared"
                .to_owned(),
        ],
        Verdict::Range { .. } => {
            vec!["form the squares in a wider type, or divide by the largest magnitude first".to_owned()]
        }
        Verdict::Policy { matches } => matches
            .first()
            .map(|other| format!("the difference: {}", difference(policy, other)))
            .into_iter()
            .collect(),
        Verdict::FailLogic { .. } if beside(judgement) => vec![
            "the gradients are right, what was returned beside them is not; the usual mistake is the norm after clipping"
                .to_owned(),
        ],
        Verdict::FailLogic { .. } => vec![implied(judgement).unwrap_or_else(|| {
            "no rounding explains this, and no known convention: look at the first element above".to_owned()
        })],
    }
}

/// Whether every mismatch is in a returned norm, scale or flag.
fn beside(judgement: &Judgement) -> bool {
    let mut places = judgement.mismatches.iter().map(|mismatch| &mismatch.place);
    places.all(|place| !matches!(place, Place::Element { .. }))
        && judgement.mismatches.len() as u64 == judgement.mismatched
}

fn rung(reduction: Reduction) -> usize {
    let ladder = crate::oracle::tolerance::LADDER;
    ladder
        .iter()
        .position(|other| *other == reduction)
        .unwrap_or(ladder.len())
}

/// The first failing component whose elements all agree on another norm.
fn implied(judgement: &Judgement) -> Option<String> {
    let failing = judgement
        .components
        .iter()
        .find(|component| !matches!(component.verdict, Verdict::Pass { .. }))?;
    let norm = failing.implied_norm?;
    let exact = failing.norm.nearest.filter(|exact| *exact > 0.0)?;
    let mut text = format!(
        "all elements of `{}` are right for a norm of {}",
        failing.id,
        interval(norm)
    );
    if norm.lo > 0.0 && norm.hi.is_finite() {
        let ratio = norm.lo.midpoint(norm.hi) / exact;
        let _ = write!(text, ", {ratio:.6} times the true one");
    }
    Some(format!("{text}: the formula is right, what it was given is not"))
}

/// How two policies differ, part by part.
fn difference(asked: &ClipPolicy, found: &ClipPolicy) -> String {
    let mut parts = Vec::new();
    let mut compare = |what: &str, asked: String, found: String| {
        if asked != found {
            parts.push(format!("{what} {found} instead of {asked}"));
        }
    };
    compare(
        "partition",
        asked.partition.to_string(),
        found.partition.to_string(),
    );
    compare("norm", asked.statistic.to_string(), found.statistic.to_string());
    match (&asked.rule, &found.rule) {
        (Rule::Norm { convention: a, .. }, Rule::Norm { convention: b, .. }) => {
            compare("convention", a.to_string(), b.to_string());
        }
        (a, b) if a != b => compare("policy", asked.to_string(), found.to_string()),
        _ => {}
    }
    parts.join(", ")
}

/// How many cases have which verdict, and how near the passes came to the limit.
fn summary(judged: &[Judged]) -> Vec<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let (mut most_ulp, mut most_share) = (0, 0.0_f64);
    for one in judged {
        let name = one.outcome.name();
        match counts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
        if let Outcome::Judged(judgement) = &one.outcome
            && let Verdict::Pass {
                ulp: ulp @ 1..,
                share,
            } = judgement.verdict
        {
            most_ulp = most_ulp.max(ulp);
            most_share = most_share.max(share);
        }
    }
    let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
    let mut lines = vec![format!("{} cases: {}", judged.len(), counts.join(", "))];
    if most_ulp > 0 {
        lines.push(format!(
            "passes: at most {most_ulp} ulp and {:.1} % of the budget",
            100.0 * most_share
        ));
    }
    lines
}
