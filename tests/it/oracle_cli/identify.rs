//! `identify`.

use super::{BEFORE, Files, run, safetensors};
use crate::scratch::fixture;
use cwgnc::cases::file::read_plain;
use cwgnc::clip::{ClipPolicy, Rule, Statistic};
use cwgnc::oracle::{Case, infer};
use std::collections::BTreeSet;

/// TensorFlow's `clip_by_norm` of each tensor to 2.5, by hand: (x·c)/max(n, c).
fn tf_norm(files: &Files, name: &str) -> String {
    files.write(
        name,
        safetensors(
            None,
            &[
                ("a.weight", &[2], &[3.0 * 2.5 / 5.0, 4.0 * 2.5 / 5.0]),
                ("b.weight", &[2], &[0.0, 12.0 * 2.5 / 12.0]),
            ],
        ),
    )
}

#[test]
fn one_pair() {
    let files = Files::new("identify");
    let before = files.write("before.safetensors", safetensors(None, &BEFORE));
    let after = tf_norm(&files, "after.safetensors");
    let identify = |threshold: &str, format: &str| {
        run(&[
            "identify",
            "--before",
            &before,
            "--after",
            &after,
            "--threshold",
            threshold,
            "--format",
            format,
        ])
    };
    let (code, out, _) = identify("2.5", "text");
    assert_eq!(code, 0);
    assert!(out.contains("`component:2.5@tf-norm`"), "{out}");
    let (code, out, _) = identify("2.5", "json");
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let tied = json["tied"].as_u64().expect("a number") as usize;
    let ranked = json["ranked"].as_array().expect("a list");
    let named = |policy: &str| ranked[..tied].iter().any(|ranked| ranked["policy"] == policy);
    assert!(named("component:2.5@tf-norm") && !named("global:2.5"), "{json}");
    // ‖(3, 4)‖ and the like above 2.5 come down to it, and their norms say so.
    let (code, out, _) = run(&["identify", "--before", &before, "--after", &after]);
    assert_eq!(code, 0);
    assert!(
        out.starts_with("threshold 2.5, read off the norms after clipping\n"),
        "{out}"
    );
    assert!(out.contains("`component:2.5@tf-norm`"), "{out}");
    assert!(out.contains("`check`: PASS"), "{out}");
    let (code, out, _) = run(&["identify", "--before", &before, "--after", &before]);
    assert_eq!(code, 0);
    assert!(
        !out.contains("read off") && out.starts_with("every element is as it was: nothing was clipped\n"),
        "{out}"
    );
    // With a wrong threshold nothing fits.
    let (code, out, _) = identify("2", "text");
    assert_eq!(code, 1);
    assert!(out.starts_with("no known convention fits"), "{out}");
    assert_eq!(identify("2.5", "junit").0, 2);
    let (code, _, err) = identify("nan", "text");
    assert_eq!(code, 2);
    assert!(
        err.contains("invalid value 'nan' for '--threshold <C>': not a finite number"),
        "{err}"
    );
}

