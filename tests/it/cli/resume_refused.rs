//! What cannot be resumed is refused with the reason, and nothing in the folder is touched.

use super::files::copy;
use super::{Ran, demo, finetune, listing, ran, scratch, text, trained};
use std::fs;
use std::path::{Path, PathBuf};

/// A run that died after its checkpoint of step 5, in a folder `run`.
fn died(name: &str) -> PathBuf {
    let dir = scratch::folder(name);
    let run = dir.join("run");
    copy(trained(), &run);
    copy(&trained().join("checkpoint-5"), &run.join("checkpoint-5"));
    fs::remove_file(run.join("all_results.json")).unwrap();
    dir
}

/// Resumes the run of [`trained`] with `more` flags.
fn resume(dir: &Path, more: &[&str]) -> Ran {
    let flags: &[&str] = if more.contains(&"--num-train-epochs") {
        &["--resume"]
    } else {
        &["--num-train-epochs", "2", "--resume"]
    };
    demo(&dir.join("run"), &[flags, more].concat())
}

#[test]
fn another_setting() {
    let dir = died("cli-resume-setting");
    let before = listing(&dir.join("run"));
    let refused = |more: &[&str], changes: &str| {
        let message = format!("cannot resume DIR/run: it is another run\n  {changes}");
        resume(&dir, more).refused(&dir, 2, &message);
        assert_eq!(listing(&dir.join("run")), before);
    };
    refused(&["--clip", "none"], "clip: was \"component:0.05\", now \"none\"");
    refused(&["--weight-decay", "0.01"], "weight_decay: was 0.0, now 0.01");
    refused(&["--dtype", "f64"], "dtype: was \"f32\", now \"f64\"");
    refused(&["--dropout-seed", "1"], "dropout_seed: was 42, now 1");
    refused(&["--logging-steps", "7"], "logging_steps: was 20, now 7");
    refused(&["--eval-every", "7"], "eval_every: was null, now 7");
    refused(
        &["--num-train-epochs", "3", "--seed", "1"],
        "num_train_epochs: was 2.0, now 3.0\n  total_steps: was 10, now 15\n  seed: was 42, now 1\n  \
         init_seed: was 42, now 1\n  data_seed: was 42, now 1\n  dropout_seed: was 42, now 1",
    );
    resume(&dir, &[]).succeeded();
}

/// Another text under the same name is another run: of the data, the weights, the configuration, the vocabulary.
#[test]
fn another_file() {
    let dir = scratch::folder("cli-resume-file");
    copy(&scratch::fixture("demo"), &dir);
    copy(&scratch::fixture("demo/model"), &dir.join("model"));
    let [model, train, dev] = ["model", "train.tsv", "dev.tsv"].map(|name| dir.join(name));
    let run = |more: &[&str]| {
        let flags = [
            "--model",
            text(&model),
            "--train-file",
            text(&train),
            "--validation-file",
            text(&dev),
            "--max-steps",
            "1",
        ];
        ran(finetune(&dir.join("run"), &[&flags, more].concat()))
    };
    run(&[]).succeeded();
    // Changes that every reader accepts: a blank line more, a row more, two words exchanged, a weight's lowest bit.
    let changed = |path: &Path, bytes: &[u8]| -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match path.extension().and_then(|kind| kind.to_str()).unwrap() {
            "json" => bytes.push(b'\n'),
            "tsv" => bytes.extend(b"the dogs sleep\tacceptable\n"),
            "txt" => {
                let text = String::from_utf8(bytes).unwrap();
                let mut words: Vec<&str> = text.lines().collect();
                let n = words.len();
                words.swap(n - 1, n - 2);
                bytes = (words.join("\n") + "\n").into_bytes();
            }
            _ => *bytes.last_mut().unwrap() ^= 1,
        }
        bytes
    };
    for path in [
        &train,
        &dev,
        &model.join("model.safetensors"),
        &model.join("config.json"),
        &model.join("vocab.txt"),
    ] {
        let original = fs::read(path).unwrap();
        let changed = changed(path, &original);
        fs::write(path, &changed).unwrap();
        let shown = path.display().to_string().replace(text(&dir), "DIR");
        let message = format!(
            "cannot resume DIR/run: it is another run\n  {shown}: was \"{}\", now \"{}\"",
            hash(&original),
            hash(&changed)
        );
        run(&["--resume"]).refused(&dir, 2, &message);
        fs::write(path, original).unwrap();
    }
    run(&["--resume"]).succeeded();
}

/// FNV-1a, written out here.
fn hash(bytes: &[u8]) -> String {
    let mut hash = 14_695_981_039_346_656_037_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211);
    }
    format!("fnv1a64:{hash:016x}")
}

