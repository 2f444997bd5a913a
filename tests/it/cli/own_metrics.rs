//! The metrics of files of one's own: all of them, worked out from what `predict` says; which one decides; and studies.

use super::{
    DEMO_DATA, DEMO_MODEL, assert_close, cwgnc, demo, demo_dev, finetune, json, json_lines, object, ran,
    scratch, steps_and_evaluations, text, trained,
};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Pairs of true and predicted class of a model on a file of its labels.
fn pairs(model: &Path, file: &str, labels: &[&str]) -> Vec<(usize, usize)> {
    let flags = ["predict", "--quiet", "--file", file, "--model", text(model)];
    let more = ["--format", "jsonl", "--keep-columns", "--max-seq-length", "32"];
    let lines = json_lines(&cwgnc(&[&flags[..], &more].concat()).succeeded());
    let class = |label: &Value| labels.iter().position(|known| label == known).unwrap();
    lines
        .iter()
        .map(|line| (class(&line["label"]), class(&line["predicted_label"])))
        .collect()
}

/// Precision, recall, F1 and support of each class, each from its own count.
fn table(pairs: &[(usize, usize)], classes: usize) -> Vec<[f64; 4]> {
    let count = |of: &dyn Fn(usize, usize) -> bool| pairs.iter().filter(|&&(t, p)| of(t, p)).count() as f64;
    let share = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { part / whole };
    let row = |class: usize| {
        let both = count(&|t, p| t == class && p == class);
        let (there, said) = (count(&|t, _| t == class), count(&|_, p| p == class));
        let (precision, recall) = (share(both, said), share(both, there));
        let f1 = share(2.0 * precision * recall, precision + recall);
        [precision, recall, f1, there]
    };
    (0..classes).map(row).collect()
}

/// Every number of the results against what `predict` says.
fn check(results: &Value, pairs: &[(usize, usize)], labels: &[&str]) {
    let classes = labels.len();
    let number = |name: &str| results[name].as_f64().unwrap();
    let rows = table(pairs, classes);
    let n = pairs.len() as f64;
    let there = |class: &usize| pairs.iter().any(|pair| pair.0 == *class || pair.1 == *class);
    let occurring: Vec<usize> = (0..classes).filter(there).collect();
    let macro_f1 = occurring.iter().map(|&class| rows[class][2]).sum::<f64>() / occurring.len() as f64;
    let weighted = rows.iter().map(|row| row[2] * row[3]).sum::<f64>() / n;
    assert_close(number("eval_f1_macro"), macro_f1, 1e-12);
    assert_close(number("eval_f1_weighted"), weighted, 1e-12);
    let right = pairs.iter().filter(|pair| pair.0 == pair.1).count() as f64;
    assert_eq!(results["eval_accuracy"], right / n);
    for (class, row) in rows.iter().enumerate() {
        let found = &results["eval_per_class"][class];
        assert_eq!(found["label"], labels[class]);
        for (name, expected) in ["precision", "recall", "f1"].into_iter().zip(row) {
            assert!(
                (found[name].as_f64().unwrap() - expected).abs() < 1e-12,
                "{name} of {class}"
            );
        }
        assert_eq!(found["support"].as_f64().unwrap(), row[3]);
        for other in 0..classes {
            let count = pairs.iter().filter(|pair| **pair == (class, other)).count();
            assert_eq!(results["eval_confusion_matrix"][class][other], count);
        }
    }
    assert_eq!(results.get("eval_combined_score"), None);
    if classes == 2 {
        assert_close(number("eval_f1"), rows[1][2], 1e-12);
    } else {
        assert_eq!(results.get("eval_f1"), None);
    }
}

/// The first `count` rows of the demo's dev set as a file.
fn dev(dir: &Path, count: usize) -> String {
    let rows = demo_dev().into_iter().take(count);
    let rows: Vec<String> = rows.map(|(text, label)| format!("{text}\t{label}\n")).collect();
    let path = dir.join("dev.tsv");
    fs::write(&path, format!("sentence\tlabel\n{}", rows.concat())).unwrap();
    text(&path).to_owned()
}

