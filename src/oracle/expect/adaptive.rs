//! The stateful rules: what one step does, given the memory before it.
//!
//! Each formula is that of its source, in `f64`; the scale is rounded to the machine's type at the end. `n` is the
//! component's norm in this step.

use super::Component;
use super::convention;
use super::edge::poisoned;
use super::kernel::Kernel;
use super::machine::{Machine, min};
use crate::clip::{Adaptive, Confine, Convention, Edge, Memory, Rule, SpikeTarget, Statistic};
use crate::oracle::case::Case;
use crate::oracle::exact::{Norm, Total};
use crate::oracle::interval::Interval;
use crate::oracle::totals::total;

/// The 2-norm of everything that counts and that no edge rule takes away, for `AdaGC`'s warm-up; 0 for other rules.
pub(super) fn global_norm(case: &Case, found: &[(Component, Norm)]) -> Interval {
    let mut sum = Total::new(Statistic::L2);
    if let Rule::Adaptive(Adaptive::AdaGc { .. }) = case.policy.rule {
        let confined = matches!(
            case.policy.edge,
            Edge::Zero(Confine::Component) | Edge::Skip(Confine::Component)
        );
        for (component, norm) in found {
            if confined && (poisoned(component, &case.before) || !norm.interval.hi.is_finite()) {
                continue;
            }
            sum.merge(&total(component, |t| &case.before[t].data, Statistic::L2));
        }
    }
    sum.norm().interval
}

/// What the rule does with a component of norm `n`; `second`: `AdaGC`'s global norm, Stable-SPAM's largest element.
pub(super) fn kernel(
    rule: &Adaptive,
    memory: Option<&Memory>,
    steps: u64,
    m: Machine,
    n: f64,
    second: f64,
) -> Kernel {
    match rule {
        Adaptive::AutoClip { percentile } => {
            let mut history = memory.map(Memory::numbers).unwrap_or_default();
            history.push(n);
            let c = interpolated(history, *percentile);
            convention::kernel(Convention::Torch, (m, m), m.round(n), (c, 1e-6), 0)
        }
        Adaptive::Percentile { percentile: 100 } => Kernel::Keep,
        Adaptive::Percentile { percentile } => {
            let mut ring = memory.map_or_else(|| vec![n * n; 100], Memory::numbers);
            // The source counts the step first: its first norm is that of step 1.
            ring[((steps + 1) % 100) as usize] = n * n;
            ascending(&mut ring);
            times_if_above(m, n, ring[*percentile].sqrt())
        }
        Adaptive::ZClip {
            target,
            z,
            warmup,
            factor,
            max,
            ..
        } => {
            let threshold = spike(memory, n, *target, *z, *warmup, *factor);
            convention::kernel(
                Convention::TorchBranch,
                (m, m),
                m.round(n),
                (threshold.min(*max), 1e-6),
                0,
            )
        }
        Adaptive::AdaGc {
            relative,
            absolute,
            warmup,
            ..
        } => {
            let scale = match memory {
                _ if n == 0.0 => 1.0,
                _ if steps < *warmup as u64 => absolute / second,
                Some(Memory::Level(level)) => relative * level / n,
                _ => 1.0,
            };
            Kernel::Times(m.constant(min(1.0, scale)))
        }
        Adaptive::StableSpam { theta } => bend(*theta, memory, steps, m, second),
    }
}

/// Stable-SPAM: what lies above the level of the largest magnitudes is scaled down to it.
fn bend(theta: f64, memory: Option<&Memory>, steps: u64, m: Machine, largest: f64) -> Kernel {
    let before = match memory {
        Some(Memory::Level(level)) => *level,
        _ => 0.0,
    };
    let level = theta * before + (1.0 - theta) * largest;
    let bound = level / (1.0 - libm::pow(theta, steps as f64 + 1.0));
    // What does not count in the largest may lie above it.
    if largest <= bound {
        return Kernel::Keep;
    }
    let m = m.constant(bound);
    Kernel::Bend { m, largest }
}

