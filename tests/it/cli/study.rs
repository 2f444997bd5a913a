//! `cwgnc study`: what it runs, what it records, and that the way there does not change the results.

use super::{DEMO_DATA, DEMO_MODEL, Ran, cwgnc, json, json_lines, listing, object, scratch, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Flags of finetune that make a run of the demo: 5 steps an epoch, 8 in all, in a few hundredths of a second.
pub(super) fn run_flags() -> Vec<&'static str> {
    let training = [
        "--max-steps",
        "8",
        "--learning-rate",
        "1e-3",
        "--logging-steps",
        "1",
    ];
    [DEMO_MODEL, &["--"], DEMO_DATA, &training].concat()
}

/// Two conditions, three seeds.
pub(super) const STUDY: &[&str] = &[
    "--preset",
    "paper",
    "--conditions",
    "control,component:0.05",
    "--seeds",
    "3",
];

/// `cwgnc study` on the demo, with `more` flags.
pub(super) fn study(output: &Path, more: &[&str]) -> Command {
    let mut command = super::program();
    command
        .args(["study", "--output"])
        .arg(output)
        .args(more)
        .args(STUDY)
        .args(run_flags());
    command
}

pub(super) fn ran(mut command: Command) -> Ran {
    command.output().unwrap().into()
}

pub(super) fn results(output: &Path) -> String {
    fs::read_to_string(output.join("results.jsonl")).unwrap()
}

/// The study that nobody disturbed, one run at a time, and what it printed.
pub(super) fn undisturbed() -> &'static (PathBuf, String) {
    static STUDY: OnceLock<(PathBuf, String)> = OnceLock::new();
    STUDY.get_or_init(|| {
        let dir = scratch::folder("study-undisturbed").join("study");
        let printed = ran(study(&dir, &["--jobs", "1"])).succeeded();
        (dir, printed)
    })
}

#[test]
fn the_files_of_a_study() {
    let (dir, printed) = undisturbed();
    assert_eq!(
        listing(dir),
        [
            "checksums.json",
            "journal.jsonl",
            "lock",
            "report",
            "results.jsonl",
            "runs",
            "study.json",
            "study.toml"
        ]
    );
    let run = dir.join("runs/train/component-0.05/seed-2");
    let written = [
        "all_results.json",
        "eval_results.json",
        "log.jsonl",
        "run.json",
        "train_results.json",
    ];
    assert_eq!(listing(&run), written, "no model is kept");
    let settings = &json(&run.join("run.json"))["settings"];
    assert_eq!(settings["clip"], "component:0.05");
    assert_eq!(
        (&settings["seed"], &settings["max_steps"]),
        (&json!(2), &json!(8))
    );
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "train (accuracy)"));
    let heading: Vec<&str> = lines[1].split_whitespace().take(3).collect();
    assert_eq!(heading, ["condition", "runs", "failed"]);
    for file in [
        "report.html",
        "report.md",
        "runs.csv",
        "summary.csv",
        "figures/train-runs.svg",
    ] {
        assert!(dir.join("report").join(file).exists(), "{file}");
    }
}

/// A record says what the run's own files say; the dev set's 50 rows are 24 and 26.
#[test]
fn records() {
    let (dir, printed) = undisturbed();
    let records = json_lines(&results(dir));
    assert_eq!(records.len(), 6);
    let mut sums = [0.0, 0.0];
    for (i, record) in records.iter().enumerate() {
        let condition = ["control", "component-0.05"][i % 2];
        let seed = [1, 2, 3][i / 2];
        assert_eq!(record["run"], format!("train/{condition}/seed-{seed}"));
        let run = dir.join("runs").join(record["run"].as_str().unwrap());
        let all = object(&run.join("all_results.json"));
        assert_eq!(
            (&record["status"], &record["reason"]),
            (&json!("finished"), &Value::Null)
        );
        assert_eq!((&record["steps"], &record["examples"]), (&json!(8), &json!(72)));
        assert_eq!(record["metric"], "accuracy");
        assert_eq!(record["majority"].as_f64(), Some(26.0 / 50.0));
        for (name, key) in [("value", "eval_accuracy"), ("train_loss", "train_loss")] {
            assert_eq!(record[name], all[key], "{name}");
        }
        assert_eq!(record["metrics"]["eval_loss"], all["eval_loss"]);
        let curve = record["curve"].as_array().unwrap();
        let places: Vec<_> = curve
            .iter()
            .map(|p| (p["step"].as_u64(), p["epoch"].as_f64()))
            .collect();
        assert_eq!(places, [(Some(5), Some(1.0)), (Some(8), Some(1.6))]);
        assert_eq!(curve[1]["value"], record["value"]);
        let values: Vec<f64> = curve
            .iter()
            .map(|point| point["value"].as_f64().unwrap())
            .collect();
        let best = usize::from(values[1] > values[0]);
        assert_eq!(
            record["best"],
            json!({"step": 5 + 3 * best, "value": values[best]})
        );
        // The mean of the first five losses, from the log.
        let log = json_lines(&fs::read_to_string(run.join("log.jsonl")).unwrap());
        let losses = log.iter().filter_map(|line| line["loss"].as_f64()).take(5);
        super::assert_close(
            curve[0]["train_loss"].as_f64().unwrap(),
            losses.sum::<f64>() / 5.0,
            1e-12,
        );
        sums[i % 2] += record["value"].as_f64().unwrap();
    }
    for (condition, sum) in ["control", "component-0.05"].into_iter().zip(sums) {
        let line = printed.lines().find(|line| line.starts_with(condition)).unwrap();
        let mean = format!("{:.4}", sum / 3.0);
        assert!(line.split_whitespace().any(|cell| cell == mean), "{mean}: {line}");
    }
    assert_ne!(
        records[0]["train_loss"], records[1]["train_loss"],
        "clipping does something"
    );
}

