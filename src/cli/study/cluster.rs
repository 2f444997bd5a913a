//! `--plan`: the runs of a study as work for GNU parallel or Slurm. Every line is a process of its own that does one run
//! of the folder and can be repeated.

use super::args::{Cluster, StudyArgs};
use super::folder::Folder;
use crate::cli::progress::say;
use crate::cli::{Error, print};

/// Prints the list or the script for the runs that are left; the folder is ready for them.
pub(super) fn print_plan(folder: &Folder, kind: Cluster, args: &StudyArgs) -> Result<(), Error> {
    let entries = folder.entries()?;
    let todo = super::todo(args, &folder.study, &entries)?;
    let program = std::env::args().next().unwrap_or_else(|| "cwgnc".to_owned());
    let threads = args.threads_per_job.unwrap_or(1);
    let path = folder.path.display().to_string();
    let keep = if args.keep_models { " --keep-models" } else { "" };
    let command = format!(
        "{} study --resume --quiet --threads-per-job {threads}{keep} --output {}",
        quoted(&program),
        quoted(&path)
    );
    let numbers: Vec<usize> = todo.iter().map(|run| run.number).collect();
    match kind {
        Cluster::Parallel => {
            for number in &numbers {
                print(&format!("{command} --only {number}"))?;
            }
        }
        Cluster::Slurm => print(&script(&command, &numbers, threads, &path))?,
    }
    if !args.quiet {
        say(&format!(
            "{} runs to do in {path}; when they have ended, `{} study --resume --output {}` writes the results",
            numbers.len(),
            quoted(&program),
            quoted(&path)
        ));
    }
    Ok(())
}

fn script(command: &str, numbers: &[usize], threads: usize, path: &str) -> String {
    let array = ranges(numbers);
    let log = quoted(&format!("{path}/slurm-%a.log"));
    format!(
        "#!/bin/sh
#SBATCH --job-name=cwgnc-study
#SBATCH --array={array}
#SBATCH --cpus-per-task={threads}
#SBATCH --output={log}
# sbatch may be given --array=...%K to run at most K tasks at once.
exec {command} --only \"$SLURM_ARRAY_TASK_ID\""
    )
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

/// A word for a shell.
pub(in crate::cli) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+%=:,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::{quoted, ranges};

    #[test]
    fn words_and_ranges() {
        assert_eq!(ranges(&[1, 2, 3, 4, 7, 9, 10]), "1-4,7,9-10");
        assert_eq!(ranges(&[]), "");
        assert_eq!(quoted("runs/a-b"), "runs/a-b");
        assert_eq!(quoted("it's here"), "'it'\\''s here'");
    }
}
