//! The published formulas for "clip by norm".
//!
//! Everybody writes `g ← g · min(1, c/n)`, and everybody computes something else: an ε here, a reciprocal there, a
//! branch or none. The differences decide what happens at `n = c`, at 0, at ∞ and at NaN, and the last bits everywhere.
//! A convention is one such formula with its order of operations and the type of each intermediate; how it is computed
//! is in [`Scaling`](super::Scaling). `x`: an element, `n`: the statistic of its component, `c`: the threshold, `T`: the
//! gradient's type, `S`: the loss scale.
//!
//! The one thing that is not imitated is how a source adds up its norm: the order of a sum is no part of a convention.
//! `n` is this crate's `f64` norm, rounded once to the type that the source keeps norms in.

use super::error::{PolicyError, nearest};
use std::fmt;
use std::str::FromStr;

/// A formula for clipping by norm, with its edge behaviour and its roundings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Convention {
    /// `exact`: `n <= c ? x : x·(c/n)`, `n` and `c/n` in `f64`, the quotient rounded once to `T`.
    ///
    /// # Source
    /// This crate's reference: no ε, the identity up to and including `c`. It is the only formula besides Paddle's that
    /// obeys every bitwise law of `docs/clipping.md`.
    Exact,
    /// `torch`: `x · min(1, RN(1/(n+1e-6))·c)`, all in `T`, no branch.
    ///
    /// # Source
    /// PyTorch 2.15, `torch/nn/utils/clip_grad.py`, `clip_grads_with_norm_`; `number / tensor` is
    /// `tensor.reciprocal() * number` (`torch/_tensor.py`, `__rtruediv__`), so the quotient has two roundings.
    #[default]
    Torch,
    /// `torch-branch`: `k = c/(n+1e-6)` in `f64` of `n` in `T`; `k < 1 ? x·k : x`.
    ///
    /// # Source
    /// tch-rs `VarStore::clip_grad_norm`; Megatron-core `clip_grad_by_total_norm_fp32` with a `float` norm.
    TorchBranch,
    /// `deepspeed/S`: `x · 1/(S·max(1, (n/S+1e-6)/c))`, all in `T`; gradients and `n` come multiplied by `S`.
    ///
    /// # Source
    /// DeepSpeed, `runtime/zero/stage_1_and_2.py`, `unscale_and_clip_grads`.
    DeepSpeed {
        /// The loss scale `S`, 1 where there is none.
        loss_scale: f64,
    },
    /// `mxnet`: `x · min(1, c/(n+1e-8))`, all in `T`.
    ///
    /// # Source
    /// Apache MXNet, `python/mxnet/gluon/utils.py`, `clip_global_norm`.
    Mxnet,
    /// `burn`: `x · min(1, RN(1/(n+m))·c)`, all in `T`; `m` is the smallest normal number of `T`.
    ///
    /// # Source
    /// burn, `crates/burn-optim/src/grad_clipping/base.rs`, `clip_by_norm`.
    Burn,
    /// `optax`: `n < c ? x : (x·RN(1/n))·c`, all in `T`; a tensor of one element is divided, `(x/n)·c`.
    ///
    /// # Source
    /// optax 0.2.8, `optax/transforms/_clipping.py`, `clip_by_global_norm`. It says `(t / g_norm) * max_norm`; XLA on a
    /// CPU turns the division by a broadcast scalar into a multiplication by its reciprocal (measured, jax 0.10.2).
    Optax,
    /// `optax-jit`: `n < c ? x : (x/n)·c`, all in `T`.
    ///
    /// # Source
    /// As `optax`, under `jax.jit`: there XLA keeps the division (measured, jax 0.10.2).
    OptaxJit,
    /// `optax-rms`: `x·RN(1/max(1, n/c))`, all in `T`; a tensor of one element is divided.
    ///
    /// # Source
    /// optax 0.2.8, `clip_by_block_rms`, with the statistic `rms`; the division as in `optax`.
    OptaxRms,
    /// `optax-rms-jit`: `d = max(1, n·RN(1/c))`; `x·RN(1/d)`, all in `T`; a tensor of one element is divided.
    ///
    /// # Source
    /// As `optax-rms`, under `jax.jit`: the threshold is a constant of the program there, and XLA multiplies by its
    /// reciprocal (measured, jax 0.10.2).
    OptaxRmsJit,
    /// `optax-example`: `x · nan_to_num(min(c/n, 1), nan = 1)`, all in `T`.
    ///
    /// # Source
    /// optax, `optax/transforms/_clipping.py`, `per_example_global_norm_clip`.
    OptaxExample,
    /// `jax-example`: `n < c ? x : x·(c/n)`, all in `T`.
    ///
    /// # Source
    /// JAX, `jax/example_libraries/optimizers.py`, `clip_grads`.
    JaxExample,
    /// `jax-privacy`: `x · nan_to_num(min(1, c/n), nan = 0, posinf = 0)`, all in `T`; `c < 0` is refused.
    ///
    /// # Source
    /// jax-privacy, `jax_privacy/clipping.py`, `clip_pytree`.
    JaxPrivacy,
    /// `tf-global`: `x · (c·min(1/n, 1/c))`, all in `T`; NaN for every element if `n` is not finite.
    ///
    /// # Source
    /// TensorFlow 2.21, `python/ops/clip_ops.py`, `clip_by_global_norm`.
    TfGlobal,
    /// `keras-global`: `x · (c·min(1/n, RN(1/c)))`, `1/c` in `f64` before it is rounded to `T`; NaN for every element if `n`
    /// is not finite. `c <= 0` clips nothing.
    ///
    /// # Source
    /// Keras 3.15 on TensorFlow, `src/optimizers/base_optimizer.py`, `global_clipnorm`: `1.0 / clip_norm` is a division
    /// of Python numbers.
    KerasGlobal,
    /// `tf-norm`: `(x·c) / max(n, c)`, all in `T`.
    ///
    /// # Source
    /// TensorFlow 2.21, `python/ops/clip_ops.py`, `clip_by_norm`; Keras `clipnorm`.
    TfNorm,
    /// `tf-average`: `(x·c) · min(N·(1/n), 1/c)`, all in `T`, `n` the 2-norm of the component and `N` its elements: a
    /// bound on `n/N`. Its statistic is therefore always [`Statistic::Mean`](super::Statistic::Mean).
    ///
    /// # Source
    /// TensorFlow 2.21, `python/ops/clip_ops.py`, `clip_by_average_norm`.
    TfAverage,
    /// `tf-average-graph`: `x · RN(c·min(N·(1/n), 1/c))`, all in `T`, with `n` and `N` as in `tf-average`; a tensor
    /// without axes as there.
    ///
    /// # Source
    /// As `tf-average`, inside `tf.function`: Grappler multiplies the two scalars first (measured, TensorFlow 2.21).
    TfAverageGraph,
    /// `tf-privacy`: `x · min(1, c/max(n, 1e-8))`, all in `T`.
    ///
    /// # Source
    /// TensorFlow Privacy, `privacy/fast_gradient_clipping`, `clip_and_aggregate_gradients`.
    TfPrivacy,
    /// `paddle-global`: `x · (c/max(n, c))`, all in `T`.
    ///
    /// # Source
    /// PaddlePaddle, `python/paddle/nn/clip.py`, `ClipGradByGlobalNorm`.
    PaddleGlobal,
    /// `paddle-norm`: with `t = [n <= c]`, `x·(t + (1-t)·c/(n + 1e-6·[n <= 1e-30]))`, all in `T`.
    ///
    /// # Source
    /// PaddlePaddle, `paddle/phi/kernels/impl/clip_by_norm_kernel_impl.h` and `ClipGradByNorm`.
    PaddleNorm,
    /// `mindspore`: `(x·c) / (n >= c ? n : c)`, all in `T`; `c <= 0` is refused.
    ///
    /// # Source
    /// MindSpore, `python/mindspore/ops/composite/clip_ops.py`, `clip_by_global_norm`.
    MindSpore,
    /// `div-max`: `x / max(1, n/c)`, all in `T`.
    ///
    /// # Source
    /// timm `Lamb`'s `max_grad_norm`; TensorFlow Privacy's vectorised DP optimisers; the
    /// update clipping of Shazeer and Stern, *Adafactor*, ICML 2018, arXiv 1804.04235, algorithm 4.
    DivMax,
}

