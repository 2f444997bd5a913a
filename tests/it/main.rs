//! The integration tests, in one binary.

#[cfg(feature = "checkpoint")]
mod clip_fixtures;
mod gradcheck;
#[cfg(feature = "checkpoint")]
mod parity;
mod support;
