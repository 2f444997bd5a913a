//! The folder of a study: who may use it, and its files.
//!
//! | file | |
//! |---|---|
//! | `study.toml` | the study, with nothing left to be looked up |
//! | `study.json` | the program's version, whether its numbers are those of every machine, the hashes of models and data |
//! | `journal.jsonl` | one line for each finished run, in the order in which they ended |
//! | `results.jsonl` | the same without wall times, in the order of the plan |
//! | `runs/TASK/CONDITION/seed-N/` | what `cwgnc finetune` writes |
//! | `lock` | held by the process that works in the folder |

use super::file;
use super::flags::Flags;
use super::journal::{Entries, Journal};
use crate::checkpoint;
use crate::cli::corpus::Corpus;
use crate::cli::settings::differences;
use crate::cli::{Error, output};
use crate::embedded;
use crate::gemm;
use crate::study::{PlannedRun, Study};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

pub(super) const STUDY: &str = "study.toml";
pub(super) const VERSIONS: &str = "study.json";
pub(super) const RESULTS: &str = "results.jsonl";
/// In `study.json`, in a record and in `run.json`: whether the numbers are those of every machine with fused multiply-add.
pub(super) const PORTABLE: &str = "portable";
const LOCK: &str = "lock";
/// The version of the files of a study's folder.
const FORMAT: u64 = 1;

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

    /// A new folder for the runs of shards, which have been found to be of this study.
    pub(super) fn open_merged(
        path: &Path,
        study: Study,
        versions: &Map<String, Value>,
    ) -> Result<Self, Error> {
        if !is_unused(path)? {
            let path = path.display();
            return Err(Error::Usage(format!("output folder {path} is not empty")));
        }
        make(path)?;
        let lock = lock(path, Use::Alone)?;
        write_study(path, &study, versions)?;
        Ok(Self {
            path: path.to_owned(),
            study,
            journal: Journal::new(path),
            _lock: lock,
        })
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
        let entries = self.journal.read()?;
        let planned: BTreeSet<String> = self.study.runs().iter().map(PlannedRun::id).collect();
        if let Some(id) = entries.records.keys().find(|id| !planned.contains(*id)) {
            let journal = self.journal.path().display();
            return Err(Error::Study(format!("{journal}: run {id} is not in the study")));
        }
        Ok(entries)
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

fn make(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Folder {
        path: path.to_owned(),
        source,
    })
}

/// Writes what makes a folder a study's. `study.toml` is the last, so that a folder that has it is whole.
fn write_study(path: &Path, study: &Study, versions: &Map<String, Value>) -> Result<(), Error> {
    output::write_json(&path.join(VERSIONS), versions)?;
    let text = file::write(study)?;
    Ok(checkpoint::write_atomic(&path.join(STUDY), |out| {
        out.write_all(text.as_bytes())
    })?)
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
        output::write_json(&path.join(VERSIONS), &both)?;
    }
    Ok(was)
}

/// The study that a folder's `study.toml` describes.
pub(super) fn read_study(path: &Path, flags: &Flags) -> Result<Study, Error> {
    let file = path.join(STUDY);
    let text = String::from_utf8_lossy(&checkpoint::read(&file)?).into_owned();
    file::read_resolved(&file.display().to_string(), &text, flags)
}

/// A folder's `study.json`.
pub(super) fn read_versions(path: &Path) -> Result<Map<String, Value>, Error> {
    let file = path.join(VERSIONS);
    serde_json::from_slice(&checkpoint::read(&file)?)
        .map_err(|error| Error::Study(format!("{}: not valid JSON: {error}", file.display())))
}

/// Where two `study.json` differ. Numbers of machines of both kinds go together only where they are asked to be `mixed`.
pub(super) fn version_differences(
    was: &Map<String, Value>,
    now: &Map<String, Value>,
    mixed: bool,
) -> Vec<String> {
    let (mut was, mut now) = (flat(was), flat(now));
    let kinds = (was.shift_remove(PORTABLE), now.shift_remove(PORTABLE));
    let mut changed = differences(&was, &now);
    if kinds.0 != kinds.1 && !mixed {
        let shown = |kind: Option<Value>| kind.unwrap_or_default();
        changed.push(format!(
            "{PORTABLE}: was {}, now {}: of one machine and another without fused multiply-add, whose numbers differ in \
             their last digits; --mixed-machines takes both",
            shown(kinds.0),
            shown(kinds.1)
        ));
    }
    changed
}

