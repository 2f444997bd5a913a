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
//! Shrinking goes toward few short tensors of zeros. The laws that need no expected value are in
//! [`oracle::laws`](crate::oracle::laws) and take the same cases.

use crate::clip::{ClipPolicy, Partition};
use crate::oracle::{Case, Format, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;

/// Cases of one policy on `F32` gradients: of every class of [`elements`], in one to five tensors.
///
/// Rules that read parameters or second moments get them.
pub fn case(policy: ClipPolicy) -> impl Strategy<Value = Case> {
    case_of(policy, Format::F32)
}

/// The same for another element type.
pub fn case_of(policy: ClipPolicy, format: Format) -> impl Strategy<Value = Case> {
    (tensors(format), tensors(format), tensors(format)).prop_map(move |(before, values, moments)| {
        let mut case = Case::new(policy.clone(), before);
        // The second lists only lend their numbers, repeated as often as it takes.
        let beside = |lender: &[Tensor], map: fn(f64) -> f64| -> Vec<Tensor> {
            let numbers: Vec<f64> = lender.iter().flat_map(|t| t.data.values()).map(map).collect();
            let numbers = if numbers.is_empty() { vec![1.0] } else { numbers };
            case.before
                .iter()
                .map(|t| t.with(numbers.iter().copied().cycle().take(t.data.len())))
                .collect()
        };
        let (values, moments) = (beside(&values, |x| x), beside(&moments, f64::abs));
        if case.policy.rule.needs_values() {
            case.values = values;
        }
        if case.policy.rule.needs_second_moments() {
            case.second_moments = moments;
        }
        case
    })
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
/// many binades, mostly zeros, or one that is large among small ones.
pub fn elements(format: Format, len: usize) -> impl Strategy<Value = Vec<f64>> {
    let reach = match format {
        Format::F16 => 6,
        Format::Bf16 | Format::F32 => 20,
        Format::F64 => 200,
    };
    let binade = move |k: i32, x: f64| libm::scalbn(x, k.clamp(-reach, reach));
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
    ]
}
