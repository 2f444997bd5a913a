//! Files of one's own in which a row has any number of labels: lists, and columns of 0 and 1.

use crate::scratch;
use cwgnc::data::{Dataset, FoundColumns, LabelSpace, Labels, UserColumns, read_user, read_user_train};
use cwgnc::model::{Problem, Target};

fn columns(names: &[&str]) -> UserColumns {
    UserColumns {
        label_columns: names.iter().map(|&name| name.to_owned()).collect(),
        ..UserColumns::default()
    }
}

/// A folder of each test's own: they run side by side.
fn own_folder() -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default().replace(':', "-");
    format!("multi_label-{name}")
}

type Read = Result<(Dataset, FoundColumns), String>;

/// Reads a training file, whose folder is `DIR` in messages.
fn train(name: &str, text: &str, columns: &UserColumns, problem: Option<Problem>) -> Read {
    let path = scratch::file(&own_folder(), name, text);
    let dir = path.parent().expect("a folder").display().to_string();
    read_user_train(&path, columns, problem).map_err(|error| error.to_string().replace(&dir, "DIR"))
}

fn names(space: &LabelSpace) -> &[String] {
    match space {
        LabelSpace::Sets(names) => names,
        other => panic!("{other:?} are no sets"),
    }
}

fn sets(set: &Dataset) -> Vec<Vec<bool>> {
    let targets = set.targets().expect("every row has labels");
    let row = |target| match target {
        Target::Labels(labels) => labels,
        other => panic!("{other:?} is no set"),
    };
    targets.into_iter().map(row).collect()
}

/// The same three rows in every way in which they may be written.
#[test]
fn every_way_to_write_several_labels() {
    let lists = r#"{"text": "x y", "labels": ["b", "a"]}
{"text": "y z", "labels": []}
{"text": "z", "labels": ["b"]}
"#;
    let plain = UserColumns::default();
    let singular = lists.replace("labels", "label");
    let cells = "text,label\nx y,\"[\"\"b\"\",\"\"a\"\"]\"\ny z,[]\nz,\"[\"\"b\"\"]\"\n";
    let tabs = "text\tlabel\nx y\t[\"b\",\"a\"]\ny z\t[]\nz\t[\"b\"]\n";
    let table = "a,text,b\n1,x y,1\n0,y z,0\n0.0,z,1.0\n";
    let fields = r#"{"text": "x y", "b": 1, "a": true}
{"text": "y z", "b": 0, "a": 0}
{"text": "z", "a": false, "b": 1.0}
"#;
    let own = columns(&["a", "b"]);
    let multi = Some(Problem::MultiLabel);
    for (name, text, columns, problem) in [
        ("lists.jsonl", lists, &plain, None),
        ("lists.json", lists, &plain, multi),
        ("singular.jsonl", &singular, &plain, None),
        ("cells.csv", cells, &plain, multi),
        ("cells.tsv", tabs, &plain, multi),
        ("columns.csv", table, &own, multi),
        ("columns.tsv", &table.replace(',', "\t"), &own, multi),
        ("columns.jsonl", fields, &own, multi),
    ] {
        let (set, found) = train(name, text, columns, problem).expect(name);
        assert_eq!(names(&set.labels), ["a", "b"], "{name}");
        assert_eq!(
            sets(&set),
            [[true, true], [false, false], [false, true]],
            "{name}"
        );
        assert_eq!(found.text_a, "text", "{name}");
        assert!(found.others.is_empty(), "{name}");
    }
    let (_, found) = train("found.jsonl", lists, &plain, None).expect("lists");
    assert_eq!(found.label.as_deref(), Some("labels"));
    let (set, found) = train("order.csv", table, &columns(&["b", "a"]), multi).expect("columns");
    assert_eq!(
        names(&set.labels),
        ["b", "a"],
        "the order of columns is that of the flag"
    );
    assert_eq!(
        (found.label, found.label_columns),
        (None, vec!["b".to_owned(), "a".to_owned()])
    );
}

/// Numbers as labels are in the order of their values, as classes are.
#[test]
fn lists_of_numbers() {
    let text = "{\"text\": \"x y\", \"labels\": [10, 9]}\n{\"text\": \"y\", \"labels\": [9]}\n";
    let (set, _) = train("numbers.jsonl", text, &UserColumns::default(), None).expect("lists");
    assert_eq!(names(&set.labels), ["9", "10"]);
    assert_eq!(sets(&set), [[true, true], [true, false]]);
}

