//! Tensor files: the header of safetensors as JSON, NumPy archives as files with headers of their own.

use super::chance::Chance;
use super::{json, text};
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;
use std::fmt::Write;

/// Words of a header.
const WORDS: [&str; 24] = [
    "__metadata__",
    "dtype",
    "shape",
    "data_offsets",
    "F64",
    "F32",
    "F16",
    "BF16",
    "I64",
    "I32",
    "U8",
    "BOOL",
    "F8_E4M3",
    "F4",
    "C64",
    "before/w",
    "after/w",
    "value/w",
    "moment/w",
    "norm/w",
    "policy",
    "spec",
    "cwgnc",
    "format",
];

/// A safetensors file with another header or other data.
pub(crate) fn safetensors(file: &[u8], chance: &mut Chance) -> Vec<u8> {
    let length = file
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes) as usize);
    let end = length
        .and_then(|length| length.checked_add(8))
        .filter(|&end| end <= file.len());
    let Some(end) = end else {
        return text::bytes(file, chance);
    };
    let (mut header, mut data) = (file[8..end].to_vec(), file[end..].to_vec());
    match chance.below(12) {
        0 => header = many_names(chance),
        1 => header = many_axes(&header, chance),
        2 => data = text::bytes(&data, chance),
        3 => data = special_numbers(&data, chance),
        4 => header = text::changed(&header, &WORDS, chance),
        5 => header.extend(std::iter::repeat_n(b' ', chance.count())),
        _ => header = json::changed(&header, &WORDS, chance).unwrap_or(header),
    }
    let length = match chance.below(12) {
        0 => *chance.pick(&[0, 1, u64::MAX, u64::MAX - 7, 1 << 40, 100_000_001, 1 << 63]),
        1 => header.len() as u64 + 1,
        _ => header.len() as u64,
    };
    [&length.to_le_bytes()[..], &header, &data].concat()
}

/// Tensors without elements, or all over the same bytes, under names of every length.
fn many_names(chance: &mut Chance) -> Vec<u8> {
    let (count, long) = (chance.count(), chance.count().min(5000));
    let prefix = ["before/", "after/", "", "a."][chance.below(4)];
    let (shape, end) = *chance.pick(&[("[0]", 0), ("[1]", 4), ("[]", 4), ("[0,18446744073709551615]", 0)]);
    let name = "n".repeat(long.min(10_000_000 / (count + 1)));
    let mut text = String::from("{");
    for i in 0..count {
        let comma = if i > 0 { "," } else { "" };
        let (from, to) = if end == 0 { (0, 0) } else { (4 * i, 4 * i + end) };
        let _ = write!(
            text,
            r#"{comma}"{prefix}{name}{i}":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#
        );
    }
    text.push('}');
    text.into_bytes()
}

/// One of the shapes with many axes before its own.
fn many_axes(header: &[u8], chance: &mut Chance) -> Vec<u8> {
    let text = String::from_utf8_lossy(header).into_owned();
    let places: Vec<usize> = text
        .match_indices("\"shape\":[")
        .map(|(at, what)| at + what.len())
        .collect();
    if places.is_empty() {
        return header.to_vec();
    }
    let at = *chance.pick(&places);
    let axis = *chance.pick(&["1,", "0,", "2,", "4294967296,"]);
    let count = *chance.pick(&[1, 30, 62, 63, 64, 65, 1000, 100_000]);
    format!("{}{}{}", &text[..at], axis.repeat(count), &text[at..]).into_bytes()
}

/// Numbers that are not usual, in the widths that there are.
fn special_numbers(data: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=chance.below(8) {
        let numbers: [&[u8]; 9] = [
            &f32::NAN.to_le_bytes(),
            &f32::INFINITY.to_le_bytes(),
            &f32::MAX.to_le_bytes(),
            &[1, 0, 0, 0],
            &[0, 0, 0, 128],
            &f64::MAX.to_le_bytes(),
            &f64::NAN.to_le_bytes(),
            &[1, 0, 0, 0, 0, 0, 0, 0],
            &[255; 8],
        ];
        let number = *chance.pick(&numbers);
        let at = chance.below(data.len() / number.len().max(1)) * number.len();
        if let Some(place) = data.get_mut(at..at + number.len()) {
            place.copy_from_slice(number);
        }
    }
    data
}

/// Words of the header of an array.
const NPY: [&str; 22] = [
    "descr",
    "fortran_order",
    "shape",
    "True",
    "False",
    "<f4",
    "<f8",
    "<f2",
    ">f4",
    "|V2",
    "<V2",
    "<i8",
    "|O",
    "|u1",
    "(",
    ")",
    "()",
    "(0,)",
    "(1, 1, 1)",
    "(18446744073709551615,)",
    "(4294967296, 4294967296)",
    "\\x93NUMPY",
];

