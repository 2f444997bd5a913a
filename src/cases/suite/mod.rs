//! What became of many cases, in one report: lines, JSON, `JUnit`'s XML, and a page to look at.
//!
//! ```
//! use cwgnc::cases::{Judged, Outcome, Pack, Suite};
//! use cwgnc::oracle::{Candidate, judge};
//!
//! // A clipper that never clips, asked for the first five cases of the core pack.
//! let judged = Pack::Core.cases(0).into_iter().take(5).map(|named| {
//!     let candidate = Candidate::new(named.case.before.clone());
//!     let outcome = match judge(&named.case, &candidate) {
//!         Ok(judgement) => Outcome::Judged(Box::new(judgement)),
//!         Err(error) => Outcome::Cannot(error.to_string()),
//!     };
//!     Judged { named, outcome }
//! });
//! let suite = Suite { judged: judged.collect(), require_clipped: false };
//! assert_eq!(suite.exit_code(), 1);
//! assert!(suite.to_string().lines().last().is_some_and(|line| line.starts_with("5 cases: ")));
//! assert!(suite.to_junit().starts_with("<?xml"));
//! ```

mod html;
mod json;
mod junit;
mod text;

use super::NamedCase;
use crate::oracle::Judgement;
use std::fmt;

/// What became of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// There is a verdict.
    Judged(Box<Judgement>),
    /// There is an answer or a case that cannot be judged, and why.
    Cannot(String),
    /// The program declined to answer.
    Declined,
    /// Replicas of one tensor differ, and where. This is a failure.
    Replicas(String),
    /// There is no answer, and why: the program died, hung, or wrote something else. This is a failure.
    NoAnswer(String),
}

/// A case and what became of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The case.
    pub named: NamedCase,
    /// What became of it.
    pub outcome: Outcome,
}

/// Cases and what became of them.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// The cases, in the order in which they were asked.
    pub judged: Vec<Judged>,
    /// Whether it is a failure if no component of any case was clipped.
    pub require_clipped: bool,
}

impl Outcome {
    /// The verdict's name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Judged(judgement) => judgement.verdict.name(),
            Self::Cannot(_) => "CANNOT_JUDGE",
            Self::Declined => "DECLINED",
            Self::NoAnswer(_) => "NO_ANSWER",
            Self::Replicas(_) => "REPLICAS",
        }
    }

    /// 0, 1 or 2, as the exit code; a case that was declined says nothing.
    pub fn code(&self) -> Option<u8> {
        match self {
            Self::Judged(judgement) => Some(judgement.exit_code()),
            Self::Cannot(_) => Some(2),
            Self::Declined => None,
            Self::NoAnswer(_) | Self::Replicas(_) => Some(1),
        }
    }
}

impl Suite {
    /// 1 if one case fails; else 2 if one cannot be judged, or there is no verdict at all; else 0. Where something must be
    /// clipped, nothing clipped is a failure.
    pub fn exit_code(&self) -> u8 {
        if self.require_clipped && self.nothing_to_clip() {
            return 1;
        }
        let codes: Vec<u8> = self.judged.iter().filter_map(|one| one.outcome.code()).collect();
        if codes.contains(&1) {
            1
        } else if codes.contains(&2) || codes.is_empty() {
            2
        } else {
            0
        }
    }

    /// Whether there are verdicts, and in none of the cases a component that was to be clipped.
    pub fn nothing_to_clip(&self) -> bool {
        let mut verdicts = self.judged.iter().filter_map(|one| match &one.outcome {
            Outcome::Judged(judgement) => Some(judgement.nothing_to_clip()),
            _ => None,
        });
        verdicts.next().is_some_and(|first| first) && verdicts.all(|nothing| nothing)
    }
}

impl fmt::Display for Suite {
    /// Failures at length, passes in one line; a single case at length in any event.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::report(self).join("\n"))
    }
}
