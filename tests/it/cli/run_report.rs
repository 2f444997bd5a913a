//! `cwgnc report` of one run's folder. Expected numbers are worked out by hand or taken from the log by other code.

use super::{Ran, cwgnc, demo, listing, scratch, text};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A step's line: two parameters, the first clipped to half its norm.
fn step(step: u64, loss: f64) -> Value {
    let component = |name: &str, norm: f64, scale: f64| {
        json!({"name": name, "elements": 3, "grad_norm_before": norm, "grad_norm_after": norm * scale, "scale": scale,
            "clipped": scale < 1.0, "parameter_norm": 1.0})
    };
    json!({
        "step": step, "epoch": step as f64 / 4.0, "loss": loss, "learning_rate": 0.125,
        "grad_norm_before_clipping": 5.0, "grad_norm_after_clipping": 3.5, "clipped_elements": 0.5, "clipped_components": 1,
        "components": [
            component("bert.encoder.layer.0.attention.self.query.weight", 4.0, 0.5),
            component("classifier.bias", 3.0, 1.0),
        ],
        "examples": [1, 0],
    })
}

fn evaluation(step: u64, loss: f64, accuracy: Option<f64>) -> Value {
    json!({"step": step, "epoch": step as f64 / 4.0, "train_loss": 0.75, "eval_loss": loss, "eval_accuracy": accuracy})
}

/// Ten steps of four an epoch, logged at 2 and 10, evaluated at 4 and 10.
fn lines() -> Vec<Value> {
    vec![
        step(2, 1.0),
        evaluation(4, 0.5, Some(0.25)),
        step(10, 0.5),
        evaluation(10, 0.625, None),
    ]
}

fn joined(lines: &[Value]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    lines.concat()
}

fn write_log(dir: &Path, lines: &[Value]) {
    fs::write(dir.join("log.jsonl"), joined(lines)).unwrap();
}

/// The folder of such a run, which came to its end.
fn run(name: &str) -> PathBuf {
    let dir = scratch::folder(name);
    write_log(&dir, &lines());
    let settings = json!({
        "model": "m", "train_file": "<b>.tsv", "clip": "component:2", "total_steps": 10, "logging_steps": 8,
        "eval_every": 4, "per_device_train_batch_size": 2, "load_best": true, "metric_for_best_model": "eval_loss",
    });
    let record =
        json!({"cwgnc_version": env!("CARGO_PKG_VERSION"), "settings": settings, "save_steps": null});
    fs::write(dir.join("run.json"), record.to_string()).unwrap();
    let results = json!({
        "best_step": 4, "eval_accuracy": 0.25, "eval_loss": 0.5, "train_loss": 0.75, "train_runtime": 2.5,
        "eval_per_class": [
            {"label": "no|", "precision": 1.0, "recall": 0.5, "f1": 0.6667, "support": 4},
            {"label": "yes", "precision": 0.6, "recall": 1.0, "f1": 0.75, "support": 3},
        ],
        "eval_confusion_matrix": [[2, 2], [0, 3]],
    });
    fs::write(dir.join("all_results.json"), results.to_string()).unwrap();
    dir
}

