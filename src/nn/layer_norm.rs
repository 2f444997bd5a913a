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

use crate::nn::ROWS_PER_TASK;
use crate::nn::dropout::Mask;
use crate::param::{ParamTree, Path, Visitor, VisitorMut, visit_leaves, visit_leaves_mut};
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use crate::reduce;
use crate::simd::wide;
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
    ///
    /// # Panics
    /// If the rows have not one element for each weight.
    pub fn forward(&self, x: Buffer<T>, eps: f64, pool: &Pool<T>) -> (Buffer<T>, LayerNormCache<T>) {
        self.forward_rows(x, |_, _| (), eps, pool)
    }

    /// `LayerNorm(x ⊙ m + r)` in one pass over the rows: the end of a branch with dropout, and the residual `r` that goes
    /// round it.
    ///
    /// # Panics
    /// If the rows of `x`, those of `r` and the keys of the mask do not pair up.
    pub fn forward_residual(
        &self,
        x: Buffer<T>,
        r: &Buffer<T>,
        (mask, row_keys): (Mask, &[u64]),
        eps: f64,
        pool: &Pool<T>,
    ) -> (Buffer<T>, LayerNormCache<T>) {
        assert_eq!(x.dim(), r.dim(), "a residual of the same shape");
        assert_eq!(x.nrows(), row_keys.len(), "one key of dropout for each row");
        let add = |i: usize, x: &mut [T]| {
            mask.apply_row(row_keys[i], x);
            add_row(x, r.flat_row(i));
        };
        self.forward_rows(x, add, eps, pool)
    }

    /// [`LayerNorm::forward`], `prepare` seeing each row and its number first.
    fn forward_rows(
        &self,
        x: Buffer<T>,
        prepare: impl Fn(usize, &mut [T]) + Sync,
        eps: f64,
        pool: &Pool<T>,
    ) -> (Buffer<T>, LayerNormCache<T>) {
        let (n, h) = x.dim();
        self.check(h);
        let (weight, bias, eps) = (slice(&self.weight), slice(&self.bias), T::of(eps));
        let mut y = pool.buffer(n, h);
        let mut xhat = x;
        let mut r = pool.buffer(n, 1);

        let rows = xhat
            .flat_mut()
            .par_chunks_mut(h)
            .zip(y.flat_mut().par_chunks_mut(h))
            .zip(r.flat_mut());
        let rows = rows.enumerate().with_min_len(ROWS_PER_TASK);
        rows.for_each(|(i, ((x, y), r))| {
            prepare(i, x);
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
    ///
    /// # Panics
    /// As [`LayerNorm::forward`].
    pub fn infer(&self, x: Buffer<T>, eps: f64) -> Buffer<T> {
        self.infer_rows(x, |_, _| (), eps)
    }

    /// [`LayerNorm::forward_residual`] without dropout and without a cache: `LayerNorm(x + r)` in the memory of `x`.
    ///
    /// # Panics
    /// If `r` is of another shape.
    pub fn infer_residual(&self, x: Buffer<T>, r: &Buffer<T>, eps: f64) -> Buffer<T> {
        assert_eq!(x.dim(), r.dim(), "a residual of the same shape");
        self.infer_rows(x, |i, x| add_row(x, r.flat_row(i)), eps)
    }

    fn infer_rows(&self, x: Buffer<T>, prepare: impl Fn(usize, &mut [T]) + Sync, eps: f64) -> Buffer<T> {
        let h = x.ncols();
        self.check(h);
        let (weight, bias, eps) = (slice(&self.weight), slice(&self.bias), T::of(eps));
        let mut y = x;
        let rows = y.flat_mut().par_chunks_mut(h).enumerate();
        rows.with_min_len(ROWS_PER_TASK).for_each(|(i, y)| {
            prepare(i, y);
            wide!({
                normalise(y, eps);
                for ((y, &weight), &bias) in y.iter_mut().zip(weight).zip(bias) {
                    *y = *y * weight + bias;
                }
            });
        });
        y
    }

    /// Whether there are a weight and a bias for each of the `h` elements of a row.
    fn check(&self, h: usize) {
        assert_eq!(
            (self.weight.len(), self.bias.len()),
            (h, h),
            "LayerNorm: a weight and a bias for each element of a row"
        );
    }

    /// Adds `dγ` and `dβ` to `grad` and returns `dx`.
    ///
    /// # Panics
    /// If `dy` has not the shape of `x`.
    pub fn backward(
        &self,
        dy: &Buffer<T>,
        cache: &LayerNormCache<T>,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> Buffer<T> {
        let h = dy.ncols();
        self.check(h);
        assert_eq!(dy.dim(), cache.xhat.dim(), "a gradient of the shape of x");
        let weight = slice(&self.weight);
        let mut dx = pool.buffer(dy.nrows(), h);
        let rows = dx
            .flat_mut()
            .par_chunks_mut(h)
            .zip(dy.flat().par_chunks(h))
            .zip(cache.xhat.flat().par_chunks(h))
            .zip(cache.r.flat());
        rows.with_min_len(ROWS_PER_TASK)
            .for_each(|(((dx, dy), xhat), &r)| wide!(input_gradient(dx, dy, weight, xhat, r)));
        Self::backward_params(dy, cache, grad);
        dx
    }

    /// The backward pass of [`LayerNorm::forward_residual`]: with `ds` what [`LayerNorm::backward`] returns, the gradients
    /// of both ways, `dx = ds ⊙ m` and `dr = ds`, in one pass over the rows.
    ///
    /// # Panics
    /// If the rows and the keys of the mask do not pair up.
    pub fn backward_residual(
        &self,
        dy: &Buffer<T>,
        cache: &LayerNormCache<T>,
        (mask, row_keys): (Mask, &[u64]),
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> (Buffer<T>, Buffer<T>) {
        assert_eq!(dy.nrows(), row_keys.len(), "one key of dropout for each row");
        let (n, h) = dy.dim();
        self.check(h);
        assert_eq!(dy.dim(), cache.xhat.dim(), "a gradient of the shape of x");
        let weight = slice(&self.weight);
        let (mut dx, mut dr) = (pool.buffer(n, h), pool.buffer(n, h));
        let rows = dx
            .flat_mut()
            .par_chunks_mut(h)
            .zip(dr.flat_mut().par_chunks_mut(h))
            .zip(dy.flat().par_chunks(h))
            .zip(cache.xhat.flat().par_chunks(h))
            .zip(cache.r.flat().par_iter().zip(row_keys));
        rows.with_min_len(ROWS_PER_TASK)
            .for_each(|((((dx, dr), dy), xhat), (&r, &row_key))| {
                wide!(input_gradient(dr, dy, weight, xhat, r));
                dx.copy_from_slice(dr);
                mask.apply_row(row_key, dx);
            });
        Self::backward_params(dy, cache, grad);
        (dx, dr)
    }

    fn backward_params(dy: &Buffer<T>, cache: &LayerNormCache<T>, grad: &mut Self) {
        reduce::add_row_products(
            dy.view(),
            cache.xhat.view(),
            grad.weight.as_slice_mut().expect(CONTIGUOUS),
        );
        reduce::add_rows(dy.view(), grad.bias.as_slice_mut().expect(CONTIGUOUS));
    }
}

/// `dx` of one row.
#[inline]
fn input_gradient<T: Real>(dx: &mut [T], dy: &[T], weight: &[T], xhat: &[T], r: T) {
    let size = T::of(dx.len() as f64);
    for ((dx, &dy), &weight) in dx.iter_mut().zip(dy).zip(weight) {
        *dx = dy * weight; // dx̂, for now
    }
    let mean = reduce::sum(dx) / size;
    let slope = reduce::dot(dx, xhat) / size;
    for (dx, &xhat) in dx.iter_mut().zip(xhat) {
        *dx = r * (*dx - mean - xhat * slope);
    }
}

/// `x ← x + r`.
fn add_row<T: Real>(x: &mut [T], r: &[T]) {
    wide!(x.iter_mut().zip(r).for_each(|(x, &r)| *x += r));
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

    /// γ = [2, 4], β = [1, 1].
    fn by_hand() -> LayerNorm<f64> {
        LayerNorm {
            weight: arr1(&[2.0, 4.0]),
            bias: arr1(&[1.0, 1.0]),
        }
    }

    /// x = [0, 6], ε = 7: μ = 3, variance 9, r = 1/√16 = 1/4, x̂ = [-3/4, 3/4]; γ = [2, 4], β = [1, 1]:
    /// y = [-1/2, 4]. With dy = [1, 1]: dx̂ = [2, 4], mean 3, Σ dx̂ x̂ / 2 = (-3/2 + 3)/2 = 3/4,
    /// dx = ¼ ([2, 4] − 3 − [-3/4, 3/4]·3/4) = ¼ [-7/16, 7/16]; dγ = x̂, dβ = 1.
    #[test]
    fn worked_example() {
        let layer = by_hand();
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

    /// The layer above behind a residual. x = [1, 4], r = [-1, 2]; without dropout the sum is [0, 6] again: y = [-1/2, 4], and
    /// both ways get [-7/64, 7/64]. With p = 1/2 an element is dropped or doubled, and its gradient with it. Under a key that
    /// keeps the first and drops the second, s = [2 − 1, 0 + 2] = [1, 2], μ = 3/2, variance 1/4; with ε = 15/4: r = 1/2,
    /// x̂ = [-1/4, 1/4], y = [1/2, 2]; dx̂ = [2, 4], mean 3, Σ dx̂ x̂ / 2 = 1/4, ds = ½ ([-1, 1] − ¼ [-1/4, 1/4]) =
    /// [-15/32, 15/32]; dr = ds, dx = [-15/16, 0].
    #[test]
    fn residual_by_hand() {
        let layer = by_hand();
        let pool = Pool::new();
        let [x, r, dy] = [[1.0, 4.0], [-1.0, 2.0], [1.0, 1.0]].map(|row| pool.copy(arr2(&[row]).view()));
        let copy = |x: &Buffer<f64>| pool.copy(x.view());
        assert_eq!(*layer.infer_residual(copy(&x), &r, 7.0), arr2(&[[-0.5, 4.0]]));

        let half = Mask::new(1, 0.5);
        let kept_then_dropped = (0..100).find(|&key| {
            let mut row = [1.0, 1.0];
            half.apply_row(key, &mut row);
            row == [2.0, 0.0]
        });
        let cases = [
            (
                Mask::OFF,
                0,
                7.0,
                [-0.5, 4.0],
                [-7.0 / 64.0, 7.0 / 64.0],
                [-7.0 / 64.0, 7.0 / 64.0],
            ),
            (
                half,
                kept_then_dropped.expect("one in four keys does it"),
                3.75,
                [0.5, 2.0],
                [-15.0 / 16.0, 0.0],
                [-15.0 / 32.0, 15.0 / 32.0],
            ),
        ];
        for (mask, key, eps, y, dx, dr) in cases {
            let dropout = (mask, &[key][..]);
            let (found, cache) = layer.forward_residual(copy(&x), &r, dropout, eps, &pool);
            assert_eq!(*found, arr2(&[y]));
            let mut grad = LayerNorm::zeros(2);
            let (found_dx, found_dr) = layer.backward_residual(&dy, &cache, dropout, &mut grad, &pool);
            assert_eq!((&*found_dx, &*found_dr), (&arr2(&[dx]), &arr2(&[dr])));
            assert_eq!(grad.bias, arr1(&[1.0, 1.0]));
        }
    }
}
