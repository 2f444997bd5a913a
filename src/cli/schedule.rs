//! The flags of the learning rate's way over the steps, with the names and values of transformers.

use super::Error;
use super::choice::name;
use super::number::{not_negative, positive, ratio};
use crate::optim::{Decay, Schedule};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub(super) struct ScheduleArgs {
    /// How the learning rate goes on after the warm-up
    #[arg(long, value_enum, value_name = "TYPE", default_value_t = LrScheduler::Linear)]
    pub(super) lr_scheduler_type: LrScheduler,
    /// The share of all steps over which the learning rate rises to its highest value
    #[arg(long, value_name = "RATIO", default_value_t = 0.0, value_parser = ratio)]
    pub(super) warmup_ratio: f64,
    /// The same as a number of steps; wins over --warmup-ratio unless it is 0
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = steps)]
    pub(super) warmup_steps: usize,
    /// Where polynomial ends [default: 1e-7]
    #[arg(long, value_name = "LR", value_parser = not_negative)]
    pub(super) lr_end: Option<f64>,
    /// The power of polynomial [default: 1]
    #[arg(long, value_name = "P", value_parser = positive)]
    pub(super) lr_power: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum LrScheduler {
    /// A straight line to 0
    Linear,
    /// Half a cosine, to 0
    Cosine,
    /// (1 - s)^P of the way from the peak to --lr-end, s from 0 to 1
    Polynomial,
    /// The same rate from the first step, without warm-up
    Constant,
    /// The same rate after the warm-up
    ConstantWithWarmup,
}

/// A number of steps; a share of them is another flag's.
fn steps(text: &str) -> Result<usize, String> {
    let steps = text.parse::<u32>().map(|n| n as usize);
    steps.map_err(|_| {
        format!(
            "must be a whole number from 0 to {}; a share of the steps is --warmup-ratio",
            u32::MAX
        )
    })
}

impl ScheduleArgs {
    /// Refuses what makes no sense beside the other flags.
    pub(super) fn check(&self, learning_rate: f64) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::Usage(why));
        let is_polynomial = self.lr_scheduler_type == LrScheduler::Polynomial;
        if self.lr_scheduler_type == LrScheduler::Constant
            && (self.warmup_ratio > 0.0 || self.warmup_steps > 0)
        {
            let flag = if self.warmup_steps > 0 {
                "--warmup-steps"
            } else {
                "--warmup-ratio"
            };
            return refuse(format!(
                "--lr-scheduler-type constant has no warm-up; give constant_with_warmup, or no {flag}"
            ));
        }
        for (flag, given) in [("--lr-end", self.lr_end), ("--lr-power", self.lr_power)] {
            if given.is_some() && !is_polynomial {
                return refuse(format!(
                    "{flag} is of --lr-scheduler-type polynomial, not of {}",
                    name(&self.lr_scheduler_type)
                ));
            }
        }
        if let Decay::Polynomial { end_rate, .. } = self.decay(0.0)
            && end_rate >= learning_rate
        {
            return refuse(format!(
                "--lr-scheduler-type polynomial ends at --lr-end {end_rate}, which must be below --learning-rate \
                 {learning_rate}"
            ));
        }
        Ok(())
    }

    /// What a user should know who gave both flags of the warm-up.
    pub(super) fn note(&self) -> Option<String> {
        (self.warmup_steps > 0 && self.warmup_ratio > 0.0).then(|| {
            let (steps, ratio) = (self.warmup_steps, self.warmup_ratio);
            format!("--warmup-steps {steps} wins over --warmup-ratio {ratio}")
        })
    }

    /// Whether the rate can end at half its peak, which some modes of gradual unfreezing ask for.
    pub(super) fn is_straight(&self) -> bool {
        !matches!(
            self.lr_scheduler_type,
            LrScheduler::Cosine | LrScheduler::Polynomial
        )
    }

    /// The way down; a straight one falls to the share `end` of the peak.
    fn decay(&self, end: f64) -> Decay {
        match self.lr_scheduler_type {
            LrScheduler::Linear => Decay::Linear { end },
            LrScheduler::Constant | LrScheduler::ConstantWithWarmup => Decay::Linear { end: 1.0 },
            LrScheduler::Cosine => Decay::Cosine,
            LrScheduler::Polynomial => Decay::Polynomial {
                power: self.lr_power.unwrap_or(1.0),
                end_rate: self.lr_end.unwrap_or(1e-7),
            },
        }
    }

    /// The learning rates of so many steps; a straight line falls to the share `end` of the peak.
    pub(super) fn schedule(&self, peak: f64, total_steps: usize, end: f64) -> Schedule {
        let schedule = Schedule::new(peak, self.warmup_ratio, total_steps);
        let warmup_steps = match self.warmup_steps {
            0 => schedule.warmup_steps,
            given => given,
        };
        Schedule {
            warmup_steps,
            decay: self.decay(end),
            ..schedule
        }
    }

    /// The flags as part of a run's settings, but for the share of the warm-up; those that are not given have no entry.
    pub(super) fn record(&self) -> Map<String, Value> {
        let mut record = Map::new();
        record.insert(
            "lr_scheduler_type".to_owned(),
            name(&self.lr_scheduler_type).into(),
        );
        if self.warmup_steps > 0 {
            record.insert("warmup_steps".to_owned(), self.warmup_steps.into());
        }
        if let Decay::Polynomial { power, end_rate } = self.decay(0.0) {
            record.insert("lr_power".to_owned(), json!(power));
            record.insert("lr_end".to_owned(), json!(end_rate));
        }
        record
    }
}
