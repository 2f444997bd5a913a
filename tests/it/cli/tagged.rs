//! A tag for each word, from the files to the predictions.

use super::{DEMO_MODEL, assert_close, cwgnc, finetune, json, json_lines, object, ran, scratch, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const TAGS: [&str; 3] = ["B-W", "I-W", "O"];

/// The demo's sentences in words; the tag of a word follows from its place: two words of an entity, then one of none.
fn rows() -> Vec<(Vec<String>, Vec<&'static str>)> {
    let file = fs::read_to_string(scratch::fixture("demo/train.tsv")).unwrap();
    let rows = file.lines().skip(1).take(30).map(|line| {
        let sentence = line.split('\t').next().unwrap();
        let words: Vec<String> = sentence.split_whitespace().map(str::to_owned).collect();
        let tags = (0..words.len()).map(|place| TAGS[place % 3]).collect();
        (words, tags)
    });
    rows.collect()
}

fn lists(dir: &Path) -> PathBuf {
    let line = |(words, tags): (Vec<String>, Vec<&str>)| {
        json!({"tokens": words, "ner_tags": tags, "note": "-"}).to_string() + "\n"
    };
    let path = dir.join("lists.jsonl");
    fs::write(&path, rows().into_iter().map(line).collect::<String>()).unwrap();
    path
}

fn conll(dir: &Path) -> PathBuf {
    let mut lines = Vec::new();
    for (words, tags) in rows() {
        lines.extend(
            words
                .iter()
                .zip(tags)
                .map(|(word, tag)| format!("{word} {tag}\n")),
        );
        lines.push("\n".to_owned());
    }
    let path = dir.join("words.conll");
    fs::write(&path, lines.concat()).unwrap();
    path
}

fn files(file: &Path) -> [&str; 6] {
    [
        "--train-file",
        text(file),
        "--validation-file",
        text(file),
        "--max-steps",
        "15",
    ]
}

/// Entities of tags that begin with B: begin, end.
fn entities(tags: &[&str]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (place, tag) in tags.iter().enumerate() {
        let before = place.checked_sub(1).map_or("O", |before| tags[before]);
        match *tag {
            "O" => {}
            "I-W" if before != "O" => found.last_mut().unwrap().1 = place,
            _ => found.push((place, place)),
        }
    }
    found
}

/// Both kinds of files train the same model; its results are those of its predictions, worked out here.
#[test]
fn from_files_to_predictions() {
    let dir = scratch::folder("cli-tagged");
    let (lists, conll) = (lists(&dir), conll(&dir));
    let (a, b) = (dir.join("a"), dir.join("b"));
    let printed = ran(finetune(&a, &[DEMO_MODEL, &files(&lists)].concat())).succeeded();
    ran(finetune(&b, &[DEMO_MODEL, &files(&conll)].concat())).succeeded();
    let weights = |run: &Path| fs::read(run.join("model.safetensors")).unwrap();
    assert!(weights(&a) == weights(&b), "the same words, the same bits");
    let config = json(&a.join("config.json"));
    assert_eq!(config["architectures"], json!(["BertForTokenClassification"]));
    assert_eq!(config["id2label"], json!({"0": "B-W", "1": "I-W", "2": "O"}));
    assert_eq!(config.get("problem_type"), None);

    let flags = ["predict", "--quiet", "--model", text(&a), "--file", text(&lists)];
    let lines = json_lines(&cwgnc(&flags).succeeded());
    let (mut loss, mut right, mut n, mut found) = (0.0, 0.0, 0.0, [0.0; 3]);
    for (line, (words, there)) in lines.iter().zip(rows()) {
        assert_eq!(line["tokens"], json!(words));
        let said: Vec<&str> = line["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| tag.as_str().unwrap())
            .collect();
        assert_eq!(said.len(), words.len());
        for (k, tag) in there.iter().enumerate() {
            let z: Vec<f64> = serde_json::from_value(line["logits"][k].clone()).unwrap();
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            let place = |tag: &str| TAGS.iter().position(|known| *known == tag).unwrap();
            loss -= (z[place(tag)].exp() / sum).ln();
            let p = line["probabilities"][k].as_f64().unwrap();
            assert_close(p, z[place(said[k])].exp() / sum, 1e-12);
            assert!(z.iter().all(|other| *other <= z[place(said[k])]));
            right += f64::from(said[k] == *tag);
            n += 1.0;
        }
        let (said, there) = (entities(&said), entities(&there));
        found[0] += said.iter().filter(|entity| there.contains(entity)).count() as f64;
        found[1] += said.len() as f64;
        found[2] += there.len() as f64;
    }
    let results = object(&a.join("eval_results.json"));
    let number = |name: &str| results[name].as_f64().unwrap();
    assert_close(number("eval_loss"), loss / n, 1e-6);
    assert_close(number("eval_accuracy"), right / n, 1e-12);
    let [both, said, there] = found;
    assert!(both > 0.0, "something was found");
    assert_close(number("eval_precision"), both / said, 1e-12);
    assert_close(number("eval_recall"), both / there, 1e-12);
    assert_close(number("eval_f1"), 2.0 * both / (said + there), 1e-12);
    assert_eq!(results["eval_per_class"][0]["label"], "W");
    assert_eq!(results["eval_per_class"][0]["support"].as_f64().unwrap(), there);
    assert!(
        printed.contains("\neval_f1 = ") && printed.contains("\nW  "),
        "{printed}"
    );

    let eval = |file: &Path| {
        cwgnc(&[
            "eval",
            "--quiet",
            "--model",
            text(&a),
            "--validation-file",
            text(file),
        ])
        .succeeded()
    };
    assert_eq!(eval(&lists), eval(&conll));
    // As transformers writes the folder, without cwgnc.json.
    fs::remove_file(a.join("cwgnc.json")).unwrap();
    let bare = cwgnc(&[
        "eval",
        "--quiet",
        "--max-seq-length",
        "32",
        "--model",
        text(&a),
        "--validation-file",
        text(&lists),
    ]);
    assert_eq!(bare.succeeded(), eval(&conll));
}

/// Words that are cut off have no tag: training says how many, predictions have null, and no result counts them.
#[test]
fn words_that_are_cut_off() {
    let dir = scratch::folder("cli-tagged-cut");
    let (lists, run) = (lists(&dir), dir.join("run"));
    let words: usize = rows().iter().map(|(words, _)| words.len()).sum();
    // Three tokens stay beside the special ones.
    let flags = [
        "finetune",
        "--quiet",
        "--model",
        "fixtures/demo/model",
        "--max-seq-length",
        "5",
        "--output",
        text(&run),
    ];
    cwgnc(&[&flags[..], &files(&lists)].concat()).succeeded();
    let understood = &json(&run.join("run.json"))["understood"];
    let file = &understood["files"][0];
    assert_eq!(file["words"], words);
    let flags = [
        "predict",
        "--model",
        text(&run),
        "--file",
        text(&lists),
        "--keep-columns",
    ];
    let predicted = cwgnc(&flags);
    let lost = file["tags_lost"].as_u64().unwrap();
    assert!(lost > 0);
    let said = format!("warning: {lost} of {words} words have no tag (null)");
    assert!(predicted.stderr.contains(&said), "{}", predicted.stderr);
    let lines = json_lines(&predicted.succeeded());
    let nulls = |line: &Value| {
        line["predicted_tags"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|tag| tag.is_null())
            .count()
    };
    assert_eq!(lines.iter().map(nulls).sum::<usize>() as u64, lost);
    assert_eq!(lines[0]["note"], "-");
    assert_eq!(
        lines[0]["predicted_tags"].as_array().unwrap().len(),
        lines[0]["tokens"].as_array().unwrap().len()
    );
    let text_of_one = cwgnc(&[
        "predict",
        "--quiet",
        "--model",
        text(&run),
        "--text",
        "one two three four five",
    ]);
    let line = &json_lines(&text_of_one.succeeded())[0];
    assert_eq!(line["tokens"], json!(["one", "two", "three", "four", "five"]));
    assert!(line["tags"][4].is_null() && !line["tags"][0].is_null(), "{line}");
}

/// What makes no sense with a tag for each word is refused by name.
#[test]
fn refused() {
    let dir = scratch::folder("cli-tagged-refused");
    let (lists, run) = (lists(&dir), dir.join("run"));
    for flag in ["--class-weights=balanced", "--label-smoothing-factor=0.1"] {
        let name = flag.split('=').next().unwrap();
        let message = format!(
            "{name} is for classes of whole texts; with a tag for each word (from `ner_tags`) the loss is the plain \
             cross-entropy"
        );
        ran(finetune(&run, &[DEMO_MODEL, &files(&lists), &[flag]].concat())).refused(&dir, 2, &message);
    }
    let message = "--reinit-pooler: a model with a tag for each word has no pooler; its head is fresh unless the model folder \
                   has one";
    ran(finetune(
        &run,
        &[DEMO_MODEL, &files(&lists), &["--reinit-pooler"]].concat(),
    ))
    .refused(&dir, 2, message);
    let pair = [
        "--text-column",
        "tokens",
        "--text-pair-column",
        "note",
        "--problem-type",
        "token-classification",
    ];
    let message = "DIR/lists.jsonl: token classification reads a list of words and one of tags a row (.jsonl, .json: `tokens` \
                   and `ner_tags`), or a word and its tag a line (.conll)";
    ran(finetune(&run, &[DEMO_MODEL, &files(&lists), &pair].concat())).refused(&dir, 1, message);
    assert!(!run.exists());

    ran(finetune(&run, &[DEMO_MODEL, &files(&lists)].concat())).succeeded();
    let message = "this model predicts a tag for each word: --format jsonl is right, with a list of tags for each sentence; \
                   csv, tsv and table have one row a text";
    for format in ["csv", "tsv", "table"] {
        let flags = [
            "predict",
            "--model",
            text(&run),
            "--text",
            "a b",
            "--format",
            format,
        ];
        cwgnc(&flags).refused(&dir, 2, message);
    }
    let message =
        "--text-pair cannot be used with a model that predicts a tag for each word: it reads one sentence";
    let flags = [
        "predict",
        "--model",
        text(&run),
        "--text",
        "a b",
        "--text-pair",
        "c",
    ];
    cwgnc(&flags).refused(&dir, 2, message);
    let task = cwgnc(&["eval", "--model", text(&run), "--task", "builtin:entailment"]);
    assert_eq!(task.code, Some(2));
    // A head on every token is no head of texts.
    let ones = dir.join("ones.jsonl");
    let line = |(i, (words, _)): (usize, (Vec<String>, Vec<&str>))| {
        json!({"text": words.join(" "), "label": TAGS[i % 3]}).to_string() + "\n"
    };
    fs::write(
        &ones,
        rows().into_iter().enumerate().map(line).collect::<String>(),
    )
    .unwrap();
    let message = "the head of DIR/run is one of token-classification, and the data are classification; --fresh-head begins \
                   with a new head on the same encoder";
    let again = dir.join("again");
    let model = ["--model", text(&run)];
    ran(finetune(&again, &[&model, &files(&ones)[..]].concat())).refused(&dir, 2, message);
    ran(finetune(
        &again,
        &[&model, &files(&ones)[..], &["--fresh-head"]].concat(),
    ))
    .succeeded();
}

/// A trained model is trained on with its head, and a study compares F1.
#[test]
fn further_training() {
    let dir = scratch::folder("cli-tagged-further");
    let lists = lists(&dir);
    let whole = dir.join("whole");
    let epochs = [
        "--train-file",
        text(&lists),
        "--validation-file",
        text(&lists),
        "--num-train-epochs",
        "2",
    ];
    ran(finetune(&whole, &[DEMO_MODEL, &epochs].concat())).succeeded();
    let further = dir.join("further");
    let more = [&["--model", text(&whole)], &epochs[..]].concat();
    ran(finetune(&further, &more)).succeeded();
    assert_eq!(
        json(&further.join("run.json"))["understood"]["head"],
        json!({"state": "kept"})
    );
    let out = dir.join("study");
    let flags = [
        "study",
        "--model",
        "fixtures/demo/model",
        "--conditions",
        "none,component:0.05",
        "--seeds",
        "1",
        "--output",
        text(&out),
        "--",
        "--train-file",
        text(&lists),
        "--validation-file",
        text(&lists),
        "--max-seq-length",
        "32",
        "--num-train-epochs",
        "1",
    ];
    let ended = cwgnc(&flags);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("f1"), "{}", ended.stdout);
}
