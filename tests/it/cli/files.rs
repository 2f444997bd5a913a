//! Model folders that tests take apart and put together again, without the code under test.

use super::scratch;
use half::f16;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A tensor of a safetensors file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

impl Tensor {
    /// Its values; the program's own types F32 and F64, and the demo model's F16.
    pub(super) fn values(&self) -> Vec<f64> {
        let each = |width: usize, value: fn(&[u8]) -> f64| self.bytes.chunks(width).map(value).collect();
        match self.dtype.as_str() {
            "F16" => each(2, |b| f16::from_le_bytes([b[0], b[1]]).to_f64()),
            "F32" => each(4, |b| f32::from_le_bytes(b.try_into().unwrap()).into()),
            "F64" => each(8, |b| f64::from_le_bytes(b.try_into().unwrap())),
            other => panic!("no test writes {other}"),
        }
    }

    pub(super) fn norm(&self) -> f64 {
        self.values().iter().map(|x| x * x).sum::<f64>().sqrt()
    }
}

/// The tensors of a file, in the order of their names.
pub(super) fn tensors(path: &Path) -> Vec<Tensor> {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (header, data) = bytes[8..].split_at(length);
    let header: Map<String, Value> = serde_json::from_slice(header).unwrap();
    let place = |value: &Value| value.as_u64().unwrap() as usize;
    let mut tensors: Vec<Tensor> = header
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .map(|(name, info)| Tensor {
            name: name.clone(),
            dtype: info["dtype"].as_str().unwrap().to_owned(),
            shape: info["shape"].as_array().unwrap().iter().map(place).collect(),
            bytes: data[place(&info["data_offsets"][0])..place(&info["data_offsets"][1])].to_vec(),
        })
        .collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}

/// A file of these tensors.
pub(super) fn encode(tensors: &[Tensor]) -> Vec<u8> {
    let (mut header, mut data) = (Map::new(), Vec::<u8>::new());
    for tensor in tensors {
        let start = data.len();
        data.extend(&tensor.bytes);
        let info = json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [start, data.len()]});
        header.insert(tensor.name.clone(), info);
    }
    let header = Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// A copy of the files of a folder, without its subfolders.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// A copy of a folder with all that is below it.
pub(super) fn copy_all(from: &Path, to: &Path) {
    copy(from, to);
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to.join(entry.file_name()));
        }
    }
}

/// A fresh folder with a copy of a model in its subfolder `model`.
pub(super) fn with_copy(name: &str, model: &Path) -> PathBuf {
    let dir = scratch::folder(name);
    copy(model, &dir.join("model"));
    dir
}

/// A fresh folder with a copy of the demo model in its subfolder `model`.
pub(super) fn with_demo_model(name: &str) -> PathBuf {
    with_copy(name, &scratch::fixture("demo/model"))
}

/// Changes a folder's `config.json`.
pub(super) fn change_config(model: &Path, key: &str, value: Value) {
    let path = model.join("config.json");
    let mut config: Map<String, Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config.insert(key.to_owned(), value);
    fs::write(path, Value::Object(config).to_string()).unwrap();
}

/// Changes a folder's tensors.
pub(super) fn change_tensors(model: &Path, change: impl FnOnce(&mut Vec<Tensor>)) {
    let path = model.join("model.safetensors");
    let mut all = tensors(&path);
    change(&mut all);
    fs::write(path, encode(&all)).unwrap();
}
