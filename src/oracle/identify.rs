//! Which convention and which partition an output came from.
//!
//! Every convention is tried with every partition, and value clipping beside them, at the case's threshold. A candidate
//! fits on the rung of [`LADDER`](super::tolerance::LADDER) on which, for each component, some norm that the rung allows
//! gives all of its bits; failing that, on the rung whose tolerance holds its elements. Lower rungs fit better, bits fit
//! better than tolerances, and what fits equally well is a tie and said to be one: on gradients below every threshold,
//! for example, most conventions do the same, and no method can tell them apart.

use super::case::{Case, OracleError};
use super::component::Component;
use super::declared::Reduction;
use super::exact::Norm;
use super::expect::{Expectation, Expected, assemble, find, measure};
use super::implied::{Implied, Look};
use super::judge::pair;
use super::tensor::Tensor;
use super::tolerance::LADDER;
use super::verdict::Verdict;
use crate::clip::{ClipPolicy, Convention, Partition, Rule, Statistic, Threshold, ValueForm};
use std::cmp::Ordering;

/// How well a policy explains an output; from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Fit {
    /// Every bit, for norms within what this rung of the ladder allows: 0 is the correctly rounded norm.
    Bits {
        /// Index into [`LADDER`](super::tolerance::LADDER).
        rung: usize,
    },
    /// Every element within the tolerance of this rung.
    Tolerance {
        /// Index into [`LADDER`](super::tolerance::LADDER).
        rung: usize,
    },
    /// Not at all.
    No,
}

/// A policy and its fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The policy.
    pub policy: ClipPolicy,
    /// Its fit.
    pub fit: Fit,
}

/// What an output came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Identification {
    /// All policies that were tried, best first; equal ones in the order in which they were tried.
    pub ranked: Vec<Ranked>,
    /// How many of the first ones fit equally well; 0 if nothing fits.
    pub tied: usize,
}

impl Identification {
    /// The policies that fit best.
    pub fn best(&self) -> &[Ranked] {
        &self.ranked[..self.tied]
    }
}

/// Components with their exact norms.
type Measured = Vec<(Component, Norm)>;

/// Ranks conventions and partitions by how well they explain an output.
///
/// Threshold, exceptions, edge rule and declared arithmetic are those of the case; its partition and its convention are
/// tried first among equals and not otherwise preferred.
///
/// # Errors
/// If the case is not well formed or has no threshold.
pub fn identify(case: &Case, after: &[Tensor]) -> Result<Identification, OracleError> {
    let after = pair(&case.before, after)?;
    let Some(threshold) = case.policy.rule.threshold() else {
        let why = format!("`{}` has no threshold to identify a convention with", case.policy);
        return Err(OracleError::Unsupported(why));
    };
    // Norms depend on the partition and the statistic alone, and are what costs.
    let mut cache: Vec<(Partition, Statistic, Measured)> = Vec::new();
    let mut suspect = case.clone();
    let mut trial = |policy: &ClipPolicy, look: Look| -> Option<Fit> {
        suspect.policy = policy.clone();
        let known = |(partition, statistic, _): &(Partition, Statistic, _)| {
            *partition == policy.partition && *statistic == policy.statistic
        };
        let at = if let Some(at) = cache.iter().position(known) {
            at
        } else {
            let mut found = measure(&suspect).ok()?;
            // `none` has no threshold; whoever comes after it has.
            for (component, _) in &mut found {
                component.threshold.get_or_insert(threshold.get());
            }
            cache.push((policy.partition.clone(), policy.statistic, found));
            cache.len() - 1
        };
        // All suspects that read a threshold have the same one, so the components are the same.
        let mut expectation = assemble(&suspect, cache[at].2.clone()).ok()?;
        Some(fit(&suspect, &after, &mut expectation, look))
    };
    let mut ranked = Vec::new();
    for policy in suspects(&case.policy, threshold, &case.before) {
        if let Some(fit) = trial(&policy, Look::Sample) {
            ranked.push((Ranked { policy, fit }, false));
        }
    }
    // A sample can only flatter: look at everything of whoever leads, until the leaders have been.
    loop {
        // A stable sort keeps equals in the order of the suspects.
        ranked.sort_by(|(a, _), (b, _)| a.fit.partial_cmp(&b.fit).unwrap_or(Ordering::Equal));
        let best = ranked.first().map_or(Fit::No, |(best, _)| best.fit);
        let leads = |(r, seen): &&mut (Ranked, bool)| r.fit == best && best != Fit::No && !*seen;
        let Some((leader, seen)) = ranked.iter_mut().find(leads) else {
            let ranked: Vec<Ranked> = ranked.into_iter().map(|(r, _)| r).collect();
            let tied = ranked
                .iter()
                .take_while(|r| r.fit == best && best != Fit::No)
                .count();
            return Ok(Identification { ranked, tied });
        };
        leader.fit = trial(&leader.policy, Look::All).unwrap_or(Fit::No);
        *seen = true;
    }
}

