//! Trains a `WordPiece` vocabulary: which pieces words are cut into.
//!
//! ```text
//! pieces ← special tokens, every character c, every character ##c that continues a word
//! words  ← each as its first character and ##c for each further one
//! repeat until there are enough pieces, or no pair is frequent enough:
//!     (a, b) ← the adjacent pair of pieces with the largest count over all words
//!     pieces gain ab (without b's ##), and in every word a b becomes ab, from left to right
//! ```
//!
//! A word counts as often as the text has it. Of pairs with the same count the one with the smallest ids is merged, by `a`
//! and then by `b`, and characters have their ids in the order of their code points: so the vocabulary is a function of
//! the word counts and the settings alone. It is the rule of the published trainer (tokenizers' `WordPieceTrainer`), which
//! however numbers the continuing characters in the order of a hash map, so that its ties fall differently from run to run.
//!
//! Words are those that encoding will see: the same normalizer and the same split, of the tokenizers library.
//!
//! Sources: Schuster and Nakajima 2012, *Japanese and Korean voice search* (`WordPiece`); Sennrich, Haddow and Birch 2016,
//! arXiv 1508.07909, algorithm 1 (merges by frequency, which the published trainer uses in its place).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::fmt;

use rayon::prelude::*;
use serde_json::json;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
};

use super::encode::refused;
use super::error::DataError;

/// The special tokens, which come first.
pub const SPECIAL_TOKENS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// A longer word is `[UNK]` to the encoder, and no word to the trainer.
const MOST_CHARACTERS: usize = 100;

/// What a vocabulary is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordPieceSettings {
    /// Pieces at most, special tokens included.
    pub vocab_size: usize,
    /// A pair is merged if the text has it this often, at least 1.
    pub min_frequency: u64,
    /// Characters at most: the most frequent, of equals the lower code points. A word with another one is `[UNK]` and is
    /// left out of the training.
    pub limit_alphabet: usize,
}

/// A vocabulary that cannot be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VocabularyFault {
    /// The text has no word that can be learnt.
    NoWords,
    /// Not as many pieces as special tokens and characters.
    TooSmall {
        /// Pieces asked for.
        vocab_size: usize,
        /// Pieces before the first merge.
        needed: usize,
        /// Characters of the text.
        characters: usize,
    },
}

impl fmt::Display for VocabularyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWords => write!(f, "the text has no words to make a vocabulary of"),
            Self::TooSmall {
                vocab_size,
                needed,
                characters,
            } => write!(
                f,
                "--vocab-size {vocab_size} is less than {needed}, which the special tokens and {characters} characters \
                 take, each at the beginning and inside of words; give more, or fewer with --limit-alphabet"
            ),
        }
    }
}

/// How often a text has each word, after the normalizer of BERT (lower case and accents stripped, if asked for) and its
/// split at blanks and punctuation.
///
/// # Errors
/// [`DataError::Encode`] if the tokenizers library refuses a line.
pub fn count_words(lines: &[&str], lower_case: bool) -> Result<BTreeMap<String, u64>, DataError> {
    let normalizer = BertNormalizer::new(true, true, None, lower_case);
    let counted: Vec<Result<BTreeMap<String, u64>, DataError>> = lines
        .par_chunks(1 << 12)
        .map(|lines| {
            let mut words = BTreeMap::new();
            for line in lines {
                let mut text = NormalizedString::from(*line);
                normalizer.normalize(&mut text).map_err(refused)?;
                let mut split = PreTokenizedString::from(text);
                BertPreTokenizer.pre_tokenize(&mut split).map_err(refused)?;
                for (word, _, _) in split.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
                    *words.entry(word.to_owned()).or_insert(0) += 1;
                }
            }
            Ok(words)
        })
        .collect();
    let mut all = BTreeMap::new();
    for words in counted {
        for (word, count) in words? {
            *all.entry(word).or_insert(0) += count;
        }
    }
    Ok(all)
}

/// The pieces of a vocabulary in the order of their ids: special tokens, characters, continuing characters, merges.
///
/// # Errors
/// [`DataError::Vocabulary`] if there are no words, or if `vocab_size` has no room for special tokens and characters.
pub fn train_wordpiece(
    words: &BTreeMap<String, u64>,
    settings: &WordPieceSettings,
) -> Result<Vec<String>, DataError> {
    let alphabet = alphabet(words, settings.limit_alphabet);
    let known: Vec<(&str, u64)> = words
        .iter()
        .filter(|(word, _)| word.chars().count() <= MOST_CHARACTERS)
        .filter(|(word, _)| word.chars().all(|c| alphabet.contains(&c)))
        .map(|(word, &count)| (word.as_str(), count))
        .collect();
    if known.is_empty() {
        return Err(DataError::Vocabulary(VocabularyFault::NoWords));
    }
    let continuing: BTreeSet<char> = known.iter().flat_map(|(word, _)| word.chars().skip(1)).collect();
    let mut trainer = Trainer::default();
    for special in SPECIAL_TOKENS {
        trainer.piece(special);
    }
    for c in &alphabet {
        trainer.piece(&c.to_string());
    }
    for c in &continuing {
        trainer.piece(&format!("##{c}"));
    }
    let needed = trainer.pieces.len();
    if needed > settings.vocab_size {
        return Err(DataError::Vocabulary(VocabularyFault::TooSmall {
            vocab_size: settings.vocab_size,
            needed,
            characters: alphabet.len(),
        }));
    }
    for (word, count) in known {
        trainer.add_word(word, count);
    }
    trainer.merge_until(settings.vocab_size, settings.min_frequency.max(1));
    Ok(trainer.pieces)
}

