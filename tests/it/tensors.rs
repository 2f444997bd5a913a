//! Tensors of test cases: reading and comparing them.

use std::collections::BTreeMap;
use std::path::Path;

/// A tensor of a test case: its shape and its elements as `f64`, row after row.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// All tensors of a safetensors file (F64 or I64) and its metadata.
pub(crate) fn tensors(path: &Path) -> (BTreeMap<String, Tensor>, BTreeMap<String, String>) {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a safetensors file");
    let metadata = header
        .metadata()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect();
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let read = |view: &safetensors::tensor::TensorView<'_>| {
        let words = view
            .data()
            .chunks_exact(8)
            .map(|b| <[u8; 8]>::try_from(b).expect("eight bytes"));
        let values = match view.dtype() {
            safetensors::Dtype::F64 => words.map(f64::from_le_bytes).collect(),
            safetensors::Dtype::I64 => words.map(|b| i64::from_le_bytes(b) as f64).collect(),
            other => panic!("{}: {other:?}", path.display()),
        };
        Tensor {
            shape: view.shape().to_vec(),
            values,
        }
    };
    (
        file.iter()
            .map(|(name, view)| (name.to_owned(), read(&view)))
            .collect(),
        metadata,
    )
}

/// `‖got − expected‖ / scale`, all in `f64`.
#[track_caller]
pub(crate) fn distance(got: impl IntoIterator<Item = f64>, expected: &[f64], scale: f64) -> f64 {
    let mut square = 0.0;
    let mut count = 0;
    for (got, expected) in got.into_iter().zip(expected) {
        square += (got - expected).powi(2);
        count += 1;
    }
    assert_eq!(count, expected.len(), "different lengths");
    square.sqrt() / scale
}

/// The Euclidean norm.
pub(crate) fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}
