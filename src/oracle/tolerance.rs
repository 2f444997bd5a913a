//! Every tolerance of the project, derived from the declared arithmetic.
//!
//! # The norm
//!
//! Terms that are not negative cannot cancel, so their sum has condition number 1 whatever the order. If no term passes
//! through more than `d` additions, each of relative error at most `u`, and each term was rounded once (`m = 1`: the
//! square), then
//!
//! ```text
//! Ŝ = Σ xᵢ² Π(1 + δ),   |δ| <= u,  at most d + m factors     hence   S (1-u)^(d+m) <= Ŝ <= S (1+u)^(d+m)
//! n̂ = √Ŝ (1 + δ)                                             hence   n (1-u)^((d+m)/2 + 1) <= n̂ <= n (1+u)^((d+m)/2 + 1)
//! ```
//!
//! The powers themselves are used, not `γ_n`, which is empty where `d u` nears 1. Depths `d` for `N` terms are in [`depth`].
//! Norms that are combined from norms go through the second formula once more, over the number of tensors.
//!
//! | statistic | exponent of `1 ± u` |
//! |---|---|
//! | 2 | `(d + 1)/2 + 1` |
//! | rms, mean | 2 more: the division and the root of `N` |
//! | 1 | `d` |
//! | ∞ | 0: a maximum rounds nothing |
//! | other `p` | `(d + P)/p + P + 1` with `P` = 8, the error of a power function in roundings |
//!
//! Compensated summation has `|Ŝ - S| <= (2u + 4Nu²) S`. Squares below the smallest normal number of the accumulator lose
//! at most `η` each, half its smallest subnormal (all of the smallest normal number where it flushes): `N η` in `Ŝ`.
//!
//! What a reduction that nobody declared is taken for is in [`sane()`].
//!
//! # Scale and elements
//!
//! Expected elements are evaluated with the roundings of the convention at both ends of the widened norm; every formula
//! is monotone in the norm, so what lies between them is between their results. A candidate may round the same number
//! of times in another order: two evaluations with `k` roundings each lie within `(1+u)^2k` of each other
//! ([`elements`]), and each may lose `η` of the output's type.
//!
//! # Source
//! Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, sections 3.1, 4.2 (trees), 4.3 (compensation).

mod sane;

use super::declared::{Declared, Reduction, Rounding};
use super::format::Format;
use super::interval::Interval;
use crate::clip::{Convention, Rule, Statistic};
pub use sane::{SANE_BLOCK, SANE_BLOCKS, SANE_DEPTH, WEAK, sane};

/// An error of more than this many budgets is no rounding: with 100 times the operations, budgets grow about that much.
pub const LOGIC: f64 = 100.0;

/// A relative bound on the norm from which on nothing is certified: what it allows would hide a forgotten factor 1.1.
pub const VACUOUS: f64 = 0.1;

/// Error of a library's power function in units of `2u`, doubled: CUDA's `powf` is documented with 4 ulp = 8 roundings.
const POW: f64 = 8.0;

/// How far a computed norm can be from the true one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormBound {
    /// `n̂ >= n (1 - below)`.
    pub below: f64,
    /// `n̂ <= n (1 + above)`.
    pub above: f64,
    /// `√(N η)`: what squares (`p` = 2) or magnitudes lose to underflow, as a norm.
    pub lost: f64,
}

/// `d`: through how many additions a term can pass, with `n` terms.
///
/// | reduction | depth |
/// |---|---|
/// | sequential, any order | `n - 1` |
/// | `L` lanes | `⌈n/L⌉ - 1 + ⌈log₂ L⌉`, and 1 for a remainder |
/// | pairwise from `B` | `B - 1 + ⌈log₂⌈n/B⌉⌉` |
/// | blocks of `B` | `⌈log₂ B⌉ + ⌈n/B⌉ - 1` |
///
/// No tree is deeper than `n - 1`.
pub fn depth(reduction: Reduction, n: u64) -> u64 {
    let most = n.saturating_sub(1);
    let log = |n: u64| u64::from(n.max(1).next_power_of_two().trailing_zeros());
    let depth = match reduction {
        Reduction::Exact | Reduction::Kahan => 0,
        // The deepest of the sane ones.
        Reduction::Unknown => {
            let sane = sane(n, Format::F32).into_iter();
            let trees = sane.filter(|r| !matches!(r, Reduction::F64));
            trees.map(|reduction| depth(reduction, n)).max().unwrap_or(most)
        }
        Reduction::F64 | Reduction::Sequential | Reduction::AnyOrder => most,
        Reduction::Lanes(l) => n.div_ceil(u64::from(l)) + log(u64::from(l)),
        Reduction::Pairwise(b) => u64::from(b) - 1 + log(n.div_ceil(u64::from(b))),
        Reduction::Blocks(b) => log(u64::from(b)) + n.div_ceil(u64::from(b)).saturating_sub(1),
        Reduction::Depth(d) => d,
    };
    depth.min(most)
}

