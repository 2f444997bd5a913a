//! A run: all optimiser steps of one fine-tuning or pretraining, one after the other.
//!
//! A run's state is the trainer (weights, moments) and the number of steps taken. Everything else — the order of the
//! examples, the dropout masks, the learning rate, which parameters are frozen — is a function of that number and the [`Plan`], so a run that is
//! set to step `k` with the weights and moments of step `k` goes on with the bits of the undisturbed one.

use crate::clip::ClipPolicy;
use crate::model::{Noise, SequenceClassifier};
use crate::optim::Schedule;
use crate::real::Real;
use crate::train::Sequence;
use crate::train::examples::Examples;
use crate::train::network::Network;
use crate::train::order::Order;
use crate::train::stabilise::Stabilisers;
use crate::train::step::{NotFinite, StepReport, Trainer};
use crate::train::unfreeze::{self, UnfreezeMode};

/// The seeds of a run, one for each source of chance. (Initial weights are drawn before a run begins:
/// [`crate::model::init`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The order of the examples.
    pub order: u64,
    /// Dropout.
    pub dropout: u64,
}

/// What a run does at each step.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Examples that go through the model at once (`per_device_train_batch_size`).
    pub batch_size: usize,
    /// Such batches for each optimiser step (`gradient_accumulation_steps`).
    pub accumulation: usize,
    /// The learning rate of each step, and the number of steps (of one iteration, with gradual unfreezing).
    pub schedule: Schedule,
    /// The clipping policy.
    pub clip: ClipPolicy,
    /// The seeds.
    pub seeds: Seeds,
    /// What is done for stability beside clipping.
    pub stabilisers: Stabilisers,
}

impl Plan {
    /// All steps of the run: those of the schedule, for each iteration of gradual unfreezing if there is any.
    pub fn total_steps(&self) -> usize {
        let iterations = self.stabilisers.unfreezing.map_or(1, |u| u.iterations);
        self.schedule.total_steps * iterations
    }

    /// The iteration of gradual unfreezing of step `step` (both counted from 0), and its place in the iteration.
    fn iteration(&self, step: usize) -> Option<(usize, usize)> {
        let steps = self.schedule.total_steps;
        let unfreezing = self.stabilisers.unfreezing.filter(|_| steps > 0)?;
        Some(((step / steps).min(unfreezing.iterations - 1), step % steps))
    }

    /// The learning rate of the step before which `done` steps were taken.
    pub fn learning_rate(&self, done: usize) -> f64 {
        match (self.stabilisers.unfreezing, self.iteration(done)) {
            (Some(unfreezing), Some((k, step))) => {
                let peak = unfreezing.peak(self.schedule.peak, k);
                Schedule {
                    peak,
                    ..self.schedule
                }
                .learning_rate(step)
            }
            _ => self.schedule.learning_rate(done),
        }
    }
}

/// A run in progress on a training set: of a classifier, unless another network and its examples are named.
#[derive(Debug)]
pub struct Run<'a, T, N = SequenceClassifier<T>, E: ?Sized = [Sequence]> {
    /// Weights and moments.
    pub trainer: Trainer<T, N>,
    plan: Plan,
    order: Order,
    set: &'a E,
    steps_done: usize,
    /// The group of each parameter in gradual unfreezing.
    groups: Vec<usize>,
    /// Whether each parameter is never trained.
    frozen: Vec<bool>,
    /// The order of the epoch that was asked for last.
    epoch: Option<(usize, Vec<usize>)>,
}

/// What one step took and measured.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// Its number, counted from 1.
    pub step: usize,
    /// Epochs done after it.
    pub epoch: f64,
    /// Its learning rate.
    pub learning_rate: f64,
    /// The examples, as indices into the training set, in the order of the batch.
    pub examples: Vec<usize>,
    /// Its tokens.
    pub tokens: usize,
    /// Loss and clipping.
    pub report: StepReport,
}

impl<'a, T: Real> Run<'a, T> {
    /// [`Run::on`] sequences with their labels.
    ///
    /// # Panics
    /// As [`Run::on`].
    pub fn new(trainer: Trainer<T>, plan: Plan, sequences: &'a [Sequence], steps_done: usize) -> Self {
        Self::on(trainer, plan, sequences, steps_done)
    }
}

