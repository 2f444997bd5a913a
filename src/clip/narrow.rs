//! Clipping in F16 and BF16: each operation as CPU libraries do it, in `f32` and then rounded to the type.
//!
//! A constant that a source makes a tensor is rounded to the type first (`of`); a Python number beside a tensor enters
//! the operation as an `f32` (`scalar`). Numbers are carried as `f64`: for one operation on numbers of at most 24 bits,
//! `f64` and then `f32` rounds as `f32` alone (Figueroa, *When is double rounding innocuous?*, 1995).
//!
//! The rules that are not conventions compute their factor in `f64` and round it once, and rules on elements compute
//! each element in `f64` and round it once.

use super::Convention;
use super::adaptive::Step;
use super::decision::{Act, Decision, Measured};
use super::element::Element;
use super::elementwise::Each;
use super::pass::Handling;
use super::plan::Component;
use super::policy::ClipPolicy;
use super::rule::{Adaptive, Rule};
use super::scaling::{Extent, Scaling};
use super::state::Memory;
use super::threshold::Threshold;
use crate::real::Real;

/// What becomes of a component whose norm is kept in this type.
pub(super) fn decide(
    policy: &ClipPolicy,
    element: Element,
    component: &Component,
    m: &Measured,
    handling: Handling<'_>,
) -> Decision<f64> {
    let c = component.threshold.map(Threshold::get);
    match (handling, &policy.rule) {
        (Handling::Adaptive(rule, memory, step), _) => adaptive(element, rule, memory, m, step),
        (Handling::Plain, Rule::Norm { convention, eps, .. }) => {
            let n = if convention.measures_mean() {
                m.two
            } else {
                m.statistic
            };
            by_norm(element, (*convention, *eps), n, c.unwrap_or(f64::NAN), m)
        }
        (Handling::Plain, Rule::Agc { eps, .. }) => agc(element, c.unwrap_or(f64::NAN), *eps, m),
        (handling, _) => rounded(element, Decision::handled(policy, component, m, handling)),
    }
}

/// Whether the norm is not finite in the type that keeps it: the convention's, `f64` where there is none.
pub(super) fn overflows(rule: &Rule, element: Element, m: &Measured) -> bool {
    let kept = if rule.keeps_norms_in_type() {
        element.round(m.statistic)
    } else {
        m.statistic
    };
    !kept.is_finite()
}

fn by_norm(element: Element, convention: (Convention, f64), n: f64, c: f64, m: &Measured) -> Decision<f64> {
    let clipped = m.verdict(n, |n| exceeds(element, convention, n, c, m.elements));
    let scaling = scaling(element, convention, n, c, m.elements);
    Decision::scale(scaling, Some(c), clipped)
}

/// `m = c·max(‖w‖, ε)`; `n < m ? x : x·(m/max(n, 1e-6))`.
fn agc(element: Element, c: f64, eps: f64, m: &Measured) -> Decision<f64> {
    let Operations { of, op, scalar } = Operations::new(element);
    let limit = op(greatest(of(m.beside), scalar(eps)) * scalar(c));
    let exceeds = |n: f64| n.is_nan() || of(n) >= limit || limit.is_nan();
    let scaling = if exceeds(m.statistic) {
        Scaling::Times(op(limit / greatest(of(m.statistic), scalar(1e-6))))
    } else {
        Scaling::Keep
    };
    Decision::scale(scaling, Some(limit), m.verdict(m.statistic, exceeds))
}

/// The rules with a memory: their thresholds are in `f64`, their factors in the type.
fn adaptive(
    element: Element,
    rule: &Adaptive,
    memory: &mut Option<Memory>,
    m: &Measured,
    step: Step,
) -> Decision<f64> {
    let wide: Decision<f64> = rule.decide(memory, m, step);
    let convention = match rule {
        Adaptive::AutoClip { .. } => Convention::Torch,
        Adaptive::ZClip { .. } => Convention::TorchBranch,
        Adaptive::Percentile { .. } | Adaptive::AdaGc { .. } | Adaptive::StableSpam { .. } => {
            return rounded(element, wide);
        }
    };
    match wide.threshold {
        Some(c) => by_norm(
            element,
            (convention, convention.eps().unwrap_or(0.0)),
            m.statistic,
            c,
            m,
        ),
        None => wide,
    }
}

/// A decision that was made in `f64`, its numbers rounded to the type.
fn rounded(element: Element, wide: Decision<f64>) -> Decision<f64> {
    let of = |x| element.round(x);
    let act = match wide.act {
        Act::Scale(Scaling::Times(k)) => Act::Scale(without_ones(Scaling::Times(of(k)))),
        Act::Each(Each::Value(form, c)) => Act::Each(Each::Value(form, of(c))),
        Act::Each(Each::Spike(peak, largest)) => Act::Each(Each::Spike(of(peak), largest)),
        act => act,
    };
    Decision { act, ..wide }
}

