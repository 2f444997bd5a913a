//! AdamW (Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, 2019, arXiv 1711.05101, algorithm 2), in the
//! two forms that fine-tuning results were published with, which differ:
//!
//! ```text
//! both           m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   t ← t + 1
//!
//! Hugging Face   w ← w − α m / (√v + ε)              α = lr √(1 − β₂ᵗ) / (1 − β₁ᵗ), or α = lr without correction
//! (4.12)         w ← w − lr λ w                      the decay sees the updated weight
//!
//! PyTorch        w ← w − lr λ w                      the decay comes first
//!                w ← w − α m / (√v / √(1 − β₂ᵗ) + ε)    α = lr / (1 − β₁ᵗ)
//! ```
//!
//! Hugging Face's ε acts before the bias correction, PyTorch's after it: a factor of up to √(1 − β₂) = 1/32 in the
//! first steps. Without correction the Hugging Face form is the optimiser of Devlin et al. 2019. The constants of a
//! step are computed in `f64`, the moments live in the type of the parameters.

use crate::real::Real;
use crate::simd::wide;
use rayon::prelude::*;

/// Which published form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdamWForm {
    /// `transformers.AdamW` up to version 4.
    HuggingFace {
        /// Whether the moments' bias towards zero is corrected (`correct_bias`).
        correct_bias: bool,
    },
    /// `torch.optim.AdamW`.
    Torch,
}

/// The constants of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// Which published form.
    pub form: AdamWForm,
    /// `β₁`, in `[0, 1)`.
    pub beta1: f64,
    /// `β₂`, in `[0, 1)`.
    pub beta2: f64,
    /// `ε`, above 0.
    pub epsilon: f64,
    /// `λ`, at least 0; applied where [`decays`] says so.
    pub weight_decay: f64,
}

/// Whether a parameter is decayed: not a bias, nor anything of a LayerNorm (the rule of Hugging Face's `Trainer`).
pub fn decays(name: &str) -> bool {
    !name.ends_with("bias") && !name.contains("LayerNorm")
}

/// The optimiser: its settings, and what it remembers of every parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW<T> {
    /// The constants.
    pub settings: AdamWSettings,
    /// The moments, in the order of the parameters.
    pub moments: Vec<Moments<T>>,
}

/// The running moments of one parameter's gradient, elements in standard layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments<T> {
    /// `t`: the steps in which the parameter was updated. Both sources count for each parameter, so one that was frozen
    /// at first has the bias correction of a beginner.
    pub steps: u64,
    /// `m`, the mean.
    pub mean: Vec<T>,
    /// `v`, the mean square.
    pub mean_square: Vec<T>,
}

/// A parameter to be updated with its gradient, elements in standard layout.
#[derive(Debug)]
pub struct ParamUpdate<'a, T> {
    /// The parameter.
    pub value: &'a mut [T],
    /// Its gradient, which the step leaves at zero: each element is read once, and reset while it is at hand.
    pub grad: &'a mut [T],
    /// Whether weight decay applies ([`decays`]).
    pub decay: bool,
    /// The step's learning rate is multiplied by this, in the update as in the decay.
    pub lr_factor: f64,
    /// Whether the parameter is left alone: neither it nor its moments change.
    pub frozen: bool,
}

/// Elements that one task updates.
const BLOCK: usize = 1 << 14;

impl<T: Real> AdamW<T> {
    /// No steps taken, all moments zero, for parameters of the given sizes.
    pub fn new(settings: AdamWSettings, sizes: impl IntoIterator<Item = usize>) -> Self {
        let zeros = |n| vec![T::zero(); n];
        let moments = sizes
            .into_iter()
            .map(|n| Moments {
                steps: 0,
                mean: zeros(n),
                mean_square: zeros(n),
            })
            .collect();
        Self { settings, moments }
    }

