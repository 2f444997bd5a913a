//! Packs: named sets of cases that a seed determines to the bit.
//!
//! | pack | cases | is out to catch |
//! |---|---|---|
//! | `core` | small, every class once | a wrong formula, partition, element type or tail |
//! | `edge` | every convention on the inputs on which conventions differ, every edge rule | a wrong convention |
//! | `stress` | long tensors, wide ranges | sums that stagnate, overflow, vanish or drop their tail |
//! | `mesh` | tensors in shards and replicas, ties, ranks that hold nothing | a norm that counts twice or not at all |
//! | `stateful` | steps of policies with a memory, in mid-history | a threshold from the wrong numbers |
//!
//! The same pack and seed give the same cases on every machine: chance comes from [`crate::random`], and no number goes
//! through a function whose rounding a platform may choose.

use super::policy_pack::WantedError;
use super::{core_pack, edge_pack, mesh_pack, stateful_pack, stress_pack};
use crate::clip::ClipPolicy;
use crate::oracle::{Case, Tensor};
use std::fmt;
use std::str::FromStr;

/// A pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pack {
    /// `core`.
    Core,
    /// `edge`.
    Edge,
    /// `stress`.
    Stress,
    /// `mesh`.
    Mesh,
    /// `stateful`.
    Stateful,
}

/// What a case is out to catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Integers whose squares sum without rounding in any order: a wrong bit is a fault of logic.
    Exact,
    /// Every kind of rule once.
    Rule,
    /// Norms one step below, at and above the threshold, and within an ε of it.
    Straddle,
    /// Squares that overflow or vanish where the norm does not.
    Magnitude,
    /// A large element and many small ones, which a running sum no longer feels.
    Stagnation,
    /// Lengths around the sizes of blocks and warps, the weight in the last element.
    Tail,
    /// NaN and infinities.
    NonFinite,
    /// Scalars, empty tensors, axes of length 1, many axes, units.
    Layout,
    /// Many tensors.
    Many,
    /// Tensors without elements.
    Empty,
    /// Several element types at once.
    Mixed,
    /// Norms and thresholds of 0, thresholds below 0 and without bound.
    Degenerate,
    /// Shards, replicas, ties, empty ranks.
    Mesh,
    /// A step in mid-history.
    History,
    /// Magnitudes over many binades.
    Wide,
}

/// A case with what there is to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedCase {
    /// Its name, also that of its file: `core-0007-straddle`.
    pub name: String,
    /// The pack's name; empty for a case that belongs to none.
    pub pack: String,
    /// The class's name; may be empty.
    pub class: String,
    /// One sentence for whoever fails it; may be empty.
    pub note: String,
    /// The seed of the pack.
    pub seed: u64,
    /// The question.
    pub case: Case,
}

impl NamedCase {
    /// The same with another question.
    pub fn with(&self, case: Case) -> Self {
        Self {
            name: self.name.clone(),
            pack: self.pack.clone(),
            class: self.class.clone(),
            note: self.note.clone(),
            seed: self.seed,
            case,
        }
    }
}

/// A pack that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackError(String);

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Pack::ALL.map(Pack::name).join(", ");
        write!(f, "unknown pack `{}`; there are {known}", self.0)
    }
}

impl std::error::Error for PackError {}

impl Pack {
    /// All packs.
    pub const ALL: [Self; 5] = [Self::Core, Self::Edge, Self::Stress, Self::Mesh, Self::Stateful];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Edge => "edge",
            Self::Stress => "stress",
            Self::Mesh => "mesh",
            Self::Stateful => "stateful",
        }
    }

    /// The cases, in the order in which they should be tried: what is easiest to understand comes first.
    pub fn cases(self, seed: u64) -> Vec<NamedCase> {
        let mut list = List {
            pack: self,
            seed,
            cases: Vec::new(),
        };
        match self {
            Self::Core => core_pack::fill(&mut list),
            Self::Edge => edge_pack::fill(&mut list),
            Self::Stress => stress_pack::fill(&mut list),
            Self::Mesh => mesh_pack::fill(&mut list),
            Self::Stateful => stateful_pack::fill(&mut list),
        }
        list.cases
    }
}

impl fmt::Display for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Pack {
    type Err = PackError;

    fn from_str(text: &str) -> Result<Self, PackError> {
        let found = Self::ALL.into_iter().find(|pack| pack.name() == text);
        found.ok_or_else(|| PackError(text.to_owned()))
    }
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 15] = [
        Self::Exact,
        Self::Rule,
        Self::Straddle,
        Self::Magnitude,
        Self::Stagnation,
        Self::Tail,
        Self::NonFinite,
        Self::Layout,
        Self::Many,
        Self::Empty,
        Self::Mixed,
        Self::Degenerate,
        Self::Mesh,
        Self::History,
        Self::Wide,
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Rule => "rule",
            Self::Straddle => "straddle",
            Self::Magnitude => "magnitude",
            Self::Stagnation => "stagnation",
            Self::Tail => "tail",
            Self::NonFinite => "non-finite",
            Self::Layout => "layout",
            Self::Many => "many",
            Self::Empty => "empty",
            Self::Mixed => "mixed",
            Self::Degenerate => "degenerate",
            Self::Mesh => "mesh",
            Self::History => "history",
            Self::Wide => "wide",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Class {
    type Err = WantedError;

    fn from_str(text: &str) -> Result<Self, WantedError> {
        let found = Self::ALL.into_iter().find(|class| class.name() == text);
        found.ok_or_else(|| WantedError::Class(text.to_owned()))
    }
}

/// A pack in the making.
pub(super) struct List {
    pack: Pack,
    pub(super) seed: u64,
    cases: Vec<NamedCase>,
}

impl List {
    /// Adds a case.
    pub(super) fn push(&mut self, class: Class, note: &str, case: Case) {
        let number = self.cases.len();
        self.cases.push(NamedCase {
            name: format!("{}-{number:04}-{}", self.pack, class.name()),
            pack: self.pack.to_string(),
            class: class.name().to_owned(),
            note: note.to_owned(),
            seed: self.seed,
            case,
        });
    }

    /// Adds gradients under a policy.
    pub(super) fn add(&mut self, class: Class, note: &str, policy: &str, before: Vec<Tensor>) {
        self.push(class, note, Case::new(policy_of(policy), before));
    }
}

/// A policy that this module spells itself.
pub(super) fn policy_of(text: &str) -> ClipPolicy {
    text.parse()
        .unwrap_or_else(|error| panic!("a pack spells a policy wrongly: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for pack in Pack::ALL {
            assert_eq!(pack.name().parse(), Ok(pack));
        }
        assert_eq!(
            "cores".parse::<Pack>().map_err(|error| error.to_string()),
            Err("unknown pack `cores`; there are core, edge, stress, mesh, stateful".to_owned())
        );
    }
}
