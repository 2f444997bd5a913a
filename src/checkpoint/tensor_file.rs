//! One safetensors file in memory, with its header checked.
//!
//! The safetensors crate does the checking (offsets without gaps or overlaps, shapes that match byte counts); this
//! file says in plain words what it found, and refuses a name given twice, which the crate would let pass.

use super::{CheckpointError, ProblemKind, TensorProblem, element, file, foreign, json, npz};
use crate::real::Real;
use ndarray::{ArrayD, IxDyn};
use safetensors::tensor::{Metadata, SafeTensorError};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The largest header that the format allows.
const MOST_HEADER_BYTES: u64 = 100_000_000;

/// What the header says about a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) range: Range<usize>,
}

/// A safetensors file.
#[derive(Debug)]
pub(crate) struct TensorFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) entries: BTreeMap<String, Entry>,
    /// The header's `__metadata__`; empty if there is none.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl TensorFile {
    /// Reads and checks a file.
    pub(crate) fn open(path: &Path) -> Result<Self, CheckpointError> {
        Self::parse(path, file::read(path)?)
    }

    /// Reads and checks a safetensors file or a NumPy archive.
    pub(crate) fn open_either(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = file::read(path)?;
        if npz::is_one(&bytes) {
            npz::parse(path, &bytes)
        } else {
            Self::parse(path, bytes)
        }
    }

    /// Checks the bytes of a file; `path` is what errors call it.
    pub(crate) fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let data_at = header_end(path, &bytes, bytes.len() as u64)?;
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|e| explain(path, &bytes, data_at, e))?;
        if let Some(name) = json::duplicate_key(&bytes[8..data_at]) {
            return Err(invalid(path, format!("the header gives `{name}` twice")));
        }
        let tensors = header.tensors();
        for (name, info) in &tensors {
            limits(path, name, info.shape.len())?;
        }
        let entries = tensors
            .into_iter()
            .map(|(name, info)| {
                let (start, end) = info.data_offsets;
                let range = data_at + start..data_at + end;
                (
                    name,
                    Entry {
                        dtype: info.dtype,
                        shape: info.shape.clone(),
                        range,
                    },
                )
            })
            .collect();
        let metadata = header.metadata().iter().flatten();
        Ok(Self {
            path: path.to_owned(),
            metadata: metadata.map(|(key, text)| (key.clone(), text.clone())).collect(),
            bytes,
            entries,
        })
    }

    /// The bytes of a tensor of this file.
    pub(crate) fn data(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.range.clone()]
    }
}

/// Reads all tensors of a file, whose elements must be of type `T` exactly: nothing is converted, and NaN stays NaN.
///
/// # Errors
/// [`CheckpointError`] if the file cannot be read or is damaged, or lists every tensor of another type.
pub fn load_tensors<T: Real>(path: &Path) -> Result<BTreeMap<String, ArrayD<T>>, CheckpointError> {
    let file = TensorFile::open(path)?;
    let (dtype, dtype_name) = element::dtype_of::<T>();
    let mut problems = Vec::new();
    let mut tensors = BTreeMap::new();
    for (name, entry) in &file.entries {
        let mut refuse = |kind| {
            let name = name.clone();
            problems.push(TensorProblem { name, kind });
        };
        if entry.dtype != dtype {
            refuse(ProblemKind::Dtype {
                expected: dtype_name,
                found: entry.dtype.to_string(),
            });
            continue;
        }
        let data = file.data(entry);
        let mut values = Vec::with_capacity(data.len() / size_of::<T>());
        element::each(entry.dtype, data, |x| values.push(T::of(x)));
        match ArrayD::from_shape_vec(IxDyn(&entry.shape), values) {
            Ok(tensor) => drop(tensors.insert(name.clone(), tensor)),
            Err(_) => refuse(ProblemKind::TooLarge {
                found: entry.shape.clone(),
            }),
        }
    }
    if problems.is_empty() {
        Ok(tensors)
    } else {
        Err(CheckpointError::Tensors {
            path: path.to_owned(),
            problems,
        })
    }
}

