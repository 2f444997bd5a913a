//! The small steps from a case to a smaller one, in the order in which they are tried.

use crate::clip::Threshold;
use crate::oracle::{Case, Data, Tensor};
use std::ops::Range;

/// Proposes smaller cases, one after the other, and is told of each whether it still fails.
#[derive(Clone, Debug)]
pub(in crate::cases) struct Shrinker {
    smallest: Case,
    proposed: Option<Case>,
    pass: Pass,
    /// The tensor and its axis that the pass is at.
    tensor: usize,
    axis: usize,
    /// The part that goes: so many from here. 0: the pass has not begun with the tensor.
    size: usize,
    from: usize,
    /// Whether anything became smaller since the first pass.
    changed: bool,
    /// Proposals so far.
    count: usize,
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pass {
    /// Without some of the tensors.
    Tensors,
    /// With one element for each tensor, with twice the threshold for all elements, with ones.
    All,
    /// With the first 1, 2, 4, 8, … indices of an axis.
    Powers,
    /// Without the first or the last indices of an axis, ever fewer of them.
    Ends,
    /// Without some indices of an axis.
    Inside,
    /// With some elements replaced by this number.
    Numbers(f64),
    Done,
}

/// The least part that is tried among so many: one where they are few, and so many together that the tries times the
/// length stay about the same where they are not.
fn least(parts: usize) -> usize {
    (parts * parts) >> 15
}

/// Proposals after which no new round begins.
const ENOUGH: usize = 500;

impl Shrinker {
    pub(in crate::cases) fn new(case: Case) -> Self {
        Self {
            smallest: case,
            proposed: None,
            pass: Pass::Tensors,
            tensor: 0,
            axis: 0,
            size: 0,
            from: 0,
            changed: false,
            count: 0,
        }
    }

    /// The smallest case so far that fails.
    pub(in crate::cases) fn smallest(self) -> Case {
        self.smallest
    }

    /// The proposal that has no answer yet, else the smallest case so far.
    #[cfg(feature = "proptest")]
    pub(in crate::cases) fn current(&self) -> &Case {
        self.proposed.as_ref().unwrap_or(&self.smallest)
    }

    /// The next smaller case; none if there is nothing left to try.
    pub(in crate::cases) fn propose(&mut self) -> Option<&Case> {
        while self.pass != Pass::Done {
            if let Some(range) = self.range() {
                self.proposed = self.smaller(range);
                if self.proposed.is_some() {
                    self.count += 1;
                    return self.proposed.as_ref();
                }
                self.from += self.size;
            } else {
                self.turn();
            }
        }
        None
    }

    /// Whether the proposal fails too. If it does, it is the smallest so far.
    pub(in crate::cases) fn answer(&mut self, failed: bool) {
        match self.proposed.take() {
            Some(smaller) if failed => {
                // What is gone has made room: the next part is now where it was.
                if matches!(self.pass, Pass::Numbers(_) | Pass::All) {
                    self.from += self.size;
                }
                self.smallest = smaller;
                self.changed = true;
            }
            _ => self.from += self.size,
        }
    }

    /// The number of parts that the pass can take away where it is.
    fn parts(&self) -> usize {
        let before = &self.smallest.before;
        let tensor = before.get(self.tensor);
        let axis = tensor.and_then(|tensor| tensor.shape.get(self.axis).copied());
        match self.pass {
            Pass::Tensors => before.len(),
            Pass::All => 3,
            // Those below the length.
            Pass::Powers => axis
                .filter(|&n| n > 1)
                .map_or(0, |n| (n - 1).ilog2() as usize + 1),
            Pass::Ends | Pass::Inside => axis.unwrap_or(0),
            Pass::Numbers(_) => tensor.map_or(0, |tensor| tensor.data.len()),
            Pass::Done => 0,
        }
    }

    /// The next part, or none at the end of its size.
    fn range(&mut self) -> Option<Range<usize>> {
        let parts = self.parts();
        // Something must be left of a list and of an axis.
        let keeps = !matches!(self.pass, Pass::Numbers(_) | Pass::All | Pass::Powers);
        if self.size == 0 || self.size >= parts + usize::from(!keeps) {
            return None;
        }
        match self.pass {
            // Twice: the last ones, then the first ones.
            Pass::Ends if self.from == 0 => Some(parts - self.size..parts),
            Pass::Ends if self.from == self.size => Some(0..self.size),
            Pass::Ends => None,
            _ if self.from >= parts => None,
            _ => Some(self.from..parts.min(self.from + self.size)),
        }
    }

    /// The next size, tensor, axis or pass.
    fn turn(&mut self) {
        let parts = self.parts();
        self.from = 0;
        let fine = match self.pass {
            Pass::Ends => true,
            Pass::Tensors | Pass::All | Pass::Powers => self.size > 1 || self.size == 0,
            _ => self.size == 0 || self.size > least(parts),
        };
        self.size = match (self.size, self.pass) {
            (0, Pass::Numbers(_)) => parts,
            (0, Pass::All | Pass::Powers) => 1,
            (0, _) => parts / 2,
            (size, _) => size / 2,
        };
        if self.size > 0 && fine {
            return;
        }
        self.size = 0;
        let tensors = self.smallest.before.len();
        let axes = self.smallest.before.get(self.tensor).map_or(0, |t| t.shape.len());
        let by_axis = matches!(self.pass, Pass::Powers | Pass::Ends | Pass::Inside);
        if by_axis && self.axis + 1 < axes {
            self.axis += 1;
        } else if !matches!(self.pass, Pass::Tensors | Pass::All) && self.tensor + 1 < tensors {
            (self.tensor, self.axis) = (self.tensor + 1, 0);
        } else {
            (self.tensor, self.axis) = (0, 0);
            self.pass = match self.pass {
                Pass::Tensors => Pass::All,
                Pass::All => Pass::Powers,
                Pass::Powers => Pass::Ends,
                Pass::Ends => Pass::Inside,
                Pass::Inside => Pass::Numbers(0.0),
                Pass::Numbers(0.0) => Pass::Numbers(1.0),
                // Once more from the start, as long as that helps.
                _ if self.changed && self.count < ENOUGH => Pass::Tensors,
                _ => Pass::Done,
            };
            self.changed &= self.pass != Pass::Tensors;
        }
    }

