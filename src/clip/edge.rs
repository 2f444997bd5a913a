//! What happens to a component whose norm is not finite.
//!
//! A component is *not finite* if an element is NaN or infinite, or if its norm overflows the type in which its
//! convention holds norms. Under `propagate` the convention's formula decides, as in its source. The other rules
//! replace the formula for such components and leave it alone for all others.

use super::error::{PolicyError, nearest};
use std::fmt;
use std::str::FromStr;

/// The rule for components that are not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Edge {
    /// `propagate`: whatever the convention's formula gives, NaN included.
    #[default]
    Propagate,
    /// `error`: [`ClipError::NonFinite`](super::ClipError::NonFinite), before any gradient is changed.
    Error,
    /// `zero`, `zero-all`: the gradients become +0, every element.
    Zero(Confine),
    /// `skip`, `skip-all`: the gradients are kept as they are and the report asks the caller not to update with them.
    Skip(Confine),
}

/// How far the edge rule reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Confine {
    /// The component that is not finite; its neighbours are clipped as if it were not there.
    #[default]
    Component,
    /// All components, as soon as one is not finite.
    Global,
}

impl Edge {
    /// Every edge rule.
    pub const ALL: [Self; 6] = [
        Self::Propagate,
        Self::Error,
        Self::Zero(Confine::Component),
        Self::Zero(Confine::Global),
        Self::Skip(Confine::Component),
        Self::Skip(Confine::Global),
    ];

    /// The name in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Propagate => "propagate",
            Self::Error => "error",
            Self::Zero(Confine::Component) => "zero",
            Self::Zero(Confine::Global) => "zero-all",
            Self::Skip(Confine::Component) => "skip",
            Self::Skip(Confine::Global) => "skip-all",
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Edge {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::ALL
            .into_iter()
            .find(|edge| edge.name() == text)
            .ok_or_else(|| PolicyError::Unknown {
                what: "edge rule",
                name: text.to_owned(),
                nearest: nearest(text, Self::ALL.map(Self::name)),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        for edge in Edge::ALL {
            assert_eq!(edge.to_string().parse(), Ok(edge));
        }
        assert_eq!(
            "skipp".parse::<Edge>().expect_err("a typo").to_string(),
            "unknown edge rule `skipp`; nearest: skip, skip-all, error"
        );
    }
}
