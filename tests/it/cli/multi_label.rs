//! Any number of labels a row, from the files to the predictions.

use super::{DEMO_MODEL, assert_close, cwgnc, finetune, json, json_lines, object, ran, scratch, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The demo's sentences, each with the labels that these rules give it.
fn rows() -> Vec<(String, Vec<&'static str>)> {
    let file = fs::read_to_string(scratch::fixture("demo/train.tsv")).unwrap();
    let rows = file.lines().skip(1).take(30).enumerate().map(|(i, line)| {
        let sentence = line.split('\t').next().unwrap().to_owned();
        let labels = [("even", i % 2 == 0), ("third", i % 3 == 0), ("fifth", i % 5 == 0)];
        (
            sentence,
            labels
                .into_iter()
                .filter(|(_, is)| *is)
                .map(|(name, _)| name)
                .collect(),
        )
    });
    rows.collect()
}

/// Lists of labels in a JSON file.
fn lists(dir: &Path) -> PathBuf {
    let line =
        |(text, labels): (String, Vec<&str>)| json!({"text": text, "labels": labels}).to_string() + "\n";
    let path = dir.join("lists.jsonl");
    fs::write(&path, rows().into_iter().map(line).collect::<String>()).unwrap();
    path
}

/// The same as columns of 0 and 1.
fn columns(dir: &Path) -> PathBuf {
    let mut lines = "even,fifth,third,note,text\n".to_owned();
    for (text, labels) in rows() {
        let cell = |name| u8::from(labels.contains(&name));
        let [even, fifth, third] = ["even", "fifth", "third"].map(cell);
        lines.extend([format!("{even},{fifth},{third},-,{text}\n")]);
    }
    let path = dir.join("columns.csv");
    fs::write(&path, lines).unwrap();
    path
}

fn files(file: &Path) -> [&str; 6] {
    [
        "--train-file",
        text(file),
        "--validation-file",
        text(file),
        "--max-steps",
        "12",
    ]
}

/// `predict` with these flags, as JSON.
fn predicted(run: &Path, file: &Path, more: &[&str]) -> Vec<Value> {
    let flags = ["predict", "--quiet", "--model", text(run), "--file", text(file)];
    json_lines(&cwgnc(&[&flags[..], more].concat()).succeeded())
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Both ways to write the labels train the same model; its results are those of its predictions, worked out here.
#[test]
fn from_files_to_predictions() {
    let dir = scratch::folder("cli-multi-label");
    let (lists, columns) = (lists(&dir), columns(&dir));
    let (a, b) = (dir.join("a"), dir.join("b"));
    let printed = ran(finetune(&a, &[DEMO_MODEL, &files(&lists)].concat())).succeeded();
    let named = ["--text-column", "text", "--label-columns", "even,fifth,third"];
    ran(finetune(&b, &[DEMO_MODEL, &files(&columns), &named].concat())).succeeded();
    let weights = |run: &Path| fs::read(run.join("model.safetensors")).unwrap();
    assert!(weights(&a) == weights(&b), "the same labels, the same bits");
    let config = json(&a.join("config.json"));
    assert_eq!(config["problem_type"], "multi_label_classification");
    assert_eq!(
        config["id2label"],
        json!({"0": "even", "1": "fifth", "2": "third"})
    );
    assert_eq!(config["architectures"], json!(["BertForSequenceClassification"]));

    let labels = ["even", "fifth", "third"];
    let lines = predicted(&a, &lists, &[]);
    let (mut loss, mut counts, mut exact) = (0.0, [[0.0; 3]; 3], 0.0);
    for (line, (_, there)) in lines.iter().zip(rows()) {
        let mut chosen = Vec::new();
        for (k, label) in labels.into_iter().enumerate() {
            let (z, t) = (line["logits"][k].as_f64().unwrap(), there.contains(&label));
            let p = line["probabilities"][label].as_f64().unwrap();
            assert_close(p, sigmoid(z), 1e-12);
            loss -= if t { p.ln() } else { (1.0 - p).ln() };
            chosen.extend((p > 0.5).then_some(label));
            counts[k][0] += f64::from(t && p > 0.5);
            counts[k][1] += f64::from(t);
            counts[k][2] += f64::from(p > 0.5);
        }
        assert_eq!(line["labels"], json!(chosen));
        let mut there = there;
        there.sort_unstable();
        exact += f64::from(there == chosen);
    }
    let f1 = |[both, there, said]: [f64; 3]| {
        if both == 0.0 {
            0.0
        } else {
            2.0 * both / (there + said)
        }
    };
    let results = object(&a.join("eval_results.json"));
    let number = |name: &str| results[name].as_f64().unwrap();
    assert_close(number("eval_loss"), loss / 90.0, 1e-6);
    let all = [0, 1, 2].map(|i| counts.iter().map(|count| count[i]).sum());
    assert_close(number("eval_f1_micro"), f1(all), 1e-12);
    assert_close(
        number("eval_f1_macro"),
        counts.map(f1).iter().sum::<f64>() / 3.0,
        1e-12,
    );
    assert_close(number("eval_subset_accuracy"), exact / 30.0, 1e-12);
    assert!(
        all[2] > 0.0 && all[0] > 0.0,
        "something was predicted: {counts:?}"
    );
    for (k, label) in labels.into_iter().enumerate() {
        let row = &results["eval_per_class"][k];
        assert_eq!(row["label"], label);
        assert_close(row["f1"].as_f64().unwrap(), f1(counts[k]), 1e-12);
        assert_eq!(row["support"].as_f64().unwrap(), counts[k][1]);
    }
    assert!(!results.contains_key("eval_confusion_matrix"));
    let shown = format!("\neval_f1_micro = {:.4}\n", f1(all));
    assert!(
        printed.contains(&shown) && printed.contains("class  precision"),
        "{printed}"
    );
}

/// `eval` reads its file as training did, and another way where it is told so.
#[test]
fn eval_and_the_table_of_predictions() {
    let dir = scratch::folder("cli-multi-label-eval");
    let (lists, columns, run) = (lists(&dir), columns(&dir), dir.join("run"));
    let named = ["--text-column", "text", "--label-columns", "third,even,fifth"];
    ran(finetune(&run, &[DEMO_MODEL, &files(&columns), &named].concat())).succeeded();
    let reading = json(&run.join("cwgnc.json"));
    assert_eq!(reading["label_columns"], json!(["third", "even", "fifth"]));
    assert_eq!(
        (&reading["label_column"], &reading["problem_type"]),
        (&Value::Null, &json!("multi-label"))
    );
    let understood = &json(&run.join("run.json"))["understood"];
    assert_eq!(
        understood["classes"],
        json!({"third": 10, "even": 15, "fifth": 6})
    );
    // Of 30 numbers, those that are not divisible by 2, 3 or 5: 1, 7, 11, 13, 17, 19, 23, 29.
    assert_eq!(understood["without_label"], 8);
    assert_eq!(understood["files"][0]["columns_not_used"], json!(["note"]));
    let eval =
        |more: &[&str]| cwgnc(&[&["eval", "--quiet", "--model", text(&run)], more].concat()).succeeded();
    let as_trained = eval(&["--validation-file", text(&columns)]);
    assert!(as_trained.contains("eval_subset_accuracy"), "{as_trained}");
    let as_lists = eval(&[
        "--validation-file",
        text(&lists),
        "--text-column",
        "text",
        "--label-column",
        "labels",
    ]);
    assert_eq!(as_trained, as_lists);

    let lines = predicted(&run, &columns, &["--keep-columns", "--format", "jsonl"]);
    assert_eq!(lines[0]["note"], "-");
    let flags = [
        "predict",
        "--quiet",
        "--model",
        text(&run),
        "--file",
        text(&columns),
    ];
    let csv = cwgnc(&[&flags[..], &["--format", "tsv"]].concat()).succeeded();
    let mut csv = csv.lines();
    let header = "even\tfifth\tthird\tnote\ttext\tpredicted_labels\tpredicted_p(third)\tpredicted_p(even)\tpredicted_p(fifth)";
    assert_eq!(csv.next(), Some(header));
    for (row, line) in csv.zip(&lines) {
        let cells: Vec<&str> = row.split('\t').collect();
        assert_eq!(cells[5], line["predicted_labels"].to_string());
        assert_eq!(cells[6], line["predicted_probabilities"]["third"].to_string());
    }
    // The list of a cell is one that training reads.
    let again = dir.join("again.tsv");
    let table = cwgnc(&[&flags[..], &["--format", "tsv", "--output", text(&again)]].concat());
    table.succeeded();
    let back = [
        "--text-column",
        "text",
        "--label-column",
        "predicted_labels",
        "--problem-type",
        "multi-label",
    ];
    ran(finetune(
        &dir.join("back"),
        &[DEMO_MODEL, &files(&again), &back].concat(),
    ))
    .succeeded();
}

/// What makes no sense with several labels is refused by name, before anything is written.
#[test]
fn refused() {
    let dir = scratch::folder("cli-multi-label-refused");
    let (lists, columns) = (lists(&dir), columns(&dir));
    let refused = |more: &[&str], message: &str| {
        let run = dir.join("run");
        ran(finetune(&run, &[DEMO_MODEL, more].concat())).refused(&dir, 2, message);
        assert!(!run.exists());
    };
    let of = |flags: &[&'static str]| {
        let all: Vec<String> = files(&lists)
            .iter()
            .chain(flags)
            .map(|&flag| flag.to_owned())
            .collect();
        all
    };
    for flag in ["--class-weights=balanced", "--label-smoothing-factor=0.1"] {
        let name = flag.split('=').next().unwrap();
        let message = format!(
            "{name} is for classes, of which a row has one; with labels from `labels` a row has any number of them, \
             and the loss is the plain binary cross-entropy"
        );
        let flags = of(&[flag]);
        refused(&flags.iter().map(String::as_str).collect::<Vec<_>>(), &message);
    }
    let message = "--label-columns are of --problem-type multi-label; for regression name one column with \
                   --label-column";
    let flags = ["--label-columns", "even", "--problem-type", "regression"];
    refused(&[&files(&columns)[..], &flags].concat(), message);
    let message = "unknown metric `accuracy` (--metric-for-best-model, --metric); known here: f1_micro, f1_macro, \
                   subset_accuracy, loss";
    refused(
        &[&files(&lists)[..], &["--metric-for-best-model", "accuracy"]].concat(),
        message,
    );
    let twice = ran(finetune(
        &dir.join("run"),
        &[DEMO_MODEL, &files(&columns), &["--label-columns", "a,a"]].concat(),
    ));
    assert_eq!(twice.code, Some(2));
    assert!(
        twice.stderr.contains("`a` is no column of its own"),
        "{}",
        twice.stderr
    );
}

/// A head of single labels is not taken for one of sets, though its outputs have the same names.
#[test]
fn the_head_of_another_problem() {
    let dir = scratch::folder("cli-multi-label-head");
    let file = dir.join("one.jsonl");
    let line = |(i, (text, _)): (usize, (String, Vec<&str>))| {
        json!({"text": text, "label": (["even", "fifth", "third"][i % 3])}).to_string() + "\n"
    };
    fs::write(
        &file,
        rows().into_iter().enumerate().map(line).collect::<String>(),
    )
    .unwrap();
    let one = dir.join("one");
    ran(finetune(&one, &[DEMO_MODEL, &files(&file)].concat())).succeeded();
    let (lists, run) = (lists(&dir), dir.join("run"));
    let model = ["--model", text(&one)];
    let message = "the head of DIR/one is one of classification, and the data are multi-label; --fresh-head begins \
                   with a new head on the same encoder";
    ran(finetune(&run, &[&model, &files(&lists)[..]].concat())).refused(&dir, 2, message);
    ran(finetune(
        &run,
        &[&model, &files(&lists)[..], &["--fresh-head"]].concat(),
    ))
    .succeeded();
}

/// A study compares micro F1, and knows what one set of labels for all reaches.
#[test]
fn a_study() {
    let dir = scratch::folder("cli-multi-label-study");
    let lists = lists(&dir);
    let out = dir.join("study");
    let flags = [
        "study",
        "--model",
        "fixtures/demo/model",
        "--conditions",
        "none,component:0.05",
        "--seeds",
        "1",
        "--output",
        text(&out),
        "--",
        "--train-file",
        text(&lists),
        "--validation-file",
        text(&lists),
        "--max-seq-length",
        "32",
        "--num-train-epochs",
        "1",
    ];
    let ended = cwgnc(&flags);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("f1_micro"), "{}", ended.stdout);
}
