//! The exact words of every refusal of the readers.

use std::path::{Path, PathBuf};

use cwgnc::data::{
    LabelSpace, Labels, Task, TextColumns, UserColumns, read_glue, read_user, read_user_train,
};
use cwgnc::model::Problem;

use crate::scratch;

/// The message, with the scratch folder written as `DIR`.
fn message(path: &Path, error: &dyn std::error::Error) -> String {
    let folder = path.parent().expect("a folder").display().to_string();
    error.to_string().replace(&folder, "DIR")
}

/// Reads `dev.tsv` of these bytes as a file of the task.
#[track_caller]
fn glue(task: &str, bytes: impl AsRef<[u8]>, text: &str) {
    let line = std::panic::Location::caller().line();
    let path = scratch::file(&format!("glue_error_{line}"), "dev.tsv", bytes);
    let folder = path.parent().expect("a folder");
    let task = Task::parse(task).expect("a task");
    let error = read_glue(folder, task, "dev.tsv", Labels::Required).expect_err("malformed");
    assert_eq!(message(&path, &error), text);
}

/// Reads a user's training file of these bytes.
#[track_caller]
fn user(name: &str, bytes: impl AsRef<[u8]>, text: &str) {
    user_with(name, bytes, &UserColumns::default(), None, text);
}

#[track_caller]
fn user_with(
    name: &str,
    bytes: impl AsRef<[u8]>,
    columns: &UserColumns,
    problem: Option<Problem>,
    text: &str,
) {
    let line = std::panic::Location::caller().line();
    let path = scratch::file(&format!("user_error_{line}"), name, bytes);
    let error = read_user_train(&path, columns, problem).expect_err("malformed");
    assert_eq!(message(&path, &error), text);
}

const RTE: &str = "index\tsentence1\tsentence2\tlabel\n";

#[test]
fn unknown_tasks() {
    let error = |name: &str| Task::parse(name).expect_err("no task").to_string();
    let known = "known: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli";
    assert_eq!(
        error("rtee"),
        format!("unknown task `rtee`; did you mean `rte`? {known}")
    );
    assert_eq!(
        error("STS-C"),
        format!("unknown task `STS-C`; did you mean `stsb`? {known}")
    );
    assert_eq!(
        error("mnli-mm"),
        format!("unknown task `mnli-mm`; did you mean `mnli`? {known}")
    );
    assert_eq!(error("superglue"), format!("unknown task `superglue`; {known}"));
    assert_eq!(error(""), format!("unknown task ``; {known}"));
}

#[test]
fn a_file_that_is_not_there() {
    let folder = scratch::folder("glue_missing");
    let rte = Task::parse("rte").expect("a task");
    let error = |dir: &Path, file: &str, key: &str| {
        let task = Task::parse(key).expect("a task");
        let error = read_glue(dir, task, file, Labels::Required).expect_err("no file");
        assert!(std::error::Error::source(&error).is_some());
        error.to_string().replace(&folder.display().to_string(), "DIR")
    };
    let not_found = "No such file or directory (os error 2)";
    assert_eq!(
        error(&folder, rte.train_file, "rte"),
        format!(
            "cannot read DIR/train.tsv: {not_found}; task `rte` needs train.tsv and dev.tsv in that folder"
        )
    );
    assert_eq!(
        error(&folder, "dev_matched.tsv", "mnli"),
        format!(
            "cannot read DIR/dev_matched.tsv: {not_found}; \
             task `mnli` needs train.tsv and dev_matched.tsv and dev_mismatched.tsv in that folder"
        )
    );
    assert_eq!(
        error(&folder.join("no"), "dev.tsv", "rte"),
        format!("cannot read DIR/no/dev.tsv: {not_found}; there is no folder DIR/no")
    );
    for name in ["MRPC", "RTE"] {
        std::fs::create_dir(folder.join(name)).expect("a folder");
        std::fs::write(folder.join(name).join("dev.tsv"), RTE).expect("a file");
    }
    assert_eq!(
        error(&folder, "dev.tsv", "rte"),
        format!("cannot read DIR/dev.tsv: {not_found}; DIR/RTE has that file: give this folder")
    );
}

