//! `cwgnc finetune` where nothing goes wrong: its files, what it prints, and what must not change its numbers.

use super::files::{Tensor, tensors};
use super::{
    DEMO_DATA, DEMO_MODEL, assert_close, demo, finetune, json, listing, object, program, ran, scratch,
    steps_and_evaluations, text,
};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Two epochs of ⌈72/16⌉ = 5 steps; the checkpoint is that of the first epoch's end.
#[test]
fn writes_model_record_and_results() {
    let run = scratch::folder("cli-finetune-files").join("run");
    let ran = demo(&run, &["--num-train-epochs", "2"]);
    assert_eq!(ran.stderr, "");
    let results = object(&run.join("eval_results.json"));
    let mut lines = ran.stdout.lines();
    for name in super::OWN_METRICS {
        let value = results[name].as_f64().unwrap();
        assert_eq!(lines.next().unwrap(), format!("{name} = {value:.4}"));
    }
    assert!(lines.next().unwrap().starts_with("trained 10 steps in 0:0"));
    // Then the tables of two classes: a blank line, a header and two rows, twice.
    assert_eq!((lines.count(), ran.code), (8, Some(0)));
    assert_eq!(
        listing(&run),
        [
            "all_results.json",
            "checkpoint-5",
            "config.json",
            "cwgnc.json",
            "eval_results.json",
            "log.jsonl",
            "model.safetensors",
            "run.json",
            "tokenizer_config.json",
            "train_results.json",
            "vocab.txt"
        ]
    );
    let original = |name: &str| scratch::fixture("demo/model").join(name);
    assert_eq!(
        fs::read(run.join("vocab.txt")).unwrap(),
        fs::read(original("vocab.txt")).unwrap()
    );
    // The demo has 32 positions, and its tokenizer does not say so.
    let mut config = object(&original("tokenizer_config.json"));
    config.insert("model_max_length".to_owned(), 32.into());
    assert_eq!(object(&run.join("tokenizer_config.json")), config);
}

/// The keys of `run_glue.py`, and `train_tokens_per_second` of our own.
#[test]
fn results_have_the_keys_of_run_glue() {
    let run = super::trained();
    let [train, eval, all] =
        ["train", "eval", "all"].map(|name| object(&run.join(format!("{name}_results.json"))));
    let keys = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&eval),
        [
            "epoch",
            "eval_accuracy",
            "eval_confusion_matrix",
            "eval_f1",
            "eval_f1_macro",
            "eval_f1_weighted",
            "eval_loss",
            "eval_matthews_correlation",
            "eval_per_class",
            "eval_runtime",
            "eval_samples",
            "eval_samples_per_second",
            "eval_steps_per_second"
        ]
    );
    assert_eq!(
        keys(&train),
        [
            "epoch",
            "train_loss",
            "train_runtime",
            "train_samples",
            "train_samples_per_second",
            "train_steps_per_second",
            "train_tokens_per_second"
        ]
    );
    let mut both = train.clone();
    both.extend(eval.clone());
    assert_eq!(Value::Object(all), Value::Object(both));
    assert_eq!(
        (&train["epoch"], &train["train_samples"]),
        (&2.0.into(), &72.into())
    );
    assert_eq!(eval["eval_samples"], 50);
    let per_second = |part: &str| {
        train["train_runtime"].as_f64().unwrap()
            * train[&format!("train_{part}_per_second")].as_f64().unwrap()
    };
    assert_close(per_second("steps"), 10.0, 1e-9);
    assert_close(per_second("samples"), 144.0, 1e-9);
}

#[test]
fn json_prints_all_results_alone() {
    let run = scratch::folder("cli-finetune-json").join("run");
    let printed = demo(&run, &["--max-steps", "2", "--json"]).succeeded();
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed, json(&run.join("all_results.json")));
}

/// Without `--quiet`, messages go to stderr; where it is no terminal, no progress is drawn.
#[test]
fn messages_go_to_stderr_and_results_to_stdout() {
    let run = scratch::folder("cli-finetune-messages").join("run");
    let mut command = program();
    command
        .args([
            "finetune",
            "--max-seq-length",
            "32",
            "--max-steps",
            "3",
            "--threads",
            "2",
            "--output",
        ])
        .arg(&run)
        .args([DEMO_MODEL, DEMO_DATA].concat());
    let ran = ran(command);
    let expected = format!(
        "72 examples to train on, 50 to evaluate on; 3 steps, clipping component:0.05, 2 threads; writing to {}; after Ctrl-C the \
         same command with --resume goes on from the last checkpoint\nfigures and tables of the run: cwgnc report {}\n",
        run.display(),
        run.display()
    );
    assert!(ran.stderr.ends_with(&expected), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("loaded 37 tensors (71488 values, F16)\n"));
    assert!(!ran.stderr.contains(['\r', '\x1b']));
    assert!(ran.stdout.starts_with("eval_loss = "));
}

