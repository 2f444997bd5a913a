//! The encoder with the head of masked language modelling: which word stood at each masked position.
//!
//! ```text
//! forward    X  = encoder(batch), every token                              [n, h]
//!        (1) x  = X[rows], the masked positions                            [m, h]
//!        (2) y  = LayerNorm(φ(x W_tᵀ + b_t))                               [m, h]
//!        (3) z  = y Eᵀ + b              E: [v, h], the word embeddings     [m, v]
//!            L  = cross-entropy(z, word)                                   mean over the masked positions of a step
//!
//! backward
//!        (3) dy = dz E,  dE += dzᵀ y,  db += Σₘ dz
//!        (2) dx = linear'(φ'(LayerNorm'(dy)))
//!        (1) dX[rows] = dx, 0 elsewhere;  encoder'(dX), whose lookups add the other part of dE
//! ```
//!
//! The output layer is *tied*: it has no matrix of its own but reads the table of the word embeddings, whose gradient
//! therefore has two parts. The row of the padding token gets none from the lookups and one from the product, as in
//! PyTorch. Only masked positions go through the head: no other row of it has a reader.
//!
//! Source: Devlin et al. 2019, arXiv 1810.04805, section 3.1 and appendix A; `BertForMaskedLM` of transformers.

use crate::gemm;
use crate::model::batch::Batch;
use crate::model::config::ModelConfig;
use crate::model::encoder::{Encoder, EncoderCache};
use crate::model::layer::{Tokens, gather, scattered};
use crate::model::noise::Noise;
use crate::nn::activation::{self, ActivationCache};
use crate::nn::cross_entropy::{self, Criterion};
use crate::nn::layer_norm::{LayerNorm, LayerNormCache};
use crate::nn::linear::Linear;
use crate::param::{ParamTree, Path, Visitor, VisitorMut};
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use crate::reduce;
use ndarray::{Array1, Array2, ArrayView2};

/// `BertForMaskedLM`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedLanguageModel<T> {
    /// Everything below the head.
    pub encoder: Encoder<T>,
    /// From a token's vector to a logit for each word.
    pub head: PredictionHead<T>,
}

/// `cls.predictions`: the transform, and the bias of the tied product.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionHead<T> {
    /// `W_t: [h, h]`.
    pub dense: Linear<T>,
    /// Over `h`.
    pub layer_norm: LayerNorm<T>,
    /// `b: [v]`.
    pub bias: Array1<T>,
}

/// The masked positions of a batch and the words that stood there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskedWords {
    /// Rows of the packed batch, increasing.
    pub rows: Vec<usize>,
    /// The word of each, below `v`.
    pub words: Vec<usize>,
}

/// What [`MaskedLanguageModel::backward`] needs.
#[derive(Debug)]
pub struct MaskedCache<T: Real> {
    encoder: EncoderCache<T>,
    x: Buffer<T>,
    activation: ActivationCache<T>,
    layer_norm: LayerNormCache<T>,
    y: Buffer<T>,
}

impl<T: Real> MaskedLanguageModel<T> {
    /// All zeros: a gradient to accumulate into, or a model to load.
    ///
    /// # Panics
    /// As [`Encoder::zeros`].
    pub fn zeros(config: &ModelConfig) -> Self {
        let h = config.hidden_size;
        Self {
            encoder: Encoder::zeros(config),
            head: PredictionHead {
                dense: Linear::zeros(h, h),
                layer_norm: LayerNorm::zeros(h),
                bias: Array1::zeros(config.vocab_size),
            },
        }
    }

    /// `E: [v, h]`.
    fn table(&self) -> &Array2<T> {
        &self.encoder.embeddings.word_embeddings.weight
    }

