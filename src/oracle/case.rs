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
                if !missing.is_empty() {
                    write!(f, "missing {}", missing.join(", "))?;
                }
                if !missing.is_empty() && !surplus.is_empty() {
                    f.write_str("; ")?;
                }
                if !surplus.is_empty() {
                    write!(f, "not expected {}", surplus.join(", "))?;
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

impl std::error::Error for OracleError {}