/// How the cores are shared out, what the folder is called and how often the program is asked change nothing.
#[test]
fn the_same_results_on_every_way() {
    let (alone, printed) = undisturbed();
    let dir = scratch::folder("study-ways");
    let (two, shards, one) = (dir.join("two"), dir.join("shards"), dir.join("one"));
    let same = ran(study(&two, &["--jobs", "2", "--threads-per-job", "1"])).succeeded();
    assert_eq!((results(&two), &same), (results(alone), printed));
    let page = |dir: &Path| fs::read_to_string(dir.join("report/report.html")).unwrap();
    assert!(page(&two) == page(alone), "the same page");

    let parts: Vec<PathBuf> = (1..=2).map(|i| shards.join(i.to_string())).collect();
    for (i, part) in parts.iter().enumerate() {
        ran(study(part, &["--shard", &format!("{}/2", i + 1)])).succeeded();
        assert_eq!(results(part).lines().count(), 3);
    }
    let whole = shards.join("whole");
    let merged = cwgnc(&[
        "study",
        "merge",
        text(&parts[1]),
        text(&parts[0]),
        "--output",
        text(&whole),
    ]);
    assert_eq!(merged.stderr.lines().count(), 1, "{}", merged.stderr);
    assert_eq!(
        (merged.succeeded(), results(&whole)),
        (printed.clone(), results(alone))
    );
    assert_eq!(listing(&whole.join("runs/train/control/seed-3")).len(), 5);

    // Each line of the plan is a process; the first is done twice.
    let plan = ran(study(&one, &["--plan", "parallel", "--quiet"])).succeeded();
    let lines: Vec<&str> = plan.lines().collect();
    assert_eq!(lines.len(), 6);
    for line in lines.iter().chain(&lines[..1]) {
        let mut shell = Command::new("sh");
        shell.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-c", line]);
        assert_eq!(ran(shell).succeeded(), "", "{line}");
    }
    let journal = fs::read_to_string(one.join("journal.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), 6);
    let collected = cwgnc(&["study", "--resume", "--output", text(&one)]).succeeded();
    assert_eq!((results(&one), &collected), (results(alone), printed));
}

#[test]
fn the_array_script_of_slurm() {
    let dir = scratch::folder("study-slurm").join("study");
    ran(study(&dir, &["--shard", "1/2", "--quiet"])).succeeded();
    // Runs 1, 3 and 5 are done.
    let script = ran(study(&dir, &["--resume", "--plan", "slurm", "--quiet"])).succeeded();
    assert!(
        script.starts_with("#!/bin/sh\n#SBATCH --job-name=cwgnc-study\n#SBATCH --array=2,4,6\n"),
        "{script}"
    );
    let last = script.lines().last().unwrap();
    assert!(
        last.starts_with("exec ") && last.ends_with(" --only \"$SLURM_ARRAY_TASK_ID\""),
        "{last}"
    );
}

/// Two layers of 16 tensors and 9 others: 1/√41 = 0.156173761…
#[test]
fn the_threshold_of_equal_budget() {
    let dir = scratch::folder("study-budget").join("study");
    let mut command = super::program();
    command
        .args(["study", "--quiet", "--output", text(&dir)])
        .args([
            "--conditions",
            "equal-budget,component:1/sqrt(N)@exact",
            "--seeds",
            "7,",
        ])
        .args(run_flags());
    ran(command).succeeded();
    let clip = |condition: &str| {
        let run = dir.join(format!("runs/train/{condition}/seed-7/run.json"));
        json(&run)["settings"]["clip"].as_str().unwrap().to_owned()
    };
    let (policy, exact) = (clip("equal-budget"), clip("component-1-sqrt-N-exact"));
    assert_eq!(exact, format!("{policy}@exact"));
    let threshold: f64 = policy.strip_prefix("component:").unwrap().parse().unwrap();
    assert!((threshold * threshold * 41.0 - 1.0).abs() < 1e-15, "{policy}");
}

/// The step with a learning rate of 1e30 leaves the numbers; the others are done as if nothing had been.
#[test]
fn a_run_that_diverges_is_a_result() {
    let dir = scratch::folder("study-diverges");
    let file = dir.join("study.toml");
    let path = dir.join("study");
    fs::write(
        &file,
        "seeds = [1, 2]
         [common]
         model = 'fixtures/demo/model'
         max-steps = 4
         max-train-samples = 72
         [task.demo]
         train-file = 'fixtures/demo/train.tsv'
         validation-file = 'fixtures/demo/dev.tsv'
         [condition.wild]
         learning-rate = 1e30
         clip = 'none'
         [condition.tame]
         lr-free = 1",
    )
    .unwrap();
    let message = "DIR/study.toml line 13 [condition.tame]: unknown setting `lr-free`; nearest: ";
    let refused = cwgnc(&["study", "--config", text(&file), "--output", text(&path)]);
    let stderr = refused.stderr.replace(text(&dir), "DIR");
    assert!(stderr.starts_with(&format!("error: {message}")), "{stderr}");
    assert_eq!(refused.code, Some(2));

    let fixed = fs::read_to_string(&file)
        .unwrap()
        .replace("lr-free = 1", "learning-rate = 1e-3");
    fs::write(&file, fixed).unwrap();
    let printed = cwgnc(&[
        "study",
        "--config",
        text(&file),
        "--output",
        text(&path),
        "--json",
    ]);
    assert!(
        printed.stderr.contains("stopped: step 2: the loss is NaN ("),
        "{}",
        printed.stderr
    );
    let tasks: Value = serde_json::from_str(&printed.succeeded()).unwrap();
    let rows = &tasks[0]["conditions"];
    assert_eq!(
        (&rows[0]["condition"], &rows[0]["failed"]),
        (&json!("wild"), &json!(2))
    );
    assert_eq!((&rows[0]["runs"], &rows[0]["mean"]), (&json!(2), &Value::Null));
    assert!(rows[1]["mean"].is_f64());
    let records = json_lines(&results(&path));
    let wild = &records[0];
    assert_eq!(
        (&wild["status"], &wild["value"]),
        (&json!("stopped"), &Value::Null)
    );
    assert_eq!(
        (&wild["reason"], &wild["steps"]),
        (&json!("step 2: the loss is NaN"), &json!(1))
    );
    assert_eq!(
        (&wild["curve"], &wild["best"], &wild["metrics"]),
        (&json!([]), &Value::Null, &json!({}))
    );
    assert_eq!(records[1]["status"], "finished");
}

/// What a preset sets reaches the run, and the best evaluation is the one that is reported.
#[test]
fn conditions_of_other_presets() {
    let dir = scratch::folder("study-presets").join("study");
    let mut command = super::program();
    command.args(["study", "--quiet", "--seeds", "1,2", "--output", text(&dir)]);
    command
        .args(["--conditions", "best-checkpoint,mixout,reinit-1"])
        .args(run_flags());
    ran(command).succeeded();
    let settings = |condition: &str| {
        let run = dir.join(format!("runs/train/{condition}/seed-2/run.json"));
        json(&run)["settings"].clone()
    };
    assert_eq!(settings("mixout")["mixout"], 0.1);
    assert_eq!(settings("mixout")["hidden_dropout_prob"], 0.0);
    assert_eq!(settings("reinit-1")["reinit_layers"], 1);
    for record in json_lines(&results(&dir)) {
        let last = record["curve"].as_array().unwrap().last().unwrap();
        let reported = if record["condition"] == "best-checkpoint" {
            &record["best"]
        } else {
            last
        };
        assert_eq!(record["value"], reported["value"], "{}", record["run"]);
    }
}

/// Models are kept when they are asked for, and the results are the same.
#[test]
fn models_are_kept_on_request() {
    let dir = scratch::folder("study-models").join("study");
    ran(study(&dir, &["--keep-models", "--quiet"])).succeeded();
    assert!(dir.join("runs/train/control/seed-3/model.safetensors").exists());
    assert_eq!(results(&dir), results(&undisturbed().0));
}

#[test]
fn a_plan_is_shown_and_nothing_written() {
    let dir = scratch::folder("study-dry").join("study");
    let printed = ran(study(&dir, &["--dry-run", "--jobs", "1"])).succeeded();
    let last: Vec<&str> = printed.lines().rev().take(4).collect();
    assert!(last[0].starts_with("6 runs, 1 side by side with "), "{printed}");
    assert!(
        last[2].starts_with("train  control         72        8      3     about 0:0"),
        "{printed}"
    );
    assert_eq!(
        last[3],
        "task   condition       examples  steps  runs  time of one"
    );
    assert!(!dir.exists());
    // What has run tells its own time.
    let printed = ran(study(&undisturbed().0, &["--dry-run"])).succeeded();
    assert!(
        printed.ends_with("0 runs, 1 side by side with 2 threads each: about 0:00\n")
            || printed.contains("\n0 runs, 1 side by side"),
        "{printed}"
    );
}
