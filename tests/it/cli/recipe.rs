//! The flags of a recipe: schedules, the training loss, stopping early, freezing.

use super::{DEMO_DATA, DEMO_MODEL, demo, finetune, json, object, scratch, steps_and_evaluations};
use super::{cwgnc, listing, log, program, ran, resume, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn trained(name: &str, flags: &[&str]) -> PathBuf {
    let run = scratch::folder(name).join("run");
    demo(&run, flags).succeeded();
    run
}

fn settings(run: &Path) -> Value {
    json(&run.join("run.json"))["settings"].clone()
}

/// Five steps. Half a cosine from the first of them: ½ (1 + cos(π t / 4)) after one step of warm-up. The square of what is
/// left, down to a quarter of the peak. A number of steps wins over a share, and the run says so.
#[test]
fn rates() {
    let rates = |name: &str, flags: &[&str]| -> Vec<f64> {
        let all = [flags, &["--epochs", "1", "--logging-steps", "1"]].concat();
        let (steps, _) = steps_and_evaluations(&trained(name, &all));
        steps
            .iter()
            .map(|step| step["learning_rate"].as_f64().unwrap() * 1e3)
            .collect()
    };
    let close = |found: Vec<f64>, expected: [f64; 5]| {
        assert_eq!(found.len(), 5);
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{found:?} for {expected:?}");
        }
    };
    let root = 0.5_f64.sqrt();
    close(
        rates(
            "cli-cosine",
            &["--lr-scheduler-type", "cosine", "--warmup-steps", "1"],
        ),
        [0.0, 1.0, 0.5 + 0.5 * root, 0.5, 0.5 - 0.5 * root],
    );
    let polynomial = [
        "--lr-scheduler-type",
        "polynomial",
        "--lr-power",
        "2",
        "--lr-end",
        "2.5e-4",
    ];
    let left = [1.0, 0.8, 0.6, 0.4, 0.2_f64];
    close(
        rates("cli-polynomial", &polynomial),
        left.map(|s| 0.75 * s * s + 0.25),
    );
    let both = ["--warmup-steps", "2", "--warmup-ratio", "0.8"];
    close(
        rates("cli-warm-both", &both),
        [0.0, 0.5, 1.0, 2.0 / 3.0, 1.0 / 3.0],
    );
    let run = scratch::folder("cli-warm-said").join("run");
    let mut command = program();
    command.args([
        "finetune",
        "--max-seq-length",
        "32",
        "--max-steps",
        "0",
        "--output",
    ]);
    command.arg(&run).args([DEMO_MODEL, DEMO_DATA, &both].concat());
    let said = ran(command);
    let note = "--warmup-steps 2 wins over --warmup-ratio 0.8";
    assert!(said.stderr.contains(note), "{}", said.stderr);
}

