//! Verdicts in words: what was asked, what came, where it first goes wrong, and where to look.

use super::{Judged, Outcome, Suite};
use crate::oracle::Verdict;
use crate::report::terminal::line;

/// What is said where something had to be clipped.
pub(super) const NOTHING_CLIPPED: &str =
    "nothing was to be clipped, and --require-clipped asks for it: lower the threshold";

/// The report on all cases; names are made safe for a terminal.
pub(super) fn report(suite: &Suite) -> Vec<String> {
    lines(suite).iter().map(|text| line(text)).collect()
}

fn lines(suite: &Suite) -> Vec<String> {
    let judged = &suite.judged;
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
    if suite.require_clipped && suite.nothing_to_clip() {
        lines.push(NOTHING_CLIPPED.to_owned());
    }
    lines
}

/// One case: a line with the verdict, and below it what explains it.
pub(super) fn case(one: &Judged) -> Vec<String> {
    let named = &one.named;
    let mut lines = Vec::new();
    match &one.outcome {
        Outcome::Judged(judgement) => {
            lines.push(format!("{}: {}", named.name, judgement.headline()));
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
            lines.extend(judgement.details().into_iter().map(indent));
        }
        Outcome::Declined => lines.push(format!("{}: DECLINED", named.name)),
        other => {
            let (Outcome::Cannot(why) | Outcome::NoAnswer(why) | Outcome::Replicas(why)) = other else {
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

/// How many cases have which verdict, and how near the passes came to the limit.
pub(super) fn summary(judged: &[Judged]) -> Vec<String> {
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
    let noun = if judged.len() == 1 { "case" } else { "cases" };
    let mut lines = vec![format!("{} {noun}: {}", judged.len(), counts.join(", "))];
    if most_ulp > 0 {
        lines.push(format!(
            "passes: at most {most_ulp} ulp and {:.1} % of the budget",
            100.0 * most_share
        ));
    }
    lines
}
