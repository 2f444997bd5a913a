//! One optimiser step: forward, loss and backward over the parts of a batch, clipping, AdamW.
//!
//! ```text
//! for each part of the batch:   L += loss(model(part)),  grad += dL/dparameters
//! report = clip(policy, grad)             once, on the accumulated gradient; nowhere else in the crate
//! AdamW(lr, grad);  grad ← 0
//! ```
//!
//! A [`Stabiliser`] can put mixed weights in the model's place, pull weights to where they began, give parameters rates of
//! their own, and freeze some: those are not clipped, not updated, and not in the report.
//!
//! The loss is the mean over *all* sequences (or masked positions) of the step, with class weights the weighted mean, so a batch
//! of 16 in one part, in four or in sixteen has the same gradient but for rounding. If the loss or a clipped gradient is not finite, the step stops before a weight is
//! changed. If the policy's edge rule asks to skip a component, no weight is changed either, and the report says so.

use crate::clip::{ClipError, ClipPolicy, ClipReport, ClipState, ParamGrad, clip_with_state};
use crate::model::{Batch, Criterion, ModelConfig, Noise, SequenceClassifier, Targets};
use crate::optim::adamw::decays;
use crate::optim::{AdamW, AdamWSettings, ParamUpdate};
use crate::pool::Pool;
use crate::real::Real;
use crate::train::mixout;
use crate::train::network::{Mean, Network};
use crate::train::stabilise::Stabiliser;
use ndarray::ArrayViewD;
use rayon::prelude::*;
use std::fmt;

/// A model in training: parameters, gradient, optimiser and the memory they work in. The model is a classifier unless
/// another [`Network`] is named.
#[derive(Clone, Debug)]
pub struct Trainer<T, N = SequenceClassifier<T>> {
    /// The model's shape and rates.
    pub config: ModelConfig,
    /// The parameters.
    pub model: N,
    /// The optimiser and its moments.
    pub optimiser: AdamW<T>,
    /// What the clipping policy remembers; empty for a policy without memory.
    pub clip_state: ClipState,
    /// What is done beside clipping; off unless set.
    pub stabiliser: Stabiliser<N>,
    /// The loss of a class: plain unless set. A regression does not ask.
    pub criterion: Criterion,
    /// The accumulated gradient; zero between steps.
    grad: N,
    pool: Pool<T>,
}

/// A part of an optimiser step's batch, with what it should become.
#[derive(Clone, Debug, PartialEq)]
pub struct Micro<Y = Targets> {
    /// The sequences.
    pub batch: Batch,
    /// The classifier's: one for each sequence.
    pub targets: Y,
}

/// What a step measured.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// The mean loss over the step's sequences (or masked positions), before the update, smoothed and weighted as the
    /// trainer's criterion says.
    pub loss: f64,
    /// Gradient norms before and after clipping.
    pub clip: ClipReport,
}

