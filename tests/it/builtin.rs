//! The built-in tasks: that labels can be told neither from single words nor from lengths, and that sentences look like
//! sentences.

use cwgnc::builtin::{BUILTINS, Builtin, text};
use cwgnc::data::{Dataset, Example};
use cwgnc::model::Target;
use std::collections::{BTreeMap, BTreeSet};

/// Standard errors beyond which a share or a correlation is no accident: over some thousand words, one of them is beyond 4.5
/// with a probability of about two in a hundred, and the sets are fixed by their seeds.
const BEYOND: f64 = 4.5;

const CLASSES: [Builtin; 3] = [Builtin::Acceptability, Builtin::Entailment, Builtin::Paraphrase];

fn words(text: &str) -> BTreeSet<String> {
    let words = text.to_lowercase();
    let words = words
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// 1 or 0.
fn label(example: &Example) -> f64 {
    match example.target {
        Some(Target::Class(class)) => class as f64,
        _ => panic!("a class"),
    }
}

fn all(task: Builtin, seed: u64) -> Vec<Example> {
    let sets = task.generate(seed);
    [sets.train.examples, sets.dev.examples].concat()
}

/// The words of each kind of an example: of a pair, on each side, on one side alone, on both.
fn features(example: &Example) -> Vec<String> {
    let first = words(&example.text_a);
    let mark = |kind: &str, words: Vec<&String>| {
        words
            .iter()
            .map(|word| format!("{kind} {word}"))
            .collect::<Vec<_>>()
    };
    let Some(second) = &example.text_b else {
        return mark("in", first.iter().collect());
    };
    let second = words(second);
    [
        mark("first", first.iter().collect()),
        mark("second", second.iter().collect()),
        mark("first alone", first.difference(&second).collect()),
        mark("second alone", second.difference(&first).collect()),
        mark("both", first.intersection(&second).collect()),
    ]
    .concat()
}

/// Among the examples that have a word, the labels are as among all.
#[test]
fn no_word_tells_the_label() {
    for task in CLASSES {
        for seed in 0..3 {
            let examples = all(task, seed);
            let share = examples.iter().map(label).sum::<f64>() / examples.len() as f64;
            let mut found: BTreeMap<String, (f64, f64)> = BTreeMap::new();
            for example in &examples {
                for feature in features(example) {
                    let (count, positive) = found.entry(feature).or_default();
                    *count += 1.0;
                    *positive += label(example);
                }
            }
            for (feature, (count, positive)) in found.iter().filter(|(_, (count, _))| *count >= 30.0) {
                let error = (share * (1.0 - share) / count).sqrt();
                let off = (positive / count - share) / error;
                assert!(
                    off.abs() < BEYOND,
                    "{task:?} {seed}: `{feature}` {positive} of {count}, {off:.1} errors"
                );
            }
        }
    }
}

/// Numbers that know no word: lengths, their difference, and the share of words in common.
fn measures(example: &Example) -> Vec<f64> {
    let length = |text: &str| text.split(' ').count() as f64;
    let first = length(&example.text_a);
    let Some(second) = &example.text_b else {
        return vec![first];
    };
    let (a, b) = (words(&example.text_a), words(second));
    let common = a.intersection(&b).count() as f64 / a.union(&b).count() as f64;
    let second = length(second);
    vec![first, second, first - second, (first - second).abs(), common]
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (mx, my) = pairs
        .iter()
        .fold((0.0, 0.0), |(x, y), pair| (x + pair.0 / n, y + pair.1 / n));
    let product = |f: fn(f64, f64) -> f64| pairs.iter().map(|pair| f(pair.0 - mx, pair.1 - my)).sum::<f64>();
    product(|x, y| x * y) / (product(|x, _| x * x) * product(|_, y| y * y)).sqrt()
}

#[test]
fn no_length_and_no_overlap_tells_the_label() {
    for task in CLASSES {
        for seed in 0..3 {
            let examples = all(task, seed);
            for measure in 0..measures(&examples[0]).len() {
                let pairs: Vec<(f64, f64)> = examples
                    .iter()
                    .map(|e| (measures(e)[measure], label(e)))
                    .collect();
                let r = correlation(&pairs) * (pairs.len() as f64).sqrt();
                assert!(
                    r.abs() < BEYOND,
                    "{task:?} {seed}: measure {measure} is {r:.1} errors off"
                );
            }
        }
    }
}

/// The share of positives of the development sets, whose labels are all right: 700 of 1000, 150 of 300, 275 of 408.
#[test]
fn sizes_and_shares() {
    for (task, positive) in [
        (Builtin::Acceptability, 700),
        (Builtin::Entailment, 150),
        (Builtin::Paraphrase, 275),
    ] {
        let sets = task.generate(5);
        assert_eq!((sets.train.examples.len(), sets.dev.examples.len()), task.sizes());
        assert_eq!(
            sets.dev.examples.iter().map(label).sum::<f64>() as usize,
            positive,
            "{task:?}"
        );
    }
    assert_eq!(Builtin::Similarity.generate(5).dev.examples.len(), 1500);
}

#[test]
fn a_seed_is_a_data_set() {
    for task in BUILTINS {
        assert_eq!(task.generate(3), task.generate(3));
        assert_ne!(task.generate(3).dev, task.generate(4).dev);
    }
}

fn sentences(set: &Dataset) -> impl Iterator<Item = &String> {
    set.examples
        .iter()
        .flat_map(|example| std::iter::once(&example.text_a).chain(&example.text_b))
}

/// A capital, a full stop at the end, single blanks, `an` where a vowel is heard. (No word of the lexicon is an exception to the
/// letters but `honest`.)
#[track_caller]
fn looks_like_a_sentence(sentence: &str) {
    let good = sentence.starts_with(|c: char| c.is_ascii_uppercase())
        && sentence.ends_with('.')
        && !sentence.contains("  ")
        && sentence
            .chars()
            .all(|c| c.is_ascii_alphabetic() || " .,".contains(c));
    assert!(good, "{sentence}");
    let words: Vec<&str> = sentence.split(' ').collect();
    for pair in words.windows(2) {
        let vowel =
            pair[1].to_lowercase().starts_with(['a', 'e', 'i', 'o', 'u']) || pair[1].starts_with("honest");
        let article = pair[0].to_lowercase();
        assert!(
            !(article == "a" && vowel || article == "an" && !vowel),
            "{sentence}"
        );
    }
}

#[test]
fn sentences_look_like_sentences() {
    for task in BUILTINS {
        let sets = task.generate(1);
        sentences(&sets.train)
            .chain(sentences(&sets.dev))
            .for_each(|sentence| looks_like_a_sentence(sentence));
    }
    for line in text(1, 5000).lines().filter(|line| !line.is_empty()) {
        // A word and a colon before a sentence say how it agrees with the one before.
        let (word, sentence) = line.split_once(": ").unwrap_or(("Sentence", line));
        let judgements = "Surely Perhaps Again Instead Hardly Slightly Partly Mostly Wholly Sentence";
        assert!(judgements.split(' ').any(|known| known == word), "{line}");
        looks_like_a_sentence(sentence);
    }
}

/// The text shows every word that the sets use, and no sentence that a run on the sets of seed 0 is evaluated on.
#[test]
fn the_text_teaches_every_word_and_gives_nothing_away() {
    let text = text(2, 120_000);
    // A judged sentence comes after a word and a colon.
    let bare = |line| str::split_once(line, ": ").map_or(line, |(_, said)| said);
    let said: BTreeSet<&str> = text.lines().map(bare).collect();
    let known = words(&text);
    for task in BUILTINS {
        for sentence in sentences(&task.generate(0).dev) {
            assert!(!said.contains(sentence.as_str()), "{sentence}");
            let unknown: Vec<String> = words(sentence).difference(&known).cloned().collect();
            assert!(unknown.is_empty(), "{unknown:?} of {sentence}");
        }
    }
}

/// The judged pairs of the text by the word between them.
fn judged(text: &str) -> BTreeMap<&str, Vec<(&str, &str)>> {
    let mut by_word: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.windows(2) {
        if let Some((word, second)) = pair[1].split_once(": ") {
            by_word.entry(word).or_default().push((pair[0], second));
        }
    }
    by_word
}

/// The words between agree with the tasks: entailment's development sets have no noise, and some of their pairs are in the text;
/// scores are as often in each fifth as in similarity's.
#[test]
fn judged_pairs_are_judged_as_in_the_tasks() {
    let text = text(5, 400_000);
    let pairs = judged(&text);
    let [follows, open] =
        ["Surely", "Perhaps"].map(|word| pairs[word].iter().copied().collect::<BTreeSet<_>>());
    let mut met = 0;
    for seed in 0..30 {
        for example in Builtin::Entailment.generate(seed).dev.examples {
            let pair = (
                example.text_a.as_str(),
                example.text_b.as_deref().expect("a pair"),
            );
            // RTE's classes: 0 is entailment.
            let (right, wrong) = if label(&example) == 0.0 {
                (&follows, &open)
            } else {
                (&open, &follows)
            };
            assert!(!wrong.contains(&pair), "{pair:?}");
            met += usize::from(right.contains(&pair));
        }
    }
    assert!(met > 5, "only {met} pairs in common");

    let scores = Builtin::Similarity.generate(0).dev.examples;
    let fifth = |example: &Example| match example.target {
        Some(Target::Value(score)) => (score as i32).min(4),
        _ => panic!("a score"),
    };
    let degrees = ["Hardly", "Slightly", "Partly", "Mostly", "Wholly"];
    let all: usize = degrees.iter().map(|word| pairs[word].len()).sum();
    for (n, word) in (0..).zip(degrees) {
        let within = scores.iter().filter(|example| fifth(example) == n).count();
        let (task, text) = (
            within as f64 / scores.len() as f64,
            pairs[word].len() as f64 / all as f64,
        );
        // Of 1500 scores a share has a standard error of 0.012.
        assert!((task - text).abs() < 0.04, "{word}: {text}, not {task}");
    }
}
