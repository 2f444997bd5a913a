//! What the runs logged: `run.json` and `log.jsonl` of each.

use super::records::Run;
use crate::checkpoint;
use crate::cli::{Error, output};
use serde_json::{Map, Value};
use std::path::Path;

/// The record of one run's steps.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The parameters, in walk order: also those that a run trains only later, as gradual unfreezing does.
    pub(super) names: Vec<String>,
    pub(super) steps: Vec<Step>,
    /// The step of each evaluation that has them, with the updates of each parameter; under gradual unfreezing only of those
    /// that end an iteration.
    pub(super) updates: Vec<(usize, Vec<Update>)>,
}

/// One logged step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) number: usize,
    /// The share of elements that were clipped.
    pub(super) clipped_elements: f64,
    /// The share of parameters of which something was clipped.
    pub(super) clipped_parameters: f64,
    /// For each parameter, the gradient's norm before clipping; NaN if it was frozen.
    pub(super) norms: Vec<f64>,
    /// For each parameter, the scale; NaN if its rows have several, or if it was frozen.
    pub(super) scales: Vec<f64>,
}

/// How far a parameter had moved at an evaluation.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) name: String,
    /// Root mean square from the start and from the evaluation before.
    pub(super) rms: [f64; 2],
    /// Cosine distance from the same; NaN where it is not defined.
    pub(super) cosine: [f64; 2],
}

/// One line of a log.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: usize,
    pub(super) step: usize,
    pub(super) value: Value,
}

impl Line {
    /// What a logged step measured of each parameter; an evaluation has none.
    pub(super) fn components(&self) -> Option<&Vec<Value>> {
        self.value["components"].as_array()
    }
}

/// The settings of a run, without its seeds and its place; `None` if the run's folder is not there.
pub(super) fn settings(dir: &Path, run: &Run) -> Result<Option<Map<String, Value>>, Error> {
    let path = dir.join("runs").join(&run.id).join(output::RUN);
    if !path.exists() {
        return Ok(None);
    }
    let record = record(&path)?;
    let mut settings = record["settings"].as_object().cloned().unwrap_or_default();
    settings.retain(|name, _| !name.ends_with("seed"));
    Ok(Some(settings))
}

/// A run's record; one of another version of the program is refused.
pub(super) fn record(path: &Path) -> Result<Value, Error> {
    let wrong = |what: String| Error::Report(format!("{}: {what}", path.display()));
    let record: Value = serde_json::from_slice(&checkpoint::read(path)?)
        .map_err(|error| wrong(format!("not valid JSON: {error}")))?;
    let version = record["cwgnc_version"].as_str().unwrap_or("unknown");
    if version != env!("CARGO_PKG_VERSION") {
        let ours = env!("CARGO_PKG_VERSION");
        return Err(wrong(format!(
            "a run of cwgnc {version}; this is {ours}, report it with the version that made it"
        )));
    }
    Ok(record)
}

/// The log of a run, or `None` if the run's folder is not there.
pub(super) fn log(dir: &Path, run: &Run) -> Result<Option<Log>, Error> {
    let path = dir.join("runs").join(&run.id).join(output::LOG);
    if !path.exists() {
        return Ok(None);
    }
    let lines = lines(&path, &checkpoint::read(&path)?)?;
    Log::of(&path, &lines).map(Some)
}

/// The lines of a log.
pub(super) fn lines(path: &Path, bytes: &[u8]) -> Result<Vec<Line>, Error> {
    let line = |(number, line): (usize, &[u8])| {
        let wrong = |what: &str| Error::Report(format!("{} line {number}: {what}", path.display()));
        if !line.ends_with(b"\n") {
            return Err(wrong("the line is cut off"));
        }
        let value: Value =
            serde_json::from_slice(line).map_err(|error| wrong(&format!("not valid JSON: {error}")))?;
        let step = value["step"]
            .as_u64()
            .ok_or_else(|| wrong("`step` is not a number"))? as usize;
        Ok(Line { number, step, value })
    };
    (1..)
        .zip(bytes.split_inclusive(|&byte| byte == b'\n'))
        .map(line)
        .collect()
}

impl Log {
    /// What the lines of this file say of each parameter.
    pub(super) fn of(path: &Path, lines: &[Line]) -> Result<Self, Error> {
        let mut log = Self::default();
        let mut trained: Vec<(usize, Vec<String>)> = Vec::new();
        let mut unfreezes = false;
        for line in lines {
            let (step, value) = (line.step, &line.value);
            if let Some(components) = line.components() {
                let names = components.iter().map(|c| c["name"].as_str().unwrap_or_default());
                trained.push((line.number, names.map(str::to_owned).collect()));
                log.steps.push(logged_step(step, value, components));
            } else if let Some(updates) = value["updates"].as_array() {
                let ends = value["unfreezing_iteration"].is_u64();
                if ends && !unfreezes {
                    log.updates.clear();
                }
                unfreezes |= ends;
                if ends || !unfreezes {
                    log.updates.push((step, updates.iter().map(update).collect()));
                }
            }
        }
        let all = trained.iter().max_by_key(|(_, names)| names.len());
        log.names = all.map(|(_, names)| names.clone()).unwrap_or_default();
        for (step, (number, names)) in log.steps.iter_mut().zip(&trained) {
            if !step.widen(names, &log.names) {
                return Err(Error::Report(format!(
                    "{} line {number}: parameters that the step with the most of them does not have, or in another order",
                    path.display()
                )));
            }
        }
        Ok(log)
    }
}

