//! The rules that remember earlier steps; their formulas and sources are at [`Adaptive`].
//!
//! One memory a component. A component that the edge rule handles is not remembered. Under `edge=propagate` a norm that
//! is not finite goes into the memory as in the sources, and stays there: AutoClip's percentile is NaN ever after.

use super::convention::Convention;
use super::decision::{Act, Decision, Measured};
use super::elementwise::Each;
use super::report::Clipped;
use super::rule::{Adaptive, SpikeTarget};
use super::scaling::Scaling;
use super::state::Memory;
use crate::real::Real;

/// Slots of the ring of percentile clipping.
const RING: usize = 100;

/// ZClip's addend to the deviation.
const DEVIATION_EPS: f64 = 1e-6;

/// What a step has in common for all components.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Steps before this one.
    pub(super) before: u64,
    /// The 2-norm of everything that counts and that the edge rule has left to the rule.
    pub(super) global_norm: f64,
}

impl Adaptive {
    /// Decides on one component and remembers it.
    pub(super) fn decide<T: Real>(
        &self,
        memory: &mut Option<Memory>,
        m: &Measured,
        step: Step,
    ) -> Decision<T> {
        let n = m.statistic;
        match *self {
            Self::AutoClip { percentile } => {
                let mut history = match memory.take() {
                    Some(Memory::History(history)) => history,
                    _ => Vec::new(),
                };
                history.push(n);
                let c = interpolated_percentile(&history, percentile);
                *memory = Some(Memory::History(history));
                by_norm(Convention::Torch, c, m)
            }
            Self::Percentile { percentile } => ring(percentile, memory, m, step),
            Self::ZClip { .. } => self.zclip(memory, m),
            Self::AdaGc {
                relative,
                absolute,
                beta,
                warmup,
            } => {
                // A component without a memory after the warm-up starts from its first norm.
                let level = match memory {
                    Some(Memory::Level(level)) => Some(*level),
                    _ => None,
                };
                let warm = step.before < warmup as u64;
                let h = |n: f64| match level {
                    _ if n == 0.0 => 1.0,
                    _ if warm => at_most_one(absolute / step.global_norm),
                    Some(level) => at_most_one(relative * level / n),
                    None => 1.0,
                };
                let c = if warm {
                    Some(absolute)
                } else {
                    level.map(|level| relative * level)
                };
                let kept = h(n) * n;
                *memory = Some(Memory::Level(match level {
                    Some(level) if warm => least(level, kept),
                    Some(level) => beta * level + (1.0 - beta) * kept,
                    None => kept,
                }));
                Decision::factor(m, n, c, h)
            }
            Self::StableSpam { theta } => {
                let before = match memory {
                    Some(Memory::Level(level)) => *level,
                    _ => 0.0,
                };
                let level = theta * before + (1.0 - theta) * n;
                let peak = level / (1.0 - libm::pow(theta, (step.before + 1) as f64));
                *memory = Some(Memory::Level(level));
                if n <= peak {
                    return Decision::keep(Some(peak));
                }
                Decision {
                    act: Act::Each(Each::Spike(T::of(peak), T::of(n))),
                    threshold: Some(peak),
                    clipped: Clipped::Ambiguous,
                }
            }
        }
    }

    fn zclip<T: Real>(&self, memory: &mut Option<Memory>, m: &Measured) -> Decision<T> {
        let Self::ZClip {
            target,
            z: limit,
            alpha,
            warmup,
            factor,
            max,
        } = *self
        else {
            unreachable!("called for ZClip alone");
        };
        let n = m.statistic;
        let (mean, variance) = match memory.take() {
            Some(Memory::Average { mean, variance }) => (mean, variance),
            other => {
                let mut norms = match other {
                    Some(Memory::Warmup(norms)) => norms,
                    _ => Vec::new(),
                };
                norms.push(n);
                *memory = Some(if norms.len() >= warmup {
                    average(&norms)
                } else {
                    Memory::Warmup(norms)
                });
                return by_norm(Convention::TorchBranch, max, m);
            }
        };
        let deviation = variance.sqrt();
        let z = (n - mean) / (deviation + DEVIATION_EPS);
        let spike = (z > limit).then(|| match target {
            SpikeTarget::Adaptive => (mean + limit * deviation / (z / limit)) * factor,
            SpikeTarget::Mean => mean,
        });
        let effective = spike.unwrap_or(n);
        let mean = alpha * mean + (1.0 - alpha) * effective;
        let variance = alpha * variance + (1.0 - alpha) * (effective - mean) * (effective - mean);
        *memory = Some(Memory::Average { mean, variance });
        by_norm(Convention::TorchBranch, spike.map_or(max, |c| c.min(max)), m)
    }
}

/// Percentile clipping. The source counts a step before it stores its norm, so step `t` has slot `t mod 100`.
fn ring<T: Real>(percentile: usize, memory: &mut Option<Memory>, m: &Measured, step: Step) -> Decision<T> {
    let square = m.statistic * m.statistic;
    let mut ring = match memory.take() {
        Some(Memory::Ring(ring)) if ring.len() == RING => ring,
        _ => vec![square; RING],
    };
    ring[((step.before + 1) % RING as u64) as usize] = square;
    let sorted = sorted(&ring);
    *memory = Some(Memory::Ring(ring));
    match sorted.get(percentile).map(|square| square.sqrt()) {
        None => Decision::keep(None),
        // Not above the threshold, whatever is NaN.
        Some(c) if c.is_nan() || m.statistic.is_nan() => Decision::keep(Some(c)),
        Some(c) => by_norm(Convention::Exact, c, m),
    }
}

/// Ascending, NaN of either sign last, as in torch and numpy.
fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.to_vec();
    sorted.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
    sorted
}

/// Mean and variance (divided by the count) of the warm-up.
fn average(norms: &[f64]) -> Memory {
    let count = norms.len() as f64;
    let mean = norms.iter().fold(0.0, |s, n| s + n) / count;
    let variance = norms.iter().fold(0.0, |s, n| s + (n - mean) * (n - mean)) / count;
    Memory::Average { mean, variance }
}

fn by_norm<T: Real>(convention: Convention, c: f64, m: &Measured) -> Decision<T> {
    let n = m.statistic;
    let eps = convention.eps().unwrap_or_default();
    let clipped = m.verdict(n, |n| convention.exceeds::<T>(n, c, eps, m.elements));
    let scaling: Scaling<T> = convention.scaling(n, c, eps, m.elements);
    Decision::scale(scaling, Some(c), clipped)
}

/// `numpy.percentile` with its default, linear interpolation; NaN if any value is, and for what
/// its formula makes of an infinity.
fn interpolated_percentile(values: &[f64], percentile: f64) -> f64 {
    if values.iter().any(|x| x.is_nan()) {
        return f64::NAN;
    }
    let sorted = sorted(values);
    let place = (sorted.len() - 1) as f64 * (percentile / 100.0);
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (a, b, t) = (sorted[below], sorted[above], place - below as f64);
    // numpy's form, which meets both ends exactly.
    if t >= 0.5 {
        b - (b - a) * (1.0 - t)
    } else {
        a + (b - a) * t
    }
}

fn at_most_one(k: f64) -> f64 {
    least(k, 1.0)
}

/// The smaller; NaN if either is NaN.
fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}
