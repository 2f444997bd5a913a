//! The integration tests, in one binary.

mod clip_edges;
#[cfg(feature = "checkpoint")]
mod clip_fixtures;
mod clip_law_table;
mod clip_laws;
mod clip_stateful;
mod clip_support;
mod gradcheck;
mod oracle_clip;
mod oracle_exact;
mod oracle_faults;
mod oracle_naive;
mod oracle_verdicts;
#[cfg(feature = "checkpoint")]
mod parity;
mod support;
