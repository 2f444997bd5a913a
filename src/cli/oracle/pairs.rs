//! `cwgnc identify DIR`: what made each pair of a folder, held against what the folder says.
//!
//! The folder has an `index.jsonl` with a line for each pair: `pair` (the files are `PAIR.before.safetensors`,
//! `PAIR.after.safetensors` and, where there are parameters, `PAIR.params.safetensors`), `threshold`, and `policy`. That
//! policy is tried like the others and has no advantage among them; with `--blind` it is not even tried unless the usual
//! ones have it, so that what is found comes from the threshold alone.

use super::super::{Error, aligned, print, print_document};
use super::args::{Format, Identify};
use super::identify::{no_junit, pair, usual};
use super::records::number;
use crate::checkpoint;
use crate::clip::{ClipPolicy, PolicyError, Rule};
use crate::oracle::{Identification, Tie};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Sets of tied policies that are shown for each reason; JSON has all.
const SETS: usize = 5;

/// Words of a list that are shown.
const WORDS: usize = 12;

/// A line of `index.jsonl`.
struct Row {
    pair: String,
    threshold: f64,
    policy: ClipPolicy,
    library: String,
}

/// What became of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The right policy alone.
    Named,
    /// The right one among several that nothing in the pair tells apart.
    Tied,
    /// The right one has parameters besides the threshold and was not tried.
    Untried,
    /// Others, or none.
    Wrong,
}

/// The columns of the table.
const OUTCOMES: [(Outcome, &str); 4] = [
    (Outcome::Named, "named"),
    (Outcome::Tied, "tied"),
    (Outcome::Untried, "untried"),
    (Outcome::Wrong, "wrong"),
];

/// A pair and its outcome.
struct Found {
    row: Row,
    outcome: Outcome,
    tie: Option<Tie>,
    best: Vec<ClipPolicy>,
}

/// Runs the command on a folder.
pub(super) fn folder(args: &Identify, dir: &Path) -> Result<u8, Error> {
    let rows = rows(&dir.join("index.jsonl"))?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let file = |role: &str| dir.join(format!("{}.{role}.safetensors", row.pair));
        let params = Some(file("params")).filter(|path| path.exists());
        let policy = if args.blind {
            usual(args, row.threshold)
        } else {
            row.policy.clone()
        };
        let identified = pair(args, &file("before"), &file("after"), params.as_deref(), policy)?;
        found.push(Found {
            outcome: outcome(&identified, &row.policy),
            tie: identified.tie,
            best: identified.best().iter().map(|r| r.policy.clone()).collect(),
            row,
        });
    }
    match args.format {
        Format::Text => summary(&found).iter().try_for_each(|line| print(line))?,
        Format::Json => print_document(&format!("{:#}", document(&found)))?,
        Format::Junit | Format::Html => return Err(no_junit()),
    }
    Ok(u8::from(
        found.iter().any(|found| found.outcome == Outcome::Wrong),
    ))
}

fn outcome(identified: &Identification, truth: &ClipPolicy) -> Outcome {
    if !identified.ranked.iter().any(|r| same(&r.policy, truth)) {
        return Outcome::Untried;
    }
    match identified.best() {
        [one] if same(&one.policy, truth) => Outcome::Named,
        many if many.iter().any(|r| same(&r.policy, truth)) => Outcome::Tied,
        _ => Outcome::Wrong,
    }
}

/// Whether two policies do the same; clipping by value looks at no norm.
fn same(a: &ClipPolicy, b: &ClipPolicy) -> bool {
    a == b || matches!(a.rule, Rule::Value { .. }) && a.rule == b.rule && a.selections == b.selections
}

fn rows(path: &Path) -> Result<Vec<Row>, Error> {
    let text = String::from_utf8_lossy(&checkpoint::read(path)?).into_owned();
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let refuse = |problem: String| Error::Judge(format!("{}, line {number}: {problem}", path.display()));
        let value: Value =
            serde_json::from_str(line).map_err(|error| refuse(format!("not JSON: {error}")))?;
        let text = |key: &str| {
            let found = value.get(key).and_then(Value::as_str);
            found
                .map(str::to_owned)
                .ok_or_else(|| refuse(format!("no text `{key}`")))
        };
        let threshold = value.get("threshold").and_then(Value::as_f64);
        let pair = text("pair")?;
        if !seen.insert(pair.clone()) {
            return Err(refuse(format!(
                "pair `{pair}` is there before; it would count twice"
            )));
        }
        rows.push(Row {
            pair,
            threshold: threshold.ok_or_else(|| refuse("no number `threshold`".to_owned()))?,
            policy: text("policy")?
                .parse()
                .map_err(|error: PolicyError| refuse(error.to_string()))?,
            library: text("library").unwrap_or_default(),
        });
    }
    if rows.is_empty() {
        return Err(Error::Judge(format!("{}: no pair in it", path.display())));
    }
    Ok(rows)
}