#[test]
fn files_that_are_not_the_tasks() {
    glue("rte", "", "DIR/dev.tsv: the file is empty");
    glue("cola", "\u{feff}", "DIR/dev.tsv: the file is empty");
    glue("rte", RTE, "DIR/dev.tsv: the file has a header and no rows");
    glue(
        "rte",
        "index\tsentence1\tlabel\n0\ta\tentailment\n",
        "DIR/dev.tsv: no column `sentence2`; the columns are `index`, `sentence1`, `label`",
    );
    glue(
        "rte",
        "label\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n",
        "DIR/dev.tsv: the header names column `label` twice",
    );
    glue(
        "rte",
        format!("{RTE}0\ta\tb\tentailment\n1\ta\tb\tc\tentailment\n"),
        "DIR/dev.tsv line 3: 5 columns, expected 4",
    );
    glue(
        "rte",
        format!("{RTE}0\ta\tb\tentailment\n\n"),
        "DIR/dev.tsv line 3: 1 column, expected 4",
    );
    glue(
        "cola",
        "gj04\t1\tA cat.\n",
        "DIR/dev.tsv line 1: 3 columns, expected 4",
    );
    glue(
        "qqp",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tA\tB\tC\t1\n",
        "DIR/dev.tsv line 2: 7 columns, expected 6",
    );
}

#[test]
fn labels_that_are_not_the_tasks() {
    glue(
        "rte",
        format!("{RTE}0\ta\tb\t1\n"),
        "DIR/dev.tsv line 2: unknown label `1`; known: `entailment`, `not_entailment`",
    );
    glue(
        "cola",
        "gj04\t2\t\tA cat.\n",
        "DIR/dev.tsv line 1: unknown label `2`; known: `0`, `1`",
    );
    glue("rte", format!("{RTE}0\ta\tb\t\n"), "DIR/dev.tsv line 2: no label");
    let header = "index\tsentence1\tsentence2\tscore\n";
    glue(
        "stsb",
        format!("{header}0\ta\tb\tfive\n"),
        "DIR/dev.tsv line 2: label `five` is not a number",
    );
    glue(
        "stsb",
        format!("{header}0\ta\tb\tinf\n"),
        "DIR/dev.tsv line 2: label `inf` is not finite",
    );
    glue(
        "stsb",
        format!("{header}0\ta\tb\tNaN\n"),
        "DIR/dev.tsv line 2: label `NaN` is not finite",
    );
}

#[test]
fn bytes_that_are_not_text() {
    let mut bytes = RTE.as_bytes().to_vec();
    bytes.extend(b"0\ta\tb\tentailment\n1\tcaf\xe9\tb\tentailment\n");
    glue("rte", &bytes, "DIR/dev.tsv line 3: invalid UTF-8");
    user("a.csv", b"\xff\xfet", "DIR/a.csv line 1: invalid UTF-8");
    user("a.jsonl", b"{}\n\xc3", "DIR/a.jsonl line 2: invalid UTF-8");
}

#[test]
fn users_files() {
    user(
        "a.txt",
        "",
        "DIR/a.txt: unknown kind of file; expected .tsv, .csv, .jsonl or .json",
    );
    user(
        "a",
        "",
        "DIR/a: unknown kind of file; expected .tsv, .csv, .jsonl or .json",
    );
    let path = scratch::folder("user_missing").join("a.csv");
    let error = read_user_train(&path, &UserColumns::default(), None).expect_err("no file");
    assert_eq!(
        message(&path, &error),
        "cannot read DIR/a.csv: No such file or directory (os error 2)"
    );
    for (name, bytes) in [("a.tsv", ""), ("a.csv", "\r\n\n"), ("a.jsonl", "\n \n")] {
        user(name, bytes, &format!("DIR/{name}: the file is empty"));
    }
    user(
        "a.tsv",
        "text\tlabel",
        "DIR/a.tsv: the file has a header and no rows",
    );
    user(
        "a.csv",
        "text,label\n",
        "DIR/a.csv: the file has a header and no rows",
    );
    user(
        "a.tsv",
        "label\nx\n",
        "DIR/a.tsv: no text column beside the label column `label`",
    );
    user(
        "a.csv",
        "text,class\na,b\n",
        "DIR/a.csv: no column `label`; the columns are `text`, `class`",
    );
}

#[test]
fn rows_and_columns_of_users_files() {
    user(
        "a.csv",
        "text,label\na,x\na\n",
        "DIR/a.csv line 3: 1 column, expected 2",
    );
    user(
        "a.csv",
        "text,label\n\"a\nb\",x\na,y,z\n",
        "DIR/a.csv line 4: 3 columns, expected 2",
    );
    user(
        "a.tsv",
        "text\tlabel\na\tx\nb\tx\n",
        "DIR/a.tsv: every row has the label `x`; classification needs two or more",
    );
    let named = UserColumns {
        texts: TextColumns::Two("premise".to_owned(), "text".to_owned()),
        ..UserColumns::default()
    };
    let text = "no column `premise`; the columns are `text`, `label`";
    user_with(
        "a.tsv",
        "text\tlabel\na\tx\n",
        &named,
        None,
        &format!("DIR/a.tsv: {text}"),
    );
    let json = "{\"text\": \"a\", \"label\": 1}\n";
    user_with("a.json", json, &named, None, &format!("DIR/a.json: {text}"));
    let many: Vec<String> = (0..23).map(|column| format!("c{column}")).collect();
    let shown: Vec<String> = many[..20].iter().map(|column| format!("`{column}`")).collect();
    user(
        "a.csv",
        many.join(","),
        &format!(
            "DIR/a.csv: no column `label`; the columns are {} and 3 more",
            shown.join(", ")
        ),
    );
}

