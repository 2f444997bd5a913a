//! The integration tests, in one binary.

mod gradcheck;
mod oracle_exact;
#[cfg(feature = "checkpoint")]
mod parity;
mod support;
