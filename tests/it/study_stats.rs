//! Statistics against scipy (fixtures/stats.json, made by fixtures/make/stats.py), and what must hold of any sample.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::scratch;
use cwgnc::study::stats::bootstrap::{bca, percentile, replicates};
use cwgnc::study::stats::effect::{cliffs_delta, hedges_g};
use cwgnc::study::stats::failures::{fisher, wilson};
use cwgnc::study::stats::level::{mann_whitney, welch};
use cwgnc::study::stats::paired::{paired_t, wilcoxon};
use cwgnc::study::stats::spread::brown_forsythe;
use cwgnc::study::stats::{Interval, holm, mean, sd, summary};
use proptest::prelude::*;
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_slice(&std::fs::read(scratch::fixture("stats.json")).unwrap()).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

/// Statistics agree to 1e-10, p-values to 1e-8: scipy's distribution functions and statrs' differ by about 1e-13, and
/// the deviation of equal values is 0 here and 1e-16 there.
#[track_caller]
fn same(found: f64, expected: &Value, what: &str, tolerance: f64) {
    let expected = expected
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: scipy has no finite value, found {found:e}"));
    let close = (found - expected).abs() <= tolerance * expected.abs().max(1e-300);
    assert!(
        close || found == expected,
        "{what}: {found:e}, scipy {expected:e}"
    );
}

#[test]
fn summaries_are_numpys() {
    let fixture = fixture();
    for (name, expected) in fixture["summaries"].as_object().unwrap() {
        let x = floats(&fixture["samples"][name]);
        let found = summary(&x, 0).unwrap();
        assert_eq!(found.n as u64, expected["n"].as_u64().unwrap());
        // numpy's deviation of equal values is not 0 but what the rounding of their mean leaves.
        if name != "flat" {
            same(found.sd.unwrap(), &expected["sd0"], name, 1e-12);
            same(sd(&x, 1).unwrap(), &expected["sd1"], name, 1e-12);
        }
        for (value, key) in [
            (found.mean, "mean"),
            (found.min, "min"),
            (found.q1, "q1"),
            (found.median, "median"),
            (found.q3, "q3"),
            (found.max, "max"),
        ] {
            same(value, &expected[key], &format!("{key} of {name}"), 1e-14);
        }
    }
}

#[test]
fn tests_of_two_samples_are_scipys() {
    let fixture = fixture();
    let (mut exact, mut signed, mut normal) = (0, 0, 0);
    for pair in fixture["pairs"].as_array().unwrap() {
        let name = |key: &str| pair[key].as_str().unwrap();
        let sample = |key: &str| floats(&fixture["samples"][name(key)]);
        let (x, y) = (sample("a"), sample("b"));
        let what = |test: &str| format!("{test} of {} and {}", name("a"), name("b"));

        let found = welch(&x, &y).unwrap();
        same(found.t, &pair["welch"][0], &what("t"), 1e-8);
        same(found.df, &pair["welch"][1], &what("df"), 1e-8);
        same(found.p, &pair["welch"][2], &what("Welch"), 1e-8);

        let found = mann_whitney(&x, &y).unwrap();
        exact += usize::from(found.is_exact);
        same(found.u, &pair["mann_whitney"][0], &what("U"), 0.0);
        same(found.p, &pair["mann_whitney"][1], &what("Mann-Whitney"), 1e-10);

        let n = x.len().min(y.len());
        match paired_t(&x[..n], &y[..n]) {
            Some(found) => {
                same(found.t, &pair["paired_t"][0], &what("paired t"), 1e-8);
                same(found.df, &pair["paired_t"][1], &what("df of pairs"), 0.0);
                same(found.p, &pair["paired_t"][2], &what("paired t's p"), 1e-8);
            }
            None => assert!(pair["paired_t"][0].is_null(), "{}", what("paired t")),
        }
        // Ties under the exact distribution are none of scipy's; `all_signs` has them.
        if let Some(found) = wilcoxon(&x[..n], &y[..n]).filter(|_| !pair["wilcoxon"].is_null()) {
            signed += 1;
            normal += usize::from(!found.is_exact);
            same(found.w, &pair["wilcoxon"][0], &what("signed ranks"), 0.0);
            same(found.p, &pair["wilcoxon"][1], &what("Wilcoxon"), 1e-10);
        }

        // Two values each, or equal ones: nothing varies within, and scipy divides by zero.
        match brown_forsythe(&x, &y) {
            Some(found) => {
                same(found.w, &pair["brown_forsythe"][0], &what("W"), 1e-8);
                same(found.p, &pair["brown_forsythe"][1], &what("Brown-Forsythe"), 1e-8);
            }
            None => assert!(pair["brown_forsythe"][0].is_null(), "{}", what("W")),
        }
        same(hedges_g(&x, &y).unwrap(), &pair["hedges_g"], &what("g"), 1e-10);
        same(
            cliffs_delta(&x, &y).unwrap(),
            &pair["cliffs_delta"],
            &what("delta"),
            1e-13,
        );
    }
    assert!(exact > 10, "both distributions of U were tried");
    assert!(
        normal > 0 && signed - normal > 50,
        "both distributions of W were tried"
    );
}

