//! Training that leaves the numbers: it stops with the step, the reason and the state before the step.

use super::files::{Tensor, change_tensors, tensors};
use super::{DEMO_DATA, DEMO_MODEL, Ran, cwgnc, finetune, listing, ran, scratch, text};
use std::fs;
use std::path::Path;

/// A fine-tuning with a learning rate at which single precision overflows.
fn diverge(run: &Path, rate: &str, more: &[&str]) -> Ran {
    let mut command = super::program();
    command
        .args([
            "finetune",
            "--quiet",
            "--max-seq-length",
            "32",
            "--threads",
            "2",
            "--max-steps",
            "9",
        ])
        .args(["--learning-rate", rate, "--output", text(run)])
        .args([DEMO_MODEL, DEMO_DATA, more].concat());
    ran(command)
}

/// The first step makes weights of about 1e30, whose products are not finite in the second.
#[test]
fn the_loss() {
    let dir = scratch::folder("cli-nan-loss");
    let run = dir.join("run");
    let message =
        "step 2: the loss is NaN; training stopped, the state before this step is in DIR/run/checkpoint-1";
    diverge(&run, "1e30", &[]).refused(&dir, 1, message);
    assert_eq!(listing(&run), ["checkpoint-1", "log.jsonl", "run.json"]);
    assert_eq!(
        super::log(&run).len(),
        1,
        "step 1 was logged, step 2 was not taken"
    );
    let saved = tensors(&run.join("checkpoint-1/model.safetensors"));
    assert!(saved.iter().flat_map(Tensor::values).all(f64::is_finite));

    // The same step fails again in the same way, and its state stays.
    let state = fs::read(run.join("checkpoint-1/optimizer.safetensors")).unwrap();
    diverge(&run, "1e30", &["--resume"]).refused(&dir, 1, message);
    assert_eq!(
        fs::read(run.join("checkpoint-1/optimizer.safetensors")).unwrap(),
        state
    );
    assert_eq!(listing(&run), ["checkpoint-1", "log.jsonl", "run.json"]);
    let checkpoint = run.join("checkpoint-1");
    cwgnc(&["inspect", text(&checkpoint)]).succeeded();
}

/// Two targets of 3e38 for outputs of 0 in a batch of two: dz = 2 (0 − 3e38)/2 each, finite in single precision; their
/// sum, the gradient of the head's bias, is not. With pooler and head at zero, no other parameter has a gradient.
#[test]
fn the_gradient_of_one_component() {
    let dir = scratch::folder("cli-nan-gradient");
    let rows: String = (0..4).map(|_| "the dogs sleep,3e38\n").collect();
    let data = dir.join("data.csv");
    fs::write(&data, format!("text,label\n{rows}")).unwrap();
    let files = [
        "--train-file",
        text(&data),
        "--validation-file",
        text(&data),
        "--max-steps",
        "3",
    ];
    let model = dir.join("model");
    let fresh = [
        DEMO_MODEL,
        &["--train-file", text(&data), "--validation-file", text(&data)],
        &["--max-steps", "0"],
    ];
    ran(finetune(&model, &fresh.concat())).succeeded();
    change_tensors(&model, |tensors| {
        let head = |t: &&mut Tensor| t.name.starts_with("classifier") || t.name.starts_with("bert.pooler");
        tensors.iter_mut().filter(head).for_each(|t| t.bytes.fill(0));
    });
    let run = dir.join("run");
    let flags = ["--model", text(&model), "--batch-size", "2"];
    let message = "step 1: the gradient of `classifier.bias` has the norm inf; training stopped, the state before this \
                   step is in DIR/run/checkpoint-0";
    ran(finetune(&run, &[&flags[..], &files].concat())).refused(&dir, 1, message);
    assert_eq!(listing(&run), ["checkpoint-0", "log.jsonl", "run.json"]);
    let [saved, start] =
        [&run.join("checkpoint-0"), &model].map(|dir| tensors(&dir.join("model.safetensors")));
    assert_eq!(saved, start);
    ran(finetune(&run, &[&flags[..], &files, &["--resume"]].concat())).refused(&dir, 1, message);
}

/// 1e39 is no number of single precision: the update itself leaves the numbers, with a finite gradient. What could not
/// be loaded again is not saved as a checkpoint, nor as a model at the end.
#[test]
fn the_weights() {
    let dir = scratch::folder("cli-nan-weights");
    let first = "bert.embeddings.word_embeddings.weight";
    let left = format!("after step 1 `{first}` has values that are not finite; training stopped");
    let later = dir.join("later");
    let message = format!(
        "step 2: the loss is NaN; training stopped, the state before this step could not be saved: {left}"
    );
    diverge(&later, "1e39", &[]).refused(&dir, 1, &message);
    assert_eq!(listing(&later), ["log.jsonl", "run.json"]);
    let last = dir.join("last");
    let mut command = super::program();
    command
        .args([
            "finetune",
            "--quiet",
            "--max-seq-length",
            "32",
            "--max-steps",
            "1",
        ])
        .args(["--learning-rate", "1e39", "--output", text(&last)])
        .args([DEMO_MODEL, DEMO_DATA].concat());
    ran(command).refused(&dir, 1, &left);
    assert_eq!(listing(&last), ["log.jsonl", "run.json"]);
}
