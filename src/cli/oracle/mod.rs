//! The oracle's commands: other people's clippers are judged here.
//!
//! One file a command ([`cases`], [`check`], [`identify`], [`explain`], [`expect`], [`pipe`], [`answer`]), and what they share:
//! [`args`] (the flags), [`input`] (from flags and files to questions), [`widening`] (input and output of different types), [`pairs`] (a folder
//! of pairs to identify), [`child`] (a program behind a pipe), [`text`], and
//! [`records`] (reports for readers and for machines).
//!
//! Every command returns its exit code: 0 for a pass, 1 for a failure, 2 where nothing can be judged.

pub(super) mod answer;
pub(super) mod args;
pub(super) mod cases;
pub(super) mod check;
mod child;
pub(super) mod expect;
pub(super) mod explain;
pub(super) mod identify;
mod input;
mod pairs;
pub(super) mod pipe;
mod records;
mod text;
mod widening;

pub(super) use input::{called, is_safetensors, separated};
pub(super) use records::number;

use crate::cases::NamedCase;
use crate::oracle::Judgement;

/// What became of a case.
enum Outcome {
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
struct Judged {
    named: NamedCase,
    outcome: Outcome,
}

impl Outcome {
    /// The verdict's name in reports.
    fn name(&self) -> &'static str {
        match self {
            Self::Judged(judgement) => judgement.verdict.name(),
            Self::Cannot(_) => "CANNOT_JUDGE",
            Self::Declined => "DECLINED",
            Self::NoAnswer(_) => "NO_ANSWER",
            Self::Replicas(_) => "REPLICAS",
        }
    }

    /// 0, 1 or 2, as the exit code; a case that was declined says nothing.
    fn code(&self) -> Option<u8> {
        match self {
            Self::Judged(judgement) => Some(judgement.exit_code()),
            Self::Cannot(_) => Some(2),
            Self::Declined => None,
            Self::NoAnswer(_) | Self::Replicas(_) => Some(1),
        }
    }
}

/// The exit code of many cases: one failure fails, and without any verdict there is no pass. Where something must be
/// clipped, nothing clipped is a failure.
fn exit_code(judged: &[Judged], require_clipped: bool) -> u8 {
    if require_clipped && nothing_to_clip(judged) {
        return 1;
    }
    let codes: Vec<u8> = judged.iter().filter_map(|judged| judged.outcome.code()).collect();
    if codes.contains(&1) {
        1
    } else if codes.contains(&2) || codes.is_empty() {
        2
    } else {
        0
    }
}

/// Whether there are verdicts, and in none of the cases a component that was to be clipped.
fn nothing_to_clip(judged: &[Judged]) -> bool {
    let mut verdicts = judged.iter().filter_map(|one| match &one.outcome {
        Outcome::Judged(judgement) => Some(judgement.nothing_to_clip()),
        _ => None,
    });
    verdicts.next().is_some_and(|first| first) && verdicts.all(|nothing| nothing)
}
