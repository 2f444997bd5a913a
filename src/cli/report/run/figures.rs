//! The figures of one run.

use super::super::figures::{blank, file_name};
use super::super::logs::{self, Subject};
use super::super::updates;
use super::read::Run;
use crate::report::Figure;
use crate::report::figure::{Line, Panel, Panels, Scale, panels};

/// Over the steps: losses, metrics, learning rate, gradient norms, what is clipped.
pub(super) fn over_steps(run: &Run) -> Vec<Figure> {
    let losses = ["loss", "train_loss"].into_iter();
    let of_evaluations = run
        .metrics
        .iter()
        .map(String::as_str)
        .filter(|name| name.starts_with("eval_loss"));
    let names = |name: &str| match name {
        "loss" => "of a step".to_owned(),
        "train_loss" => "mean so far".to_owned(),
        name => name.replace("eval_loss", "evaluation"),
    };
    let losses: Vec<(&str, String)> = losses
        .chain(of_evaluations)
        .map(|name| (name, names(name)))
        .collect();
    let mut figures = vec![figure(
        run,
        "loss",
        "Loss",
        "The training loss of each logged step, before it was taken; the mean of all steps up to an evaluation; and the loss on \
         the evaluation's examples.",
        Scale::Linear,
        &losses,
    )];
    for name in run.metrics.iter().filter(|name| !name.starts_with("eval_loss")) {
        let caption = format!("{name} at each evaluation.");
        let lines = [(name.as_str(), name.clone())];
        figures.push(figure(
            run,
            &file_name(&[name]),
            name,
            &caption,
            Scale::Linear,
            &lines,
        ));
    }
    let rate = [("learning_rate", "learning rate".to_owned())];
    let caption = "The learning rate of each logged step.";
    figures.push(figure(
        run,
        "learning-rate",
        "Learning rate",
        caption,
        Scale::Linear,
        &rate,
    ));
    let norms = [("before", "before clipping"), ("after", "after clipping")];
    let norms = norms.map(|(when, name)| (format!("grad_norm_{when}_clipping"), name.to_owned()));
    figures.push(figure(
        run,
        "gradient-norm",
        "Gradient norm",
        "The norm of the whole gradient at each logged step, before and after clipping.",
        Scale::Log,
        &norms.each_ref().map(|(key, name)| (key.as_str(), name.clone())),
    ));
    figures.extend(logs::clipping_of_run(&run.log));
    figures.retain(|figure| !figure.svg.is_empty());
    figures
}

/// Of each component or layer.
pub(super) fn by_component(run: &Run, layer: Option<usize>) -> Vec<Figure> {
    let (subject, log) = (Subject::default(), [&run.log]);
    let norms = logs::layer_norms_of_run(&run.log, layer).into_iter();
    let maps = logs::maps(&subject, &log);
    norms
        .chain(maps)
        .chain(updates::updates(&subject, &log))
        .collect()
}

/// Lines of numbers over the steps, each with its name; the drawing is empty if there is no point.
fn figure(
    run: &Run,
    file: &str,
    title: &str,
    caption: &str,
    y_scale: Scale,
    lines: &[(&str, String)],
) -> Figure {
    let line = |(style, (key, name)): (usize, &(&str, String))| Line {
        name: name.clone(),
        style,
        is_dashed: style % 2 == 1,
        points: run.points(key),
        ..Line::default()
    };
    let drawn: Vec<Line> = lines
        .iter()
        .enumerate()
        .map(line)
        .filter(|line| !line.points.is_empty())
        .collect();
    let is_empty = drawn.is_empty();
    let has_legend = drawn.len() > 1;
    let panels = || {
        panels(&Panels {
            title: title.to_owned(),
            y_label: title.to_lowercase(),
            y_scale,
            has_legend,
            panels: vec![Panel {
                title: String::new(),
                lines: drawn,
                is_share: false,
            }],
            ..blank()
        })
    };
    Figure {
        name: file.to_owned(),
        caption: caption.to_owned(),
        svg: if is_empty { String::new() } else { panels() },
    }
}
