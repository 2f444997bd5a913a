//! Softmax and cross-entropy, fused, with label smoothing and class weights as `torch.nn.CrossEntropyLoss` has them.
//!
//! ```text
//! forward    p  = softmax(z), row by row            z: [b, c]
//!            q  = (1 − ε) w[label] onehot(label) + (ε / c) w
//!            L  = −Σ_b Σⱼ qⱼ log pⱼ / W             W: Σ w[label] over the rows that the mean is over
//! backward   dz = (p Σⱼ qⱼ − q) / W
//! ```
//!
//! A row without a label has no term and `dz = 0`, as `ignore_index` has it.
//!
//! Plain is `ε = 0` and `w = 1`: then `q = onehot(label)`, and `W` is the number of rows.
//!
//! Both run in `f64` whatever the element type, each row on one thread: `c` is the number of labels, or of the words of
//! a vocabulary. `W` is given, because a batch may be one part of a larger one whose gradient is accumulated.

use crate::nn::ROWS_PER_TASK;
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1};
use rayon::prelude::*;

/// What the loss of a row is: how much each class counts, and how much of the label goes to the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Criterion {
    /// `ε` in `[0, 1]`. 0 is off.
    pub smoothing: f64,
    /// `w`: one finite number above 0 for each class; `None` is 1 for all.
    pub weights: Option<Vec<f64>>,
}

impl Criterion {
    /// `w[class]`.
    fn weight(&self, class: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[class])
    }

    /// `W` of rows with these labels.
    ///
    /// # Panics
    /// If a label has no weight.
    pub fn total(&self, labels: &[usize]) -> f64 {
        match &self.weights {
            None => labels.len() as f64,
            Some(weights) => labels.iter().fold(0.0, |sum, &label| sum + weights[label]),
        }
    }
}

/// `(L, dz)` for the labels `label[k] < c`, divided by `total`.
///
/// # Panics
/// If there is not one label for each row and one weight for each class, or a label is not below `c`.
#[track_caller]
pub fn cross_entropy<T: Real>(
    z: ArrayView2<'_, T>,
    labels: &[usize],
    criterion: &Criterion,
    total: f64,
    pool: &Pool<T>,
) -> (f64, Buffer<T>) {
    assert_eq!(z.nrows(), labels.len(), "cross-entropy: one label for each row");
    if let Some(label) = labels.iter().find(|&&label| label >= z.ncols()) {
        panic!("label {label} of {} classes", z.ncols());
    }
    over_rows(z, |row| Some(labels[row]), criterion, total, pool)
}

/// [`cross_entropy`] of the rows that have a label.
///
/// # Panics
/// As [`cross_entropy`].
#[track_caller]
pub fn cross_entropy_of_some<T: Real>(
    z: ArrayView2<'_, T>,
    labels: &[Option<usize>],
    criterion: &Criterion,
    total: f64,
    pool: &Pool<T>,
) -> (f64, Buffer<T>) {
    assert_eq!(
        z.nrows(),
        labels.len(),
        "cross-entropy: one label or none for each row"
    );
    if let Some(label) = labels.iter().flatten().find(|&&label| label >= z.ncols()) {
        panic!("label {label} of {} classes", z.ncols());
    }
    over_rows(z, |row| labels[row], criterion, total, pool)
}

