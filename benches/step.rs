//! One training step of BERT's sizes: forward, backward, clipping per tensor, AdamW; and the forward pass alone.
//!
//!     cargo bench --bench step                     every size but base
//!     cargo bench --bench step -- tiny minilm base
//!     cargo bench --bench step -- --answer         for benches/step_beside_torch.py
//!
//! The work is `cwgnc::train::workload`: batches of 16 sequences, dropout 0.1, float32, `full` with 128 tokens in each,
//! `real` with lengths like those of RTE. GFLOP/s count the products alone, and only what is computed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use cwgnc::clip::ClipPolicy;
use cwgnc::model::{Batch, Noise, Targets};
use cwgnc::train::workload::{Lengths, SEQUENCES, Size, batch, forward_flops, trainer};
use cwgnc::train::{Micro, Trainer, predict};
use std::hint::black_box;
use std::io::{self, Write};
use std::ops::Range;
use std::time::Instant;

/// Batches that one measurement takes.
const BATCHES: u64 = 8;

/// Timed rounds of each size; the first one warms up and is not counted.
const ROUNDS: usize = 7;

/// Some sequences of a batch.
fn part(whole: &Micro, chosen: Range<usize>) -> Micro {
    let pairs = whole.batch.pairs().skip(chosen.start).take(chosen.len());
    Micro {
        batch: Batch::pack(pairs, chosen.start as u64),
        targets: Targets::Classes(chosen.map(|i| i % 2).collect()),
    }
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
        let config = Size::named(size)?.config();
        let kind = Lengths::named(kind)?;
        let numbers = 0..if kind == Lengths::Full { 1 } else { BATCHES };
        let all: Vec<Vec<usize>> = numbers.clone().map(|number| kind.of(number)).collect();
        let batches: Vec<Micro> = numbers
            .zip(&all)
            .map(|(number, lengths)| batch(&config, lengths, number))
            .collect();
        let mean = |f: &dyn Fn(&[usize]) -> f64| all.iter().map(|l| f(l)).sum::<f64>() / all.len() as f64;
        let (tokens, flops) = (
            mean(&|lengths| lengths.iter().sum::<usize>() as f64),
            mean(&|lengths| forward_flops(&config, lengths)),
        );
        let mut subject = Self {
            trainer: trainer(&config),
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

    /// Seconds that a prediction of [`BATCHES`] batches takes, for one of them.
    fn infer(&mut self) -> f64 {
        let Trainer { config, model, .. } = &self.trainer;
        let batches = self.batches.iter().cycle().take(BATCHES as usize);
        let sequences: Vec<_> = batches.flat_map(|micro| micro.batch.pairs()).collect();
        let start = Instant::now();
        black_box(predict(config, model, &sequences, SEQUENCES, |_| {}));
        start.elapsed().as_secs_f64() / BATCHES as f64
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
            let all: Vec<Vec<usize>> = (0..BATCHES).map(|number| Lengths::Real.of(number)).collect();
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
