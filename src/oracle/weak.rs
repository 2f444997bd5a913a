//! What weak sums make of the very gradients that are judged.
//!
//! The bound of a long chain of additions says what can happen at worst; for `lanes-8` that is 3.7 % of 10⁷ elements, and
//! nearly any fault would hide in it. What does happen is far less, and can be computed: the squares are added up here as
//! that sum would, in `F32`, with and without a fused multiply-add. A deviation of more than [`MARGIN`] times what comes
//! out is not explained by it, whatever the bound says.
//!
//! This is no part of any expectation or tolerance of a `PASS`: it tells a weak sum from a wrong formula, and neither
//! of them passes.

use super::case::Case;
use super::component::Component;
use super::declared::{Declared, Reduction};
use super::format::Format;
use super::member::Member;
use crate::clip::Statistic;

/// The same sum in another order, or with other lengths of vectors, may be off by so many times as much.
const MARGIN: f64 = 4.0;

/// And by so many roundings in any case.
const FLOOR: f64 = 64.0;

/// How far off, as a share of the norm, a sum of this shape can plausibly be on these elements; infinite where only
/// the bound is known.
pub(super) fn plausible(case: &Case, component: &Component, declared: &Declared, exact: f64) -> f64 {
    let squares = matches!(case.policy.statistic, Statistic::Rms | Statistic::Mean)
        || case.policy.statistic == Statistic::L2;
    let counted = || component.members.iter().filter(|member| member.counted);
    let single = counted()
        .all(|member| declared.accumulator_for(case.before[member.tensor].data.format()) == Format::F32);
    let (lanes, block) = match declared.reduction {
        Reduction::Sequential => (1, 1),
        Reduction::Lanes(lanes) => (lanes as usize, 1),
        Reduction::Blocks(block) => (1, block as usize),
        _ => return f64::INFINITY,
    };
    if !squares || !single || exact <= 0.0 || !exact.is_finite() {
        return f64::INFINITY;
    }
    let mut off = 0.0_f64;
    for fused in [false, true] {
        let mut sum = 0.0;
        for member in counted() {
            let data = &case.before[member.tensor].data;
            let element = |k: usize| data.get(member.index(k)) as f32;
            sum += total(member.len(), element, lanes, block, fused);
        }
        off = off.max(relative(case.policy.statistic, sum, component, case, exact));
    }
    MARGIN * off + FLOOR * Format::F32.unit_roundoff()
}

/// The distance of a norm with this sum of squares from the exact one.
fn relative(statistic: Statistic, sum: f64, component: &Component, case: &Case, exact: f64) -> f64 {
    let elements = component.members.iter().filter(|member| member.counted);
    let elements: usize = elements.map(Member::len).sum();
    debug_assert!(component.members.iter().all(|m| m.tensor < case.before.len()));
    let norm = match statistic {
        Statistic::Rms => (sum / elements as f64).sqrt(),
        Statistic::Mean => sum.sqrt() / elements as f64,
        Statistic::Norm(_) => sum.sqrt(),
    };
    // Squares beyond `F32` are another matter (`RANGE`).
    let off = (norm / exact - 1.0).abs();
    if off.is_finite() { off } else { 0.0 }
}

/// The sum of squares in `F32`: lanes that take turns, or blocks (themselves right) one after the other.
fn total(length: usize, element: impl Fn(usize) -> f32, lanes: usize, block: usize, fused: bool) -> f64 {
    if block > 1 {
        let mut sum = 0.0_f32;
        for start in (0..length).step_by(block) {
            let elements = (start..(start + block).min(length)).map(&element);
            sum += elements.map(|x| f64::from(x) * f64::from(x)).sum::<f64>() as f32;
        }
        return f64::from(sum);
    }
    let mut sums = vec![0.0_f32; lanes];
    for start in (0..length).step_by(lanes) {
        for (lane, sum) in sums.iter_mut().enumerate().take(length - start) {
            let x = element(start + lane);
            // The square is exact in `f64`; a second rounding of the sum does not matter here.
            *sum = if fused {
                (f64::from(x) * f64::from(x) + f64::from(*sum)) as f32
            } else {
                *sum + x * x
            };
        }
    }
    sums.into_iter().map(f64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{Tensor, norm};

    fn of(n: usize, reduction: Reduction) -> f64 {
        let before = vec![Tensor::vector("w", Format::F32, &vec![1.0; n])];
        let case = Case::new("component:1".parse().expect("a policy"), before);
        let component = &crate::oracle::components(&case.policy, &case.before).expect("components")[0];
        let exact = norm(Statistic::L2, case.before[0].data.slice(0..n)).interval.lo;
        plausible(&case, component, &Declared::new(reduction), exact) - FLOOR * Format::F32.unit_roundoff()
    }

    /// Ones stagnate at 2^24 in a lane: of 2^25, one lane loses half, √(1/2) = 1 - 0.2929; 8 lanes hold 2^27. What is
    /// added without rounding is not off at all.
    #[test]
    fn stagnation() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(
            of(1 << 25, Reduction::Sequential),
            MARGIN * (1.0 - 0.5_f64.sqrt())
        ));
        assert!(near(of(1 << 25, Reduction::Lanes(8)), 0.0));
        assert!(near(of(1 << 25, Reduction::Blocks(1024)), 0.0));
        assert_eq!(of(100, Reduction::Pairwise(8)), f64::INFINITY);
    }
}
