//! `cwgnc identify`: which convention and partition made an output.
//!
//! One pair of files; a folder of pairs is [`pairs`]' matter.

use super::super::{Error, aligned, print, print_document};
use super::args::{Format, Identify};
use super::input::{about, answer, beside, called, sides, used};
use super::pairs;
use super::records::number;
use crate::cases::file::read_plain;
use crate::cases::sides::Side;
use crate::clip::{ClipPolicy, Convention, Partition, Rule, Threshold};
use crate::oracle::{
    Candidate, Case, Fit, Identification, Inferred, OracleError, Tensor, Verdict, identify, infer,
    judge_unexplained,
};
use serde_json::{Value, json};
use std::path::Path;

/// Policies that are listed beyond those that fit best.
const RUNNERS_UP: usize = 5;

/// Policies that are held against the judge as well.
const CHECKED: usize = 3;

/// Runs the command.
pub(in crate::cli) fn command(args: &Identify) -> Result<u8, Error> {
    match (&args.dir, args.before.as_slice()) {
        (Some(dir), ..) => pairs::folder(args, dir),
        (None, [_, ..]) => {
            let (mut sides, policy) = (
                sides(&args.files, &args.answer.placement_after),
                // Any threshold, where none was given: the statistic is what counts.
                usual(args, args.threshold.unwrap_or(1.0)),
            );
            let before = sides.read(&args.before, Side::Before)?.tensors;
            let mut case = Case {
                declared: args.declared,
                values: beside(&mut sides, &args.values)?,
                ..Case::new(policy, before)
            };
            let answered = answer(&mut case, &mut Vec::new(), &args.answer, &mut sides)?;
            used(&sides)?;
            if !answered.differences.is_empty() {
                answered.differences.iter().try_for_each(|line| print(line))?;
                return Ok(1);
            }
            let after = called(&args.answer.after);
            let found = one(args, &case, &answered.candidate.after);
            let Inferred { threshold, found } = found.map_err(|error| about(Path::new(&after), &error))?;
            let nothing = u8::from(found.tied == 0);
            let checked = checked(&mut case, &answered.candidate, &found);
            match args.format {
                Format::Text => text(&found, threshold, &checked)
                    .iter()
                    .try_for_each(|line| print(line))?,
                Format::Json => print_document(&format!("{:#}", document(&found, threshold, &checked)))?,
                Format::Junit | Format::Html => return Err(no_junit()),
            }
            Ok(nothing)
        }
        _ => Err(Error::Usage(
            "what to identify is missing: give --before and --after, or a folder".to_owned(),
        )),
    }
}

/// One pair; the threshold is found out where it was not given.
fn one(args: &Identify, case: &Case, after: &[Tensor]) -> Result<Inferred, OracleError> {
    if args.threshold.is_none() {
        return infer(case, after);
    }
    Ok(Inferred {
        threshold: None,
        found: identify(case, after)?,
    })
}

/// What `check` says of the first policies that fit best: whether a norm is near enough is its question, not that of
/// which formula it was.
fn checked(case: &mut Case, candidate: &Candidate, found: &Identification) -> Vec<Verdict> {
    let best = found.best().iter().take(CHECKED);
    let mut verdict = |policy: &ClipPolicy| {
        case.policy.clone_from(policy);
        judge_unexplained(case, candidate).map(|judgement| judgement.verdict)
    };
    best.map(|ranked| ranked.policy.clone())
        .map_while(|policy| verdict(&policy).ok())
        .collect()
}

pub(super) fn no_junit() -> Error {
    Error::Usage("identify reports as text or json".to_owned())
}

pub(super) fn pair(
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
pub(super) fn usual(args: &Identify, threshold: f64) -> ClipPolicy {
    let threshold = Threshold::unchecked(threshold);
    let usual = ClipPolicy::norm(Partition::Parameter, threshold, Convention::Torch);
    ClipPolicy {
        statistic: args.norm.unwrap_or(usual.statistic),
        separator: args.files.separator.clone(),
        ..usual
    }
}

/// How well a policy explains an output, in words.
fn fit(fit: Fit) -> String {
    match fit {
        Fit::Bits {
            rung: 0,
            needs,
            ulps: _,
        } => match needs.scale {
            None => "every bit, from the correctly rounded norm".to_owned(),
            Some(format) => format!("every bit, from the correctly rounded norm, kept in {format}"),
        },
        Fit::Bits { needs, ulps, .. } => {
            format!("every bit, from a norm {ulps} ulp off, as `{needs}` can give")
        }
        Fit::Tolerance { needs, .. } => format!("within the tolerance of `{needs}`"),
        Fit::No => "does not fit".to_owned(),
    }
}

fn text(found: &Identification, inferred: Option<Threshold>, checked: &[Verdict]) -> Vec<String> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let listed = found.ranked.iter().take(found.tied.max(1) + RUNNERS_UP);
    for (i, ranked) in listed.enumerate() {
        let check = checked
            .get(i)
            .map_or(String::new(), |verdict| format!("`check`: {}", verdict.name()));
        rows.push(vec![format!("`{}`", ranked.policy), fit(ranked.fit), check]);
    }
    let mut lines = vec![match found.best() {
        [] if found.ranked.is_empty() => {
            "no known convention fits at any threshold that the norms after clipping \
            show: this is another formula, or a fault; give --threshold to see what comes near"
                .to_owned()
        }
        [] => "no known convention fits: this is another formula, another threshold, or a fault".to_owned(),
        [one] if one.policy.rule == Rule::Keep => {
            "every element is as it was: nothing was clipped".to_owned()
        }
        [one] => format!("`{}`: {}", one.policy, fit(one.fit)),
        many => format!(
            "{} policies fit equally well, and nothing in this pair tells them apart{}",
            many.len(),
            found.tie.map_or(String::new(), |tie| format!(": {tie}"))
        ),
    }];
    if let Some(c) = inferred {
        lines.insert(0, format!("threshold {c}, read off the norms after clipping"));
    }
    lines.push(String::new());
    lines.extend(aligned(&rows));
    lines
}

fn document(found: &Identification, inferred: Option<Threshold>, checked: &[Verdict]) -> Value {
    let ranked = found
        .ranked
        .iter()
        .enumerate()
        .map(|(i, ranked)| json!({ "policy": ranked.policy.to_string(), "fit": fit(ranked.fit), "check": checked.get(i).map(Verdict::name) }));
    json!({ "inferred_threshold": inferred.map(|c| number(c.get())), "tied": found.tied, "tie": found.tie.map(|tie| tie.to_string()), "ranked": ranked.collect::<Vec<_>>() })
}
