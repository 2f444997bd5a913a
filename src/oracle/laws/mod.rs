//! Laws that need no expected value: two calls of a clipper, held against each other.
//!
//! A *subject* is anybody's clipper as a closure: a case in, gradients out. A law makes one or two cases from a given
//! one (permuted, scaled by a power of two, cut in pieces, with a NaN in one component, …), calls the subject and
//! compares. What a law promises depends on the convention ([`promise`]): the same bits, `k` ulp, the declared budget of
//! the sum, or nothing at all, because the source breaks it; [`check`] then only looks and does not judge.
//!
//! Laws are one-sided: a subject that does nothing obeys most of them. They find faults of logic without any reference,
//! and no tolerance can hide a fault from those that promise bits.

mod layout;
mod subject;

use super::case::Case;
use super::declared::Reduction;
use super::format::{Format, same};
use super::tensor::Tensor;
use super::tolerance;
use crate::clip::{ClipPolicy, Confine, Convention, Edge, Role, Rule, Selection, Statistic, ValueForm};
use std::fmt;

/// A law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// The norm after is at most `c`, with the roundings of the scale.
    Bound,
    /// A component well below the threshold keeps its bits.
    IdentityBelow,
    /// Clipping twice is clipping once.
    Idempotence,
    /// The elements of a component are multiplied by one number.
    Direction,
    /// `T(-g) = -T(g)`.
    Odd,
    /// `|y| <= |x|`.
    Shrink,
    /// `T(2g; 2c) = 2 T(g; c)`.
    PowerOfTwo,
    /// `T(S g; S c) / S = T(g; c)` for a loss scale `S = 16`.
    Unscale,
    /// A larger threshold leaves larger elements.
    MonotoneThreshold,
    /// A larger element shortens its neighbours.
    MonotoneOthers,
    /// The order of the elements in a component does not matter.
    Permutation,
    /// The order of the tensors does not matter.
    TensorOrder,
    /// A component does not depend on another one.
    Locality,
    /// A NaN stays in its component.
    Confinement,
    /// Smaller components keep larger elements.
    Refinement,
    /// Cut into two tensors each, the gradients have the same global result.
    SplitMerge,
    /// Zeros at the end change nothing.
    ZeroPadding,
    /// A tied copy counts once and goes where its original goes.
    Duplicate,
    /// An excluded tensor is not touched and does not count.
    Frame,
    /// The same call gives the same bits, whatever was called in between.
    Determinism,
    /// Components of one element are clipped by value.
    Singletons,
}

/// What a law says about a policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Promise {
    /// The same bits.
    Bits,
    /// Up to this many ulp.
    Ulp(u64),
    /// Within the declared budget of the norm and the roundings of the formula.
    Budget,
    /// Nothing: the source of the convention breaks the law, or the law does not speak about the rule.
    Nothing,
}

/// What became of a law.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It holds, with this largest distance.
    Holds {
        /// In ulp.
        ulp: u64,
    },
    /// It does not.
    Broken(Breach),
    /// The case gives no occasion, or nothing is promised.
    Silent,
    /// The subject gave no gradients, and why.
    Refused(String),
}

/// Where a law is broken worst.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// The tensor.
    pub tensor: String,
    /// The element's index.
    pub index: usize,
    /// What the law says.
    pub expected: f64,
    /// What came.
    pub got: f64,
    /// The distance.
    pub ulp: u64,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tensor,
            index,
            expected,
            got,
            ..
        } = self;
        write!(f, "`{tensor}`[{index}]: the law says {expected:e}, got {got:e}")
    }
}

/// How a pair of numbers must relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    /// Magnitudes: what came is at most what the law says.
    AtMost,
}

/// A number that the law gives, and the one that came.
struct Pair {
    tensor: String,
    index: usize,
    expected: f64,
    got: f64,
}

/// The pairs of a law on a case, their relation and type; nothing if the case gives no occasion.
type Evidence = Option<(Relation, Format, Vec<Pair>)>;

/// A clipper under examination.
pub type Subject<'a> = dyn FnMut(&Case) -> Result<Vec<Tensor>, String> + 'a;

