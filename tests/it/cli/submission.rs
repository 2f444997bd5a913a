//! `cwgnc predict --split test`: the files that GLUE's server takes.

use super::{DEMO_MODEL, Ran, cwgnc, demo_dev, finetune, json_lines, listing, ran, scratch, text};
use std::fs;
use std::path::{Path, PathBuf};

/// A task's folder with train, dev and test files of a few rows, and a model that was trained on it for a step.
pub(super) fn task(
    name: &str,
    header: [&str; 2],
    labels: &[&str],
    dev: &[&str],
    test: &[&str],
) -> (PathBuf, PathBuf) {
    let dir = scratch::folder(&format!("cli-submission-{name}"));
    let data = dir.join("data");
    fs::create_dir(&data).unwrap();
    let texts = demo_dev();
    let is_pair = header[0].matches('\t').count() == 3;
    let row = |i: usize, label: Option<&str>| {
        let mut cells = vec![(2 * i + 7).to_string(), texts[i].0.clone()];
        cells.extend(is_pair.then(|| texts[i + 1].0.clone()));
        cells.extend(label.map(str::to_owned));
        cells.join("\t") + "\n"
    };
    let file = |header: &str, label: &dyn Fn(usize) -> Option<String>| -> String {
        (0..12).fold(format!("{header}\n"), |all, i| all + &row(i, label(i).as_deref()))
    };
    let labelled = file(header[0], &|i| Some(labels[i % labels.len()].to_owned()));
    for file in dev.iter().chain(&["train.tsv"]) {
        fs::write(data.join(file), &labelled).unwrap();
    }
    for name in test {
        fs::write(data.join(name), file(header[1], &|_| None)).unwrap();
    }
    let run = dir.join("run");
    let flags = ["--task", name, "--data", text(&data), "--max-steps", "1"];
    ran(finetune(&run, &[DEMO_MODEL, &flags].concat())).succeeded();
    (dir, run)
}

fn submit(dir: &Path, run: &Path, name: &str, more: &[&str]) -> Ran {
    let data = dir.join("data");
    let flags = [
        "predict",
        "--quiet",
        "--model",
        text(run),
        "--task",
        name,
        "--data",
        text(&data),
    ];
    cwgnc(&[&flags[..], &["--split", "test"], more].concat())
}

/// The index of the file, and the labels as the task spells them.
#[test]
fn one_file() {
    let header = [
        "index\tsentence1\tsentence2\tlabel",
        "index\tsentence1\tsentence2",
    ];
    let labels = ["not_entailment", "entailment"];
    let (dir, run) = task("rte", header, &labels, &["dev.tsv"], &["test.tsv"]);
    let lines = json_lines(&submit(&dir, &run, "RTE", &["--format", "jsonl", "--keep-columns"]).succeeded());
    let rows = lines.iter().map(|line| {
        let (index, label) = (&line["index"], &line["predicted_label"]);
        format!("{}\t{}\n", index.as_str().unwrap(), label.as_str().unwrap())
    });
    let expected = format!("index\tprediction\n{}", rows.collect::<String>());
    assert!(expected.starts_with("index\tprediction\n7\t") && expected.contains("\n29\t"));
    assert_eq!(submit(&dir, &run, "rte", &[]).succeeded(), expected);
    let (folder, file) = (dir.join("to/submit"), dir.join("mine.tsv"));
    assert_eq!(
        submit(&dir, &run, "rte", &["--output", text(&folder)]).succeeded(),
        ""
    );
    assert_eq!(
        submit(&dir, &run, "rte", &["--output", text(&file)]).succeeded(),
        ""
    );
    assert_eq!(listing(&folder), ["RTE.tsv"]);
    assert_eq!(fs::read_to_string(folder.join("RTE.tsv")).unwrap(), expected);
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);

    let data = dir.join("data");
    let loud = [
        "predict",
        "--model",
        text(&run),
        "--task",
        "rte",
        "--data",
        text(&data),
        "--split",
        "test",
    ];
    let said = cwgnc(&loud).stderr;
    assert!(
        said.contains("test.tsv has 12 examples, and GLUE's test set has 3000"),
        "{said}"
    );

    let test = data.join("test.tsv");
    let whole = fs::read_to_string(&test).unwrap();
    for (from, to, line, index) in [
        ("\n9\t", "\n7\t", 3, "7"),
        ("\n7\t", "\nx\t", 2, "x"),
        ("\n7\t", "\n\t", 2, ""),
    ] {
        fs::write(&test, whole.replace(from, to)).unwrap();
        let message = format!(
            "DIR/data/test.tsv line {line}: index `{index}` is not a whole number that no other row has"
        );
        submit(&dir, &run, "rte", &[]).refused(&dir, 1, &message);
    }
    // A row that lacks a cell would shift all that follow.
    fs::write(&test, whole.replacen("\n9\t", "\n9 ", 1)).unwrap();
    submit(&dir, &run, "rte", &[]).refused(&dir, 1, "DIR/data/test.tsv line 3: 2 columns, expected 3");
    fs::remove_file(&test).unwrap();
    let missing = submit(&dir, &run, "rte", &[]);
    assert!(
        missing.stderr.contains("--split test reads the task's test.tsv"),
        "{}",
        missing.stderr
    );
    let columns =
        "--split test without --format writes a submission, which has no other columns: give --format too";
    submit(&dir, &run, "rte", &["--keep-columns"]).refused(&dir, 2, columns);
}

