//! A study that is killed at random moments, and gone on with after each, ends with the bytes of one left alone.
//!
//! `CWGNC_KILLS=20 cargo test --test it killed_at_random` kills twenty times instead of five.

use super::study::{ran, results, run_flags, study, undisturbed};
use super::{json_lines, scratch};
use cwgnc::random::key;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `cwgnc study` on the demo with two conditions and so many seeds.
fn command(output: &Path, seeds: usize, more: &[&str]) -> Command {
    let mut command = super::program();
    command.args(["study", "--conditions", "control,component:0.05", "--output"]);
    command
        .arg(output)
        .args(["--seeds", &seeds.to_string()])
        .args(more)
        .args(run_flags());
    command
}

/// Lets the command run for so long and kills it (SIGKILL); whether it was still running.
fn killed(mut command: Command, after: Duration) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[test]
fn killed_at_random_moments() {
    let kills: usize = std::env::var("CWGNC_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let dir = scratch::folder("study-killed");
    let start = Instant::now();
    let printed = ran(command(&dir.join("alone"), kills, &["--jobs", "1"])).succeeded();
    let time = start.elapsed();
    for jobs in ["1", "2"] {
        let path = dir.join(jobs);
        let mut hits = 0;
        for i in 0..kills {
            // From nothing to one and a half times the share that would end the study with the last kill.
            let share = key(&[i as u64, jobs.parse().unwrap()]) as f64 / u64::MAX as f64;
            let after = time.mul_f64(1.5 * share / kills as f64);
            hits += usize::from(killed(
                command(&path, kills, &["--resume", "--jobs", jobs]),
                after,
            ));
        }
        assert!(hits > 0, "no kill came in time");
        let table = ran(command(&path, kills, &["--resume", "--jobs", jobs])).succeeded();
        assert_eq!(table, printed, "after {hits} kills");
        assert_eq!(results(&path), results(&dir.join("alone")), "after {hits} kills");
        let journal = json_lines(&fs::read_to_string(path.join("journal.jsonl")).unwrap());
        assert_eq!(journal.len(), 2 * kills, "no run is there twice");
        let log = |study: &Path| fs::read(study.join("runs/train/control/seed-1/log.jsonl")).unwrap();
        assert!(log(&path) == log(&dir.join("alone")));
        let page = |study: &Path| fs::read(study.join("report/report.html")).unwrap();
        assert!(page(&path) == page(&dir.join("alone")), "the same page");
    }
}

/// Half a line at the end of the journal: it is said, and its run is done again.
#[test]
fn half_a_line_in_the_journal() {
    let path = scratch::folder("study-torn").join("study");
    ran(study(&path, &["--shard", "1/3", "--quiet"])).succeeded();
    let journal = path.join("journal.jsonl");
    let whole = fs::read(&journal).unwrap();
    let cut = whole.len() - 20;
    fs::write(&journal, &whole[..cut]).unwrap();
    let again = ran(study(&path, &["--resume"]));
    let torn = cut - (1 + whole[..cut].iter().rposition(|&byte| byte == b'\n').unwrap());
    let said = format!("journal.jsonl: the last line was cut off ({torn} bytes); its run is done again\n");
    assert!(again.stderr.contains(&said), "{}", again.stderr);
    assert_eq!(again.succeeded(), undisturbed().1);
    assert_eq!(results(&path), results(&undisturbed().0));
    assert_eq!(fs::read_to_string(&journal).unwrap().lines().count(), 6);
}

/// What else can be wrong with a journal is no accident of a kill, and is not repaired.
#[test]
fn a_journal_that_was_changed() {
    let dir = scratch::folder("study-journal");
    let path = dir.join("study");
    ran(study(&path, &["--shard", "1/3", "--quiet"])).succeeded();
    let journal = path.join("journal.jsonl");
    let whole = fs::read_to_string(&journal).unwrap();
    let with = |line: &str, message: &str| {
        fs::write(&journal, &whole).unwrap();
        let mut file = OpenOptions::new().append(true).open(&journal).unwrap();
        file.write_all(line.as_bytes()).unwrap();
        let message = format!("DIR/study/journal.jsonl{message}");
        ran(study(&path, &["--resume"])).refused(&dir, 1, &message);
    };
    with(
        "{\"run\":\n",
        " line 3: not a record of a run: EOF while parsing a value at line 2 column 0",
    );
    with("{\"run\": \"x\"}\n", " line 3: no `run` or no `seconds`");
    with(
        "{\"run\": \"train/none/seed-1\", \"seconds\": 1.5}\n",
        ": run train/none/seed-1 is not in the study",
    );
    with(
        "{\"run\": \"train/control/seed-1\", \"seconds\": 1.5}\n",
        " line 3: run train/control/seed-1 is there before, with other results",
    );
}

/// Processes that are given the same run at once, as when a list is begun again while jobs of the first go on: one of
/// them does it, the others wait and find it done.
#[test]
fn one_run_given_to_many_processes() {
    let path = scratch::folder("study-same-run").join("study");
    ran(study(&path, &["--plan", "parallel", "--quiet"])).succeeded();
    let children: Vec<_> = (0..6)
        .map(|_| {
            study(&path, &["--resume", "--quiet", "--only", "3"])
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let journal = json_lines(&fs::read_to_string(path.join("journal.jsonl")).unwrap());
    assert_eq!(journal.len(), 1);
    assert_eq!(journal[0]["run"], "train/control/seed-2");
    ran(study(&path, &["--resume", "--quiet"])).succeeded();
    assert_eq!(results(&path), results(&undisturbed().0));
}