impl Convention {
    /// Every convention; DeepSpeed's without a loss scale.
    pub const ALL: [Self; 23] = [
        Self::Exact,
        Self::Torch,
        Self::TorchBranch,
        Self::DeepSpeed { loss_scale: 1.0 },
        Self::Mxnet,
        Self::Burn,
        Self::Optax,
        Self::OptaxJit,
        Self::OptaxRms,
        Self::OptaxRmsJit,
        Self::OptaxExample,
        Self::JaxExample,
        Self::JaxPrivacy,
        Self::TfGlobal,
        Self::KerasGlobal,
        Self::TfNorm,
        Self::TfAverage,
        Self::TfAverageGraph,
        Self::TfPrivacy,
        Self::PaddleGlobal,
        Self::PaddleNorm,
        Self::MindSpore,
        Self::DivMax,
    ];

    /// The ε that the source adds to the norm, where it adds one that may be another; `eps=` of a policy.
    pub fn eps(self) -> Option<f64> {
        match self {
            Self::Torch | Self::TorchBranch | Self::DeepSpeed { .. } => Some(1e-6),
            Self::Mxnet => Some(1e-8),
            _ => None,
        }
    }

    /// Whether the statistic is [`Statistic::Mean`](super::Statistic::Mean), whatever the policy says.
    pub fn measures_mean(self) -> bool {
        matches!(self, Self::TfAverage | Self::TfAverageGraph)
    }

