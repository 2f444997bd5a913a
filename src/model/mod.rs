//! Models: how the layers are put together, and under which names.
//!
//! Only this module knows Hugging Face's parameter names beyond the leaves, each at the place where the child is.
//! In reading order: [`config`], [`batch`], [`noise`], [`embeddings`], [`layer`], [`encoder`], [`target`],
//! [`classifier`], [`masked_lm`], [`part`], [`init`].

pub mod batch;
pub mod classifier;
pub mod config;
pub mod embeddings;
pub mod encoder;
pub mod init;
pub mod layer;
pub mod masked_lm;
pub mod noise;
pub mod part;
pub mod target;

pub use batch::Batch;
pub use classifier::SequenceClassifier;
pub use config::{Activation, Family, ModelConfig, Problem};
pub use layer::Tokens;
pub use masked_lm::{MaskedLanguageModel, MaskedWords};
pub use noise::Noise;
pub use part::Part;
pub use target::{Target, Targets};

pub use crate::nn::cross_entropy::Criterion;
