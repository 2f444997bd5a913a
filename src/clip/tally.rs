//! From the pieces of gradients to the numbers of their components, and to the report.

use super::decision::Measured;
use super::pieces::Slot;
use super::plan::Plan;
use super::policy::ClipPolicy;
use super::report::{Action, ClipReport, Clipped, ComponentReport, ParameterReport};
use super::rule::Rule;
use super::statistic::Statistic;
use crate::reduce::{self, Norms};

/// What is known of each piece once it was written.
pub(super) struct Writing {
    pub(super) before: Vec<Norms>,
    pub(super) after: Vec<Norms>,
    /// Elements that an element-wise rule changed.
    pub(super) changed: Vec<usize>,
    pub(super) non_finite: Vec<usize>,
}

/// What a decision means for the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) threshold: Option<f64>,
    pub(super) scale: f64,
    pub(super) action: Action,
    pub(super) writes: bool,
    /// None for an element-wise rule: the elements say it.
    pub(super) clipped: Option<Clipped>,
}

/// The pieces of each component.
pub(super) struct Index {
    slots: Vec<Slot>,
    /// All of them.
    pieces: Vec<Vec<usize>>,
}

impl Index {
    pub(super) fn new(plan: &Plan, slots: Vec<Slot>) -> Self {
        let mut index = vec![Vec::new(); plan.components.len()];
        for (at, slot) in slots.iter().enumerate() {
            if let Some(component) = slot.component {
                index[component].push(at);
            }
        }
        Self { slots, pieces: index }
    }

    fn counted(&self, component: usize) -> Vec<usize> {
        let members = self.pieces[component].iter().copied();
        members.filter(|&at| self.slots[at].counted).collect()
    }

    /// The pieces of a component that count, each with its parameter.
    pub(super) fn counted_pieces(&self, component: usize) -> impl Iterator<Item = (usize, usize)> {
        let counted = self.counted(component).into_iter();
        counted.map(|at| (at, self.slots[at].parameter))
    }

    fn statistic(&self, s: Statistic, component: usize, norms: &[Norms]) -> f64 {
        let counted = self.counted(component);
        let elements = counted.iter().map(|&at| self.slots[at].elements).sum();
        let p = s.p();
        s.of_norm(combine(counted.iter().map(|&at| norms[at].p), p), elements)
    }

    /// `beside`: the norm of each piece of what the rule compares with.
    pub(super) fn measured(
        &self,
        policy: &ClipPolicy,
        norms: &[Norms],
        non_finite: &[usize],
        beside: Option<&[f64]>,
    ) -> Vec<Measured> {
        let each = (0..self.pieces.len()).map(|component| {
            let counted = self.counted(component);
            let elements = counted.iter().map(|&at| self.slots[at].elements).sum();
            Measured {
                statistic: self.statistic(policy.statistic, component, norms),
                two: combine(counted.iter().map(|&at| norms[at].two), 2.0),
                elements,
                non_finite: self.pieces[component].iter().map(|&at| non_finite[at]).sum(),
                whole: counted.len() == self.pieces[component].len(),
                error: policy.statistic.error(elements, counted.len()),
                beside: match beside {
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

    /// The report of a call; `names` are the parameters with their shapes.
    pub(super) fn report(
        &self,
        statistic: Statistic,
        plan: Plan,
        names: &[(&str, Vec<usize>)],
        measured: &[Measured],
        outcomes: &[Outcome],
        written: &Writing,
    ) -> ClipReport {
        let changed = |component: usize| self.pieces[component].iter().any(|&at| written.changed[at] > 0);
        let components = plan.components.into_iter().enumerate().map(|(at, component)| {
            let (m, outcome) = (&measured[at], outcomes[at]);
            ComponentReport {
                id: component.id,
                elements: m.elements,
                norm_before: m.statistic,
                threshold: outcome.threshold,
                scale: outcome.scale,
                norm_after: if outcome.writes {
                    self.statistic(statistic, at, &written.after)
                } else {
                    m.statistic
                },
                clipped: match outcome.clipped {
                    Some(clipped) => clipped,
                    None if changed(at) => Clipped::Yes,
                    None => Clipped::No,
                },
                non_finite: m.non_finite,
                action: outcome.action,
                members: component.members,
            }
        });
        ClipReport {
            statistic,
            components: components.collect(),
            parameters: self.parameters(names, written),
        }
    }

    fn parameters(&self, names: &[(&str, Vec<usize>)], written: &Writing) -> Vec<ParameterReport> {
        let Writing {
            before,
            after,
            non_finite,
            ..
        } = written;
        let mut start = 0;
        let each = names.iter().enumerate().map(|(parameter, (name, shape))| {
            let own = self.slots[start..]
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
                counted: self.slots[range].first().is_none_or(|x| x.counted),
            }
        });
        each.collect()
    }
}

/// The norm of a component from the norms of its pieces.
pub(super) fn combine(mut norms: impl Iterator<Item = f64>, p: f64) -> f64 {
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