#[track_caller]
fn over_rows<T: Real>(
    z: ArrayView2<'_, T>,
    label: impl Fn(usize) -> Option<usize> + Sync,
    criterion: &Criterion,
    total: f64,
    pool: &Pool<T>,
) -> (f64, Buffer<T>) {
    if let Some(weights) = &criterion.weights {
        assert_eq!(
            weights.len(),
            z.ncols(),
            "cross-entropy: one weight for each class"
        );
    }
    let smooth = criterion.smoothing / z.ncols() as f64;
    let others: Vec<f64> = if smooth > 0.0 {
        (0..z.ncols()).map(|j| smooth * criterion.weight(j)).collect()
    } else {
        Vec::new()
    };
    let mut dz = pool.buffer(z.nrows(), z.ncols());
    let tasks: Vec<_> = z.rows().into_iter().zip(dz.rows_mut()).enumerate().collect();
    let losses: Vec<f64> = tasks
        .into_par_iter()
        .with_min_len(ROWS_PER_TASK)
        .map(|(place, (z, mut dz))| {
            let Some(label) = label(place) else {
                dz.fill(T::zero());
                return 0.0;
            };
            let own = (1.0 - criterion.smoothing) * criterion.weight(label);
            row(z, (label, own, &others), total, dz)
        })
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
/// `q` is `own` at the label, and `others` besides if there are any.
fn row<T: Real>(
    z: ArrayView1<'_, T>,
    (label, own, others): (usize, f64, &[f64]),
    total: f64,
    dz: ArrayViewMut1<'_, T>,
) -> f64 {
    let (max, exp) = shifted(z);
    let sum: f64 = exp.iter().sum();
    let whole = others.iter().fold(own, |whole, q| whole + q);
    for (c, (dz, e)) in dz.into_iter().zip(exp).enumerate() {
        let q = others.get(c).unwrap_or(&0.0) + if c == label { own } else { 0.0 };
        *dz = T::of((whole * (e / sum) - q) / total);
    }
    let log_sum = libm::log(sum);
    let log_p = |z: T| (z.widen() - max) - log_sum;
    let others = others.iter().zip(z);
    let smooth = others.fold(0.0, |loss, (q, &z)| loss + q * log_p(z));
    -(own * log_p(z[label]) + smooth) / total
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
        let (loss, dz) = cross_entropy(z.view(), &[0], &Criterion::default(), 2.0, &Pool::new());
        assert!((loss - 4.0_f64.ln() / 2.0).abs() < 1e-15);
        assert!((row_losses(z.view(), &[0])[0] - 4.0_f64.ln()).abs() < 1e-15);
        assert!((&*dz - &arr2(&[[-0.375, 0.375]])).iter().all(|x| x.abs() < 1e-15));
    }

    /// The same with ε = ½ and weights 3 and 1: q = [½ 3 + ¼ 3, ¼ 1] = [9/4, 1/4], W = 3, so
    /// L = (9/4 ln 4 + 1/4 ln(4/3)) / 3 and dz = [(5/2 1/4 − 9/4)/3, (5/2 3/4 − 1/4)/3] = [−13/24, 13/24].
    #[test]
    fn smoothed_and_weighted() {
        let z = arr2(&[[0.0, 3.0_f64.ln()]]);
        let criterion = Criterion {
            smoothing: 0.5,
            weights: Some(vec![3.0, 1.0]),
        };
        assert_eq!(criterion.total(&[0, 1, 1]), 5.0);
        assert_eq!(Criterion::default().total(&[0, 1, 1]), 3.0);
        let total = criterion.total(&[0]);
        let (loss, dz) = cross_entropy(z.view(), &[0], &criterion, total, &Pool::new());
        let by_hand = (2.25 * 4.0_f64.ln() + 0.25 * (4.0_f64 / 3.0).ln()) / 3.0;
        assert!((loss - by_hand).abs() < 1e-15, "{loss}");
        let expected = arr2(&[[-13.0 / 24.0, 13.0 / 24.0]]);
        assert!((&*dz - &expected).iter().all(|x| x.abs() < 1e-15), "{dz:?}");
    }

    /// A confident right answer costs exp(−40), not zero; a confident wrong one 1000, not infinity.
    #[test]
    fn extremes() {
        let plain = Criterion::default();
        let loss = |z: [f64; 2]| cross_entropy(arr2(&[z]).view(), &[0], &plain, 1.0, &Pool::new()).0;
        assert_eq!(loss([0.0, 1000.0]), 1000.0);
        assert!((0.0..1e-15).contains(&loss([40.0, 0.0])));
        assert!(loss([f64::NAN, 0.0]).is_nan());
    }
}
