//! The command line: the only place that prints, reads the environment or the clock, and where model folders meet
//! training.
//!
//! One file a command (`finetune`, `evaluate`, `inspect`, `tasks`, `bench`, `completions`; `machine` for `verify-machine`; `first` for none) or a folder (`predict`, `pretrain`, `clip`, `oracle` for the
//! commands of the judge, `study` for many runs at once, `report` for their tables and figures), and what they share: `args`,
//! `choice` and `number` (the flags; `schedule` has those of the learning rate, `loss` those of the loss, `patience` those for stopping early, `stabilise` those for what others do for stability), `task`, `corpus` and `inputs` (from
//! flags to tokenised sequences and a model), `plan` and `training` (the steps), `score` (outputs to metrics),
//! `class_report` (the metrics of each class), `best` (of several evaluations, by a `best_metric`), `output`, `record`, `settings` and `log` (the files of a run), `resume` (its checkpoints), `checksums` (what tells damage to them), `spelling` and `configured` (the words of the command line),
//! `progress` (the line on the terminal).

mod args;
mod bench;
mod best;
mod best_metric;
mod checksums;
mod choice;
mod class_report;
mod clip;
mod completions;
mod configured;
mod corpus;
mod evaluate;
mod finetune;
mod first;
mod head;
mod inputs;
mod inspect;
mod log;
mod loss;
mod machine;
mod number;
mod oracle;
mod output;
mod patience;
mod plan;
mod predict;
mod pretrain;
mod progress;
mod reading;
mod record;
mod report;
mod resume;
mod schedule;
mod score;
mod settings;
mod source;
mod spelling;
mod stabilise;
mod study;
mod task;
mod tasks;
mod training;
mod understood;

use crate::checkpoint::CheckpointError;
use crate::data::{DataError, LengthFault};
use crate::report::terminal::{aligned, line};
use clap::Parser;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the program and reports its error, if any, on stderr.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()))
}

/// Does what the words of a command line say, of which the first is the program's name, and gives the exit code. Results go
/// to stdout, messages and the error to stderr; the process goes on.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words = match spelling::corrected(words.into_iter()).and_then(configured::expanded) {
        Ok(words) => words,
        Err(error) => return exit(Err(error)),
    };
    let args = match args::Args::try_parse_from(words) {
        Ok(args) => args,
        Err(said) => {
            // Help goes to stdout with code 0, what is wrong to stderr with 2. A reader that has gone changes neither.
            let _ = said.print();
            return u8::try_from(said.exit_code()).unwrap_or(2);
        }
    };
    let Some(command) = args.command else {
        return exit(first::command(&args.first).map(|()| 0));
    };
    exit(match command {
        args::Command::Finetune(args) => finetune::command(&args).map(|()| 0),
        args::Command::Pretrain(args) => pretrain::command(&args).map(|()| 0),
        args::Command::Eval(args) => evaluate::command(&args).map(|()| 0),
        args::Command::Predict(args) => predict::command(&args).map(|()| 0),
        args::Command::Inspect(args) => inspect::command(&args).map(|()| 0),
        args::Command::Clip(args) => clip::command(&args).map_err(Error::judging),
        args::Command::Report(args) => report::command(&args).map(|()| 0),
        args::Command::Study(args) => study::command(&args).map(|()| 0),
        args::Command::Tasks(args) => tasks::command(&args).map(|()| 0),
        args::Command::Bench(args) => bench::command(&args).map(|()| 0),
        args::Command::VerifyMachine(args) => machine::command(&args),
        args::Command::Completions(args) => completions::command(&args).map(|()| 0),
        args::Command::Cases(args) => oracle::cases::command(&args).map_err(Error::judging),
        args::Command::Check(args) => oracle::check::command(&args).map_err(Error::judging),
        args::Command::Identify(args) => oracle::identify::command(&args).map_err(Error::judging),
        args::Command::Explain(args) => oracle::explain::command(&args).map_err(Error::judging),
        args::Command::Expect(args) => oracle::expect::command(&args).map_err(Error::judging),
        args::Command::Pipe(args) => oracle::pipe::command(&args).map_err(Error::judging),
        args::Command::Answer(args) => oracle::answer::command(&args).map_err(Error::judging),
    })
}