#[test]
fn users_labels() {
    let regression = Some(Problem::Regression);
    let columns = UserColumns::default();
    user("a.tsv", "text\tlabel\na\t\n", "DIR/a.tsv line 2: no label");
    user_with(
        "a.tsv",
        "text\tlabel\na\thigh\n",
        &columns,
        regression,
        "DIR/a.tsv line 2: label `high` is not a number",
    );
    user_with(
        "a.csv",
        "text,label\na,1\nb,1e999\n",
        &columns,
        regression,
        "DIR/a.csv line 3: label `1e999` is not finite",
    );
    let path = scratch::file("unknown_label", "dev.csv", "text,label\na,maybe\n");
    let space = LabelSpace::Classes(vec!["no".to_owned(), "yes".to_owned()]);
    assert!(read_user(&path, &columns, &space, Labels::Ignored).is_ok());
    for presence in [Labels::Required, Labels::Optional] {
        let error = read_user(&path, &columns, &space, presence).expect_err("an unknown label");
        assert_eq!(
            message(&path, &error),
            "DIR/dev.csv line 2: unknown label `maybe`; known: `no`, `yes`"
        );
    }
}

#[test]
fn csv_quotes() {
    let bad = |line: usize, rule: &str| format!("DIR/a.csv line {line}: bad CSV quoting: {rule}");
    user(
        "a.csv",
        "text,label\na,x\n\"b,y\nc,z\n",
        &bad(3, "a quoted field is never closed"),
    );
    user(
        "a.csv",
        "text,label\n\"a\nb\"c,x\n",
        &bad(
            3,
            "text after a closing quote (a quote inside a quoted field is written twice)",
        ),
    );
    user(
        "a.csv",
        "text,label\n5\" pipe,x\n",
        &bad(2, "a quote inside a field that does not begin with one"),
    );
    user(
        "a.csv",
        "text,label\ra,x\r",
        &bad(1, "a carriage return without a line feed outside quotes"),
    );
    user("a.csv", "\"", &bad(1, "a quoted field is never closed"));
}

#[test]
fn json_lines() {
    let bad = |line: usize, what: &str| format!("DIR/a.jsonl line {line}: {what}");
    let good = "{\"text\": \"a\", \"label\": 1}\n";
    user(
        "a.jsonl",
        "[\n",
        &bad(
            1,
            "expected one JSON object a line: EOF while parsing a list at column 1",
        ),
    );
    user(
        "a.jsonl",
        "[{}]\n",
        &bad(1, "expected one JSON object a line: found a list"),
    );
    user(
        "a.jsonl",
        format!("{good}nulx\n"),
        &bad(2, "expected one JSON object a line: expected ident at column 4"),
    );
    user(
        "a.jsonl",
        format!("{good}{{\"label\": 1}}"),
        &bad(2, "field `text` holds nothing, expected text"),
    );
    user(
        "a.jsonl",
        format!("{good}{{\"text\": 5}}"),
        &bad(2, "field `text` holds a number, expected text"),
    );
    user(
        "a.jsonl",
        format!("{good}{{\"text\": null}}"),
        &bad(2, "field `text` holds null, expected text"),
    );
    user(
        "a.jsonl",
        format!("{good}{{\"text\": \"b\", \"label\": {{}}}}"),
        &bad(
            2,
            "field `label` holds an object, expected a label (text, number, true or false)",
        ),
    );
    user(
        "a.jsonl",
        format!("{good}{{\"text\": \"b\"}}"),
        &bad(2, "no label"),
    );
}

/// A folder in the place of a file: the system's words, whatever they are.
#[test]
fn a_folder_instead_of_a_file() {
    let folder: PathBuf = scratch::folder("folder_as_file").join("a.csv");
    std::fs::create_dir(&folder).expect("a folder");
    let error = read_user_train(&folder, &UserColumns::default(), None).expect_err("a folder");
    assert!(message(&folder, &error).starts_with("cannot read DIR/a.csv: "));
}
