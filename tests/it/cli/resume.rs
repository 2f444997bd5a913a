//! A run that was killed goes on from its last checkpoint and ends with the same bytes as one that was left alone.

use super::{DEMO_DATA, DEMO_MODEL, Ran, demo, finetune, listing, object, ran, scratch};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// 45 steps in nine epochs, each step logged, checkpoints at 4, 5, 8, 10, …, dropout on.
const FLAGS: &[&str] = &[
    "--num-train-epochs",
    "9",
    "--save-steps",
    "4",
    "--save-total-limit",
    "2",
    "--logging-steps",
    "1",
    "--eval-every",
    "3",
    "--log-updates",
    "--dropout",
    "0.1",
];

fn command(run: &Path, more: &[&str]) -> Command {
    finetune(run, &[DEMO_MODEL, DEMO_DATA, FLAGS, more].concat())
}

/// The run that nobody disturbed.
fn undisturbed() -> &'static Path {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    RUN.get_or_init(|| {
        let run = scratch::folder("cli-resume-undisturbed").join("run");
        ran(command(&run, &[])).succeeded();
        run
    })
}

/// Kills the run (SIGKILL) once `moment` has come; whether it came before the end.
fn killed(run: &Path, more: &[&str], moment: impl Fn(&Path) -> bool) -> bool {
    killed_command(command(run, more), || moment(run))
}

/// Kills a program once `moment` has come; whether it came before the end.
pub(super) fn killed_command(mut command: Command, moment: impl Fn() -> bool) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        if moment() {
            child.kill().unwrap();
            return !child.wait().unwrap().success();
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

pub(super) fn lines_logged(run: &Path) -> usize {
    let bytes = fs::read(run.join("log.jsonl")).unwrap_or_default();
    bytes.split(|&byte| byte == b'\n').count() - 1
}

/// Every file of the two runs is the same, but for the clock in the results.
pub(super) fn assert_same(run: &Path, other: &Path) {
    assert_eq!(listing(run), listing(other));
    for name in listing(run) {
        let (a, b) = (run.join(&name), other.join(&name));
        if a.is_dir() {
            assert_same(&a, &b);
        } else if name.ends_with("_results.json") {
            let [a, b] = [&a, &b].map(|path| {
                let mut results = object(path);
                results.retain(|key, _| !key.contains("runtime") && !key.contains("per_second"));
                results
            });
            assert_eq!(a, b, "{name}");
        } else {
            assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap(), "{name} differs");
        }
    }
}

/// Kills the run at each of these moments, one after the other, and then lets it end.
fn kill_at(name: &str, moments: &[&dyn Fn(&Path) -> bool]) {
    let run = scratch::folder(name).join("run");
    for moment in moments {
        let more: &[&str] = if run.join("run.json").exists() {
            &["--resume"]
        } else {
            &[]
        };
        killed(&run, more, moment);
    }
    ran(command(&run, &["--resume"])).succeeded();
    assert_same(&run, undisturbed());
}

/// AutoClip's threshold is the median of every norm so far: a resumed run must know those before the checkpoint.
#[test]
fn what_a_policy_remembers_survives_a_kill() {
    let folder = scratch::folder("cli-resume-memory");
    let (run, alone) = (folder.join("run"), folder.join("alone"));
    let policy = ["--clip", "autoclip:50"];
    ran(command(&alone, &policy)).succeeded();
    killed(&run, &policy, |run| lines_logged(run) >= 14);
    ran(command(&run, &["--clip", "autoclip:50", "--resume"])).succeeded();
    assert_same(&run, &alone);
}

#[test]
fn killed_before_the_first_step() {
    kill_at("cli-resume-start", &[&|run| run.join("run.json").exists()]);
}

#[test]
fn killed_before_the_first_checkpoint() {
    kill_at("cli-resume-early", &[&|run| lines_logged(run) >= 2]);
}

#[test]
fn killed_after_a_checkpoint() {
    kill_at(
        "cli-resume-checkpoint",
        &[&|run| run.join("checkpoint-8").exists()],
    );
}

