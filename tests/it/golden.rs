//! Golden runs: `fixtures/golden.json` has the digests of what the program writes, which no processor, number of threads or
//! build may change.
//!
//! `cargo test` does the short ones. Through the environment, as `scripts/golden.sh` does:
//!
//! * `GOLDEN=all` does the long ones too, `GOLDEN=NAME` those whose name begins so.
//! * `GOLDEN_UNDER="qemu-x86_64 -cpu Haswell"` starts the program through another, an emulator.
//! * `GOLDEN_PROGRAM=PATH` takes another build of the program.
//! * `GOLDEN_WRITE=1` writes the digests. A change needs a line in CHANGELOG.md, which a test here holds against the file.

use crate::scratch;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FILE: &str = "golden.json";

/// What `DEMO` stands for in a command: four steps on the demo's files.
const DEMO: &str = "--train-file fixtures/demo/train.tsv --validation-file fixtures/demo/dev.tsv --max-train-samples 60 \
                    --max-eval-samples 50 --max-steps 4 --learning-rate 1e-3 --logging-steps 1";

/// One run of the file: commands, one after the other, and the digests of the files that they write.
struct Golden {
    name: String,
    is_slow: bool,
    commands: Vec<String>,
    digests: BTreeMap<String, String>,
}

fn read() -> Vec<Golden> {
    let text = fs::read_to_string(scratch::fixture(FILE)).expect("a fixture");
    let runs: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    runs.iter()
        .map(|run| Golden {
            name: text(&run["name"]),
            is_slow: run["slow"] == true,
            commands: run["commands"]
                .as_array()
                .expect("commands")
                .iter()
                .map(text)
                .collect(),
            digests: run["files"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(path, digest)| (path.clone(), text(digest)))
                .collect(),
        })
        .collect()
}

fn write(runs: &[Golden]) {
    let value = |run: &Golden| {
        let mut value =
            json!({"name": run.name, "slow": run.is_slow, "commands": run.commands, "files": run.digests});
        if !run.is_slow {
            value.as_object_mut().expect("an object").remove("slow");
        }
        value
    };
    let text = format!("{:#}\n", runs.iter().map(value).collect::<Value>());
    fs::write(scratch::fixture(FILE), text).expect("the fixture can be written");
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.concat()
}

/// The program, in the folder of the package, by itself or under an emulator.
fn program() -> Command {
    let path = env::var("GOLDEN_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_cwgnc").to_owned());
    let under = env::var("GOLDEN_UNDER").unwrap_or_default();
    let mut words = under.split_whitespace().map(str::to_owned).chain([path]);
    let mut command = Command::new(words.next().expect("the program"));
    command.args(words).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdin(Stdio::null()).env_remove("RAYON_NUM_THREADS");
    command
}

/// Does a run in a folder and gives the digests of its files.
fn perform(run: &Golden, out: &Path) -> BTreeMap<String, String> {
    for text in &run.commands {
        let words = text.replace("DEMO", DEMO);
        let words = words
            .split_whitespace()
            .map(|word| match word.strip_prefix("OUT") {
                Some(rest) => format!("{}{rest}", out.display()),
                None => word.to_owned(),
            });
        let ran = program().args(words).output().expect("the program starts");
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{}: {text}\n{stderr}", run.name);
    }
    let mut digests = BTreeMap::new();
    for path in files(out) {
        let name: Vec<_> = path
            .strip_prefix(out)
            .expect("below the folder")
            .iter()
            .map(|part| part.to_string_lossy())
            .collect();
        let bytes = fs::read(&path).expect("a file that was just written");
        let bytes = without_the_machine(&path, bytes, &out.to_string_lossy());
        if let Some(bytes) = bytes {
            digests.insert(name.join("/"), hex(&bytes));
        }
    }
    folded(digests)
}

