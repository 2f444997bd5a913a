//! Flags that make no sense: exit code 2, and nothing is read or written.

use super::{DEMO_DATA, DEMO_MODEL, Ran, cwgnc, demo, scratch};

/// The message that clap prints, with its hint.
fn hinted(message: &str) -> String {
    format!("{message}\n\nFor more information, try '--help'.")
}

#[test]
fn values_out_of_range() {
    let dir = scratch::folder("cli-flags-values");
    let run = dir.join("run");
    let refused = |flag: &str, value: &str, shown: &str, why: &str| {
        let message = hinted(&format!("invalid value '{value}' for '{shown}': {why}"));
        demo(&run, &[flag, value]).refused(&dir, 2, &message);
        assert!(!run.exists());
    };
    for typo in ["componnt", "Component"] {
        let why = format!("unknown clipping policy `{typo}`; nearest: component, none, soft");
        refused("--clip", &format!("{typo}:1"), "--clip <POLICY>", &why);
    }
    refused(
        "--clip",
        "none:1",
        "--clip <POLICY>",
        "`none` takes no number, here `1`",
    );
    refused(
        "--clip",
        "global:0,05",
        "--clip <POLICY>",
        "unknown option `05`; nearest: by, tie, eps",
    );
    let threshold = "clipping policy `component` needs a threshold, as in `component:0.05`";
    refused("--clip", "component", "--clip <POLICY>", threshold);
    for (value, shown) in [("-1", "-1"), ("nan", "NaN"), ("inf", "inf"), ("", "")] {
        let why = format!("clipping threshold `{shown}` is not a finite number of at least 0");
        refused("--clip", &format!("global:{value}"), "--clip <POLICY>", &why);
    }
    let not_negative = "must be at least 0";
    refused("--weight-decay", "-0.1", "--weight-decay <DECAY>", not_negative);
    refused(
        "--num-train-epochs",
        "-1",
        "--num-train-epochs <N>",
        "must be from 0 to 1e6",
    );
    refused(
        "--adam-epsilon",
        "nan",
        "--adam-epsilon <EPS>",
        "not a finite number",
    );
    refused("--adam-epsilon", "0", "--adam-epsilon <EPS>", "must be above 0");
    refused("--adam-beta1", "1", "--adam-beta1 <BETA>", "must be in [0, 1)");
    refused("--dropout", "1", "--dropout <P>", "must be in [0, 1)");
    refused(
        "--warmup-ratio",
        "1.1",
        "--warmup-ratio <RATIO>",
        "must be in [0, 1]",
    );
    let count = "must be a whole number from 1 to 4294967295";
    for value in ["0", "-1", "1.5", "4294967296"] {
        let shown = "--per-device-train-batch-size <N>";
        refused("--batch-size", value, shown, count);
    }
    for flag in [
        "--save-steps",
        "--save-total-limit",
        "--logging-steps",
        "--gradient-accumulation-steps",
    ] {
        refused(flag, "0", &format!("{flag} <N>"), count);
    }
}

#[test]
fn a_negative_learning_rate() {
    let dir = scratch::folder("cli-flags-rate");
    for (value, why) in [
        ("-1", "must be at least 0"),
        ("inf", "not a finite number"),
        ("1e-", "not a finite number"),
    ] {
        let flags = [&["finetune", "--learning-rate", value], DEMO_MODEL, DEMO_DATA].concat();
        let message = hinted(&format!(
            "invalid value '{value}' for '--learning-rate <LR>': {why}"
        ));
        cwgnc(&flags).refused(&dir, 2, &message);
    }
}

#[test]
fn nothing_to_work_on() {
    let dir = scratch::folder("cli-flags-nothing");
    let model = |command: &str| cwgnc(&[&[command], DEMO_MODEL].concat());
    let train = "what to train on is missing: give --task and --data, --task builtin:NAME, or --train-file and --validation-file";
    model("finetune").refused(&dir, 2, train);
    let eval =
        "what to evaluate on is missing: give --task and --data, --task builtin:NAME, or --validation-file";
    model("eval").refused(&dir, 2, eval);
    let predict =
        "what to predict is missing: give --text, --file, --task and --data, or --task builtin:NAME";
    model("predict").refused(&dir, 2, predict);
    for command in ["finetune", "eval", "predict"] {
        let message = "the following required arguments were not provided:\n  --model <DIR>";
        let ran = cwgnc(&[command]);
        assert!(
            ran.stderr.starts_with(&format!("error: {message}\n")),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.code, Some(2));
    }
}

/// A flag that would be ignored is refused.
#[test]
fn flags_that_do_not_go_together() {
    let dir = scratch::folder("cli-flags-together");
    let missing = |flags: &[&str], what: &str| {
        let Ran { code, stderr, .. } = cwgnc(&[&["finetune"], DEMO_MODEL, flags].concat());
        let message = format!("error: the following required arguments were not provided:\n  {what}\n");
        assert!(stderr.starts_with(&message), "{stderr}");
        assert_eq!(code, Some(2));
    };
    missing(&["--data", "x"], "--task <TASK>");
    missing(&["--train-file", "x.csv"], "--validation-file <FILE>");
    let clash = |flags: &[&str], one: &str, other: &str| {
        let Ran { code, stderr, .. } = cwgnc(flags);
        let message = format!("error: the argument '{one}' cannot be used with '{other}'\n");
        assert!(stderr.starts_with(&message), "{stderr}");
        assert_eq!(code, Some(2));
    };
    let finetune = |flags: &[&'static str]| [&["finetune"], DEMO_MODEL, flags].concat();
    let task = ["--task", "rte", "--data", "x"];
    let problem = [&task[..], &["--problem-type", "regression"]].concat();
    clash(&finetune(&problem), "--task <TASK>", "--problem-type <TYPE>");
    let file = [&task[..], &["--validation-file", "y.csv"]].concat();
    clash(&finetune(&file), "--task <TASK>", "--validation-file <FILE>");
    let both = ["predict", "--model", "x", "--text", "a", "--file", "b.csv"];
    clash(&both, "--text <TEXT>", "--file <FILE>");

    let run = dir.join("run");
    std::fs::create_dir(&run).unwrap();
    std::fs::write(run.join("run.json"), "{}").unwrap();
    let ran = demo(&run, &["--overwrite", "--resume"]);
    assert!(
        ran.stderr
            .starts_with("error: the argument '--overwrite' cannot be used with '--resume'\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        (ran.code, super::listing(&run)),
        (Some(2), vec!["run.json".to_owned()])
    );
}

#[test]
fn misspelt_commands_flags_and_choices() {
    let starts = |args: &[&str], message: &str| {
        let ran = cwgnc(args);
        assert!(ran.stderr.starts_with(message), "{}", ran.stderr);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    };
    let flag = "error: unexpected argument '--clipp' found\n\n  tip: a similar argument exists: '--clip'\n";
    starts(&["finetune", "--clipp", "none"], flag);
    let choice = "error: invalid value 'adam' for '--optimizer <OPTIMIZER>'\n  \
                  [possible values: adamw-hf, adamw-hf-uncorrected, adamw-torch]\n";
    starts(&["finetune", "--optimizer", "adam"], choice);
    starts(&["finetun"], "error: unrecognized subcommand 'finetun'\n");
}