#[test]
fn killed_while_a_checkpoint_is_written() {
    let partial = |run: &Path, step: usize| run.join(format!(".checkpoint-{step}.partial")).exists();
    kill_at(
        "cli-resume-partial",
        &[&|run| partial(run, 4), &|run| partial(run, 10), &|run| {
            partial(run, 24)
        }],
    );
}

#[test]
fn killed_again_and_again() {
    kill_at(
        "cli-resume-often",
        &[
            &|run| lines_logged(run) >= 1,
            &|run| lines_logged(run) >= 9,
            &|run| lines_logged(run) >= 10,
            &|run| lines_logged(run) >= 21,
            &|run| lines_logged(run) >= 33,
            &|run| lines_logged(run) >= 50,
        ],
    );
}

#[test]
fn killed_at_the_very_end() {
    kill_at(
        "cli-resume-end",
        &[
            &|run| lines_logged(run) >= 45 + 15,
            &|run| run.join("model.safetensors").exists(),
            &|run| run.join("train_results.json").exists(),
        ],
    );
}

/// The moments above are really met: a kill comes before the end.
#[test]
fn a_kill_is_a_kill() {
    let run = scratch::folder("cli-resume-kill").join("run");
    let long = ["--max-steps", "1000000"];
    assert!(killed(&run, &long, |run| run.join("checkpoint-4").exists()));
    assert!(!run.join("all_results.json").exists());
}

/// What a run looks like that died after its last checkpoint, made from the undisturbed one.
fn died(name: &str) -> PathBuf {
    let run = scratch::folder(name).join("run");
    super::files::copy(undisturbed(), &run);
    for checkpoint in ["checkpoint-40", "checkpoint-44"] {
        super::files::copy(&undisturbed().join(checkpoint), &run.join(checkpoint));
    }
    for results in [
        "all_results.json",
        "eval_results.json",
        "train_results.json",
        "model.safetensors",
    ] {
        fs::remove_file(run.join(results)).unwrap();
    }
    run
}

fn cut_log(run: &Path, bytes: usize) {
    let path = run.join("log.jsonl");
    let log = fs::read(&path).unwrap();
    fs::write(&path, &log[..log.len() - bytes]).unwrap();
}

#[test]
fn a_torn_last_line_of_the_log_is_written_again() {
    for (i, torn) in [1, 30, 4000].into_iter().enumerate() {
        let run = died(&format!("cli-resume-torn-{i}"));
        cut_log(&run, torn);
        ran(command(&run, &["--resume"])).succeeded();
        assert_same(&run, undisturbed());
    }
}

/// Lines of steps that a checkpoint does not know are taken back, those of evaluations too.
#[test]
fn without_the_last_checkpoints_it_goes_on_from_an_older_one_or_the_beginning() {
    let run = died("cli-resume-older");
    fs::remove_dir_all(run.join("checkpoint-44")).unwrap();
    ran(command(&run, &["--resume"])).succeeded();
    assert_same(&run, undisturbed());

    let run = died("cli-resume-none");
    for checkpoint in ["checkpoint-40", "checkpoint-44"] {
        fs::remove_dir_all(run.join(checkpoint)).unwrap();
    }
    ran(command(&run, &["--resume"])).succeeded();
    assert_same(&run, undisturbed());
}

/// What a process left when it died goes away, whether the run is resumed or replaced.
#[test]
fn what_was_left_unfinished_is_removed() {
    for (i, how) in ["--resume", "--overwrite"].into_iter().enumerate() {
        let run = died(&format!("cli-resume-unfinished-{i}"));
        fs::create_dir(run.join(".checkpoint-37.partial")).unwrap();
        fs::write(run.join(".checkpoint-37.partial/model.safetensors"), "half").unwrap();
        fs::write(run.join(".cwgnc-abcdef.tmp"), "half").unwrap();
        ran(command(&run, &[how])).succeeded();
        assert_same(&run, undisturbed());
    }
}