    /// The name in policies, without DeepSpeed's loss scale.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Torch => "torch",
            Self::TorchBranch => "torch-branch",
            Self::DeepSpeed { .. } => "deepspeed",
            Self::Mxnet => "mxnet",
            Self::Burn => "burn",
            Self::Optax => "optax",
            Self::OptaxJit => "optax-jit",
            Self::OptaxRms => "optax-rms",
            Self::OptaxRmsJit => "optax-rms-jit",
            Self::OptaxExample => "optax-example",
            Self::JaxExample => "jax-example",
            Self::JaxPrivacy => "jax-privacy",
            Self::TfGlobal => "tf-global",
            Self::KerasGlobal => "keras-global",
            Self::TfNorm => "tf-norm",
            Self::TfAverage => "tf-average",
            Self::TfAverageGraph => "tf-average-graph",
            Self::TfPrivacy => "tf-privacy",
            Self::PaddleGlobal => "paddle-global",
            Self::PaddleNorm => "paddle-norm",
            Self::MindSpore => "mindspore",
            Self::DivMax => "div-max",
        }
    }
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeepSpeed { loss_scale } if *loss_scale != 1.0 => write!(f, "deepspeed/{loss_scale}"),
            _ => f.write_str(self.name()),
        }
    }
}

impl FromStr for Convention {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        if let Some(scale) = text.strip_prefix("deepspeed/") {
            let loss_scale: f64 = scale.parse().unwrap_or(f64::NAN);
            return if loss_scale > 0.0 && loss_scale.is_finite() {
                Ok(Self::DeepSpeed { loss_scale })
            } else {
                Err(PolicyError::value("deepspeed", scale, "a loss scale above 0"))
            };
        }
        Self::ALL
            .into_iter()
            .find(|convention| convention.name() == text)
            .ok_or_else(|| PolicyError::Unknown {
                what: "convention",
                name: text.to_owned(),
                nearest: nearest(text, Self::ALL.map(Self::name)),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        for convention in Convention::ALL {
            assert_eq!(convention.to_string().parse(), Ok(convention));
        }
        let scaled = Convention::DeepSpeed { loss_scale: 65536.0 };
        assert_eq!(scaled.to_string(), "deepspeed/65536");
        assert_eq!("deepspeed/65536".parse(), Ok(scaled));
    }

    #[test]
    fn errors() {
        let error = |text: &str| text.parse::<Convention>().expect_err(text).to_string();
        assert_eq!(
            error("tensorflow"),
            "unknown convention `tensorflow`; nearest: torch, tf-norm, tf-global"
        );
        assert_eq!(error("deepspeed/0"), "`deepspeed=0`: not a loss scale above 0");
    }
}
