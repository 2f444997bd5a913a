//! The element types of gradient files.
//!
//! A number of a narrow type is carried as the `f64` of the same value. With `p` significant bits and smallest normal
//! exponent `e₀`, the numbers of a type are the multiples of `2^(max(⌊log₂|x|⌋, e₀) - p + 1)` up to the largest.
//!
//! # Source
//! IEEE 754-2019, sections 3.4 and 4.3.1; bfloat16 is binary32 without its last 16 bits.

use crate::real::Real;
use std::fmt;

/// The type of a tensor's elements in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

/// What makes a 16-bit type.
#[derive(Clone, Copy)]
struct Narrow {
    /// Bits of an `f64`'s fraction that it lacks.
    dropped: u32,
    /// `e₀`.
    min_exponent: i32,
    /// The bits of ∞, and of no finite number.
    infinity: u16,
}

const F16: Narrow = Narrow {
    dropped: 42,
    min_exponent: -14,
    infinity: 0x7c00,
};

const BF16: Narrow = Narrow {
    dropped: 45,
    min_exponent: -126,
    infinity: 0x7f80,
};

impl Element {
    /// All of them, narrow to wide.
    pub const ALL: [Self; 4] = [Self::F16, Self::Bf16, Self::F32, Self::F64];

    /// The name in safetensors files.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::F32 => "F32",
            Self::F64 => "F64",
        }
    }

    /// Bytes of an element.
    pub fn width(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Whether it has 16 bits.
    pub(super) fn is_narrow(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16)
    }

    /// The type that holds all numbers of both.
    pub(super) fn promote(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::F64, _) | (_, Self::F64) => Self::F64,
            _ => Self::F32,
        }
    }

    /// The nearest number of the type, ties to even, ±∞ beyond the largest; NaN stays NaN.
    pub fn round(self, x: f64) -> f64 {
        match self {
            Self::F64 => x,
            Self::F32 => f64::from(x as f32),
            Self::F16 => F16.round(x),
            Self::Bf16 => BF16.round(x),
        }
    }

    /// The nearest number with as many digits as the type has, ties to even, whatever its magnitude.
    pub(super) fn digits(self, x: f64) -> f64 {
        let dropped = match self {
            Self::F64 => return x,
            Self::F32 => 29,
            Self::F16 => F16.dropped,
            Self::Bf16 => BF16.dropped,
        };
        if x.is_finite() {
            without_bits(x, dropped)
        } else {
            x
        }
    }

    /// The smallest positive normal number.
    pub(super) fn min_normal(self) -> f64 {
        libm::ldexp(
            1.0,
            match self {
                Self::F16 => -14,
                Self::Bf16 | Self::F32 => -126,
                Self::F64 => -1022,
            },
        )
    }

    /// The largest finite number.
    pub(super) fn max(self) -> f64 {
        match self {
            Self::F16 => F16.decode(F16.infinity - 1),
            Self::Bf16 => BF16.decode(BF16.infinity - 1),
            Self::F32 => f64::from(f32::MAX),
            Self::F64 => f64::MAX,
        }
    }

    /// Elements from little-endian bytes, each rounded to `C` (exact unless `C` is narrower).
    pub(super) fn decode<C: Real>(self, bytes: &[u8], out: &mut Vec<C>) {
        out.clear();
        match self {
            Self::F16 => out.extend(words(bytes).map(|b| C::of(F16.decode(u16::from_le_bytes(*b))))),
            Self::Bf16 => out.extend(words(bytes).map(|b| C::of(BF16.decode(u16::from_le_bytes(*b))))),
            Self::F32 => out.extend(words(bytes).map(|b| C::of(f64::from(f32::from_le_bytes(*b))))),
            Self::F64 => out.extend(words(bytes).map(|b| C::of(f64::from_le_bytes(*b)))),
        }
    }

    /// Elements to little-endian bytes, each rounded to the type.
    pub(super) fn encode<C: Real>(self, x: &[C], bytes: &mut [u8]) {
        match self {
            Self::F16 => put(x, bytes, |x| F16.encode(x.widen()).to_le_bytes()),
            Self::Bf16 => put(x, bytes, |x| BF16.encode(x.widen()).to_le_bytes()),
            Self::F32 => put(x, bytes, |x| (x.widen() as f32).to_le_bytes()),
            Self::F64 => put(x, bytes, |x| x.widen().to_le_bytes()),
        }
    }
}

fn words<const N: usize>(bytes: &[u8]) -> std::slice::Iter<'_, [u8; N]> {
    bytes.as_chunks().0.iter()
}

fn put<C: Real, const N: usize>(x: &[C], bytes: &mut [u8], of: impl Fn(C) -> [u8; N]) {
    for (x, b) in x.iter().zip(bytes.as_chunks_mut().0) {
        *b = of(*x);
    }
}

/// A number without the last bits of its fraction, to nearest, ties to even.
fn without_bits(x: f64, dropped: u32) -> f64 {
    let bits = x.to_bits();
    let even = bits >> dropped & 1;
    f64::from_bits((bits + ((1 << (dropped - 1)) - 1) + even) >> dropped << dropped)
}

impl Narrow {
    /// The power of two between the exponents of an `f64` and of this type with the same bits: exact as a factor.
    fn shift(self) -> f64 {
        f64::from_bits(((2045 + self.min_exponent) as u64) << 52)
    }

    fn round(self, x: f64) -> f64 {
        if !x.is_finite() {
            return x;
        }
        let normal = f64::from_bits(((1023 + self.min_exponent) as u64) << 52);
        if x.abs() < normal {
            // The last place of a number this large is the smallest number of the type.
            let large = f64::from_bits(u64::from((1023 + self.min_exponent) as u32 + self.dropped) << 52);
            return ((x.abs() + large) - large).copysign(x);
        }
        let rounded = without_bits(x, self.dropped);
        if rounded.abs() > self.decode(self.infinity - 1) {
            f64::INFINITY.copysign(x)
        } else {
            rounded
        }
    }

    fn decode(self, bits: u16) -> f64 {
        let magnitude = bits & 0x7fff;
        let wide = u64::from(magnitude) << self.dropped;
        let x = if magnitude < self.infinity {
            f64::from_bits(wide) * self.shift()
        } else {
            f64::from_bits(wide | 0x7ff << 52)
        };
        if bits >> 15 == 1 { -x } else { x }
    }

    fn encode(self, x: f64) -> u16 {
        let sign = u16::from(x.is_sign_negative()) << 15;
        let rounded = self.round(x).abs();
        sign | if rounded.is_nan() {
            // The quiet bit is the first of the fraction.
            self.infinity | 1 << (51 - self.dropped)
        } else if rounded.is_infinite() {
            self.infinity
        } else {
            ((rounded / self.shift()).to_bits() >> self.dropped) as u16
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
