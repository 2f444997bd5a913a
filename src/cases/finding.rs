//! What an examination finds, as data.

use super::pack::NamedCase;
use crate::oracle::laws::{Breach, Law};
use crate::oracle::{Judgement, OracleError, Tensor};
use std::fmt;

/// Something wrong with a clipper.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The case by its name, class and seed, made small.
    pub case: NamedCase,
    /// What is wrong with it as it was.
    pub fault: Fault,
    /// The tensors that it had.
    pub tensors: usize,
    /// The elements that it had.
    pub elements: usize,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The verdict is none that passes.
    Verdict(Box<Judgement>),
    /// A law is broken.
    Law {
        /// The law.
        law: Law,
        /// Where it is broken worst.
        breach: Breach,
    },
    /// The clipper panicked.
    Panic {
        /// The law that asked, where it was not the case itself.
        law: Option<Law>,
        /// The panic's message.
        message: String,
    },
    /// The answer is not well formed: a tensor is missing, or has another shape or type.
    Malformed(OracleError),
}

/// Elements of a small case that are shown.
const SHOWN: usize = 8;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(judgement) => {
                write!(f, "{}", judgement.verdict)?;
                match judgement.mismatches.first() {
                    Some(mismatch) => write!(f, "; {mismatch}"),
                    None => Ok(()),
                }
            }
            Self::Law { law, breach } => write!(f, "law {}: {breach}", law.name()),
            Self::Panic { law, message } => {
                f.write_str("the clipper panicked")?;
                if let Some(law) = law {
                    write!(f, " when law {} asked", law.name())?;
                }
                write!(f, ": {message}")
            }
            Self::Malformed(error) => write!(f, "the answer is not well formed: {error}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case.name, self.fault)?;
        let before = &self.case.case.before;
        let elements: usize = before.iter().map(|tensor| tensor.data.len()).sum();
        if (before.len(), elements) == (self.tensors, self.elements) && elements > SHOWN {
            return Ok(());
        }
        write!(f, "\n    made small, under `{}`:", self.case.case.policy)?;
        let shown = before.iter().take(SHOWN);
        shown
            .clone()
            .try_for_each(|tensor| write!(f, " {}", Short(tensor)))?;
        match before.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} tensors more"),
        }
    }
}

/// A tensor in a line.
struct Short<'a>(&'a Tensor);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tensor { name, shape, data } = self.0;
        write!(f, "`{name}` {}{shape:?} = (", data.format())?;
        for i in 0..data.len().min(SHOWN) {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{:?}", data.get(i))?;
        }
        f.write_str(if data.len() > SHOWN { ", …)" } else { ")" })
    }
}
