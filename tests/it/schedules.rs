//! Learning rates and losses against transformers and torch (`fixtures/make/schedules.py`, `cross_entropy.py`).

use crate::scratch::fixture;
use cwgnc::nn::cross_entropy::{Criterion, cross_entropy};
use cwgnc::optim::{Decay, Schedule};
use cwgnc::pool::Pool;
use ndarray::{Array2, ArrayView2};
use serde_json::Value;

fn cases(name: &str) -> Vec<Value> {
    let text = std::fs::read(fixture(name)).expect("a fixture");
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    file["cases"].as_array().expect("cases").clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().expect("numbers").iter();
    numbers.map(|x| x.as_f64().expect("a number")).collect()
}

/// Every step of every case. Both sides round a handful of operations to 2⁻⁵³, relative to the peak.
#[test]
fn every_rate_is_that_of_transformers() {
    let cases = cases("schedules.json");
    assert_eq!(cases.len(), 7 * 8 * 2 + 2);
    for case in &cases {
        let number = |key: &str| case[key].as_f64();
        let whole = |key: &str| case[key].as_u64().expect("a count") as usize;
        let decay = match case["name"].as_str().expect("a name") {
            "linear" => Decay::Linear { end: 0.0 },
            "constant" | "constant_with_warmup" => Decay::Linear { end: 1.0 },
            "cosine" => Decay::Cosine,
            "polynomial" => Decay::Polynomial {
                power: number("power").unwrap_or(1.0),
                end_rate: number("lr_end").unwrap_or(1e-7),
            },
            other => panic!("{other}"),
        };
        let schedule = Schedule {
            peak: number("peak").expect("a peak"),
            warmup_steps: whole("warmup_steps"),
            total_steps: whole("total_steps"),
            decay,
        };
        let rates = numbers(&case["rates"]);
        assert_eq!(rates.len(), schedule.total_steps);
        for (step, rate) in rates.into_iter().enumerate() {
            let ours = schedule.learning_rate(step);
            assert!(
                (ours - rate).abs() <= 1e-15 * schedule.peak,
                "{schedule:?}, step {step}: {ours:e} for {rate:e}"
            );
        }
    }
}

struct LossCase {
    logits: Array2<f64>,
    labels: Vec<usize>,
    criterion: Criterion,
    loss: f64,
    grad: Array2<f64>,
    /// Of transformers' `LabelSmoother`.
    smoother: Option<f64>,
}

fn losses() -> Vec<LossCase> {
    let matrix = |rows: &Value| {
        let rows: Vec<Vec<f64>> = rows.as_array().expect("rows").iter().map(numbers).collect();
        Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).expect("a matrix")
    };
    let cases = cases("cross_entropy.json").into_iter();
    cases
        .map(|case| LossCase {
            logits: matrix(&case["logits"]),
            labels: numbers(&case["labels"])
                .iter()
                .map(|&label| label as usize)
                .collect(),
            criterion: Criterion {
                smoothing: case["smoothing"].as_f64().expect("a number"),
                weights: case["weights"].as_array().map(|_| numbers(&case["weights"])),
            },
            loss: case["loss"].as_f64().expect("a number"),
            grad: matrix(&case["grad"]),
            smoother: case["smoother"].as_f64(),
        })
        .collect()
}

fn distance(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> f64 {
    let squares = |x: Array2<f64>| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    squares(&a - &b) / squares(b.to_owned()).max(1e-300)
}

/// Loss and gradient, of the batch at once and of its parts: however a batch is cut, the parts divide by the weights of
/// all of it, and their losses and gradients are those of the whole. `LabelSmoother` is the same formula, with the
/// smooth part summed in float32.
#[test]
fn smoothed_and_weighted_losses_are_those_of_torch() {
    let losses = losses();
    assert_eq!(losses.len(), 24);
    for case in &losses {
        let LossCase {
            logits,
            labels,
            criterion,
            ..
        } = case;
        let total = criterion.total(labels);
        for size in [1, 2, 3, 16] {
            let what = format!("{criterion:?}, {} rows in parts of {size}", labels.len());
            let (mut loss, mut grad) = (0.0, Vec::new());
            for (z, labels) in logits
                .axis_chunks_iter(ndarray::Axis(0), size)
                .zip(labels.chunks(size))
            {
                let (part, dz) = cross_entropy(z, labels, criterion, total, &Pool::new());
                loss += part;
                grad.extend(dz.iter().copied());
            }
            let grad = Array2::from_shape_vec(logits.dim(), grad).expect("a row for each");
            let error = (loss - case.loss).abs() / case.loss;
            assert!(error <= 1e-14, "{what}: loss {loss} for {}", case.loss);
            let error = distance(grad.view(), case.grad.view());
            assert!(error <= 1e-13, "{what}: gradient {error:e}");
            if let Some(smoother) = case.smoother {
                assert!((loss - smoother).abs() <= 1e-6 * loss, "{what}: {smoother}");
            }
        }
    }
}
