//! `cwgnc identify`: which convention and partition made an output.
//!
//! A folder of pairs has an `index.jsonl` with a line for each: `pair` (the files are `PAIR.before.safetensors`,
//! `PAIR.after.safetensors` and, where there are parameters, `PAIR.params.safetensors`), `threshold`, and `policy`. That
//! policy is tried like the others and has no advantage among them; with `--blind` it is not even tried, so that what
//! is found comes from the threshold alone.

use super::super::{Error, aligned, print};
use super::args::{Format, Identify};
use super::input::about;
use super::records::number;
use crate::cases::file::read_plain;
use crate::checkpoint;
use crate::clip::{ClipPolicy, Convention, Partition, Rule, Threshold};
use crate::oracle::tolerance::LADDER;
use crate::oracle::{Case, Fit, Identification, identify};
use serde_json::{Value, json};
use std::path::Path;

/// Policies that are listed beyond those that fit best.
const RUNNERS_UP: usize = 5;

/// Runs the command.
pub(in crate::cli) fn command(args: &Identify) -> Result<u8, Error> {
    match (&args.dir, &args.before, &args.after, args.threshold) {
        (Some(dir), ..) => folder(args, dir),
        (None, Some(before), Some(after), Some(threshold)) => {
            let found = pair(
                args,
                before,
                after,
                args.values.as_deref(),
                usual(args, threshold),
            )?;
            let nothing = u8::from(found.tied == 0);
            match args.format {
                Format::Text => text(&found).iter().try_for_each(|line| print(line))?,
                Format::Json => print(&format!("{:#}", document(&found)))?,
                Format::Junit => return Err(no_junit()),
            }
            Ok(nothing)
        }
        _ => Err(Error::Usage(
            "what to identify is missing: give --before, --after and --threshold, or a folder".to_owned(),
        )),
    }
}

fn no_junit() -> Error {
    Error::Usage("identify reports as text or json".to_owned())
}

fn pair(
    args: &Identify,
    before: &Path,
    after: &Path,
    values: Option<&Path>,
    policy: ClipPolicy,
) -> Result<Identification, Error> {
    let case = Case {
        declared: args.declared,
        values: values.map_or(Ok(Vec::new()), read_plain)?,
        ..Case::new(policy, read_plain(before)?)
    };
    identify(&case, &read_plain(after)?).map_err(|error| about(after, &error))
}

/// The policy to begin with where only the threshold is known.
fn usual(args: &Identify, threshold: f64) -> ClipPolicy {
    let threshold = Threshold::unchecked(threshold);
    let usual = ClipPolicy::norm(Partition::Parameter, threshold, Convention::Torch);
    ClipPolicy {
        statistic: args.norm.unwrap_or(usual.statistic),
        ..usual
    }
}

/// How well a policy explains an output, in words.
fn fit(fit: Fit) -> String {
    let sum = |rung: usize| {
        let declared = "the declared sum".to_owned();
        LADDER
            .get(rung)
            .map_or(declared, |reduction| format!("a sum like `{reduction}`"))
    };
    match fit {
        Fit::Bits { rung: 0 } => "every bit, from the correctly rounded norm".to_owned(),
        Fit::Bits { rung } => format!("every bit, from a norm that {} can give", sum(rung)),
        Fit::Tolerance { rung } => format!("within the tolerance of {}", sum(rung)),
        Fit::No => "does not fit".to_owned(),
    }
}

fn text(found: &Identification) -> Vec<String> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for ranked in found.ranked.iter().take(found.tied.max(1) + RUNNERS_UP) {
        rows.push(vec![format!("`{}`", ranked.policy), fit(ranked.fit)]);
    }
    let mut lines = vec![match found.best() {
        [] => "no known convention fits: this is another formula, another threshold, or a fault".to_owned(),
        [one] => format!("`{}`: {}", one.policy, fit(one.fit)),
        many => format!(
            "{} policies fit equally well; no data in this pair tells them apart",
            many.len()
        ),
    }];
    lines.push(String::new());
    lines.extend(aligned(&rows));
    lines
}

fn document(found: &Identification) -> Value {
    let ranked = found
        .ranked
        .iter()
        .map(|ranked| json!({ "policy": ranked.policy.to_string(), "fit": fit(ranked.fit) }));
    json!({ "tied": found.tied, "ranked": ranked.collect::<Vec<_>>() })
}

