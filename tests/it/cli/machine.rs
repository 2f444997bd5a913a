//! Machines of two kinds: those with the reference's bits, and those without.

use super::study::study;
use super::{cwgnc, json, ran, scratch, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn verify_machine() {
    let list = cwgnc(&["verify-machine", "--list"]).succeeded();
    let numbers = cwgnc::machine::REFERENCE.lines().count();
    assert_eq!(list.lines().count(), numbers);
    if !cwgnc::gemm::is_portable() {
        assert_eq!(cwgnc(&["verify-machine"]).code, Some(1));
        return;
    }
    assert_eq!(list, cwgnc::machine::REFERENCE);
    let said = cwgnc(&["verify-machine"]).succeeded();
    let expected = format!(
        "this machine gives the reference's bits: {} numbers compared in ",
        numbers + 2
    );
    assert!(said.starts_with(&expected), "{said}");
    let found: Value = serde_json::from_str(&cwgnc(&["verify-machine", "--json"]).succeeded()).unwrap();
    assert_eq!(
        (&found["same_bits"], &found["portable"]),
        (&true.into(), &true.into())
    );
    assert_eq!(found["first_difference"], Value::Null);
}

/// Makes a study's folder one of a machine of the other kind.
fn turn(folder: &Path) {
    let here = cwgnc::gemm::is_portable();
    for file in ["study.json", "journal.jsonl", "results.jsonl"] {
        let path = folder.join(file);
        let was = fs::read_to_string(&path).unwrap();
        let now = [":", ": "].iter().fold(was.clone(), |text, colon| {
            let key = format!("\"portable\"{colon}");
            text.replace(&format!("{key}{here}"), &format!("{key}{}", !here))
        });
        assert_ne!(was, now, "{file}");
        // Without the hashes, which are of the lines as they were.
        let lines = now
            .split_inclusive('\n')
            .map(|line| match line.split_once(",\"log\":") {
                Some((record, _)) => format!("{record}}}\n"),
                None => line.to_owned(),
            });
        fs::write(&path, lines.collect::<Vec<_>>().concat()).unwrap();
    }
    // Nor those of the study's files.
    fs::remove_file(folder.join("checksums.json")).unwrap();
}

/// `merge` and `--resume` refuse to put runs of both kinds together until they are told to.
#[test]
fn runs_of_both_kinds() {
    let dir = scratch::folder("mixed-machines");
    let (a, b, out) = (dir.join("a"), dir.join("b"), dir.join("out"));
    ran(study(&a, &["--shard", "1/2", "--quiet"])).succeeded();
    ran(study(&b, &["--shard", "2/2", "--quiet"])).succeeded();
    turn(&b);
    let here = cwgnc::gemm::is_portable();
    let why = |was: bool, now: bool| {
        format!(
            "portable: was {was}, now {now}: of one machine and another without fused multiply-add, whose numbers differ in \
             their last digits; --mixed-machines takes both"
        )
    };
    let merge = [
        "study",
        "merge",
        text(&a),
        text(&b),
        "--output",
        text(&out),
        "--quiet",
    ];
    cwgnc(&merge).refused(
        &dir,
        2,
        &format!("DIR/b is not of the study of DIR/a:\n  {}", why(here, !here)),
    );
    assert!(!out.exists());
    cwgnc(&[&merge[..], &["--mixed-machines"]].concat()).succeeded();
    assert_eq!(json(&out.join("study.json"))["portable"], false);
    let kinds = |folder: &Path| {
        let records = fs::read_to_string(folder.join("results.jsonl")).unwrap();
        let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["portable"].clone();
        records.lines().map(kind).collect::<Vec<_>>()
    };
    let both: Vec<Value> = [here, !here, here, !here, here, !here].map(Value::Bool).to_vec();
    assert_eq!(kinds(&out), both);

    let resume = ["study", "--resume", "--quiet", "--output", text(&b)];
    cwgnc(&resume).refused(
        &dir,
        2,
        &format!("cannot resume DIR/b: it is another study\n  {}", why(!here, here)),
    );
    cwgnc(&[&resume[..], &["--mixed-machines"]].concat()).succeeded();
    assert_eq!(kinds(&b), both);
    assert_eq!(json(&b.join("study.json"))["portable"], false);
}

/// The rest of a run may not have other last digits than its beginning.
#[test]
fn a_run_is_resumed_on_a_machine_of_its_kind() {
    let dir = scratch::folder("mixed-run");
    let out = dir.join("out");
    let flags = [
        "finetune",
        "--model",
        "fixtures/demo/model",
        "--train-file",
        "fixtures/demo/train.tsv",
        "--validation-file",
        "fixtures/demo/dev.tsv",
        "--max-train-samples",
        "32",
        "--max-steps",
        "2",
        "--quiet",
        "--output",
        text(&out),
    ];
    cwgnc(&flags).succeeded();
    let (run, here) = (out.join("run.json"), cwgnc::gemm::is_portable());
    let written = fs::read_to_string(&run).unwrap();
    let turned = written.replace(
        &format!("\"portable\": {here}"),
        &format!("\"portable\": {}", !here),
    );
    assert_ne!(turned, written);
    fs::write(&run, turned).unwrap();
    cwgnc(&[&flags[..], &["--resume"]].concat()).refused(
        &dir,
        2,
        &format!(
            "cannot resume DIR/out: it is another run\n  portable: was {}, now {here}",
            !here
        ),
    );
}

/// The program as another processor would run it, or `None`, said aloud, where there is no emulator.
#[expect(clippy::print_stderr, reason = "a test that skips must say so")]
fn emulated(processor: &str) -> Option<Command> {
    let there = Command::new("qemu-x86_64").arg("--version").output();
    if !cfg!(target_arch = "x86_64") || !there.is_ok_and(|ran| ran.status.success()) {
        eprintln!("SKIPPED: no qemu-x86_64 (of qemu-user) to run as another processor");
        return None;
    }
    let mut command = Command::new("qemu-x86_64");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["-cpu", processor, env!("CARGO_BIN_EXE_cwgnc")]);
    Some(command)
}

