//! Tasks that need no file: sentences from a grammar and a lexicon of our own, by a seed.
//!
//! Four tasks, each of the size of the GLUE task that it stands for. [`Builtin::generate`] gives a training and a development
//! set that share no sentence and, as far as the grammar allows, no word of content: most words of the development set do not
//! occur in the training set, so a model must have learnt elsewhere that *herons* are many, that a heron is a bird, that
//! *devour* takes an object and that *costly* means expensive. [`text`] is plain English from the same grammar to learn that
//! from. `docs/tasks.md` describes the tasks, with examples and what a bag of words reaches.
//!
//! The same seed gives the same bytes on every machine. Nothing here knows a file, a tokenizer or a model's parameters.

mod acceptability;
mod choice;
mod entailment;
mod grammar;
mod inflect;
mod lexicon;
mod paraphrase;
mod similarity;
mod speaker;
mod split;
mod text;
mod tsv;

pub use choice::{Choice, ChoiceError, PREFIX};
pub use text::text;
pub use tsv::tsv;

use crate::data::{Dataset, Task};

/// A built-in task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Is it an English sentence?
    Acceptability,
    /// Does the second sentence follow from the first?
    Entailment,
    /// Do two sentences say the same?
    Paraphrase,
    /// How near are two sentences in meaning, from 0 to 5?
    Similarity,
}

/// The two sets of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// To train on; some labels are wrong ([`Builtin::label_noise`]).
    pub train: Dataset,
    /// To evaluate on; every label is right.
    pub dev: Dataset,
}

/// Every task, in the order in which messages list them.
pub const BUILTINS: [Builtin; 4] = [
    Builtin::Acceptability,
    Builtin::Entailment,
    Builtin::Paraphrase,
    Builtin::Similarity,
];

impl Builtin {
    /// The name after `builtin:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acceptability => "acceptability",
            Self::Entailment => "entailment",
            Self::Paraphrase => "paraphrase",
            Self::Similarity => "similarity",
        }
    }

    /// The GLUE task that it stands for, whose labels and metrics it has: `cola`, `rte`, `mrpc`, `stsb`.
    pub fn stands_for(self) -> &'static Task {
        let key = match self {
            Self::Acceptability => "cola",
            Self::Entailment => "rte",
            Self::Paraphrase => "mrpc",
            Self::Similarity => "stsb",
        };
        Task::parse(key).expect("a task of GLUE")
    }

    /// The examples of the training and of the development set.
    pub fn sizes(self) -> (usize, usize) {
        match self {
            Self::Acceptability => (3000, 1000),
            Self::Entailment => (2490, 300),
            Self::Paraphrase => (3668, 408),
            Self::Similarity => (5749, 1500),
        }
    }

    /// The share of the examples that are acceptable, entailed or equivalent, before noise; 1 where there are scores.
    pub fn positive_share(self) -> f64 {
        match self {
            Self::Acceptability => 0.7,
            Self::Entailment => 0.5,
            Self::Paraphrase => 0.674,
            Self::Similarity => 1.0,
        }
    }

    /// The share of the training labels that are wrong; 0 for scores, which have noise of standard deviation 0.25 instead.
    pub fn label_noise(self) -> f64 {
        match self {
            Self::Similarity => 0.0,
            _ => 0.04,
        }
    }

    /// Both sets.
    ///
    /// # Examples
    /// ```
    /// use cwgnc::builtin::Builtin;
    ///
    /// let sets = Builtin::Entailment.generate(0);
    /// assert_eq!((sets.train.examples.len(), sets.dev.examples.len()), (2490, 300));
    /// ```
    pub fn generate(self, seed: u64) -> Splits {
        split::generate(self, seed)
    }
}
