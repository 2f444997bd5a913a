//! The head of masked language modelling: against a central difference, against transformers' `BertForMaskedLM` number
//! by number (`fixtures/masked-lm`, made by `fixtures/make/masked_lm.py`), and in and out of folders.

use crate::gradcheck::{Value, check, normal, small_batch, small_config};
use crate::scratch::{fixture, shared};
use crate::tensors::{Tensor, distance, norm, tensors};
use cwgnc::checkpoint::{self, Purpose, Width};
use cwgnc::model::{
    Activation, Batch, Criterion, Family, MaskedLanguageModel, MaskedWords, ModelConfig, Noise, Part,
    Problem, SequenceClassifier, init,
};
use cwgnc::nn::cross_entropy::{cross_entropy, softmax};
use cwgnc::optim::{AdamWForm, AdamWSettings};
use cwgnc::param::ParamTree;
use cwgnc::pool::Pool;
use cwgnc::real::Real;
use cwgnc::train::{Mean, Micro, Network, Trainer};
use std::collections::BTreeMap;

fn settings() -> AdamWSettings {
    AdamWSettings {
        form: AdamWForm::Torch,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
    }
}

/// The loss as a function of every parameter tensor. Row 4 of the batch is token 0 alone in its sequence, row 7 is looked
/// up and is a word to be found, the padding token (1) is a word to be found and is looked up nowhere.
#[test]
fn every_gradient_against_a_difference() {
    let noise = Noise::Step { seed: 1, step: 2 };
    for (hidden_act, noise) in [
        (Activation::Gelu, Noise::Off),
        (Activation::Silu, noise),
        (Activation::GeluTanh, noise),
    ] {
        let config = small_config(Family::Bert, Problem::Classification, hidden_act);
        let masked = MaskedWords {
            rows: vec![0, 4, 7, 9],
            words: vec![3, 1, 12, 3],
        };
        let mut start = MaskedLanguageModel::<f64>::zeros(&config);
        init::initialise(&mut start, config.initializer_range, 3, |_| true);
        let values: Vec<Value> = start
            .params()
            .into_iter()
            .map(|(name, x)| (name.clone(), &x + &normal(&name, x.shape(), 0.3).1))
            .collect();
        check(&format!("masked lm {hidden_act:?} {noise:?}"), &values, |v| {
            let mut model = start.clone();
            for ((_, mut param), v) in model.params_mut().into_iter().zip(v) {
                param.assign(v);
            }
            let part = Micro {
                batch: small_batch(),
                targets: masked.clone(),
            };
            let mut grad = MaskedLanguageModel::zeros(&config);
            // The mean over five positions, of which this part has four.
            let criterion = Criterion::default();
            let mean = Mean {
                criterion: &criterion,
                total: 5.0,
            };
            let loss = model.accumulate(&config, &part, mean, noise, &mut grad, &Pool::new());
            (
                loss,
                grad.params().into_iter().map(|(_, g)| g.to_owned()).collect(),
            )
        });
    }
}

struct Case {
    config: ModelConfig,
    tensors: BTreeMap<String, Tensor>,
}

impl Case {
    fn read() -> Self {
        let folder = fixture("masked-lm");
        Self {
            config: checkpoint::read_config(&folder).expect("a configuration").config,
            tensors: tensors(&folder.join("case.safetensors")).0,
        }
    }

    fn model<T: Real>(&self) -> MaskedLanguageModel<T> {
        let mut model = MaskedLanguageModel::zeros(&self.config);
        checkpoint::load_into(
            &fixture("masked-lm"),
            &self.config,
            Purpose::Inference,
            &mut model,
        )
        .expect("the fixture");
        model
    }

    fn rows(&self, name: &str) -> Vec<Vec<i64>> {
        let tensor = &self.tensors[name];
        tensor
            .values
            .chunks(tensor.shape[1])
            .map(|row| row.iter().map(|&x| x as i64).collect())
            .collect()
    }

    /// The chosen sequences without their padding, with the words that their masked positions had.
    fn part(&self, chosen: &[usize]) -> Micro<MaskedWords> {
        let (ids, types, real, labels) = (
            self.rows("input_ids"),
            self.rows("token_type_ids"),
            self.rows("attention_mask"),
            self.rows("labels"),
        );
        let (mut sequences, mut targets, mut at) = (Vec::new(), MaskedWords::default(), 0);
        for &k in chosen {
            let n = real[k].iter().filter(|&&m| m == 1).count();
            let own = |row: &[i64]| row[..n].iter().map(|&x| x as u32).collect::<Vec<_>>();
            sequences.push((own(&ids[k]), own(&types[k])));
            for (column, &label) in labels[k][..n].iter().enumerate().filter(|(_, l)| **l >= 0) {
                targets.rows.push(at + column);
                targets.words.push(label as usize);
            }
            at += n;
        }
        let batch = Batch::pack(sequences.iter().map(|(ids, types)| (&ids[..], &types[..])), 0);
        Micro { batch, targets }
    }

