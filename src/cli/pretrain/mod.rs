//! `cwgnc pretrain`: plain text goes in, a vocabulary, a pretrained encoder and their record come out.
//!
//! `inputs` reads text, vocabulary and model; the steps are here; `record` has the files of the run and `curve` its figure.
//! Checkpoints, log and progress are those of `cwgnc finetune`.

pub(super) mod args;
mod curve;
mod inputs;
mod record;

use self::args::Pretrain;
use self::inputs::Inputs;
use super::choice::Dtype;
use super::log::{self, Log};
use super::output::{self, TrainingTotals};
use super::progress::Progress;
use super::record::{Start, start};
use super::training::{add, check_finite, parameter_norms, training_line, warn_about_missing_gradients};
use super::{Error, checksums, in_threads, machine, print, print_document, resume};
use crate::checkpoint::{self, Width};
use crate::data::TextEncoder;
use crate::model::{MaskedLanguageModel, ModelConfig};
use crate::optim::{AdamWSettings, Schedule};
use crate::real::Real;
use crate::train::{FillScores, MaskedText, NotFinite, Plan, Run, Seeds, Stabilisers, Trainer, fill};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Instant;

type Pretraining<'a, T> = Run<'a, T, MaskedLanguageModel<T>, MaskedText>;

/// Runs the command.
pub(super) fn command(args: &Pretrain) -> Result<(), Error> {
    in_threads(args.run.threads, || match args.dtype {
        Dtype::F32 => Job::<f32>::prepare(args)?.run(),
        Dtype::F64 => Job::<f64>::prepare(args)?.run(),
    })?
}

/// A pretraining that is ready to begin or to go on.
struct Job<'a, T: Real> {
    args: &'a Pretrain,
    /// Whether it is a run to resume that has nothing left to do.
    finished: bool,
    train: MaskedText,
    held_out: MaskedText,
    raw_config: Map<String, Value>,
    encoder: TextEncoder,
    plan: Plan,
    eval_every: usize,
    trainer: Trainer<T, MaskedLanguageModel<T>>,
    totals: TrainingTotals,
    progress: Progress,
    _lock: output::Lock,
}

impl<'a, T: Real> Job<'a, T> {
    /// Reads and checks everything, so that what can fail fails before the first step.
    fn prepare(args: &'a Pretrain) -> Result<Self, Error> {
        let mut progress = Progress::new(args.quiet);
        machine::warn_unless_portable(args.quiet);
        let inputs = Inputs::<T>::read(args)?;
        if let Some(report) = &inputs.report {
            progress.message(&report.to_string());
        }
        let plan = plan(args, inputs.train.sequences.len());
        let eval_every = args
            .eval_every
            .unwrap_or_else(|| plan.total_steps().div_ceil(10).max(1));
        let claim = output::Claim {
            overwrite: args.overwrite,
            resume: args.resume,
            model: args.model.as_deref().or(args.tokenizer.as_deref()),
        };
        let lock = output::prepare(&args.output, claim)?;
        let record = record::record(args, &inputs, plan.total_steps(), eval_every)?;
        let mut totals = TrainingTotals::default();
        let start = start(args.resume, &args.output, &record, args.save_total_limit)?;
        let mut trainer = match &start {
            Start::From(path) => {
                checksums::verify(path, args.quiet)?;
                let (trainer, state) = resume::load_training(path, &inputs.config, adamw(args))?;
                (totals.all_steps, totals.loss_sum) = (state.step, state.loss_sum);
                let path = path.display();
                progress.message(&format!("resuming after step {} from {path}", state.step));
                trainer
            }
            Start::Fresh | Start::Finished => Trainer::new(inputs.config, inputs.model, adamw(args)),
        };
        trainer.recompute_activations(args.checkpoint_activations);
        let finished = matches!(start, Start::Finished);
        if !finished {
            output::write_json(&args.output.join(output::RUN), &record)?;
        }
        Ok(Self {
            args,
            finished,
            train: inputs.train,
            held_out: inputs.held_out,
            raw_config: inputs.raw_config,
            encoder: inputs.encoder,
            plan,
            eval_every,
            trainer,
            totals,
            progress,
            _lock: lock,
        })
    }

