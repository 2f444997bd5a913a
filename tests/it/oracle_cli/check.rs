//! `check`, `expect` and `explain`.

use super::{BEFORE, Files, case, result, run, safetensors};

/// ‖a‖ = 5 to 2.5: halved; ‖b‖ = 12 to 2.5: 12·RN(2.5/12).
const A: [f32; 2] = [1.5, 2.0];
const B: [f32; 2] = [0.0, 12.0 * (2.5 / 12.0)];

fn pair(files: &Files, after: &[(&str, &[usize], &[f32])]) -> [String; 2] {
    [
        files.write("before.safetensors", safetensors(None, &BEFORE)),
        files.write("after.safetensors", safetensors(None, after)),
    ]
}

fn check(before: &str, after: &str, more: &[&str]) -> (i32, String, String) {
    let pair = ["check", "--before", before, "--after", after];
    run(&[&pair, more].concat())
}

#[test]
fn a_right_pair_passes() {
    let files = Files::new("right_pair");
    let [before, after] = pair(&files, &[("a.weight", &[2], &A), ("b.weight", &[2], &B)]);
    let (code, out, err) = check(&before, &after, &["--policy", "component:2.5@exact"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(
        files.plain(&out),
        "before.safetensors: PASS (bitwise)\n  \
           asked for `component:2.5@exact`, declared `unknown`\n  \
           component  elements  exact norm  scale                clipped  verdict\n  \
           a.weight   2         5           0.5                  yes      PASS (bitwise)\n  \
           b.weight   2         12          0.2083333283662796   yes      PASS (bitwise)\n"
            .replace("0.2083333283662796   ", "0.2083333283662796  ")
            .replace("scale                clipped", "scale               clipped")
            .replace("0.5                  yes", "0.5                 yes")
    );
}

#[test]
fn global_instead_of_component_is_named() {
    let files = Files::new("global");
    // 13 to 2.5 with one scale for both.
    let k = 2.5_f32 / 13.0;
    let after: [(&str, &[usize], &[f32]); 2] = [
        ("a.weight", &[2], &[3.0 * k, 4.0 * k]),
        ("b.weight", &[2], &[0.0, 12.0 * k]),
    ];
    let [before, after] = pair(&files, &after);
    let (code, out, _) = check(
        &before,
        &after,
        &["--policy", "component:2.5@exact", "--declared", "exact"],
    );
    assert_eq!(code, 1);
    assert!(
        out.contains("POLICY: your output matches `global:2.5@exact`"),
        "{out}"
    );
    assert!(
        out.contains("the difference: partition global instead of component"),
        "{out}"
    );
    assert!(
        out.contains("component `a.weight`, `a.weight`[0]: expected 1.49"),
        "{out}"
    );
    assert!(out.contains("got 5.769230"), "{out}");
}

#[test]
fn returned_norms_are_judged() {
    let files = Files::new("norms");
    let [before, after] = pair(&files, &[("a.weight", &[2], &A), ("b.weight", &[2], &B)]);
    let check = |json: &str| {
        let norms = files.write("norms.json", json);
        check(
            &before,
            &after,
            &[
                "--policy",
                "component:2.5@exact",
                "--declared",
                "exact",
                "--norms",
                &norms,
            ],
        )
    };
    assert_eq!(check("{\"a.weight\": 5.0, \"b.weight\": 12}").0, 0);
    // The norm after clipping, which is the usual mistake.
    let (code, out, _) = check("{\"a.weight\": 2.5}");
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("component `a.weight`, norm: expected 5e0, got 2.5e0"),
        "{out}"
    );
    assert!(
        out.contains("the gradients are right, what was returned beside them is not"),
        "{out}"
    );
    let (code, _, err) = check("{\"a.weight\": NaN}");
    assert_eq!(code, 2);
    assert!(err.contains("norms.json: not JSON"), "{err}");
    assert!(
        err.contains("a norm that is no finite number is written as a text: \"NaN\", \"inf\""),
        "{err}"
    );
    let (code, _, err) = check("{\"a.weight\": [5]}");
    assert_eq!(code, 2);
    assert_eq!(
        files.plain(&err),
        "error: norms.json: the norm of `a.weight` is [5], expected a number\n"
    );
    let (code, _, err) = check("{\"c\": 5}");
    assert_eq!(code, 2);
    assert_eq!(
        files.plain(&err),
        "error: after.safetensors: norms: not expected c\n"
    );
}

#[test]
fn a_folder_of_results() {
    let files = Files::new("folder");
    let name = |i: usize| format!("cases/{i}.safetensors");
    for i in 0..3 {
        files.write(&name(i), case("component:2.5@exact"));
    }
    files.write("results/0.safetensors", result(A, B));
    files.write("results/1.safetensors", result([3.0, 4.0], B));
    let (cases, results) = (files.path("cases"), files.path("results"));
    let check = |format: &str| {
        run(&[
            "check",
            "--cases",
            &cases,
            "--results",
            &results,
            "--format",
            format,
        ])
    };
    // 0 passes, 1 has its first component unclipped, 2 has no result.
    let (code, out, _) = check("text");
    assert_eq!(code, 1);
    assert!(out.contains("1: FAIL_LOGIC: "), "{out}");
    assert!(
        files
            .plain(&out)
            .contains("2: CANNOT_JUDGE: no result: results/2.safetensors is not there"),
        "{out}"
    );
    assert!(
        out.ends_with("3 cases: 1 PASS, 1 FAIL_LOGIC, 1 CANNOT_JUDGE\n"),
        "{out}"
    );

    let (_, json, _) = check("json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["exit_code"], 1);
    let verdicts: Vec<_> = (0..3)
        .map(|i| json["cases"][i]["verdict"].as_str().expect("a text"))
        .collect();
    assert_eq!(verdicts, ["PASS", "FAIL_LOGIC", "CANNOT_JUDGE"]);
    assert_eq!(json["cases"][1]["mismatches"][0]["tensor"], "a.weight");
    assert_eq!(
        json["cases"][0]["components"][0]["norm"],
        serde_json::json!([5.0, 5.0])
    );

    let (_, junit, _) = check("junit");
    assert!(
        junit.contains("<testsuite name=\"cwgnc\" tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"0\">"),
        "{junit}"
    );
    assert!(
        junit.contains(
            "  <testcase classname=\"case\" name=\"0\"><system-out>0: PASS (bitwise)</system-out></testcase>\n"
        ),
        "{junit}"
    );
    assert!(
        junit.contains("<failure type=\"FAIL_LOGIC\" message=\"1: FAIL_LOGIC: "),
        "{junit}"
    );

    // Without the failure nothing fails, but something cannot be judged.
    files.write("results/1.safetensors", result(A, B));
    assert_eq!(check("text").0, 2);
    files.write("results/2.safetensors", result(A, B));
    assert_eq!(check("text").0, 0);
    files.write("results/surplus.safetensors", result(A, B));
    let (code, out, _) = check("text");
    assert_eq!(code, 2);
    assert!(
        files
            .plain(&out)
            .contains("results/surplus.safetensors: a result without a case"),
        "{out}"
    );
}

#[test]
fn expect_writes_what_must_come_out() {
    let files = Files::new("expect");
    let path = files.write("case.safetensors", case("component:2.5@exact"));
    let output = files.path("expected.safetensors");
    let (code, out, err) = run(&["expect", &path, "-o", &output]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        files.plain(&out),
        "2 components, expected gradients in expected.safetensors\n"
    );
    let bytes = std::fs::read(&output).expect("the file is there");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let data = |name: &str| tensors.tensor(name).expect(name).data().to_vec();
    let bytes_of = |x: [f32; 2]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    assert_eq!(data("expected/a.weight"), bytes_of(A));
    assert_eq!(data("expected/b.weight"), bytes_of(B));
    assert_eq!(data("before/a.weight"), bytes_of([3.0, 4.0]));
    // It is a case itself, and its expected tensors are left out.
    assert_eq!(run(&["explain", &output]).0, 0);
}

#[test]
fn explain_takes_a_plain_pair() {
    let files = Files::new("explain_pair");
    let [before, after] = pair(&files, &[("a.weight", &[2], &A), ("b.weight", &[2], &B)]);
    let question = ["explain", "--before", &before, "--policy", "component:2.5@exact"];
    let (code, out, err) = run(&question);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("a.weight[0]  3       1.5"), "{out}");
    let (code, out, _) = run(&[&question[..], &["--after", &after]].concat());
    assert_eq!(code, 0);
    assert!(
        files.plain(&out).contains("after.safetensors: PASS (bitwise)\n"),
        "{out}"
    );
    let (code, _, err) = run(&["explain"]);
    assert_eq!(code, 2);
    assert!(err.contains("<CASE>"), "{err}");
}

#[test]
fn explain_shows_norms_and_distances() {
    let files = Files::new("explain");
    let path = files.write("case.safetensors", case("component:2.5@exact"));
    let (code, out, _) = run(&["explain", &path, "--declared", "exact"]);
    assert_eq!(code, 0);
    for text in [
        "case: `component:2.5@exact`",
        "declared arithmetic: exact",
        "component  elements  norm  allowed norm  threshold  scale               clipped",
        "a.weight   2         5     5             2.5        0.5                 yes",
        "a.weight[0]  3       1.5",
    ] {
        assert!(out.contains(text), "{text} in\n{out}");
    }
    let wrong = files.write(
        "wrong.safetensors",
        result([1.5, f32::from_bits(2.0_f32.to_bits() + 1)], B),
    );
    let (code, out, _) = run(&["explain", &path, &wrong, "--declared", "exact"]);
    assert_eq!(
        code, 0,
        "one rounding more is within the budget of the formula:\n{out}"
    );
    assert!(
        out.contains("`a.weight`: elements by distance: exact: 1, 1 ulp: 1"),
        "{out}"
    );
    let wrong = files.write("wrong.safetensors", result([1.5, 2.5], B));
    let (code, out, _) = run(&["explain", &path, &wrong]);
    assert_eq!(code, 1);
    assert!(out.contains("`a.weight`[1]: expected"), "{out}");
}

/// What makes a pass worth less is in the first line and in every format, and can be made a failure.
#[test]
fn nothing_to_clip_is_said() {
    let files = Files::new("nothing_to_clip");
    let [before, after] = pair(&files, &BEFORE);
    let policy = ["--policy", "component:20@exact"];
    let (code, out, _) = check(&before, &after, &policy);
    let note = "PASS (bitwise), but nothing was to be clipped: no norm is above its threshold";
    assert_eq!(code, 0);
    assert!(
        files
            .plain(&out)
            .starts_with(&format!("before.safetensors: {note}\n")),
        "{out}"
    );
    let (code, out, _) = check(&before, &after, &[&policy[..], &["--require-clipped"]].concat());
    assert_eq!(code, 1);
    assert!(out.contains("--require-clipped asks for it"), "{out}");
    let json = [&policy[..], &["--require-clipped", "--format", "json"]].concat();
    let (code, out, _) = check(&before, &after, &json);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &json["exit_code"]), (1, &1.into()));
    assert_eq!(json["cases"][0]["text"], note);
    assert_eq!(json["cases"][0]["nothing_to_clip"], true);
    let junit = [&policy[..], &["--require-clipped", "--format", "junit"]].concat();
    let (_, out, _) = check(&before, &after, &junit);
    assert!(out.contains("failures=\"1\""), "{out}");
    assert!(out.contains(note), "{out}");
    // Where something is clipped, it says nothing of the kind.
    let [before, after] = pair(&files, &[("a.weight", &[2], &A), ("b.weight", &[2], &B)]);
    let (code, out, _) = check(
        &before,
        &after,
        &["--policy", "component:2.5@exact", "--require-clipped"],
    );
    assert_eq!(code, 0, "{out}");
    assert!(!out.contains("nothing was"), "{out}");
}

