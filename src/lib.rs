//! Component-wise gradient norm clipping (CWGNC) with everything needed to check it on a CPU.
//!
//! Fine-tuning a pretrained language model is unstable because its components converge at different speeds. Clipping
//! the gradient norm of every component by itself evens that out (Yang and Ma, *Improving Stability of Fine-Tuning
//! Pretrained Language Models via Component-Wise Gradient Norm Clipping*, EMNLP 2022, arXiv 2210.10325). This crate is
//! a reference for it: a readable BERT-family encoder whose backward passes are written out by hand, the clipping
//! itself, and the training around it. It needs no other library to compare with, and is compared with PyTorch number
//! by number in its tests.
//!
//! # Clipping one's own gradients
//!
//! ```
//! use cwgnc::clip::{ClipPolicy, ParamGrad, clip};
//! use ndarray::array;
//!
//! let mut weight = array![[3.0_f32, 0.0], [0.0, 4.0]];
//! let mut bias = array![0.01_f32, -0.02];
//! let policy = ClipPolicy::cwgnc_as_published(0.05)?;
//! let mut grads = [
//!     ParamGrad::new("weight", weight.view_mut().into_dyn()),
//!     ParamGrad::new("bias", bias.view_mut().into_dyn()),
//! ];
//! let report = clip(&policy, &mut grads)?;
//! assert_eq!(report.components[0].norm_before, 5.0); // √(3² + 4²), scaled to 0.05
//! assert!(report.components[0].was_clipped());
//! assert!(!report.components[1].was_clipped()); // below the threshold: not touched
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules, in reading order
//!
//! * [`real`], [`param`], [`reduce`], [`gemm`], [`simd`], [`pool`], [`random`]: numbers, named parameters, sums,
//!   products, registers, memory, chance. They know nothing of what is above them.
//! * [`nn`]: the layers, forward and backward. [`clip`]: the clipping policies. [`optim`]: AdamW and its schedule.
//! * [`model`]: BERT and RoBERTa with a head. `checkpoint`: model folders.
//! * [`oracle`]: the judge of other people's clipping. [`cases`]: what it asks them.
//! * [`train`]: steps and runs. `data`: text to tokens, metrics.
//! * `builtin`: tasks that need no file, from a grammar.
//! * `study`: which runs a study of many has, and what they say together. `report`: records to Markdown, CSV, SVG and HTML.
//! * [`machine`]: whether this machine gives the reference's bits.
//! * `cli`: the command `cwgnc`.
//!
//! # Features
//!
//! * `cli` (default): the command line; brings the two below.
//! * `checkpoint`: Hugging Face model folders.
//! * `data`: tokenizers, GLUE and users' files, metrics; the built-in tasks.
//! * `proptest`: strategies for tests of clippers.
//!
//! Without features, clipping, layers, models and training steps remain, with no file format and no tokenizer. No
//! feature changes a number.

#[cfg(feature = "data")]
pub mod builtin;
pub mod cases;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clip;
#[cfg(feature = "data")]
pub mod data;
#[cfg(any(feature = "checkpoint", feature = "data"))]
pub mod embedded;
pub mod gemm;
pub mod machine;
pub mod model;
pub mod nn;
pub mod optim;
pub mod oracle;
pub mod param;
pub mod pool;
pub mod random;
pub mod real;
pub mod reduce;
pub mod report;
pub mod simd;
#[cfg(feature = "cli")]
pub mod study;
pub mod train;
