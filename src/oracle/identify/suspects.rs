//! The policies that are tried.
//!
//! Every convention over every partition, with the case's statistic, and what sources offer beyond that: the 1-, the
//! 2- and the ∞-norm where there is a parameter for it, root mean squares, clipping by value, adaptive gradient clipping
//! where the parameters are given (with the default ε of timm and optax), and doing nothing.

use super::super::case::Case;
use super::super::component::cuts;
use crate::clip::{ClipPolicy, Convention, Partition, Rule, Statistic, Threshold, ValueForm};

/// The ε of timm's and optax' adaptive gradient clipping, if it is not given.
const AGC_EPS: f64 = 1e-3;

/// Every policy worth trying, the case's own first, then the usual before the unusual.
pub(super) fn suspects(case: &Case, threshold: Threshold) -> Vec<ClipPolicy> {
    let own = &case.policy;
    // A separator is about modules and layers; in other policies it would stand for nothing.
    let separator = |partition: &Partition| own.separator.clone().filter(|_| partition.cuts_names());
    let mut suspects = vec![ClipPolicy {
        separator: separator(&own.partition),
        ..own.clone()
    }];
    let mut add = |rule: Rule, partition: &Partition, statistic: Statistic| {
        let policy = ClipPolicy {
            rule,
            partition: partition.clone(),
            statistic,
            separator: separator(partition),
            ..own.clone()
        };
        // By text: a NaN threshold is not equal to itself.
        if suspects
            .iter()
            .all(|other| other.to_string() != policy.to_string())
        {
            suspects.push(policy);
        }
    };
    let partitions = partitions(case);
    let norm = |convention| Rule::norm(threshold, convention);
    for partition in &partitions {
        for convention in conventions(own) {
            let statistic = match own.statistic {
                _ if convention.measures_mean() => Statistic::Mean,
                Statistic::Mean => Statistic::L2,
                statistic => statistic,
            };
            add(norm(convention), partition, statistic);
        }
    }
    for form in [ValueForm::Torch, ValueForm::Tf, ValueForm::Paper] {
        add(
            Rule::Value { threshold, form },
            &Partition::Parameter,
            Statistic::MAX,
        );
    }
    add(Rule::Keep, &Partition::Parameter, Statistic::L2);
    for (statistic, offered) in OTHER_STATISTICS {
        for partition in [Partition::Parameter, Partition::Global] {
            for &convention in offered {
                add(norm(convention), &partition, statistic);
            }
        }
    }
    if !case.values.is_empty() {
        let agc = Rule::Agc {
            threshold,
            eps: AGC_EPS,
        };
        let usual = [Partition::Row, Partition::OptaxUnit];
        let units = partitions.iter().filter(|partition| partition.cuts_tensors());
        for partition in usual.iter().chain(units) {
            add(agc.clone(), partition, Statistic::L2);
        }
    }
    suspects
}

/// Statistics, and the conventions whose sources offer them.
const OTHER_STATISTICS: [(Statistic, &[Convention]); 4] = [
    (Statistic::L2, &[Convention::Exact, Convention::Torch]),
    (Statistic::L1, NORM_TYPE),
    (Statistic::MAX, NORM_TYPE),
    (
        Statistic::Rms,
        &[
            Convention::Exact,
            Convention::Torch,
            Convention::OptaxRms,
            Convention::OptaxRmsJit,
            Convention::DivMax,
        ],
    ),
];

/// Those with a parameter `norm_type`.
const NORM_TYPE: &[Convention] = &[
    Convention::Exact,
    Convention::Torch,
    Convention::TorchBranch,
    Convention::DeepSpeed { loss_scale: 1.0 },
];

/// Every convention, DeepSpeed's with the case's loss scale.
pub(super) fn conventions(own: &ClipPolicy) -> impl Iterator<Item = Convention> {
    let own = match own.rule {
        Rule::Norm { convention, .. } => Some(convention),
        _ => None,
    };
    Convention::ALL.into_iter().map(move |convention| match own {
        Some(own @ Convention::DeepSpeed { .. }) if own.name() == convention.name() => own,
        _ => convention,
    })
}

/// The case's own, the named ones, and units along one axis; those that cannot cut these tensors left out.
fn partitions(case: &Case) -> Vec<Partition> {
    let rank = case.before.iter().map(|tensor| tensor.shape.len()).max();
    // A vector is its own row: without a matrix, rows and units say nothing new.
    let axes = match rank.unwrap_or(0) {
        0 | 1 => 0,
        rank => rank,
    };
    // Axes that are 1 long everywhere all give units of one element; the first of them stands for the others.
    let is_long = |axis: &usize| {
        case.before
            .iter()
            .any(|tensor| tensor.shape.get(*axis).is_some_and(|&n| n != 1))
    };
    let short = (0..axes).find(|axis| !is_long(axis));
    let along = (0..axes).filter(|axis| is_long(axis) || Some(*axis) == short);
    let units = [Partition::Row, Partition::OptaxUnit]
        .into_iter()
        .take(if axes == 0 { 0 } else { 2 });
    let whole = [
        Partition::Parameter,
        Partition::Global,
        Partition::Module,
        Partition::Layer,
    ];
    let mut found = vec![case.policy.partition.clone()];
    let candidates = whole.into_iter().chain(units);
    for partition in candidates.chain(along.map(|axis| Partition::Axes(vec![axis]))) {
        let policy = ClipPolicy {
            partition: partition.clone(),
            ..case.policy.clone()
        };
        if !found.contains(&partition) && cuts(&policy, &case.before) {
            found.push(partition);
        }
    }
    found
}
