//! Properties of the readers: no bytes make them panic, and what was written comes back.

use std::path::Path;

use cwgnc::data::{
    Example, LabelSpace, Labels, TASKS, TextColumns, UserColumns, read_glue, read_user, read_user_train,
};
use cwgnc::model::Target;
use proptest::prelude::*;
use serde_json::json;

use crate::scratch;

/// Reads the bytes as every kind of file; any outcome but a panic is right, and a good one is never empty.
fn holds(folder: &Path, bytes: &[u8]) {
    let columns = UserColumns::default();
    let space = LabelSpace::Classes(vec!["x".to_owned(), "y".to_owned()]);
    for name in ["a.tsv", "a.csv", "a.jsonl"] {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("a scratch file can be written");
        if let Ok((set, _)) = read_user_train(&path, &columns, None) {
            assert!(!set.examples.is_empty());
            assert!(set.targets().is_some());
        }
        if let Ok((set, _)) = read_user(&path, &columns, &space, Labels::Optional) {
            assert!(!set.examples.is_empty());
        }
    }
    for task in &TASKS {
        if let Ok(set) = read_glue(folder, task, "a.tsv", Labels::Optional) {
            assert!(!set.examples.is_empty());
        }
    }
}

/// Text made of what readers stumble on.
fn awkward() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "text",
        "label",
        "sentence1",
        "x",
        "y",
        "1",
        "0.5",
        "\t",
        "\t",
        ",",
        ",",
        "\n",
        "\n",
        "\r\n",
        "\r",
        "\"",
        "\"\"",
        "\u{feff}",
        "{\"text\": \"a\", \"label\": \"x\"}",
        "{",
        "}",
        "[",
        "null",
        "é",
        "\0",
        "\u{2028}",
        "nan",
    ];
    proptest::collection::vec(prop::sample::select(pieces.to_vec()), 0..40)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

/// Cells with everything but what the format cannot hold.
fn table(cell: &'static str) -> impl Strategy<Value = Vec<(String, String, usize)>> {
    proptest::collection::vec((cell, cell, 0_usize..3), 1..12)
}

const CLASSES: [&str; 3] = ["10", "9", "a \"b\", c"];

fn examples(rows: &[(String, String, usize)]) -> Vec<Example> {
    rows.iter()
        .map(|(a, b, class)| Example {
            words: Vec::new(),
            text_a: a.clone(),
            text_b: Some(b.clone()),
            target: Some(Target::Class(*class)),
        })
        .collect()
}

/// Reads a written table back with the classes in the order of [`CLASSES`].
fn read_back(path: &Path) -> Vec<Example> {
    let columns = UserColumns {
        texts: TextColumns::Two("a".to_owned(), "b".to_owned()),
        label: "class".to_owned(),
        ..UserColumns::default()
    };
    let space = LabelSpace::Classes(CLASSES.map(str::to_owned).to_vec());
    read_user(path, &columns, &space, Labels::Required)
        .expect("a written table")
        .0
        .examples
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        holds(&scratch::folder("random_bytes"), &bytes);
    }

    #[test]
    fn awkward_text_never_panics(bytes in awkward()) {
        holds(&scratch::folder("awkward_text"), &bytes);
    }

    #[test]
    fn a_written_tsv_comes_back(rows in table("[^\t\n\r]{0,12}"), end in prop::sample::select(vec!["\n", "\r\n"])) {
        let mut lines = vec!["class\ta\tb".to_owned()];
        lines.extend(rows.iter().map(|(a, b, class)| format!("{}\t{a}\t{b}", CLASSES[*class])));
        let text = lines.join(end) + end;
        let path = scratch::file("round_tsv", "t.tsv", &text);
        prop_assert_eq!(read_back(&path), examples(&rows));
        std::fs::write(&path, text.trim_end_matches(end)).expect("writable");
        if !rows[rows.len() - 1].1.is_empty() {
            prop_assert_eq!(read_back(&path), examples(&rows));
        }
    }

    /// Written by another implementation, the `csv` crate, with quotes where needed or everywhere.
    #[test]
    fn a_written_csv_comes_back(
        rows in table("([^\r]|\r\n|[,\"\n]){0,8}"),
        style in prop::sample::select(vec![csv::QuoteStyle::Necessary, csv::QuoteStyle::Always]),
        end in prop::sample::select(vec![csv::Terminator::Any(b'\n'), csv::Terminator::CRLF]),
    ) {
        let mut writer = csv::WriterBuilder::new().quote_style(style).terminator(end).from_writer(Vec::new());
        writer.write_record(["a", "class", "b"]).expect("memory");
        for (a, b, class) in &rows {
            writer.write_record([a.as_str(), CLASSES[*class], b.as_str()]).expect("memory");
        }
        let path = scratch::file("round_csv", "t.csv", writer.into_inner().expect("memory"));
        prop_assert_eq!(read_back(&path), examples(&rows));
    }

    /// Records of two cells, bare or quoted, read as the `csv` crate reads them.
    #[test]
    fn csv_agrees_with_the_csv_crate(
        body in "((\"([a-c,\n\r]|\"\"|\r\n){0,4}\"|[a-c\t ]{0,2}),(\"([a-c,\n]|\"\"){0,4}\"|[a-c]{0,2})(\n|\r\n){1,2}){1,6}",
    ) {
        let text = format!("x,y\n{body}");
        let path = scratch::file("agree_csv", "t.csv", &text);
        let labels = LabelSpace::Classes(vec![]);
        let columns = UserColumns {
            texts: TextColumns::Two("x".to_owned(), "y".to_owned()),
            ..UserColumns::default()
        };
        let (set, _) = read_user(&path, &columns, &labels, Labels::Optional).expect("well-formed");
        let ours: Vec<(String, Option<String>)> =
            set.examples.into_iter().map(|example| (example.text_a, example.text_b)).collect();
        let mut other = csv::ReaderBuilder::new().from_reader(text.as_bytes());
        let records: Vec<(String, Option<String>)> = other
            .records()
            .map(|record| record.expect("well-formed"))
            .map(|record| (record[0].to_owned(), record.get(1).map(str::to_owned)))
            .collect();
        prop_assert_eq!(ours, records);
    }

    #[test]
    fn written_json_lines_come_back(rows in table("\\PC{0,6}(\n|\t|\"|\\\\|\u{2028})?\\PC{0,6}")) {
        let lines: Vec<String> = rows
            .iter()
            .map(|(a, b, class)| json!({"b": b, "a": a, "class": CLASSES[*class]}).to_string())
            .collect();
        let path = scratch::file("round_json", "t.jsonl", lines.join("\n"));
        prop_assert_eq!(read_back(&path), examples(&rows));
    }
}
