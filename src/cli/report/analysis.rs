//! From runs to numbers: a summary of each condition, and how it differs from the control.

use super::args::{Report, Stopped};
use super::records::{Records, Run};
use crate::cli::Error;
use crate::clip::nearest;
use crate::study::folder_name;
use crate::study::stats::bootstrap::{bca, percentile, replicates};
use crate::study::stats::effect::{cliffs_delta, hedges_g, sd_ratio};
use crate::study::stats::failures::{fisher, wilson};
use crate::study::stats::level::{MannWhitney, Welch, mann_whitney, welch};
use crate::study::stats::paired::{PairedT, Wilcoxon, paired_t, wilcoxon};
use crate::study::stats::spread::{BrownForsythe, brown_forsythe};
use crate::study::stats::{Interval, Summary, holm, mean, sd, summary};
use std::collections::BTreeMap;

/// The confidence of every interval.
pub(super) const LEVEL: f64 = 0.95;
/// The seed of every bootstrap.
pub(super) const SEED: u64 = 1;

/// A task with its conditions.
#[derive(Debug)]
pub(super) struct Task<'r> {
    pub(super) name: String,
    /// What is compared.
    pub(super) metric: String,
    /// The task's own metric, which decides on failure.
    pub(super) headline: String,
    /// What a run must exceed not to have failed.
    pub(super) threshold: f64,
    /// Whether `metric` is the one that the threshold is of.
    pub(super) is_headline: bool,
    /// The place of the control among the conditions.
    pub(super) control: usize,
    pub(super) conditions: Vec<Condition<'r>>,
}

/// A condition of a task.
#[derive(Debug)]
pub(super) struct Condition<'r> {
    pub(super) name: String,
    pub(super) runs: Vec<&'r Run>,
    /// The value of each run, in the order of the runs.
    pub(super) values: Vec<Option<f64>>,
    /// Whether each run failed.
    pub(super) failed: Vec<bool>,
    pub(super) summary: Option<Summary>,
    pub(super) mean: Intervals,
    pub(super) sd: Intervals,
    /// Wilson's interval of the share of failed runs.
    pub(super) failed_interval: Option<Interval>,
    /// None for the control.
    pub(super) comparison: Option<Comparison>,
}

/// Both bootstrap intervals of a statistic.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Intervals {
    pub(super) bca: Option<Interval>,
    pub(super) percentile: Option<Interval>,
}

/// A condition against the control: differences are condition minus control.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Comparison {
    pub(super) difference: Option<f64>,
    pub(super) hedges_g: Option<f64>,
    pub(super) welch: Option<Welch>,
    pub(super) welch_holm: Option<f64>,
    pub(super) cliffs_delta: Option<f64>,
    pub(super) mann_whitney: Option<MannWhitney>,
    pub(super) mann_whitney_holm: Option<f64>,
    /// Seeds with a value on both sides.
    pub(super) pairs: usize,
    pub(super) paired_t: Option<PairedT>,
    pub(super) paired_t_holm: Option<f64>,
    pub(super) wilcoxon: Option<Wilcoxon>,
    pub(super) wilcoxon_holm: Option<f64>,
    pub(super) sd_ratio: Option<f64>,
    pub(super) brown_forsythe: Option<BrownForsythe>,
    pub(super) brown_forsythe_holm: Option<f64>,
    pub(super) risk_difference: f64,
    pub(super) fisher: f64,
    pub(super) fisher_holm: Option<f64>,
}

impl Condition<'_> {
    /// The values that there are.
    pub(super) fn sample(&self) -> Vec<f64> {
        self.values.iter().flatten().copied().collect()
    }

    pub(super) fn failures(&self) -> usize {
        self.failed.iter().filter(|&&failed| failed).count()
    }

    /// The share of failed runs.
    pub(super) fn failed_share(&self) -> f64 {
        self.failures() as f64 / self.runs.len() as f64
    }
}

