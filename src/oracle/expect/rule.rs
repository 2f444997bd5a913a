//! The rules beside the conventions, and what each needs to know of a component.

use super::adaptive;
use super::convention;
use super::kernel::Kernel;
use super::machine::{Machine, max, min};
use super::{Component, find};
use crate::clip::{Adaptive, Convention, Floor, Memory, Rule, Statistic};
use crate::oracle::case::{Case, OracleError};
use crate::oracle::declared::Declared;
use crate::oracle::exact::{Norm, Total};
use crate::oracle::format::Format;
use crate::oracle::interval::Interval;
use crate::oracle::tensor::{Slice, Tensor};
use crate::oracle::tolerance;

/// How a component's kernels are made from its norm.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// The edge rule has decided.
    Fixed(Kernel),
    /// The rule decides.
    Rule {
        rule: Rule,
        /// The other number that the rule reads: the weight's norm, `r` of `StableAdamW`, the global norm of `AdaGC`, the
        /// largest element of Stable-SPAM.
        second: Interval,
        /// The weight's norm as it is; `second` where that is not what is read.
        exact: Interval,
        /// What a stateful rule remembers of the component, and the steps so far.
        memory: Option<Memory>,
        steps: u64,
        /// Elements that count.
        elements: u64,
    },
}

impl Plan {
    pub(super) fn new(
        case: &Case,
        component: &Component,
        norm: &Norm,
        global: Interval,
    ) -> Result<Self, OracleError> {
        let rule = case.policy.rule.clone();
        let mut exact = None;
        let second = match &rule {
            Rule::Agc { .. } | Rule::TrustRatio { .. } => {
                let (norm, computed) = weight_norm(case, component)?;
                exact = Some(norm);
                computed
            }
            Rule::StableAdamW { eps, .. } => deviation(case, component, *eps)?,
            Rule::Spam { .. } => {
                beside(case, component, &case.second_moments, "second moments")?;
                Interval::point(f64::NAN)
            }
            Rule::Adaptive(Adaptive::AdaGc { .. }) => global,
            Rule::Adaptive(Adaptive::StableSpam { .. }) => norm.interval,
            _ => Interval::point(f64::NAN),
        };
        let state = case.state.as_ref();
        Ok(Self::Rule {
            memory: state.and_then(|state| state.components.get(&component.id).cloned()),
            steps: state.map_or(0, |state| state.steps),
            elements: norm.elements,
            rule,
            exact: exact.unwrap_or(second),
            second,
        })
    }

    /// The type in which the rule keeps norms, where scales are kept in `scale`.
    pub(super) fn norm_format(&self, scale: Format) -> Format {
        match self {
            Self::Rule {
                rule: Rule::Norm { convention, .. },
                ..
            } if *convention != Convention::Exact && !convention.measures_mean() => scale,
            Self::Rule {
                rule: Rule::Agc { .. },
                ..
            } => scale,
            _ => Format::F64,
        }
    }

    /// The type of the operations on the elements of a tensor of type `leaf`, in a component whose own is `own`. PyTorch
    /// multiplies in place, optax casts its norm to the leaf: both stay in the tensor's type. The others promote.
    pub(super) fn element_format(&self, declared: &Declared, own: Format, leaf: Format) -> Format {
        let stays = matches!(
            self.convention(),
            Some(Convention::Torch | Convention::TorchBranch | Convention::Optax | Convention::OptaxJit)
        );
        declared.scale_for(if stays { leaf } else { own })
    }

    /// The type in which the factor is rounded: optax has none before it is in the tensor's type.
    pub(super) fn scale_format(&self, component: Format, element: Format) -> Format {
        match self.convention() {
            Some(Convention::Optax | Convention::OptaxJit) => element,
            _ => component,
        }
    }

    /// Whether the threshold depends on the norm.
    pub(super) fn is_adaptive(&self) -> bool {
        matches!(
            self,
            Self::Rule {
                rule: Rule::Adaptive(_),
                ..
            }
        )
    }

    fn convention(&self) -> Option<Convention> {
        match self {
            Self::Rule {
                rule: Rule::Norm { convention, .. },
                ..
            } => Some(*convention),
            _ => None,
        }
    }

