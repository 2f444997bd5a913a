//! Cases for other people's clippers: packs made from a seed, the file format they travel in, and strategies for proptest.
//!
//! A case is a question to the oracle ([`Case`](crate::oracle::Case)) with a name and a class that says what it is out to
//! catch ([`NamedCase`]). No case carries its answer: what must come out is worked out by the judge, each time, so that
//! there is no stored number to be wrong.
//!
//! | to | call |
//! |---|---|
//! | make the cases of a pack | [`Pack::cases`] |
//! | make cases for one's own policy | [`Pack::cases_for`] |
//! | judge a clipper that is a function | [`examine()`] |
//! | make a failing case small | [`shrink()`] |
//! | report on many cases: lines, JSON, `JUnit`, HTML | [`Suite`] |
//! | read and write case files (feature `checkpoint`) | `file` |
//! | draw cases in a proptest of one's own (feature `proptest`) | `strategies` |

mod core_pack;
mod draw;
mod edge_pack;
mod examine;
#[cfg(feature = "checkpoint")]
pub mod file;
mod finding;
mod layouts;
mod mesh_pack;
mod pack;
mod policy_pack;
mod shrink;
#[cfg(feature = "checkpoint")]
pub mod sides;
mod stateful_pack;
#[cfg(feature = "proptest")]
pub mod strategies;
mod stress_pack;
mod suite;

pub use examine::{Examination, examine};
pub use finding::{Fault, Finding};
pub use pack::{Class, NamedCase, Pack, PackError};
pub use policy_pack::{PolicyCases, Template, Wanted, WantedError};
pub use shrink::shrink;
#[cfg(feature = "cli")]
pub(crate) use shrink::shrink_verdict;
pub use suite::{Judged, Outcome, Suite};

/// The version of the file format and of the reports.
pub const SPEC: u64 = 1;
