//! Gradual unfreezing (Howard and Ruder, *Universal Language Model Fine-tuning*, ACL 2018), in the form that Yang and Ma
//! compare with (EMNLP 2022, section 2 and their training script).
//!
//! A run has `L + 2` iterations for a model of `L` layers. Iteration `k`, from 0, trains groups 0 to `k`:
//!
//! ```text
//! group 0             the classifier, or the head of masked language modelling
//! group 1 … L         layer L − 1 … layer 0, without their LayerNorms
//! group L + 1         everything else: embeddings, pooler, every LayerNorm
//! ```
//!
//! An iteration has the steps and the learning rates of the run's schedule; [`Restart`](UnfreezeMode) says what goes on
//! from one to the next. A frozen parameter has no gradient for clipping, no moments and no update.

use crate::model::Part;
use crate::real::Real;
use crate::train::network::Network;

/// How an iteration follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnfreezeMode {
    /// Weights and optimiser go on. The highest rate is halved for each iteration, for all groups, but not below 1e-6:
    /// what the authors' script sets out to do. With a schedule that ends at half its peak the rate has no jump.
    Continue,
    /// The same, with the rates that the authors' script really gives: their scheduler keeps the first rate of every
    /// group, so that each iteration begins again at it, and a new group begins at half the *last* rate of the group
    /// before, which has fallen to half by then: a quarter for each group, not below 1e-6.
    ContinueAsReleased,
    /// Every iteration begins at the weights that training began from, with a fresh optimiser and the full rate.
    Restart,
}

/// Gradual unfreezing of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfreezing {
    /// How an iteration follows the one before.
    pub mode: UnfreezeMode,
    /// Iterations: [`iterations`] of the model.
    pub iterations: usize,
}

/// No halving goes below this rate.
const LOWEST_RATE: f64 = 1e-6;

impl Unfreezing {
    /// The highest learning rate of iteration `k`, from the run's.
    pub fn peak(self, peak: f64, k: usize) -> f64 {
        match self.mode {
            UnfreezeMode::Continue => lowered(peak, 0.5, k),
            UnfreezeMode::ContinueAsReleased | UnfreezeMode::Restart => peak,
        }
    }

    /// What a group's learning rate is multiplied by in every iteration, for a schedule from `peak` to `end` of it.
    pub fn group_factor(self, peak: f64, end: f64, group: usize) -> f64 {
        match self.mode {
            UnfreezeMode::ContinueAsReleased if peak > 0.0 => lowered(peak, end * 0.5, group) / peak,
            _ => 1.0,
        }
    }
}

/// `rate` times `factor`, `times` times, but not below [`LOWEST_RATE`] unless it began there.
fn lowered(rate: f64, factor: f64, times: usize) -> f64 {
    let floor = LOWEST_RATE.min(rate);
    (0..times).fold(rate, |rate, _| (rate * factor).max(floor))
}

/// The iterations for a model of so many layers: one for each group.
pub fn iterations(layers: usize) -> usize {
    layers + 2
}

/// The encoder layers of a model with these parts.
pub(super) fn layers(parts: &[Part]) -> usize {
    let above = parts.iter().map(|part| match part {
        Part::Layer(index) => index + 1,
        _ => 0,
    });
    above.max().unwrap_or(0)
}

/// The group of each parameter, in walk order; group `k` is trained from iteration `k` on.
pub fn groups<T: Real>(model: &impl Network<T>) -> Vec<usize> {
    let parts = model.parts();
    let layers = layers(&parts);
    let params = model.params().into_iter().zip(parts);
    params
        .map(|((name, _), part)| match part {
            Part::Classifier | Part::Predictions => 0,
            Part::Layer(index) if !name.contains("LayerNorm") => layers - index,
            _ => layers + 1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Halved from 5e-6: 2.5e-6, 1.25e-6, then the floor. A quarter for each group: 1.25e-6, then the floor.
    #[test]
    fn rates_of_iterations_and_groups() {
        let unfreezing = |mode| Unfreezing { mode, iterations: 4 };
        let peaks = |mode| [0, 1, 2, 3].map(|k| unfreezing(mode).peak(5e-6, k));
        let factors = |mode| [0, 1, 2].map(|group| unfreezing(mode).group_factor(5e-6, 0.5, group));
        assert_eq!(peaks(UnfreezeMode::Continue), [5e-6, 2.5e-6, 1.25e-6, 1e-6]);
        assert_eq!(factors(UnfreezeMode::Continue), [1.0; 3]);
        assert_eq!(peaks(UnfreezeMode::ContinueAsReleased), [5e-6; 4]);
        assert_eq!(
            factors(UnfreezeMode::ContinueAsReleased),
            [1.0, 0.25, 1e-6 / 5e-6]
        );
        assert_eq!(peaks(UnfreezeMode::Restart), [5e-6; 4]);
        assert_eq!(factors(UnfreezeMode::Restart), [1.0; 3]);
        // The floor lifts nothing.
        assert_eq!(unfreezing(UnfreezeMode::Continue).peak(1e-7, 3), 1e-7);
        assert_eq!(
            unfreezing(UnfreezeMode::ContinueAsReleased).group_factor(0.0, 0.5, 1),
            1.0
        );
    }
}
