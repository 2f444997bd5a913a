//! `cwgnc check`: the verdict on a pair of files, or on a folder of results.

use super::super::Error;
use super::args::{Check, Format};
use super::input::{about, called, case, files, plain_pair};
use super::records;
use crate::cases::file::{EXTENSION, read_result};
use crate::cases::{Judged, NamedCase, Outcome, Suite};
use crate::oracle::{Candidate, judge};
use std::path::{Path, PathBuf};

/// Runs the command.
pub(in crate::cli) fn command(args: &Check) -> Result<u8, Error> {
    let question = &args.question;
    let (before, after) = (question.before.as_slice(), args.answer.after.as_slice());
    let judged = match (before, after, &args.cases, &args.results) {
        ([before, ..], [_, ..], None, None) => match pair(args) {
            Ok(judged) => vec![judged],
            // For readers on stderr; a report for programs is there in any event.
            Err(error) if args.format == Format::Text => return Err(error),
            Err(error) => vec![unreadable(before, error.to_string())],
        },
        ([], [], Some(cases), Some(results)) => folders(args, cases, results)?,
        _ => {
            return Err(Error::Usage(
                "what to check is missing: give --before, --after and --policy, or --cases and --results"
                    .to_owned(),
            ));
        }
    };
    let suite = Suite {
        judged,
        require_clipped: args.require_clipped,
    };
    records::report(&suite, args.format)?;
    Ok(suite.exit_code())
}

/// The one pair of files.
fn pair(args: &Check) -> Result<Judged, Error> {
    let (before, after) = (&args.question.before, &args.answer.after);
    let place = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let places: Vec<PathBuf> = after.iter().map(place).collect();
    if let Some(both) = before.iter().find(|path| places.contains(&place(path))) {
        return Err(Error::Judge(format!(
            "{}: one file is both before and after; save a copy of the gradients before they are clipped",
            both.display()
        )));
    }
    let (named, answered) = plain_pair(&args.question, &args.answer, args.norms.as_deref())?;
    let name = called(after);
    let outcome = if answered.differences.is_empty() {
        let judgement = judge(&named.case, &answered.candidate);
        let judgement = judgement.map_err(|error| about(Path::new(&name), &error))?;
        Outcome::Judged(Box::new(judgement))
    } else {
        Outcome::Replicas(answered.differences.join("\n"))
    };
    Ok(Judged { named, outcome })
}

/// Every case, with the result of the same name; results without a case are named too.
fn folders(args: &Check, cases: &Path, results: &Path) -> Result<Vec<Judged>, Error> {
    let mut judged = Vec::new();
    let single = results.is_file();
    let mut surplus = files(results)?;
    for path in files(cases)? {
        let result = if single {
            results.to_owned()
        } else {
            results.join(path.file_name().unwrap_or_default())
        };
        surplus.retain(|other| *other != result);
        let named = match case(&path, args.question.declared, args.question.limits) {
            Ok(named) => named,
            Err(error) => {
                judged.push(unreadable(&path, error.to_string()));
                continue;
            }
        };
        let outcome = if result.exists() {
            outcome(&named, &result)
        } else {
            Outcome::Cannot(format!("no result: {} is not there", result.display()))
        };
        judged.push(Judged { named, outcome });
    }
    for path in surplus {
        let problem = format!("{}: a result without a case", path.display());
        judged.push(unreadable(&path, problem));
    }
    Ok(judged)
}

fn outcome(named: &NamedCase, result: &Path) -> Outcome {
    match read_result(result) {
        Ok(candidate) => verdict(named, &candidate, &result.display().to_string()),
        Err(error) => Outcome::Cannot(error.to_string()),
    }
}

/// The verdict on an answer that errors call by this name.
pub(super) fn verdict(named: &NamedCase, candidate: &Candidate, answer: &str) -> Outcome {
    match judge(&named.case, candidate) {
        Ok(judgement) => Outcome::Judged(Box::new(judgement)),
        Err(error) => Outcome::Cannot(format!("{answer}: {error}")),
    }
}

/// A file that is no case.
fn unreadable(path: &Path, problem: String) -> Judged {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    without_case(
        name.trim_end_matches(EXTENSION).trim_end_matches('.'),
        Outcome::Cannot(problem),
    )
}

/// What became of something that is no case, under a name.
pub(super) fn without_case(name: &str, outcome: Outcome) -> Judged {
    let case = crate::oracle::Case::new(crate::clip::ClipPolicy::none(), Vec::new());
    Judged {
        named: NamedCase {
            name: name.to_owned(),
            pack: String::new(),
            class: String::new(),
            note: String::new(),
            seed: 0,
            case,
        },
        outcome,
    }
}
