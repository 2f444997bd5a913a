//! A merge that is not complete: its mark, and what is to be removed before it is done anew.

use super::folder::{LOCK, RESULTS, STUDY, VERSIONS, is_unused, remove_left_overs};
use super::journal::{Entries, JOURNAL, Journal};
use crate::checkpoint;
use crate::cli::{Error, checksums, output, report};
use crate::embedded;
use std::path::Path;
use std::path::PathBuf;
use std::{fs, io};

/// There while a merge fills the folder, with this text.
const MERGING: &str = "merging";
const MERGES: &[u8] = b"cwgnc study merge works here\n";

/// Marks a folder as one that a merge fills.
pub(super) fn mark(folder: &Path) -> Result<(), Error> {
    Ok(checkpoint::write_atomic(&folder.join(MERGING), |out| {
        out.write_all(MERGES)
    })?)
}

/// Refuses a folder with runs that the merge would not write again: those of another merge, which was killed in its report.
pub(super) fn only_holds(folder: &Path, merged: &Entries) -> Result<(), Error> {
    let there = Journal::new(folder).read()?.records;
    let mut other = there
        .iter()
        .filter(|(id, record)| merged.records.get(*id) != Some(*record));
    other.next().map_or(Ok(()), |(id, _)| {
        Err(Error::Usage(format!(
            "output folder {} holds run {id} of another merge; merge into a new one",
            folder.display()
        )))
    })
}

/// Takes the mark of a merge away, if there is one.
pub(super) fn remove_mark(folder: &Path) -> Result<(), Error> {
    let mark = folder.join(MERGING);
    match fs::remove_file(&mark) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Folder { path: mark, source }),
        _ => Ok(()),
    }
}

/// Whether a merge into a folder has begun and was killed: the mark says so, and nothing is there that a merge does not write.
/// A folder that holds anything else is refused.
pub(super) fn begun_merge(path: &Path) -> Result<bool, Error> {
    let refuse = |why: &str| {
        let path = path.display();
        Err(Error::Usage(format!(
            "output folder {path} {why}; merge into a new one"
        )))
    };
    if is_unused(path)? {
        return Ok(false);
    }
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        MERGED.contains(&&*name) || [LOCK, MERGING].contains(&&*name) || output::is_left_over(path)
    };
    let is_marked = embedded::read(&path.join(MERGING)).is_ok_and(|text| text == MERGES);
    if is_marked && output::entries(path)?.iter().all(ours) {
        return Ok(true);
    }
    refuse(if path.join(STUDY).exists() {
        "holds a study"
    } else {
        "is not empty"
    })
}

/// What a merge writes, `study.toml` first: without it the rest is no study.
const MERGED: [&str; 7] = [
    STUDY,
    report::FOLDER,
    "runs",
    VERSIONS,
    RESULTS,
    JOURNAL,
    checksums::FILE,
];

/// Removes what a merge wrote that was killed.
pub(super) fn remove_merge(path: &Path) -> Result<(), Error> {
    for name in MERGED
        .map(|name| path.join(name))
        .iter()
        .filter(|path| path.exists())
    {
        let removed = if name.is_dir() {
            fs::remove_dir_all(name)
        } else {
            fs::remove_file(name)
        };
        removed.map_err(|source| Error::Folder {
            path: name.clone(),
            source,
        })?;
    }
    remove_left_overs(path)
}
