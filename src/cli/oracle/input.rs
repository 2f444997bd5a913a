//! From flags and files to questions.

use super::super::Error;
use super::args::{AnswerFiles, Files, Limits, Question};
use super::widening;
use crate::cases::NamedCase;
use crate::cases::file::{EXTENSION, FileError, read_case};
use crate::cases::sides::{Placement, Side, Sides};
use crate::checkpoint;
use crate::clip::{ClipPolicy, Separator};
use crate::oracle::{Candidate, Case, Declared, OracleError, Tensor, matched};
use serde_json::Value;
use std::path::{Path, PathBuf};

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Self::Judge(error.to_string())
    }
}

/// What the oracle says against a file; where names differ by a prefix alone, also the flag that takes it off.
pub(super) fn about(path: &Path, error: &OracleError) -> Error {
    let flags: Vec<String> = error
        .prefixes()
        .iter()
        .map(|prefix| format!(" --strip-prefix {prefix}"))
        .collect();
    let advice = if flags.is_empty() { "" } else { ":" };
    Error::Judge(format!("{}: {error}{advice}{}", path.display(), flags.concat()))
}

/// Gradients after clipping, and replicas of them that differ.
pub(super) struct Answered {
    pub(super) candidate: Candidate,
    pub(super) differences: Vec<String>,
}

/// The case that plain files make.
pub(super) fn plain_case(question: &Question) -> Result<NamedCase, Error> {
    let mut sides = sides(&question.files, &[]);
    let named = asked(question, &mut sides)?;
    used(&sides)?;
    matched(&named.case).map_err(|error| about(Path::new(&named.name), &error))?;
    Ok(named)
}

/// The case and the answer that plain files make.
pub(super) fn plain_pair(
    question: &Question,
    after: &AnswerFiles,
    norms: Option<&Path>,
) -> Result<(NamedCase, Answered), Error> {
    let mut sides = sides(&question.files, &after.placement_after);
    let mut named = asked(question, &mut sides)?;
    let mut notes = Vec::new();
    let mut answered = answer(&mut named.case, &mut notes, after, &mut sides)?;
    let norms = norms.map_or(Ok(Vec::new()), read_norms)?;
    answered.candidate.norms = norms
        .into_iter()
        .map(|(id, norm)| (sides.stripped(&id), norm))
        .collect();
    used(&sides)?;
    matched(&named.case).map_err(|error| about(Path::new(&named.name), &error))?;
    notes.insert(0, named.note);
    notes.retain(|note| !note.is_empty());
    named.note = notes.join("; ");
    Ok((named, answered))
}

/// How files are read, as the flags say.
pub(super) fn sides(files: &Files, after: &[Placement]) -> Sides {
    Sides::new(&files.strip_prefix, &files.placement, after)
}

/// Nothing was declared that fits nothing.
pub(super) fn used(sides: &Sides) -> Result<(), Error> {
    let problem = |problem| Error::Judge(format!("{problem}; check its spelling, or leave it out"));
    sides.unused().map_or(Ok(()), |unused| Err(problem(unused)))
}

/// Parameters or moments, if there are files of them.
pub(super) fn beside(sides: &mut Sides, paths: &[PathBuf]) -> Result<Vec<Tensor>, Error> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sides.read(paths, Side::Beside)?.tensors)
}

/// What errors and reports call the files of a side.
pub(in crate::cli) fn called(paths: &[PathBuf]) -> String {
    match paths {
        [] => String::new(),
        [path] => path.display().to_string(),
        [path, others @ ..] => format!("{} and {} more", path.display(), others.len()),
    }
}

/// What is written is safetensors, whatever the ending; one that says something else would mislead.
///
/// # Errors
/// If the ending is that of another format.
pub(in crate::cli) fn is_safetensors(output: &Path) -> Result<(), Error> {
    const OTHERS: [&str; 12] = [
        "npz", "npy", "pt", "pth", "ckpt", "pkl", "pickle", "h5", "hdf5", "msgpack", "gguf", "onnx",
    ];
    let ending = output
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    if !OTHERS.contains(&ending.as_str()) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--output {}: only safetensors is written; write {}",
        output.display(),
        output.with_extension("safetensors").display()
    )))
}

/// The policy with the separator of the flag.
pub(in crate::cli) fn separated(
    policy: &ClipPolicy,
    separator: Option<&Separator>,
) -> Result<ClipPolicy, Error> {
    let mut policy = policy.clone();
    let Some(separator) = separator else {
        return Ok(policy);
    };
    if policy.separator.as_ref().is_some_and(|own| own != separator) {
        return Err(Error::Usage(format!(
            "--separator {separator}: the policy is `{policy}`"
        )));
    }
    if !policy.partition.cuts_names() {
        return Err(Error::Usage(format!(
            "--separator {separator}: it cuts names into modules and layers, and `{policy}` cuts none"
        )));
    }
    policy.separator = Some(separator.clone());
    Ok(policy)
}

fn asked(question: &Question, sides: &mut Sides) -> Result<NamedCase, Error> {
    let Some(policy) = &question.policy else {
        return Err(Error::Usage("--before needs --policy".to_owned()));
    };
    let policy = separated(policy, question.files.separator.as_ref())?;
    let declared = question.declared.unwrap_or_default();
    let before = sides.read(&question.before, Side::Before)?;
    let case = Case {
        values: beside(sides, &question.values)?,
        second_moments: beside(sides, &question.moments)?,
        state: question.state.as_deref().map(state).transpose()?,
        declared: question.limits.on(declared),
        ..Case::new(policy, before.tensors)
    };
    Ok(NamedCase {
        name: called(&question.before),
        pack: String::new(),
        class: String::new(),
        note: noted("before", &before.notes),
        seed: 0,
        case,
    })
}

/// Reads the gradients after clipping, and widens those before where that is declared.
pub(super) fn answer(
    case: &mut Case,
    notes: &mut Vec<String>,
    after: &AnswerFiles,
    sides: &mut Sides,
) -> Result<Answered, Error> {
    let read = sides.read(&after.after, Side::After)?;
    notes.push(noted("after", &read.notes));
    let refuse = |problem: String| Error::Judge(format!("{}: {problem}", called(&after.after)));
    notes.push(widening::agree(&mut case.before, &read.tensors, after.widen).map_err(refuse)?);
    Ok(Answered {
        candidate: Candidate::new(read.tensors),
        differences: read.differences,
    })
}

fn noted(side: &str, notes: &[String]) -> String {
    if notes.is_empty() {
        String::new()
    } else {
        format!("{side}: {}", notes.join(", "))
    }
}

fn state(path: &Path) -> Result<crate::clip::ClipState, Error> {
    let text = String::from_utf8_lossy(&checkpoint::read(path)?).into_owned();
    text.parse()
        .map_err(|error| Error::Judge(format!("{}: {error}", path.display())))
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
