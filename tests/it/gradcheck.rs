//! Every backward pass against a central difference in `f64`.
//!
//! For each tensor by itself — every input and every parameter — draw a random direction `v` and compare the
//! derivative along it: `⟨grad, v⟩` from the backward pass, and from the forward pass alone the five-point difference
//! `(f(−2h) − 8 f(−h) + 8 f(h) − f(2h)) / 12h`, whose error is of order `h⁴`. For a standard normal `v` the size of
//! `⟨grad, v⟩` is `‖grad‖`, so errors are relative to that.

use cwgnc::model::{
    Activation, Batch, Family, ModelConfig, Noise, Problem, SequenceClassifier, Targets, Tokens, classifier,
    init,
};
use cwgnc::nn::activation;
use cwgnc::nn::attention::{self, Spans};
use cwgnc::nn::binary_cross_entropy::binary_cross_entropy;
use cwgnc::nn::cross_entropy::{Criterion, cross_entropy, cross_entropy_of_some};
use cwgnc::nn::dropout::{self, Mask};
use cwgnc::nn::embedding::Embedding;
use cwgnc::nn::layer_norm::LayerNorm;
use cwgnc::nn::linear::Linear;
use cwgnc::nn::mean_squared_error::mean_squared_error;
use cwgnc::param::ParamTree;
use cwgnc::pool::{Buffer, Pool};
use cwgnc::random;
use ndarray::{Array1, Array2, ArrayD, ArrayView2, Axis, Ix1, Ix2, IxDyn, arr2};
use ndarray_rand::rand_distr::{Distribution, StandardNormal};

/// The largest relative error allowed; the differences themselves are good to about 1e-11.
const TOLERANCE: f64 = 1e-8;

/// The step of the difference: rounding contributes about `2⁻⁵³ / h = 5e-12`, truncation `h⁴` times a fifth derivative,
/// which LayerNorm makes large.
const H: f64 = 2e-5;

/// A gradient below this part of the mean norm is zero but for rounding and is measured against the mean.
const ZERO: f64 = 1e-9;

pub(crate) type Value = (String, ArrayD<f64>);

pub(crate) fn normal(name: &str, shape: &[usize], scale: f64) -> Value {
    let mut rng = random::stream(5, name, 0);
    let draw = |_| scale * Distribution::<f64>::sample(&StandardNormal, &mut rng);
    let len = shape.iter().product();
    (
        name.to_owned(),
        ArrayD::from_shape_vec(IxDyn(shape), (0..len).map(draw).collect()).expect("a shape"),
    )
}

fn matrix(x: &ArrayD<f64>) -> Array2<f64> {
    x.clone().into_dimensionality::<Ix2>().expect("a matrix")
}

fn vector(x: &ArrayD<f64>) -> Array1<f64> {
    x.clone().into_dimensionality::<Ix1>().expect("a vector")
}

fn inner(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    (a * b).sum()
}

/// `f` gives a number and its gradient with respect to each of `values`.
#[track_caller]
pub(crate) fn check(what: &str, values: &[Value], f: impl Fn(&[ArrayD<f64>]) -> (f64, Vec<ArrayD<f64>>)) {
    let at: Vec<ArrayD<f64>> = values.iter().map(|(_, x)| x.clone()).collect();
    let (_, grads) = f(&at);
    let norms: Vec<f64> = grads.iter().map(|g| inner(g, g).sqrt()).collect();
    let mean = norms.iter().sum::<f64>() / norms.len() as f64;
    assert!(mean > 0.0, "{what}: some gradient");
    for (i, (name, x)) in values.iter().enumerate() {
        let v = normal(&format!("direction {name}"), x.shape(), 1.0).1;
        let moved = |t: f64| {
            let mut at = at.clone();
            at[i].scaled_add(t, &v);
            f(&at).0
        };
        let numeric = (moved(-2.0 * H) - 8.0 * moved(-H) + 8.0 * moved(H) - moved(2.0 * H)) / (12.0 * H);
        let analytic = inner(&grads[i], &v);
        let scale = if norms[i] < ZERO * mean { mean } else { norms[i] };
        let error = (analytic - numeric).abs() / scale;
        assert!(
            error <= TOLERANCE,
            "{what}, {name}: analytic {analytic:e}, numeric {numeric:e}, relative error {error:e}"
        );
    }
}

/// A fixed cotangent `u`, and `⟨u, y⟩`: what turns an output into a number.
fn weigh(y: ArrayView2<'_, f64>) -> (f64, Array2<f64>) {
    let u = matrix(&normal("cotangent", y.shape(), 1.0).1);
    ((&u * &y).sum(), u)
}

