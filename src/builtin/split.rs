//! From single items to a training and a development set that share nothing.

use super::speaker::{Pool, Speaker};
use super::{Builtin, Splits, acceptability, entailment, paraphrase, similarity};
use crate::data::{Dataset, Example};
use crate::model::Target;
use std::collections::BTreeSet;

/// Attempts at one item before the words are said to be too few. The sets need fewer than three.
const ATTEMPTS: usize = 1000;

/// One example with what it was made from.
struct Item {
    example: Example,
    /// The phenomenon and its content words, in order.
    key: String,
}

/// What is taken already.
#[derive(Default)]
struct Taken {
    sentences: BTreeSet<String>,
    keys: BTreeSet<String>,
}

impl Taken {
    fn has(&self, item: &Item) -> bool {
        let sentences = [Some(&item.example.text_a), item.example.text_b.as_ref()];
        self.keys.contains(&item.key)
            || sentences
                .into_iter()
                .flatten()
                .any(|s| self.sentences.contains(s))
    }

    fn add(&mut self, item: &Item) {
        self.keys.insert(item.key.clone());
        self.sentences.insert(item.example.text_a.clone());
        self.sentences.extend(item.example.text_b.clone());
    }
}

/// Both sets of a task; the same seed gives the same bytes on every machine.
pub(super) fn generate(task: Builtin, seed: u64) -> Splits {
    let [train, dev] = items(task, seed);
    let dataset = |items: Vec<Item>| Dataset {
        examples: items.into_iter().map(|item| item.example).collect(),
        labels: task.stands_for().label_space(),
        skipped_lines: 0,
    };
    let mut train = dataset(train);
    add_noise(task, seed, &mut train);
    Splits {
        train,
        dev: dataset(dev),
    }
}

/// What both sets are made of, with the right labels.
fn items(task: Builtin, seed: u64) -> [Vec<Item>; 2] {
    let mut taken = Taken::default();
    [Pool::Train, Pool::Dev].map(|pool| set(task, seed, pool, &mut taken))
}

/// One set, no sentence of which is taken.
fn set(task: Builtin, seed: u64, pool: Pool, taken: &mut Taken) -> Vec<Item> {
    let (size, purpose) = match pool {
        Pool::Dev => (task.sizes().1, "dev"),
        _ => (task.sizes().0, "train"),
    };
    let mut speaker = Speaker::new(seed, &format!("{} {purpose}", task.name()), pool);
    let positives = (task.positive_share() * size as f64).round() as usize;
    let mut items = Vec::with_capacity(size);
    for number in 0..size {
        // Class by class; the phenomena take turns within a class.
        let positive = number < positives;
        let turn = if positive { number } else { number - positives };
        let item = (0..ATTEMPTS)
            .map(|_| item(task, &mut speaker, turn, positive))
            .find(|item| !taken.has(item))
            .expect("the grammar has far more sentences than a set");
        taken.add(&item);
        items.push(item);
    }
    speaker.shuffle(&mut items);
    items
}

/// One example of the phenomenon whose turn it is.
fn item(task: Builtin, speaker: &mut Speaker, turn: usize, positive: bool) -> Item {
    speaker.begin();
    let class = |positive: bool| Target::Class(usize::from(positive));
    let (name, text_a, text_b, target) = match task {
        Builtin::Acceptability => {
            let (name, make) = acceptability::PHENOMENA[turn % acceptability::PHENOMENA.len()];
            (name, make(speaker, positive), None, class(positive))
        }
        Builtin::Entailment => {
            let (name, make) = entailment::PHENOMENA[turn % entailment::PHENOMENA.len()];
            let (premise, hypothesis) = make(speaker, positive);
            // Class 0 is `entailment`, as in RTE.
            (name, premise, Some(hypothesis), class(!positive))
        }
        Builtin::Paraphrase => {
            let (name, make) = paraphrase::FAMILIES[turn % paraphrase::FAMILIES.len()];
            let (first, second) = make(speaker, positive);
            (name, first, Some(second), class(positive))
        }
        Builtin::Similarity => {
            let (first, second, score) = similarity::pair(speaker);
            ("similarity", first, Some(second), Target::Value(score))
        }
    };
    Item {
        example: Example {
            words: Vec::new(),
            text_a,
            text_b,
            target: Some(target),
        },
        key: format!("{name} {}", speaker.fillers()),
    }
}