/// `--max-steps 0` writes the model with its fresh head; a run from there is the run from the beginning.
#[test]
fn a_run_from_the_freshly_initialised_model_is_the_direct_run() {
    let dir = scratch::folder("cli-finetune-fresh");
    let (fresh, direct, continued) = (dir.join("fresh"), dir.join("direct"), dir.join("continued"));
    let printed = demo(&fresh, &["--max-steps", "0"]).succeeded();
    assert!(!printed.contains("trained"), "nothing was trained: {printed}");
    assert_eq!(json(&fresh.join("all_results.json"))["train_loss"], Value::Null);
    demo(&direct, &["--max-steps", "7"]).succeeded();
    let from = ["--model", text(&fresh), "--max-steps", "7"];
    ran(finetune(&continued, &[DEMO_DATA, &from].concat())).succeeded();
    for name in ["model.safetensors", "log.jsonl", "config.json"] {
        let [a, b] = [&direct, &continued].map(|run| fs::read(run.join(name)).unwrap());
        assert!(a == b, "{name} differs");
    }
    assert_eq!(json(&continued.join("run.json"))["tensors"]["taken"], 41);
}

#[test]
fn the_seed_decides_the_fresh_head_and_the_order() {
    let dir = scratch::folder("cli-finetune-seed");
    let head = |name: &str, more: &[&str]| -> (Tensor, Value) {
        let run = dir.join(name);
        demo(&run, &[&["--max-steps", "1"], more].concat()).succeeded();
        let fresh = dir.join(format!("{name}-fresh"));
        demo(&fresh, &[&["--max-steps", "0"], more].concat()).succeeded();
        let mut all = tensors(&fresh.join("model.safetensors"));
        let at = all.iter().position(|t| t.name == "classifier.weight").unwrap();
        (
            all.swap_remove(at),
            steps_and_evaluations(&run).0[0]["examples"].clone(),
        )
    };
    let default = head("default", &[]);
    assert_eq!(default, head("default-again", &["--seed", "42"]));
    let other = head("other", &["--seed", "1"]);
    assert_ne!(default.0, other.0);
    assert_ne!(default.1, other.1);
    let init = head("init", &["--init-seed", "1"]);
    assert_eq!((init.0, init.1), (other.0.clone(), default.1.clone()));
    let data = head("data", &["--data-seed", "1"]);
    assert_eq!(data, (default.0, other.1));
}

/// `initializer_range` 0.12, 128 draws: their root mean square is within a tenth or so of it.
#[test]
fn a_fresh_head_has_the_deviation_of_the_config() {
    let run = scratch::folder("cli-finetune-deviation").join("run");
    demo(&run, &["--max-steps", "0"]).succeeded();
    for tensor in tensors(&run.join("model.safetensors")) {
        match tensor.name.as_str() {
            "classifier.weight" => assert_close_deviation(&tensor, 0.12, 0.25),
            "bert.pooler.dense.weight" => assert_close_deviation(&tensor, 0.12, 0.05),
            "classifier.bias" | "bert.pooler.dense.bias" => assert_eq!(tensor.norm(), 0.0),
            _ => {}
        }
    }
}

fn assert_close_deviation(tensor: &Tensor, deviation: f64, tolerance: f64) {
    let found = tensor.norm() / (tensor.values().len() as f64).sqrt();
    assert!(
        (found / deviation - 1.0).abs() < tolerance,
        "{} {found}",
        tensor.name
    );
}

#[test]
fn threads_change_no_number() {
    let dir = scratch::folder("cli-finetune-threads");
    let run = |threads: &str| {
        let run = dir.join(threads);
        let more = [
            "--max-steps",
            "8",
            "--dropout",
            "0.1",
            "--logging-steps",
            "1",
            "--threads",
            threads,
        ];
        demo(&run, &more).succeeded();
        assert_eq!(json(&run.join("run.json"))["threads"].to_string(), threads);
        run
    };
    let (one, two) = (run("1"), run("2"));
    for name in ["model.safetensors", "log.jsonl"] {
        assert!(
            fs::read(one.join(name)).unwrap() == fs::read(two.join(name)).unwrap(),
            "{name} differs"
        );
    }
    let [a, b] = [one, two].map(|run| object(&run.join("eval_results.json")));
    assert_eq!(
        (&a["eval_loss"], &a["eval_accuracy"]),
        (&b["eval_loss"], &b["eval_accuracy"])
    );
}

