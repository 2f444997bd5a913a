//! One call: plan, read, decide, write, report.

use super::adaptive::Step;
use super::checks;
use super::decision::{Act, Decision, Measured};
use super::edge::{Confine, Edge};
use super::error::ClipError;
use super::pieces::{self, Piece};
use super::plan::{Component, Plan};
use super::policy::ClipPolicy;
use super::report::{Action, ClipReport, Clipped, ComponentReport, ParameterReport};
use super::rule::Rule;
use super::scaling::Extent;
use super::state::ClipState;
use super::statistic::Statistic;
use super::{Convention, ParamGrad};
use crate::real::Real;
use crate::reduce::{self, Norms};
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
    checks::beside(policy, grads)?;
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
    let index = Index::new(&plan, &pieces);
    let measured = index.measured(policy, &pieces, &before, &non_finite);
    let (decisions, learned) = decide::<T>(policy, state, &plan.components, &measured)?;
    if policy.is_stateful() {
        *state = learned;
    }
    let (after, changed) = write(&mut pieces, &before, &decisions, p);
    let clipped = |component: usize| match decisions[component].act {
        Act::Each(_) if index.pieces[component].iter().any(|&at| changed[at] > 0) => Clipped::Yes,
        Act::Each(_) => Clipped::No,
        _ => decisions[component].clipped,
    };
    let components = plan.components.into_iter().enumerate().map(|(at, component)| {
        let Measured {
            statistic, elements, ..
        } = measured[at];
        ComponentReport {
            id: component.id,
            elements,
            norm_before: statistic,
            threshold: decisions[at].threshold,
            scale: decisions[at].reported_scale(),
            norm_after: if decisions[at].act.writes() {
                index.statistic(policy.statistic, at, &pieces, &after)
            } else {
                statistic
            },
            clipped: clipped(at),
            non_finite: measured[at].non_finite,
            action: decisions[at].action(),
            members: component.members,
        }
    });
    let components = components.collect();
    Ok(ClipReport {
        statistic: policy.statistic,
        parameters: parameters(&names, &pieces, &before, &after, &non_finite),
        components,
    })
}

/// A norm that is a number has none; a sum of `f32` squares in `f64` cannot overflow.
fn count_non_finite<T: Real>(piece: &Piece<'_, T>, norms: &Norms) -> usize {
    if norms.two.is_finite() {
        return 0;
    }
    piece.grad.iter().filter(|x| !x.is_finite()).count()
}

/// The pieces of each component.
struct Index {
    /// All of them.
    pieces: Vec<Vec<usize>>,
}

