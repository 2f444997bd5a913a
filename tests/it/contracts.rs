//! Wrong shapes panic: a call that does not fit together never gives a number.
//!
//! Each function is called once with what fits, which must go well, and then with one size changed, which must not.

use crate::gradcheck::small_config;
use cwgnc::model::{Activation, Batch, Family, ModelConfig, Noise, Problem, SequenceClassifier, Tokens};
use cwgnc::nn::activation;
use cwgnc::nn::attention::{self, Spans};
use cwgnc::nn::binary_cross_entropy::binary_cross_entropy;
use cwgnc::nn::cross_entropy::{Criterion, cross_entropy, cross_entropy_of_some};
use cwgnc::nn::dropout::Mask;
use cwgnc::nn::embedding::Embedding;
use cwgnc::nn::layer_norm::LayerNorm;
use cwgnc::nn::linear::Linear;
use cwgnc::nn::mean_squared_error::mean_squared_error;
use cwgnc::optim::{AdamW, AdamWForm, AdamWSettings, ParamUpdate};
use cwgnc::pool::{Buffer, Pool};
use ndarray::{Array1, Array2};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Sizes by name; what a call reads.
type Sizes = Vec<usize>;

/// What is done to a configuration.
type Change = fn(&mut ModelConfig);

/// Whether a call ends without a panic.
fn goes_well(call: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_ok()
}

fn matrix(rows: usize, columns: usize, pool: &Pool<f64>) -> Buffer<f64> {
    let mut x = pool.buffer(rows, columns);
    x.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f64).sin());
    x
}

/// A function under test: its name, the sizes that it needs, each from which class, and the call.
///
/// Sizes of one class are equal where all is well.
type Subject = (&'static str, &'static [char], fn(&Sizes));

const SETTINGS: AdamWSettings = AdamWSettings {
    form: AdamWForm::Torch,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.0,
};

