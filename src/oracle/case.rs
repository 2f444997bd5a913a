//! A question to the oracle, and an answer that is to be judged.

use super::declared::Declared;
use super::tensor::Tensor;
use crate::clip::{ClipPolicy, ClipState};
use std::collections::HashSet;
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
                match prefixes(missing, surplus) {
                    Some((before, "")) => return write!(f, "{}", begins("before", before)),
                    Some(("", after)) => return write!(f, "{}", begins("after", after)),
                    Some((before, after)) => {
                        return write!(
                            f,
                            "every name begins with `{before}` before clipping and with `{after}` after it, and is the \
                             same without them; strip both"
                        );
                    }
                    None => {}
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

fn begins(side: &str, prefix: &str) -> String {
    format!("every name {side} clipping begins with `{prefix}`, and is the same without it; strip it")
}

impl OracleError {
    /// The prefixes without which the names would pair up, if names do not and that is all.
    pub fn prefixes(&self) -> Vec<&str> {
        let found = match self {
            Self::Unpaired { missing, surplus, .. } => prefixes(missing, surplus),
            _ => None,
        };
        let found = found.map_or([""; 2], |(before, after)| [before, after]);
        found.into_iter().filter(|prefix| !prefix.is_empty()).collect()
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

/// What names begin with that are alike without it: those that are missing, and those that are not expected.
fn prefixes<'n>(missing: &'n [String], surplus: &'n [String]) -> Option<(&'n str, &'n str)> {
    let first = missing.first().filter(|_| missing.len() == surplus.len())?;
    let others: HashSet<&str> = surplus.iter().map(String::as_str).collect();
    surplus.iter().find_map(|candidate| {
        let alike = |(a, b): &(char, char)| a == b;
        let ends = first.chars().rev().zip(candidate.chars().rev());
        let common: usize = ends.take_while(alike).map(|(a, _)| a.len_utf8()).sum();
        let (mut a, mut b) = (first.len() - common, candidate.len() - common);
        // A prefix that both end in a separator ends there; what both begin with is no prefix of one.
        if a > 0 && b > 0 {
            let step = first[a..].find(['.', '/'])? + 1;
            (a, b) = (a + step, b + step);
        }
        let (a, b) = (&first[..a], &candidate[..b]);
        let paired = |name: &String| {
            let rest = name.strip_prefix(a)?;
            others.contains(format!("{b}{rest}").as_str()).then_some(())
        };
        missing
            .iter()
            .all(|name| paired(name).is_some())
            .then_some((a, b))
    })
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
            text(names("module.", 9), names("_orig_mod.", 9)),
            "after: every name begins with `module.` before clipping and with `_orig_mod.` after it, and is the same \
             without them; strip both"
        );
        // The first name may be the end of another.
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let error = OracleError::Unpaired {
            place: "after",
            missing: owned(&["bias", "a.bias"]),
            surplus: owned(&["model.a.bias", "model.bias"]),
        };
        assert_eq!(error.prefixes(), ["model."]);
        assert_eq!(
            text(names("", 8), names("x.", 1)),
            "after: missing w0, w1, w2, w3, w4, w5 and 2 more; not expected x.w0"
        );
    }
}
