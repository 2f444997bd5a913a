//! `pipe`: programs that are right, wrong, dead, silent or noisy. They are this program's own `answer`, and `sh`.

use super::{Files, case, exists, run};
use cwgnc::cases::Pack;
use std::process::Command;

const CWGNC: &str = env!("CARGO_BIN_EXE_cwgnc");

#[test]
fn our_own_clipping_passes_every_pack() {
    for pack in Pack::ALL {
        let files = Files::new(&format!("pipe_{pack}"));
        let save = files.path("failures");
        let flags = [
            "pipe",
            "--pack",
            pack.name(),
            "--save",
            &save,
            "--",
            CWGNC,
            "answer",
        ];
        let (code, out, err) = run(&flags);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let total = pack.cases(0).len();
        assert!(
            out.contains(&format!("{total} cases: {total} PASS")),
            "{pack}: {out}"
        );
        assert!(!exists(&save));
    }
}

/// Whatever the policy and the types, mixed ones too.
#[test]
fn our_own_clipping_passes_the_pack_of_its_policy() {
    let files = Files::new("pipe_own");
    let save = files.path("failures");
    for policy in [
        "component:*@torch",
        "component:*@exact",
        "global:*@exact,exclude=*.bias",
        "row:*@tf-norm",
        "value:*",
    ] {
        let own = [
            "pipe",
            "--policy",
            policy,
            "--dtype",
            "f16,bf16,f32,f64",
            "--count",
            "100",
        ];
        let more = ["--largest", "3000", "--save", &save, "--", CWGNC, "answer"];
        let (code, out, err) = run(&[&own[..], &more].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{policy}: {out}");
        assert!(out.contains("100 cases: 100 PASS"), "{policy}: {out}");
        assert!(!exists(&save));
    }
}

/// A fault that needs many elements keeps no more of them than it needs, and its reason.
#[test]
fn a_failure_of_the_pack_of_a_policy_is_made_small() {
    let files = Files::new("pipe_own_wrong");
    let save = files.path("failures");
    let own = [
        "pipe",
        "--policy",
        "component:0.5@exact",
        "--count",
        "40",
        "--largest",
        "500",
        "--shrink",
        "1",
    ];
    let answer = [
        "--save",
        &save,
        "--",
        CWGNC,
        "answer",
        "--policy",
        "component:0.25@exact",
    ];
    let (code, out, _) = run(&[&own[..], &answer].concat());
    assert_eq!(code, 1);
    assert!(
        out.contains(" made small: 1 tensors, 1 elements: cwgnc explain "),
        "{out}"
    );
}

#[test]
fn declining_most_is_told() {
    let files = Files::new("pipe_declined");
    let (code, _, err) = shell(&files, r"printf '\0\0\0\0\0\0\0\0'; cat > /dev/null", &[]);
    assert_eq!(code, 2);
    assert_eq!(
        err,
        "warning: 1 of 1 cases were declined and say nothing; --policy makes cases for the program's own\n"
    );
}

#[test]
fn a_wrong_program_is_told_what_it_does() {
    let files = Files::new("pipe_wrong");
    let path = files.write("case.safetensors", case("component:2.5@exact"));
    let save = files.path("failures");
    let answer = [CWGNC, "answer", "--policy", "global:2.5@exact"];
    let flags = ["pipe", "--cases", &path, "--save", &save, "--"];
    let (code, out, _) = run(&[&flags[..], &answer].concat());
    assert_eq!(code, 1);
    assert!(
        out.contains("case: POLICY: your output matches `global:2.5@exact`"),
        "{out}"
    );
    assert!(out.contains("partition global instead of component"), "{out}");
    // Two tensors of one element each are the least that tells the partitions apart.
    assert!(
        out.contains("POLICY made small: 2 tensors, 2 elements: cwgnc explain "),
        "{out}"
    );
    let (small, result) = (
        files.path("failures/case.safetensors"),
        files.path("failures/case.result.safetensors"),
    );
    let (code, out, _) = run(&["explain", &small, &result]);
    assert_eq!(code, 1);
    assert!(
        out.contains("POLICY: your output matches `global:2.5@exact`"),
        "{out}"
    );
}

fn shell(files: &Files, script: &str, more: &[&str]) -> (i32, String, String) {
    let path = files.write("case.safetensors", case("component:2.5@exact"));
    let save = files.path("failures");
    let flags = ["pipe", "--cases", &path, "--save", &save];
    run(&[&flags[..], more, &["--", "sh", "-c", script]].concat())
}

#[test]
fn a_program_that_dies() {
    let files = Files::new("pipe_dies");
    let (code, out, _) = shell(&files, "echo out of memory >&2; exit 7", &[]);
    assert_eq!(code, 1);
    assert!(
        out.starts_with("case: NO_ANSWER: the program died: exit code 7\n  its stderr:\n  out of memory\n"),
        "{out}"
    );
    assert!(exists(&files.path("failures/case.safetensors")));
    // Within an answer.
    let (code, out, _) = shell(&files, r"printf '\120\0\0\0\0\0\0\0abc'; exit 1", &[]);
    assert_eq!(code, 1);
    assert!(
        out.contains("garbage: a message of 80 bytes that ends after 3"),
        "{out}"
    );
}

#[test]
fn a_program_that_hangs() {
    let files = Files::new("pipe_hangs");
    let (code, out, _) = shell(&files, "echo thinking >&2; exec sleep 60", &["--timeout", "0.3"]);
    assert_eq!(code, 1);
    assert!(
        out.starts_with(
            "case: NO_ANSWER: the program gave no answer in 0.3 s and was ended\n  its stderr:\n  thinking\n"
        ),
        "{out}"
    );
    let (code, _, err) = shell(&files, "exit 0", &["--timeout", "0"]);
    assert_eq!(code, 2);
    assert!(err.contains("must be above 0"), "{err}");
}

#[test]
fn a_program_that_writes_garbage() {
    let files = Files::new("pipe_garbage");
    let (code, out, _) = shell(&files, "echo Loading the model...; cat > /dev/null", &[]);
    assert_eq!(code, 1);
    assert!(
        out.contains("the program wrote garbage: `Loading ` as the length of a message; is something else printed to stdout?"),
        "{out}"
    );
    assert!(out.contains("its stderr is empty"), "{out}");
    // The case itself, sent back.
    let (code, out, _) = shell(&files, "exec cat", &[]);
    assert_eq!(code, 1);
    assert!(
        out.contains("the answer: no tensor `after/…`: a result has one for each `before/…`"),
        "{out}"
    );
    // A length, and noise.
    let (code, out, _) = shell(
        &files,
        r"printf '\10\0\0\0\0\0\0\0abcdefgh'; cat > /dev/null",
        &[],
    );
    assert_eq!(code, 1);
    assert!(
        out.contains("the answer is not a valid safetensors file"),
        "{out}"
    );
}

/// A program that answers right, and then once more.
#[test]
fn an_answer_after_the_last_case() {
    let files = Files::new("pipe_surplus");
    let program = env!("CARGO_BIN_EXE_cwgnc");
    let answer = format!("'{program}' answer");
    let (code, out, _) = shell(&files, &answer, &[]);
    assert_eq!(code, 0, "{out}");
    for (more, message) in [
        (r"printf '\0\0\0\0\0\0\0\0'", "an answer to no case"),
        ("echo done", "`done\\n`, then the end"),
    ] {
        let (code, out, _) = shell(&files, &format!("{answer}; {more}"), &[]);
        assert_eq!(code, 1, "{out}");
        assert!(
            out.contains("after the last case: NO_ANSWER") && out.contains(message),
            "{out}"
        );
    }
}

#[test]
fn a_program_that_declines_everything() {
    let files = Files::new("pipe_declines");
    let (code, out, _) = shell(&files, r"printf '\0\0\0\0\0\0\0\0'; cat > /dev/null", &[]);
    assert_eq!(code, 2);
    assert_eq!(out, "case: DECLINED\n");
}

#[test]
fn no_program() {
    let files = Files::new("pipe_none");
    let path = files.write("case.safetensors", case("component:2.5@exact"));
    let (code, _, err) = run(&["pipe", "--cases", &path, "--", "/no/such/program"]);
    assert_eq!(code, 2);
    assert_eq!(
        err,
        "error: cannot start /no/such/program: No such file or directory (os error 2)\n"
    );
    assert_eq!(run(&["pipe", "--pack", "core"]).0, 2);
}

/// After three cases in a row without an answer the others are not tried.
#[test]
fn patience_ends() {
    let files = Files::new("pipe_patience");
    let save = files.path("failures");
    let flags = [
        "pipe", "--pack", "core", "--save", &save, "--shrink", "0", "--", "false",
    ];
    let (code, out, _) = run(&flags);
    assert_eq!(code, 1);
    assert!(out.contains("3 cases: 3 NO_ANSWER"), "{out}");
    assert!(
        out.ends_with("given up after 3 cases in a row without an answer\n"),
        "{out}"
    );
    assert!(!exists(&save));
}

/// The complete Python program of docs/oracle.md, with the command beside it. It needs numpy and safetensors.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn the_documents_python_program() {
    let python = std::env::var("CWGNC_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let ready = Command::new(&python)
        .args(["-c", "import numpy, safetensors.numpy"])
        .output();
    if !ready.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: {python} has no numpy and safetensors (CWGNC_PYTHON names another)");
        return;
    }
    let document = include_str!("../../../docs/oracle.md");
    let blocks = document.split("```python\n").skip(1);
    let mut programs = blocks.filter_map(|block| block.split("```").next());
    let program = programs
        .find(|block| block.contains("stdin"))
        .expect("the program");
    let files = Files::new("pipe_python");
    let program = files.write("my_clipper.py", program);
    let save = files.path("failures");
    let (code, out, err) = run(&["pipe", "--pack", "core", "--save", &save, "--", &python, &program]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(
        out.contains("137 cases: 120 DECLINED, 16 PASS, 1 RANGE"),
        "{out}{err}"
    );
    let command = ["pipe", "--policy", "component:*@torch", "--dtype", "f32"];
    let more = ["--count", "60", "--save", &save, "--", &python, &program];
    let (code, out, err) = run(&[&command[..], &more].concat());
    assert_eq!(code, 0, "{out}{err}");
}