fn owned(x: &Buffer<f64>) -> ArrayD<f64> {
    (**x).clone().into_dyn()
}

fn linear() {
    let values = [
        normal("x", &[5, 3], 1.0),
        normal("W", &[4, 3], 1.0),
        normal("b", &[4], 1.0),
    ];
    check("linear", &values, |v| {
        let (pool, layer) = (
            Pool::new(),
            Linear {
                weight: matrix(&v[1]),
                bias: vector(&v[2]),
            },
        );
        let x = matrix(&v[0]);
        let (value, dy) = weigh(layer.forward(x.view(), &pool).view());
        let mut grad = Linear::zeros(3, 4);
        let dx = layer.backward(dy.view(), x.view(), &mut grad, &pool);
        (
            value,
            vec![owned(&dx), grad.weight.into_dyn(), grad.bias.into_dyn()],
        )
    });
}

fn layer_norm() {
    let values = [
        normal("x", &[5, 7], 2.0),
        normal("gamma", &[7], 1.0),
        normal("beta", &[7], 1.0),
    ];
    for eps in [1e-12, 0.5] {
        check("layer_norm", &values, |v| {
            let (pool, layer) = (
                Pool::new(),
                LayerNorm {
                    weight: vector(&v[1]),
                    bias: vector(&v[2]),
                },
            );
            let (y, cache) = layer.forward(pool.copy(matrix(&v[0]).view()), eps, &pool);
            let (value, dy) = weigh(y.view());
            let mut grad = LayerNorm::zeros(7);
            let dx = layer.backward(&pool.copy(dy.view()), &cache, &mut grad, &pool);
            (
                value,
                vec![owned(&dx), grad.weight.into_dyn(), grad.bias.into_dyn()],
            )
        });
    }
    layer_norm_residual();
}

/// LayerNorm(x ⊙ m + r): the gradients of both ways.
fn layer_norm_residual() {
    let values = [
        normal("x", &[5, 7], 2.0),
        normal("r", &[5, 7], 2.0),
        normal("gamma", &[7], 1.0),
        normal("beta", &[7], 1.0),
    ];
    for mask in [Mask::OFF, Mask::new(3, 0.4)] {
        check("layer_norm_residual", &values, |v| {
            let (pool, dropout) = (Pool::new(), (mask, &[10, 11, 12, 13, 14][..]));
            let layer = LayerNorm {
                weight: vector(&v[2]),
                bias: vector(&v[3]),
            };
            let [x, r] = [0, 1].map(|i| pool.copy(matrix(&v[i]).view()));
            let (y, cache) = layer.forward_residual(x, &r, dropout, 0.5, &pool);
            let (value, dy) = weigh(y.view());
            let mut grad = LayerNorm::zeros(7);
            let dy = pool.copy(dy.view());
            let (dx, dr) = layer.backward_residual(&dy, &cache, dropout, &mut grad, &pool);
            (
                value,
                vec![
                    owned(&dx),
                    owned(&dr),
                    grad.weight.into_dyn(),
                    grad.bias.into_dyn(),
                ],
            )
        });
    }
}

fn activations() {
    for phi in [
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Silu,
    ] {
        // No element of this draw lies within 2h|v| of 0, where ReLU has no derivative: the check would fail there.
        let values = [normal("x", &[4, 6], 2.0), normal("b", &[6], 1.0)];
        check(&format!("{phi:?}"), &values, |v| {
            let (pool, bias) = (Pool::new(), vector(&v[1]));
            let (y, cache) = activation::forward(phi, pool.copy(matrix(&v[0]).view()), &bias, &pool);
            let (value, dy) = weigh(y.view());
            let dx = activation::backward(pool.copy(dy.view()), &cache);
            let db = dx.sum_axis(Axis(0));
            (value, vec![owned(&dx), db.into_dyn()])
        });
    }
}

fn dropout_layer() {
    for mask in [Mask::OFF, Mask::new(3, 0.4)] {
        check("dropout", &[normal("x", &[6, 9], 1.0)], |v| {
            let (pool, keys) = (Pool::new(), [10, 11, 12, 13, 14, 15]);
            let mut y = pool.copy(matrix(&v[0]).view());
            dropout::apply(&mut y, mask, &keys);
            let (value, dy) = weigh(y.view());
            let mut dx = pool.copy(dy.view());
            dropout::apply(&mut dx, mask, &keys);
            (value, vec![owned(&dx)])
        });
    }
}

