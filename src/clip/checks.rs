//! What must hold before anything is measured.

use super::error::ClipError;
use super::plan::Plan;
use super::policy::ClipPolicy;
use super::rule::Rule;
use super::selection::Role;
use super::{Convention, ParamGrad};
use ndarray::ArrayBase;

/// A parameter's name and the shapes of its tensors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shapes<'a> {
    pub(super) name: &'a str,
    pub(super) grad: &'a [usize],
    pub(super) value: Option<&'a [usize]>,
    pub(super) second_moment: Option<&'a [usize]>,
}

impl<'a> Shapes<'a> {
    pub(super) fn of<T>(param: &'a ParamGrad<'_, T>) -> Self {
        Self {
            name: param.name,
            grad: param.grad.shape(),
            value: param.value.as_ref().map(ArrayBase::shape),
            second_moment: param.second_moment.as_ref().map(ArrayBase::shape),
        }
    }
}

/// The values and second moments that the rule needs are there and have the right shape.
pub(super) fn beside<'a>(
    policy: &ClipPolicy,
    params: impl IntoIterator<Item = Shapes<'a>>,
) -> Result<(), ClipError> {
    for param in params {
        let excluded = policy.selections.iter().find(|s| s.pattern.fits(param.name));
        if excluded.is_some_and(|s| s.role == Role::Exclude) {
            continue;
        }
        for (what, needed, shape) in [
            ("value", policy.rule.needs_values(), param.value),
            (
                "second moment",
                policy.rule.needs_second_moments(),
                param.second_moment,
            ),
        ] {
            let parameter = || param.name.to_owned();
            match shape {
                None if needed => {
                    return Err(ClipError::Missing {
                        what,
                        parameter: parameter(),
                    });
                }
                Some(shape) if shape != param.grad => {
                    return Err(ClipError::Shape {
                        what,
                        parameter: parameter(),
                        gradient: param.grad.to_vec(),
                        other: shape.to_vec(),
                    });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The convention takes every threshold, and has an ε if one is given.
pub(super) fn thresholds(policy: &ClipPolicy, plan: &Plan) -> Result<(), ClipError> {
    let Rule::Norm { convention, eps, .. } = policy.rule else {
        return Ok(());
    };
    if !policy.rule.has_its_epsilon() {
        return Err(ClipError::Epsilon {
            convention: convention.name(),
            eps,
        });
    }
    let thresholds = policy.rule.threshold().into_iter();
    let all = thresholds.chain(plan.components.iter().filter_map(|c| c.threshold));
    all.into_iter()
        .try_for_each(|c| Convention::check(convention, c.get()))
}
