//! Scaled dot-product attention over packed sequences, head by head
//! (Vaswani et al., *Attention Is All You Need*, 2017, arXiv 1706.03762, section 3.2).
//!
//! A batch is the concatenation of its sequences; [`Spans`] says where each begins. Sequence by sequence and head by
//! head, with `s` keys and `t` queries (`t = s`, or `t = 1` where only the first token is asked for):
//!
//! ```text
//! forward                                  Q: [t, d]   K, V: [s, d]
//!   (1) S  = Q Kᵀ / √d                     [t, s]
//!   (2) P  = softmax(S), row by row        [t, s]
//!   (3) A  = P ⊙ M                         [t, s]      M: dropout
//!   (4) Y  = A V                           [t, d]
//!
//! backward
//!   (4) dA = dY Vᵀ          dV = Aᵀ dY
//!   (3) dP = dA ⊙ M
//!   (2) dS = P ⊙ (dP − Σₛ dP ⊙ P)
//!   (1) dQ = dS K / √d      dK = dSᵀ Q / √d
//! ```
//!
//! No padding exists here, so no attention mask is needed: a query sees the keys of its own sequence, all of them.
//! The parallel loop is the one over (sequence, head); its blocks of the outputs are disjoint.

mod blocks;

use crate::gemm;
use crate::nn::dropout::Mask;
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use crate::reduce;
use crate::simd::wide;
pub use blocks::Spans;
use blocks::{Blocks, Side};
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

/// What [`backward`] needs.
#[derive(Debug)]
pub struct AttentionCache<T: Real> {
    /// `Q: [Σ t, h]`.
    q: Buffer<T>,
    /// `K: [n, h]`.
    k: Buffer<T>,
    /// `V: [n, h]`.
    v: Buffer<T>,
    /// `P`, block after block, a block for each (sequence, head).
    probs: Buffer<T>,
    /// `A` in the same layout; `None` where nothing is dropped and `A = P`.
    dropped: Option<Buffer<T>>,
}

/// Attention of `heads` heads: `Y: [Σ t, h]` and the cache.
///
/// `row_keys` holds one dropout key for each query row; a head's row of `M` is keyed by (row key, head).
///
/// # Panics
/// If the shapes of `Q`, `K` and `V`, the heads, the spans and the keys do not fit together.
pub fn forward<T: Real>(
    (q, k, v): (Buffer<T>, Buffer<T>, Buffer<T>),
    spans: &Spans,
    heads: usize,
    mask: Mask,
    row_keys: &[u64],
    pool: &Pool<T>,
) -> (Buffer<T>, AttentionCache<T>) {
    check((&q, &k, &v), spans, heads);
    assert_eq!(row_keys.len(), q.nrows(), "one key of dropout for each row of Q");
    let mut y = pool.buffer(q.nrows(), q.ncols());
    let mut probs = pool.buffer(1, heads * spans.area());
    let mut dropped = (!mask.is_off()).then(|| pool.buffer(1, heads * spans.area()));

    let blocks = Blocks { spans, heads };
    let (qs, ks, vs) = (
        blocks.of(q.view(), Side::Queries),
        blocks.of(k.view(), Side::Keys),
        blocks.of(v.view(), Side::Keys),
    );
    let mut tasks: Vec<_> = blocks
        .of_mut(y.view_mut(), Side::Queries)
        .into_iter()
        .zip(blocks.square_mut(probs.flat_mut()))
        .map(|(y, p)| (y, p, None))
        .collect();
    if let Some(dropped) = &mut dropped {
        for (task, a) in tasks.iter_mut().zip(blocks.square_mut(dropped.flat_mut())) {
            task.2 = Some(a);
        }
    }
    tasks.into_par_iter().enumerate().for_each(|(i, (y, mut p, a))| {
        gemm::mul_serial(qs[i], ks[i].t(), p.view_mut()); // (1), but for the scale
        softmax_rows(&mut p, scale(qs[i].ncols())); // (1) and (2)
        match a {
            Some(mut a) => {
                a.assign(&p);
                blocks.drop_rows(i, &mut a, mask, row_keys); // (3)
                gemm::mul_serial(a.view(), vs[i], y); // (4)
            }
            None => gemm::mul_serial(p.view(), vs[i], y), // (4)
        }
    });
    (
        y,
        AttentionCache {
            q,
            k,
            v,
            probs,
            dropped,
        },
    )
}

