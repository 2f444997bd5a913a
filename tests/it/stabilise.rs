//! What others do for stability: rates by layer, mixout, decay to the start, gradual unfreezing.

use crate::gradcheck::{small_batch, small_config};
use cwgnc::clip::ClipPolicy;
use cwgnc::model::{
    Activation, Criterion, Family, ModelConfig, Noise, Part, Problem, SequenceClassifier, Target, Targets,
    Tokens, classifier, init,
};
use cwgnc::optim::{AdamWForm, AdamWSettings, Schedule};
use cwgnc::param::ParamTree;
use cwgnc::pool::Pool;
use cwgnc::random;
use cwgnc::train::{
    Plan, Run, Seeds, Sequence, Stabilisers, StepRecord, Trainer, UnfreezeMode, Unfreezing, mixout, unfreeze,
};
use ndarray::ArrayD;

/// Two layers.
fn config(family: Family) -> ModelConfig {
    ModelConfig {
        num_hidden_layers: 2,
        ..small_config(family, Problem::Classification, Activation::Gelu)
    }
}

fn fresh(config: &ModelConfig, seed: u64) -> SequenceClassifier<f64> {
    let mut model = SequenceClassifier::zeros(config);
    init::initialise(&mut model, 0.2, seed, |_| true);
    model
}

fn settings() -> AdamWSettings {
    AdamWSettings {
        form: AdamWForm::Torch,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
    }
}

/// Ten sequences that the small model can read.
fn sequences() -> Vec<Sequence> {
    let mut rng = random::stream(1, "sequences", 0);
    let mut draw = |n: u64| random::below(&mut rng, n);
    (0..10)
        .map(|_| {
            // One token alone asks nothing: its query would have no gradient.
            let len = 2 + draw(4) as usize;
            Sequence {
                ids: (0..len).map(|_| 1 + draw(6) as u32).collect(),
                token_types: vec![0; len],
                target: Target::Class(draw(3) as usize),
            }
        })
        .collect()
}

/// Batches of four: three steps an epoch.
fn plan(steps: usize, stabilisers: Stabilisers) -> Plan {
    Plan {
        batch_size: 4,
        accumulation: 1,
        schedule: Schedule::new(1e-2, 0.0, steps),
        clip: ClipPolicy::cwgnc_as_published(0.05).expect("a threshold"),
        seeds: Seeds { order: 1, dropout: 2 },
        stabilisers,
    }
}

/// The state after each step, from the one before the first.
fn states(config: &ModelConfig, plan: Plan) -> (Vec<Trainer<f64>>, Vec<StepRecord>) {
    let sequences = sequences();
    let trainer = Trainer::new(config.clone(), fresh(config, 1), settings());
    let mut run = Run::new(trainer, plan, &sequences, 0);
    let (mut states, mut records) = (vec![run.trainer.clone()], Vec::new());
    while let Some(record) = run.next_step().expect("finite") {
        states.push(run.trainer.clone());
        records.push(record);
    }
    (states, records)
}

/// Whether each parameter changed between two states.
fn changed(a: &SequenceClassifier<f64>, b: &SequenceClassifier<f64>) -> Vec<bool> {
    let pairs = a.params().into_iter().zip(b.params());
    pairs.map(|((_, a), (_, b))| a != b).collect()
}

/// The names say to which part a parameter belongs.
#[test]
fn parts_are_those_of_the_names() {
    for family in [Family::Bert, Family::Roberta] {
        let model = fresh(&config(family), 1);
        let parts = model.parts();
        assert_eq!(parts.len(), model.params().len());
        for ((name, _), part) in model.params().into_iter().zip(parts) {
            let layer = name
                .split(".layer.")
                .nth(1)
                .and_then(|rest| rest.split('.').next());
            let expected = match layer {
                Some(layer) => Part::Layer(layer.parse().expect("a number")),
                None if name.contains("embeddings") => Part::Embeddings,
                None if name.contains("pooler") => Part::Pooler,
                None => Part::Classifier,
            };
            assert_eq!(part, expected, "{name}");
        }
    }
}

