//! The task table and what the readers make of well-formed files.

use std::path::Path;

use cwgnc::data::{
    Columns, Dataset, Example, FoundColumns, LabelSpace, Labels, Metric, Outcome, TASKS, Task, TextColumns,
    UserColumns, read_glue, read_user, read_user_train,
};
use cwgnc::model::Problem;
use cwgnc::model::Target;

use crate::scratch;

fn example(text_a: &str, text_b: Option<&str>, target: Option<Target>) -> Example {
    Example {
        words: Vec::new(),
        text_a: text_a.to_owned(),
        text_b: text_b.map(str::to_owned),
        target,
    }
}

fn class_names(space: &LabelSpace) -> Vec<&str> {
    match space {
        LabelSpace::Classes(names) | LabelSpace::Sets(names) | LabelSpace::Tags(names) => {
            names.iter().map(String::as_str).collect()
        }
        LabelSpace::Values => vec![],
    }
}

fn train(path: &Path, problem: Option<Problem>) -> (Dataset, FoundColumns) {
    read_user_train(path, &UserColumns::default(), problem).expect("a well-formed file")
}

/// Label orders and metrics as the Hugging Face data set `glue` and its metric have them; columns as the files do.
#[test]
fn the_table_of_tasks() {
    let rows: Vec<(&str, Vec<&str>, &[Metric])> = TASKS
        .iter()
        .map(|task| {
            let names = match task.outcome {
                Outcome::Classes(labels) => labels.iter().map(|label| label.name).collect(),
                Outcome::Value => vec![],
            };
            (task.key, names, task.metrics)
        })
        .collect();
    let entailment = vec!["entailment", "not_entailment"];
    let f1: &[Metric] = &[Metric::Accuracy, Metric::F1];
    let expected: Vec<(&str, Vec<&str>, &[Metric])> = vec![
        ("cola", vec!["unacceptable", "acceptable"], &[Metric::Matthews]),
        ("sst2", vec!["negative", "positive"], &[Metric::Accuracy]),
        ("mrpc", vec!["not_equivalent", "equivalent"], f1),
        ("stsb", vec![], &[Metric::Pearson, Metric::Spearman]),
        ("qqp", vec!["not_duplicate", "duplicate"], f1),
        (
            "mnli",
            vec!["entailment", "neutral", "contradiction"],
            &[Metric::Accuracy],
        ),
        ("qnli", entailment.clone(), &[Metric::Accuracy]),
        ("rte", entailment, &[Metric::Accuracy]),
        ("wnli", vec!["not_entailment", "entailment"], &[Metric::Accuracy]),
    ];
    assert_eq!(rows, expected);
    for task in &TASKS {
        assert_eq!(task.train_file, "train.tsv");
        let files: Vec<_> = task.dev_files.iter().map(|dev| (dev.name, dev.suffix)).collect();
        match task.key {
            "mnli" => assert_eq!(files, [("dev_matched.tsv", ""), ("dev_mismatched.tsv", "_mm")]),
            _ => assert_eq!(files, [("dev.tsv", "")]),
        }
        assert_eq!(
            task.label_space().problem() == Problem::Regression,
            task.key == "stsb"
        );
    }
}

#[test]
fn task_names_are_read_as_people_write_them() {
    for (written, key) in [
        ("rte", "rte"),
        ("RTE", "rte"),
        ("STS-B", "stsb"),
        ("sts_b", "stsb"),
        ("SST-2", "sst2"),
        ("CoLA", "cola"),
    ] {
        assert_eq!(Task::parse(written).expect(written).key, key);
    }
    for task in &TASKS {
        assert_eq!(Task::parse(task.key).expect("its own key"), task);
    }
}

/// One line of every task in its own layout, with labels of both kinds of text.
#[test]
fn a_file_of_every_task() {
    let files = [
        ("cola", "gj04\t1\t\tA \"cat\" sat.\ngj04\t0\t*\tCat a.", 1, 0),
        ("sst2", "sentence\tlabel\nA \"cat\" sat. \t1\nno \t0\n", 1, 0),
        (
            "mrpc",
            "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tA\tB\n0\t3\t4\tC\tD\n",
            1,
            0,
        ),
        (
            "qqp",
            "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t1\t2\tA\tB\t1\n1\t1\t2\tA\tB\t0\n",
            1,
            0,
        ),
        (
            "mnli",
            "index\tsentence1\tlabel1\tsentence2\tgold_label\n0\tA\tx\tB\tcontradiction\n0\tA\tx\tB\tneutral\n",
            2,
            1,
        ),
        (
            "qnli",
            "index\tquestion\tsentence\tlabel\n0\tA\tB\tnot_entailment\n0\tA\tB\tentailment\n",
            1,
            0,
        ),
        (
            "rte",
            "index\tsentence1\tsentence2\tlabel\r\n0\tA\tB\tnot_entailment\r\n0\tA\tB\tentailment",
            1,
            0,
        ),
        (
            "wnli",
            "index\tsentence1\tsentence2\tlabel\n0\tA\tB\t1\n0\tA\tB\t0\n",
            1,
            0,
        ),
    ];
    for (key, text, first, second) in files {
        let path = scratch::file(&format!("every_task_{key}"), "train.tsv", text);
        let task = Task::parse(key).expect("a task");
        let set = read_glue(
            path.parent().expect("a folder"),
            task,
            "train.tsv",
            Labels::Required,
        )
        .expect(key);
        assert_eq!(set.labels, task.label_space());
        let classes = [Target::Class(first), Target::Class(second)];
        assert_eq!(set.targets().as_deref(), Some(&classes[..]), "{key}");
        let (text_a, text_b) = match key {
            "cola" => ("A \"cat\" sat.", None),
            "sst2" => ("A \"cat\" sat. ", None),
            _ => ("A", Some("B")),
        };
        assert_eq!(
            set.examples[0],
            example(text_a, text_b, Some(classes[0].clone())),
            "{key}"
        );
    }
}

