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
use super::member::Member;
use super::tensor::{Data, Tensor};
use rayon::prelude::*;

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

/// Norms as ordinals of the type that keeps them, both ends included; none where no norm is left.
type Norms = Option<(i64, i64)>;

/// A member of a component, and what came of its elements.
struct Part<'a> {
    expected: &'a Expected,
    member: &'a Member,
    before: &'a Data,
    after: &'a Data,
    moments: Option<&'a Data>,
}

/// Elements that are looked at in one go.
const PART: usize = 1 << 16;

impl Implied {
    /// Looks at elements of a component.
    pub(super) fn of(case: &Case, after: &[&Tensor], expected: &Expected, look: Look) -> Self {
        let format = expected.format;
        let mut norms = (0, format.ordinal(f64::INFINITY));
        for member in &expected.component.members {
            let before = &case.before[member.tensor];
            let part = Part {
                expected,
                member,
                before: &before.data,
                after: &after[member.tensor].data,
                moments: find(&case.second_moments, &before.name),
            };
            let sample = Look::Sample.at(member.len()).map(|k| member.index(k));
            // The largest element narrows the most; the others then mostly agree at both ends.
            let Some(first) = part.narrow(norms, largest_first(&before.data, sample)) else {
                return Self { norm: None };
            };
            let left = match look {
                Look::Sample => Some(first),
                Look::All => part.all(first),
            };
            let Some(left) = left else {
                return Self { norm: None };
            };
            norms = left;
        }
        Self {
            norm: Some(Interval {
                lo: format.from_ordinal(norms.0),
                hi: format.from_ordinal(norms.1),
            }),
        }
    }
}

impl Part<'_> {
    fn function(&self, ordinal: i64) -> Function {
        let n = Interval::point(self.expected.format.from_ordinal(ordinal));
        self.expected
            .function_for(self.member, self.before.format(), n, n)
    }

    /// What all elements leave of these norms: each part by itself, and then what they have in common.
    fn all(&self, norms: (i64, i64)) -> Norms {
        let (low, high) = (self.function(norms.0), self.function(norms.1));
        let parts = (0..self.member.len().div_ceil(PART)).into_par_iter().map(|part| {
            let (start, end) = (part * PART, ((part + 1) * PART).min(self.member.len()));
            if let Some(all) = self.member.range() {
                let range = all.start + start..all.start + end;
                let (x, y) = (self.before.slice(range.clone()), self.after.slice(range));
                if low.is_at_once(x, y) && high.is_at_once(x, y) {
                    return Some(norms);
                }
            }
            self.narrow(norms, (start..end).map(|k| self.member.index(k)))
        });
        let parts: Vec<Norms> = parts.collect();
        let (mut lo, mut hi) = norms;
        for part in parts {
            let (first, last) = part?;
            (lo, hi) = (lo.max(first), hi.min(last));
        }
        (lo <= hi).then_some((lo, hi))
    }

    /// What these elements leave of these norms.
    fn narrow(&self, (mut lo, mut hi): (i64, i64), indices: impl Iterator<Item = usize>) -> Norms {
        let (mut low, mut high) = (self.function(lo), self.function(hi));
        for i in indices {
            let (x, y) = (self.before.get(i), self.after.get(i));
            let v = self.moments.map_or(0.0, |v| v.get(i));
            let result = |f: &Function| f.exact(x, v).lo;
            if same(result(&low), y) && same(result(&high), y) {
                continue;
            }
            let magnitude = |ordinal: i64| result(&self.function(ordinal)).abs();
            let first = bisect(lo, hi + 1, |n| falls(magnitude(n), y.abs()));
            let past = bisect(first, hi + 1, |n| magnitude(n) != y.abs());
            if first >= past || !same(result(&self.function(first)), y) {
                return None;
            }
            if !same(result(&self.function(past - 1)), y) {
                return None;
            }
            (lo, hi) = (first, past - 1);
            (low, high) = (self.function(lo), self.function(hi));
        }
        Some((lo, hi))
    }
}

/// The indices with that of the largest magnitude in front.
fn largest_first(data: &Data, indices: impl Iterator<Item = usize> + Clone) -> impl Iterator<Item = usize> {
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