/// Two layers with d = 1/2: head 1, layer 1 one half, layer 0 a quarter, embeddings an eighth. With as-released
/// unfreezing of a linear schedule to one half each group has a quarter of the one before besides: layer 1 is group 1,
/// layer 0 group 2, `LayerNorm`, pooler and embeddings group 3.
#[test]
fn rates_by_layer() {
    let model = fresh(&config(Family::Bert), 1);
    let mut stabilisers = Stabilisers {
        layerwise_lr_decay: 0.5,
        ..Stabilisers::default()
    };
    let schedule = Schedule::new(1.0, 0.0, 3).ending_at(0.5);
    let factor = |stabilisers: &Stabilisers, wanted: &str| {
        let factors = stabilisers.lr_factors(&model, schedule);
        let at = model.params().iter().position(|(name, _)| name == wanted);
        factors[at.expect(wanted)]
    };
    for (name, plain, unfreezing) in [
        ("classifier.weight", 1.0, 1.0),
        ("classifier.bias", 1.0, 1.0),
        ("bert.pooler.dense.weight", 1.0, 1.0 / 64.0),
        ("bert.encoder.layer.1.output.dense.bias", 0.5, 0.5 / 4.0),
        ("bert.encoder.layer.1.output.LayerNorm.weight", 0.5, 0.5 / 64.0),
        (
            "bert.encoder.layer.0.attention.self.query.weight",
            0.25,
            0.25 / 16.0,
        ),
        ("bert.embeddings.word_embeddings.weight", 0.125, 0.125 / 64.0),
        ("bert.embeddings.LayerNorm.bias", 0.125, 0.125 / 64.0),
    ] {
        stabilisers.unfreezing = None;
        assert_eq!(factor(&stabilisers, name), plain, "{name}");
        let mode = UnfreezeMode::ContinueAsReleased;
        stabilisers.unfreezing = Some(Unfreezing { mode, iterations: 4 });
        assert_eq!(factor(&stabilisers, name), unfreezing, "{name}");
    }
}

/// In the first step of PyTorch's AdamW without decay a weight moves by lr g / (|g| + ε), so that the steps of two runs
/// differ by the factor of the rate.
#[test]
fn the_factor_reaches_the_step() {
    let config = config(Family::Bert);
    let with = |layerwise_lr_decay| {
        let stabilisers = Stabilisers {
            layerwise_lr_decay,
            ..Stabilisers::default()
        };
        let (states, _) = states(&config, plan(1, stabilisers));
        let [before, after] = [&states[0].model, &states[1].model];
        let pairs = before.params().into_iter().zip(after.params());
        let step = |((_, a), (_, b)): ((String, _), (String, _))| -> ArrayD<f64> { &b - &a };
        pairs.map(step).collect::<Vec<_>>()
    };
    let (full, decayed) = (with(1.0), with(0.25));
    for ((part, full), decayed) in fresh(&config, 1).parts().into_iter().zip(full).zip(decayed) {
        let factor = 0.25_f64.powi(i32::try_from(part.below_head(2)).expect("small"));
        for (full, decayed) in full.iter().zip(&decayed) {
            // The difference of two numbers near 1 is good to about 1e-16, and steps are up to 1e-2.
            assert!(
                (decayed - factor * full).abs() < 1e-15,
                "{part:?}: {decayed} for {full}"
            );
        }
    }
}

/// Off, all of it, has the bits of a plain run: this is the determinism tests' run with p = 0 and the other neutral
/// values given.
#[test]
fn nothing_asked_for_changes_nothing() {
    let config = config(Family::Bert);
    let (plain, _) = states(&config, plan(4, Stabilisers::default()));
    let trainer = Trainer::new(config.clone(), fresh(&config, 1), settings());
    let sequences = sequences();
    let mut run = Run::new(trainer, plan(4, Stabilisers::default()), &sequences, 0);
    // The start is known and another than the weights, and nothing looks at it.
    run.trainer.stabiliser.initial = Some(fresh(&config, 9));
    while run.next_step().expect("finite").is_some() {}
    assert!(run.trainer.model == plain[4].model);
}

