//! `cwgnc finetune --config FILE`: the flags of a file come before those of the command line, which win.

use super::Error;
use super::study::read_run;
use std::ffi::OsString;
use std::path::Path;

/// The words of a command line with the flags of its `--config`, for `finetune`.
///
/// # Errors
/// [`Error`] if the file cannot be read, or a line of it is no flag of `finetune`; the text names file and line.
pub(super) fn expanded(words: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    const FLAG: &str = "--config";
    if words.get(1).is_none_or(|command| command != "finetune") {
        return Ok(words);
    }
    let is_flag = |word: &OsString| {
        word.to_str()
            .is_some_and(|word| word == FLAG || word.starts_with("--config="))
    };
    let Some(at) = words.iter().position(is_flag) else {
        return Ok(words);
    };
    let mut rest = words;
    let word = rest.remove(at);
    let file = match word.to_str().and_then(|word| word.split_once('=')) {
        Some((_, file)) => OsString::from(file),
        None if at < rest.len() => rest.remove(at),
        // clap says that a value is missing.
        None => {
            rest.insert(at, word);
            return Ok(rest);
        }
    };
    if rest.iter().any(is_flag) {
        return Err(Error::Usage("--config is given twice".to_owned()));
    }
    let of_file = read_run(Path::new(&file), &rest[2..])?;
    rest.splice(2..2, of_file.into_iter().map(OsString::from));
    Ok(rest)
}
