//! `cwgnc eval`, `predict` and `inspect` of a saved model, against each other and against its files.

use super::files::tensors;
use super::{assert_close, cwgnc, demo_dev, json, json_lines, object, scratch, text, trained};
use serde_json::Value;
use std::fs;
use std::path::Path;

const DEV: [&str; 4] = [
    "--validation-file",
    "fixtures/demo/dev.tsv",
    "--max-eval-samples",
    "50",
];

fn eval(model: &Path, more: &[&str]) -> String {
    let flags = [
        "eval",
        "--quiet",
        "--max-seq-length",
        "32",
        "--model",
        text(model),
    ];
    cwgnc(&[&flags[..], &DEV, more].concat()).succeeded()
}

fn predict(more: &[&str]) -> String {
    let flags = [
        "predict",
        "--quiet",
        "--max-seq-length",
        "32",
        "--model",
        text(trained()),
    ];
    cwgnc(&[&flags[..], more].concat()).succeeded()
}

/// The dev set as a file of this kind, without labels if asked for.
fn file(dir: &Path, name: &str, header: &str, row: impl Fn(&str, &str) -> String) -> String {
    let rows = demo_dev()
        .into_iter()
        .map(|(text, label)| row(&text, &label) + "\n");
    let path = dir.join(name);
    fs::write(&path, header.to_owned() + &rows.collect::<String>()).unwrap();
    text(&path).to_owned()
}

/// The saved model scores as it did at the end of its training, to the bit, whatever the batch.
#[test]
fn eval_repeats_the_results_of_the_run() {
    let results = object(&trained().join("eval_results.json"));
    for batch in ["32", "1", "7"] {
        let printed: Value = serde_json::from_str(&eval(
            trained(),
            &["--json", "--per-device-eval-batch-size", batch],
        ))
        .unwrap();
        for key in ["eval_loss", "eval_accuracy", "eval_samples"] {
            assert_eq!(printed[key], results[key], "{key} with batches of {batch}");
        }
        assert_eq!(printed.get("epoch"), None);
    }
    let value = |name: &str| format!("{name} = {:.4}\n", results[name].as_f64().unwrap());
    let metrics: String = super::OWN_METRICS.into_iter().map(value).collect();
    assert!(eval(trained(), &[]).starts_with(&metrics));
}

/// A checkpoint is a model folder; this one is of the first epoch's end, before the last evaluation.
#[test]
fn eval_loads_a_checkpoint() {
    let (whole, half) = (
        eval(trained(), &["--json"]),
        eval(&trained().join("checkpoint-5"), &["--json"]),
    );
    let [whole, half]: [Value; 2] = [whole, half].map(|text| serde_json::from_str(&text).unwrap());
    assert_ne!(whole["eval_loss"], half["eval_loss"]);
    assert_eq!(half["eval_samples"], 50);
}

#[test]
fn eval_in_double_precision_is_near_the_single() {
    let loss = |more: &[&str]| {
        let printed: Value = serde_json::from_str(&eval(trained(), &[&["--json"], more].concat())).unwrap();
        printed["eval_loss"].as_f64().unwrap()
    };
    let (single, double) = (loss(&[]), loss(&["--dtype", "f64"]));
    assert_close(single, double, 1e-5);
    assert_ne!(single, double);
}

