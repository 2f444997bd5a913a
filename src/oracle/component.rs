//! Which elements share a norm, worked out from names and shapes a second time.
//!
//! A [`Member`] is a regular pattern of elements in a tensor. A whole tensor is one axis of stride 1.

use super::case::{Case, OracleError};
use super::member::Member;
use super::path;
use super::tensor::Tensor;
use crate::clip::{ClipPolicy, Partition, Role, Selection, Separator};
use std::collections::{HashMap, HashSet};

/// Elements that share one norm.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// The id, as in [`ComponentReport`](crate::clip::ComponentReport).
    pub id: String,
    /// The threshold of its group or of the rule; none where the rule has none.
    pub threshold: Option<f64>,
    /// Its parts, in the order of the tensors.
    pub members: Vec<Member>,
}

impl Component {
    /// Whether it has the same elements in the same order and treats them alike; the id may differ.
    pub(super) fn cuts_like(&self, other: &Self) -> bool {
        // An axis of length 1 is none, but for a tensor that has no other.
        let cut = |member: &Member| -> Member {
            let mut cut = member.clone();
            cut.axes.retain(|&(length, _)| length != 1);
            cut
        };
        let alike = |a: &Member, b: &Member| a.extent() == b.extent() && cut(a) == cut(b);
        self.threshold == other.threshold
            && self.members.len() == other.members.len()
            && self.members.iter().zip(&other.members).all(|(a, b)| alike(a, b))
    }
}

/// Whether every pattern of a case's policy fits a tensor. One that fits none is a misspelt name more often than not, and
/// then something is clipped that was not meant to be.
///
/// # Errors
/// If one fits none, with the pattern and the names that there are.
pub fn matched(case: &Case) -> Result<(), OracleError> {
    let fits_none = |selection: &&Selection| {
        let mut names = case.before.iter().map(|tensor| &tensor.name);
        !names.any(|name| selection.pattern.fits(name))
    };
    let Some(lonely) = case.policy.selections.iter().find(fits_none) else {
        return Ok(());
    };
    let names: Vec<String> = case
        .before
        .iter()
        .take(3)
        .map(|t| format!("`{}`", t.name))
        .collect();
    Err(OracleError::Unsupported(format!(
        "the pattern `{}` of the policy fits no tensor; there are {}{}",
        lonely.pattern.as_str(),
        names.join(", "),
        if case.before.len() > 3 { ", …" } else { "" }
    )))
}

/// How a selection treats a tensor.
struct Treatment<'a> {
    /// The name that decides about the component: that of the original for a tie.
    name: &'a str,
    group: Option<(&'a str, f64)>,
    counted: bool,
    scaled: bool,
}

/// The components of these gradients under a policy, in the order of their first element.
///
/// # Errors
/// If two tensors have one name, a tie has no original, or the partition cannot cut a tensor.
pub fn components(policy: &ClipPolicy, tensors: &[Tensor]) -> Result<Vec<Component>, OracleError> {
    let mut found: Vec<Component> = Vec::new();
    let mut places = HashMap::new();
    let mut names = HashSet::new();
    for (i, tensor) in tensors.iter().enumerate() {
        if !names.insert(&tensor.name) {
            return Err(OracleError::Twice(tensor.name.clone()));
        }
        let Some(treatment) = treatment(policy, &tensor.name, tensors, tensors.len())? else {
            continue;
        };
        let threshold = treatment.group.map(|(_, c)| c);
        let threshold = threshold.or_else(|| policy.rule.threshold().map(crate::clip::Threshold::get));
        for (id, first, axes) in parts(&policy.partition, policy.separator.as_ref(), &treatment, tensor)? {
            let at = *places.entry(id.clone()).or_insert_with(|| {
                found.push(Component {
                    id,
                    threshold,
                    members: Vec::new(),
                });
                found.len() - 1
            });
            found[at].members.push(Member {
                tensor: i,
                counted: treatment.counted,
                scaled: treatment.scaled,
                first,
                axes,
            });
        }
    }
    Ok(found)
}

/// Whether a policy's partition can cut all tensors that it does not exclude; cheaper than cutting them.
pub(super) fn cuts(policy: &ClipPolicy, tensors: &[Tensor]) -> bool {
    let excluded =
        |tensor: &Tensor| matches!(treatment(policy, &tensor.name, tensors, tensors.len()), Ok(None));
    tensors
        .iter()
        .all(|tensor| summed(&policy.partition, tensor).is_ok() || excluded(tensor))
}

