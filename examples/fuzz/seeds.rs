//! The good files that a target begins with, made in the present folder from `fixtures/` and by the program itself.

use super::chance::Chance;
use super::{json, tensors, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// How a file is changed.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Json,
    JsonLines,
    Toml,
    /// Words and signs.
    Text,
    Safetensors,
    Npz,
}

/// A file of a target that inputs take the place of.
pub(crate) struct Victim {
    pub(crate) file: String,
    kind: Kind,
    words: &'static [&'static str],
    /// The good file, and what else changes begin with.
    pub(crate) pool: Vec<Vec<u8>>,
}

impl Victim {
    /// A file that is there.
    pub(crate) fn new(file: &str, kind: Kind, words: &'static [&'static str]) -> Self {
        Self {
            file: file.to_owned(),
            kind,
            words,
            pool: vec![fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"))],
        }
    }

    /// More good contents.
    pub(crate) fn or(mut self, more: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.pool.extend(more);
        self
    }

    /// One of the good ones with changes.
    pub(crate) fn changed(&self, chance: &mut Chance) -> Vec<u8> {
        let good = chance.pick(&self.pool);
        match chance.below(12) {
            0 | 1 => return text::bytes(good, chance),
            2 => {
                let other: &Vec<u8> = chance.pick(&self.pool);
                return text::spliced(good, other, chance);
            }
            _ => {}
        }
        match self.kind {
            Kind::Safetensors => tensors::safetensors(good, chance),
            Kind::Npz => tensors::npz(good, chance),
            Kind::Text if chance.once_in(3) => {
                text::lines(good, chance, |line, chance| text::changed(line, &[], chance))
            }
            Kind::Text => text::changed(good, self.words, chance),
            Kind::Toml if chance.once_in(3) => text::changed(good, self.words, chance),
            Kind::Toml => json::changed_toml(good, self.words, chance)
                .unwrap_or_else(|| text::changed(good, self.words, chance)),
            Kind::Json if chance.once_in(6) => text::changed(good, self.words, chance),
            Kind::Json => json::changed(good, self.words, chance)
                .unwrap_or_else(|| text::changed(good, self.words, chance)),
            Kind::JsonLines => text::lines(good, chance, |line, chance| {
                json::changed(line, &[], chance).unwrap_or_else(|| text::bytes(line, chance))
            }),
        }
    }
}

/// A path in `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Puts a fixture here under another name.
pub(crate) fn put(name: &str, to: &str) {
    write(to, &fs::read(fixture(name)).expect(name));
}

/// Writes a file with the folders above it.
pub(crate) fn write(to: &str, bytes: &[u8]) {
    if let Some(above) = Path::new(to).parent() {
        fs::create_dir_all(above).expect(to);
    }
    fs::write(to, bytes).expect(to);
}

/// Removes a file or a folder, if it is there.
pub(crate) fn remove(path: &str) {
    let path = Path::new(path);
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    assert!(removed.is_ok() || !path.exists(), "{} stays", path.display());
}

pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder of this program");
    for entry in fs::read_dir(from).expect("a folder of this program") {
        let path = entry.expect("a folder of this program").path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file of this program");
        }
    }
}

/// Runs the program with these words, to the end and without an error; a path of `fixtures/` is written as `@demo/model`.
pub(crate) fn made(words: &str) {
    assert_eq!(cwgnc(words), 0, "{words}");
}

/// Runs the program with these words, and gives its exit code.
pub(crate) fn cwgnc(words: &str) -> u8 {
    let words = words.split_whitespace().map(|word| match word.strip_prefix('@') {
        Some(name) => fixture(name).into_os_string(),
        None => word.into(),
    });
    cwgnc::cli::run(std::iter::once("cwgnc".into()).chain(words))
}

/// The demo, one step of training.
pub(crate) const DEMO: &str = "--model model --train-file train.tsv --validation-file dev.tsv --max-steps 2 --logging-steps 1 \
    --max-train-samples 32 --max-eval-samples 8 --save-steps 1 --threads 1";

/// The demo's small model and a few rows.
pub(crate) fn demo() {
    for name in [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ] {
        put(&format!("demo/model/{name}"), &format!("model/{name}"));
    }
    for (name, rows) in [("train.tsv", 40), ("dev.tsv", 10)] {
        let text = fs::read_to_string(fixture("demo").join(name)).expect(name);
        let rows: Vec<&str> = text.split_inclusive('\n').take(rows).collect();
        write(name, rows.concat().as_bytes());
    }
}

/// A run of the demo in `run`, with its checkpoints.
pub(crate) fn run() {
    if !Path::new("run").exists() {
        demo();
        made(&format!(
            "finetune {DEMO} --output run --quiet --log-updates --eval-every 1"
        ));
    }
}

/// A study of the demo in `study`: two conditions, two seeds; and its two shards in `part-1` and `part-2`.
pub(crate) fn study(parts: bool) {
    if Path::new("done").exists() {
        return;
    }
    demo();
    let study = "--preset paper --conditions control,component:0.05 --seeds 2 --model model --quiet --jobs 1";
    let flags = "-- --train-file train.tsv --validation-file dev.tsv --max-steps 2 --logging-steps 1 --max-train-samples 32 \
        --max-eval-samples 8";
    if parts {
        for part in [1, 2] {
            made(&format!(
                "study {study} --output part-{part} --shard {part}/2 {flags}"
            ));
            remove(&format!("part-{part}/report"));
        }
    } else {
        made(&format!("study {study} --output study {flags}"));
        remove("study/report");
    }
    write("done", b"");
}

/// The folders of tokenizers of `fixtures/tokenizer/folders.json` in `tok`, with a configuration that fits.
pub(crate) fn tokenizers() -> Vec<String> {
    let text = fs::read(fixture("tokenizer/folders.json")).expect("folders.json");
    let all: Value = serde_json::from_slice(&text).expect("folders.json");
    let mut files = Vec::new();
    let rows = all["folders"].as_array().map_or(&[][..], Vec::as_slice);
    for row in rows {
        let name = row["name"].as_str().unwrap_or_default();
        for (file, content) in row["files"].as_object().into_iter().flatten() {
            let content = &all["contents"][content.as_u64().unwrap_or_default() as usize];
            let text = content
                .as_str()
                .map_or_else(|| content.to_string(), str::to_owned);
            let path = format!("tok/{name}/{file}");
            write(&path, text.as_bytes());
            files.push(path);
        }
        let config = fs::read_to_string(fixture("demo/model/config.json")).expect("config.json");
        let config = config.replace(": 35", ": 1000").replace(": 32", ": 600");
        let family = row["family"].as_str().unwrap_or_default();
        let config = config.replace(r#""model_type": "bert""#, &format!(r#""model_type": "{family}""#));
        write(&format!("tok/{name}/config.json"), config.as_bytes());
    }
    files
}
