//! Parameters that are treated differently, chosen by name.
//!
//! | text | the chosen parameters | count in the norm | are scaled |
//! |---|---|---|---|
//! | `group=PATTERN:C` | fall into components of their own, by the same partition, with threshold `C` | yes | yes |
//! | `exclude=PATTERN` | are left alone: frozen, or clipped elsewhere | no | no |
//! | `count=PATTERN` | are measured with their component but kept | yes | no |
//! | `follow=PATTERN` | are scaled with their component but not measured (fairseq's experts, replicas of a shard) | no | yes |
//! | `tie=COPY:ORIGINAL` | the tensor `COPY` is the tensor `ORIGINAL` under another name, and goes where that goes | once | yes |
//!
//! A pattern is a parameter name in which `*` stands for any text, dots included. The first choice that fits a
//! parameter's name counts. A component all of whose members are excluded does not exist.

use super::error::PolicyError;
use super::threshold::Threshold;
use std::fmt;

/// What to do with the parameters that a pattern chooses.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The names; of a tie, the name of the copy.
    pub pattern: Pattern,
    /// The treatment.
    pub role: Role,
}

/// The treatment of chosen parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// Components of their own with this threshold.
    Group(Threshold),
    /// Neither counted nor scaled.
    Exclude,
    /// Counted in the norm of their component, not scaled.
    Count,
    /// Scaled with their component, not counted in its norm.
    Follow,
    /// The same tensor as this parameter: in its component, scaled with it, counted once.
    Tie(String),
}

impl Role {
    /// The option's name in policies.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Group(_) => "group",
            Self::Exclude => "exclude",
            Self::Count => "count",
            Self::Follow => "follow",
            Self::Tie(_) => "tie",
        }
    }
}

/// A parameter name in which `*` stands for any text, also for none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// Checks the text.
    ///
    /// # Errors
    /// If it is empty, or has one of the characters `,` and `:` that separate the parts of a policy.
    pub fn new(text: &str) -> Result<Self, PolicyError> {
        if text.is_empty() || text.contains([',', ':']) {
            return Err(PolicyError::value("pattern", text, "a name without `,` and `:`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the name's pattern.
    pub fn fits(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.role.name(), self.pattern.0)?;
        match &self.role {
            Role::Group(threshold) => write!(f, ":{threshold}"),
            Role::Tie(original) => write!(f, ":{original}"),
            Role::Exclude | Role::Count | Role::Follow => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let fits = |pattern: &str, name: &str| Pattern::new(pattern).expect(pattern).fits(name);
        assert!(fits("a.weight", "a.weight") && !fits("a.weight", "a.weight2") && !fits("a", "a.weight"));
        assert!(fits("*", "anything.at.all") && fits("*", ""));
        assert!(fits("*.bias", "layer.0.bias") && !fits("*.bias", "bias"));
        assert!(fits("classifier.*", "classifier.weight") && !fits("classifier.*", "pre_classifier.weight"));
        assert!(fits("*layer.*.bias", "bert.layer.3.bias") && !fits("*layer.*.bias", "bert.layer.bias"));
        // The pieces of a pattern never overlap.
        assert!(fits("ab*ba", "abba") && !fits("ab*ba", "aba"));
        assert!(Pattern::new("").is_err() && Pattern::new("a:b").is_err() && Pattern::new("a,b").is_err());
    }
}
