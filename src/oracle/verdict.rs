//! The answer: a verdict with its reason, not a boolean.
//!
//! | verdict | meaning |
//! |---|---|
//! | `PASS` | every bit as expected, or `ulp` away with a `share` of the derived budget used |
//! | `FAIL_ROUNDING` | over the budget, by less than [`LOGIC`](super::tolerance::LOGIC) times: more rounding than declared |
//! | `FAIL_LOGIC` | over it by more: another formula, another set of elements, a fault |
//! | `RANGE` | wrong, and what a naive sum that overflows or vanishes would give |
//! | `VACUOUS` | within the bound, but the bound of the declared reduction says nothing |
//! | `POLICY` | wrong, and right for another convention or partition, which is named |

use super::declared::Reduction;
use super::exact::Norm;
use super::format::Format;
use super::interval::Interval;
use crate::clip::{ClipPolicy, Clipped};
use std::fmt;

/// A verdict on a case or a component; from good to bad.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Right.
    Pass {
        /// The largest distance from the expected bits; 0: bitwise.
        ulp: u64,
        /// The largest share of the budget that was used, from 0 to 1.
        share: f64,
    },
    /// Not wrong, but the declared reduction can give nearly anything.
    Vacuous {
        /// Its relative bound on the norm.
        bound: f64,
    },
    /// Rounded more often than declared.
    FailRounding {
        /// The error in units of the budget.
        ratio: f64,
    },
    /// A naive sum in this type explains it.
    Range {
        /// The type in which squares overflow or vanish.
        format: Format,
        /// The norm that they give.
        norm: f64,
    },
    /// Right for other policies.
    Policy {
        /// Those that fit best, in their text form; more than one is an honest tie.
        matches: Vec<ClipPolicy>,
    },
    /// Wrong.
    FailLogic {
        /// The error in units of the budget; infinite where NaN, an infinity or an untouchable element is concerned.
        ratio: f64,
    },
}

/// The verdict on a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The worst of the components, explained where possible.
    pub verdict: Verdict,
    /// All components, in the order of their first element.
    pub components: Vec<ComponentJudgement>,
    /// What is out of tolerance, scales and norms first, then elements; at most [`Judgement::LISTED`].
    pub mismatches: Vec<Mismatch>,
    /// How many there are in all.
    pub mismatched: u64,
}

/// The verdict on one component.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentJudgement {
    /// Its id.
    pub id: String,
    /// `PASS`, `VACUOUS`, `FAIL_ROUNDING` or `FAIL_LOGIC`.
    pub verdict: Verdict,
    /// The exact norm.
    pub norm: Norm,
    /// What the scale can be under the declared arithmetic.
    pub scale: Interval,
    /// Whether it is clipped, under the declared arithmetic.
    pub clipped: Clipped,
    /// The norms, in the type that the convention keeps them in, for which every element would be right to the bit.
    pub implied_norm: Option<Interval>,
    /// Under a reduction `unknown`: the tightest that would have passed.
    pub sufficient: Option<Reduction>,
    /// Elements by their distance from the expected bits: 0, 1, 2 to 3, 4 to 7, …, the last one for NaN and all beyond.
    pub histogram: [u64; 16],
}

/// One thing that is out of tolerance.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The component's id.
    pub component: String,
    /// What it is.
    pub place: Place,
    /// What it can be.
    pub expected: Interval,
    /// What it is.
    pub got: f64,
    /// The distance to the nearer end of what it can be.
    pub ulp: u64,
}

/// Where a mismatch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The returned norm.
    Norm,
    /// The returned scale.
    Scale,
    /// The returned flag; 1 is clipped.
    Clipped,
    /// An element.
    Element {
        /// The tensor.
        tensor: String,
        /// Its index, row-major.
        index: usize,
    },
}

impl Judgement {
    /// Mismatches that are listed; the others are counted.
    pub const LISTED: usize = 20;

    /// Whether it is a `PASS`.
    pub fn passed(&self) -> bool {
        matches!(self.verdict, Verdict::Pass { .. })
    }

    /// 0 for `PASS`, 1 for a failure, 2 for `VACUOUS`.
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Pass { .. } => 0,
            Verdict::Vacuous { .. } => 2,
            _ => 1,
        }
    }
}

impl Verdict {
    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "PASS",
            Self::Vacuous { .. } => "VACUOUS",
            Self::FailRounding { .. } => "FAIL_ROUNDING",
            Self::Range { .. } => "RANGE",
            Self::Policy { .. } => "POLICY",
            Self::FailLogic { .. } => "FAIL_LOGIC",
        }
    }

    /// Larger is worse; numbers inside break ties.
    pub(super) fn severity(&self) -> (u8, f64) {
        match *self {
            Self::Pass { ulp, share } => (0, share.max(ulp as f64 * f64::MIN_POSITIVE)),
            Self::Vacuous { bound } => (1, bound),
            Self::FailRounding { ratio } => (2, ratio),
            Self::Range { .. } => (3, 0.0),
            Self::Policy { .. } => (4, 0.0),
            Self::FailLogic { ratio } => (5, ratio),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Pass { ulp: 0, .. } => f.write_str(" (bitwise)"),
            Self::Pass { ulp, share } => {
                write!(f, " ({ulp} ulp, used {:.1} % of the budget)", 100.0 * share)
            }
            Self::Vacuous { bound } => write!(
                f,
                ": the declared reduction allows a norm {:.2} % off and so cannot certify this",
                100.0 * bound
            ),
            Self::FailRounding { ratio } => write!(f, ": {ratio:.3} times the budget"),
            Self::Range { format, norm } => {
                write!(
                    f,
                    ": squares in {format} over- or underflow, which gives the norm {norm:e}"
                )
            }
            Self::Policy { matches } => {
                let names: Vec<_> = matches.iter().map(|policy| format!("`{policy}`")).collect();
                write!(f, ": your output matches {}", names.join(" or "))
            }
            Self::FailLogic { ratio } if ratio.is_finite() => write!(f, ": {ratio:.3e} times the budget"),
            Self::FailLogic { .. } => f.write_str(": out of every budget"),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "component `{}`, ", self.component)?;
        match &self.place {
            Place::Norm => f.write_str("norm")?,
            Place::Scale => f.write_str("scale")?,
            Place::Clipped => f.write_str("clipped flag")?,
            Place::Element { tensor, index } => write!(f, "`{tensor}`[{index}]")?,
        }
        let Interval { lo, hi } = self.expected;
        if self.expected.is_point() {
            write!(f, ": expected {lo:e}")?;
        } else {
            write!(f, ": expected {lo:e} to {hi:e}")?;
        }
        write!(f, ", got {:e}", self.got)?;
        match self.ulp {
            u64::MAX => Ok(()),
            ulp => write!(f, " ({ulp} ulp away)"),
        }
    }
}
