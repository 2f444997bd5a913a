//! Tensors to safetensors files with stable bytes: sorted by name, one metadata key, streamed from where they are.

use super::config_write::{self, Architecture};
use super::{CheckpointError, element, file};
use crate::model::ModelConfig;
use crate::param::ParamTree;
use crate::real::Real;
use ndarray::ArrayViewD;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// How wide the numbers of a saved model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// As wide as those in memory.
    Own,
    /// `F16`, rounded to nearest: half the bytes of `f32`, three decimal digits.
    Half,
}

/// Writes a model folder: `config.json`, then `model.safetensors` with the tensors under the names of the walk. The folder is
/// made if need be; other files in it stay.
///
/// The weights come last, so a new folder that has them is complete. Values are written as they are, finite or not: a
/// diverged model can be looked at, though [`load_into`](super::load_into) refuses to go on from it.
///
/// # Errors
/// [`CheckpointError`] if a file cannot be written, if the configuration is one that could not be read back, or if a finite
/// value is beyond the range of [`Width::Half`].
pub fn save_model<T: Real>(
    dir: &Path,
    config: &ModelConfig,
    base: &Map<String, Value>,
    model: &impl ParamTree<T>,
    width: Width,
) -> Result<(), CheckpointError> {
    save(
        dir,
        config,
        base,
        Architecture::SequenceClassification,
        model,
        width,
    )
}

/// [`save_model`] for a [`MaskedLanguageModel`](crate::model::MaskedLanguageModel): the folder is that of
/// transformers' `BertForMaskedLM`.
///
/// # Errors
/// Those of [`save_model`].
pub fn save_masked_lm<T: Real>(
    dir: &Path,
    config: &ModelConfig,
    base: &Map<String, Value>,
    model: &impl ParamTree<T>,
    width: Width,
) -> Result<(), CheckpointError> {
    save(dir, config, base, Architecture::MaskedLm, model, width)
}

fn save<T: Real>(
    dir: &Path,
    config: &ModelConfig,
    base: &Map<String, Value>,
    architecture: Architecture,
    model: &impl ParamTree<T>,
    width: Width,
) -> Result<(), CheckpointError> {
    create(dir)?;
    let (dtype, name) = match width {
        Width::Own => (element::dtype_of::<T>().0, T::NAME),
        Width::Half => (Dtype::F16, "float16"),
    };
    let path = dir.join("model.safetensors");
    let params = model.params();
    let too_large = |x: &T| x.is_finite() && x.widen().abs() >= F16_LIMIT;
    if let Some((parameter, _)) = params.iter().find(|(_, p)| p.iter().any(too_large))
        && width == Width::Half
    {
        let problem = format!("`{parameter}` has a value that 16 bits cannot hold; save it in 32");
        let source = io::Error::new(io::ErrorKind::InvalidInput, problem);
        return Err(CheckpointError::Write { path, source });
    }
    config_write::write(dir, config, base, architecture, name)?;
    save_as(&path, &params, dtype)
}

/// From here on `F16` rounds to infinity.
const F16_LIMIT: f64 = 65_520.0;

fn create(dir: &Path) -> Result<(), CheckpointError> {
    std::fs::create_dir_all(dir).map_err(|source| CheckpointError::Write {
        path: dir.to_owned(),
        source,
    })
}

/// Writes named tensors to one safetensors file, in `T`'s width, whatever their values.
///
/// The bytes depend on the names and values alone, not on the order given. The data are not copied as a whole.
///
/// # Errors
/// [`CheckpointError::Write`] if the system refuses, if two tensors have the same name, or if one has the name that
/// the format reserves, `__metadata__`.
pub fn save_tensors<T: Real>(
    path: &Path,
    tensors: &[(String, ArrayViewD<'_, T>)],
) -> Result<(), CheckpointError> {
    save_as(path, tensors, element::dtype_of::<T>().0)
}

/// [`save_tensors`] in a width of `T` or less.
fn save_as<T: Real>(
    path: &Path,
    tensors: &[(String, ArrayViewD<'_, T>)],
    dtype: Dtype,
) -> Result<(), CheckpointError> {
    let mut sorted: Vec<&(String, ArrayViewD<'_, T>)> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let header = header(&sorted, dtype).map_err(|problem| CheckpointError::Write {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, problem),
    })?;
    file::write_atomic(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        sorted
            .iter()
            .try_for_each(|(_, view)| element::write(view, dtype, out))
    })
}

/// The header: names, type, shapes and places, padded with blanks so that the data begin at a multiple of 8 bytes.
fn header<T: Real>(sorted: &[&(String, ArrayViewD<'_, T>)], dtype: Dtype) -> Result<String, String> {
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("two tensors have the name `{}`", pair[0].0));
    }
    if sorted.iter().any(|(name, _)| name == "__metadata__") {
        return Err("a tensor has the reserved name `__metadata__`".to_owned());
    }
    let mut at = 0;
    let infos = sorted
        .iter()
        .map(|(name, view)| {
            let start = at;
            at += view.len() * dtype.bitsize() / 8;
            (
                name.clone(),
                TensorInfo {
                    dtype,
                    shape: view.shape().to_vec(),
                    data_offsets: (start, at),
                },
            )
        })
        .collect();
    // More than one key would be written in random order.
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let header = Metadata::new(Some(format), infos).map_err(|e| e.to_string())?;
    let mut text = serde_json::to_string(&header).map_err(|e| e.to_string())?;
    text.extend(std::iter::repeat_n(
        ' ',
        text.len().next_multiple_of(8) - text.len(),
    ));
    Ok(text)
}
