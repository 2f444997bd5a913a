//! Embedding table: rows looked up by index.
//!
//! ```text
//! forward    yₖ  += W[idₖ]           W: [v, h]   id: [n]   y: [n, h]
//! backward   dW[idₖ] += dyₖ          in the order of k; nothing where idₖ is the padding index
//! ```
//!
//! Forward *adds*, because a transformer's input is a sum of embeddings (word, position, token type). An index has no
//! gradient, so backward returns nothing.

use crate::nn::ROWS_PER_TASK;
use crate::param::{ParamTree, Path, Visitor, VisitorMut, visit_leaves, visit_leaves_mut};
use crate::pool::Buffer;
use crate::real::Real;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

/// A table of `v` rows, as `torch.nn.Embedding`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding<T> {
    /// `W: [v, h]`.
    pub weight: Array2<T>,
}

/// Columns that one task of backward adds up.
const COLUMNS: usize = 32;

impl<T: Real> Embedding<T> {
    /// All zeros: a gradient to accumulate into, or a layer to load.
    pub fn zeros(rows: usize, size: usize) -> Self {
        Self {
            weight: Array2::zeros((rows, size)),
        }
    }

    /// Adds the row of each index to the row of `y`.
    ///
    /// # Panics
    /// If an index is outside the table, or `y` has not a row of the table's width for each.
    #[track_caller]
    pub fn forward(&self, ids: &[u32], y: &mut Buffer<T>) {
        assert_eq!(ids.len(), y.nrows(), "embedding: one index for each row");
        assert_eq!(
            self.weight.ncols(),
            y.ncols(),
            "embedding: rows of the table's width"
        );
        let columns = y.ncols();
        let rows = y.flat_mut().par_chunks_mut(columns).zip(ids);
        rows.with_min_len(ROWS_PER_TASK).for_each(|(y, &id)| {
            let row = self.weight.row(id as usize);
            y.iter_mut().zip(row).for_each(|(y, &w)| *y += w);
        });
    }

    /// Adds each row of `dy` to the gradient's row of its index, except for `padding`, whose row is constant
    /// (`torch.nn.Embedding(padding_idx = …)`).
    ///
    /// # Panics
    /// If an index is outside the table, or `dy` has not a row of the table's width for each.
    pub fn backward(ids: &[u32], dy: ArrayView2<'_, T>, padding: Option<u32>, grad: &mut Self) {
        assert_eq!(
            dy.dim(),
            (ids.len(), grad.weight.ncols()),
            "embedding: a row of the table's width for each index"
        );
        let stripes: Vec<_> = grad
            .weight
            .axis_chunks_iter_mut(Axis(1), COLUMNS)
            .zip(dy.axis_chunks_iter(Axis(1), COLUMNS))
            .collect();
        stripes.into_par_iter().for_each(|(mut dw, dy)| {
            for (&id, dy) in ids.iter().zip(dy.rows()) {
                if Some(id) != padding {
                    let mut dw = dw.row_mut(id as usize);
                    dw += &dy;
                }
            }
        });
    }
}

impl<T> ParamTree<T> for Embedding<T> {
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>) {
        visit_leaves(path, [("weight", self.weight.view().into_dyn())], f);
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>) {
        visit_leaves_mut(path, [("weight", self.weight.view_mut().into_dyn())], f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use ndarray::arr2;

    /// Rows 2, 0, 2 of a table; the gradient of row 2 gets both contributions, unless 2 is the padding index.
    #[test]
    fn worked_example() {
        let table = Embedding {
            weight: arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        };
        let mut y = Pool::new().zeros(3, 2);
        table.forward(&[2, 0, 2], &mut y);
        assert_eq!(*y, arr2(&[[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]));

        let dy = arr2(&[[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]]);
        let mut grad = Embedding::zeros(3, 2);
        Embedding::backward(&[2, 0, 2], dy.view(), None, &mut grad);
        assert_eq!(grad.weight, arr2(&[[2.0, 20.0], [0.0, 0.0], [5.0, 50.0]]));

        let mut grad = Embedding::zeros(3, 2);
        Embedding::backward(&[2, 0, 2], dy.view(), Some(2), &mut grad);
        assert_eq!(grad.weight, arr2(&[[2.0, 20.0], [0.0, 0.0], [0.0, 0.0]]));
    }
}
