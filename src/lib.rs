//! Component-wise gradient norm clipping (CWGNC), with everything needed to check it on a CPU.

#[cfg(feature = "data")]
pub mod data;
pub mod gemm;
pub mod model;
pub mod param;
pub mod real;
