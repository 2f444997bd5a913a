//! What a run trains on: numbered examples that can be packed into batches.

use crate::model::Targets;
use crate::train::step::Micro;
use crate::train::{Sequence, pack};

/// A training set; `Y` is what its batches should become.
pub trait Examples<Y> {
    /// The number of examples.
    fn count(&self) -> usize;

    /// The packed batch of the chosen examples as an epoch has them, numbered from `first_sequence` within the optimiser
    /// step.
    fn pack(&self, chosen: &[usize], first_sequence: usize, epoch: usize) -> Micro<Y>;
}

/// Every epoch has the same.
impl Examples<Targets> for [Sequence] {
    fn count(&self) -> usize {
        self.len()
    }

    fn pack(&self, chosen: &[usize], first_sequence: usize, _epoch: usize) -> Micro {
        pack(self, chosen, first_sequence)
    }
}
