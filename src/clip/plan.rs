//! Which component each gradient belongs to, before anything is measured.

use super::error::ClipError;
use super::partition::Partition;
use super::path;
use super::policy::ClipPolicy;
use super::selection::Role;
use super::separator::Separator;
use super::threshold::Threshold;
use std::collections::HashMap;

/// The components of a call, in the order of their first parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) components: Vec<Component>,
    /// One for each parameter.
    pub(super) places: Vec<Place>,
}

/// One component.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Component {
    pub(super) id: String,
    /// The threshold of its group, or of the rule.
    pub(super) threshold: Option<Threshold>,
    pub(super) members: Vec<usize>,
}

/// Where one parameter goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// Its component, the first of them if it is cut into units; none if it is excluded.
    pub(super) component: Option<usize>,
    /// The axes that a unit is summed over; none if the tensor is not cut.
    pub(super) summed: Option<Vec<usize>>,
    pub(super) counted: bool,
    pub(super) scaled: bool,
}

impl Plan {
    /// Of parameters with these names and shapes.
    pub(super) fn new(policy: &ClipPolicy, parameters: &[(&str, &[usize])]) -> Result<Self, ClipError> {
        let mut plan = Self {
            components: Vec::new(),
            places: Vec::new(),
        };
        let mut seen = HashMap::new();
        let mut ties = Vec::new();
        for (index, &(name, shape)) in parameters.iter().enumerate() {
            let chosen = policy.selections.iter().position(|s| s.pattern.fits(name));
            let role = chosen.map(|at| &policy.selections[at].role);
            let group = chosen.filter(|_| matches!(role, Some(Role::Group(_))));
            // A tensor that is left alone need not be one that can be cut; a copy goes where its original goes.
            let cut = policy.partition.cuts_tensors() && !matches!(role, Some(Role::Exclude | Role::Tie(_)));
            let summed = if cut {
                Some(policy.partition.summed(name, shape)?)
            } else {
                None
            };
            let mut place = Place {
                component: None,
                summed,
                counted: !matches!(role, Some(Role::Exclude | Role::Follow | Role::Tie(_))),
                scaled: !matches!(role, Some(Role::Exclude | Role::Count)),
            };
            match role {
                Some(Role::Exclude) => {}
                Some(Role::Tie(original)) => ties.push((index, original)),
                _ => {
                    let units = place.summed.as_ref().map(|summed| units(shape, summed));
                    let key = (
                        policy.partition.key(name, policy.separator.as_ref()).to_owned(),
                        group,
                    );
                    let at = match seen.get(&key) {
                        Some(&at) if units.is_none() => at,
                        _ => plan.open(policy, &key.0, group, units),
                    };
                    seen.insert(key, at);
                    place.component = Some(at);
                    plan.join(index, at, units);
                }
            }
            plan.places.push(place);
        }
        for &(copy, original) in &ties {
            plan.tie(copy, original, parameters, &ties)?;
        }
        Ok(plan)
    }

    /// Adds a component, or one for each unit, and returns the first.
    fn open(&mut self, policy: &ClipPolicy, key: &str, group: Option<usize>, units: Option<usize>) -> usize {
        let first = self.components.len();
        let (id, threshold) = match group.map(|at| &policy.selections[at]) {
            None => (key.to_owned(), policy.rule.threshold()),
            Some(selection) => {
                let Role::Group(threshold) = selection.role else {
                    unreachable!("only groups are chosen for components of their own");
                };
                (format!("{key}({})", selection.pattern.as_str()), Some(threshold))
            }
        };
        let component = |id| Component {
            id,
            threshold,
            members: Vec::new(),
        };
        match units {
            None => self.components.push(component(id)),
            Some(units) => {
                let each = (0..units).map(|unit| component(format!("{id}[{unit}]")));
                self.components.extend(each);
            }
        }
        first
    }

    fn join(&mut self, parameter: usize, first: usize, units: Option<usize>) {
        for component in &mut self.components[first..first + units.unwrap_or(1)] {
            component.members.push(parameter);
        }
    }

