//! Training a `WordPiece` vocabulary: an example by hand, a slow twin, the tokenizers library's own trainer where that has
//! no choice, and what encoding makes of the result.

use crate::scratch::{self, fixture};
use cwgnc::data::{
    DataError, SPECIAL_TOKENS, TextEncoder, VocabularyFault, WordPieceSettings, count_words, read_paragraphs,
    train_wordpiece, wordpiece_files,
};
use cwgnc::model::{Activation, Family, Problem};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn settings(vocab_size: usize, min_frequency: u64) -> WordPieceSettings {
    WordPieceSettings {
        vocab_size,
        min_frequency,
        limit_alphabet: 1000,
    }
}

fn words(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts
        .iter()
        .map(|&(word, count)| (word.to_owned(), count))
        .collect()
}

/// The pairs of hug 10, pug 5, pun 12, bun 4, hugs 5: `##u ##g` 20, p `##u` 17, `##u ##n` 16, h `##u` 15, …
/// After `##ug` (20): `##u ##n` 16, h `##ug` 15, p `##u` 12. After `##un` (16): hug (15). Then p `##un` 12: pun. Then 5 each
/// for p `##ug` and hug `##s`: p has a smaller id than hug, so pug, then hugs. Last b `##un`, 4.
const BY_HAND: [(&str, u64); 5] = [("hug", 10), ("pug", 5), ("pun", 12), ("bun", 4), ("hugs", 5)];

#[test]
fn worked_example() {
    let alphabet = ["b", "g", "h", "n", "p", "s", "u", "##g", "##n", "##s", "##u"];
    let merged = ["##ug", "##un", "hug", "pun", "pug", "hugs", "bun"];
    let all = [&SPECIAL_TOKENS[..], &alphabet, &merged].concat();
    let train = |settings| train_wordpiece(&words(&BY_HAND), &settings).expect("a vocabulary");
    assert_eq!(train(settings(1000, 1)), all);
    assert_eq!(train(settings(19, 1)), all[..19]);
    assert_eq!(train(settings(1000, 5)), all[..22], "a pair of 4 is not merged");
    assert_eq!(train(settings(1000, 6)), all[..20]);
}

/// Runs of one letter: of aaaa both ends of the overlap count, a `##a` 1 and `##a ##a` 2; merged from left to right.
#[test]
fn runs_of_a_letter() {
    let pieces = train_wordpiece(&words(&[("aaaa", 1)]), &settings(100, 1)).expect("a vocabulary");
    // a ##a ##a ##a → a ##aa ##a; then a ##aa comes before ##aa ##a, for a is the older piece.
    assert_eq!(pieces[5..], ["a", "##a", "##aa", "aaa", "aaaa"]);
}

/// By the definition: count all pairs of all words anew before each merge.
fn twin(words: &BTreeMap<String, u64>, vocab_size: usize, min_frequency: u64) -> Vec<String> {
    let cut = |word: &String| -> Vec<String> {
        let pieces = word.chars().enumerate();
        pieces
            .map(|(i, c)| if i == 0 { c.to_string() } else { format!("##{c}") })
            .collect()
    };
    let mut cuts: Vec<(Vec<String>, u64)> = words.iter().map(|(word, &n)| (cut(word), n)).collect();
    let alphabet: BTreeSet<String> = words.keys().flat_map(|w| w.chars().map(String::from)).collect();
    let inside: BTreeSet<String> = cuts.iter().flat_map(|(cut, _)| cut[1..].to_vec()).collect();
    let special = SPECIAL_TOKENS.map(str::to_owned).into_iter();
    let mut pieces: Vec<String> = special.chain(alphabet).chain(inside).collect();
    while pieces.len() < vocab_size {
        let id = |piece: &String| pieces.iter().position(|known| known == piece).expect("known");
        let mut pairs: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (cut, n) in &cuts {
            for pair in cut.windows(2) {
                *pairs.entry((id(&pair[0]), id(&pair[1]))).or_insert(0) += n;
            }
        }
        let most = pairs.values().copied().max().unwrap_or(0);
        if most < min_frequency.max(1) {
            break;
        }
        let (a, b) = pairs
            .into_iter()
            .find(|(_, n)| *n == most)
            .expect("the largest")
            .0;
        let (a, b) = (pieces[a].clone(), pieces[b].clone());
        let merged = format!("{a}{}", b.trim_start_matches("##"));
        for (cut, _) in &mut cuts {
            let mut new: Vec<String> = Vec::new();
            for piece in cut.drain(..) {
                match new.last_mut() {
                    Some(last) if *last == a && piece == b => last.clone_from(&merged),
                    _ => new.push(piece),
                }
            }
            *cut = new;
        }
        if !pieces.contains(&merged) {
            pieces.push(merged);
        }
    }
    pieces
}

proptest! {
    #[test]
    fn a_slow_twin_agrees(
        words in proptest::collection::btree_map("[abcd]{1,7}", 1_u64..9, 1..25),
        vocab_size in 20_usize..60,
        min_frequency in 1_u64..6,
    ) {
        let found = train_wordpiece(&words, &settings(vocab_size, min_frequency)).expect("a vocabulary");
        prop_assert_eq!(found, twin(&words, vocab_size, min_frequency));
    }
}

