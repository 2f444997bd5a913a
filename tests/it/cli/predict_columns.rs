//! `cwgnc predict` with the columns of its input: formats, stdin, plain text, and names that are there already.

use super::{Ran, cwgnc, json_lines, program, scratch, text, trained};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

const FLAGS: [&str; 4] = ["predict", "--quiet", "--max-seq-length", "32"];

fn predict(more: &[&str]) -> Ran {
    cwgnc(&[&FLAGS[..], &["--model", text(trained())], more].concat())
}

/// The same with something on stdin.
fn piped(input: &[u8], more: &[&str]) -> Ran {
    let mut command = program();
    command
        .args(FLAGS)
        .args(["--model", text(trained()), "--file", "-"])
        .args(more);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

fn write(dir: &Path, name: &str, content: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    text(&path).to_owned()
}

/// What a single text gets.
fn said(sentence: &str) -> Value {
    json_lines(&predict(&["--text", sentence]).succeeded()).remove(0)
}

/// Cells that a careless writer spoils: separators, quotes, line ends, blanks, formulas, signs, other scripts.
const CELLS: [&str; 9] = [
    "a, b",
    "she said \"no\"",
    "two\nlines",
    "\r\n",
    " blanks ",
    "=1+1",
    "-2",
    "@a\t+b",
    "猫, 🐈",
];

/// Read by another program, every cell is as it was; read by this one, the predictions are the same again.
#[test]
fn csv_carries_every_cell() {
    let dir = scratch::folder("predict-columns-csv");
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["note", "sentence", "label", "note"])
        .unwrap();
    for (i, cell) in CELLS.iter().enumerate() {
        let sentence = format!("the dogs sleep {}", CELLS[(i + 1) % CELLS.len()]);
        writer.write_record([cell, sentence.as_str(), "-1", ""]).unwrap();
    }
    let input = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let file = write(&dir, "in.csv", &input);
    let out = dir.join("out.csv");
    assert_eq!(
        predict(&["--file", &file, "--format", "csv", "--output", text(&out)]).succeeded(),
        ""
    );
    let records = |path: &str| -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_path(path)
            .unwrap();
        let record = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
        reader.records().map(|result| record(result.unwrap())).collect()
    };
    let (before, after) = (records(&file), records(text(&out)));
    assert_eq!(before.len(), CELLS.len() + 1);
    assert_eq!(
        after[0][4..],
        [
            "predicted_label",
            "predicted_probability",
            "predicted_p(acceptable)",
            "predicted_p(unacceptable)"
        ]
    );
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(new[..4], old[..]);
    }
    for row in &after[1..] {
        let line = said(&row[1]);
        assert_eq!(row[4], line["label"].as_str().unwrap());
        let numbers: Vec<f64> = row[5..].iter().map(|cell| cell.parse().unwrap()).collect();
        let expected =
            ["acceptable", "unacceptable"].map(|name| line["probabilities"][name].as_f64().unwrap());
        assert_eq!(
            numbers,
            [line["probability"].as_f64().unwrap(), expected[0], expected[1]]
        );
    }
    // Once more, from the output: the same answers, after the first ones.
    let again = predict(&["--file", text(&out), "--format", "csv", "--prefix", "again_"]).succeeded();
    let again_file = write(&dir, "again.csv", &again);
    for (old, new) in after.iter().zip(records(&again_file)).skip(1) {
        assert_eq!((&new[..8], &new[8..]), (&old[..], &old[4..]));
    }
    let collision = "the input has a column `predicted_label` already: give --prefix, what the names of the predictions \
                     begin with";
    for format in ["csv", "tsv", "jsonl", "table"] {
        predict(&["--file", text(&out), "--format", format, "--keep-columns"]).refused(&dir, 2, collision);
    }
    let twice = "the input has column `note` twice, which a JSON object cannot hold; --format csv can";
    predict(&["--file", &file, "--format", "jsonl", "--keep-columns"]).refused(&dir, 2, twice);
    let tab = "--format tsv: row 2 has a tab or a line end in column `sentence`, which a .tsv file cannot hold; --format csv or \
               jsonl can";
    predict(&[
        "--file",
        &file,
        "--format",
        "tsv",
        "--output",
        text(&dir.join("out.tsv")),
    ])
    .refused(&dir, 2, tab);
    assert!(!dir.join("out.tsv").exists());
}

