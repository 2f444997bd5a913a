//! Damaged files: an error, or a load of exactly what the file still says; never a panic, never a wrong load.

use super::folder::{Stored, Tree, encode, folder, shapes, tiny};
use super::load::example;
use super::shards::sharded;
use cwgnc::checkpoint::{LoadReport, Purpose, load_into, load_tensors, read_config};
use cwgnc::model::Family;
use proptest::prelude::*;
use proptest::sample::Index;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// One accident.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Truncate(Index),
    Insert(Index, u8),
    Delete(Index, usize),
    Duplicate(Index, usize),
    /// A digit becomes another digit: sizes, shapes and offsets that are still well formed.
    Digit(Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => any::<Index>().prop_map(Damage::Truncate),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => (any::<Index>(), 1..90_usize).prop_map(|(at, n)| Damage::Delete(at, n)),
        2 => (any::<Index>(), 1..90_usize).prop_map(|(at, n)| Damage::Duplicate(at, n)),
        2 => (any::<Index>(), b'0'..=b'9').prop_map(|(at, digit)| Damage::Digit(at, digit)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let n = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(n)] ^= 1 << bit,
            Self::Truncate(at) => bytes.truncate(at.index(n)),
            Self::Insert(at, byte) => bytes.insert(at.index(n), *byte),
            Self::Delete(at, len) => drop(bytes.drain(at.index(n)..(at.index(n) + len).min(n))),
            Self::Duplicate(at, len) => {
                let start = at.index(n);
                let copy = bytes[start..(start + len).min(n)].to_vec();
                bytes.splice(start..start, copy);
            }
            Self::Digit(at, digit) => {
                let digits: Vec<usize> = (8..n).filter(|i| bytes[*i].is_ascii_digit()).collect();
                bytes[digits[at.index(digits.len())]] = *digit;
            }
        }
        bytes
    }
}

/// The file as the safetensors crate reads it must be what the model now holds.
fn assert_faithful(bytes: &[u8], model: &Tree<f32>, report: &LoadReport) {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let mut seen: BTreeSet<String> = report.ignored.iter().cloned().collect();
    for (name, tensor) in &model.0 {
        if report.to_initialise.contains(name) {
            assert!(tensor.iter().all(|x| *x == -7.0), "{name} was touched");
            continue;
        }
        let source = report
            .renamed
            .iter()
            .find(|(_, to)| to == name)
            .map_or(name, |(from, _)| from);
        let stored = file.tensor(source).unwrap();
        assert_eq!((stored.dtype(), stored.shape()), (Dtype::F32, tensor.shape()));
        let held: Vec<u8> = tensor.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(stored.data(), held, "{name}");
        seen.insert(source.clone());
    }
    // Nothing in the file was passed over in silence. (A label-count mismatch would be; `tiny` and one accident
    // cannot give one in both head tensors.)
    let all: BTreeSet<String> = file.names().into_iter().map(str::to_owned).collect();
    assert_eq!(seen, all);
}