    fn check<T: Real>(&self, tolerance: f64) {
        let all: Vec<usize> = (0..self.tensors["input_ids"].shape[0]).collect();
        let part = self.part(&all);
        let m = part.targets.rows.len();
        let model = self.model::<T>();
        let (z, _) = model.forward(
            &self.config,
            &part.batch,
            &part.targets.rows,
            Noise::Off,
            &Pool::new(),
        );
        let logits = &self.tensors["logits"];
        assert_eq!(z.shape(), logits.shape);
        let close = |what: &str, got: Vec<f64>, expected: &[f64], scale: f64| {
            let distance = distance(got, expected, scale);
            assert!(distance <= tolerance, "{what}: {distance:e}");
        };
        let found = z.iter().map(|z| z.widen()).collect();
        close("logits", found, &logits.values, norm(&logits.values));

        // In one part, and each sequence by itself.
        for parts in [vec![all.clone()], all.iter().map(|&k| vec![k]).collect()] {
            let mut trainer = Trainer::new(self.config.clone(), model.clone(), settings());
            let loss: f64 = parts
                .iter()
                .map(|chosen| trainer.accumulate(&self.part(chosen), m as f64, Noise::Off))
                .sum();
            let expected = &self.tensors["loss"].values;
            close("loss", vec![loss], expected, expected[0]);
            let grads = trainer.grad().params();
            assert_eq!(
                grads.len() + 6,
                self.tensors.len(),
                "a gradient for each parameter"
            );
            let norms: Vec<f64> = grads
                .iter()
                .map(|(name, _)| norm(&self.tensors[&format!("grad/{name}")].values))
                .collect();
            let mean = norms.iter().sum::<f64>() / norms.len() as f64;
            for ((name, grad), norm) in grads.iter().zip(norms) {
                let expected = &self.tensors[&format!("grad/{name}")];
                assert_eq!(grad.shape(), expected.shape, "{name}");
                // Key biases have no gradient but rounding.
                let scale = if norm < 1e-9 * mean { mean } else { norm };
                let found = grad.iter().map(|g| g.widen()).collect();
                close(name, found, &expected.values, scale);
            }
        }
    }
}

#[test]
fn f64_agrees_with_transformers() {
    Case::read().check::<f64>(1e-10);
}

#[test]
fn f32_agrees_with_transformers() {
    Case::read().check::<f32>(2e-5);
}

/// Five tensors of the head after those of the encoder, in transformers' order.
#[test]
fn names_and_parts() {
    let model = Case::read().model::<f64>();
    let params = model.params();
    let head: Vec<&str> = params[params.len() - 5..]
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        head,
        [
            "cls.predictions.bias",
            "cls.predictions.transform.dense.weight",
            "cls.predictions.transform.dense.bias",
            "cls.predictions.transform.LayerNorm.weight",
            "cls.predictions.transform.LayerNorm.bias",
        ]
    );
    let parts = model.parts();
    assert_eq!(parts.len(), params.len());
    assert!(parts[params.len() - 5..].iter().all(|p| *p == Part::Predictions));
    assert_eq!(parts[params.len() - 6], Part::Layer(1));
}

/// The mean loss over five positions of a uniform model over v words is ln v, and its dz sums to nothing.
#[test]
fn a_model_that_knows_nothing() {
    let z = ndarray::Array2::<f64>::zeros((5, 1000));
    let (loss, dz) = cross_entropy(
        z.view(),
        &[0, 999, 5, 5, 7],
        &Criterion::default(),
        5.0,
        &Pool::new(),
    );
    assert!((loss - 1000_f64.ln()).abs() < 1e-12, "{loss}");
    assert!(dz.sum().abs() < 1e-12);
}

