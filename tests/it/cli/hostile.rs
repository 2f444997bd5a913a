//! Files from outside: nothing is written outside, nothing runs away, no text gives a terminal orders, and a failing check
//! says so whoever reads its output.

use super::files::{Tensor, change_config, copy_all, encode, with_demo_model};
use super::study::{ran, study, undisturbed};
use super::{cwgnc, listing, program, scratch, text};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of one tensor of zeros.
fn tensor_file(path: PathBuf, name: &str, shape: &[usize]) -> PathBuf {
    let elements: usize = shape.iter().product();
    let tensor = Tensor {
        name: name.to_owned(),
        dtype: "F32".to_owned(),
        shape: shape.to_vec(),
        bytes: vec![0; 4 * elements],
    };
    fs::write(&path, encode(&[tensor])).unwrap();
    path
}

/// A tensor without elements has no rows, however many its other axes promise.
#[test]
fn shapes_that_promise_much() {
    let dir = scratch::folder("hostile-shapes");
    let huge = 1 << 40;
    for shape in [
        &[0, huge][..],
        &[huge, 0],
        &[huge, 0, 3],
        &[1 << 20, 1 << 20, 0],
        &[0; 64],
    ] {
        let before = tensor_file(dir.join("before.safetensors"), "w", shape);
        let after = tensor_file(dir.join("after.safetensors"), "w", shape);
        let pair = ["--before", text(&before), "--after", text(&after)];
        cwgnc(&[&["identify"], &pair[..]].concat()).succeeded();
        for policy in ["row:1", "axes-0:1", "component:1", "global:1"] {
            cwgnc(&[&["check", "--policy", policy], &pair[..]].concat()).succeeded();
            let out = dir.join("out.safetensors");
            let clip = [
                "clip",
                "--policy",
                policy,
                "--grads",
                text(&before),
                "--output",
                text(&out),
            ];
            cwgnc(&clip).succeeded();
        }
    }
    for (shape, name, message) in [
        (vec![1; 65], "w".to_owned(), "`w` has 65 axes; 64 is the most"),
        (vec![1], "n".repeat(70_000), "has 70000 bytes; 4096 is the most"),
    ] {
        let file = tensor_file(dir.join("wrong.safetensors"), &name, &shape);
        for command in [
            &["identify", "--before", text(&file), "--after", text(&file)][..],
            &["clip", "--policy", "row:1", "--grads", text(&file)],
        ] {
            let refused = cwgnc(command);
            assert_eq!(refused.code, Some(2), "{command:?} {}", refused.stderr);
            assert!(refused.stderr.contains(message), "{}", refused.stderr);
        }
    }
}

/// Names that move the cursor, colour, end lines or turn the writing stand escaped, on stdout as on stderr.
#[test]
fn names_give_a_terminal_no_orders() {
    let dir = scratch::folder("hostile-names");
    let name = "\u{1b}[2J\u{1b}]0;x\u{7}\n1 case: 1 PASS\r\u{9b}31m\u{202e}";
    let before = tensor_file(dir.join("before.safetensors"), name, &[2]);
    let after = tensor_file(dir.join("after.safetensors"), "other", &[2]);
    let pair = |after: &Path| {
        ["--before", text(&before), "--after", text(after)]
            .map(str::to_owned)
            .to_vec()
    };
    let grads = vec!["--grads".to_owned(), text(&before).to_owned()];
    let policy = ["--policy".to_owned(), "component:1".to_owned()];
    for (command, files) in [
        ("check", pair(&after)),
        ("identify", pair(&after)),
        ("clip", grads),
    ] {
        let policy = if command == "identify" { &[][..] } else { &policy };
        let mut run = program();
        let ran = super::ran({
            run.arg(command).args(&files).args(policy);
            run
        });
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains("\\u{1b}[2J"), "{command}: {all}");
        let obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!all.contains(obeyed), "{command}: {all:?}");
        assert!(
            !all.lines().any(|line| line.starts_with("1 case")),
            "{command}: {all}"
        );
    }
}

/// `cwgnc check … | head -0`: the exit code is the verdict's; where the verdict cannot be told, it is 2.
#[cfg(unix)]
#[test]
fn a_reader_that_goes_takes_no_verdict_along() {
    let dir = scratch::folder("hostile-pipe");
    let before = tensor_file(dir.join("before.safetensors"), "w", &[2]);
    let after = dir.join("after.safetensors");
    let right = fs::read(&before).unwrap();
    let mut wrong = right.clone();
    *wrong.last_mut().unwrap() = 0x40;
    for format in ["text", "json", "junit", "html"] {
        for (bytes, code) in [(&right, 0), (&wrong, 1)] {
            fs::write(&after, bytes).unwrap();
            let mut command = program();
            command
                .args(["check", "--policy", "component:1", "--format", format])
                .args(["--before", text(&before), "--after", text(&after)]);
            let mut child = command
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            drop(child.stdout.take());
            assert_eq!(child.wait().unwrap().code(), Some(code), "{format}");
            if Path::new("/dev/full").exists() {
                let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
                let status = command.stdout(full).status().unwrap();
                assert_eq!(status.code(), Some(2), "{format}");
            }
        }
    }
}

