//! Gradient clipping: one call, once for each optimiser step, on the accumulated gradient.
//!
//! Every norm clipper is a partition, a norm and a scale rule: the [`Partition`] says which parameters share a norm
//! (a *component*), and each component is scaled by itself. One component for all parameters is the usual global
//! clipping; one for each named parameter is component-wise gradient norm clipping (CWGNC) as published by Yang and
//! Ma, *Improving Stability of Fine-Tuning Pretrained Language Models via Component-Wise Gradient Norm Clipping*,
//! EMNLP 2022, arXiv 2210.10325.
//!
//! ```text
//! n  = ‖g‖₂                      over all parameters of the component
//! k  = min(1, c / (n + 1e-6))    the scale; c: threshold, in the unit of the gradient
//! g ← k g
//! ```
//!
//! This is the convention of `torch.nn.utils.clip_grad_norm_`, which the authors call on each parameter. Norms are
//! accumulated in `f64` ([`crate::reduce::norms`]), `k` is computed in `f64` and rounded once to the gradient's type.
//! A gradient with `k = 1` is not touched. This module knows no model, no layer and no file.

mod policy;
mod report;

pub use policy::{ClipPolicy, Partition, PolicyError, Threshold};
pub use report::{ClipReport, ComponentReport, ParameterReport};

use crate::real::Real;
use crate::reduce;
use ndarray::ArrayViewMutD;
use rayon::prelude::*;
use std::ops::Range;

/// A named parameter's gradient, to be clipped in place.
#[derive(Debug)]
pub struct ParamGrad<'a, T> {
    /// The parameter's name; the id of its component under [`Partition::Parameter`].
    pub name: &'a str,
    /// The gradient, in standard layout.
    pub grad: ArrayViewMutD<'a, T>,
}

/// PyTorch's addend to the norm (`clip_grad_norm_`): it keeps a zero gradient from being divided by zero.
const EPSILON: f64 = 1e-6;

/// Elements that one task scales.
const BLOCK: usize = 1 << 14;

/// Clips the gradients in place and reports what was measured and done.
///
/// A NaN or infinite gradient is not repaired: its component gets what the formula gives (PyTorch's behaviour), and
/// the report counts the elements. Under [`ClipPolicy::None`] the gradients are measured, by parameter, and kept.
///
/// # Panics
/// If a gradient is not in standard layout.
///
/// # Examples
/// ```
/// use cwgnc::clip::{ClipPolicy, ParamGrad, clip};
/// use ndarray::arr1;
///
/// let (mut weight, mut bias) = (arr1(&[3.0_f32, 4.0]), arr1(&[0.1]));
/// let mut grads = [
///     ParamGrad { name: "weight", grad: weight.view_mut().into_dyn() },
///     ParamGrad { name: "bias", grad: bias.view_mut().into_dyn() },
/// ];
/// let report = clip(&"component:0.5".parse::<ClipPolicy>()?, &mut grads);
/// assert_eq!(report.components[0].norm_before, 5.0);
/// assert!(report.components[0].clipped && !report.components[1].clipped);
/// assert!((weight[0] - 0.3).abs() < 1e-6 && (weight[1] - 0.4).abs() < 1e-6 && bias[0] == 0.1);
/// # Ok::<(), cwgnc::clip::PolicyError>(())
/// ```
#[must_use = "the report says whether a gradient was not finite"]
pub fn clip<T: Real>(policy: &ClipPolicy, grads: &mut [ParamGrad<'_, T>]) -> ClipReport {
    let (partition, threshold) = match *policy {
        ClipPolicy::None => (Partition::Parameter, None),
        ClipPolicy::Norm { partition, threshold } => (partition, Some(threshold)),
    };
    let norms = reduce::norms(&grads.iter().map(|g| slice(g)).collect::<Vec<_>>());
    let mut components = Vec::new();
    for members in partition.components(grads.len()) {
        let norm_before = combine(&norms[members.clone()]);
        let scale = threshold.map_or(1.0, |c| scale(norm_before, c));
        if scale != 1.0 {
            scale_in_place(&mut grads[members.clone()], T::of(scale));
        }
        components.push((members, norm_before, scale));
    }
    report(grads, &norms, partition, components)
}

/// `min(1, c / (n + 1e-6))`; NaN for a NaN norm.
fn scale(norm: f64, threshold: Threshold) -> f64 {
    let k = threshold.get() / (norm + EPSILON);
    if k >= 1.0 { 1.0 } else { k }
}

/// The norm of a component from the norms of its parameters.
fn combine(norms: &[f64]) -> f64 {
    match norms {
        [norm] => *norm,
        norms => reduce::norms(&[norms])[0],
    }
}

/// `g ← k g`, in parallel over blocks of all tensors.
fn scale_in_place<T: Real>(grads: &mut [ParamGrad<'_, T>], k: T) {
    let blocks: Vec<&mut [T]> = grads
        .iter_mut()
        .flat_map(|g| slice_mut(g).chunks_mut(BLOCK))
        .collect();
    blocks
        .into_par_iter()
        .for_each(|block| block.iter_mut().for_each(|g| *g *= k));
}

/// Assembles the report; gradients that were scaled are measured again, because rounding may move their norm.
fn report<T: Real>(
    grads: &[ParamGrad<'_, T>],
    norms: &[f64],
    partition: Partition,
    components: Vec<(Range<usize>, f64, f64)>,
) -> ClipReport {
    let parameters = grads
        .iter()
        .zip(norms)
        .map(|(grad, &norm_before)| ParameterReport {
            name: grad.name.to_owned(),
            elements: grad.grad.len(),
            norm_before,
        });
    let components = components.into_iter().map(|(members, norm_before, scale)| {
        let clipped = scale != 1.0;
        let slices: Vec<&[T]> = grads[members.clone()].iter().map(|g| slice(g)).collect();
        ComponentReport {
            id: partition.id(grads[members.start].name),
            elements: slices.iter().map(|g| g.len()).sum(),
            norm_before,
            scale,
            norm_after: if clipped {
                combine(&reduce::norms(&slices))
            } else {
                norm_before
            },
            clipped,
            members,
        }
    });
    ClipReport {
        parameters: parameters.collect(),
        components: components.collect(),
    }
}

const STANDARD_LAYOUT: &str = "a gradient is in standard layout";

fn slice<'s, T>(grad: &'s ParamGrad<'_, T>) -> &'s [T] {
    grad.grad.as_slice().expect(STANDARD_LAYOUT)
}

fn slice_mut<'s, T>(grad: &'s mut ParamGrad<'_, T>) -> &'s mut [T] {
    grad.grad.as_slice_mut().expect(STANDARD_LAYOUT)
}
