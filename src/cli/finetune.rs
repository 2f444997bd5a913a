//! `cwgnc finetune`: a model folder and a task go in, a fine-tuned model and its record come out.

use super::args::Finetune;
use super::best::Best;
use super::choice::{Dtype, SaveStrategy};
use super::class_report::{ClassReport, SHOWN};
use super::corpus::Corpus;
use super::inputs::Inputs;
use super::log::{self, Log};
use super::output::{self, TrainingTotals};
use super::patience::Patience;
use super::plan::{adamw, plan};
use super::progress::Progress;
use super::record::{Start, record, start};
use super::score::{Scores, further_names, line, scores};
use super::training::{EndedEarly, TrainingLoop, check_finite};
use super::{Error, checksums, in_threads, machine, print, print_document, print_lines, progress, resume};
use crate::checkpoint::{self, shell};
use crate::data::{LabelSpace, Metric, TextEncoder, majority, majority_tag};
use crate::model::{ModelConfig, SequenceClassifier, Target};
use crate::real::Real;
use crate::train::{Plan, Run, Sequence, Trainer, UpdateMeter};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Runs the command.
pub(super) fn command(args: &Finetune) -> Result<(), Error> {
    machine::warn_unless_portable(args.quiet);
    in_threads(args.run.threads, || match args.dtype {
        Dtype::F32 => Job::<f32>::prepare(args)?.run(),
        Dtype::F64 => Job::<f64>::prepare(args)?.run(),
    })?
}

/// What is known of a run before its first step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Examples to train on.
    pub(super) examples: usize,
    /// The metric that stands for the task.
    pub(super) metric: Metric,
    /// What a model reaches in it that says the same for every example.
    pub(super) majority: f64,
}

/// A run of a study: in the thread pool of the caller, without a word. The first result is about what it reads, the
/// second about its training.
pub(super) fn within_study(args: &Finetune) -> Result<(Facts, Result<(), Error>), Error> {
    fn typed<T: Real>(args: &Finetune) -> Result<(Facts, Result<(), Error>), Error> {
        let job = Job::<T>::prepare(args)?;
        let facts = job.facts()?;
        // A run that ended just before its process died is not done again.
        let end = if job.finished {
            Ok(())
        } else {
            job.train().map(|_| ())
        };
        Ok((facts, end))
    }
    match args.dtype {
        Dtype::F32 => typed::<f32>(args),
        Dtype::F64 => typed::<f64>(args),
    }
}

/// How a run may use its output folder.
fn claim(args: &Finetune) -> output::Claim<'_> {
    output::Claim {
        overwrite: args.overwrite,
        resume: args.resume,
        model: Some(&args.model.dir),
    }
}

/// What a fine-tuning ended with.
struct Trained {
    scores: Vec<Scores>,
    totals: TrainingTotals,
    /// The contents of `all_results.json`.
    all: Map<String, Value>,
}

/// A fine-tuning that is ready to begin or to go on.
struct Job<'a, T: Real> {
    args: &'a Finetune,
    output: PathBuf,
    /// Whether it is a run to resume that has nothing left to do.
    finished: bool,
    corpus: Corpus,
    dev: Vec<Vec<Sequence>>,
    train: Vec<Sequence>,
    /// The keys of the model's `config.json`, those unknown here included.
    raw_config: Map<String, Value>,
    encoder: TextEncoder,
    plan: Plan,
    trainer: Trainer<T>,
    totals: TrainingTotals,
    /// Under `--log-updates`.
    updates: Option<UpdateMeter<T>>,
    best: Option<Best<T>>,
    /// Under `--early-stopping-patience`.
    patience: Option<Patience>,
    /// The contents of `run.json`.
    record: Map<String, Value>,
    /// The contents of `cwgnc.json`.
    reading: Map<String, Value>,
    progress: Progress,
    _lock: output::Lock,
}

