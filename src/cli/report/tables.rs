//! The analysis as tables, CSV and JSON.

use super::analysis::{Comparison, Condition, Intervals, Task};
use crate::report::csv::Cell;
use crate::report::{Table, csv, p_value, rounded, significant};
use crate::study::stats::Interval;
use serde_json::{Value, json};

/// `0.5560 [0.5432, 0.5701]`.
fn with_interval(x: Option<f64>, interval: Option<Interval>, digits: usize) -> String {
    let x = rounded(x, digits);
    interval.map_or(x.clone(), |Interval { low, high }| {
        format!(
            "{x} [{}, {}]",
            rounded(Some(low), digits),
            rounded(Some(high), digits)
        )
    })
}

/// `0.012 (0.036)`: the p-value and, in brackets, Holm's.
fn with_holm(p: Option<f64>, adjusted: Option<f64>) -> String {
    match p {
        None => "–".to_owned(),
        p => format!("{} ({})", p_value(p), p_value(adjusted)),
    }
}

/// The conditions of a task, one row each.
pub(super) fn summary(task: &Task<'_>, deviation: &str) -> Table {
    let header = [
        "condition",
        "runs",
        "failed",
        "failed %",
        "values",
        "mean",
        deviation,
        "min",
        "median",
        "max",
    ];
    let rows = task.conditions.iter().map(|condition| {
        let s = condition.summary;
        let share = condition.failed_interval.map(|i| Interval {
            low: 100.0 * i.low,
            high: 100.0 * i.high,
        });
        vec![
            condition.name.clone(),
            condition.runs.len().to_string(),
            condition.failures().to_string(),
            with_interval(Some(100.0 * condition.failed_share()), share, 1),
            s.map_or(0, |s| s.n).to_string(),
            with_interval(s.map(|s| s.mean), condition.mean.bca, 4),
            with_interval(s.and_then(|s| s.sd), condition.sd.bca, 4),
            rounded(s.map(|s| s.min), 4),
            rounded(s.map(|s| s.median), 4),
            rounded(s.map(|s| s.max), 4),
        ]
    });
    Table {
        caption: format!(
            "{}: {} over seeds. In square brackets 95 % intervals: BCa bootstrap for mean and deviation, Wilson's for the share of \
             failed runs. A run failed if it stopped or its {} is not above {}. Means and deviations are of the runs with a value.",
            task.name,
            task.metric,
            task.headline,
            rounded(Some(task.threshold), 4)
        ),
        header: header.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

/// The conditions of a task against the control; `None` if there is no other condition.
pub(super) fn comparison(task: &Task<'_>) -> Option<Table> {
    let header = [
        "condition",
        "Δ mean",
        "Hedges’ g",
        "Welch p",
        "Cliff’s δ",
        "Mann–Whitney p",
        "paired t p",
        "Wilcoxon p",
        "sd ratio",
        "Brown–Forsythe p",
        "Δ failed",
        "Fisher p",
    ];
    let compared = task
        .conditions
        .iter()
        .filter_map(|condition| condition.comparison.map(|c| (condition, c)));
    let rows: Vec<Vec<String>> = compared
        .map(|(condition, c)| comparison_row(&condition.name, &c))
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: format!(
            "{}: each condition against {}. Differences are condition minus control, the ratio is condition over control; p-values are \
             two-sided; the paired t and Wilcoxon's test pair the runs of one seed; in brackets with Holm's correction over {}, for each test by itself. A dash: not \
             defined, because a sample has fewer than two values or does not vary.",
            task.name,
            task.conditions[task.control].name,
            match rows.len() {
                1 => "the one condition of this table".to_owned(),
                many => format!("the {many} conditions of this table"),
            }
        ),
        header: header.map(str::to_owned).to_vec(),
        rows,
    })
}

