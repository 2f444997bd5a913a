//! `cwgnc finetune --config FILE`: the flags of a file, which those of the command line replace.

use super::{cwgnc, json, scratch, text};
use std::fs;
use std::path::Path;

const FILE: &str = r#"# A run.
model = "fixtures/demo/model"
train-file = "fixtures/demo/train.tsv"
validation_file = "fixtures/demo/dev.tsv"
max-train-samples = 24
max-eval-samples = 10
max-steps = 2
learning-rate = 1e-3
clip = "component:0.05"
load-best = true
seed = 7
quiet = true
threads = 1
"#;

const FLAGS: &[&str] = &[
    "--model",
    "fixtures/demo/model",
    "--train-file",
    "fixtures/demo/train.tsv",
    "--validation-file",
    "fixtures/demo/dev.tsv",
    "--max-train-samples",
    "24",
    "--max-eval-samples",
    "10",
    "--max-steps",
    "2",
    "--learning-rate",
    "1e-3",
    "--clip",
    "component:0.05",
    "--load-best",
    "--seed",
    "7",
    "--quiet",
    "--threads",
    "1",
];

/// The settings that a run recorded.
fn settings(run: &Path) -> serde_json::Value {
    json(&run.join("run.json"))["settings"].clone()
}

#[test]
fn a_file_is_its_flags() {
    let dir = scratch::folder("config-file");
    let (file, by_file, by_flags) = (dir.join("run.toml"), dir.join("file"), dir.join("flags"));
    fs::write(&file, FILE).unwrap();
    let config = ["finetune", "--config", text(&file), "--output", text(&by_file)];
    cwgnc(&config).succeeded();
    cwgnc(&[&["finetune", "--output", text(&by_flags)], FLAGS].concat()).succeeded();
    assert_eq!(settings(&by_file), settings(&by_flags));
    assert_eq!(
        fs::read(by_file.join("model.safetensors")).unwrap(),
        fs::read(by_flags.join("model.safetensors")).unwrap()
    );
    // The command line wins, whichever of its names a flag has and wherever --config stands.
    let overriding = dir.join("overriding");
    cwgnc(&[
        "finetune",
        "--max_steps",
        "1",
        "--clip=none",
        "--output-dir",
        text(&overriding),
        &format!("--config={}", text(&file)),
    ])
    .succeeded();
    let found = settings(&overriding);
    assert_eq!((&found["max_steps"], &found["clip"]), (&1.into(), &"none".into()));
    assert_eq!(
        (&found["seed"], &found["learning_rate"]),
        (&7.into(), &1e-3.into())
    );
}

#[test]
fn what_a_file_may_not_say() {
    let dir = scratch::folder("config-file-refused");
    let file = dir.join("run.toml");
    let refused = |more: &str, message: &str| {
        fs::write(&file, format!("{FILE}{more}\n")).unwrap();
        let out = dir.join("out");
        let ran = cwgnc(&["finetune", "--config", text(&file), "--output", text(&out)]);
        assert_eq!(ran.code, Some(2), "{more}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{more}: {}", ran.stderr);
        assert!(!out.exists());
    };
    refused(
        "learning_ratte = 1",
        "run.toml line 14: unknown setting `learning_ratte`; nearest: learning-rate",
    );
    refused("epsilon = \"x\"", "run.toml line 14: ");
    refused(
        "overwrite = true",
        "run.toml line 14: `overwrite` is set by the command line",
    );
    refused(
        "config = \"b.toml\"",
        "run.toml line 14: `config` is set by the command line",
    );
    refused("clip = \"none\"", "run.toml");
    refused("max_steps = 3", "`max-steps` is set twice, once as `max_steps`");
    refused("[common]\nseed = 3", "run.toml line 14");
    let twice = cwgnc(&["finetune", "--config", text(&file), "--config", text(&file)]);
    assert_eq!(
        (twice.code, twice.stderr.as_str()),
        (Some(2), "error: --config is given twice\n")
    );
    let missing = cwgnc(&["finetune", "--config", "no/such.toml"]);
    assert!(missing.stderr.contains("no/such.toml"), "{}", missing.stderr);
}
