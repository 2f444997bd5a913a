//! One training step of BERT's sizes: forward, backward, clipping per tensor, AdamW; and the forward pass alone.
//!
//!     cargo bench --bench step                     every size but base
//!     cargo bench --bench step -- tiny minilm base
//!     cargo bench --bench step -- --answer         for benches/step_beside_torch.py
//!
//! Batches are 16 sequences, random ids, dropout 0.1, float32: `full` has 128 tokens in each, `real` lengths like those
//! of RTE (mean 70, of at most 128). The arithmetic that is counted is that of the matrix products alone, with what this
//! program does not compute (padding, the last layer beyond the first tokens) left out, so GFLOP/s is work done.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use cwgnc::clip::ClipPolicy;
use cwgnc::model::init::initialise;
use cwgnc::model::{Activation, Batch, Family, ModelConfig, Noise, Problem, SequenceClassifier, Targets};
use cwgnc::optim::{AdamWForm, AdamWSettings};
use cwgnc::random::{below, stream};
use cwgnc::train::{Micro, Trainer, predict};
use std::hint::black_box;
use std::io::{self, Write};
use std::ops::Range;
use std::time::Instant;

/// Name, layers, hidden size, heads.
const SIZES: [(&str, usize, usize, usize); 5] = [
    ("tiny", 2, 128, 2),
    ("mini", 4, 256, 4),
    ("small", 4, 512, 8),
    ("minilm", 6, 384, 12),
    ("base", 12, 768, 12),
];

const SEQUENCES: usize = 16;

/// Batches of the lengths `real`.
const BATCHES: u64 = 8;

/// Timed rounds of each size; the first one warms up and is not counted.
const ROUNDS: usize = 7;

fn config(layers: usize, hidden: usize, heads: usize) -> ModelConfig {
    ModelConfig {
        family: Family::Bert,
        vocab_size: 30_522,
        hidden_size: hidden,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        intermediate_size: 4 * hidden,
        hidden_act: Activation::Gelu,
        hidden_dropout_prob: 0.1,
        attention_probs_dropout_prob: 0.1,
        classifier_dropout: None,
        max_position_embeddings: 512,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        initializer_range: 0.02,
        pad_token_id: 0,
        problem: Problem::Classification,
        labels: vec!["0".to_owned(), "1".to_owned()],
    }
}

/// Lengths whose mean and tail are near those of RTE: 128 in a seventh of the sequences, the rest spread from 30 to 90, 70
/// on average.
fn lengths(full: bool, batch: u64) -> Vec<usize> {
    let mut rng = stream(1, "lengths", batch);
    let mut length = || match below(&mut rng, 7) {
        0 => 128,
        _ => 30 + below(&mut rng, 61) as usize,
    };
    (0..SEQUENCES)
        .map(|_| if full { 128 } else { length() })
        .collect()
}

fn batch(lengths: &[usize], number: u64) -> Micro {
    let mut rng = stream(1, "ids", number);
    let ids: Vec<Vec<u32>> = lengths
        .iter()
        .map(|&n| (0..n).map(|_| 1000 + below(&mut rng, 29_000) as u32).collect())
        .collect();
    let types: Vec<Vec<u32>> = lengths
        .iter()
        .map(|&n| (0..n).map(|i| u32::from(i >= n / 2)).collect())
        .collect();
    let pairs = ids.iter().zip(&types).map(|(ids, types)| (&ids[..], &types[..]));
    Micro {
        batch: Batch::pack(pairs, 0),
        targets: Targets::Classes((0..lengths.len()).map(|i| i % 2).collect()),
    }
}

/// Some sequences of a batch.
fn part(whole: &Micro, chosen: Range<usize>) -> Micro {
    let Batch {
        ids,
        token_types,
        offsets,
        ..
    } = &whole.batch;
    let spans = offsets[chosen.start..=chosen.end].windows(2);
    let pairs = spans.map(|s| (&ids[s[0]..s[1]], &token_types[s[0]..s[1]]));
    Micro {
        batch: Batch::pack(pairs, chosen.start as u64),
        targets: Targets::Classes(chosen.map(|i| i % 2).collect()),
    }
}

/// Multiplications and additions of the products of one forward pass; backward has twice as many.
fn forward_flops(config: &ModelConfig, lengths: &[usize]) -> f64 {
    let (h, i) = (config.hidden_size as f64, config.intermediate_size as f64);
    let tokens: f64 = lengths.iter().map(|&n| n as f64).sum();
    let squares: f64 = lengths.iter().map(|&n| (n * n) as f64).sum();
    let sequences = lengths.len() as f64;
    let whole = tokens * (8.0 * h * h + 4.0 * h * i) + 4.0 * h * squares;
    let last = tokens * 4.0 * h * h + sequences * (4.0 * h * h + 4.0 * h * i) + 4.0 * h * tokens;
    (config.num_hidden_layers - 1) as f64 * whole + last
}

/// A model of one size and its batches.
struct Subject {
    trainer: Trainer<f32>,
    batches: Vec<Micro>,
    policy: ClipPolicy,
    steps: u64,
    /// Of one step, on average.
    tokens: f64,
    flops: f64,
}

