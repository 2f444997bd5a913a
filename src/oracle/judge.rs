//! Judging a candidate's answer to a case: norms and scales first, elements second, the reason last.

use super::assess::Subject;
use super::case::{Candidate, Case, OracleError};
use super::expect::{Expectation, expect};
use super::format::same;
use super::identify;
use super::interval::Interval;
use super::range;
use super::reason;
use super::tally::List;
use super::tensor::Tensor;
use super::verdict::{Judgement, Mismatch, Place, Verdict};
use crate::clip::{Clipped, Rule};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

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
    let (mut judgement, after, expectation) = judged(case, candidate)?;
    explain(case, &after, &expectation, &mut judgement);
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
    judged(case, candidate).map(|(judgement, ..)| judgement)
}

/// The judgement without an explanation, and what it was made from.
fn judged<'a>(
    case: &Case,
    candidate: &'a Candidate,
) -> Result<(Judgement, Vec<&'a Tensor>, Expectation), OracleError> {
    let after = pair(&case.before, &candidate.after)?;
    let mut expectation = expect(case)?;
    let judgement = measure(case, candidate, &after, &mut expectation);
    // Numbers for other components come with another partition, and that shows in the elements too.
    match strange_ids(&expectation, candidate) {
        Some(strange) if judgement.passed() => Err(strange),
        _ => Ok((judgement, after, expectation)),
    }
}

/// Looks for what explains a failure: lost range, another policy, a known mistake.
fn explain(case: &Case, after: &[&Tensor], expectation: &Expectation, judgement: &mut Judgement) {
    // Everything is judged by what is returned beside it, or lies in no component.
    let elements = judgement.mismatches.iter().all(|m| !m.component.is_empty());
    // A small error is explained by another convention only if that explains every bit.
    let only_bits = matches!(judgement.verdict, Verdict::FailRounding { .. });
    let failed = only_bits || matches!(judgement.verdict, Verdict::FailLogic { .. });
    if failed {
        let range = elements.then(|| range::explain(case, after, expectation));
        if let Some(verdict) = range
            .flatten()
            .or_else(|| identify::explain(case, after, only_bits))
        {
            let nothing = matches!(&verdict, Verdict::Policy { matches } if matches.iter().any(|p| p.rule == Rule::Keep));
            judgement.verdict = verdict;
            if nothing {
                judgement.reason = reason::find(case, after, expectation, &judgement.components);
            }
            return;
        }
    }
    if elements && (failed || matches!(judgement.verdict, Verdict::Weak { .. })) && !expectation.refuses {
        judgement.reason = reason::find(case, after, expectation, &judgement.components);
    }
    if judgement.passed() {
        judgement.reason = reason::hidden(case, after, expectation, &judgement.components);
        if let (Some(_), Verdict::Pass { share, .. }) = (&judgement.reason, &judgement.verdict) {
            judgement.verdict = Verdict::FailLogic { ratio: *share };
        }
        if let Verdict::Pass { ulp: 1.., share } = judgement.verdict {
            let clipped = judgement.components.iter().filter(|c| c.clipped == Clipped::Yes);
            // One or two norms are those of another convention by chance.
            if elements && (share > 0.5 || clipped.count() > 2) {
                judgement.closer = identify::closer(case, after);
            }
        }
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
    let judged = expectation.components.par_iter_mut().map(|expected| {
        let subject = Subject {
            case,
            candidate,
            after,
            expected,
        };
        subject.judge()
    });
    let judged: Vec<_> = judged.collect();
    let mut components = Vec::with_capacity(judged.len());
    for (component, wrong) in judged {
        list.append(wrong);
        components.push(component);
    }
    let worst = components.iter().map(|c| &c.verdict).max_by(|a, b| a.compare(b));
    let mut verdict = worst.cloned().unwrap_or(Verdict::Pass { ulp: 0, share: 0.0 });
    if let Verdict::Pass {
        ulp: most,
        share: largest,
    } = &mut verdict
    {
        // The largest of each, which need not be in one component.
        for component in &components {
            if let Verdict::Pass { ulp, share } = component.verdict {
                (*most, *largest) = ((*most).max(ulp), largest.max(share));
            }
        }
    }
    if outside || refuses && list.count > 0 {
        verdict = Verdict::FailLogic { ratio: f64::INFINITY };
    }
    Judgement {
        policy: case.policy.clone(),
        declared: case.declared,
        verdict,
        reason: None,
        closer: None,
        components,
        mismatches: list.first,
        mismatched: list.count,
    }
}

/// The candidate's tensors in the order of the case's.
pub(super) fn pair<'a>(before: &[Tensor], after: &'a [Tensor]) -> Result<Vec<&'a Tensor>, OracleError> {
    let mut found: HashMap<&str, &Tensor> = HashMap::with_capacity(after.len());
    let mut twice = None;
    for tensor in after {
        if found.insert(&tensor.name, tensor).is_some() {
            twice.get_or_insert(tensor);
        }
    }
    let known: HashSet<&str> = before.iter().map(|t| t.name.as_str()).collect();
    let alone = |t: &&Tensor| !found.contains_key(t.name.as_str());
    let missing: Vec<String> = before.iter().filter(alone).map(|t| t.name.clone()).collect();
    let strange = |t: &&Tensor| !known.contains(t.name.as_str());
    let surplus: Vec<String> = after.iter().filter(strange).map(|t| t.name.clone()).collect();
    if !missing.is_empty() || !surplus.is_empty() {
        return Err(OracleError::Unpaired {
            place: "after",
            missing,
            surplus,
        });
    }
    if let Some(tensor) = twice {
        return Err(OracleError::Twice(tensor.name.clone()));
    }
    let mut paired = Vec::with_capacity(before.len());
    for tensor in before {
        let other = found[tensor.name.as_str()];
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
    let ids: HashSet<&String> = expectation.components.iter().map(|e| &e.component.id).collect();
    let known = |id: &String| ids.contains(id);
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
    for t in expectation.outside(case) {
        let (before, after) = (&case.before[t], after[t]);
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