/// `n > c ? x·(c/n) : x`.
fn times_if_above(m: Machine, n: f64, c: f64) -> Kernel {
    if n > c {
        Kernel::Times(m.constant(c / n))
    } else {
        Kernel::Keep
    }
}

/// Sorts; NaN goes to the end whatever its sign.
fn ascending(x: &mut [f64]) {
    x.sort_by(|a, b| a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())));
}

/// numpy's percentile with linear interpolation, from the nearer end; NaN if there is one. Next to an infinity it may be NaN
/// too (`∞ - ∞`, `0·∞`).
fn interpolated(mut x: Vec<f64>, percentile: f64) -> f64 {
    ascending(&mut x);
    if x.last().is_none_or(|last| last.is_nan()) {
        return f64::NAN;
    }
    let last = x.len() - 1;
    let place = percentile / 100.0 * last as f64;
    let below = place as usize;
    let (a, b, share) = (x[below], x[last.min(below + 1)], place.fract());
    if share < 0.5 {
        a + (b - a) * share
    } else {
        b - (b - a) * (1.0 - share)
    }
}

/// The threshold of `ZClip` for a norm, infinite where it is no spike.
fn spike(memory: Option<&Memory>, n: f64, target: SpikeTarget, z: f64, warmup: usize, factor: f64) -> f64 {
    let (mean, variance) = match memory {
        Some(&Memory::Average { mean, variance }) => (mean, variance),
        Some(Memory::Warmup(norms)) if norms.len() >= warmup && warmup > 0 => {
            let count = norms.len() as f64;
            let mean = norms.iter().sum::<f64>() / count;
            (
                mean,
                norms.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count,
            )
        }
        _ => return f64::INFINITY,
    };
    let deviation = variance.sqrt();
    let score = (n - mean) / (deviation + 1e-6);
    match target {
        _ if score.is_nan() || score <= z => f64::INFINITY,
        SpikeTarget::Mean => mean,
        SpikeTarget::Adaptive => (mean + z * deviation / (score / z)) * factor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Format;

    const M: Machine = Machine { format: Format::F64 };

    /// The median of 1, 3 and 8 is 3; the 25th percentile of 0, 4 lies a quarter of the way.
    #[test]
    fn percentiles() {
        assert_eq!(interpolated(vec![8.0, 1.0, 3.0], 50.0), 3.0);
        assert_eq!(interpolated(vec![4.0, 0.0], 25.0), 1.0);
        // numpy 2: NaN for a NaN anywhere, and for 2 + 0·∞ and ∞ - ∞/4; 2 + ∞/4 is ∞.
        let infinite = |p| interpolated(vec![1.0, 2.0, f64::INFINITY], p);
        assert!(infinite(50.0).is_nan() && infinite(87.5).is_nan());
        assert_eq!([infinite(0.0), infinite(62.5)], [1.0, f64::INFINITY]);
        assert!(interpolated(vec![1.0, 2.0, -f64::NAN], 0.0).is_nan());
        let rule = Adaptive::AutoClip { percentile: 50.0 };
        let history = Memory::History(vec![1.0, 3.0]);
        let Kernel::Times(k) = kernel(&rule, Some(&history), 2, M, 8.0, 0.0) else {
            panic!("a factor")
        };
        assert!((k - 3.0 / (8.0 + 1e-6)).abs() < 1e-16);
    }

    /// Mean 1, deviation 1, n = 5: z = 4/(1+1e-6) > 2, so the threshold is 1 + 2·1/(z/2) = 2 + 1e-6.
    #[test]
    fn zclip() {
        let average = Memory::Average {
            mean: 1.0,
            variance: 1.0,
        };
        let threshold = spike(Some(&average), 5.0, SpikeTarget::Adaptive, 2.0, 25, 1.0);
        assert!((threshold - (2.0 + 1e-6)).abs() < 1e-12);
        // The factor is none of the mean's business.
        assert_eq!(spike(Some(&average), 5.0, SpikeTarget::Mean, 2.0, 25, 0.5), 1.0);
        assert_eq!(
            spike(Some(&average), 2.9, SpikeTarget::Mean, 2.0, 25, 1.0),
            f64::INFINITY
        );
    }
}