fn report(dir: &Path, more: &[&str]) -> Ran {
    cwgnc(&[&["report", text(dir), "--quiet"], more].concat())
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn files_of_a_run() {
    let dir = run("run-report");
    let printed = report(&dir, &["--tensorboard"]).succeeded();
    // Accuracy had one value, at step 4; the loss was lowest there.
    let expected = [
        "metric         reported  lowest (step)  highest (step)",
        "eval_loss      0.5000    0.5000 (4)     0.6250 (10)",
        "eval_accuracy  0.2500    0.2500 (4)     0.2500 (4)",
        "train_loss     0.7500    –              –",
        "",
    ];
    assert_eq!(printed, expected.join("\n"));
    let report_dir = dir.join("report");
    let figures = [
        "clipping",
        "eval_accuracy",
        "gradient-norm",
        "layer-norms",
        "learning-rate",
        "loss",
        "norms",
        "scales",
    ];
    let found: Vec<String> = listing(&report_dir.join("figures"));
    assert_eq!(found, figures.map(|name| format!("{name}.svg")));
    let csv = "kind,step,epoch,loss,learning_rate,grad_norm_before_clipping,grad_norm_after_clipping,clipped_elements,\
               clipped_components,train_loss,unfreezing_iteration,eval_loss,eval_accuracy\n\
               step,2,0.5,1,0.125,5,3.5,0.5,1,,,,\n\
               evaluation,4,1,,,,,,,0.75,,0.5,0.25\n\
               step,10,2.5,0.5,0.125,5,3.5,0.5,1,,,,\n\
               evaluation,10,2.5,,,,,,,0.75,,0.625,\n";
    assert_eq!(read(&report_dir.join("metrics.csv")), csv);
    let page = read(&report_dir.join("report.html"));
    assert_eq!(page.matches("<svg").count(), figures.len());
    assert!(page.contains("<h1>Fine-tuning of m on &lt;b&gt;.tsv</h1>"));
    assert!(!page.contains("http-equiv") && !page.contains("src="));
    let text = read(&report_dir.join("report.md"));
    // Recall 2/4 and precision 2/2 of the first class: F1 2/3.
    assert!(text.contains("| no\\| | 1.0000 | 0.5000 | 0.6667 | 4 |\n"));
    assert!(text.contains("| no\\| | 2 | 2 |\n| yes | 0 | 3 |\n"));
    // The same bytes a second time, elsewhere.
    let other = dir.join("other");
    report(&dir, &["--tensorboard", "--output", super::text(&other)]).succeeded();
    for name in [
        "report.html",
        "report.md",
        "trainer_state.json",
        "tensorboard/events.out.tfevents.0.cwgnc",
    ] {
        assert_eq!(
            fs::read(report_dir.join(name)).unwrap(),
            fs::read(other.join(name)).unwrap()
        );
    }
}

/// Ten steps of four an epoch are three epochs, as the `Trainer` counts them.
#[test]
fn state_of_the_trainer() {
    let dir = run("run-report-state");
    report(&dir, &[]).succeeded();
    let state: Map<String, Value> =
        serde_json::from_str(&read(&dir.join("report/trainer_state.json"))).unwrap();
    let expected = json!({
        "best_global_step": 4, "best_metric": 0.5, "best_model_checkpoint": null, "epoch": 2.5, "eval_steps": 4,
        "global_step": 10, "logging_steps": 8, "max_steps": 10, "num_train_epochs": 3, "save_steps": 500,
        "train_batch_size": 2,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&state[key], value, "{key}");
    }
    let step = |step: u64, epoch: f64, loss: f64| {
        json!({"epoch": epoch, "loss": loss, "learning_rate": 0.125, "grad_norm": 5.0, "grad_norm_after_clipping": 3.5,
            "clipped_elements": 0.5, "clipped_components": 1, "step": step})
    };
    let history = json!([
        step(2, 0.5, 1.0),
        {"epoch": 1.0, "eval_loss": 0.5, "eval_accuracy": 0.25, "step": 4},
        step(10, 2.5, 0.5),
        {"epoch": 2.5, "eval_loss": 0.625, "eval_accuracy": null, "step": 10},
        {"train_loss": 0.75, "train_runtime": 2.5, "epoch": 2.5, "step": 10},
    ]);
    assert_eq!(state["log_history"], history);
}

/// `Value { tag, simple_value }`: the tag stands before the byte 0x15 and the number.
#[test]
fn events_hold_the_numbers() {
    let dir = run("run-report-events");
    report(&dir, &["--tensorboard"]).succeeded();
    let bytes = fs::read(dir.join("report/tensorboard/events.out.tfevents.0.cwgnc")).unwrap();
    let count = |tag: &str, value: f32| {
        let wanted = [&[tag.len() as u8], tag.as_bytes(), &[0x15], &value.to_le_bytes()].concat();
        bytes
            .windows(wanted.len())
            .filter(|part| **part == wanted)
            .count()
    };
    let query = "bert.encoder.layer.0.attention.self.query.weight";
    let found = [
        count("train/loss", 1.0),
        count("train/loss", 0.5),
        count("train/grad_norm", 5.0),
        count("eval/loss", 0.625),
        count("eval/accuracy", 0.25),
        count(&format!("grad_norm/{query}"), 4.0),
        count(&format!("scale/{query}"), 0.5),
        count("scale/classifier.bias", 1.0),
    ];
    assert_eq!(found, [1, 1, 2, 1, 1, 2, 2, 2]);
}

#[test]
fn a_run_in_progress() {
    let dir = run("run-report-progress");
    fs::remove_file(dir.join("all_results.json")).unwrap();
    let whole = read(&dir.join("log.jsonl"));
    fs::write(dir.join("log.jsonl"), &whole[..whole.len() - 9]).unwrap();
    let ran = cwgnc(&["report", text(&dir)]);
    let warning =
        "warning: the run is not finished: its log goes to step 10 of 10, and this report is of these\n";
    assert!(ran.stderr.starts_with(warning), "{}", ran.stderr);
    let printed = ran.succeeded();
    assert!(printed.starts_with("metric         last "), "{printed}");
    assert_eq!(read(&dir.join("report/metrics.csv")).lines().count(), 4);
    fs::write(dir.join("log.jsonl"), "").unwrap();
    report(&dir, &[]).refused(&dir, 2, "DIR/log.jsonl: no step was logged yet");
}

#[test]
fn damage_is_named() {
    let dir = run("run-report-damage");
    let whole = read(&dir.join("log.jsonl"));
    let refused = |log: &str, message: &str| {
        fs::write(dir.join("log.jsonl"), log).unwrap();
        report(&dir, &[]).refused(&dir, 1, message);
        assert!(!dir.join("report").exists());
    };
    refused(
        &whole[..whole.len() - 9],
        "DIR/log.jsonl line 4: the line is cut off",
    );
    let changed = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut lines = lines();
        change(&mut lines);
        joined(&lines)
    };
    let of =
        |at: usize, key: &'static str, value: Value| changed(&move |lines| lines[at][key] = value.clone());
    refused(
        &of(0, "loss", json!("x")),
        "DIR/log.jsonl line 1: `loss` is not a number",
    );
    refused(
        &of(2, "step", json!(-1)),
        "DIR/log.jsonl line 3: `step` is not a number",
    );
    refused(
        &of(2, "step", json!(3)),
        "DIR/log.jsonl line 3: step 3 after step 4",
    );
    refused(
        &of(1, "epoch", json!([])),
        "DIR/log.jsonl line 2: `epoch` is not a number",
    );
    refused(
        &of(3, "eval_a,b", json!(1)),
        "DIR/log.jsonl line 4: `eval_a,b` is not the value of a metric",
    );
    refused(
        &of(0, "components", json!([{"name": "w"}])),
        "DIR/log.jsonl line 1: not what was measured of a parameter: {\"name\":\"w\"}",
    );
    refused("[1]\n", "DIR/log.jsonl line 1: `step` is not a number");
    fs::write(dir.join("log.jsonl"), &whole).unwrap();
    fs::write(dir.join("all_results.json"), "[]").unwrap();
    report(&dir, &[]).refused(
        &dir,
        1,
        "DIR/all_results.json: not a JSON object: invalid type: sequence, expected a map at line 1 column 0",
    );
    fs::write(dir.join("run.json"), "{\"cwgnc_version\": \"9.0.0\"}").unwrap();
    report(&dir, &[]).refused(
        &dir,
        1,
        "DIR/run.json: a run of cwgnc 9.0.0; this is 0.1.0, report it with the version that made it",
    );
    fs::remove_file(dir.join("log.jsonl")).unwrap();
    fs::remove_file(dir.join("run.json")).unwrap();
    fs::write(dir.join("log.jsonl"), &whole).unwrap();
    report(&dir, &[]).refused(
        &dir,
        2,
        "DIR: the folder of a run has its settings in run.json, and it is not there",
    );
}

