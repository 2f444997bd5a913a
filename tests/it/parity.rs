//! PyTorch + transformers, number by number: logits, loss, every hidden state, every gradient and a training run.
//!
//! Runs every case folder of `fixtures/parity` (made by `fixtures/make/parity.py`) and below `CWGNC_PARITY` (by
//! default `../shared/parity`): float64 results on small random models without dropout. A case with a tensor or a
//! setting that this test does not understand fails. Distances are tensor-wise and relative, `‖got − expected‖ /
//! ‖expected‖`.

use crate::scratch::{fixture, shared};
use crate::tensors::{Tensor, distance, norm, tensors};
use cwgnc::checkpoint::{self, Purpose};
use cwgnc::clip::ClipPolicy;
use cwgnc::model::{
    Batch, Criterion, ModelConfig, Noise, Problem, SequenceClassifier, Targets, Tokens, classifier,
};
use cwgnc::optim::{AdamWForm, AdamWSettings, Schedule};
use cwgnc::param::ParamTree;
use cwgnc::pool::Pool;
use cwgnc::real::Real;
use cwgnc::train::{Micro, Trainer};
use ndarray::Array2;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How far from PyTorch's float64 results a run in `T` may be.
struct Tolerance {
    /// Logits, losses, hidden states and gradients.
    values: f64,
    /// Weights after the training run.
    trained: f64,
}

/// Both libraries round to 2⁻⁵³ in another order; a few thousand operations deep.
const F64: Tolerance = Tolerance {
    values: 1e-10,
    trained: 1e-10,
};

/// 2⁻²⁴ times a few hundred; Adam divides by the root of the second moment, which magnifies small gradients' errors.
const F32: Tolerance = Tolerance {
    values: 2e-5,
    trained: 1e-3,
};

struct Case {
    name: String,
    folder: PathBuf,
    config: ModelConfig,
    tensors: BTreeMap<String, Tensor>,
    steps: usize,
    clip: ClipPolicy,
    settings: AdamWSettings,
    lr: f64,
    linear: bool,
}

/// The case folders: committed ones, and more where `CWGNC_PARITY` or the shared folder has them.
fn cases() -> Vec<Case> {
    let mut roots = vec![fixture("parity")];
    roots.extend(match std::env::var_os("CWGNC_PARITY") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => shared("parity"),
    });
    let mut folders: Vec<PathBuf> = Vec::new();
    for root in roots {
        let entries = std::fs::read_dir(&root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
        folders.extend(
            entries
                .map(|entry| entry.expect("a readable folder").path())
                .filter(|p| p.is_dir()),
        );
    }
    folders.sort();
    assert!(folders.len() >= 10, "the committed cases are there");
    folders.iter().map(|folder| Case::read(folder)).collect()
}

