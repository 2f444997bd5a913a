//! Loads that succeed: types, old names, heads to be initialised, and the report.

use super::folder::{Stored, Tree, encode, folder, shapes, stored, tiny};
use cwgnc::checkpoint::{LoadReport, Purpose, fnv1a64, load_into};
use cwgnc::model::Family;
use cwgnc::real::Real;
use tempfile::TempDir;

/// A model with known values and its tensors as a file would have them; 0, 1/8, 2/8, ... are exact in every type.
pub(super) fn example(family: Family) -> (Tree<f32>, Vec<Stored>) {
    let tree = Tree::new(&shapes(family), |n| n as f64 / 8.0);
    let tensors = stored(&tree);
    (tree, tensors)
}

/// A folder whose only file is `model.safetensors`.
pub(super) fn model_folder(tensors: &[Stored]) -> TempDir {
    folder(&[("model.safetensors", &encode(tensors))])
}

fn load<T: Real>(dir: &TempDir, family: Family, purpose: Purpose) -> (Tree<T>, LoadReport) {
    let mut model = Tree::untouched(&shapes(family));
    let report = load_into(dir.path(), &tiny(family), purpose, &mut model).unwrap();
    (model, report)
}

#[test]
fn a_complete_file_loads_whole_whatever_its_order() {
    for family in [Family::Bert, Family::Roberta] {
        let (tree, mut tensors) = example(family);
        tensors.reverse();
        for purpose in [Purpose::Inference, Purpose::FineTuning] {
            let (model, report) = load::<f32>(&model_folder(&tensors), family, purpose);
            assert_eq!(model, tree);
            let taken: Vec<_> = report
                .taken
                .iter()
                .map(|t| (t.name.clone(), t.shape.clone()))
                .collect();
            assert_eq!(taken, shapes(family));
            assert!(
                report.renamed.is_empty() && report.ignored.is_empty() && report.to_initialise.is_empty()
            );
        }
    }
}

#[test]
fn f32_is_exact_in_an_f64_model() {
    let (tree, tensors) = example(Family::Bert);
    let (model, _) = load::<f64>(&model_folder(&tensors), Family::Bert, Purpose::Inference);
    assert_eq!(
        model,
        Tree(
            tree.0
                .into_iter()
                .map(|(name, t)| (name, t.mapv(f64::from)))
                .collect()
        )
    );
}

/// Replaces the four values of the query weight.
fn with_query(dtype: &'static str, bytes: Vec<u8>) -> TempDir {
    let (_, mut tensors) = example(Family::Bert);
    let query = tensors
        .iter_mut()
        .find(|t| t.name.ends_with("query.weight"))
        .unwrap();
    (query.dtype, query.bytes) = (dtype, bytes);
    model_folder(&tensors)
}

fn query<T: Real>(dir: &TempDir) -> Vec<T> {
    let (model, _) = load::<T>(dir, Family::Bert, Purpose::Inference);
    model
        .get("bert.encoder.layer.0.attention.self.query.weight")
        .iter()
        .copied()
        .collect()
}

/// binary16 is 1 sign, 5 exponent (bias 15) and 10 fraction bits: 0x3555 = (1 + 341/1024) 2^-2 = 1365/4096, 0x7bff =
/// (2 - 2^-10) 2^15 = 65504, 0x8001 = -2^-24 (subnormal).
#[test]
fn f16_values() {
    let dir = with_query(
        "F16",
        [0x3c00_u16, 0x3555, 0x7bff, 0x8001]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect(),
    );
    let smallest = -1.0 / f64::from(1 << 24);
    assert_eq!(query::<f64>(&dir), [1.0, 1365.0 / 4096.0, 65504.0, smallest]);
    assert_eq!(
        query::<f32>(&dir),
        [1.0, 1365.0 / 4096.0, 65504.0, smallest as f32]
    );
}