/// The roundings of one type.
struct Operations<A, B> {
    /// A number as a tensor of the type.
    of: A,
    /// The result of an operation.
    op: B,
    /// A number that enters an operation by itself.
    scalar: fn(f64) -> f64,
}

impl Operations<(), ()> {
    fn new(element: Element) -> Operations<impl Fn(f64) -> f64, impl Fn(f64) -> f64> {
        Operations {
            of: move |x: f64| element.round(x),
            op: move |x: f64| element.round(f64::from(x as f32)),
            scalar: |x: f64| f64::from(x as f32),
        }
    }
}

/// [`Convention::scaling`] in a 16-bit type, of a convention with its ε: `n` in `f64`, the 2-norm for `tf-average`. XLA keeps divisions in BF16, also
/// those by a constant (measured, jax 0.10.2).
pub(super) fn scaling(
    element: Element,
    (convention, eps): (Convention, f64),
    n: f64,
    c: f64,
    elements: usize,
) -> Scaling<f64> {
    let Operations { of, op, scalar } = Operations::new(element);
    let one_at_most = |k: f64| Scaling::Times(least(k, 1.0));
    let (n64, c64) = (n, c);
    // `c` where the source makes the threshold a tensor, `bare` where it hands the number to the operation.
    let (n, c, bare) = (of(n), of(c), scalar(c));
    let scaling = match convention {
        Convention::Exact if n64 <= c64 => Scaling::Keep,
        Convention::Exact => Scaling::Times(of(c64 / n64)),
        Convention::Torch => one_at_most(op(op(1.0 / op(n + of(eps))) * bare)),
        Convention::TorchBranch => match c64 / (n + eps) {
            k if k < 1.0 => Scaling::Times(scalar(k)),
            _ => Scaling::Keep,
        },
        Convention::DeepSpeed { loss_scale } if c64 <= 0.0 || c64.is_nan() => {
            Scaling::Times(op(1.0 / scalar(loss_scale)))
        }
        Convention::DeepSpeed { loss_scale } => {
            let s = scalar(loss_scale);
            let clip = greatest(op(op(op(n / s) + scalar(eps)) / bare), 1.0);
            Scaling::Times(op(1.0 / op(clip * s)))
        }
        Convention::Mxnet => one_at_most(op(bare / op(n + scalar(eps)))),
        // burn keeps thresholds in f32.
        Convention::Burn => one_at_most(op(op(1.0 / op(n + element.min_normal())) * bare)),
        Convention::Optax | Convention::OptaxJit | Convention::JaxExample if n < c => Scaling::Keep,
        Convention::Optax => Scaling::ReciprocalTimes(n, c),
        Convention::OptaxJit => Scaling::OverTimes(n, c),
        Convention::OptaxRms => Scaling::Reciprocal(greatest(1.0, op(n / c))),
        Convention::OptaxRmsJit if element == Element::Bf16 => Scaling::Reciprocal(greatest(1.0, op(n / c))),
        Convention::OptaxRmsJit => Scaling::Reciprocal(greatest(1.0, op(n * op(1.0 / c)))),
        Convention::OptaxExample => match least(op(c / n), 1.0) {
            k if k.is_nan() => Scaling::Times(1.0),
            k => Scaling::Times(k.max(-element.max())),
        },
        Convention::JaxExample => Scaling::Times(op(c / n)),
        Convention::JaxPrivacy => match least(1.0, op(c / n)) {
            k if k.is_nan() => Scaling::Times(0.0),
            k => Scaling::Times(k),
        },
        Convention::KerasGlobal if c64 <= 0.0 || c64.is_nan() => Scaling::Keep,
        Convention::TfGlobal | Convention::KerasGlobal if !n.is_finite() => Scaling::Times(f64::NAN),
        Convention::TfGlobal => Scaling::Times(op(c * least(op(1.0 / n), op(1.0 / c)))),
        Convention::KerasGlobal => Scaling::Times(op(c * least(op(1.0 / n), of(1.0 / c64)))),
        Convention::TfNorm => {
            let c = greatest(c, 0.0);
            Scaling::TimesOver(c, greatest(n, c))
        }
        Convention::TfAverage | Convention::TfAverageGraph => {
            let inverse = op(of(elements as f64) * of(1.0 / n64));
            Scaling::averaged(convention, c, least(inverse, op(1.0 / c)))
        }
        Convention::TfPrivacy => one_at_most(op(c / greatest(n, of(1e-8)))),
        Convention::PaddleGlobal => Scaling::Times(op(c / greatest(n, c))),
        Convention::PaddleNorm => {
            let keep = f64::from(u8::from(n <= c));
            let eps = if n <= 1e-30 { of(1e-6) } else { 0.0 };
            Scaling::Times(op(keep + op(op((1.0 - keep) * c) / op(n + eps))))
        }
        Convention::MindSpore => Scaling::TimesOver(c, if n >= c { n } else { c }),
        Convention::DivMax => Scaling::Over(greatest(1.0, op(n / c))),
    };
    without_ones(scaling)
}

