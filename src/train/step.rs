//! One optimiser step: forward, loss and backward over the parts of a batch, clipping, AdamW.
//!
//! ```text
//! for each part of the batch:   L += loss(model(part)),  grad += dL/dparameters
//! report = clip(policy, grad)             once, on the accumulated gradient; nowhere else in the crate
//! AdamW(lr, grad);  grad ← 0
//! ```
//!
//! The loss is the mean over *all* sequences of the step, so a batch of 16 in one part, in four or in sixteen has the
//! same gradient but for rounding. If the loss or a clipped gradient is not finite, the step stops before a weight is
//! changed. If the policy's edge rule asks to skip a component, no weight is changed either, and the report says so.

use crate::clip::{ClipError, ClipPolicy, ClipReport, ClipState, ParamGrad, clip_with_state};
use crate::model::classifier::{self, SequenceClassifier, Targets};
use crate::model::{Batch, ModelConfig, Noise, Tokens};
use crate::optim::adamw::decays;
use crate::optim::{AdamW, AdamWSettings, ParamUpdate};
use crate::param::ParamTree;
use crate::pool::Pool;
use crate::real::Real;
use ndarray::ArrayViewD;
use std::fmt;

/// A model in training: parameters, gradient, optimiser and the memory they work in.
#[derive(Clone, Debug)]
pub struct Trainer<T> {
    /// The model's shape and rates.
    pub config: ModelConfig,
    /// The parameters.
    pub model: SequenceClassifier<T>,
    /// The optimiser and its moments.
    pub optimiser: AdamW<T>,
    /// What the clipping policy remembers; empty for a policy without memory.
    pub clip_state: ClipState,
    /// The accumulated gradient; zero between steps.
    grad: SequenceClassifier<T>,
    pool: Pool<T>,
}

/// A part of an optimiser step's batch, with what its sequences should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Micro {
    /// The sequences.
    pub batch: Batch,
    /// One target for each.
    pub targets: Targets,
}

/// What a step measured.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// The mean loss over the step's sequences, before the update.
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

impl<T: Real> Trainer<T> {
    /// Training that starts from `model` with fresh moments.
    pub fn new(config: ModelConfig, model: SequenceClassifier<T>, settings: AdamWSettings) -> Self {
        let optimiser = AdamW::new(settings, model.params().iter().map(|(_, p)| p.len()));
        let grad = SequenceClassifier::zeros(&config);
        Self {
            config,
            model,
            optimiser,
            clip_state: ClipState::default(),
            grad,
            pool: Pool::new(),
        }
    }

    /// One optimiser step on a batch given in parts.
    ///
    /// # Errors
    /// [`NotFinite`]: nothing was updated.
    pub fn step(
        &mut self,
        parts: &[Micro],
        noise: Noise,
        policy: &ClipPolicy,
        lr: f64,
    ) -> Result<StepReport, NotFinite> {
        let sequences = parts.iter().map(|part| part.batch.sequences()).sum();
        let loss: f64 = parts
            .iter()
            .map(|part| self.accumulate(part, sequences, noise))
            .sum();
        let checked = self.clip(policy, loss);
        if let Ok(report) = &checked
            && report.skipped().next().is_none()
        {
            self.update(lr);
        }
        self.zero_grad();
        checked.map(|clip| StepReport { loss, clip })
    }

    /// Adds the gradient of one part of a batch of `sequences`, and returns its share of the loss.
    pub fn accumulate(&mut self, part: &Micro, sequences: usize, noise: Noise) -> f64 {
        let Self {
            config,
            model,
            grad,
            pool,
            ..
        } = self;
        let (z, cache) = model.forward(config, &part.batch, noise, Tokens::First, pool);
        let (loss, dz) = classifier::loss(z.view(), &part.targets, sequences, pool);
        model.backward(config, &part.batch, dz.view(), &cache, grad, pool);
        loss
    }

    /// The accumulated gradient.
    pub fn grad(&self) -> &SequenceClassifier<T> {
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
        let mut grads: Vec<_> = params
            .iter_mut()
            .zip(values)
            .zip(moments)
            .map(|(((name, grad), (_, value)), moments)| {
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

    fn update(&mut self, lr: f64) {
        let grads = self.grad.params();
        let mut values = self.model.params_mut();
        let updates = values
            .iter_mut()
            .zip(&grads)
            .map(|((name, value), (_, grad))| ParamUpdate {
                value: value.as_slice_mut().expect(STANDARD_LAYOUT),
                grad: grad.as_slice().expect(STANDARD_LAYOUT),
                decay: decays(name),
            });
        self.optimiser.step(lr, updates.collect());
    }

    fn zero_grad(&mut self) {
        for (_, mut grad) in self.grad.params_mut() {
            grad.fill(T::zero());
        }
    }
}

const STANDARD_LAYOUT: &str = "a parameter is in standard layout";
