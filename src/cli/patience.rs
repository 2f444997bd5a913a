//! Stopping a run whose evaluations do not get better, as transformers' `EarlyStoppingCallback` does.

use super::Error;
use super::args::Finetune;
use super::choice::EvalStrategy;
use super::number::{at_least_one, not_negative};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::Path;

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub(super) struct PatienceArgs {
    /// Stop after N evaluations in a row that are not better than the best before them, by the metric of --load-best
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "gradual_unfreezing")]
    pub(super) early_stopping_patience: Option<usize>,
    /// What an evaluation must be better by to count as better [default: 0]
    #[arg(long, value_name = "X", value_parser = not_negative, requires = "early_stopping_patience")]
    pub(super) early_stopping_threshold: Option<f64>,
}

impl PatienceArgs {
    /// Refuses patience without evaluations to be patient about.
    pub(super) fn check(&self, args: &Finetune) -> Result<(), Error> {
        let evaluates = args.eval_every.is_some()
            || args.eval_strategy == EvalStrategy::Epoch
            || args.stabilise.load_best;
        if self.early_stopping_patience.is_some() && !evaluates {
            return Err(Error::Usage(
                "--early-stopping-patience needs evaluations before the end: give --eval-strategy epoch, --eval-every N or \
                 --load-best"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// A patience that nothing has tried yet.
    pub(super) fn fresh(&self) -> Option<Patience> {
        self.early_stopping_patience.map(|limit| Patience {
            limit,
            threshold: self.early_stopping_threshold.unwrap_or(0.0),
            best: None,
            evaluations: 0,
            failures: 0,
        })
    }

    /// The flags as part of a run's settings; none if they are not given.
    pub(super) fn record(&self) -> Map<String, Value> {
        let mut record = Map::new();
        if let Some(patience) = self.fresh() {
            record.insert("early_stopping_patience".to_owned(), patience.limit.into());
            record.insert("early_stopping_threshold".to_owned(), json!(patience.threshold));
        }
        record
    }
}

/// How often the evaluations of a run have failed to get better.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Patience {
    /// So many failures in a row end the run.
    limit: usize,
    threshold: f64,
    /// The best score so far, if any was a number.
    best: Option<f64>,
    evaluations: usize,
    failures: usize,
}

impl Patience {
    /// Takes the score of an evaluation, more being better, and says whether the run stops.
    ///
    /// The first is never a failure. Another is one unless it exceeds the best before it by more than the threshold. The
    /// best is that of all evaluations, those included that exceeded it by less.
    pub(super) fn try_with(&mut self, score: Option<f64>) -> bool {
        let best = self.best.unwrap_or(f64::NEG_INFINITY);
        let is_better = score.is_some_and(|score| score - best > self.threshold);
        if is_better || self.evaluations == 0 {
            self.failures = 0;
        } else {
            self.failures += 1;
        }
        self.evaluations += 1;
        if score.is_some_and(|score| score > best) {
            self.best = score;
        }
        self.failures >= self.limit
    }

    /// The entry of a checkpoint's state.
    pub(super) fn state(&self) -> Value {
        json!({"best": self.best, "evaluations": self.evaluations, "failures": self.failures})
    }

    /// Goes on from what [`Patience::state`] gave.
    ///
    /// # Errors
    /// If the state, which a checkpoint's folder holds, has something missing.
    pub(super) fn restore(&mut self, checkpoint: &Path, state: &Value) -> Result<(), Error> {
        let count = |key: &str| {
            let count = state[key].as_u64().map(|count| count as usize);
            count.ok_or_else(|| {
                let file = checkpoint.join("state.json");
                let file = file.display();
                Error::Resume(format!("{file}: `early_stopping` has no number of {key}"))
            })
        };
        (self.evaluations, self.failures) = (count("evaluations")?, count("failures")?);
        self.best = state["best"].as_f64();
        Ok(())
    }

    /// What `run.json` says of a run that stopped.
    pub(super) fn stop_record(&self, step: usize) -> Value {
        json!({"stopped_after_step": step, "evaluations": self.evaluations, "not_better_in_a_row": self.failures})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After which evaluation, from 1, a run with these scores stops.
    fn stops(limit: usize, threshold: f64, scores: &[Option<f64>]) -> Option<usize> {
        let args = PatienceArgs {
            early_stopping_patience: Some(limit),
            early_stopping_threshold: Some(threshold),
        };
        let mut patience = args.fresh().expect("asked for");
        let stop = scores.iter().position(|score| {
            // Through a checkpoint each time.
            let state = patience.state();
            let mut again = args.fresh().expect("asked for");
            again.restore(Path::new(""), &state).expect("a state");
            assert_eq!(again, patience);
            patience = again;
            patience.try_with(*score)
        });
        stop.map(|index| index + 1)
    }

    /// Every case of `fixtures/patience.json`, made with transformers' callback by `fixtures/make/patience.py`.
    #[test]
    fn patience_runs_out_where_that_of_transformers_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/patience.json");
        let text = std::fs::read(path).expect("a fixture");
        let file: Value = serde_json::from_slice(&text).expect("JSON");
        let cases = file["cases"].as_array().expect("cases");
        assert_eq!(cases.len(), 80);
        for case in cases {
            let limit = case["patience"].as_u64().expect("a count") as usize;
            let threshold = case["threshold"].as_f64().expect("a number");
            let scores = case["scores"].as_array().expect("scores").iter();
            let scores: Vec<Option<f64>> = scores.map(Value::as_f64).collect();
            let expected = case["stops"].as_u64().map(|number| number as usize);
            assert_eq!(stops(limit, threshold, &scores), expected, "{case}");
        }
    }
}