/// Other threads, checkpoints or batches of the evaluation change no number, so they are no other run.
#[test]
fn what_changes_no_number_may_change() {
    let run = died("cli-resume-machine");
    let machine = ["--resume", "--threads", "1", "--per-device-eval-batch-size", "5"];
    ran(command(&run, &machine)).succeeded();
    for name in ["model.safetensors", "log.jsonl"] {
        assert!(
            fs::read(run.join(name)).unwrap() == fs::read(undisturbed().join(name)).unwrap(),
            "{name} differs"
        );
    }
}

/// `--resume` in a folder that is new is a run from the beginning, so that a script may always say it.
#[test]
fn nothing_to_resume_is_a_new_run() {
    let run = scratch::folder("cli-resume-nothing").join("run");
    ran(command(&run, &["--resume"])).succeeded();
    assert_same(&run, undisturbed());
}

/// Nothing is trained or written again; the results are printed again.
#[test]
fn a_finished_run_prints_its_results_again() {
    let run = scratch::folder("cli-resume-finished").join("run");
    let flags = ["--max-steps", "6", "--dropout", "0.1"];
    let printed = demo(&run, &flags).succeeded();
    let before: Vec<_> = files(&run);
    let again = demo(&run, &[&flags[..], &["--resume"]].concat()).succeeded();
    let metrics: Vec<&str> = printed
        .lines()
        .filter(|line| !line.starts_with("trained"))
        .collect();
    assert_eq!(again.lines().collect::<Vec<_>>(), metrics);
    let json = demo(&run, &[&flags[..], &["--resume", "--json"]].concat()).succeeded();
    assert_eq!(json, fs::read_to_string(run.join("all_results.json")).unwrap());
    assert_eq!(files(&run), before);

    let mut command = finetune(&run, &[DEMO_MODEL, DEMO_DATA, &flags, &["--resume"]].concat());
    let quiet = command.get_args().position(|arg| arg == "--quiet").unwrap();
    let loud: Vec<_> = command
        .get_args()
        .map(ToOwned::to_owned)
        .enumerate()
        .filter(|(i, _)| *i != quiet)
        .collect();
    command = super::program();
    command.args(loud.into_iter().map(|(_, arg)| arg));
    let stderr = ran(command).stderr;
    let said = format!("the run in {} is finished; its results:\n", run.display());
    assert!(stderr.ends_with(&said), "{stderr}");
}

/// The files of a folder with their bytes and times.
fn files(dir: &Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    listing(dir)
        .into_iter()
        .filter(|name| dir.join(name).is_file())
        .map(|name| {
            let path = dir.join(&name);
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            (name, fs::read(path).unwrap(), time)
        })
        .collect()
}

/// The last N checkpoints stay, each a whole model folder with its moments.
#[test]
fn the_last_checkpoints_are_kept() {
    let dir = scratch::folder("cli-resume-limit");
    for (limit, kept) in [("1", vec![10]), ("2", vec![9, 10]), ("9", vec![3, 5, 6, 9, 10])] {
        let run = dir.join(limit);
        let more = [
            "--max-steps",
            "11",
            "--save-steps",
            "3",
            "--save-total-limit",
            limit,
        ];
        demo(&run, &more).succeeded();
        let mut found: Vec<usize> = listing(&run)
            .iter()
            .filter_map(|name| name.strip_prefix("checkpoint-").map(|step| step.parse().unwrap()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, kept);
        let files = [
            "checksums.json",
            "config.json",
            "cwgnc.json",
            "model.safetensors",
            "optimizer.safetensors",
            "state.json",
            "tokenizer_config.json",
            "vocab.txt",
        ];
        assert_eq!(listing(&run.join("checkpoint-10")), files);
    }
    let Ran { code, .. } = demo(&dir.join("1"), &["--max-steps", "11", "--resume"]);
    assert_eq!(code, Some(0), "save_steps is no part of what makes the run");
}