/// Analyses every task, in the order of the records.
///
/// A task of a study that is not finished may lack the control: what is done about it is among the notes that come second.
pub(super) fn analyse<'r>(
    records: &'r Records,
    args: &Report,
) -> Result<(Vec<Task<'r>>, Vec<String>), Error> {
    let runs = &records.runs;
    let mut control = control(records, args)?;
    let mut tasks = names(runs.iter().map(|run| &run.task));
    if let Some(unknown) = args
        .thresholds
        .tasks()
        .find(|name| !tasks.iter().any(|task| task == name))
    {
        let tasks = tasks.join(", ");
        return Err(Error::Usage(format!(
            "--thresholds {}: the study has no task {unknown}; it has {tasks}",
            args.thresholds
        )));
    }
    let mut notes = Vec::new();
    if runs.len() < records.planned {
        let has = |task: &String, condition: &String| {
            let mut of_task = runs.iter().filter(|run| run.task == *task);
            of_task.any(|run| run.condition == *condition)
        };
        if !tasks.iter().any(|task| has(task, &control)) {
            let first = runs[0].condition.clone();
            notes.push(format!(
                "no run of the control {control} has ended, and {first} stands in its place"
            ));
            control = first;
        }
        let (whole, without): (Vec<String>, Vec<String>) =
            tasks.into_iter().partition(|task| has(task, &control));
        notes.extend(
            without
                .iter()
                .map(|task| format!("{task} is left out, for no run of {control} has ended there")),
        );
        tasks = whole;
    }
    let analysed = tasks.iter().map(|name| task(name, runs, &control, args));
    Ok((analysed.collect::<Result<_, _>>()?, notes))
}

/// Each name once, in the order in which they are met.
fn names<'n>(all: impl Iterator<Item = &'n String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The control's name: as asked for, `control`, or the first condition.
fn control(records: &Records, args: &Report) -> Result<String, Error> {
    let ended = records.runs.iter().map(|run| &run.condition);
    let conditions = names(records.conditions.iter().chain(ended));
    let Some(asked) = &args.control else {
        let named = conditions.iter().find(|name| *name == "control");
        return Ok(named.unwrap_or(&conditions[0]).clone());
    };
    // A condition may be named as it was asked for, as in component:0.05, or as its folder is.
    let folder = folder_name(asked);
    if let Some(name) = conditions
        .iter()
        .find(|name| *name == asked)
        .or(conditions.iter().find(|name| **name == folder))
    {
        return Ok(name.clone());
    }
    let near = nearest(asked, conditions.iter().map(String::as_str)).join(", ");
    Err(Error::Usage(format!(
        "--control {asked}: the study has no such condition; nearest: {near}"
    )))
}

fn task<'r>(name: &str, runs: &'r [Run], control: &str, args: &Report) -> Result<Task<'r>, Error> {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.task == name).collect();
    let first = runs[0];
    if let Some(other) = runs
        .iter()
        .find(|run| run.metric != first.metric || run.majority != first.majority)
    {
        return Err(Error::Report(format!(
            "runs {} and {} are of one task but have another metric or majority: other data",
            first.id, other.id
        )));
    }
    let headline = first.metric.clone();
    let metric = args.metric.clone().unwrap_or_else(|| headline.clone());
    let is_headline = metric.trim_start_matches("eval_") == headline || metric == "best";
    let threshold = args.thresholds.of(name).unwrap_or(first.majority);
    if args.stopped == Stopped::Majority && !is_headline {
        return Err(Error::Usage(format!(
            "--stopped majority: the majority has no {metric}"
        )));
    }
    let names = names(runs.iter().map(|run| &run.condition));
    let Some(place) = names.iter().position(|name| name == control) else {
        return Err(Error::Report(format!(
            "task {name} has no run of the control {control}"
        )));
    };
    let mut conditions = Vec::new();
    for condition in &names {
        let runs: Vec<&Run> = runs
            .iter()
            .copied()
            .filter(|run| run.condition == *condition)
            .collect();
        let mut values = Vec::new();
        for run in &runs {
            let impute = (args.stopped == Stopped::Majority).then_some(first.majority);
            values.push(value(run, &metric)?.or(impute));
        }
        let failed = runs
            .iter()
            .map(|run| run.value.is_none_or(|value| value <= threshold))
            .collect();
        conditions.push(summarise(condition.clone(), runs, values, failed, args));
    }
    compare(&mut conditions, place, usize::from(args.ddof));
    Ok(Task {
        name: name.to_owned(),
        metric,
        headline,
        threshold,
        is_headline,
        control: place,
        conditions,
    })
}

/// The value of a run that is compared; none if the run stopped.
fn value(run: &Run, metric: &str) -> Result<Option<f64>, Error> {
    if run.stopped.is_some() {
        return Ok(None);
    }
    if metric == "best" {
        return Ok(run.best);
    }
    if metric == run.metric {
        return Ok(run.value);
    }
    let found = run
        .metrics
        .get(metric)
        .or_else(|| run.metrics.get(&format!("eval_{metric}")));
    if let Some(value) = found {
        return Ok(value.as_f64());
    }
    let known = run.metrics.keys().map(String::as_str).chain(["best"]);
    let near = nearest(metric, known).join(", ");
    Err(Error::Usage(format!(
        "--metric {metric}: run {} has no such metric; nearest: {near}",
        run.id
    )))
}

