//! `cwgnc tasks`, and built-in tasks where other commands take a task.

use super::study::results;
use super::{DEMO_MODEL, Ran, cwgnc, finetune, json, json_lines, listing, ran, scratch, text};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A run of a few steps, short texts.
const SHORT: &[&str] = &[
    "--max-steps",
    "6",
    "--max-train-samples",
    "96",
    "--max-eval-samples",
    "60",
];

fn short(output: &Path, more: &[&str]) -> Ran {
    ran(finetune(output, &[DEMO_MODEL, SHORT, more].concat()))
}

#[test]
fn the_list() {
    let printed = cwgnc(&["tasks"]).succeeded();
    let rows: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let row = |number: usize| rows[number][..5].join(" ");
    assert_eq!(rows.len(), 5, "{printed}");
    assert_eq!(
        row(1),
        "builtin:acceptability cola 3000 1000 matthews_correlation"
    );
    assert_eq!(row(2), "builtin:entailment rte 2490 300 accuracy");
    assert_eq!(row(3), "builtin:paraphrase mrpc 3668 408 f1,");
    assert_eq!(row(4), "builtin:similarity stsb 5749 1500 pearson,");
    // 700 of 1000, 150 of 300, and 2 · 275 / (2 · 275 + 133).
    assert!(rows[1].join(" ").ends_with("0.000 (accuracy 0.700)"), "{printed}");
    assert!(
        rows[2].ends_with(&["0.500"]) && rows[3].ends_with(&["0.805"]),
        "{printed}"
    );
}

/// The files hold the same examples with the same classes: a run on them is the run on the task, bit by bit, and their hashes
/// are those of its record.
#[test]
fn files_are_the_task() {
    let dir = scratch::folder("cli-tasks-files");
    for (task, class) in [("entailment", "not_entailment"), ("acceptability", "1")] {
        let (sets, name) = (dir.join(task), format!("builtin:{task}@3"));
        let write = [
            "tasks",
            &format!("builtin:{task}"),
            "--seed",
            "3",
            "--output",
            text(&sets),
        ];
        cwgnc(&write).succeeded();
        assert_eq!(listing(&sets), ["dev.tsv", "train.tsv"]);
        let dev = fs::read_to_string(sets.join("dev.tsv")).unwrap();
        assert!(
            dev.lines().any(|line| line.ends_with(&format!("\t{class}"))),
            "{dev}"
        );
        let (from_task, from_files) = (dir.join(format!("{task}-run")), dir.join(format!("{task}-files")));
        short(&from_task, &["--task", &name]).succeeded();
        let (train, dev) = (sets.join("train.tsv"), sets.join("dev.tsv"));
        short(
            &from_files,
            &["--train-file", text(&train), "--validation-file", text(&dev)],
        )
        .succeeded();
        let loss = |run: &Path| json(&run.join("all_results.json"))["eval_loss"].clone();
        assert!(loss(&from_task).is_f64());
        assert_eq!(loss(&from_task), loss(&from_files), "{task}");
        let record = |run: &Path| json(&run.join("run.json"));
        let hashes = |record: &Value| {
            record["data_files"]
                .as_object()
                .unwrap()
                .values()
                .cloned()
                .collect::<Vec<_>>()
        };
        let (made, read) = (record(&from_task), record(&from_files));
        assert_eq!(hashes(&made), hashes(&read));
        assert_eq!(made["builtin"], json!({"task": task, "seed": 3}));
        assert_eq!(read["builtin"], Value::Null);
        let names: Vec<&String> = made["data_files"].as_object().unwrap().keys().collect();
        assert_eq!(names, [&format!("{name}/train"), &format!("{name}/dev")]);
    }
}

/// The metrics are those of the GLUE task, the labels have names, and a saved model is evaluated on the task again.
#[test]
fn training_and_evaluating() {
    let dir = scratch::folder("cli-tasks-train");
    for (task, metrics) in [
        ("paraphrase", ["eval_accuracy", "eval_f1"]),
        ("similarity", ["eval_pearson", "eval_spearmanr"]),
    ] {
        let (run, name) = (dir.join(task), format!("builtin:{task}"));
        short(&run, &["--task", &name]).succeeded();
        let results = json(&run.join("all_results.json"));
        for metric in metrics {
            assert!(results[metric].is_f64(), "{results}");
        }
        let flags = [
            "eval",
            "--model",
            text(&run),
            "--task",
            &name,
            "--max-eval-samples",
            "60",
            "--json",
            "--quiet",
        ];
        let again: Value =
            serde_json::from_str(&cwgnc(&[&flags[..], &["--max-seq-length", "32"]].concat()).succeeded())
                .unwrap();
        assert_eq!(again["eval_loss"], results["eval_loss"]);
    }
    let labels = json(&dir.join("paraphrase/run.json"))["labels"].clone();
    assert_eq!(labels, json!(["not_equivalent", "equivalent"]));
    let other = ["eval", "--task", "builtin:entailment", "--model"];
    let run = dir.join("paraphrase");
    cwgnc(&[&other[..], &[text(&run)]].concat()).refused(
        &dir,
        2,
        "the model predicts not_equivalent, equivalent; task `builtin:entailment` has the labels entailment, not_entailment",
    );
    let flags = [
        "predict",
        "--quiet",
        "--task",
        "builtin:paraphrase",
        "--model",
        text(&run),
    ];
    assert_eq!(json_lines(&cwgnc(&flags).succeeded()).len(), 408);
}

