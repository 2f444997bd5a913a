//! The encoder: embeddings, then layer upon layer.

use crate::model::batch::Batch;
use crate::model::config::ModelConfig;
use crate::model::embeddings::{Embeddings, EmbeddingsCache};
use crate::model::layer::{Context, EncoderLayer, LayerCache, Tokens};
use crate::model::noise::Noise;
use crate::param::{ParamTree, Path, Visitor, VisitorMut};
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use ndarray::ArrayView2;

/// `BertModel` / `RobertaModel` without a pooler.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder<T> {
    /// The input.
    pub embeddings: Embeddings<T>,
    /// From the lowest layer to the highest.
    pub layers: Vec<EncoderLayer<T>>,
}

/// What [`Encoder::backward`] needs.
#[derive(Debug)]
pub struct EncoderCache<T: Real> {
    noise: Noise,
    keys: Vec<u64>,
    /// Which tokens the last layer computed.
    tokens: Tokens,
    embeddings: EmbeddingsCache<T>,
    layers: Vec<Kept<T>>,
}

/// What is kept of one layer.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each layer, and all are of one kind"
)]
enum Kept<T: Real> {
    Cache(LayerCache<T>),
    /// Its input, from which the cache can be computed again ([`Pool::recomputes`]).
    Input(Buffer<T>),
}

impl<T: Real> EncoderCache<T> {
    /// The dropout key of each token.
    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The input of each layer, `[n, h]`: Hugging Face's `hidden_states` but for the last, which is the output.
    pub fn hidden_states(&self) -> impl Iterator<Item = ArrayView2<'_, T>> {
        self.layers.iter().map(|kept| match kept {
            Kept::Cache(cache) => cache.input(),
            Kept::Input(x) => x.view(),
        })
    }
}

impl<T: Real> Encoder<T> {
    /// All zeros.
    ///
    /// # Panics
    /// If no model can have this shape ([`ModelConfig::validate`]).
    pub fn zeros(config: &ModelConfig) -> Self {
        assert_eq!(config.validate(), Ok(()), "a shape that a model can have");
        Self {
            embeddings: Embeddings::zeros(config),
            layers: (0..config.num_hidden_layers)
                .map(|_| EncoderLayer::zeros(config))
                .collect(),
        }
    }

    /// The last layer's output for the tokens asked for: `[n, h]`, or `[b, h]` for [`Tokens::First`].
    pub fn forward(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        noise: Noise,
        tokens: Tokens,
        pool: &Pool<T>,
    ) -> (Buffer<T>, EncoderCache<T>) {
        let keys = batch.token_keys();
        let (mut x, embeddings) = self.embeddings.forward(config, batch, noise, &keys, pool);
        let mut layers = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let context = Context {
                config,
                batch,
                noise,
                keys: &keys,
                index,
            };
            let (z, cache) = layer.forward(&context, x, self.tokens(index, tokens), pool);
            layers.push(if pool.recomputes() {
                Kept::Input(cache.into_input())
            } else {
                Kept::Cache(cache)
            });
            x = z;
        }
        (
            x,
            EncoderCache {
                noise,
                keys,
                tokens,
                embeddings,
                layers,
            },
        )
    }

    /// The tokens that a layer computes, when `asked` is asked of the last one.
    fn tokens(&self, index: usize, asked: Tokens) -> Tokens {
        if index + 1 == self.layers.len() {
            asked
        } else {
            Tokens::All
        }
    }

    /// [`Encoder::forward`] without dropout and without a cache.
    pub fn infer(&self, config: &ModelConfig, batch: &Batch, tokens: Tokens, pool: &Pool<T>) -> Buffer<T> {
        let mut x = self.embeddings.infer(config, batch, pool);
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.infer(config, batch, &x, self.tokens(index, tokens), pool);
        }
        x
    }

    /// Adds the parameters' gradients to `grad`; `dx` is the gradient of the output of [`Encoder::forward`].
    pub fn backward(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        mut dx: Buffer<T>,
        cache: &EncoderCache<T>,
        grad: &mut Self,
        pool: &Pool<T>,
    ) {
        let (noise, keys) = (cache.noise, &cache.keys);
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let context = Context {
                config,
                batch,
                noise,
                keys,
                index,
            };
            let again;
            let layer_cache = match &cache.layers[index] {
                Kept::Cache(cache) => cache,
                Kept::Input(x) => {
                    let tokens = self.tokens(index, cache.tokens);
                    again = layer.forward(&context, pool.copy(x.view()), tokens, pool).1;
                    &again
                }
            };
            dx = layer.backward(&context, dx, layer_cache, &mut grad.layers[index], pool);
        }
        let embeddings = &mut grad.embeddings;
        self.embeddings.backward(
            config,
            batch,
            noise,
            keys,
            dx,
            &cache.embeddings,
            embeddings,
            pool,
        );
    }
}

impl<T> ParamTree<T> for Encoder<T> {
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>) {
        path.within("embeddings", |path| self.embeddings.visit(path, f));
        for (index, layer) in self.layers.iter().enumerate() {
            path.within(&format!("encoder.layer.{index}"), |path| layer.visit(path, f));
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>) {
        path.within("embeddings", |path| self.embeddings.visit_mut(path, f));
        for (index, layer) in self.layers.iter_mut().enumerate() {
            path.within(&format!("encoder.layer.{index}"), |path| layer.visit_mut(path, f));
        }
    }
}
