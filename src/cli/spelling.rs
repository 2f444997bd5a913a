//! Flags as users of Hugging Face's scripts write them: underscores for hyphens, and what to write for flags that are not here.

use super::Error;
use super::args::Args;
use clap::CommandFactory;
use std::ffi::OsString;

/// Flags of `run_glue.py` and `run_mlm.py` that have no place here, and what to do.
const TIPS: [(&str, &str); 25] = [
    ("max-grad-norm", "write --clip global:C for a maximum norm of C"),
    ("do-train", "leave it out: finetune trains"),
    (
        "do-eval",
        "leave it out: finetune evaluates at the end, cwgnc eval a saved model",
    ),
    (
        "do-predict",
        "leave it out; cwgnc predict --model DIR --file FILE predicts",
    ),
    (
        "test-file",
        "leave it out; cwgnc predict --model DIR --file FILE predicts",
    ),
    (
        "evaluation-strategy",
        "write --eval-strategy epoch, or --eval-every N for every N steps",
    ),
    (
        "dataset-name",
        "write --train-file and --validation-file, files of your own (docs/own-data.md)",
    ),
    (
        "dataset-config-name",
        "write --train-file and --validation-file, files of your own (docs/own-data.md)",
    ),
    (
        "tokenizer-name",
        "leave it out: the tokenizer is that of the model folder",
    ),
    (
        "config-name",
        "leave it out: the configuration is that of the model folder",
    ),
    (
        "greater-is-better",
        "leave it out: of loss, mse and mae less is better, of all others more",
    ),
    ("pad-to-max-length", "leave it out: nothing is padded"),
    ("use-fast-tokenizer", "leave it out"),
    ("cache-dir", "leave it out: nothing is downloaded"),
    (
        "fp16",
        "leave it out; --save-dtype f16 writes a model file of 16 bits",
    ),
    ("bf16", "leave it out"),
    ("no-cuda", "leave it out: everything runs on the CPU"),
    ("use-cpu", "leave it out: everything runs on the CPU"),
    ("optim", "write --optimizer"),
    (
        "report-to",
        "leave it out: log.jsonl in the output folder has every number",
    ),
    (
        "logging-dir",
        "leave it out; cwgnc report RUN --tensorboard writes event files",
    ),
    ("lr", "write --learning-rate"),
    ("train-batch-size", "write --per-device-train-batch-size"),
    ("eval-batch-size", "write --per-device-eval-batch-size"),
    ("lr-scheduler-kwargs", "write --lr-end and --lr-power"),
];

/// The command line with the flags of the command spelled as here.
///
/// # Errors
/// [`Error::Usage`] with what to write in place of a flag that is only known elsewhere.
pub(super) fn corrected(words: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, Error> {
    let mut words: Vec<OsString> = words.collect();
    let parser = Args::command();
    let Some(command) = words.get(1).and_then(|name| parser.find_subcommand(name)) else {
        return Ok(words);
    };
    // Words after `--` are another program's, or a study's own settings.
    if !["finetune", "eval", "predict", "pretrain", "study"].contains(&command.get_name()) {
        return Ok(words);
    }
    let is_known = |name: &str| {
        let mut args = command.get_arguments();
        args.any(|arg| {
            let aliases = arg.get_visible_aliases().unwrap_or_default();
            arg.get_long() == Some(name) || aliases.contains(&name)
        })
    };
    let mut foreign = Vec::new();
    for word in words.iter_mut().skip(2).take_while(|word| *word != "--") {
        let Some(flag) = word.to_str().and_then(|word| word.strip_prefix("--")) else {
            continue;
        };
        let (written, value) = match flag.split_once('=') {
            Some((name, value)) => (name, format!("={value}")),
            None => (flag, String::new()),
        };
        let name = written.replace('_', "-");
        if is_known(written) {
            continue;
        }
        if is_known(&name) {
            *word = format!("--{name}{value}").into();
        } else if let Some((_, tip)) = TIPS.iter().find(|(known, _)| *known == name) {
            foreign.push(format!("--{written} is not a flag of cwgnc: {tip}"));
        }
    }
    // All of them at once: a command line from elsewhere has more than one.
    if foreign.is_empty() {
        Ok(words)
    } else {
        Err(Error::Usage(foreign.join("\n")))
    }
}
