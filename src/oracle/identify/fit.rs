//! The fit of one policy.

use super::super::case::Case;
use super::super::declared::Declared;
use super::super::expect::{Expectation, Expected, find};
use super::super::implied::{Implied, Look};
use super::super::interval::Interval;
use super::super::tensor::Tensor;
use super::{Fit, rungs};

/// How well the expectation explains the output.
pub(super) fn fit(case: &Case, after: &[&Tensor], expectation: &mut Expectation, look: Look) -> Fit {
    if !untouched(case, after, expectation) {
        return Fit::No;
    }
    let rungs = rungs(case);
    let loosest = rungs.last().copied().unwrap_or(case.declared);
    for expected in &mut expectation.components {
        expected.declare(case, loosest);
        if !holds(case, after, expected, look) {
            return Fit::No;
        }
    }
    let (mut rung, mut ulps) = (0, 0);
    for expected in &mut expectation.components {
        match bits(case, after, expected, &rungs, look) {
            Some((needed, off)) => (rung, ulps) = (rung.max(needed), ulps.max(off)),
            None => return tolerated(case, after, expectation, &rungs, look),
        }
    }
    Fit::Bits {
        rung,
        needs: rungs[rung],
        ulps,
    }
}

/// The first rung on which a norm gives every bit of the component, and by how many ulp it is off.
fn bits(
    case: &Case,
    after: &[&Tensor],
    expected: &mut Expected,
    rungs: &[Declared],
    look: Look,
) -> Option<(usize, u64)> {
    let mut found = None;
    // Where the rule reads a second norm, that one may be off too.
    for (moved, variant) in expected.seconds() {
        let Some(implied) = Implied::of(case, after, &variant, look).norm else {
            continue;
        };
        let rung = rungs.iter().position(|&declared| {
            expected.declare(case, declared);
            let allowed = expected.allowed_norm;
            let certain = declared == rungs[0] || !expected.bound.is_vacuous();
            certain && (allowed.is_nan() || implied.lo <= allowed.hi && allowed.lo <= implied.hi)
        });
        if let Some(rung) = rung {
            let off = moved.max(distance(expected, implied));
            // A weight's norm that is not the exact one needs a sum that is not.
            found = Some((if moved > 0 { rung.max(1) } else { rung }, off));
            break;
        }
    }
    found
}

/// The ulp, in the type of the elements, from the norm of right sums to the nearest that was implied.
fn distance(expected: &Expected, implied: Interval) -> u64 {
    let exact = expected.kept_norm();
    if exact.is_nan() || implied.lo <= exact.hi && exact.lo <= implied.hi {
        return 0;
    }
    let (a, b) = if implied.lo > exact.hi {
        (exact.hi, implied.lo)
    } else {
        (exact.lo, implied.hi)
    };
    // Norms that are kept in a wider type can differ by less than one.
    let own = expected.elements_format();
    own.ulps(own.round(a), own.round(b)).max(1)
}

/// The first rung whose tolerances hold everything. One that allows anything says nothing.
fn tolerated(
    case: &Case,
    after: &[&Tensor],
    expectation: &mut Expectation,
    rungs: &[Declared],
    look: Look,
) -> Fit {
    let found = rungs.iter().position(|&declared| {
        expectation.components.iter_mut().all(|expected| {
            expected.declare(case, declared);
            !expected.bound.is_vacuous() && holds(case, after, expected, look)
        })
    });
    found.map_or(Fit::No, |rung| Fit::Tolerance {
        rung,
        needs: rungs[rung],
    })
}

/// Whether every element is within what is allowed; stops at the first that is not.
fn holds(case: &Case, after: &[&Tensor], expected: &Expected, look: Look) -> bool {
    expected.component.members.iter().all(|member| {
        let before = &case.before[member.tensor];
        let moments = find(&case.second_moments, &before.name);
        let function = expected.function(member, before.data.format());
        look.at(member.len()).map(|k| member.index(k)).all(|i| {
            let v = moments.map_or(0.0, |v| v.get(i));
            function
                .allowed(before.data.get(i), v)
                .contains(after[member.tensor].data.get(i))
        })
    })
}

/// Whether tensors in no component are as they were.
fn untouched(case: &Case, after: &[&Tensor], expectation: &Expectation) -> bool {
    case.before
        .iter()
        .zip(after)
        .enumerate()
        .all(|(t, (before, after))| {
            let mut members = expectation.components.iter().flat_map(|e| &e.component.members);
            members.any(|m| m.tensor == t) || before.same_bits(after)
        })
}
