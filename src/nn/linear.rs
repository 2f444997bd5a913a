//! Linear layer.
//!
//! ```text
//! forward    y  = x Wᵀ + b          x: [n, i]   W: [o, i]   b: [o]   y: [n, o]
//!
//! backward   dx = dy W
//!            dW += dyᵀ x
//!            db += Σₙ dy
//! ```
//!
//! The cache of a linear layer is its input, which its neighbours need as well: the caller keeps it.

use crate::gemm;
use crate::param::{ParamTree, Path, Visitor, VisitorMut, visit_leaves, visit_leaves_mut};
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use crate::reduce;
use ndarray::{Array1, Array2, ArrayView2};

/// `y = x Wᵀ + b`, as `torch.nn.Linear`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear<T> {
    /// `W: [o, i]`.
    pub weight: Array2<T>,
    /// `b: [o]`.
    pub bias: Array1<T>,
}

impl<T: Real> Linear<T> {
    /// All zeros: a gradient to accumulate into, or a layer to load.
    pub fn zeros(inputs: usize, outputs: usize) -> Self {
        Self {
            weight: Array2::zeros((outputs, inputs)),
            bias: Array1::zeros(outputs),
        }
    }

    /// `y = x Wᵀ + b`.
    ///
    /// # Panics
    /// If the shapes do not fit together, as in the other functions.
    pub fn forward(&self, x: ArrayView2<'_, T>, pool: &Pool<T>) -> Buffer<T> {
        let mut y = pool.buffer(x.nrows(), self.bias.len());
        gemm::mul_add_row(x, self.weight.t(), self.bias.view(), y.view_mut());
        y
    }

    /// `x Wᵀ`, for a next step that adds `b` in its own pass over the rows ([`activation`](super::activation)).
    pub fn product(&self, x: ArrayView2<'_, T>, pool: &Pool<T>) -> Buffer<T> {
        let mut y = pool.buffer(x.nrows(), self.bias.len());
        gemm::mul(x, self.weight.t(), y.view_mut());
        y
    }

    /// Adds `dW` and `db` to `grad` and returns `dx`; `x` is the input of [`Linear::forward`] or [`Linear::product`].
    pub fn backward(
        &self,
        dy: ArrayView2<'_, T>,
        x: ArrayView2<'_, T>,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> Buffer<T> {
        let mut dx = pool.buffer(x.nrows(), x.ncols());
        gemm::mul(dy, self.weight.view(), dx.view_mut());
        Self::backward_params(dy, x, grad);
        dx
    }

    /// [`Linear::backward`], `dx` added to what is there: the gradient of another way from `x` to the loss.
    pub fn backward_add(
        &self,
        dy: ArrayView2<'_, T>,
        x: ArrayView2<'_, T>,
        grad: &mut Self,
        dx: &mut Buffer<T>,
    ) {
        gemm::mul_add(dy, self.weight.view(), dx.view_mut());
        Self::backward_params(dy, x, grad);
    }

    fn backward_params(dy: ArrayView2<'_, T>, x: ArrayView2<'_, T>, grad: &mut Self) {
        gemm::mul_add(dy.t(), x, grad.weight.view_mut());
        reduce::add_rows(dy, grad.bias.as_slice_mut().expect("a bias is contiguous"));
    }
}

impl<T> ParamTree<T> for Linear<T> {
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

    /// One row by hand. x = [1, 2], W = [[3, 4], [5, 6], [7, 8]], b = [10, 20, 30]:
    /// y = [3+8+10, 5+12+20, 7+16+30] = [21, 37, 53].
    /// With dy = [1, -1, 2]: dx = [3-5+14, 4-6+16] = [12, 14]; dW = dyᵀ x; db = dy. The gradient starts at ones.
    #[test]
    fn worked_example() {
        let layer = Linear {
            weight: arr2(&[[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]),
            bias: arr1(&[10.0, 20.0, 30.0]),
        };
        let (x, dy) = (arr2(&[[1.0, 2.0]]), arr2(&[[1.0, -1.0, 2.0]]));
        let pool = Pool::new();
        assert_eq!(*layer.forward(x.view(), &pool), arr2(&[[21.0, 37.0, 53.0]]));
        assert_eq!(*layer.product(x.view(), &pool), arr2(&[[11.0, 17.0, 23.0]]));

        let mut grad = Linear {
            weight: Array2::ones((3, 2)),
            bias: Array1::ones(3),
        };
        assert_eq!(
            *layer.backward(dy.view(), x.view(), &mut grad, &pool),
            arr2(&[[12.0, 14.0]])
        );
        assert_eq!(grad.weight, arr2(&[[2.0, 3.0], [0.0, -1.0], [3.0, 5.0]]));
        assert_eq!(grad.bias, arr1(&[2.0, 0.0, 3.0]));
    }
}
