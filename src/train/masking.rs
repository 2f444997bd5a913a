//! Masked language modelling: which tokens of a text are hidden, and what stands in their place.
//!
//! ```text
//! a token is chosen with probability p; special tokens never; of a sequence in which none is, the one with the smallest
//! draw. Of the chosen ones, each by a draw of its own,
//!     80 %   become the mask token
//!     10 %   become a token drawn uniformly from all that are not special
//!     10 %   stay
//! and the model is asked for what stood there.
//! ```
//!
//! With whole words, a word is chosen at once, by one draw: a token and those after it that continue it (`##…`). What stands
//! in the place of its tokens is drawn for each by itself.
//!
//! Every draw is a function of (seed, epoch, sequence, position): threads, the cutting of batches and a resumed run cannot
//! change it, and each epoch masks anew.
//!
//! Source: Devlin et al. 2019, arXiv 1810.04805, section 3.1 and appendix A.1; whole words as in their later release.

use crate::model::{Batch, MaskedWords};
use crate::random::{key, unit};
use crate::train::examples::Examples;
use crate::train::step::Micro;

/// What masking has to know of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// The mask token.
    pub mask: u32,
    /// Of each id, whether it is a special token, or no token at all.
    pub is_special: Vec<bool>,
    /// Of each id, whether it continues the token before it.
    pub continues: Vec<bool>,
}

/// A rule of masking.
#[derive(Clone, Debug, PartialEq)]
pub struct Masking {
    vocabulary: Vocabulary,
    /// The tokens that may stand in for another.
    replacements: Vec<u32>,
    probability: f64,
    whole_words: bool,
    seed: u64,
}

/// A masked sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// What the model sees.
    pub ids: Vec<u32>,
    /// The chosen positions, increasing.
    pub positions: Vec<usize>,
    /// What stood there.
    pub words: Vec<u32>,
}

/// Which draw of a position.
#[derive(Clone, Copy)]
enum Draw {
    Chosen,
    Kind,
    Token,
}

impl Masking {
    /// A rule that chooses tokens, or whole words, with `probability`.
    ///
    /// # Panics
    /// If the vocabulary has no token that is not special.
    pub fn new(vocabulary: Vocabulary, probability: f64, whole_words: bool, seed: u64) -> Self {
        let ids = (0..).zip(&vocabulary.is_special);
        let replacements: Vec<u32> = ids.filter(|(_, special)| !**special).map(|(id, _)| id).collect();
        assert!(!replacements.is_empty(), "a vocabulary has words");
        Self {
            vocabulary,
            replacements,
            probability,
            whole_words,
            seed,
        }
    }

    /// Whether a sequence has a token that can be chosen.
    pub fn can_mask(&self, ids: &[u32]) -> bool {
        ids.iter().any(|&id| !self.is_special(id))
    }

    /// Masks sequence number `sequence` of a text in an epoch.
    pub fn apply(&self, ids: &[u32], epoch: u64, sequence: u64) -> Masked {
        let draw =
            |position: usize, draw: Draw| key(&[self.seed, epoch, sequence, position as u64, draw as u64]);
        let words = self.words(ids);
        let chance = |word: &Vec<usize>| unit(draw(word[0], Draw::Chosen));
        let mut chosen: Vec<&Vec<usize>> = words.iter().filter(|w| chance(w) < self.probability).collect();
        if chosen.is_empty() {
            chosen.extend(words.iter().min_by(|a, b| chance(a).total_cmp(&chance(b))));
        }
        let positions: Vec<usize> = chosen.into_iter().flatten().copied().collect();
        let mut masked = Masked {
            ids: ids.to_vec(),
            words: positions.iter().map(|&position| ids[position]).collect(),
            positions,
        };
        for &position in &masked.positions {
            let kind = unit(draw(position, Draw::Kind));
            if kind < 0.8 {
                masked.ids[position] = self.vocabulary.mask;
            } else if kind < 0.9 {
                // The high half of a product is uniform but for one part in 2⁶⁴ / n.
                let (bits, n) = (draw(position, Draw::Token), self.replacements.len());
                let index = (u128::from(bits) * n as u128) >> 64;
                masked.ids[position] = self.replacements[index as usize];
            }
        }
        masked
    }

    /// The positions that are chosen together: each token that is not special, or with whole words each run of them in
    /// which every token but the first continues the one before.
    fn words(&self, ids: &[u32]) -> Vec<Vec<usize>> {
        let mut words: Vec<Vec<usize>> = Vec::new();
        for (position, &id) in ids.iter().enumerate() {
            if self.is_special(id) {
                continue;
            }
            match words.last_mut() {
                Some(word)
                    if self.whole_words
                        && self.vocabulary.continues.get(id as usize) == Some(&true)
                        && word.last() == Some(&(position - 1)) =>
                {
                    word.push(position);
                }
                _ => words.push(vec![position]),
            }
        }
        words
    }

    fn is_special(&self, id: u32) -> bool {
        self.vocabulary.is_special.get(id as usize) != Some(&false)
    }
}

/// A sequence of one or two segments, as a text or a pair of texts in fine-tuning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Token ids, special tokens included.
    pub ids: Vec<u32>,
    /// Where the second segment (token type 1) begins; the number of ids if there is one segment.
    pub second: usize,
}

impl Segments {
    /// One segment.
    pub fn one(ids: Vec<u32>) -> Self {
        let second = ids.len();
        Self { ids, second }
    }

    /// The token type of each id.
    fn token_types(&self) -> Vec<u32> {
        (0..self.ids.len())
            .map(|position| u32::from(position >= self.second))
            .collect()
    }
}

/// Sequences of tokens with the rule that masks them.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedText {
    /// Each has a token that can be chosen.
    pub sequences: Vec<Segments>,
    /// The rule.
    pub masking: Masking,
}