#[test]
fn a_file_of_scores() {
    let header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore";
    let path = scratch::file(
        "every_task_stsb",
        "dev.tsv",
        format!("{header}\n0\tg\tf\ty\to\tn\tn\tA\tB\t4.750\n"),
    );
    let task = Task::parse("stsb").expect("a task");
    let set = read_glue(
        path.parent().expect("a folder"),
        task,
        "dev.tsv",
        Labels::Required,
    )
    .expect("stsb");
    assert_eq!(set.examples, [example("A", Some("B"), Some(Target::Value(4.75)))]);
    assert_eq!(set.labels.output_names(), ["LABEL_0"]);
}

#[test]
fn a_test_file_without_labels_is_read_to_predict() {
    let path = scratch::file(
        "glue_test_file",
        "test.tsv",
        "index\tsentence1\tsentence2\n0\tA\t\n",
    );
    let task = Task::parse("rte").expect("a task");
    let folder = path.parent().expect("a folder");
    let set = read_glue(folder, task, "test.tsv", Labels::Optional).expect("labels are optional");
    assert_eq!(set.examples, [example("A", Some(""), None)]);
    assert_eq!(set.targets(), None);
}

#[test]
fn qqp_drops_incomplete_lines_and_counts_them() {
    let task = Task::parse("qqp").expect("a task");
    assert!(matches!(task.columns, Columns::Named { .. }));
    let text = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tA\n\"B\t0\n1\t2\t3\tC\tD\t1\n";
    let path = scratch::file("qqp_incomplete", "train.tsv", text);
    let folder = path.parent().expect("a folder");
    let set = read_glue(folder, task, "train.tsv", Labels::Required).expect("incomplete lines are dropped");
    assert_eq!(set.skipped_lines, 2);
    assert_eq!(set.examples, [example("C", Some("D"), Some(Target::Class(1)))]);
}

