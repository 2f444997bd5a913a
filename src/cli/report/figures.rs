//! The figures of a task.

use super::analysis::{Condition, Task};
use super::logs::{self, Logs, Subject};
use super::series::Log;
use super::updates;
use crate::report::Figure;
use crate::report::figure::{Line, Panel, Panels, Row, Scale, Strip, panels, strip};
use crate::study::stats::{quantile, sd, summary::sorted};
use std::collections::HashSet;

/// A figure that others are changed from.
pub(super) fn blank() -> Panels {
    Panels {
        title: String::new(),
        x_label: "step".to_owned(),
        y_label: String::new(),
        x_scale: Scale::Linear,
        y_scale: Scale::Linear,
        places: Vec::new(),
        reference: None,
        has_legend: false,
        panels: Vec::new(),
    }
}

/// A name for a figure's file: of letters, digits and `.+_-`.
pub(super) fn file_name(parts: &[&str]) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '_') {
            c
        } else {
            '-'
        }
    };
    let name: String = parts.join("-").chars().map(safe).collect();
    name.trim_start_matches('.').to_owned()
}

/// Every figure that a task has records for.
pub(super) fn figures(task: &Task<'_>, logs: &Logs, layer: Option<usize>) -> Vec<Figure> {
    let mut figures = vec![runs(task)];
    figures.extend(curves(task));
    figures.extend(thresholds(task, logs));
    figures.extend(unfreezing(task, logs));
    figures.extend(logs::layer_norms(task, logs, layer));
    figures.extend(logs::clipping(task, logs));
    for (place, condition) in task.conditions.iter().enumerate() {
        let logs: Vec<&Log> = logs.of(place).collect();
        let names = [task.name.as_str(), condition.name.as_str()];
        figures.extend(logs::maps(&Subject(&names), &logs));
        figures.extend(updates::updates(&Subject(&names), &logs));
    }
    // Two names may become one, as may a condition's and a word of ours; then each has a file of its own.
    let mut taken = HashSet::new();
    for figure in &mut figures {
        let name = figure.name.clone();
        let mut names = (2..).map(|i| format!("{name}-{i}"));
        while !taken.insert(figure.name.to_lowercase()) {
            figure.name = names.next().unwrap_or_default();
        }
    }
    figures
}

/// Every run as a point.
fn runs(task: &Task<'_>) -> Figure {
    let rows = task.conditions.iter().map(|condition| Row {
        name: condition.name.clone(),
        runs: condition
            .values
            .iter()
            .zip(&condition.failed)
            .filter_map(|(v, &failed)| v.map(|v| (v, failed)))
            .collect(),
        quartiles: condition.summary.map(|s| [s.q1, s.median, s.q3]),
        stopped: condition.values.iter().filter(|value| value.is_none()).count(),
    });
    let values = task.conditions.iter().flat_map(|c| &c.values).flatten();
    let reference = near(task.threshold, values.copied()).filter(|_| task.is_headline);
    let line = match reference {
        Some(_) => "; the broken line is the value that a run must exceed".to_owned(),
        None if task.is_headline => format!("; {}", far(task.threshold)),
        None => String::new(),
    };
    let title = format!("{}: {} of every run", task.name, task.metric);
    Figure {
        name: file_name(&[&task.name, "runs"]),
        caption: format!(
            "{title}. A dot is a run, a ring a failed one; the box is the middle half, the bar in it the median{line}."
        ),
        svg: strip(&Strip {
            title,
            x_label: task.metric.clone(),
            reference,
            rows: rows.collect(),
        }),
    }
}

/// The value to compare with, unless it lies so far from all values that drawing it would press them together.
fn near(threshold: f64, values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| value.is_finite()) {
        (low, high) = (low.min(value), high.max(value));
    }
    let far = 3.0 * (high - low);
    let is_near = low >= high || (low - far..=high + far).contains(&threshold);
    is_near.then_some(threshold)
}

/// What to say where it is not drawn.
fn far(threshold: f64) -> String {
    format!("the value that a run must exceed, {threshold:.4}, lies far outside")
}

/// The task's metric over the steps: median and quartiles of each condition, the control behind the others.
fn curves(task: &Task<'_>) -> Option<Figure> {
    let line = |condition: &Condition<'_>, style: usize, is_quiet: bool| {
        let (mut points, mut band) = (Vec::new(), Vec::new());
        for (step, values) in by_step(condition) {
            let values = sorted(&values);
            points.push((step, quantile(&values, 0.5)));
            band.push((quantile(&values, 0.25), quantile(&values, 0.75)));
        }
        Line {
            name: condition.name.clone(),
            style,
            is_dashed: is_quiet,
            is_quiet,
            points,
            band,
            has_bars: false,
        }
    };
    let control = &task.conditions[task.control];
    let panel = |(place, condition): (usize, &Condition<'_>)| {
        let mut lines = Vec::new();
        if place != task.control {
            lines.push(line(control, 0, true));
        }
        lines.push(line(condition, 0, false));
        Panel {
            title: condition.name.clone(),
            lines,
            is_share: false,
        }
    };
    let shown: Vec<Panel> = task.conditions.iter().enumerate().map(panel).collect();
    if shown
        .iter()
        .flat_map(|panel| &panel.lines)
        .all(|line| line.points.len() < 2)
    {
        return None;
    }
    let runs = task.conditions.iter().flat_map(|condition| &condition.runs);
    let reference = near(
        task.threshold,
        runs.flat_map(|run| &run.curve).filter_map(|point| point.1),
    );
    let line = match reference {
        Some(_) => "the broken line across each panel is the value that a run must exceed not to have failed"
            .to_owned(),
        None => far(task.threshold),
    };
    let title = format!("{}: {} on the dev set over the steps", task.name, task.headline);
    Some(Figure {
        name: file_name(&[&task.name, "curves"]),
        caption: format!(
            "{title}: median and quartiles of the runs of each condition; grey and broken: those of {}; {line}.",
            control.name
        ),
        svg: panels(&Panels {
            title,
            y_label: task.headline.clone(),
            reference,
            panels: shown,
            ..blank()
        }),
    })
}