fn embedding() {
    let ids = [3, 1, 3, 0, 2, 3];
    for padding in [None, Some(3)] {
        let table = normal("W", &[5, 4], 1.0);
        check("embedding", std::slice::from_ref(&table), |v| {
            let mut weight = matrix(&v[0]);
            if let Some(row) = padding {
                // The padding row is a constant: put the original back, so that the difference sees none either.
                weight
                    .row_mut(row as usize)
                    .assign(&matrix(&table.1).row(row as usize));
            }
            let mut y = Pool::new().zeros(ids.len(), 4);
            Embedding { weight }.forward(&ids, &mut y);
            let (value, dy) = weigh(y.view());
            let mut grad = Embedding::zeros(5, 4);
            Embedding::backward(&ids, dy.view(), padding, &mut grad);
            (value, vec![grad.weight.into_dyn()])
        });
    }
}

fn attention_layer() {
    let offsets = [0, 4, 5, 8];
    for spans in [Spans::all_tokens(&offsets), Spans::first_tokens(&offsets)] {
        let m = spans.queries[3];
        for mask in [Mask::OFF, Mask::new(9, 0.3)] {
            let values = [
                normal("Q", &[m, 6], 1.0),
                normal("K", &[8, 6], 1.0),
                normal("V", &[8, 6], 1.0),
            ];
            check("attention", &values, |v| {
                let (pool, keys) = (Pool::new(), (0..m as u64).collect::<Vec<_>>());
                let buffers = || [0, 1, 2].map(|i| pool.copy(matrix(&v[i]).view()));
                let [q, k, w] = buffers();
                let (y, cache) = attention::forward((q, k, w), &spans, 2, mask, &keys, &pool);
                let (value, dy) = weigh(y.view());
                let (dq, dk, dv) = attention::backward(dy.view(), &cache, &spans, 2, mask, &keys, &pool);
                (value, vec![owned(&dq), owned(&dk), owned(&dv)])
            });
        }
    }
}

fn cross_entropy_loss() {
    for criterion in criteria(4) {
        let what = format!("cross_entropy {criterion:?}");
        check(&what, &[normal("z", &[3, 4], 3.0)], |v| {
            let z = matrix(&v[0]);
            let (value, dz) = cross_entropy(z.view(), &[2, 0, 3], &criterion, 5.0, &Pool::new());
            (value, vec![owned(&dz)])
        });
        check(&what, &[normal("z", &[3, 4], 3.0)], |v| {
            let (z, labels) = (matrix(&v[0]), [Some(2), None, Some(3)]);
            let (value, dz) = cross_entropy_of_some(z.view(), &labels, &criterion, 5.0, &Pool::new());
            assert!(dz.row(1).iter().all(|&dz| dz == 0.0));
            (value, vec![owned(&dz)])
        });
    }
}

/// Plain, smoothed, weighted, and both, for so many classes.
fn criteria(classes: usize) -> [Criterion; 4] {
    let weights: Vec<f64> = (0..classes).map(|class| 0.3 + 1.1 * class as f64).collect();
    [(0.0, false), (0.2, false), (0.0, true), (0.3, true)].map(|(smoothing, weighted)| Criterion {
        smoothing,
        weights: weighted.then(|| weights.clone()),
    })
}

fn mean_squared_error_loss() {
    let targets = matrix(&normal("targets", &[3, 2], 1.0).1);
    check("mean_squared_error", &[normal("z", &[3, 2], 3.0)], |v| {
        let (value, dz) = mean_squared_error(matrix(&v[0]).view(), targets.view(), 5.0, &Pool::new());
        (value, vec![owned(&dz)])
    });
}

fn binary_cross_entropy_loss() {
    let targets = arr2(&[[1.0, 0.0], [0.0, 0.0], [1.0, 0.25]]);
    check("binary_cross_entropy", &[normal("z", &[3, 2], 3.0)], |v| {
        let (value, dz) = binary_cross_entropy(matrix(&v[0]).view(), targets.view(), 5.0, &Pool::new());
        (value, vec![owned(&dz)])
    });
}

/// One check for each file of `src/nn`.
const LAYERS: [(&str, fn()); 9] = [
    ("activation", activations),
    ("attention", attention_layer),
    ("binary_cross_entropy", binary_cross_entropy_loss),
    ("cross_entropy", cross_entropy_loss),
    ("dropout", dropout_layer),
    ("embedding", embedding),
    ("layer_norm", layer_norm),
    ("linear", linear),
    ("mean_squared_error", mean_squared_error_loss),
];

#[test]
fn every_layer() {
    for (_, check) in LAYERS {
        check();
    }
}

