//! Gradient clipping: one call, once for each optimiser step, on the accumulated gradient.
//!
//! Component-wise gradient norm clipping, as published, is one line; [`cwgnc`](cwgnc()) is that line as code:
//!
//! ```text
//! g ← g · min(1, c / (‖g‖₂ + 1e-6))      for the gradient g of each component, by itself
//! ```
//!
//! A policy is data, and it has four parts:
//!
//! ```text
//! partition   which elements share a norm, that is, form a component   global | layer | module | component | row | …
//! statistic   what is measured on a component                          ‖·‖₂, any ‖·‖_p, rms, mean
//! rule        what becomes of the component then                       a convention of x·min(1, c/n), AGC, AutoClip, …
//! edge        what happens where the norm is not finite                propagate | error | zero | skip
//! ```
//!
//! One component for all parameters is the usual global clipping; one for each named parameter is component-wise gradient
//! norm clipping (CWGNC) as published by Yang and Ma, *Improving Stability of Fine-Tuning Pretrained Language Models
//! via Component-Wise Gradient Norm Clipping*, EMNLP 2022, arXiv 2210.10325; one for each row with a threshold from the
//! weights is AGC. `docs/clipping.md` has a row for every part, with its formula, edges and source.
//!
//! The published default is the bit-faithful convention of `torch.nn.utils.clip_grad_norm_`, which the authors call on
//! each parameter; [`Convention::Exact`] is the formula without its ε and its two extra roundings.
//!
//! A call reads each gradient once and writes it at most once; what is not clipped is not written. Norms are accumulated
//! in `f64` in a fixed order ([`crate::reduce`]), so the bits of a result do not depend on the number of threads. This
//! module knows no model, no layer and no file.

mod adaptive;
mod checks;
mod convention;
mod cwgnc;
mod decision;
mod edge;
mod element;
mod elementwise;
mod error;
mod examples;
mod fields;
mod narrow;
mod partition;
mod pass;
mod path;
mod pieces;
mod plan;
mod policy;
mod report;
mod rule;
mod scaling;
mod selection;
mod separator;
mod state;
mod statistic;
mod stream;
mod tally;
pub mod text;
mod threshold;

pub use convention::Convention;
pub use cwgnc::cwgnc;
pub use edge::{Confine, Edge};
pub use element::Element;
#[cfg(feature = "cli")]
pub(crate) use error::nearest;
pub use error::{ClipError, PolicyError};
pub use examples::{clip_examples, sum_examples};
pub use partition::Partition;
pub use policy::ClipPolicy;
pub use report::{Action, ClipReport, Clipped, ComponentReport, ParameterReport};
pub use rule::{Adaptive, Curve, Floor, Rule, SpikeTarget, ValueForm};
pub use scaling::{Extent, Scaling};
pub use selection::{Pattern, Role, Selection};
pub use separator::Separator;
pub use state::{ClipState, Memory, StateError};
pub use statistic::Statistic;
pub use stream::{GradStream, StreamError, StreamedParam, StreamedTensor, Tensor, clip_stream};
pub use threshold::Threshold;

use crate::real::Real;
use ndarray::{ArrayViewD, ArrayViewMutD};

/// A named parameter's gradient, to be clipped in place, with what some rules need beside it.
#[derive(Debug)]
pub struct ParamGrad<'a, T> {
    /// The parameter's name; the id of its component under [`Partition::Parameter`].
    pub name: &'a str,
    /// The gradient. In standard layout it is worked on in place; otherwise it is copied out and back.
    pub grad: ArrayViewMutD<'a, T>,
    /// The parameter itself, for [`Rule::Agc`] and [`Rule::TrustRatio`]; of the gradient's shape.
    pub value: Option<ArrayViewD<'a, T>>,
    /// Adam's second moment, for [`Rule::StableAdamW`] and [`Rule::Spam`]; of the gradient's shape.
    pub second_moment: Option<ArrayViewD<'a, T>>,
}

impl<'a, T> ParamGrad<'a, T> {
    /// A gradient alone.
    pub fn new(name: &'a str, grad: ArrayViewMutD<'a, T>) -> Self {
        Self {
            name,
            grad,
            value: None,
            second_moment: None,
        }
    }
}

/// Clips the gradients in place and reports what was measured and done.
///
/// # Errors
/// [`ClipError`]; the gradients are then as they were.
///
/// # Examples
/// ```
/// use cwgnc::clip::{ClipPolicy, Clipped, ParamGrad, clip};
/// use ndarray::arr1;
///
/// let (mut weight, mut bias) = (arr1(&[3.0_f32, 4.0]), arr1(&[0.1]));
/// let mut grads = [
///     ParamGrad::new("weight", weight.view_mut().into_dyn()),
///     ParamGrad::new("bias", bias.view_mut().into_dyn()),
/// ];
/// let report = clip(&"component:0.5".parse::<ClipPolicy>()?, &mut grads)?;
/// assert_eq!(report.components[0].norm_before, 5.0);
/// assert_eq!(report.components[0].clipped, Clipped::Yes);
/// assert_eq!(report.components[1].clipped, Clipped::No);
/// assert!((weight[0] - 0.3).abs() < 1e-6 && (weight[1] - 0.4).abs() < 1e-6 && bias[0] == 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clip<T: Real>(policy: &ClipPolicy, grads: &mut [ParamGrad<'_, T>]) -> Result<ClipReport, ClipError> {
    if policy.is_stateful() {
        return Err(ClipError::State {
            policy: policy.to_string(),
            state: None,
        });
    }
    pass::run(policy, &mut ClipState::default(), grads)
}

/// Clips the gradients in place under a policy that may remember earlier steps in `state`.
///
/// The state belongs to one policy from its first call on; a policy without memory leaves it alone. If the call fails,
/// both the gradients and the state are as they were.
///
/// # Errors
/// [`ClipError`].
///
/// # Examples
/// ```
/// use cwgnc::clip::{ClipPolicy, ClipState, ParamGrad, clip_with_state};
/// use ndarray::arr1;
///
/// // The median of the norms so far: 5, then (5 + 10) / 2.
/// let policy: ClipPolicy = "autoclip:50".parse()?;
/// let mut state = ClipState::default();
/// for (norm, threshold) in [(5.0, 5.0), (10.0, 7.5)] {
///     let mut g = arr1(&[0.6 * norm, 0.8 * norm]);
///     let mut grads = [ParamGrad::new("g", g.view_mut().into_dyn())];
///     let report = clip_with_state(&policy, &mut state, &mut grads)?;
///     assert_eq!(report.components[0].threshold, Some(threshold));
/// }
/// assert_eq!(state.to_string().parse(), Ok(state));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clip_with_state<T: Real>(
    policy: &ClipPolicy,
    state: &mut ClipState,
    grads: &mut [ParamGrad<'_, T>],
) -> Result<ClipReport, ClipError> {
    if policy.is_stateful() && !state.fits(policy) {
        return Err(ClipError::State {
            policy: policy.to_string(),
            state: Some(state.policy.clone()),
        });
    }
    pass::run(policy, state, grads)
}
