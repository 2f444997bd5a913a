//! Where the names of parameters are cut into modules and layers, if a policy says so itself.

use super::error::PolicyError;
use std::fmt;
use std::str::FromStr;

/// The text between two steps of a name, as in `separator=/`.
///
/// Without one, `.` and `/` cut and so do brackets, which suits PyTorch, Flax and JAX. Names that have both, or another
/// separator (`h:0:attn`, `block_0__q`), need one; nothing else cuts then, brackets included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Separator(String);

impl Separator {
    /// Checks the text.
    ///
    /// # Errors
    /// If it is empty, or has the `,` that separates the options of a policy.
    pub fn new(text: &str) -> Result<Self, PolicyError> {
        if text.is_empty() || text.contains(',') {
            let expected = "a text without `,`, as in `separator=/`";
            return Err(PolicyError::value("separator", text, expected));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Separator {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::new(text)
    }
}
