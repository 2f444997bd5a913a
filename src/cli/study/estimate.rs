//! `--dry-run`: the plan, and how long it would take.

use super::args::StudyArgs;
use super::engine::Split;
use super::flags::Flags;
use super::folder::{self, STUDY};
use super::journal::{Entries, Journal};
use crate::checkpoint;
use crate::cli::args::Finetune;
use crate::cli::choice::{Dtype, EvalStrategy};
use crate::cli::corpus::Corpus;
use crate::cli::inputs::Inputs;
use crate::cli::plan::{adamw, plan};
use crate::cli::progress::{Progress, clock};
use crate::cli::score::scores;
use crate::cli::{Error, aligned, print, print_document};
use crate::real::Real;
use crate::study::{PlannedRun, Study};
use crate::train::{Run, Trainer};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the steps of each task are measured.
const LIMIT: Duration = Duration::from_secs(2);

/// One task with one condition, over all seeds.
struct Row {
    task: String,
    condition: String,
    examples: usize,
    steps: usize,
    runs: usize,
    /// One run.
    time: Duration,
    /// Whether the time is that of runs that have ended.
    known: bool,
}

/// Prints the plan.
pub(super) fn command(
    args: &StudyArgs,
    asked: Option<Study>,
    path: &Path,
    flags: &Flags,
) -> Result<(), Error> {
    let there = path.join(STUDY).exists();
    let study = match asked {
        Some(study) => study,
        None if there => folder::read_study(path, flags)?,
        None => {
            return Err(Error::Usage(
                "no study is asked for; --help has examples".to_owned(),
            ));
        }
    };
    let entries = if there {
        Journal::new(path).read()?
    } else {
        Entries::default()
    };
    let runs = super::todo(args, &study, &entries)?;
    let split = Split::new(args.jobs, args.threads_per_job, runs.len(), super::cores());
    let mut rows = Vec::new();
    let mut measured: Vec<(String, Times)> = Vec::new();
    for task in &study.tasks {
        for condition in &study.conditions {
            let same = |run: &&PlannedRun<'_>| run.task == task && run.condition == condition;
            let Some(run) = runs.iter().find(same) else {
                continue;
            };
            let count = runs.iter().filter(same).count();
            let known = measured.iter().find(|(name, _)| *name == task.name);
            let times = if let Some((_, times)) = known {
                *times
            } else {
                let times = measure(run, split, flags)?;
                measured.push((task.name.clone(), times));
                times
            };
            rows.push(row(&study, run, count, times, &entries, flags)?);
        }
    }
    print_plan(&study, &rows, split)
}

/// The times of one run's parts.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Reading and tokenising.
    reading: Duration,
    /// A step.
    step: Duration,
    /// An evaluation.
    evaluation: Duration,
}

impl Times {
    /// Reads what a run reads, takes steps for a while and evaluates once; writes nothing.
    fn measure<T: Real>(args: &Finetune) -> Result<Self, Error> {
        let start = Instant::now();
        let inputs = Inputs::<T>::read(args, &mut Progress::new(true))?;
        let reading = start.elapsed();
        let plan = plan(args, inputs.train.len(), inputs.config.num_hidden_layers);
        let initial = plan.stabilisers.need_initial().then(|| inputs.model.clone());
        let mut trainer = Trainer::new(inputs.config.clone(), inputs.model, adamw(args));
        trainer.stabiliser.initial = initial;
        let mut run = Run::new(trainer, plan, &inputs.train, 0);
        // The first step makes the buffers of all others, and is not counted.
        let (mut steps, mut start, mut spent) = (0, Instant::now(), Duration::ZERO);
        while spent < LIMIT && matches!(run.next_step(), Ok(Some(_))) {
            steps += 1;
            if steps == 1 {
                start = Instant::now();
            }
            spent = start.elapsed();
        }
        let step = spent / u32::saturating_sub(steps, 1).max(1);
        let start = Instant::now();
        let Trainer { config, model, .. } = &run.trainer;
        let batch = args.run.per_device_eval_batch_size;
        let mut silent = Progress::new(true);
        scores(config, model, &inputs.corpus, &inputs.dev, batch, &mut silent)?;
        Ok(Self {
            reading,
            step,
            evaluation: start.elapsed(),
        })
    }
}