/// The verdict `POLICY`, if another policy explains the output to the bit or, unless `only_bits`, within its tolerance.
pub(super) fn explain(case: &Case, after: &[&Tensor], only_bits: bool) -> Option<Verdict> {
    let after: Vec<Tensor> = after.iter().map(|&t| t.clone()).collect();
    let found = identify(case, &after).ok()?;
    let mut matches: Vec<ClipPolicy> = found.best().iter().map(|r| r.policy.clone()).collect();
    let exact = found
        .best()
        .first()
        .is_some_and(|best| best.fit == Fit::Bits { rung: 0 });
    if matches.is_empty() || matches.contains(&case.policy) || only_bits && !exact {
        return None;
    }
    // Of what no data here can tell apart, the nearest to what was meant.
    let near = |keep: &dyn Fn(&ClipPolicy) -> bool, matches: &mut Vec<ClipPolicy>| {
        if matches.iter().any(keep) {
            matches.retain(keep);
        }
    };
    let own = &case.policy;
    near(
        &|policy| policy.rule == own.rule && policy.statistic == own.statistic,
        &mut matches,
    );
    // An output that equals its input was most simply not clipped at all.
    near(
        &|policy| policy.rule == Rule::Keep || policy.rule == own.rule && policy.statistic == own.statistic,
        &mut matches,
    );
    near(&|policy| policy.rule == own.rule, &mut matches);
    near(&|policy| policy.statistic == own.statistic, &mut matches);
    near(&|policy| policy.partition == case.policy.partition, &mut matches);
    Some(Verdict::Policy { matches })
}

/// Every policy worth trying, the case's own first, then the usual before the unusual.
fn suspects(own: &ClipPolicy, threshold: Threshold, tensors: &[Tensor]) -> Vec<ClipPolicy> {
    let mut suspects = vec![own.clone()];
    let mut add = |policy: ClipPolicy| {
        // By text: a NaN threshold is not equal to itself.
        if suspects
            .iter()
            .all(|other| other.to_string() != policy.to_string())
        {
            suspects.push(policy);
        }
    };
    let scale = match own.rule {
        Rule::Norm {
            convention: Convention::DeepSpeed { loss_scale },
            ..
        } => loss_scale,
        _ => 1.0,
    };
    let partitions = [
        Partition::Parameter,
        Partition::Global,
        Partition::Module,
        Partition::Layer,
        Partition::Row,
        Partition::OptaxUnit,
    ];
    let with = |rule: Rule, partition: Partition, statistic: Statistic| ClipPolicy {
        rule,
        partition,
        statistic,
        ..own.clone()
    };
    let own_first = std::iter::once(own.partition.clone());
    for partition in own_first.chain(partitions) {
        // A vector is its own row, so without a matrix rows say nothing new.
        if partition.cuts_tensors() && tensors.iter().all(|t| t.shape.len() < 2) && partition != own.partition
        {
            continue;
        }
        for convention in Convention::ALL {
            let convention = match convention {
                Convention::DeepSpeed { .. } => Convention::DeepSpeed { loss_scale: scale },
                other => other,
            };
            let statistic = match (convention, own.statistic) {
                (Convention::TfAverage, _) => Statistic::Mean,
                (_, Statistic::Mean) => Statistic::L2,
                (_, statistic) => statistic,
            };
            add(with(
                Rule::Norm {
                    threshold,
                    convention,
                },
                partition.clone(),
                statistic,
            ));
        }
    }
    for (rule, partition, statistic) in beside_conventions(threshold) {
        add(with(rule, partition, statistic));
    }
    suspects
}

