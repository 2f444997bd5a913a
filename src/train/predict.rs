//! The model's outputs for many sequences, without dropout.

use crate::model::{Batch, ModelConfig, Problem, SequenceClassifier};
use crate::pool::Pool;
use crate::real::Real;
use ndarray::s;

/// The logits of each sequence, `num_labels` numbers each, in the order given; of a head on every token so many of each token,
/// one token after the other.
///
/// Sequences run in batches of `batch_size`, sorted by length so that a batch's memory is that of its tokens. A
/// sequence's logits do not depend on its neighbours. `progress` is called after each batch
/// with the number of sequences done.
///
/// # Panics
/// If `batch_size` is zero, or an id lies outside the model's tables.
pub fn predict<T: Real>(
    config: &ModelConfig,
    model: &SequenceClassifier<T>,
    sequences: &[(&[u32], &[u32])],
    batch_size: usize,
    mut progress: impl FnMut(usize),
) -> Vec<Vec<f64>> {
    let pool = Pool::new();
    let mut logits = vec![Vec::new(); sequences.len()];
    let mut by_length: Vec<usize> = (0..sequences.len()).collect();
    by_length.sort_by_key(|&i| std::cmp::Reverse(sequences[i].0.len()));
    let mut done = 0;
    for chosen in by_length.chunks(batch_size) {
        let batch = Batch::pack(chosen.iter().map(|&i| sequences[i]), 0);
        let z = model.infer(config, &batch, &pool);
        for (k, &i) in chosen.iter().enumerate() {
            let rows = match config.problem {
                Problem::Tokens => batch.offsets[k]..batch.offsets[k + 1],
                _ => k..k + 1,
            };
            logits[i] = z.slice(s![rows, ..]).iter().map(|z| z.widen()).collect();
        }
        done += chosen.len();
        progress(done);
    }
    logits
}
