//! A safetensors file that stays on the disk: its header is read and checked, its elements come block by block.

use super::foreign::HEAD;
use super::tensor_file::{Entry, TensorFile, header_end, invalid, invalid_header, limits};
use super::{CheckpointError, json, npz};
use crate::embedded;
use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A safetensors file.
#[derive(Debug)]
pub(crate) struct TensorReader {
    pub(crate) path: PathBuf,
    /// The length of the header and the header, as they are; empty for a NumPy archive.
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "`clip` writes it, and that is in the program")
    )]
    pub(crate) head: Vec<u8>,
    /// In the order of their elements; the ranges count from the beginning of the file.
    pub(crate) entries: Vec<(String, Entry)>,
    source: Source,
}

/// Where the elements are.
#[derive(Debug)]
enum Source {
    Disk(File),
    /// Those of a NumPy archive, which have to be unpacked.
    Memory(Vec<u8>),
}

impl TensorReader {
    /// Reads and checks the header.
    pub(crate) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let refused = |source| CheckpointError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = embedded::open(path).map_err(refused)?;
        let found = file.metadata().map_err(refused)?.len();
        let mut head = Vec::new();
        // Enough to tell a pointer to a file from a file.
        (&mut file)
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(refused)?;
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
            source: Source::Disk(file),
        })
    }

    /// Reads and checks the header of a safetensors file, or the whole of a NumPy archive.
    pub(crate) fn open_either(path: &Path) -> Result<Self, CheckpointError> {
        let mut head = Vec::new();
        let opened = embedded::open(path).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
        if opened.is_err() || !npz::is_one(&head) {
            return Self::open(path);
        }
        let unpacked = TensorFile::open_either(path)?;
        let mut entries: Vec<(String, Entry)> = unpacked.entries.into_iter().collect();
        entries.sort_by_key(|(_, entry)| (entry.range.start, entry.range.end));
        Ok(Self {
            path: path.to_owned(),
            head: Vec::new(),
            entries,
            source: Source::Memory(unpacked.bytes),
        })
    }

    /// Reads bytes from a place in the file.
    pub(crate) fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> Result<(), CheckpointError> {
        let done = match &mut self.source {
            Source::Disk(file) => file
                .seek(SeekFrom::Start(at))
                .and_then(|_| file.read_exact(bytes)),
            Source::Memory(all) => {
                let start = at as usize;
                bytes.copy_from_slice(&all[start..start + bytes.len()]);
                Ok(())
            }
        };
        done.map_err(|source| CheckpointError::Read {
            path: self.path.clone(),
            source,
        })
    }
}

/// The tensors that a header tells of, in the order of their elements, without gaps or overlaps.
fn entries(path: &Path, header: &[u8], data_at: usize) -> Result<Vec<(String, Entry)>, CheckpointError> {
    let mut parsed: Map<String, Value> =
        serde_json::from_slice(header).map_err(|e| invalid_header(path, &e))?;
    if let Some(name) = json::duplicate_key(header) {
        return Err(invalid(path, format!("the header gives `{name}` twice")));
    }
    if let Some(texts) = parsed.remove("__metadata__") {
        serde_json::from_value::<Option<HashMap<String, String>>>(texts)
            .map_err(|e| invalid_header(path, &e))?;
    }
    let mut entries = Vec::new();
    for (name, info) in parsed {
        let info: TensorInfo = serde_json::from_value(info).map_err(|e| {
            invalid(
                path,
                format!("what its header says of `{name}` is not as it must be: {e}"),
            )
        })?;
        limits(path, &name, info.shape.len())?;
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
            shape: info.shape,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    fn good() -> Vec<u8> {
        let header = r#"{"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"BF16","shape":[1,3],"data_offsets":[8,14]},"e":{"dtype":"F64","shape":[0],"data_offsets":[14,14]}}"#;
        file(header, &[7; 14])
    }

    /// Both readers take the same files, and find the same tensors in them.
    fn agree(bytes: &[u8]) -> Result<(), String> {
        let mut temporary = tempfile::NamedTempFile::new().expect("a temporary file");
        temporary.write_all(bytes).expect("it can be written");
        let streamed = TensorReader::open(temporary.path());
        let whole = TensorFile::parse(temporary.path(), bytes.to_vec());
        match (streamed, whole) {
            (Ok(mut streamed), Ok(whole)) => {
                let mut entries = whole.entries.len();
                for (name, entry) in &streamed.entries {
                    let other = &whole.entries[name];
                    assert_eq!((entry.dtype, &entry.shape), (other.dtype, &other.shape));
                    assert_eq!(entry.range, other.range);
                    entries -= 1;
                }
                assert_eq!(entries, 0);
                let mut read = vec![0; bytes.len()];
                streamed.read_at(0, &mut read).expect("the file is there");
                assert_eq!(read, bytes);
                assert_eq!(streamed.head, bytes[..streamed.head.len()]);
                Ok(())
            }
            (Err(error), Err(_)) => Err(error.to_string()),
            (streamed, whole) => panic!("{:?}\n{streamed:?}\n{whole:?}", String::from_utf8_lossy(bytes)),
        }
    }

    #[test]
    fn damaged_files_are_refused_as_in_memory() {
        let good = good();
        assert_eq!(agree(&good), Ok(()));
        for end in 0..good.len() {
            assert!(agree(&good[..end]).is_err(), "cut to {end} bytes");
        }
        assert!(agree(&[&good[..], &[0]].concat()).is_err());
        let mut refused = 0;
        for at in 0..good.len() - 14 {
            for bit in [1, 4, 16] {
                let mut bytes = good.clone();
                bytes[at] ^= bit;
                refused += usize::from(agree(&bytes).is_err());
            }
        }
        // A letter of a name may be another letter, and that is all.
        assert!(refused > 3 * (good.len() - 14) - 30, "{refused}");
    }

    #[test]
    fn what_is_wrong() {
        let said = |header: &str, data: &[u8]| agree(&file(header, data)).expect_err("damaged");
        for (header, data, part) in [
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
                4,
                "the shape and the byte count of `a` disagree",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}"#,
                4,
                "the shape of `a` overflows",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                8,
                "the data of `a` do not begin where the tensor before ends",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}"#,
                8,
                "the shape and the byte count of `a` disagree",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                4,
                "the header gives `a` twice",
            ),
            (
                r#"{"a":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}}"#,
                4,
                "what its header says of `a` is not as it must be: unknown variant `F7`, expected one of",
            ),
            (
                r#"{"__metadata__":{"step":7}}"#,
                0,
                "invalid type: integer `7`, expected a string",
            ),
        ] {
            let error = said(header, &vec![0; data]);
            assert!(error.contains(part), "{error}");
        }
    }
}
