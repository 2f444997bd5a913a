//! JSON objects, read strictly: a key given twice is refused, where most readers silently take the last.

use super::CheckpointError;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::path::Path;

/// Characters of an offending value that an error shows.
const SHOWN: usize = 60;

/// The object that `bytes` spell.
pub(super) fn object(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, CheckpointError> {
    let refuse = |problem: String| CheckpointError::Json {
        path: path.to_owned(),
        problem,
    };
    let value: Value = serde_json::from_slice(bytes).map_err(|e| refuse(format!("not valid JSON: {e}")))?;
    let Value::Object(map) = value else {
        return Err(refuse(format!("expected a JSON object, found {}", shown(&value))));
    };
    match duplicate_key(bytes) {
        Some(key) => Err(refuse(format!("the key `{key}` is given twice"))),
        None => Ok(map),
    }
}

/// The value as JSON text, cut when long.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// A key that some object of this valid JSON text gives twice.
pub(crate) fn duplicate_key(json: &[u8]) -> Option<String> {
    // One set of keys for each bracket that is open; an array's stays empty.
    let mut open: Vec<HashSet<String>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => open.push(HashSet::new()),
            b'}' | b']' => drop(open.pop()),
            b'"' => {
                let start = at - 1;
                at = string_end(json, at);
                let is_key = json[at..].iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':');
                if is_key
                    && let Some(keys) = open.last_mut()
                    && let Ok(key) = serde_json::from_slice::<String>(&json[start..at])
                    && let Some(twice) = keys.replace(key)
                {
                    return Some(twice);
                }
            }
            _ => {}
        }
    }
    None
}

/// The position after the quote that ends the string whose text begins at `at`.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            // Whatever an escape means, its next byte does not end the string.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_key_given_twice_in_one_object_only() {
        let twice = |text: &str| {
            assert!(serde_json::from_str::<Value>(text).is_ok(), "{text}");
            duplicate_key(text.as_bytes())
        };
        assert_eq!(
            twice(r#"{"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}"#),
            None
        );
        assert_eq!(twice(r#"{"a": "b", "b": "a", "c": ["a", "a"]}"#), None);
        assert_eq!(twice(r#"{"a": 1, "b": 2, "a" : 3}"#), Some("a".to_owned()));
        assert_eq!(twice(r#"[{"x": {"k": 1, "k": 2}}]"#), Some("k".to_owned()));
        // The second spelling is the same key, and a brace or quote in a string opens nothing.
        assert_eq!(twice(r#"{"ab": "{\"", "\u0061b": 1}"#), Some("ab".to_owned()));
        assert_eq!(twice(r#"{"a\\": 1, "a": 2}"#), None);
    }
}
