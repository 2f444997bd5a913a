//! A fixed-point number so wide that sums of squares of `f64` are exact.
//!
//! ```text
//! S = A · 2⁻²¹⁴⁸,   A an unsigned integer of 68 · 64 = 4352 bits
//! ```
//!
//! The square of the smallest `f64` is `2⁻²¹⁴⁸`, that of the largest is below `2²⁰⁴⁸`; what is left above, 156 bits, holds
//! more terms than any memory. `f16`, `bf16` and `f32` squares lie on the same grid, so every format, every shard and
//! every order gives the same integer: merging is addition, and two sums are equal if and only if their bits are.
//!
//! # Source
//! Kulisch, *Computer Arithmetic and Validity*, 2008, chapter 8 (the complete register).

use super::format::exp2;

/// Words of 64 bits.
const LIMBS: usize = 68;

/// The exponent of the lowest bit.
pub(super) const GRID: i32 = -2148;

/// A non-negative exact sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kulisch {
    /// Low to high.
    limbs: [u64; LIMBS],
}

impl Default for Kulisch {
    fn default() -> Self {
        Self { limbs: [0; LIMBS] }
    }
}

/// `m · 2^e`, plus something above 0 and below one unit of `m` if `more`. Then `m` has all of its 64 bits, so the value
/// is known well beyond any format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dyadic {
    /// `m`.
    pub mantissa: u64,
    /// `e`.
    pub exponent: i32,
    /// Whether the value is not quite reached.
    pub more: bool,
}

impl Kulisch {
    /// Adds `value · 2^exponent`, with `exponent >= GRID`.
    pub(super) fn add(&mut self, value: u128, exponent: i32) {
        let bit = (exponent - GRID).cast_unsigned() as usize;
        let (limb, shift) = (bit / 64, bit % 64);
        // The shifted value has up to 191 bits: three limbs.
        let low = value << shift;
        let high = (value >> 64) >> (64 - shift);
        self.add_limb(limb, low as u64);
        self.add_limb(limb + 1, (low >> 64) as u64);
        if shift > 0 {
            self.add_limb(limb + 2, high as u64);
        }
    }

    fn add_limb(&mut self, mut limb: usize, value: u64) {
        let mut carry = value;
        while carry > 0 && limb < LIMBS {
            let (sum, overflow) = self.limbs[limb].overflowing_add(carry);
            self.limbs[limb] = sum;
            carry = u64::from(overflow);
            limb += 1;
        }
    }

    /// Adds another sum: exact, so order and grouping leave no trace.
    pub fn merge(&mut self, other: &Self) {
        let mut carry = false;
        for (a, b) in self.limbs.iter_mut().zip(&other.limbs) {
            let (sum, first) = a.overflowing_add(*b);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*a, carry) = (sum, first || second);
        }
    }

    /// Whether the sum is 0.
    pub fn is_zero(&self) -> bool {
        self.limbs.iter().all(|&limb| limb == 0)
    }

    /// The sum itself.
    pub fn value(&self) -> Dyadic {
        let (bits, exponent, more) = top(&self.limbs, GRID, false);
        // Of 127 or 128 bits, the upper 64.
        let shift = (128 - bits.leading_zeros()).saturating_sub(64);
        Dyadic {
            mantissa: (bits >> shift) as u64,
            exponent: exponent + shift.cast_signed(),
            more: more || bits & ((1_u128 << shift) - 1) != 0,
        }
    }

    /// `√S`.
    pub fn root(&self) -> Dyadic {
        root(&self.limbs, GRID, false)
    }

    /// `√(S/N)`, and with `twice` `√S / N`; `N > 0`.
    pub fn root_of_mean(&self, n: u64, twice: bool) -> Dyadic {
        // 256 more bits below, so that dividing by at most 2^128 leaves enough of them.
        let mut wide = vec![0; 4];
        wide.extend_from_slice(&self.limbs);
        let mut rest = divide(&mut wide, n);
        if twice {
            rest |= divide(&mut wide, n);
        }
        root(&wide, GRID - 256, rest)
    }
}

