//! The experiments: what each law asks of a clipper. Those that rearrange tensors are in `layout.rs`.

use super::{Evidence, Law, Pair, Relation, Subject};
use crate::clip::{ClipPolicy, Convention, Partition, Role, Rule, Statistic, Threshold};
use crate::oracle::case::Case;
use crate::oracle::component::{Component, components};
use crate::oracle::expect::find;
use crate::oracle::format::Format;
use crate::oracle::tensor::Tensor;
use crate::oracle::totals::total;

/// Makes the experiment.
pub(super) fn evidence(law: Law, case: &Case, subject: &mut Subject<'_>) -> Result<Evidence, String> {
    let Some(format) = common_format(&case.before) else {
        return Ok(None);
    };
    let found = components(&case.policy, &case.before).map_err(|e| e.to_string())?;
    if case.policy.is_stateful() || !plain(case) && !matches!(law, Law::Determinism | Law::Odd) {
        return Ok(None);
    }
    // The mean of nothing is none.
    if found
        .iter()
        .any(|component| component.members.iter().all(|m| !m.counted))
    {
        return Ok(None);
    }
    let experiment = Experiment { case, found, format };
    // A law speaks about cases of its own making too.
    let mut beyond = false;
    let mut watched = |other: &Case| {
        beyond |= !within(other);
        in_order(other, subject(other)?)
    };
    let subject: &mut Subject<'_> = &mut watched;
    let relation = match law {
        Law::Shrink | Law::Bound | Law::MonotoneThreshold | Law::MonotoneOthers | Law::Refinement => {
            Relation::AtMost
        }
        _ => Relation::Equal,
    };
    let pairs = match law {
        Law::Bound => experiment.bound(subject)?,
        Law::IdentityBelow => experiment.identity_below(subject)?,
        Law::Idempotence => experiment.idempotence(subject)?,
        Law::Direction => experiment.direction(subject)?,
        Law::Odd => experiment.mapped(subject, |x| -x, |c| c)?,
        Law::Shrink => Some(differences(&case.before, &experiment.run(subject)?)),
        Law::PowerOfTwo => experiment.mapped(subject, |x| 2.0 * x, |c| 2.0 * c)?,
        Law::Unscale => experiment.mapped(subject, |x| 16.0 * x, |c| 16.0 * c)?,
        Law::MonotoneThreshold => experiment.monotone_threshold(subject)?,
        Law::MonotoneOthers => experiment.monotone_others(subject)?,
        Law::Permutation => experiment.permutation(subject)?,
        Law::TensorOrder => experiment.tensor_order(subject)?,
        Law::Locality => experiment.disturbed(subject, |x| if x == 0.0 { 1.0 } else { 4.0 * x })?,
        Law::Confinement => experiment.disturbed(subject, |_| f64::NAN)?,
        Law::Refinement => experiment.refinement(subject)?,
        Law::SplitMerge => experiment.split_merge(subject)?,
        Law::ZeroPadding => experiment.zero_padding(subject)?,
        Law::Duplicate => experiment.duplicate(subject)?,
        Law::Frame => experiment.frame(subject)?,
        Law::Determinism => experiment.determinism(subject)?,
        Law::Singletons => experiment.singletons(subject)?,
    };
    let pairs = pairs.filter(|pairs| !pairs.is_empty() && !beyond);
    Ok(pairs.map(|pairs| (relation, format, pairs)))
}

/// An answer in the order of the case; refused where a tensor is missing or has another shape or type.
fn in_order(case: &Case, after: Vec<Tensor>) -> Result<Vec<Tensor>, String> {
    let mut after: Vec<Option<Tensor>> = after.into_iter().map(Some).collect();
    let form = |t: &Tensor| (t.name.clone(), t.shape.clone(), t.data.format());
    let mut take = |tensor: &Tensor| {
        let place = after
            .iter_mut()
            .find(|other| other.as_ref().is_some_and(|t| form(t) == form(tensor)));
        place.and_then(Option::take)
    };
    let ordered: Option<Vec<Tensor>> = case.before.iter().map(&mut take).collect();
    ordered.ok_or_else(|| "the answer is not well formed".to_owned())
}

