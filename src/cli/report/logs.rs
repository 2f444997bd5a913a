//! Figures of what the runs logged: gradient norms and clipping.

use super::analysis::{Condition, Task};
use super::figures::{blank, file_name};
use super::series::Log;
use crate::report::Figure;
use crate::report::figure::{Heat, Line, Panel, Panels, Scale, heat, panels};
use crate::study::stats::{mean, quantile, summary::sorted};
use serde_json::{Map, Value};

/// Settings and logs of a task's runs.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// For each condition its settings, if they are known.
    pub(super) settings: Vec<Option<Map<String, Value>>>,
    /// For each condition the log of each run, if it is there.
    pub(super) logs: Vec<Vec<Option<Log>>>,
}

impl Logs {
    /// The logs of the condition at this place.
    pub(super) fn of(&self, place: usize) -> impl Iterator<Item = &Log> {
        self.logs[place].iter().flatten()
    }

    /// The threshold of a condition that clips by `component:C`, and its other settings as one text.
    pub(super) fn threshold(&self, place: usize) -> Option<(f64, String)> {
        let mut settings = self.settings[place].clone()?;
        let clip = settings.shift_remove("clip")?;
        let threshold = clip.as_str()?.strip_prefix("component:")?.parse().ok()?;
        Some((threshold, Value::Object(settings).to_string()))
    }

    /// Whether a condition thaws its layers one after the other.
    pub(super) fn unfreezes(&self, place: usize) -> bool {
        let is_set = |value: &Value| !matches!(value, Value::Null | Value::Bool(false)) && value != "none";
        let settings = self.settings[place].iter().flatten();
        settings
            .into_iter()
            .any(|(name, value)| name.contains("unfreez") && is_set(value))
    }
}

/// The median over runs of a number at each logged step.
fn medians(logs: &[&Log], of: impl Fn(&super::series::Step) -> f64) -> Vec<(f64, [f64; 3])> {
    let mut steps: Vec<usize> = logs
        .iter()
        .flat_map(|log| log.steps.iter().map(|s| s.number))
        .collect();
    steps.sort_unstable();
    steps.dedup();
    let values = |step: usize| -> Vec<f64> {
        let logged = logs
            .iter()
            .flat_map(|log| log.steps.iter().filter(|s| s.number == step));
        sorted(&logged.map(&of).filter(|x| x.is_finite()).collect::<Vec<_>>())
    };
    let each = steps
        .into_iter()
        .map(|step| (step, values(step)))
        .filter(|(_, values)| !values.is_empty());
    each.map(|(step, values)| (step as f64, [0.25, 0.5, 0.75].map(|p| quantile(&values, p))))
        .collect()
}

/// The mean over runs of a number at each logged step.
fn means(logs: &[&Log], of: impl Fn(&super::series::Step) -> f64) -> Vec<(f64, f64)> {
    let mut steps: Vec<usize> = logs
        .iter()
        .flat_map(|log| log.steps.iter().map(|s| s.number))
        .collect();
    steps.sort_unstable();
    steps.dedup();
    let mean_at = |step: usize| {
        let logged = logs
            .iter()
            .flat_map(|log| log.steps.iter().filter(|s| s.number == step));
        mean(&logged.map(&of).filter(|x| x.is_finite()).collect::<Vec<_>>())
    };
    steps
        .into_iter()
        .map(|step| (step as f64, mean_at(step)))
        .collect()
}

/// The layer of a parameter, and the rest of its name.
fn layer_of(name: &str) -> Option<(usize, &str)> {
    let (_, rest) = name.split_once("encoder.layer.")?;
    let (layer, rest) = rest.split_once('.')?;
    Some((layer.parse().ok()?, rest))
}

