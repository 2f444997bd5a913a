//! Which rows of a packed batch attend to which, and packed matrices cut into a block for each sequence and head.

use crate::nn::dropout::Mask;
use crate::random;
use crate::real::Real;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

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

    /// Whether the spans of queries cover `t` rows and those of keys `n`, one of each for a sequence.
    pub(super) fn check(&self, t: usize, n: usize) {
        assert_eq!(
            self.queries.len(),
            self.keys.len(),
            "a span of queries and one of keys for each sequence"
        );
        for (offsets, rows) in [(&self.queries, t), (&self.keys, n)] {
            assert!(
                offsets.is_sorted() && offsets.first() == Some(&0),
                "spans in order, from row 0 on"
            );
            assert_eq!(offsets.last(), Some(&rows), "spans over all rows");
        }
    }

    /// The number of attention probabilities of one head: `Σ t·s`.
    pub(super) fn area(&self) -> usize {
        let lengths = |offsets: &[usize], k: usize| offsets[k + 1] - offsets[k];
        (0..self.keys.len() - 1)
            .map(|k| lengths(&self.queries, k) * lengths(&self.keys, k))
            .sum()
    }
}

/// The rows that a block takes from a packed matrix.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Queries,
    Keys,
}

/// Cuts packed matrices into one block for each (sequence, head), sequences outside, heads inside.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'a> {
    pub(super) spans: &'a Spans,
    pub(super) heads: usize,
}

impl<'a> Blocks<'a> {
    fn offsets(self, side: Side) -> &'a [usize] {
        match side {
            Side::Queries => &self.spans.queries,
            Side::Keys => &self.spans.keys,
        }
    }

    /// The blocks `[rows of the sequence, columns of the head]` of a matrix `[n, h]`.
    pub(super) fn of<T>(self, x: ArrayView2<'_, T>, side: Side) -> Vec<ArrayView2<'_, T>> {
        let d = x.ncols() / self.heads;
        let offsets = self.offsets(side);
        (0..(offsets.len() - 1) * self.heads)
            .map(|i| (i / self.heads, i % self.heads))
            .map(|(k, head)| x.slice_move(s![offsets[k]..offsets[k + 1], head * d..(head + 1) * d]))
            .collect()
    }

    /// The same blocks, mutable.
    pub(super) fn of_mut<T>(self, x: ArrayViewMut2<'_, T>, side: Side) -> Vec<ArrayViewMut2<'_, T>> {
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
    pub(super) fn square<T>(self, mut rest: &[T]) -> Vec<ArrayView2<'_, T>> {
        let mut blocks = Vec::with_capacity(self.heads * self.spans.keys.len());
        for shape in self.shapes() {
            let (block, behind) = rest.split_at(shape.0 * shape.1);
            blocks.push(ArrayView2::from_shape(shape, block).expect("the block was cut to its shape"));
            rest = behind;
        }
        blocks
    }

    /// The same blocks, mutable.
    pub(super) fn square_mut<T>(self, mut rest: &mut [T]) -> Vec<ArrayViewMut2<'_, T>> {
        let mut blocks = Vec::with_capacity(self.heads * self.spans.keys.len());
        for shape in self.shapes() {
            let (block, behind) = rest.split_at_mut(shape.0 * shape.1);
            blocks.push(ArrayViewMut2::from_shape(shape, block).expect("the block was cut to its shape"));
            rest = behind;
        }
        blocks
    }

    /// Drops elements of block `i`, whose rows are keyed by (query row, head).
    pub(super) fn drop_rows<T: Real>(
        self,
        i: usize,
        x: &mut ArrayViewMut2<'_, T>,
        mask: Mask,
        row_keys: &[u64],
    ) {
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
