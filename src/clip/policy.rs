//! Clipping policies as plain data, with the text form that the command line and the records use.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// What to do with the gradients before the optimiser sees them.
///
/// The text form is `none`, `global:C` or `component:C`; it parses and prints back to the same policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClipPolicy {
    /// `none`: measure, but keep every gradient.
    None,
    /// Scale each component of `partition` whose norm exceeds `threshold` (convention of `clip_grad_norm_`).
    Norm {
        /// Which parameters share a norm.
        partition: Partition,
        /// The largest norm that a component keeps.
        threshold: Threshold,
    },
}

impl ClipPolicy {
    /// CWGNC as published: `clip_grad_norm_(parameter, c)` for every named parameter by itself.
    ///
    /// # Source
    /// Yang and Ma, EMNLP 2022, arXiv 2210.10325, section 3, and the authors' training code.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn cwgnc_as_published(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::Norm {
            partition: Partition::Parameter,
            threshold: Threshold::new(c)?,
        })
    }

    /// The usual clipping of the global norm: `clip_grad_norm_(model.parameters(), c)`.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn torch_global(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::Norm {
            partition: Partition::Global,
            threshold: Threshold::new(c)?,
        })
    }
}

/// How the parameters fall into components, the sets that share one norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// One component: all parameters.
    Global,
    /// A component for each named parameter tensor; weights and biases apart.
    Parameter,
}

impl Partition {
    /// The parameters of each component, as ranges of their order.
    pub(super) fn components(self, parameters: usize) -> Vec<Range<usize>> {
        match self {
            Self::Global if parameters == 0 => Vec::new(),
            Self::Global => std::iter::once(0..parameters).collect(),
            Self::Parameter => (0..parameters).map(|i| i..i + 1).collect(),
        }
    }

    /// The id of the component whose first parameter has this name.
    pub(super) fn id(self, name: &str) -> String {
        match self {
            Self::Global => "global".to_owned(),
            Self::Parameter => name.to_owned(),
        }
    }
}

/// A finite L2 norm, at least 0, in the unit of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Threshold(f64);

impl Threshold {
    /// Checks the value.
    ///
    /// # Errors
    /// If it is negative, NaN or infinite.
    pub fn new(c: f64) -> Result<Self, PolicyError> {
        if c.is_finite() && c >= 0.0 {
            Ok(Self(c))
        } else {
            Err(PolicyError::Threshold(c.to_string()))
        }
    }

    /// The value.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Why a policy could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// No policy has this name.
    Unknown(String),
    /// This policy needs a threshold, and none was given.
    NoThreshold(String),
    /// Not a threshold.
    Threshold(String),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(
                    f,
                    "unknown clipping policy `{name}`; known: none, global:C, component:C"
                )
            }
            Self::NoThreshold(name) => write!(
                f,
                "clipping policy `{name}` needs a threshold, as in `{name}:0.05`"
            ),
            Self::Threshold(text) => {
                write!(
                    f,
                    "clipping threshold `{text}` is not a finite number of at least 0"
                )
            }
        }
    }
}

impl std::error::Error for PolicyError {}

impl FromStr for ClipPolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (name, threshold) = match text.split_once(':') {
            Some((name, threshold)) => (name, Some(threshold)),
            None => (text, None),
        };
        let partition = match name {
            "none" if threshold.is_none() => return Ok(Self::None),
            "global" => Partition::Global,
            "component" => Partition::Parameter,
            _ => return Err(PolicyError::Unknown(text.to_owned())),
        };
        let text = threshold.ok_or_else(|| PolicyError::NoThreshold(name.to_owned()))?;
        let value = text
            .parse()
            .map_err(|_| PolicyError::Threshold(text.to_owned()))?;
        Ok(Self::Norm {
            partition,
            threshold: Threshold::new(value)?,
        })
    }
}

impl fmt::Display for ClipPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Norm {
                partition: Partition::Global,
                threshold,
            } => write!(f, "global:{}", threshold.0),
            Self::Norm {
                partition: Partition::Parameter,
                threshold,
            } => write!(f, "component:{}", threshold.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        for text in [
            "none",
            "global:1",
            "component:0.05",
            "component:100000",
            "component:0",
        ] {
            assert_eq!(
                text.parse::<ClipPolicy>().map(|p| p.to_string()).as_deref(),
                Ok(text)
            );
        }
        assert_eq!("component:1e5".parse(), ClipPolicy::cwgnc_as_published(1e5));
        assert_eq!("global:1.0".parse(), ClipPolicy::torch_global(1.0));
    }

    #[test]
    fn errors() {
        let error = |text: &str| text.parse::<ClipPolicy>().expect_err(text).to_string();
        assert_eq!(
            error("none:1"),
            "unknown clipping policy `none:1`; known: none, global:C, component:C"
        );
        assert_eq!(
            error("layer:1"),
            "unknown clipping policy `layer:1`; known: none, global:C, component:C"
        );
        assert_eq!(
            error("global"),
            "clipping policy `global` needs a threshold, as in `global:0.05`"
        );
        let rule = "is not a finite number of at least 0";
        assert_eq!(error("component:-1"), format!("clipping threshold `-1` {rule}"));
        assert_eq!(error("component:nan"), format!("clipping threshold `NaN` {rule}"));
        assert_eq!(error("component:inf"), format!("clipping threshold `inf` {rule}"));
        assert_eq!(error("component:"), format!("clipping threshold `` {rule}"));
        assert_eq!(
            error("component:0,05"),
            format!("clipping threshold `0,05` {rule}")
        );
    }
}