/// The training loss of the first step is the weighted, smoothed mean that the first logits give, by arithmetic here; the
/// evaluation's loss is the plain one, and that of `cwgnc eval`.
#[test]
fn losses() {
    let first = |name: &str, flags: &[&str]| {
        let more = ["--max-steps", "1", "--dtype", "f64", "--batch-size", "72"];
        let run = trained(name, &[flags, &more].concat());
        let (steps, evaluations) = steps_and_evaluations(&run);
        let loss = steps[0]["loss"].as_f64().unwrap();
        (run, loss, evaluations[0]["eval_loss"].as_f64().unwrap())
    };
    // What the fresh model says of the 72 examples.
    let start = trained("cli-loss-start", &["--max-steps", "0", "--dtype", "f64"]);
    let dir = scratch::folder("cli-loss-file");
    let rows = fs::read_to_string(scratch::fixture("demo/train.tsv")).unwrap();
    let rows: Vec<&str> = rows.lines().take(73).collect();
    let file = dir.join("train.tsv");
    fs::write(&file, rows.join("\n") + "\n").unwrap();
    let flags = ["predict", "--quiet", "--dtype", "f64", "--model", text(&start)];
    let more = ["--max-seq-length", "32", "--file", text(&file)];
    let printed = cwgnc(&[&flags[..], &more].concat()).succeeded();
    let lines = super::json_lines(&printed);
    let names = ["acceptable", "unacceptable"];
    let labels: Vec<usize> = rows[1..]
        .iter()
        .map(|row| usize::from(row.ends_with("unacceptable")))
        .collect();
    let counts = [0, 1].map(|class| labels.iter().filter(|&&label| label == class).count() as f64);
    assert!(
        counts[0] != counts[1] && counts[0] * counts[1] > 0.0,
        "{counts:?}"
    );
    let expected = |smoothing: f64, weights: [f64; 2]| {
        let (mut sum, mut total) = (0.0, 0.0);
        for (line, &label) in lines.iter().zip(&labels) {
            let p = names.map(|name| line["probabilities"][name].as_f64().unwrap());
            let logs = [0, 1].map(|class| weights[class] * -p[class].ln());
            sum += (1.0 - smoothing) * logs[label] + smoothing / 2.0 * (logs[0] + logs[1]);
            total += weights[label];
        }
        sum / total
    };
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    let (_, plain, eval_loss) = first("cli-loss-plain", &[]);
    close(plain, expected(0.0, [1.0, 1.0]));
    let (run, smooth, _) = first("cli-loss-smooth", &["--label-smoothing-factor", "0.25"]);
    close(smooth, expected(0.25, [1.0, 1.0]));
    assert_eq!(settings(&run)["label_smoothing_factor"], 0.25);
    let balanced = counts.map(|count| 72.0 / (2.0 * count));
    let (run, loss, eval) = first("cli-loss-balanced", &["--class-weights", "balanced"]);
    close(loss, expected(0.0, balanced));
    // The run has made one step with another gradient, so its model is another one; by how much is not said here.
    assert!(eval != eval_loss);
    let record = json(&run.join("run.json"));
    let said = &record["understood"]["class_weights"];
    let said = names.map(|name| said[name].as_f64().unwrap());
    assert!((0..2).all(|i| (said[i] - balanced[i]).abs() < 1e-12), "{said:?}");
    let named = ["--class-weights", "unacceptable=3,acceptable=0.5"];
    let smoothed = [&named[..], &["--label-smoothing-factor", "0.1"]].concat();
    let (run, loss, eval) = first("cli-loss-named", &smoothed);
    close(loss, expected(0.1, [0.5, 3.0]));
    assert_eq!(settings(&run)["class_weights"], named[1]);
    let flags = [
        "eval",
        "--quiet",
        "--json",
        "--dtype",
        "f64",
        "--model",
        text(&run),
    ];
    let more = ["--max-seq-length", "32", "--max-eval-samples", "50"];
    let data = ["--validation-file", "fixtures/demo/dev.tsv"];
    let printed = cwgnc(&[&flags[..], &more, &data].concat()).succeeded();
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["eval_loss"].as_f64().unwrap(), eval);
    // By order, the same weights give the same run.
    let listed = ["--class-weights", "0.5,3", "--label-smoothing-factor", "0.1"];
    assert_eq!(first("cli-loss-listed", &listed).1, loss);
}

/// Evaluations every second step of twenty.
const EVALUATED: [&str; 6] = ["--epochs", "4", "--eval-every", "2", "--logging-steps", "1"];

/// After which of these evaluations, by index, a run with patience 2 stops.
fn stop(evaluations: &[Value]) -> usize {
    let (mut best, mut failures) = (f64::NEG_INFINITY, 0);
    for (index, line) in evaluations.iter().enumerate() {
        let accuracy = line["eval_accuracy"].as_f64().unwrap();
        failures = if accuracy > best { 0 } else { failures + 1 };
        best = best.max(accuracy);
        if failures == 2 {
            return index;
        }
    }
    panic!("the run is no test: it gets better all the time");
}

