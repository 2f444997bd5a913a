//! The program itself, as a user runs it: what it writes and prints, what it refuses, how it goes on after it died.
//!
//! Expected numbers are worked out here from the files (arithmetic, independent code), never recorded from a run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod broken_model;
mod builtin_model;
mod completions;
mod config_file;
mod damage;
mod files;
mod finetune;
mod first;
mod fuzzed;
mod help;
mod hostile;
mod machine;
mod multi_label;
mod not_finite;
mod output_folder;
mod own_metrics;
mod predict;
mod predict_columns;
mod pretrain;
mod pretrain_refused;
mod recipe;
mod record;
mod refused_data;
mod refused_flags;
mod report;
mod resume;
mod resume_refused;
mod run_report;
mod stabilise;
mod streams;
mod study;
mod study_killed;
mod study_refused;
mod submission;
mod tagged;
mod tasks;
mod understood;
mod user_data;

use crate::scratch;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// What a run of the program left behind.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// It did its work; gives what it printed.
    #[track_caller]
    fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// It refused with this exit code and this text on stderr and nothing else, and printed nothing. `DIR` stands for
    /// the folder.
    #[track_caller]
    fn refused(&self, dir: &Path, code: i32, message: &str) {
        let stderr = self.stderr.replace(dir.to_str().unwrap(), "DIR");
        assert_eq!(stderr, format!("error: {message}\n"));
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""));
    }
}

/// The program, to be run in the package's folder.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cwgnc"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Runs the program.
fn cwgnc(args: &[&str]) -> Ran {
    let mut command = program();
    command.args(args);
    ran(command)
}

/// The demo's model.
const DEMO_MODEL: &[&str] = &["--model", "fixtures/demo/model"];

/// The demo's data, cut to what is quick.
const DEMO_DATA: &[&str] = &[
    "--train-file",
    "fixtures/demo/train.tsv",
    "--validation-file",
    "fixtures/demo/dev.tsv",
    "--max-train-samples",
    "72",
    "--max-eval-samples",
    "50",
];

/// `cwgnc finetune` without messages, writing to `output`; model and data are among `more`.
fn finetune(output: &Path, more: &[&str]) -> Command {
    let mut command = program();
    command
        .args([
            "finetune",
            "--quiet",
            "--max-seq-length",
            "32",
            "--learning-rate",
            "1e-3",
        ])
        .arg("--output")
        .arg(output)
        .args(more);
    if !more.contains(&"--threads") {
        command.args(["--threads", "2"]);
    }
    command
}

/// Fine-tunes the demo, with `more` flags.
fn demo(output: &Path, more: &[&str]) -> Ran {
    ran(finetune(output, &[DEMO_MODEL, DEMO_DATA, more].concat()))
}

/// What is printed of a file of one's own with two classes.
const OWN_METRICS: [&str; 6] = [
    "eval_loss",
    "eval_accuracy",
    "eval_f1",
    "eval_f1_macro",
    "eval_f1_weighted",
    "eval_matthews_correlation",
];

/// Runs to the end.
fn ran(mut command: Command) -> Ran {
    command.output().unwrap().into()
}

/// A demo model fine-tuned once for all tests that only read it: 10 steps, two epochs of 72 examples.
fn trained() -> &'static Path {
    static TRAINED: OnceLock<PathBuf> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let dir = scratch::folder("cli-trained").join("run");
        demo(&dir, &["--num-train-epochs", "2"]).succeeded();
        dir
    })
}

/// A path as a flag's value.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn object(path: &Path) -> Map<String, Value> {
    json(path).as_object().unwrap().clone()
}

/// The objects of a file of JSON lines.
fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The lines of a run's log.
fn log(run: &Path) -> Vec<Value> {
    json_lines(&fs::read_to_string(run.join("log.jsonl")).unwrap())
}

/// The lines of the log that tell of steps, and those that tell of evaluations.
fn steps_and_evaluations(run: &Path) -> (Vec<Value>, Vec<Value>) {
    log(run)
        .into_iter()
        .partition(|line| line.get("components").is_some())
}

/// The names in a folder, sorted.
fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The rows of the demo's dev set that the tests evaluate on: text and label.
fn demo_dev() -> Vec<(String, String)> {
    let file = fs::read_to_string(scratch::fixture("demo/dev.tsv")).unwrap();
    let pair = |line: &str| {
        line.split_once('\t')
            .map(|(text, label)| (text.to_owned(), label.to_owned()))
    };
    file.lines()
        .skip(1)
        .take(50)
        .map(|line| pair(line).unwrap())
        .collect()
}

/// The two are equal up to rounding.
#[track_caller]
fn assert_close(found: f64, expected: f64, relative: f64) {
    let close = (found - expected).abs() <= relative * expected.abs().max(f64::MIN_POSITIVE);
    assert!(close, "{found:e}, expected {expected:e}");
}
