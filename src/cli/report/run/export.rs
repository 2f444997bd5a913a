//! A run's numbers for other programs: CSV, the state of transformers' `Trainer`, events of `TensorBoard`.

use super::super::series::Line;
use super::read::{Run, STEP};
use crate::report::csv::{Cell, csv};
use crate::report::tensorboard::Event;
use serde_json::{Map, Value, json};

/// `metrics.csv`: a row for each logged step and each evaluation.
pub(super) fn metrics(run: &Run) -> String {
    let metrics = run.metrics.iter().map(String::as_str);
    let header: Vec<&str> = ["kind", "step", "epoch"]
        .into_iter()
        .chain(STEP)
        .chain(["train_loss", "unfreezing_iteration"])
        .chain(metrics)
        .collect();
    let row = |line: &Line| {
        let kind = line.components().map_or("evaluation", |_| "step");
        let first = [Cell::Text(kind.to_owned()), Cell::Count(line.step)];
        let rest = header[2..]
            .iter()
            .map(|name| Cell::Number(line.value[*name].as_f64()));
        first.into_iter().chain(rest).collect()
    };
    csv(&header, &run.lines.iter().map(row).collect::<Vec<_>>())
}

/// `trainer_state.json` with the keys of transformers' `TrainerState`, in order.
pub(super) fn trainer_state(run: &Run) -> Value {
    let mut history: Vec<Value> = run.lines.iter().map(|line| logged(run, line)).collect();
    let last = run.lines.last().map_or(&Value::Null, |line| &line.value["epoch"]);
    let ended = run.results.iter().map(|results| {
        let of_training = results
            .iter()
            .filter(|(name, value)| name.starts_with("train_") && value.is_number());
        let entry = of_training.map(|(name, value)| (name.clone(), value.clone()));
        Value::Object(
            entry
                .chain([
                    ("epoch".to_owned(), last.clone()),
                    ("step".to_owned(), run.last_step().into()),
                ])
                .collect(),
        )
    });
    history.extend(ended);
    let or = |value: &Value, default: u64| {
        if value.is_null() {
            default.into()
        } else {
            value.clone()
        }
    };
    let best = run.best();
    json!({
        "best_global_step": best.map(|(step, _)| step),
        "best_metric": best.map(|(_, value)| value),
        "best_model_checkpoint": null,
        "epoch": last,
        "eval_steps": or(run.settings("eval_every"), 500),
        "global_step": run.last_step(),
        "is_hyper_param_search": false,
        "is_local_process_zero": true,
        "is_world_process_zero": true,
        "log_history": history,
        "logging_steps": or(run.settings("logging_steps"), 500),
        "max_steps": run.settings("total_steps"),
        "num_input_tokens_seen": 0,
        "num_train_epochs": epochs(run),
        "save_steps": or(&run.record["save_steps"], 500),
        "stateful_callbacks": {},
        "total_flos": 0.0,
        "train_batch_size": run.settings("per_device_train_batch_size"),
        "trial_name": null,
        "trial_params": null,
    })
}

/// The epochs that were begun at the end of all steps.
fn epochs(run: &Run) -> Option<u64> {
    let total = run.settings("total_steps").as_u64()?;
    let of = |line: &Line| line.value["epoch"].as_f64().filter(|epoch| *epoch > 0.0);
    let each = run
        .lines
        .iter()
        .find_map(|line| Some((line.step as f64 / of(line)?).round() as u64));
    Some(total.div_ceil(each?.max(1)))
}

/// An entry of `log_history`: the `Trainer`'s `grad_norm` is the one before clipping.
fn logged(run: &Run, line: &Line) -> Value {
    let named = |name: &str| match name {
        "grad_norm_before_clipping" => "grad_norm".to_owned(),
        name => name.to_owned(),
    };
    let names = ["epoch"].into_iter().chain(names(run, line)).chain(["step"]);
    let entry: Map<String, Value> = names
        .map(|name| (named(name), line.value[name].clone()))
        .collect();
    Value::Object(entry)
}

/// The numbers of a line.
fn names<'a>(run: &'a Run, line: &Line) -> Vec<&'a str> {
    if line.components().is_some() {
        return STEP.to_vec();
    }
    let metrics = run.metrics.iter().map(String::as_str);
    metrics.filter(|name| line.value.get(*name).is_some()).collect()
}

/// `TensorBoard`'s events, with the tags that transformers gives them; of each parameter the gradient's norm before
/// clipping and the scale.
pub(super) fn events(run: &Run) -> Vec<Event> {
    let event = |line: &Line| {
        let number = |tag: String, value: &Value| Some((tag, value.as_f64()? as f32));
        let is_step = line.components().is_some();
        let tag = |name: &str| match name {
            name if !is_step => format!("eval/{}", name.strip_prefix("eval_").unwrap_or(name)),
            "grad_norm_before_clipping" => "train/grad_norm".to_owned(),
            name => format!("train/{name}"),
        };
        let names = names(run, line).into_iter();
        let mut values: Vec<_> = names
            .filter_map(|name| number(tag(name), &line.value[name]))
            .collect();
        for component in line.components().into_iter().flatten() {
            let name = component["name"].as_str().unwrap_or_default();
            values.extend(number(
                format!("grad_norm/{name}"),
                &component["grad_norm_before"],
            ));
            values.extend(number(format!("scale/{name}"), &component["scale"]));
        }
        Event {
            step: line.step as u64,
            values,
        }
    };
    run.lines.iter().map(event).collect()
}
