//! Which norm a component's output implies.
//!
//! For every formula the magnitude of an element can only fall as the norm grows. So for each element the norms that
//! give exactly its output are an interval, found by bisection over the numbers of the type that keeps norms, and the
//! intersection over all elements is what the output says about the norm. If it is empty, no norm explains the bits:
//! the formula is another one. If it is not, formula and roundings are right and only the sum is off, by as much as the
//! interval says.

use super::case::Case;
use super::expect::{Expected, Function, find};
use super::format::same;
use super::interval::Interval;
use super::tensor::Tensor;

/// How many elements of a tensor are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// All.
    All,
    /// Some thousands, evenly spread: enough to tell most formulas apart.
    Sample,
}

impl Look {
    /// Which of `length` elements.
    pub(super) fn at(self, length: usize) -> impl Iterator<Item = usize> + Clone {
        let step = match self {
            Self::All => 1,
            Self::Sample => (length / 4096).max(1),
        };
        (0..length).step_by(step)
    }
}

/// What the outputs of a component say about its norm.
pub(super) struct Implied {
    /// The norms for which every element is right to the bit; none if there is none, or no element says anything.
    pub(super) norm: Option<Interval>,
}

impl Implied {
    /// Looks at elements of a component.
    pub(super) fn of(case: &Case, after: &[&Tensor], expected: &Expected, look: Look) -> Self {
        let format = expected.format;
        let (mut lo, mut hi) = (0, format.ordinal(f64::INFINITY));
        for member in &expected.component.members {
            let before = &case.before[member.tensor].data;
            let moments = find(&case.second_moments, &case.before[member.tensor].name);
            let at = |ordinal: i64| -> Function {
                let n = Interval::point(format.from_ordinal(ordinal));
                expected.function_for(member, before.format(), n, n)
            };
            let (mut low, mut high) = (at(lo), at(hi));
            // The largest element narrows the most; the others then mostly agree at both ends.
            let order = largest_first(before, look.at(member.len()).map(|k| member.index(k)));
            for i in order {
                let (x, y) = (before.get(i), after[member.tensor].data.get(i));
                let v = moments.map_or(0.0, |v| v.get(i));
                let result = |f: &Function| f.exact(x, v).lo;
                if same(result(&low), y) && same(result(&high), y) {
                    continue;
                }
                let magnitude = |ordinal: i64| result(&at(ordinal)).abs();
                let first = bisect(lo, hi + 1, |n| falls(magnitude(n), y.abs()));
                let past = bisect(first, hi + 1, |n| magnitude(n) != y.abs());
                if first >= past || !same(result(&at(first)), y) || !same(result(&at(past - 1)), y) {
                    return Self { norm: None };
                }
                (lo, hi) = (first, past - 1);
                (low, high) = (at(lo), at(hi));
            }
        }
        Self {
            norm: Some(Interval {
                lo: format.from_ordinal(lo),
                hi: format.from_ordinal(hi),
            }),
        }
    }
}

/// The indices with that of the largest magnitude in front.
fn largest_first(
    data: &super::Data,
    indices: impl Iterator<Item = usize> + Clone,
) -> impl Iterator<Item = usize> {
    let magnitude = |i: &usize| data.get(*i).abs();
    let largest = indices
        .clone()
        .max_by(|a, b| magnitude(a).total_cmp(&magnitude(b)));
    largest.into_iter().chain(indices)
}

/// Whether a magnitude is not above another; NaN, where the norm is beyond all bounds, counts as small.
fn falls(a: f64, b: f64) -> bool {
    a <= b || a.is_nan()
}

/// The first integer in `lo..hi` for which a monotone condition holds, or `hi`.
fn bisect(mut lo: i64, mut hi: i64, holds: impl Fn(i64) -> bool) -> i64 {
    while lo < hi {
        let middle = lo + (hi - lo) / 2;
        if holds(middle) {
            hi = middle;
        } else {
            lo = middle + 1;
        }
    }
    lo
}
