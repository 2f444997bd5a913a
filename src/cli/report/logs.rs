//! Figures of what the runs logged: gradient norms and clipping.

use super::analysis::Task;
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

/// What a figure is about: a task and a condition, or nothing more than the page's one run.
#[derive(Debug, Default)]
pub(super) struct Subject<'a>(pub(super) &'a [&'a str]);

impl Subject<'_> {
    /// A figure's title.
    pub(super) fn title(&self, what: &str) -> String {
        if self.0.is_empty() {
            let (first, rest) = what.split_at(what.chars().next().map_or(0, char::len_utf8));
            return first.to_uppercase() + rest;
        }
        format!("{}: {what}", self.0.join(", "))
    }

    /// The name of its file.
    pub(super) fn file_name(&self, kind: &str) -> String {
        file_name(&[self.0, &[kind]].concat())
    }
}

/// `, median over 3 runs`; of one run there is nothing to say.
pub(super) fn over(kind: &str, runs: usize) -> String {
    if runs == 1 {
        return String::new();
    }
    format!(", {kind} over {runs} runs")
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
    let (layer, chosen) = parts_of_layer(&logs.of(place).next()?.names, layer)?;
    let mut shown = Vec::new();
    for failed in [true, false] {
        let these = logs.logs[place].iter().zip(&condition.failed);
        let these = these.filter(|(_, f)| **f == failed);
        let these: Vec<&Log> = these.filter_map(|(log, _)| log.as_ref()).collect();
        if !these.is_empty() {
            let (runs, plural) = (these.len(), if these.len() == 1 { "" } else { "s" });
            let kind = if failed { "failed" } else { "successful" };
            shown.push(layer_panel(
                &format!("{runs} {kind} run{plural}"),
                &these,
                &chosen,
            ));
        }
    }
    let alone = match &shown[..] {
        [one] => format!(" All its runs are of one kind: {}.", one.title),
        _ => String::new(),
    };
    let of = format!(
        ", mean over the runs of {} that failed and over those that succeeded (the paper's figure 3)",
        condition.name
    );
    let title = format!("{}: gradient norms in layer {layer}", task.name);
    let name = file_name(&[&task.name, "layer-norms"]);
    Some(layer_figure(name, title, &of, &alone, shown))
}

/// The same of a single run.
pub(super) fn layer_norms_of_run(log: &Log, layer: Option<usize>) -> Option<Figure> {
    let (layer, chosen) = parts_of_layer(&log.names, layer)?;
    let panel = layer_panel("", &[log], &chosen);
    let title = format!("Gradient norms in layer {layer}");
    Some(layer_figure("layer-norms".to_owned(), title, "", "", vec![panel]))
}

/// The layer of the figure, and places and names of its components.
fn parts_of_layer(names: &[String], layer: Option<usize>) -> Option<(usize, Vec<(usize, &str)>)> {
    let layers = names.iter().filter_map(|name| layer_of(name));
    let highest = layers.map(|(layer, _)| layer).max()?;
    let layer = layer.unwrap_or(highest.saturating_sub(1)).min(highest);
    let of_layer = |(i, name)| {
        let (_, rest) = layer_of(name).filter(|(of, _)| *of == layer)?;
        Some((i, rest))
    };
    let names = names.iter().map(String::as_str).enumerate();
    Some((layer, names.filter_map(of_layer).collect()))
}

fn layer_figure(name: String, title: String, of: &str, alone: &str, mut shown: Vec<Panel>) -> Figure {
    lift(&mut shown);
    Figure {
        name,
        caption: format!(
            "{title} of each component before clipping{of}. Weights: full lines, biases: broken.{alone} What is below a \
             ten-thousandth of the largest is drawn there: the gradient of a key's bias is zero but for rounding."
        ),
        svg: panels(&Panels {
            title,
            y_label: "gradient norm".to_owned(),
            y_scale: Scale::Log,
            has_legend: true,
            panels: shown,
            ..blank()
        }),
    }
}

/// The norms of these components, mean over these runs.
fn layer_panel(title: &str, logs: &[&Log], components: &[(usize, &str)]) -> Panel {
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
    Panel {
        title: title.to_owned(),
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
    let conditions = task.conditions.iter().enumerate();
    let panels = conditions
        .filter_map(|(place, condition)| clipped_panel(&condition.name, &logs.of(place).collect::<Vec<_>>()));
    clipping_figure(
        file_name(&[&task.name, "clipping"]),
        format!("{}: what is clipped over the steps", task.name),
        ", mean over the runs of each condition",
        panels.collect(),
    )
}

/// The same of a single run.
pub(super) fn clipping_of_run(log: &Log) -> Option<Figure> {
    let panel = clipped_panel("", &[log]);
    let title = "What is clipped over the steps".to_owned();
    clipping_figure("clipping".to_owned(), title, "", panel.into_iter().collect())
}

fn clipped_panel(title: &str, logs: &[&Log]) -> Option<Panel> {
    let line = |name: &str, style: usize, of: &dyn Fn(&super::series::Step) -> f64| Line {
        name: name.to_owned(),
        style,
        is_dashed: style == 1,
        points: means(logs, of),
        ..Line::default()
    };
    let percent = |share: f64| 100.0 * share;
    logs.iter().any(|log| !log.steps.is_empty()).then(|| Panel {
        title: title.to_owned(),
        is_share: false,
        lines: vec![
            line("% of elements", 0, &|step| percent(step.clipped_elements)),
            line("% of components", 1, &|step| percent(step.clipped_parameters)),
        ],
    })
}

fn clipping_figure(name: String, title: String, of: &str, shown: Vec<Panel>) -> Option<Figure> {
    if shown.is_empty() {
        return None;
    }
    Some(Figure {
        name,
        caption: format!(
            "{title}: the share of parameter tensors that are clipped, and of the elements that they hold{of}. The word embeddings \
             hold most elements, so the share of elements mostly says whether they are clipped."
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
pub(super) fn maps(of: &Subject<'_>, logs: &[&Log]) -> Vec<Figure> {
    let Some(first) = logs.first().filter(|log| !log.steps.is_empty()) else {
        return Vec::new();
    };
    let mut figures = Vec::new();
    let map = |kind: &str, what: &str, number: &dyn Fn(&super::series::Step, usize) -> f64| {
        let rows: Vec<_> = (0..first.names.len())
            .map(|i| medians(logs, |step| number(step, i)))
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
        let title = of.title(what);
        let over = over("median", logs.len());
        Some(Figure {
            name: of.file_name(kind),
            caption: format!(
                "{title}{over}; bright is large, on a logarithmic scale; what is below a ten-thousandth of the largest is darkest."
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
