//! What others do for stable fine-tuning, to compare clipping with. `docs/stabilisers.md` gives equations and sources.
//!
//! [`Stabilisers`] are the settings of a run; a [`Stabiliser`] is what a [`crate::train::Trainer`] makes of them.

use crate::clip::Pattern;
use crate::optim::Schedule;
use crate::real::Real;
use crate::train::network::Network;
use crate::train::unfreeze::{self, Unfreezing};

/// The settings of a run; the default changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Stabilisers {
    /// `d` in `(0, 1]`: the learning rate of a parameter is multiplied by `d` once for each part above it
    /// ([`crate::model::Part::below_head`]). 1 is off. Zhang et al. 2021 have 0.95.
    pub layerwise_lr_decay: f64,
    /// `p` in `[0, 1)` of [`crate::train::mixout`]. 0 is off.
    pub mixout: f64,
    /// `λ ≥ 0`: before each step `w ← w − lr λ (w − w₀)`, `w₀` the weights that training began from, for the parameters
    /// that weight decay applies to ([`crate::optim::adamw::decays`]). 0 is off. Zhang et al. 2021 have 1e-3.
    pub weight_decay_to_initial: f64,
    /// Gradual unfreezing: the schedule is that of one iteration.
    pub unfreezing: Option<Unfreezing>,
    /// The parameters with these names are never trained: no update, no moments, no part in clipping.
    pub freeze: Vec<Pattern>,
}

impl Default for Stabilisers {
    fn default() -> Self {
        Self {
            layerwise_lr_decay: 1.0,
            mixout: 0.0,
            weight_decay_to_initial: 0.0,
            unfreezing: None,
            freeze: Vec::new(),
        }
    }
}

impl Stabilisers {
    /// Whether training needs the weights that it began from.
    pub fn need_initial(&self) -> bool {
        self.mixout > 0.0 || self.weight_decay_to_initial > 0.0 || self.unfreezing.is_some()
    }

    /// Whether each parameter is never trained, in walk order.
    pub fn frozen<T: Real>(&self, model: &impl Network<T>) -> Vec<bool> {
        let params = model.params().into_iter();
        params
            .map(|(name, _)| self.freeze.iter().any(|pattern| pattern.fits(&name)))
            .collect()
    }

    /// What each parameter's learning rate is multiplied by, in walk order.
    pub fn lr_factors<T: Real>(&self, model: &impl Network<T>, schedule: Schedule) -> Vec<f64> {
        let layers = unfreeze::layers(&model.parts());
        let parts = model.parts().into_iter().zip(unfreeze::groups(model));
        parts
            .map(|(part, group)| {
                let distance = part.below_head(layers) as f64;
                let of_group = |u: Unfreezing| u.group_factor(schedule.peak, schedule.end(), group);
                libm::pow(self.layerwise_lr_decay, distance) * self.unfreezing.map_or(1.0, of_group)
            })
            .collect()
    }
}

/// How a trainer's next steps are to be done.
#[derive(Clone, Debug)]
pub struct Stabiliser<N> {
    /// The weights that training began from; mixout and the decay to them need it.
    pub initial: Option<N>,
    /// [`Stabilisers::mixout`].
    pub mixout: f64,
    /// [`Stabilisers::weight_decay_to_initial`].
    pub weight_decay_to_initial: f64,
    /// What each parameter's learning rate is multiplied by.
    pub lr_factors: Vec<f64>,
    /// Which parameters are left alone.
    pub frozen: Vec<bool>,
}

impl<N> Stabiliser<N> {
    /// One that changes nothing, for a model of so many parameters.
    pub fn off(parameters: usize) -> Self {
        Self {
            initial: None,
            mixout: 0.0,
            weight_decay_to_initial: 0.0,
            lr_factors: vec![1.0; parameters],
            frozen: vec![false; parameters],
        }
    }

    /// The weights that training began from.
    ///
    /// # Panics
    /// If they are not known.
    pub(super) fn initial(&self) -> &N {
        self.initial
            .as_ref()
            .expect("training knows the weights that it began from")
    }
}
