//! The encoder with a head on the first token: classification or regression of whole sequences; or with a head on every
//! token.
//!
//! ```text
//! forward    x  = encoder(batch), the first token of each sequence         [b, h]
//!            x  = dropout(x)                                               RoBERTa only
//!            t  = tanh(x W_dᵀ + b_d)                                       [b, h]
//!            z  = dropout(t) W_cᵀ + b_c                                    [b, c]
//!            L  = cross-entropy(z, label),  binary cross-entropy(z, labels)  or  mean squared error(z, target)
//!
//! backward   dt = dropout'(linear'(dz))
//!            du = dt ⊙ (1 − t²)
//!            dx = linear'(du), and RoBERTa's dropout'
//! ```
//!
//! Token classification has neither the first linear layer nor its tanh, and a row of logits for each token:
//!
//! ```text
//! forward    x  = encoder(batch), every token                              [n, h]
//!            z  = dropout(x) W_cᵀ + b_c                                    [n, c]
//!            L  = cross-entropy(z, label) over the tokens that have one
//!
//! backward   dx = dropout'(linear'(dz))
//! ```
//!
//! BERT calls the first linear layer and its tanh the pooler (`bert.pooler.dense`, `classifier`); RoBERTa has them in
//! its head (`classifier.dense`, `classifier.out_proj`). Both are [`Head`] here; the names differ in the walk alone. On every token both families
//! call the only layer `classifier`.

use crate::model::batch::Batch;
use crate::model::config::{Family, ModelConfig, Problem};
use crate::model::encoder::{Encoder, EncoderCache};
use crate::model::layer::{Tokens, gather, scattered};
use crate::model::noise::{Noise, Site};
use crate::model::target::Targets;
use crate::nn::binary_cross_entropy::binary_cross_entropy;
use crate::nn::cross_entropy::{Criterion, cross_entropy, cross_entropy_of_some};
use crate::nn::dropout;
use crate::nn::linear::Linear;
use crate::nn::mean_squared_error::mean_squared_error;
use crate::param::{ParamTree, Path, Visitor, VisitorMut};
use crate::pool::{Buffer, Pool};
use crate::real::Real;
use ndarray::ArrayView2;

/// `BertForSequenceClassification` / `RobertaForSequenceClassification`, and with a head on every token
/// `BertForTokenClassification` / `RobertaForTokenClassification`.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceClassifier<T> {
    /// Which names the walk gives.
    pub family: Family,
    /// Everything below the head.
    pub encoder: Encoder<T>,
    /// From the first token, or from every token, to the logits.
    pub head: Head<T>,
}

/// A dense layer with tanh, and the last linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Head<T> {
    /// `W_d: [h, h]`; none in a head on every token.
    pub dense: Option<Linear<T>>,
    /// `W_c: [c, h]`.
    pub out: Linear<T>,
}

/// What [`SequenceClassifier::backward`] needs.
#[derive(Debug)]
pub struct ClassifierCache<T: Real> {
    noise: Noise,
    tokens: Tokens,
    encoder: EncoderCache<T>,
    /// The encoder's output, kept for its hidden states where all tokens were asked for.
    output: Option<Buffer<T>>,
    /// `x` and `t`, of a head on the first token.
    dense: Option<(Buffer<T>, Buffer<T>)>,
    dropped: Buffer<T>,
    row_keys: Vec<u64>,
}

impl<T: Real> ClassifierCache<T> {
    /// `hidden_states` as Hugging Face returns them, packed: the embeddings' output, then each layer's, `[n, h]`. The
    /// last one is there if the forward pass was asked for [`Tokens::All`].
    pub fn hidden_states(&self) -> impl Iterator<Item = ArrayView2<'_, T>> {
        self.encoder
            .hidden_states()
            .chain(self.output.iter().map(Buffer::view))
    }
}

