//! `journal.jsonl`: one line for each finished run, on the disk before anything else happens.
//!
//! A line is the run's record, its wall time, the hash of its log and a checksum of all three, so that a damaged line is told. Several processes may append to one journal; each holds the file's lock
//! while it does. A process that dies while it writes leaves half a line, which is cut off by whoever comes next.

use crate::checkpoint::{self, CheckpointError, fnv1a64};
use crate::cli::Error;
use crate::cli::output::LOG;
use crate::study::{PlannedRun, Study};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The name of the wall time in a line; the one field that is not the same in every repetition.
pub(super) const SECONDS: &str = "seconds";

/// The name of the hash of the run's log in a line.
const LOG_HASH: &str = "log";

/// Its name in a study's folder.
pub(in crate::cli) const JOURNAL: &str = "journal.jsonl";

/// The name of a line's last field, the hash of what stands before it.
const CHECKSUM: &str = "checksum";
/// What stands between that and the hash.
const MARK: &str = ",\"checksum\":\"";

/// A study's journal.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    path: PathBuf,
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Records by run, without their wall time.
    pub(super) records: BTreeMap<String, Map<String, Value>>,
    /// Wall times by run.
    pub(super) seconds: BTreeMap<String, f64>,
    /// Hashes of the logs by run; an older version wrote none.
    pub(super) logs: BTreeMap<String, String>,
    /// The bytes of a last line that was cut off when its process died.
    pub(super) torn: usize,
}

impl Journal {
    pub(super) fn new(study: &Path) -> Self {
        Self {
            path: study.join(JOURNAL),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all whole lines; a study that has not begun has none.
    pub(super) fn read(&self) -> Result<Entries, Error> {
        let bytes = match crate::embedded::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                let path = self.path.clone();
                return Err(CheckpointError::Read { path, source }.into());
            }
        };
        let whole = whole_lines(&bytes);
        let mut entries = Entries {
            torn: bytes.len() - whole,
            ..Entries::default()
        };
        for (number, line) in bytes[..whole].split_inclusive(|&byte| byte == b'\n').enumerate() {
            let wrong =
                |what: &str| Error::Study(format!("{} line {}: {what}", self.path.display(), number + 1));
            if !is_whole(line) {
                return Err(wrong(
                    "damaged: its bytes are not those that were written; take the line out, and --resume repeats the run",
                ));
            }
            let mut record: Map<String, Value> = serde_json::from_slice(line)
                .map_err(|error| wrong(&format!("not a record of a run: {error}")))?;
            record.shift_remove(CHECKSUM);
            let log = record.shift_remove(LOG_HASH);
            let seconds = record.shift_remove(SECONDS).and_then(|seconds| seconds.as_f64());
            let (Some(id), Some(seconds)) = (record.get("run").and_then(Value::as_str), seconds) else {
                return Err(wrong(&format!("no `run` or no `{SECONDS}`")));
            };
            let id = id.to_owned();
            if entries.records.get(&id).is_some_and(|before| *before != record) {
                return Err(wrong(&format!("run {id} is there before, with other results")));
            }
            entries.seconds.insert(id.clone(), seconds);
            if let Some(hash) = log.as_ref().and_then(Value::as_str) {
                entries.logs.insert(id.clone(), hash.to_owned());
            }
            entries.records.insert(id, record);
        }
        Ok(entries)
    }

    /// [`Journal::read`]; each run must be in the plan of the study.
    pub(super) fn entries_of(&self, study: &Study) -> Result<Entries, Error> {
        let entries = self.read()?;
        let planned: BTreeSet<String> = study.runs().iter().map(PlannedRun::id).collect();
        if let Some(id) = entries.records.keys().find(|id| !planned.contains(*id)) {
            let journal = self.path.display();
            return Err(Error::Study(format!("{journal}: run {id} is not in the study")));
        }
        Ok(entries)
    }

    /// Appends the line of a run and waits until it is on the disk.
    pub(super) fn append(
        &self,
        record: &Map<String, Value>,
        seconds: f64,
        log: Option<&str>,
    ) -> Result<(), Error> {
        let mut line = record.clone();
        line.insert(SECONDS.to_owned(), seconds.into());
        if let Some(hash) = log {
            line.insert(LOG_HASH.to_owned(), hash.into());
        }
        self.append_line(&with_checksum(&Value::Object(line).to_string()))
            .map_err(|source| {
                let path = self.path.clone();
                CheckpointError::Write { path, source }.into()
            })
    }

    fn append_line(&self, line: &str) -> io::Result<()> {
        let is_new = !self.path.exists();
        let mut options = OpenOptions::new();
        let mut file: File = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        file.lock()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = whole_lines(&bytes) as u64;
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()?;
        match self.path.parent().filter(|_| is_new) {
            Some(folder) => checkpoint::sync_folder(folder),
            None => Ok(()),
        }
    }
}

impl Entries {
    /// Whether the logs below a study's folder are those of the runs that ended. One that is not there is not read either.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) fn check_logs(&self, study: &Path) -> Result<(), Error> {
        for (id, expected) in &self.logs {
            let path = study.join("runs").join(id).join(LOG);
            if path.exists() && fnv1a64(&checkpoint::read(&path)?) != *expected {
                return Err(Error::Study(format!(
                    "{} is damaged: {JOURNAL} has another hash of it; take the line of {id} out of that file, and --resume \
                     repeats the run",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

/// The length of the lines that end.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |last| last + 1)
}

/// A JSON object with one field more: the hash of all that stands before that field.
fn with_checksum(object: &str) -> String {
    let body = object.strip_suffix('}').unwrap_or(object);
    format!("{body}{MARK}{}\"}}", fnv1a64(body.as_bytes()))
}

/// Whether a line is as it was written; one of an older version has no checksum and is taken as it is.
fn is_whole(line: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(line) else {
        return false;
    };
    match line.rsplit_once(MARK) {
        Some((body, hash)) => hash.trim_end() == format!("{}\"}}", fnv1a64(body.as_bytes())),
        // A hash without its name is a damaged name.
        None => !line.contains("fnv1a64:"),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_whole, with_checksum};

    /// Every bit of a line counts, and the line is JSON with its fields as they were.
    #[test]
    fn a_flipped_bit_is_told() {
        let object = r#"{"run":"rte/control/seed-1","value":0.5,"curve":[{"step":3}],"seconds":1.25}"#;
        let line = with_checksum(object);
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(
            (read["value"].as_f64(), read["seconds"].as_f64()),
            (Some(0.5), Some(1.25))
        );
        assert!(is_whole(line.as_bytes()) && is_whole(format!("{line}\n").as_bytes()));
        assert!(is_whole(object.as_bytes()), "a line of an older version");
        for bit in 0..8 * line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // The line's own end may become white space, which says the same.
            let same = bytes.trim_ascii_end() == line.as_bytes().trim_ascii_end();
            assert!(same || !is_whole(&bytes), "bit {bit}");
        }
    }
}
