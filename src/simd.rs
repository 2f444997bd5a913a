//! `wide!`: loops over elements, compiled for the widest registers of the processor that runs them. Beside them the peak of
//! its multiply-adds, to measure with.

use std::hint::black_box;

/// Runs an expression as code for the widest vector registers of the processor, AVX-512 or AVX2 (x86-64; elsewhere registers
/// are as wide as they get): a loop that becomes vector code takes twice as many elements at a time or more.
///
/// The bits stay the same. Each operation rounds as before, since no compiler merges a product and a sum by itself, and sums
/// keep the lanes that they are written with. What the expression calls should be `#[inline]`, or it stays narrow.
macro_rules! wide {
    ($body:expr) => {
        $crate::simd::in_wide_registers(
            #[inline(always)]
            || $body,
        )
    };
}
pub(crate) use wide;

/// What [`wide!`] calls.
#[inline]
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "code compiled for a feature may run only where the processor has it"
    )
)]
pub(crate) fn in_wide_registers<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        #[target_feature(enable = "avx512f,avx512vl,avx512dq")]
        fn avx512<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        #[target_feature(enable = "avx2")]
        fn avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        if has!("avx512f") && has!("avx512vl") && has!("avx512dq") {
            // SAFETY: `avx512` asks for nothing but the features that were just found.
            return unsafe { avx512(f) };
        }
        if has!("avx2") {
            // SAFETY: `avx2` asks for nothing but the feature that was just found.
            return unsafe { avx2(f) };
        }
    }
    f()
}

/// Multiplications and additions that stay in registers, on the calling thread: what no loop can exceed. Returns how many
/// there were, and what came out, to be used so that they are not left out.
///
/// Twelve vectors at once, since a multiply-add takes longer than the time until the next one can begin. Where no fused
/// multiply-add is known (all but x86-64), the compiler makes of them what it can.
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "code compiled for a feature may run only where the processor has it"
    )
)]
pub fn register_flops(rounds: usize) -> (f64, f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::{is_x86_feature_detected as has, x86_64 as x86};
        macro_rules! chains {
            ($rounds:ident, $lanes:literal, $fill:ident, $multiply_add:ident, $add:ident, $first:ident) => {{
                let (factor, term) = (x86::$fill(black_box(0.999_999)), x86::$fill(1e-6));
                let mut chains = [x86::$fill(1.0); 12];
                for _ in 0..$rounds {
                    for chain in &mut chains {
                        *chain = x86::$multiply_add(*chain, factor, term);
                    }
                }
                let sum = chains
                    .into_iter()
                    .fold(x86::$fill(0.0), |a, b| x86::$add(a, b));
                ((2 * 12 * $lanes * $rounds) as f64, x86::$first(sum))
            }};
        }
        #[target_feature(enable = "avx512f")]
        fn avx512(rounds: usize) -> (f64, f32) {
            chains!(
                rounds,
                16,
                _mm512_set1_ps,
                _mm512_fmadd_ps,
                _mm512_add_ps,
                _mm512_cvtss_f32
            )
        }
        #[target_feature(enable = "avx2,fma")]
        fn fma(rounds: usize) -> (f64, f32) {
            chains!(
                rounds,
                8,
                _mm256_set1_ps,
                _mm256_fmadd_ps,
                _mm256_add_ps,
                _mm256_cvtss_f32
            )
        }
        if has!("avx512f") {
            // SAFETY: `avx512` asks for nothing but the feature that was just found.
            return unsafe { avx512(rounds) };
        }
        if has!("avx2") && has!("fma") {
            // SAFETY: `fma` asks for nothing but the two features that were just found.
            return unsafe { fma(rounds) };
        }
    }
    let factor = black_box(0.999_999);
    let mut chains = [1.0_f32; 48];
    for _ in 0..rounds {
        for chain in &mut chains {
            *chain = *chain * factor + 1e-6;
        }
    }
    ((2 * chains.len() * rounds) as f64, chains.iter().sum())
}

#[cfg(test)]
mod tests {
    use crate::real::Real;
    use crate::reduce;
    use std::hint::black_box;

    /// Sums, exponentials, divisions and roots in wide registers, against the same code as it is compiled everywhere.
    #[test]
    fn wide_registers_give_the_same_bits() {
        fn work<T: Real>(x: &mut [T]) -> T {
            for x in &mut *x {
                *x = (*x * T::of(0.3) + T::one()).exponential() / (x.abs() + T::of(0.1)).sqrt();
            }
            reduce::sum(x) + reduce::dot(x, x) + reduce::max(x)
        }
        fn check<T: Real>() {
            for n in [0, 1, 7, 8, 9, 100] {
                let mut narrow: Vec<T> = (0..n).map(|i| T::of((f64::from(i) * 0.7).sin())).collect();
                let mut in_wide = narrow.clone();
                let results = (work(black_box(&mut narrow)), wide!(work(black_box(&mut in_wide))));
                assert!(
                    results.0 == results.1 && narrow == in_wide,
                    "{n} elements of {}",
                    T::NAME
                );
            }
        }
        check::<f32>();
        check::<f64>();
    }

    /// Twelve vectors of 8 or 16, or 48 numbers, each a multiplication and an addition a round.
    #[test]
    fn operations_in_registers_are_counted() {
        let (one, two) = (super::register_flops(1), super::register_flops(2));
        assert!([96.0, 192.0, 384.0].contains(&one.0), "{}", one.0);
        assert_eq!(two.0, 2.0 * one.0);
        // 1 · 0.999999 + 0.000001 in each of twelve chains, or of 48.
        assert!(
            (one.1 - 12.0).abs() < 1e-4 || (one.1 - 48.0).abs() < 1e-4,
            "{}",
            one.1
        );
    }
}