impl<T: Real> SequenceClassifier<T> {
    /// All zeros: a gradient to accumulate into, or a model to load.
    ///
    /// # Panics
    /// As [`Encoder::zeros`].
    pub fn zeros(config: &ModelConfig) -> Self {
        let h = config.hidden_size;
        Self {
            family: config.family,
            encoder: Encoder::zeros(config),
            head: Head {
                dense: (config.problem != Problem::Tokens).then(|| Linear::zeros(h, h)),
                out: Linear::zeros(h, config.num_labels()),
            },
        }
    }

    /// The logits `[b, c]`, or `[n, c]` of a head on every token.
    ///
    /// A head on the first token reads no other: [`Tokens::First`] spares the last layer all others, [`Tokens::All`]
    /// gives the same logits and every hidden state.
    ///
    /// # Panics
    /// If an id, position or type lies outside its table.
    pub fn forward(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        noise: Noise,
        tokens: Tokens,
        pool: &Pool<T>,
    ) -> (Buffer<T>, ClassifierCache<T>) {
        let Some(dense) = &self.head.dense else {
            return self.forward_every_token(config, batch, noise, tokens, pool);
        };
        let p = config.head_dropout_prob();
        let (output, encoder) = self.encoder.forward(config, batch, noise, tokens, pool);
        let row_keys = batch.first_of(encoder.keys());
        let (mut x, output) = match tokens {
            Tokens::First => (output, None),
            Tokens::All => (gather(&output, batch.first_tokens(), pool), Some(output)),
        };
        if config.family == Family::Roberta {
            dropout::apply(&mut x, noise.mask(Site::HeadInput, p), &row_keys);
        }
        let mut t = dense.forward(x.view(), pool);
        t.iter_mut().for_each(|t| *t = t.hyperbolic_tangent());
        let mut dropped = pool.copy(t.view());
        dropout::apply(&mut dropped, noise.mask(Site::HeadOutput, p), &row_keys);
        let z = self.head.out.forward(dropped.view(), pool);
        (
            z,
            ClassifierCache {
                noise,
                tokens,
                encoder,
                output,
                dense: Some((x, t)),
                dropped,
                row_keys,
            },
        )
    }

    /// [`SequenceClassifier::forward`] of a head on every token.
    fn forward_every_token(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        noise: Noise,
        tokens: Tokens,
        pool: &Pool<T>,
    ) -> (Buffer<T>, ClassifierCache<T>) {
        let (output, encoder) = self.encoder.forward(config, batch, noise, Tokens::All, pool);
        let row_keys = encoder.keys().to_vec();
        let (mut dropped, output) = match tokens {
            Tokens::First => (output, None),
            Tokens::All => (pool.copy(output.view()), Some(output)),
        };
        let mask = noise.mask(Site::HeadOutput, config.head_dropout_prob());
        dropout::apply(&mut dropped, mask, &row_keys);
        let z = self.head.out.forward(dropped.view(), pool);
        (
            z,
            ClassifierCache {
                noise,
                tokens,
                encoder,
                output,
                dense: None,
                dropped,
                row_keys,
            },
        )
    }

    /// [`SequenceClassifier::forward`] without dropout and without a cache.
    ///
    /// # Panics
    /// If an id, position or type lies outside its table.
    pub fn infer(&self, config: &ModelConfig, batch: &Batch, pool: &Pool<T>) -> Buffer<T> {
        let Some(dense) = &self.head.dense else {
            let x = self.encoder.infer(config, batch, Tokens::All, pool);
            return self.head.out.forward(x.view(), pool);
        };
        let x = self.encoder.infer(config, batch, Tokens::First, pool);
        let mut t = dense.forward(x.view(), pool);
        t.iter_mut().for_each(|t| *t = t.hyperbolic_tangent());
        self.head.out.forward(t.view(), pool)
    }

