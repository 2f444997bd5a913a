//! Checkpoints of a run: `checkpoint-STEP/` with the model folder, the moments and the run's counters.

use super::Error;
use super::best::Best;
use super::output::{self, TrainingTotals};
use super::patience::Patience;
use super::{checksums, reading};
use crate::checkpoint::{self, CheckpointError, Purpose, Width};
use crate::clip::ClipState;
use crate::data::TextEncoder;
use crate::model::{ModelConfig, SequenceClassifier};
use crate::optim::AdamWSettings;
use crate::optim::adamw::Moments;
use crate::param::ParamTree;
use crate::real::Real;
use crate::train::{Network, Trainer};
use ndarray::{ArrayViewD, IxDyn};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

const MOMENTS: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
/// The weights at the last evaluation, which `--log-updates` measures from.
const PREVIOUS: &str = "previous_evaluation.safetensors";
const PREFIX: &str = "checkpoint-";
/// Steps that a run can have taken: up to 2⁵³ every number of them is one of `f64`, as schedules need.
const MOST_STEPS: u64 = 1 << 53;
/// The entry of the state for a run that may stop early.
const PATIENCE: &str = "early_stopping";

/// A run as it was after some step.
#[derive(Debug)]
pub(super) struct Resumed<T: Real> {
    pub(super) trainer: Trainer<T>,
    pub(super) steps_done: usize,
    pub(super) loss_sum: f64,
    /// The best evaluation so far, if the run looks for it.
    pub(super) best: Option<Best<T>>,
    /// What [`Patience::state`] gave, if the run may stop early.
    pub(super) patience: Value,
}

/// Writes the model folder: config, weights, tokenizer.
pub(super) fn save_model<T: Real>(
    dir: &Path,
    config: &ModelConfig,
    raw_config: &Map<String, Value>,
    encoder: &TextEncoder,
    model: &SequenceClassifier<T>,
    width: Width,
) -> Result<(), Error> {
    checkpoint::save_model(dir, config, raw_config, model, width)?;
    save_tokenizer(dir, encoder, config.max_tokens())
}

/// Writes the tokenizer's files as they were read, but for the most tokens that a text may have: a pipeline of transformers
/// cuts texts where `tokenizer_config.json` says so, and without it at no length that the model could take.
pub(super) fn save_tokenizer(dir: &Path, encoder: &TextEncoder, max_tokens: usize) -> Result<(), Error> {
    for (name, bytes) in encoder.files() {
        let with_length = (name == "tokenizer_config.json").then(|| with_max_length(bytes, max_tokens));
        let bytes = with_length.flatten().map_or(Cow::Borrowed(bytes), Cow::Owned);
        checkpoint::write_atomic(&dir.join(name), |out| out.write_all(&bytes))?;
    }
    Ok(())
}

/// A tokenizer's configuration with a `model_max_length` that the model can take, or none if it has one.
fn with_max_length(config: &[u8], max_tokens: usize) -> Option<Vec<u8>> {
    const KEY: &str = "model_max_length";
    let mut config: Map<String, Value> = serde_json::from_slice(config).ok()?;
    let said = config.get(KEY).and_then(Value::as_f64);
    if said.is_some_and(|said| said <= max_tokens as f64) {
        return None;
    }
    config.insert(KEY.to_owned(), max_tokens.into());
    Some(format!("{:#}\n", Value::Object(config)).into_bytes())
}

/// What a checkpoint holds beside the trainer, if the run's flags ask for it.
pub(super) struct Beside<'a, T> {
    /// The best evaluation so far.
    pub(super) best: Option<&'a Best<T>>,
    /// The weights at the last evaluation.
    pub(super) previous: Option<&'a SequenceClassifier<T>>,
    /// The contents of `cwgnc.json`.
    pub(super) reading: &'a Map<String, Value>,
    /// Of a run that may stop early.
    pub(super) patience: Option<&'a Patience>,
}

