//! Which files a side has: files by name, and folders of shards.

use super::super::file::FileError;
use crate::checkpoint;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The files of a side in the order of their ranks.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) paths: Vec<PathBuf>,
    /// Whether the order is known: from the files' names, or because somebody wrote it down.
    pub(super) ordered: bool,
    /// What indices say of the files.
    pub(super) indexed: Vec<Indexed>,
}

/// What the index of a folder says of one of its files.
#[derive(Debug)]
pub(super) struct Indexed {
    index: PathBuf,
    shard: PathBuf,
    names: BTreeSet<String>,
}

impl Files {
    /// Whether a file holds what its index says, if it has one.
    pub(crate) fn check(&self, path: &Path, found: &BTreeSet<String>) -> Result<(), FileError> {
        let Some(shard) = self.indexed.iter().find(|shard| shard.shard == path) else {
            return Ok(());
        };
        Ok(checkpoint::holds(&shard.index, &name(path), &shard.names, found)?)
    }
}

/// The files behind these paths.
///
/// # Errors
/// Of a folder that cannot be listed, holds no file of tensors, or lacks one that belongs to the others.
pub(crate) fn files(given: &[PathBuf]) -> Result<Files, FileError> {
    let mut paths = Vec::new();
    let mut indexed = Vec::new();
    let mut listed = false;
    for path in given {
        if path.is_dir() {
            paths.extend(in_folder(path, &mut indexed)?);
            listed = true;
        } else {
            paths.push(path.clone());
        }
    }
    let mut places = BTreeSet::new();
    for path in &paths {
        let place = path.canonicalize().unwrap_or_else(|_| path.clone());
        if !places.insert(place) {
            return Err(FileError::one(path, "the file is given twice"));
        }
    }
    let ranks: Option<BTreeSet<u64>> = paths.iter().map(|path| number(path)).collect();
    let numbered = ranks.is_some_and(|ranks| ranks.len() == paths.len());
    if numbered {
        paths.sort_by_key(|path| number(path));
    }
    let ordered = numbered || !listed;
    Ok(Files {
        paths,
        ordered,
        indexed,
    })
}

/// The files of a folder: those of its index if it has one, else all of safetensors and NumPy.
fn in_folder(folder: &Path, shards: &mut Vec<Indexed>) -> Result<Vec<PathBuf>, FileError> {
    let refused = |source: io::Error| checkpoint::CheckpointError::Read {
        path: folder.to_owned(),
        source,
    };
    let (mut found, mut indices, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What lies hidden is no shard: `.DS_Store`, `._rank0.safetensors`.
        if path.is_dir() || name.starts_with('.') {
            continue;
        }
        if name.ends_with(".safetensors.index.json") {
            indices.push(path);
        } else if name.ends_with(".safetensors") || name.ends_with(".npz") {
            found.push(path);
        } else {
            others.push(path);
        }
    }
    found.sort();
    others.sort();
    let one = |problem: String| FileError::one(folder, problem);
    match indices.as_slice() {
        [] => {}
        [index] => return indexed(folder, index, &found, shards),
        _ => {
            return Err(one(
                "there are several index files in it; give the files one by one".to_owned(),
            ));
        }
    }
    if found.is_empty() {
        // What is there may be of a format that can be converted, and its reader says how.
        if let Some(first) = others.first() {
            checkpoint::TensorFile::open(first)?;
        }
        return Err(one("no .safetensors and no .npz file in it".to_owned()));
    }
    complete(&found).map_err(one)?;
    Ok(found)
}

/// The shards of an index.
fn indexed(
    folder: &Path,
    index: &Path,
    found: &[PathBuf],
    shards: &mut Vec<Indexed>,
) -> Result<Vec<PathBuf>, FileError> {
    let placed: BTreeMap<String, BTreeSet<String>> = checkpoint::weight_map(index)?;
    let paths: Vec<PathBuf> = placed.keys().map(|name| folder.join(name)).collect();
    if let Some(other) = found.iter().find(|path| !paths.contains(path)) {
        let problem = "it is not in the index of its folder; give the files one by one";
        return Err(FileError::one(other, problem));
    }
    shards.extend(placed.into_values().zip(&paths).map(|(names, path)| Indexed {
        index: index.to_owned(),
        shard: path.clone(),
        names,
    }));
    Ok(paths)
}

/// Whether no shard `k-of-n` and no rank between 0 and the largest is missing.
fn complete(paths: &[PathBuf]) -> Result<(), String> {
    let names: Vec<String> = paths.iter().map(|path| name(path)).collect();
    for name in &names {
        let Some((before, k, n, after)) = shard_of(name) else {
            continue;
        };
        let all = names.iter().filter_map(|name| shard_of(name));
        let all = all.filter(|other| (other.0, other.2, other.3) == (before, n, after));
        let there: BTreeSet<u64> = all.filter_map(|(_, k, ..)| k.parse().ok()).collect();
        let count: u64 = n.parse().unwrap_or(0);
        let first = u64::from(!there.contains(&0));
        if let Some(missing) = (first..first + count).find(|k| !there.contains(k)) {
            let (digits, total) = (k.len(), count);
            return Err(format!(
                "of {total} shards {before}{missing:0digits$}-of-{n}{after} is missing"
            ));
        }
    }
    let ranks: Option<BTreeSet<u64>> = names.iter().map(|name| rank(name)).collect();
    if let Some(ranks) = ranks
        && ranks.len() == paths.len()
        && let Some(missing) = (0..).zip(&ranks).find(|(expected, rank)| expected != *rank)
    {
        return Err(format!(
            "there are files of {} ranks, and none of rank {}",
            ranks.len(),
            missing.0
        ));
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The rank or the number of the shard that a file's name tells of.
pub(super) fn number(path: &Path) -> Option<u64> {
    let name = name(path);
    rank(&name).or_else(|| shard_of(&name)?.1.parse().ok())
}

/// The number after the only `rank` in a name: 3 of `rank3`, `rank-3`, `rank_00003`, `model.rank.3`.
fn rank(name: &str) -> Option<u64> {
    let lower = name.to_ascii_lowercase();
    let mut found = lower.match_indices("rank").filter_map(|(at, word)| {
        let rest = &lower[at + word.len()..];
        let rest = rest.strip_prefix(['-', '_', '.']).unwrap_or(rest);
        rest[..digits(rest)].parse().ok()
    });
    // With `dp_rank0_tp_rank1` there is no one order.
    found.next().filter(|_| found.next().is_none())
}

fn digits(text: &str) -> usize {
    text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len()
}

/// A name of the form `BEFOREk-of-nAFTER`, cut into these four.
fn shard_of(name: &str) -> Option<(&str, &str, &str, &str)> {
    let (left, right) = name.split_once("-of-")?;
    let start = left.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let end = digits(right);
    let parts = (&left[..start], &left[start..], &right[..end], &right[end..]);
    (!parts.1.is_empty() && !parts.2.is_empty()).then_some(parts)
}