/// bfloat16 is the upper half of an f32: 0xc049 = -(1 + 73/128) 2 = -3.140625, 0x7f7f = (2 - 2^-7) 2^127, 0x0001 =
/// 2^-133.
#[test]
fn bf16_values() {
    let dir = with_query(
        "BF16",
        [0x3f80_u16, 0xc049, 0x7f7f, 0x0001]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect(),
    );
    let expected = [
        1.0,
        -3.140_625,
        (2.0 - 2.0_f64.powi(-7)) * 2.0_f64.powi(127),
        2.0_f64.powi(-133),
    ];
    assert_eq!(query::<f64>(&dir), expected);
    assert_eq!(
        query::<f32>(&dir),
        expected.map(|x| f32::from_bits((x as f32).to_bits()))
    );
    assert_eq!(query::<f32>(&dir)[2].to_bits(), 0x7f7f_0000);
}

/// Halfway cases go to the even neighbour: 1 + 2^-24 down to 1, 1 + 3*2^-24 up to 1 + 2^-22; just above halfway goes up.
#[test]
fn f64_rounds_to_nearest_even() {
    let unit = 2.0_f64.powi(-24);
    let values = [1.0 + unit, 1.0 + 3.0 * unit, 1.0 + unit + 2.0_f64.powi(-52), 0.1];
    let dir = with_query("F64", values.iter().flat_map(|x| x.to_le_bytes()).collect());
    assert_eq!(query::<f64>(&dir), values);
    let bits: Vec<u32> = query::<f32>(&dir).iter().map(|x| x.to_bits()).collect();
    assert_eq!(bits, [0x3f80_0000, 0x3f80_0002, 0x3f80_0001, 0x3dcc_cccd]);
}

