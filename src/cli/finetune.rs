//! `cwgnc finetune`: a model folder and a task go in, a fine-tuned model and its record come out.

use super::args::{Dtype, Finetune};
use super::corpus::{Corpus, max_tokens};
use super::log::{self, Log};
use super::output::{self, TrainingTotals};
use super::plan::{adamw, plan};
use super::progress::{Progress, Training, clock};
use super::record::{last_checkpoint, record};
use super::score::{Scores, scores};
use super::{Error, print, resume, start_threads};
use crate::checkpoint::{self, LoadReport, Purpose};
use crate::data::TextEncoder;
use crate::model::{ModelConfig, SequenceClassifier, init};
use crate::param::ParamTree;
use crate::real::Real;
use crate::reduce;
use crate::train::{NotFinite, Plan, Run, Sequence, StepRecord, Trainer};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Runs the command.
pub(super) fn command(args: &Finetune) -> Result<(), Error> {
    let threads = start_threads(args.run.threads)?;
    match args.dtype {
        Dtype::F32 => Job::<f32>::prepare(args, threads)?.run(),
        Dtype::F64 => Job::<f64>::prepare(args, threads)?.run(),
    }
}

/// A fine-tuning that is ready to begin or to go on.
struct Job<'a, T: Real> {
    args: &'a Finetune,
    output: PathBuf,
    corpus: Corpus,
    dev: Vec<Vec<Sequence>>,
    train: Vec<Sequence>,
    /// The keys of the model's `config.json`, those unknown here included.
    raw_config: Map<String, Value>,
    encoder: TextEncoder,
    plan: Plan,
    trainer: Trainer<T>,
    totals: TrainingTotals,
    progress: Progress,
}

impl<'a, T: Real> Job<'a, T> {
    /// Reads and checks everything, so that what can fail fails before the first step.
    fn prepare(args: &'a Finetune, threads: usize) -> Result<Self, Error> {
        let mut progress = Progress::new(args.quiet);
        let corpus = Corpus::for_finetuning(args)?;
        let folder = checkpoint::read_config(&args.model.dir)?;
        let config = adapted(folder.config, &corpus, args);
        let encoder = TextEncoder::from_folder(&args.model.dir, &config)?;
        let max_tokens = max_tokens(args.data.max_seq_length, &config);
        let (mut train, mut dev) = (Vec::new(), Vec::new());
        if let Some(source) = &corpus.train {
            train = source.encode(&encoder, max_tokens)?;
        }
        for source in &corpus.dev {
            dev.push(source.encode(&encoder, max_tokens)?);
        }
        let (model, report) = load::<T>(args, &config)?;
        progress.message(&report.to_string());

        let plan = plan(args, train.len());
        let output = output::folder(args);
        output::prepare(&output, args)?;
        let record = record(
            args,
            &config,
            &corpus,
            &report,
            plan.schedule.total_steps,
            threads,
        )?;
        let mut totals = TrainingTotals::default();
        let trainer = match last_checkpoint(args, &output, &record)? {
            Some(path) => {
                let resumed = resume::load(&path, &config, adamw(args))?;
                (totals.all_steps, totals.loss_sum) = (resumed.steps_done, resumed.loss_sum);
                progress.message(&format!(
                    "resuming after step {} from {}",
                    totals.all_steps,
                    path.display()
                ));
                resumed.trainer
            }
            None => Trainer::new(config, model, adamw(args)),
        };
        output::write_json(&output.join(output::RUN), &record)?;
        let raw_config = folder.raw;
        Ok(Self {
            args,
            output,
            corpus,
            dev,
            train,
            raw_config,
            encoder,
            plan,
            trainer,
            totals,
            progress,
        })
    }

    /// Trains, evaluates, writes and prints.
    fn run(mut self) -> Result<(), Error> {
        let steps = self.plan.schedule.total_steps;
        let (train, dev) = (self.train.len(), self.dev.iter().map(Vec::len).sum::<usize>());
        self.progress.message(&format!(
            "{train} examples to train on, {dev} to evaluate on; {steps} steps, clipping {}, {} threads; writing to {}",
            self.plan.clip,
            rayon::current_num_threads(),
            self.output.display()
        ));
        let mut log = Log::open(&self.output.join(output::LOG), self.totals.all_steps)?;
        let sequences = std::mem::take(&mut self.train);
        let mut run = Run::new(self.trainer, self.plan.clone(), &sequences, self.totals.all_steps);
        let training = TrainingLoop {
            args: self.args,
            output: &self.output,
            corpus: &self.corpus,
            dev: &self.dev,
            raw_config: &self.raw_config,
            encoder: &self.encoder,
        };
        training.run(&mut run, &mut log, &mut self.totals, &mut self.progress)?;

        let Trainer { config, model, .. } = run.trainer;
        let batch = self.args.run.per_device_eval_batch_size;
        let scores = scores(
            &config,
            &model,
            &self.corpus,
            &self.dev,
            batch,
            &mut self.progress,
        )?;
        let per_epoch = sequences
            .len()
            .div_ceil(self.plan.batch_size * self.plan.accumulation);
        let epoch = self.totals.all_steps as f64 / per_epoch as f64;
        log.write(&log::eval_line(self.totals.all_steps, epoch, &scores))?;
        log.sync()?;
        resume::save_model(&self.output, &config, &self.raw_config, &self.encoder, &model)?;
        let train = output::train_results(&self.totals, sequences.len(), epoch);
        let eval = output::eval_results(&scores, Some(epoch));
        let all = output::merged(&train, &eval);
        for (name, results) in [
            ("train_results", &train),
            ("eval_results", &eval),
            ("all_results", &all),
        ] {
            output::write_json(&self.output.join(format!("{name}.json")), results)?;
        }
        self.progress.wipe();
        if self.args.json {
            return print(&format!("{:#}", Value::Object(all)));
        }
        print_results(&scores, &self.totals)
    }
}

