//! Loads that must fail: each with its exact text, and with the model as it was.

use super::folder::{Stored, Tree, encode, folder, shapes, text, tiny, with_header};
use super::load::{example, model_folder};
use cwgnc::checkpoint::{Purpose, load_into, load_tensors};
use cwgnc::model::Family;
use serde_json::json;
use std::fs;
use tempfile::TempDir;

/// The refusal's text, after a check that the model was not touched.
pub(super) fn refusal(dir: &TempDir, family: Family, purpose: Purpose) -> String {
    let mut model = Tree::<f32>::untouched(&shapes(family));
    let result = load_into(dir.path(), &tiny(family), purpose, &mut model);
    let text = text(dir, result);
    assert_eq!(model, Tree::untouched(&shapes(family)), "{text}");
    text
}

/// The refusals of a BERT file after a change to its tensors; both purposes must agree.
fn refused(change: impl Fn(&mut Vec<Stored>)) -> String {
    let (_, mut tensors) = example(Family::Bert);
    change(&mut tensors);
    let dir = model_folder(&tensors);
    let inference = refusal(&dir, Family::Bert, Purpose::Inference);
    assert_eq!(inference, refusal(&dir, Family::Bert, Purpose::FineTuning));
    inference
}

fn find<'a>(tensors: &'a mut [Stored], end: &str) -> &'a mut Stored {
    tensors
        .iter_mut()
        .find(|tensor| tensor.name.ends_with(end))
        .unwrap()
}

const FIT: &str = "DIR/model.safetensors does not fit";

#[test]
fn every_offender_is_listed_sorted_by_name() {
    let text = refused(|tensors| {
        tensors.retain(|t| !t.name.ends_with("key.weight"));
        find(tensors, "value.weight").shape = vec![1, 4];
        find(tensors, "query.bias").dtype = "I32";
        let bytes = find(tensors, "value.bias").bytes.clone();
        let name = "bert.encoder.layer.7.output.dense.bias".to_owned();
        tensors.push(Stored {
            name,
            dtype: "F32",
            shape: vec![2],
            bytes,
        });
        find(tensors, "bert.embeddings.LayerNorm.bias").bytes =
            [1.0, f32::NAN].map(f32::to_le_bytes).concat();
    });
    let expected = format!(
        "{FIT}, 5 problems:\n  \
         bert.embeddings.LayerNorm.bias: the value at [1] is NaN\n  \
         bert.encoder.layer.0.attention.self.key.weight: missing, expected shape [2, 2]\n  \
         bert.encoder.layer.0.attention.self.query.bias: expected F16, BF16, F32 or F64, found I32\n  \
         bert.encoder.layer.0.attention.self.value.weight: expected shape [2, 2], found [1, 4]\n  \
         bert.encoder.layer.7.output.dense.bias: not part of the model, found shape [2]"
    );
    assert_eq!(text, expected);
}

#[test]
fn two_names_for_one_tensor() {
    let text = refused(|tensors| {
        let mut twin = find(tensors, "bert.embeddings.LayerNorm.weight").clone();
        twin.name = "embeddings.LayerNorm.gamma".to_owned();
        tensors.push(twin);
    });
    let expected = "bert.embeddings.LayerNorm.weight: in the file twice, as bert.embeddings.LayerNorm.weight and \
                    embeddings.LayerNorm.gamma";
    assert_eq!(text, format!("{FIT}: {expected}"));
}

#[test]
fn values_that_are_not_finite() {
    let name = "bert.encoder.layer.0.output.dense.weight";
    let with = |dtype: &'static str, bytes: Vec<u8>| {
        refused(|tensors| {
            let tensor = find(tensors, name);
            (tensor.dtype, tensor.bytes) = (dtype, bytes.clone());
        })
    };
    // Shape [2, 3]: element 5 is [1, 2]; the first offender counts.
    let f32s = [0.0, 0.0, 0.0, f32::NEG_INFINITY, 0.0, f32::NAN]
        .map(f32::to_le_bytes)
        .concat();
    assert_eq!(
        with("F32", f32s),
        format!("{FIT}: {name}: the value at [1, 0] is -inf")
    );
    let f64s = [0.0, 0.0, 0.0, 0.0, 0.0, 1e300_f64]
        .map(f64::to_le_bytes)
        .concat();
    let text = with("F64", f64s);
    assert_eq!(
        text,
        format!("{FIT}: {name}: the value at [1, 2] is 1e300, not finite as float32")
    );
    let f16s = [0, 0, 0x7c00, 0, 0, 0_u16].map(u16::to_le_bytes).concat();
    assert_eq!(
        with("F16", f16s),
        format!("{FIT}: {name}: the value at [0, 2] is inf")
    );
}

