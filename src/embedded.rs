//! Encoders that are part of the program: `builtin:shallow` wherever a model's folder is named.
//!
//! They are the files of `fixtures/models`, each with a card that says how it was made. Files are read through [`read`],
//! which takes a path in such a folder (`builtin:shallow/config.json`) from the program itself and any other from the disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path};

/// What the name of such a folder begins with.
pub const PREFIX: &str = "builtin:";

/// An encoder of the program.
#[derive(Debug)]
pub struct Encoder {
    /// Its name after [`PREFIX`].
    pub name: &'static str,
    /// Its files by name.
    pub files: &'static [(&'static str, &'static [u8])],
}

/// The files of a folder in `fixtures/models`.
#[cfg(feature = "cli")]
macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../fixtures/models/", $folder, "/", $name)))),*]
    };
}

/// Every encoder. Without the feature `cli` there is none.
#[cfg(feature = "cli")]
pub const ENCODERS: &[Encoder] = &[Encoder {
    name: "shallow",
    files: files!("shallow": "config.json" "model.safetensors" "tokenizer_config.json" "vocab.txt"),
}];
/// None without the program.
#[cfg(not(feature = "cli"))]
pub const ENCODERS: &[Encoder] = &[];

/// The encoder whose folder this is, or why there is none; `None` if the path is one on the disk.
fn encoder(folder: &str) -> Option<io::Result<&'static Encoder>> {
    let name = folder.strip_prefix(PREFIX)?;
    let found = ENCODERS.iter().find(|encoder| encoder.name == name);
    Some(found.ok_or_else(|| {
        let known: Vec<String> = ENCODERS
            .iter()
            .map(|encoder| format!("{PREFIX}{}", encoder.name))
            .collect();
        let known = if known.is_empty() {
            "this build has none".to_owned()
        } else {
            format!("there is {}", known.join(", "))
        };
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("no built-in encoder has this name; {known}"),
        )
    }))
}

/// The names of the files of a built-in encoder's folder; `None` if the path is one on the disk, or of no encoder.
pub fn names(folder: &Path) -> Option<Vec<&'static str>> {
    let mut parts = folder.components();
    let (Some(Component::Normal(folder)), None) = (parts.next(), parts.next()) else {
        return None;
    };
    let encoder = encoder(folder.to_str()?)?.ok()?;
    Some(encoder.files.iter().map(|(name, _)| *name).collect())
}

/// The bytes of a file: of a built-in encoder, or on the disk.
///
/// # Errors
/// Those of [`std::fs::read`]; [`io::ErrorKind::NotFound`] for a built-in encoder or a file of one that does not exist.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut parts = path.components();
    let (Some(Component::Normal(folder)), Some(Component::Normal(file)), None) =
        (parts.next(), parts.next(), parts.next())
    else {
        return on_disk(path);
    };
    match folder.to_str().and_then(encoder) {
        None => on_disk(path),
        Some(encoder) => {
            let files = encoder?.files;
            let found = files.iter().find(|(name, _)| file == *name);
            let missing = || io::Error::new(io::ErrorKind::NotFound, "the built-in encoder has no such file");
            found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(missing)
        }
    }
}

fn on_disk(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is read although it is no regular file: a shell's `<(command)`, and the standard input.
const STREAMS: [&str; 3] = ["/dev/stdin", "/dev/fd", "/proc"];

/// Opens a file of the disk to read it. A pipe in a file's place would be waited for, and a device may have no end, so both are
/// refused.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    let refuse = |kind, reason| Err(io::Error::new(kind, reason));
    if kind.is_dir() {
        return refuse(io::ErrorKind::IsADirectory, "it is a folder, not a file");
    }
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if !kind.is_file() && (climbs || !STREAMS.iter().any(|name| path.starts_with(name))) {
        return refuse(
            io::ErrorKind::InvalidInput,
            "it is a pipe or a device, not a file",
        );
    }
    File::open(path)
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    /// With a slash at the end as well, as shells complete it.
    #[test]
    fn names_of_the_files() {
        for folder in ["builtin:shallow", "builtin:shallow/"] {
            assert_eq!(names(Path::new(folder)).expect("it is built in").len(), 4);
        }
        for folder in ["builtin:hollow", "a/builtin:shallow", "shallow"] {
            assert_eq!(names(Path::new(folder)), None, "{folder}");
        }
    }

    #[test]
    fn files_of_the_program_and_of_the_disk() {
        let card = Path::new("builtin:shallow/config.json");
        let disk = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models/shallow/config.json");
        assert_eq!(
            read(card).expect("it is built in"),
            read(&disk).expect("it is there")
        );
        let error = |path: &str| read(Path::new(path)).expect_err("there is no such file");
        assert!(
            error("builtin:hollow/config.json")
                .to_string()
                .contains("there is builtin:shallow")
        );
        assert!(
            error("builtin:shallow/merges.txt")
                .to_string()
                .contains("no such file")
        );
        // A folder on the disk may have such a name within a longer path.
        assert_eq!(
            error("./a/builtin:hollow/config.json").kind(),
            io::ErrorKind::NotFound
        );
        assert!(
            !error("./builtin:hollow/config.json")
                .to_string()
                .contains("there is")
        );
    }
}
