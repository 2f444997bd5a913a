//! The metrics of classes, all from one count of each class.

use std::collections::BTreeMap;

use super::{Predictions, class_pairs};
use crate::data::error::DataError;
use crate::model::Target;

/// One class, counted.
///
/// With `zero_division=0`, as scikit-learn calls it: a share of nothing is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often it was predicted: true and false positives, `TP + FP`.
    pub predicted: usize,
    /// How often it is there, scikit-learn's support: true positives and false negatives, `TP + FN`.
    pub actual: usize,
    /// How often both: true positives, `TP`.
    pub correct: usize,
}

impl Tally {
    /// `TP / (TP + FP)`; 0 of a class that was never predicted.
    pub fn precision(self) -> f64 {
        share(self.correct, self.predicted)
    }

    /// `TP / (TP + FN)`; 0 of a class that is not there.
    pub fn recall(self) -> f64 {
        share(self.correct, self.actual)
    }

    /// `2 TP / (2 TP + FP + FN)`; 0 of a class that is neither there nor predicted.
    pub fn f1(self) -> f64 {
        share(2 * self.correct, self.predicted + self.actual)
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |all, one| Self {
            predicted: all.predicted + one.predicted,
            actual: all.actual + one.actual,
            correct: all.correct + one.correct,
        })
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// How often each class was predicted for each class: scikit-learn's `confusion_matrix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Of predictions and targets among so many classes.
    ///
    /// # Errors
    /// [`DataError::Score`] if the counts differ or there are values.
    ///
    /// # Panics
    /// If there is a class that is not below `classes`.
    ///
    /// # Examples
    /// ```
    /// use cwgnc::data::{Confusion, Predictions};
    /// use cwgnc::model::Target;
    ///
    /// let predictions = Predictions::Classes(vec![0, 1, 1]);
    /// let confusion = Confusion::of(2, &predictions, &[0, 0, 1].map(Target::Class))?;
    /// // Of two examples of class 0, one was taken for class 1.
    /// assert_eq!(confusion.counts(), [[1, 1], [0, 1]]);
    /// assert_eq!(confusion.tallies()[1].precision(), 0.5);
    /// # Ok::<(), cwgnc::data::DataError>(())
    /// ```
    pub fn of(classes: usize, predictions: &Predictions, targets: &[Target]) -> Result<Self, DataError> {
        let mut counts = vec![vec![0; classes]; classes];
        for (predicted, actual) in class_pairs("confusion_matrix", predictions, targets)? {
            counts[actual][predicted] += 1;
        }
        Ok(Self { counts })
    }

    /// From its rows; `None` if it is not square.
    pub fn from_counts(counts: Vec<Vec<usize>>) -> Option<Self> {
        let is_square = counts.iter().all(|row| row.len() == counts.len());
        is_square.then_some(Self { counts })
    }

    /// The rows: `counts[t][p]` examples of class `t` were taken for class `p`.
    pub fn counts(&self) -> &[Vec<usize>] {
        &self.counts
    }

    /// Every class, counted, in class order.
    pub fn tallies(&self) -> Vec<Tally> {
        let tally = |class: usize| Tally {
            predicted: self.counts.iter().map(|row| row[class]).sum(),
            actual: self.counts[class].iter().sum(),
            correct: self.counts[class][class],
        };
        (0..self.counts.len()).map(tally).collect()
    }
}

/// The classes that occur, predicted or actual. A map, so that a class number may be any number.
pub(super) fn tallies(pairs: &[(usize, usize)]) -> BTreeMap<usize, Tally> {
    let mut tallies = BTreeMap::<usize, Tally>::new();
    for &(predicted, actual) in pairs {
        tallies.entry(predicted).or_default().predicted += 1;
        let tally = tallies.entry(actual).or_default();
        tally.actual += 1;
        tally.correct += usize::from(predicted == actual);
    }
    tallies
}

pub(super) fn accuracy(pairs: &[(usize, usize)]) -> f64 {
    let correct = pairs.iter().filter(|(p, t)| p == t).count();
    share(correct, pairs.len())
}

/// F1 of class 1.
pub(super) fn f1(pairs: &[(usize, usize)]) -> f64 {
    tallies(pairs).get(&1).copied().unwrap_or_default().f1()
}

/// The mean of F1 over the classes that occur.
pub(super) fn f1_macro(pairs: &[(usize, usize)]) -> f64 {
    let tallies = tallies(pairs);
    tallies.values().map(|tally| tally.f1()).sum::<f64>() / tallies.len() as f64
}

/// The mean of F1 over the examples, each with that of its class.
pub(super) fn f1_weighted(pairs: &[(usize, usize)]) -> f64 {
    let tallies = tallies(pairs);
    let sum: f64 = tallies
        .values()
        .map(|tally| tally.f1() * tally.actual as f64)
        .sum();
    sum / pairs.len() as f64
}

pub(super) fn matthews(pairs: &[(usize, usize)]) -> f64 {
    let n = pairs.len() as f64;
    let (mut correct, mut products) = (0.0, (0.0, 0.0, 0.0));
    for tally in tallies(pairs).values() {
        let (predicted, actual) = (tally.predicted as f64, tally.actual as f64);
        correct += tally.correct as f64;
        products.0 += predicted * actual;
        products.1 += predicted * predicted;
        products.2 += actual * actual;
    }
    // Whole numbers below 2^53 for any data set that fits in memory: exact, so the test for zero is, too.
    let denominator = (n * n - products.1) * (n * n - products.2);
    if denominator == 0.0 {
        0.0
    } else {
        (correct * n - products.0) / denominator.sqrt()
    }
}