/// A pair by its names, in the pair's order; else the only column that can be text.
#[test]
fn texts_are_found_where_nothing_else_can_be_meant() {
    let two = |a: &str, b: &str| TextColumns::Two(a.to_owned(), b.to_owned());
    for (index, (header, expected)) in [
        ("id\tsentence2\tlabel\tsentence1", two("sentence1", "sentence2")),
        ("premise\tlabel\thypothesis\tnote", two("premise", "hypothesis")),
        ("label\ttext", TextColumns::One("text".to_owned())),
        (
            "Unnamed: 0\tSentence\tQuestion\tlabel",
            two("Question", "Sentence"),
        ),
        ("idx\tdate\tlabel\treview", TextColumns::One("review".to_owned())),
        ("\ttext\tlabel", TextColumns::One("text".to_owned())),
        (
            "index\t#1 ID\t#2 ID\t#1 String\t#2 String\tlabel",
            two("#1 String", "#2 String"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let row = |label: &str| {
            let cells: Vec<&str> = header
                .split('\t')
                .map(|name| if name == "label" { label } else { name })
                .map(|cell| if cell.is_empty() { "17" } else { cell })
                .collect();
            cells.join("\t")
        };
        let text = format!("{header}\n{}\n{}\n", row("x"), row("y"));
        let path = scratch::file(&format!("detect_{index}"), "train.tsv", text);
        let (set, columns) = train(&path, None);
        assert_eq!(columns.texts(), expected);
        let (a, b) = match &expected {
            TextColumns::Two(a, b) => (a, Some(b.as_str())),
            TextColumns::One(a) => (a, None),
            TextColumns::Detect => unreachable!("the columns are found"),
        };
        assert_eq!(set.examples[0], example(a, b, Some(Target::Class(0))));
    }
}

#[test]
fn named_columns_win_and_one_column_may_serve_twice() {
    let path = scratch::file(
        "named_columns",
        "train.csv",
        "id,sentence1,sentence2,grade\n1,a,\"b, \"\"c\"\"\",x\n2,c,d,y\n",
    );
    let columns = |texts| UserColumns {
        texts,
        label: "grade".to_owned(),
        ..UserColumns::default()
    };
    let one = columns(TextColumns::One("sentence2".to_owned()));
    let (set, found) = read_user_train(&path, &one, None).expect("well-formed");
    assert_eq!(found.texts(), one.texts);
    assert_eq!(found.label.as_deref(), Some("grade"));
    assert_eq!(found.others, ["id", "sentence1"]);
    assert_eq!(set.examples[0], example("b, \"c\"", None, Some(Target::Class(0))));
    let twice = columns(TextColumns::Two("sentence1".to_owned(), "sentence1".to_owned()));
    let (set, _) = read_user_train(&path, &twice, None).expect("well-formed");
    assert_eq!(set.examples[1], example("c", Some("c"), Some(Target::Class(1))));
}

#[test]
fn classes_are_sorted_by_value_or_by_character_and_serve_the_other_files() {
    let numbers = scratch::file(
        "labels_numbers",
        "train.tsv",
        "text\tlabel\na\t10\nb\t9\nc\t-1\nd\t10\n",
    );
    let (set, columns) = train(&numbers, None);
    assert_eq!(class_names(&set.labels), ["-1", "9", "10"]);
    let words = scratch::file(
        "labels_words",
        "train.tsv",
        "text\tlabel\na\t10\nb\t9\nc\tb\nd\tB\n",
    );
    let words = train(&words, Some(Problem::Classification)).0;
    assert_eq!(class_names(&words.labels), ["10", "9", "B", "b"]);
    let dev = scratch::file("labels_dev", "dev.jsonl", "{\"label\": 9, \"text\": \"q\"}\n");
    let columns = UserColumns {
        texts: columns.texts(),
        ..UserColumns::default()
    };
    let (dev, _) = read_user(&dev, &columns, &set.labels, Labels::Required).expect("a known label");
    assert_eq!(dev.examples, [example("q", None, Some(Target::Class(1)))]);
}

/// Floating point means regression, as a column of pandas or Arrow would be; the caller may say otherwise.
#[test]
fn the_kind_of_problem_follows_from_the_labels() {
    let kind = |name: &str, labels: [&str; 3], problem| {
        let text = format!(
            "text\tlabel\na\t{}\nb\t{}\nc\t{}\n",
            labels[0], labels[1], labels[2]
        );
        train(&scratch::file(name, "train.tsv", text), problem).0
    };
    for (name, labels, expected) in [
        ("kind_integers", ["0", "1", "2"], Problem::Classification),
        ("kind_floats", ["0.5", "1", "2"], Problem::Regression),
        ("kind_exponents", ["0.0", "1.5", "2e0"], Problem::Regression),
        ("kind_words", ["low", "none", "high"], Problem::Classification),
    ] {
        assert_eq!(kind(name, labels, None).labels.problem(), expected, "{name}");
    }
    let set = kind("kind_asked", ["0", "1", "2"], Some(Problem::Regression));
    let values = [0.0, 1.0, 2.0].map(Target::Value);
    assert_eq!(set.targets().as_deref(), Some(&values[..]));
    let set = kind(
        "kind_asked_classes",
        ["0.5", "1", "2"],
        Some(Problem::Classification),
    );
    assert_eq!(class_names(&set.labels), ["0.5", "1", "2"]);
}

#[test]
fn json_labels_are_text_numbers_or_truth_values() {
    let lines = "\u{feff}{\"text\": \"a\\n\\u00e9\", \"label\": true}\n\n{\"label\": 1.0, \"text\": \"\"}\r\n{\"text\": \"\", \"label\": \"x\"}";
    let path = scratch::file("json_labels", "train.json", lines);
    let (set, _) = train(&path, Some(Problem::Classification));
    assert_eq!(class_names(&set.labels), ["1.0", "true", "x"]);
    assert_eq!(set.examples[0], example("a\né", None, Some(Target::Class(1))));
    assert_eq!(set.examples[1], example("", None, Some(Target::Class(0))));
}

#[test]
fn labels_may_be_missing_where_they_are_optional() {
    let columns = UserColumns::default();
    let space = LabelSpace::Classes(vec!["n".to_owned(), "y".to_owned()]);
    for (name, text) in [
        ("p.tsv", "text\tlabel\na\ty\nb\t\n"),
        ("p.csv", "text,label\na,\"y\"\nb,\"\"\n"),
        (
            "p.jsonl",
            "{\"text\": \"a\", \"label\": \"y\"}\n{\"text\": \"b\", \"label\": null}\n",
        ),
        (
            "q.jsonl",
            "{\"text\": \"a\", \"label\": \"y\"}\n{\"text\": \"b\"}\n",
        ),
    ] {
        let path = scratch::file(&format!("optional_{name}"), name, text);
        let (set, _) = read_user(&path, &columns, &space, Labels::Optional).expect(name);
        let expected = [
            example("a", None, Some(Target::Class(1))),
            example("b", None, None),
        ];
        assert_eq!(set.examples, expected, "{name}");
        assert_eq!(set.targets(), None);
    }
}
