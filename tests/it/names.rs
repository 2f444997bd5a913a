//! The names and shapes of base-sized models are those of transformers (`fixtures/names`, made by
//! `fixtures/make/names.py`).

use crate::scratch::fixture;
use cwgnc::model::{Activation, Family, ModelConfig, Problem, SequenceClassifier};
use cwgnc::param::ParamTree;

fn base(family: Family) -> ModelConfig {
    let (vocab_size, max_position_embeddings, type_vocab_size) = match family {
        Family::Bert => (30522, 512, 2),
        Family::Roberta => (50265, 514, 1),
    };
    ModelConfig {
        family,
        vocab_size,
        hidden_size: 768,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        intermediate_size: 3072,
        hidden_act: Activation::Gelu,
        hidden_dropout_prob: 0.1,
        attention_probs_dropout_prob: 0.1,
        classifier_dropout: None,
        max_position_embeddings,
        type_vocab_size,
        layer_norm_eps: 1e-12,
        initializer_range: 0.02,
        pad_token_id: 0,
        problem: Problem::Classification,
        labels: vec!["no".to_owned(), "yes".to_owned()],
    }
}

/// Each parameter as `name [shape]`; zeros are not written, so that no memory is touched.
fn walk(family: Family) -> Vec<String> {
    let model = SequenceClassifier::<f32>::zeros(&base(family));
    model
        .params()
        .iter()
        .map(|(name, value)| format!("{name} {:?}", value.shape()))
        .collect()
}

fn expected(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(fixture("names").join(name)).expect("the fixture");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bert_is_walked_in_the_order_of_named_parameters() {
    assert_eq!(walk(Family::Bert), expected("bert-base.txt"));
}

/// transformers lists RoBERTa's position table after the LayerNorm; here both families are walked alike.
#[test]
fn roberta_has_the_same_parameters() {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(
        sorted(walk(Family::Roberta)),
        sorted(expected("roberta-base.txt"))
    );
}
