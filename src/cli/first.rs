//! `cwgnc` without a command: a small study that needs no file, to see what the project is about.
//!
//! It is a `cwgnc study` like any other, and says which.

use super::args::{Args, Command};
use super::{Error, progress, study};
use crate::checkpoint::shell::shown;
use clap::{Args as ClapArgs, Parser};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is compared: the paper's control, which clips nothing, and its threshold.
const STUDY: [&str; 10] = [
    "study",
    "--preset",
    "paper",
    "--task",
    "builtin:similarity",
    "--model",
    "builtin:shallow",
    "--conditions",
    "control,component:0.05",
    "--seeds",
];
/// A setting whose difference held on 30 seeds that had no part in choosing it (docs/results.md): no bias correction, as in the
/// paper's first baseline, at a low rate.
const TRAINING: [&str; 4] = ["--optimizer", "adamw-hf-uncorrected", "--learning-rate", "7e-5"];
/// As many examples as take a minute.
const FULL: [&str; 2] = ["--max-train-samples", "2000"];
/// As little as shows that everything works.
const QUICK: [&str; 4] = ["--max-train-samples", "64", "--max-eval-samples", "64"];

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "The first run")]
pub(super) struct First {
    /// Without a command: two runs of a few steps, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Without a command: the folder to write to [default: runs/first, or runs/quick]
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Without a command: print the table as JSON
    #[arg(long)]
    json: bool,
    /// Without a command: no progress and no messages
    #[arg(long)]
    quiet: bool,
}

impl First {
    fn folder(&self) -> PathBuf {
        let name = if self.quick { "quick" } else { "first" };
        self.output
            .clone()
            .unwrap_or_else(|| Path::new("runs").join(name))
    }

    /// The words of the command that it is, with these flags besides.
    fn words(&self, flags: &[&str]) -> Vec<OsString> {
        let seeds = if self.quick { "1" } else { "5" };
        let examples = if self.quick { &QUICK[..] } else { &FULL };
        let before = [&STUDY[..], &[seeds], flags, &["--output"]].concat();
        let after = [&["--"], &TRAINING[..], examples].concat();
        let folder = [self.folder().into_os_string()];
        let before = before.into_iter().map(OsString::from);
        before
            .chain(folder)
            .chain(after.into_iter().map(OsString::from))
            .collect()
    }
}

/// Runs the study, or goes on with it.
pub(super) fn command(first: &First) -> Result<(), Error> {
    let flags = [
        (true, "--resume"),
        (first.json, "--json"),
        (first.quiet, "--quiet"),
    ];
    let flags: Vec<&str> = flags
        .into_iter()
        .filter_map(|(given, flag)| given.then_some(flag))
        .collect();
    let words = [vec!["cwgnc".into()], first.words(&flags)].concat();
    let parsed = Args::try_parse_from(words).map_err(|error| Error::Usage(error.to_string()))?;
    let Some(Command::Study(args)) = parsed.command else {
        unreachable!("the words begin with `study`");
    };
    if !first.quiet {
        progress::say(&introduction(&first.words(&[]), first.quick));
        progress::say(&format!("It writes to {}.", place(&first.folder()).display()));
        wait();
    }
    study::command(&args)?;
    if !first.quiet {
        progress::say(&next(&first.folder(), first.quick));
    }
    Ok(())
}

/// The folder from the root, so that there is no doubt where it is.
fn place(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

/// Someone who typed the name to see what it is has time to stop; a script does not wait.
fn wait() {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        progress::say("It begins in three seconds; Ctrl-C stops it.");
        std::thread::sleep(Duration::from_secs(3));
    }
}

/// What is about to happen.
fn introduction(study: &[OsString], quick: bool) -> String {
    let words = study.iter().map(shown);
    let study = words.collect::<Vec<_>>().join(" ");
    let takes = if quick { "a few seconds" } else { "about a minute" };
    format!(
        "Fine-tunes a small pretrained encoder on a small task, once with each seed, without clipping (control) and with the gradient\n\
         norm of every component clipped by itself (component:0.05), and compares what comes out. Takes {takes}; it is\n\n  \
         cwgnc {study}\n"
    )
}

/// What to make of it, and what to try then.
fn next(folder: &Path, quick: bool) -> String {
    let page = folder.join("report").join("report.html");
    let meaning = if quick {
        "A few steps say nothing about clipping; without --quick it is the study, in about a minute."
    } else {
        "Five seeds decide little. Over 30 the means are 0.890 and 0.920, and clipping the norm of the whole gradient does as well (docs/results.md)."
    };
    format!(
        "\nTables and figures: {}\n\n{meaning}\n\nNext:\n  \
         cwgnc finetune --model builtin:shallow --task builtin:paraphrase --learning-rate 2e-4     one run, with its model and log\n  \
         cwgnc study --preset factorial --task builtin:entailment --model builtin:shallow --dry-run     a larger study\n  \
         cwgnc --help     every command, also for models and data of your own",
        page.display()
    )
}
