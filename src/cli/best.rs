//! The best evaluation of a run so far, with its model: what `--load-best` reports and saves.

use super::Error;
use super::best_metric::BestMetric;
use super::score::Scores;
use crate::checkpoint;
use crate::model::SequenceClassifier;
use crate::param::ParamTree;
use crate::real::Real;
use serde_json::{Value, json};
use std::path::Path;

/// The best model so far, if any evaluation gave a number.
#[derive(Clone, Debug)]
pub(super) struct Best<T> {
    /// The step after which it was evaluated.
    pub(super) step: usize,
    /// The number that decides, turned so that more is better.
    score: f64,
    pub(super) model: SequenceClassifier<T>,
}

/// The model's tensors in a checkpoint.
const TENSORS: &str = "best.safetensors";

/// The number that decides of an evaluation (on the first dev set), turned so that more is better; none that is not finite.
pub(super) fn score(criterion: BestMetric, scores: &[Scores]) -> Option<f64> {
    let first = scores.first()?;
    let name = format!("eval_{}{}", criterion.key(), first.suffix);
    let (_, value) = first.values.iter().find(|(known, _)| *known == name)?;
    let sign = if criterion.more_is_better() { 1.0 } else { -1.0 };
    Some(sign * value).filter(|score| score.is_finite())
}

impl<T: Real> Best<T> {
    /// Puts the model evaluated after `step` in the place of `best` if it is better.
    pub(super) fn consider(
        best: &mut Option<Self>,
        step: usize,
        criterion: BestMetric,
        scores: &[Scores],
        model: &SequenceClassifier<T>,
    ) {
        let Some(score) = score(criterion, scores) else {
            return;
        };
        if best.as_ref().is_none_or(|best| score > best.score) {
            let model = model.clone();
            *best = Some(Self { step, score, model });
        }
    }

    /// Writes the model into a checkpoint's folder and gives the entry of its state.
    pub(super) fn save(best: Option<&Self>, dir: &Path) -> Result<Value, Error> {
        let Some(best) = best else {
            return Ok(Value::Null);
        };
        checkpoint::save_tensors(&dir.join(TENSORS), &best.model.params())?;
        Ok(json!({"step": best.step, "score": best.score}))
    }

    /// Reads what [`Best::save`] wrote, into a model of the shape of `like`; `None` if there is nothing of it.
    pub(super) fn load(
        dir: &Path,
        state: &Value,
        like: &SequenceClassifier<T>,
    ) -> Result<Option<Self>, Error> {
        let (Some(step), Some(score)) = (state["step"].as_u64(), state["score"].as_f64()) else {
            return Ok(None);
        };
        let file = dir.join(TENSORS);
        let mut tensors = checkpoint::load_tensors::<T>(&file)?;
        let mut model = like.clone();
        for (name, mut value) in model.params_mut() {
            let tensor = tensors
                .remove(&name)
                .filter(|tensor| tensor.shape() == value.shape());
            let shape = value.shape().to_vec();
            let tensor = tensor.ok_or_else(|| {
                Error::Resume(format!("{}: no `{name}` of the shape {shape:?}", file.display()))
            })?;
            value.assign(&tensor);
        }
        let step = step as usize;
        Ok(Some(Self { step, score, model }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Metric;
    use crate::model::{Activation, Family, ModelConfig, Problem};

    fn scores(values: &[(&str, f64)]) -> Vec<Scores> {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect();
        vec![Scores {
            values,
            further: Vec::new(),
            classes: None,
            samples: 1,
            batches: 1,
            seconds: 1.0,
            suffix: "",
        }]
    }

    /// Of 0.5, NaN, 0.7, 0.7, 0.6 the third is the best: equal is not better, and NaN is nothing.
    #[test]
    fn the_earliest_of_the_best() {
        let config = ModelConfig {
            family: Family::Bert,
            vocab_size: 2,
            hidden_size: 2,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            intermediate_size: 2,
            hidden_act: Activation::Gelu,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            classifier_dropout: None,
            max_position_embeddings: 2,
            type_vocab_size: 1,
            layer_norm_eps: 1e-12,
            initializer_range: 0.02,
            pad_token_id: 0,
            problem: Problem::Classification,
            labels: vec!["a".to_owned(), "b".to_owned()],
        };
        let mut model = SequenceClassifier::<f64>::zeros(&config);
        let mut best = None;
        for (step, value) in [
            (1, f64::NAN),
            (2, 0.5),
            (3, 0.7),
            (4, 0.7),
            (5, f64::NAN),
            (6, 0.6),
        ] {
            model.head.out.bias[0] = step as f64;
            let scores = scores(&[("eval_loss", 9.0), ("eval_accuracy", 1.0), ("eval_f1", value)]);
            Best::consider(&mut best, step, BestMetric::Metric(Metric::F1), &scores, &model);
            assert_eq!(best.is_none(), step == 1);
        }
        let best = best.expect("there were numbers");
        assert_eq!((best.step, best.model.head.out.bias[0]), (3, 3.0));
    }

    /// An error and a loss are better when they are smaller.
    #[test]
    fn errors_count_backwards() {
        let errors = [Metric::MeanSquaredError, Metric::MeanAbsoluteError].map(BestMetric::Metric);
        for criterion in [errors[0], errors[1], BestMetric::Loss] {
            let name = format!("eval_{}", criterion.key());
            let of = |value| score(criterion, &scores(&[(name.as_str(), value)]));
            assert!(of(0.5) > of(0.6), "{name}");
        }
        let accuracy = BestMetric::Metric(Metric::Accuracy);
        assert_eq!(score(accuracy, &scores(&[("eval_mse", 1.0)])), None);
    }
}
