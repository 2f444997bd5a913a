//! Metrics against scikit-learn and `SciPy` (`fixtures/make/metrics.py`) and against arithmetic by hand.

use cwgnc::data::{
    Confusion, DataError, LabelSpace, Metric, Predictions, Tally, entity_tallies, evaluate, evaluate_each,
    label_tallies, majority,
};
use cwgnc::model::Target;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

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
        let name = case["name"].as_str().expect("a name");
        tables(name, case, &predictions, &targets);
        for metric in CLASS_METRICS {
            if let Some(expected) = case["scores"].get(metric.key()) {
                same(name, metric, one(metric, &predictions, &targets), expected);
                compared += 1;
            }
        }
    }
    assert!(compared > 80, "only {compared} numbers compared");
}

const CLASS_METRICS: [Metric; 5] = [
    Metric::Accuracy,
    Metric::F1,
    Metric::F1Macro,
    Metric::F1Weighted,
    Metric::Matthews,
];

/// The confusion matrix of a case, and precision, recall, F1 and support of every class.
fn tables(name: &str, case: &Value, predictions: &Predictions, targets: &[Target]) {
    let Some(rows) = case["per_class"].as_array() else {
        return;
    };
    let confusion = Confusion::of(rows.len(), predictions, targets).expect("comparable");
    assert_eq!(json!(confusion.counts()), case["confusion"], "{name}");
    for (tally, row) in confusion.tallies().into_iter().zip(rows) {
        for (got, expected) in [tally.precision(), tally.recall(), tally.f1()].iter().zip(0..) {
            same(name, Metric::F1, *got, &row[expected]);
        }
        assert_eq!(json!(tally.actual), row[3], "{name}");
    }
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
        for metric in Metric::own(&LabelSpace::Values).iter().copied() {
            if let Some(expected) = case["scores"].get(metric.key()) {
                let name = case["name"].as_str().expect("a name");
                same(name, metric, one(metric, &predictions, &targets), expected);
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "only {compared} numbers compared");
}

/// Rows of 0 and 1 as sets of labels.
fn sets(rows: &Value) -> Vec<Vec<bool>> {
    let rows = rows.as_array().expect("rows").iter();
    let row = |row: &Value| -> Vec<bool> {
        let cells = row.as_array().expect("cells").iter();
        cells.map(|cell| cell == &json!(1)).collect()
    };
    rows.map(row).collect()
}

#[test]
fn sets_of_labels_agree_with_scikit_learn() {
    let fixture = fixture();
    let cases = fixture["labels"].as_array().expect("cases");
    assert!(cases.len() > 8, "{} cases", cases.len());
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let predictions = Predictions::Labels(sets(&case["predicted"]));
        let targets: Vec<Target> = sets(&case["actual"]).into_iter().map(Target::Labels).collect();
        let labels = case["per_class"].as_array().expect("labels");
        let names = labels.iter().enumerate().map(|(i, _)| i.to_string());
        for metric in Metric::own(&LabelSpace::Sets(names.collect())).iter().copied() {
            same(
                name,
                metric,
                one(metric, &predictions, &targets),
                &case["scores"][metric.key()],
            );
        }
        let tallies = label_tallies(&predictions, &targets).expect("sets");
        assert_eq!(tallies.len(), labels.len(), "{name}");
        for (tally, row) in tallies.into_iter().zip(labels) {
            for (got, expected) in [tally.precision(), tally.recall(), tally.f1()].iter().zip(0..) {
                same(name, Metric::F1, *got, &row[expected]);
            }
            assert_eq!(json!(tally.actual), row[3], "{name}");
        }
    }
}

/// Sentences of tags between blanks, as places among the names.
fn places(lines: &Value, names: &[String]) -> Vec<Vec<usize>> {
    let place = |tag: &str| names.iter().position(|name| name == tag).expect("a name");
    let line = |line: &Value| line.as_str().expect("a line").split(' ').map(place).collect();
    lines.as_array().expect("lines").iter().map(line).collect()
}

