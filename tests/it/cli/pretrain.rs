//! `cwgnc pretrain`: what it writes, that it is the same for any number of threads and after any kill, and that what it
//! writes is a model that others take.

use super::resume::{assert_same, killed_command, lines_logged};
use super::{DEMO_DATA, Ran, cwgnc, json, listing, log, ran, scratch, text};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The sentences of the demo as plain text, five to a paragraph.
pub(super) fn corpus() -> &'static Path {
    static CORPUS: OnceLock<PathBuf> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let rows = fs::read_to_string(scratch::fixture("demo/train.tsv")).unwrap();
        let mut text = String::new();
        for (i, row) in rows.lines().skip(1).take(400).enumerate() {
            let end = if i % 5 == 4 { "\n\n" } else { "\n" };
            write!(text, "{}{end}", row.split('\t').next().unwrap()).unwrap();
        }
        scratch::file("cli-pretrain-corpus", "corpus.txt", text)
    })
}

/// 21 steps on two epochs and a half, evaluated every five, saved every four, dropout on.
const FLAGS: &[&str] = &[
    "--vocab-size",
    "70",
    "--hidden-size",
    "16",
    "--num-hidden-layers",
    "1",
    "--max-seq-length",
    "24",
    "--per-device-train-batch-size",
    "16",
    "--max-steps",
    "21",
    "--learning-rate",
    "5e-3",
    "--validation-share",
    "0.1",
    "--logging-steps",
    "1",
    "--eval-every",
    "5",
    "--save-steps",
    "4",
    "--save-total-limit",
    "2",
];

pub(super) fn command(output: &Path, more: &[&str]) -> Command {
    let mut command = super::program();
    command.args(["pretrain", "--quiet", "--train-file"]);
    command.arg(corpus()).arg("--output").arg(output);
    let given = |flag: &str| more.contains(&flag);
    let mut flags = FLAGS.to_vec();
    if given("--model") {
        flags.drain(..6);
    } else if given("--tokenizer") {
        flags.drain(..2);
    }
    for pair in flags.chunks(2).filter(|pair| !given(pair[0])) {
        command.args(pair);
    }
    if !given("--threads") {
        command.args(["--threads", "2"]);
    }
    command.args(more);
    command
}

pub(super) fn pretrain(output: &Path, more: &[&str]) -> Ran {
    ran(command(output, more))
}

/// The run that nobody disturbed.
fn undisturbed() -> &'static Path {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    RUN.get_or_init(|| {
        let run = scratch::folder("cli-pretrain").join("run");
        pretrain(&run, &[]).succeeded();
        run
    })
}