/// A pattern that fits no tensor, and one file for both sides, are mistakes of the question.
#[test]
fn questions_without_sense() {
    let files = Files::new("without_sense");
    let [before, after] = pair(&files, &[("a.weight", &[2], &A), ("b.weight", &[2], &B)]);
    for policy in ["component:2.5@exact,exclude=*.bias", "global:2.5,group=c.*:1"] {
        let (code, _, err) = check(&before, &after, &["--policy", policy]);
        let pattern = if policy.starts_with('c') { "*.bias" } else { "c.*" };
        assert_eq!(code, 2, "{policy}");
        assert_eq!(
            files.plain(&err),
            format!(
                "error: before.safetensors: the pattern `{pattern}` of the policy fits no tensor; there are `a.weight`, \
                 `b.weight`\n"
            )
        );
    }
    let json = ["--policy", "component:2.5", "--format", "json"];
    let (code, out, _) = check(&before, &before, &json);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &json["cases"][0]["verdict"]), (2, &"CANNOT_JUDGE".into()));
    let (code, _, err) = check(&before, &before, &["--policy", "component:2.5"]);
    assert_eq!(code, 2);
    assert!(
        files
            .plain(&err)
            .contains("before.safetensors: one file is both before and after"),
        "{err}"
    );
    let (code, _, err) = check(
        &before,
        &after,
        &["--policy", "component:2.5", "--max-norm-error", "-1%"],
    );
    assert_eq!(code, 2);
    assert!(
        err.contains("error of a norm `-1%`: expected a share of the norm"),
        "{err}"
    );
}

/// A page with the verdict of each case, the failure at length; text from files stays text.
#[test]
fn the_report_is_a_page() {
    let files = Files::new("page");
    let tensor = |x: &[f32]| safetensors(None, &[("<b>a</b>", &[2], x)]);
    let before = files.write("before.safetensors", tensor(&[3.0, 4.0]));
    let after = files.write("after.safetensors", tensor(&[1.5, 2.1]));
    let (code, out, err) = check(
        &before,
        &after,
        &["--policy", "component:2.5@exact", "--format", "html"],
    );
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(
        out.starts_with("<!DOCTYPE html>") && out.ends_with("</html>\n"),
        "{out}"
    );
    assert!(out.contains("FAIL_LOGIC") && out.contains("elements"), "{out}");
    assert!(
        out.contains("&lt;b&gt;a&lt;/b&gt;") && !out.contains("<b>a"),
        "{out}"
    );
}
