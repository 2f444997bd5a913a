//! `curve.svg`: the held-out loss and accuracy over the steps, from the lines of the log.

use crate::checkpoint;
use crate::cli::{Error, output};
use crate::report::figure::{Line, Panel, Panels, Scale, panels};
use serde_json::Value;
use std::path::Path;

/// Draws the curve of a run's log beside it.
pub(super) fn write(output: &Path) -> Result<(), Error> {
    let log = checkpoint::read(&output.join(output::LOG))?;
    let lines: Vec<Value> = log
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let figure = panels(&figure(&lines));
    Ok(checkpoint::write_atomic(&output.join(output::CURVE), |out| {
        out.write_all(figure.as_bytes())
    })?)
}

fn figure(lines: &[Value]) -> Panels {
    let line = |name: &str, style: usize| {
        let points = lines.iter().filter_map(|line| {
            let (step, value) = (line.get("step")?.as_f64()?, line.get(name)?.as_f64()?);
            Some((step, value))
        });
        Line {
            name: name.to_owned(),
            style,
            points: points.collect(),
            ..Line::default()
        }
    };
    let panel = |title: &str, line: Line, is_share: bool| Panel {
        title: title.to_owned(),
        lines: vec![line],
        is_share,
    };
    Panels {
        title: "Held-out loss and accuracy of the masked tokens".to_owned(),
        x_label: "steps".to_owned(),
        y_label: "loss (nats)".to_owned(),
        x_scale: Scale::Linear,
        y_scale: Scale::Linear,
        places: Vec::new(),
        reference: None,
        has_legend: false,
        panels: vec![
            panel("held-out loss", line("eval_loss", 0), false),
            panel("share of masked tokens guessed", line("eval_accuracy", 1), true),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Lines of steps have a loss of another name and are no points.
    #[test]
    fn evaluations_are_the_points() {
        let lines = [
            json!({"step": 1, "loss": 9.0}),
            json!({"step": 2, "eval_loss": 5.0, "eval_accuracy": 0.25}),
            json!({"step": 4, "eval_loss": 3.0, "eval_accuracy": 0.5}),
        ];
        let panels = figure(&lines).panels;
        assert_eq!(panels[0].lines[0].points, [(2.0, 5.0), (4.0, 3.0)]);
        assert_eq!(panels[1].lines[0].points, [(2.0, 0.25), (4.0, 0.5)]);
    }
}
