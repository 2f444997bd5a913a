//! Models: how the layers are put together, under which names.

mod config;

pub use config::{Activation, Family, ModelConfig, Problem};