/// `W'` by the formula as published, from masks read off one matrix of ones: the mask is 0 or 1, the same in each row,
/// differs by parameter and step, and biases, LayerNorm and embeddings are left alone.
#[test]
fn mixout_is_the_published_formula() {
    let config = config(Family::Bert);
    let (w, w0) = (fresh(&config, 1), fresh(&config, 2));
    let (zeros, mut ones) = (
        SequenceClassifier::zeros(&config),
        SequenceClassifier::zeros(&config),
    );
    ones.params_mut().into_iter().for_each(|(_, mut x)| x.fill(1.0));
    let p = 0.25;
    let noise = Noise::Step { seed: 3, step: 4 };
    let mixed = mixout::mixed(&w, &w0, p, noise);
    let scaled = mixout::mixed(&ones, &zeros, p, noise);
    let mut masks = Vec::new();
    for (i, (name, scaled)) in scaled.params().into_iter().enumerate() {
        let (w, w0, mixed) = (&w.params()[i].1, &w0.params()[i].1, &mixed.params()[i].1);
        if !name.ends_with("weight") || name.contains("embeddings") || name.contains("LayerNorm") {
            assert!(mixed == w && scaled.iter().all(|&x| x == 1.0), "{name}");
            continue;
        }
        for row in scaled.rows() {
            assert_eq!(row, scaled.rows().into_iter().next().expect("a row"), "{name}");
        }
        for (((&w, &w0), &mixed), &scaled) in w.iter().zip(w0).zip(mixed).zip(&scaled) {
            let m = if scaled == 0.0 { 0.0 } else { 1.0 };
            assert!((scaled - m / (1.0 - p)).abs() < 1e-15);
            let expected = ((1.0 - m) * w0 + m * w - p * w0) / (1.0 - p);
            assert!(
                (mixed - expected).abs() < 1e-14,
                "{name}: {mixed}, expected {expected}"
            );
        }
        masks.push(scaled.iter().copied().collect::<Vec<f64>>());
    }
    assert_eq!(masks.len(), 2 * 6 + 2);
    let distinct = |a: &Vec<f64>| masks.iter().filter(|b| *b == a).count() < masks.len() / 2;
    assert!(masks.iter().all(distinct));
    assert!(mixout::mixed(&w, &w0, p, Noise::Step { seed: 3, step: 5 }) != mixed);
    assert!(mixout::mixed(&w, &w0, p, Noise::Step { seed: 4, step: 4 }) != mixed);
    assert!(mixout::mixed(&w, &w0, p, noise) == mixed);
    assert!(mixout::mixed(&w, &w0, p, Noise::Off) == w && mixout::mixed(&w, &w0, 0.0, noise) == w);
}

/// Over 4000 steps the mean of `W'` is `W`: `W' − W` has variance `(W − W₀)² p / (1 − p)`, so with p = 1/2 the mean is
/// off by `|W − W₀| / √4000` typically; six times that is met by chance once in 10⁸.
#[test]
fn the_mean_of_mixout_is_the_weight() {
    let config = config(Family::Roberta);
    let (w, w0) = (fresh(&config, 1), fresh(&config, 2));
    let steps = 4000;
    let weight = |model: &SequenceClassifier<f64>| model.encoder.layers[1].query.weight.clone();
    let mut sum = 0.0 * weight(&w);
    for step in 0..steps {
        sum += &weight(&mixout::mixed(&w, &w0, 0.5, Noise::Step { seed: 1, step }));
    }
    let bound = 6.0 / (steps as f64).sqrt();
    let (mean, w, w0) = (sum / steps as f64, weight(&w), weight(&w0));
    for ((mean, w), w0) in mean.iter().zip(&w).zip(&w0) {
        assert!(
            (mean - w).abs() <= bound * (w - w0).abs() + 1e-12,
            "{mean} for {w}"
        );
    }
}

