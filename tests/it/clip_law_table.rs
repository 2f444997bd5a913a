//! The laws that tell conventions apart: which holds in bits, which within some units in the last place, which fails.
//!
//! "Fails" is tested too, by a counterexample written out. The generators straddle the threshold (see `clip_support`), and
//! the table in `docs/clipping.md` is compared with the one here.

use crate::clip_support::{bits, clipped, few, moderate, positive, straddle, tensors, text, ulps, within};
use crate::clip_support::{norm, statistic, times};
use cwgnc::clip::Convention;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// How a law holds under a convention.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    /// In every bit.
    Exactly,
    /// Within so many units in the last place of an element.
    Within(u32),
    /// Not at all.
    NotFor(&'static Example),
    /// The law says nothing about it.
    NoQuestion,
}
use Holds::{Exactly, NoQuestion, NotFor, Within};

/// A counterexample: `clip(x, c)` is its question.
#[derive(Debug, PartialEq)]
struct Example {
    name: &'static str,
    x: &'static [f32],
    c: f32,
}

/// Below the threshold by less than 1e-6, and by less than 1e-8.
const BAND: Example = Example {
    name: "A",
    x: &[1.0 - 1.0 / 2_097_152.0],
    c: 1.0,
};
const SMALL_BAND: Example = Example {
    name: "B",
    x: &[1e-9],
    c: 2e-9,
};
/// A threshold that 1e-6 is much of, and one that 1e-8 is.
const CLIPPED: Example = Example {
    name: "C",
    x: &[3.0, 4.0],
    c: 0.01,
};
const TINY: Example = Example {
    name: "D",
    x: &[3e-9, 4e-9],
    c: 1e-9,
};
/// 41 · (1/41) = 1 - 2⁻²⁴ in f32.
const RECIPROCAL: Example = Example {
    name: "E",
    x: &[1.0],
    c: 41.0,
};
/// (15/64 · 0.3) / 0.3 is not 15/64 in f32.
const PRODUCT: Example = Example {
    name: "F",
    x: &[15.0 / 64.0],
    c: 0.3,
};

const EXAMPLES: [&Example; 6] = [&BAND, &SMALL_BAND, &CLIPPED, &TINY, &RECIPROCAL, &PRODUCT];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Law {
    /// 2: below the threshold nothing changes.
    IdentityBelow,
    /// 3: clipping twice is clipping once. `Exactly` would be wrong for all: the norm after is c but for rounding.
    Idempotent,
    /// 4: every element is multiplied by one number from 0 to 1, read off the largest.
    Direction,
    /// 6: no element grows.
    Shrinks,
    /// 7: T(2ᵏg; 2ᵏc) = 2ᵏ T(g; c).
    PowersOfTwo,
    /// 8: T(a g; a c) = a T(g; c) for any a > 0.
    Scaling,
    /// 10: a larger threshold leaves larger elements.
    MonotoneInThreshold,
    /// 11: a larger element shortens the others.
    MonotoneInOthers,
    /// 15: a finer partition leaves larger elements.
    Refinement,
    /// 18: what the global norm allows, the norm of a part allows.
    Composition,
    /// 20: `⟨g - T g, h - T g⟩ <= 0` for every h within the threshold: T g is the nearest point.
    Nearest,
    /// 25: T(S g; S c) / S = T(g; c) for the loss scale 65536.
    Unscale,
    /// 35: at n = c the two sides meet.
    Continuous,
}

const LAWS: [(Law, &str); 13] = [
    (Law::IdentityBelow, "identity below c"),
    (Law::Idempotent, "clipping twice = once"),
    (Law::Direction, "one factor for all elements"),
    (Law::Shrinks, "no element grows"),
    (Law::PowersOfTwo, "T(2ᵏg; 2ᵏc) = 2ᵏT(g; c)"),
    (Law::Scaling, "T(ag; ac) = aT(g; c)"),
    (Law::MonotoneInThreshold, "monotone in c"),
    (Law::MonotoneInOthers, "a larger element shortens the others"),
    (Law::Refinement, "finer partition, larger elements"),
    (Law::Composition, "component after global = global"),
    (Law::Nearest, "T(g) is the nearest point with n <= c"),
    (Law::Unscale, "T(Sg; Sc)/S = T(g; c)"),
    (Law::Continuous, "continuous at n = c"),
];