impl Step {
    /// Puts what was measured of `names` at their places among `all`; false if they are not there in this order.
    fn widen(&mut self, names: &[String], all: &[String]) -> bool {
        let Some(places) = places(names, all) else {
            return false;
        };
        for values in [&mut self.norms, &mut self.scales] {
            *values = spread(values, &places, all.len());
        }
        true
    }
}

/// Gives the logs of a condition's runs the same parameters, those of the log with the most: a run that stopped early may
/// have trained only some of them.
///
/// # Errors
/// Names the run that has others.
pub(super) fn align(logs: &mut [Option<Log>], runs: &[&Run]) -> Result<(), Error> {
    let known = logs.iter().flatten().rev().map(|log| &log.names);
    let Some(all) = known.max_by_key(|names| names.len()).cloned() else {
        return Ok(());
    };
    for (log, run) in logs.iter_mut().zip(runs) {
        let Some(log) = log.as_mut().filter(|log| log.names != all) else {
            continue;
        };
        let names = std::mem::replace(&mut log.names, all.clone());
        if !log.steps.iter_mut().all(|step| step.widen(&names, &all)) {
            return Err(Error::Report(format!(
                "the log of run {} has parameters that another run of its condition does not have, or in another order",
                run.id
            )));
        }
    }
    Ok(())
}

/// Where these names stand among all, if they do, in the same order.
fn places(names: &[String], all: &[String]) -> Option<Vec<usize>> {
    let mut rest = all.iter().enumerate();
    names
        .iter()
        .map(|name| rest.find(|(_, known)| *known == name).map(|(place, _)| place))
        .collect()
}

/// The values at their places, and NaN between them.
fn spread(values: &[f64], places: &[usize], length: usize) -> Vec<f64> {
    let mut wide = vec![f64::NAN; length];
    for (&value, &place) in values.iter().zip(places) {
        wide[place] = value;
    }
    wide
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn logged_step(step: usize, line: &Value, components: &[Value]) -> Step {
    let numbers = |key: &str| -> Vec<f64> { components.iter().map(|c| number(&c[key])).collect() };
    let clipped = components.iter().filter(|c| c["clipped"] == true).count();
    Step {
        number: step,
        clipped_elements: number(&line["clipped_elements"]),
        clipped_parameters: clipped as f64 / components.len() as f64,
        norms: numbers("grad_norm_before"),
        scales: numbers("scale"),
    }
}

fn update(line: &Value) -> Update {
    let both = |kind: &str| ["start", "previous"].map(|from| number(&line[format!("{kind}_from_{from}")]));
    Update {
        name: line["name"].as_str().unwrap_or_default().to_owned(),
        rms: both("rms"),
        cosine: both("cosine_distance"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frozen_parameters_leave_gaps() {
        let names = |letters: &str| letters.chars().map(String::from).collect::<Vec<_>>();
        let places = |some, all| places(&names(some), &names(all));
        assert_eq!(places("bd", "abcd"), Some(vec![1, 3]));
        assert_eq!(places("abcd", "abcd"), Some(vec![0, 1, 2, 3]));
        assert_eq!(places("db", "abcd"), None);
        assert_eq!(places("bx", "abcd"), None);
        let wide = spread(&[2.0, 4.0], &[1, 3], 4);
        assert!(wide[0].is_nan() && wide[2].is_nan() && [wide[1], wide[3]] == [2.0, 4.0]);
    }

    /// A run that trains `c` alone, then all three: `c` is the third at both steps.
    #[test]
    fn steps_are_aligned_to_the_one_with_most_parameters() {
        let dir = tempfile::tempdir().expect("a folder");
        let run = Run {
            id: "only".into(),
            ..Run::default()
        };
        let component = |name: &str, norm: f64| json!({"name": name, "grad_norm_before": norm, "scale": norm / 8.0, "clipped": true});
        let lines = [
            json!({"step": 1, "components": [component("c", 4.0)]}),
            json!({"step": 2, "components": [component("a", 1.0), component("b", 2.0), component("c", 3.0)]}),
        ];
        let folder = dir.path().join("runs/only");
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join(output::LOG), format!("{}\n{}\n", lines[0], lines[1])).expect("written");
        let log = log(dir.path(), &run).expect("well formed").expect("there");
        assert_eq!(log.names, ["a", "b", "c"]);
        for (step, third) in log.steps.iter().zip([4.0, 3.0]) {
            assert_eq!([step.norms.len(), step.scales.len()], [3, 3]);
            assert_eq!([step.norms[2], step.scales[2]], [third, third / 8.0]);
        }
        assert!(log.steps[0].norms[..2].iter().all(|norm| norm.is_nan()));
        assert_eq!(log.steps[1].norms[..2], [1.0, 2.0]);
    }
}
