//! The independent judge of clipping: what must come out, how far off a candidate may be, and why it is wrong.
//!
//! ```text
//! before ──> components ──> exact norm n ∈ [lo, hi] ──> expectation ──┐
//! declared arithmetic ──> tolerance of n, of the scale, of y ─────────┼──> verdict
//! after (the candidate's) ────────────────────────────────────────────┘
//! ```
//!
//! The oracle shares with [`crate::clip`] the types that say *what* is to be done, and no arithmetic: partitions, norms,
//! formulas and roundings are written a second time, slower, from the published formulas. What it says is either exact
//! or an interval that is rounded outward. All tolerances are derived in [`tolerance`] from what a candidate declares
//! about its arithmetic ([`Declared`]).
//!
//! | to | call |
//! |---|---|
//! | know an exact norm, merge shards | [`norm`], [`Total`] |
//! | know what must come out | [`expect()`], [`Expectation`] |
//! | judge a pair of before and after | [`judge`] |
//! | learn which convention and partition it was, at a threshold or without | [`identify`], [`infer`] |
//! | check a clipper without any expected value | [`laws`] |
//!
//! An oracle reports, it does not accuse: a `PASS` means that no deviation was found in this case, and a failure names
//! the component, the element and, where it can, the mistake that would explain it.

mod assess;
mod bins;
mod case;
mod component;
mod declared;
mod exact;
pub mod expect;
mod format;
mod identify;
mod implied;
mod interval;
mod judge;
mod kulisch;
pub mod laws;
mod member;
mod path;
mod power;
mod range;
mod reason;
pub mod report;
mod tally;
mod tensor;
pub mod tolerance;
mod totals;
mod verdict;
mod walk;
mod weak;

pub use case::{Candidate, Case, OracleError};
pub use component::{Component, components, matched};
pub use declared::{Declared, Reduction, Rounding, norm_error};
pub use exact::{Norm, Total, norm};
pub use expect::{Expectation, Expected, expect};
pub use format::Format;
pub use identify::{Fit, Identification, Inferred, Ranked, Tie, identify, infer};
pub use interval::Interval;
pub use judge::{judge, judge_unexplained};
pub use kulisch::{Dyadic, Kulisch};
pub use member::Member;
pub use reason::Reason;
pub use tensor::{Data, Slice, Tensor};
pub use verdict::{ComponentJudgement, Judgement, Mismatch, Place, Verdict};
