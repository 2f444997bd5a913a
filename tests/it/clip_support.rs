//! Shared by the clipping tests: applying a policy to plain vectors, comparing bits, generators.

use cwgnc::clip::{ClipError, ClipPolicy, ClipReport, Convention, ParamGrad, clip};
use cwgnc::real::Real;
use ndarray::ArrayViewMut1;
use proptest::prelude::*;

/// The names of unnamed test tensors, two to a module.
pub(crate) const NAMES: [&str; 4] = ["a.weight", "a.bias", "b.weight", "b.bias"];

pub(crate) fn policy(text: &str) -> ClipPolicy {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// What a policy makes of tensors named [`NAMES`].
pub(crate) fn try_clip<T: Real>(
    policy: &ClipPolicy,
    tensors: &[Vec<T>],
) -> Result<(Vec<Vec<T>>, ClipReport), ClipError> {
    let mut tensors = tensors.to_vec();
    let mut grads: Vec<_> = NAMES
        .iter()
        .zip(&mut tensors)
        .map(|(name, x)| ParamGrad::new(name, ArrayViewMut1::from(&mut x[..]).into_dyn()))
        .collect();
    let report = clip(policy, &mut grads)?;
    Ok((tensors, report))
}

#[track_caller]
pub(crate) fn clipped<T: Real>(text: &str, tensors: &[Vec<T>]) -> Vec<Vec<T>> {
    try_clip(&policy(text), tensors)
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .0
}

#[track_caller]
pub(crate) fn report<T: Real>(text: &str, tensors: &[Vec<T>]) -> ClipReport {
    try_clip(&policy(text), tensors)
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .1
}

/// The bits, all NaNs being one.
pub(crate) fn bits<T: Real>(tensors: &[Vec<T>]) -> Vec<Vec<u64>> {
    let bits = |x: &T| if x.is_nan() { u64::MAX } else { x.widen().to_bits() };
    tensors.iter().map(|x| x.iter().map(bits).collect()).collect()
}

/// The 2-norm of all, by the schoolbook in `f64`: good to 2⁻⁴⁰ for the moderate data below.
pub(crate) fn norm(tensors: &[Vec<f32>]) -> f64 {
    let squares = tensors.iter().flatten().map(|&x| f64::from(x) * f64::from(x));
    squares.sum::<f64>().sqrt()
}

/// A float of any bit pattern: NaN payloads, infinities, subnormal numbers and zeros of both signs.
pub(crate) fn any_bits() -> impl Strategy<Value = f32> + Clone {
    prop_oneof![
        4 => any::<u32>().prop_map(f32::from_bits),
        1 => proptest::sample::select(vec![
            0.0, -0.0, 1.0, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN,
        ]),
    ]
}

/// A float whose square and small multiples stay normal, or a zero.
pub(crate) fn moderate() -> impl Strategy<Value = f32> + Clone {
    let number = (any::<bool>(), -20_i32..20, 0_u32..1 << 23).prop_map(|(negative, exponent, mantissa)| {
        let bits = u32::from(negative) << 31 | ((127 + exponent) as u32) << 23 | mantissa;
        f32::from_bits(bits)
    });
    prop_oneof![8 => number, 1 => Just(0.0), 1 => Just(-0.0)]
}

/// Up to four tensors of sizes 0, 1, 2, 3, 5, 10 and 50.
pub(crate) fn tensors(element: impl Strategy<Value = f32> + Clone) -> impl Strategy<Value = Vec<Vec<f32>>> {
    let size = proptest::sample::select(vec![0_usize, 1, 2, 3, 5, 10, 50]);
    let tensor = size.prop_flat_map(move |n| proptest::collection::vec(element.clone(), n));
    proptest::collection::vec(tensor, 1..=NAMES.len())
}

/// How a threshold lies to a norm: on it, next to it, within PyTorch's ε of it, or somewhere else.
pub(crate) fn straddle() -> impl Strategy<Value = Straddle> {
    prop_oneof![
        (-3_i32..=3).prop_map(Straddle::Ulps),
        (-2.0_f64..2.0).prop_map(Straddle::Epsilons),
        (-6.0_f64..6.0).prop_map(Straddle::Octaves),
    ]
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Straddle {
    Ulps(i32),
    Epsilons(f64),
    Octaves(f64),
}

impl Straddle {
    /// The threshold for this norm: an `f32`, so that it is itself in every type.
    pub(crate) fn threshold(self, norm: f64) -> f32 {
        let norm = norm as f32;
        let c = match self {
            Self::Ulps(ulps) => {
                (0..ulps.abs()).fold(norm, |c, _| if ulps < 0 { c.next_down() } else { c.next_up() })
            }
            Self::Epsilons(k) => (f64::from(norm) + k * 1e-6) as f32,
            Self::Octaves(k) => (f64::from(norm) * k.exp2()) as f32,
        };
        if c >= 0.0 { c } else { 0.0 }
    }
}

/// Fewer cases for tensors than for scalars; `PROPTEST_CASES` scales both.
pub(crate) fn few() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases / 8,
        ..usual
    }
}

/// The distance of two floats of one sign in units in the last place.
pub(crate) fn ulps(a: f32, b: f32) -> u32 {
    assert!(
        a == b || a.is_sign_positive() == b.is_sign_positive(),
        "{a} and {b} differ in sign"
    );
    a.abs().to_bits().abs_diff(b.abs().to_bits())
}

pub(crate) fn text(partition: &str, convention: Convention, c: f32) -> String {
    format!("{partition}:{}@{convention}", f64::from(c))
}

/// The convention's statistic and threshold compare as this type does: the norm in `f32`.
pub(crate) fn statistic(convention: Convention, x: &[Vec<f32>]) -> f64 {
    let count: usize = x.iter().map(Vec::len).sum();
    match convention {
        _ if convention.measures_mean() => norm(x) / count.max(1) as f64,
        _ => norm(x),
    }
}

pub(crate) fn within(a: &[Vec<f32>], b: &[Vec<f32>], slack: u32) -> bool {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.into_iter().all(|(a, b)| ulps(*a, *b) <= slack)
}

pub(crate) fn times(x: &[Vec<f32>], k: f32) -> Vec<Vec<f32>> {
    x.iter().map(|x| x.iter().map(|x| x * k).collect()).collect()
}

/// A threshold that every convention takes; c = 0 is a matter of the edge-case matrix.
pub(crate) fn positive(c: f32) -> f32 {
    c.max(1e-9)
}

/// A NaN, each infinity, zeros, and the data times each of four numbers, which take elements or squares out of a type.
pub(crate) fn special(data: [f64; 16], scales: [f64; 4]) -> Vec<[f64; 16]> {
    let bad = [(1, f64::NAN), (7, f64::INFINITY), (12, f64::NEG_INFINITY)];
    let with = bad.map(|(at, x)| {
        let mut data = data;
        data[at] = x;
        data
    });
    let scaled = scales.map(|k| data.map(|x| x * k));
    with.into_iter().chain([[0.0; 16]]).chain(scaled).collect()
}