    /// The logits `[m, v]` of the chosen rows of the packed batch.
    ///
    /// # Panics
    /// If a row is not of the batch, or an id, position or type lies outside its table.
    pub fn forward(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        rows: &[usize],
        noise: Noise,
        pool: &Pool<T>,
    ) -> (Buffer<T>, MaskedCache<T>) {
        let (output, encoder) = self.encoder.forward(config, batch, noise, Tokens::All, pool);
        // (1)
        let x = gather(&output, rows, pool);
        // (2)
        let u = self.head.dense.product(x.view(), pool);
        let (a, activation) = activation::forward(config.hidden_act, u, &self.head.dense.bias, pool);
        let (y, layer_norm) = self.head.layer_norm.forward(a, config.layer_norm_eps, pool);
        // (3)
        let z = self.logits(&y, pool);
        (
            z,
            MaskedCache {
                encoder,
                x,
                activation,
                layer_norm,
                y,
            },
        )
    }

    /// [`MaskedLanguageModel::forward`] without dropout and without a cache.
    ///
    /// # Panics
    /// If a row is not of the batch, or an id, position or type lies outside its table.
    pub fn infer(&self, config: &ModelConfig, batch: &Batch, rows: &[usize], pool: &Pool<T>) -> Buffer<T> {
        let x = gather(&self.encoder.infer(config, batch, Tokens::All, pool), rows, pool);
        let u = self.head.dense.product(x.view(), pool);
        let a = activation::infer(config.hidden_act, u, &self.head.dense.bias);
        let y = self.head.layer_norm.infer(a, config.layer_norm_eps);
        self.logits(&y, pool)
    }

    /// (3)
    fn logits(&self, y: &Buffer<T>, pool: &Pool<T>) -> Buffer<T> {
        let mut z = pool.buffer(y.nrows(), self.head.bias.len());
        gemm::mul_add_row(y.view(), self.table().t(), self.head.bias.view(), z.view_mut());
        z
    }

    /// Adds the parameters' gradients to `grad`; `dz` is the gradient of the logits of `rows`.
    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of forward, the cache and the gradient"
    )]
    pub fn backward(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        rows: &[usize],
        dz: ArrayView2<'_, T>,
        cache: &MaskedCache<T>,
        grad: &mut Self,
        pool: &Pool<T>,
    ) {
        // (3)
        let mut dy = pool.buffer(rows.len(), config.hidden_size);
        gemm::mul(dz, self.table().view(), dy.view_mut());
        let d_table = &mut grad.encoder.embeddings.word_embeddings.weight;
        gemm::mul_add(dz.t(), cache.y.view(), d_table.view_mut());
        reduce::add_rows(dz, grad.head.bias.as_slice_mut().expect("a bias is contiguous"));
        // (2)
        let head = &mut grad.head;
        let da = self
            .head
            .layer_norm
            .backward(&dy, &cache.layer_norm, &mut head.layer_norm, pool);
        let du = activation::backward(da, &cache.activation);
        let dx = self
            .head
            .dense
            .backward(du.view(), cache.x.view(), &mut head.dense, pool);
        // (1)
        let d_output = scattered(&dx, rows, batch.tokens(), pool);
        self.encoder
            .backward(config, batch, d_output, &cache.encoder, &mut grad.encoder, pool);
    }
}

/// The loss `L` and the gradient `dz` of the logits, divided by `total`.
///
/// # Panics
/// If there is not one word below `v` for each row, or not one weight for each word.
#[track_caller]
pub fn loss<T: Real>(
    z: ArrayView2<'_, T>,
    words: &[usize],
    criterion: &Criterion,
    total: f64,
    pool: &Pool<T>,
) -> (f64, Buffer<T>) {
    cross_entropy::cross_entropy(z, words, criterion, total, pool)
}

/// `−log p(word)` of each row.
///
/// # Panics
/// If there is not one word below `v` for each row.
#[track_caller]
pub fn row_losses<T: Real>(z: ArrayView2<'_, T>, words: &[usize]) -> Vec<f64> {
    cross_entropy::row_losses(z, words)
}