/// Whether what the convention computes on the way stays inside the type, and its ε does not show, so that a law about
/// real numbers holds for it up to roundings.
fn within(case: &Case) -> bool {
    let Rule::Norm { convention, .. } = case.policy.rule else {
        return true;
    };
    let finite = |t: &Tensor| {
        t.data
            .values()
            .into_iter()
            .map(f64::abs)
            .filter(|x| *x > 0.0 && x.is_finite())
    };
    let all: Vec<f64> = case.before.iter().flat_map(finite).collect();
    let least = all.iter().copied().fold(f64::INFINITY, f64::min);
    let (most, count) = (all.iter().copied().fold(0.0, f64::max), all.len() as f64);
    let format = case.before.first().map_or(Format::F64, |t| t.data.format());
    let (low, high) = (64.0 * format.min_normal(), format.max() / 64.0);
    let thresholds = case
        .policy
        .selections
        .iter()
        .filter_map(|selection| match selection.role {
            Role::Group(c) => Some(c.get()),
            _ => None,
        });
    let own = case.policy.rule.threshold().map(Threshold::get);
    thresholds.chain(own).all(|c| match convention {
        // x·c
        Convention::TfNorm | Convention::MindSpore | Convention::TfAverage | Convention::TfAverageGraph => {
            all.is_empty() || (low..high).contains(&(least * c)) && (low..high).contains(&(most * c))
        }
        // x/n, with a norm of at most √N times the largest element
        Convention::Optax | Convention::OptaxJit => least / (most * count.sqrt()) > low || all.is_empty(),
        // n/c
        Convention::DivMax | Convention::OptaxRms | Convention::OptaxRmsJit => {
            most * count.sqrt().max(1.0) < c * high
        }
        // n + the smallest normal number, and a threshold in F32
        Convention::Burn => {
            least * format.unit_roundoff() > 4.0 * format.min_normal() && f64::from(c as f32) == c
        }
        // ε where n <= 1e-30
        Convention::PaddleNorm => least > 1e-29 || all.is_empty(),
        _ => true,
    }) && thresholds_fit(case, format)
}

/// Whether the thresholds, and their reciprocals, are normal numbers of the type.
fn thresholds_fit(case: &Case, format: Format) -> bool {
    let c = case.policy.rule.threshold().map_or(1.0, Threshold::get);
    (16.0 * format.min_normal()..format.max() / 16.0).contains(&c)
}

/// The one type of all tensors; laws do not speak about mixed ones.
fn common_format(tensors: &[Tensor]) -> Option<Format> {
    let format = tensors.first()?.data.format();
    tensors
        .iter()
        .all(|t| t.data.format() == format)
        .then_some(format)
}

/// Whether everything is finite and far enough inside its type that factors of 16 and sums of squares are harmless.
fn plain(case: &Case) -> bool {
    let fine = |t: &Tensor| {
        let (low, high) = (
            t.data.format().min_normal() * 1024.0,
            t.data.format().max() / 1024.0,
        );
        t.data
            .values()
            .iter()
            .all(|x| *x == 0.0 || (low..high).contains(&x.abs()))
    };
    let positive = case
        .policy
        .rule
        .threshold()
        .is_none_or(|c| c.get() > 0.0 && c.get().is_finite());
    positive && case.before.iter().all(fine)
}

/// A case that laws are tried on.
pub(super) struct Experiment<'a> {
    pub(super) case: &'a Case,
    pub(super) found: Vec<Component>,
    pub(super) format: Format,
}

/// What an experiment brings; nothing if the case gives no occasion.
pub(super) type Pairs = Result<Option<Vec<Pair>>, String>;

