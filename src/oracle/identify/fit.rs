//! The fit of one policy.

use super::super::assess::holds;
use super::super::case::Case;
use super::super::declared::Declared;
use super::super::expect::{Expectation, Expected};
use super::super::implied::{Implied, Look};
use super::super::interval::Interval;
use super::super::tensor::Tensor;
use super::{Fit, applies, rungs};
use rayon::prelude::*;

/// How well the expectation explains the output.
pub(super) fn fit(case: &Case, after: &[&Tensor], expectation: &mut Expectation, look: Look) -> Fit {
    if !untouched(case, after, expectation) {
        return Fit::No;
    }
    let rungs = rungs(case);
    // A sample rules out most. What is right to the bit is within the tolerance, too.
    let holds = |expected: &mut Expected| {
        let loosest = rungs.iter().rfind(|rung| applies(case, rung, expected));
        expected.declare(case, loosest.copied().unwrap_or(case.declared));
        holds(case, after, expected, Look::Sample)
    };
    if !expectation.components.iter_mut().all(holds) {
        return Fit::No;
    }
    let all = expectation.components.par_iter_mut();
    let needed: Option<Vec<(usize, u64)>> = all
        .map(|expected| bits(case, after, expected, &rungs, look))
        .collect();
    let Some(needed) = needed else {
        return tolerated(case, after, expectation, &rungs, look);
    };
    let rung = needed.iter().map(|&(rung, _)| rung).max().unwrap_or(0);
    let ulps = needed.iter().map(|&(_, ulps)| ulps).max().unwrap_or(0);
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
            if !applies(case, &declared, expected) {
                return false;
            }
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
    let found = (0..rungs.len()).find(|&rung| {
        expectation.components.par_iter_mut().all(|expected| {
            // Of what is for 16 bits alone, the others need the rung before it.
            let own = rungs[..=rung].iter().rfind(|rung| applies(case, rung, expected));
            expected.declare(case, own.copied().unwrap_or(case.declared));
            !expected.bound.is_vacuous() && holds(case, after, expected, look)
        })
    });
    found.map_or(Fit::No, |rung| Fit::Tolerance {
        rung,
        needs: rungs[rung],
    })
}

/// Whether tensors in no component are as they were.
fn untouched(case: &Case, after: &[&Tensor], expectation: &Expectation) -> bool {
    let outside = expectation.outside(case).into_iter();
    outside
        .map(|t| (&case.before[t], after[t]))
        .all(|(x, y)| x.same_bits(y))
}