/// Class 1 of two, the positive one, is the second in the order of labels: `unacceptable`.
#[test]
fn of_two_classes() {
    let dir = scratch::folder("own-metrics-two");
    let file = dev(&dir, 50);
    let labels = ["acceptable", "unacceptable"];
    let pairs = pairs(trained(), &file, &labels);
    check(&json(&trained().join("eval_results.json")), &pairs, &labels);
    check(&json(&trained().join("all_results.json")), &pairs, &labels);
    let eval = [
        "eval",
        "--quiet",
        "--model",
        text(trained()),
        "--validation-file",
        &file,
    ];
    let printed = cwgnc(&eval).succeeded();
    let tables: Vec<&str> = printed.lines().skip(super::OWN_METRICS.len()).collect();
    let count = |t: usize, p: usize| pairs.iter().filter(|pair| **pair == (t, p)).count().to_string();
    assert_eq!(tables[0], "");
    assert_eq!(tables[1], "class         precision  recall  f1      support");
    let shares: Vec<String> = table(&pairs, 2)[0][..3]
        .iter()
        .map(|x| format!("{x:.4}"))
        .collect();
    let cells: Vec<&str> = tables[2].split_whitespace().collect();
    assert_eq!(cells[..4], ["acceptable", &shares[0], &shares[1], &shares[2]]);
    assert_eq!(tables[5], "true \\ predicted  acceptable  unacceptable");
    for (class, line) in tables[6..].iter().enumerate() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells, [labels[class], &count(class, 0), &count(class, 1)]);
    }
    assert_eq!(tables.len(), 8);
    // Of the task's metrics there are those alone that it has.
    let task = [
        "--task",
        "builtin:acceptability",
        "--max-eval-samples",
        "9",
        "--json",
    ];
    let printed = cwgnc(&[&["eval", "--quiet", "--model", text(trained())], &task[..]].concat());
    assert!(!printed.stdout.contains("per_class") && !printed.stdout.contains("f1"));
}

