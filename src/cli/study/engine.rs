//! Many runs side by side in one process: each worker has a thread pool of its own and takes the next run of the plan.
//!
//! All is one process, so that a signal ends all of it at once. What a worker finishes goes to the main thread, which
//! writes the journal before it shows anything.

use super::board::Board;
use super::flags::Flags;
use super::folder::Folder;
use super::run::perform;
use crate::checkpoint::{self, fnv1a64};
use crate::cli::Error;
use crate::cli::output::LOG;
use crate::study::PlannedRun;
use serde_json::{Map, Value};
use std::fs::OpenOptions;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How the cores are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// Runs side by side.
    pub(super) jobs: usize,
    /// Threads of each.
    pub(super) threads: usize,
}

impl Split {
    /// What is asked for, and for what is not: one thread a run and as many runs as there are cores, but more threads
    /// where there are fewer runs than cores. (`docs/study.md` has the measurement.)
    pub(super) fn new(jobs: Option<usize>, threads: Option<usize>, runs: usize, cores: usize) -> Self {
        let runs = runs.max(1);
        let jobs = match (jobs, threads) {
            (Some(jobs), _) => jobs,
            (None, Some(threads)) => (cores / threads).max(1),
            (None, None) => cores,
        };
        let jobs = jobs.min(runs);
        let threads = threads.unwrap_or_else(|| (cores / jobs).max(1));
        Self { jobs, threads }
    }

    /// The pool of one worker.
    pub(super) fn pool(self) -> Result<rayon::ThreadPool, Error> {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(self.threads);
        builder
            .build()
            .map_err(|error| Error::Usage(format!("cannot start {} threads: {error}", self.threads)))
    }
}

/// A run that has ended, its record and its wall time; or why it could not be done.
type Ended<'s> = (PlannedRun<'s>, Result<Map<String, Value>, Error>, Duration);

/// Does all these runs and journals each as it ends. The first error that is not a run's own lets those in flight end
/// and begins no other.
pub(super) fn run_all(
    folder: &Folder,
    runs: &[PlannedRun<'_>],
    split: Split,
    keep_models: bool,
    flags: &Flags,
    board: &mut Board,
) -> Result<(), Error> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut pools = Vec::new();
    for _ in 0..split.jobs {
        pools.push(split.pool()?);
    }
    let mut failed = None;
    std::thread::scope(|scope| {
        let (sender, ended) = mpsc::channel();
        for pool in &pools {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || {
                pool.install(|| work(folder, runs, keep_models, flags, next, stop, &sender));
            });
        }
        drop(sender);
        loop {
            match ended.recv_timeout(Duration::from_secs(1)) {
                Ok((run, result, time)) => {
                    let result = result.and_then(|record| {
                        let path = folder.run(&run.id()).join(LOG);
                        // On the disk before the journal has its hash there.
                        let synced = OpenOptions::new().append(true).open(&path);
                        synced
                            .and_then(|log| log.sync_all())
                            .map_err(|source| Error::Folder {
                                path: path.clone(),
                                source,
                            })?;
                        let log = fnv1a64(&checkpoint::read(&path)?);
                        folder.journal.append(&record, time.as_secs_f64(), Some(&log))?;
                        Ok(record)
                    });
                    match result {
                        Ok(record) => board.ended(&run, &record, time),
                        Err(error) => {
                            stop.store(true, Ordering::Relaxed);
                            failed.get_or_insert_with(|| Error::Study(format!("run {}: {error}", run.id())));
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => board.draw(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    failed.map_or(Ok(()), Err)
}

/// One worker: run after run until there is none.
fn work<'s>(
    folder: &Folder,
    runs: &[PlannedRun<'s>],
    keep_models: bool,
    flags: &Flags,
    next: &AtomicUsize,
    stop: &AtomicBool,
    sender: &Sender<Ended<'s>>,
) {
    while !stop.load(Ordering::Relaxed) {
        let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) else {
            return;
        };
        let start = Instant::now();
        let path = folder.run(&run.id());
        // A panic is a fault of the program; the study says where it was and keeps what it has.
        let result = catch_unwind(AssertUnwindSafe(|| perform(run, &path, keep_models, flags)));
        let result = result.unwrap_or_else(|_| Err(Error::Study("the program panicked".to_owned())));
        if sender.send((*run, result, start.elapsed())).is_err() {
            return;
        }
    }
}
