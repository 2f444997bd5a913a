//! Which examples each optimiser step takes: a new random order for each epoch.

use crate::random;
use std::ops::Range;

/// The order of the examples over a run: a function of the seed and the epoch, so that a run resumes anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Examples in the training set, at least 1.
    pub examples: usize,
    /// Examples of an optimiser step, at least 1; the last step of an epoch takes what is left.
    pub batch: usize,
    /// The order's seed.
    pub seed: u64,
}

impl Order {
    /// Optimiser steps of an epoch.
    pub fn steps_per_epoch(self) -> usize {
        self.examples.div_ceil(self.batch)
    }

    /// The order of an epoch, counted from 0.
    pub fn epoch(self, epoch: usize) -> Vec<usize> {
        random::permutation(
            &mut random::stream(self.seed, "order", epoch as u64),
            self.examples,
        )
    }

    /// The epoch of step `step` (both counted from 0) and its place in the epoch's order.
    pub fn place(self, step: usize) -> (usize, Range<usize>) {
        let (epoch, step) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        let begin = step * self.batch;
        (epoch, begin..(begin + self.batch).min(self.examples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seven examples in steps of three: 3, 3, 1, and each epoch takes every example once.
    #[test]
    fn an_epoch_takes_every_example_once() {
        let order = Order {
            examples: 7,
            batch: 3,
            seed: 1,
        };
        assert_eq!(order.steps_per_epoch(), 3);
        assert_eq!(order.place(0), (0, 0..3));
        assert_eq!(order.place(2), (0, 6..7));
        assert_eq!(order.place(4), (1, 3..6));
        let (first, second) = (order.epoch(0), order.epoch(1));
        assert_ne!(first, second);
        for mut epoch in [first, second] {
            epoch.sort_unstable();
            assert_eq!(epoch, [0, 1, 2, 3, 4, 5, 6]);
        }
        assert_ne!(order.epoch(0), Order { seed: 2, ..order }.epoch(0));
    }
}
