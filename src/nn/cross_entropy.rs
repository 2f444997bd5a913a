//! Softmax and cross-entropy, fused: the mean over the rows of `−log softmax(z)[label]`.
//!
//! ```text
//! forward    p  = softmax(z), row by row            z: [b, c]
//!            L  = −Σ_b log p[label] / B             B: the number of rows the mean is over
//! backward   dz = (p − onehot(label)) / B
//! ```
//!
//! Both run in `f64` whatever the element type, each row on one thread: `c` is the number of labels, or of the words of
//! a vocabulary. `B` is given, because a batch may be one part of a larger one whose gradient is accumulated.

use crate::nn::ROWS_PER_TASK;
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1};
use rayon::prelude::*;

/// `(L, dz)` for the labels `label[k] < c`, the mean taken over `rows`.
///
/// # Panics
/// If there is not one label for each row, or a label is not below `c`.
#[track_caller]
pub fn cross_entropy<T: Real>(
    z: ArrayView2<'_, T>,
    labels: &[usize],
    rows: usize,
    pool: &Pool<T>,
) -> (f64, Buffer<T>) {
    assert_eq!(z.nrows(), labels.len(), "cross-entropy: one label for each row");
    if let Some(label) = labels.iter().find(|&&label| label >= z.ncols()) {
        panic!("label {label} of {} classes", z.ncols());
    }
    let mut dz = pool.buffer(z.nrows(), z.ncols());
    let tasks: Vec<_> = z.rows().into_iter().zip(dz.rows_mut()).zip(labels).collect();
    let losses: Vec<f64> = tasks
        .into_par_iter()
        .with_min_len(ROWS_PER_TASK)
        .map(|((z, dz), &label)| row(z, label, rows as f64, dz))
        .collect();
    (losses.iter().fold(0.0, |loss, of_row| loss + of_row), dz)
}

/// `−log p[label]` of each row.
///
/// # Panics
/// If there is not one label for each row, or a label is not below `c`.
#[track_caller]
pub fn row_losses<T: Real>(z: ArrayView2<'_, T>, labels: &[usize]) -> Vec<f64> {
    assert_eq!(z.nrows(), labels.len(), "cross-entropy: one label for each row");
    let tasks: Vec<_> = z.rows().into_iter().zip(labels).collect();
    let tasks = tasks.into_par_iter().with_min_len(ROWS_PER_TASK);
    tasks
        .map(|(z, &label)| {
            let (max, exp) = shifted(z);
            libm::log(exp.iter().sum()) - (z[label].widen() - max)
        })
        .collect()
}

/// The row's maximum, and `exp(z − max)`, so that nothing overflows.
fn shifted<T: Real>(z: ArrayView1<'_, T>) -> (f64, Vec<f64>) {
    let max = z.iter().fold(f64::NEG_INFINITY, |max, z| max.max(z.widen()));
    (max, z.iter().map(|z| libm::exp(z.widen() - max)).collect())
}

/// The row's share of `L`, accurate where the probability itself would round to 0 or 1; its `dz` goes where it belongs.
fn row<T: Real>(z: ArrayView1<'_, T>, label: usize, rows: f64, dz: ArrayViewMut1<'_, T>) -> f64 {
    let (max, exp) = shifted(z);
    let total: f64 = exp.iter().sum();
    for (c, (dz, e)) in dz.into_iter().zip(exp).enumerate() {
        *dz = T::of((e / total - f64::from(u8::from(c == label))) / rows);
    }
    -((z[label].widen() - max) - libm::log(total)) / rows
}

/// `softmax(z)`, shifted by the maximum so that nothing overflows.
pub fn softmax(z: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let max = z.clone().fold(f64::NEG_INFINITY, f64::max);
    let exp: Vec<f64> = z.map(|z| libm::exp(z - max)).collect();
    let total: f64 = exp.iter().sum();
    exp.into_iter().map(|e| e / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    /// z = [ln 1, ln 3] has p = [1/4, 3/4]; with label 0 and a mean over 2 sequences L = ln(4)/2 and
    /// dz = [(1/4 − 1)/2, (3/4)/2].
    #[test]
    fn worked_example() {
        let z = arr2(&[[0.0, 3.0_f64.ln()]]);
        let (loss, dz) = cross_entropy(z.view(), &[0], 2, &Pool::new());
        assert!((loss - 4.0_f64.ln() / 2.0).abs() < 1e-15);
        assert!((row_losses(z.view(), &[0])[0] - 4.0_f64.ln()).abs() < 1e-15);
        assert!((&*dz - &arr2(&[[-0.375, 0.375]])).iter().all(|x| x.abs() < 1e-15));
    }

    /// A confident right answer costs exp(−40), not zero; a confident wrong one 1000, not infinity.
    #[test]
    fn extremes() {
        let loss = |z: [f64; 2]| cross_entropy(arr2(&[z]).view(), &[0], 1, &Pool::new()).0;
        assert_eq!(loss([0.0, 1000.0]), 1000.0);
        assert!((0.0..1e-15).contains(&loss([40.0, 0.0])));
        assert!(loss([f64::NAN, 0.0]).is_nan());
    }
}
