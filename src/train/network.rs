//! What training asks of a model: a loss over part of a batch, and its gradient.

use crate::model::classifier::{self, SequenceClassifier};
use crate::model::masked_lm::{self, MaskedLanguageModel, MaskedWords};
use crate::model::{Criterion, ModelConfig, Noise, Part, Targets, Tokens};
use crate::param::ParamTree;
use crate::pool::Pool;
use crate::real::Real;
use crate::train::step::Micro;

/// The mean that an optimiser step minimises, over all parts of its batch.
#[derive(Clone, Copy, Debug)]
pub struct Mean<'a> {
    /// The loss of a term.
    pub criterion: &'a Criterion,
    /// [`Network::total`] of all parts together.
    pub total: f64,
}

/// A model that a [`Trainer`](crate::train::Trainer) can train; its gradient has its own type.
pub trait Network<T: Real>: ParamTree<T> + Clone + Send + Sync {
    /// What a batch should become.
    type Targets;

    /// All zeros: a gradient to accumulate into.
    fn zeros(config: &ModelConfig) -> Self;

    /// The part of each parameter, in walk order.
    fn parts(&self) -> Vec<Part>;

    /// What part of a batch adds to the number that the losses of an optimiser step are divided by: one for each of its
    /// terms, or with class weights the weight of its class.
    fn total(targets: &Self::Targets, criterion: &Criterion) -> f64;

    /// Adds the gradient of one part of a batch, and returns its share of the loss.
    fn accumulate(
        &self,
        config: &ModelConfig,
        part: &Micro<Self::Targets>,
        mean: Mean<'_>,
        noise: Noise,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> f64;
}

/// One term for each sequence, or for each token that has a tag.
impl<T: Real> Network<T> for SequenceClassifier<T> {
    type Targets = Targets;

    fn zeros(config: &ModelConfig) -> Self {
        Self::zeros(config)
    }

    fn parts(&self) -> Vec<Part> {
        self.parts()
    }

    fn total(targets: &Targets, criterion: &Criterion) -> f64 {
        classifier::total(targets, criterion)
    }

    fn accumulate(
        &self,
        config: &ModelConfig,
        part: &Micro,
        mean: Mean<'_>,
        noise: Noise,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> f64 {
        let (z, cache) = self.forward(config, &part.batch, noise, Tokens::First, pool);
        let (loss, dz) = classifier::loss(z.view(), &part.targets, mean.criterion, mean.total, pool);
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

    fn total(targets: &MaskedWords, criterion: &Criterion) -> f64 {
        criterion.total(&targets.words)
    }

    fn accumulate(
        &self,
        config: &ModelConfig,
        part: &Micro<MaskedWords>,
        mean: Mean<'_>,
        noise: Noise,
        grad: &mut Self,
        pool: &Pool<T>,
    ) -> f64 {
        let Micro { batch, targets } = part;
        let (z, cache) = self.forward(config, batch, &targets.rows, noise, pool);
        let (loss, dz) = masked_lm::loss(z.view(), &targets.words, mean.criterion, mean.total, pool);
        drop(z);
        self.backward(config, batch, &targets.rows, dz.view(), &cache, grad, pool);
        loss
    }
}
