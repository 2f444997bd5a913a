//! One call: plan, read, decide, write, report.

use super::ParamGrad;
use super::adaptive::Step;
use super::checks;
use super::decision::{Act, Decision, Measured};
use super::edge::{Confine, Edge};
use super::error::ClipError;
use super::pieces::{self, Piece};
use super::plan::{Component, Plan};
use super::policy::ClipPolicy;
use super::report::{Action, ClipReport, Clipped};
use super::rule::{Adaptive, Rule};
use super::scaling::Extent;
use super::state::{ClipState, Memory};
use super::tally::{Index, Outcome, Writing, combine};
use crate::real::Real;
use crate::reduce::Norms;
use ndarray::ArrayViewD;
use rayon::prelude::*;

/// Clips the gradients.
pub(super) fn run<T: Real>(
    policy: &ClipPolicy,
    state: &mut ClipState,
    grads: &mut [ParamGrad<'_, T>],
) -> Result<ClipReport, ClipError> {
    let names: Vec<(&str, Vec<usize>)> = grads.iter().map(|g| (g.name, g.grad.shape().to_vec())).collect();
    let shapes: Vec<(&str, &[usize])> = names.iter().map(|(name, shape)| (*name, &shape[..])).collect();
    checks::beside(policy, grads.iter().map(checks::Shapes::of))?;
    let plan = Plan::new(policy, &shapes)?;
    checks::thresholds(policy, &plan)?;
    let mut pieces = pieces::cut(&plan, grads);
    let p = policy.statistic.p();
    let before: Vec<Norms> = pieces::measure(&pieces.iter().map(|x| x.grad.view()).collect::<Vec<_>>(), p);
    let non_finite: Vec<usize> = pieces
        .iter()
        .zip(&before)
        .map(|(x, n)| count_non_finite(x, n))
        .collect();
    let index = Index::new(&plan, pieces.iter().map(Piece::slot).collect());
    let beside = beside(policy, &pieces);
    let measured = index.measured(policy, &before, &non_finite, beside.as_deref());
    let bad: Vec<bool> = measured.iter().map(|m| policy.is_non_finite::<T>(m)).collect();
    let form = |at: usize, handling: Handling<'_>| {
        Decision::<T>::handled(policy, &plan.components[at], &measured[at], handling)
    };
    let (decisions, learned) = decide(policy, state, &plan.components, &measured, &bad, form)?;
    if policy.is_stateful() {
        *state = learned;
    }
    let (after, changed) = write(&mut pieces, &before, &decisions, p);
    let written = Writing {
        before,
        after,
        changed,
        non_finite,
    };
    let outcomes: Vec<Outcome> = decisions.iter().map(Decision::outcome).collect();
    Ok(index.report(policy.statistic, plan, &names, &measured, &outcomes, &written))
}

/// A norm that is a number has none; a sum of `f32` squares in `f64` cannot overflow.
fn count_non_finite<T: Real>(piece: &Piece<'_, T>, norms: &Norms) -> usize {
    if norms.two.is_finite() {
        return 0;
    }
    piece.grad.iter().filter(|x| !x.is_finite()).count()
}

/// The norm of each piece of what the rule compares with: the weights, or `g/√max(v, ε²)`.
fn beside<T: Real>(policy: &ClipPolicy, pieces: &[Piece<'_, T>]) -> Option<Vec<f64>> {
    if policy.rule.needs_values() {
        let empty = || ArrayViewD::from_shape(vec![0], &[]).expect("no elements");
        let values = pieces
            .iter()
            .map(|x| x.value.as_ref().map_or_else(empty, |v| v.view()));
        let norms = pieces::measure(&values.collect::<Vec<_>>(), 2.0);
        return Some(norms.into_iter().map(|n| n.two).collect());
    }
    let Rule::StableAdamW { eps, .. } = policy.rule else {
        return None;
    };
    let ratio = |g: &T, v: &T| g.widen() * g.widen() / v.widen().max(eps * eps);
    let each = pieces.par_iter().map(|x| match &x.second_moment {
        None => 0.0,
        Some(v) => x
            .grad
            .iter()
            .zip(v)
            .fold(0.0, |sum, (g, v)| sum + ratio(g, v))
            .sqrt(),
    });
    Some(each.collect())
}

/// What is to be done with a component.
pub(super) enum Handling<'a> {
    /// The edge rule: zero.
    Zero,
    /// The edge rule: do not update with it.
    Skip,
    /// A rule with a memory.
    Adaptive(&'a Adaptive, &'a mut Option<Memory>, Step),
    /// A rule without.
    Plain,
}

