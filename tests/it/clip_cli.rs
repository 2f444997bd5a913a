//! `cwgnc clip` on the real program: the files that it writes, what it says, and what it refuses.

mod convert;
mod refused;
mod several;

use crate::scratch::folder;
use std::path::PathBuf;
use std::process::Command;

/// The program's exit code, stdout and stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cwgnc"))
        .args(arguments)
        .output()
        .expect("the program can be started");
    (
        output.status.code().expect("an exit code"),
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    )
}

/// A name, a type, a shape and the elements as bytes.
type Entry<'a> = (&'a str, &'a str, &'a [usize], Vec<u8>);

/// A safetensors file, written here by hand, with a second metadata key and blanks behind the header.
fn safetensors(tensors: &[Entry<'_>]) -> Vec<u8> {
    let mut header = vec!["\"__metadata__\":{\"format\":\"pt\",\"step\":\"7\"}".to_owned()];
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let begin = data.len();
        data.extend(bytes);
        let end = data.len();
        header.push(format!(
            "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{begin},{end}]}}"
        ));
    }
    let header = format!("{{{}}}   ", header.join(","));
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &data].concat()
}

fn f32s(x: &[f32]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn f64s(x: &[f64]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn f16s(x: &[f32]) -> Vec<u8> {
    x.iter()
        .flat_map(|x| half::f16::from_f32(*x).to_le_bytes())
        .collect()
}

fn bf16s(x: &[f32]) -> Vec<u8> {
    x.iter()
        .flat_map(|x| half::bf16::from_f32(*x).to_le_bytes())
        .collect()
}

/// `b` = (0, 12) of norm 12 and `a` = (3, 4) of norm 5, in this order; together 13.
fn before() -> Vec<u8> {
    safetensors(&[
        ("b.weight", "F32", &[2], f32s(&[0.0, 12.0])),
        ("a.weight", "F32", &[2], f32s(&[3.0, 4.0])),
    ])
}

/// A scratch folder of a test.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        Self(folder(&format!("clip_cli_{name}")))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.join(name), bytes).expect("a scratch file can be written");
        self.path(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).expect("the file is there")
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("text")
    }

    /// The names of all files.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder is there");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// The text with the folder's path cut out.
    fn plain(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "")
    }

    /// `cwgnc clip` with paths in this folder for the words that begin with `@`.
    fn clip(&self, arguments: &str) -> (i32, String, String) {
        let words = arguments.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name),
            None => word.to_owned(),
        });
        let words: Vec<String> = std::iter::once("clip".to_owned()).chain(words).collect();
        let (code, out, err) = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        (code, self.plain(&out), self.plain(&err))
    }
}