#[test]
fn a_head_that_lacks_half() {
    let text = refused(|tensors| {
        tensors.retain(|t| t.name != "classifier.bias" && t.name != "bert.pooler.dense.weight");
    });
    let expected = "bert.pooler.dense.weight: missing, expected shape [2, 2]\n  classifier.bias: missing, expected \
                    shape [2]";
    assert_eq!(text, format!("{FIT}, 2 problems:\n  {expected}"));
}

/// A head with these shapes instead of `[2, 2]` and `[2]`.
fn with_head(weight: [usize; 2], bias: usize) -> String {
    refused(|tensors| {
        for (name, shape) in [
            ("classifier.weight", weight.to_vec()),
            ("classifier.bias", vec![bias]),
        ] {
            let head = find(tensors, name);
            (head.bytes, head.shape) = (vec![0; 4 * shape.iter().product::<usize>()], shape);
        }
    })
}

#[test]
fn a_head_of_another_width_is_no_other_label_count() {
    let weight = "classifier.weight: expected shape [2, 2], found";
    assert_eq!(with_head([2, 3], 2), format!("{FIT}: {weight} [2, 3]"));
    let bias = "classifier.bias: expected shape [2], found [3]";
    assert_eq!(
        with_head([3, 3], 3),
        format!("{FIT}, 2 problems:\n  {bias}\n  {weight} [3, 3]")
    );
}

#[test]
fn a_head_whose_tensors_disagree_on_the_labels() {
    let weight = "classifier.weight: expected shape [2, 2], found [3, 2]";
    assert_eq!(with_head([3, 2], 2), format!("{FIT}: {weight}"));
    let bias = "classifier.bias: expected shape [2], found [4]";
    assert_eq!(
        with_head([3, 2], 4),
        format!("{FIT}, 2 problems:\n  {bias}\n  {weight}")
    );
}

#[test]
fn a_pooler_tensor_too_many() {
    let text = refused(|tensors| {
        let mut extra = find(tensors, "bert.pooler.dense.bias").clone();
        extra.name = "pooler.LayerNorm.bias".to_owned();
        tensors.push(extra);
    });
    assert_eq!(
        text,
        format!("{FIT}: pooler.LayerNorm.bias: not part of the model, found shape [2]")
    );
}

#[test]
fn inference_needs_the_whole_model_and_nothing_else() {
    let (_, mut tensors) = example(Family::Roberta);
    tensors.retain(|t| t.name.starts_with("roberta."));
    tensors.push(Stored {
        name: "score.bias".to_owned(),
        dtype: "F32",
        shape: vec![],
        bytes: vec![0; 4],
    });
    let text = refusal(&model_folder(&tensors), Family::Roberta, Purpose::Inference);
    let first = "without it the model must be fine-tuned first";
    let expected = format!(
        "{FIT}, 5 problems:\n  \
         classifier.dense.bias: missing, expected shape [2]; {first}\n  \
         classifier.dense.weight: missing, expected shape [2, 2]; {first}\n  \
         classifier.out_proj.bias: missing, expected shape [2]; {first}\n  \
         classifier.out_proj.weight: missing, expected shape [2, 2]; {first}\n  \
         score.bias: not part of the model, found shape []"
    );
    assert_eq!(text, expected);
}

#[test]
fn inference_refuses_another_number_of_labels() {
    let (_, mut tensors) = example(Family::Bert);
    for (name, shape) in [("classifier.weight", vec![3, 2]), ("classifier.bias", vec![3])] {
        let head = find(&mut tensors, name);
        (head.bytes, head.shape) = (vec![0; 4 * shape.iter().product::<usize>()], shape);
    }
    let hint = "the configuration has 2 labels, the file's head 3; only fine-tuning may start a new head";
    let expected = format!(
        "{FIT}, 2 problems:\n  classifier.bias: expected shape [2], found [3]; {hint}\n  classifier.weight: expected \
         shape [2, 2], found [3, 2]; {hint}"
    );
    assert_eq!(
        refusal(&model_folder(&tensors), Family::Bert, Purpose::Inference),
        expected
    );
}

