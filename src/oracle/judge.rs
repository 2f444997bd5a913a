//! Judging a candidate's answer to a case: norms and scales first, elements second, the reason last.

use super::case::{Candidate, Case, OracleError};
use super::declared::{Declared, Reduction};
use super::expect::{Expectation, Expected, Function, expect, find};
use super::format::{Format, same};
use super::identify;
use super::implied::{Implied, Look};
use super::interval::Interval;
use super::range;
use super::tally::{List, Tally, bucket, distance};
use super::tensor::Tensor;
use super::tolerance;
use super::verdict::{ComponentJudgement, Judgement, Mismatch, Place, Verdict};
use crate::clip::Clipped;

/// Judges a candidate.
///
/// # Errors
/// If case or candidate are not well formed, or the policy cannot be judged.
///
/// # Examples
/// ```
/// use cwgnc::oracle::{Candidate, Case, Format, Tensor, judge};
///
/// // ‖(3, 4)‖ = 5 is clipped to 1: (0.6, 0.8).
/// let before = vec![Tensor::vector("w", Format::F32, &[3.0, 4.0])];
/// let case = Case::new("component:1@exact".parse()?, before);
/// let right = vec![Tensor::vector("w", Format::F32, &[0.6, 0.8])];
/// assert_eq!(judge(&case, &Candidate::new(right))?.verdict.to_string(), "PASS (bitwise)");
/// let wrong = vec![Tensor::vector("w", Format::F32, &[0.6, 0.8001])];
/// assert_eq!(judge(&case, &Candidate::new(wrong))?.verdict.name(), "FAIL_LOGIC");
/// let unclipped = vec![Tensor::vector("w", Format::F32, &[3.0, 4.0])];
/// let verdict = judge(&case, &Candidate::new(unclipped))?.verdict;
/// assert_eq!(verdict.to_string(), "POLICY: your output matches `none`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn judge(case: &Case, candidate: &Candidate) -> Result<Judgement, OracleError> {
    let (after, expectation, mut judgement) = unexplained(case, candidate)?;
    // A small error is explained by another convention only if that explains every bit.
    let only_bits = matches!(judgement.verdict, Verdict::FailRounding { .. });
    if only_bits || matches!(judgement.verdict, Verdict::FailLogic { .. }) {
        let inside = judgement.mismatches.iter().all(|m| !m.component.is_empty());
        let range = inside
            .then(|| range::explain(case, &after, &expectation))
            .flatten();
        if let Some(verdict) = range.or_else(|| identify::explain(case, &after, only_bits)) {
            judgement.verdict = verdict;
        }
    }
    Ok(judgement)
}

/// Judges a candidate and looks for no reason: never `POLICY` or `RANGE`, and many times as fast where it fails. For
/// whoever asks often, as a property test does while it makes a failure small.
///
/// # Errors
/// As [`judge`].
///
/// # Examples
/// ```
/// use cwgnc::oracle::{Candidate, Case, Format, Tensor, judge_unexplained};
///
/// let before = vec![Tensor::vector("w", Format::F32, &[3.0, 4.0])];
/// let case = Case::new("component:1@exact".parse()?, before.clone());
/// let verdict = judge_unexplained(&case, &Candidate::new(before))?.verdict;
/// assert_eq!(verdict.name(), "FAIL_LOGIC");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn judge_unexplained(case: &Case, candidate: &Candidate) -> Result<Judgement, OracleError> {
    Ok(unexplained(case, candidate)?.2)
}

/// What an explanation needs, and the judgement without it.
type Unexplained<'a> = (Vec<&'a Tensor>, Expectation, Judgement);

fn unexplained<'a>(case: &Case, candidate: &'a Candidate) -> Result<Unexplained<'a>, OracleError> {
    let after = pair(&case.before, &candidate.after)?;
    let mut expectation = expect(case)?;
    let judgement = measure(case, candidate, &after, &mut expectation);
    // Numbers for other components come with another partition, and that shows in the elements too.
    match strange_ids(&expectation, candidate) {
        Some(strange) if judgement.passed() => Err(strange),
        _ => Ok((after, expectation, judgement)),
    }
}