#[test]
fn tags_agree_with_seqeval() {
    let fixture = fixture();
    let cases = fixture["tags"].as_array().expect("cases");
    assert!(cases.len() > 12, "{} cases", cases.len());
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let texts = [&case["predicted"], &case["actual"]].map(|lines| lines.as_array().expect("lines"));
        let words = texts
            .into_iter()
            .flatten()
            .flat_map(|line| line.as_str().expect("a line").split(' '));
        let names: Vec<String> = words
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let actual = places(&case["actual"], &names);
        let tags = places(&case["predicted"], &names);
        // A word without a tag in the midst, whatever is predicted of it, changes nothing: it is left out.
        for hole in [false, true] {
            let (mut tags, mut targets) = (tags.clone(), Vec::new());
            for (predicted, actual) in tags.iter_mut().zip(&actual) {
                let mut actual: Vec<Option<usize>> = actual.iter().copied().map(Some).collect();
                if hole {
                    predicted.insert(1, 0);
                    actual.insert(1, None);
                }
                targets.push(Target::Tags(actual));
            }
            let names = names.clone();
            let space = LabelSpace::Tags(names.clone());
            let predictions = Predictions::Tags { names, tags };
            let metrics = Metric::own(&space);
            assert_eq!(metrics.len(), 4, "{name}");
            for metric in metrics.iter().copied() {
                same(
                    name,
                    metric,
                    one(metric, &predictions, &targets),
                    &case["scores"][metric.key()],
                );
            }
            let tallies = entity_tallies(&predictions, &targets).expect("tags");
            let expected = case["per_class"].as_object().expect("types");
            for (kind, row) in expected {
                let tally = tallies.get(kind).copied().unwrap_or_default();
                for (got, expected) in [tally.precision(), tally.recall(), tally.f1()].iter().zip(0..) {
                    same(name, Metric::F1, *got, &row[expected]);
                }
                assert_eq!(json!(tally.actual), row[3], "{name} {kind}");
            }
            assert_eq!(tallies.len(), expected.len(), "{name}");
        }
    }
    let other = LabelSpace::Tags(["NOUN", "VERB"].map(str::to_owned).to_vec());
    assert_eq!(Metric::own(&other), [Metric::Accuracy], "no entities");
}

