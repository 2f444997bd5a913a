//! What a product is, to the last bit, as plain loops; and whether the kernels of this machine compute it.
//!
//! ```text
//! cᵢⱼ ← ((c₀ + s₁) + s₂) + …                        c₀: 0, cᵢⱼ or bⱼ
//! s_t = fma(aᵢₗ, bₗⱼ, … fma(aᵢ₂, bₗ₂ⱼ, fma(aᵢ₁, bₗ₁ⱼ, 0)))     over the t-th block of 256 along the summed axis, in order
//! ```
//!
//! `fma(x, y, z)` is `x y + z`, rounded once; each sum of two is rounded once. Nothing else is free: `matrixmultiply`'s kernels
//! for AVX-512, for AVX2 with FMA and for NEON differ in the tile of `C` that they hold in registers, not in this. Those for
//! processors without fused multiply-add round the product and the sum, so that other bits come out.

use super::{mul, mul_add};
use crate::random;
use crate::real::Real;
use ndarray::{Array2, ArrayView1, ArrayView2};
use std::sync::OnceLock;

/// Products in a block of the summed axis, `KC` of `matrixmultiply`.
pub const BLOCK: usize = 256;

/// One element of a product: `start` is 0, what `C` holds, or an element of the row that is added.
///
/// # Panics
/// If the row and the column have different lengths.
pub fn element<T: Real>(row: ArrayView1<'_, T>, column: ArrayView1<'_, T>, start: T) -> T {
    assert_eq!(row.len(), column.len(), "a row and a column of one length");
    let mut c = start;
    for block in (0..row.len()).step_by(BLOCK) {
        let end = row.len().min(block + BLOCK);
        let sum = (block..end).fold(T::zero(), |sum, l| row[l].fused(column[l], sum));
        c += sum;
    }
    c
}

/// Whether products on this machine have the reference's bits, in `f32` and in `f64`.
///
/// Asked of the products themselves: a processor without fused multiply-add answers no, and so does a build in which
/// `matrixmultiply`'s block sizes were overridden (`MATMUL_SGEMM_KC` and its like, read when it is compiled). Takes a
/// millisecond, once.
pub fn is_portable() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| first_difference::<f32>().is_none() && first_difference::<f64>().is_none())
}

/// Where the products of this machine leave the specification first.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductDifference {
    /// The product: `float32, [17, 600] × [600, 18] + C`.
    pub product: String,
    /// Row and column of the element.
    pub place: (usize, usize),
    /// What came out.
    pub found: f64,
    /// What the specification says.
    pub expected: f64,
}

/// Compares two products, with and without an addend, of which the summed axis has two whole blocks and a part, and the output
/// whole tiles and ragged ones.
pub fn first_difference<T: Real>() -> Option<ProductDifference> {
    let (m, k, n) = (17, 2 * BLOCK + 88, 18);
    let (a, b, c) = (matrix(m, k, 1), matrix(k, n, 2), matrix(m, n, 3));
    let mut product = Array2::from_elem((m, n), T::nan());
    mul(a.view(), b.view(), product.view_mut());
    let mut sum = c.clone();
    mul_add(a.view(), b.view(), sum.view_mut());
    let name = format!("{}, [{m}, {k}] × [{k}, {n}]", T::NAME);
    let zero = Array2::zeros((m, n));
    differs(a.view(), b.view(), zero.view(), product.view())
        .map(|difference| (name.clone(), difference))
        .or_else(|| {
            let difference = differs(a.view(), b.view(), c.view(), sum.view())?;
            Some((format!("{name} + C"), difference))
        })
        .map(|(product, (place, found, expected))| ProductDifference {
            product,
            place,
            found: found.widen(),
            expected: expected.widen(),
        })
}

/// The first element of `found` that is not that of `a b + start`, with what it is and what it should be.
pub fn differs<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    start: ArrayView2<'_, T>,
    found: ArrayView2<'_, T>,
) -> Option<((usize, usize), T, T)> {
    found.indexed_iter().find_map(|(place, &found)| {
        let expected = element(a.row(place.0), b.column(place.1), start[place]);
        (found.widen().to_bits() != expected.widen().to_bits()).then_some((place, found, expected))
    })
}

/// Numbers in [−1, 1) with all the digits of their type.
pub fn matrix<T: Real>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let bits = random::key(&[seed, i as u64, j as u64]);
        T::of(2.0 * random::unit(bits) - 1.0)
    })
}