/// Why a step was not taken: the model and the optimiser are as before it.
#[derive(Clone, Debug, PartialEq)]
pub enum NotFinite {
    /// The loss is NaN or infinite.
    Loss(f64),
    /// A parameter's gradient has a NaN or infinite norm.
    Gradient {
        /// The first such parameter.
        name: String,
        /// Its norm.
        norm: f64,
    },
    /// The policy refused the gradients.
    Clip(ClipError),
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(loss) => write!(f, "the loss is {loss}"),
            Self::Gradient { name, norm } => write!(f, "the gradient of `{name}` has the norm {norm}"),
            Self::Clip(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotFinite {}

impl<T: Real, N: Network<T>> Trainer<T, N> {
    /// Training that starts from `model` with fresh moments.
    pub fn new(config: ModelConfig, model: N, settings: AdamWSettings) -> Self {
        let optimiser = AdamW::new(settings, model.params().iter().map(|(_, p)| p.len()));
        let grad = N::zeros(&config);
        let stabiliser = Stabiliser::off(optimiser.moments.len());
        Self {
            config,
            model,
            optimiser,
            clip_state: ClipState::default(),
            stabiliser,
            criterion: Criterion::default(),
            grad,
            pool: Pool::new(),
        }
    }

    /// Whether activations are computed again in the backward pass, layer by layer, instead of being kept
    /// ([`Pool::recomputes`]): less memory, more time, the same bits.
    pub fn recompute_activations(&mut self, recomputes: bool) {
        self.pool.set_recomputes(recomputes);
    }

    /// One optimiser step on a batch given in parts.
    ///
    /// # Errors
    /// [`NotFinite`]: nothing was updated.
    ///
    /// # Panics
    /// If the stabiliser needs the weights that training began from and has none.
    pub fn step(
        &mut self,
        parts: &[Micro<N::Targets>],
        noise: Noise,
        policy: &ClipPolicy,
        lr: f64,
    ) -> Result<StepReport, NotFinite> {
        let totals = parts.iter().map(|part| N::total(&part.targets, &self.criterion));
        let total = totals.fold(0.0, |sum, of_part| sum + of_part);
        let p = self.stabiliser.mixout;
        let mixed = (p > 0.0).then(|| mixout::mixed(&self.model, self.stabiliser.initial(), p, noise));
        let loss: f64 = parts
            .iter()
            .map(|part| self.accumulate_through(mixed.as_ref(), part, total, noise))
            .sum();
        if mixed.is_some() {
            mixout::backward(&mut self.grad, p, noise);
        }
        let checked = self.clip(policy, loss);
        if let Ok(report) = &checked
            && report.skipped().next().is_none()
        {
            self.update(lr);
        } else {
            self.zero_grad();
        }
        checked.map(|clip| StepReport { loss, clip })
    }

    /// Adds the gradient of one part of a batch whose parts have the [`Network::total`] `total` together, and returns its
    /// share of the loss.
    pub fn accumulate(&mut self, part: &Micro<N::Targets>, total: f64, noise: Noise) -> f64 {
        self.accumulate_through(None, part, total, noise)
    }

    /// [`Trainer::accumulate`], with another model in the place of this one if there is one.
    fn accumulate_through(
        &mut self,
        other: Option<&N>,
        part: &Micro<N::Targets>,
        total: f64,
        noise: Noise,
    ) -> f64 {
        let Self {
            config,
            model,
            criterion,
            grad,
            pool,
            ..
        } = self;
        let mean = Mean { criterion, total };
        other
            .unwrap_or(model)
            .accumulate(config, part, mean, noise, grad, pool)
    }

    /// The accumulated gradient.
    pub fn grad(&self) -> &N {
        &self.grad
    }

    /// Clips the accumulated gradient; an error if the loss or the result is not finite.
    fn clip(&mut self, policy: &ClipPolicy, loss: f64) -> Result<ClipReport, NotFinite> {
        if !loss.is_finite() {
            return Err(NotFinite::Loss(loss));
        }
        let values = self.model.params();
        let mut params = self.grad.params_mut();
        let moments = self.optimiser.moments.iter();
        let frozen = &self.stabiliser.frozen;
        let mut grads: Vec<_> = params
            .iter_mut()
            .zip(values)
            .zip(moments)
            .zip(frozen)
            .filter(|(_, frozen)| !**frozen)
            .map(|((((name, grad), (_, value)), moments), _)| {
                let moment = ArrayViewD::from_shape(grad.shape(), &moments.mean_square);
                ParamGrad {
                    name,
                    grad: grad.view_mut(),
                    value: Some(value),
                    second_moment: Some(moment.expect("a moment for each element")),
                }
            })
            .collect();
        let report = clip_with_state(policy, &mut self.clip_state, &mut grads).map_err(NotFinite::Clip)?;
        let broken = report.parameters.iter().find(|p| !p.norm_after.is_finite());
        match broken.map(|broken| report.first_non_finite().unwrap_or(broken)) {
            Some(bad) if report.skipped().next().is_none() => Err(NotFinite::Gradient {
                name: bad.name.clone(),
                norm: if bad.norm_before.is_finite() {
                    bad.norm_after
                } else {
                    bad.norm_before
                },
            }),
            _ => Ok(report),
        }
    }

    /// The optimiser's step, which leaves the gradient at zero.
    fn update(&mut self, lr: f64) {
        if self.stabiliser.weight_decay_to_initial > 0.0 {
            self.decay_to_initial(lr);
        }
        let Stabiliser {
            lr_factors, frozen, ..
        } = &self.stabiliser;
        let mut grads = self.grad.params_mut();
        let mut values = self.model.params_mut();
        for ((_, grad), _) in grads.iter_mut().zip(frozen).filter(|(_, frozen)| **frozen) {
            grad.fill(T::zero());
        }
        let updates = values
            .iter_mut()
            .zip(&mut grads)
            .zip(lr_factors.iter().zip(frozen))
            .map(
                |(((name, value), (_, grad)), (&lr_factor, &frozen))| ParamUpdate {
                    value: value.as_slice_mut().expect(STANDARD_LAYOUT),
                    grad: grad.as_slice_mut().expect(STANDARD_LAYOUT),
                    decay: decays(name),
                    lr_factor,
                    frozen,
                },
            );
        self.optimiser.step(lr, updates.collect());
    }

    /// `w ← w − lr λ (w − w₀)`.
    fn decay_to_initial(&mut self, lr: f64) {
        let stabiliser = &self.stabiliser;
        let rates = stabiliser.lr_factors.iter().zip(&stabiliser.frozen);
        let params = self
            .model
            .params_mut()
            .into_iter()
            .zip(stabiliser.initial().params());
        let pulled = params
            .zip(rates)
            .filter(|(((name, _), _), (_, frozen))| decays(name) && !**frozen);
        let tasks: Vec<_> = pulled.collect();
        tasks
            .into_par_iter()
            .for_each(|(((_, mut value), (_, start)), (factor, _))| {
                let rate = T::of(lr * factor * stabiliser.weight_decay_to_initial);
                let start = start.as_slice().expect(STANDARD_LAYOUT);
                let value = value.as_slice_mut().expect(STANDARD_LAYOUT);
                for (w, &w0) in value.iter_mut().zip(start) {
                    *w -= rate * (*w - w0);
                }
            });
    }

    /// Weights as training began from them, fresh moments, nothing remembered of clipping.
    ///
    /// # Panics
    /// If the stabiliser does not know those weights.
    pub fn restart(&mut self) {
        self.model = self.stabiliser.initial().clone();
        let sizes: Vec<usize> = self.model.params().iter().map(|(_, p)| p.len()).collect();
        self.optimiser = AdamW::new(self.optimiser.settings, sizes);
        self.clip_state = ClipState::default();
    }

    fn zero_grad(&mut self) {
        for (_, mut grad) in self.grad.params_mut() {
            grad.fill(T::zero());
        }
    }
}

const STANDARD_LAYOUT: &str = "a parameter is in standard layout";