#[test]
fn flags_of_the_other_kind() {
    let dir = run("run-report-flags");
    report(&dir, &["--ddof", "1"]).refused(
        &dir,
        2,
        "--ddof is for the report of a study, and DIR is the folder of one run",
    );
    let study = scratch::folder("run-report-study");
    fs::write(study.join("results.jsonl"), "").unwrap();
    report(&study, &["--tensorboard"]).refused(
        &study,
        2,
        "--tensorboard is for the report of one run: give it the folder of a run, as DIR/runs/TASK/CONDITION/seed-1",
    );
}

/// A real run: its log is read here by other code. A run that replaces it leaves no report of it.
#[test]
fn a_real_run_and_its_replacement() {
    let dir = scratch::folder("run-report-real");
    let flags = [
        "--eval-every",
        "2",
        "--logging-steps",
        "3",
        "--num-train-epochs",
        "1",
    ];
    demo(&dir, &flags).succeeded();
    report(&dir, &["--tensorboard"]).succeeded();
    let log = read(&dir.join("log.jsonl"));
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let csv = read(&dir.join("report/metrics.csv"));
    let mut rows = csv.lines().map(|row| row.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let mut compared = 0;
    for (row, line) in rows.by_ref().zip(&lines) {
        for (name, cell) in header.iter().zip(row).skip(1) {
            match line[*name].as_f64() {
                None => assert_eq!(cell, ""),
                Some(value) => {
                    let cell: f64 = cell.parse().unwrap();
                    assert!(
                        (cell - value).abs() <= 1e-9 * value.abs(),
                        "{name}: {cell} {value}"
                    );
                    compared += 1;
                }
            }
        }
    }
    // 72 examples in batches of 16 are 5 steps: 1, 3, 5 logged with 8 numbers, evaluated at 2, 4, 5 with 5 numbers.
    assert_eq!((lines.len(), compared), (6, 3 * 8 + 3 * 5));
    let page = read(&dir.join("report/report.html"));
    assert!(page.contains("<th scope=\"row\">text columns</th><td>sentence</td>"));
    fs::write(dir.join("report/notes.txt"), "mine").unwrap();
    demo(&dir, &[&flags[..], &["--overwrite"]].concat()).succeeded();
    assert_eq!(
        listing(&dir.join("report")),
        ["figures", "notes.txt", "tensorboard"]
    );
}
