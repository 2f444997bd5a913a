//! Draws that a seed and a number give again.

use cwgnc::random::key;

/// A sequence of draws.
pub(crate) struct Chance {
    seed: u64,
    drawn: u64,
}

impl Chance {
    /// The draws of input number `number`.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self {
            seed: key(&[seed, number]),
            drawn: 0,
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.drawn += 1;
        key(&[self.seed, self.drawn])
    }

    /// A number below `n`; 0 for 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            return 0;
        }
        (self.next() % n as u64) as usize
    }

    /// Once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A count: mostly a few, sometimes a hundred, seldom 100,000.
    pub(crate) fn count(&mut self) -> usize {
        match self.below(40) {
            0 => 100_000,
            1..=3 => 2000,
            4..=9 => 70,
            _ => 1 + self.below(4),
        }
    }
}