/// The first selection that fits, or none for an excluded tensor; so many ties more may be followed.
fn treatment<'a>(
    policy: &'a ClipPolicy,
    name: &'a str,
    tensors: &'a [Tensor],
    left: usize,
) -> Result<Option<Treatment<'a>>, OracleError> {
    let usual = Treatment {
        name,
        group: None,
        counted: true,
        scaled: true,
    };
    let Some(selection) = policy
        .selections
        .iter()
        .find(|selection| selection.pattern.fits(name))
    else {
        return Ok(Some(usual));
    };
    match &selection.role {
        Role::Exclude => Ok(None),
        Role::Group(c) => {
            let group = Some((selection.pattern.as_str(), c.get()));
            Ok(Some(Treatment { group, ..usual }))
        }
        Role::Count => Ok(Some(Treatment {
            scaled: false,
            ..usual
        })),
        Role::Follow => Ok(Some(Treatment {
            counted: false,
            ..usual
        })),
        Role::Tie(original) => {
            let missing = || OracleError::Tie {
                copy: name.to_owned(),
                original: original.clone(),
            };
            let find = |name: &str| tensors.iter().find(|t| t.name == *name);
            let original = find(original).ok_or_else(missing)?;
            if find(name).is_some_and(|copy| copy.shape != original.shape) {
                return Err(OracleError::Unsupported(format!(
                    "`{name}` is tied to `{}`, which has another shape",
                    original.name
                )));
            }
            // More ties than tensors go in a circle.
            let Some(left) = left.checked_sub(1) else {
                return Err(OracleError::Unsupported(format!("`{name}` is tied to itself")));
            };
            let treated = treatment(policy, &original.name, tensors, left)?;
            Ok(treated.map(|t| Treatment { counted: false, ..t }))
        }
    }
}

/// An id, a first element, and the axes.
type Part = (String, usize, Vec<(usize, usize)>);

/// The parts into which a partition cuts a tensor.
fn parts(
    partition: &Partition,
    separator: Option<&Separator>,
    treatment: &Treatment<'_>,
    tensor: &Tensor,
) -> Result<Vec<Part>, OracleError> {
    let name = treatment.name;
    // A group's pattern stands behind the id and before the number of a unit.
    let id = |base: &str| match treatment.group {
        Some((pattern, _)) => format!("{base}({pattern})"),
        None => base.to_owned(),
    };
    let axes = if tensor.shape.is_empty() {
        Vec::new()
    } else {
        vec![(tensor.data.len(), 1)]
    };
    let whole = |base: &str| Ok(vec![(id(base), 0, axes.clone())]);
    let (module, layer) = if let Some(separator) = separator {
        let (module, layer) = path::ends(name, separator.as_str());
        (&name[..module], layer.map(|end| &name[..end]))
    } else {
        let cuts = path::cuts(name);
        (path::module(name, &cuts), path::layer(name, &cuts))
    };
    match partition {
        Partition::Global => return whole("global"),
        Partition::Parameter => return whole(name),
        Partition::Module => return whole(module),
        Partition::Layer => return whole(layer.unwrap_or(module)),
        _ => {}
    }
    Ok(units(&id(name), &tensor.shape, &summed(partition, tensor)?))
}

/// The axes over which a unit's elements are summed; all of them for partitions that do not cut tensors.
fn summed(partition: &Partition, tensor: &Tensor) -> Result<Vec<usize>, OracleError> {
    let rank = tensor.shape.len();
    Ok(match partition {
        Partition::Global | Partition::Parameter | Partition::Module | Partition::Layer => {
            (0..rank).collect()
        }
        Partition::Row if rank < 2 => (0..rank).collect(),
        Partition::Row => (1..rank).collect(),
        Partition::OptaxUnit => {
            let long = tensor.shape.iter().filter(|&&length| length != 1).count();
            match (long, rank) {
                (0 | 1, _) => (0..rank).collect(),
                (_, 2 | 3) => vec![0],
                (_, 4 | 5) => (0..rank - 1).collect(),
                _ => return Err(uncut(partition, tensor)),
            }
        }
        Partition::Axes(axes) if axes.iter().any(|&axis| axis >= rank) => {
            return Err(uncut(partition, tensor));
        }
        Partition::Axes(axes) => axes.clone(),
    })
}