/// What is wrong is said with file, line, label and column.
#[test]
fn bad_labels() {
    let plain = UserColumns::default();
    let refused = |name: &str, text: &str, columns: &UserColumns, problem, message: &str| {
        assert_eq!(
            train(name, text, columns, problem).err().as_deref(),
            Some(message),
            "{name}"
        );
    };
    let multi = Some(Problem::MultiLabel);
    let row = |labels: &str| format!("{{\"text\": \"x y\", \"label\": {labels}}}\n");
    let good = row("[\"a\"]");
    let json = |bad: &str, problem, message: &str| {
        refused(
            "a.jsonl",
            &format!("{good}{}", row(bad)),
            &plain,
            problem,
            message,
        );
    };
    json(
        "[\"b\", \"a\", \"b\"]",
        None,
        "DIR/a.jsonl line 2: label `b` is there twice in one row",
    );
    json(
        "[1, \"1\"]",
        None,
        "DIR/a.jsonl line 2: label `1` is there twice in one row",
    );
    json(
        "\"a\"",
        None,
        "DIR/a.jsonl line 2: `a` is no list of labels; they are written as [\"a\", \"b\"], none as [], or as columns of 0 \
         and 1 that --label-columns names",
    );
    for odd in ["[null]", "[[]]", "[\"\"]"] {
        let message = "DIR/a.jsonl line 2: field `label` holds a list with something else than labels, expected a label \
                       (text, number, true or false)";
        json(odd, None, message);
    }
    json("null", None, "DIR/a.jsonl line 2: no label");
    json("null", multi, "DIR/a.jsonl line 2: no label");
    for problem in [Problem::Classification, Problem::Regression] {
        let list = "DIR/a.jsonl line 1: a list of labels where one label is expected; --problem-type multi-label takes a \
                    list in every row";
        json("[\"b\"]", Some(problem), list);
    }
    let ones = format!("{}{}{good}", row("\"a\""), row("\"b\""));
    let list = "DIR/b.jsonl line 3: a list of labels where one label is expected; --problem-type multi-label takes a list \
                in every row";
    refused("b.jsonl", &ones, &plain, None, list);
    let none = "DIR/c.jsonl: no row has a label; a list of labels is written as [\"a\", \"b\"], and one row at least needs a \
                label";
    refused("c.jsonl", &row("[]"), &plain, None, none);
    for (index, cell) in ["a", "a;b", "['a', 'b']", "1"].into_iter().enumerate() {
        let message = format!(
            "DIR/{index}.tsv line 2: `{cell}` is no list of labels; they are written as [\"a\", \"b\"], none as [], or as \
             columns of 0 and 1 that --label-columns names"
        );
        refused(
            &format!("{index}.tsv"),
            &format!("text\tlabel\nx y\t{cell}\n"),
            &plain,
            multi,
            &message,
        );
    }
    let own = columns(&["a", "b"]);
    for (cell, what) in [("2", "`2`"), ("", "nothing"), ("yes", "`yes`"), (" 1", "` 1`")] {
        let message = format!("DIR/d.csv line 3: label column `b` holds {what}; 0 or 1 is right");
        refused(
            "d.csv",
            &format!("text,a,b\nx y,1,0\nz,0,{cell}\n"),
            &own,
            multi,
            &message,
        );
    }
    let message = "DIR/e.csv: no column `b`; the columns are `text`, `a`";
    refused("e.csv", "text,a\nx y,1\n", &own, multi, message);
    let message = "DIR/f.csv: the header names column `a` twice";
    refused("f.csv", "text,a,a,b\nx y,1,0,0\n", &own, multi, message);
    let message = "DIR/g.jsonl line 2: label column `b` holds nothing; 0 or 1 is right";
    let lines = "{\"text\": \"x y\", \"a\": 1, \"b\": 0}\n{\"text\": \"x\", \"a\": 1}\n";
    refused("g.jsonl", lines, &own, multi, message);
}

/// A file to evaluate has the labels of the training, whichever way it writes them.
#[test]
fn the_labels_of_another_file() {
    let space = LabelSpace::Sets(vec!["a".to_owned(), "b".to_owned()]);
    let read = |name: &str, text: &str, columns: &UserColumns| {
        let path = scratch::file(&own_folder(), name, text);
        let dir = path.parent().expect("a folder").display().to_string();
        read_user(&path, columns, &space, Labels::Required)
            .map_err(|error| error.to_string().replace(&dir, "DIR"))
    };
    let (set, _) = read("a.csv", "text,b,a\nx y,1,0\n", &columns(&["b", "a"])).expect("columns");
    assert_eq!(sets(&set), [[false, true]], "the order of the labels stays");
    let lists = "{\"text\": \"x y\", \"labels\": [\"c\"]}\n";
    assert_eq!(
        read("b.jsonl", lists, &UserColumns::default()).err().as_deref(),
        Some("DIR/b.jsonl line 1: unknown label `c`; known: `a`, `b`")
    );
    for (names, listed) in [
        (&["a"][..], "`a`"),
        (&["a", "b", "c"], "`a`, `b`, `c`"),
        (&["a", "c"], "`a`, `c`"),
    ] {
        let message = format!(
            "DIR/c.csv: the label columns are {listed}, and the labels `a`, `b`; each label has one column of its name"
        );
        let got = read("c.csv", "text,a,b,c\nx y,1,0,0\n", &columns(names));
        assert_eq!(got.err(), Some(message));
    }
}
