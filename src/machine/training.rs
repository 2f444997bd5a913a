//! Three small models, forward and backward and through a few steps of training.

use super::Number;
use crate::clip::ClipPolicy;
use crate::model::init::initialise;
use crate::model::{
    Activation, Batch, Family, ModelConfig, Noise, Problem, SequenceClassifier, Target, Tokens,
};
use crate::optim::{AdamWForm, AdamWSettings, Schedule};
use crate::param::ParamTree;
use crate::pool::Pool;
use crate::random::{below, stream};
use crate::real::Real;
use crate::train::{Plan, Run, Seeds, Sequence, Stabilisers, Trainer};
use ndarray::ArrayView2;

const STEPS: usize = 3;

/// Sequences of the set, all in one batch: over 256 tokens, so that the products of the backward pass have whole blocks.
const SEQUENCES: usize = 12;

struct Subject {
    name: &'static str,
    config: ModelConfig,
    form: AdamWForm,
    policy: &'static str,
}

pub(super) fn numbers() -> impl Iterator<Item = Number> {
    let bert = config(Family::Bert, Activation::Gelu);
    let huggingface = |correct_bias| AdamWForm::HuggingFace { correct_bias };
    let component = Subject {
        name: "BERT",
        config: bert,
        form: huggingface(true),
        policy: "component:0.05",
    };
    let global = Subject {
        name: "RoBERTa",
        config: config(Family::Roberta, Activation::GeluTanh),
        form: AdamWForm::Torch,
        policy: "global:1",
    };
    let memory = Subject {
        name: "BERT with a memory",
        config: config(Family::Bert, Activation::Silu),
        form: huggingface(false),
        policy: "adagc:1.05,warmup=1",
    };
    let of = |subject: Subject, f: fn(&Subject) -> Vec<Number>| {
        std::iter::once_with(move || f(&subject)).flatten()
    };
    of(component, all::<f32>)
        .chain(of(global, all::<f64>))
        .chain(of(memory, all::<f32>))
}

fn config(family: Family, hidden_act: Activation) -> ModelConfig {
    ModelConfig {
        family,
        vocab_size: 130,
        hidden_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        intermediate_size: 272,
        hidden_act,
        hidden_dropout_prob: 0.1,
        attention_probs_dropout_prob: 0.1,
        classifier_dropout: None,
        max_position_embeddings: 70,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        initializer_range: 0.1,
        pad_token_id: 0,
        problem: Problem::Classification,
        labels: ["a", "b", "c"].map(str::to_owned).to_vec(),
    }
}

fn sequences() -> Vec<Sequence> {
    let mut rng = stream(1, "sequences", 0);
    let mut draw = |n: u64| below(&mut rng, n);
    (0..SEQUENCES)
        .map(|_| {
            let len = 20 + draw(40) as usize;
            Sequence {
                ids: (0..len).map(|_| draw(130) as u32).collect(),
                token_types: (0..len).map(|i| u32::from(i >= len / 2)).collect(),
                target: Target::Class(draw(3) as usize),
            }
        })
        .collect()
}

/// From the fresh weights through the layers to what is left after the steps.
fn all<T: Real>(subject: &Subject) -> Vec<Number> {
    let title = format!("{} {}", subject.name, T::NAME);
    let set = sequences();
    let mut model = SequenceClassifier::<T>::zeros(&subject.config);
    initialise(&mut model, subject.config.initializer_range, 1, |_| true);
    let mut found = weights(&title, "fresh weights of", &model);
    forward(&title, &subject.config, &model, &set, &mut found);

    let settings = AdamWSettings {
        form: subject.form,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
    };
    let clip: ClipPolicy = subject.policy.parse().expect("one of our own policies");
    let plan = Plan {
        batch_size: SEQUENCES,
        accumulation: 1,
        schedule: Schedule::new(1e-3, 0.0, STEPS),
        clip,
        seeds: Seeds { order: 1, dropout: 2 },
        stabilisers: Stabilisers::default(),
    };
    let trainer = Trainer::new(subject.config.clone(), model, settings);
    let mut run = Run::new(trainer, plan, &set, 0);
    while let Ok(Some(record)) = run.next_step() {
        let at = format!("{title}, step {}", record.step);
        found.push(Number::new(format!("{at}, loss"), [record.report.loss]));
        // From the head down, the way of the backward pass.
        let clip = &record.report.clip;
        found.extend(clip.parameters.iter().rev().map(|parameter| {
            Number::new(
                format!("{at}, norm of the gradient of {}", parameter.name),
                [parameter.norm_before],
            )
        }));
        let scales = clip.components.iter().map(|component| component.scale);
        found.push(Number::new(format!("{at}, factors of clipping"), scales));
    }
    found.extend(weights(&title, "trained weights of", &run.trainer.model));
    found
}

fn weights<T: Real>(title: &str, what: &str, model: &SequenceClassifier<T>) -> Vec<Number> {
    let params = model.params();
    let number = |(name, values): (String, ndarray::ArrayViewD<'_, T>)| {
        let values = values.iter().map(|x| x.widen()).collect::<Vec<_>>();
        Number::new(format!("{title}, {what} {name}"), values)
    };
    params.into_iter().map(number).collect()
}

/// The outputs of the embeddings and of each layer, without dropout, and the logits.
fn forward<T: Real>(
    title: &str,
    config: &ModelConfig,
    model: &SequenceClassifier<T>,
    set: &[Sequence],
    found: &mut Vec<Number>,
) {
    let pool = Pool::new();
    let pairs = set.iter().map(|s| (&s.ids[..], &s.token_types[..]));
    let batch = Batch::pack(pairs, 0);
    let (output, cache) = model
        .encoder
        .forward(config, &batch, Noise::Off, Tokens::All, &pool);
    let mut push = |what: String, values: ArrayView2<'_, T>| {
        let values = values.iter().map(|x| x.widen());
        found.push(Number::new(format!("{title}, {what}"), values));
    };
    for (layer, x) in cache.hidden_states().enumerate() {
        push(format!("input of layer {layer}"), x);
    }
    push("output of the last layer".to_owned(), output.view());
    push("logits".to_owned(), model.infer(config, &batch, &pool).view());
}