/// Divides in place; whether there was a remainder.
fn divide(limbs: &mut [u64], n: u64) -> bool {
    let mut rest = 0_u64;
    for limb in limbs.iter_mut().rev() {
        let dividend = u128::from(rest) << 64 | u128::from(*limb);
        *limb = (dividend / u128::from(n)) as u64;
        rest = (dividend % u128::from(n)) as u64;
    }
    rest != 0
}

/// The upper 127 or 128 bits of a number whose lowest bit counts `2^grid`, the exponent of their lowest bit (even
/// because `grid` is even), and whether anything is left below.
fn top(limbs: &[u64], grid: i32, mut more: bool) -> (u128, i32, bool) {
    let Some(highest) = limbs.iter().rposition(|&limb| limb != 0) else {
        return (0, grid, more);
    };
    let limb = |i: usize| limbs.get(i).copied().unwrap_or(0);
    let bits = highest * 64 + 64 - limb(highest).leading_zeros() as usize;
    let first = bits.saturating_sub(127) & !1;
    let (at, shift) = (first / 64, first % 64);
    let mut value = u128::from(limb(at + 1)) << 64 | u128::from(limb(at));
    if shift > 0 {
        value = value >> shift | u128::from(limb(at + 2)) << (128 - shift);
    }
    more |= limbs[..at].iter().any(|&limb| limb != 0) || limb(at) & ((1 << shift) - 1) != 0;
    (value, grid + i32::from(first as u16), more)
}

/// The root, with all 64 bits of the mantissa. `√(v + δ)` for `0 <= δ < 1` has the integer part of `√v`.
fn root(limbs: &[u64], grid: i32, more: bool) -> Dyadic {
    let (mut value, mut exponent, more) = top(limbs, grid, more);
    if value == 0 {
        return Dyadic {
            mantissa: 0,
            exponent: 0,
            more,
        };
    }
    // Few bits: fill up from below, where there is nothing (`more` only ever goes with many bits).
    let shift = value.leading_zeros() & !1;
    value <<= shift;
    exponent -= shift.cast_signed();
    let root = value.isqrt();
    Dyadic {
        mantissa: root as u64,
        exponent: exponent / 2,
        more: more || root * root != value,
    }
}

impl Dyadic {
    /// The largest `f64` not above and the smallest not below: equal, or neighbours.
    pub fn enclose(self) -> (f64, f64) {
        let (units, exponent, rest) = self.split();
        let below = libm::ldexp(units as f64, exponent);
        if below.is_infinite() {
            return (f64::MAX, f64::INFINITY);
        }
        let exact = rest == 0 && !self.more;
        (below, if exact { below } else { below.next_up() })
    }

    /// The nearest `f64`, ties to even.
    pub fn nearest(self) -> f64 {
        let (units, exponent, rest) = self.split();
        let below = libm::ldexp(units as f64, exponent);
        let half = 1_u64 << 63;
        let up = rest > half || rest == half && (self.more || units % 2 == 1);
        if up && below.is_finite() {
            below.next_up()
        } else {
            below
        }
    }

    /// `⌊value / q⌋`, the exponent of `q`, the unit of the last place of an `f64`, and the first 64 bits of what is left
    /// below `q`, as a fraction; bits below those are counted in its lowest one.
    fn split(self) -> (u64, i32, u64) {
        if self.mantissa == 0 {
            return (0, 0, 0);
        }
        let length = 64 - self.mantissa.leading_zeros().cast_signed();
        let unit = (self.exponent + length - 53).max(-1074);
        let wide = u128::from(self.mantissa) << 64;
        match unit - self.exponent {
            shift if shift <= 0 => (self.mantissa << -shift, unit, 0),
            shift if shift < 128 => {
                let lost = u64::from(wide & ((1 << shift) - 1) != 0);
                let wide = wide >> shift;
                ((wide >> 64) as u64, unit, wide as u64 | lost)
            }
            _ => (0, unit, 1),
        }
    }

