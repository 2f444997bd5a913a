//! The four floating-point formats of gradients, as data.
//!
//! A number of any format is carried as the `f64` with the same value, so that one piece of code serves all four; what
//! a format can hold is decided by [`Format::round`], the rounding to nearest, ties to even. With `p` significant bits
//! and smallest normal exponent `e₀`, the numbers of a format are the multiples of `2^(max(⌊log₂|x|⌋, e₀) - p + 1)`.
//!
//! Numbers are also counted: [`Format::ordinal`] maps neighbours to neighbouring integers, so the distance in ulp is a
//! difference, over binade boundaries and through zero too.
//!
//! # Source
//! IEEE 754-2019, sections 3.4 and 4.3.1; bfloat16 is binary32 with 16 bits less.

use std::fmt;
use std::str::FromStr;

/// An element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

impl Format {
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

    /// `p`, significant bits with the hidden one.
    pub fn precision(self) -> i32 {
        match self {
            Self::F16 => 11,
            Self::Bf16 => 8,
            Self::F32 => 24,
            Self::F64 => 53,
        }
    }

    /// `e₀`: the smallest normal number is `2^e₀`, and the largest number is below `2^(2 - e₀)`.
    pub fn min_exponent(self) -> i32 {
        match self {
            Self::F16 => -14,
            Self::Bf16 | Self::F32 => -126,
            Self::F64 => -1022,
        }
    }

    /// The type that holds all numbers of both.
    pub(crate) fn promote(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::F64, _) | (_, Self::F64) => Self::F64,
            _ => Self::F32,
        }
    }

    /// `u = 2^-p`, the largest relative error of one rounding.
    pub fn unit_roundoff(self) -> f64 {
        exp2(-self.precision())
    }

    /// The smallest positive normal number.
    pub fn min_normal(self) -> f64 {
        exp2(self.min_exponent())
    }

    /// The smallest positive number.
    pub fn min_subnormal(self) -> f64 {
        exp2(self.min_exponent() - self.precision() + 1)
    }

    /// The largest finite number.
    pub fn max(self) -> f64 {
        (2.0 - 2.0 * self.unit_roundoff()) * exp2(1 - self.min_exponent())
    }

    /// The nearest number of the format, ties to even, beyond the largest ±∞. NaN stays NaN.
    #[inline]
    pub fn round(self, x: f64) -> f64 {
        match self {
            Self::F64 => x,
            Self::F32 => f64::from(x as f32),
            Self::F16 | Self::Bf16 => self.round_by_quantum(x),
        }
    }

    /// `round` for the formats without hardware: `x` in units of its last place, rounded to an integer. Scaling by a
    /// power of two is exact.
    fn round_by_quantum(self, x: f64) -> f64 {
        if x == 0.0 || !x.is_finite() {
            return x;
        }
        let exponent = exponent(x).max(self.min_exponent()) - self.precision() + 1;
        let rounded = (x * exp2(-exponent)).round_ties_even() * exp2(exponent);
        if rounded.abs() > self.max() {
            f64::INFINITY.copysign(x)
        } else {
            rounded
        }
    }

    /// The place of a number of the format in the order of all its numbers: 0 for ±0, 1 for the smallest positive, …;
    /// negative for negative ones. Not for NaN.
    pub fn ordinal(self, x: f64) -> i64 {
        let magnitude = match self {
            Self::F64 => x.abs().to_bits().cast_signed(),
            Self::F32 => i64::from((x.abs() as f32).to_bits()),
            Self::F16 | Self::Bf16 => self.magnitude_bits(x.abs()),
        };
        if x < 0.0 { -magnitude } else { magnitude }
    }

    fn magnitude_bits(self, x: f64) -> i64 {
        let steps = self.precision() - 1;
        if x.is_infinite() {
            return i64::from(2 - 2 * self.min_exponent() + 1) << steps;
        }
        let field = if x < self.min_normal() {
            1
        } else {
            exponent(x) - self.min_exponent() + 1
        };
        let mantissa = x * exp2(steps - (field - 1 + self.min_exponent()));
        (i64::from(field - 1) << steps) + mantissa as i64
    }

    /// The number with this ordinal; ±∞ from the ordinal of ∞ on.
    pub fn from_ordinal(self, ordinal: i64) -> f64 {
        let magnitude = ordinal
            .unsigned_abs()
            .min(self.ordinal(f64::INFINITY).unsigned_abs());
        let x = match self {
            Self::F64 => f64::from_bits(magnitude),
            Self::F32 => f64::from(f32::from_bits(magnitude as u32)),
            Self::F16 | Self::Bf16 => self.decode(magnitude as u16),
        };
        if ordinal < 0 { -x } else { x }
    }

    /// The value of a 16-bit pattern. Only for the 16-bit formats.
    pub fn decode(self, bits: u16) -> f64 {
        let steps = self.precision() - 1;
        let fields = 2 - 2 * self.min_exponent() + 1;
        let magnitude = i32::from(bits & 0x7fff);
        let (field, fraction) = (magnitude >> steps, magnitude & ((1 << steps) - 1));
        let x = if field == fields {
            if fraction == 0 { f64::INFINITY } else { f64::NAN }
        } else if field == 0 {
            f64::from(fraction) * exp2(self.min_exponent() - steps)
        } else {
            f64::from(fraction + (1 << steps)) * exp2(self.min_exponent() - steps + field - 1)
        };
        if bits >> 15 == 1 { -x } else { x }
    }

    /// The 16-bit pattern of the nearest number; a NaN becomes the positive quiet one. Only for the 16-bit formats.
    pub fn encode(self, x: f64) -> u16 {
        let sign = u16::from(x.is_sign_negative()) << 15;
        if x.is_nan() {
            let quiet = self.magnitude_bits(f64::INFINITY) + (1 << (self.precision() - 2));
            return quiet as u16;
        }
        self.magnitude_bits(self.round(x).abs()) as u16 | sign
    }

    /// The distance of two numbers of the format in ulp: 0 for two NaN, +0 and -0; `u64::MAX` between NaN and a number.
    pub fn ulps(self, a: f64, b: f64) -> u64 {
        if a.is_nan() || b.is_nan() {
            return if a.is_nan() && b.is_nan() { 0 } else { u64::MAX };
        }
        self.ordinal(a).abs_diff(self.ordinal(b))
    }
}

