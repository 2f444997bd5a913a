//! Every element of a component against what is expected of it.

use super::case::Case;
use super::expect::{Expected, Function, find};
use super::member::Member;
use super::tally::{Tally, distance, ratio};
use super::tensor::{Data, Tensor};
use super::verdict::{Mismatch, Place};
use rayon::prelude::*;

/// Elements that are walked over in one go; a tensor's parts are walked over in parallel.
const PART: usize = 1 << 16;

/// Judges the elements of a component.
pub(super) fn walk(case: &Case, after: &[&Tensor], expected: &Expected) -> Tally {
    let mut tally = Tally::default();
    for member in &expected.component.members {
        let before = &case.before[member.tensor];
        let walk = Walk {
            member,
            id: &expected.component.id,
            name: &before.name,
            before: &before.data,
            after: &after[member.tensor].data,
            moments: find(&case.second_moments, &before.name),
            function: expected.function(member, before.data.format()),
        };
        let parts = (0..member.len().div_ceil(PART)).into_par_iter();
        let parts: Vec<Tally> = parts.map(|part| walk.part(part * PART)).collect();
        tally = parts.into_iter().fold(tally, Tally::merge);
    }
    tally
}

/// A member of a component, and what is to become of its elements.
struct Walk<'a> {
    member: &'a Member,
    id: &'a str,
    name: &'a str,
    before: &'a Data,
    after: &'a Data,
    moments: Option<&'a Data>,
    function: Function,
}

impl Walk<'_> {
    /// The elements from this one on.
    fn part(&self, start: usize) -> Tally {
        let mut tally = Tally::default();
        let end = (start + PART).min(self.member.len());
        if let Some(all) = self.member.range() {
            let range = all.start + start..all.start + end;
            let (x, y) = (self.before.slice(range.clone()), self.after.slice(range.clone()));
            if self.function.is_at_once(x, y) {
                tally.histogram[0] += (end - start) as u64;
                return tally;
            }
        }
        for k in start..end {
            self.element(&mut tally, self.member.index(k));
        }
        tally
    }

    /// An element.
    #[inline]
    fn element(&self, tally: &mut Tally, i: usize) {
        let (x, y) = (self.before.get(i), self.after.get(i));
        let v = self.moments.map_or(0.0, |v| v.get(i));
        let exact = self.function.exact(x, v);
        let ulp = distance(self.before.format(), exact, y);
        if ulp == 0 {
            tally.histogram[0] += 1;
            return;
        }
        let allowed = self.function.allowed(x, v);
        let used = ratio(exact, allowed, y);
        tally.element(ulp, used, y);
        if used > 1.0 {
            tally.mismatched.push(|| Mismatch {
                component: self.id.to_owned(),
                place: Place::Element {
                    tensor: self.name.to_owned(),
                    index: i,
                },
                expected: allowed,
                got: y,
                ulp: distance(self.before.format(), allowed, y),
            });
        }
    }
}