/// Writes the checkpoint of the state after `steps_done` steps and removes all but the last `keep`.
pub(super) fn save<T: Real>(
    dir: &Path,
    trainer: &Trainer<T>,
    totals: &TrainingTotals,
    beside: &Beside<'_, T>,
    raw_config: &Map<String, Value>,
    encoder: &TextEncoder,
    keep: usize,
) -> Result<PathBuf, Error> {
    save_as(dir, totals.all_steps, keep, |partial| {
        save_model(
            partial,
            &trainer.config,
            raw_config,
            encoder,
            &trainer.model,
            Width::Own,
        )?;
        output::write_json(&partial.join(reading::FILE), beside.reading)?;
        if let Some(model) = beside.previous {
            save_previous(&partial.join(PREVIOUS), model)?;
        }
        let best = Best::save(beside.best, partial)?;
        save_training(partial, trainer, totals, best, beside.patience)
    })
}

/// Writes the checkpoint after `step` by `write`, and removes all but the last `keep`.
///
/// The folder appears under its name when all its files are on the disk.
pub(super) fn save_as(
    dir: &Path,
    step: usize,
    keep: usize,
    write: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let (partial, path) = (
        dir.join(format!(".{PREFIX}{step}.partial")),
        dir.join(format!("{PREFIX}{step}")),
    );
    let fail = |path: &Path| {
        let path = path.to_owned();
        |source| Error::Folder { path, source }
    };
    let publish = || {
        if path.exists() {
            // The run went on from it, and it is the same: a run has one state after each step.
            return fs::remove_dir_all(&partial).map_err(fail(&partial));
        }
        fs::rename(&partial, &path).map_err(fail(&path))?;
        // The name is on the disk before the checkpoint before it goes.
        checkpoint::sync_folder(dir).map_err(fail(dir))
    };
    let written = write(&partial).and_then(|()| checksums::write(dir, &partial));
    if let Err(error) = written.and_then(|()| publish()) {
        // A full disk is no place for half a checkpoint.
        let _ = fs::remove_dir_all(&partial);
        return Err(error);
    }
    keep_last(dir, keep)?;
    Ok(path)
}

/// Removes all checkpoints but the last `keep`, and returns the last.
pub(super) fn keep_last(dir: &Path, keep: usize) -> Result<Option<PathBuf>, Error> {
    let mut found = checkpoints(dir)?;
    for (_, path) in found.iter().rev().skip(keep) {
        fs::remove_dir_all(path).map_err(|source| Error::Folder {
            path: path.clone(),
            source,
        })?;
    }
    Ok(found.pop().map(|(_, path)| path))
}

/// Whether a path is half a checkpoint, left by a process that died.
pub(super) fn is_partial(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(&format!(".{PREFIX}")) && name.ends_with(".partial"))
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

/// The moments and the counters of a run.
pub(super) fn save_training<T: Real, N: Network<T>>(
    partial: &Path,
    trainer: &Trainer<T, N>,
    totals: &TrainingTotals,
    best: Value,
    patience: Option<&Patience>,
) -> Result<(), Error> {
    save_moments(&partial.join(MOMENTS), trainer)?;
    let params = trainer.model.params();
    let names = params.iter().map(|(name, _)| name.clone());
    let counts = trainer
        .optimiser
        .moments
        .iter()
        .map(|moments| moments.steps.into());
    let optimizer_steps: Map<String, Value> = names.zip(counts).collect();
    let mut state = json!({
        "step": totals.all_steps,
        "optimizer_steps": optimizer_steps,
        "loss_sum": totals.loss_sum,
        "clip_state": trainer.clip_state.to_string(),
        "best": best,
    });
    if let Some(patience) = patience {
        state[PATIENCE] = patience.state();
    }
    output::write_json(&partial.join(STATE), state.as_object().unwrap_or(&Map::new()))
}