/// A line of JSON keeps its bytes: numbers of any size, nested values, escapes, the order of its fields.
#[test]
fn json_lines_keep_what_they_are() {
    let dir = scratch::folder("predict-columns-json");
    let lines = [
        r#"{"n":12345678901234567890123,"sentence":"the dogs sleep","x":1.50,"o":{"}":[1,{"a":"}"}]}}"#,
        r#"{ "sentence" : "the dog \u0073ings, \"loud\"", "u" : null , "label" : -1, "t": true }"#,
    ];
    let file = write(&dir, "in.jsonl", &format!("{}\n\n{}\r\n", lines[0], lines[1]));
    let printed = predict(&["--file", &file, "--format", "jsonl", "--keep-columns"]).succeeded();
    let expected = [said("the dogs sleep"), said("the dog sings, \"loud\"")];
    for ((line, before), said) in printed.lines().zip(lines).zip(&expected) {
        let inside = before.strip_suffix('}').unwrap().trim_end();
        let more = line.strip_prefix(inside).unwrap_or_else(|| panic!("{line}"));
        let more: Value = serde_json::from_str(&format!("{{{}", &more[1..])).unwrap();
        let names: Vec<&String> = more.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [
                "predicted_label",
                "predicted_probability",
                "predicted_probabilities",
                "predicted_logits"
            ]
        );
        for (name, value) in said.as_object().unwrap().iter().skip(1) {
            assert_eq!(&more[format!("predicted_{name}")], value);
        }
    }
    assert_eq!(printed.lines().count(), 2);
    let table = predict(&["--file", &file, "--format", "csv"]).succeeded();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .take(7)
        .map(str::to_owned)
        .collect();
    assert_eq!(names, ["n", "sentence", "x", "o", "u", "label", "t"]);
    let cells = |record: csv::StringRecord| record.iter().take(7).map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = reader.records().map(|record| cells(record.unwrap())).collect();
    let nested = r#"{"}":[1,{"a":"}"}]}"#;
    assert_eq!(
        rows[0],
        [
            "12345678901234567890123",
            "the dogs sleep",
            "1.50",
            nested,
            "",
            "",
            ""
        ]
    );
    assert_eq!(rows[1], ["", "the dog sings, \"loud\"", "", "", "", "-1", "true"]);
}

/// A `"` of a .tsv file is text before and after, and its own reader reads what comes out.
#[test]
fn tsv_and_json_from_tables() {
    let dir = scratch::folder("predict-columns-tsv");
    let file = write(
        &dir,
        "in.tsv",
        "sentence\tid\tlabel\n\"the dogs\" sleep\t=7\t1\nthe dog sings\t\t\n",
    );
    let printed = predict(&["--file", &file, "--format", "tsv"]).succeeded();
    let rows: Vec<Vec<&str>> = printed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[1][..3], ["\"the dogs\" sleep", "=7", "1"]);
    assert_eq!(rows[2][..3], ["the dog sings", "", ""]);
    assert_eq!(rows[2][3], said("the dog sings")["label"].as_str().unwrap());
    let again = write(&dir, "again.tsv", &printed);
    let lines = predict(&["--file", &again]).succeeded();
    assert_eq!(lines, predict(&["--file", &file]).succeeded());
    let objects = predict(&["--file", &file, "--format", "jsonl", "--keep-columns"]).succeeded();
    let first = &json_lines(&objects)[0];
    assert_eq!(
        (&first["sentence"], &first["id"], &first["label"]),
        (&json!("\"the dogs\" sleep"), &json!("=7"), &json!("1"))
    );
}