/// The longest name of a tensor in bytes; those of real models have less than 200.
const LONGEST_NAME: usize = 4096;

/// The most axes of a tensor; PyTorch and NumPy have no more either.
const MOST_AXES: usize = 64;

/// Whether a tensor is one that the rest of the program may be asked to handle: a header of 100 MB could hold one name, or as
/// many axes.
pub(super) fn limits(path: &Path, name: &str, axes: usize) -> Result<(), CheckpointError> {
    if name.len() > LONGEST_NAME {
        let (start, length) = (name.chars().take(40).collect::<String>(), name.len());
        return Err(invalid(
            path,
            format!("the name of a tensor, `{start}…`, has {length} bytes; {LONGEST_NAME} is the most"),
        ));
    }
    if axes > MOST_AXES {
        return Err(invalid(
            path,
            format!("`{name}` has {axes} axes; {MOST_AXES} is the most, as in PyTorch and NumPy"),
        ));
    }
    Ok(())
}

pub(super) fn invalid(path: &Path, problem: String) -> CheckpointError {
    CheckpointError::Safetensors {
        path: path.to_owned(),
        problem,
    }
}

/// What is wrong with a NumPy archive.
pub(super) fn invalid_npz(path: &Path, problem: String) -> CheckpointError {
    CheckpointError::Npz {
        path: path.to_owned(),
        problem,
    }
}

/// A header that is not what the format says.
pub(super) fn invalid_header(path: &Path, error: &serde_json::Error) -> CheckpointError {
    invalid(path, format!("its header is not as it must be: {error}"))
}

/// Where the header ends and the data begin: 8 bytes of length, then that many bytes of JSON. `bytes` are the first of
/// a file of `found` bytes.
pub(super) fn header_end(path: &Path, bytes: &[u8], found: u64) -> Result<usize, CheckpointError> {
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(invalid(
            path,
            "it is a Git LFS pointer; fetch the file with `git lfs pull`".to_owned(),
        ));
    }
    if let Some(problem) = foreign::told(path, &bytes[..bytes.len().min(foreign::HEAD)]) {
        return Err(invalid(path, problem));
    }
    let Some(length) = bytes.first_chunk() else {
        return Err(invalid(path, format!("it has {found} bytes, fewer than 8")));
    };
    let length = u64::from_le_bytes(*length);
    if length > MOST_HEADER_BYTES {
        return Err(invalid(
            path,
            format!("its header would have {length} bytes, more than {MOST_HEADER_BYTES}"),
        ));
    }
    let end = length + 8;
    if end > found {
        return Err(invalid(
            path,
            format!("it has {found} bytes, its header alone {end}"),
        ));
    }
    Ok(end as usize)
}

/// The crate's finding, in plain words.
fn explain(path: &Path, bytes: &[u8], data_at: usize, error: SafeTensorError) -> CheckpointError {
    let problem = match error {
        SafeTensorError::InvalidHeader(e) => format!("its header is not UTF-8: {e}"),
        SafeTensorError::InvalidHeaderDeserialization(e) => return invalid_header(path, &e),
        SafeTensorError::InvalidOffset(name) => {
            format!("the data of `{name}` do not begin where the tensor before ends")
        }
        SafeTensorError::TensorInvalidInfo => "a tensor's shape and byte count disagree".to_owned(),
        SafeTensorError::ValidationOverflow => "a tensor's shape overflows".to_owned(),
        SafeTensorError::MetadataIncompleteBuffer => {
            return match serde_json::from_slice::<Metadata>(&bytes[8..data_at]) {
                Ok(header) => CheckpointError::Length {
                    path: path.to_owned(),
                    expected: data_at as u64 + header.data_len() as u64,
                    found: bytes.len() as u64,
                },
                Err(e) => invalid_header(path, &e),
            };
        }
        other => other.to_string(),
    };
    invalid(path, problem)
}
