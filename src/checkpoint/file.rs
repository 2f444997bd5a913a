//! Whole files: read with a name in the error, written completely or not at all, identified by a hash.

use super::CheckpointError;
use crate::embedded;
use std::fs::{File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Bytes collected before they go to the operating system.
const BUFFER: usize = 1 << 18;

/// The whole file; one of [`embedded`](crate::embedded)'s if the path is in a built-in encoder.
///
/// # Errors
/// [`CheckpointError::Read`], with the path and the system's reason.
pub fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    embedded::read(path).map_err(|source| CheckpointError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file so that `path` holds either what it held before or everything that `write` wrote.
///
/// The bytes go to a temporary file in the same folder, reach the disk, and only then take the name; the folder is
/// synced too, so the name survives a power cut. Of a symbolic link the file that it points to is written, and what is there
/// and no regular file (a device, a pipe, `/dev/stdout`) is opened and written as it is, for another file in its place
/// would be no output at all.
///
/// # Errors
/// [`CheckpointError::Write`] with the reason, from `write` or from the system (a full disk, a missing folder). The
/// temporary file is then gone. If the process is killed it stays, until the same file is written again.
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CheckpointError> {
    replace(path, write).map_err(|source| CheckpointError::Write {
        path: path.to_owned(),
        source,
    })
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if path.file_name().is_none() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path does not end in a file name",
        ));
    }
    if let Some(mut out) = stream(path)? {
        write(&mut out)?;
        return out.flush();
    }
    let path = &followed(path)?;
    let folder = folder_of(path);
    // Dropping `temporary` removes it, on every way out before `persist`.
    let temporary = create_for(path, &folder)?;
    let mut out = BufWriter::with_capacity(BUFFER, temporary.as_file());
    write(&mut out)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    temporary.persist(path).map_err(|e| e.error)?;
    sync_folder(&folder)
}

/// Names of files that this process has open: whatever is there is written at its end, for others write to it too.
const OPEN_FILES: [&str; 4] = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];

/// The most links that a path may have one after the other, as the system has it.
const LINKS: usize = 40;

/// What is there, if it is no regular file or one that is open already: opened, to be written as it is.
fn stream(path: &Path) -> io::Result<Option<BufWriter<File>>> {
    let is_open = OPEN_FILES.iter().any(|name| path.starts_with(name));
    let file = match std::fs::metadata(path) {
        Ok(there) if !there.is_file() => File::options().write(true).open(path)?,
        Ok(_) if is_open => File::options().append(true).open(path)?,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(BufWriter::with_capacity(BUFFER, file)))
}

/// The path to which symbolic links lead, whether there is a file or not.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let is_link = std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_symlink());
        if !is_link {
            return Ok(path);
        }
        // A target is relative to the folder of its link.
        path = folder_of(&path).join(std::fs::read_link(&path)?);
    }
    Err(io::Error::other("too many symbolic links"))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A temporary file for this target in its folder, locked as long as its process lives. Those of processes that were killed
/// are removed.
fn create_for(target: &Path, folder: &Path) -> io::Result<NamedTempFile> {
    // A hash, for a name may be as long as the system allows.
    let name = target.file_name().unwrap_or_default().as_encoded_bytes();
    let prefix = format!(".cwgnc-{}-", fnv1a64(name).trim_start_matches("fnv1a64:"));
    for entry in std::fs::read_dir(folder)?.flatten() {
        let is_ours = |name: &str| name.starts_with(&prefix) && name.ends_with(SUFFIX);
        // A pipe of such a name would be opened for ever.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().to_str().is_some_and(is_ours) {
            remove_unlocked(&entry.path());
        }
    }
    loop {
        let temporary = create_in(folder, &prefix)?;
        match temporary.as_file().lock() {
            // Another process may have taken it for one that was left, before it was locked.
            Ok(()) if !temporary.path().exists() => {}
            // Some network file systems have no locks.
            Ok(()) | Err(_) => return Ok(temporary),
        }
    }
}

/// Removes a temporary file that no process holds. What cannot be removed is in nobody's way.
pub(crate) fn remove_unlocked(path: &Path) {
    let Ok(file) = File::options().write(true).open(path) else {
        return;
    };
    if !matches!(
        file.try_lock(),
        Err(TryLockError::WouldBlock | TryLockError::Error(_))
    ) {
        let _ = std::fs::remove_file(path);
    }
}

const SUFFIX: &str = ".tmp";

/// A new file in the folder, with the permissions that any new file gets (tempfile's own are the owner's alone).
fn create_in(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    // tempfile adds its random name to the reason; what the system said is enough.
    let mut code = None;
    tempfile::Builder::new()
        .prefix(prefix)
        .suffix(SUFFIX)
        .make_in(folder, |path| {
            let file = File::options().write(true).create_new(true).open(path);
            file.inspect_err(|e| code = e.raw_os_error())
        })
        .map_err(|e| code.map_or(e, io::Error::from_raw_os_error))
}

/// Waits until the names in a folder are on the disk.
///
/// # Errors
/// The system's reason.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot sync a folder; the file itself is on disk by now.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Waits until the names in a folder are on the disk.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    // A folder cannot be opened as a file there.
    Ok(())
}

/// The 64-bit FNV-1a hash of the bytes as `fnv1a64:` and 16 hexadecimal digits.
///
/// It tells files apart in reports; it is no protection against a forger.
pub fn fnv1a64(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("fnv1a64:{hash:016x}")
}
