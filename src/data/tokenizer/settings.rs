//! What the files of a tokenizer say, each setting with the file that said it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::TruncationDirection;

use super::{Files, unusable};
use crate::data::error::DataError;

pub(super) const CONFIG: &str = "tokenizer_config.json";
pub(super) const JSON: &str = "tokenizer.json";
pub(super) const ADDED: &str = "added_tokens.json";
pub(super) const MAP: &str = "special_tokens_map.json";
pub(super) const MODEL: &str = "config.json";

/// Keys of `tokenizer_config.json` that bring code or a vocabulary of their own.
const UNSUPPORTED: [&str; 5] = [
    "auto_map",
    "vocab",
    "merges",
    "post_processor",
    "tokenizer_object",
];

/// The settings of `tokenizer_config.json` and, where transformers looks into it, of `special_tokens_map.json`.
pub(super) struct Settings {
    dir: PathBuf,
    values: Vec<(String, Value, &'static str)>,
}

impl Settings {
    pub(super) fn read(files: &Files) -> Result<Self, DataError> {
        let mut settings = Self {
            dir: files.dir.clone(),
            values: Vec::new(),
        };
        let config = settings.parse(files, CONFIG)?.unwrap_or_default();
        for (key, value) in settings.object(CONFIG, "the file", &config)?.clone() {
            if UNSUPPORTED.contains(&key.as_str()) && !value.is_null() {
                let reason = format!("`{key}` is not supported: cwgnc reads the tokenizer's own files alone");
                return Err(settings.unusable(CONFIG, reason));
            }
            settings.values.push((key, value, CONFIG));
        }
        settings.check_versioned()?;
        // The older name, unless the newer says something.
        let newer = settings.get("extra_special_tokens");
        if !newer.is_some_and(|(value, _)| truthy(value))
            && let Some((value, source)) = settings.get("additional_special_tokens")
        {
            let value = value.clone();
            settings.remove("additional_special_tokens");
            settings.set("extra_special_tokens", value, source);
        }
        if settings.get("added_tokens_decoder").is_none()
            && let Some(map) = settings.parse(files, MAP)?
        {
            for (key, value) in settings.object(MAP, "the file", &map)?.clone() {
                settings.set(&key, special(&key, value), MAP);
            }
        }
        Ok(settings)
    }

    /// The JSON of a file.
    pub(super) fn parse(&self, files: &Files, name: &'static str) -> Result<Option<Value>, DataError> {
        let parsed = files.get(name).map(|bytes| serde_json::from_slice(bytes));
        parsed
            .transpose()
            .map_err(|error| self.unusable(name, error.to_string()))
    }

    /// An error that names one of the files.
    pub(super) fn unusable(&self, name: &str, reason: impl Into<String>) -> DataError {
        unusable(&self.path(name), reason)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.dir).join(name)
    }

    /// A value that must be an object; null is an empty one.
    pub(super) fn object<'a>(
        &self,
        source: &str,
        what: &str,
        value: &'a Value,
    ) -> Result<&'a Map<String, Value>, DataError> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        match value {
            Value::Object(map) => Ok(map),
            Value::Null => Ok(&EMPTY),
            _ => Err(self.unusable(source, format!("{what} is not a JSON object"))),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<(&Value, &'static str)> {
        let found = self.values.iter().find(|(known, ..)| known == key);
        found.map(|(_, value, source)| (value, *source))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Value, &'static str)> {
        self.values
            .iter()
            .map(|(key, value, source)| (key.as_str(), value, *source))
    }

    fn remove(&mut self, key: &str) {
        self.values.retain(|(known, ..)| known != key);
    }

    fn set(&mut self, key: &str, value: Value, source: &'static str) {
        match self.values.iter_mut().find(|(known, ..)| known == key) {
            Some(old) => (old.1, old.2) = (value, source),
            None => self.values.push((key.to_owned(), value, source)),
        }
    }

    /// A truth value; `null` counts as not said.
    pub(super) fn flag(&self, key: &str) -> Result<Option<(bool, &'static str)>, DataError> {
        match self.get(key) {
            None | Some((Value::Null, _)) => Ok(None),
            Some((Value::Bool(flag), source)) => Ok(Some((*flag, source))),
            Some((_, source)) => Err(self.unusable(source, format!("`{key}` is not true, false or null"))),
        }
    }

    /// `truncation_side`.
    pub(super) fn truncation_side(&self) -> Result<Option<(TruncationDirection, &'static str)>, DataError> {
        match self.get("truncation_side") {
            None | Some((Value::Null, _)) => Ok(None),
            Some((value, source)) => match value.as_str() {
                Some("left") => Ok(Some((TruncationDirection::Left, source))),
                Some("right") => Ok(Some((TruncationDirection::Right, source))),
                _ => Err(self.unusable(source, "`truncation_side` is neither `left` nor `right`")),
            },
        }
    }

    /// `fast_tokenizer_files` may name another file than `tokenizer.json`, by transformers' version.
    fn check_versioned(&self) -> Result<(), DataError> {
        let names = self
            .get("fast_tokenizer_files")
            .and_then(|(value, _)| value.as_array());
        match names.into_iter().flatten().find(|name| *name != JSON) {
            None => Ok(()),
            Some(name) => {
                let reason = format!("`fast_tokenizer_files` names {name}; only tokenizer.json is supported");
                Err(self.unusable(CONFIG, reason))
            }
        }
    }
}

/// Objects of `special_tokens_map.json` are special tokens, whether they say so or not.
fn special(key: &str, mut value: Value) -> Value {
    if key != "extra_special_tokens"
        && let Value::Object(token) = &mut value
    {
        token.insert("special".to_owned(), Value::Bool(true));
        token.insert("__type".to_owned(), Value::String("AddedToken".to_owned()));
    }
    value
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}
