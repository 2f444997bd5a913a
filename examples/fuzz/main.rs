//! Fuzzing of everything that reads what others wrote: parsers, and whole commands.
//!
//! ```text
//! cargo run --release --example fuzz -- list
//! cargo run --release --example fuzz -- TARGET SECONDS [--seed N]
//! cargo run --release --example fuzz -- all SECONDS [--seed N]
//! cargo run --release --example fuzz -- TARGET --replay FILE
//! ```
//!
//! A target has a folder of good files. Each input is one of them changed: as a tree of JSON, as the header of tensors, as
//! words or lines, or as bytes. An input whose outcome (exit code and message, without numbers and names) is new is kept
//! and changed further, so that inputs get past the first checks.
//!
//! Inputs run in a worker, a process of its own with a limit of memory, which is started again after a failure. An input
//! fails if the worker panics, even where the program would catch it, is aborted or killed by a signal, or takes longer
//! than the limit of time. It is written to `fuzz-failures/`, and the exit code is 1.

mod chance;
mod json;
mod seeds;
mod targets;
mod tensors;
mod text;
mod worker;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use targets::TARGETS;

/// An input that takes more of a processor's time hangs. The slowest take a second on a fast machine.
const HANGS: Duration = Duration::from_secs(20);

/// And so does one that takes this long and does nothing, or where no system tells the processor's time.
const WAITS: Duration = Duration::from_secs(120);

/// Address space of a worker, in KiB. A few hundred MiB of it are the program's own.
const MEMORY_KIB: u64 = 2 << 20;

/// Where failing inputs go.
const FAILURES: &str = "fuzz-failures";

/// Failing inputs of one kind that are kept.
const KEPT: usize = 2;

const USAGE: &str = "fuzz list | TARGET SECONDS [--seed N] | all SECONDS [--seed N] | TARGET --replay FILE";

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = match words[..] {
        ["list"] => {
            for target in TARGETS {
                println!("{:18} {}", target.name, target.about);
            }
            Some(Ok(true))
        }
        ["--worker", target, folder, seed, first, seconds] => {
            worker::work(
                target,
                Path::new(folder),
                number(seed),
                number(first),
                number(seconds),
            );
            Some(Ok(true))
        }
        ["--worker", target, folder, file] => {
            worker::replay(target, Path::new(folder), Path::new(file));
            Some(Ok(true))
        }
        ["--program", "parrot", file] => Some(worker::parrot(Path::new(file)).map(|()| true)),
        ["--program", ..] => {
            let words = std::iter::once("cwgnc").chain(words[1..].iter().copied());
            return ExitCode::from(cwgnc::cli::run(words.map(Into::into)));
        }
        [target, "--replay", file] => Some(replayed(target, Path::new(file))),
        [target, seconds] => seconds.parse().ok().map(|seconds| session(target, seconds, 1)),
        [target, seconds, "--seed", seed] => {
            let numbers = seconds.parse().ok().zip(seed.parse().ok());
            numbers.map(|(seconds, seed)| session(target, seconds, seed))
        }
        _ => None,
    };
    match found {
        Some(Ok(true)) => ExitCode::SUCCESS,
        Some(Ok(false)) => ExitCode::FAILURE,
        Some(Err(error)) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
        None => {
            eprintln!("usage: {USAGE}");
            ExitCode::from(2)
        }
    }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_default()
}

/// What the workers of a target did.
#[derive(Default)]
struct Tally {
    executions: u64,
    outcomes: u64,
    slowest_ms: u64,
    /// How often each kind of failure was seen.
    failures: BTreeMap<String, usize>,
}

/// Fuzzes one target, or all; whether nothing failed.
#[expect(clippy::print_stdout, reason = "an example prints")]
fn session(name: &str, seconds: u64, seed: u64) -> std::io::Result<bool> {
    let chosen: Vec<&str> = TARGETS
        .iter()
        .map(|target| target.name)
        .filter(|known| name == "all" || *known == name)
        .collect();
    if chosen.is_empty() {
        return Err(std::io::Error::other(format!(
            "no target `{name}`; `fuzz list` has them"
        )));
    }
    println!(
        "{:18} {:>11} {:>9} {:>8} {:>9}",
        "target", "executions", "outcomes", "slowest", "failures"
    );
    let mut failed = false;
    for name in chosen {
        let folder = std::env::temp_dir().join(format!("cwgnc-fuzz-{}-{name}", std::process::id()));
        let tally = fuzz(name, &folder, seconds, seed)?;
        let failures: usize = tally.failures.values().sum();
        println!(
            "{name:18} {:>11} {:>9} {:>6}ms {failures:>9}",
            tally.executions, tally.outcomes, tally.slowest_ms
        );
        for (kind, times) in &tally.failures {
            println!("  {times} x {kind}");
        }
        failed |= failures > 0;
        fs::remove_dir_all(&folder)?;
    }
    Ok(!failed)
}

