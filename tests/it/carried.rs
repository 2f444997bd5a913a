//! The columns of a file as they are written: what is read comes out again, by another program and by this one.

use cwgnc::data::{Carried, FileKind, LabelSpace, Labels, UserColumns, UserFile, csv_line, tsv_line};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn carried(kind: FileKind, text: &str) -> Carried {
    let file = UserFile::from_bytes("a", kind, text.as_bytes().to_vec()).expect("text");
    file.carried().expect("readable")
}

fn cells(kind: FileKind, text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    carried(kind, text).into_cells()
}

/// A table with rows of one width, at least one column and one row under the header.
fn tables(cell: &'static str) -> impl Strategy<Value = Vec<Vec<String>>> {
    (1_usize..4)
        .prop_flat_map(move |width| proptest::collection::vec(proptest::collection::vec(cell, width), 2..6))
}

/// A scalar that is no text, as a file may write it, and the text that a cell has of it.
fn scalars() -> impl Strategy<Value = (String, String)> {
    let written = [
        "1",
        "-0",
        "1.50",
        "1E+2",
        "12345678901234567890123",
        "true",
        "[1, {\"}\": \"]\"}]",
        "{}",
    ];
    prop_oneof![
        prop::sample::select(written.to_vec()).prop_map(|text| (text.to_owned(), text.to_owned())),
        Just(("null".to_owned(), String::new())),
        "\\PC{0,6}(\n|\"|\\\\|\\}|,|:)?\\PC{0,3}"
            .prop_map(|text| (Value::from(text.clone()).to_string(), text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn csv_comes_back(rows in tables("(\u{feff}|[ ,\"\n\r=x\u{a0}]|\\PC){0,5}")) {
        let text: String = rows.iter().map(|row| csv_line(row) + "\n").collect();
        let (header, read) = cells(FileKind::Csv, &text);
        prop_assert_eq!(&header, &rows[0]);
        prop_assert_eq!(&read, &rows[1..]);
        let mut other = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let theirs: Vec<Vec<String>> = other
            .records()
            .map(|record| record.expect("a record").iter().map(str::to_owned).collect())
            .collect();
        prop_assert_eq!(theirs, rows);
    }

    #[test]
    fn tsv_comes_back_or_is_refused(rows in tables("[ ,\"\n\t\r=x猫]{0,3}")) {
        let breaks = |cell: &String| cell.chars().any(|c| "\t\n\r".contains(c));
        let mut text = String::new();
        for row in &rows {
            match (tsv_line(row), row.iter().position(breaks)) {
                (Ok(line), None) => text += &(line + "\n"),
                (Err(place), Some(first)) => {
                    prop_assert_eq!(place, first);
                    return Ok(());
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        let (header, read) = cells(FileKind::Tsv, &text);
        prop_assert_eq!(&header, &rows[0]);
        prop_assert_eq!(&read, &rows[1..]);
    }

    /// Objects with some of three fields in any order, against what the parser says of them.
    #[test]
    fn fields_of_objects(
        rows in proptest::collection::vec(proptest::collection::vec(("[ab\"}é]", scalars()), 0..3), 1..5),
        blank in prop::sample::select(vec!["", " "]),
    ) {
        let mut lines = Vec::new();
        let mut expected: Vec<Map<String, Value>> = Vec::new();
        for row in &rows {
            let mut seen = Map::new();
            for (name, (written, text)) in row {
                seen.entry(name.as_str()).or_insert_with(|| Value::from(vec![written.clone(), text.clone()]));
            }
            let fields = seen.iter().map(|(name, value)| {
                format!("{blank}{}{blank}:{blank}{}{blank}", Value::from(name.as_str()), value[0].as_str().unwrap_or_default())
            });
            lines.push(format!("{{{}}}", fields.collect::<Vec<_>>().join(",")));
            expected.push(seen);
        }
        let read = carried(FileKind::JsonLines, &format!("{}\n", lines.join("\n\n")));
        prop_assert_eq!(&read, &Carried::Objects(lines));
        let mut names: Vec<String> = Vec::new();
        for name in expected.iter().flat_map(Map::keys) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        prop_assert_eq!(&read.names(), &names);
        let (header, rows) = read.into_cells();
        prop_assert_eq!(&header, &names);
        for (row, object) in rows.iter().zip(&expected) {
            for (cell, name) in row.iter().zip(&names) {
                let text = object.get(name).and_then(|value| value[1].as_str()).unwrap_or_default();
                prop_assert_eq!(cell, text);
            }
        }
    }

    /// No bytes make it panic, and there is one row for each example.
    #[test]
    fn as_many_rows_as_examples(text in "([a-c,\t\"{}:\n\r]|text\n|\\{\"text\": \"a\"\\}\n){0,20}") {
        for kind in [FileKind::Csv, FileKind::Tsv, FileKind::JsonLines, FileKind::PlainText] {
            let Ok(file) = UserFile::from_bytes("a", kind, text.as_bytes().to_vec()) else { continue };
            let read = file.examples(&UserColumns::default(), &LabelSpace::Values, Labels::Ignored);
            let carried = file.carried();
            if let Ok((set, _)) = read {
                let (header, rows) = carried.expect("what is read").into_cells();
                prop_assert_eq!(rows.len(), set.examples.len());
                prop_assert!(rows.iter().all(|row| row.len() == header.len()));
            }
        }
    }
}