    /// One step with learning rate `lr`. Parameters come in the order in which the sizes were given. The gradients of those
    /// that are not frozen are zero afterwards.
    ///
    /// # Panics
    /// If the parameters are not those whose sizes were given.
    pub fn step(&mut self, lr: f64, params: Vec<ParamUpdate<'_, T>>) {
        assert_eq!(
            params.len(),
            self.moments.len(),
            "AdamW: parameters and moments pair up"
        );
        let active: Vec<_> = params
            .into_iter()
            .zip(&mut self.moments)
            .filter(|(p, _)| !p.frozen)
            .map(|(p, moments)| {
                moments.steps += 1;
                let constants = Constants::new(&self.settings, moments.steps, lr * p.lr_factor, p.decay);
                (constants, p, moments)
            })
            .collect();
        let blocks: Vec<_> = active
            .into_iter()
            .flat_map(|(constants, p, moments)| {
                assert_eq!(
                    p.value.len(),
                    p.grad.len(),
                    "AdamW: one gradient element for each of the parameter"
                );
                assert_eq!(
                    p.value.len(),
                    moments.mean.len(),
                    "AdamW: one moment for each element"
                );
                p.value
                    .chunks_mut(BLOCK)
                    .zip(p.grad.chunks_mut(BLOCK))
                    .zip(moments.mean.chunks_mut(BLOCK))
                    .zip(moments.mean_square.chunks_mut(BLOCK))
                    .map(move |(((w, g), m), v)| (constants, w, g, m, v))
            })
            .collect();
        blocks
            .into_par_iter()
            .for_each(|(constants, w, g, m, v)| wide!(constants.update(w, g, m, v)));
    }
}

/// The constants of one step of a parameter, rounded to the element type.
#[derive(Clone, Copy)]
struct Constants<T> {
    beta1: T,
    one_minus_beta1: T,
    beta2: T,
    one_minus_beta2: T,
    /// `1 / √(1 − β₂ᵗ)` in PyTorch's form, 1 in the other.
    root_factor: T,
    epsilon: T,
    /// `α`.
    alpha: T,
    /// `lr λ`, or 0.
    decay: T,
    decay_first: bool,
}

impl<T: Real> Constants<T> {
    fn new(settings: &AdamWSettings, t: u64, lr: f64, decay: bool) -> Self {
        let AdamWSettings {
            form,
            beta1,
            beta2,
            epsilon,
            weight_decay,
        } = *settings;
        let correction1 = 1.0 - libm::pow(beta1, t as f64);
        let correction2 = (1.0 - libm::pow(beta2, t as f64)).sqrt();
        let (alpha, root_factor, decay_first) = match form {
            AdamWForm::HuggingFace { correct_bias: true } => (lr * correction2 / correction1, 1.0, false),
            AdamWForm::HuggingFace { correct_bias: false } => (lr, 1.0, false),
            AdamWForm::Torch => (lr / correction1, 1.0 / correction2, true),
        };
        Self {
            beta1: T::of(beta1),
            one_minus_beta1: T::of(1.0 - beta1),
            beta2: T::of(beta2),
            one_minus_beta2: T::of(1.0 - beta2),
            root_factor: T::of(root_factor),
            epsilon: T::of(epsilon),
            alpha: T::of(alpha),
            decay: T::of(if decay { lr * weight_decay } else { 0.0 }),
            decay_first,
        }
    }

