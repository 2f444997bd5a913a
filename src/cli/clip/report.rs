//! What was measured and done, as a table and as JSON; docs/clipping.md has the keys.

use super::super::aligned;
use super::super::oracle::number;
use super::args::Clip;
use super::files::Sources;
use crate::clip::{Action, ClipReport, ClipState, Clipped, ComponentReport};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The version of the report's keys.
const SPEC: u64 = 1;

fn clipped(clipped: Clipped) -> &'static str {
    match clipped {
        Clipped::Yes => "yes",
        Clipped::No => "no",
        Clipped::Ambiguous => "ambiguous",
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Kept => "kept",
        Action::Rewritten => "rewritten",
        Action::Zeroed => "zeroed",
        Action::Skipped => "skipped",
    }
}

/// The report as JSON; `output` and `state` are what was written.
pub(super) fn document(
    args: &Clip,
    sources: &Sources,
    report: &ClipReport,
    state: Option<&ClipState>,
) -> Value {
    let path = |path: Option<&PathBuf>| path.map(|path| path.display().to_string());
    let paths = |paths: &[PathBuf]| match paths {
        [] => Value::Null,
        [one] => json!(path(Some(one))),
        many => many.iter().map(|one| path(Some(one))).collect(),
    };
    let component = |c: &ComponentReport| {
        json!({
            "id": c.id,
            "elements": c.elements,
            "norm_before": number(c.norm_before),
            "threshold": c.threshold.map(number),
            "scale": number(c.scale),
            "norm_after": number(c.norm_after),
            "clipped": clipped(c.clipped),
            "non_finite": c.non_finite,
            "action": action(c.action),
            "parameters": c.members.iter().map(|&at| &report.parameters[at].name).collect::<Vec<_>>(),
        })
    };
    let parameters = report.parameters.iter().zip(&sources.params).map(|(p, tensor)| {
        json!({
            "name": p.name,
            "dtype": tensor.grad.element.name(),
            "shape": tensor.grad.shape,
            "elements": p.elements,
            "norm_before": number(p.norm_before),
            "norm_after": number(p.norm_after),
            "non_finite": p.non_finite,
            "counted": p.counted,
        })
    });
    json!({
        "spec": SPEC,
        "version": env!("CARGO_PKG_VERSION"),
        "policy": args.policy.to_string(),
        "grads": paths(&args.grads),
        "params": paths(&args.params),
        "second_moments": paths(&args.second_moments),
        "output": path(args.written()),
        "statistic": report.statistic.to_string(),
        "state_steps": state.map(|state| state.steps),
        "elements": elements(report),
        "global_norm_before": number(report.global_norm_before()),
        "global_norm_after": number(report.global_norm_after()),
        "clipped_elements": number(report.clipped_elements()),
        "non_finite": non_finite(report),
        "skipped": report.skipped().collect::<Vec<_>>(),
        "components": report.components.iter().map(component).collect::<Vec<_>>(),
        "parameters": parameters.collect::<Vec<_>>(),
    })
}

fn elements(report: &ClipReport) -> usize {
    report.parameters.iter().map(|p| p.elements).sum()
}

fn non_finite(report: &ClipReport) -> usize {
    report.parameters.iter().map(|p| p.non_finite).sum()
}

/// The report as lines.
pub(super) fn lines(args: &Clip, report: &ClipReport, state: Option<&ClipState>) -> Vec<String> {
    let norm = |x: f64| format!("{x:.6e}");
    let mut rows = vec![
        [
            "component",
            "elements",
            "norm before",
            "scale",
            "norm after",
            "clipped",
            "non-finite",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    rows.extend(report.components.iter().map(|c| {
        let done = match c.action {
            Action::Zeroed | Action::Skipped => action(c.action),
            Action::Kept | Action::Rewritten => clipped(c.clipped),
        };
        vec![
            c.id.clone(),
            c.elements.to_string(),
            norm(c.norm_before),
            format!("{:.6}", c.scale),
            norm(c.norm_after),
            done.to_owned(),
            c.non_finite.to_string(),
        ]
    }));
    let count = report.components.iter().filter(|c| c.was_clipped()).count();
    rows.push(vec![
        "total".to_owned(),
        elements(report).to_string(),
        norm(report.global_norm_before()),
        String::new(),
        norm(report.global_norm_after()),
        count.to_string(),
        non_finite(report).to_string(),
    ]);
    let mut lines = aligned(&rows);
    let skipped: Vec<&str> = report.skipped().collect();
    if !skipped.is_empty() {
        lines.push(format!(
            "do not update with: {} (the edge rule is `{}`)",
            skipped.join(", "),
            args.policy.edge
        ));
    }
    match args.written() {
        Some(path) => lines.push(format!("clipped gradients in {}", path.display())),
        None => lines.push("measured only; nothing was written".to_owned()),
    }
    if let (Some(state), Some(path)) = (state, args.memory_written()) {
        lines.push(format!(
            "memory after {} steps in {}",
            state.steps,
            path.display()
        ));
    }
    lines
}
