//! Gradual unfreezing step by step against torch's optimiser and transformers' scheduler (`fixtures/stabilisers.json`,
//! made by `fixtures/make/stabilisers.py`).

use crate::scratch::fixture;
use cwgnc::clip::ClipPolicy;
use cwgnc::optim::{AdamW, AdamWForm, AdamWSettings, ParamUpdate, Schedule};
use cwgnc::train::{Plan, Seeds, Stabilisers, UnfreezeMode, Unfreezing};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    let array = value.as_array().expect("numbers");
    array.iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn vectors(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().expect("lists").iter().map(numbers).collect()
}

#[test]
fn unfreezing_agrees_with_torch() {
    let text = std::fs::read_to_string(fixture("stabilisers.json")).expect("the fixture");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let number = |key: &str| file[key].as_f64().expect("a number");
    let (start, per_iteration) = (vectors(&file["start"]), number("steps_per_iteration") as usize);
    let settings = AdamWSettings {
        form: AdamWForm::Torch,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: number("weight_decay"),
    };
    for (key, mode, end) in [
        ("continue-as-released", UnfreezeMode::ContinueAsReleased, 0.5),
        ("restart", UnfreezeMode::Restart, 0.0),
    ] {
        let unfreezing = Unfreezing {
            mode,
            iterations: start.len(),
        };
        let warmup = number("warmup_steps") / per_iteration as f64;
        let plan = Plan {
            batch_size: 1,
            accumulation: 1,
            schedule: Schedule::new(number("peak"), warmup, per_iteration).ending_at(end),
            clip: ClipPolicy::none(),
            seeds: Seeds { order: 1, dropout: 2 },
            stabilisers: Stabilisers {
                unfreezing: Some(unfreezing),
                ..Stabilisers::default()
            },
        };
        let fresh = || AdamW::new(settings, start.iter().map(Vec::len));
        let (mut weights, mut optimiser) = (start.clone(), fresh());
        assert_eq!(plan.total_steps(), 20);
        for step in 0..plan.total_steps() {
            let iteration = step / per_iteration;
            if mode == UnfreezeMode::Restart && step.is_multiple_of(per_iteration) {
                (weights, optimiser) = (start.clone(), fresh());
            }
            let mut grads = vectors(&file["gradients"][step]);
            let factor = |group| unfreezing.group_factor(plan.schedule.peak, end, group);
            let lr = plan.learning_rate(step);
            for (group, rate) in numbers(&file[key]["rates"][step]).into_iter().enumerate() {
                let ours = lr * factor(group);
                assert!(
                    (ours - rate).abs() <= 1e-15 * rate,
                    "{key}, step {step}: {ours:e} for {rate:e}"
                );
            }
            let updates = weights.iter_mut().zip(&mut grads).enumerate();
            let update = |(group, (value, grad)): (usize, (_, _))| ParamUpdate::<f64> {
                value,
                grad,
                decay: true,
                lr_factor: factor(group),
                frozen: group > iteration,
            };
            let updates =
                updates.map(|(group, (value, grad))| update((group, (&mut value[..], &mut grad[..]))));
            optimiser.step(lr, updates.collect());
            for (found, expected) in weights.iter().zip(vectors(&file[key]["after"][step])) {
                for (found, expected) in found.iter().zip(expected) {
                    assert!(
                        (found - expected).abs() < 1e-15,
                        "{key}, step {step}: {found} for {expected}"
                    );
                }
            }
        }
    }
}