const SUBJECTS: &[Subject] = &[
    ("Linear::forward", &['n', 'i', 'i', 'o', 'o'], |s| {
        let pool = Pool::new();
        let layer = Linear {
            weight: Array2::ones((s[3], s[2])),
            bias: Array1::ones(s[4]),
        };
        drop(layer.forward(matrix(s[0], s[1], &pool).view(), &pool));
    }),
    (
        "Linear::backward",
        &['n', 'n', 'i', 'i', 'o', 'o', 'i', 'o', 'o'],
        |s| {
            let pool = Pool::new();
            let layer = Linear {
                weight: Array2::ones((s[4], s[3])),
                bias: Array1::ones(s[4]),
            };
            let mut grad = Linear {
                weight: Array2::zeros((s[7], s[6])),
                bias: Array1::zeros(s[8]),
            };
            let (x, dy) = (matrix(s[0], s[2], &pool), matrix(s[1], s[5], &pool));
            drop(layer.backward(dy.view(), x.view(), &mut grad, &pool));
        },
    ),
    ("LayerNorm::forward", &['h', 'h', 'h'], |s| {
        let pool = Pool::new();
        let layer = LayerNorm {
            weight: Array1::ones(s[1]),
            bias: Array1::ones(s[2]),
        };
        drop(layer.forward(matrix(3, s[0], &pool), 1e-5, &pool));
    }),
    ("LayerNorm::infer", &['h', 'h', 'h'], |s| {
        let layer = LayerNorm {
            weight: Array1::ones(s[1]),
            bias: Array1::ones(s[2]),
        };
        drop(layer.infer(matrix(3, s[0], &Pool::new()), 1e-5));
    }),
    ("LayerNorm::infer_residual", &['n', 'n', 'h', 'h', 'h'], |s| {
        let pool = Pool::new();
        let layer = LayerNorm {
            weight: Array1::ones(s[4]),
            bias: Array1::ones(s[4]),
        };
        drop(layer.infer_residual(matrix(s[0], s[2], &pool), &matrix(s[1], s[3], &pool), 1e-5));
    }),
    ("LayerNorm::backward", &['n', 'n', 'h', 'h', 'h'], |s| {
        let pool = Pool::new();
        let layer = LayerNorm {
            weight: Array1::ones(s[2]),
            bias: Array1::ones(s[2]),
        };
        let (_, cache) = layer.forward(matrix(s[0], s[2], &pool), 1e-5, &pool);
        drop(layer.backward(
            &matrix(s[1], s[3], &pool),
            &cache,
            &mut LayerNorm::zeros(s[4]),
            &pool,
        ));
    }),
    ("LayerNorm::backward_residual", &['n', 'n', 'n', 'h', 'h'], |s| {
        let pool = Pool::new();
        let layer = LayerNorm {
            weight: Array1::ones(s[3]),
            bias: Array1::ones(s[3]),
        };
        let (_, cache) = layer.forward(matrix(s[0], s[3], &pool), 1e-5, &pool);
        let (dy, keys) = (matrix(s[1], s[4], &pool), vec![1; s[2]]);
        let mask = (Mask::new(1, 0.5), &keys[..]);
        drop(layer.backward_residual(&dy, &cache, mask, &mut LayerNorm::zeros(s[3]), &pool));
    }),
    ("Embedding::forward", &['n', 'n', 'h', 'h'], |s| {
        let table = Embedding {
            weight: Array2::<f64>::ones((5, s[2])),
        };
        table.forward(&vec![1; s[0]], &mut matrix(s[1], s[3], &Pool::new()));
    }),
    ("Embedding::backward", &['n', 'n', 'h', 'h'], |s| {
        let dy = matrix(s[1], s[2], &Pool::new());
        Embedding::backward(&vec![1; s[0]], dy.view(), None, &mut Embedding::zeros(5, s[3]));
    }),
    ("activation::forward", &['h', 'h'], |s| {
        let pool = Pool::new();
        drop(activation::forward(
            Activation::Gelu,
            matrix(3, s[0], &pool),
            &Array1::ones(s[1]),
            &pool,
        ));
    }),
    ("activation::backward", &['n', 'n', 'h', 'h'], |s| {
        let pool = Pool::new();
        let bias = Array1::ones(s[2]);
        let (_, cache) = activation::forward(Activation::Gelu, matrix(s[0], s[2], &pool), &bias, &pool);
        drop(activation::backward(matrix(s[1], s[3], &pool), &cache));
    }),
    (
        "attention::forward",
        &['n', 'n', 'n', 'n', 'n', 'n', 'h', 'h', 'h'],
        |s| {
            let pool = Pool::new();
            let of = |rows: usize, columns: usize| matrix(rows, 2 * columns, &pool);
            let spans = Spans {
                queries: vec![0, 1, s[3]],
                keys: vec![0, 1, s[4]],
            };
            let qkv = (of(s[0], s[6]), of(s[1], s[7]), of(s[2], s[8]));
            drop(attention::forward(
                qkv,
                &spans,
                2,
                Mask::new(1, 0.5),
                &vec![1; s[5]],
                &pool,
            ));
        },
    ),
    (
        "attention::infer",
        &['n', 'n', 'n', 'n', 'n', 'h', 'h', 'h'],
        |s| {
            let pool = Pool::new();
            let of = |rows: usize, columns: usize| matrix(rows, 2 * columns, &pool);
            let spans = Spans {
                queries: vec![0, 1, s[3]],
                keys: vec![0, 1, s[4]],
            };
            drop(attention::infer(
                (of(s[0], s[5]), of(s[1], s[6]), of(s[2], s[7])),
                &spans,
                2,
                &pool,
            ));
        },
    ),
    ("attention::backward", &['n', 'n', 'n', 'n', 'h', 'h'], |s| {
        let pool = Pool::new();
        let of = |rows: usize, columns: usize| matrix(rows, 2 * columns, &pool);
        let there = Spans::all_tokens(&[0, 1, s[0]]);
        let qkv = (of(s[0], s[4]), of(s[0], s[4]), of(s[0], s[4]));
        let (_, cache) = attention::forward(qkv, &there, 2, Mask::OFF, &vec![1; s[0]], &pool);
        let (dy, back) = (of(s[1], s[5]), Spans::all_tokens(&[0, 1, s[2]]));
        drop(attention::backward(
            dy.view(),
            &cache,
            &back,
            2,
            Mask::OFF,
            &vec![1; s[3]],
            &pool,
        ));
    }),
    ("cross_entropy", &['n', 'n', 'h', 'h'], |s| {
        let pool = Pool::new();
        let criterion = Criterion {
            smoothing: 0.1,
            weights: Some(vec![0.5; s[3]]),
        };
        let (z, labels) = (matrix(s[0], s[2], &pool), vec![1; s[1]]);
        drop(cross_entropy(z.view(), &labels, &criterion, 1.0, &pool));
    }),
    ("cross_entropy_of_some", &['n', 'n', 'h', 'h'], |s| {
        let pool = Pool::new();
        let criterion = Criterion {
            smoothing: 0.0,
            weights: Some(vec![0.5; s[3]]),
        };
        let (z, labels) = (matrix(s[0], s[2], &pool), vec![Some(1); s[1]]);
        drop(cross_entropy_of_some(z.view(), &labels, &criterion, 1.0, &pool));
    }),
    ("binary_cross_entropy", &['n', 'n', 'h', 'h'], |s| {
        let pool = Pool::new();
        let targets = Array2::ones((s[1], s[3]));
        let z = matrix(s[0], s[2], &pool);
        drop(binary_cross_entropy(z.view(), targets.view(), 1.0, &pool));
    }),
    ("mean_squared_error", &['n', 'n', 'h', 'h'], |s| {
        let pool = Pool::new();
        let targets = Array2::ones((s[1], s[3]));
        drop(mean_squared_error(
            matrix(s[0], s[2], &pool).view(),
            targets.view(),
            1.0,
            &pool,
        ));
    }),
    ("AdamW::step", &['n', 'n', 'n'], |s| {
        let mut optimiser = AdamW::<f64>::new(SETTINGS, [s[0]]);
        let (mut value, mut grad) = (vec![1.0; s[1]], vec![1.0; s[2]]);
        let update = ParamUpdate {
            value: &mut value,
            grad: &mut grad,
            decay: true,
            lr_factor: 1.0,
            frozen: false,
        };
        optimiser.step(0.1, vec![update]);
    }),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn one_wrong_size_panics(sizes in prop::collection::vec(2_usize..7, 4), other in 1_usize..8, at in any::<prop::sample::Index>()) {
        for (name, classes, call) in SUBJECTS {
            let size = |class: &char| sizes[['n', 'i', 'o', 'h'].iter().position(|c| c == class).expect("a class")];
            let mut right: Sizes = classes.iter().map(size).collect();
            prop_assert!(goes_well(|| call(&right)), "{} {:?}", name, right);
            let at = at.index(classes.len());
            if right[at] != other && classes.iter().filter(|class| **class == classes[at]).count() > 1 {
                right[at] = other;
                prop_assert!(!goes_well(|| call(&right)), "{} {:?}: size {} is wrong", name, right, at);
            }
        }
    }
}