/// Wrong labels in a fixed share of the training set, or noise on its scores.
fn add_noise(task: Builtin, seed: u64, train: &mut Dataset) {
    let mut speaker = Speaker::new(seed, &format!("{} noise", task.name()), Pool::All);
    let wrong = (task.label_noise() * train.examples.len() as f64).round() as usize;
    let mut order: Vec<usize> = (0..train.examples.len()).collect();
    speaker.shuffle(&mut order);
    for (rank, number) in order.into_iter().enumerate() {
        match &mut train.examples[number].target {
            Some(Target::Class(class)) if rank < wrong => *class = 1 - *class,
            Some(Target::Value(score)) => {
                // Twelve uniform numbers have variance 1: nearly normal, and the same bits everywhere.
                let noise: f64 = (0..12).map(|_| speaker.unit()).sum::<f64>() - 6.0;
                let noisy = (*score + similarity::NOISE * noise).clamp(0.0, 5.0);
                *score = (noisy * 10.0).round() / 10.0;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BUILTINS;
    use super::super::lexicon::lexicon;
    use super::*;
    use crate::data::LabelSpace;

    fn sentences(items: &[Item]) -> BTreeSet<&str> {
        let examples = items.iter().map(|item| &item.example);
        let both = examples.map(|example| [Some(example.text_a.as_str()), example.text_b.as_deref()]);
        both.flatten().flatten().collect()
    }

    #[test]
    fn the_sets_share_no_sentence_and_no_template_with_its_words() {
        for task in BUILTINS {
            for seed in 0..4 {
                let [train, dev] = items(task, seed);
                let shared = sentences(&train).intersection(&sentences(&dev)).count();
                assert_eq!(shared, 0, "{task:?} {seed}");
                let keys =
                    |items: &[Item]| items.iter().map(|item| item.key.clone()).collect::<BTreeSet<_>>();
                let (train_keys, dev_keys) = (keys(&train), keys(&dev));
                assert!(train_keys.is_disjoint(&dev_keys), "{task:?} {seed}");
                // Nothing is there twice either, and a key names its words.
                assert_eq!((train_keys.len(), dev_keys.len()), task.sizes());
                assert!(
                    dev_keys
                        .iter()
                        .all(|key| key.contains(' ') && !key.ends_with(' '))
                );
            }
        }
    }

    /// All forms of all content words, lower-cased.
    fn content_words() -> BTreeSet<String> {
        let lexicon = lexicon();
        let nouns = lexicon.nouns.iter().flat_map(|noun| [&noun.one, &noun.many]);
        let verbs = lexicon.verbs.iter();
        let verbs = verbs.flat_map(|v| [&v.base, &v.third, &v.past, &v.participle, &v.ing]);
        let adjectives = lexicon
            .adjectives
            .iter()
            .flat_map(|a| [Some(&a.word), a.more.as_ref()])
            .flatten();
        let others = lexicon.adverbs.iter().map(|adverb| &adverb.word);
        let names = lexicon.names.iter().map(|name| &name.0);
        let all = nouns.chain(verbs).chain(adjectives).chain(others).chain(names);
        all.map(|word| word.to_lowercase()).collect()
    }

    /// Of the content words of a development set, the share that no training sentence has: docs/tasks.md says three quarters.
    #[test]
    fn most_words_to_evaluate_on_were_never_trained_on() {
        let content = content_words();
        let words = |items: &[Item]| -> Vec<String> {
            let text = sentences(items)
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ")
                .to_lowercase();
            let words = text.split(|c: char| !c.is_alphabetic()).map(str::to_owned);
            words.filter(|word| content.contains(word)).collect()
        };
        for task in BUILTINS {
            for seed in 0..4 {
                let [train, dev] = items(task, seed);
                let known: BTreeSet<String> = words(&train).into_iter().collect();
                let dev = words(&dev);
                let unseen = dev.iter().filter(|word| !known.contains(*word)).count();
                let share = unseen as f64 / dev.len() as f64;
                assert!((0.7..0.85).contains(&share), "{task:?} {seed}: {share}");
            }
        }
    }

    /// docs/tasks.md: near or far, one pair in a hundred shares a word of content.
    #[test]
    fn likeness_is_not_in_the_words_that_are_shared() {
        let content = content_words();
        let words = |text: &str| -> BTreeSet<String> {
            let text = text.to_lowercase();
            let words = text.split(|c: char| !c.is_alphabetic());
            words
                .filter(|&word| content.contains(word))
                .map(str::to_owned)
                .collect()
        };
        for seed in 0..3 {
            let [train, dev] = items(Builtin::Similarity, seed);
            let count = train.len() + dev.len();
            let shared = train.iter().chain(&dev).filter(|item| {
                let second = item.example.text_b.as_deref().unwrap_or_default();
                !words(&item.example.text_a).is_disjoint(&words(second))
            });
            let share = shared.count() as f64 / count as f64;
            assert!(share < 0.02, "{seed}: {share}");
        }
    }

    /// 0.04 · 3000 = 120 labels of 3000 are wrong, whatever they were.
    #[test]
    fn four_labels_in_a_hundred_are_wrong() {
        let example = Example {
            words: Vec::new(),
            text_a: String::new(),
            text_b: None,
            target: Some(Target::Class(1)),
        };
        let mut set = Dataset {
            examples: vec![example; 3000],
            labels: LabelSpace::Classes(vec!["no".to_owned(), "yes".to_owned()]),
            skipped_lines: 0,
        };
        add_noise(Builtin::Acceptability, 0, &mut set);
        let wrong = set
            .examples
            .iter()
            .filter(|example| example.target == Some(Target::Class(0)));
        assert_eq!(wrong.count(), 120);
    }

    /// The noise of 4000 scores has mean 0 (standard error 0.25/√4000 = 0.004) and standard deviation 0.25 (0.0028), to which
    /// rounding to tenths adds next to nothing: √(0.0625 + 0.01/12) = 0.2517. Scores stay in their range.
    #[test]
    fn scores_have_noise_of_a_quarter() {
        let set = |score: f64| {
            let example = Example {
                words: Vec::new(),
                text_a: String::new(),
                text_b: None,
                target: Some(Target::Value(score)),
            };
            let mut set = Dataset {
                examples: vec![example; 4000],
                labels: LabelSpace::Values,
                skipped_lines: 0,
            };
            add_noise(Builtin::Similarity, 0, &mut set);
            let targets = set.targets().unwrap_or_default().into_iter();
            targets
                .map(|target| {
                    if let Target::Value(value) = target {
                        value
                    } else {
                        f64::NAN
                    }
                })
                .collect::<Vec<_>>()
        };
        let values = set(2.5);
        let mean = values.iter().sum::<f64>() / 4000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 4000.0;
        assert!(
            (mean - 2.5).abs() < 0.016 && (variance.sqrt() - 0.2517).abs() < 0.012,
            "{mean} {variance}"
        );
        assert!(
            set(4.9)
                .iter()
                .chain(&set(0.1))
                .all(|value| (0.0..=5.0).contains(value))
        );
    }
}