/// Records of another version of the program or of the format may mean something else.
pub(super) fn check_version(path: &Path, versions: &Map<String, Value>) -> Result<(), Error> {
    let (format, version) = (&versions["format"], &versions["cwgnc_version"]);
    if *format != json!(FORMAT) || *version != json!(env!("CARGO_PKG_VERSION")) {
        return Err(Error::Usage(format!(
            "{}: made by cwgnc {} with study format {format}; this is cwgnc {} with format {FORMAT}",
            path.join(VERSIONS).display(),
            version.as_str().unwrap_or("?"),
            env!("CARGO_PKG_VERSION"),
        )));
    }
    Ok(())
}

/// What a study's numbers depend on beside its settings.
fn versions(study: &Study, flags: &Flags) -> Result<Map<String, Value>, Error> {
    let (mut models, mut data) = (Map::new(), Map::new());
    let mut seen = BTreeSet::new();
    let first = study.seeds[0];
    for run in study.runs().iter().filter(|run| run.seed == first) {
        let args = flags.parse(&run.settings()).map_err(Error::Usage)?;
        if seen.insert(format!("model {}", args.model.dir.display())) {
            models.extend(model_files(&args.model.dir)?);
        }
        let sources = [&args.data.data, &args.train_file, &args.data.validation_file];
        if seen.insert(format!("data {:?} {sources:?}", args.data.task)) {
            let corpus = Corpus::for_finetuning(&args)?;
            if let Err(error) = corpus.headline.of_a_study() {
                return Err(Error::Usage(format!("task {}: {error}", run.task.name)));
            }
            for source in corpus.train.iter().chain(&corpus.dev) {
                let (path, hash) = source.fingerprint()?;
                data.insert(path, hash.into());
            }
        }
    }
    let versions = json!({
        "format": FORMAT,
        "cwgnc_version": env!("CARGO_PKG_VERSION"),
        PORTABLE: gemm::is_portable(),
        "model_files": models,
        "data_files": data,
    });
    Ok(versions.as_object().cloned().unwrap_or_default())
}

/// The hashes of the files in a model's folder that a run may read.
fn model_files(dir: &Path) -> Result<Map<String, Value>, Error> {
    let is_read = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kinds = [".json", ".safetensors", ".txt"];
        path.is_file() && !name.starts_with('.') && kinds.iter().any(|kind| name.ends_with(kind))
    };
    // An unreadable folder is an error of its `config.json`.
    checkpoint::read_config(dir)?;
    let paths = match embedded::names(dir) {
        Some(names) => names.iter().map(|name| dir.join(name)).collect(),
        None => output::entries(dir)?
            .into_iter()
            .filter(is_read)
            .collect::<Vec<_>>(),
    };
    let mut files = Map::new();
    for path in paths {
        let hash = checkpoint::fnv1a64(&checkpoint::read(&path)?);
        files.insert(path.display().to_string(), hash.into());
    }
    Ok(files)
}

/// `study.json` with its tables flattened, to be compared entry by entry.
fn flat(versions: &Map<String, Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    for (key, value) in versions {
        match value {
            Value::Object(table) => flat.extend(table.clone()),
            value => {
                flat.insert(key.clone(), value.clone());
            }
        }
    }
    flat
}

/// Whether a folder is new, empty, or holds only what a process left that died before the study began.
fn is_unused(path: &Path) -> Result<bool, Error> {
    if !path.exists() {
        return Ok(true);
    }
    let name = |path: &PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let ours = |path: &PathBuf| [LOCK, VERSIONS].contains(&name(path).as_str()) || output::is_left_over(path);
    Ok(output::entries(path)?.iter().all(ours))
}

fn remove_left_overs(path: &Path) -> Result<(), Error> {
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