/// Suspects that are no convention under a partition: value clipping, nothing at all, and other statistics.
fn beside_conventions(threshold: Threshold) -> Vec<(Rule, Partition, Statistic)> {
    let forms = [ValueForm::Torch, ValueForm::Tf, ValueForm::Paper];
    let mut suspects: Vec<_> = forms
        .map(|form| {
            (
                Rule::Value { threshold, form },
                Partition::Parameter,
                Statistic::MAX,
            )
        })
        .to_vec();
    suspects.push((Rule::Keep, Partition::Parameter, Statistic::L2));
    for statistic in [Statistic::L1, Statistic::L2, Statistic::MAX, Statistic::Rms] {
        for partition in [Partition::Parameter, Partition::Global] {
            for convention in [Convention::Exact, Convention::Torch] {
                suspects.push((
                    Rule::Norm {
                        threshold,
                        convention,
                    },
                    partition.clone(),
                    statistic,
                ));
            }
        }
    }
    suspects
}

/// The fit of one policy.
fn fit(case: &Case, after: &[&Tensor], expectation: &mut Expectation, look: Look) -> Fit {
    if !untouched(case, after, expectation) {
        return Fit::No;
    }
    let declared = case.declared.reduction;
    let rungs: Vec<usize> = match declared {
        Reduction::Unknown => (0..LADDER.len()).collect(),
        // Correct rounding is within every declaration, and tells more.
        _ => vec![0, LADDER.len()],
    };
    let reduction = |rung: usize| LADDER.get(rung).copied().unwrap_or(declared);
    let loosest = rungs.last().map_or(declared, |&rung| reduction(rung));
    for expected in &mut expectation.components {
        expected.declare(case, loosest);
        if !holds(case, after, expected, look) {
            return Fit::No;
        }
    }
    let implied: Vec<_> = expectation
        .components
        .iter()
        .map(|e| Implied::of(case, after, e, look).norm)
        .collect();
    let mut bits = 0;
    for (expected, implied) in expectation.components.iter_mut().zip(implied) {
        let found = implied.and_then(|implied| {
            let mut later = rungs.iter().copied().filter(|&rung| rung >= bits);
            later.find(|&rung| {
                expected.declare(case, reduction(rung));
                let allowed = expected.allowed_norm;
                let nan = allowed.is_nan();
                nan || implied.lo <= allowed.hi && allowed.lo <= implied.hi
            })
        });
        match found {
            Some(rung) => bits = rung,
            None => return tolerated(case, after, expectation, &rungs, reduction, look),
        }
    }
    Fit::Bits { rung: bits }
}

/// The first rung whose tolerances hold everything. One that allows anything says nothing.
fn tolerated(
    case: &Case,
    after: &[&Tensor],
    expectation: &mut Expectation,
    rungs: &[usize],
    reduction: impl Fn(usize) -> Reduction,
    look: Look,
) -> Fit {
    let found = rungs.iter().copied().find(|&rung| {
        expectation.components.iter_mut().all(|expected| {
            expected.declare(case, reduction(rung));
            !expected.bound.is_vacuous() && holds(case, after, expected, look)
        })
    });
    found.map_or(Fit::No, |rung| Fit::Tolerance { rung })
}

/// Whether every element is within what is allowed; stops at the first that is not.
fn holds(case: &Case, after: &[&Tensor], expected: &Expected, look: Look) -> bool {
    expected.component.members.iter().all(|member| {
        let before = &case.before[member.tensor];
        let moments = find(&case.second_moments, &before.name);
        let function = expected.function(member, before.data.format());
        look.at(member.len()).map(|k| member.index(k)).all(|i| {
            let v = moments.map_or(0.0, |v| v.get(i));
            function
                .allowed(before.data.get(i), v)
                .contains(after[member.tensor].data.get(i))
        })
    })
}

/// Whether tensors in no component are as they were.
fn untouched(case: &Case, after: &[&Tensor], expectation: &Expectation) -> bool {
    case.before
        .iter()
        .zip(after)
        .enumerate()
        .all(|(t, (before, after))| {
            let mut members = expectation.components.iter().flat_map(|e| &e.component.members);
            members.any(|m| m.tensor == t) || before.same_bits(after)
        })
}
