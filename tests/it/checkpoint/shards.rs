//! Weights in several files.

use super::folder::{Tree, encode, folder, shapes, tiny};
use super::load::example;
use super::refuse::refusal;
use cwgnc::checkpoint::{Purpose, load_into};
use cwgnc::model::Family;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const INDEX: &str = "model.safetensors.index.json";

/// A BERT in two shards of ten and more tensors, with the index's `weight_map`.
pub(super) fn sharded() -> (Tree<f32>, TempDir, Value) {
    let (tree, tensors) = example(Family::Bert);
    let shards = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    let parts = tensors.split_at(10);
    let mut map = json!({});
    for (shard, part) in [(shards[0], parts.0), (shards[1], parts.1)] {
        for tensor in part {
            map[&tensor.name] = json!(shard);
        }
    }
    let dir = folder(&[(shards[0], &encode(parts.0)), (shards[1], &encode(parts.1))]);
    write_index(&dir, &map);
    (tree, dir, map)
}

fn write_index(dir: &TempDir, weight_map: &Value) {
    let index = json!({"metadata": {"total_size": 396}, "weight_map": weight_map});
    fs::write(dir.path().join(INDEX), index.to_string()).unwrap();
}

/// The refusal after a change to the index, without the index's name.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let (_, dir, mut map) = sharded();
    change(&mut map);
    write_index(&dir, &map);
    let text = refusal(&dir, Family::Bert, Purpose::Inference);
    text.replace(&format!("DIR/{INDEX}"), "INDEX")
}

#[test]
fn shards_load_as_one_model() {
    let (tree, dir, _) = sharded();
    let mut model = Tree::untouched(&shapes(Family::Bert));
    let report = load_into(dir.path(), &tiny(Family::Bert), Purpose::Inference, &mut model).unwrap();
    assert_eq!(model, tree);
    let taken: Vec<&str> = report.taken.iter().map(|tensor| tensor.name.as_str()).collect();
    let walk: Vec<String> = shapes(Family::Bert).into_iter().map(|(name, _)| name).collect();
    assert_eq!(taken, walk);
    assert_eq!(report.files.len(), 2);
}

#[test]
fn one_file_is_preferred_to_an_index() {
    let (tree, tensors) = example(Family::Bert);
    let dir = folder(&[("model.safetensors", &encode(&tensors)), (INDEX, b"not read")]);
    let mut model = Tree::untouched(&shapes(Family::Bert));
    load_into(dir.path(), &tiny(Family::Bert), Purpose::Inference, &mut model).unwrap();
    assert_eq!(model, tree);
}

#[test]
fn a_shard_that_is_missing() {
    let (_, dir, _) = sharded();
    fs::remove_file(dir.path().join("model-00002-of-00002.safetensors")).unwrap();
    assert_eq!(
        refusal(&dir, Family::Bert, Purpose::FineTuning),
        "cannot read DIR/model-00002-of-00002.safetensors: No such file or directory (os error 2)"
    );
}

#[test]
fn index_and_shards_must_agree() {
    let lacks = refused(|map| map["bert.x"] = json!("model-00001-of-00002.safetensors"));
    assert_eq!(
        lacks,
        "INDEX: the shard model-00001-of-00002.safetensors lacks `bert.x`"
    );
    let unlisted = refused(|map| {
        map.as_object_mut().unwrap().remove("classifier.bias").unwrap();
        map.as_object_mut().unwrap().remove("classifier.weight").unwrap();
    });
    assert_eq!(
        unlisted,
        "INDEX: the shard model-00002-of-00002.safetensors holds `classifier.bias`, `classifier.weight`, which the \
         index does not place there"
    );
}

#[test]
fn shards_stay_in_their_folder() {
    for escape in [
        json!("../model-00001-of-00002.safetensors"),
        json!("/elsewhere/a.safetensors"),
        json!("sub/a.safetensors"),
        json!("..\\a.safetensors"),
        json!("c:a.safetensors"),
        json!(".."),
        json!(""),
        json!("config.json"),
        json!(7),
    ] {
        let text = refused(|map| map["classifier.bias"] = escape.clone());
        let expected =
            format!("`classifier.bias` must be in a .safetensors file of this folder, found {escape}");
        assert_eq!(text, format!("INDEX: {expected}"));
    }
}

#[test]
fn an_index_that_is_none() {
    for (index, expected) in [
        (json!({}), "`weight_map` is missing"),
        (
            json!({"weight_map": [1]}),
            "`weight_map` must be an object, found [1]",
        ),
        (json!(1), "expected a JSON object, found 1"),
    ] {
        let dir = folder(&[(INDEX, index.to_string().as_bytes())]);
        assert_eq!(
            refusal(&dir, Family::Bert, Purpose::Inference),
            format!("DIR/{INDEX}: {expected}")
        );
    }
    let dir = folder(&[(
        INDEX,
        b"{\"weight_map\": {\"a\": \"s.safetensors\", \"a\": \"t.safetensors\"}}",
    )]);
    let text = refusal(&dir, Family::Bert, Purpose::Inference);
    assert_eq!(text, format!("DIR/{INDEX}: the key `a` is given twice"));
}

#[test]
fn problems_of_tensors_in_shards_name_the_index() {
    let dir = folder(&[(INDEX, b"{\"weight_map\": {}}")]);
    let text = refusal(&dir, Family::Bert, Purpose::FineTuning);
    assert!(text.starts_with(&format!(
        "DIR/{INDEX} does not fit, 21 problems:\n  bert.embeddings.LayerNorm.bias: "
    )));
}
