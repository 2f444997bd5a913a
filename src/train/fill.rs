//! How well a masked language model fills the gaps of a text.

use crate::model::ModelConfig;
use crate::model::masked_lm::{MaskedLanguageModel, row_losses};
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use crate::train::examples::Examples;
use crate::train::masking::MaskedText;
use rayon::prelude::*;

/// What a model makes of the masked positions of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillScores {
    /// The mean of `−log p(word)`.
    pub loss: f64,
    /// The share of positions where the likeliest word (of equals the first) is the one that stood there.
    pub accuracy: f64,
    /// Masked positions.
    pub positions: usize,
}

impl FillScores {
    /// `exp(loss)`: as many words in doubt, evenly.
    pub fn perplexity(self) -> f64 {
        libm::exp(self.loss)
    }
}

/// Scores a model on a text as epoch 0 masks it, without dropout, `batch_size` sequences at once; the numbers do not
/// depend on how many. `progress` is called after each batch with the number of sequences done.
///
/// # Panics
/// If `batch_size` is zero.
pub fn fill<T: Real>(
    config: &ModelConfig,
    model: &MaskedLanguageModel<T>,
    text: &MaskedText,
    batch_size: usize,
    mut progress: impl FnMut(usize),
) -> FillScores {
    let pool = Pool::new();
    let all: Vec<usize> = (0..text.count()).collect();
    let (mut loss, mut right, mut positions, mut done) = (0.0, 0, 0, 0);
    for chosen in all.chunks(batch_size) {
        let part = text.pack(chosen, 0, 0);
        let z = model.infer(config, &part.batch, &part.targets.rows, &pool);
        for row in row_losses(z.view(), &part.targets.words) {
            loss += row;
        }
        let words = largest(&z);
        right += words
            .iter()
            .zip(&part.targets.words)
            .filter(|(a, b)| a == b)
            .count();
        positions += words.len();
        done += chosen.len();
        progress(done);
    }
    let count = positions.max(1) as f64;
    FillScores {
        loss: loss / count,
        accuracy: right as f64 / count,
        positions,
    }
}

/// The column of the largest element of each row, the first of equals.
fn largest<T: Real>(z: &Buffer<T>) -> Vec<usize> {
    let columns = z.ncols();
    let rows = z.flat().par_chunks(columns);
    rows.map(|z| (1..columns).fold(0, |best, i| if z[i] > z[best] { i } else { best }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Family, Problem};
    use crate::train::masking::{Masking, Segments, Vocabulary};
    use ndarray::arr1;

    fn config() -> ModelConfig {
        ModelConfig {
            family: Family::Bert,
            vocab_size: 7,
            hidden_size: 2,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            intermediate_size: 1,
            hidden_act: Activation::Gelu,
            hidden_dropout_prob: 0.5,
            attention_probs_dropout_prob: 0.5,
            classifier_dropout: None,
            max_position_embeddings: 5,
            type_vocab_size: 1,
            layer_norm_eps: 1e-12,
            initializer_range: 0.02,
            pad_token_id: 0,
            problem: Problem::Classification,
            labels: vec!["a".to_owned(), "b".to_owned()],
        }
    }

    fn vocabulary() -> Vocabulary {
        Vocabulary {
            mask: 1,
            is_special: (0..7).map(|id| id < 4).collect(),
            continues: vec![false; 7],
        }
    }

    /// A model of zeros but for the bias of the output gives every position its bias: 2 for word 5 and 1 for the masks'
    /// own 1, 0 for the five others. With p = 1 every word is asked for: 4 5 5 and 6 5. The likeliest is always 5, right in
    /// three of five; L = ln(e² + e + 5) − 3 · 2 / 5. Two words as likely: the first counts, and 5 never does.
    #[test]
    fn worked_example() {
        let config = config();
        let text = MaskedText {
            sequences: [vec![2, 4, 5, 5, 3], vec![2, 6, 5, 3]]
                .map(Segments::one)
                .to_vec(),
            masking: Masking::new(vocabulary(), 1.0, false, 9),
        };
        let mut model = MaskedLanguageModel::<f64>::zeros(&config);
        model.head.bias = arr1(&[0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
        let mut done = Vec::new();
        let found = fill(&config, &model, &text, 1, |n| done.push(n));
        assert_eq!((found.accuracy, found.positions, done), (0.6, 5, vec![1, 2]));
        let loss = (2.0_f64.exp() + 1.0_f64.exp() + 5.0).ln() - 1.2;
        assert!((found.loss - loss).abs() < 1e-14, "{found:?}");
        assert!((found.perplexity().ln() - loss).abs() < 1e-14);
        assert_eq!(fill(&config, &model, &text, 2, |_| {}), found);
        model.head.bias[4] = 2.0;
        assert_eq!(fill(&config, &model, &text, 2, |_| {}).accuracy, 0.2);
    }

    /// The masks of an evaluation are those of epoch 0, each sequence by its own number. With p = 1/2 a part of twelve words
    /// is asked for; `apply` says which, and only words 5 are guessed right.
    #[test]
    fn the_masks_of_epoch_0() {
        let words = |sequence: u32| (0..12).map(move |i| 4 + (sequence + i) % 3).collect::<Vec<u32>>();
        let masking = Masking::new(vocabulary(), 0.5, false, 3);
        let chosen =
            |epoch: u64, number: u64, sequence: u32| masking.apply(&words(sequence), epoch, number).words;
        let asked = |epoch: u64, first: u64| [chosen(epoch, first, 0), chosen(epoch, first + 1, 1)].concat();
        let counts = |asked: Vec<u32>| (asked.iter().filter(|&&word| word == 5).count(), asked.len());
        let expected = counts(asked(0, 0));
        // Another epoch and other numbers of the sequences ask for other words.
        assert!(counts(asked(1, 0)) != expected && counts(asked(0, 1)) != expected);
        let text = MaskedText {
            sequences: vec![Segments::one(words(0)), Segments::one(words(1))],
            masking: masking.clone(),
        };
        let config = ModelConfig {
            max_position_embeddings: 12,
            ..config()
        };
        let mut model = MaskedLanguageModel::<f64>::zeros(&config);
        model.head.bias = arr1(&[0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
        for batch_size in [1, 2] {
            let found = fill(&config, &model, &text, batch_size, |_| {});
            let right = expected.0 as f64 / expected.1 as f64;
            assert_eq!((found.accuracy, found.positions), (right, expected.1));
        }
    }
}
