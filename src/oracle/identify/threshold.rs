//! The threshold that an output shows: what was clipped has it as its norm, but for an ε and for roundings.

use super::super::case::{Case, OracleError};
use super::super::component::components;
use super::super::exact::norm as exact_norm;
use super::super::judge::pair;
use super::super::tensor::Data;
use super::super::totals::Totals;
use super::{Fit, Identification, Ranked, Tensor, Trials};
use crate::clip::{ClipPolicy, Convention, Partition, Rule, Statistic, Threshold};
use rayon::prelude::*;

/// What sources add to a norm before they divide the threshold by it.
const EPSILONS: [f64; 3] = [0.0, 1e-6, 1e-8];

/// How far a norm after clipping may be from the threshold: roundings and an ε; 16-bit elements; the weak sums of libraries.
const SLACKS: [f64; 3] = [2e-6, 2e-4, 4e-3];

/// What an output came from, and the threshold, where nobody says which it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Inferred {
    /// The threshold; none if the output is the input, or no norm after clipping leads to one that fits.
    pub threshold: Option<Threshold>,
    /// What fits at this threshold; `none` alone where the output is the input.
    pub found: Identification,
}

/// Finds out the threshold too: as [`identify`](super::identify), for a case whose policy gives no more than the
/// statistic and the exceptions.
///
/// Every partition's norms after clipping are looked at, over the components that changed. Their median, as the shortest
/// decimal number that is near enough, is tried as the threshold; of those that fit, the one that needs the norms least
/// far off is taken, then the one with the fewest digits. A threshold with more digits than the type of the elements
/// shows cannot be found.
///
/// # Errors
/// If the case is not well formed.
pub fn infer(case: &Case, after: &[Tensor]) -> Result<Inferred, OracleError> {
    let mut trials = Trials::new(case.clone(), pair(&case.before, after)?);
    let mut best: Option<(u64, usize, Inferred)> = None;
    for c in candidates(&trials) {
        let found = trials.rank(&with_threshold(&case.policy, c))?;
        let clips = |policy: &ClipPolicy| policy.rule != Rule::Keep;
        let Some(first) = found.best().iter().find(|ranked| clips(&ranked.policy)) else {
            continue;
        };
        let off = match first.fit {
            Fit::Bits { ulps, .. } => ulps,
            Fit::Tolerance { .. } | Fit::No => u64::MAX,
        };
        let digits = format!("{c:e}").len();
        if best.as_ref().is_none_or(|(o, d, _)| (off, digits) < (*o, *d)) {
            let threshold = Some(Threshold::unchecked(c));
            best = Some((off, digits, Inferred { threshold, found }));
        }
    }
    if let Some((_, _, inferred)) = best {
        return Ok(inferred);
    }
    let mut tensors = case.before.iter().zip(&trials.after);
    let unchanged = tensors.all(|(before, after)| before.same_bits(after));
    // An output that is its input shows no threshold: nothing was clipped.
    let ranked = unchanged.then(|| Ranked {
        policy: ClipPolicy::none(),
        fit: Fit::Bits {
            rung: 0,
            needs: case.declared,
            ulps: 0,
        },
    });
    let found = Identification {
        tied: ranked.iter().count(),
        ranked: ranked.into_iter().collect(),
        tie: None,
    };
    Ok(Inferred {
        threshold: None,
        found,
    })
}

/// CWGNC at this threshold, with the statistic and the exceptions of a policy.
fn with_threshold(policy: &ClipPolicy, c: f64) -> ClipPolicy {
    ClipPolicy {
        rule: Rule::norm(Threshold::unchecked(c), Convention::Torch),
        ..policy.clone()
    }
}

/// Thresholds that the output may show, each once.
fn candidates(trials: &Trials<'_>) -> Vec<f64> {
    let mut shown = Vec::new();
    let totals_after = Totals::new(trials.after.len());
    for partition in [
        Partition::Parameter,
        Partition::Global,
        Partition::Module,
        Partition::Layer,
        Partition::Row,
        Partition::OptaxUnit,
    ] {
        // The parts of a few tensors show it as well as those of all.
        let norms = match &trials.few {
            Some(few) if partition.cuts_tensors() => norms(few, partition, &Totals::new(few.after.len())),
            _ => norms(trials, partition, &totals_after),
        };
        // Components that are not clipped have smaller norms than those that are; the median and the largest show both.
        for &(after, before) in norms.last().into_iter().chain(norms.get(norms.len() / 2)) {
            shown.extend(EPSILONS.map(|eps| after * (before + eps) / before));
        }
    }
    // Clipping by value leaves the threshold itself.
    let tensors = trials.suspect.before.iter().zip(&trials.after);
    let clipped = tensors.filter(|(before, after)| !before.same_bits(after));
    let largest = |data: &Data| exact_norm(Statistic::MAX, data.slice(0..data.len())).interval.hi;
    shown.extend(clipped.map(|(_, after)| largest(&after.data)).reduce(f64::max));
    let mut candidates: Vec<f64> = Vec::new();
    for x in shown {
        for c in SLACKS.map(|slack| shortest(x, slack)) {
            if !candidates.contains(&c) {
                candidates.push(c);
            }
        }
    }
    candidates
}

/// The norms after and before of the components in which something changed, in ascending order of those after; none
/// where the partition cannot cut these tensors.
fn norms(trials: &Trials<'_>, partition: Partition, totals_after: &Totals) -> Vec<(f64, f64)> {
    let (before, after) = (&trials.suspect.before, &trials.after);
    let policy = ClipPolicy {
        partition,
        ..trials.suspect.policy.clone()
    };
    let found = components(&policy, before).unwrap_or_default();
    let changed: Vec<bool> = before.iter().zip(after).map(|(x, y)| !x.same_bits(y)).collect();
    let touched = found
        .par_iter()
        .filter(|component| component.members.iter().any(|member| changed[member.tensor]));
    let norms = touched.map(|component| {
        let of_before = trials.totals.of(component, |t| &before[t].data, policy.statistic);
        let of_after = totals_after.of(component, |t| &after[t].data, policy.statistic);
        (of_after.norm().interval.lo, of_before.norm().interval.lo)
    });
    let useful = |(after, before): &(f64, f64)| *after > 0.0 && before.is_finite();
    let mut norms: Vec<(f64, f64)> = norms.filter(useful).collect();
    norms.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    norms
}

/// The decimal number with the fewest digits that is this near; the number itself if none with nine is.
fn shortest(x: f64, slack: f64) -> f64 {
    let rounded = (0..9).filter_map(|digits| format!("{x:.digits$e}").parse::<f64>().ok());
    let near = |c: &f64| (c / x - 1.0).abs() <= slack;
    rounded.into_iter().find(near).unwrap_or(x)
}
