//! The folder of a study: who may use it, and its files.
//!
//! | file | |
//! |---|---|
//! | `study.toml` | the study, with nothing left to be looked up |
//! | `study.json` | the program's version, whether its numbers are those of every machine, the hashes of models and data |
//! | `checksums.json` | the hashes of `study.toml` and `study.json` |
//! | `journal.jsonl` | one line for each finished run, in the order in which they ended |
//! | `results.jsonl` | the same without wall times, in the order of the plan |
//! | `runs/TASK/CONDITION/seed-N/` | what `cwgnc finetune` writes |
//! | `lock` | held by the process that works in the folder |

use super::file;
use super::flags::Flags;
use super::journal::{Entries, Journal};
use super::merging::{begun_merge, mark, only_holds, remove_mark, remove_merge};
use super::versions::{PORTABLE, check_version, read_versions, version_differences, versions};
use crate::checkpoint;
use crate::cli::{Error, checksums, output};
use crate::study::Study;
use serde_json::{Map, Value};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

pub(in crate::cli) const STUDY: &str = "study.toml";
pub(in crate::cli) const VERSIONS: &str = "study.json";
pub(in crate::cli) const RESULTS: &str = "results.jsonl";
pub(super) const LOCK: &str = "lock";

/// The folder of a study that this process works in.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) study: Study,
    pub(super) journal: Journal,
    /// Held until the folder is dropped.
    _lock: File,
}

/// How a process uses a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Alone: it does many runs.
    Alone,
    /// Beside others of its kind: it does one run.
    Shared,
}

impl Folder {
    /// Opens a study's folder, or makes it: with `resume`, what is there must be the same study, and unless `mixed` begun on a
    /// machine of this one's kind.
    pub(super) fn open(
        path: &Path,
        asked: Option<Study>,
        resume: bool,
        mixed: bool,
        usage: Use,
        flags: &Flags,
    ) -> Result<Self, Error> {
        let there = path.join(STUDY).exists();
        if asked.is_none() && !(resume && there) {
            let why = if resume {
                "there is no study in it to resume"
            } else {
                "no study is asked for"
            };
            return Err(Error::Usage(format!(
                "{}: {why}; give --preset or --config, --task, --data and --model",
                path.display()
            )));
        }
        if !there && !is_unused(path)? {
            return Err(Error::Usage(format!(
                "output folder {} is not empty and holds no study",
                path.display()
            )));
        }
        if there && !resume {
            let finished = Journal::new(path).read()?.records.len();
            return Err(Error::Usage(format!(
                "output folder {} holds a study with {finished} finished runs; --resume goes on with it",
                path.display()
            )));
        }
        make(path)?;
        let lock = lock(path, usage)?;
        if usage == Use::Alone {
            remove_left_overs(path)?;
        }
        let study = if there {
            // From here on the folder holds more than a merge would write again.
            remove_mark(path)?;
            same_study(path, asked, mixed, flags)?
        } else {
            let study = asked.ok_or_else(|| Error::Usage("no study is asked for".to_owned()))?;
            let versions = versions(&study, flags)?;
            write_study(path, &study, &versions)?;
            study
        };
        Ok(Self {
            path: path.to_owned(),
            study,
            journal: Journal::new(path),
            _lock: lock,
        })
    }

    /// A new folder for the runs of shards, which have been found to be of this study. `fill` puts them in and gives what
    /// `study.json` holds; `study.toml` comes last, and then, by [`Folder::end_merge`], the mark `merging` goes. A merge that
    /// was killed leaves it, and is done anew.
    pub(super) fn open_merged(
        path: &Path,
        study: Study,
        merged: &Entries,
        fill: impl FnOnce(&Self) -> Result<Map<String, Value>, Error>,
    ) -> Result<Self, Error> {
        begun_merge(path)?;
        make(path)?;
        let lock = lock(path, Use::Alone)?;
        // Again, for another merge may have ended before this one had the lock.
        if begun_merge(path)? {
            only_holds(path, merged)?;
            remove_merge(path)?;
        }
        mark(path)?;
        let folder = Self {
            path: path.to_owned(),
            study,
            journal: Journal::new(path),
            _lock: lock,
        };
        let versions = fill(&folder)?;
        write_study(path, &folder.study, &versions)?;
        Ok(folder)
    }