    /// What the norm is held against.
    pub(super) fn threshold(&self, component: &Component) -> Option<Interval> {
        let Self::Rule { rule, second, .. } = self else {
            return None;
        };
        match (rule, component.threshold) {
            (Rule::Agc { eps, .. }, Some(c)) => Some(Interval {
                lo: c * second.lo.max(*eps),
                hi: c * second.hi.max(*eps),
            }),
            (_, Some(c)) => Some(Interval::point(c)),
            (_, None) => None,
        }
    }

    /// Adds the kernels for norm `n`: one, or one for each end of the other number. Norm and factor are of the first type,
    /// the operations on elements in the second.
    pub(super) fn push(
        &self,
        (m, element): (Machine, Machine),
        n: f64,
        threshold: Option<f64>,
        kernels: &mut Vec<Kernel>,
    ) {
        let Self::Rule {
            rule,
            second,
            elements,
            ..
        } = self
        else {
            if let Self::Fixed(kernel) = self {
                kernels.push(*kernel);
            }
            return;
        };
        let c = threshold.unwrap_or(f64::NAN);
        let ends: &[f64] = if second.is_point() {
            &[second.lo]
        } else {
            &[second.lo, second.hi]
        };
        for &w in ends {
            kernels.push(match rule {
                Rule::Keep => Kernel::Keep,
                Rule::Norm { convention, eps, .. } => {
                    convention::kernel(*convention, (m, element), n, (c, *eps), *elements)
                }
                Rule::Value { form, .. } => Kernel::Value {
                    c: m.constant(c),
                    form: *form,
                },
                Rule::Soft { curve, .. } => Kernel::Soft { c, curve: *curve },
                Rule::SoftNorm { .. } if c == 0.0 => Kernel::Times(0.0),
                Rule::SoftNorm { .. } => Kernel::Times(m.constant(1.0 / (1.0 + n / c))),
                Rule::Normalise {
                    floor: Floor::Add,
                    eps,
                    ..
                } => Kernel::Times(m.constant(c / (n + eps))),
                Rule::Normalise {
                    floor: Floor::Max,
                    eps,
                    ..
                } => Kernel::Times(m.constant(c / max(n, *eps))),
                Rule::Agc { eps, .. } => agc(m, n, w, c, *eps),
                Rule::TrustRatio {
                    coefficient,
                    eps,
                    max: bound,
                } => trust_ratio(m, n, w, *coefficient, *eps, *bound),
                Rule::StableAdamW { .. } => Kernel::Times(m.constant(1.0 / max(1.0, w / c))),
                Rule::Spam { .. } => Kernel::Spike { theta: c },
                Rule::Adaptive(rule) => self.adaptive(rule, m, n),
            });
        }
    }

    /// The plan for single values of the weight's norm in this format: the exact one, then what lies next to it within
    /// what is allowed, with the distance in ulp. Further off is not needed: the norm of the gradient makes up for it.
    pub(super) fn seconds(&self, format: Format) -> Vec<(u64, Self)> {
        let Self::Rule { second, exact, .. } = self else {
            return vec![(0, self.clone())];
        };
        if second == exact || second.is_nan() || !second.hi.is_finite() {
            return vec![(0, self.clone())];
        }
        let nearest = format.ordinal(format.round(exact.lo));
        let allowed = format.ordinal(format.round(second.lo))..=format.ordinal(format.round(second.hi));
        let steps = [0, 1, -1, 2, -2, 3, -3].into_iter();
        let moved = steps.filter(|step| allowed.contains(&(nearest + step)));
        moved
            .map(|step| {
                let mut plan = self.clone();
                if let Self::Rule { second, .. } = &mut plan {
                    *second = Interval::point(format.from_ordinal(nearest + step));
                }
                (step.unsigned_abs(), plan)
            })
            .collect()
    }

    fn adaptive(&self, rule: &Adaptive, m: Machine, n: f64) -> Kernel {
        match self {
            Self::Rule {
                memory,
                steps,
                second,
                ..
            } => adaptive::kernel(rule, memory.as_ref(), *steps, m, n, second.hi),
            Self::Fixed(kernel) => *kernel,
        }
    }

    /// The relative and the absolute slack of an element.
    pub(super) fn slack(&self, declared: &Declared, scale: Format, output: Format) -> (f64, f64) {
        match self {
            Self::Fixed(_) => (0.0, 0.0),
            Self::Rule { rule, .. } => tolerance::elements(declared, rule, scale, output),
        }
    }
}

