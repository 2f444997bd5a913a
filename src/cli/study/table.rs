//! The table at the end of a study: number, mean, deviation and range of each task and condition.

use super::folder::Folder;
use super::journal::Entries;
use crate::cli::{Error, aligned, print};
use serde_json::{Value, json};

/// One row of the table.
struct Row {
    task: String,
    condition: String,
    metric: String,
    /// The values of the runs that have one.
    values: Vec<f64>,
    runs: usize,
    /// Runs that stopped, have no value or do not beat the majority.
    failed: usize,
}

/// Prints the table, or its rows as JSON.
pub(super) fn print_table(folder: &Folder, entries: &Entries, json: bool) -> Result<(), Error> {
    let rows = rows(folder, entries);
    if json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        return print(&format!("{:#}", Value::Array(rows)));
    }
    let heading = [
        "task",
        "condition",
        "metric",
        "runs",
        "failed",
        "mean",
        "sd",
        "min",
        "max",
    ];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(Row::cells));
    for line in aligned(&lines) {
        print(&line)?;
    }
    Ok(())
}

fn rows(folder: &Folder, entries: &Entries) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for run in folder.study.runs() {
        let Some(record) = entries.records.get(&run.id()) else {
            continue;
        };
        let (task, condition) = (&run.task.name, &run.condition.name);
        let place = rows
            .iter()
            .position(|row| row.task == *task && row.condition == *condition);
        let place = place.unwrap_or_else(|| {
            rows.push(Row {
                task: task.clone(),
                condition: condition.clone(),
                metric: record["metric"].as_str().unwrap_or_default().to_owned(),
                values: Vec::new(),
                runs: 0,
                failed: 0,
            });
            rows.len() - 1
        });
        let row = &mut rows[place];
        row.runs += 1;
        let (value, majority) = (record["value"].as_f64(), record["majority"].as_f64());
        row.values.extend(value);
        let beaten = matches!((value, majority), (Some(value), Some(majority)) if value > majority);
        row.failed += usize::from(!beaten);
    }
    rows
}

impl Row {
    /// Mean, population deviation, smallest and largest value.
    fn summary(&self) -> Option<[f64; 4]> {
        let n = self.values.len() as f64;
        if self.values.is_empty() {
            return None;
        }
        let mean = self.values.iter().sum::<f64>() / n;
        let squares: f64 = self
            .values
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum();
        let smallest = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some([mean, (squares / n).sqrt(), smallest, largest])
    }

    fn cells(&self) -> Vec<String> {
        let numbers = self.summary();
        let number =
            |i: usize| numbers.map_or("-".to_owned(), |numbers| format!("{:.2}", 100.0 * numbers[i]));
        let counts = [self.runs.to_string(), self.failed.to_string()];
        let names = [self.task.clone(), self.condition.clone(), self.metric.clone()];
        names
            .into_iter()
            .chain(counts)
            .chain((0..4).map(number))
            .collect()
    }

    fn json(&self) -> Value {
        let numbers = self.summary();
        let number = |i: usize| numbers.map(|numbers| numbers[i]);
        json!({
            "task": self.task,
            "condition": self.condition,
            "metric": self.metric,
            "runs": self.runs,
            "failed": self.failed,
            "mean": number(0),
            "sd": number(1),
            "min": number(2),
            "max": number(3),
        })
    }
}
