//! How a built-in task is named: `builtin:paraphrase`, or `builtin:paraphrase@7` for the sets of another seed.

use super::{BUILTINS, Builtin};
use crate::data::nearest_of;
use std::fmt;
use std::str::FromStr;

/// What such a name begins with.
pub const PREFIX: &str = "builtin:";

/// A task and the seed of its sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The task.
    pub task: Builtin,
    /// The seed of its sets; 0 unless the name has another, so that the runs of a study share one pair of sets.
    pub seed: u64,
}

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoiceError(String);

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ChoiceError {}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.task.name())?;
        match self.seed {
            0 => Ok(()),
            seed => write!(f, "@{seed}"),
        }
    }
}

/// Reads what [`Choice`] prints.
///
/// # Examples
/// ```
/// use cwgnc::builtin::{Builtin, Choice};
///
/// let choice: Choice = "builtin:similarity@7".parse()?;
/// assert_eq!((choice.task, choice.seed), (Builtin::Similarity, 7));
/// assert_eq!(choice.to_string(), "builtin:similarity@7");
/// let error = "builtin:similarty".parse::<Choice>().unwrap_err().to_string();
/// assert!(error.contains("did you mean `builtin:similarity`?"));
/// # Ok::<(), cwgnc::builtin::ChoiceError>(())
/// ```
impl FromStr for Choice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        let name = text.strip_prefix(PREFIX).unwrap_or(text);
        let (name, seed) = match name.split_once('@') {
            None => (name, Ok(0)),
            Some((name, seed)) => (name, seed.parse().map_err(|_| seed)),
        };
        let Some(task) = BUILTINS.into_iter().find(|task| task.name() == name) else {
            let near = nearest_of(name, BUILTINS.map(Builtin::name));
            let near = near.map_or(String::new(), |near| format!("did you mean `{PREFIX}{near}`? "));
            let known = BUILTINS.map(|task| format!("{PREFIX}{}", task.name())).join(", ");
            return Err(ChoiceError(format!(
                "unknown task `{text}`; {near}known: {known}"
            )));
        };
        match seed {
            Ok(seed) => Ok(Self { task, seed }),
            Err(seed) => Err(ChoiceError(format!(
                "task `{text}`: `{seed}` is no seed of a data set; give a whole number of at least 0, as in {PREFIX}{name}@7"
            ))),
        }
    }
}
