//! Elements to and from little-endian bytes.
//!
//! `F16`, `BF16` and `F32` widen to `f64` exactly, so one conversion to `T` rounds at most once, to nearest.

use crate::real::Real;
use half::{bf16, f16};
use ndarray::ArrayViewD;
use safetensors::Dtype;
use std::io::{self, Write};

/// The types that [`each`] understands, for errors.
pub(super) const READABLE: &str = "F16, BF16, F32 or F64";

/// Whether [`each`] understands the type.
pub(super) fn is_readable(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// The safetensors type of `T`, and its name.
pub(super) fn dtype_of<T: Real>() -> (Dtype, &'static str) {
    if T::NAME == f32::NAME {
        (Dtype::F32, "F32")
    } else {
        (Dtype::F64, "F64")
    }
}

/// Calls `f` with each element, in file order; with none if the type is not readable.
pub(super) fn each(dtype: Dtype, bytes: &[u8], mut f: impl FnMut(f64)) {
    match dtype {
        Dtype::F16 => bytes
            .as_chunks()
            .0
            .iter()
            .for_each(|b| f(f16::from_le_bytes(*b).to_f64())),
        Dtype::BF16 => bytes
            .as_chunks()
            .0
            .iter()
            .for_each(|b| f(bf16::from_le_bytes(*b).to_f64())),
        Dtype::F32 => bytes
            .as_chunks()
            .0
            .iter()
            .for_each(|b| f(f64::from(f32::from_le_bytes(*b)))),
        Dtype::F64 => bytes.as_chunks().0.iter().for_each(|b| f(f64::from_le_bytes(*b))),
        _ => {}
    }
}

/// Writes the elements in row-major order, in `T`'s own width or as `F16`, rounded to nearest.
pub(super) fn write<T: Real>(view: &ArrayViewD<'_, T>, dtype: Dtype, out: &mut dyn Write) -> io::Result<()> {
    if dtype == Dtype::F16 {
        view.iter()
            .try_for_each(|x| out.write_all(&f16::from_f64(x.widen()).to_le_bytes()))
    } else if dtype_of::<T>().0 == Dtype::F32 {
        view.iter()
            .try_for_each(|x| out.write_all(&(x.widen() as f32).to_le_bytes()))
    } else {
        view.iter()
            .try_for_each(|x| out.write_all(&x.widen().to_le_bytes()))
    }
}
