//! Training: [`step`], one optimiser step of any [`network`]; [`order`], which examples it takes; [`run`], all steps of a run with their
//! seeds, on [`examples`]; [`mod@predict`], the model's outputs for many sequences; [`masking`] and [`mod@fill`], masked
//! language modelling and its scores; [`update`], how far the parameters have moved. What
//! others do for stability is [`stabilise`], with [`mixout`] and [`unfreeze`]; [`workload`] is there to be measured.

pub mod examples;
pub mod fill;
pub mod masking;
pub mod mixout;
pub mod network;
pub mod order;
pub mod predict;
pub mod run;
pub mod stabilise;
pub mod step;
pub mod unfreeze;
pub mod update;
pub mod workload;

pub use examples::Examples;
pub use fill::{FillScores, fill};
pub use masking::{MaskedText, Masking, Segments, Vocabulary};
pub use network::{Mean, Network};
pub use order::Order;
pub use predict::predict;
pub use run::{Plan, Run, Seeds, StepRecord};
pub use stabilise::{Stabiliser, Stabilisers};
pub use step::{Micro, NotFinite, StepReport, Trainer};
pub use unfreeze::{UnfreezeMode, Unfreezing};
pub use update::{Distance, ParameterUpdate, UpdateMeter};

use crate::model::{Batch, Target, Targets};

/// A tokenised sequence with what the model should say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Token ids, special tokens included; not empty.
    pub ids: Vec<u32>,
    /// One token type for each id.
    pub token_types: Vec<u32>,
    /// The class index, the value, or which labels apply.
    pub target: Target,
}

/// The packed batch of the chosen sequences, numbered from `first_sequence` within the optimiser step.
///
/// # Panics
/// If the targets are of several kinds.
pub fn pack(sequences: &[Sequence], chosen: &[usize], first_sequence: usize) -> Micro {
    let chosen = || chosen.iter().map(|&i| &sequences[i]);
    let batch = Batch::pack(
        chosen().map(|s| (&s.ids[..], &s.token_types[..])),
        first_sequence as u64,
    );
    let targets = Targets::of(chosen().map(|s| &s.target));
    Micro { batch, targets }
}
