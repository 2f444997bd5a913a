//! The integration tests, in one binary.

mod gradcheck;
#[cfg(feature = "checkpoint")]
mod parity;
mod support;
