//! The flags for what others do for stability: the weights, examples and rates of a run with them, and what is refused.

use super::{DEMO_DATA, DEMO_MODEL, cwgnc, demo, finetune, json, log, object, ran, scratch};
use super::{resume, steps_and_evaluations, text};
use cwgnc::random;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The tensors of a model, by name, as 32-bit numbers.
fn weights(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    super::files::tensors(&dir.join("model.safetensors"))
        .into_iter()
        .map(|tensor| (tensor.name, tensor.bytes))
        .collect()
}

fn trained(name: &str, flags: &[&str]) -> PathBuf {
    let run = scratch::folder(name).join("run");
    demo(&run, flags).succeeded();
    run
}

/// Without a step the saved model is the start: the top layer's weights are fresh, its `LayerNorm` 1 and 0, and all else
/// is as in a run without the flag; another seed gives other weights.
#[test]
fn fresh_top_layers() {
    let start =
        |name: &str, flags: &[&str]| weights(&trained(name, &[&["--max-steps", "0"], flags].concat()));
    let plain = start("cli-reinit-plain", &[]);
    let top = start("cli-reinit-top", &["--reinit-layers", "1"]);
    let seeded = start("cli-reinit-seed", &["--reinit-layers", "1", "--init-seed", "7"]);
    let of = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let mut fresh = 0;
    for (name, bytes) in &top {
        if !name.contains("layer.1.") {
            assert_eq!(bytes, &plain[name], "{name}");
        } else if name.ends_with("LayerNorm.weight") {
            assert_eq!(bytes, &of(&vec![1.0; bytes.len() / 4]), "{name}");
        } else if name.ends_with("bias") {
            assert_eq!(bytes, &of(&vec![0.0; bytes.len() / 4]), "{name}");
        } else {
            assert!(bytes != &plain[name] && bytes != &seeded[name], "{name}");
            fresh += 1;
        }
    }
    assert_eq!(fresh, 6);
    // The demo's folder has no pooler, so its weights are fresh already; a trained folder has one.
    let folder = super::trained();
    let again = |name: &str, flags: &[&str]| {
        let run = scratch::folder(name).join("run");
        let model = ["--model", text(folder), "--max-steps", "0"];
        ran(finetune(&run, &[&model, DEMO_DATA, flags].concat())).succeeded();
        weights(&run)
    };
    let (kept, pooler) = (
        again("cli-reinit-kept", &[]),
        again("cli-reinit-pooler", &["--reinit-pooler"]),
    );
    for (name, bytes) in &pooler {
        assert_eq!(bytes != &kept[name], name.contains("pooler"), "{name}");
    }
}

