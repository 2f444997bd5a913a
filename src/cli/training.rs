//! The steps of a fine-tuning: training, logging, evaluating, saving.

use super::args::Finetune;
use super::best::{self, Best};
use super::choice::{EvalStrategy, SaveStrategy};
use super::corpus::Corpus;
use super::log::{self, Log};
use super::output::{self, TrainingTotals};
use super::patience::Patience;
use super::progress::{Progress, Training};
use super::score::{Scores, scores};
use super::{Error, reading, resume};
use crate::data::TextEncoder;
use crate::model::{ModelConfig, SequenceClassifier};
use crate::param::ParamTree;
use crate::real::Real;
use crate::reduce;
use crate::train::{Network, NotFinite, Run, Sequence, StepRecord, Trainer, UpdateMeter};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The loop over the steps, with what it needs beside the run itself.
pub(super) struct TrainingLoop<'a, T> {
    pub(super) args: &'a Finetune,
    pub(super) output: &'a Path,
    pub(super) corpus: &'a Corpus,
    pub(super) dev: &'a [Vec<Sequence>],
    pub(super) raw_config: &'a Map<String, Value>,
    pub(super) encoder: &'a TextEncoder,
    /// The contents of `cwgnc.json`.
    pub(super) reading: &'a Map<String, Value>,
    /// Under `--log-updates`.
    pub(super) updates: Option<UpdateMeter<T>>,
    /// Under `--early-stopping-patience`.
    pub(super) patience: Option<Patience>,
}

/// How a run ended that stopped early.
pub(super) struct EndedEarly {
    /// The evaluation that it ends with.
    pub(super) scores: Vec<Scores>,
    /// What `run.json` says of it.
    pub(super) record: Value,
}

impl<T: Real> TrainingLoop<'_, T> {
    /// Takes every step that is left, with its log lines, evaluations and checkpoints; a run that stops early says
    /// so.
    pub(super) fn run(
        &mut self,
        run: &mut Run<'_, T>,
        log: &mut Log,
        totals: &mut TrainingTotals,
        best: &mut Option<Best<T>>,
        progress: &mut Progress,
    ) -> Result<Option<EndedEarly>, Error> {
        let total = run.total_steps();
        while totals.all_steps < total {
            let next = totals.all_steps + 1;
            let logged = next == 1 || next == total || next.is_multiple_of(self.args.logging_steps);
            let norms = if logged {
                run.prepare_step();
                parameter_norms(&run.trainer)
            } else {
                Vec::new()
            };
            let start = Instant::now();
            let record = match run.next_step() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(problem) => return Err(self.stopped(run, totals, best.as_ref(), &problem)),
            };
            add(totals, &record, start.elapsed());
            if record.step == 1 {
                warn_about_missing_gradients(&record, progress);
            }
            if logged {
                log.write(&log::step_line(&record, &norms))?;
            }
            progress.training(training_line(&record, totals, total));
            if record.step == total {
                break;
            }
            let falls_due = |every: Option<usize>| every.is_some_and(|n| record.step.is_multiple_of(n));
            if self.is_evaluated(run) {
                let scores = self.evaluate(run, &record, log, totals, best, progress)?;
                let score = best::score(self.corpus.headline, &scores);
                // Without a checkpoint: a run that dies now comes back to this evaluation and stops again.
                if let Some(patience) = &mut self.patience
                    && patience.try_with(score)
                {
                    let (step, record) = (record.step, patience.stop_record(record.step));
                    progress.message(&format!("stopped early after step {step} of {total}"));
                    return Ok(Some(EndedEarly { scores, record }));
                }
            }
            let due = run.is_end_of_epoch() || falls_due(self.args.save_steps);
            if due && self.args.save_strategy != SaveStrategy::No {
                log.sync()?;
                self.save(run, totals, best.as_ref())?;
            }
        }
        Ok(None)
    }

    /// Whether the model is evaluated after the last step, even if it is not the last of the run.
    fn is_evaluated(&self, run: &Run<'_, T>) -> bool {
        let every = self.args.eval_every;
        let by_epoch = self.args.eval_strategy == EvalStrategy::Epoch;
        let for_best = self.args.stabilise.load_best && every.is_none();
        every.is_some_and(|every| run.steps_done().is_multiple_of(every))
            || (by_epoch || for_best) && run.is_end_of_epoch()
            || run.finished_iteration().is_some()
    }

    fn evaluate(
        &mut self,
        run: &Run<'_, T>,
        record: &StepRecord,
        log: &mut Log,
        totals: &TrainingTotals,
        best: &mut Option<Best<T>>,
        progress: &mut Progress,
    ) -> Result<Vec<Scores>, Error> {
        let Trainer { config, model, .. } = &run.trainer;
        let scores = scores(
            config,
            model,
            self.corpus,
            self.dev,
            self.args.run.per_device_eval_batch_size,
            progress,
        )?;
        let shown: Vec<String> = named(&scores).collect();
        progress.message(&format!("step {}: {}", record.step, shown.join(", ")));
        if self.args.stabilise.load_best {
            Best::consider(best, record.step, self.corpus.headline, &scores, model);
        }
        let updates = self.updates.as_mut().map(|meter| meter.measure(model));
        let iteration = run.finished_iteration();
        let line = log::eval_line(totals, record.epoch, iteration, &scores, updates.as_deref());
        log.write(&line)?;
        Ok(scores)
    }

    fn save(
        &self,
        run: &Run<'_, T>,
        totals: &TrainingTotals,
        best: Option<&Best<T>>,
    ) -> Result<PathBuf, Error> {
        check_finite(&run.trainer.model, totals.all_steps)?;
        let keep = self.args.save_total_limit;
        resume::save(
            self.output,
            &run.trainer,
            totals,
            &resume::Beside {
                best,
                previous: self.updates.as_ref().map(UpdateMeter::previous),
                reading: self.reading,
                patience: self.patience.as_ref(),
            },
            self.raw_config,
            self.encoder,
            keep,
        )
    }

    /// Writes the model that the run ends with, if any is wanted.
    pub(super) fn save_model(
        &self,
        config: &ModelConfig,
        model: &SequenceClassifier<T>,
    ) -> Result<(), Error> {
        if self.args.save_strategy == SaveStrategy::No {
            return Ok(());
        }
        let width = self.args.save_dtype.width();
        resume::save_model(self.output, config, self.raw_config, self.encoder, model, width)?;
        output::write_json(&self.output.join(reading::FILE), self.reading)
    }

    /// The weights are those before the step that failed: they are saved, and the error says where.
    fn stopped(
        &self,
        run: &Run<'_, T>,
        totals: &TrainingTotals,
        best: Option<&Best<T>>,
        problem: &NotFinite,
    ) -> Error {
        let reason = format!("step {}: {problem}", totals.all_steps + 1);
        let state = match self.args.save_strategy {
            SaveStrategy::No => String::new(),
            SaveStrategy::Epoch => {
                let state = match self.save(run, totals, best) {
                    Ok(path) => format!("is in {}", path.display()),
                    Err(error) => format!("could not be saved: {error}"),
                };
                format!(", the state before this step {state}")
            }
        };
        let steps = totals.all_steps;
        Error::Training { steps, reason, state }
    }
}

