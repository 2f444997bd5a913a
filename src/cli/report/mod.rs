//! `cwgnc report`: the records of a study, or of one run ([`run`]), become tables, tests, figures and a page.
//!
//! [`records`] and [`series`] read; [`analysis`] counts and tests; [`tables`], [`figures`], [`logs`] and
//! [`updates`] show; [`page`] puts it all
//! in order. Nothing here reads a clock: the same records and flags give the same bytes.

mod analysis;
pub(super) mod args;
mod figures;
mod logs;
mod page;
mod records;
pub(super) mod run;
mod series;
mod tables;
mod updates;

use super::{Error, aligned, output, print, print_document, progress};
use crate::checkpoint;
use crate::report::{html, latex, markdown};
use analysis::Task;
use args::Report;
use logs::Logs;
use records::Run;
use std::path::Path;

/// Where a report is written, in the folder that it is about.
pub(super) const FOLDER: &str = "report";

/// Runs the command.
pub(super) fn command(args: &Report) -> Result<(), Error> {
    if run::is_run(&args.dir) {
        return run::command(args);
    }
    if args.tensorboard {
        return Err(Error::Usage(
            "--tensorboard is for the report of one run: give it the folder of a run, as DIR/runs/TASK/CONDITION/seed-1".to_owned(),
        ));
    }
    let records = records::read(&args.dir)?;
    for remark in records.remarks.iter().filter(|_| !args.quiet) {
        progress::say(&format!("warning: {remark}"));
    }
    let (tasks, notes) = analysis::analyse(&records, args)?;
    let unfinished = records.unfinished(&notes);
    if let (Some(text), false) = (&unfinished, args.quiet) {
        progress::say(&format!("warning: {text}"));
    }
    let mut logs = Vec::new();
    for task in &tasks {
        logs.push(read_logs(args, task)?);
    }
    let document = page::document(args, unfinished, &tasks, &logs)?;
    let output = args.output.clone().unwrap_or_else(|| args.dir.join(FOLDER));
    let folder = output.join("figures");
    make(&folder)?;
    make(&output)?;
    for figure in document.figures() {
        write(&folder.join(format!("{}.svg", figure.name)), &figure.svg)?;
    }
    write(&output.join("summary.csv"), &tables::summary_csv(&tasks))?;
    write(&output.join("runs.csv"), &tables::runs_csv(&tasks))?;
    write(&output.join("report.md"), &markdown(&document))?;
    write(&output.join("tables.tex"), &latex(&document))?;
    write(&output.join("report.html"), &html(&document))?;
    if !args.quiet {
        progress::say(&format!("written: {}", output.join("report.html").display()));
    }
    if args.json {
        return print_document(&format!("{:#}", tables::json(&tasks)));
    }
    for task in &tasks {
        let table = tables::summary(task, "sd");
        print(&format!("{} ({})", task.name, task.metric))?;
        let rows: Vec<_> = [table.header].into_iter().chain(table.rows).collect();
        for line in aligned(&rows) {
            print(&line)?;
        }
    }
    Ok(())
}

/// Makes a folder of a report, without the unfinished files of a report that was killed.
fn make(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let entries = output::entries(folder)?.into_iter();
    for left in entries.filter(|path| output::is_left_over(path) && path.is_file()) {
        checkpoint::remove_unlocked(&left);
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    Ok(checkpoint::write_atomic(path, |out| {
        out.write_all(text.as_bytes())
    })?)
}

/// Settings and logs of a task's runs; all runs of a condition must have the same settings.
fn read_logs(args: &Report, task: &Task<'_>) -> Result<Logs, Error> {
    let mut all = Logs::default();
    let mut missing: Vec<&Run> = Vec::new();
    for condition in &task.conditions {
        let (mut settings, mut logs) = (None, Vec::new());
        for run in &condition.runs {
            let found = series::settings(&args.dir, run)?;
            if let (Some(known), Some(found)) = (&settings, &found) {
                let changed = super::settings::differences(known, found);
                if !changed.is_empty() {
                    return Err(Error::Report(format!(
                        "run {} has other settings than the runs of its condition before it:\n  {}",
                        run.id,
                        changed.join("\n  ")
                    )));
                }
            }
            settings = settings.or(found);
            let log = series::log(&args.dir, run)?;
            missing.extend(log.is_none().then_some(*run));
            logs.push(log);
        }
        all.settings.push(settings);
        series::align(&mut logs, &condition.runs)?;
        all.logs.push(logs);
    }
    if let (Some(first), false) = (missing.first(), args.quiet) {
        let (count, task, id) = (missing.len(), &task.name, &first.id);
        progress::say(&format!(
            "warning: {count} runs of {task} have no log.jsonl ({id} is the first); figures of steps are without them"
        ));
    }
    Ok(all)
}
