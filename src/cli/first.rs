//! `cwgnc` without a command: a small study that needs no file, to see what the project is about.
//!
//! It is a `cwgnc study` like any other, and says which.

use super::args::{Args, Command};
use super::{Error, progress, study};
use clap::{Args as ClapArgs, Parser};
use std::path::{Path, PathBuf};

/// What is compared: the paper's control, which clips nothing, and its threshold.
const STUDY: [&str; 10] = [
    "study",
    "--preset",
    "paper",
    "--task",
    "builtin:entailment",
    "--model",
    "builtin:shallow",
    "--conditions",
    "control,component:0.05",
    "--seeds",
];
/// A rate at which the control is uneven: at 3e-4 both conditions are equal within their spread (README.md).
const TRAINING: [&str; 2] = ["--learning-rate", "5e-4"];
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

    /// The words of the command that it is.
    fn words(&self) -> Vec<String> {
        let mut words = STUDY.map(str::to_owned).to_vec();
        words.push(if self.quick { "1" } else { "5" }.to_owned());
        words.extend(["--output".to_owned(), self.folder().display().to_string()]);
        words.push("--".to_owned());
        words.extend(TRAINING.map(str::to_owned));
        if self.quick {
            words.extend(QUICK.map(str::to_owned));
        }
        words
    }
}

/// Runs the study, or goes on with it.
pub(super) fn command(first: &First) -> Result<(), Error> {
    let (folder, words) = (first.folder(), first.words());
    let shown = words.join(" ");
    let mut all = vec!["cwgnc".to_owned()];
    all.extend(words);
    // Before the two hyphens.
    let at = all.iter().position(|word| word == "--").unwrap_or(all.len());
    let more = [
        (true, "--resume"),
        (first.json, "--json"),
        (first.quiet, "--quiet"),
    ];
    for (_, flag) in more.into_iter().filter(|(given, _)| *given) {
        all.insert(at, flag.to_owned());
    }
    let parsed = Args::try_parse_from(all).map_err(|error| Error::Usage(error.to_string()))?;
    let Some(Command::Study(args)) = parsed.command else {
        unreachable!("the words begin with `study`");
    };
    if !first.quiet {
        progress::say(&introduction(&shown, first.quick));
    }
    study::command(&args)?;
    if !first.quiet {
        progress::say(&next(&folder));
    }
    Ok(())
}

/// What is about to happen.
fn introduction(study: &str, quick: bool) -> String {
    let takes = if quick { "a few seconds" } else { "about a minute" };
    format!(
        "Fine-tunes a small pretrained encoder on a small task, once with each seed, without clipping (control) and with the gradient\n\
         norm of every component clipped by itself (component:0.05), and compares what comes out. Takes {takes}; it is\n\n  \
         cwgnc {study}\n"
    )
}

/// What to try then.
fn next(folder: &Path) -> String {
    let page = folder.join("report").join("report.html");
    format!(
        "\nTables and figures: {}\n\nNext:\n  \
         cwgnc finetune --model builtin:shallow --task builtin:paraphrase --learning-rate 5e-4     one run, with its model and log\n  \
         cwgnc study --preset factorial --task builtin:entailment --model builtin:shallow --dry-run     a larger study\n  \
         cwgnc --help     every command, also for models and data of your own",
        page.display()
    )
}