/// Every set as the answer for all examples: the best of them is what `majority` says.
#[test]
fn no_constant_set_of_labels_beats_the_majority() {
    let fixture = fixture();
    for case in fixture["labels"].as_array().expect("cases") {
        let actual = sets(&case["actual"]);
        let (n, c) = (actual.len(), actual[0].len());
        if c > 5 {
            continue;
        }
        let targets: Vec<Target> = actual.into_iter().map(Target::Labels).collect();
        for metric in [Metric::F1Micro, Metric::F1Macro, Metric::SubsetAccuracy] {
            let of_set = |bits: usize| {
                let set: Vec<bool> = (0..c).map(|label| bits >> label & 1 == 1).collect();
                one(metric, &Predictions::Labels(vec![set; n]), &targets)
            };
            let best = (0..1 << c).map(of_set).fold(0.0, f64::max);
            let found = majority(metric, &targets).expect("sets");
            assert!(
                (found - best).abs() < 1e-15,
                "{} {}: {found} {best}",
                case["name"],
                metric.key()
            );
        }
    }
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
    let two = Confusion::of(2, &Predictions::Classes(vec![1]), &classes(&[1, 0]));
    assert_eq!(
        two.expect_err("lengths").to_string(),
        "1 predictions for 2 targets"
    );
    let values_for_classes = Confusion::of(2, &Predictions::Values(vec![1.0]), &classes(&[1]));
    assert_eq!(
        values_for_classes.expect_err("kinds").to_string(),
        "metric `confusion_matrix` needs classes, in predictions and targets alike"
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
    // All 2: precision 3/6, recall 1, F1 2/3, and 0 of the other two; half of the examples are of class 2.
    assert!((reach(Metric::F1Macro, &targets) - 2.0 / 9.0).abs() < 1e-15);
    assert!((reach(Metric::F1Weighted, &targets) - 1.0 / 3.0).abs() < 1e-15);
    let targets = values(&[1.0, 2.0, 3.0]);
    assert_eq!(reach(Metric::Pearson, &targets), 0.0);
    assert_eq!(reach(Metric::Spearman, &targets), 0.0);
    // The mean is off by 1, 0, 1.
    assert_eq!(reach(Metric::MeanSquaredError, &targets), 2.0 / 3.0);
    // From the median 2 of 1, 2, 9 it is 1, 0, 7; from any number between 2 and 4 of 1, 2, 4, 9 in all 10.
    assert_eq!(
        reach(Metric::MeanAbsoluteError, &values(&[9.0, 1.0, 2.0])),
        8.0 / 3.0
    );
    assert_eq!(
        reach(Metric::MeanAbsoluteError, &values(&[4.0, 9.0, 1.0, 2.0])),
        2.5
    );
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

/// Truth 0 0 1 2, predicted 0 1 1 1 of four classes. Class 0: TP 1, FN 1, F1 2/3; class 1: TP 1, FP 2, F1 2/4; class 2: FN 1,
/// F1 0; class 3 is nowhere and counts in no mean. Macro (2/3 + 1/2 + 0) / 3 = 7/18; weighted (2 · 2/3 + 1/2) / 4 = 11/24.
#[test]
fn averages_of_f1_by_hand() {
    let predictions = Predictions::Classes(vec![0, 1, 1, 1]);
    let targets = classes(&[0, 0, 1, 2]);
    assert!((one(Metric::F1Macro, &predictions, &targets) - 7.0 / 18.0).abs() < 1e-15);
    assert!((one(Metric::F1Weighted, &predictions, &targets) - 11.0 / 24.0).abs() < 1e-15);
    let confusion = Confusion::of(4, &predictions, &targets).expect("comparable");
    let rows = [[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0; 4]];
    assert_eq!(confusion.counts(), rows);
    let nowhere = confusion.tallies()[3];
    assert_eq!(nowhere, Tally::default());
    assert_eq!([nowhere.precision(), nowhere.recall(), nowhere.f1()], [0.0; 3]);
    assert_eq!(
        Confusion::from_counts(confusion.counts().to_vec()),
        Some(confusion)
    );
    assert_eq!(Confusion::from_counts(vec![vec![1, 0], vec![1]]), None);
}

/// |1 − 2| + |3 − 0| = 4, over two; two errors of 1.5 · 2^1023 have a sum beyond the type and a mean that is not.
#[test]
fn mean_absolute_error_by_hand() {
    let mae = |p: &[f64], t: &[f64]| {
        let predictions = Predictions::Values(p.to_vec());
        one(Metric::MeanAbsoluteError, &predictions, &values(t))
    };
    assert_eq!(mae(&[1.0, 3.0], &[2.0, 0.0]), 2.0);
    let far = 1.5 * 2_f64.powi(1023);
    assert_eq!(mae(&[far, -far], &[0.0, 0.0]), far);
    assert!(mae(&[f64::NAN, 1.0], &[0.0, 0.0]).is_nan());
}

/// What a file of one's own gets: the first one is what it always got, and there is no mean of unlike numbers.
#[test]
fn metrics_of_own_files() {
    let keys = |space: &LabelSpace| -> Vec<&str> {
        let metrics = Metric::own(space).iter();
        metrics.map(|metric| metric.key()).collect()
    };
    let names = |count: usize| LabelSpace::Classes((0..count).map(|i| i.to_string()).collect());
    let of_three = ["accuracy", "f1_macro", "f1_weighted", "matthews_correlation"];
    assert_eq!(keys(&names(2))[..2], ["accuracy", "f1"]);
    assert_eq!(keys(&names(2))[2..], of_three[1..]);
    assert_eq!(keys(&names(3)), of_three);
    assert_eq!(keys(&LabelSpace::Values), ["mse", "mae", "pearson", "spearmanr"]);
    let predictions = Predictions::Classes(vec![0, 1]);
    let scores = evaluate_each(Metric::own(&names(3)), &predictions, &classes(&[0, 2])).expect("comparable");
    assert_eq!(scores.iter().map(|(key, _)| *key).collect::<Vec<_>>(), of_three);
    let less_is_better: Vec<&str> = Metric::ALL
        .iter()
        .filter(|metric| !metric.more_is_better())
        .map(|metric| metric.key())
        .collect();
    assert_eq!(less_is_better, ["mse", "mae"]);
}

/// F1 of one class from its precision and recall, as textbooks have it, each counted by itself.
fn f1_of(class: usize, pairs: &[(usize, usize)]) -> f64 {
    let count = |of: &dyn Fn(usize, usize) -> bool| pairs.iter().filter(|&&(p, t)| of(p, t)).count() as f64;
    let both = count(&|p, t| p == class && t == class);
    let (predicted, actual) = (count(&|p, _| p == class), count(&|_, t| t == class));
    if both == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (both / predicted, both / actual);
    2.0 * precision * recall / (precision + recall)
}

/// Gorodkin's correlation as the covariance of two indicator matrices, summed example by example and class by class.
fn covariance(pairs: &[(usize, usize)]) -> f64 {
    let n = pairs.len() as f64;
    let is = |a: usize, b: usize| f64::from(u8::from(a == b));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for class in 0..6 {
        let x_mean = pairs.iter().map(|&(p, _)| is(p, class)).sum::<f64>() / n;
        let y_mean = pairs.iter().map(|&(_, t)| is(t, class)).sum::<f64>() / n;
        for &(p, t) in pairs {
            let (x, y) = (is(p, class) - x_mean, is(t, class) - y_mean);
            (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
        }
    }
    // The squares of indicators are far from 0 or rounding.
    if xx < 1e-9 || yy < 1e-9 {
        0.0
    } else {
        xy / (xx * yy).sqrt()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Every metric of classes against a slow twin that is written another way.
    #[test]
    fn metrics_of_classes_have_a_slow_twin(pairs in proptest::collection::vec((0_usize..6, 0_usize..6), 1..40)) {
        let predictions = Predictions::Classes(pairs.iter().map(|pair| pair.0).collect());
        let targets: Vec<Target> = pairs.iter().map(|pair| Target::Class(pair.1)).collect();
        let there: BTreeSet<usize> = pairs.iter().flat_map(|pair| [pair.0, pair.1]).collect();
        let n = pairs.len() as f64;
        let weight = |class: usize| pairs.iter().filter(|pair| pair.1 == class).count() as f64 / n;
        let expected = [
            pairs.iter().filter(|pair| pair.0 == pair.1).count() as f64 / n,
            f1_of(1, &pairs),
            there.iter().map(|&class| f1_of(class, &pairs)).sum::<f64>() / there.len() as f64,
            (0..6).map(|class| weight(class) * f1_of(class, &pairs)).sum(),
            covariance(&pairs),
        ];
        for (metric, expected) in CLASS_METRICS.into_iter().zip(expected) {
            let got = one(metric, &predictions, &targets);
            prop_assert!((got - expected).abs() < 1e-12, "{}: {} and {}", metric.key(), got, expected);
        }
        let confusion = Confusion::of(6, &predictions, &targets).expect("comparable");
        for (class, tally) in confusion.tallies().into_iter().enumerate() {
            prop_assert!((tally.f1() - f1_of(class, &pairs)).abs() < 1e-12);
            for (other, &count) in confusion.counts()[class].iter().enumerate() {
                prop_assert_eq!(count, pairs.iter().filter(|pair| **pair == (other, class)).count());
            }
        }
    }

    /// Both errors against plain sums, and the order of examples makes no difference but for rounding.
    #[test]
    fn errors_have_a_slow_twin(pairs in proptest::collection::vec((-9.0_f64..9.0, -9.0_f64..9.0), 1..30)) {
        let n = pairs.len() as f64;
        let column = |values: Vec<(f64, f64)>| {
            let predictions = Predictions::Values(values.iter().map(|pair| pair.0).collect());
            (predictions, values.iter().map(|pair| Target::Value(pair.1)).collect::<Vec<_>>())
        };
        let (p, t) = column(pairs.clone());
        let (q, u) = column(pairs.iter().rev().copied().collect());
        let mut expected = (0.0, 0.0);
        for (p, t) in &pairs {
            let error = if p > t { p - t } else { t - p };
            expected = (expected.0 + error / n, expected.1 + error * error / n);
        }
        for (metric, expected) in [(Metric::MeanAbsoluteError, expected.0), (Metric::MeanSquaredError, expected.1)] {
            prop_assert!((one(metric, &p, &t) - expected).abs() < 1e-12);
            prop_assert!((one(metric, &q, &u) - expected).abs() < 1e-12);
        }
    }
}