impl Experiment<'_> {
    pub(super) fn run(&self, subject: &mut Subject<'_>) -> Result<Vec<Tensor>, String> {
        subject(self.case)
    }

    pub(super) fn with(&self, before: Vec<Tensor>) -> Case {
        Case {
            before,
            ..self.case.clone()
        }
    }

    /// `T(f(g); h(c)) = f(T(g; c))` for an `f` that is exact.
    fn mapped(&self, subject: &mut Subject<'_>, f: fn(f64) -> f64, h: fn(f64) -> f64) -> Pairs {
        let mapped = |tensors: &[Tensor]| -> Vec<Tensor> {
            tensors
                .iter()
                .map(|t| t.with(t.data.values().into_iter().map(f)))
                .collect()
        };
        let other = Case {
            policy: with_threshold(&self.case.policy, h),
            ..self.with(mapped(&self.case.before))
        };
        let expected = mapped(&self.run(subject)?);
        // What the map pushes below the normal numbers has lost digits.
        let least = 64.0 * self.format.min_normal();
        let kept = |p: &Pair| {
            p.expected.abs() > least
                || p.expected == 0.0 && p.got.abs() <= 0.0
                || p.expected == 0.0 && p.got.abs() > least
        };
        Ok(Some(
            differences(&expected, &subject(&other)?)
                .into_iter()
                .filter(kept)
                .collect(),
        ))
    }

    /// The norm of each component after clipping, against its threshold.
    fn bound(&self, subject: &mut Subject<'_>) -> Pairs {
        let after = self.run(subject)?;
        let norms = self.found.iter().filter_map(|component| {
            let scaled = component.members.iter().all(|m| m.scaled && m.counted);
            let c = component.threshold.filter(|_| scaled)?;
            let by_value = matches!(self.case.policy.rule, Rule::Value { .. });
            let statistic = if by_value {
                Statistic::MAX
            } else {
                self.case.policy.statistic
            };
            let norm = total(component, |t| &after[t].data, statistic).norm().interval.lo;
            Some(Pair {
                tensor: component.id.clone(),
                index: 0,
                expected: self.format.round(c),
                got: norm,
            })
        });
        Ok(Some(norms.collect()))
    }

    /// With a threshold of four times the largest norm nothing changes.
    fn identity_below(&self, subject: &mut Subject<'_>) -> Pairs {
        let norms = self.found.iter().map(|c| {
            total(c, |t| &self.case.before[t].data, self.case.policy.statistic)
                .norm()
                .interval
                .hi
        });
        let largest = norms.fold(0.0, f64::max);
        // The ε of a policy counts as well as the norm: `c/(n + ε)` is to be above 1.
        let eps = match self.case.policy.rule {
            Rule::Norm { eps, .. } => eps,
            _ => 0.0,
        };
        let threshold = (4.0 * largest.max(eps)).max(0.001);
        if threshold > self.format.max() || !self.case.policy.selections.is_empty() {
            return Ok(None);
        }
        let mut other = self.case.clone();
        other.policy = at_threshold(&self.case.policy, threshold);
        Ok(Some(differences(&self.case.before, &subject(&other)?)))
    }

    fn idempotence(&self, subject: &mut Subject<'_>) -> Pairs {
        let once = self.run(subject)?;
        let twice = subject(&self.with(once.clone()))?;
        Ok(Some(differences(&once, &twice)))
    }

    /// Every element against its component's scale, read off the largest element.
    fn direction(&self, subject: &mut Subject<'_>) -> Pairs {
        let after = self.run(subject)?;
        let mut pairs = Vec::new();
        for component in &self.found {
            let all = component
                .members
                .iter()
                .filter(|m| m.scaled)
                .flat_map(|m| (0..m.len()).map(move |k| (m.tensor, m.index(k))));
            let all: Vec<(usize, usize)> = all.collect();
            let before = |&(t, i): &(usize, usize)| self.case.before[t].data.get(i);
            let Some(&(t, i)) = all
                .iter()
                .max_by(|a, b| before(a).abs().total_cmp(&before(b).abs()))
            else {
                continue;
            };
            let scale = after[t].data.get(i) / before(&(t, i));
            if scale.is_finite() {
                pairs.extend(all.iter().map(|&(t, i)| Pair {
                    tensor: after[t].name.clone(),
                    index: i,
                    expected: before(&(t, i)) * scale,
                    got: after[t].data.get(i),
                }));
            }
        }
        pairs.retain(|p| p.expected.abs() > 64.0 * self.format.min_normal());
        Ok(Some(pairs))
    }

    fn monotone_threshold(&self, subject: &mut Subject<'_>) -> Pairs {
        let mut other = self.case.clone();
        other.policy = with_threshold(&self.case.policy, |c| 1.25 * c);
        let larger = subject(&other)?;
        Ok(Some(differences(&larger, &self.run(subject)?)))
    }

    /// The first element of each tensor doubled; all others may only shrink.
    fn monotone_others(&self, subject: &mut Subject<'_>) -> Pairs {
        let raised = self.case.before.iter().map(|t| {
            t.with(
                t.data
                    .values()
                    .into_iter()
                    .enumerate()
                    .map(|(i, x)| if i == 0 { 2.0 * x } else { x }),
            )
        });
        let raised = subject(&self.with(raised.collect()))?;
        let mut pairs = differences(&self.run(subject)?, &raised);
        pairs.retain(|pair| pair.index > 0);
        Ok(Some(pairs))
    }

    /// The same call before and after a call with other gradients.
    fn determinism(&self, subject: &mut Subject<'_>) -> Pairs {
        let first = self.run(subject)?;
        let other = self
            .case
            .before
            .iter()
            .map(|t| t.with(t.data.values().into_iter().map(|x| 0.5 * x + 0.5)));
        // What comes of the other gradients is of no interest, not even a refusal.
        let _ = subject(&self.with(other.collect()));
        Ok(Some(differences(&first, &self.run(subject)?)))
    }

    /// Every element a component of its own, against a clamp.
    fn singletons(&self, subject: &mut Subject<'_>) -> Pairs {
        let Some(c) = self.case.policy.rule.threshold() else {
            return Ok(None);
        };
        let norm = matches!(self.case.policy.statistic, Statistic::Norm(_) | Statistic::Rms);
        if !norm || !self.case.policy.selections.is_empty() {
            return Ok(None);
        }
        let mut other = self.case.clone();
        other.policy.partition = Partition::Axes(Vec::new());
        let c = self.format.round(c.get());
        let clamped = self
            .case
            .before
            .iter()
            .map(|t| t.with(t.data.values().into_iter().map(|x| x.clamp(-c, c))));
        let clamped: Vec<Tensor> = clamped.collect();
        Ok(Some(differences(&clamped, &subject(&other)?)))
    }
}

