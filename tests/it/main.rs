//! The integration tests, in one binary.

#[cfg(feature = "data")]
mod data;
#[cfg(feature = "data")]
mod data_errors;
#[cfg(feature = "data")]
mod data_props;
#[cfg(feature = "data")]
mod encode;
#[cfg(feature = "data")]
mod encode_errors;
#[cfg(feature = "data")]
mod metric;
#[cfg(feature = "data")]
mod scratch;
#[cfg(feature = "data")]
mod shared_data;
