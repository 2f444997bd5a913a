//! `cwgnc bench`: how fast training and prediction are on this machine, and so how long a study would take.

#![expect(clippy::doc_markdown, reason = "the documentation of a flag is its help text")]

use super::number::{at_least_one, positive};
use super::progress::{Progress, clock};
use super::{Error, aligned, in_threads, machine, print, print_document};
use crate::checkpoint;
use crate::clip::ClipPolicy;
use crate::gemm;
use crate::model::{ModelConfig, Noise, Problem};
use crate::simd;
use crate::train::workload::{Lengths, SEQUENCES, SIZES, Size, batch, forward_flops, trainer};
use crate::train::{Micro, Trainer, predict};
use clap::{Args as ClapArgs, ValueEnum};
use serde_json::{Value, json};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Measure training and prediction on this machine, and estimate how long a study would take.
///
/// Models of BERT's sizes with random weights (or of the shape of a model of your own) take real steps on batches of 16
/// sequences of random words in float32: forward, backward, clipping per component, AdamW. `share of peak` compares the arithmetic of the
/// matrix products with what this machine's multiply-adds reach where nothing else is done, measured beside them. Nothing is
/// written. Other programs should rest meanwhile.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  cwgnc bench
  cwgnc bench --size base --lengths full --rounds 3
  cwgnc bench --model bert-tiny --examples 8551 --conditions 4")]
pub(super) struct Bench {
    /// The sizes: tiny, mini, small, minilm, base, large
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = "tiny,mini,minilm", value_parser = size, conflicts_with = "model")]
    size: Vec<Size>,
    /// A model folder, or builtin:shallow: its shape, with random weights
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Of the sequences: 128 tokens each, like those of RTE (70 on average), or one after the other
    #[arg(long, value_enum, default_value_t = Which::Both)]
    lengths: Which,
    /// Measurements of each figure, after one that is not counted; medians are shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    rounds: usize,
    /// Compute activations again in the backward pass, as finetune does with this flag
    #[arg(long)]
    checkpoint_activations: bool,
    /// Of the study that is estimated: examples to train on (RTE has 2490)
    #[arg(long, value_name = "N", default_value_t = 2490, value_parser = at_least_one, help_heading = "Study")]
    examples: usize,
    /// Of the study: passes over them
    #[arg(long, value_name = "N", default_value_t = 3.0, value_parser = positive, help_heading = "Study")]
    epochs: f64,
    /// Of the study: conditions
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_one, help_heading = "Study")]
    conditions: usize,
    /// Of the study: seeds
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = at_least_one, help_heading = "Study")]
    seeds: usize,
    /// Threads [default: RAYON_NUM_THREADS, or one for each core]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// No messages
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    Full,
    Real,
    Both,
}

fn size(name: &str) -> Result<Size, String> {
    let names = SIZES.map(|size| size.name).join(", ");
    Size::named(name).ok_or_else(|| format!("one of {names}"))
}

/// Batches of one measurement of [`Lengths::Real`].
const BATCHES: u64 = 4;

/// Multiply-adds in a row of a measurement of the peak: a few milliseconds.
const PEAK_ROUNDS: usize = 1_000_000;

/// Runs the command.
pub(super) fn command(args: &Bench) -> Result<(), Error> {
    let models = models(args)?;
    in_threads(args.threads, || {
        let mut progress = Progress::new(args.quiet);
        machine::warn_unless_portable(args.quiet);
        let lengths: &[Lengths] = match args.lengths {
            Which::Full => &[Lengths::Full],
            Which::Real => &[Lengths::Real],
            Which::Both => &[Lengths::Full, Lengths::Real],
        };
        let mut found = Vec::new();
        for (name, config) in &models {
            for &lengths in lengths {
                progress.message(&format!("{name}, {}", words(lengths)));
                found.push(Figures::measure(args, name, config, lengths));
            }
        }
        show(args, &found)
    })?
}

/// The names and shapes that are asked for.
fn models(args: &Bench) -> Result<Vec<(String, ModelConfig)>, Error> {
    let Some(dir) = &args.model else {
        let sizes = args.size.iter();
        return Ok(sizes.map(|size| (size.name.to_owned(), size.config())).collect());
    };
    let config = checkpoint::read_config(dir)?.config;
    let two = Size::config(SIZES[0]).labels;
    Ok(vec![(
        dir.display().to_string(),
        ModelConfig {
            problem: Problem::Classification,
            labels: two,
            ..config
        },
    )])
}

fn words(lengths: Lengths) -> &'static str {
    match lengths {
        Lengths::Full => "full",
        Lengths::Real => "real",
    }
}

/// What was measured of one model; times in seconds.
struct Figures {
    name: String,
    lengths: Lengths,
    /// In a batch, on average.
    tokens: f64,
    /// Of one optimiser step.
    step: f64,
    /// Of one batch without training.
    prediction: f64,
    /// Operations a second in the products of a step.
    flops: f64,
    /// The same of registers alone.
    peak: f64,
}

