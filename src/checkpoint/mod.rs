//! Model folders as Hugging Face writes them: `config.json` and `model.safetensors`, in and out.
//!
//! This is the only module that knows the bytes and the JSON of a model folder; it sees a model as a [`ParamTree`]
//! and a [`ModelConfig`], never as layers. What it promises:
//!
//! - **No silent mismatch.** A tensor of the encoder that is missing, misshapen or left over is an error, and the
//!   error lists every such tensor. What was renamed, ignored or left to be initialised is in the [`LoadReport`].
//! - **All or nothing.** Files appear under their name only when complete ([`write_atomic`]), and a load that fails
//!   leaves the model as it was.
//! - **Stable bytes.** The same tensors give the same file, byte for byte.
//! - **No panic** on any input: a damaged file is an error that names the file.
//!
//! ```
//! use cwgnc::checkpoint::{load_tensors, save_tensors};
//! use ndarray::arr1;
//!
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("moments.safetensors");
//! let m = arr1(&[0.5_f32, -1.0]).into_dyn();
//! save_tensors(&path, &[("m.classifier.bias".to_owned(), m.view())])?;
//! assert_eq!(load_tensors::<f32>(&path)?["m.classifier.bias"], m);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`ParamTree`]: crate::param::ParamTree
//! [`ModelConfig`]: crate::model::ModelConfig

mod config;
mod config_fields;
mod config_write;
mod element;
mod error;
mod file;
mod foreign;
mod json;
mod load;
mod names;
mod npz;
mod report;
mod save;
pub(crate) mod shell;
mod tensor_file;
mod tensor_reader;
mod weights;

pub use config::{FolderConfig, read_config};
pub use config_write::write_config;
pub use error::{CheckpointError, ProblemKind, TensorProblem};
#[cfg(feature = "cli")]
pub(crate) use file::remove_unlocked;
pub use file::{fnv1a64, read, sync_folder, write_atomic};
pub(crate) use json::duplicate_key;
pub use load::{Purpose, load, load_into};
pub use report::{LoadReport, LoadedFile, TakenTensor};
pub use save::{Width, save_masked_lm, save_model, save_tensors};
pub(crate) use tensor_file::Entry;
pub(crate) use tensor_file::TensorFile;
pub use tensor_file::load_tensors;
pub(crate) use tensor_reader::TensorReader;
#[cfg(feature = "cli")]
pub(crate) use weights::some;
pub(crate) use weights::{holds, weight_map};
