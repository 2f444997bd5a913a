//! What the readers of users' files refuse to guess: columns, the kind of problem, and where a field comes first.
//!
//! Each list has neighbours of one fault; the words of the refusal name file, line, column and value where there are.

use std::path::{Path, PathBuf};

use cwgnc::data::{FoundColumns, LabelSpace, Labels, TextColumns, UserColumns, read_user, read_user_train};
use cwgnc::model::Problem;

use crate::scratch;

#[track_caller]
fn file(name: &str, text: &str) -> PathBuf {
    let line = std::panic::Location::caller().line();
    scratch::file(&format!("guess_{line}_{name}"), name, text)
}

fn said(path: &Path, error: &dyn std::error::Error) -> String {
    let folder = path.parent().expect("a folder").display().to_string();
    error.to_string().replace(&format!("{folder}/"), "")
}

/// What reading a training file comes to: the columns, or the words of the refusal.
#[track_caller]
fn read(name: &str, text: &str) -> Result<FoundColumns, String> {
    let path = file(name, text);
    let read = read_user_train(&path, &UserColumns::default(), None);
    read.map(|(_, found)| found).map_err(|error| said(&path, &error))
}

/// The kind of problem of a column of labels, or the words of the refusal.
#[track_caller]
fn problem(labels: &[&str], given: Option<Problem>) -> Result<Problem, String> {
    let lines: Vec<String> = labels
        .iter()
        .map(|label| format!("{{\"text\": \"so\", \"label\": {label}}}\n"))
        .collect();
    let path = file("labels.jsonl", &lines.concat());
    let read = read_user_train(&path, &UserColumns::default(), given);
    read.map(|(set, _)| set.labels.problem())
        .map_err(|error| said(&path, &error))
}

/// Tables whose other columns number, name or date the rows: the text is found wherever it stands.
#[test]
fn an_index_an_identifier_or_a_date_is_never_the_text() {
    for (header, rows) in [
        (
            "id,date,sentence,label",
            ["7,2020-01-31,It rains.,x", "8,2020-02-01,It is dry.,y"],
        ),
        (",sentence,label", ["0,It rains.,x", "1,It is dry.,y"]),
        ("Unnamed: 0,sentence,label", ["0,It rains.,x", "1,It is dry.,y"]),
        ("sentence,label,idx", ["It rains.,x,0", "It is dry.,y,1"]),
        // By what is in them, whatever they are called.
        (
            "ref,sentence,label",
            ["B00234,It rains.,x", "B00235,It is dry.,y"],
        ),
        (
            "when,sentence,label",
            ["12 March 2020,It rains.,x", "1 May 2021,It is dry.,y"],
        ),
        ("stars,sentence,label", ["1.5,It rains.,x", "2,It is dry.,y"]),
        (
            "link,sentence,label",
            ["https://a.org/b,It rains.,x", "https://a.org/c,It is dry.,y"],
        ),
        ("note,sentence,label", [",It rains.,x", ",It is dry.,y"]),
    ] {
        let found = read("a.csv", &format!("{header}\n{}\n{}\n", rows[0], rows[1])).expect(header);
        assert_eq!(
            (found.text_a.as_str(), found.text_b),
            ("sentence", None),
            "{header}"
        );
    }
    let found = read("a.csv", "id,premise,hypothesis,label\n1,a,b,x\n2,c,d,y\n").expect("a pair");
    assert_eq!(
        found.texts(),
        TextColumns::Two("premise".to_owned(), "hypothesis".to_owned())
    );
    assert_eq!(found.others, ["id"]);
    let json =
        "{\"id\": 1, \"text\": \"a\", \"label\": \"x\"}\n{\"id\": 2, \"text\": \"b\", \"label\": \"y\"}\n";
    assert_eq!(read("a.jsonl", json).expect("one text").text_a, "text");
}

/// Where something else could be meant, nothing is taken.
#[test]
fn of_several_candidates_none_is_taken() {
    let flags = "name it with --text-column, and the second of a pair with --text-pair-column";
    let several = |columns: &str| format!("a.csv: several columns can be the text: {columns}; {flags}");
    for (text, columns) in [
        ("title,body,label\na,b,x\nc,d,y\n", "`title`, `body`"),
        ("text,label,split\na,x,train\nb,y,train\n", "`text`, `split`"),
        ("text,label,label_text\na,x,no\nb,y,yes\n", "`text`, `label_text`"),
        ("sentence1,label,other\na,x,b\nc,y,d\n", "`sentence1`, `other`"),
        ("text,text,label\na,b,x\nc,d,y\n", "`text`, `text`"),
        (
            "premise,hypothesis,sentence1,sentence2,label\na,b,c,d,x\ne,f,g,h,y\n",
            "`sentence1`, `sentence2`, `premise`, `hypothesis`",
        ),
    ] {
        assert_eq!(read("a.csv", text).expect_err(text), several(columns));
    }
    let none = read("a.csv", "id,date,label\n1,2020-01-01,x\n2,2020-01-02,y\n").expect_err("no text");
    assert!(
        none.starts_with("a.csv: no column is text for sure: `id`, `date` (")
            && none.ends_with("--text-column"),
        "{none}"
    );
}

