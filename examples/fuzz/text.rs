//! Bytes, and text as words, signs and lines.

use super::chance::Chance;

/// Pieces that are at an edge of some format.
const ODD: [&[u8]; 44] = [
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b" ",
    b"\"",
    b"\"\"",
    b"'",
    b"\\",
    b",",
    b";",
    b":",
    b"=",
    b"@",
    b"*",
    b"[",
    b"]",
    b"{",
    b"}",
    b"[[",
    b".",
    b"..",
    b"#",
    b"-",
    b"/",
    b"0",
    b"-1",
    b"1e999",
    b"1e-320",
    b"nan",
    b"inf",
    b"18446744073709551616",
    b"9223372036854775807",
    b"4294967296",
    b"0x10",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\x1b[31m",
    b"\xe2\x80\xae",
    b"\xcc\x81",
];

/// Words of letters, digits and underscores; every other byte by itself.
fn tokens(text: &[u8]) -> Vec<&[u8]> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 128;
    text.chunk_by(|a, b| is_word(*a) && is_word(*b)).collect()
}

/// The text with some of its words and signs changed.
pub(crate) fn changed(text: &[u8], words: &[&str], chance: &mut Chance) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = tokens(text).into_iter().map(<[u8]>::to_vec).collect();
    for _ in 0..=chance.below(4) {
        let (a, b) = (chance.below(parts.len()), chance.below(parts.len()));
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        match chance.below(9) {
            0 => drop(parts.remove(a)),
            1 => parts.insert(a, parts[b].clone()),
            2 => parts.swap(a, b),
            3 => parts[a] = chance.pick(&ODD).to_vec(),
            4 => parts.insert(a, chance.pick(&ODD).to_vec()),
            5 if !words.is_empty() => parts[a] = chance.pick(words).as_bytes().to_vec(),
            6 if !words.is_empty() => parts.insert(a, chance.pick(words).as_bytes().to_vec()),
            7 => {
                let (first, last) = (a.min(b), a.max(b));
                let run = parts[first..=last.min(first + 40)].concat();
                let times = chance.count().min(2_000_000 / (run.len() + 1));
                parts.insert(a, run.repeat(times));
            }
            _ => {
                let number: Option<i64> = str::from_utf8(&parts[a]).ok().and_then(|text| text.parse().ok());
                if let Some(number) = number {
                    let near = [
                        number.wrapping_add(1),
                        number.wrapping_sub(1),
                        number.wrapping_mul(1000),
                        0,
                    ];
                    parts[a] = chance.pick(&near).to_string().into_bytes();
                }
            }
        }
    }
    parts.concat()
}

/// The lines, some of them away, twice, elsewhere, cut, or changed by `within`.
pub(crate) fn lines(text: &[u8], chance: &mut Chance, within: fn(&[u8], &mut Chance) -> Vec<u8>) -> Vec<u8> {
    let mut all: Vec<Vec<u8>> = text
        .split_inclusive(|&byte| byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for _ in 0..=chance.below(3) {
        if all.is_empty() {
            return b"\n".to_vec();
        }
        let (a, b) = (chance.below(all.len()), chance.below(all.len()));
        match chance.below(10) {
            0 => drop(all.remove(a)),
            1 => all.insert(a, all[b].clone()),
            2 => all.swap(a, b),
            3 => {
                let times = chance.count().min(4_000_000 / (all[b].len() + 1));
                let run = all[b].repeat(times);
                all.insert(a, run);
            }
            4 => {
                let cut = chance.below(all[a].len());
                all[a].truncate(cut);
            }
            _ => {
                let end = all[a].ends_with(b"\n");
                let line = all[a].strip_suffix(b"\n").unwrap_or(&all[a]).to_vec();
                all[a] = within(&line, chance);
                if end {
                    all[a].push(b'\n');
                }
            }
        }
    }
    all.concat()
}

/// Bits and bytes changed, cut out, put in.
pub(crate) fn bytes(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=chance.below(6) {
        let at = chance.below(text.len());
        if text.is_empty() {
            text.push(0);
        }
        match chance.below(6) {
            0 => text[at] ^= 1 << chance.below(8),
            1 => text[at] = *chance.pick(&[0, 1, 10, 32, 34, 127, 128, 255]),
            2 => text.truncate(at),
            3 => {
                let end = (at + 1 + chance.below(16)).min(text.len());
                drop(text.drain(at..end));
            }
            4 => drop(text.splice(at..at, chance.pick(&ODD).iter().copied())),
            _ => {
                let end = (at + 1 + chance.below(64)).min(text.len());
                let part = text[at..end].to_vec();
                let to = chance.below(text.len());
                drop(text.splice(to..to, part));
            }
        }
    }
    text
}

/// The beginning of one and the end of another.
pub(crate) fn spliced(one: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let (head, tail) = (chance.below(one.len() + 1), chance.below(other.len() + 1));
    [&one[..head], &other[tail..]].concat()
}
