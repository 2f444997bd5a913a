//! Clipping policies as plain data: partition × statistic × rule × edge rule, with exceptions by name.
//!
//! A policy is a value: it can be compared, printed, parsed back (see [`text`](super::text) for the grammar) and stored
//! in a record. What is published has a constructor named after its source.

use super::convention::Convention;
use super::edge::Edge;
use super::error::PolicyError;
use super::partition::Partition;
use super::rule::{Adaptive, Curve, Floor, Rule, ValueForm};
use super::selection::{Role, Selection};
use super::separator::Separator;
use super::statistic::Statistic;
use super::threshold::Threshold;

/// What to do with the gradients before the optimiser sees them.
///
/// # Examples
/// ```
/// use cwgnc::clip::{ClipPolicy, Convention, Edge};
///
/// let policy: ClipPolicy = "component:0.05@optax,edge=error,group=classifier.*:1".parse()?;
/// assert_eq!(policy.to_string(), "component:0.05@optax,edge=error,group=classifier.*:1");
/// assert_eq!(policy.edge, Edge::Error);
/// assert_eq!("component:0.05@torch".parse(), ClipPolicy::cwgnc_as_published(0.05));
/// # Ok::<(), cwgnc::clip::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClipPolicy {
    /// What is done to a component.
    pub rule: Rule,
    /// Which elements share a statistic.
    pub partition: Partition,
    /// What is measured on a component.
    pub statistic: Statistic,
    /// What happens to a component that is not finite.
    pub edge: Edge,
    /// Parameters that are treated differently; the first choice that fits counts.
    pub selections: Vec<Selection>,
    /// What cuts names into modules and layers, if it is not the usual; for the partitions `module` and `layer`.
    pub separator: Option<Separator>,
}

impl ClipPolicy {
    /// A rule with its usual partition and statistic, `edge=propagate`, no exceptions.
    pub fn of(rule: Rule) -> Self {
        Self {
            partition: rule.usual_partition(),
            statistic: rule.usual_statistic(),
            rule,
            edge: Edge::Propagate,
            selections: Vec::new(),
            separator: None,
        }
    }

    /// `none`: measure each parameter, but keep every gradient.
    pub fn none() -> Self {
        Self::of(Rule::Keep)
    }

    /// Clipping by norm under a convention.
    pub fn norm(partition: Partition, threshold: Threshold, convention: Convention) -> Self {
        Self {
            partition,
            ..Self::of(Rule::norm(threshold, convention))
        }
    }

    /// CWGNC as published: `clip_grad_norm_(parameter, c)` for every named parameter by itself.
    ///
    /// # Source
    /// Yang and Ma, EMNLP 2022, arXiv 2210.10325, section 3, and the authors' training code.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn cwgnc_as_published(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::norm(
            Partition::Parameter,
            Threshold::new(c)?,
            Convention::Torch,
        ))
    }

    /// CWGNC without ε: the exact convention on every named parameter.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn cwgnc_exact(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::norm(
            Partition::Parameter,
            Threshold::new(c)?,
            Convention::Exact,
        ))
    }

    /// The usual clipping of the global norm: `clip_grad_norm_(model.parameters(), c)`.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn torch_global(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::norm(
            Partition::Global,
            Threshold::new(c)?,
            Convention::Torch,
        ))
    }

    /// optax's `clip_by_global_norm`.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn optax_global(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::norm(
            Partition::Global,
            Threshold::new(c)?,
            Convention::Optax,
        ))
    }

    /// Keras' `clipnorm`: TensorFlow's `clip_by_norm` on every variable.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn keras_clipnorm(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::norm(
            Partition::Parameter,
            Threshold::new(c)?,
            Convention::TfNorm,
        ))
    }

    /// Keras' `global_clipnorm`: TensorFlow's `clip_by_global_norm`.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn keras_global_clipnorm(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::norm(
            Partition::Global,
            Threshold::new(c)?,
            Convention::TfGlobal,
        ))
    }

    /// optax's `clip_by_block_rms`.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn optax_block_rms(c: f64) -> Result<Self, PolicyError> {
        Ok(Self {
            statistic: Statistic::Rms,
            ..Self::norm(Partition::Parameter, Threshold::new(c)?, Convention::OptaxRms)
        })
    }

    /// Adafactor's update clipping: `u / max(1, RMS(u)/d)` on every tensor. Give it updates, not gradients: Adafactor
    /// divides by its second moment first.
    ///
    /// # Source
    /// Shazeer and Stern, ICML 2018, arXiv 1804.04235, algorithm 4, line 8; there `d` = 1.
    ///
    /// # Errors
    /// If `d` is not a threshold.
    pub fn adafactor(d: f64) -> Result<Self, PolicyError> {
        Ok(Self {
            statistic: Statistic::Rms,
            ..Self::norm(Partition::Parameter, Threshold::new(d)?, Convention::DivMax)
        })
    }

    /// AGC as in timm: units are rows, ε = 1e-3.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn timm_agc(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::of(Rule::Agc {
            threshold: Threshold::new(c)?,
            eps: 1e-3,
        }))
    }

    /// AGC as in optax: units by rank, ε = 1e-3.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn optax_agc(c: f64) -> Result<Self, PolicyError> {
        Ok(Self {
            partition: Partition::OptaxUnit,
            ..Self::timm_agc(c)?
        })
    }

    /// PyTorch's `clip_grad_value_`.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn torch_value(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::of(Rule::Value {
            threshold: Threshold::new(c)?,
            form: ValueForm::Torch,
        }))
    }

    /// The value clipping of the paper's code, which has one side.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn paper_value(c: f64) -> Result<Self, PolicyError> {
        Ok(Self::of(Rule::Value {
            threshold: Threshold::new(c)?,
            form: ValueForm::Paper,
        }))
    }

    /// Automatic clipping (AUTO-S) for [`clip_examples`](super::clip_examples): `g·c/(‖g‖+0.01)`.
    ///
    /// # Errors
    /// If `c` is not a threshold.
    pub fn automatic(c: f64) -> Result<Self, PolicyError> {
        Ok(Self {
            partition: Partition::Global,
            ..Self::of(Rule::Normalise {
                target: Threshold::new(c)?,
                floor: Floor::Add,
                eps: 0.01,
            })
        })
    }

    /// The trust ratio of LAMB as in timm: `‖w‖/‖u‖`, at most 1 under `clipped`.
    pub fn lamb(clipped: bool) -> Self {
        Self::of(Rule::TrustRatio {
            coefficient: 1.0,
            eps: 0.0,
            max: if clipped { 1.0 } else { f64::INFINITY },
        })
    }

    /// Whether the policy remembers earlier steps and is called through
    /// [`clip_with_state`](super::clip_with_state).
    pub fn is_stateful(&self) -> bool {
        matches!(self.rule, Rule::Adaptive(_))
    }

    /// Whether every threshold is a finite number of at least 0.
    pub fn is_plain(&self) -> bool {
        let own = self.rule.threshold().is_none_or(Threshold::is_plain);
        own && self.selections.iter().all(|selection| match selection.role {
            Role::Group(threshold) => threshold.is_plain(),
            _ => true,
        })
    }
}

