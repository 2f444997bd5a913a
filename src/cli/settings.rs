//! The settings of a run as a record: what `run.json` says, and what a resumed run must repeat.

use super::args::Finetune;
use super::choice::name;
use super::corpus::max_tokens;
use crate::model::ModelConfig;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Every flag that a number of the run depends on, by its name with underscores.
pub(super) fn settings(args: &Finetune, config: &ModelConfig, total_steps: usize) -> Map<String, Value> {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let settings = json!({
        "model": args.model.dir.display().to_string(),
        "task": args.data.task,
        "data": text(&args.data.data),
        "train_file": text(&args.train_file),
        "validation_file": text(&args.data.validation_file),
        "text_column": args.data.columns.text_column,
        "text_pair_column": args.data.columns.text_pair_column,
        "label_column": args.data.columns.label_column.as_deref().unwrap_or("label"),
        "problem_type": args.problem_type.as_ref().map(name),
        "max_seq_length": max_tokens(args.data.columns.max_seq_length, config),
        "max_train_samples": args.max_train_samples,
        "max_eval_samples": args.data.max_eval_samples,
        "from_scratch": args.from_scratch,
        "clip": args.clip.to_string(),
        "learning_rate": args.learning_rate,
        "num_train_epochs": args.num_train_epochs,
        "max_steps": args.max_steps,
        "total_steps": total_steps,
        "per_device_train_batch_size": args.per_device_train_batch_size,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "warmup_ratio": args.schedule.warmup_ratio,
        "weight_decay": args.weight_decay,
        "optimizer": name(&args.optimizer),
        "adam_beta1": args.adam_beta1,
        "adam_beta2": args.adam_beta2,
        "adam_epsilon": args.adam_epsilon,
        "hidden_dropout_prob": config.hidden_dropout_prob,
        "attention_probs_dropout_prob": config.attention_probs_dropout_prob,
        "classifier_dropout": config.head_dropout_prob(),
        "dtype": name(&args.dtype),
        "seed": args.seed,
        "init_seed": args.init_seed.unwrap_or(args.seed),
        "data_seed": args.data_seed.unwrap_or(args.seed),
        "dropout_seed": args.dropout_seed.unwrap_or(args.seed),
        "logging_steps": args.logging_steps,
        "eval_every": args.eval_every,
        "eval_strategy": name(&args.eval_strategy),
        "log_updates": args.log_updates,
    });
    let mut settings = settings.as_object().cloned().unwrap_or_default();
    if args.fresh_head {
        settings.insert("fresh_head".to_owned(), true.into());
    }
    if let Some(columns) = &args.data.columns.label_columns {
        settings.insert("label_columns".to_owned(), json!(columns.0));
    }
    settings.extend(args.schedule.record());
    settings.extend(args.stabilise.record());
    settings.extend(args.loss.record());
    settings.extend(args.patience.record());
    settings
}

/// Where two records of settings differ: `learning_rate: was 0.0001, now 0.00002`.
pub(super) fn differences(was: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    let mut keys: Vec<&String> = was
        .keys()
        .chain(now.keys().filter(|key| !was.contains_key(*key)))
        .collect();
    keys.retain(|key| was.get(*key) != now.get(*key));
    let shown =
        |map: &Map<String, Value>, key: &String| map.get(key).map_or("absent".to_owned(), Value::to_string);
    keys.into_iter()
        .map(|key| format!("{key}: was {}, now {}", shown(was, key), shown(now, key)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_setting() {
        let map = |value: Value| value.as_object().cloned().unwrap_or_default();
        let was = map(json!({"a": 1, "b": 2.5, "c": null}));
        let now = map(json!({"a": 1, "b": 3.5, "d": "x"}));
        assert_eq!(
            differences(&was, &now),
            [
                "b: was 2.5, now 3.5",
                "c: was null, now absent",
                "d: was absent, now \"x\""
            ]
        );
        assert!(differences(&was, &was).is_empty());
    }
}