/// The table. An ε shrinks what lies just below the threshold, does so again on every call, and has a scale of its own.
#[expect(clippy::match_same_arms, reason = "law by law, as a table is read")]
fn holds(law: Law, convention: Convention) -> Holds {
    use Convention as C;
    let large = matches!(convention, C::Torch | C::TorchBranch | C::DeepSpeed { .. });
    let small = matches!(convention, C::Mxnet | C::TfPrivacy);
    // Two operations on an element, each with its own rounding.
    let twice = matches!(
        convention,
        C::Optax | C::OptaxJit | C::TfNorm | C::MindSpore | C::TfAverage
    );
    match (law, convention) {
        (Law::IdentityBelow, _) if large => NotFor(&BAND),
        (Law::IdentityBelow, _) if small => NotFor(&SMALL_BAND),
        (Law::IdentityBelow, C::TfGlobal | C::KerasGlobal | C::TfAverage | C::TfAverageGraph) => {
            NotFor(&RECIPROCAL)
        }
        (Law::IdentityBelow, C::TfNorm | C::MindSpore) => NotFor(&PRODUCT),
        (Law::IdentityBelow, _) => Exactly,
        // The mean of a part may be above the mean of the whole, and a ball of means is none of norms.
        (
            Law::Idempotent | Law::Refinement | Law::Composition | Law::Nearest,
            C::TfAverage | C::TfAverageGraph,
        ) => NoQuestion,
        (Law::Idempotent | Law::PowersOfTwo | Law::Scaling, _) if large => NotFor(&CLIPPED),
        (Law::Composition, _) if large => NotFor(&CLIPPED),
        (Law::Idempotent | Law::PowersOfTwo | Law::Scaling | Law::Composition, _) if small => NotFor(&TINY),
        (Law::Nearest | Law::Unscale, _) if large || small => NotFor(&TINY),
        (Law::Idempotent | Law::Scaling | Law::Composition | Law::Nearest, _) => Within(8),
        (Law::PowersOfTwo | Law::Unscale, _) => Exactly,
        (Law::Direction, _) if twice => Within(4),
        (Law::Direction, _) => Within(2),
        // x · (1/√85) · √85 rounds up for x = 6; (x·c)/c rounds up for the other.
        (Law::Shrinks, _) if twice => Within(2),
        (Law::Shrinks, _) => Exactly,
        (
            Law::MonotoneInThreshold | Law::MonotoneInOthers | Law::Refinement,
            C::TfGlobal | C::KerasGlobal | C::TfAverageGraph,
        ) => Within(2),
        (Law::MonotoneInThreshold | Law::MonotoneInOthers | Law::Refinement, _) if twice => Within(2),
        (Law::MonotoneInThreshold | Law::MonotoneInOthers | Law::Refinement, _) => Exactly,
        (Law::Continuous, _) => Within(4),
    }
}

/// `|a| <= |b|` but for so many units.
fn at_most(a: &[Vec<f32>], b: &[Vec<f32>], slack: u32) -> bool {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs
        .into_iter()
        .all(|(a, b)| a.abs() <= b.abs() || ulps(*a, *b) <= slack)
}

/// Every element against the factor of the largest.
fn one_factor(x: &[Vec<f32>], y: &[Vec<f32>], slack: u32) -> bool {
    let pairs = || x.iter().flatten().zip(y.iter().flatten());
    let Some((most, left)) = pairs().max_by(|a, b| a.0.abs().total_cmp(&b.0.abs())) else {
        return true;
    };
    let k = if *most == 0.0 {
        1.0
    } else {
        f64::from(*left) / f64::from(*most)
    };
    (0.0..=1.0 + f64::from(slack) * f64::from(f32::EPSILON)).contains(&k)
        && pairs().all(|(x, y)| ulps((f64::from(*x) * k) as f32, *y) <= slack)
}

/// The gradient with its `at`th element raised, whatever its sign; the others' places are kept.
fn raised(x: &[Vec<f32>], at: usize) -> Vec<Vec<f32>> {
    let mut raised = x.to_vec();
    if let Some(x) = raised.iter_mut().flatten().nth(at) {
        *x = if *x == 0.0 { 1.0 } else { *x * 1.25 };
    }
    raised
}

