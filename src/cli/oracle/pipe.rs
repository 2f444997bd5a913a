//! `cwgnc pipe`: a program answers cases over stdin and stdout; its failures are made small and saved.

use super::super::{Error, print, progress};
use super::args::{Format, Pipe};
use super::cases::chosen;
use super::check::{verdict, without_case};
use super::child::{Program, Silence};
use super::input::{case, files};
use super::records;
use crate::cases::file::{self, EXTENSION, case_bytes, result_bytes, result_of_bytes};
use crate::cases::{Judged, NamedCase, Outcome, Suite, shrink_verdict};
use crate::oracle::Candidate;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Answers in a row that may be missing before the program is given up.
const PATIENCE: usize = 3;

/// Runs of the program to make one failure small.
const TRIES: usize = 300;

/// Runs the command.
pub(in crate::cli) fn command(args: &Pipe) -> Result<u8, Error> {
    let mut driver = Driver { args, program: None };
    let (mut judged, mut saved) = (Vec::new(), Vec::new());
    let mut silent = 0;
    for mut named in cases(args)? {
        let (outcome, _) = driver.judge(&named)?;
        silent = match outcome {
            Outcome::NoAnswer(_) => silent + 1,
            _ => 0,
        };
        if outcome.code() == Some(1) && saved.len() < args.shrink {
            saved.push(driver.save(&named, &outcome)?);
        }
        // The report names cases and shows no elements; large ones must not pile up.
        for list in [
            &mut named.case.before,
            &mut named.case.values,
            &mut named.case.second_moments,
        ] {
            *list = Vec::new();
        }
        judged.push(Judged { named, outcome });
        if silent == PATIENCE {
            break;
        }
    }
    if let Some(outcome) = driver.finish() {
        judged.push(without_case("after the last case", outcome));
    }
    let suite = Suite {
        judged,
        require_clipped: args.require_clipped,
    };
    records::report(&suite, args.format)?;
    if args.format == Format::Text {
        if silent == PATIENCE {
            print(&format!(
                "given up after {PATIENCE} cases in a row without an answer"
            ))?;
        }
        for line in saved {
            print(&line)?;
        }
    }
    warn_of_declined(args, &suite.judged);
    Ok(suite.exit_code())
}

/// A pack about other policies says little.
fn warn_of_declined(args: &Pipe, judged: &[Judged]) {
    let declined = judged
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Declined))
        .count();
    if 2 * declined > judged.len() {
        let advice = if args.choice.policy.is_none() {
            "; --policy makes cases for the program's own"
        } else {
            ""
        };
        progress::say(&format!(
            "warning: {declined} of {} cases were declined and say nothing{advice}",
            judged.len()
        ));
    }
}

fn cases(args: &Pipe) -> Result<Box<dyn Iterator<Item = NamedCase>>, Error> {
    let limits = args.limits;
    let Some(path) = &args.cases else {
        let cases = chosen(&args.choice, "--policy, --pack or --cases")?;
        return Ok(Box::new(cases.map(move |mut named| {
            named.case.declared = limits.on(named.case.declared);
            named
        })));
    };
    let declared = args.choice.declared;
    let paths = files(path)?;
    // Every file is read before the first is asked: a broken one is no reason to stop half way.
    let read: Vec<NamedCase> = paths
        .iter()
        .map(|path| case(path, declared, limits))
        .collect::<Result<_, _>>()?;
    let without = args.choice.without.clone();
    let wanted = move |named: &NamedCase| without.iter().all(|class| class.name() != named.class);
    Ok(Box::new(read.into_iter().filter(wanted)))
}

/// The program under examination, started when it is needed.
struct Driver<'a> {
    args: &'a Pipe,
    program: Option<Program>,
}

impl Driver<'_> {
    /// What the program makes of a case, and its answer if it gave one.
    fn judge(&mut self, named: &NamedCase) -> Result<(Outcome, Option<Candidate>), Error> {
        match self.ask(named)? {
            Ok(candidate) => Ok((verdict(named, &candidate, "the answer"), Some(candidate))),
            Err(outcome) => Ok((outcome, None)),
        }
    }

    /// What is wrong with the program after the last case, if something is.
    fn finish(&mut self) -> Option<Outcome> {
        let mut program = self.program.take()?;
        let silence = program.finish().err()?;
        Some(no_answer(&silence, &program))
    }

    /// Its answer, if it gives one.
    fn answer(&mut self, named: &NamedCase) -> Result<Option<Candidate>, Error> {
        Ok(self.ask(named)?.ok())
    }

    /// Its answer, or what became of the case without one.
    fn ask(&mut self, named: &NamedCase) -> Result<Result<Candidate, Outcome>, Error> {
        let mut program = match self.program.take() {
            Some(program) => program,
            None => Program::start(&self.args.program)?,
        };
        let limit = Duration::from_secs_f64(self.args.timeout.min(1e9));
        match program.ask(case_bytes(named, None), limit) {
            Ok(answer) if answer.is_empty() => {
                self.program = Some(program);
                Ok(Err(Outcome::Declined))
            }
            Ok(answer) => match result_of_bytes(Path::new("the answer"), answer) {
                Ok(candidate) => {
                    self.program = Some(program);
                    Ok(Ok(candidate))
                }
                Err(error) => Ok(Err(no_answer(&Silence::Garbage(error.to_string()), &program))),
            },
            Err(silence) => Ok(Err(no_answer(&silence, &program))),
        }
    }

    /// Makes a failure small and saves the case and its answer; says where.
    fn save(&mut self, named: &NamedCase, outcome: &Outcome) -> Result<String, Error> {
        let mut stopped = None;
        let small = match outcome {
            Outcome::Judged(judgement) => shrink_verdict(&named.case, TRIES, judgement, |case| {
                if stopped.is_some() {
                    return None;
                }
                let answer = self.answer(&named.with(case.clone()));
                answer.unwrap_or_else(|error| {
                    stopped = Some(error);
                    None
                })
            }),
            // A program that does not answer costs a time limit each; its case is saved as it is.
            _ => named.case.clone(),
        };
        if let Some(error) = stopped {
            return Err(error);
        }
        let small = named.with(small);
        let (outcome, answer) = self.judge(&small)?;
        let name = outcome.name();
        let folder = |source| Error::Folder {
            path: self.args.save.clone(),
            source,
        };
        std::fs::create_dir_all(&self.args.save).map_err(folder)?;
        let path = |ending: &str| -> PathBuf {
            self.args
                .save
                .join(format!("{}{ending}.{EXTENSION}", file_name(&named.name)))
        };
        let (case, result) = (path(""), path(".result"));
        file::write(&case, &case_bytes(&small, None))?;
        let elements: usize = small.case.before.iter().map(|t| t.data.len()).sum();
        let mut line = format!(
            "{name} made small: {} tensors, {elements} elements: cwgnc explain {}",
            small.case.before.len(),
            case.display()
        );
        if let Some(candidate) = answer {
            file::write(&result, &result_bytes(&candidate))?;
            line = format!("{line} {}", result.display());
        }
        Ok(line)
    }
}

/// A case's name as a file may be called: a case of somebody else's may have any name, `a/b` and `../a` too.
fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    let plain: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    match plain.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => plain,
    }
}

fn no_answer(silence: &Silence, program: &Program) -> Outcome {
    let stderr = program.stderr();
    let said = if stderr.is_empty() {
        "its stderr is empty".to_owned()
    } else {
        format!("its stderr:\n{stderr}")
    };
    Outcome::NoAnswer(format!("{silence}\n{said}"))
}