impl<'a, T: Real> Job<'a, T> {
    /// Reads and checks everything, so that what can fail fails before the first step.
    fn prepare(args: &'a Finetune) -> Result<Self, Error> {
        let mut progress = Progress::new(args.quiet);
        let inputs = Inputs::<T>::read(args, &mut progress)?;
        let (config, report) = (inputs.config, &inputs.report);
        progress.message(&format!("{report}\n{}", inputs.understood.text()));

        let plan = plan(args, inputs.train.len(), config.num_hidden_layers);
        let initial = plan.stabilisers.need_initial().then(|| inputs.model.clone());
        let output = output::folder(args);
        let lock = output::prepare(&output, claim(args))?;
        let mut record = record(
            args,
            &config,
            &inputs.corpus,
            &inputs.encoder,
            report,
            plan.total_steps(),
            rayon::current_num_threads(),
        )?;
        record.insert("understood".to_owned(), inputs.understood.record().into());
        let mut totals = TrainingTotals::default();
        let mut updates = args.log_updates.then(|| UpdateMeter::new(inputs.model.clone()));
        let start = start(args.resume, &output, &record, args.save_total_limit)?;
        if args.resume && matches!(start, Start::Fresh) {
            let output = output.display();
            progress.message(&format!(
                "no checkpoint in {output}: the run begins with its first step"
            ));
        }
        let (mut best, mut patience) = (None, args.patience.fresh());
        let mut trainer = match &start {
            Start::From(path) => {
                let beside = (updates.as_mut(), patience.as_mut());
                let resumed = resumed(path, &config, args, beside, &mut progress)?;
                (totals.all_steps, totals.loss_sum) = (resumed.steps_done, resumed.loss_sum);
                best = resumed.best;
                resumed.trainer
            }
            Start::Fresh | Start::Finished => Trainer::new(config, inputs.model, adamw(args)),
        };
        trainer.stabiliser.initial = initial;
        trainer.criterion = inputs.criterion;
        let finished = matches!(start, Start::Finished);
        if !finished {
            output::write_json(&output.join(output::RUN), &record)?;
        }
        Ok(Self {
            args,
            output,
            finished,
            corpus: inputs.corpus,
            dev: inputs.dev,
            train: inputs.train,
            raw_config: inputs.raw_config,
            encoder: inputs.encoder,
            plan,
            trainer,
            totals,
            updates,
            best,
            patience,
            record,
            reading: inputs.reading.record(),
            progress,
            _lock: lock,
        })
    }

    fn facts(&self) -> Result<Facts, Error> {
        let metric = self.corpus.headline.of_a_study()?;
        let targets: Vec<Target> = self.dev[0]
            .iter()
            .map(|sequence| sequence.target.clone())
            .collect();
        let majority = match &self.corpus.labels {
            LabelSpace::Tags(names) => majority_tag(metric, names, &targets)?,
            _ => majority(metric, &targets)?,
        };
        Ok(Facts {
            examples: self.train.len(),
            metric,
            majority,
        })
    }

    /// Trains, evaluates, writes and prints.
    fn run(mut self) -> Result<(), Error> {
        if self.finished {
            let output = self.output.display();
            self.progress
                .message(&format!("the run in {output} is finished; its results:"));
            return print_again(&self.output, self.args.json);
        }
        let (json, quiet) = (self.args.json, self.args.quiet);
        let output = self.output.clone();
        let Trained { scores, totals, all } = self.train()?;
        if json {
            print_document(&format!("{:#}", Value::Object(all)))?;
        } else {
            print_results(&scores, &totals)?;
        }
        if !quiet {
            let output = shell::shown(output);
            progress::say(&format!("figures and tables of the run: cwgnc report {output}"));
        }
        Ok(())
    }

    /// Trains, evaluates and writes.
    fn train(mut self) -> Result<Trained, Error> {
        self.announce();
        let mut log = Log::open(&self.output.join(output::LOG), self.totals.all_steps)?;
        let sequences = std::mem::take(&mut self.train);
        self.trainer
            .recompute_activations(self.args.checkpoint_activations);
        let mut run = Run::new(self.trainer, self.plan.clone(), &sequences, self.totals.all_steps);
        let mut training = TrainingLoop {
            args: self.args,
            output: &self.output,
            corpus: &self.corpus,
            dev: &self.dev,
            raw_config: &self.raw_config,
            encoder: &self.encoder,
            reading: &self.reading,
            updates: self.updates,
            patience: self.patience,
        };
        let (totals, best) = (&mut self.totals, &mut self.best);
        let stopped = training.run(&mut run, &mut log, totals, best, &mut self.progress)?;

        let iteration = run.finished_iteration();
        let Trainer {
            config, mut model, ..
        } = run.trainer;
        check_finite(&model, self.totals.all_steps)?;
        let batch = self.args.run.per_device_eval_batch_size;
        let (corpus, dev, progress) = (&self.corpus, &self.dev, &mut self.progress);
        let mut evaluate =
            |model: &SequenceClassifier<T>| scores(&config, model, corpus, dev, batch, progress);
        let per_epoch = sequences
            .len()
            .div_ceil(self.plan.batch_size * self.plan.accumulation);
        let epoch = self.totals.all_steps as f64 / per_epoch as f64;
        let mut scores = if let Some(EndedEarly { scores, record }) = stopped {
            self.record.insert("early_stopping".to_owned(), record);
            output::write_json(&self.output.join(output::RUN), &self.record)?;
            scores
        } else {
            let scores = evaluate(&model)?;
            let updates = training.updates.as_mut().map(|meter| meter.measure(&model));
            let line = log::eval_line(&self.totals, epoch, iteration, &scores, updates.as_deref());
            log.write(&line)?;
            scores
        };
        log.sync()?;
        let mut best_step = None;
        if self.args.stabilise.load_best {
            Best::consider(best, self.totals.all_steps, corpus.headline, &scores, &model);
            if let Some(best) = self.best.take() {
                scores = evaluate(&best.model)?;
                (model, best_step) = (best.model, Some(best.step));
            }
        }
        training.save_model(&config, &model)?;
        let train = output::train_results(&self.totals, sequences.len(), epoch);
        let mut eval = output::eval_results(&scores, Some(epoch));
        if let Some(step) = best_step {
            eval.insert("best_step".to_owned(), step.into());
        }
        let all = output::write_results(&self.output, &train, &eval)?;
        self.progress.wipe();
        if let Some(step) = best_step {
            self.progress.message(&format!(
                "the best evaluation was after step {step}: its model is written"
            ));
        }
        let totals = self.totals;
        Ok(Trained { scores, totals, all })
    }

