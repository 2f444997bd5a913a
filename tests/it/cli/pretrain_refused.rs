//! What `cwgnc pretrain` refuses, before it trains and mostly before it writes.

use super::pretrain::pretrain;
use super::{Ran, ran, scratch, text};
use std::fs;

/// Refused with these flags on the corpus of the demo, before anything is written.
#[track_caller]
fn refused(more: &[&str], code: i32, message: &str) {
    let dir = scratch::folder("cli-pretrain-refused");
    let run = dir.join("run");
    pretrain(&run, more).refused(&dir, code, message);
    assert!(!run.exists());
}

#[test]
fn flags_that_do_not_fit() {
    refused(
        &["--hidden-size", "16", "--num-attention-heads", "3"],
        2,
        "--hidden-size 16 is not divisible by --num-attention-heads 3",
    );
    refused(
        &["--max-seq-length", "2"],
        2,
        "--max-seq-length 2 has no room for text beside the 3 special tokens",
    );
    refused(
        &["--max-position-embeddings", "20"],
        2,
        "--max-seq-length 24 is more than the 20 tokens this model can take (its position embedding has 20 rows)",
    );
    refused(
        &["--validation-share", "0"],
        2,
        "--validation-share 0: none of the 80 paragraphs would be held out to evaluate on (a blank line ends a paragraph); \
         give another share, or --validation-file",
    );
    refused(
        &["--model", "fixtures/parity/roberta-gelu-new"],
        2,
        "fixtures/parity/roberta-gelu-new: pretraining supports BERT, and this is roberta",
    );
    let Ran { code, stderr, .. } = pretrain(
        &scratch::folder("cli-pretrain-flags").join("run"),
        &["--model", "fixtures/demo/model", "--hidden-size", "16"],
    );
    assert_eq!(code, Some(2));
    assert!(stderr.contains("cannot be used with"), "{stderr}");
}

#[test]
fn a_vocabulary_without_room() {
    let dir = scratch::folder("cli-pretrain-vocabulary");
    let refused = pretrain(&dir.join("run"), &["--vocab-size", "20"]);
    assert_eq!(refused.code, Some(2));
    let start = "error: --vocab-size 20 is less than ";
    assert!(refused.stderr.starts_with(start), "{}", refused.stderr);
    assert!(!dir.join("run").exists());
}

#[test]
fn texts_without_text() {
    let dir = scratch::folder("cli-pretrain-texts");
    let (empty, blank, one) = (dir.join("empty.txt"), dir.join("blank.txt"), dir.join("one.txt"));
    fs::write(&empty, "").unwrap();
    fs::write(&blank, "\n \n").unwrap();
    fs::write(&one, "a b\nc d\n").unwrap();
    let on = |file: &std::path::Path| {
        let mut command = super::program();
        command.args(["pretrain", "--quiet", "--threads", "1", "--train-file"]);
        command.arg(file).arg("--output").arg(dir.join("run"));
        ran(command)
    };
    on(&empty).refused(&dir, 1, "DIR/empty.txt: the file is empty");
    on(&blank).refused(&dir, 1, "DIR/blank.txt: the file has nothing but blank lines");
    on(&one).refused(
        &dir,
        2,
        "--validation-share 0.02: none of the 1 paragraphs would be held out to evaluate on (a blank line ends a \
         paragraph); give another share, or --validation-file",
    );
    let missing = on(&dir.join("none.txt"));
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("none.txt"), "{}", missing.stderr);
}

#[test]
fn folders_of_others() {
    let dir = scratch::folder("cli-pretrain-folders");
    let run = dir.join("run");
    pretrain(&run, &["--max-steps", "1"]).succeeded();
    pretrain(&run, &["--max-steps", "1"]).refused(
        &dir,
        2,
        "output folder DIR/run is not empty; --overwrite replaces the run in it, --resume goes on with it",
    );
    pretrain(&run, &["--max-steps", "2", "--resume"]).refused(
        &dir,
        2,
        "cannot resume DIR/run: it is another run\n  max_steps: was 1, now 2\n  total_steps: was 1, now 2",
    );
    pretrain(&run, &["--model", text(&run), "--max-steps", "1", "--overwrite"]).refused(
        &dir,
        2,
        "output folder DIR/run is the model folder; the run would replace the model that it starts from",
    );
    pretrain(&run, &["--max-steps", "1", "--overwrite"]).succeeded();
}