/// Whether two values are the same bits, all NaN counted as one.
#[inline]
pub(super) fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// `2^e`, exact wherever an `f64` can hold it.
pub(super) fn exp2(e: i32) -> f64 {
    libm::ldexp(1.0, e)
}

/// `⌊log₂|x|⌋` of a finite number other than 0.
pub(super) fn exponent(x: f64) -> i32 {
    libm::ilogb(x)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = super::OracleError;

    /// The name of a safetensors file, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL
            .into_iter()
            .find(|f| f.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| super::OracleError::Text {
            what: "element type",
            text: text.to_owned(),
            expected: "F16, BF16, F32 or F64",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants() {
        assert_eq!(Format::F64.max(), f64::MAX);
        assert_eq!(Format::F32.max(), f64::from(f32::MAX));
        assert_eq!(Format::F16.max(), 65504.0);
        assert_eq!(Format::F16.min_subnormal(), 5.960_464_477_539_063e-8);
        assert_eq!(Format::Bf16.min_normal(), f64::from(f32::MIN_POSITIVE));
        assert_eq!(Format::F64.unit_roundoff(), f64::EPSILON / 2.0);
    }

    /// Half a step above 2048 in binary16 (steps of 2) goes to the even neighbour; 65520 is the first that overflows.
    #[test]
    fn rounding() {
        let f = Format::F16;
        assert_eq!(
            [2049.0, 2051.0, 2049.1].map(|x| f.round(x)),
            [2048.0, 2052.0, 2050.0]
        );
        assert_eq!([65519.9, 65520.0].map(|x| f.round(x)), [65504.0, f64::INFINITY]);
        assert_eq!(f.round(2f64.powi(-25)), 0.0);
        assert_eq!(f.round(-1.5 * 2f64.powi(-25)), -2f64.powi(-24));
        assert_eq!(Format::Bf16.round(257.0), 256.0);
        assert_eq!(Format::Bf16.round(259.0), 260.0);
    }

    #[test]
    fn ordinals() {
        for format in Format::ALL {
            for x in [
                0.0,
                1.0,
                format.min_normal(),
                format.max(),
                f64::INFINITY,
                format.min_subnormal(),
            ] {
                let ordinal = format.ordinal(x);
                assert_eq!(format.from_ordinal(ordinal), x, "{format}");
                assert_eq!(format.from_ordinal(-ordinal), -x);
            }
            assert_eq!(format.ordinal(format.min_subnormal()), 1);
            assert_eq!(format.ordinal(format.max()) + 1, format.ordinal(f64::INFINITY));
            assert_eq!(format.ulps(-format.min_subnormal(), format.min_subnormal()), 2);
            assert_eq!(format.ulps(1.0, 1.0 + 2.0 * format.unit_roundoff()), 1);
        }
    }
}
