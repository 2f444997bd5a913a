//! `Real`: the element type of every tensor, `f32` or `f64` and nothing else.
//!
//! Tensors are generic over `T: Real`. Norms, thresholds, losses and learning rates are `f64` in both.
//!
//! The functions here have the same bits on every machine: they are `libm`'s or our own, never the platform's. The
//! methods of the same purpose that `T` inherits (`exp`, `tanh`, `ln`, `powi`, …) are the platform's, and
//! `tests/it/tidy.rs` refuses them in `src`.

mod elementary;

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

    /// `x y + z` rounded once, whatever the processor: slow where it has no instruction for it.
    fn fused(self, y: Self, z: Self) -> Self;

    /// `eˣ`, for loops over many numbers: within 1 ulp.
    fn exponential(self) -> Self;

    /// `tanh x`: within 1 ulp.
    fn hyperbolic_tangent(self) -> Self;

    /// `(Φ(x), φ(x))`, `φ(x) = exp(−x²/2) / √(2π)` and `Φ` its integral from −∞: within 4 ulp for `x ≥ 0` in `f32`, by
    /// the error function in `f64`.
    fn normal(self) -> (Self, Self);
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

    fn fused(self, y: Self, z: Self) -> Self {
        libm::fmaf(self, y, z)
    }

    #[inline]
    fn exponential(self) -> Self {
        elementary::exp(self)
    }

    fn hyperbolic_tangent(self) -> Self {
        libm::tanhf(self)
    }

    #[inline]
    fn normal(self) -> (Self, Self) {
        elementary::normal(self)
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

    fn fused(self, y: Self, z: Self) -> Self {
        libm::fma(self, y, z)
    }

    fn exponential(self) -> Self {
        libm::exp(self)
    }

    fn hyperbolic_tangent(self) -> Self {
        libm::tanh(self)
    }

    fn normal(self) -> (Self, Self) {
        use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
        let cdf = 0.5 * (1.0 + libm::erf(self * FRAC_1_SQRT_2));
        (
            cdf,
            0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * libm::exp(-0.5 * self * self),
        )
    }
}