#[test]
fn old_spellings_are_translated_and_reported() {
    for family in [Family::Bert, Family::Roberta] {
        let (tree, mut tensors) = example(family);
        for tensor in &mut tensors {
            let bare = tensor
                .name
                .strip_prefix(&format!("{}.", family.model_type()))
                .unwrap_or(&tensor.name);
            tensor.name = bare
                .replace("LayerNorm.weight", "LayerNorm.gamma")
                .replace("LayerNorm.bias", "LayerNorm.beta");
        }
        let (model, report) = load::<f32>(&model_folder(&tensors), family, Purpose::Inference);
        assert_eq!(model, tree);
        let prefix = family.model_type();
        assert_eq!(
            report.renamed[..5],
            [
                (
                    "embeddings.word_embeddings.weight",
                    "embeddings.word_embeddings.weight"
                ),
                (
                    "embeddings.position_embeddings.weight",
                    "embeddings.position_embeddings.weight"
                ),
                (
                    "embeddings.token_type_embeddings.weight",
                    "embeddings.token_type_embeddings.weight"
                ),
                ("embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
                ("embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
            ]
            .map(|(from, to)| (from.to_owned(), format!("{prefix}.{to}")))
        );
        let kept = tensors
            .iter()
            .filter(|tensor| tensor.name.starts_with("classifier."))
            .count();
        assert_eq!(report.renamed.len(), tensors.len() - kept);
    }
}

#[test]
fn unused_parts_are_ignored_and_listed() {
    for (family, unused) in [
        (
            Family::Bert,
            vec![
                "bert.embeddings.position_ids",
                "cls.predictions.bias",
                "cls.x.LayerNorm.gamma",
                "qa_outputs.bias",
            ],
        ),
        (
            Family::Roberta,
            vec![
                "lm_head.bias",
                "pooler.dense.bias",
                "roberta.embeddings.position_ids",
                "roberta.pooler.dense.weight",
            ],
        ),
    ] {
        let (tree, mut tensors) = example(family);
        for name in &unused {
            // A type that no weight may have: nobody reads it.
            tensors.push(Stored {
                name: (*name).to_owned(),
                dtype: "I64",
                shape: vec![1],
                bytes: vec![0; 8],
            });
        }
        let (model, report) = load::<f32>(&model_folder(&tensors), family, Purpose::Inference);
        assert_eq!(model, tree);
        assert_eq!(report.ignored, unused);
    }
}

#[test]
fn fine_tuning_may_start_without_pooler_and_head() {
    let (tree, mut tensors) = example(Family::Bert);
    tensors.retain(|t| t.name.starts_with("bert.e"));
    let (model, report) = load::<f32>(&model_folder(&tensors), Family::Bert, Purpose::FineTuning);
    let new = [
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    ];
    assert_eq!(report.to_initialise, new);
    for (name, tensor) in &model.0 {
        if new.contains(&name.as_str()) {
            assert!(tensor.iter().all(|x| *x == -7.0), "{name}");
        } else {
            assert_eq!(tensor, tree.get(name));
        }
    }
}

#[test]
fn fine_tuning_replaces_an_output_layer_with_other_labels() {
    for (family, layer) in [
        (Family::Bert, "classifier"),
        (Family::Roberta, "classifier.out_proj"),
    ] {
        let (tree, mut tensors) = example(family);
        for tensor in tensors.iter_mut().filter(|t| t.name.starts_with(layer)) {
            tensor.shape[0] = 3;
            tensor.bytes = vec![0; 4 * tensor.shape.iter().product::<usize>()];
        }
        let (model, report) = load::<f32>(&model_folder(&tensors), family, Purpose::FineTuning);
        let new = [format!("{layer}.weight"), format!("{layer}.bias")];
        assert_eq!(report.to_initialise, new);
        assert!(report.ignored.is_empty());
        assert_eq!(report.taken.len(), tensors.len() - 2);
        for (name, tensor) in &model.0 {
            assert!(if new.contains(name) {
                tensor[vec![0; tensor.ndim()].as_slice()] == -7.0
            } else {
                tensor == tree.get(name)
            });
        }
    }
}

#[test]
fn fine_tuning_ignores_heads_of_other_tasks() {
    let (_, mut tensors) = example(Family::Bert);
    for tensor in tensors.iter_mut().filter(|t| t.name.starts_with("classifier.")) {
        tensor.name = tensor.name.replace("classifier.", "classifier.dense.");
    }
    tensors.push(Stored {
        name: "score.weight".to_owned(),
        dtype: "F32",
        shape: vec![],
        bytes: vec![0; 4],
    });
    let (_, report) = load::<f32>(&model_folder(&tensors), Family::Bert, Purpose::FineTuning);
    assert_eq!(
        report.ignored,
        ["classifier.dense.bias", "classifier.dense.weight", "score.weight"]
    );
    assert_eq!(report.to_initialise, ["classifier.weight", "classifier.bias"]);
}

#[test]
fn the_report_reads_well() {
    let (_, mut tensors) = example(Family::Bert);
    tensors.retain(|t| t.name.starts_with("bert.e"));
    tensors[0].name = "embeddings.word_embeddings.weight".to_owned();
    tensors.push(Stored {
        name: "cls.seq.bias".to_owned(),
        dtype: "F32",
        shape: vec![1],
        bytes: vec![0; 4],
    });
    let bytes = encode(&tensors);
    let dir = folder(&[("model.safetensors", &bytes)]);
    let (_, report) = load::<f32>(&dir, Family::Bert, Purpose::FineTuning);
    // 5*2 + 4*2 + 2*2 + 2 + 2 in the embeddings; 4 (2*2 + 2) + (3*2 + 3) + (2*3 + 2) + 4*2 in the layer.
    let expected = format!(
        "loaded 21 tensors (75 values, F32)\n  from DIR/model.safetensors ({} bytes, {})\n  renamed 1: \
         embeddings.word_embeddings.weight -> bert.embeddings.word_embeddings.weight\n  ignored 1: cls.seq.bias\n  to \
         be initialised 4: bert.pooler.dense.weight, bert.pooler.dense.bias, classifier.weight and 1 more",
        bytes.len(),
        fnv1a64(&bytes)
    );
    assert_eq!(
        report.to_string().replace(dir.path().to_str().unwrap(), "DIR"),
        expected
    );
}

#[test]
fn three_names_are_shown_in_full() {
    let report = LoadReport {
        files: Vec::new(),
        taken: Vec::new(),
        renamed: Vec::new(),
        ignored: ["a", "b", "c"].map(str::to_owned).to_vec(),
        to_initialise: Vec::new(),
        other_labels: Vec::new(),
    };
    assert_eq!(
        report.to_string(),
        "loaded 0 tensors (0 values)\n  ignored 3: a, b, c"
    );
}
