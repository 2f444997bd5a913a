//! `identify`.

use super::{BEFORE, Files, run, safetensors};

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
    assert_eq!(run(&["identify", &dir, "--blind"]).0, 1);
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
