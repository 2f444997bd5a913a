//! What one component says.

use super::super::case::Case;
use super::super::expect::{Expected, find};
use super::super::format::{Format, same};
use super::super::implied::Look;
use super::super::tensor::Tensor;
use crate::clip::{Clipped, Rule};

/// A sum in any sane order scatters by this many roundings, and a formula rounds a few times more.
const SCATTER: f64 = 20.0;

/// The unit of what is worked out here, 2⁻⁴⁸.
const OWN: f64 = 16.0 * f64::EPSILON;

/// A formula alone rounds so many times.
const FORMULA: f64 = 4.0;

/// A component's numbers, as `f64`.
pub(super) struct Evidence {
    pub(super) id: String,
    /// Whether it is out of tolerance, and whether it is to be clipped.
    pub(super) wrong: bool,
    clipped: Clipped,
    /// The threshold, the exact norm, and the ε that the convention adds to it.
    pub(super) c: f64,
    pub(super) n: f64,
    pub(super) eps: f64,
    /// Elements that count in the norm.
    pub(super) elements: f64,
    /// The factor that was to be, and the one that was.
    pub(super) right: f64,
    pub(super) factor: f64,
    /// Whether all elements have that factor, and whether every element is as it was.
    pub(super) uniform: bool,
    pub(super) kept: bool,
    /// How far apart numbers can be that mean the same, as a share of them.
    pub(super) resolution: f64,
}

impl Evidence {
    pub(super) fn of(case: &Case, after: &[&Tensor], expected: &Expected, wrong: bool) -> Self {
        let format = expected.elements_format();
        let scale = case.declared.scale_for(format);
        // The sums below round too, and in F64 as much as the clipper.
        let unit = |format: Format| format.unit_roundoff().max(OWN);
        let (mut xx, mut xy, mut xr) = (0.0, 0.0, 0.0);
        let mut kept = true;
        let mut samples = Vec::new();
        for member in expected.component.members.iter().filter(|member| member.scaled) {
            let before = &case.before[member.tensor];
            let moments = find(&case.second_moments, &before.name);
            let function = expected.function(member, before.data.format());
            for i in Look::Sample.at(member.len()).map(|k| member.index(k)) {
                let (x, y) = (before.data.get(i), after[member.tensor].data.get(i));
                let right = function.exact(x, moments.map_or(0.0, |v| v.get(i))).lo;
                kept &= same(x, y);
                xx += x * x;
                xy += x * y;
                xr += x * right;
                samples.push((x, y, before.data.format()));
            }
        }
        let factor = xy / xx;
        let near = |&(x, y, format): &(f64, f64, Format)| {
            let slack = 4.0 * unit(format).max(unit(scale));
            (y - factor * x).abs() <= slack * (factor * x).abs() + 2.0 * format.min_subnormal()
        };
        Self {
            id: expected.component.id.clone(),
            wrong,
            clipped: expected.clipped,
            c: expected.component.threshold.unwrap_or(f64::NAN),
            n: expected.norm.nearest.unwrap_or(expected.norm.interval.lo),
            eps: eps(&case.policy.rule),
            elements: expected.norm.elements as f64,
            right: xr / xx,
            factor,
            uniform: factor.is_finite() && samples.iter().all(near),
            kept,
            resolution: SCATTER * unit(scale),
        }
    }

    /// The same, told apart by what a formula alone can round.
    pub(super) fn sharper(self) -> Self {
        Self {
            resolution: self.resolution * (FORMULA / SCATTER),
            ..self
        }
    }

    pub(super) fn clips(&self) -> bool {
        self.clipped != Clipped::No
    }

    /// The denominator that was, and the one that was to be.
    pub(super) fn got(&self) -> f64 {
        self.c / self.factor
    }

    pub(super) fn due(&self) -> f64 {
        self.n + self.eps
    }

    /// Whether a denominator is the one that was.
    pub(super) fn is(&self, denominator: f64) -> bool {
        near(self.got(), denominator, self.resolution)
    }
}

pub(super) fn near(a: f64, b: f64, share: f64) -> bool {
    (a - b).abs() <= share * b.abs() && a.is_finite() && b.is_finite()
}

/// What a convention adds to the norm.
fn eps(rule: &Rule) -> f64 {
    match rule {
        Rule::Norm { eps, .. } => *eps,
        _ => 0.0,
    }
}