/// A study whose one shard was done here and the other on a Haswell (AVX2 and FMA, no AVX-512) is, merged, the study done here.
#[test]
fn shards_of_different_processors() {
    let dir = scratch::folder("emulated-shards");
    let small = [
        "study",
        "--preset",
        "paper",
        "--task",
        "builtin:similarity",
        "--model",
        "builtin:shallow",
        "--conditions",
        "control,component:0.05",
        "--seeds",
        "1,",
        "--quiet",
    ];
    let rest = [
        "--",
        "--max-train-samples",
        "16",
        "--max-eval-samples",
        "16",
        "--num-train-epochs",
        "1",
    ];
    let words = |out: &Path, shard: &[&str]| -> Vec<String> {
        let all = [&small[..], &["--output", text(out)], shard, &rest].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    let Some(mut other) = emulated("Haswell") else {
        return;
    };
    if !cwgnc::gemm::is_portable() {
        return;
    }
    let [whole, one, two, out] = ["whole", "one", "two", "out"].map(|name| dir.join(name));
    let here = |words: Vec<String>| {
        let mut command = super::program();
        command.args(words);
        ran(command).succeeded()
    };
    here(words(&whole, &[]));
    here(words(&one, &["--shard", "1/2"]));
    other.args(words(&two, &["--shard", "2/2"]));
    ran(other).succeeded();
    cwgnc(&[
        "study",
        "merge",
        text(&one),
        text(&two),
        "--output",
        text(&out),
        "--quiet",
    ])
    .succeeded();
    for file in [
        "results.jsonl",
        "study.json",
        "study.toml",
        "report/report.html",
        "report/summary.csv",
    ] {
        assert!(
            fs::read(whole.join(file)).unwrap() == fs::read(out.join(file)).unwrap(),
            "{file}"
        );
    }
}

/// A processor without fused multiply-add says so, and its numbers are marked.
#[test]
fn a_processor_that_rounds_twice() {
    let dir = scratch::folder("emulated-nehalem");
    let Some(mut command) = emulated("Nehalem") else {
        return;
    };
    let out = dir.join("out");
    command.args([
        "finetune",
        "--model",
        "fixtures/demo/model",
        "--train-file",
        "fixtures/demo/train.tsv",
        "--validation-file",
        "fixtures/demo/dev.tsv",
        "--max-train-samples",
        "16",
        "--max-eval-samples",
        "16",
        "--max-steps",
        "1",
        "--output",
        text(&out),
    ]);
    let trained = ran(command);
    let warnings = trained
        .stderr
        .matches("warning: this machine has no fused multiply-add")
        .count();
    assert_eq!(warnings, 1, "{}", trained.stderr);
    trained.succeeded();
    assert_eq!(json(&out.join("run.json"))["portable"], false);
    let mut verify = emulated("Nehalem").expect("it was there");
    verify.arg("verify-machine");
    let said = ran(verify);
    assert_eq!(said.code, Some(1));
    assert!(
        said.stdout
            .contains("first difference: product float32, [17, 600] × [600, 18]: element (0, 0) is "),
        "{}",
        said.stdout
    );
}
