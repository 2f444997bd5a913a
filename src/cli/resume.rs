//! Checkpoints of a run: `checkpoint-STEP/` with the model folder, the moments and the run's counters.

use super::Error;
use super::output::{self, TrainingTotals};
use crate::checkpoint::{self, CheckpointError, Purpose};
use crate::data::TextEncoder;
use crate::model::{ModelConfig, SequenceClassifier};
use crate::optim::AdamWSettings;
use crate::optim::adamw::Moments;
use crate::param::ParamTree;
use crate::real::Real;
use crate::train::Trainer;
use ndarray::{ArrayViewD, IxDyn};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const MOMENTS: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
const PREFIX: &str = "checkpoint-";

/// A run as it was after some step.
#[derive(Debug)]
pub(super) struct Resumed<T: Real> {
    pub(super) trainer: Trainer<T>,
    pub(super) steps_done: usize,
    pub(super) loss_sum: f64,
}

/// Writes the model folder: config, weights, tokenizer.
pub(super) fn save_model<T: Real>(
    dir: &Path,
    config: &ModelConfig,
    raw_config: &Map<String, Value>,
    encoder: &TextEncoder,
    model: &SequenceClassifier<T>,
) -> Result<(), Error> {
    checkpoint::save_model(dir, config, raw_config, model)?;
    for (name, bytes) in encoder.files() {
        checkpoint::write_atomic(&dir.join(name), |out| out.write_all(bytes))?;
    }
    Ok(())
}

/// Writes the checkpoint of the state after `steps_done` steps and removes all but the last `keep`.
///
/// The folder appears under its name when all its files are on the disk.
pub(super) fn save<T: Real>(
    dir: &Path,
    trainer: &Trainer<T>,
    totals: &TrainingTotals,
    raw_config: &Map<String, Value>,
    encoder: &TextEncoder,
    keep: usize,
) -> Result<PathBuf, Error> {
    let step = totals.all_steps;
    let (partial, path) = (
        dir.join(format!(".{PREFIX}{step}.partial")),
        dir.join(format!("{PREFIX}{step}")),
    );
    let fail = |path: &Path| {
        let path = path.to_owned();
        |source| Error::Folder { path, source }
    };
    for stale in [&partial, &path] {
        if stale.exists() {
            fs::remove_dir_all(stale).map_err(fail(stale))?;
        }
    }
    save_model(&partial, &trainer.config, raw_config, encoder, &trainer.model)?;
    save_moments(&partial.join(MOMENTS), trainer)?;
    let state = json!({ "step": step, "loss_sum": totals.loss_sum });
    output::write_json(&partial.join(STATE), state.as_object().unwrap_or(&Map::new()))?;
    fs::rename(&partial, &path).map_err(fail(&path))?;
    for old in checkpoints(dir)?.iter().rev().skip(keep) {
        fs::remove_dir_all(&old.1).map_err(fail(&old.1))?;
    }
    Ok(path)
}

/// The checkpoints in a run's folder with their steps, oldest first.
pub(super) fn checkpoints(dir: &Path) -> Result<Vec<(usize, PathBuf)>, Error> {
    let step = |path: &Path| path.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok();
    let mut found: Vec<(usize, PathBuf)> = output::entries(dir)?
        .into_iter()
        .filter_map(|path| step(&path).map(|step| (step, path)))
        .collect();
    found.sort();
    Ok(found)
}

fn save_moments<T: Real>(path: &Path, trainer: &Trainer<T>) -> Result<(), Error> {
    let mut tensors = Vec::new();
    for ((name, value), moments) in trainer.model.params().iter().zip(&trainer.optimiser.moments) {
        for (kind, values) in [("mean", &moments.mean), ("mean_square", &moments.mean_square)] {
            let view =
                ArrayViewD::from_shape(IxDyn(value.shape()), values).expect("a moment for each element");
            tensors.push((format!("{kind}.{name}"), view));
        }
    }
    Ok(checkpoint::save_tensors(path, &tensors)?)
}

/// Reads a checkpoint.
pub(super) fn load<T: Real>(
    path: &Path,
    config: &ModelConfig,
    settings: AdamWSettings,
) -> Result<Resumed<T>, Error> {
    let mut model = SequenceClassifier::zeros(config);
    checkpoint::load_into(path, config, Purpose::Inference, &mut model)?;
    let mut trainer = Trainer::new(config.clone(), model, settings);

    let file = path.join(MOMENTS);
    let mut tensors = checkpoint::load_tensors::<T>(&file)?;
    let mut moments = Vec::new();
    for (name, value) in trainer.model.params() {
        let mut take = |kind: &str| {
            let tensor = tensors
                .remove(&format!("{kind}.{name}"))
                .filter(|tensor| tensor.shape() == value.shape());
            let text = format!(
                "{}: no `{kind}.{name}` of the parameter's shape {:?}",
                file.display(),
                value.shape()
            );
            tensor
                .map(|tensor| tensor.iter().copied().collect())
                .ok_or(Error::Resume(text))
        };
        moments.push(Moments {
            mean: take("mean")?,
            mean_square: take("mean_square")?,
        });
    }
    trainer.optimiser.moments = moments;

    let (steps_done, loss_sum) = read_state(&path.join(STATE))?;
    trainer.optimiser.steps = steps_done as u64;
    Ok(Resumed {
        trainer,
        steps_done,
        loss_sum,
    })
}

fn read_state(path: &Path) -> Result<(usize, f64), Error> {
    let json = |problem: String| CheckpointError::Json {
        path: path.to_owned(),
        problem,
    };
    let state: Value =
        serde_json::from_slice(&checkpoint::read(path)?).map_err(|error| json(error.to_string()))?;
    let step = state["step"]
        .as_u64()
        .ok_or_else(|| json("`step` is not a number of steps".to_owned()))?;
    let loss_sum = state["loss_sum"]
        .as_f64()
        .ok_or_else(|| json("`loss_sum` is not a number".to_owned()))?;
    Ok((step as usize, loss_sum))
}