/// The judgement without an explanation.
fn measure(
    case: &Case,
    candidate: &Candidate,
    after: &[&Tensor],
    expectation: &mut Expectation,
) -> Judgement {
    let mut list = List::default();
    untouched(case, after, expectation, &mut list);
    let outside = list.count > 0;
    let refuses = expectation.refuses;
    let mut components = Vec::with_capacity(expectation.components.len());
    for expected in &mut expectation.components {
        components.push(component(case, candidate, after, expected, &mut list));
    }
    let worst = components.iter().map(|c| c.verdict.clone()).max_by(|a, b| {
        let (a, b) = (a.severity(), b.severity());
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let mut verdict = worst.unwrap_or(Verdict::Pass { ulp: 0, share: 0.0 });
    if outside || refuses && list.count > 0 {
        verdict = Verdict::FailLogic { ratio: f64::INFINITY };
    }
    Judgement {
        verdict,
        components,
        mismatches: list.first,
        mismatched: list.count,
    }
}

/// The candidate's tensors in the order of the case's.
pub(super) fn pair<'a>(before: &[Tensor], after: &'a [Tensor]) -> Result<Vec<&'a Tensor>, OracleError> {
    let names = |of: &[Tensor], among: &[Tensor]| -> Vec<String> {
        let alone = of
            .iter()
            .filter(|t| among.iter().all(|other| other.name != t.name));
        alone.map(|t| t.name.clone()).collect()
    };
    let (missing, surplus) = (names(before, after), names(after, before));
    if !missing.is_empty() || !surplus.is_empty() {
        return Err(OracleError::Unpaired {
            place: "after",
            missing,
            surplus,
        });
    }
    let mut paired = Vec::with_capacity(before.len());
    for tensor in before {
        let mut found = after.iter().filter(|t| t.name == tensor.name);
        let (Some(other), None) = (found.next(), found.next()) else {
            return Err(OracleError::Twice(tensor.name.clone()));
        };
        let form = |t: &Tensor| format!("{} of shape {:?}", t.data.format(), t.shape);
        if other.shape != tensor.shape || other.data.format() != tensor.data.format() {
            return Err(OracleError::Mismatch {
                name: tensor.name.clone(),
                expected: form(tensor),
                got: form(other),
            });
        }
        paired.push(other);
    }
    Ok(paired)
}

/// Returned numbers must belong to components; a candidate may leave some out.
fn strange_ids(expectation: &Expectation, candidate: &Candidate) -> Option<OracleError> {
    let known = |id: &String| expectation.components.iter().any(|e| e.component.id == *id);
    let norms = candidate.norms.iter().map(|(id, _)| ("norms", id));
    let scales = candidate.scales.iter().map(|(id, _)| ("scales", id));
    let flags = candidate.clipped.iter().map(|(id, _)| ("clipped flags", id));
    let strange: Vec<_> = norms
        .chain(scales)
        .chain(flags)
        .filter(|(_, id)| !known(id))
        .collect();
    let (place, _) = strange.first()?;
    Some(OracleError::Unpaired {
        place,
        missing: Vec::new(),
        surplus: strange.iter().map(|(_, id)| (*id).clone()).collect(),
    })
}

/// Tensors in no component must not be touched.
fn untouched(case: &Case, after: &[&Tensor], expectation: &Expectation, list: &mut List) {
    for (t, (before, after)) in case.before.iter().zip(after).enumerate() {
        let member = |e: &Expected| e.component.members.iter().any(|m| m.tensor == t);
        if expectation.components.iter().any(member) {
            continue;
        }
        for i in 0..before.data.len() {
            let (x, y) = (before.data.get(i), after.data.get(i));
            if !same(x, y) {
                list.push(|| Mismatch {
                    component: String::new(),
                    place: Place::Element {
                        tensor: before.name.clone(),
                        index: i,
                    },
                    expected: Interval::point(x),
                    got: y,
                    ulp: before.data.format().ulps(x, y),
                });
            }
        }
    }
}

