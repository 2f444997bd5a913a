//! What must not change a number: the number of threads, the neighbours in a batch, the way a batch is cut.

use crate::gradcheck::{small_batch, small_config};
use crate::threads::with_threads;
use cwgnc::clip::ClipPolicy;
use cwgnc::model::{
    Activation, Batch, Criterion, Family, ModelConfig, Noise, Problem, SequenceClassifier, Target, Tokens,
    classifier, init,
};
use cwgnc::optim::{AdamWForm, AdamWSettings, Schedule};
use cwgnc::param::ParamTree;
use cwgnc::pool::Pool;
use cwgnc::real::Real;
use cwgnc::train::{Plan, Run, Seeds, Sequence, Stabilisers, Trainer, predict};
use cwgnc::{gemm, random};
use ndarray::{Array1, Array2, Axis, s};

/// Large enough that every parallel loop and product is really split.
fn wide_config(family: Family) -> ModelConfig {
    ModelConfig {
        vocab_size: 500,
        hidden_size: 96,
        num_attention_heads: 4,
        intermediate_size: 200,
        max_position_embeddings: 80,
        ..small_config(family, Problem::Classification, Activation::Gelu)
    }
}

fn sequences(n: usize) -> Vec<Sequence> {
    let mut rng = random::stream(1, "sequences", 0);
    let mut draw = |n: u64| random::below(&mut rng, n);
    (0..n)
        .map(|_| {
            let len = 1 + draw(70) as usize;
            Sequence {
                ids: (0..len).map(|_| draw(500) as u32).collect(),
                token_types: (0..len).map(|_| draw(2) as u32).collect(),
                target: Target::Class(draw(3) as usize),
            }
        })
        .collect()
}

pub(crate) fn fresh<T: Real>(config: &ModelConfig) -> SequenceClassifier<T> {
    let mut model = SequenceClassifier::zeros(config);
    init::initialise(&mut model, 0.1, 1, |_| true);
    model
}

fn trainer<T: Real>(config: &ModelConfig) -> Trainer<T> {
    let form = AdamWForm::HuggingFace { correct_bias: true };
    let settings = AdamWSettings {
        form,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
    };
    Trainer::new(config.clone(), fresh(config), settings)
}

fn plan(batch_size: usize, accumulation: usize, steps: usize) -> Plan {
    Plan {
        batch_size,
        accumulation,
        schedule: Schedule::new(1e-3, 0.1, steps),
        clip: ClipPolicy::cwgnc_as_published(0.05).expect("a threshold"),
        seeds: Seeds { order: 1, dropout: 2 },
        stabilisers: Stabilisers::default(),
    }
}

/// Everything that a run measured and left, as bits.
fn bits_of_run<T: Real>(family: Family) -> Vec<u64> {
    bits_left_by(trainer::<T>(&wide_config(family)))
}

fn bits_left_by<T: Real>(trainer: Trainer<T>) -> Vec<u64> {
    let sequences = sequences(40);
    let mut run = Run::new(trainer, plan(8, 2, 4), &sequences, 0);
    let mut bits = Vec::new();
    while let Some(record) = run.next_step().expect("finite") {
        bits.push(record.report.loss.to_bits());
        let components = &record.report.clip.components;
        bits.extend(
            components
                .iter()
                .flat_map(|c| [c.norm_before, c.scale, c.norm_after])
                .map(f64::to_bits),
        );
    }
    for (_, value) in run.trainer.model.params() {
        bits.extend(value.iter().map(|x| x.widen().to_bits()));
    }
    bits
}

#[test]
fn a_run_has_the_same_bits_on_any_number_of_threads() {
    for family in [Family::Bert, Family::Roberta] {
        let one = (
            with_threads(1, || bits_of_run::<f32>(family)),
            with_threads(1, || bits_of_run::<f64>(family)),
        );
        for threads in [2, 3, 7] {
            assert!(
                with_threads(threads, || bits_of_run::<f32>(family)) == one.0,
                "f32, {threads} threads"
            );
            assert!(
                with_threads(threads, || bits_of_run::<f64>(family)) == one.1,
                "f64, {threads} threads"
            );
        }
    }
}

/// With dropout on. The second forward pass of a layer must draw the masks of the first.
#[test]
fn activations_may_be_computed_again() {
    for family in [Family::Bert, Family::Roberta] {
        let mut frugal = trainer::<f32>(&wide_config(family));
        frugal.recompute_activations(true);
        assert!(bits_left_by(frugal) == bits_of_run::<f32>(family), "{family:?}");
    }
}