#[test]
fn a_folder_of_pairs() {
    let files = Files::new("identify_folder");
    files.write("p.before.safetensors", safetensors(None, &BEFORE));
    tf_norm(&files, "p.after.safetensors");
    let index = |policy: &str| {
        let line = format!(
            "{{\"pair\":\"p\",\"threshold\":2.5,\"policy\":\"{policy}\",\"library\":\"tensorflow\"}}\n"
        );
        files.write("index.jsonl", line);
    };
    let dir = files.path("");
    index("component:2.5@tf-norm");
    let (code, out, err) = run(&["identify", &dir]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("tensorflow  "), "{out}");
    index("global:2.5");
    let (code, out, _) = run(&["identify", &dir]);
    assert_eq!(code, 1);
    assert!(out.contains("p: `global:2.5` not identified; found "), "{out}");
    // A policy that is not among the usual ones is found if it is tried.
    index("component:2.5@tf-norm,exclude=c.*");
    assert_eq!(run(&["identify", &dir]).0, 0);
    let (code, out, _) = run(&["identify", &dir, "--blind"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("p: `component:2.5@tf-norm,exclude=c.*` was not tried"),
        "{out}"
    );
    index("globl:2.5");
    let (code, _, err) = run(&["identify", &dir]);
    assert_eq!(code, 2);
    assert!(
        err.contains("index.jsonl, line 1: unknown clipping policy `globl`; nearest: global"),
        "{err}"
    );
    files.write("index.jsonl", "{\"pair\":\"p\"}\n");
    let (code, _, err) = run(&["identify", &dir]);
    assert_eq!(
        (
            code,
            err.contains("line 1: no number `threshold`") || err.contains("line 1: no text `policy`")
        ),
        (2, true),
        "{err}"
    );
}

/// 50 pairs made by PyTorch, JAX, optax, TensorFlow and Keras, every function in every mode once: none is called by a
/// wrong name, with the pair's policy among the suspects and without. Blind, only an ε that is not the default one
/// cannot be known.
#[test]
fn real_pairs() {
    let dir = fixture("pairs").display().to_string();
    let mut conventions = BTreeSet::new();
    for blind in [false, true] {
        let mut args = vec!["identify", dir.as_str(), "--format", "json"];
        args.extend(blind.then_some("--blind"));
        let (code, out, err) = run(&args);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let pairs = json["pairs"].as_array().expect("pairs");
        assert_eq!(pairs.len(), 50);
        let (mut clipped, mut few) = (0, 0);
        for pair in pairs {
            let text = pair["policy"].as_str().expect("a policy");
            let policy: ClipPolicy = text.parse().expect(text);
            if let Rule::Norm { convention, .. } = policy.rule {
                conventions.insert(convention.name());
            }
            let best: Vec<&str> = pair["best"]
                .as_array()
                .expect("policies")
                .iter()
                .filter_map(|best| best.as_str())
                .collect();
            let outcome = pair["outcome"].as_str().expect("an outcome");
            match outcome {
                "named" => assert_eq!(best.len(), 1, "{pair}"),
                "tied" => assert!(best.len() > 1 && pair["tie"].is_string(), "{pair}"),
                "untried" => assert!(blind && text.contains("eps="), "{pair}"),
                _ => panic!("{pair}"),
            }
            if outcome != "untried" && !best.contains(&"none") {
                clipped += 1;
                few += usize::from(best.len() <= 20);
            }
            // This pair has elements enough to see whether they were divided.
            if text.contains("@optax-jit") {
                assert!(!best.contains(&text.replace("-jit", "").as_str()), "{pair}");
            }
        }
        // An output that differs from its input rules out most of about 250 suspects, however small the tensors are.
        assert!(clipped >= 30 && few * 2 > clipped, "{few} of {clipped}");
    }
    let expected = [
        "jax-example",
        "keras-global",
        "optax",
        "optax-example",
        "optax-jit",
        "optax-rms",
        "optax-rms-jit",
        "tf-average",
        "tf-average-graph",
        "tf-global",
        "tf-norm",
        "torch",
    ];
    assert_eq!(conventions, BTreeSet::from(expected));
}

/// The summary groups ties by their reason; it does not grow with the pairs.
#[test]
fn the_summary_is_short() {
    let dir = fixture("pairs").display().to_string();
    let (code, out, _) = run(&["identify", &dir]);
    assert_eq!(code, 0);
    assert!(out.lines().count() < 50, "{out}");
    assert!(
        out.contains("pairs tied: the output is the input, and all of them keep it"),
        "{out}"
    );
    assert!(out.lines().all(|line| line.len() < 400), "{out}");
}

/// The threshold is read off real outputs; where it cannot be, nothing wrong is named.
#[test]
fn thresholds_are_read_off_real_pairs() {
    let dir = fixture("pairs");
    let index = std::fs::read_to_string(dir.join("index.jsonl")).expect("an index");
    let mut all = 0;
    for line in index.lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let policy: ClipPolicy = row["policy"]
            .as_str()
            .expect("a policy")
            .parse()
            .expect("a policy");
        let tensors = |role: &str| {
            let name = format!("{}.{role}.safetensors", row["pair"].as_str().expect("a name"));
            read_plain(&dir.join(name)).expect("tensors")
        };
        let usual = "component:1".parse().expect("a policy");
        let usual = ClipPolicy {
            statistic: policy.statistic,
            ..usual
        };
        let (before, after) = (tensors("before"), tensors("after"));
        let changed = before.iter().zip(&after).any(|(b, a)| !b.same_bits(a));
        if !matches!(policy.rule, Rule::Norm { .. }) || policy.statistic == Statistic::Mean || !changed {
            continue;
        }
        // Digits that the elements do not have cannot be read off them.
        let truth = policy.rule.threshold().expect("a threshold");
        let narrow = row["dtype"] == "F16" || row["dtype"] == "BF16";
        if narrow || row["class"] == "none" || format!("{:e}", truth.get()).len() > 9 {
            continue;
        }
        all += 1;
        let inferred = infer(&Case::new(usual, before), &after).expect("a case");
        let best: Vec<String> = inferred
            .found
            .best()
            .iter()
            .map(|r| r.policy.to_string())
            .collect();
        assert_eq!(inferred.threshold, Some(truth), "{line}: {best:?}");
        assert!(best.contains(&policy.to_string()), "{line}: {best:?}");
    }
    assert!(all >= 10, "{all}");
}
