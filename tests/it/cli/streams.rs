//! Where output goes when the reader has gone, the disk is full or the folder may not be written.

use super::{
    DEMO_DATA, DEMO_MODEL, Ran, cwgnc, demo, finetune, listing, program, ran, scratch, text, trained,
};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// `cwgnc predict … | head -1`: a hundred kilobytes more than a pipe holds.
#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let dir = scratch::folder("cli-streams-pipe");
    let path = dir.join("texts.tsv");
    fs::write(&path, "sentence\n".to_owned() + &"the dogs sleep\n".repeat(1000)).unwrap();
    let mut child = program()
        .args([
            "predict",
            "--quiet",
            "--max-seq-length",
            "32",
            "--model",
            text(trained()),
        ])
        .args(["--file", text(&path)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("{\"index\":0,"));
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_full_standard_output_is_a_failure() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        return skipped("there is no /dev/full");
    };
    let dir = scratch::folder("cli-streams-full");
    let mut command = program();
    command.args(["inspect", "fixtures/demo/model"]).stdout(full);
    let message = "cannot print the results: No space left on device (os error 28)";
    ran(command).refused(&dir, 1, message);
}

#[expect(clippy::print_stderr, reason = "a test that skips must say so")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// The command under a limit of the size of files (`ulimit -f` in blocks of 512 or 1024 bytes, as the shell counts),
/// which fails where a full disk would.
fn limited(command: &Command, blocks: u32) -> Command {
    let mut shell = Command::new("sh");
    shell
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "-c",
            &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""),
            "sh",
        ])
        .arg(command.get_program())
        .args(command.get_args());
    shell
}

const TOO_LARGE: &str = "File too large (os error 27)";

/// Runs under the limit, which must fail in this way, and resumes without: the result is that of a run that had room.
fn full_disk(name: &str, flags: &[&str], blocks: u32, message: &str, left: &[&str]) {
    let dir = scratch::folder(name);
    let (run, roomy) = (dir.join("run"), dir.join("roomy"));
    let finetune = |run: &Path, more: &[&str]| finetune(run, &[DEMO_MODEL, DEMO_DATA, flags, more].concat());
    ran(limited(&finetune(&run, &[]), blocks)).refused(&dir, 1, &format!("{message}: {TOO_LARGE}"));
    assert_eq!(listing(&run), left);
    ran(finetune(&run, &["--resume"])).succeeded();
    ran(finetune(&roomy, &[])).succeeded();
    assert_eq!(listing(&run), listing(&roomy));
    for file in ["model.safetensors", "log.jsonl"] {
        let [a, b] = [&run, &roomy].map(|run| fs::read(run.join(file)).unwrap());
        assert!(a == b, "{file} differs");
    }
}

/// Weights of 307 kB do not fit into 250 blocks; the configuration and the log do.
#[test]
fn a_disk_full_in_the_middle_of_a_checkpoint() {
    full_disk(
        "cli-streams-checkpoint",
        &["--max-steps", "7"],
        250,
        "cannot write DIR/run/.checkpoint-5.partial/model.safetensors",
        &["log.jsonl", "run.json"],
    );
}

#[test]
fn a_disk_full_at_the_end() {
    full_disk(
        "cli-streams-model",
        &["--max-steps", "4"],
        250,
        "cannot write DIR/run/model.safetensors",
        &["config.json", "log.jsonl", "run.json"],
    );
}

/// A line of the log has some 6 kB: 72 of them are more than 200 blocks hold, and come before any checkpoint.
#[test]
fn a_disk_full_of_the_log() {
    full_disk(
        "cli-streams-log",
        &[
            "--batch-size",
            "1",
            "--num-train-epochs",
            "1",
            "--logging-steps",
            "1",
        ],
        200,
        "cannot write DIR/run/log.jsonl",
        &["log.jsonl", "run.json"],
    );
}

#[test]
fn a_disk_full_of_predictions() {
    let dir = scratch::folder("cli-streams-predictions");
    let out = dir.join("out.jsonl");
    let mut command = program();
    command
        .args([
            "predict",
            "--quiet",
            "--max-seq-length",
            "32",
            "--model",
            text(trained()),
        ])
        .args(["--file", "fixtures/demo/dev.tsv", "--output", text(&out)]);
    let message = format!("cannot write DIR/out.jsonl: {TOO_LARGE}");
    ran(limited(&command, 4)).refused(&dir, 1, &message);
    assert!(listing(&dir).is_empty(), "half a file was left");
    // Its folder is made, unless a file has its name.
    fs::write(dir.join("none"), "").unwrap();
    let nowhere = dir.join("none/out.jsonl");
    let mut flags: Vec<&str> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
    let last = flags.len() - 1;
    flags[last] = text(&nowhere);
    let message = "cannot use folder DIR/none: File exists (os error 17)";
    cwgnc(&flags).refused(&dir, 1, message);
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let dir = scratch::folder("cli-streams-permission");
    let run = dir.join("run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o555)).unwrap();
    if File::create(run.join("probe")).is_ok() {
        return skipped("this user may write into folders that are read-only (root)");
    }
    let message = "cannot write DIR/run/run.json: Permission denied (os error 13)";
    demo(&run, &["--max-steps", "1"]).refused(&dir, 1, message);
    assert!(listing(&run).is_empty());
}