#[test]
fn intervals_are_scipys() {
    let fixture = fixture();
    for case in fixture["bootstrap"].as_array().unwrap() {
        let name = case["sample"].as_str().unwrap();
        let (x, replicates) = (floats(&fixture["samples"][name]), floats(&case["replicates"]));
        let statistic = |x: &[f64]| match case["statistic"].as_str() {
            Some("mean") => mean(x),
            _ => sd(x, 0).unwrap(),
        };
        for level in [0.95, 0.9] {
            let check = |found: Interval, method: &str| {
                let expected = &case[format!("{method}_{level}")];
                let what = format!("{method} interval of the {} of {name}", case["statistic"]);
                same(found.low, &expected[0], &what, 1e-11);
                same(found.high, &expected[1], &what, 1e-11);
            };
            check(percentile(&replicates, level), "percentile");
            check(bca(&x, statistic, &replicates, level).unwrap(), "bca");
        }
    }
}

#[test]
fn shares_are_scipys() {
    let fixture = fixture();
    for case in fixture["fisher"].as_array().unwrap() {
        let t: Vec<usize> = floats(&case["table"]).iter().map(|&x| x as usize).collect();
        same(
            fisher(t[0], t[1], t[2], t[3]),
            &case["p"],
            &format!("Fisher of {t:?}"),
            1e-10,
        );
    }
    for case in fixture["wilson"].as_array().unwrap() {
        let count = |key: &str| case[key].as_u64().unwrap() as usize;
        let found = wilson(count("failed"), count("n"), case["level"].as_f64().unwrap()).unwrap();
        same(found.low, &case["interval"][0], "Wilson", 1e-12);
        same(found.high, &case["interval"][1], "Wilson", 1e-12);
    }
    for case in fixture["holm"].as_array().unwrap() {
        let p: Vec<Option<f64>> = case["p"].as_array().unwrap().iter().map(Value::as_f64).collect();
        for (found, expected) in holm(&p).iter().zip(case["adjusted"].as_array().unwrap()) {
            assert_eq!(found.is_none(), expected.is_null());
            if let Some(found) = found {
                same(*found, expected, "Holm", 1e-15);
            }
        }
    }
}

/// 200 bootstrap means of a sample: the same from the same seed, others from another; their mean is that of the sample
/// within four of its standard errors, `sd / √(n · draws)`.
#[test]
fn replicates_come_from_their_seed() {
    let x: Vec<f64> = (0..20).map(f64::from).collect();
    let drawn = replicates(&x, mean, 200, 1);
    assert_eq!(drawn, replicates(&x, mean, 200, 1));
    assert_ne!(drawn, replicates(&x, mean, 200, 2));
    assert!(drawn.is_sorted());
    let error = sd(&x, 0).unwrap() / (20.0 * 200.0_f64).sqrt();
    assert!((mean(&drawn) - 9.5).abs() < 4.0 * error, "{}", mean(&drawn));
    // A mean of 20 draws varies √20 times less than one draw; 200 of them tell it to about 5 %.
    let spread = sd(&drawn, 0).unwrap() / (sd(&x, 0).unwrap() / 20.0_f64.sqrt());
    assert!((spread - 1.0).abs() < 0.2, "{spread}");
}

#[test]
fn intervals_that_are_not_defined() {
    assert_eq!(bca(&[1.0], mean, &[1.0], 0.95), None);
    assert_eq!(bca(&[1.0, 2.0], mean, &[], 0.95), None);
    assert_eq!(bca(&[1.0, 2.0], mean, &[3.0, 4.0], 0.95), None);
    let point = Interval { low: 0.5, high: 0.5 };
    assert_eq!(bca(&[0.5; 4], mean, &[0.5; 9], 0.95), Some(point));
}

/// Values with few digits, so that ties occur.
fn sample(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-40_i32..40).prop_map(|x| f64::from(x) / 8.0), sizes)
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-9),
        (a, b) => a == b,
    }
}

type Probability = fn(&[f64], &[f64]) -> Option<f64>;

