//! Optimisation: [`adamw`] and the learning-rate [`schedule`].

pub mod adamw;
pub mod schedule;

pub use adamw::{AdamW, AdamWForm, AdamWSettings, ParamUpdate};
pub use schedule::{Decay, Schedule};