/// Sizes in `config.json` that the weights are far from filling are refused before anything is allocated.
#[test]
fn sizes_that_no_weights_fill() {
    for (key, value, message) in [
        ("vocab_size", json!(1_u64 << 31), "sizes ask for "),
        ("max_position_embeddings", json!(1_u64 << 31), "sizes ask for "),
        ("intermediate_size", json!(1_u64 << 31), "sizes ask for "),
        (
            "num_hidden_layers",
            json!(1_000_000),
            "`num_hidden_layers` is 1000000, more than 10000",
        ),
        ("initializer_range", json!(1e300), "`initializer_range` is 1e300"),
    ] {
        let dir = with_demo_model(&format!("hostile-config-{key}")).join("model");
        change_config(&dir, key, value);
        let refused = cwgnc(&["inspect", text(&dir)]);
        assert_eq!(refused.code, Some(1), "{key}: {}", refused.stderr);
        assert!(refused.stderr.contains(message), "{key}: {}", refused.stderr);
    }
}

/// A study file whose nesting would end the parser's stack.
#[test]
fn study_files_of_any_depth() {
    let dir = scratch::folder("hostile-toml");
    let deep = 50_000;
    for text_of_file in [
        format!("seeds = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("seeds = {}", "[\n".repeat(deep)),
        format!("a = {}", "{a=".repeat(deep)),
        format!("[a{}]", ".a".repeat(deep)),
        format!("a{} = 1", " . a".repeat(deep)),
        format!("[[a{}]]", ".\"a\"".repeat(deep)),
        format!("x = {{a{} = 1}}", ".a".repeat(deep)),
    ] {
        let file = dir.join("study.toml");
        fs::write(&file, &text_of_file).unwrap();
        let refused = cwgnc(&[
            "study",
            "--config",
            text(&file),
            "--output",
            text(&dir.join("out")),
        ]);
        assert_eq!(refused.code, Some(2), "{}", &text_of_file[..20]);
        assert!(refused.stderr.contains("study.toml line "), "{}", refused.stderr);
    }
}

/// A pipe or a device where a file should be is refused, and not waited for.
#[cfg(unix)]
#[test]
fn pipes_in_place_of_files() {
    let dir = scratch::folder("hostile-pipes");
    let pipe = |name: &str| {
        let path = dir.join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    let (tensors, config) = (pipe("grads.safetensors"), pipe("config.json"));
    let after = pipe("after.safetensors");
    let table = pipe("train.tsv");
    let model = text(config.parent().unwrap());
    for command in [
        &["clip", "--policy", "row:1", "--grads", text(&tensors)][..],
        &[
            "check",
            "--policy",
            "row:1",
            "--before",
            text(&tensors),
            "--after",
            text(&after),
        ],
        &["inspect", model],
        &[
            "eval",
            "--model",
            "builtin:shallow",
            "--validation-file",
            text(&table),
        ],
        &["clip", "--policy", "row:1", "--grads", "/dev/zero"],
        &["clip", "--policy", "row:1", "--grads", "/dev/../dev/zero"],
        &["study", "--config", text(&tensors), "--output", "never"],
    ] {
        let refused = cwgnc(command);
        assert!(
            matches!(refused.code, Some(1 | 2)),
            "{command:?}: {}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains("it is a pipe or a device, not a file"),
            "{command:?}: {}",
            refused.stderr
        );
    }
}

/// A journal that names a run outside the study writes nothing outside, and nothing at all.
#[test]
fn a_merge_stays_in_its_folder() {
    let dir = scratch::folder("hostile-merge");
    let part = dir.join("part");
    copy_all(&undisturbed().0, &part);
    fs::create_dir_all(dir.join("secret")).unwrap();
    fs::write(dir.join("secret/key"), "mine").unwrap();
    let journal = part.join("journal.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    let first = lines.lines().next().unwrap().split_once(",\"log\"").unwrap().0;
    let out = dir.join("out");
    let merge = |part: &Path| cwgnc(&["study", "merge", text(part), "--output", text(&out)]);
    for run in ["../../secret", "/elsewhere", "train/control/seed-99", ""] {
        let (before, after) = first.split_once("\"run\":\"").unwrap();
        let (_, after) = after.split_once('"').unwrap();
        fs::write(&journal, format!("{before}\"run\":\"{run}\"{after}}}\n")).unwrap();
        let refused = merge(&part);
        assert_eq!(refused.code, Some(1), "{run}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("is not in the study"),
            "{run}: {}",
            refused.stderr
        );
        assert_eq!(listing(&dir), ["part", "secret"]);
        assert_eq!(listing(&dir.join("secret")), ["key"]);
    }
    // A link in a run's folder leads out of it.
    fs::write(&journal, &lines).unwrap();
    #[cfg(unix)]
    {
        let link = part.join("runs/train/control/seed-1/more.json");
        std::os::unix::fs::symlink(dir.join("secret/key"), &link).unwrap();
        let refused = merge(&part);
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(refused.stderr.contains("a symbolic link"), "{}", refused.stderr);
        fs::remove_file(link).unwrap();
    }
    // A folder that only looks like what a merge left is somebody's.
    let theirs = dir.join("theirs");
    fs::create_dir_all(theirs.join("runs/mine")).unwrap();
    for (name, text_of_file) in [("merging", "my notes"), ("results.jsonl", "mine")] {
        fs::write(theirs.join(name), text_of_file).unwrap();
    }
    // First what is there is ours by name and the mark is not, then the other way round.
    for (mark, more) in [
        ("my notes", &[][..]),
        ("cwgnc study merge works here\n", &["thesis.tex"]),
    ] {
        fs::write(theirs.join("merging"), mark).unwrap();
        for name in more {
            fs::write(theirs.join(name), "mine").unwrap();
        }
        let refused = cwgnc(&["study", "merge", text(&part), "--output", text(&theirs)]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains("is not empty"), "{}", refused.stderr);
        assert_eq!(
            listing(&theirs),
            [&["merging", "results.jsonl", "runs"], more].concat()
        );
        assert_eq!(listing(&theirs.join("runs")), ["mine"]);
    }
    // What that merge left is no study; the next one replaces it.
    assert!(!out.join("study.toml").exists());
    merge(&part).succeeded();
    assert!(!out.join("merging").exists());
    let again = merge(&part);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    // Killed in its report, it left its mark, and is repeated.
    let whole = listing(&out);
    fs::write(out.join("merging"), "cwgnc study merge works here\n").unwrap();
    fs::remove_file(out.join("report/report.html")).unwrap();
    merge(&part).succeeded();
    assert_eq!(listing(&out), whole);
    assert!(out.join("report/report.html").exists());
    // Once a study goes on in the folder, it is no merge's any more.
    fs::write(out.join("merging"), "cwgnc study merge works here\n").unwrap();
    cwgnc(&["study", "--resume", "--quiet", "--output", text(&out)]).succeeded();
    let again = merge(&part);
    assert!(
        again.code == Some(2) && again.stderr.contains("holds a study"),
        "{}",
        again.stderr
    );
    // A merge of another study that was killed in its report keeps its runs.
    fs::write(out.join("merging"), "cwgnc study merge works here\n").unwrap();
    let journal = out.join("journal.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    assert!(!lines.is_empty());
    let empty = dir.join("empty");
    fs::create_dir_all(&empty).unwrap();
    for name in ["study.toml", "study.json", "checksums.json"] {
        fs::copy(part.join(name), empty.join(name)).unwrap();
    }
    let refused = cwgnc(&["study", "merge", text(&empty), "--output", text(&out)]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("of another merge"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(&journal).unwrap(), lines);
    // What is merged is no output.
    let refused = cwgnc(&["study", "merge", text(&part), "--output", text(&part)]);
    assert!(
        refused.code == Some(2) && refused.stderr.contains("cannot be --output too"),
        "{}",
        refused.stderr
    );
}

/// A merge that is killed at any moment can be repeated, and ends with the whole study.
#[test]
fn a_merge_that_is_killed() {
    let dir = scratch::folder("hostile-merge-killed");
    let (part, out) = (&undisturbed().0, dir.join("out"));
    let merge = || {
        let mut command = program();
        command.args(["study", "merge", "--quiet", text(part), "--output", text(&out)]);
        command
    };
    let start = std::time::Instant::now();
    ran(merge()).succeeded();
    let time = start.elapsed();
    let whole = fs::read(out.join("results.jsonl")).unwrap();
    for share in 1..8 {
        fs::remove_dir_all(&out).unwrap();
        let mut child = merge()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(time * share / 8);
        child.kill().unwrap();
        child.wait().unwrap();
        let resumed = ran(study(&out, &["--resume", "--quiet"]));
        if out.join("study.toml").exists() {
            resumed.succeeded();
        } else {
            assert_eq!(resumed.code, Some(2), "{}", resumed.stderr);
            ran(merge()).succeeded();
        }
        assert_eq!(fs::read(out.join("results.jsonl")).unwrap(), whole, "{share}/8");
        assert_eq!(
            listing(&out.join("runs/train/control/seed-3")).len(),
            5,
            "{share}/8"
        );
    }
}

/// A study's `study.json` without what it must say.
#[test]
fn study_json_without_its_keys() {
    let dir = scratch::folder("hostile-study-json");
    let path = dir.join("study");
    copy_all(&undisturbed().0, &path);
    // Else its hash tells that it is another file, whatever it says.
    fs::remove_file(path.join("checksums.json")).unwrap();
    for text_of_file in [
        "{}",
        "{\"format\":1}",
        "[]",
        "{\"format\":\"x\",\"cwgnc_version\":3}",
    ] {
        fs::write(path.join("study.json"), text_of_file).unwrap();
        for refused in [
            ran(study(&path, &["--resume"])),
            cwgnc(&["study", "merge", text(&path), "--output", "never"]),
        ] {
            assert!(
                matches!(refused.code, Some(1 | 2)),
                "{text_of_file}: {}",
                refused.stderr
            );
            assert!(refused.stderr.contains("study.json"), "{}", refused.stderr);
        }
    }
}
