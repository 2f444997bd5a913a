//! Which elements share a norm: the partition of all gradients into components.
//!
//! | text | a component is | its id |
//! |---|---|---|
//! | `global` | everything | `global` |
//! | `layer` | the parameters of one numbered layer; the others by module | `bert.encoder.layer.3` |
//! | `module` | the parameters of one module: a weight with its bias | `bert.pooler.dense` |
//! | `component` | one named parameter tensor, CWGNC's component | `bert.pooler.dense.weight` |
//! | `row` | one index of a tensor's first axis; a vector or scalar as a whole | `bert.pooler.dense.weight[7]` |
//! | `optax-unit` | one output unit where the weight is stored input first; by rank, see [`Partition::OptaxUnit`] | the same |
//! | `axes-0-1` | one index of the axes that are *not* named; the named ones are summed over | the same |
//!
//! `row`, `optax-unit` and `axes-…` cut tensors; a unit never spans two of them. `axes` with no axis makes every
//! element a component. A unit's number counts along the axes that are kept, in row-major order.

use super::error::{PolicyError, nearest};
use std::fmt;
use std::str::FromStr;

/// How gradients fall into components, the sets of elements that share one norm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Partition {
    /// One component: all parameters.
    Global,
    /// The parameters whose names agree up to the first segment that is a number (`….layer.3.`); a parameter without
    /// such a segment belongs to its module.
    Layer,
    /// The parameters whose names agree up to the last dot: a weight with its bias.
    Module,
    /// A component for each named parameter tensor; weights and biases apart.
    Parameter,
    /// A component for each index of the first axis of a tensor of rank 2 or more; any other tensor is one component.
    ///
    /// # Source
    /// timm, `timm/utils/agc.py`, `unitwise_norm`: PyTorch stores weights output first.
    Row,
    /// Axes summed over, by rank after axes of length 1 are dropped for the first case: 0 or 1: all; 2 or 3: axis 0; 4:
    /// axes 0 to 2; 5: axes 0 to 3; more is an error.
    ///
    /// # Source
    /// optax, `optax/transforms/_clipping.py`, `unitwise_norm`. Its documentation says axes (0, 1, 2) for rank 3, its code
    /// takes axis 0, and so does this.
    OptaxUnit,
    /// A component for each index of the axes that are not in this list. An axis that a tensor does not have is an
    /// error.
    Axes(Vec<usize>),
}

impl Partition {
    /// The partitions without a list of axes.
    pub const NAMED: [Self; 6] = [
        Self::Global,
        Self::Layer,
        Self::Module,
        Self::Parameter,
        Self::Row,
        Self::OptaxUnit,
    ];

    /// The name in policies, without the axes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Layer => "layer",
            Self::Module => "module",
            Self::Parameter => "component",
            Self::Row => "row",
            Self::OptaxUnit => "optax-unit",
            Self::Axes(_) => "axes",
        }
    }

    /// Whether components come from steps of names: `layer` and `module`.
    pub fn cuts_names(&self) -> bool {
        matches!(self, Self::Layer | Self::Module)
    }

    /// Whether a component is a part of one tensor.
    pub fn cuts_tensors(&self) -> bool {
        matches!(self, Self::Row | Self::OptaxUnit | Self::Axes(_))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Axes(axes) => axes.iter().try_for_each(|axis| write!(f, "-{axis}")),
            _ => Ok(()),
        }
    }
}

impl FromStr for Partition {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        if text == "axes" {
            return Ok(Self::Axes(Vec::new()));
        }
        if let Some(axes) = text.strip_prefix("axes-") {
            let axes = axes.split('-').map(|axis| axis.parse().ok());
            return axes
                .collect::<Option<Vec<usize>>>()
                .map(Self::Axes)
                .ok_or_else(|| PolicyError::value("axes", text, "axes by number, as in `axes-0-1`"));
        }
        Self::NAMED
            .into_iter()
            .find(|partition| partition.name() == text)
            .ok_or_else(|| PolicyError::Unknown {
                what: "partition",
                name: text.to_owned(),
                nearest: nearest(text, Self::NAMED.iter().map(Self::name).chain(["axes"])),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        let axes = [vec![], vec![0], vec![1, 2]].map(Partition::Axes);
        for partition in Partition::NAMED.into_iter().chain(axes) {
            assert_eq!(partition.to_string().parse(), Ok(partition));
        }
        assert_eq!("axes-0-2".parse(), Ok(Partition::Axes(vec![0, 2])));
        assert_eq!(
            "axes-a".parse::<Partition>().expect_err("a letter").to_string(),
            "`axes=axes-a`: not axes by number, as in `axes-0-1`"
        );
        assert_eq!(
            "modul".parse::<Partition>().expect_err("a typo").to_string(),
            "unknown partition `modul`; nearest: module, global, row"
        );
    }
}