/// Random words on which the library's trainer, whose ties depend on the order of a hash map, came to one result.
#[test]
fn the_tokenizers_library_agrees() {
    let file = std::fs::read(fixture("wordpiece.json")).expect("the fixture");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    let cases = file["cases"].as_array().expect("a list");
    assert_eq!(cases.len(), 6);
    for case in cases {
        let words = case["words"].as_object().expect("words").iter();
        let words = words
            .map(|(word, n)| (word.clone(), n.as_u64().expect("a count")))
            .collect();
        let number = |key: &str| case[key].as_u64().expect("a number");
        let limits = settings(number("vocab_size") as usize, number("min_frequency"));
        let pieces = train_wordpiece(&words, &limits).expect("a vocabulary");
        let list = |key: &str| -> Vec<String> {
            let list = case[key].as_array().expect("a list").iter();
            list.map(|x| x.as_str().expect("text").to_owned()).collect()
        };
        let (alphabet, merged) = pieces.split_at(list("alphabet").len());
        let mut alphabet = alphabet.to_vec();
        alphabet.sort();
        assert_eq!(alphabet, list("alphabet"));
        assert_eq!(merged, list("merged"));
    }
}

fn encoder(name: &str, pieces: &[String], lower_case: bool) -> TextEncoder {
    let mut config = crate::gradcheck::small_config(Family::Bert, Problem::Classification, Activation::Gelu);
    config.vocab_size = pieces.len();
    config.max_position_embeddings = 512;
    let dir = scratch::folder(name);
    let files = wordpiece_files(pieces, lower_case);
    for (name, bytes) in &files {
        std::fs::write(dir.join(name), bytes).expect("a scratch file can be written");
    }
    let from_folder = TextEncoder::from_folder(&dir, &config).expect("a tokenizer");
    let from_memory = TextEncoder::from_memory(&dir, files, &config).expect("a tokenizer");
    assert_eq!(from_folder.vocabulary(), from_memory.vocabulary());
    from_folder
}

/// What training counted is what encoding sees: with every character known no word of the text is unknown, whatever the
/// case, the accents and the punctuation; the pieces of a word spell it.
#[test]
fn every_word_of_the_text_is_known() {
    let text = [
        "Le CŒUR naïve, Ångström's café: 3.14 — don't!",
        "中文 the文cat ﬁne Straße\u{a0}ĳs",
        "tab\tand\u{3000}wide blanks, \u{0}control\u{200b}",
    ];
    for lower_case in [true, false] {
        let words = count_words(&text, lower_case).expect("words");
        assert_eq!(words.contains_key("cafe"), lower_case);
        assert_eq!(words.contains_key("CŒUR"), !lower_case);
        assert_eq!(words[","], 2);
        let pieces = train_wordpiece(&words, &settings(120, 1)).expect("a vocabulary");
        let encoder = encoder(&format!("wordpiece-known-{lower_case}"), &pieces, lower_case);
        assert_eq!(encoder.vocabulary(), pieces);
        assert_eq!(encoder.mask_id(), Some(4));
        assert_eq!(encoder.special_ids(), [0, 1, 2, 3, 4]);
        assert_eq!(encoder.frame().expect("a frame"), (vec![2], vec![3]));
        for word in words.keys() {
            let ids = encoder.tokens(word).expect("tokens");
            assert!(!ids.contains(&1), "{word}");
            let spelt: String = ids
                .iter()
                .map(|&id| pieces[id as usize].trim_start_matches("##"))
                .collect();
            assert_eq!(spelt, *word);
        }
        for line in text {
            assert!(!encoder.tokens(line).expect("tokens").contains(&1), "{line}");
        }
    }
}

/// A character left out makes its words unknown, and teaches nothing; of equally frequent ones the lower code point stays.
#[test]
fn a_limited_alphabet() {
    let counts = words(&[("abab", 3), ("cab", 2), ("zab", 2), ("abz", 9)]);
    let limits = WordPieceSettings {
        limit_alphabet: 2,
        ..settings(100, 1)
    };
    let pieces = train_wordpiece(&counts, &limits).expect("a vocabulary");
    // a and b 19 each, z 11, c 2: a and b stay, and abab alone is learnt from. Its three pairs count 3 each, and a ##b
    // comes first, a being the oldest piece; then ##a ##b before ab ##a.
    assert_eq!(
        pieces[5..],
        ["a", "b", "##a", "##b", "ab", "##ab", "abab"],
        "{pieces:?}"
    );
    let encoder = encoder("wordpiece-alphabet", &pieces, true);
    assert_eq!(encoder.tokens("abz abab").expect("tokens"), [1, 11]);
}

#[test]
fn refusals() {
    let refused = |words: &BTreeMap<String, u64>, limits| match train_wordpiece(words, &limits) {
        Err(DataError::Vocabulary(fault)) => fault,
        other => panic!("{other:?}"),
    };
    // 5 special tokens, 7 characters, 4 of them inside of words.
    assert_eq!(
        refused(&words(&BY_HAND), settings(15, 1)),
        VocabularyFault::TooSmall {
            vocab_size: 15,
            needed: 16,
            characters: 7
        }
    );
    assert!(train_wordpiece(&words(&BY_HAND), &settings(16, 1)).is_ok());
    assert_eq!(
        refused(&BTreeMap::new(), settings(100, 1)),
        VocabularyFault::NoWords
    );
    let long = "a".repeat(101);
    assert_eq!(
        refused(&words(&[(&long, 9)]), settings(100, 1)),
        VocabularyFault::NoWords
    );
}

#[test]
fn paragraphs_of_a_file() {
    let read = |text: &str| read_paragraphs(&scratch::file("wordpiece-text", "a.txt", text));
    assert_eq!(
        read("\u{feff}\n \none\r\ntwo \n\n\t\n\nthree").expect("text"),
        [vec!["one", "two "], vec!["three"]]
    );
    let text = |refused: Result<_, DataError>| refused.expect_err("no text").to_string();
    assert!(text(read(" \n\n\t")).ends_with("a.txt: the file has nothing but blank lines"));
    assert!(text(read("")).ends_with("a.txt: the file is empty"));
}