/// The gradient norms of one layer's components, failed runs beside successful ones: the paper's figure 3.
pub(super) fn layer_norms(task: &Task<'_>, logs: &Logs, layer: Option<usize>) -> Option<Figure> {
    let has_both = |place: &usize| {
        let failed = &task.conditions[*place].failed;
        failed.contains(&true) && failed.contains(&false)
    };
    let others = 0..task.conditions.len();
    let place = [task.control]
        .into_iter()
        .chain(others)
        .find(has_both)
        .unwrap_or(task.control);
    let condition = &task.conditions[place];
    let names = &logs.of(place).next()?.names;
    let highest = names
        .iter()
        .filter_map(|name| layer_of(name))
        .map(|(layer, _)| layer)
        .max()?;
    let layer = layer.unwrap_or(highest.saturating_sub(1)).min(highest);
    let chosen: Vec<(usize, &str)> = names
        .iter()
        .enumerate()
        .filter_map(|(i, name)| {
            layer_of(name)
                .filter(|(of, _)| *of == layer)
                .map(|(_, rest)| (i, rest))
        })
        .collect();
    let mut shown = Vec::new();
    for failed in [true, false] {
        let these = logs.logs[place].iter().zip(&condition.failed);
        let these = these.filter(|(_, f)| **f == failed);
        let these: Vec<&Log> = these.filter_map(|(log, _)| log.as_ref()).collect();
        if !these.is_empty() {
            shown.push(layer_panel(&these, &chosen, failed));
        }
    }
    lift(&mut shown);
    let alone = match &shown[..] {
        [one] => format!(" All its runs are of one kind: {}.", one.title),
        _ => String::new(),
    };
    let title = format!("{}: gradient norms in layer {layer}", task.name);
    Some(Figure {
        name: file_name(&[&task.name, "layer-norms"]),
        caption: format!(
            "{title} of each component before clipping, mean over the runs of {} that failed and over those that succeeded (the \
             paper's figure 3). Weights: full lines, biases: broken.{alone} What is below a ten-thousandth of the largest is drawn there: \
             the gradient of a key's bias is zero but for rounding.",
            condition.name
        ),
        svg: panels(&Panels {
            title,
            y_label: "gradient norm".to_owned(),
            y_scale: Scale::Log,
            has_legend: true,
            panels: shown,
            ..blank()
        }),
    })
}

/// The norms of these components, mean over these runs.
fn layer_panel(logs: &[&Log], components: &[(usize, &str)], failed: bool) -> Panel {
    // Weight and bias of one module share a colour.
    let mut modules: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for &(i, name) in components {
        let (module, kind) = name.rsplit_once('.').unwrap_or((name, ""));
        if !modules.contains(&module) {
            modules.push(module);
        }
        lines.push(Line {
            name: name.to_owned(),
            style: modules.iter().position(|known| *known == module).unwrap_or(0),
            is_dashed: kind == "bias",
            points: means(logs, |step| step.norms[i]),
            ..Line::default()
        });
    }
    let (runs, plural) = (logs.len(), if logs.len() == 1 { "" } else { "s" });
    let kind = if failed { "failed" } else { "successful" };
    Panel {
        title: format!("{runs} {kind} run{plural}"),
        lines,
        is_share: false,
    }
}

/// Lifts what is below a ten-thousandth of the largest value, which would leave no room for the rest.
fn lift(panels: &mut [Panel]) {
    let lines = panels.iter().flat_map(|panel| &panel.lines);
    let values = lines.flat_map(|line| &line.points).map(|point| point.1);
    let floor = 1e-4 * values.filter(|y| y.is_finite()).fold(0.0, f64::max);
    let lines = panels.iter_mut().flat_map(|panel| &mut panel.lines);
    for (_, y) in lines.flat_map(|line| &mut line.points) {
        *y = if *y < floor { floor } else { *y };
    }
}

