//! From flags to what training asks for: the plan of a run and the optimiser's constants.

use super::Error;
use super::args::Finetune;
use crate::optim::AdamWSettings;
use crate::train::{Plan, Seeds};

impl Finetune {
    /// Refuses flags that contradict each other.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.schedule.check(self.learning_rate)?;
        self.patience.check(self)?;
        self.stabilise.check(&self.schedule, self.weight_decay)
    }
}

/// What the run does at each step, for a training set of so many examples and a model of so many layers.
pub(super) fn plan(args: &Finetune, examples: usize, layers: usize) -> Plan {
    let per_epoch = examples.div_ceil(args.per_device_train_batch_size * args.gradient_accumulation_steps);
    let epochs = args.stabilise.unfreeze_epochs.unwrap_or(args.num_train_epochs);
    let steps = args
        .max_steps
        .unwrap_or_else(|| (epochs * per_epoch as f64).ceil() as usize);
    Plan {
        batch_size: args.per_device_train_batch_size,
        accumulation: args.gradient_accumulation_steps,
        schedule: args
            .schedule
            .schedule(args.learning_rate, steps, args.stabilise.schedule_end()),
        clip: args.clip.clone(),
        seeds: Seeds {
            order: args.data_seed.unwrap_or(args.seed),
            dropout: args.dropout_seed.unwrap_or(args.seed),
        },
        stabilisers: args.stabilise.settings(layers),
    }
}

/// The optimiser's constants.
pub(super) fn adamw(args: &Finetune) -> AdamWSettings {
    AdamWSettings {
        form: args.optimizer.form(),
        beta1: args.adam_beta1,
        beta2: args.adam_beta2,
        epsilon: args.adam_epsilon,
        weight_decay: args.weight_decay,
    }
}
