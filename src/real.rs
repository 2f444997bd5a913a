//! `Real`: the element type of every tensor, `f32` or `f64` and nothing else.
//!
//! Tensors are generic over `T: Real`. Norms, thresholds, losses and learning rates are `f64` in both.

use crate::gemm::Gemm;
use ndarray::NdFloat;

/// An element type: `f32` for training, `f64` for gradient checks and the oracle.
pub trait Real: NdFloat + Gemm + Default + std::iter::Sum {
    /// The name in configuration files and reports: `"float32"` or `"float64"`.
    const NAME: &'static str;

    /// The nearest value of this type (round to nearest, ties to even).
    fn of(x: f64) -> Self;

    /// The same value as `f64`; exact.
    fn widen(self) -> f64;

    /// The error function, `erf(x) = 2/√π ∫₀ˣ exp(−t²) dt`.
    fn erf(self) -> Self;
}

impl Real for f32 {
    const NAME: &'static str = "float32";

    #[inline]
    fn of(x: f64) -> Self {
        x as f32
    }

    #[inline]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    fn erf(self) -> Self {
        libm::erff(self)
    }
}

impl Real for f64 {
    const NAME: &'static str = "float64";

    #[inline]
    fn of(x: f64) -> Self {
        x
    }

    #[inline]
    fn widen(self) -> f64 {
        self
    }

    fn erf(self) -> Self {
        libm::erf(self)
    }
}
