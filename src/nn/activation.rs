//! Activations between the two feed-forward products, element by element, with the bias of the product before.
//!
//! ```text
//! forward    y  = φ(x + 1 bᵀ)           x: [n, i]   b: [i]        cache: φ'(x + 1 bᵀ)
//! backward   dx = dy ⊙ φ'(x + 1 bᵀ)     db is the sum of its rows, which the linear layer adds up
//!
//! gelu       φ = x Φ(x)             φ' = Φ(x) + x g(x)        Φ(x) = ½ (1 + erf(x/√2)),  g(x) = exp(−x²/2) / √(2π)
//! gelu tanh  φ = x s                φ' = s + x s (1 − s) 2u'  s = ½ (1 + tanh u) = 1 / (1 + exp(−2u))
//!                                   u = √(2/π) (x + 0.044715 x³),  u' = √(2/π) (1 + 3·0.044715 x²)
//! relu       φ = max(x, 0)          φ' = [x > 0]
//! silu       φ = x σ                φ' = σ (1 + x (1 − σ))    σ = 1 / (1 + exp(−x))
//! ```
//!
//! Sources: Hendrycks and Gimpel, *Gaussian Error Linear Units*, 2016, arXiv 1606.08415, section 2 (both forms of
//! GELU); Elfwing et al. 2017, arXiv 1702.03118 (SiLU). The derivative is computed beside the value, because both need
//! the same exponential, and takes the memory of `x`.

use crate::nn::ROWS_PER_TASK;
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use crate::simd::wide;
use ndarray::Array1;
use rayon::prelude::*;

/// Which `φ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `gelu`: `x Φ(x)` with the error function.
    Gelu,
    /// `gelu_new`, `gelu_pytorch_tanh`: the tanh approximation of GELU.
    GeluTanh,
    /// `relu`: `max(x, 0)`.
    Relu,
    /// `silu`, `swish`: `x σ(x)`.
    Silu,
}

/// What [`backward`] needs: `φ'(x + 1 bᵀ)`.
#[derive(Debug)]
pub struct ActivationCache<T: Real> {
    slope: Buffer<T>,
}

/// `y = φ(x + 1 bᵀ)` and its cache, for which the memory of `x` is used.
///
/// # Panics
/// If there is not one element of the bias for each column of `x`.
pub fn forward<T: Real>(
    phi: Activation,
    x: Buffer<T>,
    bias: &Array1<T>,
    pool: &Pool<T>,
) -> (Buffer<T>, ActivationCache<T>) {
    match phi {
        Activation::Gelu => forward_by(gelu, x, bias, pool),
        Activation::GeluTanh => forward_by(gelu_tanh, x, bias, pool),
        Activation::Relu => forward_by(relu, x, bias, pool),
        Activation::Silu => forward_by(silu, x, bias, pool),
    }
}

/// [`forward`] for one `φ`, compiled for each so that its loop becomes vector code.
fn forward_by<T: Real>(
    value_and_slope: impl Fn(T) -> (T, T) + Sync,
    x: Buffer<T>,
    bias: &Array1<T>,
    pool: &Pool<T>,
) -> (Buffer<T>, ActivationCache<T>) {
    let (rows, columns) = x.dim();
    let bias = one_for_each(columns, bias);
    let mut y = pool.buffer(rows, columns);
    let mut slope = x;
    let rows = slope
        .flat_mut()
        .par_chunks_mut(columns)
        .zip(y.flat_mut().par_chunks_mut(columns));
    rows.with_min_len(ROWS_PER_TASK).for_each(|(slope, y)| {
        wide!({
            for ((slope, y), &bias) in slope.iter_mut().zip(y).zip(bias) {
                (*y, *slope) = value_and_slope(*slope + bias);
            }
        });
    });
    (y, ActivationCache { slope })
}

/// [`forward`] without a cache: `y` in the memory of `x`.
///
/// # Panics
/// As [`forward`].
pub fn infer<T: Real>(phi: Activation, x: Buffer<T>, bias: &Array1<T>) -> Buffer<T> {
    match phi {
        Activation::Gelu => infer_by(gelu, x, bias),
        Activation::GeluTanh => infer_by(gelu_tanh, x, bias),
        Activation::Relu => infer_by(relu, x, bias),
        Activation::Silu => infer_by(silu, x, bias),
    }
}

/// [`infer`] for one `φ`; what only the slope needs is not computed.
fn infer_by<T: Real>(
    value_and_slope: impl Fn(T) -> (T, T) + Sync,
    x: Buffer<T>,
    bias: &Array1<T>,
) -> Buffer<T> {
    let columns = x.ncols();
    let bias = one_for_each(columns, bias);
    let mut y = x;
    let rows = y.flat_mut().par_chunks_mut(columns);
    rows.with_min_len(ROWS_PER_TASK).for_each(|y| {
        wide!({
            for (y, &bias) in y.iter_mut().zip(bias) {
                *y = value_and_slope(*y + bias).0;
            }
        });
    });
    y
}

