//! `cwgnc pipe`: a program answers cases over stdin and stdout; its failures are made small and saved.

use super::super::{Error, print};
use super::args::{Format, Pipe};
use super::check::verdict;
use super::child::{Program, Silence};
use super::input::{case, files};
use super::{Judged, Outcome, exit_code, records};
use crate::cases::file::{self, EXTENSION, case_bytes, result_bytes, result_of_bytes};
use crate::cases::{NamedCase, shrink};
use crate::oracle::{Candidate, Case};
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
    for named in cases(args)? {
        let (outcome, _) = driver.judge(&named)?;
        silent = match outcome {
            Outcome::NoAnswer(_) => silent + 1,
            _ => 0,
        };
        if outcome.code() == Some(1) && saved.len() < args.shrink {
            saved.push(driver.save(&named, &outcome)?);
        }
        judged.push(Judged { named, outcome });
        if silent == PATIENCE {
            break;
        }
    }
    records::report(&judged, args.format, args.require_clipped)?;
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
    Ok(exit_code(&judged, args.require_clipped))
}

fn cases(args: &Pipe) -> Result<Vec<NamedCase>, Error> {
    let mut cases = match (&args.cases, args.pack) {
        (Some(path), _) => files(path)?
            .iter()
            .map(|path| case(path, None, None))
            .collect::<Result<_, _>>()?,
        (None, Some(pack)) => pack.cases(args.seed),
        (None, None) => return Err(Error::Usage("give --pack or --cases".to_owned())),
    };
    if let Some(declared) = args.declared {
        for named in &mut cases {
            named.case.declared = declared;
        }
    }
    if let Some(limit) = args.max_norm_error {
        for named in &mut cases {
            named.case.declared.max_norm_error = limit;
        }
    }
    Ok(cases)
}

/// The program under examination, started when it is needed.
struct Driver<'a> {
    args: &'a Pipe,
    program: Option<Program>,
}

impl Driver<'_> {
    /// What the program makes of a case, and its answer if it gave one.
    fn judge(&mut self, named: &NamedCase) -> Result<(Outcome, Option<Candidate>), Error> {
        let mut program = match self.program.take() {
            Some(program) => program,
            None => Program::start(&self.args.program)?,
        };
        let limit = Duration::from_secs_f64(self.args.timeout.min(1e9));
        match program.ask(case_bytes(named, None), limit) {
            Ok(answer) if answer.is_empty() => {
                self.program = Some(program);
                Ok((Outcome::Declined, None))
            }
            Ok(answer) => match result_of_bytes(Path::new("the answer"), answer) {
                Ok(candidate) => {
                    self.program = Some(program);
                    Ok((verdict(named, &candidate, "the answer"), Some(candidate)))
                }
                Err(error) => Ok((no_answer(&Silence::Garbage(error.to_string()), &program), None)),
            },
            Err(silence) => Ok((no_answer(&silence, &program), None)),
        }
    }

    /// Makes a failure small and saves the case and its answer; says where.
    fn save(&mut self, named: &NamedCase, outcome: &Outcome) -> Result<String, Error> {
        let name = outcome.name();
        // A program that does not answer costs a time limit each; its case is saved as it is.
        let tries = if matches!(outcome, Outcome::NoAnswer(_)) {
            0
        } else {
            TRIES
        };
        let mut stopped = None;
        let small = shrink(&named.case, tries, |case| {
            if stopped.is_some() {
                return false;
            }
            match self.judge(&with(named, case)) {
                Ok((outcome, _)) => outcome.name() == name,
                Err(error) => {
                    stopped = Some(error);
                    false
                }
            }
        });
        if let Some(error) = stopped {
            return Err(error);
        }
        let small = with(named, &small);
        let (_, answer) = self.judge(&small)?;
        let folder = |source| Error::Folder {
            path: self.args.save.clone(),
            source,
        };
        std::fs::create_dir_all(&self.args.save).map_err(folder)?;
        let path =
            |ending: &str| -> PathBuf { self.args.save.join(format!("{}{ending}.{EXTENSION}", named.name)) };
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

/// The same case with other contents.
fn with(named: &NamedCase, case: &Case) -> NamedCase {
    NamedCase {
        case: case.clone(),
        ..named.clone()
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
