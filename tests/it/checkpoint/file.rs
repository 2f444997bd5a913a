//! Files appear whole or not at all.

use super::folder::{folder, listing, text};
use cwgnc::checkpoint::{CheckpointError, fnv1a64, read, write_atomic};
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

#[test]
fn a_write_replaces_the_file_and_leaves_nothing_else() {
    let dir = folder(&[("a", b"old")]);
    let path = dir.path().join("a");
    write_atomic(&path, |out| out.write_all(b"new text")).unwrap();
    assert_eq!(read(&path).unwrap(), b"new text");
    assert_eq!(listing(&dir), ["a"]);
}

#[test]
fn a_write_that_fails_half_way_keeps_the_old_file() {
    let dir = folder(&[("a", b"old")]);
    // More than any buffer, so that bytes have reached the temporary file before the failure.
    let half = vec![1_u8; 1 << 20];
    for name in ["a", "b"] {
        let result = write_atomic(&dir.path().join(name), |out| {
            out.write_all(&half)?;
            Err(io::Error::other("the cable is out"))
        });
        assert_eq!(
            text(&dir, result),
            format!("cannot write DIR/{name}: the cable is out")
        );
        assert_eq!(listing(&dir), ["a"]);
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"old");
    }
}

/// While `a` is written its temporary file is locked, so a second write of `a` leaves it alone; one that nobody holds, as a
/// killed process leaves it, goes with the next write of the same name, and with no other.
#[test]
fn what_a_killed_process_left_goes_with_the_next_write() {
    let dir = folder(&[]);
    let path = dir.path().join("a");
    let temporary = || {
        let mut names = listing(&dir);
        names.retain(|name| name.starts_with(".cwgnc-"));
        names
    };
    write_atomic(&path, |out| {
        let own = temporary();
        assert_eq!(own.len(), 1);
        write_atomic(&path, |out| out.write_all(b"beside")).unwrap();
        assert_eq!(temporary(), own);
        // As if the process had been killed here.
        let left = format!("{}-left.tmp", own[0].rsplit_once('-').unwrap().0);
        fs::write(dir.path().join(left), b"half")?;
        out.write_all(b"own")
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"own");
    assert_eq!(temporary().len(), 1);
    write_atomic(&dir.path().join("b"), |_| Ok(())).unwrap();
    assert_eq!(temporary().len(), 1);
    write_atomic(&path, |_| Ok(())).unwrap();
    assert_eq!(listing(&dir), ["a", "b"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_named_with_the_file() {
    let dir = folder(&[]);
    let path = dir.path().join("y");
    let result = write_atomic(&path, |out| {
        out.write_all(b"half")?;
        // This device refuses every byte, as a full disk does.
        File::options()
            .write(true)
            .open("/dev/full")?
            .write_all(b"other half")
    });
    assert_eq!(
        text(&dir, result),
        "cannot write DIR/y: No space left on device (os error 28)"
    );
    assert_eq!(listing(&dir), [""; 0]);
}

#[test]
#[cfg(unix)]
fn what_cannot_be_written_or_read_is_named_with_the_system_reason() {
    let dir = folder(&[]);
    let absent = dir.path().join("none/x");
    let nothing = |_: &mut dyn Write| Ok(());
    let missing = "DIR/none/x: No such file or directory (os error 2)";
    assert_eq!(
        text(&dir, write_atomic(&absent, nothing)),
        format!("cannot write {missing}")
    );
    assert_eq!(text(&dir, read(&absent)), format!("cannot read {missing}"));
    assert_eq!(
        text(&dir, read(dir.path())),
        "cannot read DIR: it is a folder, not a file"
    );
    assert_eq!(
        text(&dir, write_atomic(&dir.path().join(".."), nothing)),
        "cannot write DIR/..: the path does not end in a file name"
    );
    fs::create_dir(dir.path().join("taken")).unwrap();
    assert_eq!(
        text(&dir, write_atomic(&dir.path().join("taken"), nothing)),
        "cannot write DIR/taken: Is a directory (os error 21)"
    );
    assert_eq!(listing(&dir), ["taken"]);
}

#[test]
#[cfg(unix)]
fn a_written_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder(&[("plain", b"")]);
    let path = dir.path().join("ours");
    write_atomic(&path, |_| Ok(())).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&dir.path().join("plain")));
}

#[test]
fn the_system_error_is_the_source() {
    fn takes<E: Error + Send + Sync + 'static>(error: &E) -> Option<String> {
        error.source().map(ToString::to_string)
    }
    let dir = folder(&[]);
    let error: CheckpointError = read(&dir.path().join("none")).unwrap_err();
    assert_eq!(
        takes(&error).unwrap(),
        io::Error::from_raw_os_error(2).to_string()
    );
}

/// Values of the algorithm's authors: the offset basis for no bytes, and two of their test vectors.
#[test]
fn the_hash_is_fnv_1a() {
    assert_eq!(fnv1a64(b""), "fnv1a64:cbf29ce484222325");
    assert_eq!(fnv1a64(b"a"), "fnv1a64:af63dc4c8601ec8c");
    assert_eq!(fnv1a64(b"foobar"), "fnv1a64:85944171f73967e8");
}
