//! The commands of the judge, on the real program: what they say, word for word, and how they end.

mod cases;
mod check;
mod files;
mod foreign;
mod identify;
mod pipe;
mod refused;

use crate::scratch::folder;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program.
fn cwgnc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cwgnc"))
        .args(arguments)
        .output()
        .expect("the program can be started")
}

/// Exit code, stdout, stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = cwgnc(arguments);
    (
        output.status.code().expect("an exit code"),
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    )
}

/// A safetensors file of F32 tensors, written here by hand, so that nothing of the program's own writer is trusted.
fn safetensors(metadata: Option<&str>, tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let mut header = Vec::new();
    if let Some(text) = metadata {
        let text = serde_json::Value::from(text);
        header.push(format!("\"__metadata__\":{{\"cwgnc\":{text}}}"));
    }
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let begin = data.len();
        data.extend(values.iter().flat_map(|x| x.to_le_bytes()));
        let end = data.len();
        header.push(format!(
            "\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{begin},{end}]}}"
        ));
    }
    let header = format!("{{{}}}", header.join(","));
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &data].concat()
}

/// A scratch folder of this test with files in it.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        Self(folder(&format!("oracle_cli_{name}")))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a scratch file can be written");
        self.path(name)
    }

    /// The text with the folder's path cut out.
    fn plain(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "")
    }
}

/// `a` = (3, 4) of norm 5 and `b` = (0, 12) of norm 12; together 13.
const BEFORE: [(&str, &[usize], &[f32]); 2] =
    [("a.weight", &[2], &[3.0, 4.0]), ("b.weight", &[2], &[0.0, 12.0])];

/// A case of these gradients.
fn case(policy: &str) -> Vec<u8> {
    let metadata = format!("{{\"spec\":1,\"policy\":\"{policy}\"}}");
    safetensors(
        Some(&metadata),
        &[
            ("before/a.weight", &[2], &[3.0, 4.0]),
            ("before/b.weight", &[2], &[0.0, 12.0]),
        ],
    )
}

/// A result with these elements.
fn result(a: [f32; 2], b: [f32; 2]) -> Vec<u8> {
    safetensors(
        None,
        &[("after/a.weight", &[2], &a), ("after/b.weight", &[2], &b)],
    )
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
