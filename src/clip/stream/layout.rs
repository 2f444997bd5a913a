//! Where the units of a tensor lie in the order of its elements.

use crate::clip::plan::units;
use crate::clip::scaling::Extent;
use std::ops::Range;

/// Elements that are in memory at once.
pub(super) const CHUNK: usize = 1 << 20;

/// The units of a tensor, by the place of their elements.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// Units.
    pub(super) units: usize,
    /// Elements of each.
    pub(super) len: usize,
    /// What kernels ask about each.
    pub(super) extent: Extent,
    /// Elements that follow each other and belong to one unit, or one each to units that follow each other.
    run: usize,
    /// What a run is.
    pub(super) kind: Kind,
    /// The axes before those of a run, last first: extent, and the distance of two indices in units.
    outer: Vec<(usize, usize)>,
}

/// What the elements of a run have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Their unit.
    Within,
    /// Nothing: each is in the unit after that of the one before.
    Across,
}

/// Elements in a row, as places in the range that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) range: Range<usize>,
    /// The unit of the first.
    pub(super) unit: usize,
}

impl Layout {
    /// Of a tensor of this shape whose units are summed over these axes; none: the tensor is one unit.
    pub(super) fn new(shape: &[usize], summed: Option<&[usize]>) -> Self {
        let kept = |axis: &usize| summed.is_some_and(|summed| !summed.contains(axis));
        let units = summed.map_or(1, |summed| units(shape, summed));
        let elements: usize = shape.iter().product();
        let own: Vec<usize> = (0..shape.len())
            .filter(|axis| !kept(axis))
            .map(|axis| shape[axis])
            .collect();
        // Axes of extent 1 have no say.
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] != 1).collect();
        let last_is_kept = axes.last().is_some_and(kept);
        let inner = axes.iter().rev().take_while(|axis| kept(axis) == last_is_kept);
        let inner: Vec<usize> = inner.copied().collect();
        let run = inner.iter().map(|&axis| shape[axis]).product();
        let mut distance = if last_is_kept { run } else { 1 };
        let mut outer = Vec::new();
        for &axis in axes.iter().rev().skip(inner.len()) {
            if kept(&axis) {
                outer.push((shape[axis], distance));
                distance *= shape[axis];
            } else {
                outer.push((shape[axis], 0));
            }
        }
        Self {
            units,
            len: elements.checked_div(units).unwrap_or(0),
            extent: Extent::of(&own),
            run,
            kind: if last_is_kept { Kind::Across } else { Kind::Within },
            outer,
        }
    }

    /// Whether the elements of each unit follow each other, unit after unit.
    pub(super) fn is_contiguous(&self) -> bool {
        self.len <= 1 || self.kind == Kind::Within && self.run == self.len
    }

    /// The runs of a range of elements.
    pub(super) fn runs(&self, elements: Range<usize>) -> impl Iterator<Item = Run> {
        let start = elements.start;
        let mut at = start;
        std::iter::from_fn(move || {
            if at >= elements.end {
                return None;
            }
            let (mut index, offset) = (at / self.run, at % self.run);
            let mut unit = match self.kind {
                Kind::Within => 0,
                Kind::Across => offset,
            };
            for &(extent, distance) in &self.outer {
                unit += index % extent * distance;
                index /= extent;
            }
            let end = (at - offset + self.run).min(elements.end);
            let range = at - start..end - start;
            at = end;
            Some(Run { range, unit })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The unit of each element.
    fn units(shape: &[usize], summed: &[usize], step: usize) -> Vec<usize> {
        let layout = Layout::new(shape, Some(summed));
        let elements: usize = shape.iter().product();
        let mut all = Vec::new();
        for start in (0..elements).step_by(step) {
            for run in layout.runs(start..(start + step).min(elements)) {
                assert_eq!(start + run.range.start, all.len());
                all.extend(run.range.clone().map(|i| match layout.kind {
                    Kind::Within => run.unit,
                    Kind::Across => run.unit + i - run.range.start,
                }));
            }
        }
        all
    }

    /// Unit numbers count along the axes that are kept, in row-major order.
    #[test]
    fn the_unit_of_each_element() {
        for step in [1, 2, 3, 5, 100] {
            assert_eq!(units(&[2, 3], &[1], step), [0, 0, 0, 1, 1, 1]);
            assert_eq!(units(&[2, 3], &[0], step), [0, 1, 2, 0, 1, 2]);
            assert_eq!(units(&[2, 3], &[0, 1], step), [0; 6]);
            assert_eq!(units(&[2, 3], &[], step), [0, 1, 2, 3, 4, 5]);
            assert_eq!(
                units(&[2, 3, 2], &[1], step),
                [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3]
            );
            assert_eq!(
                units(&[2, 3, 2], &[0, 2], step),
                [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]
            );
            let halves = [0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7];
            assert_eq!(units(&[2, 2, 2, 2], &[2], step), halves);
            assert_eq!(units(&[2, 1, 2], &[0, 1], step), [0, 1, 0, 1]);
            assert_eq!(units(&[1, 4], &[0, 1], step), [0; 4]);
            assert_eq!(units(&[], &[], step), [0]);
        }
        let layout = |shape: &[usize], summed: &[usize]| Layout::new(shape, Some(summed));
        assert!(layout(&[2, 3], &[1]).is_contiguous() && !layout(&[2, 3], &[0]).is_contiguous());
        assert!(layout(&[2, 3], &[]).is_contiguous() && layout(&[1, 3], &[0]).is_contiguous());
        assert_eq!((layout(&[3, 0], &[1]).units, layout(&[3, 0], &[1]).len), (0, 0));
        assert_eq!(layout(&[0, 3], &[1]).units, 0);
    }
}
