//! NumPy archives (`.npz`): a zip archive of arrays, stored as `np.savez` writes them or deflated as `np.savez_compressed`.
//!
//! An array becomes a tensor under its name without `.npy`: row-major and little-endian, whatever the file has. Of the
//! types, `f2`, `f4` and `f8` are F16, F32 and F64. `<V2` is BF16: NumPy has no such type, and that is how the type of
//! `ml_dtypes` is written (two bytes of nothing in particular are `|V2`, which is refused).
//!
//! # Source
//! PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3; NumPy, `numpy/lib/format.py`, versions 1 to 3 of the format.

use super::CheckpointError;
use super::tensor_file::{Entry, TensorFile, invalid_npz, limits};
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::path::Path;

/// Whether this is a zip archive whose first file is an array.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let array = || Some(name_of_first(bytes)?.ends_with(b".npy"));
    // What an archive without a file begins with.
    bytes.starts_with(b"PK\x03\x04") && array() == Some(true)
}

fn name_of_first(bytes: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16_at(bytes, 26)?);
    bytes.get(30..30 + length)
}

/// Reads and checks all arrays; `path` is what errors call the file.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<TensorFile, CheckpointError> {
    let refuse = |problem: String| invalid_npz(path, problem);
    let mut file = TensorFile {
        path: path.to_owned(),
        bytes: Vec::new(),
        entries: BTreeMap::new(),
        metadata: BTreeMap::new(),
    };
    for member in directory(bytes).map_err(refuse)? {
        let Some(name) = member.name.strip_suffix(".npy") else {
            let problem = format!("`{}` in it is no array (.npy)", member.name);
            return Err(refuse(problem));
        };
        let about = |problem: String| refuse(format!("`{name}`: {problem}"));
        let content = member.content(bytes).map_err(about)?;
        let (dtype, shape, data) = array(&content).map_err(about)?;
        limits(path, name, shape.len())?;
        let range = file.bytes.len()..file.bytes.len() + data.len();
        file.bytes.extend(data);
        let entry = Entry { dtype, shape, range };
        if file.entries.insert(name.to_owned(), entry).is_some() {
            return Err(refuse(format!("it holds `{name}` twice")));
        }
    }
    Ok(file)
}

/// A file of the archive.
struct Member {
    name: String,
    flags: u16,
    method: u16,
    crc: u32,
    packed: usize,
    unpacked: usize,
    /// Where its own header is.
    header: usize,
}

impl Member {
    /// The content, unpacked and checked.
    fn content(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        if self.flags & 1 != 0 {
            return Err("it is encrypted".to_owned());
        }
        let lengths = u16_at(bytes, self.header + 26).zip(u16_at(bytes, self.header + 28));
        let packed = lengths
            .filter(|_| bytes[self.header..].starts_with(b"PK\x03\x04"))
            .and_then(|(name, extra)| {
                let start = self.header + 30;
                let end = start + usize::from(name);
                bytes.get(start..end).filter(|own| *own == self.name.as_bytes())?;
                let at = end + usize::from(extra);
                bytes.get(at..at.checked_add(self.packed)?)
            })
            .ok_or("its bytes are not where the archive says")?;
        let content = match self.method {
            0 => packed.to_vec(),
            8 => decompress_to_vec_with_limit(packed, self.unpacked)
                .map_err(|error| format!("it cannot be unpacked: {error}"))?,
            other => {
                return Err(format!(
                    "it is packed by method {other}; np.savez and np.savez_compressed write 0 and 8"
                ));
            }
        };
        if content.len() != self.unpacked || crc32(&content) != self.crc {
            return Err("it is damaged: its length or its checksum is not what the archive says".to_owned());
        }
        Ok(content)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The archive's list of files, which stands at its end.
fn directory(bytes: &[u8]) -> Result<Vec<Member>, String> {
    // The record at the end has 22 bytes and a comment of at most 65535.
    let earliest = bytes.len().saturating_sub(22 + 65535);
    let end = (earliest..(bytes.len() + 1).saturating_sub(22)).rev();
    let cut = || "it is cut short: the list of its arrays, which stands at the end, is missing".to_owned();
    let end = end
        .into_iter()
        .find(|&at| {
            let comment = u16_at(bytes, at + 20).map(usize::from);
            bytes[at..].starts_with(b"PK\x05\x06") && comment == Some(bytes.len() - at - 22)
        })
        .ok_or_else(cut)?;
    let (mut count, mut at) = u16_at(bytes, end + 10)
        .map(u64::from)
        .zip(u32_at(bytes, end + 16).map(u64::from))
        .ok_or_else(cut)?;
    // Larger archives have a second record, and before this one the place of that.
    let locator = end
        .checked_sub(20)
        .filter(|&at| bytes[at..].starts_with(b"PK\x06\x07"));
    if let Some(place) = locator.and_then(|at| u64_at(bytes, at + 8)) {
        let place = usize::try_from(place).map_err(|_| cut())?;
        if bytes
            .get(place..)
            .is_none_or(|rest| !rest.starts_with(b"PK\x06\x06"))
        {
            return Err(cut());
        }
        (count, at) = u64_at(bytes, place + 32)
            .zip(u64_at(bytes, place + 48))
            .ok_or_else(cut)?;
    }
    let mut at = usize::try_from(at).map_err(|_| cut())?;
    let mut members = Vec::new();
    for _ in 0..count {
        let (member, length) = member(bytes, at).ok_or("the list of its arrays is damaged")?;
        members.push(member);
        at += length;
    }
    Ok(members)
}

/// A file of the list, and how many bytes the list has for it.
fn member(bytes: &[u8], at: usize) -> Option<(Member, usize)> {
    let entry = bytes.get(at..).filter(|rest| rest.starts_with(b"PK\x01\x02"))?;
    let long = |at| u32_at(entry, at).map(u64::from);
    let [name, extra, comment] = [28, 30, 32].map(|at| u16_at(entry, at).map(usize::from));
    let (name, extra, comment) = (name?, extra?, comment?);
    let text = entry.get(46..46 + name)?;
    // Numbers that need more than 32 bits stand in an extra field, in this order.
    let mut numbers = [long(24)?, long(20)?, long(42)?];
    let mut fields = entry.get(46 + name..46 + name + extra)?;
    while let (Some(kind), Some(length)) = (u16_at(fields, 0), u16_at(fields, 2)) {
        let field = fields.get(4..4 + usize::from(length))?;
        if kind == 1 {
            let wide = numbers
                .iter_mut()
                .filter(|number| **number == u64::from(u32::MAX));
            for (i, number) in wide.enumerate() {
                *number = u64_at(field, 8 * i)?;
            }
        }
        fields = &fields[4 + usize::from(length)..];
    }
    let [unpacked, packed, header] = numbers.map(usize::try_from);
    let member = Member {
        name: String::from_utf8(text.to_vec()).ok()?,
        flags: u16_at(entry, 8)?,
        method: u16_at(entry, 10)?,
        crc: u32_at(entry, 16)?,
        packed: packed.ok()?,
        unpacked: unpacked.ok()?,
        header: header.ok()?,
    };
    (member.header < bytes.len()).then_some((member, 46 + name + extra + comment))
}

/// The checksum of zip archives: CRC-32 with the polynomial 0xEDB88320.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let (mut crc, mut bit) = (i as u32, 0);
            while bit < 8 {
                crc = if crc & 1 == 1 {
                    crc >> 1 ^ 0xEDB8_8320
                } else {
                    crc >> 1
                };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    let step = |crc: u32, byte: &u8| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)];
    !bytes.iter().fold(!0, step)
}

