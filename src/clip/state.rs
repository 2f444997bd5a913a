//! What adaptive policies remember between steps.
//!
//! A [`ClipState`] is a value: it is part of a training checkpoint, and a run that loads it continues with the same
//! bits. Its text form has one line for the policy and the number of steps, and one for each component:
//!
//! ```text
//! cwgnc-clip-state 1
//! policy autoclip:10
//! steps 3
//! history 0.5 1.25 0.75 | global
//! ```
//!
//! Numbers are written with the fewest digits that read back to the same bits; NaN and infinities as `NaN`, `inf`.

use super::policy::ClipPolicy;
use super::rule::{Adaptive, Rule};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The memory of a stateful policy. A new one is empty and takes the policy of the first call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClipState {
    /// The policy's text form; empty before the first call.
    pub policy: String,
    /// Calls so far.
    pub steps: u64,
    /// One entry for each component, by its id.
    pub components: BTreeMap<String, Memory>,
}

/// What is remembered of one component.
#[derive(Clone, Debug, PartialEq)]
pub enum Memory {
    /// `history`, AutoClip: every norm so far. It grows by one number a step.
    History(Vec<f64>),
    /// `ring`, percentile clipping: the last 100 squared norms, the newest at `steps mod 100`.
    Ring(Vec<f64>),
    /// `warmup`, ZClip before the averages exist: the norms so far.
    Warmup(Vec<f64>),
    /// `average`, ZClip: mean and variance.
    Average {
        /// `μ`.
        mean: f64,
        /// `σ²`.
        variance: f64,
    },
    /// `level`, AdaGC's `γ` and Stable-SPAM's `m`.
    Level(f64),
}

impl Memory {
    /// The name in the text form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::History(_) => "history",
            Self::Ring(_) => "ring",
            Self::Warmup(_) => "warmup",
            Self::Average { .. } => "average",
            Self::Level(_) => "level",
        }
    }

    /// The numbers, in the order of the text form.
    pub fn numbers(&self) -> Vec<f64> {
        match self {
            Self::History(x) | Self::Ring(x) | Self::Warmup(x) => x.clone(),
            Self::Average { mean, variance } => vec![*mean, *variance],
            Self::Level(level) => vec![*level],
        }
    }

    /// The memory of this name with these numbers, if there is one.
    pub fn from_numbers(name: &str, numbers: Vec<f64>) -> Option<Self> {
        match (name, &numbers[..]) {
            ("history", _) => Some(Self::History(numbers)),
            ("ring", _) => Some(Self::Ring(numbers)),
            ("warmup", _) => Some(Self::Warmup(numbers)),
            ("average", &[mean, variance]) => Some(Self::Average { mean, variance }),
            ("level", &[level]) => Some(Self::Level(level)),
            _ => None,
        }
    }
}

/// Why a state could not be read: the line and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateError {
    /// The line's number, from 1.
    pub line: usize,
    /// What it should have been.
    pub expected: String,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clip state, line {}: expected {}", self.line, self.expected)
    }
}

impl std::error::Error for StateError {}

const HEAD: &str = "cwgnc-clip-state 1";

/// Steps that a state can have seen: 2⁵³. Up to there `f64`, in which they are counted beside norms, has every number, and
/// one more is no overflow.
const MOST_STEPS: u64 = 1 << 53;

impl fmt::Display for ClipState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}\npolicy {}\nsteps {}", self.policy, self.steps)?;
        for (id, memory) in &self.components {
            write!(f, "{}", memory.name())?;
            memory.numbers().iter().try_for_each(|x| write!(f, " {x:e}"))?;
            writeln!(f, " | {id}")?;
        }
        Ok(())
    }
}

impl FromStr for ClipState {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let mut lines = text.lines().enumerate();
        let mut next = |prefix: &str| {
            let (at, line) = lines.next().unwrap_or((text.lines().count(), ""));
            line.strip_prefix(prefix).ok_or_else(|| StateError {
                line: at + 1,
                expected: format!("`{prefix}…`"),
            })
        };
        next(HEAD)?;
        let policy = next("policy ")?.to_owned();
        let steps = next("steps ")?.parse().ok().filter(|steps| *steps <= MOST_STEPS);
        let steps = steps.ok_or_else(|| StateError {
            line: 3,
            expected: "a number of steps".to_owned(),
        })?;
        let components = lines.map(|(at, line)| {
            component(line).ok_or_else(|| StateError {
                line: at + 1,
                expected: "a kind of memory, its numbers, `|` and a component".to_owned(),
            })
        });
        Ok(Self {
            policy,
            steps,
            components: components.collect::<Result<_, _>>()?,
        })
    }
}

/// `kind number … | id`.
fn component(line: &str) -> Option<(String, Memory)> {
    let (memory, id) = line.split_once(" | ")?;
    let mut words = memory.split(' ');
    let name = words.next()?;
    let numbers = words.map(|x| x.parse().ok()).collect::<Option<_>>()?;
    Some((id.to_owned(), Memory::from_numbers(name, numbers)?))
}

impl Adaptive {
    /// The rules with their usual settings.
    pub(super) fn examples() -> Vec<Self> {
        vec![
            Self::AutoClip { percentile: 10.0 },
            Self::Percentile { percentile: 5 },
            Self::ZClip {
                target: super::SpikeTarget::Adaptive,
                z: 2.5,
                alpha: 0.97,
                warmup: 25,
                factor: 1.0,
                max: 1.0,
            },
            Self::AdaGc {
                relative: 1.05,
                absolute: 1.0,
                beta: 0.98,
                warmup: 100,
            },
            Self::StableSpam { theta: 0.999 },
        ]
    }
}

impl ClipState {
    /// Whether this is the policy's state, or a new one.
    pub fn fits(&self, policy: &ClipPolicy) -> bool {
        matches!(policy.rule, Rule::Adaptive(_))
            && (self.steps == 0 && self.components.is_empty() || self.policy == policy.to_string())
    }
}
