//! From flags to what training asks for: the plan of a run and the optimiser's constants.

use super::args::{Finetune, Optimizer};
use crate::optim::{AdamWForm, AdamWSettings, LinearSchedule};
use crate::train::{Plan, Seeds};

/// What the run does at each step, for a training set of so many examples.
pub(super) fn plan(args: &Finetune, examples: usize) -> Plan {
    let per_epoch = examples.div_ceil(args.per_device_train_batch_size * args.gradient_accumulation_steps);
    let steps = args
        .max_steps
        .unwrap_or_else(|| (args.num_train_epochs * per_epoch as f64).ceil() as usize);
    Plan {
        batch_size: args.per_device_train_batch_size,
        accumulation: args.gradient_accumulation_steps,
        schedule: LinearSchedule::new(args.learning_rate, args.warmup_ratio, steps),
        clip: args.clip.clone(),
        seeds: Seeds {
            order: args.data_seed.unwrap_or(args.seed),
            dropout: args.dropout_seed.unwrap_or(args.seed),
        },
    }
}

/// The optimiser's constants.
pub(super) fn adamw(args: &Finetune) -> AdamWSettings {
    AdamWSettings {
        form: match args.optimizer {
            Optimizer::AdamwHf => AdamWForm::HuggingFace { correct_bias: true },
            Optimizer::AdamwHfUncorrected => AdamWForm::HuggingFace { correct_bias: false },
            Optimizer::AdamwTorch => AdamWForm::Torch,
        },
        beta1: args.adam_beta1,
        beta2: args.adam_beta2,
        epsilon: args.adam_epsilon,
        weight_decay: args.weight_decay,
    }
}
