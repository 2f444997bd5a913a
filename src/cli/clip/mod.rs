//! `cwgnc clip`: gradient files clipped, in a stream.

pub(super) mod args;
mod files;
mod report;

use super::oracle::{called, is_safetensors, separated};
use super::{Error, print, print_document};
use crate::cases::sides::Sides;
use crate::checkpoint::{self, CheckpointError};
use crate::clip::{ClipError, ClipReport, ClipState, StreamError, clip_stream};
use args::{Clip, Format};
use files::{Broken, Sources, Stream, TensorsFile};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Runs the command.
pub(super) fn command(args: &Clip) -> Result<u8, Error> {
    let policy = separated(&args.policy, args.separator.as_ref())?;
    let args = &Clip {
        policy,
        ..args.clone()
    };
    flags(args)?;
    paths(args)?;
    let mut sides = Sides::new(&args.strip_prefix, &[], &[]);
    let grads = TensorsFile::open(&args.grads, &mut sides)?;
    let mut beside = |paths: &[PathBuf]| {
        let given = Some(paths).filter(|paths| !paths.is_empty());
        given
            .map(|paths| TensorsFile::open(paths, &mut sides))
            .transpose()
    };
    let (values, moments) = (beside(&args.params)?, beside(&args.second_moments)?);
    if let Some(unused) = sides.unused() {
        return Err(Error::Judge(format!("--strip-prefix: {unused}")));
    }
    let mut sources = Sources::new(&args.policy, grads, values, moments)?;
    let mut state = args.state.as_deref().map_or(Ok(ClipState::default()), memory)?;
    let report = match run(args, &mut sources, &mut state) {
        Ok(report) => report,
        Err(Stopped::Refused(error)) => {
            super::progress::say(&format!("error: {}: {error}", called(&args.grads)));
            return Ok(1);
        }
        Err(Stopped::Other(error)) => return Err(error),
    };
    let stateful = args.policy.is_stateful().then_some(&state);
    if let (Some(state), Some(path)) = (stateful, args.memory_written()) {
        // After the gradients: a run that is stopped in between is repeated with the same result.
        checkpoint::write_atomic(path, |out| write!(out, "{state}"))?;
    }
    if args.format == Format::Json || args.report_is_printed() {
        return print_document(&format!(
            "{:#}",
            report::document(args, &sources, &report, stateful)
        ))
        .map(|()| 0);
    }
    report::lines(args, &report, stateful)
        .iter()
        .try_for_each(|line| print(line))?;
    Ok(0)
}

impl Clip {
    /// The file that the gradients go to.
    fn written(&self) -> Option<&PathBuf> {
        self.output.as_ref().filter(|_| !self.dry_run)
    }

    /// The file that the memory goes to: none where nothing is written.
    fn memory_written(&self) -> Option<&PathBuf> {
        self.written()?;
        self.state_out.as_ref().or(self.state.as_ref())
    }

    fn report_is_printed(&self) -> bool {
        self.report.as_deref() == Some(Path::new("-"))
    }

    /// The file that the report goes to.
    fn report_written(&self) -> Option<&PathBuf> {
        self.report.as_ref().filter(|_| !self.report_is_printed())
    }
}

/// What the policy needs is there, and nothing that it does not read.
fn flags(args: &Clip) -> Result<(), Error> {
    let policy = &args.policy;
    for (flag, given, needed, what) in [
        (
            "--params",
            !args.params.is_empty(),
            policy.rule.needs_values(),
            "the parameters",
        ),
        (
            "--second-moments",
            !args.second_moments.is_empty(),
            policy.rule.needs_second_moments(),
            "Adam's second moments",
        ),
        (
            "--state",
            args.state.is_some(),
            policy.is_stateful(),
            "a memory of earlier steps",
        ),
    ] {
        if needed && !given {
            let made = if flag == "--state" {
                " (it is made if it is not there)"
            } else {
                ""
            };
            return Err(Error::Usage(format!(
                "policy `{policy}` needs {what}: give {flag} FILE{made}"
            )));
        }
        if given && !needed {
            return Err(Error::Usage(format!(
                "{flag}: policy `{policy}` does not read {what}"
            )));
        }
    }
    Ok(())
}