/// Runs workers until the time is over.
#[expect(clippy::print_stdout, reason = "an example prints")]
fn fuzz(name: &str, folder: &Path, seconds: u64, seed: u64) -> std::io::Result<Tally> {
    fs::create_dir_all(folder)?;
    let (mut tally, mut first) = (Tally::default(), 0);
    let mut end = None;
    loop {
        // The time begins when the files of the target are made.
        let left = end.map_or(seconds, |end: Instant| {
            end.saturating_duration_since(Instant::now()).as_secs()
        });
        if left == 0 {
            return Ok(tally);
        }
        let words = [seed, first, left].map(|number| number.to_string());
        let fault = supervised(
            name,
            folder,
            &words.each_ref().map(String::as_str),
            &mut end,
            seconds,
        )?;
        let [at, outcomes, slowest] = progress(folder);
        tally.executions += (at + 1).saturating_sub(first);
        tally.outcomes = tally.outcomes.max(outcomes);
        tally.slowest_ms = tally.slowest_ms.max(slowest);
        let Some(fault) = fault else {
            return Ok(tally);
        };
        let seen = tally.failures.entry(fault.clone()).or_default();
        *seen += 1;
        if *seen <= KEPT {
            fs::create_dir_all(FAILURES)?;
            let path = PathBuf::from(FAILURES).join(format!("{name}-{seed}-{at}.input"));
            fs::copy(folder.join(worker::CURRENT), &path)?;
            println!("{name}: {fault}: {}", path.display());
        }
        if end.is_none() {
            return Err(std::io::Error::other(format!(
                "{name}: its own files fail: {fault}"
            )));
        }
        first = at + 1;
    }
}

/// The number of the present input, the outcomes so far and the slowest input.
fn progress(folder: &Path) -> [u64; 3] {
    let text = fs::read_to_string(folder.join(worker::PROGRESS)).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(number);
    [(); 3].map(|()| numbers.next().unwrap_or_default())
}

/// Runs one worker to its end; what failed, if it did.
fn supervised(
    name: &str,
    folder: &Path,
    words: &[&str],
    end: &mut Option<Instant>,
    seconds: u64,
) -> std::io::Result<Option<String>> {
    let said = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(worker::SAID))?;
    said.set_len(0)?;
    let exe = std::env::current_exe()?;
    let mut command = Command::new(if cfg!(unix) { Path::new("sh") } else { &*exe });
    if cfg!(unix) {
        let limited = format!("ulimit -v {MEMORY_KIB}; exec \"$@\"");
        command.args(["-c", &limited, "sh"]).arg(&exe);
    }
    command.args(["--worker", name]).arg(folder).args(words);
    command.env("RAYON_NUM_THREADS", "1").env("RUST_BACKTRACE", "0");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said)
        .spawn()?;
    let (mut at, mut since, mut busy) = (u64::MAX, Instant::now(), Duration::ZERO);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        let ready = folder.join(worker::READY).exists();
        let now = progress(folder)[0];
        if now != at || !ready {
            (at, since, busy) = (now, Instant::now(), processor_time(child.id()));
        }
        if ready && end.is_none() {
            *end = Some(Instant::now() + Duration::from_secs(seconds));
        }
        if processor_time(child.id()).saturating_sub(busy) > HANGS || since.elapsed() > WAITS {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Ok(match status {
        None => Some(format!("takes longer than {} s", HANGS.as_secs())),
        Some(status) if status.success() => None,
        Some(status) => Some(format!("{status}; {}", last_words(folder))),
    })
}

/// What a process has used of the processors, as Linux tells it in hundredths of a second; nothing elsewhere.
fn processor_time(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in brackets, may have blanks. The 14th and the 15th field are the time in the program and in the system.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    Duration::from_millis(10 * fields.skip(11).take(2).map(number).sum::<u64>())
}

/// Where it panicked or what it said last.
fn last_words(folder: &Path) -> String {
    let said = String::from_utf8_lossy(&fs::read(folder.join(worker::SAID)).unwrap_or_default()).into_owned();
    let place = said
        .split("panicked at ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let memory = said.lines().find(|line| line.starts_with("memory allocation"));
    let line = place
        .or(memory)
        .or_else(|| said.lines().rev().find(|line| !line.is_empty()));
    line.unwrap_or("nothing said").chars().take(160).collect()
}

/// Repeats an input; whether it does not fail.
#[expect(clippy::print_stdout, reason = "an example prints")]
fn replayed(name: &str, file: &Path) -> std::io::Result<bool> {
    let folder = std::env::temp_dir().join(format!("cwgnc-fuzz-{}-replay", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = fs::canonicalize(file)?;
    let fault = supervised(name, &folder, &[&file.display().to_string()], &mut None, 0)?;
    let said = fs::read(folder.join(worker::SAID))?;
    println!("{}", String::from_utf8_lossy(&said).trim_end());
    println!("{}", fault.as_deref().unwrap_or("no failure"));
    fs::remove_dir_all(&folder)?;
    Ok(fault.is_none())
}