/// From scratch, no weight is the folder's: `LayerNorm` is 1 and 0, every other bias 0, and every weight is drawn by the
/// seed, of the deviation that the folder's `initializer_range` 0.12 says.
#[test]
fn no_pretrained_weights() {
    let start = |name: &str, seed: &str| {
        let flags = ["--max-steps", "0", "--from-scratch", "--init-seed", seed];
        weights(&trained(name, &flags))
    };
    let (one, two) = (start("cli-from-scratch-1", "1"), start("cli-from-scratch-2", "2"));
    let folder = weights(Path::new("fixtures/demo/model"));
    let mut drawn = 0;
    for (name, bytes) in &one {
        let values: Vec<f64> = bytes
            .chunks_exact(4)
            .map(|x| f64::from(f32::from_le_bytes(x.try_into().unwrap())))
            .collect();
        if name.contains("LayerNorm") || name.ends_with("bias") {
            let constant = if name.ends_with("LayerNorm.weight") {
                1.0
            } else {
                0.0
            };
            assert!(values.iter().all(|x| *x == constant), "{name}");
            continue;
        }
        drawn += 1;
        assert!(bytes != &two[name] && Some(bytes) != folder.get(name), "{name}");
        // The standard error of a deviation over n values is 0.12 / √(2n): 5 % at the least n here, 192 of them.
        let deviation = (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt();
        assert!(
            values.len() < 192 || (deviation / 0.12 - 1.0).abs() < 0.25,
            "{name}: {deviation}"
        );
    }
    // Three tables of embeddings, six matrices in each of two layers, pooler and classifier.
    assert_eq!(drawn, 17);
    let run = scratch::folder("cli-from-scratch-mixout").join("run");
    let refused = demo(&run, &["--from-scratch", "--mixout", "0.1"]);
    assert!(
        refused.code == Some(2)
            && refused
                .stderr
                .contains("'--from-scratch' cannot be used with '--mixout"),
        "{refused:?}"
    );
}

/// Twelve of the 72 examples, by a permutation computed here, and each of them once in an epoch.
#[test]
fn a_subset_of_the_examples() {
    let texts = |name: &str, flags: &[&str]| -> Vec<String> {
        let run = trained(
            name,
            &[flags, &["--epochs", "1", "--logging-steps", "1"]].concat(),
        );
        let (steps, _) = steps_and_evaluations(&run);
        let mut examples: Vec<u64> = steps
            .iter()
            .flat_map(|step| step["examples"].as_array().unwrap())
            .map(|example| example.as_u64().unwrap())
            .collect();
        examples.sort_unstable();
        assert_eq!(examples, (0..12).collect::<Vec<u64>>());
        steps.iter().map(|step| step["loss"].to_string()).collect()
    };
    let file = fs::read_to_string(scratch::fixture("demo/train.tsv")).unwrap();
    let (head, rows) = file.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().take(72).collect();
    let mut subset = random::permutation(&mut random::stream(5, "train subset", 0), 72)[..12].to_vec();
    subset.sort_unstable();
    let chosen: Vec<&str> = subset.iter().map(|&i| rows[i]).collect();
    let dir = scratch::folder("cli-subset-file");
    let path = dir.join("train.tsv");
    fs::write(&path, format!("{head}\n{}\n", chosen.join("\n"))).unwrap();
    let from_flag = texts("cli-subset", &["--train-subset", "12", "--subset-seed", "5"]);
    let from_file = {
        let run = dir.join("run");
        let data = [
            "--train-file",
            text(&path),
            "--validation-file",
            "fixtures/demo/dev.tsv",
        ];
        let flags = ["--epochs", "1", "--logging-steps", "1"];
        ran(finetune(&run, &[DEMO_MODEL, &data, &flags].concat())).succeeded();
        let (steps, _) = steps_and_evaluations(&run);
        steps
            .iter()
            .map(|step| step["loss"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(from_flag, from_file);
    // Another seed of the run keeps the subset, another seed of the subset does not: with the order fixed the losses tell.
    let order = [
        "--train-subset",
        "12",
        "--data-seed",
        "1",
        "--init-seed",
        "1",
        "--dropout",
        "0",
    ];
    let of = |name: &str, more: &[&str]| texts(name, &[&order, more].concat());
    assert_eq!(
        of("cli-subset-a", &["--seed", "1"]),
        of("cli-subset-b", &["--seed", "2"])
    );
    assert_ne!(
        of("cli-subset-c", &[]),
        of("cli-subset-d", &["--subset-seed", "1"])
    );
}

/// 72 examples in 5 steps an epoch. Constant: 1e-3 in every step. With warm-up: ⌈0.4 · 5⌉ = 2 steps from 0.
#[test]
fn schedules() {
    let rates = |name: &str, flags: &[&str]| -> Vec<f64> {
        let run = trained(
            name,
            &[flags, &["--epochs", "1", "--logging-steps", "1"]].concat(),
        );
        let (steps, _) = steps_and_evaluations(&run);
        steps
            .iter()
            .map(|step| step["learning_rate"].as_f64().unwrap())
            .collect()
    };
    assert_eq!(
        rates("cli-constant", &["--lr-scheduler-type", "constant"]),
        [1e-3; 5]
    );
    let warm = [
        "--lr-scheduler-type",
        "constant_with_warmup",
        "--warmup-ratio",
        "0.4",
    ];
    assert_eq!(rates("cli-warm", &warm), [0.0, 5e-4, 1e-3, 1e-3, 1e-3]);
}

/// The demo's two layers make four iterations. Each ends with an evaluation, and only what is unfrozen is in the log.
#[test]
fn gradual_unfreezing() {
    let flags = [
        "--gradual-unfreezing",
        "continue",
        "--unfreeze-epochs",
        "0.4",
        "--logging-steps",
        "1",
    ];
    let run = trained("cli-unfreezing", &flags);
    let (steps, evaluations) = steps_and_evaluations(&run);
    assert_eq!(json(&run.join("run.json"))["settings"]["total_steps"], 8);
    let iterations: Vec<_> = evaluations
        .iter()
        .map(|line| {
            (
                line["step"].as_u64().unwrap(),
                line["unfreezing_iteration"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(iterations, [(2, 0), (4, 1), (6, 2), (8, 3)]);
    // Classifier 2; a layer of 16 tensors has 4 in LayerNorms; 41 in all.
    let components: Vec<usize> = steps
        .iter()
        .map(|step| step["components"].as_array().unwrap().len())
        .collect();
    assert_eq!(components, [2, 2, 14, 14, 26, 26, 41, 41]);
    let rates: Vec<f64> = steps
        .iter()
        .map(|step| step["learning_rate"].as_f64().unwrap() * 1e3)
        .collect();
    assert_eq!(rates, [1.0, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125, 0.09375]);
    // From the start again: the norms of step 3 are those of step 1.
    let flags = [
        "--gradual-unfreezing",
        "restart",
        "--unfreeze-epochs",
        "0.4",
        "--logging-steps",
        "1",
    ];
    let (steps, _) = steps_and_evaluations(&trained("cli-unfreezing-restart", &flags));
    let norm = |step: usize| {
        let components = steps[step - 1]["components"].as_array().unwrap();
        let weight = components.iter().find(|c| c["name"] == "classifier.weight");
        weight.unwrap()["parameter_norm"].as_f64().unwrap()
    };
    assert_eq!([norm(3), norm(5), norm(7)], [norm(1); 3]);
    assert_ne!(norm(2), norm(1));
}

/// A rate so high that the model falls apart after a while: the last is not the best. The results are those of the best
/// evaluation of the log, the earliest of equals, and the saved model gives them again.
#[test]
fn the_best_evaluation() {
    let flags = [
        "--load-best",
        "--epochs",
        "8",
        "--learning-rate",
        "2e-2",
        "--lr-scheduler-type",
        "constant",
    ];
    let run = scratch::folder("cli-best").join("run");
    let mut command = super::program();
    command.args([
        "finetune",
        "--quiet",
        "--max-seq-length",
        "32",
        "--threads",
        "2",
        "--output",
    ]);
    command.arg(&run).args([DEMO_MODEL, DEMO_DATA, &flags].concat());
    ran(command).succeeded();
    let (_, evaluations) = steps_and_evaluations(&run);
    assert_eq!(evaluations.len(), 8);
    let value = |line: &serde_json::Value| line["eval_accuracy"].as_f64().unwrap();
    let mut best = &evaluations[0];
    for line in &evaluations {
        if value(line) > value(best) {
            best = line;
        }
    }
    assert!(
        best["step"] != evaluations[7]["step"],
        "the run is no test: its last evaluation is the best"
    );
    let results = object(&run.join("all_results.json"));
    assert_eq!(results["best_step"], best["step"]);
    assert_eq!(results["eval_accuracy"], best["eval_accuracy"]);
    assert_eq!(results["eval_loss"], best["eval_loss"]);
    let eval = [
        "eval",
        "--quiet",
        "--json",
        "--model",
        text(&run),
        "--max-seq-length",
        "32",
    ];
    let data = [
        "--validation-file",
        "fixtures/demo/dev.tsv",
        "--max-eval-samples",
        "50",
    ];
    let printed: serde_json::Value =
        serde_json::from_str(&cwgnc(&[&eval[..], &data].concat()).succeeded()).unwrap();
    assert_eq!(printed["eval_loss"], best["eval_loss"]);
    assert_eq!(log(&run).last().unwrap()["step"], 40);
}

/// Killed at these lines of the log and resumed, runs with stabilisers end with the bytes of undisturbed ones.
#[test]
fn resumed_with_the_same_bits() {
    let all = [
        "--layerwise-lr-decay",
        "0.9",
        "--mixout",
        "0.2",
        "--weight-decay-to-pretrained",
        "0.1",
    ];
    let more = [
        "--reinit-layers",
        "1",
        "--train-subset",
        "60",
        "--logging-steps",
        "1",
        "--save-steps",
        "3",
    ];
    for (name, special) in [
        ("best", &["--load-best", "--epochs", "5"][..]),
        (
            "continue",
            &["--gradual-unfreezing", "continue", "--epochs", "1.5"],
        ),
        (
            "restart",
            &[
                "--gradual-unfreezing",
                "restart",
                "--epochs",
                "1.5",
                "--load-best",
            ],
        ),
    ] {
        let folder = scratch::folder(&format!("cli-stabilised-{name}"));
        let flags = [&all[..], &more, special].concat();
        demo(&folder.join("alone"), &flags).succeeded();
        let run = folder.join("run");
        let mut kills = 0;
        for lines in [4, 8, 13, 17] {
            let resumed = [&flags[..], if run.exists() { &["--resume"] } else { &[] }].concat();
            let command = finetune(&run, &[DEMO_MODEL, DEMO_DATA, &resumed].concat());
            kills += usize::from(resume::killed_command(command, || {
                resume::lines_logged(&run) >= lines
            }));
        }
        demo(&run, &[&flags[..], &["--resume"]].concat()).succeeded();
        resume::assert_same(&run, &folder.join("alone"));
        assert!(kills > 0, "{name}: no kill came before the end");
    }
}

#[test]
fn contradictions() {
    let dir = scratch::folder("cli-stabilise-refused");
    let run = dir.join("run");
    let refused = |flags: &[&str], message: &str| {
        let ran = demo(&run, flags);
        assert!(ran.stderr.contains(message), "{flags:?}: {}", ran.stderr);
        assert_eq!((ran.code, run.exists()), (Some(2), false), "{flags:?}");
    };
    refused(&["--mixout", "1"], "'1' for '--mixout <P>': must be in [0, 1)");
    let share = "for '--layerwise-lr-decay <SHARE>': must be above 0 and at most 1";
    refused(&["--layerwise-lr-decay", "0"], share);
    refused(&["--layerwise-lr-decay", "1.1"], share);
    refused(
        &["--reinit-layers", "3"],
        "--reinit-layers 3: the model has 2 layers",
    );
    refused(
        &["--train-subset", "73"],
        "--train-subset 73: fixtures/demo/train.tsv gives 72 examples",
    );
    refused(&["--subset-seed", "1"], "--train-subset <N>");
    refused(&["--unfreeze-epochs", "1"], "--gradual-unfreezing <MODE>");
    let both = "'--gradual-unfreezing <MODE>' cannot be used with '--max-steps <N>'";
    refused(&["--gradual-unfreezing", "continue", "--max-steps", "3"], both);
    refused(
        &["--weight-decay", "0.1", "--weight-decay-to-pretrained", "0.1"],
        "--weight-decay pulls to 0 and --weight-decay-to-pretrained to where training began; give one of them",
    );
    refused(
        &["--lr-scheduler-type", "constant", "--warmup-ratio", "0.1"],
        "--lr-scheduler-type constant has no warm-up; give constant_with_warmup, or no --warmup-ratio",
    );
}
