//! Training: [`step`], one optimiser step.

pub mod step;

pub use step::{Micro, NotFinite, StepReport, Trainer};
