//! `cwgnc report` of one run's folder: a page, a table of its numbers, and the files that other programs read.

mod export;
mod figures;
mod page;
mod read;

use super::args::Report;
use super::{make, write};
use crate::checkpoint;
use crate::cli::{Error, aligned, output, print, print_document, progress};
use crate::report::{html, markdown, tensorboard::tensorboard};
use read::Run;
use std::path::Path;

/// The file with `TensorBoard`'s events, whose name has to hold `tfevents`.
const EVENTS: &str = "events.out.tfevents.0.cwgnc";
/// What a report writes beside its figures.
pub(in crate::cli) const WRITTEN: [&str; 5] = [
    "report.html",
    "report.md",
    "metrics.csv",
    "trainer_state.json",
    "tensorboard/events.out.tfevents.0.cwgnc",
];

/// Whether a folder is one run's, and not a study's.
pub(super) fn is_run(dir: &Path) -> bool {
    let is_there = |name: &str| dir.join(name).exists();
    let is_study = ["study.toml", "results.jsonl", "journal.jsonl"]
        .into_iter()
        .any(is_there);
    !is_study && (is_there(output::RUN) || is_there(output::LOG))
}

/// Runs the command.
pub(super) fn command(args: &Report) -> Result<(), Error> {
    args.without_statistics()?;
    let run = Run::read(&args.dir)?;
    if let (Some(text), false) = (run.unfinished(), args.quiet) {
        progress::say(&format!("warning: {text}"));
    }
    let document = page::document(args, &run);
    let output = args.output.clone().unwrap_or_else(|| args.dir.join("report"));
    make(&output.join("figures"))?;
    make(&output)?;
    for figure in document.figures() {
        write(
            &output.join("figures").join(format!("{}.svg", figure.name)),
            &figure.svg,
        )?;
    }
    write(&output.join("metrics.csv"), &export::metrics(&run))?;
    write(
        &output.join("trainer_state.json"),
        &format!("{:#}\n", export::trainer_state(&run)),
    )?;
    if args.tensorboard {
        let folder = output.join("tensorboard");
        make(&folder)?;
        let bytes = tensorboard(&export::events(&run));
        checkpoint::write_atomic(&folder.join(EVENTS), |out| out.write_all(&bytes))?;
    }
    write(&output.join("report.md"), &markdown(&document))?;
    write(&output.join("report.html"), &html(&document))?;
    if !args.quiet {
        progress::say(&format!("written: {}", output.join("report.html").display()));
    }
    if args.json {
        return print_document(&format!("{:#}", run.reported()));
    }
    let table = page::results(&run);
    let rows: Vec<_> = [table.header].into_iter().chain(table.rows).collect();
    aligned(&rows).iter().try_for_each(|line| print(line))
}
