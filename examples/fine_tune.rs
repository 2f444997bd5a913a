//! Fine-tuning from Rust: text and a pretrained encoder in, a trained classifier and its accuracy out.
//!
//! Everything that `cwgnc finetune` does in its steps, without its files. With another folder for `builtin:shallow` and
//! `cwgnc::data` to read one's own texts it is any BERT on any task.
//!
//! ```text
//! cargo run --release --example fine_tune
//! ```

#![expect(clippy::print_stdout, reason = "it is an example")]

use cwgnc::builtin::Builtin;
use cwgnc::checkpoint::{self, Purpose};
use cwgnc::clip::ClipPolicy;
use cwgnc::data::{Dataset, TextEncoder};
use cwgnc::model::{ModelConfig, SequenceClassifier, Target, init};
use cwgnc::optim::{AdamWForm, AdamWSettings, Schedule};
use cwgnc::train::{Plan, Run, Seeds, Sequence, Stabilisers, Trainer, predict};
use std::error::Error;
use std::path::Path;

const SEED: u64 = 42;
const BATCH: usize = 16;
const EPOCHS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    // A task and its sets.
    let task = Builtin::Acceptability;
    let sets = task.generate(0);

    // An encoder with its tokenizer, and a fresh head for the task's labels.
    let folder = Path::new("builtin:shallow");
    let mut config = checkpoint::read_config(folder)?.config;
    let labels = task.stands_for().label_space();
    (config.problem, config.labels) = (labels.problem(), labels.output_names());
    let encoder = TextEncoder::from_folder(folder, &config)?;
    let mut model = SequenceClassifier::<f32>::zeros(&config);
    let loaded = checkpoint::load_into(folder, &config, Purpose::FineTuning, &mut model)?;
    let fresh = |name: &str| loaded.to_initialise.iter().any(|known| known == name);
    init::initialise(&mut model, config.initializer_range, SEED, fresh);

    // A run: AdamW, a linear schedule, and CWGNC.
    let (train, dev) = (tokens(&encoder, &sets.train)?, tokens(&encoder, &sets.dev)?);
    let steps = train.len().div_ceil(BATCH) * EPOCHS;
    let plan = Plan {
        batch_size: BATCH,
        accumulation: 1,
        schedule: Schedule::new(5e-4, 0.0, steps),
        clip: ClipPolicy::cwgnc_as_published(0.05)?,
        seeds: Seeds {
            order: SEED,
            dropout: SEED,
        },
        stabilisers: Stabilisers::default(),
    };
    let optimiser = AdamWSettings {
        form: AdamWForm::HuggingFace { correct_bias: true },
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    let trainer = Trainer::new(config.clone(), model, optimiser);
    let mut run = Run::new(trainer, plan, &train, 0);
    while let Some(step) = run.next_step()? {
        if step.step % 100 == 0 {
            println!("step {:3}  loss {:.4}", step.step, step.report.loss);
        }
    }
    println!("accuracy {:.3}", accuracy(&config, &run.trainer.model, &dev));
    Ok(())
}

/// The texts of a set as tokens, with their labels.
fn tokens(encoder: &TextEncoder, set: &Dataset) -> Result<Vec<Sequence>, Box<dyn Error>> {
    let encodings = encoder.encode_all(&set.examples, 128)?;
    let targets = set.targets().ok_or("every example has a label")?;
    let sequences = encodings.into_iter().zip(targets);
    Ok(sequences
        .map(|(encoding, target)| Sequence {
            ids: encoding.ids,
            token_types: encoding.token_types,
            target,
        })
        .collect())
}

/// The share of sequences whose largest logit is that of their label.
fn accuracy(config: &ModelConfig, model: &SequenceClassifier<f32>, set: &[Sequence]) -> f64 {
    let inputs: Vec<_> = set.iter().map(|s| (&s.ids[..], &s.token_types[..])).collect();
    let logits = predict(config, model, &inputs, 32, |_| ());
    let right = logits.iter().zip(set).filter(|(z, sequence)| {
        let best = (0..z.len()).max_by(|&i, &j| z[i].total_cmp(&z[j]));
        best.map(Target::Class).as_ref() == Some(&sequence.target)
    });
    right.count() as f64 / set.len() as f64
}
