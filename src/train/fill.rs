//! How well a masked language model fills the gaps of a text.

use crate::model::masked_lm::{MaskedLanguageModel, row_losses};
use crate::model::{ModelConfig, Noise};
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
        self.loss.exp()
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
        let (z, _) = model.forward(config, &part.batch, &part.targets.rows, Noise::Off, &pool);
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