/// `⟨g - y, h - y⟩` is at most rounding for points h of norm c: along g, along an axis, and along g with signs changed.
fn nearest(g: &[Vec<f32>], y: &[Vec<f32>], c: f32, slack: u32) -> bool {
    let flat = |x: &[Vec<f32>]| x.iter().flatten().map(|x| f64::from(*x)).collect::<Vec<f64>>();
    let (g, y, c) = (flat(g), flat(y), f64::from(c));
    let n = g.iter().map(|x| x * x).sum::<f64>().sqrt();
    if n == 0.0 {
        return y.iter().all(|y| *y == 0.0);
    }
    let along = |sign: fn(usize) -> f64| {
        g.iter()
            .enumerate()
            .map(|(i, x)| sign(i) * x * c / n)
            .collect::<Vec<_>>()
    };
    let mut axis = vec![0.0; g.len()];
    axis[0] = c;
    let points = [
        along(|_| 1.0),
        along(|_| -1.0),
        along(|i| if i % 2 == 0 { 1.0 } else { -1.0 }),
        axis,
    ];
    // One factor of the product has the length of g or h and the other is rounding, or both are of length c or n.
    let rounding = f64::from(slack) * f64::from(f32::EPSILON) * n * c + 1e-40;
    points.iter().all(|h| {
        let inner: f64 = (0..g.len()).map(|i| (g[i] - y[i]) * (h[i] - y[i])).sum();
        inner <= rounding
    })
}

/// Whether the law holds here within `slack`; true where it does not apply.
fn law(law: Law, convention: Convention, x: &[Vec<f32>], c: f32, slack: u32) -> bool {
    let global = |c: f32, x: &[Vec<f32>]| clipped(&text("global", convention, c), x);
    let scaled = |a: f32| within(&global(c * a, &times(x, a)), &times(&global(c, x), a), slack);
    match law {
        Law::IdentityBelow => {
            let below = (statistic(convention, x) as f32) < c;
            !below || bits(&global(c, x)) == bits(x)
        }
        Law::Idempotent => {
            let once = global(c, x);
            within(&global(c, &once), &once, slack)
        }
        Law::Direction => one_factor(x, &global(c, x), slack),
        Law::Shrinks => at_most(&global(c, x), x, slack),
        Law::PowersOfTwo => [-12, 9].into_iter().all(|k| scaled((k as f32).exp2())),
        Law::Unscale => scaled(65536.0),
        Law::Scaling => [3.0, 0.1, 1700.0].into_iter().all(scaled),
        Law::MonotoneInThreshold => {
            let larger = [c.next_up(), c * 1.5 + 1e-6];
            larger
                .into_iter()
                .all(|larger| at_most(&global(c, x), &global(larger, x), slack))
        }
        Law::MonotoneInOthers => {
            let before = global(c, x);
            (0..x.iter().map(Vec::len).sum()).step_by(7).all(|at| {
                let mut after = global(c, &raised(x, at));
                // The raised element itself is free.
                let own = before.iter().flatten().nth(at).copied();
                if let (Some(y), Some(own)) = (after.iter_mut().flatten().nth(at), own) {
                    *y = own;
                }
                at_most(&after, &before, slack)
            })
        }
        Law::Refinement => {
            let parts = |partition| clipped(&text(partition, convention, c), x);
            let (fine, middle, coarse) = (parts("component"), parts("module"), parts("global"));
            at_most(&coarse, &middle, slack) && at_most(&middle, &fine, slack)
        }
        Law::Composition => {
            let once = global(c, x);
            within(&clipped(&text("component", convention, c), &once), &once, slack)
        }
        Law::Nearest => nearest(x, &global(c, x), c, slack),
        Law::Continuous => {
            let n = positive(statistic(convention, x) as f32);
            within(&global(n.next_down(), x), &global(n.next_up(), x), slack)
        }
    }
}

proptest! {
    #![proptest_config(few())]

    /// The whole table, on data whose norm the threshold straddles.
    #[test]
    fn laws_hold_as_the_table_says(x in tensors(moderate()), at in straddle()) {
        for convention in Convention::ALL {
            let c = positive(at.threshold(statistic(convention, &x)));
            for (which, _) in LAWS {
                let slack = match holds(which, convention) {
                    Exactly => 0,
                    Within(ulps) => ulps,
                    NotFor(..) | NoQuestion => continue,
                };
                prop_assert!(law(which, convention, &x, c, slack), "{which:?} of {convention} at {c}, norm {}", norm(&x));
            }
        }
    }
}