    /// Takes away the mark of a merge, which is complete.
    pub(super) fn end_merge(&self) -> Result<(), Error> {
        remove_mark(&self.path)
    }

    /// The folder of a run.
    pub(super) fn run(&self, id: &str) -> PathBuf {
        self.path.join("runs").join(id)
    }

    /// Waits until no other process does this run, and keeps others from it until the file is dropped. A process that
    /// works alone in the folder needs no such lock.
    pub(super) fn lock_run(&self, id: &str) -> Result<File, Error> {
        let path = self.path.join("runs").join(format!("{id}.lock"));
        make(path.parent().unwrap_or(&self.path))?;
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(false).open(&path);
        let locked = opened.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| Error::Folder { path, source })
    }

    /// The finished runs. Each must be in the plan.
    pub(super) fn entries(&self) -> Result<Entries, Error> {
        self.journal.entries_of(&self.study)
    }

    /// Writes `results.jsonl`: the records of all finished runs, in the order of the plan.
    pub(super) fn write_results(&self, entries: &Entries) -> Result<(), Error> {
        let runs = self.study.runs();
        let mut text = String::new();
        for record in runs.iter().filter_map(|run| entries.records.get(&run.id())) {
            text.push_str(&Value::Object(record.clone()).to_string());
            text.push('\n');
        }
        Ok(checkpoint::write_atomic(&self.path.join(RESULTS), |out| {
            out.write_all(text.as_bytes())
        })?)
    }
}

/// A study's finished runs, and what its plan has.
pub(in crate::cli) struct Finished {
    /// Their records, in the order of the plan.
    pub(in crate::cli) records: Vec<Value>,
    /// The runs of the plan.
    pub(in crate::cli) planned: usize,
    /// Its conditions.
    pub(in crate::cli) conditions: Vec<String>,
    /// What would not be noticed if it were damaged, one sentence each: an older version wrote it.
    pub(in crate::cli) remarks: Vec<String>,
}

/// What is said of a study's folder without [`checksums::FILE`].
pub(super) fn unsealed(path: &Path) -> String {
    format!(
        "{} has no {}, so that damage to {STUDY} and {VERSIONS} would not be noticed",
        path.display(),
        checksums::FILE
    )
}

/// The finished runs of the study in a folder; none if there is no study or no journal.
pub(in crate::cli) fn finished(path: &Path) -> Result<Option<Finished>, Error> {
    let journal = Journal::new(path);
    if !path.join(STUDY).is_file() || !journal.path().is_file() {
        return Ok(None);
    }
    let mut remarks = Vec::new();
    if !checksums::is_sealed(path)? {
        remarks.push(unsealed(path));
    }
    let study = read_study(path, &Flags::new())?;
    let entries = journal.entries_of(&study)?;
    entries.check_logs(path)?;
    let bare = entries.records.len() - entries.logs.len();
    if bare > 0 {
        let journal = journal.path().display();
        remarks.push(format!(
            "{journal} has no hash of the logs of {bare} runs, so that damage to them would not be noticed"
        ));
    }
    let mut records = entries.records;
    let runs = study.runs();
    let in_order = runs.iter().filter_map(|run| records.remove(&run.id()));
    Ok(Some(Finished {
        records: in_order.map(Value::Object).collect(),
        planned: runs.len(),
        conditions: study.conditions.iter().map(|part| part.name.clone()).collect(),
        remarks,
    }))
}

pub(super) fn make(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Folder {
        path: path.to_owned(),
        source,
    })
}

