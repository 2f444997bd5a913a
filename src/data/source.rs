//! A text file in memory: read whole, checked to be UTF-8, its byte-order mark taken off.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{DataError, FileFault, LineFault};

/// A file's path and text.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    /// Reads a file; `note` says what was expected, should that fail.
    pub(super) fn open(path: &Path, note: impl FnOnce(&io::Error) -> String) -> Result<Self, DataError> {
        let bytes = crate::embedded::read(path).map_err(|error| DataError::CannotRead {
            path: path.to_owned(),
            note: note(&error),
            error,
        })?;
        Self::of_bytes(path, bytes)
    }

    /// Bytes that have been read.
    pub(super) fn of_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, DataError> {
        let mut text = utf8(path, bytes)?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let source = Self {
            path: path.to_owned(),
            text,
        };
        if source.text.is_empty() {
            return Err(source.fault(FileFault::Empty));
        }
        Ok(source)
    }

    /// An error about the file as a whole.
    pub(super) fn fault(&self, fault: FileFault) -> DataError {
        DataError::File {
            path: self.path.clone(),
            fault,
        }
    }

    /// An error about one line.
    pub(super) fn line_fault(&self, line: usize, fault: LineFault) -> DataError {
        DataError::Line {
            path: self.path.clone(),
            line,
            fault,
        }
    }
}

/// The bytes as text, or the line of the first byte that is not UTF-8.
pub(super) fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, DataError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        DataError::Line {
            path: path.to_owned(),
            line: valid.split(|&byte| byte == b'\n').count(),
            fault: LineFault::NotUtf8,
        }
    })
}
