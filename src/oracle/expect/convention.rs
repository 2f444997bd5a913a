//! The formulas of the conventions, operation by operation.
//!
//! Written from the survey of sources (`docs/clipping.md`, section 1), not from [`crate::clip`]. `n` is the norm, already a
//! number of the type in which the convention keeps it, which is that of the machine, except for `exact`, where it is
//! `f64`; `c` is the threshold as it was given; `ε` is what some add to the norm; `N` is the number of elements.

use super::kernel::Kernel;
use super::machine::{Machine, max, min};
use crate::clip::Convention;
use crate::oracle::format::Format;

/// What the convention does to the elements of a component with norm `n`; norm and factor are of the machine's type, the
/// elements of type `element`, which is another one where a component has tensors of several.
pub(super) fn kernel(
    convention: Convention,
    (m, element): (Machine, Machine),
    n: f64,
    (c, eps): (f64, f64),
    elements: u64,
) -> Kernel {
    let one_at_most = |k: f64| Kernel::Times(min(k, 1.0));
    // Frameworks that make the threshold a tensor first, and those that hand it to the operation.
    let (tensor, scalar) = (m.constant(c), m.scalar(c));
    match convention {
        Convention::Exact if n <= c => Kernel::Keep,
        Convention::Exact => Kernel::Times(m.constant(c / n)),
        // number / tensor is tensor.reciprocal() * number.
        // The ε becomes a tensor of the gradient's type, `max_norm` does not (measured in F16 and BF16, torch 2.15).
        // `grad.mul_(factor)` keeps the gradient's type; a 16-bit kernel takes the factor as an F32.
        Convention::Torch => {
            let k = m.mul(m.div(1.0, m.add(n, m.constant(eps))), scalar);
            Kernel::Times(element.scalar(min(k, 1.0)))
        }
        Convention::TorchBranch => {
            let k = c / (n + eps);
            if k < 1.0 {
                Kernel::Times(element.scalar(m.scalar(k)))
            } else {
                Kernel::Keep
            }
        }
        // Without a positive threshold the source only takes the loss scale out.
        Convention::DeepSpeed { loss_scale } if c <= 0.0 || c.is_nan() => {
            Kernel::Times(m.div(1.0, m.scalar(loss_scale)))
        }
        Convention::DeepSpeed { loss_scale } => {
            let s = m.scalar(loss_scale);
            let over = m.div(m.add(m.div(n, s), m.scalar(eps)), scalar);
            Kernel::Times(m.div(1.0, m.mul(max(over, 1.0), s)))
        }
        Convention::Mxnet => one_at_most(m.div(scalar, m.add(n, m.scalar(eps)))),
        Convention::Burn => {
            // Its configuration keeps thresholds in f32.
            let (tiny, c) = (m.format.min_normal(), m.scalar(f64::from(c as f32)));
            one_at_most(m.mul(m.div(1.0, m.add(n, tiny)), c))
        }
        Convention::Optax | Convention::OptaxJit | Convention::JaxExample if n < tensor => Kernel::Keep,
        // A compiled program keeps the division of the elements, unless the norm is cast to their type.
        Convention::OptaxJit if m == element => Kernel::DivideTimes {
            n: m.constant(n),
            c: tensor,
        },
        // XLA on a CPU multiplies by the reciprocal of a scalar divisor (measured with jax 0.10.2).
        Convention::Optax | Convention::OptaxJit => Kernel::ReciprocalTimes {
            n: element.constant(n),
            c: element.constant(c),
        },
        Convention::OptaxRms => Kernel::Reciprocal(max(1.0, m.div(n, tensor))),
        // A division by a constant in BF16 is one all the same (measured, jax 0.10.2).
        Convention::OptaxRmsJit if m.format == Format::Bf16 => Kernel::Reciprocal(max(1.0, m.div(n, tensor))),
        // There the threshold is a constant, and the compiler knows its reciprocal.
        Convention::OptaxRmsJit => Kernel::Reciprocal(max(1.0, m.mul(n, m.div(1.0, tensor)))),
        Convention::OptaxExample => {
            let k = min(m.div(tensor, n), 1.0);
            Kernel::Times(if k.is_nan() { 1.0 } else { k.max(-m.format.max()) })
        }
        Convention::JaxExample => Kernel::Times(m.div(tensor, n)),
        Convention::JaxPrivacy => {
            let k = min(1.0, m.div(tensor, n));
            Kernel::Times(if k.is_nan() || k == f64::INFINITY { 0.0 } else { k })
        }
        // Keras asks `if self.global_clipnorm > 0` first.
        Convention::KerasGlobal if c <= 0.0 || c.is_nan() => Kernel::Keep,
        // The source adds n - n to the scale: 0, or NaN if n is not finite.
        Convention::TfGlobal | Convention::KerasGlobal if !n.is_finite() => Kernel::Times(f64::NAN),
        Convention::TfGlobal => Kernel::Times(m.mul(tensor, min(m.div(1.0, n), m.div(1.0, tensor)))),
        // Both numbers of 1/c are Python's.
        Convention::KerasGlobal => {
            let least = min(m.div(1.0, n), m.constant(1.0 / c));
            Kernel::Times(m.mul(tensor, least))
        }
        // A negative threshold counts as 0.
        Convention::TfNorm => {
            let c = max(tensor, 0.0);
            Kernel::TimesDivide { c, d: max(n, c) }
        }
        Convention::TfAverage | Convention::TfAverageGraph => {
            // Here n is the mean in f64; `rsqrt` of the sum rounds once.
            let root = n * elements as f64;
            let inverse = m.mul(m.constant(elements as f64), m.constant(1.0 / root));
            let k = min(inverse, m.div(1.0, tensor));
            if convention == Convention::TfAverage {
                Kernel::TimesTimes { c: tensor, k }
            } else {
                Kernel::TimesProduct { c: tensor, k }
            }
        }
        Convention::TfPrivacy => one_at_most(m.div(tensor, max(n, m.constant(1e-8)))),
        Convention::PaddleGlobal => Kernel::Times(m.div(tensor, max(n, tensor))),
        Convention::PaddleNorm => {
            let below = f64::from(u8::from(n <= tensor));
            let eps = if n <= 1e-30 { m.constant(1e-6) } else { 0.0 };
            let rest = m.div(m.mul(1.0 - below, tensor), m.add(n, eps));
            Kernel::Times(m.add(below, rest))
        }
        Convention::MindSpore => {
            let d = if n >= tensor { n } else { tensor };
            Kernel::TimesDivide { c: tensor, d }
        }
        Convention::DivMax => Kernel::Divide(max(1.0, m.div(n, tensor))),
    }
}