/// The gradient through dropout, mixout and the whole model against five-point differences of the loss, along a random
/// direction for each parameter.
#[test]
fn the_gradient_of_mixout() {
    let (p, noise, batch, pool) = (0.3, Noise::Step { seed: 3, step: 4 }, small_batch(), Pool::new());
    let targets = Targets::Classes(vec![0, 2, 1]);
    for family in [Family::Bert, Family::Roberta] {
        let config = config(family);
        let (w, w0) = (fresh(&config, 1), fresh(&config, 2));
        let forward = |w: &SequenceClassifier<f64>| {
            let mixed = mixout::mixed(w, &w0, p, noise);
            let (z, cache) = mixed.forward(&config, &batch, noise, Tokens::First, &pool);
            let (loss, dz) = classifier::loss(z.view(), &targets, &Criterion::default(), 3.0, &pool);
            (loss, mixed, dz, cache)
        };
        let mut grad = SequenceClassifier::zeros(&config);
        let (_, mixed, dz, cache) = forward(&w);
        mixed.backward(&config, &batch, dz.view(), &cache, &mut grad, &pool);
        mixout::backward(&mut grad, p, noise);
        for (i, (name, grad)) in grad.params().into_iter().enumerate() {
            let mut rng = random::stream(6, &name, 0);
            let mut draw = || random::below(&mut rng, 1 << 40) as f64 / (1_u64 << 39) as f64 - 1.0;
            let direction = grad.mapv(|_| draw());
            let moved = |t: f64| {
                let mut w = w.clone();
                w.params_mut()[i].1.scaled_add(t, &direction);
                forward(&w).0
            };
            let h = 1e-4;
            let numeric = (moved(-2.0 * h) - 8.0 * moved(-h) + 8.0 * moved(h) - moved(2.0 * h)) / (12.0 * h);
            let analytic = (&grad * &direction).sum();
            let scale = grad.mapv(|g| g * g).sum().sqrt().max(1e-4);
            let error = (analytic - numeric).abs() / scale;
            assert!(
                error <= 1e-7,
                "{name}: {analytic:e}, numeric {numeric:e}, error {error:e}"
            );
        }
    }
}

/// A step with mixout is the step with that gradient: one step of a run, against the same clipped and updated by hand.
#[test]
fn mixout_in_a_step() {
    let config = config(Family::Bert);
    let stabilisers = Stabilisers {
        mixout: 0.3,
        ..Stabilisers::default()
    };
    let mut plan = plan(3, stabilisers);
    plan.clip = ClipPolicy::none();
    let (with, records) = states(&config, plan.clone());
    plan.stabilisers.mixout = 0.0;
    let (without, others) = states(&config, plan);
    // Both begin where mixing changes nothing, so the first loss is the same, and the gradient is not.
    assert_eq!(records[0].report.loss.to_bits(), others[0].report.loss.to_bits());
    assert!(with[1].model != without[1].model && records[1].report.loss != others[1].report.loss);
    // A column that is masked has no gradient, so AdamW leaves it where it is: with p = 0.3 some are.
    let weight = |trainer: &Trainer<f64>| trainer.model.encoder.layers[0].intermediate.weight.clone();
    let moved = &weight(&with[1]) - &weight(&with[0]);
    let still = moved
        .columns()
        .into_iter()
        .filter(|c| c.iter().all(|&x| x == 0.0))
        .count();
    assert!(still > 0 && still < moved.ncols(), "{still} of {}", moved.ncols());
    let parameter = &records[0].report.clip.parameters;
    let query = parameter
        .iter()
        .find(|p| p.name.ends_with("0.intermediate.dense.weight"));
    let norm = query.expect("the weight").norm_before;
    let other = &others[0].report.clip.parameters;
    let plain = other
        .iter()
        .find(|p| p.name.ends_with("0.intermediate.dense.weight"));
    assert!(norm != plain.expect("the weight").norm_before);
}

