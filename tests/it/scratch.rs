//! Folders for tests to write in, under cargo's own, and the folder of shared material.

use std::path::{Path, PathBuf};

/// An empty folder of this name; names differ from test to test.
#[cfg(any(feature = "checkpoint", feature = "data"))]
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("an old scratch folder can be removed");
    }
    std::fs::create_dir_all(&path).expect("cargo's scratch folder is writable");
    path
}

/// A file of these bytes in a fresh folder.
#[cfg(feature = "data")]
pub(crate) fn file(folder_name: &str, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder(folder_name).join(name);
    std::fs::write(&path, bytes).expect("a scratch file can be written");
    path
}

/// A committed fixture.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A file or folder of the shared material, or `None`, said aloud, when it is not there.
///
/// The folder is `$CWGNC_SHARED`, by default `../shared` beside the package.
#[cfg(any(feature = "checkpoint", feature = "data"))]
#[expect(clippy::print_stderr, reason = "a test that skips must say so")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CWGNC_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there (set CWGNC_SHARED)", path.display());
    None
}
