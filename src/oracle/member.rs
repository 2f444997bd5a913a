//! The elements of one tensor in a component: a first element and, for each axis that is summed over, a length and a stride.

use super::exact::Total;
use super::tensor::Data;
use crate::clip::{Extent, Statistic};

/// The elements of one tensor in a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The tensor, as an index into the case's gradients.
    pub tensor: usize,
    /// Whether the elements count in the norm.
    pub counted: bool,
    /// Whether they are scaled.
    pub scaled: bool,
    /// The first element.
    pub(super) first: usize,
    /// Length and stride of the axes, outer to inner.
    pub(super) axes: Vec<(usize, usize)>,
}

impl Member {
    /// Elements.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|&(length, _)| length).product()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much of a tensor, or of a unit, it is.
    pub(super) fn extent(&self) -> Extent {
        let lengths: Vec<usize> = self.axes.iter().map(|&(length, _)| length).collect();
        Extent::of(&lengths)
    }

    /// Where the `k`th element lies in its tensor.
    #[inline]
    pub fn index(&self, mut k: usize) -> usize {
        // Nearly every member is one axis, and needs no division.
        if let [(_, stride)] = self.axes[..] {
            return self.first + k * stride;
        }
        let mut index = self.first;
        for &(length, stride) in self.axes.iter().rev() {
            index += k % length * stride;
            k /= length;
        }
        index
    }

    /// The elements: those of the tensor if they lie together, else a copy.
    pub(super) fn gather(&self, data: &Data) -> Data {
        match data {
            Data::F16(x) => Data::F16(self.pick(x)),
            Data::Bf16(x) => Data::Bf16(self.pick(x)),
            Data::F32(x) => Data::F32(self.pick(x)),
            Data::F64(x) => Data::F64(self.pick(x)),
        }
    }

    /// The total of its elements.
    pub(super) fn total(&self, data: &Data, statistic: Statistic) -> Total {
        if let Some(range) = self.range() {
            return Total::of(statistic, data.slice(range));
        }
        let own = self.gather(data);
        Total::of(statistic, own.slice(0..own.len()))
    }

    fn pick<B: Copy>(&self, x: &[B]) -> Vec<B> {
        (0..self.len()).map(|k| x[self.index(k)]).collect()
    }

    /// The range of the elements, if they lie together.
    pub fn range(&self) -> Option<std::ops::Range<usize>> {
        match self.axes[..] {
            [] => Some(self.first..self.first + 1),
            [(length, 1)] => Some(self.first..self.first + length),
            _ => None,
        }
    }
}
