//! `checksums.json` of a checkpoint: the hashes of its files, and of the log as it was then; and of a study: the hashes of
//! the files that say what it is. Resuming, merging and reporting check them, so that a file that a disk has damaged is told
//! and does not become other numbers.

use super::output::{LOG, entries};
use super::progress::say;
use super::{Error, output};
use crate::checkpoint::{self, fnv1a64};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Its name in a checkpoint's folder, and in a study's.
pub(super) const FILE: &str = "checksums.json";

/// The key of the run's log, which lies above the checkpoint and grows after it.
const ABOVE: &str = "../log.jsonl";

/// Writes the hashes of all files of a checkpoint that lies, or will lie, in the run's folder `run`.
pub(super) fn write(run: &Path, checkpoint: &Path) -> Result<(), Error> {
    let mut hashes = Map::new();
    add(checkpoint, "", &mut hashes)?;
    let log = run.join(LOG);
    if log.exists() {
        let bytes = checkpoint::read(&log)?;
        hashes.insert(
            ABOVE.to_owned(),
            json!({"bytes": bytes.len(), "hash": fnv1a64(&bytes)}),
        );
    }
    output::write_json(&checkpoint.join(FILE), &hashes)
}

fn add(folder: &Path, before: &str, hashes: &mut Map<String, Value>) -> Result<(), Error> {
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{before}{name}");
        if path.is_dir() {
            add(&path, &format!("{name}/"), hashes)?;
        } else {
            hashes.insert(name, fnv1a64(&checkpoint::read(&path)?).into());
        }
    }
    Ok(())
}

/// Whether the files of a checkpoint of the run in the folder above are those that were written.
///
/// # Errors
/// The first that is not, by name, with what can be done.
pub(super) fn verify(checkpoint: &Path, quiet: bool) -> Result<(), Error> {
    let file = checkpoint.join(FILE);
    let damaged = |path: &Path, what: &str| {
        Error::Resume(format!(
            "{} is damaged: {what}; remove {} to go on from the checkpoint before, or begin again with --overwrite",
            path.display(),
            checkpoint.display()
        ))
    };
    if !file.exists() {
        if !quiet {
            let checkpoint = checkpoint.display();
            say(&format!(
                "warning: {checkpoint} has no {FILE}, so that damage to its files would not be noticed"
            ));
        }
        return Ok(());
    }
    let hashes: Map<String, Value> = serde_json::from_slice(&checkpoint::read(&file)?)
        .map_err(|error| damaged(&file, &format!("it is not JSON: {error}")))?;
    for (name, expected) in &hashes {
        let path = checkpoint.join(name);
        let bytes = checkpoint::read(&path).map_err(|error| damaged(&path, &error.to_string()))?;
        let (bytes, expected) = if name == ABOVE {
            let length = expected["bytes"].as_u64().unwrap_or(u64::MAX) as usize;
            let before = bytes.get(..length);
            let cut = "it is shorter than it was when the checkpoint was written";
            (before.ok_or_else(|| damaged(&path, cut))?, &expected["hash"])
        } else {
            (&bytes[..], expected)
        };
        if expected.as_str() != Some(&*fnv1a64(bytes)) {
            return Err(damaged(&path, "its bytes are not those that were written"));
        }
    }
    Ok(())
}

/// Writes the hashes of these files of a study's folder: names and contents.
pub(super) fn seal(folder: &Path, files: &[(&str, &[u8])]) -> Result<(), Error> {
    let hashes = files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), fnv1a64(bytes).into()));
    output::write_json(&folder.join(FILE), &hashes.collect())
}

/// Whether a study's folder has hashes, as those of older versions have not.
///
/// # Errors
/// The first file that is not the one that was written, by name.
pub(super) fn is_sealed(folder: &Path) -> Result<bool, Error> {
    let file = folder.join(FILE);
    if !file.exists() {
        return Ok(false);
    }
    let damaged = |path: &Path, what: &str| {
        Error::Study(format!(
            "{} was changed or is damaged: {what}; put it back as it was, or begin another study in another folder",
            path.display()
        ))
    };
    let sealed = checkpoint::read(&file)?;
    let hashes: Map<String, Value> = serde_json::from_slice(&sealed)
        .map_err(|error| damaged(&file, &format!("it is not JSON: {error}")))?;
    for (name, expected) in &hashes {
        let path = folder.join(name);
        let bytes = checkpoint::read(&path).map_err(|error| damaged(&path, &error.to_string()))?;
        if expected.as_str() != Some(&*fnv1a64(&bytes)) {
            // Another process may have written both between the two readings.
            return match checkpoint::read(&file) {
                Ok(now) if now != sealed => is_sealed(folder),
                _ => Err(damaged(&path, &format!("{FILE} has another hash of it"))),
            };
        }
    }
    Ok(true)
}
