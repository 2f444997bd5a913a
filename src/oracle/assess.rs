//! The verdict on one component: its bits first, then the tightest arithmetic that explains them.
//!
//! ```text
//! every bit as expected                                     PASS (bitwise)
//! declared: within the tolerance                            PASS
//!           within it only beyond the limit on norms        VACUOUS
//! unknown:  within what sane sums do                        PASS, and which of them is needed
//!           within what a weaker sum does                   WEAK
//! else                                                      FAIL_ROUNDING, FAIL_LOGIC
//! ```

use super::case::{Candidate, Case};
use super::declared::{Declared, Reduction};
use super::expect::{Expected, find};
use super::format::Format;
use super::implied::{Implied, Look};
use super::interval::Interval;
use super::tally::{List, Tally, distance};
use super::tensor::Tensor;
use super::tolerance::{self, NormBound};
use super::verdict::{ComponentJudgement, Mismatch, Place, Verdict};
use super::walk::walk;
use super::weak;
use crate::clip::Clipped;

/// A component and what is held against it.
pub(super) struct Subject<'a> {
    pub(super) case: &'a Case,
    pub(super) candidate: &'a Candidate,
    pub(super) after: &'a [&'a Tensor],
    pub(super) expected: &'a mut Expected,
}

impl Subject<'_> {
    /// Judges it, and lists what is wrong.
    pub(super) fn judge(mut self) -> (ComponentJudgement, List) {
        let unknown = self.case.declared.reduction == Reduction::Unknown;
        // What a sample shows to be wrong under every sane sum is walked over once, under the loosest.
        let far = if unknown { self.far() } else { None };
        let first = match far {
            Some(loosest) => self.with(loosest),
            None if unknown => self.with(Reduction::Exact),
            None => self.case.declared,
        };
        let mut tally = self.tally(first);
        let histogram = tally.histogram;
        let differs = histogram[1..].iter().any(|&count| count > 0);
        let implied = differs
            .then(|| Implied::of(self.case, self.after, self.expected, Look::All).norm)
            .flatten();
        let mut sufficient = (unknown && tally.mismatched.count == 0).then_some(Reduction::Exact);
        let mut beyond = None;
        // A wider bound helps only where the bound was the reason.
        if tally.mismatched.count > 0 && !tally.hopeless {
            if unknown {
                if far.is_none() {
                    (tally, sufficient) = self.search(tally, implied);
                }
                if sufficient.is_none() && !tally.hopeless {
                    beyond = self.weak(implied);
                }
            } else {
                beyond = self.vacuous(implied);
            }
        }
        let verdict = match beyond {
            Some(verdict) => {
                tally.mismatched = List::default();
                verdict
            }
            None => verdict(&tally),
        };
        let expected = self.expected;
        let judged = ComponentJudgement {
            id: expected.component.id.clone(),
            verdict,
            norm: expected.norm,
            scale: expected.scale,
            clipped: expected.clipped,
            implied_norm: implied,
            sufficient,
            histogram,
        };
        (judged, tally.mismatched)
    }

    fn with(&self, reduction: Reduction) -> Declared {
        Declared {
            reduction,
            ..self.case.declared
        }
    }

    /// Everything of the component, held against this arithmetic.
    fn tally(&mut self, declared: Declared) -> Tally {
        self.expected.declare(self.case, declared);
        let mut tally = Tally::default();
        returned(self.candidate, self.expected, &mut tally);
        tally.merge(walk(self.case, self.after, self.expected))
    }

    /// The first of the sane sums under which nothing is wrong; the loosest, if there is none.
    fn search(&mut self, first: Tally, implied: Option<Interval>) -> (Tally, Option<Reduction>) {
        let rungs = tolerance::sane(self.expected.norm.elements, self.accumulator());
        for &reduction in &rungs {
            self.expected.declare(self.case, self.with(reduction));
            if let Some(n) = implied.filter(|&n| overlap(self.expected.allowed_norm, n)) {
                // Every bit follows from a norm that this sum can give: no need to look at the elements once more.
                let mut tally = Tally::default();
                returned(self.candidate, self.expected, &mut tally);
                if tally.mismatched.count == 0 {
                    (tally.ulp, tally.histogram) = (first.ulp, first.histogram);
                    let bound = self.expected.bound.above.max(f64::MIN_POSITIVE);
                    tally.share = tally
                        .share
                        .max((off(self.expected.norm.interval, n) / bound).min(1.0));
                    return (tally, Some(reduction));
                }
            }
        }
        let Some(reduction) = self.loosest() else {
            return (first, None);
        };
        let tally = self.tally(self.with(reduction));
        if tally.mismatched.count > 0 {
            return (tally, None);
        }
        // No norm gives all bits, or a returned number needs more: the order of the roundings is another one.
        for reduction in rungs {
            let tally = self.tally(self.with(reduction));
            if tally.mismatched.count == 0 {
                return (tally, Some(reduction));
            }
        }
        (tally, Some(reduction))
    }

    /// The loosest of the sane sums, if a sample is wrong under it and under the correctly rounded one, too. (What is right
    /// for the norm need not be for a wider one, where a factor overflows.)
    fn far(&mut self) -> Option<Reduction> {
        self.expected.declare(self.case, self.with(Reduction::Exact));
        if self.sample_holds() {
            return None;
        }
        let loosest = self.loosest()?;
        (!self.sample_holds()).then_some(loosest)
    }

    /// The sane sum that allows the most; the expectation is that of it.
    fn loosest(&mut self) -> Option<Reduction> {
        let mut loosest: Option<(Reduction, f64)> = None;
        for reduction in tolerance::sane(self.expected.norm.elements, self.accumulator()) {
            self.expected.declare(self.case, self.with(reduction));
            let above = self.expected.bound.above;
            if loosest.is_none_or(|(_, most)| above > most) {
                loosest = Some((reduction, above));
            }
        }
        let (reduction, _) = loosest?;
        self.expected.declare(self.case, self.with(reduction));
        Some(reduction)
    }

    /// The verdict `WEAK`, if a sum that nobody declared explains everything.
    fn weak(&mut self, implied: Option<Interval>) -> Option<Verdict> {
        let restore = *self.expected.declared();
        let exact = self.expected.norm.interval;
        let off = implied.map(|n| off(exact, n));
        for reduction in tolerance::WEAK {
            let declared = self.with(reduction).up_to(f64::INFINITY);
            self.expected.declare(self.case, declared);
            let NormBound { above, .. } = self.expected.bound;
            if off.is_some_and(|off| off > above) {
                continue;
            }
            // Some thousands of elements rule out most of what is wrong, and cost next to nothing.
            if off.is_none() && !self.sample_holds() {
                continue;
            }
            let limit = weak::plausible(self.case, &self.expected.component, &declared, exact.hi);
            let limit = limit.min(f64::MAX);
            if off.is_some_and(|off| off > limit) {
                continue;
            }
            self.expected.declare(self.case, declared.up_to(limit));
            if self.sample_holds() && self.tally(declared.up_to(limit)).mismatched.count == 0 {
                return Some(Verdict::Weak {
                    component: self.expected.component.id.clone(),
                    needs: reduction,
                    off: off.unwrap_or(limit.min(above)),
                    bound: above,
                    limit: self.case.declared.max_norm_error,
                });
            }
        }
        self.expected.declare(self.case, restore);
        None
    }

    /// The verdict `VACUOUS`, if all is as declared, and only the limit on what is certified forbids it.
    fn vacuous(&mut self, implied: Option<Interval>) -> Option<Verdict> {
        let declared = self.case.declared.up_to(f64::INFINITY);
        self.expected.declare(self.case, declared);
        let bound = self.expected.bound.above;
        let wrong = bound <= self.case.declared.max_norm_error || self.tally(declared).mismatched.count > 0;
        if wrong {
            self.expected.declare(self.case, self.case.declared);
            return None;
        }
        let off = implied.map_or(bound, |n| off(self.expected.norm.interval, n));
        let limit = self.case.declared.max_norm_error;
        Some(Verdict::Vacuous { off, bound, limit })
    }

    /// Whether a sample of the elements is within what is allowed now.
    fn sample_holds(&self) -> bool {
        holds(self.case, self.after, self.expected, Look::Sample)
    }

    fn accumulator(&self) -> Format {
        self.case
            .declared
            .accumulator_for(self.expected.elements_format())
    }
}

