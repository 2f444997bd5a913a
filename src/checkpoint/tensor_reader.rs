//! A safetensors file that stays on the disk: its header is read and checked, its elements come block by block.

use super::tensor_file::{Entry, header_end, invalid, invalid_header};
use super::{CheckpointError, json};
use safetensors::tensor::Metadata;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A safetensors file.
#[derive(Debug)]
pub(crate) struct TensorReader {
    pub(crate) path: PathBuf,
    /// The length of the header and the header, as they are.
    pub(crate) head: Vec<u8>,
    /// In the order of their elements; the ranges count from the beginning of the file.
    pub(crate) entries: Vec<(String, Entry)>,
    file: File,
}

impl TensorReader {
    /// Reads and checks the header.
    pub(crate) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let refused = |source| CheckpointError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(refused)?;
        let found = file.metadata().map_err(refused)?;
        if found.is_dir() {
            let reason = "it is a folder, not a file";
            return Err(refused(io::Error::new(io::ErrorKind::IsADirectory, reason)));
        }
        let found = found.len();
        let mut head = Vec::new();
        // Enough to tell a pointer to a file from a file.
        (&mut file).take(32).read_to_end(&mut head).map_err(refused)?;
        let data_at = header_end(path, &head, found)?;
        head.truncate(8);
        file.seek(SeekFrom::Start(8)).map_err(refused)?;
        (&mut file)
            .take(data_at as u64 - 8)
            .read_to_end(&mut head)
            .map_err(refused)?;
        let entries = entries(path, &head[8..], data_at)?;
        let expected = entries.last().map_or(data_at, |(_, entry)| entry.range.end) as u64;
        if expected != found {
            return Err(CheckpointError::Length {
                path: path.to_owned(),
                expected,
                found,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            head,
            entries,
            file,
        })
    }

    /// Reads bytes from a place in the file.
    pub(crate) fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> Result<(), CheckpointError> {
        let done = self
            .file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.read_exact(bytes));
        done.map_err(|source| CheckpointError::Read {
            path: self.path.clone(),
            source,
        })
    }
}

/// The tensors that a header tells of, in the order of their elements, without gaps or overlaps.
fn entries(path: &Path, header: &[u8], data_at: usize) -> Result<Vec<(String, Entry)>, CheckpointError> {
    let parsed: Metadata = serde_json::from_slice(header).map_err(|e| invalid_header(path, &e))?;
    if let Some(name) = json::duplicate_key(header) {
        return Err(invalid(path, format!("the header gives `{name}` twice")));
    }
    let mut entries = Vec::new();
    for (name, info) in parsed.tensors() {
        let (start, end) = info.data_offsets;
        let Some(elements) = info.shape.iter().copied().try_fold(1_usize, usize::checked_mul) else {
            return Err(invalid(path, format!("the shape of `{name}` overflows")));
        };
        let bits = elements.checked_mul(info.dtype.bitsize());
        if bits.is_none_or(|bits| end.checked_sub(start).and_then(|n| n.checked_mul(8)) != Some(bits)) {
            let problem = format!("the shape and the byte count of `{name}` disagree");
            return Err(invalid(path, problem));
        }
        let Some(end) = data_at.checked_add(end) else {
            return Err(invalid(path, format!("the place of `{name}` overflows")));
        };
        let entry = Entry {
            dtype: info.dtype,
            shape: info.shape.clone(),
            range: data_at + start..end,
        };
        entries.push((name, entry));
    }
    entries.sort_by_key(|(_, entry)| (entry.range.start, entry.range.end));
    let mut end = data_at;
    for (name, entry) in &entries {
        if entry.range.start != end {
            return Err(invalid(
                path,
                format!("the data of `{name}` do not begin where the tensor before ends"),
            ));
        }
        end = entry.range.end;
    }
    Ok(entries)
}