fn comparison_row(name: &str, c: &Comparison) -> Vec<String> {
    vec![
        name.to_owned(),
        rounded(c.difference, 4),
        rounded(c.hedges_g, 2),
        with_holm(c.welch.map(|test| test.p), c.welch_holm),
        rounded(c.cliffs_delta, 2),
        with_holm(c.mann_whitney.map(|test| test.p), c.mann_whitney_holm),
        with_holm(c.paired_t.map(|test| test.p), c.paired_t_holm),
        with_holm(c.wilcoxon.map(|test| test.p), c.wilcoxon_holm),
        rounded(c.sd_ratio, 2),
        with_holm(c.brown_forsythe.map(|test| test.p), c.brown_forsythe_holm),
        format!("{} %", rounded(Some(100.0 * c.risk_difference), 1)),
        with_holm(Some(c.fisher), c.fisher_holm),
    ]
}

/// The runs that stopped, with their reasons.
pub(super) fn stopped(tasks: &[Task<'_>]) -> Option<Table> {
    let runs = tasks
        .iter()
        .flat_map(|task| &task.conditions)
        .flat_map(|condition| &condition.runs);
    let rows: Vec<Vec<String>> = runs
        .filter_map(|run| {
            run.stopped
                .as_ref()
                .map(|reason| vec![run.id.clone(), reason.clone()])
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Runs that stopped before their last step. They count as failed.".to_owned(),
        header: vec!["run".to_owned(), "reason".to_owned()],
        rows,
    })
}

/// Every number of every condition, one row each: names and values in one order for CSV and JSON.
fn numbers(condition: &Condition<'_>) -> Vec<(&'static str, Option<f64>)> {
    let s = condition.summary;
    let c = condition.comparison.unwrap_or_default();
    let is_compared = condition.comparison.is_some();
    let low = |interval: Option<Interval>| interval.map(|i| i.low);
    let high = |interval: Option<Interval>| interval.map(|i| i.high);
    let Intervals { bca, percentile } = condition.mean;
    vec![
        ("failed_share", Some(condition.failed_share())),
        ("failed_low", low(condition.failed_interval)),
        ("failed_high", high(condition.failed_interval)),
        ("mean", s.map(|s| s.mean)),
        ("mean_bca_low", low(bca)),
        ("mean_bca_high", high(bca)),
        ("mean_percentile_low", low(percentile)),
        ("mean_percentile_high", high(percentile)),
        ("sd", s.and_then(|s| s.sd)),
        ("sd_bca_low", low(condition.sd.bca)),
        ("sd_bca_high", high(condition.sd.bca)),
        ("sd_percentile_low", low(condition.sd.percentile)),
        ("sd_percentile_high", high(condition.sd.percentile)),
        ("min", s.map(|s| s.min)),
        ("q1", s.map(|s| s.q1)),
        ("median", s.map(|s| s.median)),
        ("q3", s.map(|s| s.q3)),
        ("max", s.map(|s| s.max)),
        ("mean_difference", c.difference),
        ("hedges_g", c.hedges_g),
        ("welch_t", c.welch.map(|test| test.t)),
        ("welch_df", c.welch.map(|test| test.df)),
        ("welch_p", c.welch.map(|test| test.p)),
        ("welch_p_holm", c.welch_holm),
        ("cliffs_delta", c.cliffs_delta),
        ("mann_whitney_u", c.mann_whitney.map(|test| test.u)),
        ("mann_whitney_p", c.mann_whitney.map(|test| test.p)),
        ("mann_whitney_p_holm", c.mann_whitney_holm),
        ("pairs", is_compared.then_some(c.pairs as f64)),
        ("paired_t", c.paired_t.map(|test| test.t)),
        ("paired_t_df", c.paired_t.map(|test| test.df)),
        ("paired_t_p", c.paired_t.map(|test| test.p)),
        ("paired_t_p_holm", c.paired_t_holm),
        ("wilcoxon_w", c.wilcoxon.map(|test| test.w)),
        ("wilcoxon_p", c.wilcoxon.map(|test| test.p)),
        ("wilcoxon_p_holm", c.wilcoxon_holm),
        ("sd_ratio", c.sd_ratio),
        ("brown_forsythe_w", c.brown_forsythe.map(|test| test.w)),
        ("brown_forsythe_p", c.brown_forsythe.map(|test| test.p)),
        ("brown_forsythe_p_holm", c.brown_forsythe_holm),
        ("failed_difference", is_compared.then_some(c.risk_difference)),
        ("fisher_p", is_compared.then_some(c.fisher)),
        ("fisher_p_holm", c.fisher_holm),
    ]
}

/// `summary.csv`.
pub(super) fn summary_csv(tasks: &[Task<'_>]) -> String {
    let mut header = vec![
        "task",
        "condition",
        "metric",
        "threshold",
        "control",
        "runs",
        "failed",
        "values",
    ];
    if let Some(condition) = tasks.first().and_then(|task| task.conditions.first()) {
        header.extend(numbers(condition).iter().map(|(name, _)| *name));
    }
    let mut rows = Vec::new();
    for task in tasks {
        for condition in &task.conditions {
            let text = |text: &str| Cell::Text(text.to_owned());
            let mut row = vec![
                text(&task.name),
                text(&condition.name),
                text(&task.metric),
                Cell::Number(Some(task.threshold)),
                text(&task.conditions[task.control].name),
                Cell::Count(condition.runs.len()),
                Cell::Count(condition.failures()),
                Cell::Count(condition.summary.map_or(0, |s| s.n)),
            ];
            row.extend(
                numbers(condition)
                    .into_iter()
                    .map(|(_, value)| Cell::Number(value)),
            );
            rows.push(row);
        }
    }
    csv(&header, &rows)
}

/// `runs.csv`.
pub(super) fn runs_csv(tasks: &[Task<'_>]) -> String {
    let header = [
        "run",
        "task",
        "condition",
        "seed",
        "status",
        "reason",
        "steps",
        "metric",
        "value",
        "best",
        "failed",
    ];
    let mut rows = Vec::new();
    for task in tasks {
        for condition in &task.conditions {
            let each = condition
                .runs
                .iter()
                .zip(&condition.values)
                .zip(&condition.failed);
            rows.extend(each.map(|((run, value), failed)| {
                let status = if run.stopped.is_some() {
                    "stopped"
                } else {
                    "finished"
                };
                vec![
                    Cell::Text(run.id.clone()),
                    Cell::Text(run.task.clone()),
                    Cell::Text(run.condition.clone()),
                    Cell::Count(run.seed as usize),
                    Cell::Text(status.to_owned()),
                    Cell::Text(run.stopped.clone().unwrap_or_default()),
                    Cell::Count(run.steps as usize),
                    Cell::Text(task.metric.clone()),
                    Cell::Number(*value),
                    Cell::Number(run.best),
                    Cell::Text(failed.to_string()),
                ]
            }));
        }
    }
    csv(&header, &rows)
}

/// What `--json` prints: the tasks with their conditions and every number of each.
pub(super) fn json(tasks: &[Task<'_>]) -> Value {
    let short = |x: Option<f64>| x.filter(|x| x.is_finite()).map(|x| significant(x, 10));
    let condition = |condition: &Condition<'_>| {
        let mut object = json!({
            "condition": condition.name,
            "runs": condition.runs.len(),
            "failed": condition.failures(),
            "values": condition.summary.map_or(0, |s| s.n),
        });
        for (name, value) in numbers(condition) {
            object[name] = short(value).into();
        }
        object
    };
    let task = |task: &Task<'_>| {
        json!({
            "task": task.name,
            "metric": task.metric,
            "threshold": short(Some(task.threshold)),
            "control": task.conditions[task.control].name,
            "conditions": task.conditions.iter().map(condition).collect::<Vec<_>>(),
        })
    };
    tasks.iter().map(task).collect()
}
