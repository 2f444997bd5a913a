//! The laws that tell conventions apart: which holds in bits, which within some units in the last place, which fails.
//!
//! "Fails" is tested too, by a counterexample written out. The generators straddle the threshold (see `clip_support`).

use crate::clip_support::{bits, clipped, few, moderate, positive, straddle, tensors, text, ulps, within};
use crate::clip_support::{statistic, times};
use cwgnc::clip::Convention;
use proptest::prelude::*;

/// How a law holds under a convention.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    /// In every bit.
    Exactly,
    /// Within so many units in the last place of an element.
    Within(u32),
    /// Not at all: `clip(x, c)` is the counterexample's question.
    NotFor(&'static [f32], f32),
    /// The law says nothing about it.
    NoQuestion,
}
use Holds::{Exactly, NoQuestion, NotFor, Within};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Law {
    /// 2: below the threshold nothing changes.
    IdentityBelow,
    /// 3: clipping twice is clipping once. `Exactly` would be wrong for all: the norm after is c but for rounding.
    Idempotent,
    /// 6: no element grows.
    Shrinks,
    /// 7: T(2ᵏg; 2ᵏc) = 2ᵏ T(g; c).
    PowersOfTwo,
    /// 10: a larger threshold leaves larger elements.
    MonotoneInThreshold,
    /// 15: a finer partition leaves larger elements.
    Refinement,
}

/// The table. An ε shrinks what lies just below the threshold, does so again on every call, and has a scale of its own.
#[expect(clippy::match_same_arms, reason = "law by law, as a table is read")]
fn holds(law: Law, convention: Convention) -> Holds {
    const BAND: Holds = NotFor(&[1.0 - 1.0 / 2_097_152.0], 1.0);
    const SMALL_BAND: Holds = NotFor(&[1e-9], 2e-9);
    const CLIPPED: Holds = NotFor(&[3.0, 4.0], 0.01);
    const TINY: Holds = NotFor(&[3e-9, 4e-9], 1e-9);
    use Convention as C;
    let eps = matches!(
        convention,
        C::Torch | C::TorchBranch | C::DeepSpeed { .. } | C::Mxnet | C::TfPrivacy
    );
    let large = matches!(convention, C::Torch | C::TorchBranch | C::DeepSpeed { .. });
    let mean = convention.measures_mean();
    match (law, convention) {
        (Law::IdentityBelow, _) if large => BAND,
        (Law::IdentityBelow, _) if eps => SMALL_BAND,
        // 41 · (1/41) = 1 - 2⁻²⁴ in f32.
        (Law::IdentityBelow, C::TfGlobal | C::KerasGlobal | C::TfAverage | C::TfAverageGraph) => {
            NotFor(&[1.0], 41.0)
        }
        // (15/64 · 0.3) / 0.3 is not 15/64 in f32.
        (Law::IdentityBelow, C::TfNorm | C::MindSpore) => NotFor(&[15.0 / 64.0], 0.3),
        (Law::IdentityBelow, _) => Exactly,
        (Law::Idempotent, _) if large => CLIPPED,
        (Law::Idempotent, _) if eps => TINY,
        (Law::Idempotent, _) if mean => NoQuestion,
        (Law::Idempotent, _) => Within(8),
        // x · (1/√85) · √85 rounds up for x = 6; (x·c)/c rounds up for the other.
        (Law::Shrinks, C::Optax | C::OptaxJit | C::TfNorm | C::MindSpore | C::TfAverage) => Within(2),
        (Law::Shrinks, _) => Exactly,
        (Law::PowersOfTwo, _) if large => CLIPPED,
        (Law::PowersOfTwo, _) if eps => TINY,
        (Law::PowersOfTwo, _) => Exactly,
        (
            Law::MonotoneInThreshold,
            C::Optax | C::OptaxJit | C::TfGlobal | C::KerasGlobal | C::TfNorm | C::MindSpore,
        ) => Within(2),
        (Law::MonotoneInThreshold, C::TfAverage | C::TfAverageGraph) => Within(2),
        (Law::MonotoneInThreshold, _) => Exactly,
        // The mean of a part may be above the mean of the whole.
        (Law::Refinement, C::TfAverage | C::TfAverageGraph) => NoQuestion,
        (
            Law::Refinement,
            C::Optax | C::OptaxJit | C::TfGlobal | C::KerasGlobal | C::TfNorm | C::MindSpore,
        ) => Within(2),
        (Law::Refinement, _) => Exactly,
    }
}

/// `|a| <= |b|` but for so many units.
fn at_most(a: &[Vec<f32>], b: &[Vec<f32>], slack: u32) -> bool {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs
        .into_iter()
        .all(|(a, b)| a.abs() <= b.abs() || ulps(*a, *b) <= slack)
}

/// Whether the law holds here within `slack`; true where it does not apply.
fn law(law: Law, convention: Convention, x: &[Vec<f32>], c: f32, slack: u32) -> bool {
    let global = |c: f32, x: &[Vec<f32>]| clipped(&text("global", convention, c), x);
    match law {
        Law::IdentityBelow => {
            let below = (statistic(convention, x) as f32) < c;
            !below || bits(&global(c, x)) == bits(x)
        }
        Law::Idempotent => {
            let once = global(c, x);
            within(&global(c, &once), &once, slack)
        }
        Law::Shrinks => at_most(&global(c, x), x, slack),
        Law::PowersOfTwo => [-12, 9].into_iter().all(|k| {
            let k = (k as f32).exp2();
            bits(&global(c * k, &times(x, k))) == bits(&times(&global(c, x), k))
        }),
        Law::MonotoneInThreshold => {
            let larger = [c.next_up(), c * 1.5 + 1e-6];
            larger
                .into_iter()
                .all(|larger| at_most(&global(c, x), &global(larger, x), slack))
        }
        Law::Refinement => {
            let parts = |partition| clipped(&text(partition, convention, c), x);
            let (fine, middle, coarse) = (parts("component"), parts("module"), parts("global"));
            at_most(&coarse, &middle, slack) && at_most(&middle, &fine, slack)
        }
    }
}

const LAWS: [Law; 6] = [
    Law::IdentityBelow,
    Law::Idempotent,
    Law::Shrinks,
    Law::PowersOfTwo,
    Law::MonotoneInThreshold,
    Law::Refinement,
];

proptest! {
    #![proptest_config(few())]

    /// The whole table, on data whose norm the threshold straddles.
    #[test]
    fn laws_hold_as_the_table_says(x in tensors(moderate()), at in straddle()) {
        for convention in Convention::ALL {
            let c = positive(at.threshold(statistic(convention, &x)));
            for which in LAWS {
                let slack = match holds(which, convention) {
                    Exactly => 0,
                    Within(ulps) => ulps,
                    NotFor(..) | NoQuestion => continue,
                };
                prop_assert!(law(which, convention, &x, c, slack), "{which:?} of {convention} at {c}");
            }
        }
    }
}

/// A law that is said to fail fails, by its counterexample and not by a hair of rounding in the test.
#[test]
fn counterexamples() {
    let mut count = 0;
    for convention in Convention::ALL {
        for which in LAWS {
            if let NotFor(x, c) = holds(which, convention) {
                assert!(
                    !law(which, convention, &[x.to_vec()], c, 8),
                    "{which:?} of {convention} at {c}"
                );
                count += 1;
            }
        }
    }
    assert_eq!(count, 5 * 3 + 6);
}
