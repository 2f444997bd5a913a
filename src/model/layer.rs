//! One encoder layer: attention and feed-forward, each with a residual and LayerNorm after it (post-norm).
//!
//! ```text
//! forward    r  = x, or its first token of each sequence                   [m, h]: the rows that ask
//!        (1) q  = r W_qᵀ + b_q,  k = x W_kᵀ + b_k,  v = x W_vᵀ + b_v
//!        (2) y  = attention(q, k, v)                                       [m, h]
//!        (3) a  = LayerNorm(dropout(y W_oᵀ + b_o) + r)
//!        (4) f  = φ(a W_iᵀ + b_i)                                          [m, i]
//!        (5) z  = LayerNorm(dropout(f W_fᵀ + b_f) + a)
//!
//! backward, in reverse; a residual adds the gradient of both ways
//!        (5) da = LayerNorm'(dz);  ds = dropout'(da);  df = linear'(ds)
//!        (4) da += linear'(φ'(df))
//!        (3) dr = LayerNorm'(da);  ds = dropout'(dr);  dy = linear'(ds)
//!        (2) (dq, dk, dv) = attention'(dy)
//!        (1) dr += linear'(dq);  dx = dr on the rows that asked, else 0;  dx += linear'(dk) + linear'(dv)
//! ```
//!
//! Where only the first token's output is used, as in the last layer of a classifier, only its query is asked and
//! steps 3 to 5 run on one row for each sequence. That is exact: no other row of the output has a reader.

use crate::model::batch::Batch;
use crate::model::config::ModelConfig;
use crate::model::noise::{Noise, Site};
use crate::nn::activation::{self, ActivationCache};
use crate::nn::attention::{self, AttentionCache, Spans};
use crate::nn::dropout::Mask;
use crate::nn::layer_norm::{LayerNorm, LayerNormCache};
use crate::nn::linear::Linear;
use crate::param::{ParamTree, Path, Visitor, VisitorMut};
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use ndarray::ArrayView2;

/// `BertLayer` / `RobertaLayer`.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderLayer<T> {
    /// `W_q: [h, h]`.
    pub query: Linear<T>,
    /// `W_k: [h, h]`.
    pub key: Linear<T>,
    /// `W_v: [h, h]`.
    pub value: Linear<T>,
    /// `W_o: [h, h]`.
    pub attention_output: Linear<T>,
    /// After the attention's residual.
    pub attention_norm: LayerNorm<T>,
    /// `W_i: [i, h]`.
    pub intermediate: Linear<T>,
    /// `W_f: [h, i]`.
    pub output: Linear<T>,
    /// After the feed-forward residual.
    pub output_norm: LayerNorm<T>,
}

/// Which tokens a layer computes an output for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// Every token.
    All,
    /// The first token of each sequence.
    First,
}

/// What [`EncoderLayer::backward`] needs.
#[derive(Debug)]
pub struct LayerCache<T: Real> {
    tokens: Tokens,
    x: Buffer<T>,
    /// The rows of `x` that ask; `None` where all do.
    r: Option<Buffer<T>>,
    attention: AttentionCache<T>,
    y: Buffer<T>,
    attention_norm: LayerNormCache<T>,
    a: Buffer<T>,
    activation: ActivationCache<T>,
    f: Buffer<T>,
    output_norm: LayerNormCache<T>,
}

impl<T: Real> LayerCache<T> {
    /// The layer's input `[n, h]`: a hidden state of the encoder.
    pub fn input(&self) -> ArrayView2<'_, T> {
        self.x.view()
    }

    /// The layer's input, all else given back.
    pub fn into_input(self) -> Buffer<T> {
        self.x
    }
}

/// What a layer needs to know beside its parameters and its input; the same for forward and backward.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The model's shape and rates.
    pub config: &'a ModelConfig,
    /// The batch: which rows belong to which sequence.
    pub batch: &'a Batch,
    /// The randomness of this step.
    pub noise: Noise,
    /// A dropout key for each token ([`Batch::token_keys`]).
    pub keys: &'a [u64],
    /// The number of this layer, from 0.
    pub index: usize,
}