impl Law {
    /// All laws.
    pub const ALL: [Self; 21] = [
        Self::Bound,
        Self::IdentityBelow,
        Self::Idempotence,
        Self::Direction,
        Self::Odd,
        Self::Shrink,
        Self::PowerOfTwo,
        Self::Unscale,
        Self::MonotoneThreshold,
        Self::MonotoneOthers,
        Self::Permutation,
        Self::TensorOrder,
        Self::Locality,
        Self::Confinement,
        Self::Refinement,
        Self::SplitMerge,
        Self::ZeroPadding,
        Self::Duplicate,
        Self::Frame,
        Self::Determinism,
        Self::Singletons,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::IdentityBelow => "identity-below",
            Self::Idempotence => "idempotence",
            Self::Direction => "direction",
            Self::Odd => "odd",
            Self::Shrink => "shrink",
            Self::PowerOfTwo => "power-of-two",
            Self::Unscale => "unscale",
            Self::MonotoneThreshold => "monotone-threshold",
            Self::MonotoneOthers => "monotone-others",
            Self::Permutation => "permutation",
            Self::TensorOrder => "tensor-order",
            Self::Locality => "locality",
            Self::Confinement => "confinement",
            Self::Refinement => "refinement",
            Self::SplitMerge => "split-merge",
            Self::ZeroPadding => "zero-padding",
            Self::Duplicate => "duplicate",
            Self::Frame => "frame",
            Self::Determinism => "determinism",
            Self::Singletons => "singletons",
        }
    }

    /// Whether two sums over the same numbers in another order or grouping are compared, so that a candidate whose sums
    /// are rounded may differ by its declared budget.
    fn reorders(self) -> bool {
        matches!(
            self,
            Self::Permutation
                | Self::TensorOrder
                | Self::MonotoneOthers
                | Self::Refinement
                | Self::SplitMerge
                | Self::ZeroPadding
                | Self::Duplicate
                | Self::Frame
                | Self::Singletons
        )
    }
}

/// What a law promises for a policy, with exact norms.
pub fn promise(law: Law, policy: &ClipPolicy) -> Promise {
    let counts_alone = |selection: &Selection| selection.role == Role::Count;
    match &policy.rule {
        // What one component does to all others is asked for, and what only counts is as long the second time.
        _ if law == Law::Confinement && reaches_all(policy.edge) => Promise::Nothing,
        _ if law == Law::Idempotence && policy.selections.iter().any(counts_alone) => Promise::Nothing,
        Rule::Norm { convention, .. } => by_norm(law, *convention, policy.statistic),
        Rule::Value { form, .. } => match (law, form) {
            // One side alone; and elements that share no scale.
            (Law::Odd | Law::Bound, ValueForm::Paper)
            | (Law::Direction | Law::Refinement | Law::Singletons, _) => Promise::Nothing,
            _ => Promise::Bits,
        },
        _ => match law {
            Law::Determinism | Law::Frame => Promise::Bits,
            Law::Odd | Law::Duplicate | Law::TensorOrder => Promise::Budget,
            _ => Promise::Nothing,
        },
    }
}

/// Whether a component that is not finite decides about the others.
fn reaches_all(edge: Edge) -> bool {
    match edge {
        Edge::Propagate => false,
        Edge::Error => true,
        Edge::Zero(confine) | Edge::Skip(confine) => confine == Confine::Global,
    }
}

/// The table of the survey, section 4, by the kind of formula.
fn by_norm(law: Law, convention: Convention, statistic: Statistic) -> Promise {
    use Convention as C;
    // An ε that the norm is raised by or to, and two operations on the element instead of one.
    let adds = matches!(
        convention,
        C::Torch | C::TorchBranch | C::DeepSpeed { .. } | C::Mxnet | C::TfPrivacy
    );
    let twice = matches!(
        convention,
        C::Optax | C::OptaxJit | C::TfNorm | C::MindSpore | C::TfAverage | C::TfAverageGraph
    );
    let by_count = matches!(statistic, Statistic::Rms | Statistic::Mean);
    let inexact_one = convention.measures_mean()
        || matches!(
            convention,
            C::TfGlobal | C::KerasGlobal | C::TfNorm | C::MindSpore
        );
    // An ε breaks what is about scale, a mean what is about the set of elements. (Those of burn and Paddle are so small that
    // `subject` leaves out the cases in which they count.)
    let speaks = match law {
        Law::Idempotence | Law::PowerOfTwo | Law::Unscale => !adds,
        // burn keeps its threshold in F32.
        Law::Singletons => !adds && !convention.measures_mean() && convention != C::Burn,
        // Whoever takes a loss scale out changes what is below the threshold.
        Law::IdentityBelow => !matches!(convention, C::DeepSpeed { loss_scale } if loss_scale != 1.0),
        Law::MonotoneOthers | Law::Refinement | Law::ZeroPadding => !by_count,
        _ => true,
    };
    let steps = twice || inexact_one;
    // A tensor of one element is divided where a longer one is multiplied by a reciprocal.
    let by_extent = matches!(
        convention,
        C::Optax | C::OptaxRms | C::OptaxRmsJit | C::TfAverageGraph
    );
    let by_power = !matches!(statistic, Statistic::Norm(p) if p == 1.0 || p == 2.0 || p == f64::INFINITY);
    match law {
        _ if !speaks => Promise::Nothing,
        Law::Bound | Law::Direction | Law::Idempotence => Promise::Budget,
        // Powers are known to some units in the last place.
        Law::PowerOfTwo | Law::Unscale if by_power => Promise::Budget,
        Law::IdentityBelow if inexact_one => Promise::Ulp(2),
        Law::SplitMerge | Law::ZeroPadding if by_extent => Promise::Ulp(2),
        // Keras rounds c and 1/c apart, and their product may be above 1 in 16 bits.
        Law::Shrink if twice || convention == C::KerasGlobal => Promise::Ulp(2),
        Law::Singletons => Promise::Ulp(2),
        Law::MonotoneThreshold | Law::MonotoneOthers | Law::Refinement if steps => Promise::Ulp(4),
        _ => Promise::Bits,
    }
}

