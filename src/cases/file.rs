//! The oracle's files, spec 1: safetensors with the roles of tensors in their names. `docs/oracle.md` is the contract.
//!
//! | file | tensors | metadata |
//! |---|---|---|
//! | case | `before/NAME`; `value/NAME`, `moment/NAME` where the policy reads them; `expected…/NAME` for readers only | one key, `cwgnc`, holding JSON |
//! | result | `after/NAME`; `norm/ID`, `scale/ID`, `clipped/ID` with one element each if they are to be judged | none needed |
//! | plain | `NAME` | none needed |
//!
//! What is written has stable bytes: tensors in the order of the case (wider types first, for alignment), one metadata
//! key. What is read is checked completely before it is used, and every refusal names the file.

mod meta;

use super::pack::NamedCase;
use crate::checkpoint::{CheckpointError, Entry, TensorFile, TensorReader, write_atomic};
use crate::clip::PolicyError;
use crate::oracle::{Candidate, Case, Data, Expectation, Format, Tensor};
use std::fmt;
use std::path::{Path, PathBuf};

pub use super::SPEC;

/// The metadata key.
pub const KEY: &str = "cwgnc";

/// The ending of the files' names.
pub const EXTENSION: &str = "safetensors";

/// Why a file is no case or no result.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read or written, or is no safetensors file.
    File(CheckpointError),
    /// It is one, and not what was wanted.
    Content {
        /// The file.
        path: PathBuf,
        /// Every problem found; never empty.
        problems: Vec<String>,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Content { path, problems } => {
                const SHOWN: usize = 6;
                let shown = problems[..problems.len().min(SHOWN)].join("; ");
                write!(f, "{}: {shown}", path.display())?;
                match problems.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} problems more"),
                }
            }
        }
    }
}

impl std::error::Error for FileError {}

impl From<CheckpointError> for FileError {
    fn from(error: CheckpointError) -> Self {
        Self::File(error)
    }
}

impl FileError {
    pub(super) fn one(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content {
            path: path.to_owned(),
            problems: vec![problem.into()],
        }
    }
}

/// A policy error in the words of a file error.
fn spelled(error: &PolicyError) -> String {
    format!("`policy`: {error}")
}

/// A case as a file, with what must come out of it if that is given.
pub fn case_bytes(named: &NamedCase, expected: Option<&Expectation>) -> Vec<u8> {
    let case = &named.case;
    let mut tensors = Vec::new();
    for (role, list) in [
        ("before", &case.before),
        ("value", &case.values),
        ("moment", &case.second_moments),
    ] {
        tensors.extend(
            list.iter()
                .map(|tensor| (format!("{role}/{}", tensor.name), tensor.clone())),
        );
    }
    for (lo, hi) in expected.iter().flat_map(|expected| expected.tensors(case, false)) {
        if lo.same_bits(&hi) {
            tensors.push((format!("expected/{}", lo.name), lo));
        } else {
            tensors.push((format!("expected_lo/{}", lo.name), lo));
            tensors.push((format!("expected_hi/{}", hi.name), hi));
        }
    }
    bytes(Some(&meta::write(named)), &tensors)
}

/// A result as a file.
pub fn result_bytes(candidate: &Candidate) -> Vec<u8> {
    let after = candidate.after.iter();
    let mut tensors: Vec<_> = after.map(|t| (format!("after/{}", t.name), t.clone())).collect();
    let scalar = |x: f64| Tensor::new("", &[], Format::F64, &[x]);
    for (role, list) in [("norm", &candidate.norms), ("scale", &candidate.scales)] {
        tensors.extend(list.iter().map(|(id, x)| (format!("{role}/{id}"), scalar(*x))));
    }
    let flags = candidate.clipped.iter();
    tensors.extend(flags.map(|(id, yes)| (format!("clipped/{id}"), scalar(f64::from(u8::from(*yes))))));
    bytes(None, &tensors)
}