/// Writes what makes a folder a study's. `study.toml` is the last, so that a folder that has it is whole.
fn write_study(path: &Path, study: &Study, versions: &Map<String, Value>) -> Result<(), Error> {
    output::write_json(&path.join(VERSIONS), versions)?;
    let text = file::write(study)?;
    seal(path, text.as_bytes())?;
    Ok(checkpoint::write_atomic(&path.join(STUDY), |out| {
        out.write_all(text.as_bytes())
    })?)
}

/// Writes the hashes of a study's files, of which `study.json` is there.
fn seal(path: &Path, study: &[u8]) -> Result<(), Error> {
    let versions = checkpoint::read(&path.join(VERSIONS))?;
    checksums::seal(path, &[(STUDY, study), (VERSIONS, &versions)])
}

/// The study of a folder: the one that is asked for, if one is, made by this program from the same files.
fn same_study(path: &Path, asked: Option<Study>, mixed: bool, flags: &Flags) -> Result<Study, Error> {
    let refuse = |changed: Vec<String>| {
        let list = changed.join("\n  ");
        Error::Usage(format!(
            "cannot resume {}: it is another study\n  {list}",
            path.display()
        ))
    };
    let is_sealed = checksums::is_sealed(path)?;
    let was = read_study(path, flags)?;
    let changed = asked.map(|asked| was.differences(&asked)).unwrap_or_default();
    if !changed.is_empty() {
        return Err(refuse(changed));
    }
    let before = read_versions(path)?;
    check_version(path, &before)?;
    let now = versions(&was, flags)?;
    let changed = version_differences(&before, &now, mixed);
    if !changed.is_empty() {
        return Err(refuse(changed));
    }
    if before.get(PORTABLE) != now.get(PORTABLE) {
        // From here on it is a study of both kinds, and says so.
        let mut both = before;
        both.insert(PORTABLE.to_owned(), false.into());
        let study = checkpoint::read(&path.join(STUDY))?;
        if is_sealed {
            // A process that is killed between two files must not leave a hash of the old one.
            checksums::seal(path, &[(STUDY, &study)])?;
        }
        output::write_json(&path.join(VERSIONS), &both)?;
        if is_sealed {
            seal(path, &study)?;
        }
    }
    Ok(was)
}

/// The study that a folder's `study.toml` describes.
pub(super) fn read_study(path: &Path, flags: &Flags) -> Result<Study, Error> {
    let file = path.join(STUDY);
    let text = String::from_utf8_lossy(&checkpoint::read(&file)?).into_owned();
    file::read_resolved(&file.display().to_string(), &text, flags)
}

/// Whether a folder is new, empty, or holds only what a process left that died before the study began.
pub(super) fn is_unused(path: &Path) -> Result<bool, Error> {
    if !path.exists() {
        return Ok(true);
    }
    let name = |path: &PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let ours = |path: &PathBuf| {
        [LOCK, VERSIONS, checksums::FILE].contains(&name(path).as_str()) || output::is_left_over(path)
    };
    Ok(output::entries(path)?.iter().all(ours))
}

pub(super) fn remove_left_overs(path: &Path) -> Result<(), Error> {
    for left in output::entries(path)?
        .into_iter()
        .filter(|path| output::is_left_over(path))
    {
        fs::remove_file(&left).map_err(|source| Error::Folder { path: left, source })?;
    }
    Ok(())
}

/// Takes the folder's lock, which the system releases when the process ends in whatever way.
fn lock(path: &Path, usage: Use) -> Result<File, Error> {
    let fail = |source| Error::Folder {
        path: path.join(LOCK),
        source,
    };
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK))
        .map_err(fail)?;
    let locked = match usage {
        Use::Alone => file.try_lock(),
        Use::Shared => file.try_lock_shared(),
    };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Usage(format!(
            "another process works in {}; wait until it has ended",
            path.display()
        ))),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}
