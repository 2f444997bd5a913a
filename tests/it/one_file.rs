//! `examples/one_file.rs`, the plain loops, against the library.

#[expect(dead_code, reason = "its `main`")]
#[path = "../../examples/one_file.rs"]
mod plain;

use crate::gradcheck::small_config;
use cwgnc::clip::ClipPolicy;
use cwgnc::model::{Activation, Family, ModelConfig, Noise, Problem, SequenceClassifier, Target, init};
use cwgnc::optim::{AdamWForm, AdamWSettings};
use cwgnc::random;
use cwgnc::train::{Sequence, Trainer, pack};
use plain::{Example, Training, params};

/// The threshold lies among the norms, so that some components are clipped in every step.
const C: f64 = 0.3;

fn batch(step: u64) -> Vec<Sequence> {
    let mut rng = random::stream(step, "one file", 0);
    let mut draw = |n: u64| random::below(&mut rng, n) as u32;
    let one = |class: usize| {
        let len = 1 + draw(8);
        Sequence {
            // From 2: the padding token is no word.
            ids: (0..len).map(|_| 2 + draw(11)).collect(),
            token_types: (0..len).map(|_| draw(2)).collect(),
            target: Target::Class(class % 3),
        }
    };
    (0..5).map(one).collect()
}

fn trainer(config: &ModelConfig) -> Trainer<f64> {
    let mut model = SequenceClassifier::zeros(config);
    init::initialise(&mut model, 0.4, 3, |_| true);
    let settings = AdamWSettings {
        form: AdamWForm::Torch,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
    };
    Trainer::new(config.clone(), model, settings)
}

/// Losses and weights over 20 steps, to 1e-12 of each tensor's largest weight.
#[test]
fn the_plain_loops_train_as_the_library_does() {
    let config = ModelConfig {
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        classifier_dropout: None,
        ..small_config(Family::Bert, Problem::Classification, Activation::Gelu)
    };
    let mut library = trainer(&config);
    let mut plain = Training::new(config, params(&library.model));
    let policy = ClipPolicy::cwgnc_as_published(C).expect("a threshold");
    let mut clipped = [0, 0];
    for step in 0..20 {
        let (lr, sequences) = (1e-3 * (1.0 - step as f64 / 20.0), batch(step));
        let all: Vec<usize> = (0..sequences.len()).collect();
        let report = library
            .step(&[pack(&sequences, &all, 0)], Noise::Off, &policy, lr)
            .expect("finite numbers");
        for component in &report.clip.components {
            clipped[usize::from(component.norm_before > C)] += 1;
        }
        let examples: Vec<Example> = sequences
            .into_iter()
            .map(|sequence| Example {
                ids: sequence.ids,
                types: sequence.token_types,
                class: match sequence.target {
                    Target::Class(class) => class,
                    _ => unreachable!("classes alone"),
                },
            })
            .collect();
        let loss = plain.step(&examples, lr, C);
        assert!(
            (loss - report.loss).abs() <= 1e-12 * report.loss,
            "step {step}: {loss} and {}",
            report.loss
        );
    }
    // 20 steps of 55 parameters, neither all clipped nor none.
    assert!(clipped[0] > 100 && clipped[1] > 100, "{clipped:?}");
    for (name, of_library) in params(&library.model) {
        let largest = of_library.x.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        for (i, (a, b)) in plain.params[&name].x.iter().zip(&of_library.x).enumerate() {
            // What all scores of a row have in common is no matter for a softmax: a key's bias has no gradient but
            // roundings, and Adam moves it by less than 1e-10.
            let bound = if name.ends_with("key.bias") {
                1e-10
            } else {
                1e-12 * largest
            };
            assert!((a - b).abs() <= bound, "{name}[{i}]: {a} and {b}");
        }
    }
}
