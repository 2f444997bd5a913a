//! Metrics against scikit-learn and `SciPy` (`fixtures/make/metrics.py`) and against arithmetic by hand.

use cwgnc::data::{DataError, Metric, Predictions, evaluate, majority};
use cwgnc::model::Target;
use serde_json::Value;

use crate::scratch;

/// Both sides sum a few thousand numbers of one size in f64, in another order and form: some dozen roundings.
const TOLERANCE: f64 = 1e-13;

fn classes(targets: &[usize]) -> Vec<Target> {
    targets.iter().copied().map(Target::Class).collect()
}

fn values(targets: &[f64]) -> Vec<Target> {
    targets.iter().copied().map(Target::Value).collect()
}

fn one(metric: Metric, predictions: &Predictions, targets: &[Target]) -> f64 {
    let scores = evaluate(&[metric], predictions, targets).expect("comparable");
    assert_eq!(scores.len(), 1);
    assert_eq!(scores[0].0, metric.key());
    scores[0].1
}

#[track_caller]
fn same(name: &str, metric: Metric, got: f64, expected: &Value) {
    match expected.as_f64() {
        None => assert!(got.is_nan(), "{name}, {}: {got}, expected NaN", metric.key()),
        Some(expected) => assert!(
            (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0),
            "{name}, {}: {got}, expected {expected}",
            metric.key()
        ),
    }
}

fn fixture() -> Value {
    let text = std::fs::read_to_string(scratch::fixture("metrics.json")).expect("the fixture is committed");
    serde_json::from_str(&text).expect("the fixture is JSON")
}