    /// Sends a copy where its original went, or that one's original.
    fn tie(
        &mut self,
        copy: usize,
        original: &str,
        parameters: &[(&str, &[usize])],
        ties: &[(usize, &String)],
    ) -> Result<(), ClipError> {
        let (name, shape) = parameters[copy];
        let find = |wanted: &str| {
            let found = parameters.iter().position(|(name, _)| *name == wanted);
            found.filter(|&at| parameters[at].1 == shape)
        };
        let original_of = |at: usize| ties.iter().find(|(copy, _)| *copy == at);
        let mut found = find(original);
        // More ties than there are go in a circle.
        for _ in ties {
            found = match found.map(|at| (at, original_of(at))) {
                Some((_, Some(&(_, original)))) => find(original),
                _ => break,
            };
        }
        let Some(at) = found.filter(|&at| original_of(at).is_none()) else {
            return Err(ClipError::Tie {
                copy: name.to_owned(),
                original: original.to_owned(),
            });
        };
        let place = self.places[at].clone();
        let units = place.summed.as_ref().map(|summed| units(shape, summed));
        if let Some(first) = place.component {
            self.join(copy, first, units);
        }
        self.places[copy] = Place {
            counted: false,
            ..place
        };
        Ok(())
    }
}

/// The number of units of a tensor: the product of the axes that are kept. A tensor without elements is not cut into any,
/// however long its other axes are.
pub(super) fn units(shape: &[usize], summed: &[usize]) -> usize {
    let kept = || (0..shape.len()).filter(|axis| !summed.contains(axis));
    if shape.contains(&0) && kept().next().is_some() {
        return 0;
    }
    kept().map(|axis| shape[axis]).product()
}

