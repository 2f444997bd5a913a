//! The record of a run: `run.json` and `log.jsonl`, checked by arithmetic.

use super::files::tensors;
use super::{assert_close, demo, json, object, scratch, steps_and_evaluations, trained};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn run(name: &str, more: &[&str]) -> PathBuf {
    let run = scratch::folder(name).join("run");
    demo(&run, more).succeeded();
    run
}

fn numbers(line: &Value, key: &str) -> Vec<f64> {
    let components = line["components"].as_array().unwrap();
    components.iter().map(|c| c[key].as_f64().unwrap()).collect()
}

fn norm(numbers: impl IntoIterator<Item = f64>) -> f64 {
    numbers.into_iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn steps_logged(run: &Path) -> Vec<u64> {
    let (steps, _) = steps_and_evaluations(run);
    steps.iter().map(|line| line["step"].as_u64().unwrap()).collect()
}

/// The first step, every N-th and the last.
#[test]
fn steps_are_logged_under_their_numbers() {
    assert_eq!(
        steps_logged(&run(
            "cli-record-4",
            &["--max-steps", "11", "--logging-steps", "4"]
        )),
        [1, 4, 8, 11]
    );
    assert_eq!(
        steps_logged(&run(
            "cli-record-3",
            &["--max-steps", "6", "--logging-steps", "3"]
        )),
        [1, 3, 6]
    );
    assert_eq!(steps_logged(&run("cli-record-20", &["--max-steps", "1"])), [1]);
}

/// What a line measured does not depend on which other lines there are.
#[test]
fn a_step_is_logged_alike_however_often_the_log_is_written() {
    let (all, _) = steps_and_evaluations(&run(
        "cli-record-all",
        &["--max-steps", "6", "--logging-steps", "1"],
    ));
    let (some, _) = steps_and_evaluations(&run(
        "cli-record-some",
        &["--max-steps", "6", "--logging-steps", "4"],
    ));
    assert_eq!(some, [all[0].clone(), all[3].clone(), all[5].clone()]);
}

/// 72 examples in steps of 16: five steps an epoch, the fifth of 8; two epochs, each with every example once.
#[test]
fn epochs_and_examples() {
    let (steps, evaluations) = steps_and_evaluations(&run(
        "cli-record-epochs",
        &["--num-train-epochs", "1.8", "--logging-steps", "1"],
    ));
    let sizes: Vec<usize> = steps
        .iter()
        .map(|s| s["examples"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [16, 16, 16, 16, 8, 16, 16, 16, 16]);
    let mut first: Vec<u64> = steps[..5]
        .iter()
        .flat_map(|s| s["examples"].as_array().unwrap())
        .map(|i| i.as_u64().unwrap())
        .collect();
    first.sort_unstable();
    assert_eq!(first, (0..72).collect::<Vec<_>>());
    for (i, step) in steps.iter().enumerate() {
        assert_eq!(step["epoch"].as_f64(), Some((i + 1) as f64 / 5.0));
    }
    assert_eq!(
        (&evaluations[0]["step"], &evaluations[0]["epoch"]),
        (&9.into(), &1.8.into())
    );
}

/// All components in the order of `cwgnc inspect`, with their sizes; the names are those of the model saved.
#[test]
fn every_component_is_in_every_line() {
    let saved = tensors(&trained().join("model.safetensors"));
    assert_eq!(saved.len(), 41);
    for step in steps_and_evaluations(trained()).0 {
        let mut found: Vec<(&str, u64)> = step["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| (c["name"].as_str().unwrap(), c["elements"].as_u64().unwrap()))
            .collect();
        found.sort_unstable();
        let expected: Vec<(&str, u64)> = saved
            .iter()
            .map(|t| (t.name.as_str(), t.values().len() as u64))
            .collect();
        assert_eq!(found, expected);
    }
}

/// PyTorch's factor for a float32 gradient, `min(1, c / (n + 1e-6))`, which it computes as `(1 / (n + 1e-6)) · c`.
fn torch_scale(norm: f64, threshold: f32) -> f64 {
    f64::from((1.0 / (norm as f32 + 1e-6) * threshold).min(1.0))
}

/// The scale of each parameter follows from its own norm, and the sums over all of them agree.
#[test]
fn scales_and_norms_of_component_clipping() {
    let run = run(
        "cli-record-component",
        &[
            "--max-steps",
            "6",
            "--logging-steps",
            "1",
            "--clip",
            "component:0.05",
        ],
    );
    for line in steps_and_evaluations(&run).0 {
        let (before, scales) = (numbers(&line, "grad_norm_before"), numbers(&line, "scale"));
        for (n, scale) in before.iter().zip(&scales) {
            assert_eq!(*scale, torch_scale(*n, 0.05));
        }
        assert_close(
            line["grad_norm_before_clipping"].as_f64().unwrap(),
            norm(before.clone()),
            1e-14,
        );
        // The norm after is measured again on gradients rounded to single precision.
        let after = norm(before.iter().zip(&scales).map(|(n, scale)| n * scale));
        assert_close(line["grad_norm_after_clipping"].as_f64().unwrap(), after, 1e-6);
        check_counts(&line, &scales);
    }
}

/// One scale for all, from the norm of all.
#[test]
fn scales_and_norms_of_global_clipping() {
    let run = run(
        "cli-record-global",
        &["--max-steps", "4", "--logging-steps", "1", "--clip", "global:0.5"],
    );
    for line in steps_and_evaluations(&run).0 {
        let n = line["grad_norm_before_clipping"].as_f64().unwrap();
        assert_close(n, norm(numbers(&line, "grad_norm_before")), 1e-14);
        let scale = torch_scale(n, 0.5);
        assert!(numbers(&line, "scale").iter().all(|s| *s == scale));
        assert_close(
            line["grad_norm_after_clipping"].as_f64().unwrap(),
            n * scale,
            1e-6,
        );
        assert_eq!(line["clipped_components"], u64::from(scale < 1.0));
        assert_eq!(
            line["clipped_elements"].as_f64(),
            Some(if scale < 1.0 { 1.0 } else { 0.0 })
        );
    }
}

#[test]
fn without_clipping_the_norms_are_measured_all_the_same() {
    let run = run(
        "cli-record-none",
        &["--max-steps", "3", "--logging-steps", "1", "--clip", "none"],
    );
    for line in steps_and_evaluations(&run).0 {
        assert!(numbers(&line, "scale").iter().all(|s| *s == 1.0));
        assert_eq!(
            line["grad_norm_before_clipping"],
            line["grad_norm_after_clipping"]
        );
        assert_close(
            line["grad_norm_before_clipping"].as_f64().unwrap(),
            norm(numbers(&line, "grad_norm_before")),
            1e-14,
        );
        check_counts(&line, &numbers(&line, "scale"));
    }
}

fn check_counts(line: &Value, scales: &[f64]) {
    let components = line["components"].as_array().unwrap();
    let (mut clipped, mut elements, mut all) = (0_u64, 0, 0);
    for (component, scale) in components.iter().zip(scales) {
        let n = component["elements"].as_u64().unwrap();
        assert_eq!(component["clipped"], *scale < 1.0);
        all += n;
        if *scale < 1.0 {
            clipped += 1;
            elements += n;
        }
    }
    assert_eq!(line["clipped_components"], clipped);
    assert_eq!(
        line["clipped_elements"].as_f64(),
        Some(elements as f64 / all as f64)
    );
}

/// The parameter norms of a line are those before its step: of the initial model, and of the model that one step less
/// leaves.
#[test]
fn parameter_norms_are_those_before_the_step() {
    let fresh = run("cli-record-norms-0", &["--max-steps", "0", "--dtype", "f64"]);
    let whole = run(
        "cli-record-norms-n",
        &[
            "--max-steps",
            "2",
            "--save-steps",
            "1",
            "--logging-steps",
            "1",
            "--dtype",
            "f64",
        ],
    );
    let (steps, _) = steps_and_evaluations(&whole);
    for (line, model) in steps.iter().zip([&fresh, &whole.join("checkpoint-1")]) {
        let saved = tensors(&model.join("model.safetensors"));
        for component in line["components"].as_array().unwrap() {
            let tensor = saved.iter().find(|t| component["name"] == *t.name).unwrap();
            let found = component["parameter_norm"].as_f64().unwrap();
            assert!(
                (found - tensor.norm()).abs() <= 1e-12 * tensor.norm(),
                "{}",
                tensor.name
            );
        }
    }
}

/// Up over ⌈0.25 · 10⌉ = 3 steps, then down to zero at step 10 (steps counted from 0).
#[test]
fn learning_rates() {
    let rates = |name: &str, more: &[&str]| -> Vec<f64> {
        let run = run(name, &[&["--logging-steps", "1"], more].concat());
        let (steps, _) = steps_and_evaluations(&run);
        steps
            .iter()
            .map(|s| s["learning_rate"].as_f64().unwrap())
            .collect()
    };
    let found = rates(
        "cli-record-warmup",
        &["--max-steps", "10", "--warmup-ratio", "0.25"],
    );
    let up = (0..3).map(|t| f64::from(t) / 3.0);
    let down = (3..10).map(|t| f64::from(10 - t) / 7.0);
    let expected: Vec<f64> = up.chain(down).map(|factor| 1e-3 * factor).collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_close(*found, *expected, 1e-15);
    }
    assert_eq!(found.len(), 10);
    let found = rates("cli-record-linear", &["--max-steps", "4"]);
    assert_eq!(found, [1e-3, 1e-3 * 0.75, 1e-3 * 0.5, 1e-3 * 0.25]);
}

/// `train_loss` is the mean over all steps, and the last line of the log is the evaluation in the results.
#[test]
fn the_results_agree_with_the_log() {
    let run = run("cli-record-loss", &["--max-steps", "6", "--logging-steps", "1"]);
    let (steps, evaluations) = steps_and_evaluations(&run);
    let losses: f64 = steps.iter().map(|s| s["loss"].as_f64().unwrap()).sum();
    let results = object(&run.join("all_results.json"));
    assert_close(results["train_loss"].as_f64().unwrap(), losses / 6.0, 1e-14);
    for key in ["epoch", "eval_loss", "eval_accuracy"] {
        assert_eq!(evaluations[0][key], results[key]);
    }
}

/// FNV-1a, written out here.
fn hash(path: &Path) -> String {
    let mut hash = 14_695_981_039_346_656_037_u64;
    for byte in std::fs::read(path).unwrap() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
    }
    format!("fnv1a64:{hash:016x}")
}

#[test]
fn run_json_has_every_setting_and_file() {
    let run = run(
        "cli-record-run",
        &[
            "--max-steps",
            "2",
            "--clip",
            "global:1",
            "--adam-beta2",
            "0.98",
            "--init-seed",
            "5",
        ],
    );
    let record = json(&run.join("run.json"));
    assert_eq!(record["cwgnc_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(record["threads"], 2);
    assert_eq!(
        record["labels"],
        serde_json::json!(["acceptable", "unacceptable"])
    );
    let file = |kind: &str, name: &str| (kind.to_owned(), format!("fixtures/demo/{name}"));
    for (kind, path) in [
        file("model_files", "model/config.json"),
        file("model_files", "model/model.safetensors"),
        file("model_files", "model/vocab.txt"),
        file("model_files", "model/tokenizer_config.json"),
        file("data_files", "train.tsv"),
        file("data_files", "dev.tsv"),
    ] {
        assert_eq!(record[&kind][&path], hash(Path::new(&path)), "{path}");
    }
    assert_eq!(record["model_files"].as_object().unwrap().len(), 4);
    assert_eq!(record["data_files"].as_object().unwrap().len(), 2);
    let mut expected = serde_json::json!({
        "model": "fixtures/demo/model", "task": null, "data": null, "train_file": "fixtures/demo/train.tsv",
        "validation_file": "fixtures/demo/dev.tsv", "text_column": null, "text_pair_column": null,
        "label_column": "label", "problem_type": null, "max_seq_length": 32, "max_train_samples": 72,
        "max_eval_samples": 50, "from_scratch": false, "clip": "global:1", "learning_rate": 1e-3,
        "num_train_epochs": 3.0, "max_steps": 2, "total_steps": 2, "per_device_train_batch_size": 16,
        "gradient_accumulation_steps": 1, "warmup_ratio": 0.0, "weight_decay": 0.0, "optimizer": "adamw-hf",
        "adam_beta1": 0.9, "adam_beta2": 0.98, "adam_epsilon": 1e-8, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0, "dtype": "f32", "seed": 42, "init_seed": 5,
        "data_seed": 42, "dropout_seed": 42, "logging_steps": 20, "eval_every": null,
        "eval_strategy": "no", "log_updates": false,
    });
    let stability = serde_json::json!({
        "lr_scheduler_type": "linear", "layerwise_lr_decay": 1.0, "reinit_layers": 0, "reinit_pooler": false,
        "mixout": 0.0, "weight_decay_to_pretrained": 0.0, "gradual_unfreezing": null, "unfreeze_epochs": null,
        "load_best": false, "train_subset": null, "subset_seed": null,
    });
    let stability = stability.as_object().unwrap().clone();
    expected.as_object_mut().unwrap().extend(stability);
    assert_eq!(record["settings"], expected);
    let fresh = [
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    ];
    assert_eq!(record["tensors"]["initialised"], serde_json::json!(fresh));
    assert_eq!(record["tensors"]["taken"], 37);
}

/// At each evaluation, how far every parameter has moved: checked on the saved weights of runs that end there, by the
/// definitions.
#[test]
fn updates_are_distances_between_saved_weights() {
    let flags = |steps: &'static str| ["--max-steps", steps, "--eval-every", "2", "--log-updates"];
    let long = run("cli-record-updates", &flags("4"));
    let (_, evaluations) = steps_and_evaluations(&long);
    assert_eq!(evaluations.len(), 2);
    // With --max-steps the learning rate falls faster; the start is the same, the way there is not.
    let start = tensors(&run("cli-record-updates-0", &["--max-steps", "0"]).join("model.safetensors"));
    let end = tensors(&long.join("model.safetensors"));
    let updates = evaluations[1]["updates"].as_array().unwrap();
    assert_eq!(updates.len(), end.len());
    for update in updates {
        let name = update["name"].as_str().unwrap();
        let values = |all: &[super::files::Tensor]| all.iter().find(|t| t.name == name).unwrap().values();
        let (x, y) = (values(&end), values(&start));
        let apart = norm(x.iter().zip(&y).map(|(x, y)| x - y));
        let rms = update["rms_from_start"].as_f64().unwrap();
        assert_close(rms, apart / (x.len() as f64).sqrt(), 1e-12);
        assert!(rms > 0.0, "{name}");
        let dot: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
        let (x, y) = (norm(x), norm(y));
        match update["cosine_distance_from_start"].as_f64() {
            // 1 - cos loses digits; the program's form does not.
            Some(cosine) => assert!((cosine - (1.0 - dot / (x * y))).abs() < 1e-13, "{name}"),
            None => assert!(x * y == 0.0, "{name}"),
        }
    }
    // The first evaluation has the start before it, the second the first.
    let first = &evaluations[0]["updates"][0];
    assert_eq!(first["rms_from_previous"], first["rms_from_start"]);
    let second = &updates[0];
    let number = |line: &Value, key: &str| line[key].as_f64().unwrap();
    let (to_first, step) = (
        number(first, "rms_from_start"),
        number(second, "rms_from_previous"),
    );
    assert!(step < to_first + number(second, "rms_from_start") && step != number(second, "rms_from_start"));
}