/// The times of a run's parts with as many beside it as there will be.
fn measure(run: &PlannedRun<'_>, split: Split, flags: &Flags) -> Result<Times, Error> {
    let args = flags.parse(&run.settings()).map_err(Error::Usage)?;
    let mut pools = Vec::new();
    for _ in 0..split.jobs {
        pools.push(split.pool()?);
    }
    let times: Vec<Result<Times, Error>> = std::thread::scope(|scope| {
        let workers: Vec<_> = pools
            .iter()
            .map(|pool| {
                scope.spawn(|| {
                    pool.install(|| match args.dtype {
                        Dtype::F32 => Times::measure::<f32>(&args),
                        Dtype::F64 => Times::measure::<f64>(&args),
                    })
                })
            })
            .collect();
        let panicked = || Error::Study("the program panicked while it measured".to_owned());
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(panicked())))
            .collect()
    });
    let mut mean = Times::default();
    let count = split.jobs as u32;
    for times in times {
        let times = times?;
        mean.reading += times.reading / count;
        mean.step += times.step / count;
        mean.evaluation += times.evaluation / count;
    }
    Ok(mean)
}

fn row(
    study: &Study,
    run: &PlannedRun<'_>,
    runs: usize,
    times: Times,
    entries: &Entries,
    flags: &Flags,
) -> Result<Row, Error> {
    let args = flags.parse(&run.settings()).map_err(Error::Usage)?;
    let mut corpus = Corpus::for_finetuning(&args)?;
    args.stabilise.take_subset(&mut corpus)?;
    let examples = corpus.train.map_or(0, |source| source.set.examples.len());
    let layers = checkpoint::read_config(&args.model.dir)?.config.num_hidden_layers;
    let batch = args.per_device_train_batch_size * args.gradient_accumulation_steps;
    let steps = plan(&args, examples, layers).total_steps();
    let mut evaluations = 1 + args.eval_every.map_or(0, |every| steps / every);
    if args.eval_strategy == EvalStrategy::Epoch {
        evaluations += steps / examples.div_ceil(batch).max(1);
    }
    let mut time = times.reading + times.step * steps as u32 + times.evaluation * evaluations as u32;
    let all = study.runs();
    let ended: Vec<f64> = all
        .iter()
        .filter(|other| other.task == run.task && other.condition == run.condition)
        .filter_map(|other| entries.seconds.get(&other.id()).copied())
        .collect();
    if !ended.is_empty() {
        time = Duration::from_secs_f64(ended.iter().sum::<f64>() / ended.len() as f64);
    }
    Ok(Row {
        task: run.task.name.clone(),
        condition: run.condition.name.clone(),
        examples,
        steps,
        runs,
        time,
        known: !ended.is_empty(),
    })
}

fn print_plan(study: &Study, rows: &[Row], split: Split) -> Result<(), Error> {
    print_document(&super::file::write(study)?)?;
    let heading = ["task", "condition", "examples", "steps", "runs", "time of one"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for row in rows {
        let known = if row.known { "" } else { "about " };
        let time = format!("{known}{}", clock(row.time));
        let counts = [row.examples, row.steps, row.runs].map(|count| count.to_string());
        let names = [row.task.clone(), row.condition.clone()];
        lines.push(names.into_iter().chain(counts).chain([time]).collect());
    }
    for line in aligned(&lines) {
        print(&line)?;
    }
    let runs: usize = rows.iter().map(|row| row.runs).sum();
    let all: Duration = rows.iter().map(|row| row.time * row.runs as u32).sum();
    let (jobs, threads) = (split.jobs, split.threads);
    let time = clock(all / jobs.max(1) as u32);
    print(&format!(
        "{runs} runs, {jobs} side by side with {threads} threads each: about {time}"
    ))
}
