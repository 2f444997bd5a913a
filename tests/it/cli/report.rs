//! `cwgnc report`: a study's records become numbers, figures and a page. Expected numbers are worked out by hand.

use super::{DEMO_DATA, DEMO_MODEL, Ran, assert_close, cwgnc, finetune, listing, ran, scratch, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// One line of results.jsonl; a run without a value has stopped.
fn line(condition: &str, seed: u64, value: Option<f64>) -> Value {
    let curve: Vec<Value> = value
        .iter()
        .map(|v| json!({"step": 5, "epoch": 1.0, "value": v}))
        .collect();
    json!({
        "run": format!("rte/{condition}/seed-{seed}"), "task": "rte", "condition": condition, "seed": seed,
        "status": if value.is_some() { "finished" } else { "stopped" },
        "reason": if value.is_some() { Value::Null } else { "step 2: the loss is NaN".into() },
        "steps": 5, "examples": 80, "metric": "accuracy", "value": value, "majority": 0.5, "train_loss": 0.6,
        "metrics": {"eval_accuracy": value, "eval_loss": value.map(|v| 1.0 - v)},
        "curve": curve, "best": value.map(|v| json!({"step": 5, "value": v + 0.125})),
    })
}

/// A study of two conditions: the control with 0.25, 0.5, 0.5 and a run that stopped; `component-0.05` with 0.625, 0.75,
/// 0.875 and 1.
fn records() -> Vec<Value> {
    let control = [Some(0.25), Some(0.5), Some(0.5), None];
    let other = [0.625, 0.75, 0.875, 1.0].map(Some);
    let lines = |condition: &'static str, values: [Option<f64>; 4]| {
        (1..)
            .zip(values)
            .map(move |(seed, value)| line(condition, seed, value))
            .collect::<Vec<_>>()
    };
    [lines("control", control), lines("component-0.05", other)].concat()
}

fn write_results(dir: &Path, records: &[Value]) {
    let lines: Vec<String> = records.iter().map(|record| format!("{record}\n")).collect();
    fs::write(dir.join("results.jsonl"), lines.concat()).unwrap();
}

fn study(name: &str, records: &[Value]) -> PathBuf {
    let dir = scratch::folder(name);
    write_results(&dir, records);
    dir
}

fn report(dir: &Path, more: &[&str]) -> Ran {
    cwgnc(&[&["report", text(dir), "--quiet", "--bootstrap", "200"], more].concat())
}

/// The conditions that `--json` prints.
fn conditions(dir: &Path, more: &[&str]) -> (Value, Value) {
    let printed = report(dir, &[&["--json"], more].concat()).succeeded();
    let tasks: Value = serde_json::from_str(&printed).unwrap();
    let conditions = &tasks[0]["conditions"];
    (conditions[0].clone(), conditions[1].clone())
}