fn overlap(allowed: Interval, implied: Interval) -> bool {
    allowed.is_nan() || implied.lo <= allowed.hi && allowed.lo <= implied.hi
}

/// Whether the elements that are looked at are within what is allowed; stops at the first that is not.
pub(super) fn holds(case: &Case, after: &[&Tensor], expected: &Expected, look: Look) -> bool {
    expected.component.members.iter().all(|member| {
        let before = &case.before[member.tensor];
        let moments = find(&case.second_moments, &before.name);
        let function = expected.function(member, before.data.format());
        look.at(member.len()).map(|k| member.index(k)).all(|i| {
            let v = moments.map_or(0.0, |v| v.get(i));
            let (x, y) = (before.data.get(i), after[member.tensor].data.get(i));
            // As when it is counted: the right bits are right, where what is allowed is no number, too.
            distance(before.data.format(), function.exact(x, v), y) == 0 || function.allowed(x, v).contains(y)
        })
    })
}

/// The distance between two intervals, as a share of the first; infinite where that is not defined.
fn off(exact: Interval, implied: Interval) -> f64 {
    let apart = (implied.lo - exact.hi).max(exact.lo - implied.hi).max(0.0);
    let share = apart / exact.lo;
    if share.is_nan() { f64::INFINITY } else { share }
}

