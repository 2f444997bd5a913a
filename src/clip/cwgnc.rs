//! The published algorithm, in a few lines.
//!
//! ```text
//! g ← g · min(1, c / (‖g‖₂ + 1e-6))      for the gradient g of each component, by itself
//! ```
//!
//! Yang and Ma, *Improving Stability of Fine-Tuning Pretrained Language Models via Component-Wise Gradient Norm Clipping*,
//! EMNLP 2022, arXiv 2210.10325. A component is a named parameter. The authors call PyTorch's `clip_grad_norm_` on each, so
//! the ε and the two roundings of the quotient are PyTorch's. Everything else in this folder is what others do, and a report
//! of what was done: [`clip`](super::clip()) under `component:c` gives the same bits.

use crate::real::Real;
use crate::reduce::norms;

/// Clips the gradient norm of every component by itself, in place: `g ← g · min(1, c / (‖g‖₂ + 1e-6))`.
///
/// The norm is accumulated in `f64` and rounded to `T`; the rest is computed in `T`. A NaN in a gradient makes all of it NaN,
/// and an infinity makes itself NaN and the rest 0, as in PyTorch.
///
/// # Examples
/// ```
/// use cwgnc::clip::cwgnc;
///
/// // ‖(3, 4)‖ = 5 is clipped to 0.5; ‖(0.1)‖ is below it.
/// let (mut weight, mut bias) = ([3.0, 4.0], [0.1]);
/// cwgnc(&mut [&mut weight, &mut bias], 0.5);
/// assert!((weight[0] - 0.3_f64).abs() < 1e-6 && (weight[1] - 0.4).abs() < 1e-6);
/// assert_eq!(bias, [0.1]);
/// ```
pub fn cwgnc<T: Real>(components: &mut [&mut [T]], c: T) {
    for g in components {
        let norm = T::of(norms(&[&**g])[0]);
        let scale = T::one() / (norm + T::of(1e-6)) * c;
        if scale < T::one() || scale.is_nan() {
            g.iter_mut().for_each(|x| *x *= scale);
        }
    }
}