/// `w₁ = w − lr λ (w − w₀) − s`, with the step `s` of the same run without the pull: the gradient is taken at `w`, and the
/// first step of AdamW without decay does not look at the weights. lr λ = 1/4, halved for each part from the head down.
/// Biases and LayerNorm are not pulled. A pull after the step would differ by `s / 4`, up to 2.5e-3.
#[test]
fn decay_goes_to_the_start() {
    let config = config(Family::Bert);
    let (start, model, sequences) = (fresh(&config, 2), fresh(&config, 1), sequences());
    let step = |weight_decay_to_initial| {
        let mut trainer = Trainer::new(config.clone(), model.clone(), settings());
        trainer.stabiliser.initial = Some(start.clone());
        let stabilisers = Stabilisers {
            weight_decay_to_initial,
            layerwise_lr_decay: 0.5,
            ..Stabilisers::default()
        };
        let mut run = Run::new(trainer, plan(1, stabilisers), &sequences, 0);
        run.next_step().expect("finite");
        run.trainer.model
    };
    let (pulled, plain) = (step(25.0), step(0.0));
    let weights = model.params().into_iter().zip(start.params()).zip(model.parts());
    let after = pulled.params().into_iter().zip(plain.params());
    for ((((name, w), (_, w0)), part), ((_, pulled), (_, plain))) in weights.zip(after) {
        let is_pulled = !name.ends_with("bias") && !name.contains("LayerNorm");
        let factor = 0.5_f64.powi(i32::try_from(part.below_head(2)).expect("small"));
        let rate = if is_pulled { 0.25 * factor } else { 0.0 };
        for (((w, w0), pulled), plain) in w.iter().zip(w0).zip(pulled).zip(plain) {
            let expected = w - rate * (w - w0) - (w - plain);
            assert!(
                (pulled - expected).abs() < 1e-14,
                "{name}: {pulled}, expected {expected}"
            );
        }
    }
}

/// The groups of the two-layer model, by their names: the order in which the authors' script unfreezes.
fn group(name: &str) -> usize {
    match name {
        _ if name.contains("classifier") => 0,
        _ if name.contains("LayerNorm") => 3,
        _ if name.contains("layer.1.") => 1,
        _ if name.contains("layer.0.") => 2,
        _ => 3,
    }
}

fn unfreezing(mode: UnfreezeMode, end: f64) -> Plan {
    let iterations = unfreeze::iterations(2);
    let stabilisers = Stabilisers {
        unfreezing: Some(Unfreezing { mode, iterations }),
        ..Stabilisers::default()
    };
    let plan = plan(2, stabilisers);
    let schedule = plan.schedule.ending_at(end);
    Plan { schedule, ..plan }
}

/// Four iterations of two steps: in iteration k the groups up to k move and no other, with their moments, and the report
/// of clipping has them alone.
#[test]
fn frozen_parameters_keep_their_bits() {
    for (family, mode) in [
        (Family::Bert, UnfreezeMode::Continue),
        (Family::Bert, UnfreezeMode::ContinueAsReleased),
        (Family::Roberta, UnfreezeMode::Continue),
    ] {
        let config = config(family);
        let (states, records) = states(&config, unfreezing(mode, 0.5));
        assert_eq!(records.len(), 8);
        for step in 0..8 {
            let (before, after) = (&states[step], &states[step + 1]);
            let mut clipped = records[step].report.clip.parameters.iter();
            let moved = changed(&before.model, &after.model);
            for (i, (name, _)) in before.model.params().into_iter().enumerate() {
                let trained = group(&name) <= step / 2;
                let (old, new) = (&before.optimiser.moments[i], &after.optimiser.moments[i]);
                assert_eq!(moved[i], trained, "{name} in step {step}");
                assert_eq!(new.steps, old.steps + u64::from(trained), "{name} in step {step}");
                if trained {
                    assert_eq!(clipped.next().expect("a parameter").name, name);
                } else {
                    assert_eq!(new, old, "{name} in step {step}");
                }
            }
            assert!(clipped.next().is_none());
        }
    }
}