/// How much is clipped over the steps.
pub(super) fn clipping(task: &Task<'_>, logs: &Logs) -> Option<Figure> {
    let mut shown = Vec::new();
    for (place, condition) in task.conditions.iter().enumerate() {
        let these: Vec<&Log> = logs.of(place).collect();
        let line = |name: &str, style: usize, of: &dyn Fn(&super::series::Step) -> f64| Line {
            name: name.to_owned(),
            style,
            is_dashed: style == 1,
            points: means(&these, of),
            ..Line::default()
        };
        if these.is_empty() {
            continue;
        }
        let percent = |share: f64| 100.0 * share;
        shown.push(Panel {
            title: condition.name.clone(),
            is_share: false,
            lines: vec![
                line("% of elements", 0, &|step| percent(step.clipped_elements)),
                line("% of components", 1, &|step| percent(step.clipped_parameters)),
            ],
        });
    }
    if shown.is_empty() {
        return None;
    }
    let title = format!("{}: what is clipped over the steps", task.name);
    Some(Figure {
        name: file_name(&[&task.name, "clipping"]),
        caption: format!(
            "{title}: the share of parameter tensors that are clipped, and of the elements that they hold, mean over the runs of each \
             condition. The word embeddings hold most elements, so the share of elements mostly says whether they are clipped."
        ),
        svg: panels(&Panels {
            title,
            y_label: "clipped, %".to_owned(),
            has_legend: true,
            panels: shown,
            ..blank()
        }),
    })
}

/// A parameter's name without what all share.
fn short(name: &str) -> String {
    let name = name
        .strip_prefix("bert.")
        .or_else(|| name.strip_prefix("roberta."))
        .unwrap_or(name);
    name.strip_prefix("encoder.").unwrap_or(name).to_owned()
}

/// Components by steps: the norm before clipping, and the scale where something was clipped.
pub(super) fn maps(task: &Task<'_>, condition: &Condition<'_>, logs: &[&Log]) -> Vec<Figure> {
    let Some(first) = logs.first() else {
        return Vec::new();
    };
    let mut figures = Vec::new();
    let map = |kind: &str, what: &str, of: &dyn Fn(&super::series::Step, usize) -> f64| {
        let rows: Vec<_> = (0..first.names.len())
            .map(|i| medians(logs, |step| of(step, i)))
            .collect();
        let longest = rows.iter().max_by_key(|row| row.len())?;
        let columns: Vec<usize> = longest.iter().map(|(step, _)| *step as usize).collect();
        let at = |row: &[(f64, [f64; 3])], step: usize| {
            row.iter()
                .find(|(s, _)| *s as usize == step)
                .map_or(f64::NAN, |(_, q)| q[1])
        };
        let values = rows
            .iter()
            .map(|row| columns.iter().map(|&step| at(row, step)).collect())
            .collect();
        let title = format!("{}, {}: {what}", task.name, condition.name);
        Some(Figure {
            name: file_name(&[&task.name, &condition.name, kind]),
            caption: format!(
                "{title}, median over {} runs; bright is large, on a logarithmic scale; what is below a ten-thousandth of the largest is darkest.",
                logs.len()
            ),
            svg: heat(&Heat {
                title,
                rows: first.names.iter().map(|name| short(name)).collect(),
                columns,
                values,
            }),
        })
    };
    figures.extend(map(
        "norms",
        "gradient norm of each component before clipping",
        &|step, i| step.norms[i],
    ));
    let is_clipped = logs
        .iter()
        .flat_map(|log| &log.steps)
        .any(|step| step.scales.iter().any(|&scale| scale < 1.0));
    if is_clipped {
        figures.extend(map(
            "scales",
            "scale that clipping gave each component (1: not clipped)",
            &|step, i| step.scales[i],
        ));
    }
    figures
}

/// `layer.3`, `embeddings`, `pooler`, `classifier`.
pub(super) fn group(name: &str) -> String {
    if let Some((layer, _)) = layer_of(name) {
        return format!("layer.{layer}");
    }
    let short = short(name);
    short.split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_and_groups() {
        let name = "bert.encoder.layer.11.attention.self.key.bias";
        assert_eq!(layer_of(name), Some((11, "attention.self.key.bias")));
        assert_eq!(group(name), "layer.11");
        assert_eq!(group("bert.embeddings.word_embeddings.weight"), "embeddings");
        assert_eq!(group("bert.pooler.dense.bias"), "pooler");
        assert_eq!(group("classifier.out_proj.weight"), "classifier");
        assert_eq!(
            short("roberta.encoder.layer.0.output.dense.bias"),
            "layer.0.output.dense.bias"
        );
        assert_eq!(layer_of("classifier.weight"), None);
    }
}