/// Whether two policies do the same; clipping by value looks at no norm.
fn same(a: &ClipPolicy, b: &ClipPolicy) -> bool {
    a == b || matches!(a.rule, Rule::Value { .. }) && a.rule == b.rule && a.selections == b.selections
}

/// A line of `index.jsonl`.
struct Row {
    pair: String,
    threshold: f64,
    policy: ClipPolicy,
    library: String,
}

/// What became of a pair.
enum Found {
    /// The right policy alone.
    Right,
    /// The right one among so many that no data tells apart.
    Tied(Vec<String>),
    /// Others, or none.
    Wrong(Vec<String>),
}

fn folder(args: &Identify, dir: &Path) -> Result<u8, Error> {
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
        let names: Vec<String> = identified.best().iter().map(|r| r.policy.to_string()).collect();
        let right = identified
            .best()
            .iter()
            .any(|ranked| same(&ranked.policy, &row.policy));
        let outcome = match (right, names.len()) {
            (true, 1) => Found::Right,
            (true, _) => Found::Tied(names),
            (false, _) => Found::Wrong(names),
        };
        found.push((row, outcome));
    }
    let wrong = found
        .iter()
        .filter(|(_, found)| matches!(found, Found::Wrong(_)))
        .count();
    match args.format {
        Format::Text => summary(&found).iter().try_for_each(|line| print(line))?,
        Format::Json => print(&format!("{:#}", folder_document(&found)))?,
        Format::Junit => return Err(no_junit()),
    }
    Ok(u8::from(wrong > 0))
}

fn rows(path: &Path) -> Result<Vec<Row>, Error> {
    let text = String::from_utf8_lossy(&checkpoint::read(path)?).into_owned();
    let mut rows = Vec::new();
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
        rows.push(Row {
            pair: text("pair")?,
            threshold: threshold.ok_or_else(|| refuse("no number `threshold`".to_owned()))?,
            policy: text("policy")?
                .parse()
                .map_err(|error: crate::clip::PolicyError| refuse(error.to_string()))?,
            library: text("library").unwrap_or_default(),
        });
    }
    if rows.is_empty() {
        return Err(Error::Judge(format!("{}: no pair in it", path.display())));
    }
    Ok(rows)
}

/// A table of libraries, then every tie and every pair that was not identified.
fn summary(found: &[(Row, Found)]) -> Vec<String> {
    let mut libraries: Vec<(&str, [usize; 3])> = Vec::new();
    for (row, found) in found {
        let column = match found {
            Found::Right => 0,
            Found::Tied(_) => 1,
            Found::Wrong(_) => 2,
        };
        let known = libraries.iter().position(|(name, _)| *name == row.library);
        let at = known.unwrap_or_else(|| {
            libraries.push((&row.library, [0; 3]));
            libraries.len() - 1
        });
        libraries[at].1[column] += 1;
    }
    let mut rows = vec![["library", "named", "tied", "wrong"].map(str::to_owned).to_vec()];
    let total = libraries.iter().fold([0; 3], |sum, (_, counts)| {
        [sum[0] + counts[0], sum[1] + counts[1], sum[2] + counts[2]]
    });
    for (name, counts) in libraries.iter().chain(std::iter::once(&("all", total))) {
        rows.push(vec![
            (*name).to_owned(),
            counts[0].to_string(),
            counts[1].to_string(),
            counts[2].to_string(),
        ]);
    }
    let mut lines = aligned(&rows);
    for (row, found) in found {
        let (word, names) = match found {
            Found::Right => continue,
            Found::Tied(names) => ("tied with", names),
            Found::Wrong(names) => ("not identified; found", names),
        };
        let others: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| *name != row.policy.to_string())
            .collect();
        let list = if others.is_empty() {
            "nothing".to_owned()
        } else {
            others.join(" ")
        };
        lines.push(format!("{}: `{}` {word} {list}", row.pair, row.policy));
    }
    lines
}

fn folder_document(found: &[(Row, Found)]) -> Value {
    let pairs = found.iter().map(|(row, found)| {
        let (outcome, names) = match found {
            Found::Right => ("named", Vec::new()),
            Found::Tied(names) => ("tied", names.clone()),
            Found::Wrong(names) => ("wrong", names.clone()),
        };
        json!({
            "pair": row.pair,
            "library": row.library,
            "policy": row.policy.to_string(),
            "threshold": number(row.threshold),
            "outcome": outcome,
            "best": names,
        })
    });
    json!({ "pairs": pairs.collect::<Vec<_>>() })
}