/// A law that is said to fail fails, by its counterexample and not by a hair of rounding in the test.
#[test]
fn counterexamples() {
    let mut used = BTreeSet::new();
    for convention in Convention::ALL {
        for (which, _) in LAWS {
            if let NotFor(Example { name, x, c }) = holds(which, convention) {
                assert!(
                    !law(which, convention, &[x.to_vec()], *c, 8),
                    "{which:?} of {convention} at {c}"
                );
                used.insert(*name);
            }
        }
    }
    assert_eq!(used.len(), EXAMPLES.len());
}

/// The lines of a table in a text, cell by cell, from the row that begins with `first`; without its ruler.
fn table(text: &str, first: &str) -> Vec<Vec<String>> {
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {first} |")));
    let lines = lines
        .take_while(|line| line.starts_with('|'))
        .filter(|line| !line.starts_with("|---"));
    let cells = |line: &str| {
        line.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    lines.map(cells).collect()
}

/// The documentation's table is this one: every convention in one column, every law in one row, every cell the same.
#[test]
fn the_documentation_has_this_table() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clipping.md");
    let text = std::fs::read_to_string(path).expect("docs/clipping.md");
    let rows = table(&text, "law");
    let columns: Vec<Vec<&str>> = rows[0][1..]
        .iter()
        .map(|head| head.split(", ").collect())
        .collect();
    let mut named = columns.concat();
    named.sort_unstable();
    let mut all = Convention::ALL.map(Convention::name);
    all.sort_unstable();
    assert_eq!(named, all);
    assert_eq!(rows.len() - 1, LAWS.len());
    for ((which, name), row) in LAWS.iter().zip(&rows[1..]) {
        assert_eq!(&row[0], name);
        for (names, cell) in columns.iter().zip(&row[1..]) {
            for convention in Convention::ALL.into_iter().filter(|c| names.contains(&c.name())) {
                let expected = match holds(*which, convention) {
                    Exactly => "bits".to_owned(),
                    Within(ulps) => format!("{ulps} ulp"),
                    NotFor(example) => format!("no ({})", example.name),
                    NoQuestion => "–".to_owned(),
                };
                assert_eq!(cell, &expected, "{name} of {convention}");
            }
        }
    }
    let examples = table(&text, "counterexample");
    assert_eq!(examples.len() - 1, EXAMPLES.len());
    for (example, row) in EXAMPLES.iter().zip(&examples[1..]) {
        let numbers = |cell: &str| {
            cell.split(", ")
                .map(|x| x.parse().expect(cell))
                .collect::<Vec<f32>>()
        };
        assert_eq!(
            (&*row[0], numbers(&row[1]), numbers(&row[2])),
            (example.name, example.x.to_vec(), vec![example.c])
        );
    }
}

/// The oracle's laws promise nothing that this table has a counterexample for, and no bits where it has roundings. (Below
/// the threshold the oracle looks far below it, where an ε does not show.)
#[test]
fn the_oracle_promises_no_more() {
    use cwgnc::clip::ClipPolicy;
    use cwgnc::oracle::laws::{Law as Theirs, Promise, promise};
    let pairs = [
        (Law::Idempotent, Theirs::Idempotence),
        (Law::Direction, Theirs::Direction),
        (Law::Shrinks, Theirs::Shrink),
        (Law::PowersOfTwo, Theirs::PowerOfTwo),
        (Law::MonotoneInThreshold, Theirs::MonotoneThreshold),
        (Law::MonotoneInOthers, Theirs::MonotoneOthers),
        (Law::Refinement, Theirs::Refinement),
        (Law::Unscale, Theirs::Unscale),
    ];
    for convention in Convention::ALL {
        let policy: ClipPolicy = format!("component:1@{convention}").parse().expect("a policy");
        for (ours, theirs) in pairs {
            let promise = promise(theirs, &policy);
            let too_much = match holds(ours, convention) {
                Exactly | NoQuestion => false,
                NotFor(_) => promise != Promise::Nothing,
                Within(_) => promise == Promise::Bits,
            };
            assert!(!too_much, "{convention}: {ours:?}, {promise:?}");
        }
    }
}
