//! What training asks of a model: a loss over part of a batch, and its gradient.

use crate::model::classifier::{self, SequenceClassifier, Targets};
use crate::model::masked_lm::{self, MaskedLanguageModel, MaskedWords};
use crate::model::{Batch, ModelConfig, Noise, Part, Tokens};
use crate::param::ParamTree;
use crate::pool::Pool;
use crate::real::Real;
use crate::train::step::Micro;

/// A model that a [`Trainer`](crate::train::Trainer) can train; its gradient has its own type.
pub trait Network<T: Real>: ParamTree<T> + Clone + Send + Sync {
    /// What a batch should become.
    type Targets;

    /// All zeros: a gradient to accumulate into.
    fn zeros(config: &ModelConfig) -> Self;

    /// The part of each parameter, in walk order.
    fn parts(&self) -> Vec<Part>;

    /// The number of terms that a batch adds to the loss, whose mean over all terms of an optimiser step is minimised.
    fn terms(batch: &Batch, targets: &Self::Targets) -> usize;

    /// Adds the gradient of one part of a batch with `terms` terms in all, and returns its share of the loss.
    fn accumulate(
        &self,
        config: &ModelConfig,
        part: &Micro<Self::Targets>,
        terms: usize,
        noise: Noise,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> f64;
}

/// One term for each sequence.
impl<T: Real> Network<T> for SequenceClassifier<T> {
    type Targets = Targets;

    fn zeros(config: &ModelConfig) -> Self {
        Self::zeros(config)
    }

    fn parts(&self) -> Vec<Part> {
        self.parts()
    }

    fn terms(batch: &Batch, _targets: &Targets) -> usize {
        batch.sequences()
    }

    fn accumulate(
        &self,
        config: &ModelConfig,
        part: &Micro,
        terms: usize,
        noise: Noise,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> f64 {
        let (z, cache) = self.forward(config, &part.batch, noise, Tokens::First, pool);
        let (loss, dz) = classifier::loss(z.view(), &part.targets, terms, pool);
        self.backward(config, &part.batch, dz.view(), &cache, grad, pool);
        loss
    }
}

/// One term for each masked position.
impl<T: Real> Network<T> for MaskedLanguageModel<T> {
    type Targets = MaskedWords;

    fn zeros(config: &ModelConfig) -> Self {
        Self::zeros(config)
    }

    fn parts(&self) -> Vec<Part> {
        self.parts()
    }

    fn terms(_batch: &Batch, targets: &MaskedWords) -> usize {
        targets.rows.len()
    }

    fn accumulate(
        &self,
        config: &ModelConfig,
        part: &Micro<MaskedWords>,
        terms: usize,
        noise: Noise,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> f64 {
        let Micro { batch, targets } = part;
        let (z, cache) = self.forward(config, batch, &targets.rows, noise, pool);
        let (loss, dz) = masked_lm::loss(z.view(), &targets.words, terms, pool);
        drop(z);
        self.backward(config, batch, &targets.rows, dz.view(), &cache, grad, pool);
        loss
    }
}
