//! AdamW step by step against transformers 4.12.5 and torch (`fixtures/adamw.json`, made by `fixtures/make/adamw.py`).

use crate::scratch::fixture;
use cwgnc::optim::{AdamW, AdamWForm, AdamWSettings, ParamUpdate};
use cwgnc::real::Real;
use serde_json::Value;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Both sides round each operation, in f64 about ten a step, to 2⁻⁵³ ≈ 1e-16, in f32 to 2⁻²⁴ ≈ 6e-8, of weights near 1.
const F64: f64 = 1e-14;
const F32: f64 = 1e-6;

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("numbers")
        .iter()
        .map(|x| x.as_f64().expect("a number"))
        .collect()
}

fn check<T: Real>(file: &Value, run: &Value, tolerance: f64) {
    let number = |key: &str| run[key].as_f64().expect("a number");
    let form = match run["optimizer"].as_str() {
        Some("hf") => AdamWForm::HuggingFace {
            correct_bias: run["correct_bias"].as_bool().expect("a flag"),
        },
        Some("torch") => AdamWForm::Torch,
        other => panic!("optimizer {other:?}"),
    };
    let settings = AdamWSettings {
        form,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: number("eps"),
        weight_decay: number("weight_decay"),
    };
    let tensor = |value: &Value| -> Vec<T> { numbers(value).into_iter().map(T::of).collect() };
    let mut weights: Vec<Vec<T>> = NAMES.iter().map(|name| tensor(&file["start"][name])).collect();
    let mut optimiser = AdamW::new(settings, weights.iter().map(Vec::len));
    let steps = numbers(&file["learning_rates"]);
    for (step, lr) in steps.into_iter().enumerate() {
        let mut grads: Vec<Vec<T>> = NAMES
            .iter()
            .map(|name| tensor(&file["gradients"][step][name]))
            .collect();
        let params = weights.iter_mut().zip(&mut grads);
        optimiser.step(
            lr,
            params
                .map(|(value, grad)| ParamUpdate {
                    value,
                    grad,
                    decay: true,
                    lr_factor: 1.0,
                    frozen: false,
                })
                .collect(),
        );
        for (name, weights) in NAMES.iter().zip(&weights) {
            for (got, expected) in weights.iter().zip(numbers(&run["after"][step][name])) {
                let error = (got.widen() - expected).abs();
                assert!(
                    error <= tolerance,
                    "{run:.80}: step {step}, {name}: {got} for {expected}, off by {error:e}"
                );
            }
        }
    }
}

#[test]
fn adamw_agrees_with_its_sources() {
    let text = std::fs::read_to_string(fixture("adamw.json")).expect("the fixture");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let runs = file["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 24);
    for run in runs {
        match run["dtype"].as_str() {
            Some("f64") => check::<f64>(&file, run, F64),
            Some("f32") => check::<f32>(&file, run, F32),
            other => panic!("dtype {other:?}"),
        }
    }
}
