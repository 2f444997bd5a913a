//! Why a policy could not be made, and why a call of `clip` failed.

use std::fmt;

/// Why a policy could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// Nothing of this kind has this name.
    Unknown {
        /// The kind: `clipping policy`, `convention`, `option`, …
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The known names that look most like it, best first.
        nearest: Vec<String>,
    },
    /// This policy needs a threshold, and none was given.
    NoThreshold(String),
    /// Not a threshold.
    Threshold(String),
    /// An option's value is not what the option takes.
    Value {
        /// The option.
        option: String,
        /// The value that was given.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
    /// The parts do not fit together.
    Conflict(String),
}

impl PolicyError {
    pub(super) fn value(option: &str, value: &str, expected: &'static str) -> Self {
        Self::Value {
            option: option.to_owned(),
            value: value.to_owned(),
            expected,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { what, name, nearest } => {
                write!(f, "unknown {what} `{name}`; nearest: {}", nearest.join(", "))
            }
            Self::NoThreshold(name) => write!(
                f,
                "clipping policy `{name}` needs a threshold, as in `{name}:0.05`"
            ),
            Self::Threshold(text) => write!(
                f,
                "clipping threshold `{text}` is not a finite number of at least 0"
            ),
            Self::Value {
                option,
                value,
                expected,
            } => write!(f, "`{option}={value}`: not {expected}"),
            Self::Conflict(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for PolicyError {}

/// Why gradients were not clipped. They are as they were before the call.
#[derive(Clone, Debug, PartialEq)]
pub enum ClipError {
    /// A component is not finite and the policy's edge rule is `error`.
    NonFinite {
        /// The first such component.
        component: String,
        /// Its norm.
        norm: f64,
        /// Its NaN and infinite elements; 0 if the norm alone overflows the convention's type.
        elements: usize,
    },
    /// The rule needs a tensor beside the gradient.
    Missing {
        /// `value` or `second moment`.
        what: &'static str,
        /// The parameter that came without it.
        parameter: String,
    },
    /// A tensor beside the gradient has another shape.
    Shape {
        /// `value` or `second moment`.
        what: &'static str,
        /// The parameter.
        parameter: String,
        /// The shape of its gradient.
        gradient: Vec<usize>,
        /// The shape of the other tensor.
        other: Vec<usize>,
    },
    /// The convention's source refuses this threshold.
    Threshold {
        /// The convention.
        convention: &'static str,
        /// The threshold.
        threshold: f64,
        /// What it takes.
        expected: &'static str,
    },
    /// The convention has no ε, or this is none.
    Epsilon {
        /// The convention.
        convention: &'static str,
        /// The ε.
        eps: f64,
    },
    /// The partition cannot cut a tensor of this shape.
    Axes {
        /// The parameter.
        parameter: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Why.
        reason: &'static str,
    },
    /// A tie names a parameter that is not there.
    Tie {
        /// The copy.
        copy: String,
        /// The parameter that it was said to copy.
        original: String,
    },
    /// The policy remembers earlier steps and was called without a state, or with another policy's.
    State {
        /// The policy.
        policy: String,
        /// The policy that the state belongs to; none if no state was given.
        state: Option<String>,
    },
    /// Per-example clipping is not defined for this policy or these tensors.
    Examples(String),
}

impl fmt::Display for ClipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonFinite {
                component,
                norm,
                elements,
            } => write!(
                f,
                "component `{component}` has the norm {norm} and {elements} elements that are not finite"
            ),
            Self::Missing { what, parameter } => {
                write!(
                    f,
                    "the policy needs the {what} of `{parameter}`, and it was not given"
                )
            }
            Self::Shape {
                what,
                parameter,
                gradient,
                other,
            } => write!(
                f,
                "the gradient of `{parameter}` has the shape {gradient:?}, its {what} {other:?}"
            ),
            Self::Threshold {
                convention,
                threshold,
                expected,
            } => write!(f, "convention `{convention}` takes {expected}, not {threshold}"),
            Self::Epsilon { convention, eps } => {
                write!(
                    f,
                    "convention `{convention}` takes no ε of {eps} (Convention::eps)"
                )
            }
            Self::Axes {
                parameter,
                shape,
                reason,
            } => write!(f, "`{parameter}` of shape {shape:?}: {reason}"),
            Self::Tie { copy, original } => {
                write!(
                    f,
                    "`{copy}` is tied to `{original}`, which is no other parameter of its shape here"
                )
            }
            Self::State { policy, state: None } => {
                write!(f, "policy `{policy}` remembers earlier steps and needs a state")
            }
            Self::State {
                policy,
                state: Some(state),
            } => write!(f, "policy `{policy}` was given the state of `{state}`"),
            Self::Examples(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for ClipError {}

/// Characters of a name that are compared. None that is known has as many, and a longer one is no slip of a key.
const COMPARED: usize = 100;

/// The three names that need the fewest edits to become `name`, best first.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let name: &str = &name.chars().take(COMPARED).collect::<String>();
    let mut known: Vec<&str> = known.into_iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    known.retain(|known| seen.insert(*known));
    known.sort_by_key(|known| edits(name, known));
    known.into_iter().take(3).map(str::to_owned).collect()
}

/// Levenshtein's distance: insertions, deletions and replacements.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Textbook distances.
    #[test]
    fn edit_distances() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(edits(a, b), distance, "{a} {b}");
            assert_eq!(edits(b, a), distance, "{b} {a}");
        }
    }
}
