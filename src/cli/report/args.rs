//! The flags of `cwgnc report`.

#![expect(clippy::doc_markdown, reason = "the documentation of a flag is its help text")]

use crate::cli::Error;
use crate::cli::number::at_least_one;
use clap::{Args as ClapArgs, ValueEnum};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Bootstrap samples of an interval.
const BOOTSTRAP: usize = 10_000;

/// Tables, tests and figures of a study or a run, from its records alone.
///
/// Reads results.jsonl, study.toml and study.json of a study's folder and run.json and log.jsonl of its runs; trains
/// nothing. Writes report.html (one page that needs nothing else), report.md, tables.tex, summary.csv, runs.csv and figures/*.svg,
/// and prints the summary. The same records and flags give the same bytes. docs/study-report.md has every formula with
/// its source, and says what each figure shows.
///
/// Of the folder of one run (cwgnc finetune, cwgnc pretrain) it reads run.json, log.jsonl and all_results.json, and
/// writes report.html, report.md, figures/*.svg, metrics.csv (a row for each logged step and evaluation) and
/// trainer_state.json (as transformers' Trainer has it). docs/run-report.md has every column and key.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "A run failed if it stopped or its metric is not above what the majority class reaches.
Each condition is compared with the control: means (Welch, Mann-Whitney; by seed the paired
t and Wilcoxon's tests), spread (Brown-Forsythe), failed runs (Fisher's exact test), p-values also with Holm's correction over the conditions of a task.

Examples:
  cwgnc report studies/rte
  cwgnc report studies/rte --control baseline2 --ddof 1
  cwgnc report studies/rte --metric eval_loss --output reports/rte-loss
  cwgnc report runs/rte-bert --tensorboard && tensorboard --logdir runs/rte-bert/report
  cwgnc report studies/rte --json | jq '.[0].conditions[].mean'"
)]
pub(in crate::cli) struct Report {
    /// The folder of a study or of a run
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The folder to write to [default: DIR/report]
    #[arg(long, short, value_name = "DIR", help_heading = "Output")]
    pub(super) output: Option<PathBuf>,
    /// Print the summary as JSON; of a run its results
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// No messages
    #[arg(long, help_heading = "Output")]
    pub(super) quiet: bool,
    /// Of a run: write a TensorBoard event file too, tensorboard/events.out.tfevents.0.cwgnc
    #[arg(long, help_heading = "Output")]
    pub(super) tensorboard: bool,

    /// What is compared: `best` (the best evaluation of each run) or a name as in eval_loss [default: each task's metric after
    /// the last step]
    #[arg(long, value_name = "NAME", help_heading = "Statistics")]
    pub(super) metric: Option<String>,
    /// The condition that the others are compared with [default: `control`, or the first]
    #[arg(long, value_name = "CONDITION", help_heading = "Statistics")]
    pub(super) control: Option<String>,
    /// Which value a run must exceed not to have failed: `majority`, what the majority class reaches, counted on the dev set;
    /// `authors`, their values where they have one (rte 0.53, cola 0, mrpc 0.75, qnli 0.5); or values of your own, as in
    /// stsb=0.3,rte=0.55, for the other tasks the majority's
    #[arg(long, value_name = "WHICH", default_value_t = Thresholds::Majority, help_heading = "Statistics")]
    pub(super) thresholds: Thresholds,
    /// Standard deviations divide by n minus this: 0 for the population's, as the authors, 1 for the sample's
    #[arg(long, value_name = "0|1", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1), help_heading = "Statistics")]
    pub(super) ddof: u8,
    /// What a run without a value counts as in means and tests; it has failed either way
    #[arg(long, value_enum, default_value_t = Stopped::Exclude, help_heading = "Statistics")]
    pub(super) stopped: Stopped,
    /// Bootstrap samples of each interval
    #[arg(long, value_name = "N", default_value_t = BOOTSTRAP, value_parser = at_least_one, help_heading = "Statistics")]
    pub(super) bootstrap: usize,
    /// The layer of the figure of gradient norms, from 0 [default: the second highest, as the paper's 22 of 24]
    #[arg(long, value_name = "LAYER", help_heading = "Figures")]
    pub(super) layer: Option<usize>,
}