impl MaskedText {
    /// The tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.sequences.iter().map(|segments| segments.ids.len()).sum()
    }
}

impl Examples<MaskedWords> for MaskedText {
    fn count(&self) -> usize {
        self.sequences.len()
    }

    fn pack(&self, chosen: &[usize], first_sequence: usize, epoch: usize) -> Micro<MaskedWords> {
        let masked = chosen
            .iter()
            .map(|&i| self.masking.apply(&self.sequences[i].ids, epoch as u64, i as u64));
        let masked: Vec<Masked> = masked.collect();
        let types: Vec<Vec<u32>> = chosen.iter().map(|&i| self.sequences[i].token_types()).collect();
        let batch = Batch::pack(
            masked
                .iter()
                .zip(&types)
                .map(|(m, types)| (&m.ids[..], &types[..])),
            first_sequence as u64,
        );
        let mut targets = MaskedWords::default();
        for (masked, first) in masked.iter().zip(&batch.offsets) {
            targets.rows.extend(masked.positions.iter().map(|p| first + p));
            targets
                .words
                .extend(masked.words.iter().map(|&word| word as usize));
        }
        Micro { batch, targets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids 0 to 3 are special, 3 is the mask; of the 16 others the odd ones continue.
    fn vocabulary() -> Vocabulary {
        Vocabulary {
            mask: 3,
            is_special: (0..20).map(|id| id < 4).collect(),
            continues: (0..20).map(|id| id >= 4 && id % 2 == 1).collect(),
        }
    }

    const TEXT: [u32; 8] = [1, 4, 5, 7, 6, 8, 9, 2];

    /// 6000 sequences of six words: 15 % of 36 000 is 5400, of which 80 % become the mask, and 10 % a token of which one in
    /// 16 is the one that was there. A standard deviation is √(36000 · 0.15 · 0.85) ≈ 68 for the first, less for the
    /// others; sequences in which none is chosen, 0.85⁶ = 37.7 %, add one each: 2263.
    #[test]
    fn shares() {
        let masking = Masking::new(vocabulary(), 0.15, false, 7);
        let (mut chosen, mut masks, mut same, mut others) = (0, 0, 0, std::collections::BTreeSet::new());
        for sequence in 0..6000 {
            let masked = masking.apply(&TEXT, 0, sequence);
            assert!(masked.positions.iter().all(|p| (1..7).contains(p)));
            chosen += masked.positions.len();
            for (&position, &word) in masked.positions.iter().zip(&masked.words) {
                assert_eq!(word, TEXT[position]);
                match masked.ids[position] {
                    3 => masks += 1,
                    id if id == word => same += 1,
                    id => drop(others.insert(id)),
                }
            }
            for position in (0..8).filter(|p| !masked.positions.contains(p)) {
                assert_eq!(masked.ids[position], TEXT[position]);
            }
        }
        let near = |found: usize, expected: f64, deviation: f64| {
            assert!(
                (found as f64 - expected).abs() < 5.0 * deviation,
                "{found} {expected}"
            );
        };
        near(chosen, 5400.0 + 2263.0, 78.0);
        near(masks, 0.8 * chosen as f64, 36.0);
        near(same, (0.1 + 0.1 / 16.0) * chosen as f64, 27.0);
        assert_eq!(others, (4..20).collect());
    }

    /// 4 5 7 is one word, 6 another, 8 9 the third: each is chosen as a whole.
    #[test]
    fn whole_words() {
        let masking = Masking::new(vocabulary(), 0.3, true, 7);
        let mut seen = std::collections::BTreeSet::new();
        for sequence in 0..500 {
            seen.insert(masking.apply(&TEXT, 2, sequence).positions);
        }
        let all = [
            vec![1, 2, 3],
            vec![4],
            vec![5, 6],
            vec![1, 2, 3, 4],
            vec![1, 2, 3, 5, 6],
            vec![4, 5, 6],
            vec![1, 2, 3, 4, 5, 6],
        ];
        assert_eq!(seen, all.into_iter().collect());
        // A special token ends a word: what follows it begins one.
        let parted = Masking::new(vocabulary(), 0.0, true, 7).words(&[1, 4, 0, 5, 2]);
        assert_eq!(parted, [[1], [3]]);
    }

    /// Another epoch, sequence or seed masks otherwise; the same ones the same, wherever in the batch.
    #[test]
    fn draws_follow_the_sequence() {
        let text: Vec<u32> = (0..200).map(|i| 4 + i % 16).collect();
        let masking = |seed| Masking::new(vocabulary(), 0.15, false, seed);
        let all = [
            masking(1).apply(&text, 0, 0),
            masking(1).apply(&text, 1, 0),
            masking(1).apply(&text, 0, 1),
            masking(2).apply(&text, 0, 0),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a.positions != b.positions));
        }
        let data = MaskedText {
            sequences: vec![
                Segments::one(text.clone()),
                Segments {
                    ids: TEXT.to_vec(),
                    second: 5,
                },
            ],
            masking: masking(1),
        };
        let (both, alone) = (data.pack(&[0, 1], 0, 3), data.pack(&[1], 1, 3));
        let rows = both.targets.rows.iter().filter(|&&row| row >= 200);
        assert!(
            rows.eq(alone
                .targets
                .rows
                .iter()
                .map(|row| row + 200)
                .collect::<Vec<_>>()
                .iter())
        );
        assert_eq!(both.batch.ids[200..], alone.batch.ids);
        assert_eq!(both.batch.token_types[..200], [0; 200]);
        assert_eq!(both.batch.token_types[200..], [0, 0, 0, 0, 0, 1, 1, 1]);
    }
}