#[test]
fn classes_agree_with_scikit_learn() {
    let fixture = fixture();
    let mut compared = 0;
    for case in fixture["classes"].as_array().expect("cases") {
        let list = |key: &str| -> Vec<usize> {
            let numbers = case[key].as_array().expect("a list");
            numbers
                .iter()
                .map(|n| n.as_u64().expect("a class") as usize)
                .collect()
        };
        let predictions = Predictions::Classes(list("predicted"));
        let targets = classes(&list("actual"));
        for metric in [Metric::Accuracy, Metric::F1, Metric::Matthews] {
            if let Some(expected) = case["scores"].get(metric.key()) {
                let name = case["name"].as_str().expect("a name");
                same(name, metric, one(metric, &predictions, &targets), expected);
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "only {compared} numbers compared");
}

#[test]
fn values_agree_with_scipy() {
    let fixture = fixture();
    let mut compared = 0;
    for case in fixture["values"].as_array().expect("cases") {
        let list = |key: &str| -> Vec<f64> {
            let numbers = case[key].as_array().expect("a list");
            numbers.iter().map(|n| n.as_f64().expect("a number")).collect()
        };
        let predictions = Predictions::Values(list("predicted"));
        let targets = values(&list("actual"));
        for metric in [Metric::Pearson, Metric::Spearman, Metric::MeanSquaredError] {
            if let Some(expected) = case["scores"].get(metric.key()) {
                let name = case["name"].as_str().expect("a name");
                same(name, metric, one(metric, &predictions, &targets), expected);
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "only {compared} numbers compared");
}

/// TP 2, FP 1, FN 1, TN 2: accuracy 4/6, F1 4/6, Matthews (2·2 − 1·1) / √(3·3·3·3) = 1/3.
#[test]
fn a_confusion_matrix_by_hand() {
    let predictions = Predictions::Classes(vec![1, 1, 1, 0, 0, 0]);
    let targets = classes(&[1, 1, 0, 1, 0, 0]);
    assert_eq!(one(Metric::Accuracy, &predictions, &targets), 4.0 / 6.0);
    assert_eq!(one(Metric::F1, &predictions, &targets), 4.0 / 6.0);
    assert!((one(Metric::Matthews, &predictions, &targets) - 1.0 / 3.0).abs() < 1e-15);
}

/// Ranks of 10, 20, 20, 30 are 1, 2.5, 2.5, 4 and those of the targets 1, 2, 3, 4. Deviations −1.5, 0, 0, 1.5 and
/// −1.5, −0.5, 0.5, 1.5: Σ products 4.5, Σ squares 4.5 and 5, so ρ = 4.5 / √22.5 = √0.9.
#[test]
fn ranks_of_equal_values_by_hand() {
    let predictions = Predictions::Values(vec![20.0, 10.0, 30.0, 20.0]);
    let targets = values(&[2.0, 1.0, 4.0, 3.0]);
    let rho = one(Metric::Spearman, &predictions, &targets);
    assert!((rho - 0.9_f64.sqrt()).abs() < 1e-15, "{rho}");
}

/// (1 − 2)² + (3 − 0)² = 10, over two.
#[test]
fn mean_squared_error_by_hand() {
    let predictions = Predictions::Values(vec![1.0, 3.0]);
    assert_eq!(
        one(Metric::MeanSquaredError, &predictions, &values(&[2.0, 0.0])),
        5.0
    );
}

#[test]
fn several_metrics_end_in_their_mean() {
    // MRPC: accuracy 3/4; TP 1, FP 1, FN 0: F1 2/3; mean 17/24.
    let predictions = Predictions::Classes(vec![1, 1, 0, 0]);
    let scores = evaluate(
        &[Metric::Accuracy, Metric::F1],
        &predictions,
        &classes(&[1, 0, 0, 0]),
    )
    .expect("comparable");
    let keys: Vec<&str> = scores.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["accuracy", "f1", "combined_score"]);
    assert_eq!(scores[0].1, 0.75);
    assert!((scores[1].1 - 2.0 / 3.0).abs() < 1e-15);
    assert!((scores[2].1 - 17.0 / 24.0).abs() < 1e-15);
}

#[test]
fn an_undefined_correlation_is_nan_and_so_is_the_combined_score() {
    let predictions = Predictions::Values(vec![2.5; 3]);
    let targets = values(&[1.0, 2.0, 3.0]);
    let scores = evaluate(&[Metric::Pearson, Metric::Spearman], &predictions, &targets).expect("comparable");
    assert_eq!(scores.len(), 3);
    assert!(scores.iter().all(|(_, score)| score.is_nan()), "{scores:?}");
}

#[test]
fn predictions_of_a_diverged_model_are_nan_and_no_panic() {
    let targets = values(&[1.0, 2.0, 3.0]);
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let predictions = Predictions::Values(vec![1.0, odd, 0.0]);
        assert!(one(Metric::Pearson, &predictions, &targets).is_nan());
        assert!(!one(Metric::MeanSquaredError, &predictions, &targets).is_finite());
    }
    let nan = Predictions::Values(vec![1.0, f64::NAN, 0.0]);
    assert!(one(Metric::Spearman, &nan, &targets).is_nan());
    // An infinite value still has a rank: 1, 3, 2 against 1, 2, 3 is ρ = 1 − 6·2/(3·8) = 1/2.
    let infinite = Predictions::Values(vec![0.0, f64::INFINITY, 1.0]);
    assert!((one(Metric::Spearman, &infinite, &targets) - 0.5).abs() < 1e-15);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    #[track_caller]
    fn refused(metric: Metric, predictions: Predictions, targets: &[Target], text: &str) {
        let error = evaluate(&[metric], &predictions, targets).expect_err("not comparable");
        assert!(matches!(error, DataError::Score(_)));
        assert_eq!(error.to_string(), text);
    }
    refused(
        Metric::Accuracy,
        Predictions::Classes(vec![]),
        &[],
        "no examples to score",
    );
    refused(
        Metric::Accuracy,
        Predictions::Classes(vec![1]),
        &classes(&[1, 0]),
        "1 predictions for 2 targets",
    );
    refused(
        Metric::F1,
        Predictions::Values(vec![1.0]),
        &values(&[1.0]),
        "metric `f1` needs classes, in predictions and targets alike",
    );
    refused(
        Metric::Pearson,
        Predictions::Values(vec![1.0]),
        &classes(&[1]),
        "metric `pearson` needs values, in predictions and targets alike",
    );
}

/// Five examples: classes 1 1 1 0 0, then three classes, then values with mean 2.
#[test]
fn what_a_constant_answer_reaches() {
    let reach = |metric: Metric, targets: &[Target]| majority(metric, targets).expect("comparable");
    let targets = classes(&[1, 0, 1, 0, 1]);
    assert_eq!(reach(Metric::Accuracy, &targets), 3.0 / 5.0);
    // All positive: three true positives, two false ones; 2·3 / (2·3 + 2).
    assert_eq!(reach(Metric::F1, &targets), 0.75);
    assert_eq!(reach(Metric::Matthews, &targets), 0.0);
    let targets = classes(&[2, 0, 1, 2, 2, 0]);
    assert_eq!(reach(Metric::Accuracy, &targets), 3.0 / 6.0);
    // Class 1 is the positive one and is there once: 2·1 / (2·1 + 5).
    assert_eq!(reach(Metric::F1, &targets), 2.0 / 7.0);
    assert_eq!(reach(Metric::F1, &classes(&[0, 0, 2])), 0.0);
    assert_eq!(reach(Metric::Accuracy, &classes(&[0, 0])), 1.0);
    let targets = values(&[1.0, 2.0, 3.0]);
    assert_eq!(reach(Metric::Pearson, &targets), 0.0);
    assert_eq!(reach(Metric::Spearman, &targets), 0.0);
    // The mean is off by 1, 0, 1.
    assert_eq!(reach(Metric::MeanSquaredError, &targets), 2.0 / 3.0);
    for metric in [Metric::Accuracy, Metric::F1, Metric::Matthews] {
        assert!(matches!(majority(metric, &targets), Err(DataError::Score(_))));
    }
    assert!(matches!(
        majority(Metric::Pearson, &classes(&[1])),
        Err(DataError::Score(_))
    ));
    assert!(matches!(
        majority(Metric::Accuracy, &[]),
        Err(DataError::Score(_))
    ));
}

/// Values that hardly differ: 1 + i 2⁻⁵² against i is a straight line, so the correlation is 1; and against
/// i² for i = 0, 1, 2, 3 it is that of 0, 1, 2, 3: Σ (i − 3/2)(i² − 7/2) / √(5 · 49) = 15 / √245.
#[test]
fn pearson_of_nearly_constant_values() {
    let near: Vec<f64> = (0..4).map(|i| 1.0 + f64::from(i) * f64::EPSILON).collect();
    let line = [0.0, 1.0, 2.0, 3.0];
    let squares = [0.0, 1.0, 4.0, 9.0];
    let expected = 15.0 / 245_f64.sqrt();
    for scale in [1.0, 2_f64.powi(1023), 2_f64.powi(-1022), -2_f64.powi(500)] {
        let near: Vec<f64> = near.iter().map(|x| x * scale).collect();
        assert!(
            (pearson(&near, &line) - scale.signum()).abs() < 1e-15,
            "{scale:e}"
        );
    }
    assert!((pearson(&near, &squares) - expected).abs() < 1e-15);
    let far: Vec<f64> = line.iter().map(|i| 3e9 + i * 1e-6).collect();
    // In steps of 2⁻²¹ near 3e9, the differences are these multiples of it, exactly.
    let steps: Vec<f64> = far.iter().map(|x| (x - far[0]) * 2_097_152.0).collect();
    assert!((pearson(&far, &squares) - pearson(&steps, &squares)).abs() < 1e-15);
}

/// A factor changes no correlation, at either end of what `f64` holds, nor a mean that fits.
#[test]
fn values_near_the_ends_of_the_type() {
    let (p, t) = ([1.0, 2.0, 3.0, 5.0], [1.0, 3.0, 2.0, 4.0]);
    let expected = pearson(&p, &t);
    // Powers of two: 2^1021 · 5 is the largest below 2^1024, 2^-1074 the smallest there is.
    for factor in [2_f64.powi(1021), -2_f64.powi(1021), f64::from_bits(1)] {
        let far: Vec<f64> = p.iter().map(|x| x * factor).collect();
        assert!(
            (pearson(&far, &t) - factor.signum() * expected).abs() < 1e-15,
            "{factor:e}"
        );
    }
    let far = [f64::MAX, -f64::MAX, f64::MAX, -f64::MAX];
    assert!((pearson(&far, &[1.0, 0.0, 1.0, 0.0]) - 1.0).abs() < 1e-15);
    // (2^511 · 1.5)² is 1.125 · 2^1023: two of them are beyond the type, their mean is not.
    let off = 1.5 * 2_f64.powi(511);
    assert_eq!(mse(&[off, off], &[0.0, 0.0]), 1.125 * 2_f64.powi(1023));
}

fn pearson(p: &[f64], t: &[f64]) -> f64 {
    one(Metric::Pearson, &Predictions::Values(p.to_vec()), &values(t))
}

fn mse(p: &[f64], t: &[f64]) -> f64 {
    one(
        Metric::MeanSquaredError,
        &Predictions::Values(p.to_vec()),
        &values(t),
    )
}