/// Judges one component; under a reduction `unknown`, by the tightest that passes.
fn component(
    case: &Case,
    candidate: &Candidate,
    after: &[&Tensor],
    expected: &mut Expected,
    list: &mut List,
) -> ComponentJudgement {
    let rungs: &[Reduction] = match case.declared.reduction {
        Reduction::Unknown => &tolerance::LADDER,
        ref declared => std::slice::from_ref(declared),
    };
    let mut tally = Tally::default();
    let mut sufficient = None;
    for (i, &reduction) in rungs.iter().enumerate() {
        let declared = Declared {
            reduction,
            ..case.declared
        };
        expected.declare(case, declared);
        if i > 0 && rungs.len() > 1 && expected.bound.is_vacuous() {
            break;
        }
        tally = Tally::default();
        returned(candidate, expected, &mut tally);
        walk(case, after, expected, &mut tally);
        if tally.mismatched.count == 0 {
            sufficient = (rungs.len() > 1).then_some(reduction);
            break;
        }
        // A wider bound helps only where the bound was the reason.
        if tally.hopeless || i + 1 == rungs.len() {
            break;
        }
    }
    list.count += tally.mismatched.count;
    let room = Judgement::LISTED.saturating_sub(list.first.len());
    list.first
        .extend(std::mem::take(&mut tally.mismatched.first).into_iter().take(room));
    let differs = tally.histogram[1..].iter().any(|&count| count > 0);
    let implied_norm = differs
        .then(|| Implied::of(case, after, expected, Look::All).norm)
        .flatten();
    // Bits that follow from a norm which only a vacuous rung allows: no fault that could be shown.
    let loose = rungs.len() > 1
        && implied_norm.is_some_and(|n| expected.computed_norm.with(n) == expected.computed_norm);
    ComponentJudgement {
        id: expected.component.id.clone(),
        verdict: verdict(&tally, &expected.bound, loose),
        norm: expected.norm,
        scale: expected.scale,
        clipped: expected.clipped,
        implied_norm,
        sufficient,
        histogram: tally.histogram,
    }
}

/// The verdict on a component; `loose`: its bits follow from a norm which only a vacuous rung allows.
fn verdict(tally: &Tally, bound: &tolerance::NormBound, loose: bool) -> Verdict {
    match tally.worst {
        worst if worst > 1.0 && loose && bound.is_vacuous() => Verdict::Vacuous { bound: bound.above },
        // The right bits are right, whatever was declared.
        worst if worst <= 1.0 && tally.ulp == 0 => Verdict::Pass {
            ulp: 0,
            share: tally.share,
        },
        worst if worst > tolerance::LOGIC => Verdict::FailLogic { ratio: worst },
        worst if worst > 1.0 => Verdict::FailRounding { ratio: worst },
        _ if bound.is_vacuous() => Verdict::Vacuous { bound: bound.above },
        _ => Verdict::Pass {
            ulp: tally.ulp,
            share: tally.share,
        },
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

/// Judges the elements of a component.
fn walk(case: &Case, after: &[&Tensor], expected: &Expected, tally: &mut Tally) {
    for member in &expected.component.members {
        let before = &case.before[member.tensor];
        let format = before.data.format();
        let moments = find(&case.second_moments, &before.name);
        let function: Function = expected.function(member, format);
        for i in (0..member.len()).map(|k| member.index(k)) {
            let (x, y) = (before.data.get(i), after[member.tensor].data.get(i));
            let v = moments.map_or(0.0, |v| v.get(i));
            let exact = function.exact(x, v);
            let ulp = distance(format, exact, y);
            tally.histogram[bucket(ulp)] += 1;
            tally.ulp = tally.ulp.max(ulp);
            if ulp == 0 {
                continue;
            }
            let allowed = function.allowed(x, v);
            let used = tally.count(format, exact, allowed, y);
            if used <= 1.0 {
                tally.share = tally.share.max(used);
            } else {
                tally.mismatched.push(|| Mismatch {
                    component: expected.component.id.clone(),
                    place: Place::Element {
                        tensor: before.name.clone(),
                        index: i,
                    },
                    expected: allowed,
                    got: y,
                    ulp: distance(format, allowed, y),
                });
            }
        }
    }
}