/// Examines a subject under one law, by what the law promises for the case's policy.
pub fn check(law: Law, case: &Case, subject: &mut Subject<'_>) -> Outcome {
    check_promise(law, promise(law, &case.policy), case, subject)
}

/// Examines a subject under one law, by another promise: to show, for example, that a convention does not keep it.
pub fn check_promise(law: Law, promise: Promise, case: &Case, subject: &mut Subject<'_>) -> Outcome {
    if promise == Promise::Nothing {
        return Outcome::Silent;
    }
    match subject::evidence(law, case, subject) {
        Err(why) => Outcome::Refused(why),
        Ok(None) => Outcome::Silent,
        Ok(Some((relation, format, pairs))) => compare(law, case, promise, relation, format, &pairs),
    }
}

/// All laws on a case, in the order of [`Law::ALL`].
pub fn check_all(case: &Case, subject: &mut Subject<'_>) -> Vec<(Law, Outcome)> {
    Law::ALL
        .into_iter()
        .map(|law| (law, check(law, case, subject)))
        .collect()
}

/// How far two results may be apart, as a relative distance.
fn budget(law: Law, case: &Case, promise: Promise, format: Format) -> f64 {
    let elements = case.before.iter().map(|t| t.data.len() as u64).sum();
    // Nothing declared: what a sequential sum could do, the loosest of the ladder.
    let reduction = match case.declared.reduction {
        Reduction::Unknown => Reduction::Sequential,
        declared => declared,
    };
    let declared = super::Declared {
        reduction,
        ..case.declared
    };
    let tensors = case.before.len() as u64;
    let sums = tolerance::norm(&declared, case.policy.statistic, format, elements, tensors).above;
    let (formula, _) = tolerance::elements(&declared, &case.policy.rule, declared.scale_for(format), format);
    match promise {
        Promise::Budget => 2.0 * sums + formula,
        _ if law.reorders() && sums > 0.0 => 2.0 * sums + formula,
        _ => 0.0,
    }
}

fn compare(
    law: Law,
    case: &Case,
    promise: Promise,
    relation: Relation,
    format: Format,
    pairs: &[Pair],
) -> Outcome {
    let relative = budget(law, case, promise, format);
    let ulps = match promise {
        Promise::Ulp(k) => k,
        _ => 0,
    };
    let mut worst: Option<Breach> = None;
    let mut most = 0;
    for pair in pairs {
        let (a, b) = (pair.expected, pair.got);
        let fine = match relation {
            Relation::Equal => same(a, b),
            Relation::AtMost => b.abs() <= a.abs() || a.is_nan(),
        };
        if fine {
            continue;
        }
        let ulp = format.ulps(format.round(a), format.round(b)).max(1);
        let within = (b - a).abs()
            <= relative * a.abs()
                + if relative > 0.0 {
                    format.min_subnormal()
                } else {
                    0.0
                };
        if ulp <= ulps || within {
            most = most.max(ulp);
        } else if worst.as_ref().is_none_or(|worst| worst.ulp < ulp) {
            worst = Some(Breach {
                tensor: pair.tensor.clone(),
                index: pair.index,
                expected: a,
                got: b,
                ulp,
            });
        }
    }
    worst.map_or(Outcome::Holds { ulp: most }, Outcome::Broken)
}
