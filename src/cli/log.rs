//! `log.jsonl`: what each logged step measured, under names that cannot be confused.
//!
//! A line holds no clock time, so that a resumed run writes the same bytes as an undisturbed one.

use super::Error;
use super::output::TrainingTotals;
use super::score::Scores;

use crate::checkpoint::{self, CheckpointError};
use crate::train::{ParameterUpdate, StepRecord};
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The log of a run, open for appending.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the log, keeping the lines of the first `steps` steps.
    ///
    /// Lines behind them, and a last line that was torn when the process died, are cut off.
    pub(super) fn open(path: &Path, steps: usize) -> Result<Self, Error> {
        let kept = if path.exists() {
            let bytes = checkpoint::read(path)?;
            let lines = bytes.split_inclusive(|&b| b == b'\n');
            lines
                .take_while(|line| {
                    line.ends_with(b"\n") && step(line).is_some_and(|s| (1..=steps).contains(&s))
                })
                .flatten()
                .copied()
                .collect()
        } else {
            Vec::new()
        };
        checkpoint::write_atomic(path, |out| out.write_all(&kept))?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|source| write_error(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Appends one line.
    pub(super) fn write(&mut self, line: &Value) -> Result<(), Error> {
        let written = self.file.write_all(format!("{line}\n").as_bytes());
        written.map_err(|source| write_error(&self.path, source))
    }

    /// Waits until the lines are on the disk.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.file
            .sync_data()
            .map_err(|source| write_error(&self.path, source))
    }
}

fn write_error(path: &Path, source: std::io::Error) -> Error {
    CheckpointError::Write {
        path: path.to_owned(),
        source,
    }
    .into()
}

/// The step of a line.
fn step(line: &[u8]) -> Option<usize> {
    let line: Value = serde_json::from_slice(line).ok()?;
    line.get("step")?.as_u64().map(|step| step as usize)
}

/// The line of a step; the norms of the parameters that are trained were measured before the step.
pub(super) fn step_line(record: &StepRecord, parameter_norms: &[f64]) -> Value {
    let clip = &record.report.clip;
    let mut components = vec![Vec::new(); clip.parameters.len()];
    for component in &clip.components {
        for &member in &component.members {
            components[member].push(component);
        }
    }
    let parameters = clip.parameters.iter().zip(components).zip(parameter_norms);
    let components: Vec<Value> = parameters
        .map(|((parameter, components), norm)| {
            // A parameter of several components (its rows) has no one scale.
            let scale = if let [component] = components[..] {
                Some(component.scale)
            } else {
                None
            };
            json!({
                "name": parameter.name,
                "elements": parameter.elements,
                "grad_norm_before": parameter.norm_before,
                "grad_norm_after": parameter.norm_after,
                "scale": scale,
                "clipped": components.iter().any(|component| component.was_clipped()),
                "parameter_norm": norm,
            })
        })
        .collect();
    json!({
        "step": record.step,
        "epoch": record.epoch,
        "loss": record.report.loss,
        "learning_rate": record.learning_rate,
        "grad_norm_before_clipping": clip.global_norm_before(),
        "grad_norm_after_clipping": clip.global_norm_after(),
        "clipped_elements": clip.clipped_elements(),
        "clipped_components": clip.components.iter().filter(|c| c.was_clipped()).count(),
        "components": components,
        "examples": record.examples,
    })
}

/// The line of an evaluation, with the iteration of gradual unfreezing that ended there; `train_loss` is the mean loss
/// of all steps before it, `updates` are those since the start and since the evaluation before.
pub(super) fn eval_line(
    totals: &TrainingTotals,
    epoch: f64,
    iteration: Option<usize>,
    scores: &[Scores],
    updates: Option<&[ParameterUpdate]>,
) -> Value {
    let mut line = Map::new();
    line.insert("step".to_owned(), totals.all_steps.into());
    line.insert("epoch".to_owned(), epoch.into());
    line.insert("train_loss".to_owned(), totals.mean_loss().into());
    if let Some(iteration) = iteration {
        line.insert("unfreezing_iteration".to_owned(), iteration.into());
    }
    for (name, value) in scores.iter().flat_map(|scores| &scores.values) {
        line.insert(name.clone(), (*value).into());
    }
    if let Some(updates) = updates {
        line.insert("updates".to_owned(), updates.iter().map(update).collect());
    }
    Value::Object(line)
}

fn update(update: &ParameterUpdate) -> Value {
    json!({
        "name": update.name,
        "rms_from_start": update.from_start.rms,
        "cosine_distance_from_start": update.from_start.cosine,
        "rms_from_previous": update.from_previous.rms,
        "cosine_distance_from_previous": update.from_previous.cosine,
    })
}
