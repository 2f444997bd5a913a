//! The number that decides which of several evaluations is the best, and that a study compares.

use super::Error;
use crate::data::Metric;

/// One number of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BestMetric {
    /// A metric.
    Metric(Metric),
    /// The mean of the metrics of a task that has several.
    Combined,
    /// The loss.
    Loss,
}

impl BestMetric {
    /// The number that `--metric-for-best-model` names, with or without `eval_`.
    pub(super) fn parse(name: &str, metrics: &[Metric], is_own: bool) -> Result<Self, Error> {
        let mut known: Vec<Self> = metrics.iter().copied().map(Self::Metric).collect();
        if metrics.len() > 1 && !is_own {
            known.push(Self::Combined);
        }
        known.push(Self::Loss);
        let wanted = name.strip_prefix("eval_").unwrap_or(name);
        let found = known.iter().find(|criterion| criterion.key() == wanted);
        found.copied().ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|criterion| criterion.key()).collect();
            Error::Usage(format!(
                "unknown metric `{name}` (--metric-for-best-model, --metric); known here: {}",
                known.join(", ")
            ))
        })
    }

    /// The name in results files, without the prefix `eval_`.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.key(),
            Self::Combined => "combined_score",
            Self::Loss => "loss",
        }
    }

    /// Whether a larger number is a better one.
    pub(super) fn more_is_better(self) -> bool {
        match self {
            Self::Metric(metric) => metric.more_is_better(),
            Self::Combined => true,
            Self::Loss => false,
        }
    }

    /// What a study compares: a metric that a constant answer has a value in, and of which more is better.
    pub(super) fn of_a_study(self) -> Result<Metric, Error> {
        match self {
            Self::Metric(metric) if metric.more_is_better() => Ok(metric),
            other => Err(Error::Usage(format!(
                "a study cannot compare {}: failed runs are told by a value above that of a constant answer, so more must be better; \
                 set the metric to accuracy, f1_macro, pearson or another that rises",
                other.key()
            ))),
        }
    }
}