    /// `value · 2^k`.
    pub fn scaled(self, k: i32) -> Self {
        Self {
            exponent: self.exponent + k,
            ..self
        }
    }
}

/// The sum of the values of the limbs as one `f64`, roughly, for messages.
impl From<&Kulisch> for f64 {
    fn from(sum: &Kulisch) -> Self {
        let value = sum.value();
        value.mantissa as f64 * exp2(value.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(terms: &[(u128, i32)]) -> Kulisch {
        let mut sum = Kulisch::default();
        for &(value, exponent) in terms {
            sum.add(value, exponent);
        }
        sum
    }

    /// 3² + 4² = 25 at every place of the register, also across limbs.
    #[test]
    fn pythagoras() {
        for k in -1074..=1021 {
            let root = sum(&[(9, 2 * k), (16, 2 * k)]).root();
            let five = libm::ldexp(5.0, k);
            assert_eq!((root.enclose(), root.nearest()), ((five, five), five), "2^{k}");
        }
    }

    /// √2 = 1.41421356237309504880…; its neighbours are 1.41421356237309492343… and 1.41421356237309514547…, the nearer.
    #[test]
    fn root_of_two() {
        let root = sum(&[(1, 0), (1, 0)]).root();
        let (lo, hi) = root.enclose();
        assert_eq!(hi, lo.next_up());
        assert_eq!(hi, 2f64.sqrt());
        assert_eq!(root.nearest(), 2f64.sqrt());
    }

    /// A carry runs through all limbs: (2^64 - 1) everywhere below, plus one.
    #[test]
    fn carries() {
        let mut limbs = sum(&[]);
        for i in 0..60 {
            limbs.add(u128::from(u64::MAX), GRID + 64 * i);
        }
        limbs.add(1, GRID);
        assert_eq!(limbs, sum(&[(1, GRID + 64 * 60)]));
        assert!(sum(&[]).is_zero() && !limbs.is_zero());
    }

    /// √(2/8) = 1/2 and √16/8 = 1/2; √(1/3) rounds as f64 division and root do here.
    #[test]
    fn means() {
        assert_eq!(sum(&[(2, 0)]).root_of_mean(8, false).enclose(), (0.5, 0.5));
        assert_eq!(sum(&[(16, 0)]).root_of_mean(8, true).enclose(), (0.5, 0.5));
        let (lo, hi) = sum(&[(1, 0)]).root_of_mean(3, false).enclose();
        assert!(lo * lo <= 1.0 / 3.0 && hi * hi >= 1.0 / 3.0 && hi == lo.next_up());
        assert_eq!(
            sum(&[(3, GRID)]).root_of_mean(300, true).enclose(),
            (0.0, f64::from_bits(1))
        );
    }

    /// Values beyond f64: two squares of 2^1023 have a root of 1.41·2^1023; 16 of them reach 2^1025.
    #[test]
    fn overflow() {
        assert!(sum(&[(2, 2046)]).root().nearest().is_finite());
        assert_eq!(sum(&[(16, 2046)]).root().enclose(), (f64::MAX, f64::INFINITY));
        assert_eq!(sum(&[(16, 2046)]).root().nearest(), f64::INFINITY);
        // The largest f64 plus half its last place rounds up to infinity, a little less does not.
        assert_eq!(sum(&[((1 << 54) - 1, 970)]).value().nearest(), f64::INFINITY);
        assert_eq!(sum(&[((1 << 54) - 1, 970), (0, 0)]).value().enclose().0, f64::MAX);
        assert_eq!(sum(&[((1 << 55) - 3, 969)]).value().nearest(), f64::MAX);
    }
}