/// Whether queries, keys and values, spans and heads fit together.
fn check<T: Real>((q, k, v): (&Buffer<T>, &Buffer<T>, &Buffer<T>), spans: &Spans, heads: usize) {
    assert_eq!(k.dim(), v.dim(), "a value for each key");
    assert_eq!(q.ncols(), k.ncols(), "queries as wide as keys");
    assert!(
        heads > 0 && q.ncols().is_multiple_of(heads),
        "rows that {heads} heads share"
    );
    spans.check(q.nrows(), k.nrows());
}

/// [`forward`] without dropout and without a cache: `Y: [Σ t, h]`.
///
/// # Panics
/// As [`forward`].
pub fn infer<T: Real>(
    (q, k, v): (Buffer<T>, Buffer<T>, Buffer<T>),
    spans: &Spans,
    heads: usize,
    pool: &Pool<T>,
) -> Buffer<T> {
    check((&q, &k, &v), spans, heads);
    let mut y = pool.buffer(q.nrows(), q.ncols());
    let blocks = Blocks { spans, heads };
    let (qs, ks, vs) = (
        blocks.of(q.view(), Side::Queries),
        blocks.of(k.view(), Side::Keys),
        blocks.of(v.view(), Side::Keys),
    );
    let tasks = blocks.of_mut(y.view_mut(), Side::Queries);
    tasks.into_par_iter().enumerate().for_each(|(i, y)| {
        let mut p = pool.buffer(qs[i].nrows(), ks[i].nrows());
        gemm::mul_serial(qs[i], ks[i].t(), p.view_mut()); // (1), but for the scale
        softmax_rows(&mut p.view_mut(), scale(qs[i].ncols())); // (1) and (2)
        gemm::mul_serial(p.view(), vs[i], y); // (4)
    });
    y
}

/// `(dQ, dK, dV)` for the same spans, heads, mask and row keys as the forward pass.
///
/// # Panics
/// If `dy` has not the shape of `Y`, or the others are not those of the forward pass.
pub fn backward<T: Real>(
    dy: ArrayView2<'_, T>,
    cache: &AttentionCache<T>,
    spans: &Spans,
    heads: usize,
    mask: Mask,
    row_keys: &[u64],
    pool: &Pool<T>,
) -> (Buffer<T>, Buffer<T>, Buffer<T>) {
    let AttentionCache {
        q,
        k,
        v,
        probs,
        dropped,
    } = cache;
    check((q, k, v), spans, heads);
    assert_eq!(dy.dim(), q.dim(), "a gradient of the shape of Y");
    assert_eq!(row_keys.len(), q.nrows(), "one key of dropout for each row of Q");
    assert_eq!(probs.len(), heads * spans.area(), "the spans of the forward pass");
    assert_eq!(dropped.is_none(), mask.is_off(), "the mask of the forward pass");
    let mut dq = pool.buffer(q.nrows(), q.ncols());
    let mut dk = pool.buffer(k.nrows(), k.ncols());
    let mut dv = pool.buffer(v.nrows(), v.ncols());
    let mut scratch = pool.buffer(1, probs.len());

    let blocks = Blocks { spans, heads };
    let (dys, qs) = (blocks.of(dy, Side::Queries), blocks.of(q.view(), Side::Queries));
    let (ks, vs) = (blocks.of(k.view(), Side::Keys), blocks.of(v.view(), Side::Keys));
    let ps = blocks.square(probs.flat());
    let a = dropped
        .as_ref()
        .map_or_else(|| blocks.square(probs.flat()), |a| blocks.square(a.flat()));
    let tasks: Vec<_> = blocks
        .of_mut(dq.view_mut(), Side::Queries)
        .into_iter()
        .zip(blocks.of_mut(dk.view_mut(), Side::Keys))
        .zip(blocks.of_mut(dv.view_mut(), Side::Keys))
        .zip(blocks.square_mut(scratch.flat_mut()))
        .collect();
    tasks
        .into_par_iter()
        .enumerate()
        .for_each(|(i, (((dq, dk), dv), mut ds))| {
            gemm::mul_serial(dys[i], vs[i].t(), ds.view_mut()); // (4) dA
            gemm::mul_serial(a[i].t(), dys[i], dv); // (4) dV
            blocks.drop_rows(i, &mut ds, mask, row_keys); // (3) dP
            softmax_rows_backward(&mut ds, ps[i], scale(qs[i].ncols())); // (2) dS, times the scale of (1)
            gemm::mul_serial(ds.view(), ks[i], dq); // (1) dQ
            gemm::mul_serial(ds.t(), qs[i], dk); // (1) dK
        });
    (dq, dk, dv)
}

