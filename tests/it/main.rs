//! The integration tests, in one binary.

#[cfg(feature = "checkpoint")]
mod checkpoint;
