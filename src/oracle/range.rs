//! Whether a naive sum of squares explains a wrong result.
//!
//! Squares that are formed in the type of the gradients, or in `f32`, overflow and vanish long before the numbers
//! themselves do (`f16`: above 255, below 2⁻¹²·⁵). Whether they do does not depend on the order of the sum, so the naive norm
//! can be computed without knowing the candidate: round every square to the type, and let the total overflow.

use super::case::Case;
use super::component::Component;
use super::declared::Reduction;
use super::exact::Norm;
use super::expect::{Expectation, Expected, find};
use super::format::Format;
use super::interval::Interval;
use super::tensor::Tensor;
use super::tolerance;
use super::verdict::Verdict;
use crate::clip::Statistic;

/// `RANGE`, if the norm of naive squares in some type is another one and gives this output.
pub(super) fn explain(case: &Case, after: &[&Tensor], expectation: &Expectation) -> Option<Verdict> {
    if case.policy.statistic != Statistic::L2 {
        return None;
    }
    // Small components rule a type out soonest.
    let mut components: Vec<&Expected> = expectation.components.iter().collect();
    components.sort_by_key(|expected| expected.norm.elements);
    let wide = case
        .before
        .iter()
        .all(|tensor| tensor.data.format() == Format::F64);
    let formats = [Format::F64, Format::F32, Format::F16, Format::Bf16];
    // Of the types that explain it, the one that the elements have.
    for format in formats.into_iter().skip(usize::from(!wide)) {
        let mut affected = None;
        let explained = components.iter().all(|&expected| {
            let naive = naive_norm(case, &expected.component, format);
            let bound = tolerance::norm(&case.declared, Statistic::L2, format, expected.norm.elements, 1);
            let kept = expected.format.round(naive);
            let computed = if kept.is_finite() {
                let ends = if case.declared.reduction == Reduction::Unknown {
                    // Not declared: a few roundings of the sum.
                    Interval::point(naive).widened(4.0 * format.unit_roundoff(), 4.0 * format.unit_roundoff())
                } else {
                    bound.apply(Interval::point(naive))
                };
                Interval {
                    lo: expected.format.round(ends.lo),
                    hi: expected.format.round(ends.hi),
                }
            } else {
                Interval::point(kept)
            };
            // Rounded squares alone move the norm by less than this; more is lost range.
            let u = 4.0 * format.unit_roundoff();
            let lost = !expected.norm.interval.widened(u, u).contains(naive);
            let outside = computed.hi < expected.allowed_norm.lo || expected.allowed_norm.hi < computed.lo;
            let apart = lost && outside;
            if apart && affected.is_none() {
                affected = Some(naive);
            }
            let norms = if apart {
                (Interval::point(kept), computed)
            } else {
                (expected.norm.round(expected.format), expected.allowed_norm)
            };
            fits(case, after, expected, norms)
        });
        if let (true, Some(norm)) = (explained, affected) {
            return Some(Verdict::Range { format, norm });
        }
    }
    None
}

/// The norm with the range of its source, if it was declared: that of naive squares in the accumulator's type, where it is
/// another one.
pub(super) fn as_source(case: &Case, component: &Component, norm: Norm) -> Norm {
    let squares = case.policy.statistic == Statistic::L2;
    let formats = component
        .members
        .iter()
        .map(|m| case.before[m.tensor].data.format());
    let own = formats.max_by_key(|format| format.precision());
    let asked = case.declared.overflow_as_source && squares && norm.interval.hi.is_finite();
    let (true, Some(own)) = (asked, own) else {
        return norm;
    };
    let format = case.declared.accumulator_for(own);
    let naive = naive_norm(case, component, format);
    // Rounded squares alone move the norm by less than this; more is lost range.
    let u = 4.0 * format.unit_roundoff();
    if norm.interval.widened(u, u).contains(naive) {
        return norm;
    }
    let interval = if naive.is_finite() {
        Interval::point(naive).widened(u, u)
    } else {
        Interval::point(naive)
    };
    Norm {
        interval,
        nearest: interval.is_point().then_some(naive),
        ..norm
    }
}

/// `√Σ RN(x²)`, infinite where the sum leaves the type.
fn naive_norm(case: &Case, component: &Component, format: Format) -> f64 {
    let mut sum = 0.0;
    for member in component.members.iter().filter(|member| member.counted) {
        let data = &case.before[member.tensor].data;
        for k in 0..member.len() {
            let x = data.get(member.index(k));
            let square = format.round(x * x);
            let flushed = case.declared.ftz && square < format.min_normal();
            sum += if flushed { 0.0 } else { square };
        }
    }
    if sum > format.max() {
        f64::INFINITY
    } else {
        sum.sqrt()
    }
}

/// Whether every element is what these norms give.
fn fits(case: &Case, after: &[&Tensor], expected: &Expected, (exact, allowed): (Interval, Interval)) -> bool {
    expected.component.members.iter().all(|member| {
        let before = &case.before[member.tensor];
        let moments = find(&case.second_moments, &before.name);
        let function = expected.function_for(member, before.data.format(), exact, allowed);
        (0..member.len()).map(|k| member.index(k)).all(|i| {
            let v = moments.map_or(0.0, |v| v.get(i));
            let y = after[member.tensor].data.get(i);
            function.allowed(before.data.get(i), v).contains(y)
        })
    })
}