fn summarise<'r>(
    name: String,
    runs: Vec<&'r Run>,
    values: Vec<Option<f64>>,
    failed: Vec<bool>,
    args: &Report,
) -> Condition<'r> {
    let ddof = usize::from(args.ddof);
    let sample: Vec<f64> = values.iter().flatten().copied().collect();
    let intervals = |statistic: &dyn Fn(&[f64]) -> f64| {
        if sample.len() < 2 {
            return Intervals::default();
        }
        let drawn = replicates(&sample, statistic, args.bootstrap, SEED);
        Intervals {
            bca: bca(&sample, statistic, &drawn, LEVEL),
            percentile: Some(percentile(&drawn, LEVEL)),
        }
    };
    let failures = failed.iter().filter(|&&failed| failed).count();
    Condition {
        summary: summary(&sample, ddof),
        mean: intervals(&mean),
        // Leaving one of two values out leaves a sample whose deviation with ddof 1 is not defined; 0 is its limit.
        sd: intervals(&|x| sd(x, ddof).unwrap_or(0.0)),
        failed_interval: wilson(failures, runs.len(), LEVEL),
        comparison: None,
        name,
        runs,
        values,
        failed,
    }
}

/// The values of the seeds that have one in both conditions.
fn pairs(condition: &Condition<'_>, control: &Condition<'_>) -> (Vec<f64>, Vec<f64>) {
    let of = |condition: &Condition<'_>| -> BTreeMap<u64, f64> {
        let each = condition.runs.iter().zip(&condition.values);
        each.filter_map(|(run, value)| Some((run.seed, (*value)?)))
            .collect()
    };
    let (x, y) = (of(condition), of(control));
    let both = x.iter().filter_map(|(seed, x)| Some((*x, *y.get(seed)?)));
    both.unzip()
}

/// Compares every condition with the control.
fn compare(conditions: &mut [Condition<'_>], control: usize, ddof: usize) {
    let base = conditions[control].sample();
    let (base_failed, base_runs) = (conditions[control].failures(), conditions[control].runs.len());
    let base_share = conditions[control].failed_share();
    let mut all: Vec<(usize, Comparison)> = Vec::new();
    for (place, condition) in conditions
        .iter()
        .enumerate()
        .filter(|(place, _)| *place != control)
    {
        let sample = condition.sample();
        let paired = pairs(condition, &conditions[control]);
        let is_there = !sample.is_empty() && !base.is_empty();
        all.push((
            place,
            Comparison {
                difference: is_there.then(|| mean(&sample) - mean(&base)),
                hedges_g: hedges_g(&sample, &base),
                welch: welch(&sample, &base),
                cliffs_delta: cliffs_delta(&sample, &base),
                mann_whitney: mann_whitney(&sample, &base),
                pairs: paired.0.len(),
                paired_t: paired_t(&paired.0, &paired.1),
                wilcoxon: wilcoxon(&paired.0, &paired.1),
                sd_ratio: sd_ratio(&sample, &base, ddof),
                brown_forsythe: brown_forsythe(&sample, &base),
                risk_difference: condition.failed_share() - base_share,
                fisher: fisher(condition.failures(), condition.runs.len(), base_failed, base_runs),
                ..Comparison::default()
            },
        ));
    }
    let family =
        |p: &dyn Fn(&Comparison) -> Option<f64>| holm(&all.iter().map(|(_, c)| p(c)).collect::<Vec<_>>());
    let welch = family(&|c| c.welch.map(|test| test.p));
    let ranks = family(&|c| c.mann_whitney.map(|test| test.p));
    let (students, signs) = (
        family(&|c| c.paired_t.map(|test| test.p)),
        family(&|c| c.wilcoxon.map(|test| test.p)),
    );
    let spread = family(&|c| c.brown_forsythe.map(|test| test.p));
    let failures = family(&|c| Some(c.fisher));
    for (i, (place, comparison)) in all.into_iter().enumerate() {
        conditions[place].comparison = Some(Comparison {
            welch_holm: welch[i],
            mann_whitney_holm: ranks[i],
            paired_t_holm: students[i],
            wilcoxon_holm: signs[i],
            brown_forsythe_holm: spread[i],
            fisher_holm: failures[i],
            ..comparison
        });
    }
}
