//! Matrix products, split over rayon: the safe wrapper over `matrixmultiply`.
//!
//! ```text
//! mul:          C ← A B            A: [m, k]   B: [k, n]   C: [m, n]
//! mul_add:      C ← A B + C
//! mul_add_row:  C ← A B + 1 bᵀ     b: [n], added to every row
//! ```
//!
//! Transposes are views (`a.t()`) and cost nothing here: the operands are packed anyway.
//!
//! ndarray's own product runs on one thread and cannot write into a block of a larger matrix in parallel. Here the
//! *output* is cut into blocks of rows or columns and each block is one `matrixmultiply` call; the summed axis is
//! never cut, so the bits of a product do not depend on the number of threads. Nor do they depend on the processor, if it
//! has fused multiply-add: every such kernel of `matrixmultiply` computes what [`specification`] says, bit for bit.
//! [`is_portable`] tells whether the kernel of this machine does.

pub mod specification;

use crate::real::Real;
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Axis};
pub use specification::is_portable;

/// Multiply-adds below which a product is not worth a second thread (about 20 µs of one core).
const SPLIT_ABOVE: usize = 1 << 19;

/// Blocks are cut at multiples of this, the largest micro-kernel edge of `matrixmultiply`, so that no kernel is
/// wasted on a ragged edge inside the matrix.
const BLOCK_ALIGN: usize = 16;

/// The element types that `matrixmultiply` multiplies. Sealed: implemented for `f32` and `f64` here and nowhere else.
pub trait Gemm: sealed::Sealed + Sized {
    /// `C ← A B + β C` on raw strided memory.
    ///
    /// # Safety
    /// Each pointer must be valid for every element that its dimensions and strides (in elements) address: `A` is
    /// `m × k`, `B` is `k × n`, `C` is `m × n`. No two elements of `C` may share an address, and `C` may not overlap
    /// `A` or `B`.
    #[doc(hidden)]
    #[expect(unsafe_code, reason = "matrixmultiply takes raw pointers")]
    unsafe fn gemm(
        dims: (usize, usize, usize),
        a: (*const Self, isize, isize),
        b: (*const Self, isize, isize),
        beta: Self,
        c: (*mut Self, isize, isize),
    );
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Gemm for f32 {
    #[expect(unsafe_code, reason = "matrixmultiply takes raw pointers")]
    unsafe fn gemm(
        (m, k, n): (usize, usize, usize),
        (a, rsa, csa): (*const Self, isize, isize),
        (b, rsb, csb): (*const Self, isize, isize),
        beta: Self,
        (c, rsc, csc): (*mut Self, isize, isize),
    ) {
        // SAFETY: the contract of this function is the contract of `sgemm`, passed on unchanged.
        unsafe { matrixmultiply::sgemm(m, k, n, 1.0, a, rsa, csa, b, rsb, csb, beta, c, rsc, csc) }
    }
}

impl Gemm for f64 {
    #[expect(unsafe_code, reason = "matrixmultiply takes raw pointers")]
    unsafe fn gemm(
        (m, k, n): (usize, usize, usize),
        (a, rsa, csa): (*const Self, isize, isize),
        (b, rsb, csb): (*const Self, isize, isize),
        beta: Self,
        (c, rsc, csc): (*mut Self, isize, isize),
    ) {
        // SAFETY: the contract of this function is the contract of `dgemm`, passed on unchanged.
        unsafe { matrixmultiply::dgemm(m, k, n, 1.0, a, rsa, csa, b, rsb, csb, beta, c, rsc, csc) }
    }
}

/// What is added to the product.
#[derive(Clone, Copy)]
enum Plus<'a, T> {
    Nothing,
    /// What `C` holds.
    Itself,
    /// This row, to every row.
    Row(ArrayView1<'a, T>),
}

impl<T> Plus<'_, T> {
    /// For the columns left and right of a cut.
    fn split_columns(self, cut: usize) -> (Self, Self) {
        match self {
            Self::Row(row) => {
                let (left, right) = row.split_at(Axis(0), cut);
                (Self::Row(left), Self::Row(right))
            }
            Self::Nothing => (Self::Nothing, Self::Nothing),
            Self::Itself => (Self::Itself, Self::Itself),
        }
    }
}