fn uncut(partition: &Partition, tensor: &Tensor) -> OracleError {
    OracleError::Partition {
        name: tensor.name.clone(),
        partition: partition.to_string(),
        shape: tensor.shape.clone(),
    }
}

/// One part for each index of the axes that are not summed over, numbered in row-major order; none if there is no element.
fn units(name: &str, shape: &[usize], summed: &[usize]) -> Vec<Part> {
    let strides: Vec<usize> = (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product())
        .collect();
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !summed.contains(axis)).collect();
    let mut axes: Vec<(usize, usize)> = Vec::new();
    for axis in (0..shape.len()).filter(|axis| summed.contains(axis)) {
        match axes.last_mut() {
            // Two axes without a gap are one.
            Some((length, stride)) if *stride == shape[axis] * strides[axis] => {
                *length *= shape[axis];
                *stride = strides[axis];
            }
            _ => axes.push((shape[axis], strides[axis])),
        }
    }
    let count: usize = if shape.contains(&0) && !kept.is_empty() {
        0
    } else {
        kept.iter().map(|&axis| shape[axis]).product()
    };
    let first = |number: usize| {
        let (mut rest, mut first) = (number, 0);
        for &axis in kept.iter().rev() {
            first += rest % shape[axis] * strides[axis];
            rest /= shape[axis];
        }
        first
    };
    (0..count)
        .map(|number| (format!("{name}[{number}]"), first(number), axes.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Format;

    fn ids(policy: &str, tensors: &[Tensor]) -> Vec<String> {
        let policy = policy.parse().expect(policy);
        let components = components(&policy, tensors).expect("components");
        components.into_iter().map(|c| c.id).collect()
    }

    fn tensor(name: &str, shape: &[usize]) -> Tensor {
        Tensor::new(name, shape, Format::F64, &vec![1.0; shape.iter().product()])
    }

    #[test]
    fn by_name() {
        let names = [
            "a.layer.0.q.weight",
            "a.layer.0.q.bias",
            "a.layer.1.q.weight",
            "a.head.weight",
        ];
        let tensors = names.map(|name| tensor(name, &[2]));
        assert_eq!(ids("global:1", &tensors), ["global"]);
        assert_eq!(ids("component:1", &tensors), names);
        assert_eq!(
            ids("module:1", &tensors),
            ["a.layer.0.q", "a.layer.1.q", "a.head"]
        );
        assert_eq!(ids("layer:1", &tensors), ["a.layer.0", "a.layer.1", "a.head"]);
        let some = "global:1,exclude=*.head.*,group=*bias:2";
        assert_eq!(ids(some, &tensors), ["global", "global(*bias)"]);
    }

    /// Of a [2, 3] tensor, row 1 is 3 4 5 and column 1 is 1 4; of [2, 3, 2] without its middle axis, unit 3 is 7 9 11.
    #[test]
    fn by_shape() {
        let part = |shape: &[usize], summed: &[usize], number: usize| {
            let (id, first, axes) = units("t", shape, summed).swap_remove(number);
            let member = Member {
                tensor: 0,
                counted: true,
                scaled: true,
                first,
                axes,
            };
            (id, (0..member.len()).map(|k| member.index(k)).collect::<Vec<_>>())
        };
        assert_eq!(part(&[2, 3], &[1], 1), ("t[1]".to_owned(), vec![3, 4, 5]));
        assert_eq!(part(&[2, 3], &[0], 1), ("t[1]".to_owned(), vec![1, 4]));
        assert_eq!(part(&[2, 3, 2], &[1], 3), ("t[3]".to_owned(), vec![7, 9, 11]));
        assert_eq!(
            part(&[2, 3, 2], &[0, 1], 1),
            ("t[1]".to_owned(), vec![1, 3, 5, 7, 9, 11])
        );
        assert_eq!(part(&[2], &[], 1), ("t[1]".to_owned(), vec![1]));
        assert_eq!(
            ids("row:1", &[tensor("v", &[3]), tensor("m", &[2, 2])]),
            ["v[0]", "m[0]", "m[1]"]
        );
    }
}