struct Member {
    name: Vec<u8>,
    content: Vec<u8>,
    is_packed: bool,
}

/// An archive with other arrays, or with other bytes where zip has its fields.
pub(crate) fn npz(file: &[u8], chance: &mut Chance) -> Vec<u8> {
    if chance.once_in(4) {
        return fields(file, chance);
    }
    let Some(mut members) = members(file).filter(|members| !members.is_empty()) else {
        return text::bytes(file, chance);
    };
    for _ in 0..=chance.below(3) {
        let at = chance.below(members.len());
        let member = &mut members[at];
        match chance.below(8) {
            0 => member.name = text::changed(&member.name, &[".npy", "a", "/"], chance),
            1 => member.content = text::bytes(&member.content, chance),
            2 => member.is_packed = !member.is_packed,
            3 => {
                // Zeros pack to next to nothing.
                let more = chance.count() * 300;
                member.content.extend(std::iter::repeat_n(0, more));
                member.is_packed = true;
            }
            4 => {
                let (name, content) = (member.name.clone(), member.content.clone());
                let times = chance.count().min(70_000).min(10_000_000 / (content.len() + 100));
                for i in 0..times {
                    let name = [format!("{i}").as_bytes(), &name].concat();
                    members.push(Member {
                        name,
                        content: content.clone(),
                        is_packed: false,
                    });
                }
            }
            _ => {
                let head = member.content.len().min(128);
                let header = text::changed(&member.content[..head], &NPY, chance);
                let mut content = header;
                content.extend_from_slice(&member.content[head..]);
                if !chance.once_in(3) {
                    // With the length that it says.
                    let end = content
                        .iter()
                        .position(|&byte| byte == b'\n')
                        .unwrap_or(content.len());
                    let length = (end + 1).saturating_sub(10).min(65535) as u16;
                    if let Some(place) = content.get_mut(8..10) {
                        place.copy_from_slice(&length.to_le_bytes());
                    }
                }
                member.content = content;
            }
        }
    }
    archive(&members)
}

/// Extreme values in the records of the archive.
fn fields(file: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut file = file.to_vec();
    let starts: Vec<usize> = (0..file.len())
        .filter(|&at| file[at..].starts_with(b"PK"))
        .collect();
    for _ in 0..=chance.below(3) {
        if starts.is_empty() {
            break;
        }
        let at = chance.pick(&starts) + chance.below(46);
        let value = *chance.pick(&[0, 1, 0x7fff_ffff, 0xffff_ffff, 0xffff_fffe, 0x8000_0000_u32]);
        let width = *chance.pick(&[1, 2, 4]);
        if let Some(place) = file.get_mut(at..at + width) {
            place.copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }
    file
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + width)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
    )
}

/// The files of an archive in the order of its own headers.
fn members(file: &[u8]) -> Option<Vec<Member>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while file.get(at..)?.starts_with(b"PK\x03\x04") {
        let (method, packed) = (number(file, at + 8, 2)?, number(file, at + 18, 4)?);
        let (name, extra) = (number(file, at + 26, 2)?, number(file, at + 28, 2)?);
        let start = at + 30 + name + extra;
        let content = file.get(start..start.checked_add(packed)?)?;
        found.push(Member {
            name: file.get(at + 30..at + 30 + name)?.to_vec(),
            content: if method == 8 {
                decompress_to_vec(content).ok()?
            } else {
                content.to_vec()
            },
            is_packed: method == 8,
        });
        at = start + packed;
    }
    Some(found)
}

/// An archive of these files, with right lengths and checksums.
fn archive(members: &[Member]) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for member in members {
        let packed = if member.is_packed {
            compress_to_vec(&member.content, 1)
        } else {
            member.content.clone()
        };
        let header = out.len() as u32;
        let method = if member.is_packed { 8_u16 } else { 0 };
        let mut common = Vec::new();
        for field in [20, 0x800, method, 0, 33] {
            common.extend(field.to_le_bytes());
        }
        for field in [
            crc32(&member.content),
            packed.len() as u32,
            member.content.len() as u32,
        ] {
            common.extend(field.to_le_bytes());
        }
        common.extend((member.name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(&member.name);
        out.extend(packed);
        list.extend(b"PK\x01\x02\x14\x00");
        list.extend(&common);
        list.extend([0; 10]);
        list.extend(header.to_le_bytes());
        list.extend(&member.name);
    }
    let (count, start) = (members.len() as u16, out.len() as u32);
    out.extend(&list);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend((list.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
