//! A file that a disk has damaged is told by name when a run goes on or is read, and never becomes other numbers.

use super::files::{copy, copy_all};
use super::study::{ran, study, undisturbed};
use super::{Ran, cwgnc, demo, listing, scratch, text, trained};
use std::fs;
use std::path::{Path, PathBuf};

/// Flips a bit in a file: in its first quarter, for the log goes on after the checkpoint.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 4;
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

/// All files below a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in listing(dir) {
        let path = dir.join(name);
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The run of [`trained`], dead after its checkpoint of step 5.
fn died(dir: &Path) -> PathBuf {
    let run = dir.join("run");
    copy(trained(), &run);
    copy(&trained().join("checkpoint-5"), &run.join("checkpoint-5"));
    fs::remove_file(run.join("all_results.json")).unwrap();
    run
}

fn resume(run: &Path) -> Ran {
    demo(run, &["--num-train-epochs", "2", "--resume"])
}

/// Each file of a checkpoint, and the log above it: damaged, or gone.
#[test]
fn files_of_a_checkpoint() {
    let dir = scratch::folder("damage-checkpoint");
    let run = died(&dir);
    let checkpoint = run.join("checkpoint-5");
    let all = files(&checkpoint);
    assert!(
        all.len() >= 6 && all.contains(&checkpoint.join("checksums.json")),
        "{all:?}"
    );
    let above = run.join("log.jsonl");
    for path in all.iter().chain([&above]) {
        let is_list = path.ends_with("checksums.json");
        let whole = fs::read(path).unwrap();
        flip(path);
        let refused = resume(&run);
        // A flip in the list itself may hit a name or a hash: some file is then not what the list says.
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(refused.code, Some(1), "{name}: {}", refused.stderr);
        assert!(
            refused.stderr.contains(" is damaged: ") && (is_list || refused.stderr.contains(name)),
            "{name}: {}",
            refused.stderr
        );
        fs::remove_file(path).unwrap();
        if !is_list {
            let refused = resume(&run);
            assert!(
                refused.code == Some(1) && refused.stderr.contains(name),
                "{name}: {}",
                refused.stderr
            );
        }
        fs::write(path, whole).unwrap();
    }
    // A checkpoint of an older version has no list, and says so.
    fs::remove_file(checkpoint.join("checksums.json")).unwrap();
    resume(&run).succeeded();
    assert_eq!(
        fs::read(run.join("model.safetensors")).unwrap(),
        fs::read(trained().join("model.safetensors")).unwrap()
    );
}

/// Counters that no run can have, found by fuzzing: the next step overflowed.
#[test]
fn counters_of_a_checkpoint() {
    let dir = scratch::folder("damage-counters");
    let run = died(&dir);
    fs::remove_file(run.join("checkpoint-5/checksums.json")).unwrap();
    let state = run.join("checkpoint-5/state.json");
    let whole = fs::read_to_string(&state).unwrap();
    let name = "bert.embeddings.LayerNorm.bias";
    for (key, wrong, told) in [
        (name, "18446744073709551615", "at most the 5 of `step`"),
        (name, "6", "at most the 5 of `step`"),
        (name, "-1", "at most the 5 of `step`"),
        ("step", "18446744073709551615", "`step` is not a number of steps"),
        ("step", "9007199254740993", "`step` is not a number of steps"),
    ] {
        let changed = whole.replacen(&format!("\"{key}\": 5"), &format!("\"{key}\": {wrong}"), 1);
        assert_ne!(changed, whole);
        fs::write(&state, changed).unwrap();
        let refused = resume(&run);
        assert_eq!(refused.code, Some(1), "{key} {wrong}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("state.json") && refused.stderr.contains(told),
            "{}",
            refused.stderr
        );
    }
    fs::write(&state, whole).unwrap();
    resume(&run).succeeded();
}

/// A line of a study's journal: for the study that goes on, and for a merge.
#[test]
fn lines_of_a_journal() {
    let dir = scratch::folder("damage-journal");
    let path = dir.join("study");
    copy_all(&undisturbed().0, &path);
    let journal = path.join("journal.jsonl");
    let whole = fs::read(&journal).unwrap();
    for at in [3, whole.len() / 3, whole.len() / 2, whole.len() - 4] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&journal, &bytes).unwrap();
        let out = dir.join("out");
        let merged = cwgnc(&["study", "merge", text(&path), "--output", text(&out)]);
        for refused in [ran(study(&path, &["--resume"])), merged] {
            assert_eq!(refused.code, Some(1), "{at}: {}", refused.stderr);
            assert!(
                refused.stderr.contains("journal.jsonl line ") && refused.stderr.contains("damaged"),
                "{at}: {}",
                refused.stderr
            );
        }
        assert!(!out.exists());
    }
    // Without the line the run is repeated, to the same results.
    let rest = whole.split_inclusive(|&byte| byte == b'\n').skip(1);
    fs::write(&journal, rest.flatten().copied().collect::<Vec<u8>>()).unwrap();
    let printed = ran(study(&path, &["--resume", "--quiet"])).succeeded();
    assert_eq!(printed, undisturbed().1);
}