/// A product cut into blocks of any size has the bits of the whole: what lets it be split by the number of threads.
#[test]
fn a_product_has_the_same_bits_in_any_blocks() {
    fn check<T: Real>() {
        let mut rng = random::stream(2, "matrices", 0);
        let mut matrix = |m, n| {
            Array2::from_shape_fn((m, n), |_| {
                T::of(random::below(&mut rng, 1 << 40) as f64 / 1e12 - 0.5)
            })
        };
        for (m, k, n) in [(130, 300, 90), (33, 700, 250), (257, 64, 17)] {
            let (a, b, c) = (matrix(m, k), matrix(k, n), matrix(m, n));
            let mut whole = c.clone();
            with_threads(1, || gemm::mul_add(a.view(), b.view(), whole.view_mut()));
            for rows in [1, 7, 16, 48, 100] {
                let mut blocks = c.clone();
                for (a, c) in a
                    .axis_chunks_iter(Axis(0), rows)
                    .zip(blocks.axis_chunks_iter_mut(Axis(0), rows))
                {
                    gemm::mul_add(a, b.view(), c);
                }
                assert!(blocks == whole, "{rows} rows of {m}x{k}x{n}");
            }
            for columns in [1, 7, 16, 48, 100] {
                let mut blocks = c.clone();
                for (b, c) in b
                    .axis_chunks_iter(Axis(1), columns)
                    .zip(blocks.axis_chunks_iter_mut(Axis(1), columns))
                {
                    gemm::mul_add(a.view(), b, c);
                }
                assert!(blocks == whole, "{columns} columns of {m}x{k}x{n}");
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

/// Every product of the three transposition forms against the sum written out, on exact integers.
#[test]
fn products_are_right() {
    let matrix =
        |m: usize, n: usize| Array2::from_shape_fn((m, n), |(i, j)| ((7 * i + 3 * j) % 11) as f32 - 5.0);
    for (m, k, n) in [(0, 3, 2), (1, 1, 1), (5, 0, 4), (130, 70, 90), (3, 200, 900)] {
        let naive = |a: &Array2<f32>, b: &Array2<f32>| {
            Array2::from_shape_fn((m, n), |(i, j)| {
                (0..k).map(|l| a[[i, l]] * b[[l, j]]).sum::<f32>()
            })
        };
        let (a, b, bt, at) = (matrix(m, k), matrix(k, n), matrix(n, k), matrix(k, m));
        let mut c = Array2::from_elem((m, n), f32::NAN);
        gemm::mul(a.view(), b.view(), c.view_mut());
        assert_eq!(c, naive(&a, &b));
        gemm::mul_serial(a.view(), bt.t(), c.view_mut());
        assert_eq!(c, naive(&a, &bt.t().to_owned()));
        let mut c = Array2::ones((m, n));
        gemm::mul_add(at.t(), b.view(), c.view_mut());
        assert_eq!(c, naive(&at.t().to_owned(), &b) + 1.0);
        let row = Array1::from_shape_fn(n, |j| j as f32);
        let mut c = Array2::from_elem((m, n), f32::NAN);
        gemm::mul_add_row(a.view(), b.view(), row.view(), c.view_mut());
        assert_eq!(c, naive(&a, &b) + &row);
    }
}

/// Asking the last layer for first tokens alone gives the bits of the logits, and the gradient, of asking for all.
#[test]
fn first_tokens_alone_are_exact() {
    for noise in [Noise::Off, Noise::Step { seed: 3, step: 4 }] {
        for family in [Family::Bert, Family::Roberta] {
            let config = small_config(family, Problem::Classification, Activation::Gelu);
            let (model, batch, pool) = (fresh::<f64>(&config), small_batch(), Pool::new());
            let run = |tokens| {
                let (z, cache) = model.forward(&config, &batch, noise, tokens, &pool);
                let targets = cwgnc::model::Targets::Classes(vec![0, 2, 1]);
                let (_, dz) = classifier::loss(z.view(), &targets, &Criterion::default(), 3.0, &pool);
                let mut grad = SequenceClassifier::zeros(&config);
                model.backward(&config, &batch, dz.view(), &cache, &mut grad, &pool);
                (z.to_owned(), grad)
            };
            let ((first, first_grad), (all, all_grad)) = (run(Tokens::First), run(Tokens::All));
            assert_eq!(first, all);
            for ((name, a), (_, b)) in first_grad.params().into_iter().zip(all_grad.params()) {
                let difference = (&a - &b).mapv(|x| x * x).sum().sqrt();
                assert!(
                    difference <= 1e-14 * (1.0 + a.mapv(|x| x * x).sum().sqrt()),
                    "{name}: {difference:e}"
                );
            }
        }
    }
}

/// With dropout on: a batch in one part, in parts, or in another packing draws the same masks, so the accumulated
/// gradient is the same but for rounding.
#[test]
fn a_batch_may_be_cut_into_parts() {
    let (config, sequences) = (wide_config(Family::Bert), sequences(40));
    let weights = |batch_size, accumulation| {
        let mut run = Run::new(
            trainer::<f64>(&config),
            plan(batch_size, accumulation, 3),
            &sequences,
            0,
        );
        while run.next_step().expect("finite").is_some() {}
        run.trainer.model
    };
    let whole = weights(16, 1);
    for (batch_size, accumulation) in [(8, 2), (4, 4), (1, 16)] {
        for ((name, a), (_, b)) in whole
            .params()
            .into_iter()
            .zip(weights(batch_size, accumulation).params())
        {
            // Where the gradient is zero but for rounding (key biases), Adam makes steps of the size of the rate.
            let scale = if name.ends_with("key.bias") { 1e2 } else { 1.0 };
            let difference = (&a - &b).mapv(|x| x * x).sum().sqrt();
            assert!(
                difference <= scale * 1e-7 * (1.0 + a.mapv(|x| x * x).sum().sqrt()),
                "{name}: {difference:e}"
            );
        }
    }
}

/// A sequence's logits have the same bits alone and beside any others.
#[test]
fn logits_do_not_depend_on_the_neighbours() {
    let (config, sequences) = (wide_config(Family::Roberta), sequences(20));
    let model = fresh::<f32>(&config);
    let inputs: Vec<_> = sequences
        .iter()
        .map(|s| (&s.ids[..], &s.token_types[..]))
        .collect();
    let together = predict(&config, &model, &inputs, 20, |_| ());
    for batch_size in [1, 3, 7] {
        assert_eq!(predict(&config, &model, &inputs, batch_size, |_| ()), together);
    }
}

/// A step that is not finite changes nothing: neither weights nor moments.
#[test]
fn a_step_that_is_not_finite_changes_nothing() {
    let (config, sequences) = (wide_config(Family::Bert), sequences(16));
    let mut broken = trainer::<f32>(&config);
    broken.model.encoder.layers[1]
        .intermediate
        .weight
        .slice_mut(s![0, ..])
        .fill(f32::MAX);
    broken.model.encoder.layers[1].output.weight.fill(f32::MAX);
    let (model, optimiser) = (broken.model.clone(), broken.optimiser.clone());
    let mut run = Run::new(broken, plan(16, 1, 3), &sequences, 0);
    let error = run.next_step().expect_err("an overflow");
    assert!(error.to_string().starts_with("the loss is "), "{error}");
    assert!(run.trainer.model == model && run.trainer.optimiser == optimiser && run.steps_done() == 0);
}

/// The same batch twice gives the same dropout; another step or seed gives another.
#[test]
fn dropout_is_a_function_of_seed_and_step() {
    let config = wide_config(Family::Bert);
    let model = fresh::<f32>(&config);
    let batch = Batch::pack([(&[5, 6, 7][..], &[0, 0, 1][..])], 0);
    let logits = |seed, step| {
        let noise = Noise::Step { seed, step };
        model
            .forward(&config, &batch, noise, Tokens::First, &Pool::new())
            .0
            .to_owned()
    };
    assert_eq!(logits(1, 1), logits(1, 1));
    assert_ne!(logits(1, 1), logits(1, 2));
    assert_ne!(logits(1, 1), logits(2, 1));
}

/// One example and a learning rate of 0: nothing but the step differs, and every step draws its own masks.
#[test]
fn every_step_of_a_run_draws_its_own_masks() {
    let (config, sequences) = (wide_config(Family::Bert), sequences(1));
    let mut plan = plan(1, 1, 5);
    plan.schedule.peak = 0.0;
    let mut run = Run::new(trainer::<f64>(&config), plan, &sequences, 0);
    let mut losses = Vec::new();
    while let Some(record) = run.next_step().expect("finite") {
        assert!(!losses.contains(&record.report.loss), "step {}", record.step);
        losses.push(record.report.loss);
    }
    assert_eq!(losses.len(), 5);
}