/// Whether the convention takes a component of norm `n` for one that is to be clipped: by its own comparison where it has
/// one, by a scale below 1 where it has an ε. A NaN is above every threshold, except where the source's comparison fails
/// on it and the elements are kept.
pub(super) fn clips(convention: Convention, m: Machine, n: f64, (c, eps): (f64, f64), elements: u64) -> bool {
    let scale = kernel(convention, (m, m), n, (c, eps), elements).scale();
    let below = match convention {
        Convention::Exact | Convention::TfAverage | Convention::TfAverageGraph => n <= c,
        Convention::MindSpore | Convention::OptaxExample if n.is_nan() => true,
        Convention::Optax | Convention::OptaxJit | Convention::JaxExample | Convention::MindSpore => {
            n < m.constant(c)
        }
        Convention::DeepSpeed { loss_scale } => scale * loss_scale >= 1.0,
        Convention::Torch | Convention::TorchBranch | Convention::Mxnet | Convention::Burn => scale >= 1.0,
        _ => n <= m.constant(c),
    };
    !below
}

/// Why the source refuses the threshold, if it does.
pub(super) fn refuses(convention: Convention, c: f64) -> Option<&'static str> {
    match convention {
        Convention::JaxPrivacy if c < 0.0 => Some("jax-privacy refuses a negative threshold"),
        Convention::MindSpore if c <= 0.0 || c.is_nan() => {
            Some("mindspore refuses a threshold that is not above 0")
        }
        _ => None,
    }
}