/// MNLI has two files, and so needs a folder, before anything is computed.
#[test]
fn two_files() {
    let header = [
        "index\tsentence1\tsentence2\tgold_label",
        "index\tsentence1\tsentence2",
    ];
    let labels = ["entailment", "neutral", "contradiction"];
    let dev = ["dev_matched.tsv", "dev_mismatched.tsv"];
    let (dir, run) = task(
        "mnli",
        header,
        &labels,
        &dev,
        &["test_matched.tsv", "test_mismatched.tsv"],
    );
    let message = "the predictions of mnli are MNLI-m.tsv and MNLI-mm.tsv: give their folder with --output";
    submit(&dir, &run, "mnli", &[]).refused(&dir, 2, message);
    submit(&dir, &run, "mnli", &["--output", text(&dir.join("all.tsv"))]).refused(&dir, 2, message);
    let folder = dir.join("submission");
    submit(&dir, &run, "mnli", &["--output", text(&folder)]).succeeded();
    assert_eq!(listing(&folder), ["MNLI-m.tsv", "MNLI-mm.tsv"]);
    let [first, second] =
        ["MNLI-m.tsv", "MNLI-mm.tsv"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    // Both files have the same rows here.
    assert_eq!(first, second);
    assert_eq!(first.lines().count(), 13);
    let known = |line: &str| labels.contains(&line.split('\t').nth(1).unwrap());
    assert!(first.lines().skip(1).all(known), "{first}");
}

/// A number of STS-B, cut to the scale, and a test file with quotes that are text.
#[test]
fn numbers() {
    let header = [
        "index\tsentence1\tsentence2\tscore",
        "index\tsentence1\tsentence2",
    ];
    let (dir, run) = task(
        "stsb",
        header,
        &["5.000", "0.25", "3"],
        &["dev.tsv"],
        &["test.tsv"],
    );
    let test = dir.join("data/test.tsv");
    let quoted = fs::read_to_string(&test).unwrap().replace("the ", "\"the ");
    fs::write(&test, quoted).unwrap();
    let lines = json_lines(&submit(&dir, &run, "sts-b", &["--format", "jsonl"]).succeeded());
    let expected = lines.iter().enumerate().map(|(i, line)| {
        let value = line["value"].as_f64().unwrap().clamp(0.0, 5.0);
        format!("{}\t{value:.3}\n", 2 * i + 7)
    });
    let expected = format!("index\tprediction\n{}", expected.collect::<String>());
    assert_eq!(submit(&dir, &run, "stsb", &[]).succeeded(), expected);
}

#[test]
fn built_in_tasks_have_no_test_set() {
    let dir = scratch::folder("cli-submission-builtin");
    let message =
        "--split test cannot be used with --task builtin:entailment: a built-in task has a dev set alone";
    let flags = [
        "predict",
        "--quiet",
        "--model",
        text(super::trained()),
        "--split",
        "test",
    ];
    let task = ["--task", "builtin:entailment"];
    cwgnc(&[&flags[..], &task].concat()).refused(&dir, 2, message);
    let text = cwgnc(&[&flags[..], &["--text", "a"]].concat());
    text.refused(&dir, 2, "--split test is for a task: give --task and --data");
}
