//! Layer normalisation (Ba, Kiros, Hinton, *Layer Normalization*, 2016, arXiv 1607.06450, equation 4).
//!
//! ```text
//! forward, for each row x: [h]
//!   μ  = Σ x / h
//!   r  = 1 / √(Σ (x − μ)² / h + ε)
//!   x̂  = (x − μ) r
//!   y  = x̂ ⊙ γ + β
//!
//! backward, for each row
//!   dx̂ = dy ⊙ γ
//!   dx = r (dx̂ − Σ dx̂ / h − x̂ Σ(dx̂ ⊙ x̂) / h)
//! and over all rows
//!   dγ += Σₙ dy ⊙ x̂
//!   dβ += Σₙ dy
//! ```
//!
//! The cache keeps `x̂` and `r`: with them the input is not needed again, and `x` may be overwritten by `x̂`.

use crate::gemm::wide;
use crate::nn::ROWS_PER_TASK;
use crate::param::{ParamTree, Path, Visitor, VisitorMut, visit_leaves, visit_leaves_mut};
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use crate::reduce;
use ndarray::Array1;
use rayon::prelude::*;

/// `y = (x − mean) / √(variance + ε) ⊙ γ + β` over the last axis, as `torch.nn.LayerNorm`.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm<T> {
    /// `γ: [h]`.
    pub weight: Array1<T>,
    /// `β: [h]`.
    pub bias: Array1<T>,
}

/// What [`LayerNorm::backward`] needs.
#[derive(Debug)]
pub struct LayerNormCache<T: Real> {
    /// `x̂: [n, h]`, the normalised input.
    xhat: Buffer<T>,
    /// `r: [n, 1]`, one over the standard deviation.
    r: Buffer<T>,
}

impl<T: Real> LayerNorm<T> {
    /// All zeros: a gradient to accumulate into, or a layer to load.
    pub fn zeros(size: usize) -> Self {
        Self {
            weight: Array1::zeros(size),
            bias: Array1::zeros(size),
        }
    }

    /// Normalises each row of `x`, whose memory becomes the cache.
    pub fn forward(&self, x: Buffer<T>, eps: f64, pool: &Pool<T>) -> (Buffer<T>, LayerNormCache<T>) {
        let (n, h) = x.dim();
        let (weight, bias, eps) = (slice(&self.weight), slice(&self.bias), T::of(eps));
        let mut y = pool.buffer(n, h);
        let mut xhat = x;
        let mut r = pool.buffer(n, 1);

        let rows = xhat
            .flat_mut()
            .par_chunks_mut(h)
            .zip(y.flat_mut().par_chunks_mut(h))
            .zip(r.flat_mut());
        rows.with_min_len(ROWS_PER_TASK).for_each(|((x, y), r)| {
            wide!({
                *r = normalise(x, eps);
                for (((&xhat, y), &weight), &bias) in x.iter().zip(y).zip(weight).zip(bias) {
                    *y = xhat * weight + bias;
                }
            });
        });
        (y, LayerNormCache { xhat, r })
    }

    /// [`LayerNorm::forward`] without a cache: `y` in the memory of `x`.
    pub fn infer(&self, x: Buffer<T>, eps: f64) -> Buffer<T> {
        let h = x.ncols();
        let (weight, bias, eps) = (slice(&self.weight), slice(&self.bias), T::of(eps));
        let mut y = x;
        let rows = y.flat_mut().par_chunks_mut(h);
        rows.with_min_len(ROWS_PER_TASK).for_each(|y| {
            wide!({
                normalise(y, eps);
                for ((y, &weight), &bias) in y.iter_mut().zip(weight).zip(bias) {
                    *y = *y * weight + bias;
                }
            });
        });
        y
    }

