//! What fuzzing has found (`examples/fuzz`), one test for each kind of fault.

use super::{cwgnc, scratch, text};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A study of one condition with two runs, whose logs have these parameters: for each run the names in each step.
fn study(name: &str, logs: [&[&str]; 2]) -> PathBuf {
    let dir = scratch::folder(name);
    let mut records = String::new();
    for (seed, steps) in (1..).zip(logs) {
        let record = json!({
            "run": format!("rte/control/seed-{seed}"), "task": "rte", "condition": "control", "seed": seed,
            "status": "finished", "steps": 2, "examples": 80, "metric": "accuracy", "value": 0.75, "majority": 0.5,
            "metrics": {"eval_accuracy": 0.75}, "curve": [{"step": 2, "value": 0.75}],
            "best": {"step": 2, "value": 0.75},
        });
        writeln!(records, "{record}").unwrap();
        let lines = (1..).zip(steps).map(|(step, names)| {
            let measured =
                |name| json!({"name": name, "grad_norm_before": 2.0, "scale": 0.5, "clipped": true});
            let components: Vec<Value> = names.split_whitespace().map(measured).collect();
            format!(
                "{}\n",
                json!({"step": step, "clipped_elements": 1.0, "components": components})
            )
        });
        let run = dir.join(format!("runs/rte/control/seed-{seed}"));
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("log.jsonl"), lines.collect::<String>()).unwrap();
    }
    fs::write(dir.join("results.jsonl"), records).unwrap();
    dir
}

fn report(dir: &Path) -> super::Ran {
    cwgnc(&["report", text(dir), "--quiet", "--bootstrap", "20"])
}

/// Logs of one condition with other parameters: those that a run which stopped early lacks leave gaps, others are refused.
/// (The figures took a parameter by its place in the first log, and panicked beyond the end of a shorter one.)
#[test]
fn logs_with_other_parameters() {
    let names = ["a", "encoder.layer.0.b", "encoder.layer.1.c"].join(" ");
    let names = &*names;
    for shorter in ["a", "encoder.layer.1.c", ""] {
        for logs in [
            [&[names, names][..], &[shorter]],
            [&[shorter][..], &[names, names]],
        ] {
            let dir = study("fuzzed-logs", logs);
            report(&dir).succeeded();
            let page = fs::read_to_string(dir.join("report/report.html")).unwrap();
            assert!(page.contains("layer.0.b"), "{logs:?}");
        }
    }
    for other in ["a x encoder.layer.1.c", "encoder.layer.1.c a", "x"] {
        let dir = study("fuzzed-logs", [&[names], &[other]]);
        let message = "the log of run rte/control/seed-2 has parameters that another run of its condition does not have, \
                       or in another order";
        report(&dir).refused(&dir, 1, message);
        assert!(!dir.join("report").exists());
    }
}

/// Names of two million characters where others are known. (Each known name was compared with all of it: minutes.)
#[test]
fn names_without_an_end() {
    let name = "learning-rat".repeat(170_000);
    let began = Instant::now();
    let dir = scratch::folder("fuzzed-names");
    for (file, key, say) in [
        ("run.toml", format!("{name} = 1"), "unknown setting `learning-rat"),
        (
            "study.toml",
            format!("[common]\n{name} = 1"),
            "unknown setting `learning-rat",
        ),
        ("top.toml", format!("{name} = 1"), "unknown key `learning-rat"),
    ] {
        let path = dir.join(file);
        fs::write(&path, key).unwrap();
        let command: &[&str] = if file == "run.toml" {
            &["finetune"]
        } else {
            &["study", "--dry-run"]
        };
        let output = ["--output", "nowhere", "--config", text(&path)];
        let ran = cwgnc(&[command, &output, &["--model", "nowhere"]].concat());
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.stderr.contains(say),
            "{}",
            &ran.stderr[..200.min(ran.stderr.len())]
        );
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
