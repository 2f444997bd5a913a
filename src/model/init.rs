//! Fresh parameters: what Hugging Face's `_init_weights` gives a layer that no checkpoint brings.

use crate::param::{ParamTree, Path};
use crate::random;
use crate::real::Real;
use ndarray_rand::RandomExt;
use ndarray_rand::rand::Rng;
use ndarray_rand::rand_distr::Distribution;

/// Initialises the parameters for which `chosen(name)` holds: LayerNorm weights to 1, biases to 0, all else to a normal
/// distribution with mean 0 and standard deviation `initializer_range`.
///
/// Each parameter draws from its own stream of (seed, name), so the numbers do not depend on which others are
/// initialised, and an `f32` model is the rounded `f64` one.
///
/// # Panics
/// If `initializer_range` is negative or not finite.
pub fn initialise<T: Real>(
    model: &mut impl ParamTree<T>,
    initializer_range: f64,
    seed: u64,
    chosen: impl Fn(&str) -> bool,
) {
    assert!(
        initializer_range >= 0.0 && initializer_range.is_finite(),
        "initializer_range {initializer_range} is negative or not finite"
    );
    let normal = Normal {
        deviation: initializer_range,
    };
    model.visit_mut(&mut Path::root(), &mut |name, mut values| {
        if !chosen(name) {
        } else if name.ends_with("LayerNorm.weight") {
            values.fill(T::one());
        } else if name.ends_with("bias") {
            values.fill(T::zero());
        } else {
            let mut rng = random::stream(seed, name, 0);
            let fresh = ndarray::ArrayD::random_using(values.raw_dim(), normal, &mut rng);
            values.assign(&fresh);
        }
    });
}

/// The normal distribution with mean 0.
///
/// `σ u √(−2 ln s / s)` for a point `(u, v)` drawn evenly from the square around 0 until `0 < s = u² + v² < 1`: the polar method
/// of Marsaglia and Bray (*A convenient method for generating normal variables*, SIAM Review 6, 1964), one number a point.
/// Its logarithm is `libm`'s, so the numbers are the same on every machine; a library's tables and tails use the platform's.
#[derive(Clone, Copy)]
struct Normal {
    deviation: f64,
}

impl<T: Real> Distribution<T> for Normal {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> T {
        let mut coordinate = || 2.0 * random::unit(rng.next_u64()) - 1.0;
        loop {
            let (u, v) = (coordinate(), coordinate());
            let s = u * u + v * v;
            if 0.0 < s && s < 1.0 {
                return T::of(self.deviation * u * (-2.0 * libm::log(s) / s).sqrt());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 200 000 numbers: the mean is within 5 σ/√n, the variance within 5 σ² √(2/n), the share beyond 2σ is 0.0455 within 5
    /// binomial deviations, and the fourth moment is 3σ⁴ within 5 · √(96/n) σ⁴.
    #[test]
    fn the_distribution_is_normal() {
        let n = 200_000;
        let mut rng = random::stream(1, "normal", 0);
        let x: Vec<f64> = (0..n)
            .map(|_| Normal { deviation: 0.5 }.sample(&mut rng))
            .collect();
        let root = f64::from(n).sqrt();
        let moment = |power: i32| {
            let powers = x.iter().map(|x| (x / 0.5).powi(power));
            powers.sum::<f64>() / f64::from(n)
        };
        assert!(moment(1).abs() < 5.0 / root, "{}", moment(1));
        assert!(
            (moment(2) - 1.0).abs() < 5.0 * 2.0_f64.sqrt() / root,
            "{}",
            moment(2)
        );
        assert!(
            (moment(4) - 3.0).abs() < 5.0 * 96.0_f64.sqrt() / root,
            "{}",
            moment(4)
        );
        let beyond = x.iter().filter(|x| x.abs() > 1.0).count() as f64 / f64::from(n);
        assert!(
            (beyond - 0.045_5).abs() < 5.0 * (0.045_5_f64 * 0.954_5).sqrt() / root,
            "{beyond}"
        );
    }
}