/// Saved and loaded again: the same numbers, or in half width those nearest to them; the configuration says what it is.
/// A classifier takes the encoder from such a folder and starts its own head.
#[test]
fn folders() {
    let case = Case::read();
    let model = case.model::<f32>();
    let base = checkpoint::read_config(&fixture("masked-lm"))
        .expect("a configuration")
        .raw;
    let folder = crate::scratch::folder("masked-lm-folders");
    for (name, width) in [("own", Width::Own), ("half", Width::Half)] {
        let dir = folder.join(name);
        checkpoint::save_masked_lm(&dir, &case.config, &base, &model, width).expect("saved");
        let saved = checkpoint::read_config(&dir).expect("a configuration");
        assert_eq!(saved.config, case.config);
        assert_eq!(saved.raw["architectures"], serde_json::json!(["BertForMaskedLM"]));
        let mut again = MaskedLanguageModel::<f32>::zeros(&case.config);
        checkpoint::load_into(&dir, &case.config, Purpose::Inference, &mut again).expect("loaded");
        for ((name, a), (_, b)) in model.params().into_iter().zip(again.params()) {
            for (&a, &b) in a.iter().zip(&b) {
                match width {
                    Width::Own => assert_eq!(a, b, "{name}"),
                    // Eleven binary digits.
                    Width::Half => assert!((a - b).abs() <= a.abs() * 2.0_f32.powi(-11) + 1e-7, "{name}"),
                }
            }
        }
        let mut classifier = SequenceClassifier::<f32>::zeros(&case.config);
        let report = checkpoint::load_into(&dir, &case.config, Purpose::FineTuning, &mut classifier);
        let report = report.expect("the encoder");
        assert_eq!(classifier.encoder, again.encoder);
        assert_eq!((report.ignored.len(), report.to_initialise.len()), (5, 4));
    }
    let mut large = model;
    large.head.bias[3] = 65_520.0;
    let refused = checkpoint::save_masked_lm(&folder, &case.config, &base, &large, Width::Half);
    let text = refused.expect_err("beyond the range").to_string();
    assert!(text.ends_with("`cls.predictions.bias` has a value that 16 bits cannot hold; save it in 32"));
    large.head.bias[3] = 65_519.0;
    checkpoint::save_masked_lm(&folder, &case.config, &base, &large, Width::Half).expect("it rounds down");
}

/// A decoder that a file writes out must be the table of word embeddings, and an encoder without a head is a start.
#[test]
fn a_written_decoder_must_be_tied() {
    let case = Case::read();
    let model = case.model::<f64>();
    let folder = crate::scratch::folder("masked-lm-decoder");
    let load = |extra: &[(&str, ndarray::Array2<f64>)], without: &str, purpose| {
        let mut tensors = model.params();
        tensors.retain(|(name, _)| without.is_empty() || !name.starts_with(without));
        tensors.extend(
            extra
                .iter()
                .map(|(name, x)| ((*name).to_owned(), x.view().into_dyn())),
        );
        checkpoint::save_tensors(&folder.join("model.safetensors"), &tensors).expect("written");
        let mut found = MaskedLanguageModel::<f64>::zeros(&case.config);
        checkpoint::load_into(&folder, &case.config, purpose, &mut found)
    };
    let table = model.encoder.embeddings.word_embeddings.weight.clone();
    let name = "cls.predictions.decoder.weight";
    let report = load(&[(name, table.clone())], "", Purpose::Inference).expect("tied");
    assert_eq!(report.ignored, [name]);
    let refused = load(&[(name, -table)], "", Purpose::Inference).expect_err("another matrix");
    let text = refused.to_string();
    assert!(
        text.ends_with(
            "cls.predictions.decoder.weight: not the values of bert.embeddings.word_embeddings.weight; only a head tied \
             to the word embeddings is supported"
        ),
        "{text}"
    );
    let fresh = load(&[], "cls.", Purpose::FineTuning).expect("an encoder alone");
    assert_eq!(fresh.to_initialise.len(), 5);
    load(&[], "cls.", Purpose::Inference).expect_err("no head");
    load(&[], "cls.predictions.bias", Purpose::FineTuning).expect_err("half a head");
}

/// A trained model fills a gap as it should: an independent sign that names, tying and order of layers are right.
#[test]
fn a_published_model_knows_its_words() {
    let Some(folder) = shared("models/bert-tiny-splade") else {
        return;
    };
    let config = checkpoint::read_config(&folder).expect("a configuration").config;
    let mut model = MaskedLanguageModel::<f32>::zeros(&config);
    checkpoint::load_into(&folder, &config, Purpose::Inference, &mut model).expect("a whole head");
    let vocabulary = std::fs::read_to_string(folder.join("vocab.txt")).expect("a vocabulary");
    let words: Vec<&str> = vocabulary.lines().collect();
    let id = |word: &str| words.iter().position(|w| *w == word).expect("a word") as u32;
    // SPLADE's output at a token ranks the token itself and its kin.
    let text = ["[CLS]", "the", "capital", "of", "france", "is", "paris", "[SEP]"].map(id);
    let batch = Batch::pack([(&text[..], &[0; 8][..])], 0);
    let (z, _) = model.forward(&config, &batch, &[2, 4, 6], Noise::Off, &Pool::new());
    for (row, word) in z.rows().into_iter().zip(["capital", "france", "paris"]) {
        let p = softmax(row.iter().map(|z| z.widen()));
        let best = (0..p.len())
            .max_by(|&a, &b| p[a].total_cmp(&p[b]))
            .expect("words");
        assert_eq!(words[best], word);
    }
}
