//! What the tests share: a tree of plain tensors, the names of a tiny model, and folders written without the code
//! under test.

use cwgnc::checkpoint::CheckpointError;
use cwgnc::model::{Activation, Family, ModelConfig, Problem};
use cwgnc::param::{ParamTree, Path as Walk, Visitor, VisitorMut};
use cwgnc::real::Real;
use ndarray::{ArrayD, IxDyn};
use serde_json::{Map, Value, json};
use std::fs;
use tempfile::TempDir;

/// A model that is nothing but its names and tensors.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree<T>(pub(super) Vec<(String, ArrayD<T>)>);

impl<T> ParamTree<T> for Tree<T> {
    fn visit<'a>(&'a self, path: &mut Walk, f: Visitor<'_, 'a, T>) {
        for (name, tensor) in &self.0 {
            path.within(name, |path| f(path.as_str(), tensor.view()));
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Walk, f: VisitorMut<'_, 'a, T>) {
        for (name, tensor) in &mut self.0 {
            path.within(name, |path| f(path.as_str(), tensor.view_mut()));
        }
    }
}

impl<T: Real> Tree<T> {
    /// All values -7, which no test file holds: it shows what a load touched.
    pub(super) fn untouched(shapes: &[Tensor]) -> Self {
        Self::new(shapes, |_| -7.0)
    }

    /// Values from the running number of the element.
    pub(super) fn new(shapes: &[Tensor], value: impl Fn(usize) -> f64) -> Self {
        let mut n = 0;
        let tensors = shapes.iter().map(|(name, shape)| {
            let tensor = ArrayD::from_shape_fn(IxDyn(shape), |_| {
                n += 1;
                T::of(value(n - 1))
            });
            (name.clone(), tensor)
        });
        Self(tensors.collect())
    }

    pub(super) fn get(&self, name: &str) -> &ArrayD<T> {
        &self.0.iter().find(|(n, _)| n == name).unwrap().1
    }
}

/// A name and a shape.
pub(super) type Tensor = (String, Vec<usize>);

/// One layer, one head, hidden size 2, feed-forward 3, vocabulary 5, 4 positions, 2 labels.
pub(super) fn tiny(family: Family) -> ModelConfig {
    ModelConfig {
        family,
        vocab_size: 5,
        hidden_size: 2,
        num_hidden_layers: 1,
        num_attention_heads: 1,
        intermediate_size: 3,
        hidden_act: Activation::Gelu,
        hidden_dropout_prob: 0.1,
        attention_probs_dropout_prob: 0.1,
        classifier_dropout: None,
        max_position_embeddings: 4,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        initializer_range: 0.02,
        pad_token_id: u32::from(family == Family::Roberta),
        problem: Problem::Classification,
        labels: vec!["no".to_owned(), "yes".to_owned()],
    }
}

/// The tensors of [`tiny`] in walk order, spelled out from Hugging Face's names; two-dimensional ones are
/// `[out, in]`.
pub(super) fn shapes(family: Family) -> Vec<Tensor> {
    let layer = [
        ("attention.self.query", 2, 2),
        ("attention.self.key", 2, 2),
        ("attention.self.value", 2, 2),
        ("attention.output.dense", 2, 2),
        ("attention.output.LayerNorm", 2, 0),
        ("intermediate.dense", 3, 2),
        ("output.dense", 2, 3),
        ("output.LayerNorm", 2, 0),
    ];
    let prefix = family.model_type();
    let mut all: Vec<Tensor> = [("word", 5), ("position", 4), ("token_type", 2)]
        .map(|(kind, rows)| {
            (
                format!("{prefix}.embeddings.{kind}_embeddings.weight"),
                vec![rows, 2],
            )
        })
        .to_vec();
    let mut leaves = |name: &str, rows: usize, columns: usize| {
        let weight = if columns == 0 {
            vec![rows]
        } else {
            vec![rows, columns]
        };
        all.push((format!("{name}.weight"), weight));
        all.push((format!("{name}.bias"), vec![rows]));
    };
    leaves(&format!("{prefix}.embeddings.LayerNorm"), 2, 0);
    for (name, rows, columns) in layer {
        leaves(&format!("{prefix}.encoder.layer.0.{name}"), rows, columns);
    }
    match family {
        Family::Bert => {
            leaves("bert.pooler.dense", 2, 2);
            leaves("classifier", 2, 2);
        }
        Family::Roberta => {
            leaves("classifier.dense", 2, 2);
            leaves("classifier.out_proj", 2, 2);
        }
    }
    all
}

/// A tensor of a file: name, type, shape, bytes.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) dtype: &'static str,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

/// F32 tensors with the tree's values.
pub(super) fn stored(tree: &Tree<f32>) -> Vec<Stored> {
    let stored = |(name, tensor): &(String, ArrayD<f32>)| Stored {
        name: name.clone(),
        dtype: "F32",
        shape: tensor.shape().to_vec(),
        bytes: tensor.iter().flat_map(|x| x.to_le_bytes()).collect(),
    };
    tree.0.iter().map(stored).collect()
}

/// A safetensors file, put together by hand.
pub(super) fn encode(tensors: &[Stored]) -> Vec<u8> {
    let mut header = Map::new();
    let mut data = Vec::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    for tensor in tensors {
        let start = data.len();
        data.extend(&tensor.bytes);
        let offsets = [start, data.len()];
        let info = json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets});
        assert!(header.insert(tensor.name.clone(), info).is_none());
    }
    with_header(&Value::Object(header).to_string(), &data)
}

/// A file with this text as its header.
pub(super) fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// A fresh folder with these files.
pub(super) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

/// The names in a folder, sorted.
pub(super) fn listing(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The text of the error, with `DIR` for the folder.
pub(super) fn text<T: std::fmt::Debug>(dir: &TempDir, result: Result<T, CheckpointError>) -> String {
    result
        .unwrap_err()
        .to_string()
        .replace(dir.path().to_str().unwrap(), "DIR")
}