impl Report {
    /// The report of a study that has just ended, in its own folder.
    pub(in crate::cli) fn of(dir: &Path, json: bool, quiet: bool) -> Self {
        Self {
            dir: dir.to_owned(),
            output: None,
            json,
            quiet,
            tensorboard: false,
            metric: None,
            control: None,
            thresholds: Thresholds::Majority,
            ddof: 0,
            stopped: Stopped::Exclude,
            bootstrap: BOOTSTRAP,
            layer: None,
        }
    }

    /// Refuses the flags that a report of one run has no use for.
    pub(super) fn without_statistics(&self) -> Result<(), Error> {
        let given = [
            ("--metric", self.metric.is_some()),
            ("--control", self.control.is_some()),
            ("--thresholds", self.thresholds != Thresholds::Majority),
            ("--ddof", self.ddof != 0),
            ("--stopped", self.stopped != Stopped::Exclude),
            ("--bootstrap", self.bootstrap != BOOTSTRAP),
        ];
        let given = given.into_iter().find(|(_, is_given)| *is_given);
        given.map_or(Ok(()), |(flag, _)| {
            Err(Error::Usage(format!(
                "{flag} is for the report of a study, and {} is the folder of one run",
                self.dir.display()
            )))
        })
    }
}

/// What a run must exceed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Thresholds {
    /// What the majority class reaches in the metric, counted on the dev set.
    Majority,
    /// The authors' values where they have one.
    Authors,
    /// Values by task.
    Given(Vec<(String, f64)>),
}

/// The values of the authors' `compute_variance.py`.
const AUTHORS: [(&str, f64); 4] = [("rte", 0.53), ("cola", 0.0), ("mrpc", 0.75), ("qnli", 0.5)];

impl Thresholds {
    /// The value for a task, where it is not the majority's.
    pub(super) fn of(&self, task: &str) -> Option<f64> {
        match self {
            Self::Majority => None,
            Self::Authors => AUTHORS
                .iter()
                .find(|(name, _)| *name == task)
                .map(|(_, value)| *value),
            Self::Given(values) => values
                .iter()
                .find(|(name, _)| name == task)
                .map(|(_, value)| *value),
        }
    }

    /// The tasks that values were given for.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &str> {
        let values = match self {
            Self::Given(values) => &values[..],
            _ => &[],
        };
        values.iter().map(|(task, _)| &**task)
    }
}

impl FromStr for Thresholds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "majority" => return Ok(Self::Majority),
            "authors" => return Ok(Self::Authors),
            _ => {}
        }
        let mut values: Vec<(String, f64)> = Vec::new();
        for part in text.split(',') {
            let (task, value) = part
                .split_once('=')
                .and_then(|(task, value)| Some((task, value.parse().ok().filter(|x: &f64| x.is_finite())?)))
                .ok_or_else(|| {
                    format!("`{part}` is neither majority nor authors nor TASK=VALUE, as in stsb=0.3")
                })?;
            if values.iter().any(|(known, _)| known == task) {
                return Err(format!("task {task} has two values"));
            }
            values.push((task.to_owned(), value));
        }
        Ok(Self::Given(values))
    }
}

impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Majority => f.write_str("majority"),
            Self::Authors => f.write_str("authors"),
            Self::Given(values) => {
                let parts: Vec<String> = values
                    .iter()
                    .map(|(task, value)| format!("{task}={value}"))
                    .collect();
                f.write_str(&parts.join(","))
            }
        }
    }
}

/// Runs without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Stopped {
    /// Nothing
    Exclude,
    /// The majority's value
    Majority,
}