fn one_for_each<T>(columns: usize, bias: &Array1<T>) -> &[T] {
    assert_eq!(bias.len(), columns, "one element of the bias for each column");
    bias.as_slice().expect("a bias is contiguous")
}

/// `dx = dy ⊙ φ'(x + 1 bᵀ)`, in the memory of `dy`.
///
/// # Panics
/// If `dy` has not the shape of `x`.
pub fn backward<T: Real>(dy: Buffer<T>, cache: &ActivationCache<T>) -> Buffer<T> {
    assert_eq!(dy.dim(), cache.slope.dim(), "a gradient of the shape of x");
    let columns = dy.ncols();
    let mut dx = dy;
    let rows = dx
        .flat_mut()
        .par_chunks_mut(columns)
        .zip(cache.slope.flat().par_chunks(columns));
    rows.with_min_len(ROWS_PER_TASK).for_each(|(dx, slope)| {
        wide!(dx.iter_mut().zip(slope).for_each(|(dx, &slope)| *dx *= slope));
    });
    dx
}

/// `√(2/π)`.
const SQRT_2_OVER_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;

/// The cubic coefficient of the tanh approximation (Hendrycks and Gimpel, section 2).
const CUBIC: f64 = 0.044_715;

#[inline]
fn gelu<T: Real>(x: T) -> (T, T) {
    let (cdf, density) = x.normal();
    (x * cdf, cdf + x * density)
}

#[inline]
fn gelu_tanh<T: Real>(x: T) -> (T, T) {
    let two_u = T::of(2.0 * SQRT_2_OVER_PI) * (x + T::of(CUBIC) * x * x * x);
    let two_du = T::of(2.0 * SQRT_2_OVER_PI) * (T::one() + T::of(3.0 * CUBIC) * x * x);
    let s = sigmoid(two_u);
    (x * s, s + x * s * (T::one() - s) * two_du)
}

/// At 0 the derivative is 0, as in PyTorch. A NaN stays one.
#[inline]
fn relu<T: Real>(x: T) -> (T, T) {
    if x <= T::zero() {
        (T::zero(), T::zero())
    } else {
        (x, T::one())
    }
}

#[inline]
fn silu<T: Real>(x: T) -> (T, T) {
    let s = sigmoid(x);
    (x * s, s * (T::one() + x * (T::one() - s)))
}

#[inline]
fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + (-x).exponential())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr2};

    /// Φ(1) = 0.841344746068543 and g(1) = 0.241970724519143 (tables of the normal distribution); σ(1) =
    /// 0.731058578630005; the tanh form at 1: u = 0.7978845608028654 · 1.044715, tanh u = 0.682383883124651.
    #[test]
    fn values_at_one() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-14, "{a} {b}");
        close(gelu(1.0).0, 0.841_344_746_068_543);
        close(gelu(1.0).1, 0.841_344_746_068_543 + 0.241_970_724_519_143);
        close(silu(1.0).0, 0.731_058_578_630_005);
        close(silu(1.0).1, 0.731_058_578_630_005 * (2.0 - 0.731_058_578_630_005));
        let t = (0.797_884_560_802_865_4_f64 * 1.044_715).tanh();
        close(gelu_tanh(1.0).0, 0.5 * (1.0 + t));
        assert_eq!(relu(2.5), (2.5, 1.0));
        assert_eq!(relu(-2.5), (0.0, 0.0));
        assert_eq!(relu(0.0), (0.0, 0.0));
    }

    /// ReLU with b = (1, -2): x + b = (-3 + 1, 5 - 2) = (-2, 3), so y = (0, 3), with the slopes 0 and 1.
    #[test]
    fn the_bias_comes_first() {
        let (pool, bias) = (Pool::<f64>::new(), arr1(&[1.0, -2.0]));
        let x = || pool.copy(arr2(&[[-3.0, 5.0]]).view());
        let (y, cache) = forward(Activation::Relu, x(), &bias, &pool);
        assert_eq!((&*y, &*cache.slope), (&arr2(&[[0.0, 3.0]]), &arr2(&[[0.0, 1.0]])));
        assert_eq!(*infer(Activation::Relu, x(), &bias), *y);
    }

    /// Far out, every φ is 0 or x with slope 0 or 1, and nothing overflows on the way.
    #[test]
    fn limits() {
        for phi in [gelu::<f32>, gelu_tanh::<f32>, relu::<f32>, silu::<f32>] {
            assert_eq!(phi(100.0), (100.0, 1.0));
            let (y, slope) = phi(-200.0);
            assert!(y.abs() < 1e-30 && slope.abs() < 1e-30, "{y} {slope}");
            assert!(phi(f32::NAN).0.is_nan());
        }
    }
}
