//! Files of the user's own, and tasks in GLUE's layout.

use super::{DEMO_MODEL, assert_close, cwgnc, finetune, json, json_lines, object, ran, scratch, text};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Rows of `text` in a file.
fn write(dir: &Path, name: &str, rows: impl IntoIterator<Item = String>) -> String {
    let path = dir.join(name);
    let lines: String = rows.into_iter().map(|row| row + "\n").collect();
    fs::write(&path, lines).unwrap();
    text(&path).to_owned()
}

/// A few sentences of the demo's words.
fn sentences() -> Vec<String> {
    let file = fs::read_to_string(scratch::fixture("demo/train.tsv")).unwrap();
    let sentence = |line: &str| line.split('\t').next().unwrap().to_owned();
    file.lines().skip(1).take(24).map(sentence).collect()
}

/// Labels with a fraction make a regression: mean squared error, one output without a name.
#[test]
fn fractional_labels_are_a_regression() {
    let dir = scratch::folder("cli-user-regression");
    let row = |(i, text): (usize, String)| format!("{text},{}", (i as f64) / 8.0);
    let rows =
        || std::iter::once("review,label".to_owned()).chain(sentences().into_iter().enumerate().map(row));
    let file = write(&dir, "stars.csv", rows());
    let run = dir.join("run");
    let files = [
        "--train-file",
        &file,
        "--validation-file",
        &file,
        "--max-steps",
        "4",
    ];
    let printed = ran(finetune(&run, &[DEMO_MODEL, &files].concat())).succeeded();
    assert!(printed.contains("\neval_mse = "), "{printed}");
    assert_eq!(json(&run.join("config.json"))["problem_type"], "regression");
    assert_eq!(
        json(&run.join("run.json"))["labels"],
        serde_json::json!(["LABEL_0"])
    );

    let predict = [
        "predict",
        "--quiet",
        "--max-seq-length",
        "32",
        "--model",
        text(&run),
        "--file",
        &file,
    ];
    let lines = json_lines(&cwgnc(&predict).succeeded());
    let error = |(i, line): (usize, &Value)| (line["value"].as_f64().unwrap() - (i as f64) / 8.0).powi(2);
    let mse = lines.iter().enumerate().map(error).sum::<f64>() / 24.0;
    let results = object(&run.join("eval_results.json"));
    assert_close(results["eval_mse"].as_f64().unwrap(), mse, 1e-12);
    assert_close(results["eval_loss"].as_f64().unwrap(), mse, 1e-12);
    let table = cwgnc(&[&predict[..], &["--format", "table"]].concat()).succeeded();
    assert_eq!(table.lines().next(), Some("index  value"));
    assert_eq!(
        table.lines().nth(1),
        Some(format!("0      {:.4}", lines[0]["value"].as_f64().unwrap()).as_str())
    );
}

/// `--problem-type` overrules what the labels look like; integers are classes, in the order of their values.
#[test]
fn integers_are_classes_unless_told_otherwise() {
    let dir = scratch::folder("cli-user-integers");
    let row =
        |(i, text): (usize, String)| serde_json::json!({"t": text, "label": ([10, 9, 2][i % 3])}).to_string();
    let file = write(
        &dir,
        "classes.jsonl",
        sentences().into_iter().enumerate().map(row),
    );
    let files = [
        "--train-file",
        &file,
        "--validation-file",
        &file,
        "--max-steps",
        "1",
    ];
    let labels = |name: &str, more: &[&str]| {
        let run = dir.join(name);
        ran(finetune(&run, &[DEMO_MODEL, &files, more].concat())).succeeded();
        (
            json(&run.join("run.json"))["labels"].clone(),
            json(&run.join("config.json"))["id2label"].clone(),
            object(&run.join("eval_results.json"))
                .keys()
                .cloned()
                .collect::<Vec<_>>(),
        )
    };
    let (names, id2label, results) = labels("classes", &[]);
    assert_eq!(names, serde_json::json!(["2", "9", "10"]));
    assert_eq!(id2label, serde_json::json!({"0": "2", "1": "9", "2": "10"}));
    assert!(results.contains(&"eval_accuracy".to_owned()));
    let (names, _, results) = labels("values", &["--problem-type", "regression"]);
    assert_eq!(names, serde_json::json!(["LABEL_0"]));
    assert!(results.contains(&"eval_mse".to_owned()));
}