impl Index {
    fn new<T>(plan: &Plan, pieces: &[Piece<'_, T>]) -> Self {
        let mut index = vec![Vec::new(); plan.components.len()];
        for (at, piece) in pieces.iter().enumerate() {
            if let Some(component) = piece.component {
                index[component].push(at);
            }
        }
        Self { pieces: index }
    }

    fn counted<T>(&self, component: usize, pieces: &[Piece<'_, T>]) -> Vec<usize> {
        let members = self.pieces[component].iter().copied();
        members.filter(|&at| pieces[at].counted).collect()
    }

    fn statistic<T>(&self, s: Statistic, component: usize, pieces: &[Piece<'_, T>], norms: &[Norms]) -> f64 {
        let counted = self.counted(component, pieces);
        let elements = counted.iter().map(|&at| pieces[at].grad.len()).sum();
        let p = s.p();
        s.of_norm(combine(counted.iter().map(|&at| norms[at].p), p), elements)
    }

    fn measured<T: Real>(
        &self,
        policy: &ClipPolicy,
        pieces: &[Piece<'_, T>],
        norms: &[Norms],
        non_finite: &[usize],
    ) -> Vec<Measured> {
        let beside = beside(policy, pieces);
        let each = (0..self.pieces.len()).map(|component| {
            let counted = self.counted(component, pieces);
            let elements = counted.iter().map(|&at| pieces[at].grad.len()).sum();
            Measured {
                statistic: self.statistic(policy.statistic, component, pieces, norms),
                two: combine(counted.iter().map(|&at| norms[at].two), 2.0),
                elements,
                non_finite: self.pieces[component].iter().map(|&at| non_finite[at]).sum(),
                error: policy.statistic.error(elements, counted.len()),
                beside: match &beside {
                    None => f64::NAN,
                    Some(beside) => {
                        let norm = combine(counted.iter().map(|&at| beside[at]), 2.0);
                        match policy.rule {
                            Rule::StableAdamW { .. } => Statistic::Rms.of_norm(norm, elements),
                            _ => norm,
                        }
                    }
                },
            }
        });
        each.collect()
    }
}

/// The norm of a component from the norms of its pieces.
fn combine(mut norms: impl Iterator<Item = f64>, p: f64) -> f64 {
    let (first, second) = (norms.next(), norms.next());
    match (first, second) {
        (None, _) => 0.0,
        (Some(norm), None) => norm,
        (Some(first), Some(second)) => {
            let all: Vec<f64> = [first, second].into_iter().chain(norms).collect();
            reduce::p_norms(&[&all], p)[0].p
        }
    }
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

/// One decision for each component, and the state afterwards.
fn decide<T: Real>(
    policy: &ClipPolicy,
    state: &ClipState,
    components: &[Component],
    measured: &[Measured],
) -> Result<(Vec<Decision<T>>, ClipState), ClipError> {
    let bad: Vec<bool> = measured.iter().map(|m| policy.is_non_finite::<T>(m)).collect();
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
    let step = Step {
        before: state.steps,
        global_norm: combine(measured.iter().map(|m| m.two), 2.0),
    };
    let each = components
        .iter()
        .zip(measured)
        .zip(bad)
        .map(|((component, m), bad)| {
            let threshold = component.threshold.map(super::Threshold::get);
            let handled = match policy.edge {
                Edge::Zero(Confine::Component) if bad => Some(Act::Zero),
                Edge::Skip(Confine::Component) if bad => Some(Act::Skip),
                Edge::Zero(Confine::Global) if any => Some(Act::Zero),
                Edge::Skip(Confine::Global) if any => Some(Act::Skip),
                _ => None,
            };
            match (handled, &policy.rule) {
                (Some(act), _) => Decision {
                    act,
                    threshold,
                    clipped: Clipped::No,
                },
                (None, Rule::Adaptive(rule)) => {
                    let mut memory = learned.components.remove(&component.id);
                    let decision = rule.decide(&mut memory, m, step);
                    learned
                        .components
                        .extend(memory.map(|memory| (component.id.clone(), memory)));
                    decision
                }
                (None, rule) => Decision::of(rule, policy.statistic, component.threshold, m),
            }
        });
    let decisions = each.collect();
    Ok((decisions, learned))
}

impl ClipPolicy {
    /// Whether the edge rule applies to a component.
    fn is_non_finite<T: Real>(&self, m: &Measured) -> bool {
        let exact = matches!(
            self.rule,
            Rule::Norm {
                convention: Convention::Exact,
                ..
            } | Rule::Keep
        );
        let norm = if exact {
            m.statistic
        } else {
            T::of(m.statistic).widen()
        };
        m.non_finite > 0 || !norm.is_finite()
    }
}

impl<T: Real> Decision<T> {
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

fn parameters<T: Real>(
    names: &[(&str, Vec<usize>)],
    pieces: &[Piece<'_, T>],
    before: &[Norms],
    after: &[Norms],
    non_finite: &[usize],
) -> Vec<ParameterReport> {
    let mut start = 0;
    let each = names.iter().enumerate().map(|(parameter, (name, shape))| {
        let own = pieces[start..]
            .iter()
            .take_while(|x| x.parameter == parameter)
            .count();
        let range = start..start + own;
        start += own;
        ParameterReport {
            name: (*name).to_owned(),
            elements: shape.iter().product(),
            norm_before: combine(before[range.clone()].iter().map(|n| n.two), 2.0),
            norm_after: combine(after[range.clone()].iter().map(|n| n.two), 2.0),
            non_finite: non_finite[range.clone()].iter().sum(),
            counted: pieces[range].first().is_none_or(|x| x.counted),
        }
    });
    each.collect()
}