impl Case {
    fn read(folder: &Path) -> Self {
        let name = folder
            .file_name()
            .expect("a folder name")
            .to_string_lossy()
            .into_owned();
        let config = checkpoint::read_config(folder)
            .unwrap_or_else(|e| panic!("{name}: {e}"))
            .config;
        let (tensors, mut metadata) = tensors(&folder.join("case.safetensors"));
        let mut text = |key: &str| {
            metadata
                .remove(key)
                .unwrap_or_else(|| panic!("{name}: no `{key}` in the metadata"))
        };
        assert_eq!(text("kind"), config.family.model_type(), "{name}: kind");
        let clip = match text("clip").as_str() {
            "null" => ClipPolicy::none(),
            c => ClipPolicy::cwgnc_as_published(c.parse().expect("a threshold")).expect("a threshold"),
        };
        let steps = text("steps").parse().expect("a number of steps");
        let train: Value = serde_json::from_str(&text("train")).expect("JSON settings");
        for key in ["seed", "torch", "transformers", "step1_norms"] {
            text(key);
        }
        assert!(
            metadata.is_empty(),
            "{name}: metadata that this test does not understand: {metadata:?}"
        );
        let number = |key: &str| {
            train[key]
                .as_f64()
                .unwrap_or_else(|| panic!("{name}: train.{key}"))
        };
        let form = match train.get("optimizer").and_then(Value::as_str) {
            None => AdamWForm::HuggingFace {
                correct_bias: train["correct_bias"].as_bool().expect("a flag"),
            },
            Some("torch") => AdamWForm::Torch,
            Some(other) => panic!("{name}: optimizer {other}"),
        };
        for key in train.as_object().expect("an object").keys() {
            let known = [
                "lr",
                "eps",
                "weight_decay",
                "correct_bias",
                "schedule",
                "optimizer",
            ];
            assert!(
                known.contains(&key.as_str()),
                "{name}: train.{key} is not understood"
            );
        }
        let linear = match train["schedule"].as_str() {
            Some("linear") => true,
            Some("constant") => false,
            other => panic!("{name}: schedule {other:?}"),
        };
        let (epsilon, weight_decay) = (number("eps"), number("weight_decay"));
        let settings = AdamWSettings {
            form,
            beta1: 0.9,
            beta2: 0.999,
            epsilon,
            weight_decay,
        };
        let lr = number("lr");
        let folder = folder.to_owned();
        Self {
            name,
            folder,
            config,
            tensors,
            steps,
            clip,
            settings,
            lr,
            linear,
        }
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("{}: no tensor {name}", self.name))
    }

    fn model<T: Real>(&self) -> SequenceClassifier<T> {
        let mut model = SequenceClassifier::zeros(&self.config);
        checkpoint::load_into(&self.folder, &self.config, Purpose::Inference, &mut model)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name));
        model
    }

    /// The real tokens of each sequence: (ids, types), padding cut off.
    fn sequences(&self) -> Vec<(Vec<u32>, Vec<u32>)> {
        let columns = self.tensor("input_ids").shape[1];
        let rows = |name: &str| -> Vec<Vec<u32>> {
            self.tensor(name)
                .values
                .chunks(columns)
                .map(|r| r.iter().map(|&x| x as u32).collect())
                .collect()
        };
        let (ids, masks, types) = (rows("input_ids"), rows("attention_mask"), rows("token_type_ids"));
        ids.into_iter()
            .zip(masks)
            .zip(types)
            .map(|((ids, mask), types)| {
                let n = mask.iter().filter(|&&m| m == 1).count();
                assert!(
                    mask[..n].iter().all(|&m| m == 1),
                    "{}: a mask with holes",
                    self.name
                );
                (ids[..n].to_vec(), types[..n].to_vec())
            })
            .collect()
    }

    /// A part of a batch: the chosen sequences in the given order.
    fn part(&self, chosen: &[usize]) -> Micro {
        let sequences = self.sequences();
        let batch = Batch::pack(
            chosen.iter().map(|&k| (&sequences[k].0[..], &sequences[k].1[..])),
            0,
        );
        let labels = &self.tensor("labels").values;
        let targets = match self.config.problem {
            Problem::Classification => Targets::Classes(chosen.iter().map(|&k| labels[k] as usize).collect()),
            Problem::Regression => Targets::Values(Array2::from_shape_fn((chosen.len(), 1), |(i, _)| {
                labels[chosen[i]]
            })),
            Problem::Tokens => {
                let columns = self.tensor("input_ids").shape[1];
                let of_row = |&k: &usize| &labels[k * columns..][..sequences[k].0.len()];
                let tag = |&label: &f64| (label >= 0.0).then_some(label as usize);
                Targets::Tags(chosen.iter().flat_map(of_row).map(tag).collect())
            }
            Problem::MultiLabel => {
                let c = self.config.num_labels();
                let row = |(i, label): (usize, usize)| labels[chosen[i] * c + label];
                Targets::Labels(Array2::from_shape_fn((chosen.len(), c), row))
            }
        };
        Micro { batch, targets }
    }

    /// The rows of a padded `[b, s, h]` tensor that the chosen sequences have when packed.
    fn packed(&self, tensor: &Tensor, chosen: &[usize]) -> Vec<f64> {
        let [_, s, h] = tensor.shape[..] else {
            panic!("{}: three axes", self.name)
        };
        let sequences = self.sequences();
        chosen
            .iter()
            .flat_map(|&k| tensor.values[k * s * h..][..sequences[k].0.len() * h].to_vec())
            .collect()
    }

    fn close(
        &self,
        what: &str,
        got: impl IntoIterator<Item = f64>,
        expected: &[f64],
        scale: f64,
        tolerance: f64,
    ) {
        let distance = distance(got, expected, scale);
        assert!(
            distance <= tolerance,
            "{}: {what}: relative distance {distance:e} > {tolerance:e}",
            self.name
        );
    }

    /// Logits, loss and hidden states of one part, and its gradient accumulated into `trainer`.
    fn check_part<T: Real>(
        &self,
        trainer: &mut Trainer<T>,
        chosen: &[usize],
        b: usize,
        tolerance: f64,
    ) -> f64 {
        let part = self.part(chosen);
        let (pool, c) = (Pool::new(), self.config.num_labels());
        let logits: Vec<f64> = match self.config.problem {
            Problem::Tokens => self.packed(self.tensor("logits"), chosen),
            _ => chosen
                .iter()
                .flat_map(|&k| self.tensor("logits").values[k * c..][..c].to_vec())
                .collect(),
        };
        let total = self.total(b);
        for tokens in [Tokens::First, Tokens::All] {
            let (z, cache) = trainer
                .model
                .forward(&self.config, &part.batch, Noise::Off, tokens, &pool);
            self.close(
                "logits",
                z.iter().map(|z| z.widen()),
                &logits,
                norm(&logits),
                tolerance,
            );
            for (k, hidden) in cache.hidden_states().enumerate() {
                let expected = self.packed(self.tensor(&format!("hidden/{k}")), chosen);
                let what = format!("hidden/{k}");
                self.close(
                    &what,
                    hidden.iter().map(|x| x.widen()),
                    &expected,
                    norm(&expected),
                    tolerance,
                );
            }
            // All tokens asked for: the other way to the same gradient.
            let (_, dz) = classifier::loss(z.view(), &part.targets, &Criterion::default(), total, &pool);
            let mut grad = SequenceClassifier::zeros(&self.config);
            trainer
                .model
                .backward(&self.config, &part.batch, dz.view(), &cache, &mut grad, &pool);
            if chosen.len() == b {
                self.check_gradient(&grad, tolerance);
            }
        }
        trainer.accumulate(&part, total, Noise::Off)
    }

    /// What the loss of the whole batch is divided by.
    fn total(&self, b: usize) -> f64 {
        match self.config.problem {
            Problem::Tokens => {
                let labels = self.tensor("labels").values.iter();
                labels.filter(|label| **label >= 0.0).count() as f64
            }
            _ => b as f64,
        }
    }

    fn check_gradient<T: Real>(&self, grad: &SequenceClassifier<T>, tolerance: f64) {
        let grads = grad.params();
        let expected: Vec<&Tensor> = grads
            .iter()
            .map(|(name, _)| self.tensor(&format!("grad/{name}")))
            .collect();
        let scales = self.scales(
            &grads.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            &expected,
        );
        for (((name, grad), expected), scale) in grads.iter().zip(expected).zip(scales) {
            assert_eq!(grad.shape(), expected.shape, "{}: grad/{name}", self.name);
            self.close(
                &format!("grad/{name}"),
                grad.iter().map(|g| g.widen()),
                &expected.values,
                scale,
                tolerance,
            );
        }
    }

    fn check<T: Real>(&self, tolerance: &Tolerance) {
        let b = self.tensor("input_ids").shape[0];
        let forward: Vec<usize> = (0..b).collect();
        let reversed: Vec<usize> = (0..b).rev().collect();
        let single: Vec<Vec<usize>> = (0..b).map(|k| vec![k]).collect();
        for parts in [vec![forward], vec![reversed], single] {
            let mut trainer = Trainer::new(self.config.clone(), self.model::<T>(), self.settings);
            let loss: f64 = parts
                .iter()
                .map(|part| self.check_part(&mut trainer, part, b, tolerance.values))
                .sum();
            self.close(
                "loss",
                [loss],
                &self.tensor("loss").values,
                self.tensor("loss").values[0],
                tolerance.values,
            );
            self.check_gradient(trainer.grad(), tolerance.values);
        }
        self.check_training::<T>(tolerance);
    }

    fn check_training<T: Real>(&self, tolerance: &Tolerance) {
        let mut trainer = Trainer::new(self.config.clone(), self.model::<T>(), self.settings);
        let all: Vec<usize> = (0..self.tensor("input_ids").shape[0]).collect();
        let parts = [self.part(&all)];
        let schedule = Schedule::new(self.lr, 0.0, self.steps);
        for step in 0..self.steps {
            let lr = if self.linear {
                schedule.learning_rate(step)
            } else {
                self.lr
            };
            let report = trainer.step(&parts, Noise::Off, &self.clip, lr).expect("finite");
            let what = format!("step{}.loss", step + 1);
            let expected = &self.tensor(&what).values;
            self.close(
                &what,
                [report.loss],
                expected,
                expected[0],
                tolerance.values.max(tolerance.trained),
            );
        }
        let trained = trainer.model.params();
        let expected: Vec<&Tensor> = trained
            .iter()
            .map(|(name, _)| self.tensor(&format!("final/{name}")))
            .collect();
        let scales = self.scales(
            &trained.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            &expected,
        );
        for (((name, value), expected), scale) in trained.iter().zip(expected).zip(scales) {
            let what = format!("final/{name}");
            self.close(
                &what,
                value.iter().map(|x| x.widen()),
                &expected.values,
                scale,
                tolerance.trained,
            );
        }
    }

    /// What the distance of each parameter's tensor is relative to: its own norm, or the mean norm of all where the
    /// true gradient is zero (key biases: the softmax ignores a shift of all keys). There both sides hold rounding
    /// noise, which Adam then turns into small steps of random sign.
    fn scales(&self, names: &[&str], expected: &[&Tensor]) -> Vec<f64> {
        let mean = |norms: &[f64]| norms.iter().sum::<f64>() / norms.len() as f64;
        let gradients: Vec<f64> = names
            .iter()
            .map(|name| norm(&self.tensor(&format!("grad/{name}")).values))
            .collect();
        let norms: Vec<f64> = expected.iter().map(|tensor| norm(&tensor.values)).collect();
        let zero = 1e-9 * mean(&gradients);
        let scale = |(norm, gradient): (&f64, &f64)| if *gradient < zero { mean(&norms) } else { *norm };
        norms.iter().zip(&gradients).map(scale).collect()
    }

    /// Every tensor of the case is one that this test compares.
    fn check_nothing_is_left(&self) {
        let model = SequenceClassifier::<f64>::zeros(&self.config);
        let mut known: Vec<String> = [
            "input_ids",
            "attention_mask",
            "token_type_ids",
            "labels",
            "logits",
            "loss",
        ]
        .map(String::from)
        .to_vec();
        known.extend((0..=self.config.num_hidden_layers).map(|k| format!("hidden/{k}")));
        known.extend((1..=self.steps).map(|k| format!("step{k}.loss")));
        known.extend(
            model
                .params()
                .iter()
                .flat_map(|(name, _)| [format!("grad/{name}"), format!("final/{name}")]),
        );
        known.sort();
        let mut found: Vec<String> = self.tensors.keys().cloned().collect();
        found.sort();
        assert_eq!(found, known, "{}: the case's tensors", self.name);
    }
}

#[test]
fn every_case_is_understood() {
    cases().iter().for_each(Case::check_nothing_is_left);
}

#[test]
fn f64_agrees_with_pytorch() {
    for case in cases() {
        case.check::<f64>(&F64);
    }
}

#[test]
fn f32_agrees_with_pytorch() {
    for case in cases() {
        case.check::<f32>(&F32);
    }
}
