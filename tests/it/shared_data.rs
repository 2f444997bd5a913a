//! The real GLUE files and a real tokenizer, where they are; the numbers are those of `data.md` beside them.

use cwgnc::data::{Dataset, Labels, Task, TextEncoder, majority, read_glue};
use cwgnc::model::Target;
use cwgnc::model::{Family, ModelConfig};

use crate::encode::model;
use crate::scratch;

fn read(task: &str, folder: &str, file: &str) -> Option<Dataset> {
    let folder = scratch::shared(&format!("data/glue/{folder}"))?;
    let task = Task::parse(task).expect("a task");
    Some(read_glue(&folder, task, file, Labels::Required).expect("GLUE's own file"))
}

fn of_class(set: &Dataset, class: usize) -> usize {
    set.examples
        .iter()
        .filter(|example| example.target == Some(Target::Class(class)))
        .count()
}

#[test]
fn counts_of_the_glue_files() {
    // Task, folder, rows of train and dev, and how many of dev have the class.
    for (task, folder, train, dev, counted) in [
        ("rte", "RTE", 2490, 277, Some((0, 146))),
        ("mrpc", "MRPC", 3668, 408, Some((1, 279))),
        ("cola", "CoLA", 8551, 1043, Some((1, 721))),
        ("stsb", "STS-B", 5749, 1500, None),
    ] {
        let (Some(train_set), Some(dev_set)) =
            (read(task, folder, "train.tsv"), read(task, folder, "dev.tsv"))
        else {
            continue;
        };
        assert_eq!(
            (train_set.examples.len(), dev_set.examples.len()),
            (train, dev),
            "{task}"
        );
        match counted {
            Some((class, count)) => assert_eq!(of_class(&dev_set, class), count, "{task}"),
            None => {
                for example in train_set.examples.iter().chain(&dev_set.examples) {
                    assert!(
                        matches!(example.target, Some(Target::Value(score)) if (0.0..=5.0).contains(&score))
                    );
                }
            }
        }
        assert!(
            train_set
                .examples
                .iter()
                .all(|example| !example.text_a.is_empty()),
            "{task}"
        );
    }
}

fn bert_tiny() -> Option<TextEncoder> {
    let folder = scratch::shared("models/bert-tiny-splade")?;
    let config = ModelConfig {
        max_position_embeddings: 512,
        ..model(Family::Bert, 30522)
    };
    Some(TextEncoder::from_folder(&folder, &config).expect("a model folder"))
}

/// Mean (rounded), 95th percentile and maximum, in tokens with the special ones, of train and dev together.
#[test]
fn lengths_of_the_glue_files() {
    let Some(encoder) = bert_tiny() else { return };
    for (task, folder, expected) in [
        ("rte", "RTE", (70, 157, 289)),
        ("mrpc", "MRPC", (53, 74, 103)),
        ("cola", "CoLA", (11, 20, 47)),
        ("stsb", "STS-B", (28, 60, 125)),
    ] {
        let Some(set) = read(task, folder, "train.tsv") else {
            continue;
        };
        let encodings = encoder.encode_all(&set.examples, 512).expect("short texts");
        let mut lengths: Vec<usize> = encodings.iter().map(|encoding| encoding.ids.len()).collect();
        lengths.sort_unstable();
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        let p95 = lengths[lengths.len() * 95 / 100];
        let longest = lengths.last().copied().unwrap_or(0);
        assert_eq!((mean.round() as usize, p95, longest), expected, "{task}");
    }
}

#[test]
fn rte_is_encoded_alike_by_one_and_two_threads() {
    let (Some(encoder), Some(set)) = (bert_tiny(), read("rte", "RTE", "dev.tsv")) else {
        return;
    };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        pool.install(|| encoder.encode_all(&set.examples, 128))
            .expect("a good length")
    };
    let one = with(1);
    assert_eq!(one.len(), 277);
    assert_eq!(one, with(2));
}

/// The model's `vocab.txt` alone gives the tokens of its `tokenizer.json`.
#[test]
fn a_real_vocabulary_agrees_with_its_tokenizer_file() {
    let (Some(encoder), Some(folder)) = (bert_tiny(), scratch::shared("models/bert-tiny-splade")) else {
        return;
    };
    let Some(set) = read("mrpc", "MRPC", "dev.tsv") else {
        return;
    };
    let alone = scratch::folder("real_vocabulary");
    for name in ["vocab.txt", "tokenizer_config.json"] {
        std::fs::write(
            alone.join(name),
            std::fs::read(folder.join(name)).expect("readable"),
        )
        .expect("writable");
    }
    let config = model(Family::Bert, 30522);
    let from_vocabulary = TextEncoder::from_folder(&alone, &config).expect("a model folder");
    assert_eq!(
        from_vocabulary
            .encode_all(&set.examples, 64)
            .expect("a good length"),
        encoder.encode_all(&set.examples, 64).expect("a good length")
    );
}

/// What a run has to beat, from the counts above: 146 of 277; all 279 of 408 called positive, 558 / (558 + 129).
#[test]
fn majorities_of_the_glue_files() {
    for (task, folder, metric, expected) in [
        ("rte", "RTE", "accuracy", 146.0 / 277.0),
        ("mrpc", "MRPC", "f1", 558.0 / 687.0),
        ("cola", "CoLA", "matthews_correlation", 0.0),
        ("stsb", "STS-B", "pearson", 0.0),
    ] {
        let Some(dev) = read(task, folder, "dev.tsv") else {
            continue;
        };
        let headline = Task::parse(task).expect("a task").headline;
        assert_eq!(headline.key(), metric, "{task}");
        let targets = dev.targets().expect("labels");
        let found = majority(headline, &targets).expect("comparable");
        assert_eq!(found, expected, "{task}");
    }
}