impl Subject {
    /// Asserts that the loss of fresh weights is near ln 2, and that a step has the loss of the same step in two parts.
    fn new(size: &str, kind: &str) -> Option<Self> {
        let &(_, layers, hidden, heads) = SIZES.iter().find(|(name, ..)| *name == size)?;
        let config = config(layers, hidden, heads);
        let full = match kind {
            "full" => true,
            "real" => false,
            _ => return None,
        };
        let numbers = 0..if full { 1 } else { BATCHES };
        let all: Vec<Vec<usize>> = numbers.clone().map(|number| lengths(full, number)).collect();
        let batches: Vec<Micro> = numbers
            .zip(&all)
            .map(|(number, lengths)| batch(lengths, number))
            .collect();
        let mut model = SequenceClassifier::zeros(&config);
        initialise(&mut model, config.initializer_range, 1, |_| true);
        let settings = AdamWSettings {
            form: AdamWForm::HuggingFace { correct_bias: true },
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
        };
        let mean = |f: &dyn Fn(&[usize]) -> f64| all.iter().map(|l| f(l)).sum::<f64>() / all.len() as f64;
        let (tokens, flops) = (
            mean(&|lengths| lengths.iter().sum::<usize>() as f64),
            mean(&|lengths| forward_flops(&config, lengths)),
        );
        let mut subject = Self {
            trainer: Trainer::new(config, model, settings),
            batches,
            policy: ClipPolicy::cwgnc_as_published(0.05).expect("a threshold"),
            steps: 0,
            tokens,
            flops,
        };
        // Half of the batch after the other: the same sequences with the same masks, so the same mean loss.
        let whole = &subject.batches[0];
        let (first, second) = (
            part(whole, 0..SEQUENCES / 2),
            part(whole, SEQUENCES / 2..SEQUENCES),
        );
        let noise = Noise::Step { seed: 1, step: 1 };
        let report = subject
            .trainer
            .clone()
            .step(&[first, second], noise, &subject.policy, 2e-5);
        let in_parts = report.expect("finite").loss;
        let loss = subject.step(0);
        assert!((loss - std::f64::consts::LN_2).abs() < 0.2, "{loss}");
        assert!((loss / in_parts - 1.0).abs() < 1e-5, "{loss} {in_parts}");
        Some(subject)
    }

    fn step(&mut self, batch: usize) -> f64 {
        self.steps += 1;
        let noise = Noise::Step {
            seed: 1,
            step: self.steps,
        };
        let part = std::slice::from_ref(&self.batches[batch]);
        let report = self.trainer.step(part, noise, &self.policy, 2e-5);
        report.expect("finite").loss
    }

    /// Seconds of one step, the mean over the batches.
    fn train(&mut self) -> f64 {
        let start = Instant::now();
        for batch in 0..self.batches.len() {
            black_box(self.step(batch));
        }
        start.elapsed().as_secs_f64() / self.batches.len() as f64
    }

    /// Seconds of one forward pass without dropout, the mean over the batches.
    fn infer(&mut self) -> f64 {
        let Trainer { config, model, .. } = &self.trainer;
        let start = Instant::now();
        for Micro { batch, .. } in &self.batches {
            let spans = batch.offsets.windows(2);
            let sequences: Vec<_> = spans
                .map(|s| (&batch.ids[s[0]..s[1]], &batch.token_types[s[0]..s[1]]))
                .collect();
            black_box(predict(config, model, &sequences, sequences.len(), |_| {}));
        }
        start.elapsed().as_secs_f64() / self.batches.len() as f64
    }
}

/// Answers each line `train tiny full` or `infer minilm real` with the seconds of one step, and `lengths` with the lengths
/// of the batches `real`: for a program that times something else on the same work in between.
fn answer() -> io::Result<()> {
    let mut subjects: Vec<(String, Subject)> = Vec::new();
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.trim() == "lengths" {
            let all: Vec<Vec<usize>> = (0..BATCHES).map(|number| lengths(false, number)).collect();
            println!("{all:?}");
            io::stdout().flush()?;
            continue;
        }
        let unknown = || io::Error::other(format!("not a line as in `train tiny full`: {line}"));
        let [what, size, kind] = words[..] else {
            return Err(unknown());
        };
        let name = format!("{size} {kind}");
        if !subjects.iter().any(|(known, _)| *known == name) {
            subjects.push((name.clone(), Subject::new(size, kind).ok_or_else(unknown)?));
        }
        let subject = subjects.iter_mut().find(|(known, _)| *known == name);
        let (_, subject) = subject.ok_or_else(unknown)?;
        let time = match what {
            "train" => subject.train(),
            "infer" => subject.infer(),
            _ => return Err(unknown()),
        };
        println!("{time:e}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

/// Times every size in turn, round after round.
fn table(sizes: &[String]) -> io::Result<()> {
    println!(
        "{} threads, {SEQUENCES} sequences, {ROUNDS} rounds, medians",
        rayon::current_num_threads()
    );
    println!("size    lengths  tokens  train ms  tokens/s  GFLOP/s  infer ms");
    for size in sizes {
        for kind in ["full", "real"] {
            let mut subject =
                Subject::new(size, kind).ok_or_else(|| io::Error::other(format!("no size `{size}`")))?;
            let mut times = (Vec::new(), Vec::new());
            for round in 0..=ROUNDS {
                let (train, infer) = (subject.train(), subject.infer());
                if round > 0 {
                    times.0.push(train);
                    times.1.push(infer);
                }
            }
            let (train, infer) = (median(times.0), median(times.1));
            println!(
                "{size:7} {kind:7} {:7.0} {:9.1} {:9.0} {:8.1} {:9.1}",
                subject.tokens,
                1e3 * train,
                subject.tokens / train,
                3e-9 * subject.flops / train,
                1e3 * infer,
            );
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    // All of it inside the pool, so that no parallel loop is handed over from outside.
    let pool = rayon::ThreadPoolBuilder::new()
        .build()
        .map_err(io::Error::other)?;
    pool.install(|| match &words[..] {
        [word] if word == "--answer" => answer(),
        [] => table(&["tiny", "mini", "small", "minilm"].map(str::to_owned)),
        sizes => table(sizes),
    })
}
