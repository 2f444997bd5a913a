//! Component-wise gradient norm clipping (CWGNC), with everything needed to check it on a CPU.

#[cfg(feature = "checkpoint")]
pub mod checkpoint;
pub mod clip;
pub mod gemm;
pub mod model;
pub mod nn;
pub mod optim;
pub mod oracle;
pub mod param;
pub mod pool;
pub mod random;
pub mod real;
pub mod reduce;
pub mod train;
