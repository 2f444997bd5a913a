//! Fresh parameters: what Hugging Face's `_init_weights` gives a layer that no checkpoint brings.

use crate::param::{ParamTree, Path};
use crate::random;
use crate::real::Real;
use ndarray_rand::rand_distr::{Distribution, Normal};

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
        initializer_range >= 0.0,
        "initializer_range {initializer_range} is negative"
    );
    let normal =
        Normal::new(0.0, initializer_range).expect("the standard deviation is finite and not negative");
    model.visit_mut(&mut Path::root(), &mut |name, mut values| {
        if !chosen(name) {
        } else if name.ends_with("LayerNorm.weight") {
            values.fill(T::one());
        } else if name.ends_with("bias") {
            values.fill(T::zero());
        } else {
            let mut rng = random::stream(seed, name, 0);
            values.mapv_inplace(|_| T::of(normal.sample(&mut rng)));
        }
    });
}
