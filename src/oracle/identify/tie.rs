//! What policies that tie have in common.

use super::super::case::Case;
use super::super::component::{Component, components};
use super::super::tensor::Tensor;
use super::{Fit, Ranked};
use crate::clip::{ClipPolicy, Partition, Statistic};
use std::fmt;

/// Why several policies explain an output equally well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tie {
    /// The output is the input: all that is known is that these policies keep it.
    Unchanged,
    /// The output is not reproduced to the bit by any of them, only within their tolerance.
    Tolerance,
    /// They are one rule over partitions that cut these tensors alike.
    Partitions,
    /// Their formulas give the same bits for the exact norms.
    Exact,
    /// Their formulas give the same bits for norms that are off by at most 2 units in the last place.
    Near,
    /// The same for norms that are further off, as sums of so many elements may be.
    Far,
}

impl Tie {
    /// Why these fit equally well, if they are several.
    pub(super) fn of(case: &Case, after: &[&Tensor], best: &[Ranked], alike: &Alike) -> Option<Self> {
        let (first, others) = best.split_first()?;
        if others.is_empty() {
            return None;
        }
        let as_it_was = |(before, after): (&Tensor, &&Tensor)| before.same_bits(after);
        if case.before.iter().zip(after).all(as_it_was) {
            return Some(Self::Unchanged);
        }
        let same = |a: &ClipPolicy, b: &ClipPolicy| {
            (&a.rule, a.statistic) == (&b.rule, b.statistic) && alike.alike(&a.partition, &b.partition)
        };
        if others.iter().all(|other| same(&first.policy, &other.policy)) {
            return Some(Self::Partitions);
        }
        let mut most = 0;
        for ranked in best {
            match ranked.fit {
                Fit::Bits { ulps, .. } => most = most.max(ulps),
                Fit::Tolerance { .. } | Fit::No => return Some(Self::Tolerance),
            }
        }
        Some(match most {
            0 => Self::Exact,
            1 | 2 => Self::Near,
            _ => Self::Far,
        })
    }
}

impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unchanged => "the output is the input, and all of them keep it",
            Self::Tolerance => "none gives every bit, and all are within their tolerance",
            Self::Partitions => "their partitions cut these tensors alike",
            Self::Exact => "they give the same bits for the exact norms",
            Self::Near => "they give the same bits for norms within 2 ulp of the exact ones",
            Self::Far => "they give the same bits for norms as far off as a sum in some order can be",
        })
    }
}

/// Which partitions cut a case's tensors alike, so that they differ in nothing but the ids.
#[derive(Default)]
pub(super) struct Alike {
    /// A partition, and which of `cuts` it makes.
    classes: Vec<(Partition, usize)>,
    /// Components, each way to cut once.
    cuts: Vec<Vec<Component>>,
}

impl Alike {
    /// Cuts the tensors by every one of these, too.
    pub(super) fn learn<'p>(&mut self, case: &Case, partitions: impl Iterator<Item = &'p Partition>) {
        for partition in partitions {
            if self.class(partition).is_some() {
                continue;
            }
            let policy = ClipPolicy {
                partition: partition.clone(),
                statistic: Statistic::L2,
                ..case.policy.clone()
            };
            let Ok(cut) = components(&policy, &case.before) else {
                continue;
            };
            let same = |other: &Vec<Component>| {
                other.len() == cut.len() && other.iter().zip(&cut).all(|(a, b)| a.cuts_like(b))
            };
            let class = self.cuts.iter().position(same).unwrap_or_else(|| {
                self.cuts.push(cut);
                self.cuts.len() - 1
            });
            self.classes.push((partition.clone(), class));
        }
    }

    /// Whether two of them do.
    pub(super) fn alike(&self, a: &Partition, b: &Partition) -> bool {
        a == b || self.class(a).is_some_and(|class| self.class(b) == Some(class))
    }

    fn class(&self, wanted: &Partition) -> Option<usize> {
        let mut classes = self.classes.iter();
        classes
            .find(|(partition, _)| partition == wanted)
            .map(|&(_, class)| class)
    }
}
