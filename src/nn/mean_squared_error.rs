//! Mean squared error, as `torch.nn.MSELoss`: the mean over sequences and outputs.
//!
//! ```text
//! forward    L  = Σ (z − target)² / (B c)           z, target: [b, c]
//! backward   dz = 2 (z − target) / (B c)            B: the number of sequences the mean is over
//! ```

use crate::pool::{Buffer, Pool};
use crate::real::Real;
use ndarray::ArrayView2;

/// `(L, dz)` for `targets: [b, c]`, the mean taken over `sequences`.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn mean_squared_error<T: Real>(
    z: ArrayView2<'_, T>,
    targets: ArrayView2<'_, f64>,
    sequences: f64,
    pool: &Pool<T>,
) -> (f64, Buffer<T>) {
    assert_eq!(
        z.dim(),
        targets.dim(),
        "mean squared error: one target for each output"
    );
    let count = sequences * z.ncols() as f64;
    let mut dz = pool.buffer(z.nrows(), z.ncols());
    let mut loss = 0.0;
    for ((z, &target), dz) in z.iter().zip(targets).zip(dz.iter_mut()) {
        let error = z.widen() - target;
        loss += error * error / count;
        *dz = T::of(2.0 * error / count);
    }
    (loss, dz)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    /// Errors 3 and −1 over 4 sequences: L = (9 + 1)/4, dz = [6/4, −2/4].
    #[test]
    fn worked_example() {
        let (z, targets) = (arr2(&[[5.0_f32], [1.0]]), arr2(&[[2.0], [2.0]]));
        let (loss, dz) = mean_squared_error(z.view(), targets.view(), 4.0, &Pool::new());
        assert_eq!(loss, 2.5);
        assert_eq!(*dz, arr2(&[[1.5], [-0.5]]));
    }
}
