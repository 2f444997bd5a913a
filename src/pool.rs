//! Reusable buffers: activations, caches and gradients of activations without an allocation per step.
//!
//! A [`Buffer`] is an ndarray matrix that goes back to its [`Pool`] when it is dropped; the next step takes it out
//! again. After the first few steps a training run lives on the same memory. Nothing is cleared on the way: a fresh
//! buffer holds arbitrary old numbers, and whoever takes one writes every element before reading any (debug builds
//! fill it with NaN, so that a test would see a forgotten one).

use crate::real::Real;
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// A free list of memory blocks, shared by its clones.
#[derive(Clone, Default)]
pub struct Pool<T> {
    free: Arc<Mutex<Vec<Vec<T>>>>,
    recomputes: bool,
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl<T: Real> Pool<T> {
    /// An empty pool.
    pub fn new() -> Self {
        Self {
            free: Arc::default(),
            recomputes: false,
        }
    }

    /// Whether a forward pass keeps the input of each encoder layer alone, and the backward pass computes the rest of the
    /// layer's cache again when it comes to it: the memory of one layer in place of all, for a second forward pass, and the
    /// same bits (Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016, arXiv 1604.06174).
    pub fn recomputes(&self) -> bool {
        self.recomputes
    }

    /// Sets [`Pool::recomputes`].
    pub fn set_recomputes(&mut self, recomputes: bool) {
        self.recomputes = recomputes;
    }

    /// A matrix `[rows, cols]` with arbitrary contents.
    pub fn buffer(&self, rows: usize, cols: usize) -> Buffer<T> {
        let len = rows * cols;
        let mut block = self.best_fit(len).unwrap_or_default();
        block.resize(len, T::zero());
        if cfg!(debug_assertions) {
            block.fill(T::nan());
        }
        let array =
            Array2::from_shape_vec((rows, cols), block).expect("the block was resized to rows * cols");
        Buffer {
            array,
            pool: self.clone(),
        }
    }

    /// A matrix `[rows, cols]` of zeros.
    pub fn zeros(&self, rows: usize, cols: usize) -> Buffer<T> {
        let mut buffer = self.buffer(rows, cols);
        buffer.fill(T::zero());
        buffer
    }

    /// A copy of `x`.
    pub fn copy(&self, x: ArrayView2<'_, T>) -> Buffer<T> {
        let mut buffer = self.buffer(x.nrows(), x.ncols());
        buffer.assign(&x);
        buffer
    }

    /// The smallest free block that holds `len` elements, else the largest, which then grows.
    fn best_fit(&self, len: usize) -> Option<Vec<T>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = (0..free.len())
            .filter(|&i| free[i].capacity() >= len)
            .min_by_key(|&i| free[i].capacity());
        let chosen = fitting.or_else(|| (0..free.len()).max_by_key(|&i| free[i].capacity()))?;
        Some(free.swap_remove(chosen))
    }
}

/// A matrix in standard layout that returns its memory to the pool when dropped.
pub struct Buffer<T: Real> {
    array: Array2<T>,
    pool: Pool<T>,
}

impl<T: Real> Buffer<T> {
    /// All elements, row after row.
    pub fn flat(&self) -> &[T] {
        self.array.as_slice().expect("a buffer is in standard layout")
    }

    /// All elements, row after row, mutably.
    pub fn flat_mut(&mut self) -> &mut [T] {
        self.array.as_slice_mut().expect("a buffer is in standard layout")
    }

    /// The elements of row `i`.
    pub fn flat_row(&self, i: usize) -> &[T] {
        let columns = self.array.ncols();
        &self.flat()[i * columns..][..columns]
    }

    /// A view of the whole matrix.
    pub fn view(&self) -> ArrayView2<'_, T> {
        self.array.view()
    }

    /// A mutable view of the whole matrix.
    pub fn view_mut(&mut self) -> ArrayViewMut2<'_, T> {
        self.array.view_mut()
    }
}

impl<T: Real> Deref for Buffer<T> {
    type Target = Array2<T>;

    fn deref(&self) -> &Array2<T> {
        &self.array
    }
}

impl<T: Real> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut Array2<T> {
        &mut self.array
    }
}

impl<T: Real> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.array.fmt(f)
    }
}

impl<T: Real> Drop for Buffer<T> {
    fn drop(&mut self) {
        let (block, _) = std::mem::take(&mut self.array).into_raw_vec_and_offset();
        self.pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again() {
        let pool = Pool::<f32>::new();
        let first = pool.buffer(3, 4);
        let address = first.as_ptr();
        drop(first);
        let second = pool.zeros(2, 5);
        assert_eq!(second.as_ptr(), address);
        assert!(second.iter().all(|&x| x == 0.0));
    }

    #[test]
    fn a_row() {
        let x = Pool::<f64>::new().copy(ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).view());
        assert_eq!(x.flat_row(1), [3.0, 4.0]);
    }

    #[test]
    fn the_smallest_block_that_fits_is_taken() {
        let pool = Pool::<f64>::new();
        let (large, small) = (pool.buffer(10, 10), pool.buffer(2, 2));
        let (large_at, small_at) = (large.as_ptr(), small.as_ptr());
        drop((large, small));
        assert_eq!(pool.buffer(2, 2).as_ptr(), small_at);
        assert_eq!(pool.buffer(3, 3).as_ptr(), large_at);
    }
}