/// Every test of two samples, as its p-value.
const TESTS: [(&str, Probability); 3] = [
    ("Welch", |x, y| welch(x, y).map(|test| test.p)),
    ("Mann-Whitney", |x, y| mann_whitney(x, y).map(|test| test.p)),
    ("Brown-Forsythe", |x, y| brown_forsythe(x, y).map(|test| test.p)),
];

proptest! {
    /// Shifting and scaling both samples (by a power of two, so that no rounding interferes with ties) changes no p-value.
    #[test]
    fn p_values_know_no_units(x in sample(1..12), y in sample(1..12), shift in -8_i32..8, scale in -3_i32..4) {
        let moved = |x: &[f64]| -> Vec<f64> {
            x.iter().map(|x| (x + f64::from(shift)) * f64::powi(2.0, scale)).collect()
        };
        for (name, p) in TESTS {
            prop_assert!(close(p(&x, &y), p(&moved(&x), &moved(&y))), "{}", name);
        }
        prop_assert!(close(hedges_g(&x, &y), hedges_g(&moved(&x), &moved(&y))));
        prop_assert_eq!(cliffs_delta(&x, &y), cliffs_delta(&moved(&x), &moved(&y)));
    }

    /// Exchanging the samples changes no p-value and turns the sign of an effect.
    #[test]
    fn p_values_are_symmetric(x in sample(1..12), y in sample(1..12)) {
        for (name, p) in TESTS {
            prop_assert!(close(p(&x, &y), p(&y, &x)), "{}", name);
            prop_assert!(p(&x, &y).is_none_or(|p| (0.0..=1.0).contains(&p)), "{}", name);
        }
        prop_assert!(close(hedges_g(&x, &y), hedges_g(&y, &x).map(|g| -g)));
        prop_assert!(close(cliffs_delta(&x, &y), cliffs_delta(&y, &x).map(|d| -d)));
    }

    /// The order of the runs changes nothing.
    #[test]
    fn order_does_not_matter(x in sample(2..12), y in sample(2..12), by in 0_usize..12) {
        let mut turned = x.clone();
        turned.rotate_left(by % x.len());
        for (name, p) in TESTS {
            prop_assert!(close(p(&x, &y), p(&turned, &y)), "{}", name);
        }
        let (a, b) = (summary(&x, 1).unwrap(), summary(&turned, 1).unwrap());
        prop_assert_eq!((a.min, a.q1, a.median, a.q3, a.max), (b.min, b.q1, b.median, b.q3, b.max));
        prop_assert!(close(a.sd, b.sd));
    }

    /// Fisher's test does not tell the samples apart, nor failure from success.
    #[test]
    fn fisher_is_symmetric(m in 0_usize..40, n in 0_usize..40, a in 0_usize..40, b in 0_usize..40) {
        let (a, b) = (a.min(m), b.min(n));
        let p = fisher(a, m, b, n);
        prop_assert!((0.0..=1.0).contains(&p));
        prop_assert!(close(Some(p), Some(fisher(b, n, a, m))));
        prop_assert!(close(Some(p), Some(fisher(m - a, m, n - b, n))));
    }

    /// An adjusted p-value is not below the raw one, at most m times it, and keeps the order.
    #[test]
    fn holm_adjusts_upwards(p in prop::collection::vec(0.0_f64..1.0, 1..9)) {
        let adjusted: Vec<f64> = holm(&p.iter().copied().map(Some).collect::<Vec<_>>()).into_iter().flatten().collect();
        for (i, &raw) in p.iter().enumerate() {
            prop_assert!(adjusted[i] >= raw && adjusted[i] <= (raw * p.len() as f64).min(1.0));
            for (j, &other) in p.iter().enumerate() {
                prop_assert!(raw > other || adjusted[i] <= adjusted[j]);
            }
        }
    }

    /// An interval has its ends in order, within the range of the replicates, and moves with the sample.
    #[test]
    fn intervals_move_with_the_sample(x in sample(2..12), seed in 0_u64..4) {
        let drawn = replicates(&x, mean, 60, seed);
        let wide = percentile(&drawn, 0.95);
        let narrow = percentile(&drawn, 0.5);
        prop_assert!(wide.low <= narrow.low && narrow.low <= narrow.high && narrow.high <= wide.high);
        prop_assert!(drawn[0] <= wide.low && wide.high <= drawn[59]);
        let doubled: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
        let again = replicates(&doubled, mean, 60, seed);
        let (a, b) = (bca(&x, mean, &drawn, 0.9), bca(&doubled, mean, &again, 0.9));
        prop_assert!(close(a.map(|i| 2.0 * i.low), b.map(|i| i.low)));
        prop_assert!(close(a.map(|i| 2.0 * i.high), b.map(|i| i.high)));
    }
}
