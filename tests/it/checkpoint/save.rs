//! What is written, byte for byte, and read back.

use super::folder::{Tree, encode, folder, listing, shapes, text, tiny, with_header};
use super::load::example;
use cwgnc::checkpoint::{Purpose, Width, load_into, load_tensors, read_config, save_model, save_tensors};
use cwgnc::model::Family;
use cwgnc::param::ParamTree;
use cwgnc::real::Real;
use ndarray::{Array2, ArrayD, IxDyn};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, json};
use std::collections::HashMap;
use std::fs;

fn round_trip<T: Real>(family: Family, value: impl Fn(usize) -> f64) {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("new/checkpoint-3");
    let model = Tree::<T>::new(&shapes(family), value);
    let base = json!({"kept": true});
    save_model(
        &inner,
        &tiny(family),
        base.as_object().unwrap(),
        &model,
        Width::Own,
    )
    .unwrap();
    let read = read_config(&inner).unwrap();
    assert_eq!(
        (&read.config, &read.raw["kept"], &read.raw["dtype"]),
        (&tiny(family), &json!(true), &json!(T::NAME))
    );
    let mut loaded = Tree::untouched(&shapes(family));
    let report = load_into(&inner, &read.config, Purpose::Inference, &mut loaded).unwrap();
    assert_eq!(loaded, model);
    assert_eq!(report.taken.len(), model.0.len());
    assert!(report.renamed.is_empty() && report.ignored.is_empty() && report.to_initialise.is_empty());
}

/// Thirds have no finite expansion, so every bit of the fraction is in play; powers cover small and large exponents.
#[test]
fn a_model_survives_the_round_trip_in_every_bit() {
    for family in [Family::Bert, Family::Roberta] {
        round_trip::<f32>(family, |n| (n as f64 + 1.0) / 3.0);
        round_trip::<f64>(family, |n| (n as f64 + 1.0) / 3.0);
        round_trip::<f32>(family, |n| 1.1_f64.powf(n as f64 * 17.0 - 900.0));
        round_trip::<f64>(family, |n| -(2.2_f64.powf(n as f64 * 16.0 - 800.0)));
    }
}

/// The crate's own writer, given the same tensors, makes the same file.
#[test]
fn the_bytes_are_those_of_the_safetensors_crate() {
    let (tree, tensors) = example(Family::Bert);
    let dir = folder(&[]);
    let path = dir.path().join("a.safetensors");
    let mut params = tree.params();
    save_tensors(&path, &params).unwrap();
    let ours = fs::read(&path).unwrap();
    let views = tensors.iter().map(|t| {
        (
            &t.name,
            TensorView::new(Dtype::F32, t.shape.clone(), &t.bytes).unwrap(),
        )
    });
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    assert_eq!(ours, safetensors::serialize(views, Some(format)).unwrap());
    params.reverse();
    save_tensors(&path, &params).unwrap();
    assert_eq!(fs::read(&path).unwrap(), ours, "the order given does not matter");
    assert_eq!(listing(&dir), ["a.safetensors"]);
}

/// 8 bytes of length, the header, blanks to a multiple of 8, then 1.0, 0.5 as doubles.
#[test]
fn a_small_file_byte_for_byte() {
    let dir = folder(&[]);
    let path = dir.path().join("a.safetensors");
    let x = ndarray::arr1(&[1.0, 0.5]).into_dyn();
    save_tensors(&path, &[("x".to_owned(), x.view())]).unwrap();
    let header = "{\"__metadata__\":{\"format\":\"pt\"},\"x\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}";
    let padded = format!("{header:<width$}", width = header.len().next_multiple_of(8));
    let data = [0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f];
    assert_eq!(fs::read(&path).unwrap(), with_header(&padded, &data));
}

#[test]
fn tensors_of_any_layout_and_value_come_back() {
    let dir = folder(&[]);
    let path = dir.path().join("a.safetensors");
    let matrix = Array2::from_shape_fn((2, 3), |(i, j)| (3 * i + j) as f32);
    let odd = [f32::NAN, f32::INFINITY, -0.0, f32::from_bits(1)];
    let tensors = [
        ("transposed".to_owned(), matrix.t().into_dyn()),
        ("scalar".to_owned(), ndarray::aview0(&2.5).into_dyn()),
        (
            "empty".to_owned(),
            ndarray::ArrayView::from_shape(IxDyn(&[0, 3]), &[]).unwrap(),
        ),
        ("odd".to_owned(), ndarray::aview1(&odd).into_dyn()),
    ];
    save_tensors(&path, &tensors).unwrap();
    let read = load_tensors::<f32>(&path).unwrap();
    assert_eq!(
        read["transposed"],
        ndarray::arr2(&[[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]).into_dyn()
    );
    assert_eq!(read["scalar"], ndarray::arr0(2.5).into_dyn());
    assert_eq!(read["empty"].shape(), [0, 3]);
    assert_eq!(
        read["odd"].mapv(f32::to_bits),
        ndarray::arr1(&odd.map(f32::to_bits)).into_dyn()
    );
    assert_eq!(read.len(), 4);
}

#[test]
fn another_type_is_not_converted() {
    let (_, mut tensors) = example(Family::Bert);
    tensors.truncate(3);
    tensors[1].dtype = "I32";
    let dir = folder(&[("a.safetensors", &encode(&tensors))]);
    let path = dir.path().join("a.safetensors");
    let name = "bert.embeddings.position_embeddings.weight";
    assert_eq!(
        text(&dir, load_tensors::<f32>(&path)),
        format!("DIR/a.safetensors does not fit: {name}: expected F32, found I32")
    );
    let error = text(&dir, load_tensors::<f64>(&path));
    assert!(
        error.starts_with("DIR/a.safetensors does not fit, 3 problems:\n  "),
        "{error}"
    );
    assert!(
        error.contains("token_type_embeddings.weight: expected F64, found F32"),
        "{error}"
    );
}

#[test]
fn a_shape_that_ndarray_cannot_hold() {
    let shape = [0, usize::MAX];
    let header = json!({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).to_string();
    let dir = folder(&[("a.safetensors", &with_header(&header, b""))]);
    assert_eq!(
        text(&dir, load_tensors::<f32>(&dir.path().join("a.safetensors"))),
        "DIR/a.safetensors does not fit: a: shape [0, 18446744073709551615] is too large"
    );
}

#[test]
fn names_that_the_format_forbids() {
    let dir = folder(&[]);
    let path = dir.path().join("a.safetensors");
    let x = ArrayD::<f32>::zeros(IxDyn(&[1]));
    let save = |names: &[&str]| {
        let tensors: Vec<_> = names.iter().map(|name| ((*name).to_owned(), x.view())).collect();
        text(&dir, save_tensors(&path, &tensors))
    };
    assert_eq!(
        save(&["b", "a", "b"]),
        "cannot write DIR/a.safetensors: two tensors have the name `b`"
    );
    assert_eq!(
        save(&["__metadata__"]),
        "cannot write DIR/a.safetensors: a tensor has the reserved name `__metadata__`"
    );
    assert_eq!(listing(&dir), [""; 0]);
}

#[test]
fn a_folder_that_cannot_be_made() {
    let dir = folder(&[("file", b"")]);
    let model = Tree::<f32>::new(&shapes(Family::Bert), |_| 0.0);
    let result = save_model(
        &dir.path().join("file"),
        &tiny(Family::Bert),
        &Map::new(),
        &model,
        Width::Own,
    );
    assert_eq!(
        text(&dir, result),
        "cannot write DIR/file: File exists (os error 17)"
    );
}
