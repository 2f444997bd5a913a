//! `--plan`: the runs of a study as work for GNU parallel or Slurm. Every line is a process of its own that does one run
//! of the folder and can be repeated.

use super::args::{Cluster, StudyArgs};
use super::folder::Folder;
use crate::checkpoint::shell::{quoted, shown};
use crate::cli::progress::say;
use crate::cli::{Error, print_bytes};
use std::ffi::OsStr;
use std::path::Path;

/// The largest index of an array: Slurm's `MaxArraySize` is 1001 unless a cluster sets another, and indices are below it.
const LARGEST_INDEX: usize = 1000;

/// Refuses a folder whose name cannot stand in a plan of this kind; asked before the folder is made.
pub(super) fn check(kind: Cluster, path: &Path) -> Result<(), Error> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let (bad, why) = match kind {
        Cluster::Parallel => (
            &b"\n\r"[..],
            "a line break, and GNU parallel reads a command a line",
        ),
        Cluster::Slurm => (
            &b"\n\r\\\"'"[..],
            "a line break, a quote or a backslash, which the comments of a Slurm script cannot hold",
        ),
    };
    if bytes.iter().any(|byte| bad.contains(byte)) {
        return Err(Error::Usage(format!(
            "--output {:?} has {why}",
            path.display().to_string()
        )));
    }
    Ok(())
}

/// Prints the list or the script for the runs that are left; the folder is ready for them.
pub(super) fn print_plan(folder: &Folder, kind: Cluster, args: &StudyArgs) -> Result<(), Error> {
    let entries = folder.entries()?;
    let todo = super::todo(args, &folder.study, &entries)?;
    let program = std::env::args_os().next().unwrap_or_else(|| "cwgnc".into());
    let threads = args.threads_per_job.unwrap_or(1);
    let keep = if args.keep_models { " --keep-models" } else { "" };
    let command = [
        quoted(&program),
        format!(" study --resume --quiet --threads-per-job {threads}{keep} --output ").into_bytes(),
        quoted(&folder.path),
    ]
    .concat();
    let numbers: Vec<usize> = todo.iter().map(|run| run.number).collect();
    match kind {
        Cluster::Parallel => {
            for number in &numbers {
                print_bytes(&[&command[..], format!(" --only {number}").as_bytes()].concat())?;
            }
        }
        Cluster::Slurm => print_bytes(&script(&command, &numbers, threads, folder.path.as_os_str()))?,
    }
    if !args.quiet {
        say(&format!(
            "{} runs to do in {}; when they have ended, `{} study --resume --output {}` writes the results",
            numbers.len(),
            folder.path.display(),
            shown(&program),
            shown(&folder.path)
        ));
    }
    Ok(())
}

/// The script of an array: a task for each run, or, of more runs than an array can have, several runs for each task.
fn script(command: &[u8], numbers: &[usize], threads: usize, path: &OsStr) -> Vec<u8> {
    let tasks = numbers
        .len()
        .div_ceil(numbers.len().div_ceil(LARGEST_INDEX).max(1));
    let is_small = numbers.iter().all(|&number| number <= LARGEST_INDEX);
    let array = if is_small {
        ranges(numbers)
    } else {
        format!("1-{tasks}")
    };
    // In a file name of Slurm, `%` begins a symbol and `%%` is one percent sign.
    let log: Vec<u8> = path
        .as_encoded_bytes()
        .iter()
        .flat_map(|&byte| if byte == b'%' { vec![byte; 2] } else { vec![byte] })
        .chain(*b"/slurm-%a.log")
        .collect();
    let has_blank = log
        .iter()
        .any(|byte| !byte.is_ascii_graphic() || b"#$&*();<>?[]`{|}~".contains(byte));
    let quote: &[u8] = if has_blank { b"'" } else { b"" };
    let head = format!(
        "#!/bin/sh
#SBATCH --job-name=cwgnc-study
#SBATCH --array={array}
#SBATCH --cpus-per-task={threads}
#SBATCH --output="
    );
    let limit = b"# sbatch may be given --array=...%K to run at most K tasks at once.\n";
    let start = [head.as_bytes(), quote, &log[..], quote, b"\n", limit].concat();
    if is_small {
        return [&start[..], b"exec ", command, b" --only \"$SLURM_ARRAY_TASK_ID\""].concat();
    }
    let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
    let before = format!(
        "# More runs than an array has tasks (MaxArraySize {}): each task does every {tasks}th run of the list, from its own on.
task=0 failed=0
for run in {}; do
  task=$((task % {tasks} + 1))
  [ \"$task\" -eq \"$SLURM_ARRAY_TASK_ID\" ] || continue
  ",
        LARGEST_INDEX + 1,
        words.join(" ")
    );
    let after = b" --only \"$run\" || failed=1\ndone\nexit \"$failed\"";
    [&start[..], before.as_bytes(), command, after].concat()
}

/// `1-4,7` for 1 2 3 4 7.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let text = runs.map(|run| match run {
        [one] => one.to_string(),
        run => format!("{}-{}", run[0], run[run.len() - 1]),
    });
    text.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn lists_of_numbers() {
        assert_eq!(ranges(&[1, 2, 3, 4, 7, 9, 10]), "1-4,7,9-10");
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn a_percent_sign_is_doubled() {
        let script = script(b"cwgnc", &[1, 2], 1, OsStr::new("s 50%a"));
        let script = String::from_utf8(script).expect("text");
        assert!(
            script.contains("\n#SBATCH --output='s 50%%a/slurm-%a.log'\n"),
            "{script}"
        );
        assert!(script.contains("\n#SBATCH --array=1-2\n"), "{script}");
    }

    /// Runs the script as each task of its array, with a command that prints the run: all runs, each once, no index above 1000.
    #[cfg(unix)]
    #[test]
    fn every_run_has_one_task() {
        let some: Vec<usize> = (1..=1440).filter(|number| *number != 7).collect();
        for numbers in [some, (990..=1003).collect(), vec![5000]] {
            let script = script(b"echo", &numbers, 1, OsStr::new("s"));
            let script = String::from_utf8(script).expect("text");
            let array = script
                .lines()
                .find_map(|line| line.strip_prefix("#SBATCH --array=1-"))
                .expect("an array");
            let tasks: usize = array.parse().expect("one range");
            assert!(tasks <= LARGEST_INDEX && tasks <= numbers.len());
            let mut done = Vec::new();
            // Few tasks are enough to see that each does its own.
            for task in [1, 2, tasks].into_iter().filter(|&task| task <= tasks) {
                let ran = Command::new("sh")
                    .args(["-c", &script])
                    .env("SLURM_ARRAY_TASK_ID", task.to_string())
                    .output();
                let ran = ran.expect("a shell");
                let lines = String::from_utf8(ran.stdout).expect("text");
                let runs: Vec<usize> = lines
                    .lines()
                    .map(|line| {
                        line.rsplit(' ')
                            .next()
                            .expect("a word")
                            .parse()
                            .expect("a number")
                    })
                    .collect();
                let expected: Vec<usize> = numbers.iter().copied().skip(task - 1).step_by(tasks).collect();
                assert_eq!(runs, expected);
                done.push(ran.status.success());
            }
            assert!(done.iter().all(|&done| done));
        }
    }
}
