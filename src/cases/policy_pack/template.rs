//! Policies whose threshold a pack may choose.

use super::super::pack::Class;
use crate::clip::{ClipPolicy, Convention, PolicyError, Rule, Threshold};
use std::fmt;
use std::str::FromStr;

/// A policy, or one with its threshold left open: `component:*@torch` in place of `component:0.05@torch`.
///
/// With an open threshold every case has its own, which says more about a clipper. A given one is for a clipper that
/// has it built in; gradients are then made to fit it.
///
/// # Examples
/// ```
/// use cwgnc::cases::Template;
/// use cwgnc::clip::ClipPolicy;
///
/// let open: Template = "component:*@torch,exclude=*.bias".parse()?;
/// assert_eq!(open.at(0.5).to_string(), "component:0.5,exclude=*.bias");
/// let given = Template::from("component:0.05".parse::<ClipPolicy>()?);
/// assert_eq!(given.at(0.5).to_string(), "component:0.05");
/// # Ok::<(), cwgnc::clip::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    policy: ClipPolicy,
    open: bool,
    unchecked: bool,
}

impl Template {
    /// The policy at this threshold; at its own where that is given.
    pub fn at(&self, threshold: f64) -> ClipPolicy {
        let mut policy = self.policy.clone();
        if self.open
            && let Some(slot) = slot(&mut policy.rule)
        {
            *slot = Threshold::unchecked(threshold);
        }
        policy
    }

    /// Whether the threshold is left open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether thresholds without sense may be asked for: the policy says `unchecked`.
    pub(super) fn is_unchecked(&self) -> bool {
        self.unchecked
    }

    /// The policy; where the threshold is open, at 1.
    pub fn policy(&self) -> &ClipPolicy {
        &self.policy
    }

    /// Whether the source refuses a threshold of 0.
    pub(super) fn refuses_zero(&self) -> bool {
        matches!(
            self.policy.rule,
            Rule::Norm {
                convention: Convention::MindSpore,
                ..
            }
        )
    }
}

impl From<ClipPolicy> for Template {
    fn from(policy: ClipPolicy) -> Self {
        Self {
            unchecked: !policy.is_plain(),
            policy,
            open: false,
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.policy.to_string();
        let unchecked = if self.open && self.unchecked {
            ",unchecked"
        } else {
            ""
        };
        match text.split_once(":1") {
            Some((name, rest)) if self.open => write!(f, "{name}:*{rest}{unchecked}"),
            _ => f.write_str(&text),
        }
    }
}

impl FromStr for Template {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (head, options) = text.split_at(text.find(',').unwrap_or(text.len()));
        let open = head.contains(":*");
        let mut policy: ClipPolicy = format!("{}{options}", head.replacen(":*", ":1", 1)).parse()?;
        if open && slot(&mut policy.rule).is_none() {
            let name = head.split(':').next().unwrap_or(head);
            return Err(PolicyError::Conflict(format!(
                "`{name}` has no threshold that could be left open; give its number in place of `*`"
            )));
        }
        Ok(Self {
            unchecked: options.split(',').any(|option| option == "unchecked"),
            policy,
            open,
        })
    }
}

/// The threshold of a rule that has one.
fn slot(rule: &mut Rule) -> Option<&mut Threshold> {
    match rule {
        Rule::Norm { threshold, .. }
        | Rule::Value { threshold, .. }
        | Rule::Soft { threshold, .. }
        | Rule::SoftNorm { threshold }
        | Rule::Normalise {
            target: threshold, ..
        }
        | Rule::Agc { threshold, .. }
        | Rule::StableAdamW { threshold, .. }
        | Rule::Spam { threshold } => Some(threshold),
        Rule::Keep | Rule::TrustRatio { .. } | Rule::Adaptive(_) => None,
    }
}

/// Why there are no cases for a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedError {
    /// No element type, no case, or nothing left of the classes.
    Nothing(&'static str),
    /// No case of the policy can be judged, and why the last one cannot.
    Refused(String),
    /// A class that does not exist.
    Class(String),
}

impl fmt::Display for WantedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(what) => write!(f, "no {what} is asked for, expected at least one"),
            Self::Refused(why) => write!(f, "no case of this policy can be judged: {why}"),
            Self::Class(name) => {
                let known = Class::ALL.map(Class::name).join(", ");
                write!(f, "unknown class `{name}`; there are {known}")
            }
        }
    }
}

impl std::error::Error for WantedError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        for text in [
            "component:*",
            "global:*@optax",
            "row:*@exact,norm=inf",
            "axes-0-1:*@tf-norm",
            "value:*@tf",
            "component:*,group=*.bias:0.25,exclude=head.*",
            "agc:*,eps=0.01",
            "component:*@torch-branch,unchecked",
            "component:0.05",
            "trust-ratio",
            "none",
            "autoclip:10",
        ] {
            let template: Template = text.parse().expect(text);
            assert_eq!(template.to_string(), text);
            assert_eq!(template.is_open(), text.contains(":*"));
        }
        let open: Template = "value:*".parse().expect("a template");
        assert_eq!(open.at(0.25).to_string(), "value:0.25");
    }

    #[test]
    fn errors() {
        let error = |text: &str| text.parse::<Template>().expect_err(text).to_string();
        assert!(
            error("autoclip:*").contains("`autoclip` has no threshold that could be left open"),
            "{}",
            error("autoclip:*")
        );
        assert!(error("componnt:*").contains("nearest: component"));
        // The star of a pattern is no open threshold.
        assert!(error("component,exclude=*").contains("component"));
    }
}