/// All elements of the expected tensors with those of the same name that came; a missing one is NaN.
pub(super) fn differences(expected: &[Tensor], got: &[Tensor]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for tensor in expected {
        let other = find(got, &tensor.name).filter(|data| data.len() == tensor.data.len());
        pairs.extend((0..tensor.data.len()).map(|i| Pair {
            tensor: tensor.name.clone(),
            index: i,
            expected: tensor.data.get(i),
            got: other.map_or(f64::NAN, |data| data.get(i)),
        }));
    }
    pairs
}

/// The policy with every threshold mapped.
fn with_threshold(policy: &ClipPolicy, f: fn(f64) -> f64) -> ClipPolicy {
    let mut policy = policy.clone();
    let map = |c: &mut Threshold| *c = Threshold::unchecked(f(c.get()));
    set(&mut policy.rule, map);
    for selection in &mut policy.selections {
        if let Role::Group(c) = &mut selection.role {
            map(c);
        }
    }
    policy
}

/// The policy at another threshold.
fn at_threshold(policy: &ClipPolicy, threshold: f64) -> ClipPolicy {
    let mut policy = policy.clone();
    set(&mut policy.rule, |c| *c = Threshold::unchecked(threshold));
    policy
}

fn set(rule: &mut Rule, f: impl FnOnce(&mut Threshold)) {
    match rule {
        Rule::Norm { threshold, .. } | Rule::Value { threshold, .. } => f(threshold),
        _ => {}
    }
}