/// `m = c·max(‖w‖, ε)`; `n < m ? x : x·(m/max(n, 1e-6))`.
fn agc(machine: Machine, n: f64, w: f64, c: f64, eps: f64) -> Kernel {
    let bound = machine.mul(max(machine.round(w), machine.scalar(eps)), machine.scalar(c));
    if n < bound {
        return Kernel::Keep;
    }
    Kernel::Times(machine.div(bound, max(n, machine.scalar(1e-6))))
}

/// `min(b, a·‖w‖/(n+ε))`, and 1 where `‖w‖` or `n` is 0.
fn trust_ratio(machine: Machine, n: f64, w: f64, a: f64, eps: f64, bound: f64) -> Kernel {
    if n == 0.0 || w == 0.0 {
        return Kernel::Times(1.0);
    }
    Kernel::Times(machine.constant(min(a * w / (n + eps), bound)))
}

/// The component's part of the tensors that go with the gradients.
fn beside<'a>(
    case: &Case,
    component: &Component,
    tensors: &'a [Tensor],
    place: &'static str,
) -> Result<Vec<&'a crate::oracle::Data>, OracleError> {
    let names = component.members.iter().map(|m| &case.before[m.tensor]);
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for gradient in names {
        match find(tensors, &gradient.name) {
            Some(data) if data.len() == gradient.data.len() => found.push(data),
            _ => missing.push(gradient.name.clone()),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    Err(OracleError::Unpaired {
        place,
        missing,
        surplus: Vec::new(),
    })
}

/// `‖w‖₂` over the component, as it is and as the declared arithmetic can compute it.
fn weight_norm(case: &Case, component: &Component) -> Result<(Interval, Interval), OracleError> {
    let values = beside(case, component, &case.values, "values")?;
    let mut sum = Total::new(Statistic::L2);
    let mut format = Format::F64;
    let mut members = 0;
    for (member, data) in component
        .members
        .iter()
        .zip(values)
        .filter(|(member, _)| member.counted)
    {
        let own = member.gather(data);
        sum.add(own.slice(0..own.len()));
        format = own.format();
        members += 1;
    }
    let norm = sum.norm();
    let bound = tolerance::norm(&case.declared, Statistic::L2, format, norm.elements, members);
    Ok((norm.interval, bound.apply(norm.interval)))
}

/// `r = √mean(g²/max(v, ε²))`, each quotient moved outward by the four roundings of its evaluation.
fn deviation(case: &Case, component: &Component, eps: f64) -> Result<Interval, OracleError> {
    let moments = beside(case, component, &case.second_moments, "second moments")?;
    let (mut below, mut above) = (Total::new(Statistic::L1), Total::new(Statistic::L1));
    let mut elements = 0.0;
    for (member, v) in component
        .members
        .iter()
        .zip(moments)
        .filter(|(member, _)| member.counted)
    {
        let (g, v) = (member.gather(&case.before[member.tensor].data), member.gather(v));
        let quotients = (0..g.len()).map(|i| g.get(i) * g.get(i) / v.get(i).max(eps * eps));
        let ends: Vec<f64> = quotients.collect();
        let outward = 4.0 * f64::EPSILON;
        below.add(Slice::F64(
            &ends.iter().map(|q| q * (1.0 - outward)).collect::<Vec<_>>(),
        ));
        above.add(Slice::F64(
            &ends.iter().map(|q| q * (1.0 + outward)).collect::<Vec<_>>(),
        ));
        elements += g.len() as f64;
    }
    let root = |total: &Total, outward: f64| {
        let interval = total.norm().interval;
        (if outward < 1.0 { interval.lo } else { interval.hi } / elements).sqrt() * outward
    };
    let outward = 2.0 * f64::EPSILON;
    let exact = Interval {
        lo: root(&below, 1.0 - outward),
        hi: root(&above, 1.0 + outward),
    };
    let bound = tolerance::norm(&case.declared, Statistic::Rms, Format::F32, elements as u64, 1);
    Ok(if elements == 0.0 {
        Interval::point(0.0)
    } else {
        bound.apply(exact)
    })
}

#[cfg(test)]
mod tests;