impl Context<'_> {
    fn spans(&self, tokens: Tokens) -> Spans {
        spans(self.batch, tokens)
    }

    fn row_keys(&self, tokens: Tokens) -> Vec<u64> {
        match tokens {
            Tokens::All => self.keys.to_vec(),
            Tokens::First => self.batch.first_of(self.keys),
        }
    }

    fn attention_probs_mask(&self) -> Mask {
        self.noise.mask(
            Site::AttentionProbs(self.index),
            self.config.attention_probs_dropout_prob,
        )
    }

    fn attention_output_mask(&self) -> Mask {
        self.noise
            .mask(Site::AttentionOutput(self.index), self.config.hidden_dropout_prob)
    }

    fn output_mask(&self) -> Mask {
        self.noise.mask(
            Site::FeedForwardOutput(self.index),
            self.config.hidden_dropout_prob,
        )
    }
}

fn spans(batch: &Batch, tokens: Tokens) -> Spans {
    match tokens {
        Tokens::All => Spans::all_tokens(&batch.offsets),
        Tokens::First => Spans::first_tokens(&batch.offsets),
    }
}

impl<T: Real> EncoderLayer<T> {
    /// All zeros.
    pub fn zeros(config: &ModelConfig) -> Self {
        let (h, i) = (config.hidden_size, config.intermediate_size);
        Self {
            query: Linear::zeros(h, h),
            key: Linear::zeros(h, h),
            value: Linear::zeros(h, h),
            attention_output: Linear::zeros(h, h),
            attention_norm: LayerNorm::zeros(h),
            intermediate: Linear::zeros(h, i),
            output: Linear::zeros(i, h),
            output_norm: LayerNorm::zeros(h),
        }
    }

    /// The output for the tokens asked for, and the cache, which takes over `x`.
    pub fn forward(
        &self,
        context: &Context<'_>,
        x: Buffer<T>,
        tokens: Tokens,
        pool: &Pool<T>,
    ) -> (Buffer<T>, LayerCache<T>) {
        let Context { config, batch, .. } = *context;
        let eps = config.layer_norm_eps;
        let keys = context.row_keys(tokens);
        let r = (tokens == Tokens::First).then(|| gather(&x, batch.first_tokens(), pool));
        let rows = r.as_ref().unwrap_or(&x);

        // (1)
        let q = self.query.forward(rows.view(), pool);
        let k = self.key.forward(x.view(), pool);
        let v = self.value.forward(x.view(), pool);
        // (2)
        let mask = context.attention_probs_mask();
        let (y, attention) = attention::forward(
            (q, k, v),
            &context.spans(tokens),
            config.num_attention_heads,
            mask,
            &keys,
            pool,
        );
        // (3)
        let s = self.attention_output.forward(y.view(), pool);
        let mask = (context.attention_output_mask(), &keys[..]);
        let (a, attention_norm) = self.attention_norm.forward_residual(s, rows, mask, eps, pool);
        // (4)
        let u = self.intermediate.product(a.view(), pool);
        let (f, activation) = activation::forward(config.hidden_act, u, &self.intermediate.bias, pool);
        // (5)
        let s = self.output.forward(f.view(), pool);
        let mask = (context.output_mask(), &keys[..]);
        let (z, output_norm) = self.output_norm.forward_residual(s, &a, mask, eps, pool);
        (
            z,
            LayerCache {
                tokens,
                x,
                r,
                attention,
                y,
                attention_norm,
                a,
                activation,
                f,
                output_norm,
            },
        )
    }

    /// [`EncoderLayer::forward`] without dropout and without a cache.
    pub fn infer(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        x: &Buffer<T>,
        tokens: Tokens,
        pool: &Pool<T>,
    ) -> Buffer<T> {
        let eps = config.layer_norm_eps;
        let first = (tokens == Tokens::First).then(|| gather(x, batch.first_tokens(), pool));
        let r = first.as_ref().unwrap_or(x);
        // (1)
        let q = self.query.forward(r.view(), pool);
        let k = self.key.forward(x.view(), pool);
        let v = self.value.forward(x.view(), pool);
        // (2)
        let heads = config.num_attention_heads;
        let y = attention::infer((q, k, v), &spans(batch, tokens), heads, pool);
        // (3)
        let s = self.attention_output.forward(y.view(), pool);
        let a = self.attention_norm.infer_residual(s, r, eps);
        // (4)
        let u = self.intermediate.product(a.view(), pool);
        let f = activation::infer(config.hidden_act, u, &self.intermediate.bias);
        // (5)
        let s = self.output.forward(f.view(), pool);
        self.output_norm.infer_residual(s, &a, eps)
    }