    #[inline]
    fn update(self, w: &mut [T], g: &mut [T], m: &mut [T], v: &mut [T]) {
        for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            let g = std::mem::take(g);
            if self.decay_first {
                *w -= self.decay * *w;
            }
            *m = self.beta1 * *m + self.one_minus_beta1 * g;
            *v = self.beta2 * *v + self.one_minus_beta2 * g * g;
            *w -= self.alpha * *m / (v.sqrt() * self.root_factor + self.epsilon);
            if !self.decay_first {
                *w -= self.decay * *w;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decay_spares_biases_and_layer_norms() {
        assert!(decays("bert.encoder.layer.0.output.dense.weight"));
        assert!(decays("bert.embeddings.word_embeddings.weight"));
        assert!(!decays("classifier.bias"));
        assert!(!decays("bert.embeddings.LayerNorm.weight"));
    }

    /// One step by hand from w = 1, g = 2 with β₁ = ¾, β₂ = ¾, ε = 1, lr = 1/8, λ = 1: m = ½, v = 1, √v = 1,
    /// √(1 − β₂) = ½, 1 − β₁ = ¼.
    /// * Hugging Face, corrected: α = lr ½ / ¼ = ¼, w = 1 − ¼ ½ / 2 = 15/16, less an eighth of itself: 105/128.
    /// * uncorrected: α = 1/8, w = 1 − 1/8 ½ / 2 = 31/32, less an eighth of itself: 217/256.
    /// * PyTorch: w = 7/8 after the decay, α = lr / ¼ = ½, w = 7/8 − ½ ½ / (1 / ½ + 1) = 19/24.
    #[test]
    fn worked_example() {
        let step = |form| {
            let settings = AdamWSettings {
                form,
                beta1: 0.75,
                beta2: 0.75,
                epsilon: 1.0,
                weight_decay: 1.0,
            };
            let mut optimiser = AdamW::new(settings, [1]);
            let mut w = [1.0_f64];
            optimiser.step(
                0.125,
                vec![ParamUpdate {
                    value: &mut w,
                    grad: &mut [2.0],
                    decay: true,
                    lr_factor: 1.0,
                    frozen: false,
                }],
            );
            w[0]
        };
        assert_eq!(step(AdamWForm::HuggingFace { correct_bias: true }), 105.0 / 128.0);
        assert_eq!(
            step(AdamWForm::HuggingFace { correct_bias: false }),
            217.0 / 256.0
        );
        assert!((step(AdamWForm::Torch) - 19.0 / 24.0).abs() < 1e-15);
    }

    /// Two parameters with the constants above, uncorrected: the second has half the rate, and is frozen in the first of
    /// two steps.
    /// * First step, the first parameter: 217/256 as above. The second stays at 1, its moments at 0.
    /// * Second step, g = 2, the second parameter: m = ½, v = 1, α = lr/2 = 1/16, w = 1 − 1/16 ½ / 2 = 63/64, less a
    ///   sixteenth of itself: 945/1024.
    #[test]
    fn rates_of_their_own_and_frozen_parameters() {
        let settings = AdamWSettings {
            form: AdamWForm::HuggingFace { correct_bias: false },
            beta1: 0.75,
            beta2: 0.75,
            epsilon: 1.0,
            weight_decay: 1.0,
        };
        let mut optimiser = AdamW::new(settings, [1, 1]);
        let (mut first, mut second) = ([1.0_f64], [1.0_f64]);
        for frozen in [true, false] {
            let before = optimiser.moments[1].clone();
            let (mut first_grad, mut second_grad) = ([2.0], [2.0]);
            let updates = vec![
                ParamUpdate {
                    value: &mut first,
                    grad: &mut first_grad,
                    decay: true,
                    lr_factor: 1.0,
                    frozen: false,
                },
                ParamUpdate {
                    value: &mut second,
                    grad: &mut second_grad,
                    decay: true,
                    lr_factor: 0.5,
                    frozen,
                },
            ];
            optimiser.step(0.125, updates);
            assert_eq!(
                (first_grad, second_grad),
                ([0.0], if frozen { [2.0] } else { [0.0] })
            );
            if frozen {
                assert_eq!((first[0], second[0]), (217.0 / 256.0, 1.0));
                assert_eq!(optimiser.moments[1], before);
            }
        }
        assert_eq!(second[0], 945.0 / 1024.0);
        assert_eq!((optimiser.moments[0].steps, optimiser.moments[1].steps), (2, 1));
    }
}