/// The bound for a component of `elements` in `tensors`, all of one type.
pub fn norm(
    declared: &Declared,
    statistic: Statistic,
    format: Format,
    elements: u64,
    tensors: u64,
) -> NormBound {
    if declared.reduction == Reduction::Exact || elements == 0 {
        return NormBound::EXACT;
    }
    let accumulator = declared.accumulator_for(format);
    let u = accumulator.unit_roundoff();
    let reduction = match declared.reduction {
        Reduction::Unknown if accumulator == Format::F64 => Reduction::AnyOrder,
        reduction => reduction,
    };
    let mut exponent = level(reduction, statistic, elements, u);
    if tensors > 1 {
        exponent += level(reduction, statistic, tensors, u);
    }
    let (mut below, mut above) = power(u, exponent);
    (below, above) = (
        below.min(declared.max_norm_error),
        above.min(declared.max_norm_error),
    );
    if let Some(format) = declared.per_tensor {
        let (lower, upper) = power(format.unit_roundoff(), 1.0);
        below = up(below + lower);
        above = up(above + upper + above * upper);
    }
    let smallest = if declared.ftz {
        accumulator.min_normal()
    } else {
        accumulator.min_subnormal() / 2.0
    };
    let squares = matches!(statistic, Statistic::Rms | Statistic::Mean) || statistic == Statistic::L2;
    // √(Nη) of an `f64` accumulator is 2^-537.5 √N: taken apart, since η itself is no number.
    let lost = if squares {
        (elements as f64).sqrt() * accumulator.min_subnormal().sqrt()
    } else {
        elements as f64 * smallest
    };
    let flushed = if squares && declared.ftz {
        (elements as f64).sqrt() * accumulator.min_normal().sqrt()
    } else {
        0.0
    };
    NormBound {
        below,
        above,
        lost: up(lost.max(flushed)),
    }
}

/// The exponent of `1 ± u` for one level of summation over `n` terms.
fn level(reduction: Reduction, statistic: Statistic, n: u64, u: f64) -> f64 {
    let d = match reduction {
        Reduction::Kahan => 2.0 + 4.0 * n as f64 * u,
        _ => depth(reduction, n) as f64,
    };
    match statistic {
        Statistic::Norm(f64::INFINITY) => 0.0,
        Statistic::Norm(1.0) => d,
        Statistic::Norm(2.0) => 0.5 * d + 1.5,
        Statistic::Norm(p) => (d + POW) / p + POW + 1.0,
        Statistic::Rms | Statistic::Mean => 0.5 * d + 3.5,
    }
}

/// `1 - (1-u)^k` and `(1+u)^k - 1`, rounded up.
fn power(u: f64, k: f64) -> (f64, f64) {
    let below = -libm::expm1(k * libm::log1p(-u));
    (up(below).min(1.0), up(libm::expm1(k * libm::log1p(u))))
}

/// A little more: what the few operations on a tolerance can have rounded away.
fn up(x: f64) -> f64 {
    x * (1.0 + 16.0 * f64::EPSILON)
}

impl NormBound {
    /// That of a correctly rounded norm.
    pub const EXACT: Self = Self {
        below: 0.0,
        above: 0.0,
        lost: 0.0,
    };

    /// What a computed norm can be, before it is rounded to the type in which it is kept.
    pub fn apply(&self, norm: Interval) -> Interval {
        if norm.is_nan() || norm.lo.is_infinite() || (self.above == 0.0 && self.lost == 0.0) {
            return norm;
        }
        let relative = norm.widened(self.below, self.above);
        // √(n² ± Nη) = n √(1 ± r²) with r = √(Nη)/n.
        let r = self.lost / relative.lo;
        let lo = if r < 1.0 {
            relative.lo * (1.0 - r * r).sqrt()
        } else {
            0.0
        };
        let r = self.lost / relative.hi;
        let hi = relative.hi + self.lost.min(relative.hi * r * r);
        Interval {
            lo: if r > 0.0 {
                lo.min(relative.lo).next_down().max(0.0)
            } else {
                relative.lo
            },
            hi: if r > 0.0 && norm.hi > 0.0 {
                hi.next_up()
            } else {
                relative.hi
            },
        }
    }

    /// Whether it says next to nothing.
    pub fn is_vacuous(&self) -> bool {
        self.above >= VACUOUS
    }
}

