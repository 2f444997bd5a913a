//! Mixout (Lee, Cho and Kang, *Mixout: Effective Regularization to Finetune Large-scale Pretrained Language Models*,
//! ICLR 2020): in training, part of a weight matrix is put back to where it began.
//!
//! ```text
//! forward    W' = ((1 − M) W₀ + M W − p W₀) / (1 − p)  =  W₀ + M (W − W₀) / (1 − p)
//!            M  = 0 with probability p, else 1;  E[W'] = W
//!
//! backward   dW = dW' M / (1 − p)
//! ```
//!
//! It acts on the weight of every linear layer, head included; not on biases, LayerNorm or embeddings. `M` is drawn for
//! each input (column of `W`) and repeated over the rows, as in both published codes, so that `W₀ = 0` gives dropout of
//! the layer's input. It is a reparametrisation: the layers know nothing of it. The mixed model goes forward and
//! backward, and its gradient is brought back to `W` afterwards.
//!
//! A mask is a function of seed, step, parameter and column. All parts of one optimiser step share it, where the
//! published codes draw another for each. Their backward pass leaves out the factor `1 / (1 − p)`; this one is the
//! derivative.

use crate::model::Part;
use crate::model::noise::{Noise, Site};
use crate::real::Real;
use crate::train::network::Network;
use ndarray::ArrayViewMutD;
use rayon::prelude::*;

/// The model `W'` for weights `W` of `model`, which began at `W₀ = initial`; no mask at inference.
///
/// # Panics
/// If `p` is not in `[0, 1)`, or the two models have different shapes.
#[must_use]
pub fn mixed<T: Real, N: Network<T>>(model: &N, initial: &N, p: f64, noise: Noise) -> N {
    let mut mixed = model.clone();
    let scales = scales(model, p, noise);
    let tasks: Vec<_> = mixed
        .params_mut()
        .into_iter()
        .zip(initial.params())
        .zip(scales)
        .collect();
    tasks
        .into_par_iter()
        .for_each(|(((_, mut weight), (_, start)), scale)| {
            if let Some(scale) = scale {
                for (weight, start) in rows(&mut weight, scale.len()).zip(start.rows()) {
                    for ((w, &w0), &m) in weight.iter_mut().zip(start).zip(&scale) {
                        *w = w0 + m * (*w - w0);
                    }
                }
            }
        });
    mixed
}

/// Turns the gradient `dW'` of the mixed model into `dW`, in place.
///
/// # Panics
/// If `p` is not in `[0, 1)`.
pub fn backward<T: Real, N: Network<T>>(grad: &mut N, p: f64, noise: Noise) {
    let scales = scales(grad, p, noise);
    let tasks: Vec<_> = grad.params_mut().into_iter().zip(scales).collect();
    tasks.into_par_iter().for_each(|((_, mut grad), scale)| {
        if let Some(scale) = scale {
            for grad in rows(&mut grad, scale.len()) {
                grad.iter_mut().zip(&scale).for_each(|(g, &m)| *g *= m);
            }
        }
    });
}

/// `M / (1 − p)` for the columns of each parameter, or `None` where mixout does not act.
fn scales<T: Real, N: Network<T>>(model: &N, p: f64, noise: Noise) -> Vec<Option<Vec<T>>> {
    let params = model.params().into_iter().zip(model.parts());
    params
        .enumerate()
        .map(|(index, ((_, weight), part))| {
            let mask = noise.mask(Site::Parameter(index), p);
            let is_linear_weight = weight.ndim() == 2 && part != Part::Embeddings;
            (is_linear_weight && !mask.is_off()).then(|| {
                let mut scale = vec![T::one(); weight.shape()[1]];
                mask.apply_row(0, &mut scale);
                scale
            })
        })
        .collect()
}

fn rows<'a, T: Real>(
    matrix: &'a mut ArrayViewMutD<'_, T>,
    columns: usize,
) -> impl Iterator<Item = &'a mut [T]> {
    let elements = matrix.as_slice_mut().expect("a parameter is in standard layout");
    elements.chunks_mut(columns)
}
