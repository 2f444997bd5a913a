//! The p-norm for any `p > 0`, as an interval.
//!
//! ```text
//! ‖x‖_p = 2^k · (Σ |xᵢ/2^k|ᵖ)^(1/p),    2^k just above the largest |xᵢ|
//! ```
//!
//! Scaled so, no term is above 1 and the largest is at least `2⁻ᵖ`. Each power is taken once and moved one place down
//! and one place up, which covers the error of `libm`'s `pow` (below 0.7 ulp); both ends are summed without rounding.
//! The root gets the same treatment for both neighbours of `1/p`. Independently, `max <= ‖x‖_p <= max · N^(1/p)`, and the
//! result is the intersection: that is what remains where `2⁻ᵖ` vanishes.
//!
//! # Source
//! musl's and FreeBSD's `e_pow.c`, from which `libm::pow` is ported: "error < 0.70 ulp".

use super::format::exponent;
use super::interval::Interval;
use super::kulisch::{GRID, Kulisch};

/// The p-norm of non-negative finite numbers.
pub(super) fn norm(x: &[f64], p: f64) -> Interval {
    let largest = x.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return Interval::point(0.0);
    }
    let k = exponent(largest) + 1;
    let (mut below, mut above) = (Kulisch::default(), Kulisch::default());
    for &x in x.iter().filter(|&&x| x > 0.0) {
        // Inexact only below 2^-1022, where a neighbour on either side makes up for it.
        let scaled = libm::ldexp(libm::ldexp(x, -(k / 2)), -(k - k / 2));
        let subnormal = scaled < f64::MIN_POSITIVE;
        let (lo, hi) = if subnormal {
            (scaled.next_down().max(0.0), scaled.next_up())
        } else {
            (scaled, scaled)
        };
        add(&mut below, power(lo, p).lo);
        add(&mut above, power(hi, p).hi);
    }
    let sum = Interval {
        lo: below.value().enclose().0,
        hi: above.value().enclose().1,
    };
    let inverse = 1.0 / p;
    let exponents = [inverse.next_down(), inverse.next_up()];
    let root = |x: f64| exponents.map(|y| power(x, y));
    let lo = root(sum.lo).iter().fold(f64::INFINITY, |m, r| m.min(r.lo));
    let hi = root(sum.hi).iter().fold(0.0, |m: f64, r| m.max(r.hi));
    let count = root(x.len() as f64).iter().fold(0.0, |m: f64, r| m.max(r.hi));
    let bound = (largest * count).next_up();
    Interval {
        lo: largest.max(libm::ldexp(lo, k).next_down()),
        hi: bound.min(libm::ldexp(hi, k).next_up()),
    }
}

/// `xʸ` for `x >= 0`, one place to either side; exact at 0 and 1.
fn power(x: f64, y: f64) -> Interval {
    if x == 0.0 || x == 1.0 {
        return Interval::point(x);
    }
    let value = libm::pow(x, y);
    Interval {
        lo: value.next_down().max(0.0),
        hi: value.next_up(),
    }
}

/// Adds a non-negative finite number without rounding.
fn add(sum: &mut Kulisch, x: f64) {
    let bits = x.to_bits();
    let field = (bits >> 52) as i32;
    let mantissa = bits & 0xf_ffff_ffff_ffff | u64::from(field != 0) << 52;
    if mantissa > 0 {
        let unit = field.max(1) - 1075;
        debug_assert!(unit >= GRID, "an f64 lies on the grid of its square");
        sum.add(u128::from(mantissa), unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ∛(3³+4³+5³) = 6 at every magnitude; (√4+√9)² = 25 for p = 1/2.
    #[test]
    fn known_norms() {
        for e in [-1000, 0, 1000] {
            let unit = libm::ldexp(1.0, e);
            let norm = norm(&[3.0 * unit, 4.0 * unit, 5.0 * unit], 3.0);
            assert!(
                norm.contains(6.0 * unit) && norm.hi / norm.lo < 1.0 + 1e-14,
                "{norm:?}"
            );
        }
        let half = norm(&[4.0, 0.0, 9.0], 0.5);
        assert!(half.contains(25.0) && half.hi - half.lo < 1e-12);
    }

    /// For a huge p the norm is nearly the largest element: between max and max·N^(1/p).
    #[test]
    fn huge_p() {
        let norm = norm(&[1.5, 1.5], 1e5);
        assert!(norm.lo >= 1.5 && norm.hi <= 1.5 * 1.00001, "{norm:?}");
    }
}
