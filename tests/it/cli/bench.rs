//! `cwgnc bench`: what it prints follows from what it measured.

use super::{DEMO_MODEL, assert_close, cwgnc};
use serde_json::Value;

fn number(figures: &Value, key: &str) -> f64 {
    figures[key]
        .as_f64()
        .unwrap_or_else(|| panic!("`{key}` of {figures}"))
}

/// 33 examples are three batches; one and a half times makes 4.5 and so 5 steps, in each of 2 × 4 runs.
#[test]
fn figures_follow_from_each_other() {
    let model = DEMO_MODEL[1];
    let printed = cwgnc(&[
        "bench",
        "--model",
        model,
        "--rounds",
        "1",
        "--json",
        "--quiet",
        "--examples",
        "33",
        "--epochs",
        "1.5",
        "--conditions",
        "2",
        "--seeds",
        "4",
        "--threads",
        "1",
    ])
    .succeeded();
    let all: Vec<Value> = serde_json::from_str(&printed).unwrap();
    let lengths: Vec<_> = all.iter().map(|figures| figures["lengths"].as_str()).collect();
    assert_eq!(lengths, [Some("full"), Some("real")]);
    for figures in &all {
        let step = number(figures, "step_seconds");
        assert!(step > 0.0);
        assert_close(
            number(figures, "training_tokens_per_second"),
            number(figures, "tokens_per_step") / step,
            1e-12,
        );
        assert_close(
            number(figures, "share_of_peak"),
            number(figures, "flops_per_second") / number(figures, "peak_flops_per_second"),
            1e-12,
        );
        assert_close(number(figures, "run_seconds"), 5.0 * step, 1e-12);
        assert_close(number(figures, "study_seconds"), 40.0 * step, 1e-12);
        assert_eq!((&figures["threads"], &figures["rounds"]), (&1.into(), &1.into()));
        // No processor adds and multiplies more than this on one thread, nor so little.
        let peak = number(figures, "peak_flops_per_second");
        assert!((1e7..1e12).contains(&peak), "{peak:e}");
    }
}

/// The quickest bench there is.
const ONE_ROUND: [&str; 8] = [
    "bench",
    "--size",
    "tiny",
    "--lengths",
    "real",
    "--rounds",
    "1",
    "--quiet",
];

#[test]
fn a_table_with_a_row_for_each_size_and_length() {
    let printed = cwgnc(&ONE_ROUND).succeeded();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    assert!(lines[1].starts_with("model  lengths  tokens"), "{printed}");
    assert!(lines[2].starts_with("tiny   real"), "{printed}");
    assert!(lines[3].contains("2 conditions × 30 seeds"), "{printed}");
}

#[test]
fn a_study_that_never_ends() {
    let printed = cwgnc(&[&ONE_ROUND[..], &["--epochs", "1e300"]].concat()).succeeded();
    assert!(printed.contains("  endless  endless\n"), "{printed}");
}

#[test]
fn a_size_that_is_not_one() {
    let ran = cwgnc(&["bench", "--size", "tiny,huge"]);
    let problem = "invalid value 'huge' for '--size <SIZES>': one of tiny, mini, small, minilm, base, large";
    assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
}
