//! The integration tests, in one binary.

mod gradcheck;
mod support;