fn number(condition: &Value, key: &str) -> f64 {
    condition[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no {key} in {condition}"))
}

/// The pairs are seeds 1 to 3, for seed 4 of the control stopped, in whatever order the lines stand: differences 3/8, 1/4, 3/8
/// with mean 1/3 and Σ (d - d̄)² = 1/96, so t = (1/3) / √(1/96 / 2 / 3) = 8, and with two degrees of freedom
/// p = 1 - 8/√66. All three are positive: W = 6, p = 2/2³.
#[test]
fn pairs_are_of_one_seed() {
    let mut lines = records();
    lines[4..].reverse();
    let dir = study("report-pairs", &lines);
    let (_, other) = conditions(&dir, &[]);
    for (key, expected) in [
        ("pairs", 3.0),
        ("paired_t", 8.0),
        ("paired_t_df", 2.0),
        ("paired_t_p", 1.0 - 8.0 / 66.0_f64.sqrt()),
        ("paired_t_p_holm", 1.0 - 8.0 / 66.0_f64.sqrt()),
        ("wilcoxon_w", 6.0),
        ("wilcoxon_p", 0.25),
        ("wilcoxon_p_holm", 0.25),
    ] {
        assert_close(number(&other, key), expected, 1e-9);
    }
}

/// A finished study in which a task has no run of the control cannot be compared.
#[test]
fn a_task_without_the_control() {
    let mut lines = records();
    let mut alone = line("component-0.05", 1, Some(0.75));
    alone["task"] = "mrpc".into();
    alone["run"] = "mrpc/component-0.05/seed-1".into();
    lines.push(alone);
    let dir = study("report-no-control", &lines);
    report(&dir, &[]).refused(&dir, 1, "task mrpc has no run of the control control");
}

/// Mean 5/12; squared deviations 1/36 + 2/144 = 1/24. All four control runs failed (0.5 is not above 0.5), none of the others:
/// C(8,4) = 70 tables, of which two are as extreme. Every value of the other condition is larger: of C(7,3) = 35 orders,
/// the two most extreme would count, but values are tied, so the normal approximation is used.
#[test]
fn numbers_of_a_small_study() {
    let dir = study("report-numbers", &records());
    let (control, other) = conditions(&dir, &[]);
    assert_eq!(
        (&control["runs"], &control["failed"], &control["values"]),
        (&json!(4), &json!(4), &json!(3))
    );
    assert_eq!((&other["failed"], &other["values"]), (&json!(0), &json!(4)));
    assert_close(number(&control, "mean"), 5.0 / 12.0, 1e-9);
    assert_close(number(&control, "sd"), (1.0_f64 / 72.0).sqrt(), 1e-9);
    assert_close(number(&other, "mean_difference"), 0.8125 - 5.0 / 12.0, 1e-9);
    assert_close(number(&other, "fisher_p"), 2.0 / 70.0, 1e-9);
    assert_close(number(&other, "fisher_p_holm"), 2.0 / 70.0, 1e-9);
    assert_eq!(
        (
            number(&other, "cliffs_delta"),
            number(&other, "failed_difference")
        ),
        (1.0, -1.0)
    );
    assert_eq!(
        (number(&other, "mann_whitney_u"), &control["welch_p"]),
        (12.0, &Value::Null)
    );
    let (low, high) = (
        number(&control, "mean_bca_low"),
        number(&control, "mean_bca_high"),
    );
    assert!(
        (0.25..5.0 / 12.0).contains(&low) && (5.0 / 12.0..=0.5).contains(&high),
        "{low} {high}"
    );
}

#[test]
fn options_of_the_statistics() {
    let dir = study("report-options", &records());
    let (control, _) = conditions(&dir, &["--ddof", "1"]);
    assert_close(number(&control, "sd"), (1.0_f64 / 48.0).sqrt(), 1e-9);
    // 0.25, 0.5, 0.5 and the majority's 0.5.
    let (control, _) = conditions(&dir, &["--stopped", "majority"]);
    assert_eq!(
        (number(&control, "mean"), &control["failed"]),
        (0.4375, &json!(4))
    );
    let (_, other) = conditions(&dir, &["--metric", "eval_loss"]);
    assert_eq!((number(&other, "mean"), &other["failed"]), (0.1875, &json!(0)));
    let (_, other) = conditions(&dir, &["--metric", "best"]);
    assert_eq!(number(&other, "mean"), 0.9375);
    // The other way round.
    // As its folder is called, or as --conditions took it.
    let asked = conditions(&dir, &["--control", "component:0.05"]);
    let (control, other) = conditions(&dir, &["--control", "component-0.05"]);
    assert_eq!(asked, (control.clone(), other.clone()));
    assert_eq!(
        (number(&control, "cliffs_delta"), &other["cliffs_delta"]),
        (-1.0, &Value::Null)
    );
    let mut near = records();
    near[4] = line("component-0.05", 1, Some(0.53));
    let dir = study("report-thresholds", &near);
    assert_eq!(conditions(&dir, &[]).1["failed"], json!(0));
    assert_eq!(
        conditions(&dir, &["--thresholds", "authors"]).1["failed"],
        json!(1)
    );
    let failed = |value: &str| conditions(&dir, &["--thresholds", value]).1["failed"].clone();
    assert_eq!((failed("rte=0.52"), failed("rte=0.53")), (json!(0), json!(1)));
    let refused = |value: &str, message: &str| {
        let ran = cwgnc(&["report", text(&dir), "--thresholds", value]);
        assert!(
            ran.code == Some(2) && ran.stderr.contains(message),
            "{}",
            ran.stderr
        );
    };
    refused(
        "rt=0.5",
        "--thresholds rt=0.5: the study has no task rt; it has rte",
    );
    refused(
        "rte=x",
        "`rte=x` is neither majority nor authors nor TASK=VALUE, as in stsb=0.3",
    );
    refused("rte=0.5,rte=0.6", "task rte has two values");
}

/// One value has no deviation of a sample; equal values have no variance to test.
#[test]
fn what_is_not_defined_is_said_to_be_so() {
    let one = [
        line("control", 1, Some(0.5)),
        line("b", 1, Some(0.75)),
        line("b", 2, Some(0.75)),
        line("c", 1, None),
    ];
    let dir = study("report-undefined", &one);
    let (control, b) = conditions(&dir, &["--ddof", "1"]);
    assert_eq!(
        (&control["sd"], &control["mean_bca_low"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!((number(&b, "sd"), number(&b, "mean_bca_low")), (0.0, 0.75));
    assert_eq!(
        (&b["welch_p"], &b["brown_forsythe_p"], &b["sd_ratio"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let markdown = fs::read_to_string(dir.join("report/report.md")).unwrap();
    assert!(
        markdown.contains("| c | 1 | 1 | 100.0 \\[20.7, 100.0\\] | 0 | – | – | – | – | – |"),
        "{markdown}"
    );
    assert!(
        markdown.contains("| rte/c/seed-1 | step 2: the loss is NaN |"),
        "{markdown}"
    );
}

/// A study of runs that the program did: every figure has its records.
fn real_study(name: &str) -> PathBuf {
    let dir = scratch::folder(name);
    let mut records = Vec::new();
    for (condition, clip) in [
        ("control", "component:1e5"),
        ("component-0.05", "component:0.05"),
        ("c-1", "component:1"),
    ] {
        for seed in [1, 2] {
            let run = dir.join(format!("runs/rte/{condition}/seed-{seed}"));
            let seed_text = seed.to_string();
            let more = [
                "--clip",
                clip,
                "--seed",
                &seed_text,
                "--max-steps",
                "6",
                "--eval-every",
                "2",
                "--log-updates",
            ];
            let logging = ["--logging-steps", "2"];
            ran(finetune(&run, &[DEMO_MODEL, DEMO_DATA, &more, &logging].concat())).succeeded();
            let mut record = line(condition, seed, Some(if seed == 1 { 0.5 } else { 0.75 }));
            record["curve"] = json!([{"step": 2, "value": 0.5}, {"step": 6, "value": 0.75}]);
            records.push(record);
        }
    }
    write_results(&dir, &records);
    fs::write(dir.join("study.toml"), "seeds = [1, 2] # <i>\n").unwrap();
    let versions = json!({"format": 1, "cwgnc_version": "x", "model_files": {"model/config.json": "f00"}});
    fs::write(dir.join("study.json"), versions.to_string()).unwrap();
    dir
}

#[test]
fn every_figure_of_real_runs() {
    let dir = real_study("report-real");
    report(&dir, &[]).succeeded();
    let out = dir.join("report");
    assert_eq!(
        listing(&out),
        [
            "figures",
            "report.html",
            "report.md",
            "runs.csv",
            "summary.csv",
            "tables.tex"
        ]
    );
    let mut expected: Vec<String> = ["clipping", "curves", "layer-norms", "runs", "thresholds"]
        .map(str::to_owned)
        .to_vec();
    for condition in ["c-1", "component-0.05", "control"] {
        expected.extend(["norms", "update-cosine", "update-rms"].map(|kind| format!("{condition}-{kind}")));
    }
    expected.push("component-0.05-scales".to_owned());
    let drawn = listing(&out.join("figures"));
    for name in &expected {
        assert!(drawn.contains(&format!("rte-{name}.svg")), "{name} in {drawn:?}");
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for name in &drawn {
        let svg = fs::read_to_string(out.join("figures").join(name)).unwrap();
        assert!(
            svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"),
            "{name}"
        );
        assert!(page.contains(&svg), "{name} stands in the page");
    }
    // Nothing is fetched from anywhere, and a user's text is no markup.
    assert_eq!(
        page.matches("http").count(),
        page.matches("http://www.w3.org/2000/svg").count()
    );
    assert!(!page.contains("<script") && !page.contains("src=") && page.contains("# &lt;i&gt;"));
    // The settings in which conditions differ, those they share, the hashes.
    for text in [
        "<th scope=\"col\">clip</th>",
        "<td>component:1</td>",
        "<th scope=\"row\">learning_rate</th><td>0.001</td>",
        "<td>f00</td>",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("gradient norms in layer 0"));
}

/// Runs that thaw one layer after the other log more parameters at each iteration than at the one before.
#[test]
fn runs_that_thaw() {
    let dir = scratch::folder("report-thawing");
    let mut records = Vec::new();
    for mode in ["continue", "restart"] {
        let run = dir.join(format!("runs/rte/{mode}/seed-1"));
        let flags = [
            &["--gradual-unfreezing", mode, "--unfreeze-epochs", "0.4"],
            &["--logging-steps", "1", "--log-updates", "--eval-every", "1"][..],
        ];
        ran(finetune(&run, &[DEMO_MODEL, DEMO_DATA, &flags.concat()].concat())).succeeded();
        records.push(line(mode, 1, Some(0.75)));
    }
    write_results(&dir, &records);
    report(&dir, &["--control", "continue"]).succeeded();
    let drawn = listing(&dir.join("report/figures"));
    for name in [
        "unfreezing",
        "layer-norms",
        "clipping",
        "continue-norms",
        "continue-update-rms",
    ] {
        assert!(drawn.contains(&format!("rte-{name}.svg")), "{name} in {drawn:?}");
    }
    for name in drawn {
        let svg = fs::read_to_string(dir.join("report/figures").join(&name)).unwrap();
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{name}");
    }
    // Every step is evaluated; drawn are the ends of the four iterations, of two steps each.
    let svg = fs::read_to_string(dir.join("report/figures/rte-continue-update-rms.svg")).unwrap();
    let steps: Vec<usize> = (1..=8)
        .filter(|step| svg.contains(&format!("step {step}\n")))
        .collect();
    assert_eq!(steps, [2, 4, 6, 8]);
    // What has not moved is not drawn at the axis' floor, a millionth of the largest.
    assert!(!svg.contains("\n1e-7\n") && !svg.contains("\n1e-6\n"));
    // A step with a parameter of its own belongs to no run.
    let log = dir.join("runs/rte/restart/seed-1/log.jsonl");
    let other = fs::read_to_string(&log)
        .unwrap()
        .replacen("classifier.bias", "classifier.other", 1);
    fs::write(&log, other).unwrap();
    let message = "DIR/runs/rte/restart/seed-1/log.jsonl line 1: parameters that the step with the most of them does not have, or in \
                   another order";
    report(
        &dir,
        &["--control", "continue", "--output", text(&dir.join("again"))],
    )
    .refused(&dir, 1, message);
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for folder in [dir.to_owned(), dir.join("figures")] {
        for name in listing(&folder).into_iter().filter(|name| name.contains('.')) {
            all.push((name.clone(), fs::read(folder.join(&name)).unwrap()));
        }
    }
    all
}

/// Neither the time nor the place of the study, nor the number of threads, is in the report.
#[test]
fn the_same_records_give_the_same_bytes() {
    let dir = real_study("report-bytes");
    report(&dir, &[]).succeeded();
    let first = files(&dir.join("report"));
    let elsewhere = scratch::folder("report-bytes-elsewhere").join("moved");
    fs::rename(&dir, &elsewhere).unwrap();
    let other = elsewhere.join("other");
    report(&elsewhere, &["--output", text(&other)]).succeeded();
    assert!(first == files(&other));
}

/// Names come from a file that anyone may have written.
#[test]
fn names_are_text_and_never_paths() {
    let name = "<b>&\"'|`x`../..";
    let mut record = line("control", 1, Some(0.75));
    record["condition"] = name.into();
    record["task"] = "../up".into();
    let dir = study("report-names", &[record]);
    report(&dir, &[]).succeeded();
    let page = fs::read_to_string(dir.join("report/report.html")).unwrap();
    assert!(!page.contains("<b>") && page.contains("&lt;b&gt;&amp;&quot;"));
    let drawn = listing(&dir.join("report/figures"));
    assert!(
        drawn
            .iter()
            .all(|file| file.starts_with("-up-") && !file.contains(['/', '<'])),
        "{drawn:?}"
    );
}

#[test]
fn folders_that_are_no_study() {
    let dir = scratch::folder("report-none");
    let nothing = dir.join("nothing");
    report(&nothing, &[]).refused(&dir, 2, "DIR/nothing: there is no such folder");
    report(&dir, &[]).refused(
        &dir,
        2,
        "DIR: neither the folder of a study, with results.jsonl, nor of a run, with run.json and log.jsonl",
    );
    fs::write(dir.join("study.toml"), "").unwrap();
    let message = "DIR: no run of the study has ended: begin it, or go on with it (cwgnc study --resume)";
    report(&dir, &[]).refused(&dir, 2, message);
    fs::write(dir.join("results.jsonl"), "").unwrap();
    report(&dir, &[]).refused(&dir, 2, "DIR/results.jsonl: the study has no finished run");
    assert!(!dir.join("report").exists());
}

/// Writes the records with a change of the text, and gives what the report says of it.
#[track_caller]
fn refused(name: &str, change: impl Fn(String) -> String, message: &str) {
    let dir = study(name, &records());
    let path = dir.join("results.jsonl");
    fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    report(&dir, &[]).refused(&dir, 1, &format!("DIR/results.jsonl line {message}"));
    assert!(!dir.join("report").exists());
}

#[test]
fn damaged_records() {
    let cut = "8: the line is cut off; cwgnc study --resume writes the file again";
    refused("report-cut", |text| text[..text.len() - 9].to_owned(), cut);
    refused(
        "report-twice",
        |text| text.clone() + &text,
        "9: run rte/control/seed-1 is there before",
    );
    let json = "1: not a record of a run: expected value at line 1 column 1";
    refused("report-json", |text| format!("x{text}"), json);
    let status = "4: `status` is neither `finished` nor `stopped`";
    refused(
        "report-status",
        |text| text.replace("\"stopped\"", "\"lost\""),
        status,
    );
    let number = "1: `majority` is not a number";
    refused(
        "report-number",
        |text| text.replace("\"majority\":0.5", "\"majority\":\"half\""),
        number,
    );
    let path = "1: `run` is not a name of a folder: ../rte/control/seed-1";
    refused(
        "report-path",
        |text| text.replacen("rte/control/seed-1", "../rte/control/seed-1", 1),
        path,
    );
}

#[test]
fn records_of_another_version() {
    let dir = study("report-format", &records());
    fs::write(
        dir.join("study.json"),
        r#"{"format": 2, "cwgnc_version": "9.9.9"}"#,
    )
    .unwrap();
    let ours = env!("CARGO_PKG_VERSION");
    let message = format!(
        "DIR/study.json: records of format 2 (cwgnc 9.9.9); this is cwgnc {ours}, which reads format 1"
    );
    report(&dir, &[]).refused(&dir, 1, &message);
    let dir = study("report-version", &records());
    let run = dir.join("runs/rte/control/seed-1");
    fs::create_dir_all(&run).unwrap();
    fs::write(
        run.join("run.json"),
        r#"{"cwgnc_version": "9.9.9", "settings": {}}"#,
    )
    .unwrap();
    let message = format!(
        "DIR/runs/rte/control/seed-1/run.json: a run of cwgnc 9.9.9; this is {ours}, report it with the version that made it"
    );
    report(&dir, &[]).refused(&dir, 1, &message);
}

#[test]
fn runs_that_do_not_belong_together() {
    let dir = study("report-mixed", &records());
    for (seed, rate) in [(1, 0.1), (2, 0.2)] {
        let run = dir.join(format!("runs/rte/control/seed-{seed}"));
        fs::create_dir_all(&run).unwrap();
        let settings = json!({"learning_rate": rate, "seed": seed, "data_seed": seed});
        let record = json!({"cwgnc_version": env!("CARGO_PKG_VERSION"), "settings": settings});
        fs::write(run.join("run.json"), record.to_string()).unwrap();
    }
    let message = "run rte/control/seed-2 has other settings than the runs of its condition before it:\n  \
                   learning_rate: was 0.1, now 0.2";
    report(&dir, &[]).refused(&dir, 1, message);
    let mut other_data = records();
    other_data[5]["majority"] = json!(0.6);
    let dir = study("report-data", &other_data);
    let message = "runs rte/control/seed-1 and rte/component-0.05/seed-2 are of one task but have another metric or \
                   majority: other data";
    report(&dir, &[]).refused(&dir, 1, message);
}

#[test]
fn a_log_that_is_cut_off() {
    let dir = study("report-log", &records());
    let run = dir.join("runs/rte/control/seed-1");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("log.jsonl"), "{\"step\":1,\"epoch\":1.0}\n{\"step\":2").unwrap();
    report(&dir, &[]).refused(
        &dir,
        1,
        "DIR/runs/rte/control/seed-1/log.jsonl line 2: the line is cut off",
    );
}

#[test]
fn unknown_names() {
    let dir = study("report-unknown", &records());
    let message =
        "--control component-0.5: the study has no such condition; nearest: component-0.05, control";
    report(&dir, &["--control", "component-0.5"]).refused(&dir, 2, message);
    let message = "--metric eval_los: run rte/control/seed-1 has no such metric; nearest: eval_loss, eval_accuracy, best";
    report(&dir, &["--metric", "eval_los"]).refused(&dir, 2, message);
    let message = "--stopped majority: the majority has no eval_loss";
    report(&dir, &["--stopped", "majority", "--metric", "eval_loss"]).refused(&dir, 2, message);
}

/// What a report that was killed left unfinished is removed by the next, and nothing else is.
#[test]
fn left_overs_of_a_killed_report() {
    let dir = study("report-killed", &records());
    let figures = dir.join("report/figures");
    fs::create_dir_all(&figures).unwrap();
    for folder in [&dir.join("report"), &figures] {
        for name in [".cwgnc-a1b2c3.tmp", ".mine.tmp"] {
            fs::write(folder.join(name), "x").unwrap();
        }
    }
    report(&dir, &[]).succeeded();
    for folder in [&dir.join("report"), &figures] {
        let hidden: Vec<String> = listing(folder)
            .into_iter()
            .filter(|name| name.starts_with('.'))
            .collect();
        assert_eq!(hidden, [".mine.tmp"]);
    }
}

/// Logs may be left behind where a study is copied: the tables are made all the same, and it is said.
#[test]
fn without_logs_a_warning() {
    let dir = study("report-without-logs", &records());
    let said = cwgnc(&["report", text(&dir), "--bootstrap", "100"]);
    let page = dir.join("report/report.html");
    assert_eq!(
        said.stderr,
        format!(
            "warning: {} has no journal.jsonl with checksums, so that damage to results.jsonl and to the logs would not be \
             noticed\n\
             warning: 8 runs of rte have no log.jsonl (rte/control/seed-1 is the first); figures of steps are without them\n\
             written: {}\n",
            dir.display(),
            page.display()
        )
    );
    assert!(
        said.stdout
            .contains("\ncontrol         4     4       100.0 [51.0, 100.0]  3       0.4167 ["),
        "{}",
        said.stdout
    );
    let runs = fs::read_to_string(dir.join("report/runs.csv")).unwrap();
    let lines: Vec<&str> = runs.lines().collect();
    assert_eq!(
        lines[0],
        "run,task,condition,seed,status,reason,steps,metric,value,best,failed"
    );
    assert_eq!(
        lines[4],
        "rte/control/seed-4,rte,control,4,stopped,step 2: the loss is NaN,5,accuracy,,,true"
    );
    assert_eq!(
        lines[5],
        "rte/component-0.05/seed-1,rte,component-0.05,1,finished,,5,accuracy,0.625,0.75,false"
    );
}
