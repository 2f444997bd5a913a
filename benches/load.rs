//! From the start of the program to the end of its first training step: reading the model, its vocabulary and the data,
//! tokenising, one step, and the little that is written.
//!
//!     cargo bench --bench load                                        the built-in encoder and task
//!     cargo bench --bench load -- bert-tiny rte glue/RTE              a model folder, a task, the task's folder
//!
//! The whole process is timed, `cwgnc finetune` with one step and one example to evaluate. That it took a step with a finite
//! loss is asserted each time.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Timed runs; the first one, which brings the files into memory, is not counted.
const ROUNDS: usize = 9;

fn run(data: &[String], output: &std::path::Path) -> Result<f64, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cwgnc"));
    command
        .arg("finetune")
        .args(data)
        .args([
            "--max-steps",
            "1",
            "--max-eval-samples",
            "1",
            "--save-strategy",
            "no",
        ])
        .args(["--quiet", "--overwrite", "--output"])
        .arg(output)
        .stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let time = start.elapsed().as_secs_f64();
    let log = fs::read_to_string(output.join("log.jsonl"))?;
    let first: serde_json::Value = serde_json::from_str(log.lines().next().ok_or("an empty log")?)?;
    assert!(status.success() && first["step"] == 1);
    assert!(first["loss"].as_f64().is_some_and(f64::is_finite));
    Ok(time)
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let data: Vec<String> = match &words[..] {
        [] => vec![
            "--model=builtin:shallow".into(),
            "--task=builtin:entailment".into(),
        ],
        [model, task, data] => vec![
            format!("--model={model}"),
            format!("--task={task}"),
            format!("--data={data}"),
        ],
        _ => return Err("give nothing, or a model folder, a task and its folder".into()),
    };
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("run");
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        let time = run(&data, &output)?;
        if round > 0 {
            times.push(time);
        }
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{}: {:.3} s ({:.3} to {:.3}, {ROUNDS} runs)",
        data.join(" "),
        times[ROUNDS / 2],
        times[0],
        times[ROUNDS - 1]
    );
    Ok(())
}
