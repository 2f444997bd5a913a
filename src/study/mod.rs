//! Many runs: what they say together.
//!
//! [`stats`]: summaries, intervals, tests and effect sizes of the results of runs that differ in their seed.

pub mod stats;
