//! A question to the oracle, and an answer that is to be judged.

use super::declared::Declared;
use super::tensor::Tensor;
use crate::clip::{ClipPolicy, ClipState};
use std::fmt;

/// Gradients before clipping, and what is to be done with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is to be done.
    pub policy: ClipPolicy,
    /// The gradients.
    pub before: Vec<Tensor>,
    /// The parameters, for the rules that read them; found by name.
    pub values: Vec<Tensor>,
    /// Adam's second moments, for the rules that read them; found by name.
    pub second_moments: Vec<Tensor>,
    /// The memory of a stateful policy before this step; none: the first step.
    pub state: Option<ClipState>,
    /// The arithmetic that tolerances are derived from.
    pub declared: Declared,
}

impl Case {
    /// Gradients alone, under a policy, with nothing declared.
    pub fn new(policy: ClipPolicy, before: Vec<Tensor>) -> Self {
        Self {
            policy,
            before,
            values: Vec::new(),
            second_moments: Vec::new(),
            state: None,
            declared: Declared::default(),
        }
    }
}

/// What somebody's clipper made of a case. Only `after` is a must; what else is there is judged first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// The gradients after clipping; paired with `before` by name.
    pub after: Vec<Tensor>,
    /// Norms before clipping as returned, by component id.
    pub norms: Vec<(String, f64)>,
    /// Scales as returned, by component id.
    pub scales: Vec<(String, f64)>,
    /// Flags as returned, by component id: whether it was clipped.
    pub clipped: Vec<(String, bool)>,
}

impl Candidate {
    /// Gradients and nothing else.
    pub fn new(after: Vec<Tensor>) -> Self {
        Self {
            after,
            ..Self::default()
        }
    }
}

/// Why there is no judgement: the question or the answer is not well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OracleError {
    /// A text that cannot be read.
    Text {
        /// What it should be.
        what: &'static str,
        /// The text.
        text: String,
        /// What would have been read.
        expected: &'static str,
    },
    /// Names that have no partner, all of them.
    Unpaired {
        /// Where they are: `after`, `values`, `second moments`, `norms`, …
        place: &'static str,
        /// Expected there, and missing.
        missing: Vec<String>,
        /// There, and not expected.
        surplus: Vec<String>,
    },
    /// Two tensors of one name in one place.
    Twice(String),
    /// Two tensors that belong together differ in shape or type.
    Mismatch {
        /// The tensor.
        name: String,
        /// Shape and type before.
        expected: String,
        /// Shape and type of the other.
        got: String,
    },
    /// The partition cannot cut a tensor of this shape.
    Partition {
        /// The tensor.
        name: String,
        /// The partition's text form.
        partition: String,
        /// The tensor's shape.
        shape: Vec<usize>,
    },
    /// A tie to a parameter that is not there.
    Tie {
        /// The copy.
        copy: String,
        /// The missing original.
        original: String,
    },
    /// The policy cannot be judged, and why.
    Unsupported(String),
}

impl fmt::Display for OracleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { what, text, expected } => write!(f, "{what} `{text}`: expected {expected}"),
            Self::Unpaired {
                place,
                missing,
                surplus,
            } => {
                write!(f, "{place}: ")?;
                if let Some((prefix, longer)) = prefix(missing, surplus) {
                    return write!(
                        f,
                        "every name {longer} begins with `{prefix}`, and is the same without it; strip it"
                    );
                }
                if !missing.is_empty() {
                    write!(f, "missing {}", some(missing))?;
                }
                if !missing.is_empty() && !surplus.is_empty() {
                    f.write_str("; ")?;
                }
                if !surplus.is_empty() {
                    write!(f, "not expected {}", some(surplus))?;
                }
                Ok(())
            }
            Self::Twice(name) => write!(f, "two tensors are called `{name}`"),
            Self::Mismatch { name, expected, got } => {
                write!(f, "`{name}`: expected {expected}, got {got}")
            }
            Self::Partition {
                name,
                partition,
                shape,
            } => {
                write!(
                    f,
                    "partition `{partition}` cannot cut `{name}` of shape {shape:?}"
                )
            }
            Self::Tie { copy, original } => {
                write!(f, "`{copy}` is tied to `{original}`, which is not there")
            }
            Self::Unsupported(why) => f.write_str(why),
        }
    }
}

/// The first names; the others are counted.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What the names of one side all begin with, beyond those of the other, and where they are.
fn prefix(missing: &[String], surplus: &[String]) -> Option<(String, &'static str)> {
    let of = |short: &[String], long: &[String]| {
        let (first, other) = (long.first()?, short.first()?);
        let mut found = long.iter().filter_map(|name| name.strip_suffix(other.as_str()));
        let prefix = found.next().filter(|prefix| !prefix.is_empty())?.to_owned();
        let all = short.len() == long.len() && first.starts_with(&prefix);
        let paired = |name: &String| {
            short
                .iter()
                .any(|other| name.strip_prefix(&prefix) == Some(other))
        };
        (all && long.iter().all(paired)).then_some(prefix)
    };
    let after = of(missing, surplus).map(|prefix| (prefix, "after clipping"));
    after.or_else(|| of(surplus, missing).map(|prefix| (prefix, "before clipping")))
}

impl std::error::Error for OracleError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_pair() {
        let names =
            |prefix: &str, n: usize| -> Vec<String> { (0..n).map(|i| format!("{prefix}w{i}")).collect() };
        let text = |missing: Vec<String>, surplus: Vec<String>| {
            let place = "after";
            OracleError::Unpaired {
                place,
                missing,
                surplus,
            }
            .to_string()
        };
        assert_eq!(
            text(names("", 200), names("module.", 200)),
            "after: every name after clipping begins with `module.`, and is the same without it; strip it"
        );
        assert_eq!(
            text(names("_orig_mod.", 2), names("", 2)),
            "after: every name before clipping begins with `_orig_mod.`, and is the same without it; strip it"
        );
        assert_eq!(
            text(names("", 8), names("x.", 1)),
            "after: missing w0, w1, w2, w3, w4, w5 and 2 more; not expected x.w0"
        );
    }
}