/// `C ← A B`, in parallel.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn mul<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, c: ArrayViewMut2<'_, T>) {
    split(a, b, Plus::Nothing, c, threads(&a, &b));
}

/// `C ← A B + C`, in parallel.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn mul_add<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, c: ArrayViewMut2<'_, T>) {
    split(a, b, Plus::Itself, c, threads(&a, &b));
}

/// `C ← A B + 1 bᵀ`, in parallel: `row` is added to every row.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn mul_add_row<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    row: ArrayView1<'_, T>,
    c: ArrayViewMut2<'_, T>,
) {
    split(a, b, Plus::Row(row), c, threads(&a, &b));
}

/// `C ← A B` on the calling thread: for small products inside a loop that is itself parallel.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn mul_serial<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, c: ArrayViewMut2<'_, T>) {
    block(a, b, Plus::Nothing, c);
}

/// How many blocks are worth their overhead.
fn threads<T>(a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>) -> usize {
    if a.len().saturating_mul(b.ncols()) < SPLIT_ABOVE {
        1
    } else {
        rayon::current_num_threads()
    }
}

/// Cuts `C` into `parts` blocks along its longer side and computes them in parallel.
#[track_caller]
fn split<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    plus: Plus<'_, T>,
    c: ArrayViewMut2<'_, T>,
    parts: usize,
) {
    let (m, n) = c.dim();
    let longer = m.max(n);
    let cut = (longer * (parts / 2) / parts.max(1)).next_multiple_of(BLOCK_ALIGN);
    if parts < 2 || cut >= longer {
        return block(a, b, plus, c);
    }
    let (left, right) = (parts / 2, parts - parts / 2);
    if m >= n {
        let (a0, a1) = a.split_at(Axis(0), cut);
        let (c0, c1) = c.split_at(Axis(0), cut);
        rayon::join(|| split(a0, b, plus, c0, left), || split(a1, b, plus, c1, right));
    } else {
        let (b0, b1) = b.split_at(Axis(1), cut);
        let (c0, c1) = c.split_at(Axis(1), cut);
        let (plus0, plus1) = plus.split_columns(cut);
        rayon::join(
            || split(a, b0, plus0, c0, left),
            || split(a, b1, plus1, c1, right),
        );
    }
}

/// One block on the calling thread.
#[track_caller]
#[expect(
    unsafe_code,
    reason = "matrixmultiply takes raw pointers; see the module documentation"
)]
fn block<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    plus: Plus<'_, T>,
    mut c: ArrayViewMut2<'_, T>,
) {
    let ((m, k), (kb, n)) = (a.dim(), b.dim());
    assert!(
        k == kb && c.dim() == (m, n),
        "product of {m}x{k} and {kb}x{n} does not fit {:?}",
        c.dim()
    );
    let beta = match plus {
        Plus::Nothing => T::zero(),
        Plus::Itself => T::one(),
        Plus::Row(row) => {
            c.assign(&row);
            T::one()
        }
    };
    let strides = |s: &[isize]| (s[0], s[1]);
    let ((rsa, csa), (rsb, csb), (rsc, csc)) =
        (strides(a.strides()), strides(b.strides()), strides(c.strides()));
    // SAFETY: the pointers and strides come from live views whose shapes were just checked against each other, so
    // every address of an m×k, k×n and m×n walk lies inside them; `c` is a unique mutable view, so its elements are
    // distinct and overlap neither `a` nor `b`.
    unsafe {
        T::gemm(
            (m, k, n),
            (a.as_ptr(), rsa, csa),
            (b.as_ptr(), rsb, csb),
            beta,
            (c.as_mut_ptr(), rsc, csc),
        );
    }
}