    /// Says what is about to be done.
    fn announce(&mut self) {
        let steps = self.plan.total_steps();
        let (train, dev) = (self.train.len(), self.dev.iter().map(Vec::len).sum::<usize>());
        let resumable = self.args.save_strategy != SaveStrategy::No;
        let stop = if resumable {
            "; after Ctrl-C the same command with --resume goes on from the last checkpoint"
        } else {
            ""
        };
        self.progress.message(&format!(
            "{train} examples to train on, {dev} to evaluate on; {steps} steps, clipping {}, {} threads; writing to {}{stop}",
            self.plan.clip,
            rayon::current_num_threads(),
            self.output.display()
        ));
    }
}

/// The state that a checkpoint holds.
fn resumed<T: Real>(
    path: &Path,
    config: &ModelConfig,
    args: &Finetune,
    (updates, patience): (Option<&mut UpdateMeter<T>>, Option<&mut Patience>),
    progress: &mut Progress,
) -> Result<resume::Resumed<T>, Error> {
    checksums::verify(path, args.quiet)?;
    let resumed = resume::load(path, config, adamw(args))?;
    if let Some(patience) = patience {
        patience.restore(path, &resumed.patience)?;
    }
    if let Some(meter) = updates {
        resume::load_previous(path, meter.previous_mut())?;
    }
    let (step, path) = (resumed.steps_done, path.display());
    progress.message(&format!("resuming after step {step} from {path}"));
    Ok(resumed)
}

/// Prints the results of a run that ended before: all of them, or the metrics under the names of the log's last line.
fn print_again(output: &Path, json: bool) -> Result<(), Error> {
    let read = |name: &str| checkpoint::read(&output.join(name));
    if json {
        return print_document(String::from_utf8_lossy(&read(output::ALL)?).trim_end());
    }
    let object = |name: &str, text: &[u8]| -> Result<Map<String, Value>, Error> {
        serde_json::from_slice(text)
            .map_err(|error| Error::Resume(format!("{}: {error}", output.join(name).display())))
    };
    let (log, results) = (read(output::LOG)?, read(output::EVAL)?);
    let last = log.trim_ascii_end().split(|&byte| byte == b'\n').next_back();
    let results = object(output::EVAL, &results)?;
    let last = object(output::LOG, last.unwrap_or_default())?;
    let is_there = |name: &&String| name.starts_with("eval_") && results.contains_key(*name);
    let logged: Vec<&String> = last.keys().filter(is_there).collect();
    for name in logged.iter().copied().chain(&further_names(&results, &logged)) {
        print(&line(name, results[name].as_f64().unwrap_or(f64::NAN)))?;
    }
    print_classes(ClassReport::read(&results).as_ref())
}

/// The tables of a few classes.
fn print_classes(report: Option<&ClassReport>) -> Result<(), Error> {
    let report = report.filter(|report| report.classes.len() <= SHOWN);
    print_lines(report.into_iter().flat_map(ClassReport::lines))
}

fn print_results(scores: &[Scores], totals: &TrainingTotals) -> Result<(), Error> {
    print_lines(
        scores
            .iter()
            .flat_map(Scores::all)
            .map(|(name, value)| line(name, *value)),
    )?;
    print_lines(totals.summary())?;
    print_classes(scores.iter().find_map(|scores| scores.classes.as_ref()))
}