/// The values of a condition's curves at each step.
fn by_step(condition: &Condition<'_>) -> Vec<(f64, Vec<f64>)> {
    let mut steps: Vec<(f64, Vec<f64>)> = Vec::new();
    for &(step, value) in condition.runs.iter().flat_map(|run| &run.curve) {
        let Some(value) = value else { continue };
        match steps.iter_mut().find(|(known, _)| *known == step) {
            Some((_, values)) => values.push(value),
            None => steps.push((step, vec![value])),
        }
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    steps
}

/// Mean and deviation, and failed runs, over the threshold: of conditions that differ in `component:C` alone.
fn thresholds(task: &Task<'_>, logs: &Logs) -> Option<Figure> {
    let mut groups: Vec<(String, Vec<(f64, &Condition<'_>)>)> = Vec::new();
    for (place, condition) in task.conditions.iter().enumerate() {
        let Some((threshold, rest)) = logs.threshold(place) else {
            continue;
        };
        match groups.iter_mut().find(|(known, _)| *known == rest) {
            Some((_, group)) => group.push((threshold, condition)),
            None => groups.push((rest, vec![(threshold, condition)])),
        }
    }
    let (_, mut group) = groups.into_iter().max_by_key(|(_, group)| group.len())?;
    if group.len() < 3 {
        return None;
    }
    group.sort_by(|a, b| a.0.total_cmp(&b.0));
    let summaries = group
        .iter()
        .filter_map(|(c, condition)| condition.summary.map(|s| (*c, s)));
    let (mut points, mut band) = (Vec::new(), Vec::new());
    for (c, s) in summaries {
        points.push((c, s.mean));
        let half = s.sd.unwrap_or(0.0);
        band.push((s.mean - half, s.mean + half));
    }
    let level = Panels {
        x_label: "threshold of each component".to_owned(),
        x_scale: Scale::Log,
        reference: task.is_headline.then_some(task.threshold),
        panels: vec![
            Panel {
                title: format!("{}, mean ± sd", task.metric),
                is_share: false,
                lines: vec![Line {
                    points,
                    band,
                    has_bars: true,
                    ..Line::default()
                }],
            },
            Panel {
                title: "share of failed runs".to_owned(),
                is_share: true,
                lines: vec![Line {
                    style: 1,
                    points: group
                        .iter()
                        .map(|(c, condition)| (*c, condition.failed_share()))
                        .collect(),
                    ..Line::default()
                }],
            },
        ],
        ..blank()
    };
    let title = format!("{}: thresholds of component-wise clipping", task.name);
    Some(Figure {
        name: file_name(&[&task.name, "thresholds"]),
        caption: format!(
            "{title}, of conditions that differ in it alone: mean and standard deviation of the {} over seeds, and the share of \
             failed runs. The broken line is the value that a run must exceed.",
            task.metric
        ),
        svg: panels(&Panels { title, ..level }),
    })
}

/// The curve of gradual unfreezing, the paper's figure 1: mean and deviation at each evaluation.
fn unfreezing(task: &Task<'_>, logs: &Logs) -> Option<Figure> {
    let lines = task
        .conditions
        .iter()
        .enumerate()
        .filter(|&(place, _)| logs.unfreezes(place))
        .map(|(style, condition)| {
            let (mut points, mut band) = (Vec::new(), Vec::new());
            for (i, (_, values)) in (1..).zip(by_step(condition)) {
                let mean = crate::study::stats::mean(&values);
                let half = sd(&values, 0).unwrap_or(0.0);
                points.push((f64::from(i), mean));
                band.push((mean - half, mean + half));
            }
            Line {
                name: condition.name.clone(),
                style,
                is_dashed: style % 2 == 1,
                points,
                band,
                has_bars: true,
                ..Line::default()
            }
        });
    let lines: Vec<Line> = lines.collect();
    if lines.is_empty() {
        return None;
    }
    let title = format!("{}: gradual unfreezing", task.name);
    Some(Figure {
        name: file_name(&[&task.name, "unfreezing"]),
        caption: format!(
            "{title}: {} on the dev set at each evaluation, mean and standard deviation of the runs (the paper's figure 1, if each \
             iteration ends with an evaluation).",
            task.headline
        ),
        svg: panels(&Panels {
            title,
            x_label: "evaluation".to_owned(),
            y_label: task.headline.clone(),
            reference: Some(task.threshold),
            has_legend: true,
            panels: vec![Panel {
                title: String::new(),
                lines,
                is_share: false,
            }],
            ..blank()
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_threshold_is_not_drawn() {
        let values = [0.90, 0.92].into_iter();
        // Three times the span of 0.02 on either side: 0.84 to 0.98.
        assert_eq!(near(0.85, values.clone()), Some(0.85));
        assert_eq!(near(0.83, values.clone()), None);
        assert_eq!(near(0.97, values.clone()), Some(0.97));
        assert_eq!(near(0.99, values), None);
        assert_eq!(near(0.5, [0.9, f64::NAN].into_iter()), Some(0.5));
        assert_eq!(near(0.5, [].into_iter()), Some(0.5));
    }
}