#[test]
fn one_column_for_two_things() {
    let path = file("a.csv", "text,label\na,x\nb,y\n");
    let both = |texts| {
        let columns = UserColumns {
            texts,
            ..UserColumns::default()
        };
        let space = LabelSpace::Classes(vec!["x".to_owned(), "y".to_owned()]);
        let error = read_user(&path, &columns, &space, Labels::Ignored).expect_err("refused");
        assert_eq!(
            said(&path, &error),
            "a.csv: column `label` cannot be both text and label; name others with --text-column and --label-column"
        );
    };
    both(TextColumns::One("label".to_owned()));
    both(TextColumns::Two("text".to_owned(), "label".to_owned()));
}

/// A file of another kind than its name says.
#[test]
fn separators_headers_and_quotes() {
    for (name, text, words) in [
        (
            "a.csv",
            "text;label\na;x\nb;y\n",
            "a.csv: the header is one column with `;` in it",
        ),
        (
            "a.csv",
            "text\tlabel\na\tx\nb\ty\n",
            "a.csv: the header is one column with `\\t` in it",
        ),
        (
            "a.tsv",
            "text,label\na,x\nb,y\n",
            "a.tsv: the header is one column with `,` in it",
        ),
        (
            "a.tsv",
            "\"text\"\t\"label\"\n\"a\"\t\"x\"\n\"b\"\t\"y\"\n",
            "a.tsv: the header is in quotes",
        ),
        (
            "a.tsv",
            "text\tlabel\n\"a b\"\tx\n\"c\"\ty\n",
            "a.tsv: every text of column `text` is in quotes",
        ),
        (
            "a.tsv",
            "text\tlabel\na\t\"x\"\nb\t\"y\"\n",
            "a.tsv: every text of column `label` is in quotes",
        ),
        (
            "a.tsv",
            "text\tlabel\na\tx\n\"He said \"\"no\"\".\"\ty\n",
            "a.tsv line 3: column `text` has a cell in quotes",
        ),
        (
            "a.tsv",
            "text\tlabel\na\tx\ntext\tlabel\nb\ty\n",
            "a.tsv line 3: the header comes again",
        ),
        (
            "a.csv",
            "\u{feff}text,label\r\na,x\r\ntext,label\r\nb,y\r\n",
            "a.csv line 3: the header comes again",
        ),
    ] {
        let error = read(name, text).expect_err(text);
        assert!(error.starts_with(words), "{error}");
    }
    // Quotes that are text stay text, also all around a cell.
    let found = read("a.tsv", "text\tlabel\n\"Yes\"\tx\nHe said \"\"no\"\".\ty\n").expect("text");
    assert_eq!(found.text_a, "text");
    // Without labels, the first sentence of a file without a header would be lost.
    let path = file("b.tsv", "It has rained for days.\nIt is dry.\n");
    let space = LabelSpace::Classes(vec!["x".to_owned(), "y".to_owned()]);
    let error = read_user(&path, &UserColumns::default(), &space, Labels::Ignored).expect_err("no header");
    assert!(
        said(&path, &error).starts_with("b.tsv: the first line must name the columns"),
        "{error}"
    );
}

/// The fields of a file are those of all its lines, in whatever order they come.
#[test]
fn json_fields_are_those_of_all_lines() {
    let (lone, pair) = (
        "{\"sentence1\": \"It rains.\", \"label\": \"x\"}\n",
        "{\"sentence1\": \"It rains.\", \"sentence2\": \"It is dry.\", \"label\": \"y\"}\n",
    );
    let lacks = |line: usize| format!("a.jsonl line {line}: field `sentence2` holds nothing, expected text");
    assert_eq!(read("a.jsonl", &[lone, pair].concat()), Err(lacks(1)));
    assert_eq!(read("a.jsonl", &[pair, lone].concat()), Err(lacks(2)));
    for field in [
        "{\"text\": \"a\", \"text\": \"b\", \"label\": \"x\"}",
        "{\"text\": \"a\", \"label\": 1, \"l\\u0061bel\": 2}",
    ] {
        let error = read(
            "a.jsonl",
            &format!("{{\"text\": \"a\", \"label\": \"y\"}}\n{field}\n"),
        )
        .expect_err(field);
        assert!(
            error.starts_with("a.jsonl line 2: field `") && error.ends_with("` is there twice"),
            "{error}"
        );
    }
    // What is twice in an object inside, or in a text, is nobody's column.
    let inside = "{\"text\": \"\\\"text\\\": {,\", \"label\": \"x\", \"meta\": {\"text\": 1, \"a\": [{\"text\": 2}, \"text\"]}}\n";
    let found = read("a.jsonl", &(inside.replace("\"x\"", "\"y\"") + inside)).expect("fine");
    assert_eq!(
        (found.text_a.as_str(), &found.others[..]),
        ("text", &["meta".to_owned()][..])
    );
}