/// Stdin has no extension; what comes from it is what comes from a file.
#[test]
fn stdin_and_plain_text() {
    let dir = scratch::folder("predict-columns-stdin");
    let plain = "the dogs sleep\r\n\nthe dog sings";
    let file = write(&dir, "in.txt", plain);
    let expected = predict(&["--file", &file]).succeeded();
    let lines = json_lines(&expected);
    assert_eq!(lines.len(), 3);
    for (line, sentence) in lines.iter().zip(["the dogs sleep", "", "the dog sings"]) {
        assert_eq!(line["logits"], said(sentence)["logits"]);
    }
    assert_eq!(
        piped(plain.as_bytes(), &["--input-format", "txt"]).succeeded(),
        expected
    );
    let odd = write(&dir, "in.dat", plain);
    assert_eq!(
        predict(&["--file", &odd, "--input-format", "txt"]).succeeded(),
        expected
    );
    let table = piped(plain.as_bytes(), &["--input-format", "txt", "--format", "tsv"]).succeeded();
    assert!(table.starts_with("text\tpredicted_label\t"), "{table}");
    let one = "{\"sentence\": \"the dogs sleep\"}\n";
    for (kind, input) in [
        ("jsonl", one),
        ("csv", "\u{feff}sentence\nthe dogs sleep\n"),
        ("tsv", "sentence\nthe dogs sleep"),
    ] {
        let printed = piped(input.as_bytes(), &["--input-format", kind]).succeeded();
        assert_eq!(json_lines(&printed), [said("the dogs sleep")], "{kind}");
    }
    let message = "--file - reads stdin, which has no extension: say what it is with --input-format csv, tsv, jsonl or txt; a \
                   file of that name is ./-";
    piped(b"x", &[]).refused(&dir, 2, message);
    piped(b"", &["--input-format", "csv"]).refused(&dir, 1, "stdin: the file is empty");
    piped(b"sentence\na\xff", &["--input-format", "csv"]).refused(&dir, 1, "stdin line 2: invalid UTF-8");
    let unknown =
        "DIR/in.dat: unknown kind of file; expected .tsv, .csv, .jsonl, .json or .txt, or --input-format";
    predict(&["--file", &odd]).refused(&dir, 1, unknown);
    let prefix = "--prefix is for predictions beside the columns of the input: give --keep-columns too";
    predict(&["--file", &file, "--prefix", "p_"]).refused(&dir, 2, prefix);
    let kind = ["--text", "a", "--input-format", "csv"];
    predict(&kind).refused(&dir, 2, "--input-format is for --file");
    // A file to train or to evaluate on needs labels, which plain text has not.
    let eval = cwgnc(&[
        "eval",
        "--quiet",
        "--model",
        text(trained()),
        "--validation-file",
        &file,
    ]);
    eval.refused(
        &dir,
        1,
        "DIR/in.txt: unknown kind of file; expected .tsv, .csv, .jsonl or .json",
    );
}

/// Nothing in a file writes over what stands on a terminal, and no long cell pushes the predictions out of it.
#[test]
fn a_table_shows_control_characters() {
    let dir = scratch::folder("predict-columns-table");
    let cell = "the \u{1b}[2J dogs\r\u{7}\u{9b}31m \u{202e}sleep";
    let line = json!({"sentence": cell, "long": "x".repeat(90)}).to_string();
    let file = write(&dir, "in.jsonl", &line);
    let table = predict(&["--file", &file, "--format", "table", "--keep-columns"]).succeeded();
    let acts = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
    assert!(!table.contains(acts), "{table:?}");
    assert!(table.contains("the \\u{1b}[2J dogs\\r"), "{table}");
    assert!(table.contains(&format!("{}…  ", "x".repeat(39))), "{table}");
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header[..3], ["sentence", "long", "predicted_label"]);
}

/// One text, and the dev set of a task with its labels.
#[test]
fn texts_and_tasks() {
    let pair = [
        "--text",
        "the dogs sleep",
        "--text-pair",
        "a,b",
        "--format",
        "csv",
    ];
    let printed = predict(&pair).succeeded();
    assert!(
        printed.starts_with("text,text_pair,predicted_label,"),
        "{printed}"
    );
    assert!(printed.contains("\nthe dogs sleep,\"a,b\","), "{printed}");
    let header = ["index\tsentence\tlabel", "index\tsentence"];
    let (dir, run) = super::submission::task("sst2", header, &["1", "0"], &["dev.tsv"], &["test.tsv"]);
    let data = dir.join("data");
    let task = ["--task", "sst2", "--data", text(&data), "--format", "tsv"];
    let flags = [&FLAGS[..], &["--model", text(&run)], &task].concat();
    let printed = cwgnc(&flags).succeeded();
    let mut lines = printed.lines();
    assert_eq!(
        lines.next(),
        Some(
            "sentence\tlabel\tpredicted_label\tpredicted_probability\tpredicted_p(negative)\tpredicted_p(positive)"
        )
    );
    let dev = fs::read_to_string(data.join("dev.tsv")).unwrap();
    for (line, before) in lines.by_ref().zip(dev.lines().skip(1)) {
        let (_, before) = before.split_once('\t').unwrap();
        assert!(line.starts_with(&format!("{before}\t")), "{line}");
    }
    assert_eq!(printed.lines().count(), 13);
    let test = cwgnc(&[&flags[..], &["--split", "test"]].concat()).succeeded();
    assert!(test.starts_with("index\tsentence\tpredicted_label\t"), "{test}");
}