/// The verdict that a tally says.
fn verdict(tally: &Tally) -> Verdict {
    match tally.worst {
        // The right bits are right, whatever was declared.
        worst if worst <= 1.0 => Verdict::Pass {
            ulp: tally.ulp,
            share: tally.share,
        },
        worst if worst > tolerance::LOGIC => Verdict::FailLogic { ratio: worst },
        worst => Verdict::FailRounding { ratio: worst },
    }
}

/// Judges the numbers that the candidate returned beside the gradients.
fn returned(candidate: &Candidate, expected: &Expected, tally: &mut Tally) {
    let id = &expected.component.id;
    let of = |list: &[(String, f64)]| list.iter().find(|(other, _)| other == id).map(|&(_, x)| x);
    // A source may return its norm in another type than the one that it scales with.
    let norm = |format: Format| {
        let all = expected.allowed_norm.with(expected.computed_norm);
        let rounded = Interval {
            lo: format.round(all.lo),
            hi: format.round(all.hi),
        };
        (expected.norm.round(format), rounded)
    };
    let norm = of(&candidate.norms).map(|got| (Place::Norm, got, norm(expected.type_of(got))));
    let scale = of(&candidate.scales);
    let scale = scale.map(|got| (Place::Scale, got, (expected.scale, expected.allowed_scale())));
    for (place, got, (exact, allowed)) in norm.into_iter().chain(scale) {
        let format = expected.type_of(got);
        if tally.count(format, exact, allowed, got) > 1.0 {
            let ulp = distance(format, allowed, got);
            tally.mismatched.push(|| Mismatch {
                component: id.clone(),
                place,
                expected: allowed,
                got,
                ulp,
            });
        }
    }
    let flag = candidate.clipped.iter().find(|(other, _)| other == id);
    let wrong = match (flag, expected.clipped) {
        (Some((_, true)), Clipped::No) => Some(1.0),
        (Some((_, false)), Clipped::Yes) => Some(0.0),
        _ => None,
    };
    if let Some(got) = wrong {
        tally.worst = f64::INFINITY;
        tally.hopeless = true;
        tally.mismatched.push(|| Mismatch {
            component: id.clone(),
            place: Place::Clipped,
            expected: Interval::point(1.0 - got),
            got,
            ulp: u64::MAX,
        });
    }
}
