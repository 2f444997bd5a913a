//! Sigmoid and binary cross-entropy, fused, as `torch.nn.BCEWithLogitsLoss`: the mean over sequences and labels.
//!
//! ```text
//! forward    p  = 1 / (1 + exp(−z))                                z, t: [b, c], every label by itself
//!            L  = −Σ [t log p + (1 − t) log(1 − p)] / (B c)
//!               =  Σ [max(z, 0) − z t + log(1 + exp(−|z|))] / (B c)
//! backward   dz = (p − t) / (B c)                                  B: the number of sequences the mean is over
//! ```
//!
//! The second form of `L` overflows for no `z`, and keeps its digits where `p` would round to 0 or 1.

use crate::pool::{Buffer, Pool};
use crate::real::Real;
use ndarray::ArrayView2;

/// `(L, dz)` for `targets: [b, c]` from 0 to 1, the mean taken over `sequences`.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn binary_cross_entropy<T: Real>(
    z: ArrayView2<'_, T>,
    targets: ArrayView2<'_, f64>,
    sequences: f64,
    pool: &Pool<T>,
) -> (f64, Buffer<T>) {
    assert_eq!(
        z.dim(),
        targets.dim(),
        "binary cross-entropy: one target for each output"
    );
    let count = sequences * z.ncols() as f64;
    let mut dz = pool.buffer(z.nrows(), z.ncols());
    let mut loss = 0.0;
    for ((z, &target), dz) in z.iter().zip(targets).zip(dz.iter_mut()) {
        let z = z.widen();
        loss += (z.max(0.0) - z * target + libm::log1p(libm::exp(-z.abs()))) / count;
        *dz = T::of((sigmoid(z) - target) / count);
    }
    (loss, dz)
}

/// `1 / (1 + exp(−z))`, from the side on which nothing overflows.
pub fn sigmoid(z: f64) -> f64 {
    let small = libm::exp(-z.abs());
    if z >= 0.0 {
        1.0 / (1.0 + small)
    } else {
        small / (1.0 + small)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    /// z = [0, ln 3] has p = [1/2, 3/4]. With t = [1, 0] the terms are −log ½ = ln 2 and −log ¼ = 2 ln 2, whose mean over
    /// one sequence of two labels is 1.5 ln 2; dz = [(½ − 1)/2, (¾ − 0)/2].
    #[test]
    fn worked_example() {
        let (z, targets) = (arr2(&[[0.0_f64, 3.0_f64.ln()]]), arr2(&[[1.0, 0.0]]));
        let (loss, dz) = binary_cross_entropy(z.view(), targets.view(), 1.0, &Pool::new());
        assert!((loss - 1.5 * 2.0_f64.ln()).abs() < 1e-15, "{loss}");
        for (got, expected) in dz.iter().zip([-0.25, 0.375]) {
            assert!((got - expected).abs() < 1e-15, "{got}");
        }
    }

    /// Far out, the loss is |z| on the wrong side and exp(−|z|) on the right one, and nothing is NaN.
    #[test]
    fn far_logits() {
        for z in [40.0_f64, 800.0] {
            for (z, target) in [(z, 0.0), (-z, 1.0)] {
                let (wrong, dz) =
                    binary_cross_entropy(arr2(&[[z]]).view(), arr2(&[[target]]).view(), 1.0, &Pool::new());
                assert_eq!(wrong, z.abs());
                assert_eq!(dz[[0, 0]], 1.0 - 2.0 * target);
                let (right, _) =
                    binary_cross_entropy(arr2(&[[-z]]).view(), arr2(&[[target]]).view(), 1.0, &Pool::new());
                assert_eq!(right, (-z.abs()).exp());
            }
        }
    }
}