/// Type, shape and elements of an array.
fn array(npy: &[u8]) -> Result<(Dtype, Vec<usize>, Vec<u8>), String> {
    let damaged = || "it is no NumPy array".to_owned();
    if !npy.starts_with(b"\x93NUMPY") {
        return Err(damaged());
    }
    let (start, length) = match npy.get(6) {
        Some(1) => (10, u16_at(npy, 8).map(u64::from)),
        Some(2 | 3) => (12, u32_at(npy, 8).map(u64::from)),
        _ => return Err("its version of NumPy's format is not known".to_owned()),
    };
    let length = length
        .and_then(|length| usize::try_from(length).ok())
        .ok_or_else(damaged)?;
    let header = npy.get(start..start + length).ok_or_else(damaged)?;
    let header = std::str::from_utf8(header).map_err(|_| damaged())?;
    let (descr, fortran, shape) = fields(header).ok_or_else(damaged)?;
    let (dtype, width) = of_descr(descr)?;
    let data = &npy[start + length..];
    let elements = shape.iter().try_fold(1_usize, |n, &axis| n.checked_mul(axis));
    if elements.and_then(|n| n.checked_mul(width)) != Some(data.len()) {
        return Err(format!(
            "it has {} bytes of elements, which is not what its shape {shape:?} asks for",
            data.len()
        ));
    }
    let mut data = if fortran {
        row_major(data, &shape, width)
    } else {
        data.to_vec()
    };
    if descr.starts_with('>') {
        data.chunks_mut(width).for_each(<[u8]>::reverse);
    }
    Ok((dtype, shape, data))
}

/// `descr`, `fortran_order` and `shape` of a header: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
fn fields(header: &str) -> Option<(&str, bool, Vec<usize>)> {
    let after = |key: &str| {
        let at = header.find(&format!("'{key}':"))?;
        Some(header[at + key.len() + 3..].trim_start())
    };
    let descr = after("descr")?;
    let descr = match descr.strip_prefix('\'') {
        Some(text) => text.split_once('\'')?.0,
        // A list of fields.
        None => descr.split_once(", 'fortran_order'")?.0,
    };
    let order = after("fortran_order")?;
    let fortran = order.starts_with("True");
    if !fortran && !order.starts_with("False") {
        return None;
    }
    let axes = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let axes = axes.split(',').map(str::trim).filter(|axis| !axis.is_empty());
    let shape = axes.map(|axis| axis.parse().ok()).collect::<Option<_>>()?;
    Some((descr, fortran, shape))
}

/// The type that NumPy writes like this, and its bytes.
fn of_descr(descr: &str) -> Result<(Dtype, usize), String> {
    Ok(match descr {
        "<f2" | ">f2" => (Dtype::F16, 2),
        "<V2" => (Dtype::BF16, 2),
        "<f4" | ">f4" => (Dtype::F32, 4),
        "<f8" | ">f8" => (Dtype::F64, 8),
        "|b1" => (Dtype::BOOL, 1),
        _ => {
            let why = match descr {
                "|O" => ", Python objects",
                "|V2" => ", two bytes of no type; bfloat16 of ml_dtypes is <V2",
                _ => "",
            };
            return Err(format!(
                "its NumPy type is {descr}{why}; expected f2, f4, f8 or bfloat16 of ml_dtypes"
            ));
        }
    })
}

/// Elements whose first axis runs fastest, so that the last one does.
fn row_major(data: &[u8], shape: &[usize], width: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..data.len() / width {
        let place = index
            .iter()
            .zip(shape)
            .rev()
            .fold(0, |place, (&i, &n)| place * n + i);
        out.extend_from_slice(&data[place * width..(place + 1) * width]);
        // The next index, counted up from the last axis.
        for (i, &n) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < n {
                break;
            }
            *i = 0;
        }
    }
    out
}