impl Figures {
    fn measure(args: &Bench, name: &str, config: &ModelConfig, lengths: Lengths) -> Self {
        let numbers = 0..if lengths == Lengths::Full { 1 } else { BATCHES };
        let batches: Vec<Micro> = numbers
            .map(|number| batch(config, &lengths.of(number), number))
            .collect();
        let mean = |f: &dyn Fn(&Micro) -> f64| batches.iter().map(f).sum::<f64>() / batches.len() as f64;
        let tokens = mean(&|micro| micro.batch.tokens() as f64);
        let flops = mean(&|micro| {
            let lengths: Vec<usize> = micro.batch.ids_by_sequence().map(<[u32]>::len).collect();
            3.0 * forward_flops(config, &lengths)
        });
        let mut trainer = trainer(config);
        trainer.recompute_activations(args.checkpoint_activations);
        let (mut steps, mut predictions, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=args.rounds {
            let times = (peak(), train(&mut trainer, &batches), infer(&trainer, &batches));
            if round > 0 {
                peaks.push(times.0);
                steps.push(times.1);
                predictions.push(times.2);
            }
        }
        let step = median(steps);
        Self {
            name: name.to_owned(),
            lengths,
            tokens,
            step,
            prediction: median(predictions),
            flops: flops / step,
            peak: median(peaks),
        }
    }

    /// How long one run of the study takes, but for what it reads and evaluates.
    fn run(&self, args: &Bench) -> f64 {
        (args.examples.div_ceil(SEQUENCES) as f64 * args.epochs).ceil() * self.step
    }

    fn study(&self, args: &Bench) -> f64 {
        (args.conditions * args.seeds) as f64 * self.run(args)
    }
}

/// Operations a second that every thread's registers reach together.
fn peak() -> f64 {
    let start = Instant::now();
    let flops = rayon::broadcast(|_| black_box(simd::register_flops(black_box(PEAK_ROUNDS))).0);
    flops.iter().sum::<f64>() / start.elapsed().as_secs_f64()
}

/// Seconds of one optimiser step, the mean over the batches.
fn train(trainer: &mut Trainer<f32>, batches: &[Micro]) -> f64 {
    let policy = ClipPolicy::cwgnc_as_published(0.05).expect("a threshold");
    let start = Instant::now();
    for (step, micro) in (1..).zip(batches) {
        let part = std::slice::from_ref(micro);
        let report = trainer.step(part, Noise::Step { seed: 1, step }, &policy, 2e-5);
        black_box(report.expect("fresh weights have a finite gradient"));
    }
    start.elapsed().as_secs_f64() / batches.len() as f64
}

/// Seconds of the predictions for one batch, the mean over the batches.
fn infer(trainer: &Trainer<f32>, batches: &[Micro]) -> f64 {
    let Trainer { config, model, .. } = trainer;
    let sequences: Vec<_> = batches.iter().flat_map(|micro| micro.batch.pairs()).collect();
    let start = Instant::now();
    black_box(predict(config, model, &sequences, SEQUENCES, |_| {}));
    start.elapsed().as_secs_f64() / batches.len() as f64
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

fn show(args: &Bench, found: &[Figures]) -> Result<(), Error> {
    if args.json {
        let all: Vec<Value> = found.iter().map(|figures| json(args, figures)).collect();
        return print_document(&format!("{:#}", Value::Array(all)));
    }
    let peak = median(found.iter().map(|figures| figures.peak).collect());
    print(&format!(
        "{} threads; multiply-adds alone reach {:.0} GFLOP/s; medians of {} rounds, batches of {SEQUENCES}",
        rayon::current_num_threads(),
        1e-9 * peak,
        args.rounds
    ))?;
    let heads = [
        "model",
        "lengths",
        "tokens",
        "step ms",
        "tokens/s",
        "GFLOP/s",
        "of peak",
        "predict tokens/s",
        "a run",
        "the study",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(found.iter().map(|figures| {
        // An estimate may be longer than any clock counts.
        let time = |seconds| Duration::try_from_secs_f64(seconds).map_or("endless".to_owned(), clock);
        vec![
            figures.name.clone(),
            words(figures.lengths).to_owned(),
            format!("{:.0}", figures.tokens),
            format!("{:.1}", 1e3 * figures.step),
            format!("{:.0}", figures.tokens / figures.step),
            format!("{:.0}", 1e-9 * figures.flops),
            format!("{:.0} %", 100.0 * figures.flops / figures.peak),
            format!("{:.0}", figures.tokens / figures.prediction),
            time(figures.run(args)),
            time(figures.study(args)),
        ]
    }));
    aligned(&rows).iter().try_for_each(|line| print(line))?;
    let (conditions, seeds) = (args.conditions, args.seeds);
    print(&format!(
        "a run: {} epochs of {} examples; the study: {conditions} conditions × {seeds} seeds; without evaluations",
        args.epochs, args.examples
    ))
}

fn json(args: &Bench, figures: &Figures) -> Value {
    json!({
        "model": figures.name,
        "lengths": words(figures.lengths),
        "threads": rayon::current_num_threads(),
        "rounds": args.rounds,
        "portable": gemm::is_portable(),
        "checkpoint_activations": args.checkpoint_activations,
        "sequences_per_step": SEQUENCES,
        "tokens_per_step": figures.tokens,
        "step_seconds": figures.step,
        "training_tokens_per_second": figures.tokens / figures.step,
        "flops_per_second": figures.flops,
        "peak_flops_per_second": figures.peak,
        "share_of_peak": figures.flops / figures.peak,
        "prediction_tokens_per_second": figures.tokens / figures.prediction,
        "run_seconds": figures.run(args),
        "study_seconds": figures.study(args),
    })
}
