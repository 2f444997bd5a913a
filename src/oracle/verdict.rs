//! The answer: a verdict with its reason, not a boolean.
//!
//! | verdict | meaning |
//! |---|---|
//! | `PASS` | every bit as expected, or `ulp` away with a `share` of the derived budget used |
//! | `FAIL_ROUNDING` | over the budget, by less than [`LOGIC`](super::tolerance::LOGIC) times: more rounding than declared |
//! | `FAIL_LOGIC` | over it by more: another formula, another set of elements, a fault |
//! | `RANGE` | wrong, and what a naive sum that overflows or vanishes would give |
//! | `WEAK` | nothing was declared, and only a weaker sum than sane implementations use explains it |
//! | `VACUOUS` | as declared, and further off than is certified |
//! | `POLICY` | wrong, and right for another convention or partition, which is named |

use super::declared::{Declared, Reduction};
use super::exact::Norm;
use super::format::Format;
use super::interval::Interval;
use super::reason::Reason;
use crate::clip::{ClipPolicy, Clipped};
use std::cmp::Ordering;
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
    /// Nothing was declared, and only a weaker sum than sane implementations use explains it: not certified.
    Weak {
        /// The component that needs it.
        component: String,
        /// The sum.
        needs: Reduction,
        /// How far off the norm is, as a share of it.
        off: f64,
        /// How far off that sum may be.
        bound: f64,
        /// The most that is certified, [`max_norm_error`](crate::oracle::Declared::max_norm_error).
        limit: f64,
    },
    /// As declared, but further off than is certified.
    Vacuous {
        /// How far off the norm is, as a share of it, or may be.
        off: f64,
        /// How far off the declared sum may be.
        bound: f64,
        /// The limit, [`max_norm_error`](crate::oracle::Declared::max_norm_error).
        limit: f64,
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

/// Policies that a line names; the others are counted.
const NAMED: usize = 3;

/// The verdict on a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What was asked.
    pub policy: ClipPolicy,
    /// The arithmetic that was declared.
    pub declared: Declared,
    /// The worst of the components, explained where possible.
    pub verdict: Verdict,
    /// The mistake that explains what is wrong, where a known one does.
    pub reason: Option<Reason>,
    /// Another convention that gives every bit, where this one is only within its budget.
    pub closer: Option<ClipPolicy>,
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
    /// `PASS`, `WEAK`, `VACUOUS`, `FAIL_ROUNDING` or `FAIL_LOGIC`.
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

    /// Whether no component was to be clipped: then nothing was tested but that small gradients stay as they are.
    pub fn nothing_to_clip(&self) -> bool {
        self.components
            .iter()
            .all(|component| component.clipped == Clipped::No)
    }

    /// The verdict, its reason, and what makes a pass worth less, in one line.
    pub fn headline(&self) -> String {
        let mut line = self.verdict.to_string();
        if let Some(reason) = &self.reason {
            let also = match self.verdict {
                Verdict::Weak { .. } => "; this would explain it as well",
                _ => "",
            };
            line = format!("{line}{also}: {reason}");
        }
        if let Some(closer) = self.closer.as_ref().filter(|_| self.passed()) {
            line = format!("{line}; `{closer}` gives every bit: ask for it if it is meant");
        }
        if self.passed() && self.nothing_to_clip() {
            line.push_str(", but nothing was to be clipped: no norm is above its threshold");
        }
        line
    }

    /// Whether it is a `PASS`.
    pub fn passed(&self) -> bool {
        matches!(self.verdict, Verdict::Pass { .. })
    }

    /// 0 for `PASS`, 1 for a failure, 2 for `WEAK` and `VACUOUS`, which certify nothing.
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Pass { .. } => 0,
            Verdict::Weak { .. } | Verdict::Vacuous { .. } => 2,
            _ => 1,
        }
    }
}

impl Verdict {
    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "PASS",
            Self::Weak { .. } => "WEAK",
            Self::Vacuous { .. } => "VACUOUS",
            Self::FailRounding { .. } => "FAIL_ROUNDING",
            Self::Range { .. } => "RANGE",
            Self::Policy { .. } => "POLICY",
            Self::FailLogic { .. } => "FAIL_LOGIC",
        }
    }

    /// From good to bad; numbers inside break ties.
    pub fn compare(&self, other: &Self) -> Ordering {
        let (a, b) = (self.severity(), other.severity());
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    }

    /// Larger is worse; numbers inside break ties.
    fn severity(&self) -> (u8, f64) {
        match *self {
            Self::Pass { ulp, share } => (0, share.max(ulp as f64 * f64::MIN_POSITIVE)),
            Self::Weak { off, .. } => (1, off),
            Self::Vacuous { off, .. } => (2, off),
            Self::FailRounding { ratio } => (3, ratio),
            Self::Range { .. } => (4, 0.0),
            Self::Policy { .. } => (5, 0.0),
            Self::FailLogic { ratio } => (6, ratio),
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
            Self::Weak {
                component,
                needs,
                off,
                bound,
                limit,
            } => {
                let limit = if off > limit {
                    format!(",max-norm-error={}%", ceiling(100.0 * off))
                } else {
                    String::new()
                };
                write!(
                    f,
                    ": the norm of `{component}` is {} off, which only a sum as weak as `{needs}` explains (it may be \
                     {} off); `--declared {needs}{limit}` accepts it",
                    percent(*off),
                    percent(*bound)
                )
            }
            Self::Vacuous { off, bound, limit } => write!(
                f,
                ": the norm is {} off; what was declared allows {}, but more than {} is not certified \
                 (`--max-norm-error`)",
                percent(*off),
                percent(*bound),
                percent(*limit)
            ),
            Self::FailRounding { ratio } => write!(f, ": {ratio:.3} times the budget"),
            Self::Range { format, norm } => {
                write!(
                    f,
                    ": squares in {format} over- or underflow, which gives the norm {norm:e}"
                )
            }
            Self::Policy { matches } => {
                let names: Vec<_> = matches
                    .iter()
                    .take(NAMED)
                    .map(|policy| format!("`{policy}`"))
                    .collect();
                write!(f, ": your output matches {}", names.join(" or "))?;
                match matches.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " or {more} others that do the same here"),
                }
            }
            Self::FailLogic { ratio } if ratio.is_finite() => write!(f, ": {ratio:.3e} times the budget"),
            Self::FailLogic { .. } => f.write_str(": out of every budget"),
        }
    }
}

/// A share in per cents, two digits of it.
fn percent(share: f64) -> String {
    if !share.is_finite() || share >= 1.0 {
        return "100 % or more".to_owned();
    }
    let percent = 100.0 * share;
    if percent < 1e-4 {
        return format!("{percent:.1e} %");
    }
    let digits = (1.0 - libm::log10(percent).floor()).max(0.0) as usize;
    format!("{percent:.digits$} %")
}

/// One digit, rounded up.
fn ceiling(x: f64) -> f64 {
    let text = format!("{x:.0e}");
    let unit: f64 = text
        .split_once('e')
        .map_or(1.0, |(_, e)| format!("1e{e}").parse().unwrap_or(1.0));
    let digits = (x / unit).ceil();
    format!("{digits}e{}", libm::log10(unit).round())
        .parse()
        .unwrap_or(x)
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