/// A safetensors file: 8 bytes of length, the header, the elements in little-endian order.
fn bytes(metadata: Option<&str>, tensors: &[(String, Tensor)]) -> Vec<u8> {
    let mut order: Vec<&(String, Tensor)> = tensors.iter().collect();
    order.sort_by_key(|(_, tensor)| std::cmp::Reverse(width(tensor.data.format())));
    let mut header = serde_json::Map::new();
    if let Some(text) = metadata {
        header.insert("__metadata__".to_owned(), serde_json::json!({ KEY: text }));
    }
    let mut data = Vec::new();
    for (name, tensor) in order {
        let begin = data.len();
        data.extend(tensor.data.to_le_bytes());
        let entry = serde_json::json!({
            "dtype": tensor.data.format().name(),
            "shape": tensor.shape,
            "data_offsets": [begin, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    let mut text = serde_json::Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let length = (text.len() as u64).to_le_bytes();
    [&length[..], &text, &data].concat()
}

fn width(format: Format) -> usize {
    match format {
        Format::F16 | Format::Bf16 => 2,
        Format::F32 => 4,
        Format::F64 => 8,
    }
}

/// Writes a file completely or not at all.
///
/// # Errors
/// [`FileError::File`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    Ok(write_atomic(path, |out| out.write_all(bytes))?)
}

/// Reads a case.
///
/// # Errors
/// [`FileError`].
pub fn read_case(path: &Path) -> Result<NamedCase, FileError> {
    named_case(&TensorFile::open(path)?)
}

/// A case from the bytes of a file; `path` is what errors call it.
///
/// # Errors
/// [`FileError`].
pub fn case_of_bytes(path: &Path, bytes: Vec<u8>) -> Result<NamedCase, FileError> {
    named_case(&TensorFile::parse(path, bytes)?)
}

fn named_case(file: &TensorFile) -> Result<NamedCase, FileError> {
    let about = meta::read(file)?;
    let mut roles = Roles::of(
        file,
        &["before", "value", "moment"],
        &["expected", "expected_lo", "expected_hi"],
    )?;
    let [before, values, second_moments] = ["before", "value", "moment"].map(|role| roles.take(role));
    if before.is_empty() {
        return Err(FileError::one(
            &file.path,
            "no tensor `before/…`: nothing to clip",
        ));
    }
    Ok(NamedCase {
        case: Case {
            before,
            values,
            second_moments,
            ..about.case
        },
        ..about
    })
}

/// Reads a result.
///
/// # Errors
/// [`FileError`].
pub fn read_result(path: &Path) -> Result<Candidate, FileError> {
    candidate(&TensorFile::open(path)?)
}

/// A result from the bytes of a file; `path` is what errors call it.
///
/// # Errors
/// [`FileError`].
pub fn result_of_bytes(path: &Path, bytes: Vec<u8>) -> Result<Candidate, FileError> {
    candidate(&TensorFile::parse(path, bytes)?)
}

fn candidate(file: &TensorFile) -> Result<Candidate, FileError> {
    let ours = ["after", "norm", "scale", "clipped"];
    let theirs = [
        "before",
        "value",
        "moment",
        "expected",
        "expected_lo",
        "expected_hi",
    ];
    let mut roles = Roles::of(file, &ours, &theirs)?;
    let mut problems = Vec::new();
    let [norms, scales, clipped] = ["norm", "scale", "clipped"].map(|role| {
        let numbers = roles.take(role).into_iter().map(|tensor| {
            if tensor.data.len() != 1 {
                let (name, n) = (&tensor.name, tensor.data.len());
                problems.push(format!("`{role}/{name}` has {n} elements, expected 1"));
                return (tensor.name, 0.0);
            }
            let x = tensor.data.get(0);
            (tensor.name, x)
        });
        numbers.collect::<Vec<_>>()
    });
    let after = roles.take("after");
    if after.is_empty() {
        problems.push("no tensor `after/…`: a result has one for each `before/…`".to_owned());
    }
    if !problems.is_empty() {
        return Err(FileError::Content {
            path: file.path.clone(),
            problems,
        });
    }
    Ok(Candidate {
        after,
        norms,
        scales,
        clipped: clipped.into_iter().map(|(id, x)| (id, x != 0.0)).collect(),
    })
}

/// Reads a plain file of named gradients, as frameworks write them: safetensors, or a NumPy archive (`.npz`).
///
/// # Errors
/// [`FileError`].
pub fn read_plain(path: &Path) -> Result<Vec<Tensor>, FileError> {
    let regular = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let found = if regular {
        // Tensor by tensor, so that a large file is not in memory twice.
        let mut file = TensorReader::open_either(path)?;
        let entries = std::mem::take(&mut file.entries);
        let mut bytes = Vec::new();
        collected(path, entries.iter().map(|(name, entry)| (name, entry)), |entry| {
            bytes.resize(entry.range.len(), 0);
            file.read_at(entry.range.start as u64, &mut bytes)?;
            Ok(data(&entry.dtype.to_string(), &bytes))
        })?
    } else {
        tensors(&TensorFile::open_either(path)?)?
    };
    if found.is_empty() {
        return Err(FileError::one(path, "no tensor in it"));
    }
    Ok(found)
}

/// All tensors, in the order in which they lie in the file.
fn tensors(file: &TensorFile) -> Result<Vec<Tensor>, FileError> {
    let mut entries: Vec<_> = file.entries.iter().collect();
    entries.sort_by_key(|(_, entry)| (entry.range.start, entry.range.end));
    collected(&file.path, entries.into_iter(), |entry| {
        Ok(data(&entry.dtype.to_string(), file.data(entry)))
    })
}

/// The tensors of these entries; those of a type that is none of ours are told all at once.
fn collected<'e>(
    path: &Path,
    entries: impl Iterator<Item = (&'e String, &'e Entry)>,
    mut read: impl FnMut(&Entry) -> Result<Option<Data>, CheckpointError>,
) -> Result<Vec<Tensor>, FileError> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (name, entry) in entries {
        match read(entry)? {
            Some(data) => found.push(Tensor {
                name: name.clone(),
                shape: entry.shape.clone(),
                data,
            }),
            None => problems.push(format!(
                "`{name}` has the type {}, expected F16, BF16, F32 or F64",
                entry.dtype
            )),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(FileError::Content {
            path: path.to_owned(),
            problems,
        })
    }
}

/// Elements from little-endian bytes; flags, as frameworks write them, become 0 and 1.
fn data(dtype: &str, bytes: &[u8]) -> Option<Data> {
    if dtype == "BOOL" && bytes.len() == 1 {
        return Some(Data::F32(vec![f32::from(bytes[0])]));
    }
    let format = Format::ALL.into_iter().find(|format| format.name() == dtype)?;
    Some(Data::from_le_bytes(format, bytes))
}

/// Tensors by role, the part of the name before the first `/`.
struct Roles(Vec<(String, Tensor)>);

impl Roles {
    /// Sorts the tensors; those in `ignored` roles are left out, all other roles are refused.
    fn of(file: &TensorFile, wanted: &[&str], ignored: &[&str]) -> Result<Self, FileError> {
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for mut tensor in tensors(file)? {
            match tensor.name.split_once('/') {
                Some((role, name)) if wanted.contains(&role) && !name.is_empty() => {
                    let (role, name) = (role.to_owned(), name.to_owned());
                    tensor.name = name;
                    found.push((role, tensor));
                }
                Some((role, _)) if ignored.contains(&role) => {}
                _ => problems.push(format!(
                    "`{}` has no known role, expected a name that begins with {}",
                    tensor.name,
                    wanted
                        .iter()
                        .map(|role| format!("{role}/"))
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            }
        }
        if problems.is_empty() {
            Ok(Self(found))
        } else {
            Err(FileError::Content {
                path: file.path.clone(),
                problems,
            })
        }
    }

    fn take(&mut self, role: &str) -> Vec<Tensor> {
        let (taken, kept) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(other, _)| other == role);
        self.0 = kept;
        taken.into_iter().map(|(_, tensor)| tensor).collect()
    }
}