/// A run with patience is one without, cut after the evaluation that the rule says: the same lines of the log, the same
/// results, and a record of where it stopped. It is finished, and resumes with the settings that it had alone.
#[test]
fn stopped_early() {
    let alone = trained("cli-patience-alone", &EVALUATED);
    let dir = scratch::folder("cli-patience");
    let run = dir.join("run");
    let flags = [&EVALUATED[..], &["--early-stopping-patience", "2"]].concat();
    demo(&run, &flags).succeeded();
    let (_, evaluations) = steps_and_evaluations(&alone);
    let last = stop(&evaluations[..evaluations.len() - 1]);
    let step = evaluations[last]["step"].as_u64().unwrap();
    let lines: Vec<Value> = log(&alone)
        .into_iter()
        .filter(|line| line["step"].as_u64().unwrap() <= step)
        .collect();
    assert_eq!(log(&run), lines);
    let results = object(&run.join("all_results.json"));
    assert_eq!(results["eval_accuracy"], evaluations[last]["eval_accuracy"]);
    assert_eq!(results["epoch"], evaluations[last]["epoch"]);
    let record = json(&run.join("run.json"));
    let stopped = json!({"stopped_after_step": step, "evaluations": last + 1, "not_better_in_a_row": 2});
    assert_eq!(record["early_stopping"], stopped);
    assert_eq!(record["settings"]["early_stopping_patience"], 2);
    assert_eq!(record["settings"]["early_stopping_threshold"], 0.0);
    assert_eq!(record["settings"]["total_steps"], 20);
    let before = listing(&run);
    demo(&run, &[&flags[..], &["--resume"]].concat()).succeeded();
    assert_eq!(listing(&run), before);
    let more = [&EVALUATED[..], &["--early-stopping-patience", "3", "--resume"]].concat();
    let message = "cannot resume DIR/run: it is another run\n  early_stopping_patience: was 2, now 3";
    demo(&run, &more).refused(&dir, 2, message);
    // An improvement that is asked to be larger than any there can be: the first failures end the run.
    let flags = [
        &EVALUATED[..],
        &[
            "--early-stopping-patience",
            "1",
            "--early-stopping-threshold",
            "1",
        ],
    ];
    let run = trained("cli-patience-threshold", &flags.concat());
    assert_eq!(log(&run).last().unwrap()["step"], 4);
    // The best of what there was, with its model.
    let best = [&EVALUATED[..], &["--early-stopping-patience", "2", "--load-best"]].concat();
    let run = trained("cli-patience-best", &best);
    let results = object(&run.join("all_results.json"));
    let accuracy = |line: &Value| line["eval_accuracy"].as_f64().unwrap();
    let most = evaluations[..=last].iter().map(accuracy).fold(0.0, f64::max);
    let first = evaluations.iter().find(|line| accuracy(line) == most).unwrap();
    assert_eq!(results["best_step"], first["step"]);
}

#[test]
fn what_is_frozen_and_which_model_is_written_is_said() {
    let dir = scratch::folder("cli-recipe-said");
    let mut command = program();
    command.args(["finetune", "--load-best", "--freeze", "bert.embeddings.*"]);
    command
        .args([DEMO_MODEL, DEMO_DATA, &EVALUATED].concat())
        .arg("--output");
    command.arg(dir.join("run"));
    let ran = ran(command);
    let results = object(&dir.join("run/all_results.json"));
    // Three tables, and the weight and the bias of a LayerNorm; 37 tensors are loaded and 4 are fresh.
    let frozen = "5 of 41 parameters are frozen\n";
    assert!(ran.stderr.starts_with(frozen), "{}", ran.stderr);
    let said = format!(
        "the best evaluation was after step {}: its model is written",
        results["best_step"]
    );
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
}

/// Killed at these lines of the log and resumed, a run stops where the undisturbed one does, with its bytes.
#[test]
fn patience_survives_a_kill() {
    let folder = scratch::folder("cli-patience-killed");
    let more = [
        "--early-stopping-patience",
        "2",
        "--save-steps",
        "3",
        "--load-best",
    ];
    let flags = [&EVALUATED[..], &more].concat();
    demo(&folder.join("alone"), &flags).succeeded();
    let run = folder.join("run");
    let mut kills = 0;
    for lines in [5, 7, 10] {
        let resumed = [&flags[..], if run.exists() { &["--resume"] } else { &[] }].concat();
        let command = finetune(&run, &[DEMO_MODEL, DEMO_DATA, &resumed].concat());
        kills += usize::from(resume::killed_command(command, || {
            resume::lines_logged(&run) >= lines
        }));
    }
    demo(&run, &[&flags[..], &["--resume"]].concat()).succeeded();
    resume::assert_same(&run, &folder.join("alone"));
    assert!(kills > 0, "no kill came before the end");
    assert!(json(&run.join("run.json"))["early_stopping"]["stopped_after_step"].is_u64());
}

