//! Data that cannot be used: the file, the line and the reason, exit code 1, and nothing written.

use super::{DEMO_MODEL, finetune, ran, scratch, text};
use std::fs;
use std::path::Path;

/// A fine-tuning on `train.tsv` and `dev.tsv` of the folder.
#[track_caller]
fn refused(dir: &Path, more: &[&str], code: i32, message: &str) {
    let run = dir.join("run");
    ran(finetune(&run, &[DEMO_MODEL, more].concat())).refused(dir, code, message);
    assert!(!run.exists(), "an output folder was made");
}

/// A folder in SST-2's layout with this dev set.
fn sst2(name: &str, dev: impl AsRef<[u8]>) -> std::path::PathBuf {
    let dir = scratch::folder(name);
    fs::write(dir.join("train.tsv"), "sentence\tlabel\nthe dogs sleep\t1\n").unwrap();
    fs::write(dir.join("dev.tsv"), dev).unwrap();
    dir
}

fn refused_dev(name: &str, dev: impl AsRef<[u8]>, message: &str) {
    let dir = sst2(name, dev);
    let task = ["--task", "sst2", "--data", text(&dir)];
    refused(&dir, &task, 1, &format!("DIR/dev.tsv{message}"));
}

#[test]
fn lines_that_do_not_fit() {
    let header = "sentence\tlabel\n";
    let columns = format!("{header}the dogs sleep\t1\nthe dogs\tsleep\t1\n");
    refused_dev("cli-data-columns", columns, " line 3: 3 columns, expected 2");
    refused_dev(
        "cli-data-column",
        format!("{header}the dogs\n"),
        " line 2: 1 column, expected 2",
    );
    let label = format!("{header}the dogs sleep\t1\nthe dogs sleep\t2\n");
    refused_dev(
        "cli-data-label",
        label,
        " line 3: unknown label `2`; known: `0`, `1`",
    );
    refused_dev(
        "cli-data-utf8",
        b"sentence\tlabel\ncaf\xe9\t1\n",
        " line 2: invalid UTF-8",
    );
    refused_dev("cli-data-empty", "", ": the file is empty");
    refused_dev("cli-data-header", header, ": the file has a header and no rows");
    refused_dev(
        "cli-data-names",
        "text\tlabel\nthe dogs sleep\t1\n",
        ": no column `sentence`; the columns are `text`, `label`",
    );
}

#[test]
fn no_such_file_or_task() {
    let dir = sst2("cli-data-none", "sentence\tlabel\nthe dogs sleep\t1\n");
    let absent = dir.join("absent");
    let gone = "No such file or directory (os error 2)";
    let message = format!("cannot read DIR/absent/train.tsv: {gone}; there is no folder DIR/absent");
    refused(&dir, &["--task", "sst2", "--data", text(&absent)], 1, &message);
    fs::create_dir(&absent).unwrap();
    let needed = "task `sst2` needs train.tsv and dev.tsv in that folder";
    let message = format!("cannot read DIR/absent/train.tsv: {gone}; {needed}");
    refused(&dir, &["--task", "sst2", "--data", text(&absent)], 1, &message);

    let known = "known: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli";
    let near = format!("unknown task `sst-3`; did you mean `sst2`? {known}");
    refused(&dir, &["--task", "sst-3", "--data", text(&dir)], 2, &near);
    let far = format!("unknown task `translation`; {known}");
    refused(&dir, &["--task", "translation", "--data", text(&dir)], 2, &far);
}

#[test]
fn files_of_the_users_own() {
    let dir = scratch::folder("cli-data-own");
    let refused_file = |name: &str, content: &str, more: &[&str], message: &str| {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        let files = ["--train-file", text(&path), "--validation-file", text(&path)];
        refused(&dir, &[&files, more].concat(), 1, &format!("DIR/{name}{message}"));
    };
    let one = ": every row has the label `yes`; classification needs two or more";
    refused_file("one.tsv", "text\tlabel\na\tyes\nb\tyes\n", &[], one);
    let kind = ": unknown kind of file; expected .tsv, .csv, .jsonl or .json";
    refused_file("data.xlsx", "x", &[], kind);
    refused_file("none.csv", "text,label\na,\n", &[], " line 2: no label");
    let number = ["--problem-type", "regression"];
    refused_file(
        "word.csv",
        "text,label\na,1.5\nb,good\n",
        &number,
        " line 3: label `good` is not a number",
    );
    let column = ["--text-column", "review"];
    let columns = ": no column `review`; the columns are `text`, `label`";
    refused_file("named.csv", "text,label\na,1\nb,0\n", &column, columns);
}

/// A dev set whose labels the training set does not have.
#[test]
fn a_label_only_in_the_dev_file() {
    let dir = scratch::folder("cli-data-new-label");
    let [train, dev] = ["train.csv", "dev.csv"].map(|name| dir.join(name));
    fs::write(&train, "text,label\na,good\nb,bad\n").unwrap();
    fs::write(&dev, "text,label\na,good\n\"b\nc\",fair\n").unwrap();
    let files = ["--train-file", text(&train), "--validation-file", text(&dev)];
    refused(
        &dir,
        &files,
        1,
        "DIR/dev.csv line 3: unknown label `fair`; known: `bad`, `good`",
    );
}
