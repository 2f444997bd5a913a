//! `--help` and `--version`.

use super::cwgnc;

#[test]
fn version() {
    let printed = cwgnc(&["--version"]).succeeded();
    assert_eq!(printed, format!("cwgnc {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_command_has_help() {
    let all = cwgnc(&["--help"]).succeeded();
    for command in [
        "finetune", "eval", "predict", "inspect", "clip", "report", "study", "tasks", "bench",
    ] {
        assert!(all.contains(&format!("\n  {command} ")), "{all}");
        for flag in ["--help", "-h"] {
            let help = cwgnc(&[command, flag]).succeeded();
            assert!(help.contains(&format!("Usage: cwgnc {command} ")), "{help}");
        }
    }
}

/// The paper's run, and what every flag stands at when it is not given.
#[test]
fn help_names_the_defaults() {
    let help = cwgnc(&["finetune", "-h"]).succeeded();
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (flag, default) in [
        ("--clip <POLICY>", "component:0.05"),
        ("--learning-rate <LR>", "2e-5"),
        ("--num-train-epochs <N>", "3"),
        ("--per-device-train-batch-size <N>", "16"),
        ("--gradient-accumulation-steps <N>", "1"),
        ("--warmup-ratio <RATIO>", "0"),
        ("--weight-decay <DECAY>", "0"),
        ("--optimizer <OPTIMIZER>", "adamw-hf"),
        ("--adam-beta1 <BETA>", "0.9"),
        ("--adam-beta2 <BETA>", "0.999"),
        ("--adam-epsilon <EPS>", "1e-8"),
        ("--dropout <P>", "as config.json says"),
        ("--dtype <DTYPE>", "f32"),
        ("--seed <SEED>", "42"),
        ("--init-seed <SEED>", "--seed"),
        ("--label-column <NAME>", "label"),
        ("--max-seq-length <N>", "128, or as many as the model can take"),
        ("--save-total-limit <N>", "1"),
        ("--save-strategy <SAVE_STRATEGY>", "epoch"),
        ("--eval-strategy <EVAL_STRATEGY>", "no"),
        ("--logging-steps <N>", "20"),
        ("--output <DIR>", "runs/TASK-MODEL-CLIP-seedSEED"),
        ("--per-device-eval-batch-size <N>", "32"),
        ("--lr-scheduler-type <TYPE>", "linear"),
        ("--layerwise-lr-decay <SHARE>", "1"),
        ("--reinit-layers <K>", "0"),
        ("--mixout <P>", "0"),
        ("--weight-decay-to-pretrained <DECAY>", "0"),
        ("--unfreeze-epochs <E>", "--num-train-epochs"),
        ("--subset-seed <SEED>", "0"),
    ] {
        let (_, after) = words
            .split_once(flag)
            .unwrap_or_else(|| panic!("no {flag} in {help}"));
        let said = after.split("[default: ").nth(1).unwrap();
        assert!(said.starts_with(&format!("{default}]")), "{flag}: {said}");
    }
}