impl ClipPolicy {
    /// Whether the parts fit together; `unchecked` lets any threshold pass.
    pub(super) fn check(&self, unchecked: bool) -> Result<(), PolicyError> {
        let groups = self
            .selections
            .iter()
            .filter_map(|selection| match selection.role {
                Role::Group(threshold) => Some(threshold),
                _ => None,
            });
        for threshold in self.rule.threshold().into_iter().chain(groups.clone()) {
            if !unchecked {
                Threshold::new(threshold.get())?;
            }
        }
        if groups.count() > 0 && self.rule.threshold().is_none() {
            let text = format!("`group` gives a threshold, and `{}` has none", self.rule.name());
            return Err(PolicyError::Conflict(text));
        }
        if let (Some(separator), false) = (&self.separator, self.partition.cuts_names()) {
            let text = format!(
                "`separator={separator}` cuts names into modules and layers, and `{}` cuts none",
                self.partition
            );
            return Err(PolicyError::Conflict(text));
        }
        if let Rule::Norm { convention, .. } = self.rule
            && convention.measures_mean()
            && self.statistic != Statistic::Mean
        {
            let text = format!("convention `{}` is about `norm=mean`", convention.name());
            return Err(PolicyError::Conflict(text));
        }
        Ok(())
    }
}

impl Rule {
    /// Whether an ε is one that the convention can have: none is 0.
    pub(crate) fn has_its_epsilon(&self) -> bool {
        match self {
            Self::Norm { convention, eps, .. } if convention.eps().is_none() => *eps == 0.0,
            Self::Norm { eps, .. } => (0.0..f64::INFINITY).contains(eps),
            _ => true,
        }
    }

    /// [`Rule::Norm`] with the convention's usual ε.
    pub fn norm(threshold: Threshold, convention: Convention) -> Self {
        Self::Norm {
            threshold,
            convention,
            eps: convention.eps().unwrap_or(0.0),
        }
    }

    /// The partition of the rule's text form without `by=`.
    pub(super) fn usual_partition(&self) -> Partition {
        match self {
            Self::Agc { .. } => Partition::Row,
            Self::Adaptive(Adaptive::AutoClip { .. } | Adaptive::ZClip { .. }) => Partition::Global,
            _ => Partition::Parameter,
        }
    }

    /// The statistic of the rule's text form without `norm=`.
    pub(crate) fn usual_statistic(&self) -> Statistic {
        match self {
            Self::Norm { convention, .. } if convention.measures_mean() => Statistic::Mean,
            Self::Value { .. } | Self::Adaptive(Adaptive::StableSpam { .. }) => Statistic::MAX,
            _ => Statistic::L2,
        }
    }

    /// An example of each rule, with usual settings.
    pub(super) fn examples() -> Vec<Self> {
        let threshold = Threshold::unchecked(1.0);
        vec![
            Self::Keep,
            Self::norm(threshold, Convention::Torch),
            Self::Value {
                threshold,
                form: ValueForm::Torch,
            },
            Self::Soft {
                threshold,
                curve: Curve::Rational,
            },
            Self::SoftNorm { threshold },
            Self::Normalise {
                target: threshold,
                floor: Floor::Add,
                eps: 1e-6,
            },
            Self::Agc {
                threshold: Threshold::unchecked(0.01),
                eps: 1e-3,
            },
            Self::TrustRatio {
                coefficient: 1.0,
                eps: 0.0,
                max: f64::INFINITY,
            },
            Self::StableAdamW { threshold, eps: 1e-8 },
            Self::Spam {
                threshold: Threshold::unchecked(5000.0),
            },
        ]
        .into_iter()
        .chain(Adaptive::examples().into_iter().map(Self::Adaptive))
        .collect()
    }
}
