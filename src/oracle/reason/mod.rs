//! Why an output is wrong: known mistakes, read off the factors that it implies.
//!
//! An output says by which factor `κ` each component was multiplied, and so by which denominator `D = c/κ` the threshold was
//! divided. The true one is `n + ε` with the ε of the convention. Sums scatter; a wrong formula makes a law:
//!
//! | what holds in all components that are wrong | what it is |
//! |---|---|
//! | `D - (n + ε)` is one number | another ε |
//! | `(D - ε)² - n²` is one number | an ε inside the root |
//! | `κ (n + ε)` is one number | another threshold, a rounded one |
//! | `D = √m n`, `n/√m`, `m n` | squares that count `m` times, one of `m` shards, sums where means belong |
//! | `κ` is the right one times one number, unclipped components too | a loss scale |
//! | `κ = c/n > 1` where nothing is to be clipped | `min(1, ·)` forgotten |
//! | `D` is another component's | a stale norm, or swapped ones |
//! | `κ` is the square of the right one; clipping what comes out of clipping | clipped twice |
//! | `n² - D²` is the square of some tensors, or of the last elements | left out |
//!
//! Every hypothesis predicts a number for each component, and is taken only if all are met to within a few roundings;
//! what would be met by chance is not tried.

mod evidence;
mod laws;
mod sums;

use super::case::Case;
use super::expect::Expectation;
use super::tensor::Tensor;
use super::verdict::{ComponentJudgement, Verdict};
use evidence::Evidence;
use std::fmt;

/// A mistake that explains what came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its name in reports, for programs: [`Reason::NAMES`].
    pub name: &'static str,
    /// What it is, for readers.
    pub text: String,
}

impl Reason {
    /// All names.
    pub const NAMES: [&'static str; 19] = [
        "nothing-clipped",
        "loss-scale",
        "no-minimum",
        "inverted",
        "sign",
        "epsilon",
        "epsilon-in-root",
        "threshold-rounded",
        "scale-rounded",
        "threshold",
        "clipped-twice",
        "root",
        "norm-times",
        "size-in-norm",
        "other-norm",
        "left-out",
        "counted-twice",
        "tail-left-out",
        "not-scaled",
    ];

    fn new(name: &'static str, text: String) -> Self {
        debug_assert!(Self::NAMES.contains(&name), "{name}");
        Self { name, text }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The mistake that explains every component that is wrong, if a known one does.
pub(super) fn find(
    case: &Case,
    after: &[&Tensor],
    expectation: &Expectation,
    judged: &[ComponentJudgement],
) -> Option<Reason> {
    let wrong = |judged: &ComponentJudgement| !matches!(judged.verdict, Verdict::Pass { .. });
    let evidence: Vec<Evidence> = expectation
        .components
        .iter()
        .zip(judged)
        .map(|(expected, judged)| Evidence::of(case, after, expected, wrong(judged)))
        .collect();
    if !evidence.iter().any(|e| e.wrong) {
        return None;
    }
    let weak = evidence_is_weak(judged);
    let known = laws::find(case, &evidence).or_else(|| sums::find(case, after, expectation, &evidence));
    known.or_else(|| if weak { None } else { laws::last(&evidence) })
}

/// Whether a weak sum would explain all that is wrong.
fn evidence_is_weak(judged: &[ComponentJudgement]) -> bool {
    let pass = |verdict: &Verdict| matches!(verdict, Verdict::Pass { .. } | Verdict::Weak { .. });
    judged.iter().all(|component| pass(&component.verdict))
}

/// A law that components obey which all pass, each by itself: the ε of another library, a threshold that was rounded.
pub(super) fn hidden(
    case: &Case,
    after: &[&Tensor],
    expectation: &Expectation,
    judged: &[ComponentJudgement],
) -> Option<Reason> {
    let differ = judged
        .iter()
        .filter(|component| component.histogram[1..].iter().any(|&count| count > 0));
    if differ.count() < 3 {
        return None;
    }
    let all = expectation.components.iter();
    let evidence: Vec<Evidence> = all
        .map(|expected| Evidence::of(case, after, expected, false).sharper())
        .collect();
    let reason = laws::hidden(case, &evidence)?;
    let text = format!(
        "{}; each component is within its budget, and all are off by one law",
        reason.text
    );
    Some(Reason { text, ..reason })
}
