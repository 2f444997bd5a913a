//! `builtin:shallow` wherever a model's folder is named.

use super::{cwgnc, finetune, json, object, ran, scratch, text};
use std::path::Path;

const MODEL: &str = "builtin:shallow";
const DISK: &str = "fixtures/models/shallow";

/// The encoder in the program is the one in the repository: same components, same norms.
#[test]
fn it_is_the_folder() {
    let inspect = |model: &str| cwgnc(&["inspect", model, "--json"]).succeeded();
    assert_eq!(inspect(MODEL).replace(MODEL, DISK), inspect(DISK));
}

/// The deep encoder beside it: the answer of its second stage to a pair of strangers. Twelve layers of width 64.
#[test]
fn the_deep_one() {
    const DEEP: &str = "fixtures/models/deep";
    let config = object(Path::new(DEEP).join("config.json").as_path());
    assert_eq!(
        (&config["num_hidden_layers"], &config["hidden_size"]),
        (&12.into(), &64.into())
    );
    let pair = [
        "--text",
        "The golfer fed the collies.",
        "--text-pair",
        "Every boutique was noiseless.",
    ];
    let line = cwgnc(&[&["predict", "--quiet", "--model", DEEP], &pair[..]].concat()).succeeded();
    let answer: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(answer["label"], "stranger", "{line}");
}

/// A few steps on it are those on the folder, file for file but for its name and the hashes' paths.
#[test]
fn a_run_on_it() {
    let folder = scratch::folder("cli-builtin-model");
    let run = |name: &str, model: &str| {
        let run = folder.join(name);
        let task = [
            "--task",
            "builtin:similarity",
            "--max-steps",
            "2",
            "--max-train-samples",
            "32",
        ];
        ran(finetune(
            &run,
            &[&["--model", model], &task[..], &["--max-eval-samples", "8"]].concat(),
        ))
        .succeeded();
        run
    };
    let (inside, outside) = (run("inside", MODEL), run("outside", DISK));
    let read = |dir: &Path, name: &str| std::fs::read(dir.join(name)).unwrap();
    for name in ["model.safetensors", "config.json", "vocab.txt"] {
        assert!(read(&inside, name) == read(&outside, name), "{name}");
    }
    let record = object(&inside.join("run.json"));
    assert_eq!(record["settings"]["model"], MODEL);
    let (inside, outside) = (record, object(&outside.join("run.json")));
    for name in [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ] {
        let hash = |record: &serde_json::Map<String, serde_json::Value>, model: &str| {
            record["model_files"][&format!("{model}/{name}")].clone()
        };
        assert!(hash(&inside, MODEL).is_string(), "{name}");
        assert_eq!(hash(&inside, MODEL), hash(&outside, DISK), "{name}");
    }
}

/// The folder's default name has no colon, which some file systems refuse.
#[test]
fn where_it_writes() {
    let folder = scratch::folder("cli-builtin-model-name");
    let mut command = super::program();
    command.current_dir(&folder);
    command.args([
        "finetune",
        "--model",
        MODEL,
        "--task",
        "builtin:entailment",
        "--max-steps",
        "0",
        "--quiet",
    ]);
    command.args(["--max-eval-samples", "4", "--save-strategy", "no"]);
    ran(command).succeeded();
    let run = folder.join("runs/builtin-entailment-builtin-shallow-component-0.05-seed42");
    assert!(json(&run.join("all_results.json")).is_object());
}

#[test]
fn an_encoder_that_is_none() {
    let run = scratch::folder("cli-builtin-model-none").join("run");
    let refused = cwgnc(&[
        "finetune",
        "--model",
        "builtin:hollow",
        "--task",
        "builtin:entailment",
        "--output",
        text(&run),
    ]);
    refused.refused(
        &run,
        1,
        "cannot read builtin:hollow/config.json: no built-in encoder has this name; there is builtin:shallow",
    );
}