    /// Trains, evaluates, writes and prints.
    fn run(mut self) -> Result<(), Error> {
        let output = self.args.output.clone();
        let json = self.args.json;
        let totals = if self.finished {
            let output = output.display();
            self.progress
                .message(&format!("the run in {output} is finished; its results:"));
            TrainingTotals::default()
        } else {
            self.announce();
            self.train()?
        };
        let text = checkpoint::read(&output.join(output::ALL))?;
        if json {
            return print_document(String::from_utf8_lossy(&text).trim_end());
        }
        let problem = |error| Error::Resume(format!("{}: {error}", output.join(output::ALL).display()));
        let results: Value = serde_json::from_slice(&text).map_err(problem)?;
        for name in ["eval_loss", "perplexity", "eval_accuracy"] {
            print(&format!(
                "{name} = {:.4}",
                results[name].as_f64().unwrap_or(f64::NAN)
            ))?;
        }
        totals.summary().map_or(Ok(()), |line| print(&line))
    }

    /// Takes the steps, writes the model and the results; gives what was measured.
    fn train(mut self) -> Result<TrainingTotals, Error> {
        let args = self.args;
        let mut log = Log::open(&args.output.join(output::LOG), self.totals.all_steps)?;
        let mut run = Run::on(
            self.trainer,
            self.plan.clone(),
            &self.train,
            self.totals.all_steps,
        );
        let mut steps = Steps {
            args,
            held_out: &self.held_out,
            raw_config: &self.raw_config,
            encoder: &self.encoder,
            eval_every: self.eval_every,
            totals: self.totals,
            progress: &mut self.progress,
        };
        steps.all(&mut run, &mut log)?;
        let Trainer { config, model, .. } = &run.trainer;
        check_finite(model, steps.totals.all_steps)?;
        let scores = steps.evaluate(config, model);
        let per_epoch = self
            .train
            .sequences
            .len()
            .div_ceil(self.plan.batch_size * self.plan.accumulation);
        let totals = steps.totals;
        let epoch = totals.all_steps as f64 / per_epoch as f64;
        log.write(&record::eval_line(&totals, epoch, scores))?;
        log.sync()?;
        let width = args.save_dtype.width();
        save_model(
            &args.output,
            config,
            &self.raw_config,
            &self.encoder,
            model,
            width,
        )?;
        curve::write(&args.output)?;
        let samples = (self.train.sequences.len(), self.held_out.sequences.len());
        let results = record::results(&totals, epoch, samples, scores);
        output::write_json(&args.output.join(output::ALL), &results)?;
        Ok(totals)
    }

    /// Says what is about to be done.
    fn announce(&mut self) {
        let tokens = self.train.tokens();
        self.progress.message(&format!(
            "{} sequences ({tokens} tokens) to train on, {} to evaluate on; a vocabulary of {}; {} steps, clipping {}, {} \
             threads; writing to {}",
            self.train.sequences.len(),
            self.held_out.sequences.len(),
            self.trainer.config.vocab_size,
            self.plan.total_steps(),
            self.plan.clip,
            rayon::current_num_threads(),
            self.args.output.display()
        ));
    }
}

/// The loop over the steps, with what it needs beside the run itself.
struct Steps<'a> {
    args: &'a Pretrain,
    held_out: &'a MaskedText,
    raw_config: &'a Map<String, Value>,
    encoder: &'a TextEncoder,
    eval_every: usize,
    totals: TrainingTotals,
    progress: &'a mut Progress,
}