/// Three classes, of which the file to evaluate on has two; a finished run prints the same again.
#[test]
fn of_three_classes() {
    let dir = scratch::folder("own-metrics-three");
    let labels = ["a\u{1b}[31m", "b", "c"];
    let rows = |classes: usize| -> String {
        let rows = demo_dev().into_iter().enumerate();
        rows.map(|(i, (text, _))| json!({"sentence": text, "label": labels[i % classes]}).to_string() + "\n")
            .collect()
    };
    let [train, dev] = ["train.jsonl", "dev.jsonl"].map(|name| dir.join(name));
    fs::write(&train, rows(3)).unwrap();
    fs::write(&dev, rows(2)).unwrap();
    let run = dir.join("run");
    let files = [
        "--train-file",
        text(&train),
        "--validation-file",
        text(&dev),
        "--max-steps",
        "6",
    ];
    let flags = [DEMO_MODEL, &files].concat();
    let first = ran(finetune(&run, &flags)).succeeded();
    check(
        &json(&run.join("eval_results.json")),
        &pairs(&run, text(&dev), &labels),
        &labels,
    );
    assert!(
        !first.contains('\u{1b}') && first.contains("a\\u{1b}[31m"),
        "{first}"
    );
    let again = ran(finetune(&run, &[&flags[..], &["--resume"]].concat())).succeeded();
    let without_time = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("trained"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(without_time(&again), without_time(&first));
}

/// The evaluation that decides is the best by the number that is named; the log has that number and the first.
#[test]
fn the_metric_for_the_best_model() {
    let dir = scratch::folder("own-metrics-best");
    let of = |name: &str, metric: &str| {
        let run = dir.join(name);
        let best = [
            "--load-best-model-at-end",
            "--eval-every",
            "1",
            "--max-steps",
            "8",
        ];
        demo(&run, &[&best[..], &["--metric-for-best-model", metric]].concat()).succeeded();
        let (_, evaluations) = steps_and_evaluations(&run);
        (object(&run.join("eval_results.json")), evaluations)
    };
    for (metric, sign) in [("f1_macro", 1.0), ("eval_loss", -1.0)] {
        let (results, evaluations) = of(metric, metric);
        let key = format!("eval_{}", metric.trim_start_matches("eval_"));
        let value = |line: &Value| sign * line[&key].as_f64().unwrap();
        let mut best = &evaluations[0];
        for line in &evaluations {
            if value(line) > value(best) {
                best = line;
            }
        }
        assert_eq!(results["best_step"], best["step"], "{metric}");
        assert_eq!(results[&key], best[&key], "{metric}");
    }
    let (_, evaluations) = steps_and_evaluations(&dir.join("f1_macro"));
    let keys: Vec<&String> = evaluations[0].as_object().unwrap().keys().collect();
    let ours = ["eval_loss", "eval_accuracy", "eval_f1_macro"];
    assert_eq!(keys, ["step", "epoch", "train_loss", ours[0], ours[1], ours[2]]);
    let (_, evaluations) = steps_and_evaluations(trained());
    let keys: Vec<&String> = evaluations[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["step", "epoch", "train_loss", ours[0], ours[1]]);
    assert_eq!(
        json(&dir.join("f1_macro/run.json"))["settings"]["metric_for_best_model"],
        "f1_macro"
    );
}

#[test]
fn metrics_that_are_not_there() {
    let dir = scratch::folder("own-metrics-refused");
    let refused = |data: &[&str], metric: &str, known: &str| {
        let run = dir.join("run");
        let asked = ["--metric-for-best-model", metric];
        let message =
            format!("unknown metric `{metric}` (--metric-for-best-model, --metric); known here: {known}");
        ran(finetune(&run, &[DEMO_MODEL, data, &asked].concat())).refused(&dir, 2, &message);
        assert!(!run.exists());
    };
    let own = "accuracy, f1, f1_macro, f1_weighted, matthews_correlation, loss";
    refused(DEMO_DATA, "combined_score", own);
    refused(DEMO_DATA, "pearson", own);
    refused(
        &["--task", "builtin:paraphrase"],
        "f1_macro",
        "accuracy, f1, combined_score, loss",
    );
}

/// Files with numbers: a study compares Pearson's correlation unless it is told another.
#[test]
fn a_study_of_numbers() {
    let dir = scratch::folder("own-metrics-study");
    let rows = demo_dev().into_iter().take(24).enumerate();
    let rows: Vec<String> = rows
        .map(|(i, (text, _))| format!("{text}\t{}.5\n", (i * 7) % 5))
        .collect();
    let file = dir.join("scores.tsv");
    fs::write(&file, format!("sentence\tlabel\n{}", rows.concat())).unwrap();
    let study = |name: &str, more: &[&str]| {
        let out = dir.join(name);
        let flags = [
            &[
                "study",
                "--quiet",
                "--model",
                "fixtures/demo/model",
                "--conditions",
                "none,component:0.05",
            ],
            &["--seeds", "1", "--output", text(&out)][..],
            more,
            &[
                "--",
                "--train-file",
                text(&file),
                "--validation-file",
                text(&file),
                "--max-steps",
                "3",
            ],
            &["--max-seq-length", "32"],
        ];
        cwgnc(&flags.concat())
    };
    study("default", &[]).succeeded();
    study("spearman", &["--metric", "spearmanr"]).succeeded();
    for (name, metric) in [("default", "pearson"), ("spearman", "spearmanr")] {
        let out = dir.join(name);
        let records = json_lines(&fs::read_to_string(out.join("results.jsonl")).unwrap());
        assert_eq!(records.len(), 2);
        for record in &records {
            let run = record["run"].as_str().unwrap();
            let results = json(&out.join("runs").join(run).join("all_results.json"));
            let key = format!("eval_{metric}");
            assert!(results[&key].is_f64());
            assert_eq!(
                (&record["metric"], &record["value"]),
                (&json!(metric), &results[&key])
            );
            assert_eq!(
                (&record["majority"], &record["metrics"][&key]),
                (&json!(0.0), &results[&key])
            );
            for other in ["eval_mse", "eval_mae", "eval_pearson", "eval_spearmanr"] {
                assert_eq!(record["metrics"][other], results[other], "{other}");
            }
        }
        let resolved = fs::read_to_string(out.join("study.toml")).unwrap();
        assert!(
            resolved.contains(&format!("metric-for-best-model = \"{metric}\"")),
            "{resolved}"
        );
    }
    let message = "task scores: a study cannot compare mae: failed runs are told by a value above that of a constant \
                   answer, so more must be better; set the metric to accuracy, f1_macro, pearson or another that rises";
    study("mae", &["--metric", "mae"]).refused(&dir, 2, message);
}
