//! From flags and files to questions.

use super::super::Error;
use super::args::{Limits, Question};
use crate::cases::NamedCase;
use crate::cases::file::{EXTENSION, FileError, read_case, read_plain};
use crate::checkpoint;
use crate::oracle::{Candidate, Case, Declared, OracleError, matched};
use serde_json::Value;
use std::path::{Path, PathBuf};

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Self::Judge(error.to_string())
    }
}

/// What the oracle says against a file.
pub(super) fn about(path: &Path, error: &OracleError) -> Error {
    Error::Judge(format!("{}: {error}", path.display()))
}

/// The case that plain files make.
pub(super) fn plain_case(question: &Question, before: &Path) -> Result<NamedCase, Error> {
    let Some(policy) = question.policy.clone() else {
        return Err(Error::Usage("--before needs --policy".to_owned()));
    };
    let declared = question.declared.unwrap_or_default();
    let beside = |path: &Option<PathBuf>| path.as_deref().map_or(Ok(Vec::new()), read_plain);
    let case = Case {
        values: beside(&question.values)?,
        second_moments: beside(&question.moments)?,
        state: question.state.as_deref().map(state).transpose()?,
        declared: question.limits.on(declared),
        ..Case::new(policy, read_plain(before)?)
    };
    matched(&case).map_err(|error| about(before, &error))?;
    Ok(NamedCase {
        name: before.display().to_string(),
        pack: String::new(),
        class: String::new(),
        note: String::new(),
        seed: 0,
        case,
    })
}

fn state(path: &Path) -> Result<crate::clip::ClipState, Error> {
    let text = String::from_utf8_lossy(&checkpoint::read(path)?).into_owned();
    text.parse()
        .map_err(|error| Error::Judge(format!("{}: {error}", path.display())))
}

/// The answer that plain files make.
pub(super) fn plain_candidate(after: &Path, norms: Option<&Path>) -> Result<Candidate, Error> {
    Ok(Candidate {
        norms: norms.map_or(Ok(Vec::new()), read_norms)?,
        ..Candidate::new(read_plain(after)?)
    })
}

/// A JSON object from component to norm. A norm that is not finite is the text "NaN", "inf" or "-inf".
fn read_norms(path: &Path) -> Result<Vec<(String, f64)>, Error> {
    let refuse = |problem: String| Error::Judge(format!("{}: {problem}", path.display()));
    let map = match serde_json::from_slice(&checkpoint::read(path)?) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return Err(refuse("not a JSON object from component to norm".to_owned())),
        Err(error) => {
            return Err(refuse(format!(
                "not JSON: {error} (a norm that is no finite number is written as a text: \"NaN\", \"inf\")"
            )));
        }
    };
    let number = |(id, value): (String, Value)| {
        let x = match &value {
            Value::Number(x) => x.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        x.map(|x| (id.clone(), x))
            .ok_or_else(|| refuse(format!("the norm of `{id}` is {value}, expected a number")))
    };
    map.into_iter().map(number).collect()
}

/// The case files of a folder in the order of their names, or the one file.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let folder = |source| Error::Folder {
        path: path.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(folder)? {
        let file = entry.map_err(folder)?.path();
        if file.extension().is_some_and(|extension| extension == EXTENSION) {
            found.push(file);
        }
    }
    if found.is_empty() {
        return Err(Error::Judge(format!(
            "{}: no .safetensors file in it",
            path.display()
        )));
    }
    found.sort();
    Ok(found)
}

/// A case file; `declared` goes before what the case says, and a limit on the error of norms before both.
pub(super) fn case(path: &Path, declared: Option<Declared>, limits: Limits) -> Result<NamedCase, Error> {
    let mut named = read_case(path)?;
    if named.name.is_empty() {
        named.name = stem(path);
    }
    if let Some(declared) = declared {
        named.case.declared = declared;
    }
    named.case.declared = limits.on(named.case.declared);
    Ok(named)
}

/// The file's name without its ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
