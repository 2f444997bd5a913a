//! What must hold before anything is measured.

use super::error::ClipError;
use super::plan::Plan;
use super::policy::ClipPolicy;
use super::rule::Rule;
use super::selection::Role;
use super::{Convention, ParamGrad};
use crate::real::Real;

/// The values and second moments that the rule needs are there and have the right shape.
pub(super) fn beside<T: Real>(policy: &ClipPolicy, grads: &[ParamGrad<'_, T>]) -> Result<(), ClipError> {
    for param in grads {
        let excluded = policy.selections.iter().find(|s| s.pattern.fits(param.name));
        if excluded.is_some_and(|s| s.role == Role::Exclude) {
            continue;
        }
        for (what, needed, view) in [
            ("value", policy.rule.needs_values(), &param.value),
            (
                "second moment",
                policy.rule.needs_second_moments(),
                &param.second_moment,
            ),
        ] {
            let parameter = || param.name.to_owned();
            match view {
                None if needed => {
                    return Err(ClipError::Missing {
                        what,
                        parameter: parameter(),
                    });
                }
                Some(view) if view.shape() != param.grad.shape() => {
                    return Err(ClipError::Shape {
                        what,
                        parameter: parameter(),
                        gradient: param.grad.shape().to_vec(),
                        other: view.shape().to_vec(),
                    });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The convention takes every threshold.
pub(super) fn thresholds(policy: &ClipPolicy, plan: &Plan) -> Result<(), ClipError> {
    let Rule::Norm { convention, .. } = policy.rule else {
        return Ok(());
    };
    let thresholds = policy.rule.threshold().into_iter();
    let all = thresholds.chain(plan.components.iter().filter_map(|c| c.threshold));
    all.into_iter()
        .try_for_each(|c| Convention::check(convention, c.get()))
}