    /// Adds the parameters' gradients to `grad` and returns `dx` for every token.
    pub fn backward(
        &self,
        context: &Context<'_>,
        dz: Buffer<T>,
        cache: &LayerCache<T>,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> Buffer<T> {
        let Context { config, batch, .. } = *context;
        let keys = context.row_keys(cache.tokens);
        let rows = cache.r.as_ref().unwrap_or(&cache.x);

        // (5)
        let mask = (context.output_mask(), &keys[..]);
        let (ds, mut da) =
            self.output_norm
                .backward_residual(&dz, &cache.output_norm, mask, &mut grad.output_norm, pool);
        let df = self
            .output
            .backward(ds.view(), cache.f.view(), &mut grad.output, pool);
        // (4)
        let du = activation::backward(df, &cache.activation);
        self.intermediate
            .backward_add(du.view(), cache.a.view(), &mut grad.intermediate, &mut da);
        // (3)
        let mask = (context.attention_output_mask(), &keys[..]);
        let (ds, mut dr) = self.attention_norm.backward_residual(
            &da,
            &cache.attention_norm,
            mask,
            &mut grad.attention_norm,
            pool,
        );
        let dy = self
            .attention_output
            .backward(ds.view(), cache.y.view(), &mut grad.attention_output, pool);
        // (2)
        let (mask, spans) = (context.attention_probs_mask(), context.spans(cache.tokens));
        let (dq, dk, dv) = attention::backward(
            dy.view(),
            &cache.attention,
            &spans,
            config.num_attention_heads,
            mask,
            &keys,
            pool,
        );
        // (1)
        self.query
            .backward_add(dq.view(), rows.view(), &mut grad.query, &mut dr);
        let mut dx = match cache.tokens {
            Tokens::All => dr,
            Tokens::First => scattered(&dr, batch.first_tokens(), batch.tokens(), pool),
        };
        self.key
            .backward_add(dk.view(), cache.x.view(), &mut grad.key, &mut dx);
        self.value
            .backward_add(dv.view(), cache.x.view(), &mut grad.value, &mut dx);
        dx
    }
}

/// `yₖ = x[rowₖ]`.
pub(crate) fn gather<T: Real>(x: &Buffer<T>, rows: &[usize], pool: &Pool<T>) -> Buffer<T> {
    let mut y = pool.buffer(rows.len(), x.ncols());
    for (mut y, &row) in y.rows_mut().into_iter().zip(rows) {
        y.assign(&x.row(row));
    }
    y
}

/// `dx[rowₖ] = dyₖ`, zero in all other rows of the `n`: the backward pass of [`gather`], whose rows are all different.
pub(crate) fn scattered<T: Real>(dy: &Buffer<T>, rows: &[usize], n: usize, pool: &Pool<T>) -> Buffer<T> {
    let mut dx = pool.zeros(n, dy.ncols());
    for (dy, &row) in dy.rows().into_iter().zip(rows) {
        dx.row_mut(row).assign(&dy);
    }
    dx
}

impl<T> ParamTree<T> for EncoderLayer<T> {
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>) {
        path.within("attention.self.query", |path| self.query.visit(path, f));
        path.within("attention.self.key", |path| self.key.visit(path, f));
        path.within("attention.self.value", |path| self.value.visit(path, f));
        path.within("attention.output.dense", |path| {
            self.attention_output.visit(path, f);
        });
        path.within("attention.output.LayerNorm", |path| {
            self.attention_norm.visit(path, f);
        });
        path.within("intermediate.dense", |path| self.intermediate.visit(path, f));
        path.within("output.dense", |path| self.output.visit(path, f));
        path.within("output.LayerNorm", |path| self.output_norm.visit(path, f));
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>) {
        path.within("attention.self.query", |path| self.query.visit_mut(path, f));
        path.within("attention.self.key", |path| self.key.visit_mut(path, f));
        path.within("attention.self.value", |path| self.value.visit_mut(path, f));
        path.within("attention.output.dense", |path| {
            self.attention_output.visit_mut(path, f);
        });
        path.within("attention.output.LayerNorm", |path| {
            self.attention_norm.visit_mut(path, f);
        });
        path.within("intermediate.dense", |path| self.intermediate.visit_mut(path, f));
        path.within("output.dense", |path| self.output.visit_mut(path, f));
        path.within("output.LayerNorm", |path| self.output_norm.visit_mut(path, f));
    }
}
