//! Work to measure a machine with: BERT's sizes with fresh weights, and batches of random words. What it computes is as
//! real as training gets; only what it learns is not.
//!
//! Batches have [`SEQUENCES`] sequences, their lengths [`Lengths::Full`] or like those of a task. The arithmetic that
//! [`forward_flops`] counts is that of the matrix products alone, with what this program does not compute (padding, the last
//! layer beyond the first tokens) left out: work done, not work claimed.

use crate::model::init::initialise;
use crate::model::{Activation, Batch, Family, ModelConfig, Problem, SequenceClassifier, Targets};
use crate::optim::{AdamWForm, AdamWSettings};
use crate::random::{below, stream};
use crate::train::step::{Micro, Trainer};

/// Sequences in a batch.
pub const SEQUENCES: usize = 16;

/// Tokens of the longest sequence.
pub const LONGEST: usize = 128;

/// A size that BERT was published in, or one of its distillations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// What it is called.
    pub name: &'static str,
    /// Encoder layers.
    pub layers: usize,
    /// Hidden size.
    pub hidden: usize,
    /// Attention heads.
    pub heads: usize,
}

/// From the smallest to the largest: Turc et al. 2019 (arXiv 1908.08962) for tiny, mini and small, Wang et al. 2020 (arXiv
/// 2002.10957) for `MiniLM` with six layers, Devlin et al. 2019 (arXiv 1810.04805) for base and large.
pub const SIZES: [Size; 6] = [
    size("tiny", 2, 128, 2),
    size("mini", 4, 256, 4),
    size("small", 4, 512, 8),
    size("minilm", 6, 384, 12),
    size("base", 12, 768, 12),
    size("large", 24, 1024, 16),
];

const fn size(name: &'static str, layers: usize, hidden: usize, heads: usize) -> Size {
    Size {
        name,
        layers,
        hidden,
        heads,
    }
}

impl Size {
    /// The size of this name.
    pub fn named(name: &str) -> Option<Self> {
        SIZES.into_iter().find(|size| size.name == name)
    }

    /// A BERT of this size with two labels: 30522 words, dropout 0.1, GELU, four times the hidden size in between.
    pub fn config(self) -> ModelConfig {
        ModelConfig {
            family: Family::Bert,
            vocab_size: 30_522,
            hidden_size: self.hidden,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            intermediate_size: 4 * self.hidden,
            hidden_act: Activation::Gelu,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            classifier_dropout: None,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            initializer_range: 0.02,
            pad_token_id: 0,
            problem: Problem::Classification,
            labels: vec!["0".to_owned(), "1".to_owned()],
        }
    }
}

/// How long sequences are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lengths {
    /// [`LONGEST`] tokens each.
    Full,
    /// Near those of RTE: [`LONGEST`] in a seventh of the sequences, the rest spread from 30 to 90, 70 on average.
    Real,
}

impl Lengths {
    /// `full` or `real`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "full" => Some(Self::Full),
            "real" => Some(Self::Real),
            _ => None,
        }
    }

    /// Those of a batch.
    pub fn of(self, batch: u64) -> Vec<usize> {
        let mut rng = stream(1, "lengths", batch);
        let mut length = || match below(&mut rng, 7) {
            0 => LONGEST,
            _ => 30 + below(&mut rng, 61) as usize,
        };
        (0..SEQUENCES)
            .map(|_| if self == Self::Full { LONGEST } else { length() })
            .collect()
    }
}

/// A batch of random words for a model of this shape: sequences of two segments, of these lengths if it can take so many
/// tokens, labels 0 and 1 in turn.
pub fn batch(config: &ModelConfig, lengths: &[usize], number: u64) -> Micro {
    let mut rng = stream(1, "ids", number);
    let words = config.vocab_size as u64;
    let last_type = config.type_vocab_size as u32 - 1;
    let sequences: Vec<(Vec<u32>, Vec<u32>)> = lengths
        .iter()
        .map(|&n| {
            let n = n.min(config.max_tokens());
            let ids = (0..n).map(|_| below(&mut rng, words) as u32).collect();
            let types = (0..n).map(|i| u32::from(i >= n / 2).min(last_type)).collect();
            (ids, types)
        })
        .collect();
    let pairs = sequences.iter().map(|(ids, types)| (&ids[..], &types[..]));
    Micro {
        batch: Batch::pack(pairs, 0),
        targets: Targets::Classes((0..lengths.len()).map(|i| i % 2).collect()),
    }
}

/// A fresh model of this shape, ready to be trained as Hugging Face's `run_glue.py` does.
pub fn trainer(config: &ModelConfig) -> Trainer<f32> {
    let mut model = SequenceClassifier::zeros(config);
    initialise(&mut model, config.initializer_range, 1, |_| true);
    let settings = AdamWSettings {
        form: AdamWForm::HuggingFace { correct_bias: true },
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
    };
    Trainer::new(config.clone(), model, settings)
}

/// Multiplications and additions of the products of one forward pass; backward has twice as many.
pub fn forward_flops(config: &ModelConfig, lengths: &[usize]) -> f64 {
    let (h, i) = (config.hidden_size as f64, config.intermediate_size as f64);
    let tokens: f64 = lengths.iter().map(|&n| n as f64).sum();
    let squares: f64 = lengths.iter().map(|&n| (n * n) as f64).sum();
    let sequences = lengths.len() as f64;
    let whole = tokens * (8.0 * h * h + 4.0 * h * i) + 4.0 * h * squares;
    let last = tokens * 4.0 * h * h + sequences * (4.0 * h * h + 4.0 * h * i) + 4.0 * h * tokens;
    (config.num_hidden_layers - 1) as f64 * whole + last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One layer of h = 2, i = 8, for sequences of one and three tokens. Keys and values: 4 tokens × two products of 2 × 2,
    /// 2 operations each: 4 × 2 × 8 = 64. For the two first tokens alone: query and output 2 × 2 × 8 = 32, in and out of the
    /// feed-forward 2 × 2 × 32 = 128. Scores and sums: for each of 4 pairs (first token, key) 2 × 2 × 2 = 8, 32 in all.
    /// A layer below it: 4 × (4 × 8 + 2 × 32) = 384 and 1 + 9 = 10 pairs, 80.
    #[test]
    fn operations_by_hand() {
        let mut config = size("toy", 1, 2, 1).config();
        assert_eq!(forward_flops(&config, &[1, 3]), 64.0 + 32.0 + 128.0 + 32.0);
        config.num_hidden_layers = 2;
        assert_eq!(forward_flops(&config, &[1, 3]), 256.0 + 384.0 + 80.0);
    }

    #[test]
    fn lengths_like_those_of_a_task() {
        let lengths: Vec<usize> = (0..100).flat_map(|batch| Lengths::Real.of(batch)).collect();
        assert!(lengths.iter().all(|&n| n == LONGEST || (30..=90).contains(&n)));
        // (128 + 6 × 60) / 7 = 69.7, with a standard error of 0.7.
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        assert!((mean - 69.7).abs() < 3.0, "{mean}");
        assert_eq!(Lengths::Full.of(3), [LONGEST; SEQUENCES]);
        let config = ModelConfig {
            max_position_embeddings: 4,
            vocab_size: 7,
            ..SIZES[0].config()
        };
        let batch = batch(&config, &[3, 5], 0).batch;
        assert_eq!(batch.offsets, [0, 3, 7]);
        assert!(batch.ids.iter().all(|&id| id < 7));
        assert_eq!(Batch::pack(batch.pairs(), 0), batch);
    }
}