/// The tensors of a model file, by name.
fn weights(dir: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    super::files::tensors(&dir.join("model.safetensors"))
        .into_iter()
        .map(|tensor| (tensor.name, tensor.bytes))
        .collect()
}

/// What is frozen keeps its bytes, in spite of weight decay, and is neither in the log nor in the global norm; the rest
/// moves. Moments of what is frozen are zero.
#[test]
fn frozen() {
    let start = weights(&trained("cli-freeze-start", &["--max-steps", "0"]));
    let flags = [
        "--freeze",
        "bert.embeddings.*,*.layer.0.*",
        "--weight-decay",
        "0.1",
        "--clip",
        "global:1",
        "--epochs",
        "1",
        "--save-steps",
        "2",
    ];
    let run = trained("cli-freeze", &flags);
    let is_frozen = |name: &str| name.contains("embeddings") || name.contains(".layer.0.");
    let (mut kept, mut moved) = (0, 0);
    for (name, bytes) in weights(&run) {
        // A key's bias has no gradient but rounding, and rounding may be nothing.
        if is_frozen(&name) {
            assert_eq!(bytes, start[&name], "{name}");
            kept += 1;
        } else if !name.ends_with("key.bias") {
            assert_ne!(bytes, start[&name], "{name}");
            moved += 1;
        }
    }
    assert_eq!((kept, moved), (5 + 16, 41 - 21 - 1));
    let (steps, _) = steps_and_evaluations(&run);
    let components = steps[0]["components"].as_array().unwrap();
    assert_eq!(components.len(), 20);
    let squares = components.iter().map(|c| {
        assert!(!is_frozen(c["name"].as_str().unwrap()));
        c["grad_norm_before"].as_f64().unwrap().powi(2)
    });
    let norm = steps[0]["grad_norm_before_clipping"].as_f64().unwrap();
    assert!((squares.sum::<f64>().sqrt() / norm - 1.0).abs() < 1e-12);
    let checkpoint = listing(&run)
        .into_iter()
        .find(|name| name.starts_with("checkpoint-"));
    let checkpoint = run.join(checkpoint.unwrap());
    let state = json(&checkpoint.join("state.json"));
    for tensor in super::files::tensors(&checkpoint.join("optimizer.safetensors")) {
        let name = tensor.name.split_once('.').unwrap().1;
        let frozen = is_frozen(name);
        assert!(!frozen || tensor.bytes.iter().all(|&byte| byte == 0), "{name}");
        assert_eq!(state["optimizer_steps"][name] == 0, frozen, "{name}");
    }
    let patterns = json!(["bert.embeddings.*", "*.layer.0.*"]);
    assert_eq!(settings(&run)["freeze"], patterns);
    // With gradual unfreezing: what is frozen stays so in its iteration.
    let flags = ["--freeze", "*.layer.1.*", "--unfreeze-epochs", "0.4"];
    let more = ["--gradual-unfreezing", "continue", "--logging-steps", "1"];
    let run = trained("cli-freeze-unfreezing", &[&flags[..], &more].concat());
    let (steps, _) = steps_and_evaluations(&run);
    let counts: Vec<usize> = steps
        .iter()
        .map(|step| step["components"].as_array().unwrap().len())
        .collect();
    // Classifier 2; nothing of layer 1; layer 0's 12 without LayerNorms; all 41 less layer 1's 16.
    assert_eq!(counts, [2, 2, 2, 2, 14, 14, 25, 25]);
}

/// The demo with these flags is refused with this message, and nothing is written.
#[track_caller]
fn refused(run: &Path, flags: &[&str], message: &str) {
    let ran = demo(run, flags);
    assert!(ran.stderr.contains(message), "{flags:?}: {}", ran.stderr);
    assert_eq!((ran.code, run.exists()), (Some(2), false), "{flags:?}");
}

