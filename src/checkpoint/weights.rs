//! The tensors of a model folder, in one file or in shards.

use super::tensor_file::{Entry, TensorFile};
use super::{CheckpointError, file, json};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// All tensors of a folder.
#[derive(Debug)]
pub(super) struct Weights {
    /// What errors name: the file, or the index of the shards.
    pub(super) path: PathBuf,
    pub(super) files: Vec<TensorFile>,
}

impl Weights {
    /// Reads `model.safetensors`, or the shards of `model.safetensors.index.json` if that file is not there.
    pub(super) fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let single = dir.join("model.safetensors");
        let index = dir.join("model.safetensors.index.json");
        if !single.exists() {
            if index.exists() {
                return Self::open_shards(dir, index);
            }
            for name in ["pytorch_model.bin", "pytorch_model.bin.index.json"] {
                let path = dir.join(name);
                if path.exists() {
                    return Err(CheckpointError::Pickled { path });
                }
            }
        }
        // Where there is nothing at all, this error names the file that should be there.
        let file = TensorFile::open(&single)?;
        Ok(Self {
            path: single,
            files: vec![file],
        })
    }

    /// Each shard must hold exactly the tensors that the index places there.
    fn open_shards(dir: &Path, index: PathBuf) -> Result<Self, CheckpointError> {
        let placed = weight_map(&index)?;
        let mut files = Vec::with_capacity(placed.len());
        for (shard, names) in placed {
            let file = TensorFile::open(&dir.join(&shard))?;
            let found: BTreeSet<String> = file.entries.keys().cloned().collect();
            holds(&index, &shard, &names, &found)?;
            files.push(file);
        }
        Ok(Self { path: index, files })
    }

    /// Elements of all tensors.
    pub(super) fn elements(&self) -> u128 {
        let each = self.tensors().map(|(_, tensor)| &tensor.entry.shape);
        each.map(|shape| shape.iter().map(|&n| n as u128).product::<u128>())
            .sum()
    }

    /// Every tensor with its name and the file it is in. No name comes twice: the index gives each one place.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&str, Tensor<'_>)> {
        self.files.iter().flat_map(|file| {
            file.entries
                .iter()
                .map(move |(name, entry)| (name.as_str(), Tensor { file, entry }))
        })
    }
}

/// A tensor of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tensor<'a> {
    file: &'a TensorFile,
    pub(super) entry: &'a Entry,
}

impl<'a> Tensor<'a> {
    /// Its bytes: row-major, little-endian.
    pub(super) fn data(self) -> &'a [u8] {
        self.file.data(self.entry)
    }
}

/// Whether a shard holds exactly the tensors that the index places there.
pub(crate) fn holds(
    index: &Path,
    shard: &str,
    names: &BTreeSet<String>,
    found: &BTreeSet<String>,
) -> Result<(), CheckpointError> {
    let lacking: Vec<&String> = names.difference(found).collect();
    let unlisted: Vec<&String> = found.difference(names).collect();
    let problem = if !lacking.is_empty() {
        format!("the shard {shard} lacks {}", some(&lacking))
    } else if !unlisted.is_empty() {
        let names = some(&unlisted);
        format!("the shard {shard} holds {names}, which the index does not place there")
    } else {
        return Ok(());
    };
    Err(CheckpointError::Index {
        path: index.to_owned(),
        problem,
    })
}

/// The first of many names; the others are counted.
pub(crate) fn some(names: &[&String]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The tensors of each shard, by the index's `weight_map`.
pub(crate) fn weight_map(index: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, CheckpointError> {
    let refuse = |problem: String| CheckpointError::Index {
        path: index.to_owned(),
        problem,
    };
    let object = json::object(index, &file::read(index)?)?;
    let map = match object.get("weight_map") {
        None => return Err(refuse("`weight_map` is missing".to_owned())),
        Some(Value::Object(map)) => map,
        Some(other) => {
            return Err(refuse(format!(
                "`weight_map` must be an object, found {}",
                json::shown(other)
            )));
        }
    };
    let mut placed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, shard) in map {
        let Some(file_name) = shard.as_str().filter(|shard| is_plain(shard)) else {
            let found = json::shown(shard);
            return Err(refuse(format!(
                "`{name}` must be in a .safetensors file of this folder, found {found}"
            )));
        };
        placed
            .entry(file_name.to_owned())
            .or_default()
            .insert(name.clone());
    }
    Ok(placed)
}

/// Whether the name stays in its folder, on every system: no separator, no drive, no `..`.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        && !name.contains(['/', '\\', ':'])
        && Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "safetensors")
}