    /// The case without a part, or none if that changes nothing.
    fn smaller(&self, range: Range<usize>) -> Option<Case> {
        let case = &self.smallest;
        match self.pass {
            Pass::Tensors => Some(without(case, range)),
            Pass::All if range.start == 0 => singles(case),
            // What is clipped stays so, however few are left of it.
            Pass::All if range.start == 1 => {
                let threshold = case.policy.rule.threshold().map(Threshold::get);
                let useful = threshold.filter(|c| *c > 0.0 && c.is_finite() && !is_level(case));
                useful.and_then(|c| level(case, 2.0 * c))
            }
            Pass::All => (!is_level(case)).then(|| level(case, 1.0)).flatten(),
            Pass::Powers => {
                let length = case.before[self.tensor].shape[self.axis];
                Some(cut(case, self.tensor, self.axis, &(1 << range.start..length)))
            }
            Pass::Ends | Pass::Inside => Some(cut(case, self.tensor, self.axis, &range)),
            Pass::Numbers(x) => replaced(case, self.tensor, range, x),
            Pass::Done => None,
        }
    }
}

/// Without some tensors.
fn without(case: &Case, range: Range<usize>) -> Case {
    let mut smaller = case.clone();
    let gone: Vec<String> = smaller.before.drain(range).map(|tensor| tensor.name).collect();
    smaller.values.retain(|tensor| !gone.contains(&tensor.name));
    smaller
        .second_moments
        .retain(|tensor| !gone.contains(&tensor.name));
    smaller
}

/// With the first element of each tensor alone; none if no tensor has more.
fn singles(case: &Case) -> Option<Case> {
    let mut smaller = case.clone();
    for t in 0..case.before.len() {
        for axis in 0..case.before[t].shape.len() {
            let length = smaller.before[t].shape[axis];
            if length > 1 {
                smaller = cut(&smaller, t, axis, &(1..length));
            }
        }
    }
    (smaller != *case).then_some(smaller)
}

/// With this number for all elements; none if they all are it, or are 0.
fn level(case: &Case, x: f64) -> Option<Case> {
    (0..case.before.len()).fold(None, |smaller: Option<Case>, t| {
        let case = smaller.as_ref().unwrap_or(case);
        replaced(case, t, 0..case.before[t].data.len(), x).or(smaller)
    })
}

/// Whether every tensor has no more than one number besides 0.
fn is_level(case: &Case) -> bool {
    case.before.iter().all(|tensor| {
        let values = tensor.data.values();
        let mut others = values.iter().filter(|x| **x != 0.0);
        let first = others.next();
        others.all(|x| Some(x) == first)
    })
}

/// Without some indices of an axis.
fn cut(case: &Case, tensor: usize, axis: usize, range: &Range<usize>) -> Case {
    let mut smaller = case.clone();
    let name = &case.before[tensor].name;
    for list in [
        &mut smaller.before,
        &mut smaller.values,
        &mut smaller.second_moments,
    ] {
        for tensor in list.iter_mut().filter(|tensor| tensor.name == *name) {
            *tensor = part(tensor, axis, range);
        }
    }
    smaller
}

fn part(tensor: &Tensor, axis: usize, gone: &Range<usize>) -> Tensor {
    let length = tensor.shape[axis];
    let inner: usize = tensor.shape[axis + 1..].iter().product();
    let kept: Vec<usize> = (0..tensor.data.len())
        .filter(|i| !gone.contains(&(i / inner.max(1) % length)))
        .collect();
    let mut shape = tensor.shape.clone();
    shape[axis] -= gone.len();
    Tensor {
        name: tensor.name.clone(),
        shape,
        data: match &tensor.data {
            Data::F16(x) => Data::F16(kept.iter().map(|&i| x[i]).collect()),
            Data::Bf16(x) => Data::Bf16(kept.iter().map(|&i| x[i]).collect()),
            Data::F32(x) => Data::F32(kept.iter().map(|&i| x[i]).collect()),
            Data::F64(x) => Data::F64(kept.iter().map(|&i| x[i]).collect()),
        },
    }
}

/// With some elements replaced by a number; none if they all were it, or simpler.
fn replaced(case: &Case, tensor: usize, range: Range<usize>, x: f64) -> Option<Case> {
    let data = &case.before[tensor].data;
    // Zero is the simplest; -0 and 0 are two numbers.
    let done = |old: f64| old.to_bits() == 0 || x != 0.0 && (old == x || old == 0.0);
    let changes: Vec<usize> = range.filter(|&i| !done(data.get(i))).collect();
    if changes.is_empty() {
        return None;
    }
    let mut smaller = case.clone();
    for i in changes {
        smaller.before[tensor].data.set(i, x);
    }
    Some(smaller)
}
