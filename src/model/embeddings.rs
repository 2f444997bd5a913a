//! The input of the encoder: word, position and token-type embeddings.
//!
//! ```text
//! forward    e = word[id] + position[pos] + token_type[type]        [n, h]
//!            x = dropout(LayerNorm(e))
//!
//! backward   de = LayerNorm'(dropout'(dx)),  and each table adds de to the rows that it gave
//! ```

use crate::model::batch::Batch;
use crate::model::config::{Family, ModelConfig};
use crate::model::noise::{Noise, Site};
use crate::nn::dropout;
use crate::nn::embedding::Embedding;
use crate::nn::layer_norm::{LayerNorm, LayerNormCache};
use crate::param::{ParamTree, Path, Visitor, VisitorMut};
use crate::pool::{Buffer, Pool};
use crate::real::Real;

/// `BertEmbeddings` / `RobertaEmbeddings`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings<T> {
    /// `[vocab_size, h]`.
    pub word_embeddings: Embedding<T>,
    /// `[max_position_embeddings, h]`.
    pub position_embeddings: Embedding<T>,
    /// `[type_vocab_size, h]`.
    pub token_type_embeddings: Embedding<T>,
    /// Over `h`.
    pub layer_norm: LayerNorm<T>,
}

/// What [`Embeddings::backward`] needs.
#[derive(Debug)]
pub struct EmbeddingsCache<T: Real> {
    layer_norm: LayerNormCache<T>,
}

impl<T: Real> Embeddings<T> {
    /// All zeros.
    pub fn zeros(config: &ModelConfig) -> Self {
        let h = config.hidden_size;
        Self {
            word_embeddings: Embedding::zeros(config.vocab_size, h),
            position_embeddings: Embedding::zeros(config.max_position_embeddings, h),
            token_type_embeddings: Embedding::zeros(config.type_vocab_size, h),
            layer_norm: LayerNorm::zeros(h),
        }
    }

    /// The encoder's input, one row for each token.
    pub fn forward(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        noise: Noise,
        keys: &[u64],
        pool: &Pool<T>,
    ) -> (Buffer<T>, EmbeddingsCache<T>) {
        let e = self.sum(config, batch, pool);
        let (mut x, layer_norm) = self.layer_norm.forward(e, config.layer_norm_eps, pool);
        dropout::apply(
            &mut x,
            noise.mask(Site::Embeddings, config.hidden_dropout_prob),
            keys,
        );
        (x, EmbeddingsCache { layer_norm })
    }

    /// [`Embeddings::forward`] without dropout and without a cache.
    pub fn infer(&self, config: &ModelConfig, batch: &Batch, pool: &Pool<T>) -> Buffer<T> {
        self.layer_norm
            .infer(self.sum(config, batch, pool), config.layer_norm_eps)
    }

    /// `e`.
    fn sum(&self, config: &ModelConfig, batch: &Batch, pool: &Pool<T>) -> Buffer<T> {
        let mut e = pool.zeros(batch.tokens(), config.hidden_size);
        self.word_embeddings.forward(&batch.ids, &mut e);
        self.position_embeddings
            .forward(&positions(config, batch), &mut e);
        self.token_type_embeddings.forward(&batch.token_types, &mut e);
        e
    }

    /// Adds the gradients of the tables and of LayerNorm to `grad`.
    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of forward, the cache and the gradient"
    )]
    pub fn backward(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        noise: Noise,
        keys: &[u64],
        mut dx: Buffer<T>,
        cache: &EmbeddingsCache<T>,
        grad: &mut Self,
        pool: &Pool<T>,
    ) {
        dropout::apply(
            &mut dx,
            noise.mask(Site::Embeddings, config.hidden_dropout_prob),
            keys,
        );
        let de = self
            .layer_norm
            .backward(&dx, &cache.layer_norm, &mut grad.layer_norm, pool);
        let pad = Some(config.pad_token_id);
        // BERT's position 0 is a position; RoBERTa's row `pad_token_id` is the padding's.
        let position_pad = (config.family == Family::Roberta).then_some(config.pad_token_id);
        Embedding::backward(&batch.ids, de.view(), pad, &mut grad.word_embeddings);
        Embedding::backward(
            &positions(config, batch),
            de.view(),
            position_pad,
            &mut grad.position_embeddings,
        );
        Embedding::backward(
            &batch.token_types,
            de.view(),
            None,
            &mut grad.token_type_embeddings,
        );
    }
}

/// The row of the position table for each token.
///
/// BERT counts from 0. RoBERTa counts the tokens that are not padding from `pad_token_id + 1`, and a padding token
/// that stands in the text has the position `pad_token_id` (`create_position_ids_from_input_ids`).
fn positions(config: &ModelConfig, batch: &Batch) -> Vec<u32> {
    let mut positions = Vec::with_capacity(batch.tokens());
    for ids in batch.ids_by_sequence() {
        match config.family {
            Family::Bert => positions.extend(0..ids.len() as u32),
            Family::Roberta => {
                let pad = config.pad_token_id;
                let mut last = pad;
                positions.extend(ids.iter().map(|&id| {
                    last += u32::from(id != pad);
                    if id == pad { pad } else { last }
                }));
            }
        }
    }
    positions
}

impl<T> ParamTree<T> for Embeddings<T> {
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>) {
        path.within("word_embeddings", |path| self.word_embeddings.visit(path, f));
        path.within("position_embeddings", |path| {
            self.position_embeddings.visit(path, f);
        });
        path.within("token_type_embeddings", |path| {
            self.token_type_embeddings.visit(path, f);
        });
        path.within("LayerNorm", |path| self.layer_norm.visit(path, f));
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>) {
        path.within("word_embeddings", |path| self.word_embeddings.visit_mut(path, f));
        path.within("position_embeddings", |path| {
            self.position_embeddings.visit_mut(path, f);
        });
        path.within("token_type_embeddings", |path| {
            self.token_type_embeddings.visit_mut(path, f);
        });
        path.within("LayerNorm", |path| self.layer_norm.visit_mut(path, f));
    }
}