    /// Adds the parameters' gradients to `grad`; `dz` is the gradient of the logits.
    pub fn backward(
        &self,
        config: &ModelConfig,
        batch: &Batch,
        dz: ArrayView2<'_, T>,
        cache: &ClassifierCache<T>,
        grad: &mut Self,
        pool: &Pool<T>,
    ) {
        let (p, noise, row_keys) = (config.head_dropout_prob(), cache.noise, &cache.row_keys);
        let mut dt = self
            .head
            .out
            .backward(dz, cache.dropped.view(), &mut grad.head.out, pool);
        dropout::apply(&mut dt, noise.mask(Site::HeadOutput, p), row_keys);
        let mut dx = dt;
        if let (Some(dense), Some((x, t)), Some(d_dense)) =
            (&self.head.dense, &cache.dense, &mut grad.head.dense)
        {
            let mut du = dx;
            du.zip_mut_with(t, |d, &t| *d *= T::one() - t * t);
            dx = dense.backward(du.view(), x.view(), d_dense, pool);
            if config.family == Family::Roberta {
                dropout::apply(&mut dx, noise.mask(Site::HeadInput, p), row_keys);
            }
            if cache.tokens == Tokens::All {
                dx = scattered(&dx, batch.first_tokens(), batch.tokens(), pool);
            }
        }
        self.encoder
            .backward(config, batch, dx, &cache.encoder, &mut grad.encoder, pool);
    }
}

/// The loss `L` and the gradient `dz` of the logits, divided by `total`: that of [`total`] over the whole batch, of
/// which this may be a part. Values have a mean squared error and labels a binary cross-entropy, whatever the criterion.
///
/// # Panics
/// If the targets or the criterion's weights do not fit the logits.
#[track_caller]
pub fn loss<T: Real>(
    z: ArrayView2<'_, T>,
    targets: &Targets,
    criterion: &Criterion,
    total: f64,
    pool: &Pool<T>,
) -> (f64, Buffer<T>) {
    match targets {
        Targets::Classes(labels) => cross_entropy(z, labels, criterion, total, pool),
        Targets::Values(values) => mean_squared_error(z, values.view(), total, pool),
        Targets::Tags(tags) => cross_entropy_of_some(z, tags, criterion, total, pool),
        Targets::Labels(labels) => binary_cross_entropy(z, labels.view(), total, pool),
    }
}

/// What the losses of these sequences are divided by: the weights of their classes, or their number; of tags, of the tokens
/// that have one.
///
/// # Panics
/// If a class has no weight.
pub fn total(targets: &Targets, criterion: &Criterion) -> f64 {
    match targets {
        Targets::Classes(labels) => criterion.total(labels),
        Targets::Tags(tags) => {
            let tags: Vec<usize> = tags.iter().flatten().copied().collect();
            criterion.total(&tags)
        }
        Targets::Values(rows) | Targets::Labels(rows) => rows.nrows() as f64,
    }
}

impl<T> SequenceClassifier<T> {
    /// The names of the head's two layers; the first one may not be there.
    fn head_names(&self) -> (&'static str, &'static str) {
        match (self.family, &self.head.dense) {
            (_, None) => ("", "classifier"),
            (Family::Bert, Some(_)) => ("bert.pooler.dense", "classifier"),
            (Family::Roberta, Some(_)) => ("classifier.dense", "classifier.out_proj"),
        }
    }
}

impl<T> ParamTree<T> for SequenceClassifier<T> {
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>) {
        let (dense_name, out) = self.head_names();
        path.within(self.family.model_type(), |path| self.encoder.visit(path, f));
        if let Some(dense) = &self.head.dense {
            path.within(dense_name, |path| dense.visit(path, f));
        }
        path.within(out, |path| self.head.out.visit(path, f));
    }

    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>) {
        let (dense_name, out) = self.head_names();
        path.within(self.family.model_type(), |path| self.encoder.visit_mut(path, f));
        if let Some(dense) = &mut self.head.dense {
            path.within(dense_name, |path| dense.visit_mut(path, f));
        }
        path.within(out, |path| self.head.out.visit_mut(path, f));
    }
}
