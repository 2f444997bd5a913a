//! Typed access to the keys of `config.json`: a wrong type or range is refused by the key's name.

use super::{CheckpointError, json};
use serde_json::{Map, Value};
use std::path::Path;

/// The keys of one `config.json`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    pub(super) path: &'a Path,
    pub(super) raw: &'a Map<String, Value>,
}

type Result<T> = std::result::Result<T, CheckpointError>;

impl<'a> Fields<'a> {
    /// An error about this file.
    pub(super) fn refuse<T>(&self, problem: String) -> Result<T> {
        Err(CheckpointError::Config {
            path: self.path.to_owned(),
            problem,
        })
    }

    fn wrong<T>(&self, key: &str, right: &str, found: &Value) -> Result<T> {
        self.refuse(format!("`{key}` must be {right}, found {}", json::shown(found)))
    }

    /// The value, unless the key is absent or `null` (Hugging Face writes `null` for "not set").
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.raw.get(key).filter(|value| !value.is_null())
    }

    /// A size that every model states.
    pub(super) fn size(&self, key: &str) -> Result<usize> {
        match self.raw.get(key) {
            None => self.refuse(format!("`{key}` is missing")),
            Some(value) => self.as_size(key, value),
        }
    }

    /// A size with a default.
    pub(super) fn size_or(&self, key: &str, default: usize) -> Result<usize> {
        self.raw
            .get(key)
            .map_or(Ok(default), |value| self.as_size(key, value))
    }

    /// Sizes stay below 2³² so that products of two never overflow 64 bits.
    fn as_size(&self, key: &str, value: &Value) -> Result<usize> {
        match value.as_u64().map(u32::try_from) {
            Some(Ok(n)) if n > 0 => Ok(n as usize),
            _ => self.wrong(key, "a positive integer below 4294967296", value),
        }
    }

    /// A token id.
    pub(super) fn token_or(&self, key: &str, default: u32) -> Result<u32> {
        let Some(value) = self.raw.get(key) else {
            return Ok(default);
        };
        match value.as_u64().map(u32::try_from) {
            Some(Ok(id)) => Ok(id),
            _ => self.wrong(key, "a token id (a non-negative integer)", value),
        }
    }

    /// A probability in `[0, 1)`.
    pub(super) fn dropout_or(&self, key: &str, default: f64) -> Result<f64> {
        self.raw
            .get(key)
            .map_or(Ok(default), |value| self.as_dropout(key, value))
    }

    /// A probability in `[0, 1)`, or `null`.
    pub(super) fn dropout(&self, key: &str) -> Result<Option<f64>> {
        self.get(key).map(|value| self.as_dropout(key, value)).transpose()
    }

    fn as_dropout(&self, key: &str, value: &Value) -> Result<f64> {
        match value.as_f64() {
            Some(p) if (0.0..1.0).contains(&p) => Ok(p),
            _ => self.wrong(key, "a probability in [0, 1)", value),
        }
    }

    /// A number above zero.
    pub(super) fn positive_or(&self, key: &str, default: f64) -> Result<f64> {
        let Some(value) = self.raw.get(key) else {
            return Ok(default);
        };
        match value.as_f64() {
            Some(x) if x > 0.0 => Ok(x),
            _ => self.wrong(key, "a positive number", value),
        }
    }

    /// Text, or `None` where it is absent or `null`.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => self.wrong(key, "a string", value),
        }
    }

    /// A switch that is off unless it says otherwise.
    pub(super) fn switch(&self, key: &str) -> Result<bool> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(value) => self.wrong(key, "true or false", value),
        }
    }

    /// An object, or `None` where it is absent or `null`.
    pub(super) fn object(&self, key: &str) -> Result<Option<&'a Map<String, Value>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(value) => self.wrong(key, "an object", value),
        }
    }
}
