//! Strategies for proptest: cases as the oracle's own tests draw them, for a crate with a clipper of its own.
//!
//! ```
//! use cwgnc::cases::strategies::case;
//! use cwgnc::clip::ClipPolicy;
//! use cwgnc::oracle::{Candidate, Tensor, judge};
//! use proptest::prelude::*;
//!
//! fn my_clipper(c: f64, grads: &[Tensor]) -> Vec<Tensor> {
//!     let clip = |t: &Tensor| {
//!         let x = t.data.values();
//!         let n = x.iter().map(|x| x * x).sum::<f64>().sqrt();
//!         t.with(x.iter().map(|x| if n <= c { *x } else { x * f64::from((c / n) as f32) }))
//!     };
//!     grads.iter().map(clip).collect()
//! }
//!
//! let policy: ClipPolicy = "component:0.5@exact".parse()?;
//! proptest!(ProptestConfig::with_cases(64), |(case in case(policy))| {
//!     let judgement = judge(&case, &Candidate::new(my_clipper(0.5, &case.before)))?;
//!     prop_assert!(judgement.passed(), "{}", judgement.verdict);
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Cases are those of [`Pack::cases_for`], drawn by chance: lengths around blocks, many tensors and empty ones,
//! thresholds that straddle, NaN, infinities, squares that overflow or vanish. Whoever does not promise all that leaves
//! classes out with [`case_for`].
//!
//! Shrinking goes toward few short tensors of zeros and ones, the largest steps first, and takes some hundred calls. A
//! property that judges with [`judge_unexplained`](crate::oracle::judge_unexplained) shrinks in under a second in a debug
//! build if that compiles the oracle with optimisation, which takes two lines in the `Cargo.toml` of the crate:
//!
//! ```toml
//! [profile.dev.package."*"]
//! opt-level = 3
//! ```
//!
//! The laws that need no expected value are in [`oracle::laws`](crate::oracle::laws) and take the same cases.

use super::pack::Pack;
use super::policy_pack::{PolicyCases, Template, Wanted};
use super::shrink::Shrinker;
use crate::clip::{ClipPolicy, Partition};
use crate::oracle::{Case, Format, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::TestRunner;

/// Cases of one policy on `F32` gradients. A [`Template`] may leave the threshold open.
///
/// Rules that read parameters or second moments get them.
///
/// # Panics
/// If no case of the policy can be judged.
pub fn case(policy: impl Into<Template>) -> impl Strategy<Value = Case> {
    case_of(policy, Format::F32)
}

/// The same for another element type.
///
/// # Panics
/// If no case of the policy can be judged.
pub fn case_of(policy: impl Into<Template>, format: Format) -> impl Strategy<Value = Case> {
    case_for(policy, &Wanted::of(format))
}

/// The same for several element types, without some classes, up to another length. Of what is wanted, seed and count
/// do not matter.
///
/// # Panics
/// If no case of the policy can be judged.
pub fn case_for<P: Into<Template>>(policy: P, wanted: &Wanted) -> impl Strategy<Value = Case> + use<P> {
    let cases = Pack::cases_for(&policy.into(), wanted);
    Cases(cases.unwrap_or_else(|error| panic!("there are no cases to draw from: {error}")))
}

/// Cases by chance.
#[derive(Clone, Debug)]
struct Cases(PolicyCases);

impl Strategy for Cases {
    type Tree = Shrinking;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let bits = any::<u64>().new_tree(runner)?.current();
        Ok(Shrinking(Shrinker::new(self.0.by_chance(bits))))
    }
}

/// A case on its way to a small one.
#[derive(Clone, Debug)]
struct Shrinking(Shrinker);

impl ValueTree for Shrinking {
    type Value = Case;

    fn current(&self) -> Case {
        self.0.current().clone()
    }

    /// The current case fails.
    fn simplify(&mut self) -> bool {
        self.0.answer(true);
        self.0.propose().is_some()
    }

    /// The current case passes.
    fn complicate(&mut self) -> bool {
        self.0.answer(false);
        self.0.propose().is_some()
    }
}

/// Policies that clip norms by every convention over every partition that cuts no tensor.
pub fn policy() -> impl Strategy<Value = ClipPolicy> {
    use crate::clip::{Convention, Threshold};
    let conventions: Vec<Convention> = Convention::ALL
        .into_iter()
        .filter(|convention| !convention.measures_mean())
        .collect();
    let partitions = vec![
        Partition::Parameter,
        Partition::Global,
        Partition::Module,
        Partition::Layer,
    ];
    let thresholds = prop_oneof![Just(1.0), Just(0.05), 1e-3..100.0_f64];
    let parts = (
        prop::sample::select(conventions),
        prop::sample::select(partitions),
        thresholds,
    );
    parts.prop_map(|(convention, partition, c)| {
        ClipPolicy::norm(partition, Threshold::unchecked(c), convention)
    })
}

/// One to five named tensors of up to three axes.
pub fn tensors(format: Format) -> impl Strategy<Value = Vec<Tensor>> {
    let shape = prop_oneof![
        Just(vec![]),
        (0..9_usize).prop_map(|n| vec![n]),
        (1..5_usize, 1..5_usize).prop_map(|(m, n)| vec![m, n]),
        (31..34_usize).prop_map(|n| vec![n]),
    ];
    let tensor = shape.prop_flat_map(move |shape| {
        let len = shape.iter().product::<usize>();
        (Just(shape), elements(format, len))
    });
    vec(tensor, 1..=5).prop_map(move |list| {
        let numbered = list.into_iter().enumerate();
        numbered
            .map(|(i, (shape, x))| {
                let kind = if i % 2 == 0 { "weight" } else { "bias" };
                Tensor::new(&format!("layer.{}.dense.{kind}", i / 2), &shape, format, &x)
            })
            .collect()
    })
}

/// The elements of a tensor: small integers (whose squares sum exactly in any order), ordinary numbers, numbers over
/// many binades, mostly zeros, one that is large among small ones, squares that overflow or vanish in the type, or
/// NaN and infinities here and there.
pub fn elements(format: Format, len: usize) -> impl Strategy<Value = Vec<f64>> {
    let reach = match format {
        Format::F16 => 6,
        Format::Bf16 | Format::F32 => 20,
        Format::F64 => 200,
    };
    let binade = move |k: i32, x: f64| libm::scalbn(x, k.clamp(-reach, reach));
    // Half of the largest exponent, and a little more: the square overflows, or vanishes.
    let beyond = 2 - format.min_exponent() / 2;
    let special = prop::sample::select(vec![
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        format.min_subnormal(),
    ]);
    prop_oneof![
        vec((-8..=8_i32).prop_map(f64::from), len),
        vec(-2.0..2.0_f64, len),
        vec(
            (-reach..reach, -2.0..2.0_f64).prop_map(move |(k, x)| binade(k, x)),
            len
        ),
        vec(prop_oneof![9 => Just(0.0), 1 => -4.0..4.0_f64], len),
        (vec(-1.0..1.0_f64, len), 0..len.max(1)).prop_map(move |(mut x, at)| {
            if let Some(x) = x.get_mut(at) {
                *x = binade(reach / 2, 1.5);
            }
            x
        }),
        (vec(-2.0..2.0_f64, len), any::<bool>()).prop_map(move |(mut x, large)| {
            let exponent = if large {
                beyond
            } else {
                -beyond - format.precision() / 2
            };
            for x in &mut x {
                *x = libm::scalbn(*x, exponent);
            }
            x
        }),
        vec(prop_oneof![9 => -2.0..2.0_f64, 1 => special], len),
    ]
}