/// The accuracy and the loss of `eval`, worked out from what `predict` prints.
#[test]
fn predictions_give_the_metrics_of_eval() {
    let dir = scratch::folder("cli-predict-metrics");
    let unlabelled = file(&dir, "dev.tsv", "sentence\n", |text, _| text.to_owned());
    let lines = json_lines(&predict(&["--file", &unlabelled]));
    let dev = demo_dev();
    assert_eq!(lines.len(), dev.len());
    let (mut right, mut loss) = (0.0, 0.0);
    for (i, (line, (_, label))) in lines.iter().zip(&dev).enumerate() {
        assert_eq!(line["index"], i);
        let z: Vec<f64> = line["logits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|z| z.as_f64().unwrap())
            .collect();
        let sum: f64 = z.iter().map(|z| z.exp()).sum();
        let p: Vec<f64> = z.iter().map(|z| z.exp() / sum).collect();
        for (name, p) in ["acceptable", "unacceptable"].iter().zip(&p) {
            assert_close(line["probabilities"][name].as_f64().unwrap(), *p, 1e-14);
        }
        let best = usize::from(p[0] < p[1]);
        assert_eq!(line["label"], ["acceptable", "unacceptable"][best]);
        assert_close(line["probability"].as_f64().unwrap(), p[best], 1e-14);
        right += f64::from(u8::from(line["label"] == **label));
        loss -= p[usize::from(label == "unacceptable")].ln();
    }
    let results = json(&trained().join("eval_results.json"));
    assert_eq!(results["eval_accuracy"], right / 50.0);
    assert_close(results["eval_loss"].as_f64().unwrap(), loss / 50.0, 1e-12);
}

/// The same texts in any kind of file, labelled or not, under any name, one by one or together.
#[test]
fn every_way_in_predicts_the_same() {
    let dir = scratch::folder("cli-predict-files");
    let expected = predict(&[
        "--file",
        &file(&dir, "a.tsv", "sentence\tlabel\n", |t, l| format!("{t}\t{l}")),
    ]);
    let csv = file(&dir, "b.csv", "id,\"the text\"\n", |t, l| format!("{l},\"{t}\""));
    assert_eq!(predict(&["--file", &csv, "--text-column", "the text"]), expected);
    let jsonl = file(&dir, "c.jsonl", "", |t, _| {
        serde_json::json!({ "sentence": t }).to_string()
    });
    assert_eq!(predict(&["--file", &jsonl]), expected);
    let labelled = file(&dir, "d.csv", "gold,sentence\n", |t, l| format!("{l},{t}"));
    assert_eq!(
        predict(&["--file", &labelled, "--label-column", "gold"]),
        expected
    );
    let first = predict(&["--text", &demo_dev()[0].0]);
    assert_eq!(expected.lines().next(), first.lines().next());
    assert_eq!(first.lines().count(), 1);
}

/// A second text is another input, in a file as on the command line.
#[test]
fn pairs() {
    let dir = scratch::folder("cli-predict-pairs");
    let path = dir.join("pairs.jsonl");
    fs::write(&path, "{\"a\": \"the dogs sleep\", \"b\": \"the dog sings\"}\n").unwrap();
    let pair = predict(&["--text", "the dogs sleep", "--text-pair", "the dog sings"]);
    let file = [
        "--file",
        text(&path),
        "--text-column",
        "a",
        "--text-pair-column",
        "b",
    ];
    assert_eq!(predict(&file), pair);
    assert_ne!(predict(&["--text", "the dogs sleep"]), pair);
}

#[test]
fn a_table_and_a_file() {
    let dir = scratch::folder("cli-predict-output");
    let texts = file(&dir, "texts.tsv", "sentence\n", |t, _| t.to_owned());
    let lines = predict(&["--file", &texts]);
    let path = dir.join("out.jsonl");
    assert_eq!(predict(&["--file", &texts, "--output", text(&path)]), "");
    assert_eq!(fs::read_to_string(&path).unwrap(), lines);
    assert_eq!(super::listing(&dir), ["out.jsonl", "texts.tsv"]);

    let table = predict(&["--file", &texts, "--format", "table"]);
    let mut rows = table.lines();
    assert_eq!(
        rows.next(),
        Some("index  label         p(acceptable)  p(unacceptable)")
    );
    for (row, line) in rows.by_ref().zip(json_lines(&lines)) {
        let p = |name: &str| format!("{:.4}", line["probabilities"][name].as_f64().unwrap());
        let cells: Vec<&str> = row.split_whitespace().collect();
        let (index, label) = (line["index"].to_string(), line["label"].as_str().unwrap());
        assert_eq!(cells, [&index, label, &p("acceptable"), &p("unacceptable")]);
    }
    assert_eq!((table.lines().count(), rows.next()), (51, None));
}

/// Names, shapes and norms of the file, worked out from its bytes.
#[test]
fn inspect_shows_the_components_of_the_file() {
    let shown: Value =
        serde_json::from_str(&cwgnc(&["inspect", "fixtures/demo/model", "--json"]).succeeded()).unwrap();
    let saved = tensors(&scratch::fixture("demo/model/model.safetensors"));
    let components = shown["components"].as_array().unwrap();
    let (there, fresh): (Vec<&Value>, Vec<&Value>) = components.iter().partition(|c| !c["norm"].is_null());
    assert_eq!((there.len(), saved.len()), (37, 37));
    for component in there {
        let tensor = saved.iter().find(|t| component["name"] == *t.name).unwrap();
        assert_eq!(component["shape"], serde_json::json!(tensor.shape));
        assert_eq!(component["elements"], tensor.values().len());
        let norm = component["norm"].as_f64().unwrap();
        assert!((norm - tensor.norm()).abs() <= 1e-14 * norm, "{}", tensor.name);
    }
    let fresh: Vec<&Value> = fresh.into_iter().map(|c| &c["name"]).collect();
    let head = [
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    ];
    assert_eq!(fresh, head);
    assert_eq!(shown["to_initialise"], serde_json::json!(head));
    // The pooler: 64 · 64 + 64; the classifier of two labels: 2 · 64 + 2.
    let encoder: usize = saved.iter().map(|t| t.values().len()).sum();
    assert_eq!(shown["elements"], encoder + 64 * 64 + 64 + 2 * 64 + 2);
    for (key, value) in json(&scratch::fixture("demo/model/config.json"))
        .as_object()
        .unwrap()
    {
        if let Some(shown) = shown.get(key) {
            assert_eq!(shown, value, "{key}");
        }
    }
}

#[test]
fn inspect_prints_a_table() {
    let printed = cwgnc(&["inspect", text(trained())]).succeeded();
    let mut lines = printed.lines();
    assert_eq!(
        lines.next().unwrap(),
        "bert: 2 layers, hidden 64, 2 heads, feed-forward 128, Gelu, vocabulary 35, 32 positions, labels acceptable, \
         unacceptable"
    );
    assert!(!printed.contains("to be initialised"));
    for tensor in tensors(&trained().join("model.safetensors")) {
        let row = printed
            .lines()
            .find(|line| line.split(' ').next() == Some(&tensor.name))
            .unwrap();
        let norm = row.split_whitespace().last().unwrap();
        assert_eq!(norm, format!("{:.4}", tensor.norm()), "{}", tensor.name);
    }
    assert!(lines.next_back().unwrap().starts_with("41 components "));
    let untrained = cwgnc(&["inspect", "fixtures/demo/model"]).succeeded();
    assert!(untrained.contains(
        "\nclassifier.weight                                       [2, 64]    128       to be initialised\n"
    ));
}