/// Named columns choose the texts, whatever else is in the file, and in the dev file too.
#[test]
fn named_columns() {
    let dir = scratch::folder("cli-user-columns");
    let wide = |(i, text): (usize, String)| format!("{i}\t{}\t{text}\tnoise", ["no", "yes"][i % 2]);
    let narrow = |(i, text): (usize, String)| format!("{text}\t{}", ["no", "yes"][i % 2]);
    let with = |header: &str| std::iter::once(header.to_owned());
    let numbered = || sentences().into_iter().enumerate();
    let wide = write(
        &dir,
        "wide.tsv",
        with("id\tanswer\tquestion\textra").chain(numbered().map(wide)),
    );
    let narrow = write(
        &dir,
        "narrow.tsv",
        with("question\tanswer").chain(numbered().map(narrow)),
    );
    let model = |name: &str, file: &str, more: &[&str]| {
        let run = dir.join(name);
        let files = [
            "--train-file",
            file,
            "--validation-file",
            file,
            "--label-column",
            "answer",
            "--max-steps",
            "3",
        ];
        ran(finetune(&run, &[DEMO_MODEL, &files, more].concat())).succeeded();
        (
            fs::read(run.join("model.safetensors")).unwrap(),
            object(&run.join("eval_results.json"))["eval_loss"].clone(),
        )
    };
    let expected = model("narrow", &narrow, &[]);
    assert!(model("wide", &wide, &["--text-column", "question"]) == expected);
    assert!(
        model(
            "pairs",
            &wide,
            &["--text-column", "question", "--text-pair-column", "extra"]
        ) != expected
    );
}

/// Two dev files, the second with `_mm` after its names; the order of MNLI's three labels is that of Hugging Face.
#[test]
fn mnli_has_two_dev_files() {
    let dir = scratch::folder("cli-user-mnli");
    let labels = ["entailment", "neutral", "contradiction"];
    let rows = |skip: usize, take: usize| {
        let row = move |(i, text): (usize, String)| format!("{i}\t{text}\tthe dogs sleep\t{}", labels[i % 3]);
        let numbered = sentences().into_iter().enumerate().skip(skip).take(take);
        std::iter::once("index\tsentence1\tsentence2\tgold_label".to_owned()).chain(numbered.map(row))
    };
    write(&dir, "train.tsv", rows(0, 24));
    write(&dir, "dev_matched.tsv", rows(0, 9));
    write(&dir, "dev_mismatched.tsv", rows(9, 6));
    let run = dir.join("run");
    let task = ["--task", "MNLI", "--data", text(&dir), "--max-steps", "3"];
    let printed = ran(finetune(&run, &[DEMO_MODEL, &task].concat())).succeeded();
    let names: Vec<&str> = printed
        .lines()
        .take(4)
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["eval_loss", "eval_accuracy", "eval_loss_mm", "eval_accuracy_mm"]
    );
    let results = object(&run.join("all_results.json"));
    assert_eq!(
        (&results["eval_samples"], &results["eval_samples_mm"]),
        (&9.into(), &6.into())
    );
    assert_eq!(json(&run.join("run.json"))["labels"], serde_json::json!(labels));

    let from = [
        "--quiet",
        "--max-seq-length",
        "32",
        "--model",
        text(&run),
        "--task",
        "mnli",
        "--data",
        text(&dir),
    ];
    let lines = json_lines(&cwgnc(&[&["predict"], &from[..]].concat()).succeeded());
    let right = |range: std::ops::Range<usize>| {
        let n = range.len() as f64;
        range.filter(|&i| lines[i]["label"] == labels[i % 3]).count() as f64 / n
    };
    assert_eq!(lines.len(), 15);
    assert_eq!(results["eval_accuracy"], right(0..9));
    assert_eq!(results["eval_accuracy_mm"], right(9..15));
    let evaluated: Value =
        serde_json::from_str(&cwgnc(&[&["eval", "--json"], &from[..]].concat()).succeeded()).unwrap();
    for name in ["eval_loss", "eval_accuracy", "eval_loss_mm", "eval_accuracy_mm"] {
        assert_eq!(evaluated[name], results[name]);
    }
}