/// The loop over the steps, with what it needs beside the run itself.
struct TrainingLoop<'a> {
    args: &'a Finetune,
    output: &'a Path,
    corpus: &'a Corpus,
    dev: &'a [Vec<Sequence>],
    raw_config: &'a Map<String, Value>,
    encoder: &'a TextEncoder,
}

impl TrainingLoop<'_> {
    fn run<T: Real>(
        &self,
        run: &mut Run<'_, T>,
        log: &mut Log,
        totals: &mut TrainingTotals,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let total = run.total_steps();
        while totals.all_steps < total {
            let next = totals.all_steps + 1;
            let logged = next == 1 || next == total || next.is_multiple_of(self.args.logging_steps);
            let norms = if logged {
                parameter_norms(&run.trainer.model)
            } else {
                Vec::new()
            };
            let start = Instant::now();
            let record = match run.next_step() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(problem) => return Err(self.stopped(run, totals, &problem)),
            };
            add(totals, &record, start.elapsed());
            if record.step == 1 {
                warn_about_missing_gradients(&record, progress);
            }
            if logged {
                log.write(&log::step_line(&record, &norms))?;
            }
            progress.training(training_line(&record, totals, total));
            if record.step < total
                && self
                    .args
                    .eval_every
                    .is_some_and(|every| record.step.is_multiple_of(every))
            {
                self.evaluate(run, &record, log, progress)?;
            }
            let due = run.is_end_of_epoch()
                || self
                    .args
                    .save_steps
                    .is_some_and(|n| record.step.is_multiple_of(n));
            if due && record.step < total {
                log.sync()?;
                self.save(run, totals)?;
            }
        }
        Ok(())
    }

    fn evaluate<T: Real>(
        &self,
        run: &Run<'_, T>,
        record: &StepRecord,
        log: &mut Log,
        progress: &mut Progress,
    ) -> Result<(), Error> {
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
        log.write(&log::eval_line(record.step, record.epoch, &scores))
    }

    fn save<T: Real>(&self, run: &Run<'_, T>, totals: &TrainingTotals) -> Result<PathBuf, Error> {
        let keep = self.args.save_total_limit;
        resume::save(
            self.output,
            &run.trainer,
            totals,
            self.raw_config,
            self.encoder,
            keep,
        )
    }

    /// The weights are those before the step that failed: they are saved, and the error says where.
    fn stopped<T: Real>(&self, run: &Run<'_, T>, totals: &TrainingTotals, problem: &NotFinite) -> Error {
        match self.save(run, totals) {
            Ok(path) => Error::Training(format!(
                "step {}: {problem}; training stopped, the state before this step is in {}",
                totals.all_steps + 1,
                path.display()
            )),
            Err(error) => error,
        }
    }
}

/// The model's configuration with the task's labels and the dropout asked for.
fn adapted(config: ModelConfig, corpus: &Corpus, args: &Finetune) -> ModelConfig {
    let mut config = config;
    config.problem = corpus.labels.problem();
    config.labels = corpus.labels.output_names();
    if let Some(p) = args.dropout {
        config.hidden_dropout_prob = p;
        config.attention_probs_dropout_prob = p;
        config.classifier_dropout = Some(p);
    }
    config
}

/// The pretrained weights, with fresh ones where the folder has none.
fn load<T: Real>(
    args: &Finetune,
    config: &ModelConfig,
) -> Result<(SequenceClassifier<T>, LoadReport), Error> {
    let mut model = SequenceClassifier::zeros(config);
    let report = checkpoint::load_into(&args.model.dir, config, Purpose::FineTuning, &mut model)?;
    let fresh = |name: &str| report.to_initialise.iter().any(|missing| missing == name);
    init::initialise(
        &mut model,
        config.initializer_range,
        args.init_seed.unwrap_or(args.seed),
        fresh,
    );
    Ok((model, report))
}

fn parameter_norms<T: Real>(model: &SequenceClassifier<T>) -> Vec<f64> {
    let params = model.params();
    let slices: Vec<&[T]> = params
        .iter()
        .map(|(_, p)| p.as_slice().expect("a parameter is in standard layout"))
        .collect();
    reduce::norms(&slices)
}

fn add(totals: &mut TrainingTotals, record: &StepRecord, time: Duration) {
    totals.steps += 1;
    totals.all_steps = record.step;
    totals.tokens += record.tokens;
    totals.samples += record.examples.len();
    totals.seconds += time.as_secs_f64();
    totals.loss_sum += record.report.loss;
}

fn training_line(record: &StepRecord, totals: &TrainingTotals, total: usize) -> Training {
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
fn warn_about_missing_gradients(record: &StepRecord, progress: &mut Progress) {
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
        .map(|(name, value)| format!("{name} = {value:.4}"))
}

fn print_results(scores: &[Scores], totals: &TrainingTotals) -> Result<(), Error> {
    for line in named(scores) {
        print(&line)?;
    }
    if totals.steps == 0 {
        return Ok(());
    }
    let time = clock(Duration::from_secs_f64(totals.seconds));
    let speed = totals.tokens as f64 / totals.seconds;
    print(&format!(
        "trained {} steps in {time} ({speed:.0} tokens/s)",
        totals.steps
    ))
}