/// `vocab.txt` and `tokenizer_config.json` of a vocabulary, as a model folder has them.
pub fn wordpiece_files(pieces: &[String], lower_case: bool) -> Vec<(String, Vec<u8>)> {
    let mut vocabulary = pieces.join("\n");
    vocabulary.push('\n');
    let config = json!({
        "cls_token": "[CLS]",
        "do_lower_case": lower_case,
        "mask_token": "[MASK]",
        "pad_token": "[PAD]",
        "sep_token": "[SEP]",
        "strip_accents": null,
        "tokenize_chinese_chars": true,
        "tokenizer_class": "BertTokenizer",
        "unk_token": "[UNK]",
    });
    vec![
        ("vocab.txt".to_owned(), vocabulary.into_bytes()),
        (
            "tokenizer_config.json".to_owned(),
            format!("{config:#}\n").into_bytes(),
        ),
    ]
}

/// The `limit` most frequent characters.
fn alphabet(words: &BTreeMap<String, u64>, limit: usize) -> BTreeSet<char> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for (word, count) in words {
        for c in word.chars() {
            *counts.entry(c).or_insert(0) += count;
        }
    }
    let mut by_count: Vec<(char, u64)> = counts.into_iter().collect();
    by_count.sort_by_key(|&(c, count)| (Reverse(count), c));
    by_count.into_iter().take(limit).map(|(c, _)| c).collect()
}

/// Two adjacent pieces by their ids.
type Pair = (u32, u32);

/// A pair that may be merged, with the count it had when it was put in the queue.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    count: u64,
    /// Of equal counts the smallest pair is the greatest candidate.
    pair: Reverse<Pair>,
}

/// How often the words have a pair, and which words have had it.
#[derive(Default)]
struct Occurrences {
    count: u64,
    words: Vec<usize>,
}

/// The state of a training.
#[derive(Default)]
struct Trainer {
    pieces: Vec<String>,
    ids: HashMap<String, u32>,
    words: Vec<(Vec<u32>, u64)>,
    pairs: HashMap<Pair, Occurrences>,
    queue: BinaryHeap<Candidate>,
}

impl Trainer {
    /// The id of a piece, new if need be.
    fn piece(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = self.pieces.len() as u32;
        self.pieces.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }

    fn add_word(&mut self, word: &str, count: u64) {
        let pieces = word.chars().enumerate().map(|(i, c)| {
            let prefix = if i == 0 { "" } else { "##" };
            self.ids[format!("{prefix}{c}").as_str()]
        });
        let pieces = pieces.collect();
        self.words.push((pieces, count));
        let index = self.words.len() - 1;
        self.count_pairs(index, &mut BTreeSet::new());
    }

    fn merge_until(&mut self, vocab_size: usize, min_frequency: u64) {
        let all: BTreeSet<Pair> = self.pairs.keys().copied().collect();
        self.enqueue(&all);
        while self.pieces.len() < vocab_size {
            let Some(Candidate { count, pair }) = self.queue.pop() else {
                break;
            };
            let Reverse(pair) = pair;
            // An entry whose count has changed since has another one in the queue.
            if self.pairs[&pair].count != count {
                continue;
            }
            if count < min_frequency {
                break;
            }
            let [a, b] = [pair.0, pair.1].map(|id| self.pieces[id as usize].as_str());
            let merged = format!("{a}{}", b.strip_prefix("##").unwrap_or(b));
            let merged = self.piece(&merged);
            self.merge(pair, merged);
        }
    }

    /// Replaces the pair in every word, and puts the pairs whose counts that changes in the queue.
    fn merge(&mut self, pair: Pair, merged: u32) {
        let mut changed = BTreeSet::new();
        let mut words = std::mem::take(&mut self.pairs.entry(pair).or_default().words);
        words.sort_unstable();
        words.dedup();
        for index in words {
            self.discount_pairs(index, &mut changed);
            let pieces = &mut self.words[index].0;
            let mut at = 0;
            while at + 1 < pieces.len() {
                if (pieces[at], pieces[at + 1]) == pair {
                    pieces[at] = merged;
                    pieces.remove(at + 1);
                }
                at += 1;
            }
            self.count_pairs(index, &mut changed);
        }
        self.enqueue(&changed);
    }

    fn count_pairs(&mut self, index: usize, changed: &mut BTreeSet<Pair>) {
        let (pieces, count) = &self.words[index];
        for pair in pieces.windows(2) {
            let pair = (pair[0], pair[1]);
            let occurrences = self.pairs.entry(pair).or_default();
            occurrences.count += count;
            if occurrences.words.last() != Some(&index) {
                occurrences.words.push(index);
            }
            changed.insert(pair);
        }
    }

    fn discount_pairs(&mut self, index: usize, changed: &mut BTreeSet<Pair>) {
        let (pieces, count) = &self.words[index];
        for pair in pieces.windows(2) {
            let pair = (pair[0], pair[1]);
            self.pairs.entry(pair).or_default().count -= count;
            changed.insert(pair);
        }
    }

    fn enqueue(&mut self, pairs: &BTreeSet<Pair>) {
        for &pair in pairs {
            let count = self.pairs[&pair].count;
            if count > 0 {
                let pair = Reverse(pair);
                self.queue.push(Candidate { count, pair });
            }
        }
    }
}