/// A width that the heads cannot share is an error of the configuration, and a panic of whoever ignores it.
#[test]
fn shapes_that_no_model_can_have() {
    let config: ModelConfig = small_config(Family::Bert, Problem::Classification, Activation::Gelu);
    assert_eq!(config.validate(), Ok(()));
    let wrong: [(&str, Change); 8] = [
        (
            "`hidden_size` 6 is not divisible by `num_attention_heads` 4",
            |c| {
                (c.hidden_size, c.num_attention_heads) = (6, 4);
            },
        ),
        ("`num_attention_heads` is 0", |c| c.num_attention_heads = 0),
        ("`hidden_dropout_prob` is 1", |c| c.hidden_dropout_prob = 1.0),
        ("`classifier_dropout` is NaN", |c| {
            c.classifier_dropout = Some(f64::NAN);
        }),
        ("`layer_norm_eps` is 0", |c| c.layer_norm_eps = 0.0),
        ("`num_labels` is 0", |c| c.labels.clear()),
        ("`pad_token_id` 4000000000 is not below", |c| {
            c.pad_token_id = 4_000_000_000;
        }),
        ("`vocab_size` is 0", |c| c.vocab_size = 0),
    ];
    for (message, change) in wrong {
        let mut config = config.clone();
        change(&mut config);
        let found = config.validate().expect_err(message);
        assert!(found.contains(message), "{found}");
        assert!(
            !goes_well(|| drop(SequenceClassifier::<f64>::zeros(&config))),
            "{message}"
        );
    }
    // A model of one shape, asked with another.
    let model = SequenceClassifier::<f64>::zeros(&config);
    let mut other = config.clone();
    other.num_attention_heads = config.hidden_size - 1;
    let batch = Batch::pack([(&[1, 2, 3][..], &[0, 0, 0][..])], 0);
    let pool = Pool::new();
    assert!(goes_well(|| drop(model.infer(&config, &batch, &pool))));
    assert!(!goes_well(|| drop(model.infer(&other, &batch, &pool))));
    assert!(!goes_well(|| drop(model.forward(
        &other,
        &batch,
        Noise::Off,
        Tokens::All,
        &pool
    ))));
}
