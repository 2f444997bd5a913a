//! The process that the inputs run in.

use super::chance::Chance;
use super::seeds::Victim;
use super::targets::{TARGETS, Target};
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The present input, in the folder of the target.
pub(crate) const CURRENT: &str = "current.input";
/// Its number.
pub(crate) const PROGRESS: &str = "progress";
/// What the worker says on stderr.
pub(crate) const SAID: &str = "said";
/// There when the files of the target are made and known to be good.
pub(crate) const READY: &str = "ready";

/// What a file of input begins with.
const MARK: &str = "cwgnc-fuzz 1";

/// Inputs that are kept to be changed further, of each file of a target, and their largest size.
const POOL: usize = 400;
const POOLED_BYTES: usize = 1 << 16;

/// The panics of this code, as the hook says them on stderr. Those of other crates are caught on purpose.
const PANIC: &str = "panicked at src/";

fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("no target `{name}`"))
}

/// The folder `work` as a copy of the good files, and in it.
fn fresh(folder: &Path) {
    let work = folder.join("work");
    if work.exists() {
        fs::remove_dir_all(&work).expect("the worker's own folder");
    }
    super::seeds::copy_all(&folder.join("base"), &work);
    std::env::set_current_dir(&work).expect("the worker's own folder");
}

/// Makes the good files, unless an earlier worker has.
fn prepared(target: &Target, folder: &Path) -> Vec<Victim> {
    let base = folder.join("base");
    fs::create_dir_all(&base).expect("the worker's own folder");
    std::env::set_current_dir(&base).expect("the worker's own folder");
    let victims = (target.base)();
    fresh(folder);
    victims
}

/// Runs inputs for some seconds.
pub(crate) fn work(name: &str, folder: &Path, seed: u64, first: u64, seconds: u64) {
    let target = target(name);
    let mut victims = prepared(target, folder);
    let mut outcomes = HashSet::new();
    // The good files first: what they give is no news.
    for victim in &victims {
        let _ = (target.run)(&victim.file, 0);
        outcomes.insert(heard(folder, ""));
    }
    fs::write(folder.join(READY), "").expect("the worker's own folder");
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut number, mut slowest) = (first, 0);
    while Instant::now() < end {
        let mut chance = Chance::new(seed, number);
        let at = chance.below(victims.len());
        let variant = chance.below(12);
        let victim = &victims[at];
        let input = victim.changed(&mut chance);
        save(folder, target.name, &victim.file, variant, &input);
        let progress = format!("{number} {} {slowest}\n", outcomes.len());
        fs::write(folder.join(PROGRESS), progress).expect("the worker's own folder");
        let began = Instant::now();
        let outcome = one(target, &victim.file, variant, &input);
        slowest = slowest.max(began.elapsed().as_millis());
        let outcome = heard(folder, &format!("{} {outcome}", victim.file));
        if outcomes.insert(outcome) && input.len() <= POOLED_BYTES && victim.pool.len() < POOL {
            victims[at].pool.push(input);
        }
        let victim = &victims[at];
        if target.is_changed {
            fresh(folder);
        } else {
            fs::write(&victim.file, &victim.pool[0]).expect("the worker's own folder");
            super::seeds::remove("out");
        }
        number += 1;
    }
    let progress = format!("{} {} {slowest}\n", number.saturating_sub(1), outcomes.len());
    fs::write(folder.join(PROGRESS), progress).expect("the worker's own folder");
}

fn one(target: &Target, file: &str, variant: usize, input: &[u8]) -> String {
    fs::write(file, input).expect("the worker's own folder");
    (target.run)(file, variant)
}

fn save(folder: &Path, target: &str, file: &str, variant: usize, input: &[u8]) {
    let head = format!("{MARK}\t{target}\t{file}\t{variant}\n");
    fs::write(folder.join(CURRENT), [head.as_bytes(), input].concat()).expect("the worker's own folder");
}

/// Runs the input of a file that [`save`] wrote.
pub(crate) fn replay(name: &str, folder: &Path, path: &Path) {
    let bytes = fs::read(path).expect("a file of fuzz-failures");
    let end = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .expect("a first line");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let fields: Vec<&str> = head.split('\t').collect();
    let [MARK, _, file, variant] = fields[..] else {
        panic!("{}: no input of this program", path.display());
    };
    let target = target(name);
    drop(prepared(target, folder));
    fs::write(folder.join(READY), "").expect("the worker's own folder");
    let outcome = one(
        target,
        file,
        variant.parse().expect("a number"),
        &bytes[end + 1..],
    );
    refuse_panic(&fs::read_to_string(folder.join(SAID)).unwrap_or_default());
    eprint_outcome(&outcome);
}

#[expect(clippy::print_stderr, reason = "an example prints")]
fn eprint_outcome(outcome: &str) {
    eprintln!("outcome: {outcome}");
}

/// A panic that was caught is one all the same.
fn refuse_panic(said: &str) {
    if said.contains(PANIC) {
        std::process::exit(101);
    }
}

/// The outcome and what was said on stderr, without what differs from input to input: digits, and what stands in quotes.
fn heard(folder: &Path, outcome: &str) -> String {
    let path = folder.join(SAID);
    let said = fs::read(&path).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[..said.len().min(4000)]).into_owned();
    refuse_panic(&said);
    // What is appended next begins anew.
    let _ = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(0));
    let mut kept = String::new();
    let mut quoted = false;
    for c in outcome.chars().chain(said.chars()).take(600) {
        match c {
            '`' | '"' => quoted = !quoted,
            '\n' => quoted = false,
            _ if quoted || c.is_ascii_digit() => {}
            _ => kept.push(c),
        }
    }
    kept
}

/// A program for `cwgnc pipe` that answers everything with the bytes of a file.
pub(crate) fn parrot(file: &Path) -> std::io::Result<()> {
    let answer = fs::read(file)?;
    let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    loop {
        let mut length = Vec::new();
        (&mut stdin).take(8).read_to_end(&mut length)?;
        let Some(bytes) = length.first_chunk() else {
            return Ok(());
        };
        std::io::copy(
            &mut (&mut stdin).take(u64::from_le_bytes(*bytes)),
            &mut std::io::sink(),
        )?;
        stdout.write_all(&answer)?;
        stdout.flush()?;
    }
}