/// The norms of the parameters that the next step trains.
pub(super) fn parameter_norms<T: Real, N: Network<T>>(trainer: &Trainer<T, N>) -> Vec<f64> {
    let params = trainer.model.params();
    let slices: Vec<&[T]> = params
        .iter()
        .zip(&trainer.stabiliser.frozen)
        .filter(|(_, frozen)| !**frozen)
        .map(|((_, p), _)| p.as_slice().expect("a parameter is in standard layout"))
        .collect();
    reduce::norms(&slices)
}

/// A finite gradient can still carry a weight out of its number type: what could not be loaded again is not saved.
pub(super) fn check_finite<T: Real>(model: &impl ParamTree<T>, step: usize) -> Result<(), Error> {
    let params = model.params();
    let bad = params
        .iter()
        .find(|(_, p)| p.iter().any(|x| !x.widen().is_finite()));
    bad.map_or(Ok(()), |(name, _)| {
        Err(Error::Training {
            steps: step,
            reason: format!("after step {step} `{name}` has values that are not finite"),
            state: String::new(),
        })
    })
}

pub(super) fn add(totals: &mut TrainingTotals, record: &StepRecord, time: Duration) {
    totals.steps += 1;
    totals.all_steps = record.step;
    totals.tokens += record.tokens;
    totals.samples += record.examples.len();
    totals.seconds += time.as_secs_f64();
    totals.loss_sum += record.report.loss;
}

pub(super) fn training_line(record: &StepRecord, totals: &TrainingTotals, total: usize) -> Training {
    let left = (total - record.step) as f64 * totals.seconds / totals.steps as f64;
    Training {
        step: record.step,
        total,
        epoch: record.epoch,
        loss: record.report.loss,
        tokens_per_second: totals.tokens as f64 / totals.seconds,
        left: Duration::from_secs_f64(left),
    }
}

/// A parameter that no gradient reaches is not trained; other libraries have had that happen without a word.
pub(super) fn warn_about_missing_gradients(record: &StepRecord, progress: &mut Progress) {
    let parameters = &record.report.clip.parameters;
    let missing: Vec<&str> = parameters
        .iter()
        .filter(|p| p.norm_before == 0.0)
        .map(|p| p.name.as_str())
        .collect();
    if !missing.is_empty() {
        progress.message(&format!(
            "warning: no gradient reached {} in the first step",
            missing.join(", ")
        ));
    }
}

/// `eval_accuracy = 0.6209`, metric by metric.
fn named(scores: &[Scores]) -> impl Iterator<Item = String> {
    scores
        .iter()
        .flat_map(|scores| &scores.values)
        .map(|(name, value)| super::score::line(name, *value))
}