/// No file is read and written, or written twice, and the folders are there; before anything is read.
fn paths(args: &Clip) -> Result<(), Error> {
    let read = [
        ("--grads", &args.grads),
        ("--params", &args.params),
        ("--second-moments", &args.second_moments),
    ]
    .into_iter()
    .flat_map(|(flag, paths)| paths.iter().map(move |path| (flag, Some(path))))
    .chain([("--state", args.state.as_ref())]);
    let read: Vec<(&str, Option<&PathBuf>)> = read.collect();
    if let Some(path) = &args.output {
        is_safetensors(path)?;
    }
    let own_state = args.state.as_ref().filter(|_| args.state_out.is_none());
    let written = [
        ("--output", args.output.as_ref()),
        ("--report", args.report_written()),
        ("--state-out", args.state_out.as_ref()),
        ("--state", own_state),
    ];
    for (at, (flag, path)) in written.iter().enumerate() {
        let Some(path) = path else {
            continue;
        };
        if path.is_dir() {
            return Err(Error::Usage(format!(
                "{flag}: {} is a folder, expected a file",
                path.display()
            )));
        }
        let folder = folder_of(path);
        if !folder.is_dir() {
            return Err(Error::Usage(format!(
                "{flag}: the folder {} is not there",
                folder.display()
            )));
        }
        let is_read = |&&(_, read): &&(&str, Option<&PathBuf>)| {
            read.is_some_and(|read| read.is_dir() && is_same(read, &folder))
        };
        if let Some((other_flag, _)) = read.iter().find(is_read) {
            return Err(Error::Usage(format!(
                "{flag}: {} would lie in the folder that {other_flag} reads",
                path.display()
            )));
        }
        for (other_flag, other) in read.iter().chain(&written[..at]) {
            if flag != other_flag && other.is_some_and(|other| is_same(path, other)) {
                return Err(Error::Usage(format!(
                    "{flag} and {other_flag} are the same file, {}",
                    path.display()
                )));
            }
        }
    }
    Ok(())
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether two paths are one file, or would be.
fn is_same(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        let found = path.canonicalize();
        found.or_else(|_| {
            let folder = folder_of(path).canonicalize()?;
            Ok::<_, io::Error>(folder.join(path.file_name().unwrap_or_default()))
        })
    };
    matches!((place(a), place(b)), (Ok(a), Ok(b)) if a == b)
}

/// What the policy remembers; of a file that is not there, nothing.
fn memory(path: &Path) -> Result<ClipState, Error> {
    if !path.exists() {
        return Ok(ClipState::default());
    }
    let text = String::from_utf8_lossy(&checkpoint::read(path)?).into_owned();
    text.parse()
        .map_err(|error| Error::Judge(format!("{}: {error}", path.display())))
}

/// Why nothing was clipped.
enum Stopped {
    /// The edge rule.
    Refused(ClipError),
    /// Everything else.
    Other(Error),
}

impl From<CheckpointError> for Stopped {
    fn from(error: CheckpointError) -> Self {
        Self::Other(error.into())
    }
}

/// Clips, and writes gradients and report; the gradients get their name when the report is written.
fn run(args: &Clip, sources: &mut Sources, state: &mut ClipState) -> Result<ClipReport, Stopped> {
    let Some(path) = args.written() else {
        let report = clip(args, sources, state, &mut io::sink())?;
        write_report(args, sources, &report, state)?;
        return Ok(report);
    };
    let mut done = None;
    let head = sources.grads.head.clone();
    let written = checkpoint::write_atomic(path, |out| {
        out.write_all(&head)?;
        let result = clip(args, sources, state, out).and_then(|report| {
            write_report(args, sources, &report, state)?;
            Ok(report)
        });
        let failed = result.is_err();
        done = Some(result);
        if failed {
            return Err(io::Error::other("what went wrong is told elsewhere"));
        }
        Ok(())
    });
    match (done, written) {
        (Some(Ok(report)), Ok(())) => Ok(report),
        (Some(Err(stopped)), _) => Err(stopped),
        (_, Err(error)) => Err(error.into()),
        (None, Ok(())) => unreachable!("the file was written by what makes the report"),
    }
}

fn clip(
    args: &Clip,
    sources: &mut Sources,
    state: &mut ClipState,
    out: &mut dyn Write,
) -> Result<ClipReport, Stopped> {
    let params = sources.params.clone();
    let about = |error: &dyn std::fmt::Display| {
        Stopped::Other(Error::Judge(format!("{}: {error}", called(&args.grads))))
    };
    let mut stream = Stream { sources, out };
    clip_stream(
        &args.policy,
        state,
        &params,
        &mut stream,
        args.written().is_some(),
    )
    .map_err(|error| match error {
        StreamError::Clip(error @ ClipError::NonFinite { .. }) => Stopped::Refused(error),
        StreamError::Clip(error @ ClipError::State { .. }) => {
            let path = args.state.as_deref().unwrap_or(Path::new("--state"));
            Stopped::Other(Error::Judge(format!("{}: {error}", path.display())))
        }
        StreamError::Clip(error) => about(&error),
        StreamError::Stream(Broken::Read(error)) => error.into(),
        StreamError::Stream(Broken::Write(source)) => Stopped::from(CheckpointError::Write {
            path: args.written().cloned().unwrap_or_default(),
            source,
        }),
    })
}

fn write_report(
    args: &Clip,
    sources: &Sources,
    report: &ClipReport,
    state: &ClipState,
) -> Result<(), Stopped> {
    let Some(path) = args.report_written() else {
        return Ok(());
    };
    let stateful = args.policy.is_stateful().then_some(state);
    let text = format!("{:#}\n", report::document(args, sources, report, stateful));
    Ok(checkpoint::write_atomic(path, |out| {
        out.write_all(text.as_bytes())
    })?)
}
