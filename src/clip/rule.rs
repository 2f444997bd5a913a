//! What is done to a component once its statistic is known: the rules, as data.
//!
//! `n`: the component's statistic, `c`: the threshold, `x`: an element, `y`: what it becomes, `k`: the scale. Every
//! rule but [`Rule::Value`], [`Rule::Soft`] and [`Rule::Spam`] multiplies a component by one number.

use super::convention::Convention;
use super::threshold::Threshold;

/// The rule of a policy. The fields of each variant are in the order of its text form.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// `none`: measure, and keep every gradient.
    Keep,
    /// `PARTITION:C@CONVENTION,eps=E`: bring `n` down to `c`, by the convention's formula.
    Norm {
        /// `c`.
        threshold: Threshold,
        /// The formula.
        convention: Convention,
        /// `ε`, which is added to `n`: [`Convention::eps`] unless the source was given another; 0 where it has none.
        eps: f64,
    },
    /// `value:C@FORM`: clip each element; norms are only reported.
    Value {
        /// `c`.
        threshold: Threshold,
        /// The formula.
        form: ValueForm,
    },
    /// `soft:C@CURVE`: bend each element smoothly under `c`.
    Soft {
        /// `c`.
        threshold: Threshold,
        /// The formula.
        curve: Curve,
    },
    /// `soft-norm:C`: `k = 1/(1 + n/c)`; the norm after stays below `c`. With `c = 0`, `k = 0`.
    ///
    /// # Source
    /// The radial form of the rational soft clip, `x/(1+|x|/c)` on the norm; folklore.
    SoftNorm {
        /// `c`.
        threshold: Threshold,
    },
    /// `normalise:C@add`, `normalise:C@max`: `k = c/(n+ε)` or `c/max(n, ε)`, small gradients made larger too.
    ///
    /// # Source
    /// `add` with ε = 0.01 per example is AUTO-S of Bu, Wang, Zha and Karypis, *Automatic Clipping*, NeurIPS 2023,
    /// arXiv 2206.07136; with ε = 1e-6 optax's `normalize_by_update_norm`.
    Normalise {
        /// `c`, the norm afterwards.
        target: Threshold,
        /// How ε enters.
        floor: Floor,
        /// `ε`.
        eps: f64,
    },
    /// `agc:C`: adaptive gradient clipping by unit, `m = c·max(‖w‖, ε)`; `n < m ? x : x·(m/max(n, 1e-6))`, in `T`.
    ///
    /// # Source
    /// Brock, De, Smith and Simonyan, *High-Performance Large-Scale Image Recognition Without Normalization*, ICML
    /// 2021, arXiv 2102.06171, section 4.1; `adaptive_clip_grad` of timm (partition `row`) and `adaptive_grad_clip` of
    /// optax (`optax-unit`), which differ in the axes of a unit alone.
    Agc {
        /// `c`, a share of the weight's norm.
        threshold: Threshold,
        /// `ε`, the floor of the weight's norm: without it a weight that starts at zero stays there.
        eps: f64,
    },
    /// `trust-ratio`: `k = min(b, a·‖w‖/(n+ε))`, and 1 where `‖w‖` or `n` is 0. For updates rather than gradients.
    ///
    /// # Source
    /// You, Gitman and Ginsburg, *LARS*, arXiv 1708.03888; You et al., *LAMB*, ICLR 2020, arXiv 1904.00962; optax
    /// `scale_by_trust_ratio`. `max=1` is timm's `trust_clip`.
    TrustRatio {
        /// `a`.
        coefficient: f64,
        /// `ε`.
        eps: f64,
        /// `b`; infinite where there is no bound.
        max: f64,
    },
    /// `stable-adamw:D`: `k = 1/max(1, r/d)`, `r = √mean(g²/max(v, ε²))`, with `v` Adam's second moment. The source
    /// divides the learning rate by it.
    ///
    /// # Source
    /// Wortsman et al., *Stable and low-precision training for large-scale vision-language models*, NeurIPS 2023,
    /// arXiv 2304.13013, algorithm 2; there `d = 1`.
    StableAdamW {
        /// `d`.
        threshold: Threshold,
        /// `ε`.
        eps: f64,
    },
    /// `spam:Θ`: `g² > Θ·v ? sign(g)·√(Θ·v) : g`, with `v` Adam's second moment.
    ///
    /// # Source
    /// Huang et al., *SPAM: Spike-Aware Adam with Momentum Reset*, ICLR 2025, arXiv 2501.06842, section 4; there `Θ` =
    /// 5000. The momentum reset is no part of clipping.
    Spam {
        /// `Θ`.
        threshold: Threshold,
    },
    /// A rule that remembers earlier steps; see [`Memory`](super::Memory) for what.
    Adaptive(Adaptive),
}

