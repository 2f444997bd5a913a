//! `cwgnc study`: tasks × conditions × seeds, each a fine-tuning of its own.
//!
//! From what is asked to a plan: [`args`], [`file`], [`flags`], [`resolve`]. The work: [`folder`] and [`journal`] (what
//! is on the disk), [`run`](mod@run) (one run), [`engine`] (many), [`board`] (progress). What comes out is
//! [`report`](super::report)'s. Beside it: [`estimate`]
//! (`--dry-run`), [`cluster`] (`--plan`), [`merge`].

pub(super) mod args;
mod board;
mod cluster;
mod engine;
mod estimate;
mod file;
mod flags;
mod folder;
mod journal;
mod merge;
mod merging;
mod resolve;
mod run;
mod versions;

use super::report::{self, args::Report};
use super::{Error, checksums, machine, progress};
use crate::study::{PlannedRun, Study};
use args::{StudyArgs, StudyCommand};
use board::Board;
use engine::Split;
pub(super) use file::read_run;
use flags::Flags;
use folder::{Folder, Use};
pub(super) use folder::{RESULTS, STUDY, VERSIONS, finished};
use journal::Entries;
pub(super) use journal::JOURNAL;
use std::path::{Path, PathBuf};
pub(super) use versions::FORMAT;

/// Runs the command.
pub(super) fn command(args: &StudyArgs) -> Result<(), Error> {
    if let Some(StudyCommand::Merge(merge)) = &args.command {
        return merge::command(merge);
    }
    let flags = Flags::new();
    let asked = resolve::resolve(args, &flags)?;
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| default_folder(asked.as_ref()));
    if args.dry_run {
        return estimate::command(args, asked, &path, &flags);
    }
    if let Some(kind) = args.plan {
        cluster::check(kind, &path)?;
    }
    let usage = if args.only.is_some() {
        Use::Shared
    } else {
        Use::Alone
    };
    let folder = Folder::open(&path, asked, args.resume, args.mixed_machines, usage, &flags)?;
    if let Some(kind) = args.plan {
        return cluster::print_plan(&folder, kind, args);
    }
    // Read after the lock is had: what another process has done in the meantime is not done again.
    let _held = match &args.only {
        Some(only) => Some(folder.lock_run(&named(only, &folder.study)?.id())?),
        None => None,
    };
    machine::warn_unless_portable(args.quiet);
    if !args.quiet && !checksums::is_sealed(&folder.path)? {
        progress::say(&format!("warning: {}", folder::unsealed(&folder.path)));
    }
    let entries = folder.entries()?;
    entries.check_logs(&folder.path)?;
    // Beside other processes, half a line may be one that is being written.
    if entries.torn > 0 && usage == Use::Alone && !args.quiet {
        let (journal, bytes) = (folder.journal.path().display(), entries.torn);
        progress::say(&format!(
            "{journal}: the last line was cut off ({bytes} bytes); its run is done again"
        ));
    }
    let todo = todo(args, &folder.study, &entries)?;
    perform(args, &folder, &entries, &todo, &flags)?;
    let entries = folder.entries()?;
    if args.only.is_some() {
        return Ok(());
    }
    folder.write_results(&entries)?;
    report::command(&Report::of(&folder.path, args.json, args.quiet))
}

/// `runs/study-rte-mrpc`.
fn default_folder(study: Option<&Study>) -> PathBuf {
    let names = study.map_or(Vec::new(), |study| {
        study.tasks.iter().map(|task| task.name.as_str()).collect()
    });
    Path::new("runs").join(["study"].into_iter().chain(names).collect::<Vec<_>>().join("-"))
}

/// The run of this number or name.
fn named<'s>(only: &str, study: &'s Study) -> Result<PlannedRun<'s>, Error> {
    let runs = study.runs();
    let found = runs
        .iter()
        .find(|run| run.id() == only || run.number.to_string() == only);
    found.copied().ok_or_else(|| {
        let (all, first) = (runs.len(), runs[0].id());
        Error::Usage(format!(
            "--only {only}: the study has no such run; runs are 1 to {all}, or names as in {first}"
        ))
    })
}

/// The runs that this process is to do.
fn todo<'s>(args: &StudyArgs, study: &'s Study, entries: &Entries) -> Result<Vec<PlannedRun<'s>>, Error> {
    let mut runs = study.runs();
    if let Some(only) = &args.only {
        runs = vec![named(only, study)?];
    }
    if let Some(shard) = args.shard {
        runs.retain(|run| shard.has(run.number));
        if runs.is_empty() {
            return Err(Error::Usage(
                "the shard has no run: there are more shards than runs".to_owned(),
            ));
        }
    }
    runs.retain(|run| !entries.records.contains_key(&run.id()));
    Ok(runs)
}

fn perform(
    args: &StudyArgs,
    folder: &Folder,
    entries: &Entries,
    todo: &[PlannedRun<'_>],
    flags: &Flags,
) -> Result<(), Error> {
    let plan = folder.study.runs();
    let mine = |run: &&PlannedRun<'_>| args.shard.is_none_or(|shard| shard.has(run.number));
    let total = if args.only.is_some() {
        todo.len()
    } else {
        plan.iter().filter(mine).count()
    };
    let split = Split::new(args.jobs, args.threads_per_job, todo.len(), cores());
    let mut board = Board::new(args.quiet, split.jobs, total, todo);
    for run in &plan {
        let id = run.id();
        if let (Some(record), Some(&seconds)) = (entries.records.get(&id), entries.seconds.get(&id)) {
            board.known(run, record, seconds);
        }
    }
    board.message(&format!(
        "{} of {total} runs to do, {} side by side with {} threads each; writing to {}",
        todo.len(),
        split.jobs,
        split.threads,
        folder.path.display()
    ));
    let done = engine::run_all(folder, todo, split, args.keep_models, flags, &mut board);
    board.wipe();
    done
}

/// The cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