/// Roundings between the norm and an element, by rule: those of the scale and those of the element.
pub fn roundings(rule: &Rule) -> u32 {
    match rule {
        Rule::Norm { convention, .. } => match convention {
            // c/n, and x·k.
            Convention::Exact
            | Convention::JaxExample
            | Convention::JaxPrivacy
            | Convention::OptaxExample
            | Convention::PaddleGlobal
            | Convention::TfNorm
            | Convention::MindSpore
            | Convention::DivMax
            | Convention::TfPrivacy => 2,
            // A sum, a quotient, and x·k; or a reciprocal and two products.
            Convention::TorchBranch
            | Convention::Mxnet
            | Convention::PaddleNorm
            | Convention::Optax
            | Convention::OptaxJit
            | Convention::OptaxRms => 3,
            // A sum or a second factor, a reciprocal, a product, and x·k.
            Convention::Torch
            | Convention::Burn
            | Convention::OptaxRmsJit
            | Convention::TfGlobal
            | Convention::KerasGlobal
            | Convention::TfAverage
            | Convention::TfAverageGraph => 4,
            // /S, +ε, /c, ·S, the reciprocal, and x·k.
            Convention::DeepSpeed { .. } => 6,
        },
        Rule::Keep | Rule::Value { .. } => 0,
        // c·max(‖w‖, ε) with a norm of its own, /n, x·k; likewise a·‖w‖, +ε, /, x·k.
        Rule::Agc { .. } | Rule::TrustRatio { .. } | Rule::Normalise { .. } | Rule::SoftNorm { .. } => 5,
        // tanh and log count as POW roundings.
        Rule::Soft { .. } => 4 + POW as u32,
        Rule::StableAdamW { .. } | Rule::Spam { .. } => 6,
        Rule::Adaptive(_) => 8,
    }
}

/// The relative and the absolute slack of an element, for a scale in one type and an output in another.
pub fn elements(declared: &Declared, rule: &Rule, scale: Format, output: Format) -> (f64, f64) {
    let k = f64::from(roundings(rule));
    if k == 0.0 {
        return (0.0, 0.0);
    }
    let stored = match declared.rounding {
        Rounding::Nearest => output.unit_roundoff(),
        Rounding::Stochastic | Rounding::Truncate => 2.0 * output.unit_roundoff(),
    };
    let (_, scale) = power(scale.unit_roundoff(), 2.0 * k);
    let (_, stored) = power(stored, 2.0);
    let smallest = if declared.ftz {
        output.min_normal()
    } else {
        output.min_subnormal()
    };
    (up(scale + stored + scale * stored), smallest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(reduction: Reduction, n: u64) -> f64 {
        let declared = Declared::new(reduction).up_to(f64::INFINITY);
        norm(&declared, Statistic::L2, Format::F32, n, 1).above / Format::F32.unit_roundoff()
    }

    /// Nothing is allowed beyond the limit, but what a norm loses where it is rounded to another type.
    #[test]
    fn limited() {
        let at_most = |declared: Declared| norm(&declared, Statistic::L2, Format::F32, 1 << 30, 1).above;
        let sequential = Declared::new(Reduction::Sequential);
        assert_eq!(at_most(sequential), 1e-3);
        assert!(at_most(sequential.up_to(f64::INFINITY)) > 1e10);
        let rounded = Declared {
            per_tensor: Some(Format::Bf16),
            ..sequential
        };
        assert!((4.9e-3..5e-3).contains(&at_most(rounded)));
    }

    /// The table of the error analysis, in units of u: ((d+1)/2 + 1).
    #[test]
    fn known_bounds() {
        assert_eq!(depth(Reduction::Sequential, 1000), 999);
        assert_eq!(depth(Reduction::Pairwise(8), 1000), 7 + 7);
        assert_eq!(depth(Reduction::Blocks(1024), 1_000_000), 10 + 976);
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-4;
        assert!(near(error(Reduction::Sequential, 1000), 501.0));
        assert!(near(error(Reduction::Pairwise(8), 1000), 8.5));
        assert!(near(error(Reduction::Kahan, 1000), 2.5));
        assert!(error(Reduction::F64, 1_000_000) < 0.01);
        assert_eq!(error(Reduction::Exact, 1_000_000), 0.0);
    }

    /// Sequential f32 says nothing about a billion terms: (1+u)^(5e8) - 1 is e^30.
    #[test]
    fn vacuous() {
        let bound = |n| {
            norm(
                &Declared::new(Reduction::Sequential).up_to(f64::INFINITY),
                Statistic::L2,
                Format::F32,
                n,
                1,
            )
        };
        assert!(bound(1_000_000_000).is_vacuous() && bound(1_000_000_000).below > 0.99);
        assert!(!bound(1_000_000).is_vacuous());
    }

    #[test]
    fn underflow_widens() {
        let bound = norm(&Declared::new(Reduction::F64), Statistic::L2, Format::F64, 4, 1);
        let tiny = bound.apply(Interval::point(1e-163));
        assert!(tiny.lo == 0.0 && tiny.hi > 1e-162);
        let usual = bound.apply(Interval::point(1.0));
        assert!(usual.lo > 1.0 - 2e-15 && usual.hi < 1.0 + 2e-15);
        assert_eq!(bound.apply(Interval::point(0.0)), Interval::point(0.0));
    }
}