/// The rules whose threshold comes from earlier steps. They work on a [`ClipState`](super::ClipState).
#[derive(Clone, Debug, PartialEq)]
pub enum Adaptive {
    /// `autoclip:P`: `c` is the `P`th percentile (with linear interpolation) of all norms so far, this one included;
    /// then the convention `torch`.
    ///
    /// # Source
    /// Seetharaman, Wichern, Pardo and Le Roux, *AutoClip*, MLSP 2020, arXiv 2007.14469.
    AutoClip {
        /// `P`, from 0 to 100.
        percentile: f64,
    },
    /// `percentile:P`: `c` is entry `P` of the 100 last squared norms in order, this one included (the first fills all
    /// 100); `n > c ? x·(c/n) : x`.
    ///
    /// # Source
    /// bitsandbytes, `percentile_clipping` (removed in 2026).
    Percentile {
        /// `P`, from 0 to 99; 100 keeps every gradient.
        percentile: usize,
    },
    /// `zclip:Z`: with mean `μ` and deviation `σ` of the norms so far, `z = (n-μ)/(σ+1e-6)`; where `z > Z`, the threshold
    /// is `factor·(μ + Z·σ/(z/Z))`, or `μ` under `@mean`, and never above `max`; then the convention `torch-branch`. The
    /// averages then take the threshold (before `max`) in place of a spike's norm: `μ ← α·μ + (1-α)·n`, `σ² ← α·σ² +
    /// (1-α)·(n-μ)²` with the new `μ`. The first `warmup` norms make the first averages and obey `max` alone.
    ///
    /// # Source
    /// Kumar, Owen, Chowdhury and Güra, *ZClip: Adaptive Spike Mitigation for LLM Pre-Training*, arXiv 2504.02507, and
    /// its code.
    ZClip {
        /// Where a spike goes.
        target: SpikeTarget,
        /// `Z`.
        z: f64,
        /// The decay of the exponential averages.
        alpha: f64,
        /// Norms that only measure.
        warmup: usize,
        /// The factor on a spike's threshold.
        factor: f64,
        /// The bound on every norm; infinite where there is none.
        max: f64,
    },
    /// `adagc:R`: `h = min(1, R·γ/n)`, then `γ ← β·γ + (1-β)·h·n`, with one `γ` a component. In the first `warmup` steps
    /// the global norm is clipped at `absolute`, and `γ` is the smallest norm so far.
    ///
    /// # Source
    /// Wang et al., *AdaGC: Improving Training Stability for Large Language Model Pretraining*, arXiv 2502.11034,
    /// algorithm 1.
    AdaGc {
        /// `R`, the growth of a norm that is let through.
        relative: f64,
        /// The threshold of the global norm during the warm-up.
        absolute: f64,
        /// `β`.
        beta: f64,
        /// Steps of the warm-up.
        warmup: usize,
    },
    /// `stable-spam:θ`: `m ← θ·m + (1-θ)·max|g|`, `M = m/(1-θᵗ)` at step `t`; `|x| > M ? x/max|g|·M : x`.
    ///
    /// # Source
    /// Huang et al., *Stable-SPAM: How to Train in 4-Bit More Stably than 16-Bit Adam*, arXiv 2502.17055, AdaClip. Its
    /// norm scaling and its momentum reset are separate steps and not done here.
    StableSpam {
        /// `θ`.
        theta: f64,
    },
}

/// The formulas for clipping by value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ValueForm {
    /// `torch`: `min(max(x, -c), c)`: bounds the wrong way round (`c < 0`) give `c`. NaN stays, and `c` = NaN gives NaN.
    ///
    /// # Source
    /// PyTorch `clip_grad_value_`; `jnp.clip` in optax's `clip`.
    #[default]
    Torch,
    /// `tf`: `max(min(x, c), -c)`: bounds the wrong way round give `-c`.
    ///
    /// # Source
    /// TensorFlow `clip_by_value`; MindSpore.
    Tf,
    /// `paper`: `min(x, c)`, the upper side only, if any element of the tensor is above `c`; -9 stays -9, and `c` = NaN
    /// changes nothing (PyTorch 2.15: `clamp(max=nan)` is NaN, but `(x > nan).any()` is false).
    ///
    /// # Source
    /// The code released with Yang and Ma, EMNLP 2022 (`FineTuningStability`, `clamp(grad, max=v)`).
    Paper,
}

/// Smooth bounds on an element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Curve {
    /// `rational`: `x/(1+|x|/c)`.
    #[default]
    Rational,
    /// `tanh`: `c·tanh(x/c)`.
    Tanh,
    /// `mu-law`: `c·sign(x)·log(1 + 127·|x|/c)/log(128)`; not a bound, and larger than `x` for small `x`.
    ///
    /// # Source
    /// HeavyBall, `mu_law_compress`, with its `μ` = 127.
    MuLaw,
}

/// How ε keeps a normalisation from dividing by 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Floor {
    /// `add`: `n + ε`.
    #[default]
    Add,
    /// `max`: `max(n, ε)`.
    Max,
}

/// Where ZClip brings a spike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SpikeTarget {
    /// `adaptive`: `μ + Z·σ/(z/Z)`, the lower the higher the spike.
    #[default]
    Adaptive,
    /// `mean`: `μ`.
    Mean,
}

impl Rule {
    /// The threshold, where the rule has a fixed one.
    pub fn threshold(&self) -> Option<Threshold> {
        match self {
            Self::Norm { threshold, .. }
            | Self::Value { threshold, .. }
            | Self::Soft { threshold, .. }
            | Self::SoftNorm { threshold }
            | Self::Normalise {
                target: threshold, ..
            }
            | Self::Agc { threshold, .. }
            | Self::StableAdamW { threshold, .. }
            | Self::Spam { threshold } => Some(*threshold),
            Self::Keep | Self::TrustRatio { .. } | Self::Adaptive(_) => None,
        }
    }

    /// Whether norms are kept in the gradients' type; all others are `f64`.
    pub(super) fn keeps_norms_in_type(&self) -> bool {
        match self {
            Self::Norm { convention, .. } => *convention != Convention::Exact && !convention.measures_mean(),
            rule => matches!(rule, Self::Agc { .. }),
        }
    }

    /// Whether the rule reads the parameters' values.
    pub fn needs_values(&self) -> bool {
        matches!(self, Self::Agc { .. } | Self::TrustRatio { .. })
    }

    /// Whether the rule reads Adam's second moment.
    pub fn needs_second_moments(&self) -> bool {
        matches!(self, Self::StableAdamW { .. } | Self::Spam { .. })
    }
}
