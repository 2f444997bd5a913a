//! Words for a shell: the one place where something is quoted that may be run.

use std::ffi::OsStr;

/// A word that every POSIX shell reads back as these bytes, which need not be UTF-8.
pub(crate) fn quoted(word: impl AsRef<OsStr>) -> Vec<u8> {
    let bytes = word.as_ref().as_encoded_bytes();
    // No `=`, which in the first word would assign; no `~`, which is a folder.
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./+%:,@".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return bytes.to_vec();
    }
    let mut quoted = vec![b'\''];
    for &byte in bytes {
        match byte {
            b'\'' => quoted.extend(b"'\\''"),
            byte => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// [`quoted`] for a message or a page, where bytes that are no text cannot be shown.
pub(crate) fn shown(word: impl AsRef<OsStr>) -> String {
    String::from_utf8_lossy(&quoted(word)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn words() {
        assert_eq!(shown("runs/a-b"), "runs/a-b");
        assert_eq!(shown("it's here"), "'it'\\''s here'");
        assert_eq!(shown(""), "''");
        assert_eq!(shown("a=b"), "'a=b'");
    }

    /// A shell gives the bytes back, whatever they are; a shell has no word with a zero in it.
    #[cfg(unix)]
    mod read_back {
        use crate::checkpoint::shell::quoted;
        use proptest::prelude::*;
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        use std::process::Command;

        proptest! {
            #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

            #[test]
            fn by_a_shell(words in proptest::collection::vec(proptest::collection::vec(1_u8.., 0..12), 1..6)) {
                for shell in ["bash", "sh"] {
                    let mut script = b"printf '%s\\0'".to_vec();
                    for word in &words {
                        script.push(b' ');
                        script.extend(quoted(OsString::from_vec(word.clone())));
                    }
                    let ran = Command::new(shell).arg("-c").arg(OsString::from_vec(script)).output().expect("a shell");
                    let expected: Vec<u8> = words.iter().flat_map(|word| word.iter().copied().chain([0])).collect();
                    prop_assert_eq!(ran.stdout, expected, "{}", shell);
                }
            }
        }
    }
}