#[test]
fn refused_rates() {
    let run = scratch::folder("cli-recipe-refused-rates").join("run");
    let refused = |flags: &[&str], message: &str| refused(&run, flags, message);
    let constant = ["--lr-scheduler-type", "constant", "--warmup-steps", "1"];
    refused(
        &constant,
        "--lr-scheduler-type constant has no warm-up; give constant_with_warmup, or no --warmup-steps",
    );
    refused(
        &["--warmup-steps", "0.1"],
        "must be a whole number from 0 to 4294967295; a share of the steps is --warmup-ratio",
    );
    refused(
        &["--lr-end", "0"],
        "--lr-end is of --lr-scheduler-type polynomial, not of linear",
    );
    refused(
        &["--lr-power", "2", "--lr-scheduler-type", "cosine"],
        "--lr-power is of --lr-scheduler-type polynomial, not of cosine",
    );
    refused(
        &["--lr-scheduler-type", "polynomial", "--lr-end", "1e-3"],
        "polynomial ends at --lr-end 0.001, which must be below --learning-rate 0.001",
    );
    let cosine = [
        "--lr-scheduler-type",
        "cosine",
        "--gradual-unfreezing",
        "continue",
    ];
    refused(
        &cosine,
        "--lr-scheduler-type linear, constant and constant_with_warmup",
    );
    refused(
        &["--lr-scheduler-type", "inverse_sqrt"],
        "invalid value 'inverse_sqrt'",
    );
}

#[test]
fn refused_losses_and_patterns() {
    let dir = scratch::folder("cli-recipe-refused");
    let run = dir.join("run");
    let refused = |flags: &[&str], message: &str| refused(&run, flags, message);
    let classes = "the classes are `acceptable`, `unacceptable`";
    let weights = |text: &str, why: &str| {
        refused(
            &["--class-weights", text],
            &format!("--class-weights {text}: {why}; {classes}"),
        );
    };
    weights("1,2,3", "3 weights for 2 classes");
    weights("acceptable=1", "class `unacceptable` has no weight");
    weights("acceptable=1,yes=2", "there is no class `yes`");
    refused(&["--class-weights", "1,0"], "weight `0`: must be above 0");
    refused(
        &["--class-weights", "balanced", "--train-subset", "1"],
        "has no training example",
    );
    refused(&["--label-smoothing-factor", "1.5"], "must be in [0, 1]");
    refused(
        &["--early-stopping-patience", "2"],
        "--early-stopping-patience needs evaluations before the end: give --eval-strategy epoch, --eval-every N or \
         --load-best",
    );
    refused(
        &["--early-stopping-threshold", "1"],
        "--early-stopping-patience <N>",
    );
    let both = [
        "--early-stopping-patience",
        "2",
        "--gradual-unfreezing",
        "restart",
    ];
    refused(&both, "cannot be used with '--gradual-unfreezing");
    refused(
        &["--freeze", "*.dense,*.layer.7.*"],
        "--freeze *.dense: no parameter of the model has such a name; nearest: ",
    );
    refused(
        &["--freeze", "bert.embeddings"],
        "--freeze bert.embeddings: no parameter of the model has such a name; nearest: bert.embeddings.*\n",
    );
    refused(&["--freeze", ""], "not a name of a parameter");
    refused(&["--freeze", "*"], "--freeze *: leaves nothing to train");
    refused(
        &["--freeze", "classifier.*", "--gradual-unfreezing", "continue"],
        "--freeze classifier.*: leaves nothing of the classifier, which gradual unfreezing trains first",
    );
    // Numbers have no classes.
    let file = dir.join("numbers.tsv");
    fs::write(
        &file,
        "sentence\tlabel\nthe dogs sleep\t0.5\nthe birds sing\t1.5\n",
    )
    .unwrap();
    for (flag, value) in [
        ("--class-weights", "balanced"),
        ("--label-smoothing-factor", "0.1"),
    ] {
        let data = [
            "--train-file",
            text(&file),
            "--validation-file",
            text(&file),
            flag,
            value,
        ];
        let ran = ran(finetune(&run, &[DEMO_MODEL, &data].concat()));
        let message = format!("{flag} is for classes; the labels in `label` are numbers");
        assert!(ran.stderr.contains(&message) && ran.code == Some(2), "{ran:?}");
    }
}