/// A report on a study that has not come to its end is of the runs that have ended, by the journal, and says so.
#[test]
fn a_report_before_the_end() {
    let dir = scratch::folder("damage-unfinished");
    let path = dir.join("study");
    copy_all(&undisturbed().0, &path);
    fs::remove_dir_all(path.join("report")).unwrap();
    let (journal, results) = (path.join("journal.jsonl"), path.join("results.jsonl"));
    let lines: Vec<String> = fs::read_to_string(&journal)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let report = || cwgnc(&["report", text(&path)]);
    let write = |lines: &[&String]| {
        let mut text = lines
            .iter()
            .map(|line| line.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        text.push('\n');
        fs::write(&journal, text).unwrap();
    };
    // Four of six, and no results.jsonl yet.
    fs::remove_file(&results).unwrap();
    write(&lines.iter().take(4).collect::<Vec<_>>());
    let said = report();
    let note = "the study is not finished: 4 of 6 runs have ended";
    assert!(said.stderr.contains(note), "{}", said.stderr);
    assert!(said.succeeded().contains("component-0.05"));
    let page = fs::read_to_string(path.join("report/report.md")).unwrap();
    assert!(page.contains(note), "{page}");
    assert_eq!(
        fs::read_to_string(path.join("report/runs.csv"))
            .unwrap()
            .lines()
            .count(),
        5
    );
    // Without a run of the control another condition stands in, and the report says so.
    let of = |condition: &str| -> Vec<&String> {
        let field = format!("\"condition\":\"{condition}\"");
        lines.iter().filter(|line| line.contains(&field)).collect()
    };
    write(&of("component-0.05"));
    let said = report();
    let note = "no run of the control control has ended, and component-0.05 stands in its place";
    assert!(said.stderr.contains(note), "{}", said.stderr);
    said.succeeded();
    // results.jsonl must say what the journal says.
    write(&lines.iter().collect::<Vec<_>>());
    let whole = fs::read_to_string(undisturbed().0.join("results.jsonl")).unwrap();
    fs::write(&results, whole.replacen("\"steps\":8", "\"steps\":9", 1)).unwrap();
    let refused = report();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("results.jsonl line 1: not what journal.jsonl says"),
        "{}",
        refused.stderr
    );
    // A damaged line of the journal.
    fs::write(&results, whole).unwrap();
    flip(&journal);
    let refused = report();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("damaged"), "{}", refused.stderr);
}

/// A study's own files and the logs of its runs: damaged, gone or edited, they are told by name by whatever reads them, and
/// a merge leaves nothing behind. A folder of an older version is read, and it is said what is not noticed.
#[test]
fn files_of_a_study() {
    let dir = scratch::folder("damage-study");
    let whole = &undisturbed().0;
    let log = "runs/train/control/seed-2/log.jsonl";
    for name in ["study.toml", "study.json", "checksums.json", log] {
        let part = dir.join("part");
        fs::create_dir_all(&part).unwrap();
        copy_all(whole, &part);
        flip(&part.join(name));
        let merged = dir.join("merged");
        for words in [
            vec!["report", text(&part), "--bootstrap", "20", "--quiet"],
            vec![
                "study",
                "merge",
                text(&part),
                "--quiet",
                "--output",
                text(&merged),
            ],
            vec!["study", "--resume", "--quiet", "--output", text(&part)],
        ] {
            let ran = cwgnc(&words);
            // A run that ended is not read again; what is made of it at the end is.
            assert_ne!(ran.code, Some(0), "{name} {words:?}");
            let named = ran.stderr.contains("part/study.") || ran.stderr.contains("part/checksums.json");
            let told = if name == log {
                ran.stderr.contains(&format!("part/{log}"))
            } else {
                named
            };
            assert!(told, "{name} {words:?}: {}", ran.stderr);
            assert!(!merged.exists(), "{name}");
        }
        fs::remove_dir_all(&part).unwrap();
    }
    // An edit that would be another study, with a run more to do: nothing is begun.
    let part = dir.join("part");
    fs::create_dir_all(&part).unwrap();
    copy_all(whole, &part);
    let study = part.join("study.toml");
    let edited = fs::read_to_string(&study)
        .unwrap()
        .replace("[1, 2, 3]", "[1, 2, 3, 4]");
    assert!(edited.contains("4]"), "{edited}");
    fs::write(&study, edited).unwrap();
    let refused = cwgnc(&["study", "--resume", "--quiet", "--output", text(&part)]);
    let message = "DIR/part/study.toml was changed or is damaged: checksums.json has another hash of it; put it back as it \
                   was, or begin another study in another folder";
    refused.refused(&dir, 1, message);
    assert!(!part.join("runs/train/control/seed-4").exists());
    // As an older version left it.
    fs::copy(whole.join("study.toml"), &study).unwrap();
    fs::remove_file(part.join("checksums.json")).unwrap();
    let journal = fs::read_to_string(part.join("journal.jsonl")).unwrap();
    let bare = journal
        .lines()
        .map(|line| format!("{}}}\n", line.split(",\"log\":").next().unwrap()));
    fs::write(part.join("journal.jsonl"), bare.collect::<String>()).unwrap();
    let ran = cwgnc(&["report", text(&part), "--bootstrap", "20"]);
    for said in [
        "has no checksums.json, so that damage to study.toml and study.json would not be noticed",
        "journal.jsonl has no hash of the logs of 6 runs, so that damage to them would not be noticed",
    ] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    ran.succeeded();
}