/// One decision for each component, made by `form`, and the state afterwards; `bad` are those that the edge rule handles.
pub(super) fn decide<D>(
    policy: &ClipPolicy,
    state: &ClipState,
    components: &[Component],
    measured: &[Measured],
    bad: &[bool],
    form: impl Fn(usize, Handling<'_>) -> D,
) -> Result<(Vec<D>, ClipState), ClipError> {
    let any = bad.iter().any(|&bad| bad);
    if let (Edge::Error, Some(at)) = (policy.edge, bad.iter().position(|&bad| bad)) {
        return Err(ClipError::NonFinite {
            component: components[at].id.clone(),
            norm: measured[at].statistic,
            elements: measured[at].non_finite,
        });
    }
    let mut learned = ClipState::default();
    if policy.is_stateful() {
        learned = state.clone();
        learned.policy = policy.to_string();
        learned.steps += 1;
    }
    // What the edge rule takes away is as if it were not there.
    let confined = matches!(
        policy.edge,
        Edge::Zero(Confine::Component) | Edge::Skip(Confine::Component)
    );
    let left = measured.iter().zip(bad).filter(|(_, bad)| !(confined && **bad));
    let step = Step {
        before: state.steps,
        global_norm: combine(left.map(|(m, _)| m.two), 2.0),
    };
    let each = components
        .iter()
        .zip(bad)
        .enumerate()
        .map(|(at, (component, &bad))| match (policy.edge, &policy.rule) {
            (Edge::Zero(Confine::Component), _) if bad => form(at, Handling::Zero),
            (Edge::Skip(Confine::Component), _) if bad => form(at, Handling::Skip),
            (Edge::Zero(Confine::Global), _) if any => form(at, Handling::Zero),
            (Edge::Skip(Confine::Global), _) if any => form(at, Handling::Skip),
            (_, Rule::Adaptive(rule)) => {
                let mut memory = learned.components.remove(&component.id);
                let decision = form(at, Handling::Adaptive(rule, &mut memory, step));
                learned
                    .components
                    .extend(memory.map(|memory| (component.id.clone(), memory)));
                decision
            }
            _ => form(at, Handling::Plain),
        });
    let decisions = each.collect();
    Ok((decisions, learned))
}

impl ClipPolicy {
    /// Whether the edge rule applies to a component.
    pub(super) fn is_non_finite<T: Real>(&self, m: &Measured) -> bool {
        let norm = if self.rule.keeps_norms_in_type() {
            T::of(m.statistic).widen()
        } else {
            m.statistic
        };
        m.non_finite > 0 || !norm.is_finite()
    }
}

impl<T: Real> Decision<T> {
    /// The decision on a component in `T`.
    pub(super) fn handled(
        policy: &ClipPolicy,
        component: &Component,
        m: &Measured,
        handling: Handling<'_>,
    ) -> Self {
        let by_edge = |act| Self {
            act,
            threshold: component.threshold.map(super::Threshold::get),
            clipped: Clipped::No,
        };
        match handling {
            Handling::Zero => by_edge(Act::Zero),
            Handling::Skip => by_edge(Act::Skip),
            Handling::Adaptive(rule, memory, step) => rule.decide(memory, m, step),
            Handling::Plain => Self::of(&policy.rule, policy.statistic, component.threshold, m),
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        Outcome {
            threshold: self.threshold,
            scale: self.reported_scale(),
            action: self.action(),
            writes: self.act.writes(),
            clipped: (!matches!(self.act, Act::Each(_))).then_some(self.clipped),
        }
    }

    fn reported_scale(&self) -> f64 {
        match self.act {
            Act::Scale(scaling) => scaling.factor(),
            Act::Zero => 0.0,
            Act::Each(_) | Act::Skip => 1.0,
        }
    }

    fn action(&self) -> Action {
        match self.act {
            Act::Zero => Action::Zeroed,
            Act::Skip => Action::Skipped,
            act if act.writes() => Action::Rewritten,
            _ => Action::Kept,
        }
    }
}

/// The write pass: the norms afterwards and the elements that an element-wise rule changed, of every piece.
fn write<T: Real>(
    pieces: &mut [Piece<'_, T>],
    before: &[Norms],
    decisions: &[Decision<T>],
    p: f64,
) -> (Vec<Norms>, Vec<usize>) {
    let (mut after, mut changed) = (before.to_vec(), vec![0; pieces.len()]);
    let (mut indices, mut acts, mut moments, mut written) = (vec![], vec![], vec![], vec![]);
    for (index, piece) in pieces.iter_mut().enumerate() {
        let act = piece.component.map(|at| decisions[at].act);
        if let Some(act) = act.filter(|act| act.writes() && piece.scaled) {
            indices.push(index);
            acts.push(act);
            moments.push(piece.second_moment.take());
            written.push(piece);
        }
    }
    let extents: Vec<Extent> = written
        .iter()
        .map(|piece| Extent::of(piece.grad.shape()))
        .collect();
    let results = pieces::rewrite(&mut written, p, |index, at, x| match acts[index] {
        Act::Scale(scaling) => {
            scaling.apply(x, extents[index]);
            0
        }
        Act::Each(rule) => {
            let moment = moments[index].as_ref().and_then(|v| v.as_slice());
            rule.apply(x, moment.map(|v| &v[at..at + x.len()]))
        }
        Act::Zero => {
            x.fill(T::zero());
            0
        }
        Act::Skip => 0,
    });
    for (index, result) in indices.into_iter().zip(results) {
        after[index] = result.norms;
        changed[index] = result.changed;
    }
    (after, changed)
}