/// Neither how many examples are evaluated at once nor how often changes the run.
#[test]
fn evaluations_change_no_number() {
    let dir = scratch::folder("cli-finetune-evaluations");
    let (seldom, often) = (dir.join("seldom"), dir.join("often"));
    demo(&seldom, &["--max-steps", "7"]).succeeded();
    demo(
        &often,
        &[
            "--max-steps",
            "7",
            "--eval-every",
            "2",
            "--per-device-eval-batch-size",
            "7",
        ],
    )
    .succeeded();
    let ((a, last), (b, evaluations)) = (steps_and_evaluations(&seldom), steps_and_evaluations(&often));
    assert_eq!(a, b);
    let at: Vec<&Value> = evaluations.iter().map(|line| &line["step"]).collect();
    assert_eq!(at, [2, 4, 6, 7]);
    assert_eq!(last, evaluations[3..]);
}

/// A batch of 8 in one part, two or eight has one mean loss; the order of summation may change its last digits.
#[test]
fn accumulated_batches_have_the_loss_of_the_whole() {
    let dir = scratch::folder("cli-finetune-accumulation");
    let first = |batch: &str, parts: &str| {
        let run = dir.join(batch);
        let more = [
            "--max-steps",
            "2",
            "--dtype",
            "f64",
            "--dropout",
            "0.1",
            "--batch-size",
            batch,
            "--gradient-accumulation-steps",
            parts,
        ];
        demo(&run, &more).succeeded();
        steps_and_evaluations(&run).0
    };
    let whole = first("8", "1");
    for (batch, parts) in [("4", "2"), ("1", "8")] {
        for (step, whole) in first(batch, parts).iter().zip(&whole) {
            assert_eq!(step["examples"], whole["examples"]);
            for key in ["loss", "grad_norm_before_clipping", "grad_norm_after_clipping"] {
                assert_close(step[key].as_f64().unwrap(), whole[key].as_f64().unwrap(), 1e-12);
            }
        }
    }
}

#[test]
fn double_precision_is_saved_as_such_and_near_the_single() {
    let dir = scratch::folder("cli-finetune-f64");
    let run = |dtype: &str| {
        let run = dir.join(dtype);
        demo(&run, &["--max-steps", "3", "--dtype", dtype, "--clip", "none"]).succeeded();
        run
    };
    let (single, double) = (run("f32"), run("f64"));
    assert_eq!(json(&double.join("config.json"))["dtype"], "float64");
    let [a, b] = [&single, &double].map(|run| tensors(&run.join("model.safetensors")));
    assert!(a.iter().all(|t| t.dtype == "F32") && b.iter().all(|t| t.dtype == "F64"));
    let [a, b] = [&single, &double].map(|run| steps_and_evaluations(run).0);
    for (a, b) in a.iter().zip(&b) {
        assert_close(a["loss"].as_f64().unwrap(), b["loss"].as_f64().unwrap(), 1e-4);
    }
}

/// Half the bytes, each number the nearest of 16 bits, and the training that of the wide file.
#[test]
fn half_precision_is_the_rounded_single() {
    let dir = scratch::folder("cli-finetune-f16");
    let run = |dtype: &str| {
        let run = dir.join(dtype);
        demo(&run, &["--max-steps", "3", "--save-dtype", dtype]).succeeded();
        run
    };
    let (single, half) = (run("f32"), run("f16"));
    assert_eq!(json(&half.join("config.json"))["dtype"], "float16");
    let log = |run: &Path| fs::read(run.join("log.jsonl")).unwrap();
    assert!(log(&single) == log(&half));
    let [a, b] = [&single, &half].map(|run| tensors(&run.join("model.safetensors")));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert_eq!((&a.name, b.dtype.as_str()), (&b.name, "F16"));
        // 11 bits of significand: half a unit of the last is 2^-11 of the value, or 2^-25 below the normal range.
        for (x, y) in a.values().iter().zip(&b.values()) {
            assert!(
                (x - y).abs() <= x.abs() / 2048.0 + f64::from(2_f32.powi(-25)),
                "{}",
                a.name
            );
        }
    }
}

#[test]
fn the_output_folder_has_a_name_by_default() {
    let dir = scratch::folder("cli-finetune-name");
    let demo = scratch::fixture("demo");
    let mut command = program();
    command
        .current_dir(&dir)
        .args([
            "finetune",
            "--quiet",
            "--max-steps",
            "0",
            "--max-seq-length",
            "32",
        ])
        .args(["--clip", "global:1", "--seed", "7", "--model"])
        .arg(demo.join("model"))
        .arg("--train-file")
        .arg(demo.join("train.tsv"))
        .arg("--validation-file")
        .arg(demo.join("dev.tsv"));
    ran(command).succeeded();
    assert!(
        dir.join("runs/train-model-global-1-seed7/all_results.json")
            .exists()
    );
}
