//! Where dropout and mixout act, and how each place gets its mask.

use crate::nn::dropout::Mask;
use crate::random;

/// The randomness of one training step, or none at inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Inference: nothing is dropped.
    Off,
    /// Training: masks follow from the run's dropout seed and the number of the optimiser step.
    Step {
        /// The dropout seed of the run.
        seed: u64,
        /// The optimiser step.
        step: u64,
    },
}

/// The places where Hugging Face's BERT and RoBERTa drop elements, and the parameters that mixout mixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// After the LayerNorm of the embeddings.
    Embeddings,
    /// The attention probabilities of an encoder layer.
    AttentionProbs(usize),
    /// The attention output of an encoder layer, before its residual.
    AttentionOutput(usize),
    /// The feed-forward output of an encoder layer, before its residual.
    FeedForwardOutput(usize),
    /// RoBERTa's head only: the first token, before the dense layer.
    HeadInput,
    /// The head, before the last linear layer.
    HeadOutput,
    /// The columns of a parameter, by its place in the walk: mixout.
    Parameter(usize),
}

impl Site {
    fn key(self) -> u64 {
        let (kind, index) = match self {
            Self::Embeddings => (0, 0),
            Self::AttentionProbs(layer) => (1, layer),
            Self::AttentionOutput(layer) => (2, layer),
            Self::FeedForwardOutput(layer) => (3, layer),
            Self::HeadInput => (4, 0),
            Self::HeadOutput => (5, 0),
            Self::Parameter(index) => (6, index),
        };
        random::key(&[kind, index as u64])
    }
}

impl Noise {
    /// The mask at `site` for dropout probability `p`.
    pub fn mask(self, site: Site, p: f64) -> Mask {
        match self {
            Self::Off => Mask::OFF,
            Self::Step { seed, step } => Mask::new(random::key(&[seed, step, site.key()]), p),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two places, two layers, two steps or two seeds never share a mask.
    #[test]
    fn every_place_and_step_has_a_mask_of_its_own() {
        let mut masks = Vec::new();
        for (seed, step) in [(1, 1), (1, 2), (2, 1)] {
            for layer in 0..3 {
                let sites = [
                    Site::AttentionProbs(layer),
                    Site::AttentionOutput(layer),
                    Site::FeedForwardOutput(layer),
                    Site::Parameter(layer),
                ];
                masks.extend(sites.map(|site| Noise::Step { seed, step }.mask(site, 0.5)));
            }
            let sites = [Site::Embeddings, Site::HeadInput, Site::HeadOutput];
            masks.extend(sites.map(|site| Noise::Step { seed, step }.mask(site, 0.5)));
        }
        for (i, mask) in masks.iter().enumerate() {
            assert!(!masks[..i].contains(mask), "mask {i}");
        }
        assert_eq!(Noise::Off.mask(Site::Embeddings, 0.5), Mask::OFF);
    }
}