/// From flags and from a file, under a name that can be a folder's; the two say the same.
#[test]
fn studies() {
    let dir = scratch::folder("cli-tasks-study");
    let (flags, file) = (dir.join("flags"), dir.join("file"));
    let small = [
        "--max-steps",
        "4",
        "--max-train-samples",
        "64",
        "--max-eval-samples",
        "40",
        "--max-seq-length",
        "32",
    ];
    let run = |output: &Path, tasks: &[&str]| {
        let study = [
            "study",
            "--quiet",
            "--output",
            text(output),
            "--conditions",
            "control",
            "--seeds",
            "2",
        ];
        cwgnc(&[&study[..], tasks, DEMO_MODEL, &["--"], &small].concat()).succeeded();
    };
    run(
        &flags,
        &[
            "--preset",
            "paper",
            "--task",
            "builtin:entailment,builtin:similarity@7",
        ],
    );
    let toml = dir.join("study.toml");
    let tables = "[task.\"builtin:entailment\"]\n[task.\"builtin:similarity@7\"]\n";
    fs::write(&toml, format!("preset = 'paper'\n{tables}")).unwrap();
    run(&file, &["--config", text(&toml)]);
    let records = json_lines(&results(&flags));
    assert_eq!(results(&flags), results(&file));
    let names: Vec<&str> = records
        .iter()
        .map(|record| record["task"].as_str().unwrap())
        .collect();
    let (first, second) = ("builtin-entailment", "builtin-similarity-7");
    assert_eq!(names, [first, first, second, second]);
    let hashes = json(&flags.join("study.json"))["data_files"]
        .as_object()
        .unwrap()
        .clone();
    let sets: Vec<&String> = hashes.keys().collect();
    assert_eq!(
        sets,
        [
            "builtin:entailment@0/train",
            "builtin:entailment@0/dev",
            "builtin:similarity@7/train",
            "builtin:similarity@7/dev"
        ]
    );
    let other = [
        "study",
        "--preset",
        "paper",
        "--task",
        "builtin:entailment",
        "--data",
        "x",
    ];
    cwgnc(&[&other[..], DEMO_MODEL].concat()).refused(
        &dir,
        2,
        "--data cannot be used with built-in tasks alone: they read no files",
    );
}

/// To stdout or to a file, the same; as many sentences as asked for.
#[test]
fn text_to_pretrain_on() {
    let dir = scratch::folder("cli-tasks-text");
    let file = dir.join("text.txt");
    let flags = ["tasks", "text", "--sentences", "300", "--seed", "9"];
    let printed = cwgnc(&flags).succeeded();
    cwgnc(&[&flags[..], &["--output", text(&file)]].concat()).succeeded();
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    assert_eq!(printed.lines().filter(|line| !line.is_empty()).count(), 300);
    assert!(printed.contains("\n\n") && !printed.contains("\n\n\n"));
    assert_ne!(
        cwgnc(&["tasks", "text", "--sentences", "300"]).succeeded(),
        printed
    );
}

#[test]
fn refusals() {
    let dir = scratch::folder("cli-tasks-refused");
    let known = "known: builtin:acceptability, builtin:entailment, builtin:paraphrase, builtin:similarity";
    let train = |task: &[&str], message: &str| {
        cwgnc(&[&["finetune"], DEMO_MODEL, task].concat()).refused(&dir, 2, message);
    };
    train(
        &["--task", "builtin:paraphrse"],
        &format!("unknown task `builtin:paraphrse`; did you mean `builtin:paraphrase`? {known}"),
    );
    train(
        &["--task", "builtin:translation"],
        &format!("unknown task `builtin:translation`; {known}"),
    );
    train(
        &["--task", "builtin:similarity@x"],
        "task `builtin:similarity@x`: `x` is no seed of a data set; give a whole number of at least 0, as in \
         builtin:similarity@7",
    );
    train(
        &["--task", "similarity"],
        "unknown task `similarity`; did you mean `builtin:similarity`? A built-in task is named with `builtin:`",
    );
    train(
        &["--task", "builtin:similarity", "--data", "x"],
        "--data cannot be used with --task builtin:similarity: a built-in task reads no files",
    );
    train(
        &["--task", "rte"],
        "task rte has no data: give --data, the folder with its files; tasks that need none: \
         builtin:acceptability, builtin:entailment, builtin:paraphrase, builtin:similarity",
    );
    train(
        &["--task", "builtin:entailment", "--train-subset", "5000"],
        "--train-subset 5000: builtin:entailment@0/train gives 2490 examples",
    );
    let tasks =
        |flags: &[&str], message: &str| cwgnc(&[&["tasks"], flags].concat()).refused(&dir, 2, message);
    let out = dir.join("out");
    tasks(
        &["builtin:entailment"],
        "where to write builtin:entailment is missing: give --output DIR",
    );
    tasks(
        &["entailment", "--output", text(&out)],
        "unknown task `entailment`; did you mean `builtin:entailment`? A built-in task is named with `builtin:`",
    );
    tasks(
        &["builtin:entailment@1", "--seed", "2", "--output", text(&out)],
        "--seed cannot be used with builtin:entailment@1, which names a seed itself",
    );
    tasks(
        &["builtin:entailment", "--sentences", "2", "--output", text(&out)],
        "--sentences is for `cwgnc tasks text`; a task has its sizes",
    );
    tasks(
        &["--output", text(&out)],
        "--output and --sentences need a task or `text` to write, as in cwgnc tasks builtin:paraphrase",
    );
    assert!(!out.exists());
    fs::create_dir(&out).unwrap();
    fs::write(out.join("dev.tsv"), "mine").unwrap();
    tasks(
        &["builtin:entailment", "--output", text(&out)],
        "DIR/out/dev.tsv is there already; give another folder",
    );
    assert_eq!(listing(&out), ["dev.tsv"]);
}
