//! Every product against its definition (docs/numerics.md), bit for bit: the promise that a run has the same bits on every
//! processor with fused multiply-add rests on this.

use cwgnc::gemm::specification::{element, matrix};
use cwgnc::gemm::{self, is_portable};
use cwgnc::machine;
use cwgnc::real::Real;
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2};

/// Whether the processor has what the kernels need; elsewhere their bits are not promised.
#[expect(clippy::print_stderr, reason = "a test that skips must say so")]
fn has_fused_multiply_add() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = std::arch::is_x86_feature_detected!("fma") && std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let has = cfg!(target_arch = "aarch64");
    if !has {
        eprintln!("SKIPPED: this processor has no fused multiply-add");
    }
    has
}

#[test]
fn a_machine_is_portable_if_it_fuses() {
    assert_eq!(is_portable(), has_fused_multiply_add());
}

#[test]
fn this_machine_has_the_bits_of_the_reference() {
    if has_fused_multiply_add() {
        let numbers = machine::check().unwrap_or_else(|difference| panic!("{difference}"));
        assert_eq!(numbers, machine::REFERENCE.lines().count() + 2);
    }
}

/// The same numbers, stored by columns.
fn by_columns<T: Real>(x: &Array2<T>) -> Array2<T> {
    x.t().as_standard_layout().into_owned()
}

fn bits<T: Real>(x: ArrayView2<'_, T>) -> Vec<u64> {
    x.iter().map(|x| x.widen().to_bits()).collect()
}

/// `C ← A B + C` as plain loops.
fn defined<T: Real>(a: &Array2<T>, b: &Array2<T>, start: &Array2<T>) -> Array2<T> {
    Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| {
        element(a.row(i), b.column(j), start[(i, j)])
    })
}

fn check<T: Real>(m: usize, k: usize, n: usize) {
    let (a, b, c) = (matrix::<T>(m, k, 1), matrix::<T>(k, n, 2), matrix::<T>(m, n, 3));
    let row = c.row(0).to_owned();
    let rows = row.broadcast((m, n)).expect("a row for each").to_owned();
    let product = defined(&a, &b, &Array2::zeros((m, n)));
    let (sum, with_row) = (defined(&a, &b, &c), defined(&a, &b, &rows));
    let (at, bt) = (by_columns(&a), by_columns(&b));
    for transposed in 0..8 {
        let a = if transposed & 1 == 0 { a.view() } else { at.t() };
        let b = if transposed & 2 == 0 { b.view() } else { bt.t() };
        let what = |name: &str| format!("{name}, {} [{m}, {k}] [{k}, {n}], {transposed:03b}", T::NAME);
        let same = |name: &str, expected: &Array2<T>, multiply: &dyn Fn(ArrayViewMut2<'_, T>)| {
            let mut out = if transposed & 4 == 0 {
                c.clone()
            } else {
                by_columns(&c).reversed_axes()
            };
            multiply(out.view_mut());
            assert!(bits(out.view()) == bits(expected.view()), "{}", what(name));
        };
        same("mul_add", &sum, &|out| gemm::mul_add(a, b, out));
        same("mul", &product, &|out| gemm::mul(a, b, out));
        same("mul_serial", &product, &|out| gemm::mul_serial(a, b, out));
        same("mul_add_row", &with_row, &|out| {
            gemm::mul_add_row(a, b, row.view(), out);
        });
    }
}

/// Around the block of 256 along the summed axis, around tiles of 4, 8 and 16, and beyond the blocks of 64 rows and 1024
/// columns in which a product is packed.
#[test]
fn products_are_what_they_are_defined_to_be() {
    if !has_fused_multiply_add() {
        return;
    }
    for k in [1, 2, 255, 256, 257, 511, 512, 513] {
        for (m, n) in [(1, 1), (1, 33), (17, 1), (16, 16), (33, 18), (5, 257)] {
            check::<f32>(m, k, n);
            check::<f64>(m, k, n);
        }
    }
    for (m, k, n) in [(257, 40, 255), (70, 300, 1030), (512, 1, 512)] {
        check::<f32>(m, k, n);
        check::<f64>(m, k, n);
    }
}

/// By hand, in `f32`: with x = 1 + 2⁻¹², x² = 1 + 2⁻¹¹ + 2⁻²⁴ is no `f32`. Rounded, x² − 1 is 2⁻¹¹; fused it is 2⁻¹¹ + 2⁻²⁴. The
/// −1 is the first product of the block. In another block it comes as a sum of its own, and x² is rounded before.
#[test]
fn one_rounding_a_term_and_one_a_block() {
    let x = 1.0 + 2.0_f32.powi(-12);
    let dot = |row: &[f32], column: &[f32]| element(ArrayView1::from(row), ArrayView1::from(column), 0.0);
    assert_eq!(dot(&[-1.0, x], &[1.0, x]), 2.0_f32.powi(-11) + 2.0_f32.powi(-24));
    let (mut row, mut column) = (vec![0.0; 257], vec![0.0; 257]);
    (row[0], column[0], row[256], column[256]) = (-1.0, 1.0, x, x);
    assert_eq!(dot(&row, &column), 2.0_f32.powi(-11));
}