    /// Adds `dγ` and `dβ` to `grad` and returns `dx`.
    pub fn backward(
        &self,
        dy: &Buffer<T>,
        cache: &LayerNormCache<T>,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> Buffer<T> {
        let h = dy.ncols();
        let weight = slice(&self.weight);
        let size = T::of(h as f64);
        let mut dx = pool.buffer(dy.nrows(), h);

        let rows = dx
            .flat_mut()
            .par_chunks_mut(h)
            .zip(dy.flat().par_chunks(h))
            .zip(cache.xhat.flat().par_chunks(h))
            .zip(cache.r.flat());
        rows.with_min_len(ROWS_PER_TASK)
            .for_each(|(((dx, dy), xhat), &r)| {
                wide!({
                    for ((dx, &dy), &weight) in dx.iter_mut().zip(dy).zip(weight) {
                        *dx = dy * weight; // dx̂, for now
                    }
                    let mean = reduce::sum(dx) / size;
                    let slope = reduce::dot(dx, xhat) / size;
                    for (dx, &xhat) in dx.iter_mut().zip(xhat) {
                        *dx = r * (*dx - mean - xhat * slope);
                    }
                });
            });
        reduce::add_row_products(
            dy.view(),
            cache.xhat.view(),
            grad.weight.as_slice_mut().expect(CONTIGUOUS),
        );
        reduce::add_rows(dy.view(), grad.bias.as_slice_mut().expect(CONTIGUOUS));
        dx
    }
}

/// `x ← x̂`; returns `r`.
#[inline]
fn normalise<T: Real>(x: &mut [T], eps: T) -> T {
    let size = T::of(x.len() as f64);
    let mean = reduce::sum(x) / size;
    for x in &mut *x {
        *x -= mean;
    }
    let r = T::one() / (reduce::dot(x, x) / size + eps).sqrt();
    for x in x {
        *x *= r;
    }
    r
}

const CONTIGUOUS: &str = "a one-dimensional parameter is contiguous";

fn slice<T>(x: &Array1<T>) -> &[T] {
    x.as_slice().expect(CONTIGUOUS)
}

impl<T> ParamTree<T> for LayerNorm<T> {
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>) {
        visit_leaves(
            path,
            [
                ("weight", self.weight.view().into_dyn()),
                ("bias", self.bias.view().into_dyn()),
            ],
            f,
        );
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>) {
        visit_leaves_mut(
            path,
            [
                ("weight", self.weight.view_mut().into_dyn()),
                ("bias", self.bias.view_mut().into_dyn()),
            ],
            f,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr2};

    /// x = [0, 6], ε = 7: μ = 3, variance 9, r = 1/√16 = 1/4, x̂ = [-3/4, 3/4]; γ = [2, 4], β = [1, 1]:
    /// y = [-1/2, 4]. With dy = [1, 1]: dx̂ = [2, 4], mean 3, Σ dx̂ x̂ / 2 = (-3/2 + 3)/2 = 3/4,
    /// dx = ¼ ([2, 4] − 3 − [-3/4, 3/4]·3/4) = ¼ [-7/16, 7/16]; dγ = x̂, dβ = 1.
    #[test]
    fn worked_example() {
        let layer = LayerNorm {
            weight: arr1(&[2.0, 4.0]),
            bias: arr1(&[1.0, 1.0]),
        };
        let pool = Pool::new();
        let (y, cache) = layer.forward(pool.copy(arr2(&[[0.0, 6.0]]).view()), 7.0, &pool);
        assert_eq!(*y, arr2(&[[-0.5, 4.0]]));

        let mut grad = LayerNorm::zeros(2);
        let dy = pool.copy(arr2(&[[1.0, 1.0]]).view());
        let dx = layer.backward(&dy, &cache, &mut grad, &pool);
        assert_eq!(*dx, arr2(&[[-7.0 / 64.0, 7.0 / 64.0]]));
        assert_eq!(grad.weight, arr1(&[-0.75, 0.75]));
        assert_eq!(grad.bias, arr1(&[1.0, 1.0]));
    }
}
