//! Matrix products, split over rayon: the safe wrapper over `matrixmultiply`, and the only file with `unsafe`. Beside them
//! stands `wide!`, which needs `unsafe` too: loops over elements, compiled for wider registers.
//!
//! ndarray's own product runs on one thread and cannot write into a block of a larger matrix in parallel. Here the
//! *output* is cut into blocks of rows or columns and each block is one `matrixmultiply` call; the summed axis is
//! never cut, so every element is added up in the same order whatever the number of threads, and the bits of a
//! product do not depend on it. They do depend on the kernel that `matrixmultiply` chooses for the processor.
//!
//! ```text
//! mul:          C ← A B            A: [m, k]   B: [k, n]   C: [m, n]
//! mul_add:      C ← A B + C
//! mul_add_row:  C ← A B + 1 bᵀ     b: [n], added to every row
//! ```
//!
//! Transposes are views (`a.t()`) and cost nothing here: the operands are packed anyway.

use crate::real::Real;
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use std::hint::black_box;

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

/// Runs an expression as code for the widest vector registers of the processor, AVX-512 or AVX2 (x86-64; elsewhere registers
/// are as wide as they get): a loop that becomes vector code takes twice as many elements at a time or more.
///
/// The bits stay the same. Each operation rounds as before, since no compiler merges a product and a sum by itself, and sums
/// keep the lanes that they are written with. What the expression calls should be `#[inline]`, or it stays narrow.
macro_rules! wide {
    ($body:expr) => {
        $crate::gemm::in_wide_registers(
            #[inline(always)]
            || $body,
        )
    };
}
pub(crate) use wide;

/// What [`wide!`] calls.
#[inline]
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "code compiled for a feature may run only where the processor has it"
    )
)]
pub(crate) fn in_wide_registers<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        #[target_feature(enable = "avx512f,avx512vl,avx512dq")]
        fn avx512<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        #[target_feature(enable = "avx2")]
        fn avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        if has!("avx512f") && has!("avx512vl") && has!("avx512dq") {
            // SAFETY: `avx512` asks for nothing but the features that were just found.
            return unsafe { avx512(f) };
        }
        if has!("avx2") {
            // SAFETY: `avx2` asks for nothing but the feature that was just found.
            return unsafe { avx2(f) };
        }
    }
    f()
}

/// Multiplications and additions that stay in registers, on the calling thread: what no loop can exceed. Returns how many
/// there were, and what came out, to be used so that they are not left out.
///
/// Twelve vectors at once, since a multiply-add takes longer than the time until the next one can begin. Where no fused
/// multiply-add is known (all but x86-64), the compiler makes of them what it can.
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "code compiled for a feature may run only where the processor has it"
    )
)]
pub fn register_flops(rounds: usize) -> (f64, f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::{is_x86_feature_detected as has, x86_64 as x86};
        macro_rules! chains {
            ($rounds:ident, $lanes:literal, $fill:ident, $multiply_add:ident, $add:ident, $first:ident) => {{
                let (factor, term) = (x86::$fill(black_box(0.999_999)), x86::$fill(1e-6));
                let mut chains = [x86::$fill(1.0); 12];
                for _ in 0..$rounds {
                    for chain in &mut chains {
                        *chain = x86::$multiply_add(*chain, factor, term);
                    }
                }
                let sum = chains
                    .into_iter()
                    .fold(x86::$fill(0.0), |a, b| x86::$add(a, b));
                ((2 * 12 * $lanes * $rounds) as f64, x86::$first(sum))
            }};
        }
        #[target_feature(enable = "avx512f")]
        fn avx512(rounds: usize) -> (f64, f32) {
            chains!(
                rounds,
                16,
                _mm512_set1_ps,
                _mm512_fmadd_ps,
                _mm512_add_ps,
                _mm512_cvtss_f32
            )
        }
        #[target_feature(enable = "avx2,fma")]
        fn fma(rounds: usize) -> (f64, f32) {
            chains!(
                rounds,
                8,
                _mm256_set1_ps,
                _mm256_fmadd_ps,
                _mm256_add_ps,
                _mm256_cvtss_f32
            )
        }
        if has!("avx512f") {
            // SAFETY: `avx512` asks for nothing but the feature that was just found.
            return unsafe { avx512(rounds) };
        }
        if has!("avx2") && has!("fma") {
            // SAFETY: `fma` asks for nothing but the two features that were just found.
            return unsafe { fma(rounds) };
        }
    }
    let factor = black_box(0.999_999);
    let mut chains = [1.0_f32; 48];
    for _ in 0..rounds {
        for chain in &mut chains {
            *chain = *chain * factor + 1e-6;
        }
    }
    ((2 * chains.len() * rounds) as f64, chains.iter().sum())
}

#[cfg(test)]
mod tests {
    use crate::real::Real;
    use crate::reduce;
    use std::hint::black_box;

    /// Sums, exponentials, divisions and roots in wide registers, against the same code as it is compiled everywhere.
    #[test]
    fn wide_registers_give_the_same_bits() {
        fn work<T: Real>(x: &mut [T]) -> T {
            for x in &mut *x {
                *x = (*x * T::of(0.3) + T::one()).exponential() / (x.abs() + T::of(0.1)).sqrt();
            }
            reduce::sum(x) + reduce::dot(x, x) + reduce::max(x)
        }
        fn check<T: Real>() {
            for n in [0, 1, 7, 8, 9, 100] {
                let mut narrow: Vec<T> = (0..n).map(|i| T::of((f64::from(i) * 0.7).sin())).collect();
                let mut in_wide = narrow.clone();
                let results = (work(black_box(&mut narrow)), wide!(work(black_box(&mut in_wide))));
                assert!(
                    results.0 == results.1 && narrow == in_wide,
                    "{n} elements of {}",
                    T::NAME
                );
            }
        }
        check::<f32>();
        check::<f64>();
    }

    /// Twelve vectors of 8 or 16, or 48 numbers, each a multiplication and an addition a round.
    #[test]
    fn operations_in_registers_are_counted() {
        let (one, two) = (super::register_flops(1), super::register_flops(2));
        assert!([96.0, 192.0, 384.0].contains(&one.0), "{}", one.0);
        assert_eq!(two.0, 2.0 * one.0);
        // 1 · 0.999999 + 0.000001 in each of twelve chains, or of 48.
        assert!(
            (one.1 - 12.0).abs() < 1e-4 || (one.1 - 48.0).abs() < 1e-4,
            "{}",
            one.1
        );
    }
}