#[test]
fn the_other_family() {
    let (_, mut tensors) = example(Family::Roberta);
    let text = refusal(&model_folder(&tensors), Family::Bert, Purpose::FineTuning);
    let expected = "holds tensors named `roberta.*`, but the configuration says model_type `bert`";
    assert_eq!(text, format!("DIR/model.safetensors {expected}"));
    // A second encoder beside the right one is left over, no more.
    find(&mut tensors, "classifier.dense.bias").name = "bert.x".to_owned();
    let text = refusal(&model_folder(&tensors), Family::Roberta, Purpose::Inference);
    let expected = "bert.x: not part of the model, found shape [2]\n  classifier.dense.bias: missing, expected shape [2]";
    assert_eq!(text, format!("{FIT}, 2 problems:\n  {expected}"));
}

#[test]
fn folders_without_safetensors() {
    let dir = folder(&[]);
    let text = refusal(&dir, Family::Bert, Purpose::FineTuning);
    assert_eq!(
        text,
        "cannot read DIR/model.safetensors: No such file or directory (os error 2)"
    );
    fs::write(dir.path().join("pytorch_model.bin"), b"PK").unwrap();
    let text = refusal(&dir, Family::Bert, Purpose::FineTuning);
    let expected = "DIR/pytorch_model.bin holds pickled Python objects, which are not read here; write \
                    model.safetensors beside it with: python -c \"import torch, safetensors.torch as s; w = \
                    torch.load('pytorch_model.bin', map_location='cpu', weights_only=True); s.save_file({k: \
                    v.clone().contiguous() for k, v in w.items()}, 'model.safetensors', {'format': 'pt'})\"";
    assert_eq!(text, expected);
}

/// The text for a file that is damaged, after its name.
fn damaged(bytes: &[u8]) -> String {
    let dir = folder(&[("model.safetensors", bytes)]);
    let message = refusal(&dir, Family::Bert, Purpose::FineTuning);
    let alone = load_tensors::<f32>(&dir.path().join("model.safetensors"));
    assert_eq!(text(&dir, alone), message);
    message.strip_prefix("DIR/model.safetensors ").unwrap().to_owned()
}

#[test]
fn files_that_break_the_format() {
    let info = |shape: &[usize], offsets: [usize; 2]| json!({"dtype": "F32", "shape": shape, "data_offsets": offsets});
    let header = |value: &serde_json::Value, data: &[u8]| damaged(&with_header(&value.to_string(), data));
    let huge = 100_000_001_u64.to_le_bytes();
    let cases = [
        (damaged(b""), "it has 0 bytes, fewer than 8"),
        (damaged(b"1234567"), "it has 7 bytes, fewer than 8"),
        (
            damaged(&huge),
            "its header would have 100000001 bytes, more than 100000000",
        ),
        (
            damaged(&with_header("{}      ", b"")[..12]),
            "it has 12 bytes, its header alone 16",
        ),
        (
            damaged(b"version https://git-lfs.github.com/spec/v1\n"),
            "it is a Git LFS pointer; fetch the file with `git lfs pull`",
        ),
        (
            damaged(&with_header("no json", b"")),
            "its header is not as it must be: expected ident at line 1 column 2",
        ),
        (
            damaged(b"\x02\0\0\0\0\0\0\0{\xff"),
            "its header is not UTF-8: invalid utf-8 sequence of 1 bytes from index 1",
        ),
        (
            header(&json!({"a": info(&[1], [0, 8])}), &[0; 8]),
            "a tensor's shape and byte count disagree",
        ),
        (
            header(&json!({"a": info(&[1], [4, 8])}), &[0; 8]),
            "the data of `a` do not begin where the tensor before ends",
        ),
        (
            header(&json!({"a": info(&[usize::MAX, 2], [0, 4])}), &[0; 4]),
            "a tensor's shape overflows",
        ),
        (
            damaged(&with_header(
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":\
                 [1,2],\"data_offsets\":[0,8]}}",
                &[0; 8],
            )),
            "the header gives `a` twice",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(text, format!("is not a valid safetensors file: {expected}"));
    }
}

#[test]
fn files_of_the_wrong_length() {
    let (_, tensors) = example(Family::Bert);
    let mut bytes = encode(&tensors);
    let right = bytes.len();
    let text = damaged(&bytes[..right - 1]);
    assert_eq!(
        text,
        format!("is truncated: expected {right} bytes, found {}", right - 1)
    );
    bytes.extend([0; 3]);
    assert_eq!(
        damaged(&bytes),
        format!("has trailing bytes: expected {right} bytes, found {}", right + 3)
    );
}