impl<'a, T: Real, N: Network<T>, E: Examples<N::Targets> + ?Sized> Run<'a, T, N, E> {
    /// A run on the examples of `set` of which `steps_done` steps were taken before: `trainer` holds what they left.
    ///
    /// Where the plan's stabilisers need the weights that training began from, a run from its first step takes those of
    /// `trainer`; one that goes on finds them in `trainer.stabiliser.initial`.
    ///
    /// # Panics
    /// If there are no examples, a size in the plan is zero, or the weights that training began from are needed and
    /// missing.
    pub fn on(mut trainer: Trainer<T, N>, plan: Plan, set: &'a E, steps_done: usize) -> Self {
        assert!(
            set.count() > 0 && plan.batch_size > 0 && plan.accumulation > 0,
            "a run has examples and a batch"
        );
        let batch = plan.batch_size * plan.accumulation;
        let stabilisers = &plan.stabilisers;
        trainer.stabiliser.mixout = stabilisers.mixout;
        trainer.stabiliser.weight_decay_to_initial = stabilisers.weight_decay_to_initial;
        let frozen = stabilisers.frozen(&trainer.model);
        trainer.stabiliser.frozen.clone_from(&frozen);
        trainer.stabiliser.lr_factors = stabilisers.lr_factors(&trainer.model, plan.schedule);
        if stabilisers.need_initial() && trainer.stabiliser.initial.is_none() {
            assert!(
                steps_done == 0,
                "a run that goes on needs the weights that it began from"
            );
            trainer.stabiliser.initial = Some(trainer.model.clone());
        }
        let groups = unfreeze::groups(&trainer.model);
        let order = Order {
            examples: set.count(),
            batch,
            seed: plan.seeds.order,
        };
        Self {
            trainer,
            plan,
            order,
            set,
            steps_done,
            groups,
            frozen,
            epoch: None,
        }
    }

    /// Steps taken so far.
    pub fn steps_done(&self) -> usize {
        self.steps_done
    }

    /// All steps of the run.
    pub fn total_steps(&self) -> usize {
        self.plan.total_steps()
    }

    /// The iteration of gradual unfreezing, from 0, whose last step was taken last.
    pub fn finished_iteration(&self) -> Option<usize> {
        let (iteration, place) = self.plan.iteration(self.steps_done.checked_sub(1)?)?;
        (place + 1 == self.plan.schedule.total_steps).then_some(iteration)
    }

    /// Makes the trainer ready for the next step, as [`Run::next_step`] does: with gradual unfreezing, which parameters
    /// are frozen, and the return to the beginning where an iteration asks for it.
    pub fn prepare_step(&mut self) {
        let unfreezing = self.plan.stabilisers.unfreezing;
        let place = self.plan.iteration(self.steps_done);
        let (Some(unfreezing), Some((iteration, step))) = (unfreezing, place) else {
            return;
        };
        if unfreezing.mode == UnfreezeMode::Restart && iteration > 0 && step == 0 {
            self.trainer.restart();
        }
        let groups = self.groups.iter().zip(&self.frozen);
        self.trainer.stabiliser.frozen = groups
            .map(|(&group, &frozen)| frozen || group > iteration)
            .collect();
    }

    /// Whether the last step was the last of an epoch.
    pub fn is_end_of_epoch(&self) -> bool {
        self.steps_done > 0 && self.steps_done.is_multiple_of(self.order.steps_per_epoch())
    }

    /// Takes the next step, or says `None` after the last.
    ///
    /// # Errors
    /// [`NotFinite`]: the step was not taken, and the weights are those of the step before.
    pub fn next_step(&mut self) -> Result<Option<StepRecord>, NotFinite> {
        if self.steps_done >= self.total_steps() {
            return Ok(None);
        }
        self.prepare_step();
        let examples = self.examples();
        let (epoch, _) = self.order.place(self.steps_done);
        let mut parts = Vec::with_capacity(self.plan.accumulation);
        for (i, chosen) in examples.chunks(self.plan.batch_size).enumerate() {
            parts.push(self.set.pack(chosen, i * self.plan.batch_size, epoch));
        }
        let learning_rate = self.plan.learning_rate(self.steps_done);
        let noise = Noise::Step {
            seed: self.plan.seeds.dropout,
            step: self.steps_done as u64,
        };
        let report = self.trainer.step(&parts, noise, &self.plan.clip, learning_rate)?;
        self.steps_done += 1;
        let epoch = self.steps_done as f64 / self.order.steps_per_epoch() as f64;
        let tokens = parts.iter().map(|part| part.batch.tokens()).sum();
        Ok(Some(StepRecord {
            step: self.steps_done,
            epoch,
            learning_rate,
            examples,
            tokens,
            report,
        }))
    }

    /// The examples of the next step.
    fn examples(&mut self) -> Vec<usize> {
        let (epoch, range) = self.order.place(self.steps_done);
        let order = match self.epoch.take() {
            Some((known, order)) if known == epoch => order,
            _ => self.order.epoch(epoch),
        };
        let examples = order[range].to_vec();
        self.epoch = Some((epoch, order));
        examples
    }
}
