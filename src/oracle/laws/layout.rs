//! The experiments that rearrange, cut, pad, copy and add tensors.

use super::Subject;
use super::subject::{Experiment, Pairs, differences};
use crate::clip::{Partition, Pattern, Role, Selection};
use crate::oracle::case::Case;
use crate::oracle::expect::find;
use crate::oracle::tensor::{Data, Tensor};

/// A name that no parameter has.
const EXTRA: &str = "cwgnc.law.extra";

impl Experiment<'_> {
    /// Each tensor reversed, where no partition looks inside.
    pub(super) fn permutation(&self, subject: &mut Subject<'_>) -> Pairs {
        if self.case.policy.partition.cuts_tensors() || !self.case.values.is_empty() {
            return Ok(None);
        }
        let reversed = |tensors: &[Tensor]| -> Vec<Tensor> {
            tensors
                .iter()
                .map(|t| t.with(t.data.values().into_iter().rev()))
                .collect()
        };
        let expected = reversed(&self.run(subject)?);
        Ok(Some(differences(
            &expected,
            &subject(&self.with(reversed(&self.case.before)))?,
        )))
    }

    pub(super) fn tensor_order(&self, subject: &mut Subject<'_>) -> Pairs {
        let reversed: Vec<Tensor> = self.case.before.iter().rev().cloned().collect();
        Ok(Some(differences(
            &self.run(subject)?,
            &subject(&self.with(reversed))?,
        )))
    }

    /// All elements of the last component changed; the other components must not notice.
    pub(super) fn disturbed(&self, subject: &mut Subject<'_>, f: fn(f64) -> f64) -> Pairs {
        let Some(last) = self.found.last().filter(|_| self.found.len() > 1) else {
            return Ok(None);
        };
        let mut before = self.case.before.clone();
        for member in &last.members {
            for i in (0..member.len()).map(|k| member.index(k)) {
                let x = before[member.tensor].data.get(i);
                before[member.tensor].data.set(i, f(x));
            }
        }
        let (expected, got) = (self.run(subject)?, subject(&self.with(before))?);
        let mut pairs = differences(&expected, &got);
        pairs.retain(|pair| {
            !last.members.iter().any(|m| {
                self.case.before[m.tensor].name == pair.tensor
                    && (0..m.len()).any(|k| m.index(k) == pair.index)
            })
        });
        Ok(Some(pairs))
    }

    /// The next finer partition, same threshold.
    pub(super) fn refinement(&self, subject: &mut Subject<'_>) -> Pairs {
        let finer = match self.case.policy.partition {
            Partition::Global => Partition::Parameter,
            Partition::Parameter => Partition::Row,
            _ => return Ok(None),
        };
        let mut other = self.case.clone();
        other.policy.partition = finer;
        Ok(Some(differences(&subject(&other)?, &self.run(subject)?)))
    }

    /// Every tensor as two, under the global partition.
    pub(super) fn split_merge(&self, subject: &mut Subject<'_>) -> Pairs {
        if self.case.policy.partition != Partition::Global || !self.case.policy.selections.is_empty() {
            return Ok(None);
        }
        let mut pieces = Vec::new();
        for t in &self.case.before {
            let values = t.data.values();
            let (a, b) = values.split_at(values.len() / 3);
            pieces.push(Tensor::vector(&format!("{}.0", t.name), self.format, a));
            pieces.push(Tensor::vector(&format!("{}.1", t.name), self.format, b));
        }
        let cut = subject(&self.with(pieces))?;
        let merged = self.case.before.iter().map(|t| {
            let piece = |i: usize| find(&cut, &format!("{}.{i}", t.name)).map(Data::values);
            let (a, b) = (piece(0).unwrap_or_default(), piece(1).unwrap_or_default());
            t.with(a.into_iter().chain(b))
        });
        let merged: Vec<Tensor> = merged.collect();
        Ok(Some(differences(&self.run(subject)?, &merged)))
    }

    /// Seven zeros behind each tensor, which becomes a vector.
    pub(super) fn zero_padding(&self, subject: &mut Subject<'_>) -> Pairs {
        if self.case.policy.partition.cuts_tensors() || !self.case.values.is_empty() {
            return Ok(None);
        }
        let padded = |tensors: &[Tensor]| -> Vec<Tensor> {
            let pad = |t: &Tensor| [t.data.values(), vec![0.0; 7]].concat();
            tensors
                .iter()
                .map(|t| Tensor::vector(&t.name, self.format, &pad(t)))
                .collect()
        };
        let expected = padded(&self.run(subject)?);
        Ok(Some(differences(
            &expected,
            &subject(&self.with(padded(&self.case.before)))?,
        )))
    }

    /// The first tensor a second time, tied.
    pub(super) fn duplicate(&self, subject: &mut Subject<'_>) -> Pairs {
        let Some(first) = self.case.before.first() else {
            return Ok(None);
        };
        let expected = self.run(subject)?;
        let tie = Role::Tie(first.name.clone());
        let copy = Tensor {
            name: EXTRA.to_owned(),
            ..first.clone()
        };
        let got = subject(&self.added(copy, tie)?)?;
        let twin = got.iter().find(|t| t.name == EXTRA);
        let mut pairs = differences(&expected, &got);
        let clipped = expected.first().cloned().into_iter().collect::<Vec<_>>();
        if let Some(twin) = twin {
            pairs.extend(differences(
                &clipped,
                &[Tensor {
                    name: first.name.clone(),
                    ..twin.clone()
                }],
            ));
        }
        Ok(Some(pairs))
    }

    /// A large excluded tensor beside the others.
    pub(super) fn frame(&self, subject: &mut Subject<'_>) -> Pairs {
        let frozen = Tensor::vector(EXTRA, self.format, &[100.0, -0.0, 200.0]);
        let mut expected = self.run(subject)?;
        expected.push(frozen.clone());
        Ok(Some(differences(
            &expected,
            &subject(&self.added(frozen, Role::Exclude)?)?,
        )))
    }

    /// The case with one more tensor and its treatment.
    fn added(&self, tensor: Tensor, role: Role) -> Result<Case, String> {
        let mut case = self.case.clone();
        if let Some(value) = find(&case.values, &case.before[0].name).cloned() {
            case.values.push(Tensor {
                data: value,
                ..tensor.clone()
            });
        }
        case.before.push(tensor);
        let pattern = Pattern::new(EXTRA).map_err(|e| e.to_string())?;
        case.policy.selections.insert(0, Selection { pattern, role });
        Ok(case)
    }
}