/// One cell that does not fit is an error at its line, not another problem; given the problem, labels are as they are.
#[test]
fn one_bad_cell_is_an_error() {
    fn with<'l>(cell: &'l str, others: &'l str) -> Vec<&'l str> {
        let mut labels = vec![others; 100];
        labels[40] = cell;
        labels
    }
    let score = "3.5";
    for cell in [
        "\"NA\"", "\"n/a\"", "\"nan\"", "\"NaN\"", "\"null\"", "\"inf\"", "\"high\"", "true", "\"1,5\"",
        "\" 1.5\"", "\"-\"",
    ] {
        let error = problem(&with(cell, score), None).expect_err(cell);
        let value = cell.trim_matches('"');
        assert!(
            error.starts_with(&format!(
                "labels.jsonl line 41: label `{value}` in column `label` "
            )),
            "{error}"
        );
        assert!(error.contains("--problem-type"), "{error}");
        assert_eq!(
            problem(&with(cell, score), Some(Problem::Classification)),
            Ok(Problem::Classification)
        );
        assert!(
            problem(&with(cell, score), Some(Problem::Regression)).is_err(),
            "{cell}"
        );
    }
    // A number among words, and a mark of nothing.
    for (cell, other) in [
        ("1", "\"good\""),
        ("1.5", "\"good\""),
        ("\"NA\"", "\"good\""),
        ("\"NA\"", "1"),
        ("1.0", "1"),
    ] {
        assert!(problem(&with(cell, other), None).is_err(), "{cell} {other}");
    }
    assert_eq!(
        problem(&with("\"\"", score), None),
        Err("labels.jsonl line 41: no label".to_owned())
    );
}

#[test]
fn labels_that_are_one_label() {
    let words = |a: &str, b: &str| {
        let error = problem(&["\"no\"", a, b], None).expect_err(b);
        let plain = |label: &str| label.trim_matches('"').to_owned();
        let start = format!(
            "labels.jsonl line 3: label `{}` in column `label` is `{}` of line 2 ",
            plain(b),
            plain(a)
        );
        assert!(error.starts_with(&start), "{error}");
        assert_eq!(
            problem(&["\"no\"", a, b], Some(Problem::Classification)),
            Ok(Problem::Classification)
        );
    };
    words("\"yes\"", "\"Yes\"");
    words("\"yes\"", "\"yes \"");
    words("\"not sure\"", "\"not  sure\"");
    words("true", "\"True\"");
    assert!(problem(&["0", "\"1\"", "\"01\""], None).is_err());
    // `none` is a class of many data sets.
    assert_eq!(
        problem(&["\"favor\"", "\"none\"", "\"against\""], None),
        Ok(Problem::Classification)
    );
    assert_eq!(problem(&["0", "\"1\"", "2"], None), Ok(Problem::Classification));
    assert_eq!(problem(&["0.5", "1", "2"], None), Ok(Problem::Regression));
    assert_eq!(problem(&["3e38", "1", "2"], None), Ok(Problem::Regression));
}

/// The text of a list is one label only for whoever says so: two orders of one list would be two classes.
#[test]
fn a_list_in_a_cell_is_no_class() {
    let table = "sentence,label\nthe soup,\"[\"\"price\"\", \"\"taste\"\"]\"\nthe bread,\"[\"\"taste\"\", \"\"price\"\"]\"\nthe tea,[]\n";
    let error = read("lists.csv", table).expect_err("lists");
    assert!(
        error.starts_with("lists.csv line 2: label `[\"price\", \"taste\"]` in column `label` is a list; `--problem-type multi-label`"),
        "{error}"
    );
    let path = file("lists.csv", table);
    for (given, classes) in [(Problem::Classification, 3), (Problem::MultiLabel, 2)] {
        let (set, _) = read_user_train(&path, &UserColumns::default(), Some(given)).expect("told which");
        assert_eq!(
            (set.labels.problem(), set.labels.output_names().len()),
            (given, classes)
        );
    }
}

/// Whole numbers with a fraction are either, and a label for each row is neither.
#[test]
fn columns_that_are_no_labels_for_sure() {
    let error = problem(&["0.0", "1.0", "1.0"], None).expect_err("either");
    assert!(
        error.starts_with("labels.jsonl line 1: label `0.0` in column `label` is a whole number"),
        "{error}"
    );
    let names: Vec<String> = (0..30).map(|i| format!("\"name {i}\"")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let error = problem(&names, None).expect_err("names");
    assert!(
        error.starts_with("labels.jsonl: column `label` has 30 different labels in 30 rows; "),
        "{error}"
    );
    assert_eq!(
        problem(&names, Some(Problem::Classification)),
        Ok(Problem::Classification)
    );
}
