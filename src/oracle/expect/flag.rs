//! Whether a component counts as clipped.
//!
//! A convention says so by its own comparison. A rule that multiplies clips where its scale is below 1 or NaN, a rule on
//! elements where it changes one. What the edge rule handles is not clipped.

use super::convention;
use super::kernel::Kernel;
use super::machine::Machine;
use super::rule::Plan;
use super::{Component, find};
use crate::clip::{Adaptive, Clipped, Rule};
use crate::oracle::case::Case;
use crate::oracle::format::Format;

/// The flag of a component whose norm is one of these.
pub(super) fn flag(plan: &Plan, m: Machine, norms: &[f64], case: &Case, component: &Component) -> Clipped {
    let Plan::Rule { rule, elements, .. } = plan else {
        return Clipped::No;
    };
    let answers: Vec<bool> = if let Rule::Norm { convention, eps, .. } = rule {
        let c = component.threshold.unwrap_or(f64::INFINITY);
        let clips = |&n: &f64| convention::clips(*convention, m, n, (c, *eps), *elements);
        norms.iter().map(clips).collect()
    } else {
        let mut kernels = Vec::new();
        for &n in norms {
            let m = judged_in(rule, m);
            plan.push((m, m), n, component.threshold, &mut kernels);
        }
        let shortens = |&kernel: &Kernel| match (rule, kernel) {
            (_, Kernel::Keep) => false,
            // They have compared, and a quotient of nearly 1 may round to 1.
            (Rule::Agc { .. } | Rule::Adaptive(Adaptive::Percentile { .. }), _) => true,
            _ if kernel.is_on_elements() => changes(kernel, m, case, component),
            _ => kernel.scale() < 1.0 || kernel.scale().is_nan(),
        };
        kernels.iter().map(shortens).collect()
    };
    match (answers.contains(&true), answers.contains(&false)) {
        (true, true) => Clipped::Ambiguous,
        (true, false) => Clipped::Yes,
        (false, _) => Clipped::No,
    }
}

/// Scales that are rounded to the type of the elements at the very end are compared with 1 before that.
fn judged_in(rule: &Rule, m: Machine) -> Machine {
    match rule {
        Rule::SoftNorm { .. }
        | Rule::Normalise { .. }
        | Rule::TrustRatio { .. }
        | Rule::StableAdamW { .. }
        | Rule::Adaptive(Adaptive::AdaGc { .. }) => Machine { format: Format::F64 },
        _ => m,
    }
}

/// Whether an element becomes another number.
fn changes(kernel: Kernel, m: Machine, case: &Case, component: &Component) -> bool {
    component
        .members
        .iter()
        .filter(|member| member.scaled)
        .any(|member| {
            let before = &case.before[member.tensor];
            let moments = find(&case.second_moments, &before.name);
            (0..member.len()).map(|k| member.index(k)).any(|i| {
                let (x, v) = (before.data.get(i), moments.map_or(0.0, |v| v.get(i)));
                let y = kernel.apply(m, x, v, member.extent());
                before.data.format().round(y) != x && !x.is_nan()
            })
        })
}