/// The rates of the three modes with a peak of 1e-2 and two steps an iteration. Halved each time and falling by half:
/// 1, ¾; ½, ⅜; … As released, each iteration begins at the peak again. From the start: falling to 0 each time.
#[test]
fn rates_of_unfreezing() {
    let rates = |mode, end| -> Vec<f64> {
        let (_, records) = states(&config(Family::Bert), unfreezing(mode, end));
        records
            .iter()
            .map(|record| record.learning_rate * 100.0)
            .collect()
    };
    let close = |found: Vec<f64>, expected: [f64; 8]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found}, expected {expected}");
        }
    };
    let halved = [1.0, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125, 0.09375];
    close(rates(UnfreezeMode::Continue, 0.5), halved);
    let again = [1.0, 0.75, 1.0, 0.75, 1.0, 0.75, 1.0, 0.75];
    close(rates(UnfreezeMode::ContinueAsReleased, 0.5), again);
    close(
        rates(UnfreezeMode::Restart, 0.0),
        [1.0, 0.5, 1.0, 0.5, 1.0, 0.5, 1.0, 0.5],
    );
}

/// Each iteration of `Restart` begins at the start: what it has not unfrozen is there still, what it has moved as far as
/// in a run that trains these groups from its first step on.
#[test]
fn restart_begins_again() {
    let config = config(Family::Bert);
    let (states, _) = states(&config, unfreezing(UnfreezeMode::Restart, 0.0));
    let start = &states[0];
    for step in 0..8 {
        let moved = changed(&start.model, &states[step + 1].model);
        for (i, (name, _)) in start.model.params().into_iter().enumerate() {
            let trained = group(&name) <= step / 2;
            assert_eq!(moved[i], trained, "{name} in step {step}");
            let steps = if trained { step as u64 % 2 + 1 } else { 0 };
            assert_eq!(
                states[step + 1].optimiser.moments[i].steps,
                steps,
                "{name} in step {step}"
            );
        }
    }
    // The last iteration is a plain run of two steps, but for the examples and masks of steps 6 and 7.
    let sequences = sequences();
    let plain = unfreezing(UnfreezeMode::Restart, 0.0);
    let mut trainer = Trainer::new(config.clone(), fresh(&config, 1), settings());
    trainer.stabiliser.initial = Some(fresh(&config, 1));
    let mut run = Run::new(trainer, plain, &sequences, 6);
    while run.next_step().expect("finite").is_some() {}
    assert!(run.trainer.model == states[8].model);
}

/// A run that is set to any step with what it had then ends with the same bits, with everything switched on.
#[test]
fn a_run_goes_on_from_any_step() {
    let config = config(Family::Bert);
    for mode in [UnfreezeMode::Continue, UnfreezeMode::Restart] {
        let mut plan = unfreezing(mode, 0.5);
        plan.stabilisers.mixout = 0.2;
        plan.stabilisers.weight_decay_to_initial = 0.1;
        plan.stabilisers.layerwise_lr_decay = 0.9;
        let (states, _) = states(&config, plan.clone());
        let sequences = sequences();
        for step in 1..8 {
            // What a checkpoint keeps: weights, moments, the policy's memory. The start is read again.
            let mut trainer = Trainer::new(config.clone(), states[step].model.clone(), settings());
            trainer.optimiser = states[step].optimiser.clone();
            trainer.stabiliser.initial = Some(fresh(&config, 1));
            let mut run = Run::new(trainer, plan.clone(), &sequences, step);
            while run.next_step().expect("finite").is_some() {}
            assert!(run.trainer.model == states[8].model, "{mode:?} from step {step}");
            assert!(
                run.trainer.optimiser == states[8].optimiser,
                "{mode:?} from step {step}"
            );
        }
    }
}
