//! The incomplete beta function, through which the distributions of t and F are defined.

/// Terms of the continued fraction at most. It needs about `√max(a, b)` of them.
const TERMS: u32 = 100_000;

/// `I_x(a, b) = ∫₀ˣ tᵃ⁻¹ (1 − t)ᵇ⁻¹ dt / B(a, b)` for `a, b > 0` and `x` in `[0, 1]`, the regularised incomplete beta function.
///
/// `y` is `1 − x`, which the caller often knows without the rounding of a difference. The relative error is about
/// `(a + b) 2⁻⁵³`, also where the result is tiny.
///
/// ```text
/// I_x(a, b) = xᵃ yᵇ / (a B(a, b)) · 1 / (1 + d₁ / (1 + d₂ / (1 + …)))          x < (a + 1) / (a + b + 2)
///     d₂ₘ   = m (b − m) x / ((a + 2m − 1) (a + 2m))
///     d₂ₘ₊₁ = −(a + m) (a + b + m) x / ((a + 2m) (a + 2m + 1))
/// I_x(a, b) = 1 − I_y(b, a)                                                    elsewhere
/// ```
///
/// # Source
/// NIST Digital Library of Mathematical Functions, 8.17.4 and 8.17.22; evaluated by Lentz's method as modified by Thompson
/// and Barnett (Journal of Computational Physics 64, 1986).
pub(super) fn regularised(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 || y <= 0.0 {
        return f64::from(u8::from(y <= 0.0));
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularised_below(b, a, y, x);
    }
    regularised_below(a, b, x, y)
}

fn regularised_below(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    // ln y from x where y is near 1.
    let ln_y = if x < 0.5 { libm::log1p(-x) } else { libm::log(y) };
    libm::exp(a * libm::log(x) + b * ln_y - ln_beta) / (a * fraction(a, b, x))
}

/// `1 + d₁ / (1 + d₂ / (1 + …))`.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    // A denominator of 0 is replaced by this: the method's device.
    let not_zero = |z: f64| if z == 0.0 { f64::MIN_POSITIVE } else { z };
    let (mut value, mut c, mut d) = (1.0, 1.0, 0.0);
    for i in 1..=TERMS {
        let m = f64::from(i / 2);
        let term = if i % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        c = not_zero(1.0 + term / c);
        d = 1.0 / not_zero(1.0 + term * d);
        let step = c * d;
        value *= step;
        if (step - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::regularised;

    #[track_caller]
    fn close(found: f64, expected: f64, relative: f64) {
        let error = (found / expected - 1.0).abs();
        assert!(error <= relative, "{found:e} is not {expected:e}: {error:e}");
    }

    /// `I_x(1, b) = 1 − (1 − x)ᵇ`, `I_x(a, 1) = xᵃ`, `I_x(2, 2) = x² (3 − 2x)`, `I_x(½, ½) = 2 asin(√x) / π`.
    #[test]
    fn closed_forms() {
        for x in [1e-9, 0.1, 0.25, 0.5, 0.75, 0.99] {
            close(regularised(1.0, 2.0, x, 1.0 - x), x * (2.0 - x), 1e-14);
            close(regularised(3.0, 1.0, x, 1.0 - x), x * x * x, 1e-14);
            close(regularised(2.0, 2.0, x, 1.0 - x), x * x * (3.0 - 2.0 * x), 1e-14);
            let arc = libm::asin(x.sqrt()) * std::f64::consts::FRAC_2_PI;
            close(regularised(0.5, 0.5, x, 1.0 - x), arc, 1e-14);
        }
        assert_eq!(regularised(2.0, 3.0, 0.0, 1.0), 0.0);
        assert_eq!(regularised(2.0, 3.0, 1.0, 0.0), 1.0);
    }

    /// Student's distribution with 2 degrees of freedom has `P(|T| ≥ t) = 1 − t / √(2 + t²)`, which is
    /// `2 / (s (s + t))` with `s = √(2 + t²)`; here at t = 10⁶, where p is 1e-12.
    #[test]
    fn tiny_tails_keep_their_digits() {
        let t = 1e6_f64;
        let s = (2.0 + t * t).sqrt();
        let (x, y) = (2.0 / (2.0 + t * t), t * t / (2.0 + t * t));
        close(regularised(1.0, 0.5, x, y), 2.0 / (s * (s + t)), 1e-13);
    }
}
