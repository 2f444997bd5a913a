//! What makes the tokenizers library panic or answer at random, found before it does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, to_value};
use tokenizers::Tokenizer;

/// Refuses a `tokenizer.json`, in words, whose parts cannot work. Asked of the file before the library reads it.
pub(super) fn check_file(json: &Value) -> Result<(), String> {
    match json {
        Value::Array(list) => list.iter().try_for_each(check_file),
        Value::Object(map) => {
            if let Some(charsmap) = map.get("precompiled_charsmap").and_then(Value::as_str) {
                check_charsmap(charsmap).map_err(|reason| format!("its Precompiled normalizer {reason}"))?;
            }
            // The vocabulary holds numbers, and there are many of them.
            let parts = map
                .iter()
                .filter(|(key, _)| !["vocab", "merges", "added_tokens"].contains(&key.as_str()));
            parts.map(|(_, part)| part).try_for_each(check_file)
        }
        _ => Ok(()),
    }
}

/// Refuses what the library understood and cannot do. Asked of what it writes out again, for it reads the same part in
/// several spellings.
pub(super) fn check_parts(tokenizer: &Tokenizer) -> Result<(), String> {
    check_templates(&part(to_value(tokenizer.get_post_processor()))?)?;
    check_lengths(&part(to_value(tokenizer.get_pre_tokenizer()))?)?;
    if let tokenizers::ModelWrapper::BPE(model) = tokenizer.get_model()
        && let Some(dropout) = model.dropout.filter(|&dropout| dropout != 0.0)
    {
        return Err(format!(
            "its model has dropout {dropout}, so that a text has other tokens each time it is read; \
             write \"dropout\": null"
        ));
    }
    Ok(())
}

/// A part of a tokenizer as the library writes it.
pub(super) fn part(written: serde_json::Result<Value>) -> Result<Value, String> {
    written.map_err(|error| error.to_string())
}

/// Runs the library on a text; a panic of its own is an error in words.
pub(in crate::data) fn guarded<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!(
                "the tokenizers library broke off: {}",
                text.unwrap_or("without a word")
            ))
        }
    }
}

/// Templates that name what is not there.
pub(super) fn check_templates(processor: &Value) -> Result<(), String> {
    let list = |key: &str| processor[key].as_array().map_or(&[][..], Vec::as_slice);
    for inner in list("processors") {
        check_templates(inner)?;
    }
    if list("single").iter().any(|piece| piece["Sequence"]["id"] == "B") {
        return Err("the template for one text asks for a second".to_owned());
    }
    for piece in list("single").iter().chain(list("pair")) {
        if let Some(id) = piece["SpecialToken"]["id"].as_str()
            && processor["special_tokens"].get(id).is_none()
        {
            return Err(format!("its template uses `{id}`, which its special_tokens lack"));
        }
    }
    Ok(())
}

/// A text cannot be cut into pieces of no characters.
fn check_lengths(pre_tokenizer: &Value) -> Result<(), String> {
    for inner in pre_tokenizer["pretokenizers"].as_array().into_iter().flatten() {
        check_lengths(inner)?;
    }
    if pre_tokenizer["type"] == "FixedLength" && pre_tokenizer["length"] == 0 {
        return Err("its FixedLength pre-tokenizer has length 0".to_owned());
    }
    Ok(())
}

/// A charsmap of `SentencePiece`: 4 bytes with the length of a double-array trie, the trie in units of 4 bytes, and the
/// texts that its leaves point into. The library follows both without looking at their ends.
fn check_charsmap(text: &str) -> Result<(), String> {
    let bytes = base64(text).ok_or("is not base64")?;
    let short = || "is shorter than it says".to_owned();
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
    let length = u32::from_le_bytes(*head) as usize / 4 * 4;
    let (trie, texts) = rest.split_at_checked(length).ok_or_else(short)?;
    let units: Vec<usize> = trie
        .chunks_exact(4)
        .map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]) as usize)
        .collect();
    let texts = std::str::from_utf8(texts).map_err(|_| "holds invalid UTF-8".to_owned())?;
    let offset = |unit: usize| (unit >> 10) << ((unit & (1 << 9)) >> 6);
    let outside = || "points outside itself".to_owned();
    let mut seen = vec![false; units.len()];
    // Places whose children are still to be looked at.
    let mut open = vec![offset(*units.first().ok_or_else(outside)?)];
    while let Some(base) = open.pop() {
        for byte in 1..=255 {
            let place = base ^ byte;
            let unit = *units.get(place).ok_or_else(outside)?;
            if unit & ((1 << 31) | 0xFF) != byte || std::mem::replace(&mut seen[place], true) {
                continue;
            }
            let child = place ^ offset(unit);
            if (unit >> 8) & 1 == 1 {
                let value = units.get(child).ok_or_else(outside)? & ((1 << 31) - 1);
                if !texts.is_char_boundary(value) {
                    return Err(outside());
                }
            }
            open.push(child);
        }
    }
    Ok(())
}

/// The bytes of standard base64, with its padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits = text
        .trim_end_matches('=')
        .bytes()
        .map(digit)
        .collect::<Option<Vec<u8>>>()?;
    let group = |group: &[u8]| {
        let bits = group
            .iter()
            .fold(0_u32, |bits, &digit| bits << 6 | u32::from(digit))
            << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    Some(digits.chunks(4).flat_map(group).collect())
}
