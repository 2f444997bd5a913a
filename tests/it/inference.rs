//! A forward pass that keeps nothing has the bits of the one that backward needs.

use crate::determinism::fresh;
use crate::gradcheck::{small_batch, small_config};
use cwgnc::model::{Activation, Family, MaskedLanguageModel, Noise, Problem, Tokens, init};
use cwgnc::pool::Pool;
use cwgnc::real::Real;

const ACTIVATIONS: [Activation; 4] = [
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Relu,
    Activation::Silu,
];

fn classifier<T: Real>() {
    for family in [Family::Bert, Family::Roberta] {
        for phi in ACTIVATIONS {
            let config = small_config(family, Problem::Classification, phi);
            let (model, batch, pool) = (fresh::<T>(&config), small_batch(), Pool::new());
            let (z, _) = model.forward(&config, &batch, Noise::Off, Tokens::First, &pool);
            assert!(*model.infer(&config, &batch, &pool) == *z, "{family:?} {phi:?}");
        }
    }
}

#[test]
fn a_classifier() {
    classifier::<f32>();
    classifier::<f64>();
}

#[test]
fn a_masked_language_model() {
    for phi in ACTIVATIONS {
        let config = small_config(Family::Bert, Problem::Classification, phi);
        let mut model = MaskedLanguageModel::<f32>::zeros(&config);
        init::initialise(&mut model, 0.3, 4, |_| true);
        let (batch, pool) = (small_batch(), Pool::new());
        let rows = [0, 2, batch.tokens() - 1];
        let (z, _) = model.forward(&config, &batch, &rows, Noise::Off, &pool);
        assert!(*model.infer(&config, &batch, &rows, &pool) == *z, "{phi:?}");
    }
}