#[test]
fn another_version() {
    let dir = died("cli-resume-version");
    let path = dir.join("run/run.json");
    let now = env!("CARGO_PKG_VERSION");
    let text = fs::read_to_string(&path).unwrap();
    let old = text.replacen(
        &format!("\"cwgnc_version\": \"{now}\""),
        "\"cwgnc_version\": \"0.0.9\"",
        1,
    );
    fs::write(&path, old).unwrap();
    let message = format!("cannot resume DIR/run: it is another run\n  cwgnc version: was 0.0.9, now {now}");
    resume(&dir, &[]).refused(&dir, 2, &message);
}

#[test]
fn a_damaged_record() {
    let dir = died("cli-resume-record");
    fs::write(dir.join("run/run.json"), "{\"settings\": ").unwrap();
    let message = "DIR/run/run.json: not valid JSON: EOF while parsing a value at line 1 column 13";
    resume(&dir, &[]).refused(&dir, 1, message);
}

#[test]
fn a_damaged_checkpoint() {
    let dir = died("cli-resume-damaged");
    let checkpoint = dir.join("run/checkpoint-5");
    // With its checksums the damage is told before a file is read (`damage.rs`).
    fs::remove_file(checkpoint.join("checksums.json")).unwrap();
    let refused = |name: &str, bytes: &[u8], message: &str| {
        let path = checkpoint.join(name);
        let original = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        resume(&dir, &[]).refused(&dir, 1, &format!("DIR/run/checkpoint-5/{name}{message}"));
        fs::write(&path, original).unwrap();
    };
    let moments = fs::read(checkpoint.join("optimizer.safetensors")).unwrap();
    let (all, some) = (moments.len(), moments.len() - 100);
    let truncated = format!(" is truncated: expected {all} bytes, found {some}");
    refused("optimizer.safetensors", &moments[..some], &truncated);
    refused(
        "optimizer.safetensors",
        b"",
        " is not a valid safetensors file: it has 0 bytes, fewer than 8",
    );
    refused(
        "state.json",
        b"\x00garbage",
        ": not valid JSON: expected value at line 1 column 1",
    );
    refused("state.json", b"{}", ": `step` is not a number of steps");
    refused("state.json", b"{\"step\": 5}", ": `loss_sum` is not a number");
    refused(
        "state.json",
        b"{\"step\": 5, \"optimizer_steps\": 5, \"loss_sum\": 1, \"clip_state\": \"cwgnc-clip-state 1\\npolicy \\nsteps 0\"}",
        ": `optimizer_steps` has no number of steps for `bert.embeddings.word_embeddings.weight`, at most the 5 of `step`",
    );
    refused(
        "state.json",
        b"{\"step\": 5, \"optimizer_steps\": 5, \"loss_sum\": 1, \"clip_state\": \"x\"}",
        ": `clip_state`: clip state, line 1: expected `cwgnc-clip-state 1…`",
    );
    refused(
        "state.json",
        b"{\"step\": -5, \"loss_sum\": 1}",
        ": `step` is not a number of steps",
    );
    refused(
        "model.safetensors",
        b"not a model",
        " is not a valid safetensors file: it is text and holds no tensors",
    );

    let mut tensors = super::files::tensors(&checkpoint.join("optimizer.safetensors"));
    assert_eq!(tensors.len(), 2 * 41);
    tensors.retain(|t| t.name != "mean_square.classifier.bias");
    refused(
        "optimizer.safetensors",
        &super::files::encode(&tensors),
        ": no `mean_square.classifier.bias` of the parameter's shape [2]",
    );
    fs::remove_file(checkpoint.join("state.json")).unwrap();
    let message = "cannot read DIR/run/checkpoint-5/state.json: No such file or directory (os error 2)";
    resume(&dir, &[]).refused(&dir, 1, message);
}

/// A finished run is checked like any other before it is said to be finished.
#[test]
fn another_setting_of_a_finished_run() {
    let dir = scratch::folder("cli-resume-finished-other");
    copy(trained(), &dir.join("run"));
    let message = "cannot resume DIR/run: it is another run\n  learning_rate: was 0.001, now 0.002";
    let flags = ["--num-train-epochs", "2", "--resume"];
    let run = dir.join("run");
    let mut command = finetune(&run, &[super::DEMO_MODEL, super::DEMO_DATA, &flags].concat());
    let args: Vec<_> = command
        .get_args()
        .map(|arg| {
            if arg == "1e-3" {
                "2e-3".into()
            } else {
                arg.to_owned()
            }
        })
        .collect();
    command = super::program();
    command.args(args);
    ran(command).refused(&dir, 2, message);
}

#[test]
fn a_folder_that_is_no_run() {
    let dir = scratch::folder("cli-resume-foreign");
    fs::create_dir(dir.join("run")).unwrap();
    fs::write(dir.join("run/diary.txt"), "dear").unwrap();
    let message =
        "output folder DIR/run is not empty and has no run.json, so there is no run to resume in it";
    resume(&dir, &[]).refused(&dir, 2, message);
    assert_eq!(listing(&dir.join("run")), ["diary.txt"]);
}