/// [`Convention::exceeds`] in a 16-bit type.
fn exceeds(element: Element, (convention, eps): (Convention, f64), n: f64, c: f64, elements: usize) -> bool {
    let (kept, limit) = (element.round(n), element.round(c));
    let factor = || scaling(element, (convention, eps), n, c, elements).factor();
    let below = match convention {
        Convention::Exact => n <= c,
        Convention::TfAverage | Convention::TfAverageGraph => n / elements as f64 <= c,
        // Comparisons that NaN does not pass: such a component is not clipped.
        Convention::MindSpore | Convention::OptaxExample if n.is_nan() => true,
        Convention::Optax | Convention::OptaxJit | Convention::JaxExample | Convention::MindSpore => {
            kept < limit
        }
        Convention::DeepSpeed { loss_scale } => factor() * loss_scale >= 1.0,
        Convention::Torch | Convention::TorchBranch | Convention::Mxnet | Convention::Burn => factor() >= 1.0,
        _ => kept <= limit,
    };
    !below
}

/// Rewrites a block of a tensor of this extent and counts the elements that an element-wise rule changed.
///
/// # Panics
/// If the rule reads second moments and there are none.
pub(super) fn apply<C: Real>(
    element: Element,
    act: Act<C>,
    x: &mut [C],
    tensor: Extent,
    moments: Option<&[C]>,
) -> usize {
    // XLA on a CPU leaves divisions in BF16 as they are (measured, jax 0.10.2).
    let divides = tensor != Extent::Many || element == Element::Bf16;
    let op = |x: C| C::of(element.round(f64::from(x.widen() as f32)));
    let mut each = |f: &dyn Fn(C) -> C| x.iter_mut().for_each(|x| *x = f(*x));
    match act {
        Act::Skip | Act::Scale(Scaling::Keep) => {}
        Act::Zero => x.fill(C::zero()),
        Act::Each(rule) => return by_element(element, rule, x, moments),
        Act::Scale(Scaling::Times(k)) => x.iter_mut().for_each(|x| *x = op(*x * k)),
        Act::Scale(Scaling::Reciprocal(d)) if !divides => {
            let r = op(C::one() / d);
            each(&|x| op(x * r));
        }
        Act::Scale(Scaling::Over(d) | Scaling::Reciprocal(d)) => each(&|x| op(x / d)),
        Act::Scale(Scaling::ReciprocalTimes(d, c)) if divides => each(&|x| op(op(x / d) * c)),
        Act::Scale(Scaling::OverTimes(d, c)) => each(&|x| op(op(x / d) * c)),
        Act::Scale(Scaling::ReciprocalTimes(d, c)) => {
            let r = op(C::one() / d);
            each(&|x| op(op(x * r) * c));
        }
        Act::Scale(Scaling::TimesOver(c, d)) => each(&|x| op(op(x * c) / d)),
        Act::Scale(Scaling::TimesProduct(c, k)) if tensor != Extent::Scalar => {
            let ck = op(c * k);
            each(&|x| op(x * ck));
        }
        Act::Scale(Scaling::TimesTimes(c, k) | Scaling::TimesProduct(c, k)) => each(&|x| op(op(x * c) * k)),
    }
    0
}

fn by_element<C: Real>(element: Element, rule: Each<C>, x: &mut [C], moments: Option<&[C]>) -> usize {
    let before = x.to_vec();
    rule.apply(x, moments);
    let mut changed = 0;
    for (x, before) in x.iter_mut().zip(before) {
        *x = C::of(element.round(x.widen()));
        changed += usize::from(*x != before && !before.is_nan());
    }
    changed
}

fn without_ones(scaling: Scaling<f64>) -> Scaling<f64> {
    match scaling {
        Scaling::Times(1.0) | Scaling::Over(1.0) | Scaling::Reciprocal(1.0) => Scaling::Keep,
        other => other,
    }
}

/// The smaller; NaN if either is NaN.
fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

/// The larger; NaN if either is NaN.
fn greatest(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}