impl Steps<'_> {
    /// Takes every step that is left, with its log lines, evaluations and checkpoints.
    fn all<T: Real>(&mut self, run: &mut Pretraining<'_, T>, log: &mut Log) -> Result<(), Error> {
        let total = run.total_steps();
        while self.totals.all_steps < total {
            let next = self.totals.all_steps + 1;
            let logged = next == 1 || next == total || next.is_multiple_of(self.args.logging_steps);
            let norms = if logged {
                parameter_norms(&run.trainer)
            } else {
                Vec::new()
            };
            let start = Instant::now();
            let record = match run.next_step() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(problem) => return Err(self.stopped(run, &problem)),
            };
            add(&mut self.totals, &record, start.elapsed());
            if record.step == 1 {
                warn_about_missing_gradients(&record, self.progress);
            }
            if logged {
                log.write(&log::step_line(&record, &norms))?;
            }
            self.progress
                .training(training_line(&record, &self.totals, total));
            if record.step == total {
                break;
            }
            if record.step.is_multiple_of(self.eval_every) {
                let scores = self.evaluate(&run.trainer.config, &run.trainer.model);
                let shown = record::shown(scores).join(", ");
                self.progress.message(&format!("step {}: {shown}", record.step));
                log.write(&record::eval_line(&self.totals, record.epoch, scores))?;
            }
            if record.step.is_multiple_of(self.args.save_steps) {
                log.sync()?;
                self.save(run)?;
            }
        }
        Ok(())
    }

    fn evaluate<T: Real>(&mut self, config: &ModelConfig, model: &MaskedLanguageModel<T>) -> FillScores {
        let (batch, count) = (
            self.args.run.per_device_eval_batch_size,
            self.held_out.sequences.len(),
        );
        let progress = &mut *self.progress;
        fill(config, model, self.held_out, batch, |done| {
            progress.count("evaluating", done, count);
        })
    }

    fn save<T: Real>(&self, run: &Pretraining<'_, T>) -> Result<PathBuf, Error> {
        let trainer = &run.trainer;
        check_finite(&trainer.model, self.totals.all_steps)?;
        let (output, keep) = (&self.args.output, self.args.save_total_limit);
        resume::save_as(output, self.totals.all_steps, keep, |partial| {
            let (config, model) = (&trainer.config, &trainer.model);
            save_model(partial, config, self.raw_config, self.encoder, model, Width::Own)?;
            resume::save_training(partial, trainer, &self.totals, Value::Null, None)
        })
    }

    /// The weights are those before the step that failed: they are saved, and the error says where.
    fn stopped<T: Real>(&self, run: &Pretraining<'_, T>, problem: &NotFinite) -> Error {
        let steps = self.totals.all_steps;
        let state = match self.save(run) {
            Ok(path) => format!("is in {}", path.display()),
            Err(error) => format!("could not be saved: {error}"),
        };
        Error::Training {
            steps,
            reason: format!("step {}: {problem}", steps + 1),
            state: format!(", the state before this step {state}"),
        }
    }
}

/// Writes the model folder: config, weights, tokenizer.
fn save_model<T: Real>(
    dir: &Path,
    config: &ModelConfig,
    raw_config: &Map<String, Value>,
    encoder: &TextEncoder,
    model: &MaskedLanguageModel<T>,
    width: Width,
) -> Result<(), Error> {
    checkpoint::save_masked_lm(dir, config, raw_config, model, width)?;
    resume::save_tokenizer(dir, encoder, config.max_tokens())
}

/// What the run does at each step, for a text of so many sequences.
fn plan(args: &Pretrain, sequences: usize) -> Plan {
    let per_epoch = sequences.div_ceil(args.per_device_train_batch_size * args.gradient_accumulation_steps);
    let steps = args
        .max_steps
        .unwrap_or_else(|| (args.num_train_epochs * per_epoch as f64).ceil() as usize);
    Plan {
        batch_size: args.per_device_train_batch_size,
        accumulation: args.gradient_accumulation_steps,
        schedule: Schedule::new(args.learning_rate, args.warmup_ratio, steps),
        clip: args.clip.clone(),
        seeds: Seeds {
            order: args.seed,
            dropout: args.seed,
        },
        stabilisers: Stabilisers::default(),
    }
}

/// The optimiser's constants.
fn adamw(args: &Pretrain) -> AdamWSettings {
    AdamWSettings {
        form: args.optimizer.form(),
        beta1: args.adam_beta1,
        beta2: args.adam_beta2,
        epsilon: args.adam_epsilon,
        weight_decay: args.weight_decay,
    }
}