/// The exit code of a command; its error, if any, goes to stderr.
fn exit(result: Result<u8, Error>) -> u8 {
    match result {
        Ok(code) => code,
        Err(error) => {
            // A line of somebody else's text must not look like one of ours.
            let text = error.to_string();
            let mut lines = text.lines();
            let mut said = format!("error: {}", lines.next().unwrap_or_default());
            for line in lines {
                said += if line.starts_with("  ") { "\n" } else { "\n  " };
                said += line;
            }
            progress::say(&said);
            error.exit_code()
        }
    }
}

/// Why a command stopped. Usage errors and what cannot be judged exit with 2, all others with 1.
#[derive(Debug)]
enum Error {
    /// The flags do not make sense together.
    Usage(String),
    /// A model folder.
    Checkpoint(CheckpointError),
    /// Data or tokenizer.
    Data(DataError),
    /// A folder could not be made, listed or removed.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Training stopped.
    Training {
        /// Steps taken before it.
        steps: usize,
        /// At which step, and why.
        reason: String,
        /// Where the last good state lies, or why nowhere.
        state: String,
    },
    /// A run folder that cannot be resumed.
    Resume(String),
    /// Records that cannot be reported; the text says which file and line.
    Report(String),
    /// A study that cannot go on; the text says which file or run and why.
    Study(String),
    /// Something cannot be judged; the text says which file and why.
    Judge(String),
    /// The results could not be printed.
    Print(std::io::Error),
}

impl Error {
    /// In the commands of the judge, 1 means that a clipper fails, in `clip` that the edge rule refuses: whatever else goes wrong there is no judgement.
    fn judging(self) -> Self {
        match self {
            Self::Usage(_) => self,
            other => Self::Judge(other.to_string()),
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Judge(_) => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text)
            | Self::Resume(text)
            | Self::Report(text)
            | Self::Study(text)
            | Self::Judge(text) => f.write_str(text),
            Self::Training { reason, state, .. } => write!(f, "{reason}; training stopped{state}"),
            Self::Checkpoint(error) => error.fmt(f),
            Self::Data(error) => error.fmt(f),
            Self::Folder { path, source } => write!(f, "cannot use folder {}: {source}", path.display()),
            Self::Print(error) => write!(f, "cannot print the results: {error}"),
        }
    }
}

impl From<CheckpointError> for Error {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(error)
    }
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        match error {
            // Not a file but the value of a flag is wrong.
            DataError::UnknownTask { .. }
            | DataError::Vocabulary(_)
            | DataError::Length(LengthFault::BeyondPositions { .. } | LengthFault::BelowSpecial { .. }) => {
                Self::Usage(error.to_string())
            }
            error => Self::Data(error),
        }
    }
}

/// Prints one line of results on stdout, with what a terminal would obey escaped.
fn print(text: &str) -> Result<(), Error> {
    print_bytes(line(text).as_bytes())
}

/// Prints lines of results.
fn print_lines(lines: impl IntoIterator<Item = String>) -> Result<(), Error> {
    lines.into_iter().try_for_each(|line| print(&line))
}

/// Prints a document for a program, or lines that hold no text of somebody else, as they are.
fn print_document(text: &str) -> Result<(), Error> {
    print_bytes(text.trim_end().as_bytes())
}

/// Prints bytes and a line's end: a path need not be text. (`println!` would panic where the reader of a pipe has gone.)
///
/// A reader that has gone, as `head` does, is no failure and ends nothing: the command goes on, and its exit code says what
/// it found.
fn print_bytes(bytes: &[u8]) -> Result<(), Error> {
    use std::io::{ErrorKind, Write};
    let mut stdout = std::io::stdout();
    let written = stdout.write_all(bytes).and_then(|()| stdout.write_all(b"\n"));
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::Print),
    }
}

/// Does the work of a command in the thread pool: `--threads`, else `RAYON_NUM_THREADS`, else one thread for each core.
/// All of it, so that no parallel loop has to hand over from a thread outside and wait for its answer.
fn in_threads<R: Send>(threads: Option<usize>, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    let pool = builder
        .build()
        .map_err(|error| Error::Usage(format!("cannot start the threads: {error}")))?;
    Ok(pool.install(work))
}