#[test]
fn every_file_of_nn_is_in_the_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/nn");
    let entries = std::fs::read_dir(folder).expect("src/nn");
    let names = entries.map(|entry| entry.expect("an entry").path());
    let names = names.filter(|path| path.is_file());
    let mut files: Vec<String> = names
        .map(|path| {
            path.file_stem()
                .expect("a file name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.retain(|name| name != "mod");
    files.sort();
    assert_eq!(files, LAYERS.map(|(name, _)| name));
}

/// A small model's shape; every rate and size differs, so that no two can be confused.
pub(crate) fn small_config(family: Family, problem: Problem, hidden_act: Activation) -> ModelConfig {
    let labels = if problem == Problem::Regression { 1 } else { 3 };
    ModelConfig {
        family,
        vocab_size: 13,
        hidden_size: 6,
        num_hidden_layers: 3,
        num_attention_heads: 2,
        intermediate_size: 10,
        hidden_act,
        hidden_dropout_prob: 0.2,
        attention_probs_dropout_prob: 0.3,
        classifier_dropout: Some(0.25),
        max_position_embeddings: 9,
        type_vocab_size: 2,
        layer_norm_eps: 1e-5,
        initializer_range: 0.5,
        pad_token_id: 1,
        problem,
        labels: (0..labels).map(|i| format!("LABEL_{i}")).collect(),
    }
}

/// Three sequences of 4, 1 and 6 tokens.
pub(crate) fn small_batch() -> Batch {
    let (ids, types) = (
        vec![5, 2, 12, 2, 0, 7, 3, 3, 11, 2, 4],
        [0, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1],
    );
    let spans = [0..4, 4..5, 5..11];
    Batch::pack(spans.map(|span| (&ids[span.clone()], &types[span])), 7)
}

/// The whole model: the loss as a function of every parameter tensor.
fn model(config: &ModelConfig, targets: &Targets, criterion: &Criterion, noise: Noise, tokens: Tokens) {
    let mut start = SequenceClassifier::<f64>::zeros(config);
    init::initialise(&mut start, config.initializer_range, 3, |_| true);
    let values: Vec<Value> = start
        .params()
        .into_iter()
        // Away from the special values 0 and 1 that biases and LayerNorms start from.
        .map(|(name, x)| (name.clone(), &x + &normal(&name, x.shape(), 0.3).1))
        .collect();
    let what = format!("{:?} {:?} {noise:?} {tokens:?}", config.family, config.hidden_act);
    check(&what, &values, |v| {
        let (pool, batch) = (Pool::new(), small_batch());
        let mut model = start.clone();
        for ((_, mut param), v) in model.params_mut().into_iter().zip(v) {
            param.assign(v);
        }
        let (z, cache) = model.forward(config, &batch, noise, tokens, &pool);
        let (value, dz) = classifier::loss(z.view(), targets, criterion, 3.0, &pool);
        let mut grad = SequenceClassifier::zeros(config);
        model.backward(config, &batch, dz.view(), &cache, &mut grad, &pool);
        (
            value,
            grad.params().into_iter().map(|(_, g)| g.to_owned()).collect(),
        )
    });
}

#[test]
fn whole_models() {
    let noise = Noise::Step { seed: 1, step: 2 };
    for family in [Family::Bert, Family::Roberta] {
        for hidden_act in [Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
            let classes = Targets::Classes(vec![2, 0, 1]);
            let config = small_config(family, Problem::Classification, hidden_act);
            for (noise, tokens) in [
                (Noise::Off, Tokens::First),
                (noise, Tokens::First),
                (noise, Tokens::All),
            ] {
                model(&config, &classes, &Criterion::default(), noise, tokens);
            }
            let [.., both] = criteria(3);
            model(&config, &classes, &both, noise, Tokens::First);
            let labels = Targets::Labels(arr2(&[[1.0, 0.0, 1.0], [0.0; 3], [0.0, 1.0, 1.0]]));
            model(
                &small_config(family, Problem::MultiLabel, hidden_act),
                &labels,
                &Criterion::default(),
                noise,
                Tokens::First,
            );
            // 4, 1 and 6 tokens, of which five have a tag; the total of three stands for a part of a step.
            let tags = [
                Some(1),
                None,
                Some(0),
                None,
                Some(2),
                None,
                Some(2),
                None,
                Some(0),
                None,
                None,
            ];
            for tokens in [Tokens::First, Tokens::All] {
                model(
                    &small_config(family, Problem::Tokens, hidden_act),
                    &Targets::Tags(tags.to_vec()),
                    &both,
                    noise,
                    tokens,
                );
            }
            let values =
                Targets::Values(Array2::from_shape_vec((3, 1), vec![0.5, -1.0, 2.0]).expect("a shape"));
            model(
                &small_config(family, Problem::Regression, hidden_act),
                &values,
                &Criterion::default(),
                noise,
                Tokens::First,
            );
        }
    }
}
