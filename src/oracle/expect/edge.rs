//! The edge rules: which components they take from the rule, and what becomes of those.

use super::kernel::Kernel;
use super::rule::Plan;
use super::{Component, Expected};
use crate::clip::{Action, Clipped, Confine, Edge};
use crate::oracle::interval::Interval;
use crate::oracle::tensor::Tensor;

/// Applies the edge rule; whether the clipper must refuse.
pub(super) fn settle(edge: Edge, expected: &mut [Expected]) -> bool {
    let broken = |e: &Expected| e.poisoned || !e.kept_norm().hi.is_finite();
    let any = expected.iter().any(broken);
    let (confine, action, kernel) = match edge {
        Edge::Propagate => return false,
        Edge::Error => (Confine::Global, Action::Kept, Kernel::Keep),
        Edge::Zero(confine) => (confine, Action::Zeroed, Kernel::Fill(0.0)),
        Edge::Skip(confine) => (confine, Action::Skipped, Kernel::Keep),
    };
    for e in expected {
        if any && confine == Confine::Global || broken(e) {
            e.action = action;
            e.clipped = Clipped::No;
            e.plan = Plan::Fixed(kernel);
            e.scale = Interval::point(if action == Action::Zeroed { 0.0 } else { 1.0 });
        }
    }
    any && edge == Edge::Error
}

/// Whether an element that does not count in the norm is NaN or infinite.
pub(super) fn poisoned(component: &Component, tensors: &[Tensor]) -> bool {
    let beside = component.members.iter().filter(|member| !member.counted);
    beside.into_iter().any(|member| {
        let data = &tensors[member.tensor].data;
        (0..member.len()).any(|k| !data.get(member.index(k)).is_finite())
    })
}
