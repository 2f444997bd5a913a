//! The progress of a study: runs done, time left, running means. One line that is drawn over and over on a terminal,
//! a line for each finished run elsewhere.

use crate::cli::progress::{Progress, bar, clock};
use crate::study::PlannedRun;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Columns of the line on a terminal.
const WIDTH: usize = 110;

pub(super) struct Board {
    progress: Progress,
    jobs: usize,
    total: usize,
    done: usize,
    /// The runs that are left, by task and condition.
    left: BTreeMap<(String, String), usize>,
    /// Wall time and number of finished runs, by task and condition.
    times: BTreeMap<(String, String), (f64, usize)>,
    /// Values of finished runs, by task and condition, as first met.
    values: Vec<((String, String), f64, usize)>,
    /// The task of the run that ended last.
    task: String,
    /// The time left when it ended, and when that was.
    estimate: Option<(f64, Instant)>,
}

impl Board {
    /// The board of a plan of `total` runs, of which `todo` are left to this process.
    pub(super) fn new(quiet: bool, jobs: usize, total: usize, todo: &[PlannedRun<'_>]) -> Self {
        let mut left = BTreeMap::new();
        for run in todo {
            *left.entry(key(run)).or_default() += 1;
        }
        Self {
            progress: Progress::new(quiet),
            jobs,
            total,
            done: total - todo.len(),
            left,
            times: BTreeMap::new(),
            values: Vec::new(),
            task: String::new(),
            estimate: None,
        }
    }

    pub(super) fn message(&mut self, text: &str) {
        self.progress.message(text);
    }

    /// Takes in a run that was finished before.
    pub(super) fn known(&mut self, run: &PlannedRun<'_>, record: &Map<String, Value>, seconds: f64) {
        self.task.clone_from(&run.task.name);
        let time = self.times.entry(key(run)).or_default();
        *time = (time.0 + seconds, time.1 + 1);
        let value = record.get("value").and_then(Value::as_f64);
        let place = self.values.iter().position(|(known, _, _)| *known == key(run));
        let place = place.unwrap_or_else(|| {
            self.values.push((key(run), 0.0, 0));
            self.values.len() - 1
        });
        if let Some(value) = value {
            self.values[place].1 += value;
            self.values[place].2 += 1;
        }
    }

    /// Shows a run that has just ended.
    pub(super) fn ended(&mut self, run: &PlannedRun<'_>, record: &Map<String, Value>, time: Duration) {
        self.done += 1;
        if let Some(left) = self.left.get_mut(&key(run)) {
            *left -= 1;
        }
        self.known(run, record, time.as_secs_f64());
        self.estimate = self.seconds_left().map(|seconds| (seconds, Instant::now()));
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let stopped = text("status") == "stopped";
        if stopped || !self.progress.is_live() {
            let result = match record.get("value").and_then(Value::as_f64) {
                Some(value) => format!("{} {value:.4}", text("metric")),
                None if stopped => format!("stopped: {}", text("reason")),
                None => format!("{} is not defined", text("metric")),
            };
            let (done, total, id, time) = (self.done, self.total, run.id(), clock(time));
            let left = self.left_text();
            self.progress
                .message(&format!("{done}/{total} {id}: {result} ({time}){left}"));
        }
        self.draw();
    }

    /// Draws the line of a terminal.
    pub(super) fn draw(&mut self) {
        let bar = bar(self.done, self.total);
        let of_task = self
            .values
            .iter()
            .filter(|((task, _), _, count)| *task == self.task && *count > 0);
        let means = of_task.map(|((_, condition), sum, count)| {
            format!("{condition} {:.1} ({count})", 100.0 * sum / *count as f64)
        });
        let means = means.collect::<Vec<_>>().join(", ");
        let (done, total, left, task) = (self.done, self.total, self.left_text(), &self.task);
        let mut line = format!("{bar} {done}/{total} runs{left}  {task}: {means}");
        if line.chars().count() > WIDTH {
            line = line.chars().take(WIDTH - 1).chain(['…']).collect();
        }
        self.progress.line(&line);
    }

    pub(super) fn wipe(&mut self) {
        self.progress.wipe();
    }

    fn left_text(&self) -> String {
        self.estimate.map_or(String::new(), |(seconds, since)| {
            let seconds = (seconds - since.elapsed().as_secs_f64()).max(0.0);
            format!(", {} left", clock(Duration::from_secs_f64(seconds)))
        })
    }

    /// The wall time of the runs that are left, each as long as the mean of its task and condition; where none of
    /// these has ended, of its task, and else of all.
    fn seconds_left(&self) -> Option<f64> {
        let mean = |fits: &dyn Fn(&(String, String)) -> bool| {
            let times = self
                .times
                .iter()
                .filter(|(key, _)| fits(key))
                .map(|(_, time)| time);
            let (sum, count) = times.fold((0.0, 0), |all, time| (all.0 + time.0, all.1 + time.1));
            (count > 0).then(|| sum / f64::from(u32::try_from(count).unwrap_or(u32::MAX)))
        };
        let mut seconds = 0.0;
        for (key, count) in &self.left {
            let each = mean(&|other| other == key)
                .or_else(|| mean(&|other| other.0 == key.0))
                .or_else(|| mean(&|_| true))?;
            seconds += each * *count as f64;
        }
        Some(seconds / self.jobs as f64)
    }
}

fn key(run: &PlannedRun<'_>) -> (String, String) {
    (run.task.name.clone(), run.condition.name.clone())
}