/// Each flag is a setting that a run cannot be resumed without.
#[test]
fn another_recipe() {
    let dir = scratch::folder("cli-recipe-resumed");
    let run = dir.join("run");
    demo(&run, &["--epochs", "2", "--eval-strategy", "epoch"]).succeeded();
    fs::remove_file(run.join("all_results.json")).unwrap();
    let before = listing(&run);
    for (flags, changes) in [
        (
            &["--lr-scheduler-type", "cosine"][..],
            "lr_scheduler_type: was \"linear\", now \"cosine\"",
        ),
        (&["--warmup-steps", "2"], "warmup_steps: was absent, now 2"),
        (
            &["--label-smoothing-factor", "0.1"],
            "label_smoothing_factor: was absent, now 0.1",
        ),
        (
            &["--class-weights", "1,2"],
            "class_weights: was absent, now \"1,2\"",
        ),
        (
            &["--early-stopping-patience", "3"],
            "early_stopping_patience: was absent, now 3\n  early_stopping_threshold: was absent, now 0.0",
        ),
        (
            &["--freeze", "*.layer.0.*"],
            "freeze: was absent, now [\"*.layer.0.*\"]",
        ),
    ] {
        let all = [&["--epochs", "2", "--eval-strategy", "epoch", "--resume"], flags].concat();
        let message = format!("cannot resume DIR/run: it is another run\n  {changes}");
        demo(&run, &all).refused(&dir, 2, &message);
        assert_eq!(listing(&run), before);
    }
}

/// Every flag as a setting of a study: the runs have it, and a run that stopped early is a result like others, in a report
/// with runs that did not.
#[test]
fn in_a_study() {
    let dir = scratch::folder("cli-recipe-study");
    let file = dir.join("study.toml");
    let content = r#"
seeds = [1]
[common]
model = "fixtures/demo/model"
train-file = "fixtures/demo/train.tsv"
validation-file = "fixtures/demo/dev.tsv"
max-train-samples = 72
max-eval-samples = 50
max-seq-length = 32
max-steps = 10
learning-rate = 1e-3
[condition.plain]
clip = "none"
[condition.cosine]
lr-scheduler-type = "cosine"
warmup-steps = 2
[condition.polynomial]
lr-scheduler-type = "polynomial"
lr-power = 2
lr-end = 1e-6
[condition.smooth]
label-smoothing-factor = 0.1
class-weights = "acceptable=1,unacceptable=2"
[condition.patient]
eval-every = 1
early-stopping-patience = 1
early-stopping-threshold = 1
[condition.frozen]
freeze = "bert.embeddings.*,*.layer.0.*"
"#;
    fs::write(&file, content).unwrap();
    let out = dir.join("study");
    let flags = ["study", "--config", text(&file), "--output", text(&out)];
    cwgnc(&flags).succeeded();
    let run = |condition: &str| {
        let runs = out.join("runs");
        let task = runs.join(&listing(&runs)[0]);
        task.join(condition).join("seed-1")
    };
    let of = |condition: &str, key: &str| settings(&run(condition))[key].clone();
    assert_eq!(of("cosine", "lr_scheduler_type"), "cosine");
    assert_eq!(of("cosine", "warmup_steps"), 2);
    assert_eq!(of("polynomial", "lr_power"), 2.0);
    assert_eq!(of("polynomial", "lr_end"), 1e-6);
    assert_eq!(of("smooth", "label_smoothing_factor"), 0.1);
    assert_eq!(of("smooth", "class_weights"), "acceptable=1,unacceptable=2");
    assert_eq!(of("patient", "early_stopping_patience"), 1);
    assert_eq!(of("patient", "early_stopping_threshold"), 1.0);
    assert_eq!(
        of("frozen", "freeze"),
        json!(["bert.embeddings.*", "*.layer.0.*"])
    );
    for key in [
        "warmup_steps",
        "lr_end",
        "class_weights",
        "early_stopping_patience",
        "freeze",
    ] {
        assert_eq!(of("plain", key), Value::Null, "{key}");
    }
    let stopped = &json(&run("patient").join("run.json"))["early_stopping"];
    assert_eq!(stopped["stopped_after_step"], 2);
    let results = super::json_lines(&fs::read_to_string(out.join("results.jsonl")).unwrap());
    let of = |name: &str| results.iter().find(|line| line["condition"] == name).unwrap();
    let curve = |name: &str| of(name)["curve"].as_array().unwrap().len();
    assert_eq!((curve("patient"), curve("plain"), results.len()), (2, 2, 6));
    assert_eq!(of("patient")["curve"][1]["step"], 2);
    assert_eq!(of("plain")["curve"][1]["step"], 10);
    assert!(out.join("report/report.md").exists());
}