fn save_moments<T: Real, N: Network<T>>(path: &Path, trainer: &Trainer<T, N>) -> Result<(), Error> {
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

fn save_previous<T: Real>(path: &Path, model: &SequenceClassifier<T>) -> Result<(), Error> {
    Ok(checkpoint::save_tensors(path, &model.params())?)
}

/// Reads the weights at the last evaluation before a checkpoint.
pub(super) fn load_previous<T: Real>(path: &Path, model: &mut SequenceClassifier<T>) -> Result<(), Error> {
    let file = path.join(PREVIOUS);
    let tensors = checkpoint::load_tensors::<T>(&file)?;
    for (name, mut value) in model.params_mut() {
        let shape = value.shape().to_vec();
        let tensor = tensors.get(&name).filter(|tensor| tensor.shape() == shape);
        let problem = || {
            let file = file.display();
            Error::Resume(format!("{file}: no `{name}` of the parameter's shape {shape:?}"))
        };
        value.assign(tensor.ok_or_else(problem)?);
    }
    Ok(())
}

/// Reads a checkpoint.
pub(super) fn load<T: Real>(
    path: &Path,
    config: &ModelConfig,
    settings: AdamWSettings,
) -> Result<Resumed<T>, Error> {
    let (trainer, state) = load_training::<T, SequenceClassifier<T>>(path, config, settings)?;
    let best = Best::load(path, &state.best, &trainer.model)?;
    Ok(Resumed {
        trainer,
        steps_done: state.step,
        loss_sum: state.loss_sum,
        best,
        patience: state.patience,
    })
}

/// Reads a checkpoint's model, moments and counters.
pub(super) fn load_training<T: Real, N: Network<T>>(
    path: &Path,
    config: &ModelConfig,
    settings: AdamWSettings,
) -> Result<(Trainer<T, N>, State), Error> {
    let (model, _) = checkpoint::load(path, config, Purpose::Inference, N::zeros)?;
    let mut trainer = Trainer::new(config.clone(), model, settings);

    let file = path.join(MOMENTS);
    let mut tensors = checkpoint::load_tensors::<T>(&file)?;
    let state = State::read(&path.join(STATE))?;
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
            steps: state.optimizer_steps(&name)?,
            mean: take("mean")?,
            mean_square: take("mean_square")?,
        });
    }
    trainer.optimiser.moments = moments;
    trainer.clip_state = state.clipping.clone();
    Ok((trainer, state))
}

/// The counters of a run, and what its clipping policy remembers.
pub(super) struct State {
    path: PathBuf,
    pub(super) step: usize,
    /// The steps that updated each parameter: a clipping policy may have skipped some, and some may have been frozen.
    optimizer_steps: Value,
    pub(super) loss_sum: f64,
    clipping: ClipState,
    /// What [`Best::save`] gave.
    best: Value,
    patience: Value,
}

impl State {
    fn read(path: &Path) -> Result<Self, Error> {
        let json = |problem: String| CheckpointError::Json {
            path: path.to_owned(),
            problem,
        };
        let state: Value = serde_json::from_slice(&checkpoint::read(path)?)
            .map_err(|error| json(format!("not valid JSON: {error}")))?;
        let step = state["step"]
            .as_u64()
            .filter(|&step| step <= MOST_STEPS)
            .ok_or_else(|| json("`step` is not a number of steps".to_owned()))?;
        let loss_sum = state["loss_sum"]
            .as_f64()
            .ok_or_else(|| json("`loss_sum` is not a number".to_owned()))?;
        let clip_state = state["clip_state"].as_str().unwrap_or_default();
        let clipping = clip_state
            .parse()
            .map_err(|error| json(format!("`clip_state`: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            step: step as usize,
            optimizer_steps: state["optimizer_steps"].clone(),
            loss_sum,
            clipping,
            best: state["best"].clone(),
            patience: state[PATIENCE].clone(),
        })
    }

    /// The steps that updated a parameter.
    fn optimizer_steps(&self, name: &str) -> Result<u64, CheckpointError> {
        let steps = self.optimizer_steps[name].as_u64();
        // A step updates a parameter once or not at all.
        let steps = steps.filter(|&steps| steps <= self.step as u64);
        steps.ok_or_else(|| CheckpointError::Json {
            path: self.path.clone(),
            problem: format!(
                "`optimizer_steps` has no number of steps for `{name}`, at most the {} of `step`",
                self.step
            ),
        })
    }
}