impl Partition {
    /// What the parameters of one component have in common; the id of the component.
    fn key<'n>(&self, name: &'n str, separator: Option<&Separator>) -> &'n str {
        let separator = separator.map(Separator::as_str);
        match self {
            Self::Global => "global",
            Self::Parameter | Self::Row | Self::OptaxUnit | Self::Axes(_) => name,
            Self::Module => path::module(name, separator),
            Self::Layer => path::layer(name, separator).unwrap_or_else(|| path::module(name, separator)),
        }
    }

    /// The axes that a unit of a tensor of this shape is summed over.
    fn summed(&self, name: &str, shape: &[usize]) -> Result<Vec<usize>, ClipError> {
        let rank = shape.len();
        let error = |reason| {
            Err(ClipError::Axes {
                parameter: name.to_owned(),
                shape: shape.to_vec(),
                reason,
            })
        };
        match self {
            Self::Row if rank >= 2 => Ok((1..rank).collect()),
            Self::OptaxUnit if shape.iter().filter(|&&n| n != 1).count() > 1 => match rank {
                2 | 3 => Ok(vec![0]),
                4 => Ok(vec![0, 1, 2]),
                5 => Ok(vec![0, 1, 2, 3]),
                _ => error("optax's units are defined up to rank 5"),
            },
            Self::Axes(axes) if axes.iter().any(|&axis| axis >= rank) => error("it has no such axis"),
            // In order, each once: the set of axes is what counts.
            Self::Axes(axes) => Ok((0..rank).filter(|axis| axes.contains(axis)).collect()),
            _ => Ok((0..rank).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERT: [(&str, &[usize]); 5] = [
        ("embeddings.word.weight", &[30, 4]),
        ("encoder.layer.0.query.weight", &[4, 4]),
        ("encoder.layer.0.query.bias", &[4]),
        ("encoder.layer.10.query.weight", &[4, 4]),
        ("scale", &[]),
    ];

    fn plan(policy: &str) -> Result<Plan, ClipError> {
        Plan::new(&policy.parse().expect(policy), &BERT)
    }

    fn components(policy: &str) -> Vec<(String, Vec<usize>)> {
        let components = plan(policy).expect(policy).components;
        components.into_iter().map(|c| (c.id, c.members)).collect()
    }

    fn expect(policy: &str, expected: &[(&str, &[usize])]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(id, m)| ((*id).to_owned(), m.to_vec()))
            .collect();
        assert_eq!(components(policy), expected, "{policy}");
    }

    #[test]
    fn partitions() {
        expect("global:1", &[("global", &[0, 1, 2, 3, 4])]);
        expect(
            "layer:1",
            &[
                ("embeddings.word", &[0]),
                ("encoder.layer.0", &[1, 2]),
                ("encoder.layer.10", &[3]),
                ("scale", &[4]),
            ],
        );
        expect(
            "module:1",
            &[
                ("embeddings.word", &[0]),
                ("encoder.layer.0.query", &[1, 2]),
                ("encoder.layer.10.query", &[3]),
                ("scale", &[4]),
            ],
        );
        assert_eq!(components("component:1").len(), 5);
        // 30 + 4 + 1 + 4 + 1 rows; vectors and scalars are whole.
        assert_eq!(components("row:1").len(), 40);
        assert_eq!(components("row:1")[33].0, "encoder.layer.0.query.weight[3]");
        // 4 + 4 + 1 + 4 + 1 columns.
        assert_eq!(components("optax-unit:1").len(), 14);
        // 120 + 16 + 4 + 16 + 1 elements.
        assert_eq!(components("axes:1").len(), 157);
    }

    /// optax's rank rules; an axis of length 1 makes a matrix a vector.
    #[test]
    fn optax_units() {
        let summed = |shape: &[usize]| Partition::OptaxUnit.summed("x", shape);
        assert_eq!(summed(&[]), Ok(vec![]));
        assert_eq!(summed(&[7]), Ok(vec![0]));
        assert_eq!(summed(&[1, 7]), Ok(vec![0, 1]));
        assert_eq!(summed(&[2, 3]), Ok(vec![0]));
        assert_eq!(summed(&[2, 3, 4]), Ok(vec![0]));
        assert_eq!(summed(&[2, 3, 4, 5]), Ok(vec![0, 1, 2]));
        assert_eq!(summed(&[2, 3, 4, 5, 6]), Ok(vec![0, 1, 2, 3]));
        let axes = |axes: &[usize]| Partition::Axes(axes.to_vec()).summed("x", &[2, 3, 4]);
        assert_eq!(axes(&[2, 0, 2]), Ok(vec![0, 2]));
        assert_eq!(
            summed(&[2; 6]).expect_err("rank 6").to_string(),
            "`x` of shape [2, 2, 2, 2, 2, 2]: optax's units are defined up to rank 5"
        );
        assert_eq!(
            plan("axes-1:1").expect_err("a vector").to_string(),
            "`encoder.layer.0.query.bias` of shape [4]: it has no such axis"
        );
    }

    #[test]
    fn selections() {
        expect(
            "global:1,group=*.bias:2,exclude=scale",
            &[("global", &[0, 1, 3]), ("global(*.bias)", &[2])],
        );
        let grouped = plan("component:1,group=*.bias:2").expect("a plan");
        assert_eq!(grouped.components[2].threshold, Some(Threshold::unchecked(2.0)));
        assert_eq!(grouped.components[3].threshold, Some(Threshold::unchecked(1.0)));
        // The word embedding has no other tensor of its shape; the two query matrices can be tied.
        let tied = "component:1,tie=encoder.layer.10.query.weight:encoder.layer.0.query.weight";
        let tied = plan(tied).expect("a plan");
        assert_eq!(tied.components.len(), 4);
        assert_eq!(tied.components[1].members, [1, 3]);
        assert!(!tied.places[3].counted && tied.places[3].scaled && tied.places[1].counted);
        assert_eq!(
            plan("component:1,tie=scale:missing")
                .expect_err("no such tensor")
                .to_string(),
            "`scale` is tied to `missing`, which is no other parameter of its shape here"
        );
    }
}
