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

use crate::gemm;
use crate::nn::dropout::Mask;
use crate::pool::{Buffer, Pool};
use crate::random;
use crate::real::Real;
use crate::reduce;
use crate::simd::wide;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

/// Where each sequence begins in the packed rows of queries and of keys.
///
/// Queries are a prefix of their sequence: row `t` of a sequence's queries is its token `t`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Sequence `k` has the query rows `queries[k]..queries[k + 1]`.
    pub queries: Vec<usize>,
    /// Sequence `k` has the key rows `keys[k]..keys[k + 1]`.
    pub keys: Vec<usize>,
}

impl Spans {
    /// Every token asks.
    pub fn all_tokens(offsets: &[usize]) -> Self {
        Self {
            queries: offsets.to_vec(),
            keys: offsets.to_vec(),
        }
    }

    /// Only the first token of each sequence asks.
    pub fn first_tokens(offsets: &[usize]) -> Self {
        Self {
            queries: (0..offsets.len()).collect(),
            keys: offsets.to_vec(),
        }
    }

    /// The number of attention probabilities of one head: `Σ t·s`.
    fn area(&self) -> usize {
        let lengths = |offsets: &[usize], k: usize| offsets[k + 1] - offsets[k];
        (0..self.keys.len() - 1)
            .map(|k| lengths(&self.queries, k) * lengths(&self.keys, k))
            .sum()
    }
}

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
pub fn forward<T: Real>(
    (q, k, v): (Buffer<T>, Buffer<T>, Buffer<T>),
    spans: &Spans,
    heads: usize,
    mask: Mask,
    row_keys: &[u64],
    pool: &Pool<T>,
) -> (Buffer<T>, AttentionCache<T>) {
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

/// [`forward`] without dropout and without a cache: `Y: [Σ t, h]`.
pub fn infer<T: Real>(
    (q, k, v): (Buffer<T>, Buffer<T>, Buffer<T>),
    spans: &Spans,
    heads: usize,
    pool: &Pool<T>,
) -> Buffer<T> {
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

/// The rows that a block takes from a packed matrix.
#[derive(Clone, Copy)]
enum Side {
    Queries,
    Keys,
}

/// Cuts packed matrices into one block for each (sequence, head), sequences outside, heads inside.
#[derive(Clone, Copy)]
struct Blocks<'a> {
    spans: &'a Spans,
    heads: usize,
}

impl<'a> Blocks<'a> {
    fn offsets(self, side: Side) -> &'a [usize] {
        match side {
            Side::Queries => &self.spans.queries,
            Side::Keys => &self.spans.keys,
        }
    }

    /// The blocks `[rows of the sequence, columns of the head]` of a matrix `[n, h]`.
    fn of<T>(self, x: ArrayView2<'_, T>, side: Side) -> Vec<ArrayView2<'_, T>> {
        let d = x.ncols() / self.heads;
        let offsets = self.offsets(side);
        (0..(offsets.len() - 1) * self.heads)
            .map(|i| (i / self.heads, i % self.heads))
            .map(|(k, head)| x.slice_move(s![offsets[k]..offsets[k + 1], head * d..(head + 1) * d]))
            .collect()
    }

    /// The same blocks, mutable.
    fn of_mut<T>(self, x: ArrayViewMut2<'_, T>, side: Side) -> Vec<ArrayViewMut2<'_, T>> {
        let d = x.ncols() / self.heads;
        let mut blocks = Vec::with_capacity((self.offsets(side).len() - 1) * self.heads);
        let mut rest = x;
        for span in self.offsets(side).windows(2) {
            let (rows, below) = rest.split_at(Axis(0), span[1] - span[0]);
            rest = below;
            let mut columns = rows;
            for _ in 0..self.heads {
                let (head, right) = columns.split_at(Axis(1), d);
                blocks.push(head);
                columns = right;
            }
        }
        blocks
    }

    /// The shapes `[t, s]` of the blocks of probabilities.
    fn shapes(self) -> impl Iterator<Item = (usize, usize)> {
        let (queries, keys) = (self.spans.queries.windows(2), self.spans.keys.windows(2));
        queries
            .zip(keys)
            .flat_map(move |(q, k)| std::iter::repeat_n((q[1] - q[0], k[1] - k[0]), self.heads))
    }

    /// The blocks of probabilities, laid out one after the other.
    fn square<T>(self, mut rest: &[T]) -> Vec<ArrayView2<'_, T>> {
        let mut blocks = Vec::with_capacity(self.heads * self.spans.keys.len());
        for shape in self.shapes() {
            let (block, behind) = rest.split_at(shape.0 * shape.1);
            blocks.push(ArrayView2::from_shape(shape, block).expect("the block was cut to its shape"));
            rest = behind;
        }
        blocks
    }

    /// The same blocks, mutable.
    fn square_mut<T>(self, mut rest: &mut [T]) -> Vec<ArrayViewMut2<'_, T>> {
        let mut blocks = Vec::with_capacity(self.heads * self.spans.keys.len());
        for shape in self.shapes() {
            let (block, behind) = rest.split_at_mut(shape.0 * shape.1);
            blocks.push(ArrayViewMut2::from_shape(shape, block).expect("the block was cut to its shape"));
            rest = behind;
        }
        blocks
    }

    /// Drops elements of block `i`, whose rows are keyed by (query row, head).
    fn drop_rows<T: Real>(self, i: usize, x: &mut ArrayViewMut2<'_, T>, mask: Mask, row_keys: &[u64]) {
        if mask.is_off() {
            return;
        }
        let first = self.spans.queries[i / self.heads];
        let head = (i % self.heads) as u64;
        for (t, mut row) in x.rows_mut().into_iter().enumerate() {
            let row = row
                .as_slice_mut()
                .expect("a block of probabilities is contiguous");
            mask.apply_row(random::key(&[row_keys[first + t], head]), row);
        }
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
