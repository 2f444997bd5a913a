//! Per-example clipping, the first half of a differentially private gradient: clip each example, then add up.
//!
//! ```text
//! Gᵢ ← clip(policy, Gᵢ)    for each example i by itself        sum = Σᵢ Gᵢ
//! ```
//!
//! The policy is an ordinary one. `global` is *flat* clipping, one norm for all of an example's gradients; `component`
//! is *per layer*, whose sensitivity is `√(Σ c_k²)`; [`ClipPolicy::automatic`] is automatic clipping. Policies with a
//! memory are refused: their threshold would depend on the order of the examples.

use super::error::ClipError;
use super::policy::ClipPolicy;
use super::report::ClipReport;
use super::{ParamGrad, clip};
use crate::real::Real;
use ndarray::{ArrayD, ArrayViewD, Axis};
use rayon::prelude::*;

/// Clips each example of gradients whose first axis counts the examples, in place; one report for each.
///
/// Values and second moments, where the policy needs them, have the parameter's shape, without the axis of examples.
///
/// # Errors
/// [`ClipError`]; if a policy fails on one example, others may have been clipped already.
///
/// # Examples
/// ```
/// use cwgnc::clip::{ClipPolicy, ParamGrad, clip_examples, sum_examples};
/// use ndarray::arr2;
///
/// // Norms 0, 5 and 5 clipped to 1: the sum is (0, 0) + (0.6, 0.8) + (0.8, 0.6).
/// let mut weight = arr2(&[[0.0_f64, 0.0], [3.0, 4.0], [4.0, 3.0]]);
/// let policy: ClipPolicy = "global:1@exact".parse()?;
/// let mut grads = [ParamGrad::new("weight", weight.view_mut().into_dyn())];
/// let reports = clip_examples(&policy, &mut grads)?;
/// assert_eq!(reports.iter().filter(|r| r.components[0].was_clipped()).count(), 2);
/// let sum = sum_examples(&weight.view().into_dyn());
/// assert!((sum[0] - 1.4).abs() < 1e-15 && (sum[1] - 1.4).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clip_examples<T: Real>(
    policy: &ClipPolicy,
    grads: &mut [ParamGrad<'_, T>],
) -> Result<Vec<ClipReport>, ClipError> {
    if policy.is_stateful() {
        let text = format!("policy `{policy}` remembers, and examples of one step have no order");
        return Err(ClipError::Examples(text));
    }
    let count = grads
        .first()
        .map_or(0, |g| g.grad.shape().first().copied().unwrap_or(0));
    if let Some(odd) = grads.iter().find(|g| g.grad.shape().first() != Some(&count)) {
        let text = format!(
            "the gradient of `{}` has the shape {:?}, not {count} examples first",
            odd.name,
            odd.grad.shape()
        );
        return Err(ClipError::Examples(text));
    }
    let mut examples: Vec<Vec<ParamGrad<'_, T>>> = (0..count).map(|_| Vec::new()).collect();
    for param in grads {
        let (name, value, moment) = (param.name, &param.value, &param.second_moment);
        for (example, grad) in examples.iter_mut().zip(param.grad.axis_iter_mut(Axis(0))) {
            example.push(ParamGrad {
                name,
                grad,
                value: value.as_ref().map(|v| v.view()),
                second_moment: moment.as_ref().map(|v| v.view()),
            });
        }
    }
    examples.par_iter_mut().map(|grads| clip(policy, grads)).collect()
}

/// `Σᵢ Gᵢ` over the first axis, accumulated in `f64` in the order of the examples; zeros for no examples.
pub fn sum_examples<T: Real>(grads: &ArrayViewD<'_, T>) -> ArrayD<T> {
    let mut sum = ArrayD::<f64>::zeros(&grads.shape()[1..]);
    for example in grads.axis_iter(Axis(0)) {
        sum.zip_mut_with(&example, |s, x| *s += x.widen());
    }
    sum.mapv(T::of)
}