/// A table of libraries, the ties by reason and by what tied, and every pair that was not identified.
fn summary(found: &[Found]) -> Vec<String> {
    let mut lines = aligned(&table(found));
    lines.extend(ties(found));
    for found in found {
        let why = match found.outcome {
            Outcome::Named | Outcome::Tied => continue,
            Outcome::Untried => "was not tried: it has parameters besides the threshold; found",
            Outcome::Wrong => "not identified; found",
        };
        let list = if found.best.is_empty() {
            "nothing".to_owned()
        } else {
            let names: Vec<String> = found.best.iter().map(ToString::to_string).collect();
            shortened(&names.join(" "))
        };
        lines.push(format!("{}: `{}` {why} {list}", found.row.pair, found.row.policy));
    }
    lines
}

/// How many pairs of each library have each outcome.
fn table(found: &[Found]) -> Vec<Vec<String>> {
    let mut libraries: Vec<&str> = Vec::new();
    for found in found {
        if !libraries.contains(&found.row.library.as_str()) {
            libraries.push(&found.row.library);
        }
    }
    let heading = OUTCOMES.iter().map(|(_, name)| (*name).to_owned());
    let mut rows: Vec<Vec<String>> = vec![std::iter::once("library".to_owned()).chain(heading).collect()];
    for library in libraries.into_iter().map(Some).chain([None]) {
        let own = |found: &&Found| library.is_none_or(|library| found.row.library == library);
        let counts = OUTCOMES.iter().map(|(outcome, _)| {
            let count = found.iter().filter(own).filter(|found| found.outcome == *outcome);
            count.count().to_string()
        });
        rows.push(
            std::iter::once(library.unwrap_or("all").to_owned())
                .chain(counts)
                .collect(),
        );
    }
    rows
}

/// The ties: why, and between which rules, frequent ones first.
fn ties(found: &[Found]) -> Vec<String> {
    let mut reasons: BTreeMap<Tie, BTreeMap<String, usize>> = BTreeMap::new();
    let mut several: BTreeMap<Tie, usize> = BTreeMap::new();
    for found in found.iter().filter(|found| found.outcome == Outcome::Tied) {
        if let Some(tie) = found.tie {
            *reasons
                .entry(tie)
                .or_default()
                .entry(rules(&found.best))
                .or_default() += 1;
            let partitions = |policy: &ClipPolicy| policy.partition != found.row.policy.partition;
            *several.entry(tie).or_default() += usize::from(found.best.iter().any(partitions));
        }
    }
    let mut lines = Vec::new();
    for (tie, sets) in reasons {
        let pairs: usize = sets.values().sum();
        let mut sets: Vec<(String, usize)> = sets.into_iter().collect();
        // Stable: equals stay in the order of their texts.
        sets.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let noun = if pairs == 1 { "pair" } else { "pairs" };
        lines.push(String::new());
        lines.push(format!("{pairs} {noun} tied: {tie}"));
        lines.push(format!(
            "  {} of them over several partitions; {} different sets of rules:",
            several.get(&tie).copied().unwrap_or(0),
            sets.len()
        ));
        for (set, count) in sets.iter().take(SETS) {
            lines.push(format!("  {count:>4}  {}", shortened(set)));
        }
        if sets.len() > SETS {
            let rest: usize = sets[SETS..].iter().map(|(_, count)| count).sum();
            lines.push(format!("  {rest:>4}  others"));
        }
    }
    lines
}

/// The rules of policies, each once, without thresholds and partitions: `exact torch torch,norm=1 value:C`.
fn rules(policies: &[ClipPolicy]) -> String {
    let rules: BTreeSet<String> = policies.iter().map(rule).collect();
    rules.into_iter().collect::<Vec<_>>().join(" ")
}

/// The convention and what follows it; other rules as they are, but for the threshold.
fn rule(policy: &ClipPolicy) -> String {
    let text = policy.to_string();
    let Some(threshold) = policy.rule.threshold() else {
        return text;
    };
    let text = text.replacen(&format!(":{}", threshold.get()), ":C", 1);
    match (&policy.rule, text.split_once(":C")) {
        (Rule::Norm { .. }, Some((_, rest))) if rest.starts_with('@') => rest[1..].to_owned(),
        (Rule::Norm { convention, .. }, Some((_, rest))) => format!("{convention}{rest}"),
        _ => text,
    }
}

/// A list of words, cut short.
fn shortened(list: &str) -> String {
    let words: Vec<&str> = list.split(' ').collect();
    match words.len().checked_sub(WORDS) {
        None | Some(0) => list.to_owned(),
        Some(more) => format!("{} and {more} more", words[..WORDS].join(" ")),
    }
}

fn document(found: &[Found]) -> Value {
    let pairs = found.iter().map(|found| {
        let outcome = OUTCOMES.iter().find(|(outcome, _)| *outcome == found.outcome);
        json!({
            "pair": found.row.pair,
            "library": found.row.library,
            "policy": found.row.policy.to_string(),
            "threshold": number(found.row.threshold),
            "outcome": outcome.map(|(_, name)| *name),
            "tie": found.tie.map(|tie| tie.to_string()),
            "best": found.best.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    json!({ "pairs": pairs.collect::<Vec<_>>() })
}