#[test]
fn the_files_of_a_run() {
    let run = undisturbed();
    assert_eq!(
        listing(run),
        [
            "all_results.json",
            "checkpoint-16",
            "checkpoint-20",
            "config.json",
            "curve.svg",
            "log.jsonl",
            "model.safetensors",
            "run.json",
            "tokenizer_config.json",
            "vocab.txt"
        ]
    );
    let config = json(&run.join("config.json"));
    assert_eq!(config["architectures"], json!(["BertForMaskedLM"]));
    assert_eq!(config["max_position_embeddings"], 24);
    let vocabulary = fs::read_to_string(run.join("vocab.txt")).unwrap();
    let pieces: Vec<&str> = vocabulary.lines().collect();
    assert_eq!(pieces[..5], ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    assert_eq!(pieces.len(), 70);
    assert_eq!(config["vocab_size"], 70);
    let (steps, evaluations): (Vec<Value>, Vec<Value>) = log(run)
        .into_iter()
        .partition(|line| line.get("components").is_some());
    assert_eq!(steps.len(), 21);
    let at: Vec<u64> = evaluations
        .iter()
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(at, [5, 10, 15, 20, 21]);

    // 13 parameters without layers (5 of the embeddings, 5 of the head) and 16 a layer.
    assert_eq!(steps[0]["components"].as_array().unwrap().len(), 5 + 16 + 5);
    // A fresh model knows nothing: ln 70 = 4.248; the loss has fallen well below at the end.
    let loss = |line: &Value, name: &str| line[name].as_f64().unwrap();
    assert!((loss(&steps[0], "loss") - 70_f64.ln()).abs() < 0.2);
    let last = &evaluations[4];
    assert!(loss(last, "eval_loss") < 70_f64.ln() - 0.4, "{last}");
    let results = json(&run.join("all_results.json"));
    for name in ["eval_loss", "perplexity", "eval_accuracy", "train_loss"] {
        assert_eq!(results[name], last[name], "{name}");
    }
    super::assert_close(
        loss(&results, "perplexity"),
        loss(&results, "eval_loss").exp(),
        1e-15,
    );
    // The share of positions guessed is a count over the count of them.
    let n = loss(&results, "eval_masked_tokens");
    let right = loss(&results, "eval_accuracy") * n;
    assert!((right - right.round()).abs() < 1e-9, "{right} of {n}");
    let mean: f64 = steps.iter().map(|line| loss(line, "loss")).sum::<f64>() / 21.0;
    super::assert_close(loss(&results, "train_loss"), mean, 1e-12);

    let record = json(&run.join("run.json"));
    let names: Vec<&String> = record["data_files"].as_object().unwrap().keys().collect();
    assert_eq!(names, [text(corpus())]);
    assert_eq!(record["settings"]["total_steps"], 21);
    let svg = fs::read_to_string(run.join("curve.svg")).unwrap();
    assert!(
        svg.contains("held-out loss") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let folder = scratch::folder("cli-pretrain-threads");
    for threads in ["1", "3"] {
        let run = folder.join(threads);
        pretrain(&run, &["--threads", threads]).succeeded();
        assert_same(&run, undisturbed());
    }
    // Another batch of the evaluation changes no number either.
    let run = folder.join("batch");
    pretrain(&run, &["--per-device-eval-batch-size", "3"]).succeeded();
    assert_same(&run, undisturbed());
    // Another seed is another run, but its held-out text and masks are the same.
    let run = folder.join("seed");
    pretrain(&run, &["--seed", "1"]).succeeded();
    let results = |run: &Path| json(&run.join("all_results.json"));
    assert_ne!(results(&run)["eval_loss"], results(undisturbed())["eval_loss"]);
    let masked = "eval_masked_tokens";
    assert_eq!(results(&run)[masked], results(undisturbed())[masked]);
}

#[test]
fn killed_again_and_again() {
    let run = scratch::folder("cli-pretrain-killed").join("run");
    let moments: [&dyn Fn(&Path) -> bool; 6] = [
        &|run| run.join("run.json").exists(),
        &|run| lines_logged(run) >= 2,
        &|run| run.join(".checkpoint-8.partial").exists(),
        &|run| run.join("checkpoint-12").exists(),
        &|run| lines_logged(run) >= 21,
        &|run| run.join("model.safetensors").exists(),
    ];
    for moment in moments {
        let more: &[&str] = if run.join("run.json").exists() {
            &["--resume"]
        } else {
            &[]
        };
        killed_command(command(&run, more), || moment(&run));
    }
    pretrain(&run, &["--resume", "--threads", "1"]).succeeded();
    assert_same(&run, undisturbed());
}

/// A run that died between its checkpoint and its end, made from the undisturbed one.
#[test]
fn resumed_from_a_checkpoint() {
    let run = scratch::folder("cli-pretrain-died").join("run");
    super::files::copy(undisturbed(), &run);
    for name in ["checkpoint-16", "checkpoint-20"] {
        super::files::copy(&undisturbed().join(name), &run.join(name));
    }
    for name in ["all_results.json", "model.safetensors", "curve.svg"] {
        fs::remove_file(run.join(name)).unwrap();
    }
    fs::remove_dir_all(run.join("checkpoint-20")).unwrap();
    pretrain(&run, &["--resume"]).succeeded();
    assert_same(&run, undisturbed());

    // Finished: its results again, and nothing is written.
    let printed = pretrain(&run, &["--resume"]).succeeded();
    let results = json(&run.join("all_results.json"));
    let line = |name: &str| format!("{name} = {:.4}\n", results[name].as_f64().unwrap());
    assert_eq!(
        printed,
        line("eval_loss") + &line("perplexity") + &line("eval_accuracy")
    );
    let all = pretrain(&run, &["--resume", "--json"]).succeeded();
    assert_eq!(serde_json::from_str::<Value>(&all).unwrap(), results);
}

/// A run that died after its last checkpoint had its name and before the one before was gone.
#[test]
fn resumed_with_a_checkpoint_too_many() {
    let run = scratch::folder("cli-pretrain-too-many").join("run");
    super::files::copy(undisturbed(), &run);
    for (from, to) in [(16, 12), (16, 16), (20, 20)] {
        let checkpoint = |step| format!("checkpoint-{step}");
        super::files::copy(&undisturbed().join(checkpoint(from)), &run.join(checkpoint(to)));
    }
    fs::remove_file(run.join("all_results.json")).unwrap();
    pretrain(&run, &["--resume"]).succeeded();
    assert_same(&run, undisturbed());
}

/// The folder is a model to fine-tune: the encoder is taken, the head left, pooler and classifier are fresh.
#[test]
fn fine_tuning_takes_the_folder() {
    let folder = scratch::folder("cli-pretrain-finetune");
    let (run, model) = (folder.join("run"), text(undisturbed()));
    let more = ["--model", model, "--max-steps", "2", "--max-seq-length", "24"];
    let mut command = super::program();
    command.args(["finetune", "--threads", "2", "--output"]).arg(&run);
    let done = ran({
        command.args(more).args(DEMO_DATA);
        command
    });
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr.contains("ignored 5: cls.predictions.bias"),
        "{}",
        done.stderr
    );
    let tensors = json(&run.join("run.json"))["tensors"].clone();
    assert_eq!(
        tensors["initialised"],
        json!([
            "bert.pooler.dense.weight",
            "bert.pooler.dense.bias",
            "classifier.weight",
            "classifier.bias"
        ])
    );
    assert_eq!(tensors["taken"], 21);
    let inspected = cwgnc(&["inspect", model]).succeeded();
    assert!(inspected.contains("bert.encoder.layer.0.attention.self.query.weight"));
}

/// Pretraining goes on from its own folder with all of its head, from a fine-tuned one with a fresh head, or takes another
/// run's vocabulary alone; in half width or with whole words.
#[test]
fn going_on() {
    let folder = scratch::folder("cli-pretrain-on");
    let model = text(undisturbed());
    let run = folder.join("model");
    pretrain(&run, &["--model", model, "--max-steps", "3"]).succeeded();
    assert_eq!(json(&run.join("run.json"))["initialised"], json!([]));
    let first = |run: &Path| log(run)[0]["loss"].as_f64().unwrap();
    assert!(first(&run) < 70_f64.ln() - 0.4, "it knows what it had learnt");
    for name in ["vocab.txt", "tokenizer_config.json"] {
        assert_eq!(
            fs::read(run.join(name)).unwrap(),
            fs::read(undisturbed().join(name)).unwrap()
        );
    }
    let run = folder.join("demo");
    let demo = ["--model", "fixtures/demo/model", "--max-steps", "3"];
    pretrain(&run, &demo).succeeded();
    let initialised = json(&run.join("run.json"))["initialised"].clone();
    assert_eq!(initialised.as_array().unwrap().len(), 5);

    let (run, half) = (folder.join("own"), folder.join("half"));
    let more = ["--tokenizer", model, "--whole-word-masking", "--max-steps", "3"];
    pretrain(&run, &more).succeeded();
    pretrain(&half, &[&more[..], &["--save-dtype", "f16"]].concat()).succeeded();
    let size = |run: &Path| fs::metadata(run.join("model.safetensors")).unwrap().len();
    assert!(size(&half) < size(&run) * 6 / 10);
    assert_eq!(json(&half.join("config.json"))["dtype"], "float16");
    assert_eq!(
        fs::read(run.join("log.jsonl")).unwrap(),
        fs::read(half.join("log.jsonl")).unwrap()
    );
    pretrain(
        &folder.join("from-half"),
        &["--model", text(&half), "--max-steps", "1"],
    )
    .succeeded();
}
