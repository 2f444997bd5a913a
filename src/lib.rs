//! Component-wise gradient norm clipping (CWGNC), with everything needed to check it on a CPU.

#[cfg(feature = "checkpoint")]
pub mod checkpoint;
pub mod gemm;
pub mod model;
pub mod param;
pub mod real;
