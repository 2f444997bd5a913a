//! `cwgnc completions`: what bash would complete, asked of bash itself where there is one.

use super::cwgnc;
use std::process::Command;

/// What bash completes the last of these words to.
fn completed(script: &str, words: &[&str]) -> Option<Vec<String>> {
    let last = words.len() - 1;
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let ask = format!(
        "{script}\nCOMP_WORDS=({}); COMP_CWORD={last}; _cwgnc; echo ${{COMPREPLY[@]}}",
        words.join(" ")
    );
    let out = Command::new("bash").args(["--norc", "-c", &ask]).output().ok()?;
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    let text = String::from_utf8(out.stdout).expect("text");
    Some(text.split_whitespace().map(ToOwned::to_owned).collect())
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let script = cwgnc(&["completions", "bash"]).succeeded();
    for (words, expected) in [
        (&["cwgnc", "fi"][..], &["finetune"][..]),
        (&["cwgnc", "ide"], &["identify"]),
        (&["cwgnc", "finetune", "--label-s"], &["--label-smoothing-factor"]),
        (
            &["cwgnc", "finetune", "--lr-scheduler-type", "co"],
            &["constant", "constant_with_warmup", "cosine"],
        ),
        (&["cwgnc", "check", "--format", "ju"], &["junit"]),
        (&["cwgnc", "completions", "f"], &["fish"]),
        // A file's name is the shell's business.
        (&["cwgnc", "check", "--before", "--"], &[]),
        (&["cwgnc", "inspect", "--seed"], &[]),
    ] {
        let Some(mut found) = completed(&script, words) else {
            return;
        };
        found.sort();
        assert_eq!(found, expected, "{words:?}");
    }
}

#[test]
fn every_flag_is_in_every_script() {
    let help = cwgnc(&["study", "--help"]).succeeded();
    let flags: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--")?.split([' ', '=']).next())
        .filter(|flag| !flag.is_empty())
        .collect();
    assert!(flags.len() > 15, "{flags:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = cwgnc(&["completions", shell]).succeeded();
        for flag in &flags {
            let there = script.contains(&format!("--{flag}")) || script.contains(&format!("-l {flag}"));
            assert!(there, "{shell}: --{flag}");
        }
    }
    assert_eq!(cwgnc(&["completions", "csh"]).code, Some(2));
}