/// `1/√d`.
fn scale<T: Real>(d: usize) -> T {
    T::of(1.0 / (d as f64).sqrt())
}

/// `x ← softmax(scale · x)`, row by row, shifted by the row's maximum so that nothing overflows.
fn softmax_rows<T: Real>(x: &mut ArrayViewMut2<'_, T>, scale: T) {
    for mut row in x.rows_mut() {
        let row = row
            .as_slice_mut()
            .expect("a block of probabilities is contiguous");
        wide!({
            let max = reduce::max(row);
            for x in &mut *row {
                *x = ((*x - max) * scale).exponential();
            }
            let total = reduce::sum(row);
            for x in row {
                *x /= total;
            }
        });
    }
}

/// `dx ← scale · p ⊙ (dx − Σ dx ⊙ p)`, row by row: from the gradient of `p = softmax(scale · x)` to that of `x`.
fn softmax_rows_backward<T: Real>(dx: &mut ArrayViewMut2<'_, T>, p: ArrayView2<'_, T>, scale: T) {
    for (mut dx, p) in dx.rows_mut().into_iter().zip(p.rows()) {
        let dx = dx.as_slice_mut().expect("a block of probabilities is contiguous");
        let p = p.to_slice().expect("a block of probabilities is contiguous");
        wide!({
            let mean = reduce::dot(dx, p);
            for (dx, &p) in dx.iter_mut().zip(p) {
                *dx = p * (*dx - mean) * scale;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    /// Two sequences of two tokens and of one, one head, d = 1. The first: q = [ln 3, 0], k = [1, 0], v = [4, 8].
    /// Query 0 scores [ln 3, 0], so P = [3/4, 1/4] and y = 3 + 2 = 5; query 1 scores [0, 0] and y = 6. The second
    /// sequence sees itself alone: y = v.
    #[test]
    fn worked_example() {
        let pool = Pool::new();
        let matrix = |x: [f64; 3]| pool.copy(arr2(&[[x[0]], [x[1]], [x[2]]]).view());
        let (q, k, v) = (
            matrix([3.0_f64.ln(), 0.0, 5.0]),
            matrix([1.0, 0.0, 7.0]),
            matrix([4.0, 8.0, 9.0]),
        );
        let spans = Spans::all_tokens(&[0, 2, 3]);
        let (y, _) = forward((q, k, v), &spans, 1, Mask::OFF, &[0; 3], &pool);
        let expected = arr2(&[[5.0], [6.0], [9.0]]);
        assert!((&*y - &expected).iter().all(|x| x.abs() < 1e-15), "{y:?}");
    }

    /// Scores of ±1000 neither overflow nor give NaN.
    #[test]
    fn softmax_is_safe() {
        let mut x = arr2(&[[1000.0_f32, -1000.0, 1000.0]]);
        softmax_rows(&mut x.view_mut(), 1.0);
        assert_eq!(x, arr2(&[[0.5, 0.0, 0.5]]));
    }
}