/// Loads the folder: untouched on an error, or else the result.
fn load(dir: &Path, purpose: Purpose) -> Option<(Tree<f32>, LoadReport)> {
    let mut model = Tree::untouched(&shapes(Family::Bert));
    match load_into(dir, &tiny(Family::Bert), purpose, &mut model) {
        Ok(report) => Some((model, report)),
        Err(error) => {
            assert_eq!(model, Tree::untouched(&shapes(Family::Bert)), "{error}");
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// A complete model, with tensors to ignore as well.
fn weights() -> Vec<u8> {
    let (_, mut tensors) = example(Family::Bert);
    tensors.push(Stored {
        name: "cls.bias".to_owned(),
        dtype: "F32",
        shape: vec![1],
        bytes: vec![0; 4],
    });
    encode(&tensors)
}

const CONFIG: &str = r#"{"model_type": "bert", "vocab_size": 30522, "hidden_size": 128, "num_hidden_layers": 2,
"num_attention_heads": 2, "intermediate_size": 512, "hidden_act": "gelu_new", "hidden_dropout_prob": 0.1,
"layer_norm_eps": 1e-12, "id2label": {"0": "entailment", "1": "not_entailment"}, "pad_token_id": 0, "note": [1, {}]}"#;

/// The keys of a configuration as `serde_json` alone understands them.
fn assert_config_says_so(bytes: &[u8], dir: &Path) {
    let Ok(read) = read_config(dir) else { return };
    let raw: Value = serde_json::from_slice(bytes).unwrap();
    let size = |key: &str| raw[key].as_u64().map(|n| n as usize);
    let (config, number) = (&read.config, |key: &str, default: f64| {
        raw.get(key).map_or(Some(default), Value::as_f64)
    });
    assert_eq!(raw["model_type"], config.family.model_type());
    assert_eq!(size("vocab_size"), Some(config.vocab_size));
    assert_eq!(size("hidden_size"), Some(config.hidden_size));
    assert_eq!(size("num_hidden_layers"), Some(config.num_hidden_layers));
    assert_eq!(size("num_attention_heads"), Some(config.num_attention_heads));
    assert_eq!(size("intermediate_size"), Some(config.intermediate_size));
    assert_eq!(
        number("hidden_dropout_prob", 0.1),
        Some(config.hidden_dropout_prob)
    );
    assert_eq!(number("layer_norm_eps", 1e-12), Some(config.layer_norm_eps));
    assert_eq!(number("pad_token_id", 0.0), Some(f64::from(config.pad_token_id)));
    let labels = |i: usize| {
        raw.get("id2label").map_or(format!("LABEL_{i}"), |map| {
            map[i.to_string()].as_str().unwrap().to_owned()
        })
    };
    assert_eq!(
        config.labels,
        (0..config.labels.len()).map(labels).collect::<Vec<_>>()
    );
    assert_eq!(Value::Object(read.raw), raw);
}

proptest! {
    #[test]
    fn damaged_weights_fail_or_say_what_they_hold(damage in damage()) {
        let bytes = damage.apply(&weights());
        let dir = folder(&[("model.safetensors", &bytes)]);
        for purpose in [Purpose::Inference, Purpose::FineTuning] {
            if let Some((model, report)) = load(dir.path(), purpose) {
                prop_assert!(!matches!(damage, Damage::Truncate(_)));
                assert_faithful(&bytes, &model, &report);
            }
        }
        if let Ok(tensors) = load_tensors::<f32>(&dir.path().join("model.safetensors")) {
            let file = SafeTensors::deserialize(&bytes).unwrap();
            prop_assert_eq!(tensors.len(), file.len());
            for (name, tensor) in tensors {
                let held: Vec<u8> = tensor.iter().flat_map(|x| x.to_le_bytes()).collect();
                prop_assert_eq!(file.tensor(&name).unwrap().data(), held);
            }
        }
    }

    #[test]
    fn a_damaged_configuration_fails_or_means_what_it_says(damage in damage()) {
        let bytes = damage.apply(CONFIG.as_bytes());
        let dir = folder(&[("config.json", &bytes)]);
        if matches!(damage, Damage::Truncate(_)) {
            prop_assert!(read_config(dir.path()).is_err());
        }
        assert_config_says_so(&bytes, dir.path());
    }

    #[test]
    fn a_damaged_index_fails_or_loads_the_right_model(damage in damage()) {
        let (tree, dir, _) = sharded();
        let path = dir.path().join("model.safetensors.index.json");
        let bytes = damage.apply(&fs::read(&path).unwrap());
        fs::write(&path, bytes).unwrap();
        if let Some((model, _)) = load(dir.path(), Purpose::Inference) {
            prop_assert!(!matches!(damage, Damage::Truncate(_)));
            prop_assert_eq!(model, tree);
        }
    }

    #[test]
    fn any_bytes_at_all(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let files: Vec<(&str, &[u8])> =
            ["config.json", "model.safetensors"].map(|name| (name, bytes.as_slice())).to_vec();
        let dir = folder(&files);
        prop_assert!(read_config(dir.path()).is_err());
        prop_assert!(load(dir.path(), Purpose::FineTuning).is_none());
    }
}

/// Every single-bit flip of the header and every truncation, not a sample.
#[test]
fn every_flip_of_a_header_bit_and_every_truncation() {
    let (_, tensors) = example(Family::Bert);
    let bytes = encode(&tensors[..2]);
    let data = 4 * (10 + 8);
    let dir = folder(&[]);
    let path = dir.path().join("a.safetensors");
    for at in 0..bytes.len() {
        fs::write(&path, &bytes[..at]).unwrap();
        assert!(load_tensors::<f32>(&path).is_err(), "truncated to {at}");
    }
    for bit in 0..8 * (bytes.len() - data) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        if let Ok(tensors) = load_tensors::<f32>(&path) {
            let file = SafeTensors::deserialize(&flipped).unwrap();
            assert_eq!(tensors.len(), file.len());
            for (name, tensor) in tensors {
                let stored = file.tensor(&name).unwrap();
                let held: Vec<u8> = tensor.iter().flat_map(|x| x.to_le_bytes()).collect();
                assert_eq!((stored.data(), stored.shape()), (held.as_slice(), tensor.shape()));
            }
        }
    }
}
