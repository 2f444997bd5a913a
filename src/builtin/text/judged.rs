//! Two sentences and what they have to do with each other, which one word before the second says.
//!
//! ```text
//! Each place was noiseless.                      The singer teased the ecologist.
//! Surely: Each boutique was noiseless.           Instead: The ecologist teased the singer.
//! ```
//!
//! To guess that word a model must compare the two. The pairs are made as those of the tasks, from all words.

use super::super::speaker::Speaker;
use super::super::{entailment, paraphrase, similarity};
use super::Lines;

/// What stands between such a word and the second sentence.
pub(super) const MARK: &str = ": ";

fn judged(first: String, word: &str, second: &str) -> Lines {
    vec![first, format!("{word}{MARK}{second}")]
}

/// Whether the second follows from the first.
pub(super) fn reasoning(speaker: &mut Speaker) -> Lines {
    let (_, make) = speaker.choose(&entailment::PHENOMENA);
    let follows = speaker.coin();
    let (premise, hypothesis) = make(speaker, follows);
    judged(premise, if follows { "Surely" } else { "Perhaps" }, &hypothesis)
}

/// Whether both say the same.
pub(super) fn rewording(speaker: &mut Speaker) -> Lines {
    let (_, make) = speaker.choose(&paraphrase::FAMILIES);
    let same = speaker.coin();
    let (first, second) = make(speaker, same);
    judged(first, if same { "Again" } else { "Instead" }, &second)
}

/// How near both are, in fifths.
pub(super) fn likeness(speaker: &mut Speaker) -> Lines {
    const WORDS: [&str; 5] = ["Hardly", "Slightly", "Partly", "Mostly", "Wholly"];
    let (first, second, score) = similarity::pair(speaker);
    judged(first, WORDS[(score as usize).min(4)], &second)
}
