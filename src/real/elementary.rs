//! `exp` and the normal distribution for `f32`, without a branch or a call, so that a loop over them becomes vector code
//! on any processor. The platform's own functions take one number at a time and were a fifth of a training step.
//!
//! ```text
//! exp     n = round(x / ln 2),   r = x − n ln 2,   eˣ = 2ⁿ eʳ                 |r| ≤ ½ ln 2; eʳ by its series
//! normal  φ(x) = e^(−x²/2) / √(2π)
//!         Φ(−z) = e^(−z²/2) R(1 / (1 + z/3))   and   Φ(z) = 1 − Φ(−z)          z = |x|; R a polynomial
//! ```
//!
//! Only additions, products and one division, each rounded once and in this order: every processor gives the same bits.
//!
//! | function | error, tested against `libm` in `f64` |
//! |---|---|
//! | [`exp`] | at most 1 ulp where the result is normal; 2⁻¹⁴⁹ below that; 0, ∞ and NaN where they belong |
//! | [`normal`], `Φ` | at most 4 ulp for x ≥ 0; below, relative (8 + x²) 2⁻²⁴, until `exp` underflows |
//! | [`normal`], `φ` | relative (3 + x²) 2⁻²⁴, until `exp` underflows |
//!
//! The `x²` is the rounding of `x²/2` under the exponential; where it is large, both functions are next to 0.

/// A number near `1.5 · 2²³` has no fraction bits, so adding this rounds to an integer.
const ROUND: f32 = 12_582_912.0;

/// `ln 2` in two parts; the first has so few bits that its product with any exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `eˣ`.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    // Beyond these the result is 0 or ∞; a NaN passes both comparisons by.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    // eʳ − 1 − r = r² (1/2! + r/3! + r²/4! + …); the term left out, r⁸/8!, is below 6e-9.
    let series = 1.0 / 5_040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let power = series * (r * r) + r + 1.0;
    // 2ⁿ in two factors, since n reaches from −150 to 128 and one exponent field does not. The low bits of `rounded` are n.
    let n = rounded
        .to_bits()
        .cast_signed()
        .wrapping_sub(ROUND.to_bits().cast_signed());
    let half = n >> 1;
    power * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// `2ⁿ` for `n` in −126..=127.
#[inline]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127).cast_unsigned()) << 23)
}

/// `R`, constant term first; `fixtures/make/normal_tail.py` makes it (largest relative error 9e-9 before rounding).
const TAIL: [f32; 10] = [
    5.308_862e-6,
    0.132_833_75,
    0.134_745_58,
    0.106_131_79,
    0.140_615_28,
    -0.096_785_43,
    0.277_094_3,
    -0.319_350_1,
    0.151_928_38,
    -0.027_218_869,
];

/// `(Φ(x), φ(x))`: the distribution function of the standard normal distribution and its density.
#[inline]
pub(super) fn normal(x: f32) -> (f32, f32) {
    let z = x.abs();
    let t = 1.0 / (1.0 + z * (1.0 / 3.0));
    let bell = exp(-0.5 * z * z);
    let polynomial = TAIL.iter().rev().fold(0.0, |sum, &c| sum * t + c);
    let tail = bell * polynomial;
    let cdf = if x > 0.0 { 1.0 - tail } else { tail };
    (cdf, bell * 0.398_942_3) // 1/√(2π)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance of `x` from the exact value, in units of the last place of a normal number of that size.
    fn ulps(x: f32, exact: f64) -> f64 {
        let unit = 2.0_f64.powi(libm::ilogb(exact).max(-126) - 23);
        (f64::from(x) - exact).abs() / unit
    }

    /// Every 997th of the `f32` numbers between two of the same sign, by their bits.
    fn between(a: f32, b: f32) -> impl Iterator<Item = f32> {
        let (a, b) = (a.to_bits(), b.to_bits());
        (a.min(b)..=a.max(b)).step_by(997).map(f32::from_bits)
    }

    #[test]
    fn exp_is_within_an_ulp() {
        let numbers = between(0.0, 88.722).chain(between(-0.0, -104.5));
        let (worst, at) = numbers
            .map(|x| (ulps(exp(x), libm::exp(f64::from(x))), x))
            .fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
        assert!(worst <= 1.0, "{worst} ulp at {at}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!((exp(89.0), exp(f32::INFINITY)), (f32::INFINITY, f32::INFINITY));
        assert_eq!((exp(-104.0), exp(f32::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn the_normal_distribution() {
        let unit = 2.0_f64.powi(-24);
        for x in between(0.0, 15.0).chain(between(-0.0, -13.0)) {
            let (cdf, density) = normal(x);
            let wide = f64::from(x);
            let exact = libm::erfc(-wide * std::f64::consts::FRAC_1_SQRT_2) / 2.0;
            let relative = (f64::from(cdf) / exact - 1.0).abs();
            if x >= 0.0 {
                assert!(ulps(cdf, exact) <= 4.0, "Φ({x}): {} ulp", ulps(cdf, exact));
            } else {
                assert!(relative <= (8.0 + wide * wide) * unit, "Φ({x}): {relative:e}");
            }
            let exact = libm::exp(-wide * wide / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
            let relative = (f64::from(density) / exact - 1.0).abs();
            if exact > 1e-37 {
                assert!(relative <= (3.0 + wide * wide) * unit, "φ({x}): {relative:e}");
            }
        }
        assert_eq!(normal(f32::INFINITY), (1.0, 0.0));
        assert_eq!(normal(f32::NEG_INFINITY), (0.0, 0.0));
        assert!(normal(f32::NAN).0.is_nan() && normal(f32::NAN).1.is_nan());
    }
}
