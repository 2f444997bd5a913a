//! Figures of how far the layers moved, of runs under `--log-updates`.

use super::figures::blank;
use super::logs::{Subject, group, over};
use super::series::{Log, Update};
use crate::report::Figure;
use crate::report::figure::{Line, Panel, Panels, Scale, panels};
use crate::study::stats::mean;

/// A number of an update: of the distance from the start (0) or from the evaluation before (1).
type Of = fn(&Update, usize) -> f64;

/// The largest distance over each layer's components, the paper's figure 2: as root mean square and as cosine distance.
pub(super) fn updates(subject: &Subject<'_>, logs: &[&Log]) -> Vec<Figure> {
    let logs: Vec<&Log> = logs
        .iter()
        .copied()
        .filter(|log| !log.updates.is_empty())
        .collect();
    let Some(first) = logs.first() else {
        return Vec::new();
    };
    let mut layers: Vec<String> = Vec::new();
    for update in &first.updates[0].1 {
        let layer = group(&update.name);
        if !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    let kinds: [(&str, &str, Of); 2] = [
        ("update-rms", "RMS update", |update, from| update.rms[from]),
        ("update-cosine", "cosine distance", |update, from| {
            update.cosine[from]
        }),
    ];
    let figure = |(kind, what, of): (&str, &str, Of)| {
        let title = subject.title(&format!("{what} of each layer"));
        let over = over("mean", logs.len());
        Figure {
            name: subject.file_name(kind),
            caption: format!(
                "{title} at evaluations, under gradual unfreezing at the end of each iteration: the largest over the layer's \
                 components{over} (the paper's figure 2). A layer that has not moved has no mark."
            ),
            svg: panels(&Panels {
                title,
                y_label: what.to_owned(),
                y_scale: Scale::Log,
                places: layers.clone(),
                has_legend: true,
                panels: vec![
                    panel("from the start", &logs, &layers, |update| of(update, 0)),
                    panel("from the evaluation before", &logs, &layers, |update| {
                        of(update, 1)
                    }),
                ],
                ..blank()
            }),
        }
    };
    kinds.map(figure).to_vec()
}

/// Steps of evaluations that are drawn; of more, as many are taken, evenly.
const SHOWN: usize = 6;

/// A line over the layers for each evaluation.
fn panel(title: &str, logs: &[&Log], layers: &[String], of: impl Fn(&Update) -> f64) -> Panel {
    let steps: Vec<usize> = logs[0].updates.iter().map(|(step, _)| *step).collect();
    let shown = steps.len().min(SHOWN);
    let chosen = (0..shown).map(|i| steps[i * (steps.len() - 1) / (shown - 1).max(1)]);
    let line = |(style, step): (usize, usize)| {
        let measured = || {
            logs.iter()
                .flat_map(|log| &log.updates)
                .filter(|(at, _)| *at == step)
        };
        let value = |layer: &str| {
            let largest = |updates: &[Update]| {
                let of_layer = updates.iter().filter(|update| group(&update.name) == layer);
                let largest = of_layer.map(&of).fold(f64::NAN, f64::max);
                // A frozen layer has no place on a logarithmic axis.
                if largest > 0.0 { largest } else { f64::NAN }
            };
            mean(
                &measured()
                    .map(|(_, updates)| largest(updates))
                    .collect::<Vec<_>>(),
            )
        };
        let points = layers.iter().enumerate();
        Line {
            name: format!("step {step}"),
            style,
            is_dashed: style % 2 == 1,
            points: points.map(|(i, layer)| (i as f64, value(layer))).collect(),
            ..Line::default()
        }
    };
    Panel {
        title: title.to_owned(),
        lines: chosen.enumerate().map(line).collect(),
        is_share: false,
    }
}
