//! The program without a command: a small study that needs no file.

use super::{cwgnc, object, program, ran, scratch, text};
use serde_json::Value;
use std::fs;

/// From any folder: two runs, a table, a page; and again it only prints what is there.
#[test]
fn quick() {
    let folder = scratch::folder("cli-first");
    let mut command = program();
    command.current_dir(&folder).arg("--quick");
    let first = ran(command);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    for part in [
        "cwgnc study --preset paper",
        "--output runs/quick",
        "\nIt writes to /",
        "2 of 2 runs to do",
        "Next:",
        "runs/quick/report/report.html",
    ] {
        assert!(first.stderr.contains(part), "{part}: {}", first.stderr);
    }
    assert!(
        first.stdout.contains("control") && first.stdout.contains("component-0.05"),
        "{}",
        first.stdout
    );
    let records = fs::read_to_string(folder.join("runs/quick/results.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 2);
    assert_eq!(
        object(&folder.join("runs/quick/study.json"))["model_files"]
            .as_object()
            .unwrap()
            .len(),
        4
    );

    let mut command = program();
    command
        .current_dir(&folder)
        .args(["--quick", "--json", "--quiet"]);
    let again = ran(command);
    assert_eq!(again.stderr, "");
    let table: Value = serde_json::from_str(&again.succeeded()).unwrap();
    assert_eq!(table[0]["conditions"].as_array().unwrap().len(), 2);
    assert_eq!(
        fs::read_to_string(folder.join("runs/quick/results.jsonl")).unwrap(),
        records
    );
}

/// The command that it shows is the command that it is.
#[test]
fn it_says_what_it_is() {
    let folder = scratch::folder("cli-first-shown");
    let (run, typed) = (folder.join("run"), folder.join("typed"));
    let first = cwgnc(&["--quick", "--output", text(&run)]);
    let line = first
        .stderr
        .lines()
        .find(|line| line.starts_with("  cwgnc study"))
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let at = words.iter().position(|word| *word == "--output").unwrap() + 1;
    assert_eq!(words[at], text(&run));
    let words = [&words[..at], &[text(&typed)], &words[at + 1..]].concat();
    assert_eq!(cwgnc(&words).succeeded(), first.stdout);
    let results = |run: &std::path::Path| fs::read(run.join("results.jsonl")).unwrap();
    assert!(results(&run) == results(&typed));
}

/// Its flags are none of the commands'.
#[test]
fn not_with_a_command() {
    let refused = cwgnc(&["--quick", "tasks"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("--quick"), "{}", refused.stderr);
}
