//! The integration tests, in one binary.

#[cfg(feature = "checkpoint")]
mod checkpoint;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "data")]
mod data;
#[cfg(feature = "data")]
mod data_errors;
#[cfg(feature = "data")]
mod data_props;
mod determinism;
#[cfg(feature = "data")]
mod encode;
#[cfg(feature = "data")]
mod encode_errors;
mod gradcheck;
#[cfg(feature = "data")]
mod metric;
#[cfg(feature = "checkpoint")]
mod parity;
#[cfg(any(feature = "checkpoint", feature = "data"))]
mod scratch;
#[cfg(feature = "data")]
mod shared_data;
mod support;
