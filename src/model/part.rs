//! The parts of a model from the input to the output, which some methods of fine-tuning treat differently.

use crate::model::classifier::SequenceClassifier;
use crate::model::config::Family;
use crate::model::encoder::Encoder;
use crate::model::masked_lm::MaskedLanguageModel;
use crate::param::ParamTree;

/// The part of a model to which a parameter belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The three tables and their LayerNorm.
    Embeddings,
    /// An encoder layer, counted from 0 at the input.
    Layer(usize),
    /// BERT's pooler. RoBERTa has none, and no model with a head on every token has.
    Pooler,
    /// BERT's last linear layer; both layers of RoBERTa's head.
    Classifier,
    /// The head of masked language modelling.
    Predictions,
}

impl Part {
    /// How many parts lie above it in a model of so many layers: 0 for pooler and heads, 1 for the top layer,
    /// `layers + 1` for the embeddings.
    pub fn below_head(self, layers: usize) -> usize {
        match self {
            Self::Pooler | Self::Classifier | Self::Predictions => 0,
            Self::Layer(index) => layers - index,
            Self::Embeddings => layers + 1,
        }
    }
}

fn of<T>(part: Part, tree: &impl ParamTree<T>) -> Vec<Part> {
    vec![part; tree.params().len()]
}

impl<T> Encoder<T> {
    /// The part of each parameter, in walk order.
    fn parts(&self) -> Vec<Part> {
        let mut parts = of(Part::Embeddings, &self.embeddings);
        for (index, layer) in self.layers.iter().enumerate() {
            parts.extend(of(Part::Layer(index), layer));
        }
        parts
    }
}

impl<T> SequenceClassifier<T> {
    /// The part of each parameter, in walk order.
    pub fn parts(&self) -> Vec<Part> {
        let dense = match self.family {
            Family::Bert => Part::Pooler,
            Family::Roberta => Part::Classifier,
        };
        let mut parts = self.encoder.parts();
        if let Some(layer) = &self.head.dense {
            parts.extend(of(dense, layer));
        }
        parts.extend(of(Part::Classifier, &self.head.out));
        parts
    }
}

impl<T> MaskedLanguageModel<T> {
    /// The part of each parameter, in walk order; the head is [`Part::Predictions`].
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = self.encoder.parts();
        parts.extend(of(Part::Predictions, &self.head));
        parts
    }
}
