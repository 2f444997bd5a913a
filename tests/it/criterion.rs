//! Label smoothing and class weights in whole optimiser steps.

use crate::gradcheck::small_config;
use cwgnc::clip::ClipPolicy;
use cwgnc::model::{
    Activation, Criterion, Family, ModelConfig, Noise, Problem, SequenceClassifier, Target, init,
};
use cwgnc::optim::{AdamWForm, AdamWSettings};
use cwgnc::param::ParamTree;
use cwgnc::random;
use cwgnc::train::{Sequence, StepReport, Trainer, pack};

/// Seven sequences of one to five tokens, whose classes 0, 1 and 2 stand 4, 1 and 2 times.
fn sequences() -> Vec<Sequence> {
    let mut rng = random::stream(3, "criterion", 0);
    let mut draw = |n: u64| random::below(&mut rng, n);
    [0, 2, 0, 0, 1, 2, 0]
        .map(|class| {
            let len = 1 + draw(5) as usize;
            Sequence {
                ids: (0..len).map(|_| 2 + draw(10) as u32).collect(),
                token_types: vec![0; len],
                target: Target::Class(class),
            }
        })
        .to_vec()
}

fn trainer(config: &ModelConfig, criterion: &Criterion) -> Trainer<f64> {
    let mut model = SequenceClassifier::zeros(config);
    init::initialise(&mut model, 0.4, 3, |_| true);
    let settings = AdamWSettings {
        form: AdamWForm::HuggingFace { correct_bias: false },
        beta1: 0.0,
        beta2: 0.0,
        // So large that the update is the gradient, and not its sign.
        epsilon: 1e6,
        weight_decay: 0.0,
    };
    let mut trainer = Trainer::new(config.clone(), model, settings);
    trainer.criterion = criterion.clone();
    trainer
}

/// One step on all seven, cut into parts of these sizes.
fn step(config: &ModelConfig, criterion: &Criterion, sizes: &[usize]) -> (StepReport, Vec<f64>) {
    let (set, mut trainer) = (sequences(), trainer(config, criterion));
    let before = trainer.model.clone();
    let (mut parts, mut first) = (Vec::new(), 0);
    for &size in sizes {
        let chosen: Vec<usize> = (first..first + size).collect();
        parts.push(pack(&set, &chosen, first));
        first += size;
    }
    assert_eq!(first, set.len());
    let noise = Noise::Step { seed: 1, step: 2 };
    let report = trainer
        .step(&parts, noise, &ClipPolicy::none(), 1e6)
        .expect("finite");
    let moved = trainer.model.params().into_iter().zip(before.params());
    let moved = moved.flat_map(|((_, a), (_, b))| (&b - &a).into_iter().collect::<Vec<_>>());
    (report, moved.collect())
}

/// However the seven are cut, and whatever their classes weigh, loss and gradient are those of the whole batch; the
/// weights of one class alone in a part do not matter more there.
#[test]
fn parts_of_any_size_have_the_gradient_of_the_whole() {
    let config = small_config(Family::Bert, Problem::Classification, Activation::Gelu);
    for criterion in [
        Criterion::default(),
        Criterion {
            smoothing: 0.2,
            weights: None,
        },
        Criterion {
            smoothing: 0.0,
            weights: Some(vec![0.5, 4.0, 1.5]),
        },
        Criterion {
            smoothing: 0.3,
            weights: Some(vec![0.5, 4.0, 1.5]),
        },
    ] {
        let (whole, moved) = step(&config, &criterion, &[7]);
        let length = moved.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!(length > 1e-3, "{length}");
        for sizes in [&[1; 7][..], &[2, 2, 2, 1], &[3, 4], &[1, 6], &[5, 1, 1]] {
            let (report, again) = step(&config, &criterion, sizes);
            let what = format!("{criterion:?} in {sizes:?}");
            assert!((report.loss - whole.loss).abs() < 1e-14 * whole.loss, "{what}");
            let apart = again
                .iter()
                .zip(&moved)
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>();
            assert!(
                apart.sqrt() <= 1e-9 * length,
                "{what}: {:e}",
                apart.sqrt() / length
            );
        }
    }
}

/// The same weight for all is no weight, and a class of weight 2 is one whose examples stand there twice.
#[test]
fn weights_are_counts() {
    let config = small_config(Family::Bert, Problem::Classification, Activation::Gelu);
    let of = |weights: Option<Vec<f64>>| Criterion {
        smoothing: 0.1,
        weights,
    };
    let loss = |criterion: &Criterion| step(&config, criterion, &[7]).0.loss;
    assert!((loss(&of(None)) - loss(&of(Some(vec![3.0; 3])))).abs() < 1e-14);
    // Without smoothing, by hand from the losses of single sequences: (2 Σ of class 0 + Σ of the others) / (2 · 4 + 3).
    let set = sequences();
    let plain = Criterion::default();
    let single = |index: usize| {
        let mut trainer = trainer(&config, &plain);
        let part = pack(&set, &[index], index);
        trainer.accumulate(&part, 1.0, Noise::Step { seed: 1, step: 2 })
    };
    let classes = [0, 2, 0, 0, 1, 2, 0];
    let sum: f64 = (0..7)
        .map(|i| if classes[i] == 0 { 2.0 } else { 1.0 } * single(i))
        .sum();
    let doubled = Criterion {
        smoothing: 0.0,
        weights: Some(vec![2.0, 1.0, 1.0]),
    };
    assert!((loss(&doubled) - sum / 11.0).abs() < 1e-13);
}