/// Many files of one folder, a pack of cases, become one entry: a digest of their digests.
fn folded(digests: BTreeMap<String, String>) -> BTreeMap<String, String> {
    const MANY: usize = 40;
    let mut folders: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (path, digest) in digests {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        folders.entry(folder).or_default().push((path, digest));
    }
    let entries = folders.into_iter().flat_map(|(folder, files)| {
        if files.len() <= MANY {
            return files;
        }
        let lines: Vec<String> = files
            .iter()
            .map(|(path, digest)| format!("{path} {digest}\n"))
            .collect();
        vec![(
            format!("{folder}/ ({} files)", files.len()),
            hex(lines.concat().as_bytes()),
        )]
    });
    entries.collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// What is promised of a file: all of it, but for what JSON files say of time, threads, processor and version, of the folder
/// `out` that they lie in, and of how files were understood. A journal is in the order in which runs end.
fn without_the_machine(path: &Path, bytes: Vec<u8>, out: &str) -> Option<Vec<u8>> {
    let name = path.file_name()?.to_string_lossy();
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json" || extension == "jsonl");
    match &*name {
        // `checksums.json` has the hashes of the others, wall times among them.
        "journal.jsonl" | "lock" | "checksums.json" => None,
        _ if !is_json => Some(bytes),
        _ => {
            let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
            let lines = values.map(|value| {
                let mut value = value.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                strip(&mut value);
                format!("{value}\n")
            });
            Some(lines.collect::<String>().replace(out, "OUT").into_bytes())
        }
    }
}

fn strip(value: &mut Value) {
    let of_the_machine = |key: &str| {
        // `understood` repeats settings and files in words.
        [
            "seconds",
            "threads",
            "cpu_features",
            "cwgnc_version",
            "understood",
        ]
        .contains(&key)
            || key.ends_with("_runtime")
            || key.ends_with("_per_second")
    };
    match value {
        Value::Object(map) => {
            let kept = std::mem::take(map).into_iter();
            *map = kept
                .filter(|(key, _)| !of_the_machine(key))
                .collect::<Map<_, _>>();
            map.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// The files that differ, or are missing on one side.
fn differences(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<&String> = expected.keys().chain(found.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|&name| expected.get(name) != found.get(name))
        .map(|name| {
            let side = |digests: &BTreeMap<String, String>| match digests.get(name) {
                Some(digest) => digest[..12].to_owned(),
                None => "absent".to_owned(),
            };
            format!("  {name}: {}, not {}", side(found), side(expected))
        })
        .collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "a long test says what it does")]
fn golden_runs_have_their_digests() {
    if !cwgnc::gemm::is_portable() {
        eprintln!("SKIPPED: products on this machine have other bits (cwgnc verify-machine)");
        return;
    }
    let which = env::var("GOLDEN").unwrap_or_default();
    let writes = env::var_os("GOLDEN_WRITE").is_some();
    let mut runs = read();
    let mut wrong = Vec::new();
    for run in &mut runs {
        let is_asked = match &*which {
            "" => !run.is_slow,
            "all" => true,
            name => run.name.starts_with(name),
        };
        if !is_asked {
            continue;
        }
        let found = perform(run, &scratch::folder(&format!("golden-{}", run.name)));
        let differ = differences(&run.digests, &found);
        let verdict = if differ.is_empty() {
            "the same"
        } else {
            "DIFFERENT"
        };
        eprintln!("golden {}: {} files, {verdict}", run.name, found.len());
        if writes {
            run.digests = found;
        } else if !differ.is_empty() {
            wrong.push(format!("{}:\n{}", run.name, differ.join("\n")));
        }
    }
    if writes {
        write(&runs);
    }
    assert!(
        wrong.is_empty(),
        "files differ from fixtures/golden.json; if a number was meant to change, scripts/golden.sh --write and a line under \
         Numerical changes in CHANGELOG.md go together\n{}",
        wrong.join("\n")
    );
}

/// The digest of all digests, 16 letters of it, stands in the newest line under "Numerical changes".
#[test]
fn digests_change_with_a_line_in_the_changelog() {
    let all: String = read()
        .iter()
        .flat_map(|run| {
            let files = run.digests.iter();
            files.map(|(path, digest)| format!("{}/{path} {digest}\n", run.name))
        })
        .collect();
    let digest = &hex(all.as_bytes())[..16];
    let changelog = fs::read_to_string(scratch::fixture("../CHANGELOG.md")).expect("CHANGELOG.md");
    let (_, changes) = changelog
        .split_once("\n### Numerical changes\n\n")
        .expect("the section");
    let newest = changes.split("\n- ").next().expect("a line");
    assert!(
        newest.contains(&format!("`golden {digest}`")),
        "the first entry under Numerical changes must say what changed, and end in `golden {digest}`"
    );
}

/// Every run has its digests, and no two the same name.
#[test]
fn golden_runs_cover_what_they_should() {
    let runs = read();
    assert!(runs.len() >= 16 && runs.iter().all(|run| !run.digests.is_empty()));
    let mut names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), runs.len());
}

/// Numbers are kept to the last digit, and only what tells of the machine is left out.
#[test]
fn what_a_digest_leaves_out() {
    let text = br#"{"loss": 0.1000000000000000055, "eval_runtime": 1, "a": [{"seconds": 2, "threads": 3, "b": -0.0}], "c": "/a/b/c"}"#;
    let kept = without_the_machine(Path::new("x.json"), text.to_vec(), "/a/b").expect("kept");
    assert_eq!(
        String::from_utf8_lossy(&kept),
        "{\"loss\":0.1,\"a\":[{\"b\":-0.0}],\"c\":\"OUT/c\"}\n"
    );
    assert_eq!(
        without_the_machine(Path::new("journal.jsonl"), Vec::new(), "/a/b"),
        None
    );
    assert_eq!(
        without_the_machine(Path::new("x.csv"), b"seconds".to_vec(), "/a/b"),
        Some(b"seconds".to_vec())
    );
}
