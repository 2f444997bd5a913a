//! Arithmetic in a format, one rounding for each operation.
//!
//! Operands and results are `f64` that hold numbers of the format. The operation itself is done in `f64` and then
//! rounded: for sums, products, quotients and roots of numbers of `p <= 25` bits that gives the same as rounding once,
//! because 53 >= 2p + 2. Libraries do 16-bit arithmetic in `f32` and round afterwards, which matters only where one
//! operand is an `f32` constant; [`Machine::scalar`] is such a constant, [`Machine::constant`] one that was rounded to the
//! format before.
//!
//! # Source
//! Figueroa, *When is double rounding innocuous?*, SIGNUM Newsletter 30, 1995.

use crate::oracle::format::Format;

/// A type and its operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// The type of operands and results.
    pub(super) format: Format,
}

impl Machine {
    /// The type in which the operation is done before it is rounded to the format.
    fn op(self) -> Format {
        match self.format {
            Format::F16 | Format::Bf16 | Format::F32 => Format::F32,
            Format::F64 => Format::F64,
        }
    }

    /// Rounds the result of one operation.
    pub(super) fn round(self, x: f64) -> f64 {
        self.format.round(self.op().round(x))
    }

    /// A constant of the source's text that becomes a tensor of the format.
    pub(super) fn constant(self, x: f64) -> f64 {
        self.format.round(x)
    }

    /// A constant that enters an operation as it is.
    pub(super) fn scalar(self, x: f64) -> f64 {
        self.op().round(x)
    }

    pub(super) fn add(self, a: f64, b: f64) -> f64 {
        self.round(a + b)
    }

    pub(super) fn mul(self, a: f64, b: f64) -> f64 {
        self.round(a * b)
    }

    pub(super) fn div(self, a: f64, b: f64) -> f64 {
        self.round(a / b)
    }
}

/// The smaller; NaN if one is.
pub(super) fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

/// The larger; NaN if one is.
pub(super) fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}