impl<T> ParamTree<T> for PredictionHead<T> {
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>) {
        path.within("bias", |path| f(path.as_str(), self.bias.view().into_dyn()));
        path.within("transform.dense", |path| self.dense.visit(path, f));
        path.within("transform.LayerNorm", |path| self.layer_norm.visit(path, f));
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>) {
        path.within("bias", |path| f(path.as_str(), self.bias.view_mut().into_dyn()));
        path.within("transform.dense", |path| self.dense.visit_mut(path, f));
        path.within("transform.LayerNorm", |path| {
            self.layer_norm.visit_mut(path, f);
        });
    }
}

impl<T> ParamTree<T> for MaskedLanguageModel<T> {
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>) {
        path.within("bert", |path| self.encoder.visit(path, f));
        path.within("cls.predictions", |path| self.head.visit(path, f));
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>) {
        path.within("bert", |path| self.encoder.visit_mut(path, f));
        path.within("cls.predictions", |path| self.head.visit_mut(path, f));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{Activation, Family, Problem};
    use ndarray::{arr1, arr2};

    /// No layers, and every `LayerNorm` has γ = 0, so that each gives its β: X = [1, 2] for every token, and y = [3, 4].
    /// E = [[1, 0], [0, 1], [1, 1]], b = [10, 20, 30]: z = [3, 4, 7] + b. With dz = [1, −1, 2] and one masked position:
    /// dE = dzᵀ y, db = dz, dy = dz E = [3, 1]. The transform is the identity: its LayerNorm saw [1, 2], whose variance is
    /// 1/4, and with ε = 3/4 x̂ = [−1/2, 1/2], so dγ = dy ⊙ x̂ and dβ = dy. γ = 0 stops the gradient there.
    #[test]
    fn worked_example() {
        let config = ModelConfig {
            family: Family::Bert,
            vocab_size: 3,
            hidden_size: 2,
            num_hidden_layers: 0,
            num_attention_heads: 1,
            intermediate_size: 1,
            hidden_act: Activation::Relu,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            classifier_dropout: None,
            max_position_embeddings: 4,
            type_vocab_size: 1,
            layer_norm_eps: 0.75,
            initializer_range: 0.02,
            pad_token_id: 0,
            problem: Problem::Classification,
            labels: vec!["a".to_owned(), "b".to_owned()],
        };
        let mut model = MaskedLanguageModel::<f64>::zeros(&config);
        model.encoder.embeddings.word_embeddings.weight = arr2(&[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
        model.encoder.embeddings.layer_norm.bias = arr1(&[1.0, 2.0]);
        model.head.dense.weight = arr2(&[[1.0, 0.0], [0.0, 1.0]]);
        model.head.layer_norm.bias = arr1(&[3.0, 4.0]);
        model.head.bias = arr1(&[10.0, 20.0, 30.0]);
        let (pool, batch) = (
            Pool::new(),
            Batch::pack([(&[1, 2][..], &[0, 0][..]), (&[2], &[0])], 0),
        );
        let (z, cache) = model.forward(&config, &batch, &[2], Noise::Off, &pool);
        assert_eq!(*z, arr2(&[[13.0, 24.0, 37.0]]));

        let mut grad = MaskedLanguageModel::zeros(&config);
        let dz = arr2(&[[1.0, -1.0, 2.0]]);
        model.backward(&config, &batch, &[2], dz.view(), &cache, &mut grad, &pool);
        let d_table = &grad.encoder.embeddings.word_embeddings.weight;
        assert_eq!(*d_table, arr2(&[[3.0, 4.0], [-3.0, -4.0], [6.0, 8.0]]));
        assert_eq!(grad.head.bias, arr1(&[1.0, -1.0, 2.0]));
        assert_eq!(grad.head.layer_norm.weight, arr1(&[-1.5, 0.5]));
        assert_eq!(grad.head.layer_norm.bias, arr1(&[3.0, 1.0]));
        assert!(grad.head.dense.weight.iter().all(|&g| g == 0.0));
    }
}
