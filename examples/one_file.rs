//! A whole fine-tuning in one file: plain loops over `Vec<f64>`, every backward pass under its forward pass.
//!
//! The library reads the built-in encoder, makes tokens of its sentences and draws the fresh weights; all else is here:
//! BERT's embeddings, layers and head, the loss, component-wise clipping, AdamW. Sequences pass one by one, so there is no
//! padding and no attention mask. No threads, no traits, no dropout: it is slow, and made to be read. A test holds its losses
//! and weights to those of the library (`tests/it/one_file.rs`).
//!
//! `cargo run --release --example one_file` runs it. `dy` is the gradient of the loss by `y`. A matrix of activations has one
//! row for each token.

#![expect(clippy::print_stdout, reason = "it is an example")]
#![expect(clippy::needless_range_loop, reason = "indices as in the equations")]

use cwgnc::builtin::Builtin;
use cwgnc::checkpoint::{self, Purpose};
use cwgnc::data::TextEncoder;
use cwgnc::model::{ModelConfig, SequenceClassifier, Target, init};
use cwgnc::param::ParamTree;
use std::collections::BTreeMap;
use std::error::Error;
use std::f64::consts::PI;
use std::path::Path;

/// Numbers row by row. A vector is one row.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub(crate) cols: usize,
    pub(crate) x: Vec<f64>,
}

impl Matrix {
    fn zeros(rows: usize, cols: usize) -> Self {
        let x = vec![0.0; rows * cols];
        Self { cols, x }
    }

    fn rows(&self) -> usize {
        self.x.len() / self.cols
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.x[i * self.cols..(i + 1) * self.cols]
    }

    fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.x[i * self.cols..(i + 1) * self.cols]
    }

    fn plus(mut self, other: &Self) -> Self {
        add(&mut self.x, 1.0, &other.x);
        self
    }
}

/// Parameters by Hugging Face's names, or their gradients.
pub(crate) type Params = BTreeMap<String, Matrix>;

fn at<'a>(of: &'a mut Params, name: &str, part: &str) -> &'a mut Matrix {
    of.get_mut(&format!("{name}.{part}")).expect("a parameter")
}

/// The weight and the bias of a layer.
fn pair<'a>(p: &'a Params, name: &str) -> (&'a Matrix, &'a [f64]) {
    (&p[&format!("{name}.weight")], &p[&format!("{name}.bias")].x)
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// `y ← y + k x`.
fn add(y: &mut [f64], k: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += k * x;
    }
}

/// Linear layer: `y = x Wᵀ + b`. `W` has one row for each output.
fn linear(x: &Matrix, p: &Params, name: &str) -> Matrix {
    let (w, b) = pair(p, name);
    let mut y = Matrix::zeros(x.rows(), b.len());
    for t in 0..x.rows() {
        for o in 0..b.len() {
            y.row_mut(t)[o] = b[o] + dot(x.row(t), w.row(o));
        }
    }
    y
}

/// `dW += dyᵀ x`, `db += Σ_t dy_t`; returns `dx = dy W`.
fn linear_backward(dy: &Matrix, x: &Matrix, p: &Params, grad: &mut Params, name: &str) -> Matrix {
    let (w, _) = pair(p, name);
    let mut dx = Matrix::zeros(x.rows(), x.cols);
    for t in 0..x.rows() {
        add(&mut at(grad, name, "bias").x, 1.0, dy.row(t));
        let dw = at(grad, name, "weight");
        for o in 0..dy.cols {
            add(dw.row_mut(o), dy.row(t)[o], x.row(t));
            add(dx.row_mut(t), dy.row(t)[o], w.row(o));
        }
    }
    dx
}

/// What the backward pass of a LayerNorm needs: `x̂`, and `1/√(σ² + ε)` of each row.
type Normalised = (Matrix, Vec<f64>);

/// LayerNorm: `x̂ = (x − μ) / √(σ² + ε)`, `y = γ x̂ + β`; `μ` and `σ²` are mean and variance of the row.
fn layer_norm(x: &Matrix, p: &Params, name: &str, eps: f64) -> (Matrix, Normalised) {
    let (gamma, beta) = pair(p, name);
    let (h, mut hat, mut y) = (x.cols as f64, x.clone(), x.clone());
    let mut inverse = Vec::new();
    for t in 0..x.rows() {
        let mean = x.row(t).iter().sum::<f64>() / h;
        let variance = x.row(t).iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / h;
        inverse.push(1.0 / (variance + eps).sqrt());
        for j in 0..x.cols {
            hat.row_mut(t)[j] = (x.row(t)[j] - mean) * inverse[t];
            y.row_mut(t)[j] = gamma.x[j] * hat.row(t)[j] + beta[j];
        }
    }
    (y, (hat, inverse))
}

/// `dγ += Σ_t dy x̂`, `dβ += Σ_t dy`; with `g = γ dy`: `dx = (g − mean(g) − x̂ mean(g x̂)) / √(σ² + ε)`.
fn layer_norm_backward(
    dy: &Matrix,
    (hat, inverse): &Normalised,
    p: &Params,
    grad: &mut Params,
    name: &str,
) -> Matrix {
    let (gamma, _) = pair(p, name);
    let (h, mut dx) = (dy.cols as f64, Matrix::zeros(dy.rows(), dy.cols));
    for t in 0..dy.rows() {
        let (dy, hat) = (dy.row(t), hat.row(t));
        let g: Vec<f64> = dy.iter().zip(&gamma.x).map(|(dy, gamma)| dy * gamma).collect();
        let (mean, mean_hat) = (g.iter().sum::<f64>() / h, dot(&g, hat) / h);
        for j in 0..dy.len() {
            dx.row_mut(t)[j] = (g[j] - mean - hat[j] * mean_hat) * inverse[t];
            at(grad, name, "weight").x[j] += dy[j] * hat[j];
        }
        add(&mut at(grad, name, "bias").x, 1.0, dy);
    }
    dx
}

/// `Φ(x)`, the distribution function of the standard normal distribution.
fn cdf(x: f64) -> f64 {
    0.5 * (1.0 + libm::erf(x / 2_f64.sqrt()))
}

/// GELU: `y = x Φ(x)`.
fn gelu(x: &Matrix) -> Matrix {
    let y = x.x.iter().map(|x| x * cdf(*x)).collect();
    Matrix { cols: x.cols, x: y }
}

/// `dx = dy (Φ(x) + x ϕ(x))` with the density `ϕ(x) = exp(−x²/2) / √(2π)`.
fn gelu_backward(dy: &Matrix, x: &Matrix) -> Matrix {
    let slope = |x: f64| cdf(x) + x * libm::exp(-0.5 * x * x) / (2.0 * PI).sqrt();
    let dx = dy.x.iter().zip(&x.x).map(|(dy, x)| dy * slope(*x)).collect();
    Matrix { cols: x.cols, x: dx }
}

/// In place: `p_j = exp(s_j − max) / Σ exp(s − max)`.
fn softmax(s: &mut [f64]) {
    let largest = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for s in &mut *s {
        *s = libm::exp(*s - largest);
    }
    let sum: f64 = s.iter().sum();
    for s in s {
        *s /= sum;
    }
}

/// Attention, for each head on its `d` columns: `S = Q Kᵀ / √d`, `P = softmax(S)` by rows, `C = P V`. Returns `C` and all `P`.
fn attention([q, k, v]: [&Matrix; 3], heads: usize) -> (Matrix, Vec<Matrix>) {
    let (n, d) = (q.rows(), q.cols / heads);
    let (mut c, mut all) = (Matrix::zeros(n, q.cols), Vec::new());
    for head in 0..heads {
        let own = head * d..(head + 1) * d;
        let mut p = Matrix::zeros(n, n);
        for i in 0..n {
            for j in 0..n {
                p.row_mut(i)[j] = dot(&q.row(i)[own.clone()], &k.row(j)[own.clone()]) / (d as f64).sqrt();
            }
            softmax(p.row_mut(i));
            for j in 0..n {
                add(
                    &mut c.row_mut(i)[own.clone()],
                    p.row(i)[j],
                    &v.row(j)[own.clone()],
                );
            }
        }
        all.push(p);
    }
    (c, all)
}

/// `dV = Pᵀ dC`, `dP = dC Vᵀ`, `dS_ij = P_ij (dP_ij − Σ_k dP_ik P_ik)`, `dQ = dS K / √d`, `dK = dSᵀ Q / √d`; `ds` is
/// `dS_ij / √d`.
fn attention_backward(dc: &Matrix, [q, k, v]: [&Matrix; 3], all: &[Matrix]) -> [Matrix; 3] {
    let (n, d) = (q.rows(), q.cols / all.len());
    let [mut dq, mut dk, mut dv] = [(); 3].map(|()| Matrix::zeros(n, q.cols));
    for (head, p) in all.iter().enumerate() {
        let own = head * d..(head + 1) * d;
        for i in 0..n {
            let dc = &dc.row(i)[own.clone()];
            let dp: Vec<f64> = (0..n).map(|j| dot(dc, &v.row(j)[own.clone()])).collect();
            let sum = dot(&dp, p.row(i));
            for j in 0..n {
                let ds = p.row(i)[j] * (dp[j] - sum) / (d as f64).sqrt();
                add(&mut dv.row_mut(j)[own.clone()], p.row(i)[j], dc);
                add(&mut dq.row_mut(i)[own.clone()], ds, &k.row(j)[own.clone()]);
                add(&mut dk.row_mut(j)[own.clone()], ds, &q.row(i)[own.clone()]);
            }
        }
    }
    [dq, dk, dv]
}

const PARTS: [&str; 8] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];

fn parts(i: usize) -> [String; 8] {
    PARTS.map(|part| format!("bert.encoder.layer.{i}.{part}"))
}

/// What the backward pass of a layer needs.
struct LayerCache {
    x: Matrix,
    qkv: [Matrix; 3],
    p: Vec<Matrix>,
    c: Matrix,
    first: Normalised,
    a: Matrix,
    wide: Matrix,
    active: Matrix,
    second: Normalised,
}

/// Encoder layer: `a = LN(x + C Wₒᵀ + bₒ)`, `y = LN(a + gelu(a W₁ᵀ + b₁) W₂ᵀ + b₂)`.
fn layer(x: Matrix, p: &Params, config: &ModelConfig, i: usize) -> (Matrix, LayerCache) {
    let [q, k, v, o, norm, up, down, last] = &parts(i);
    let qkv = [q, k, v].map(|name| linear(&x, p, name));
    let (c, probabilities) = attention(qkv.each_ref(), config.num_attention_heads);
    let (a, first) = layer_norm(&linear(&c, p, o).plus(&x), p, norm, config.layer_norm_eps);
    let wide = linear(&a, p, up);
    let active = gelu(&wide);
    let (y, second) = layer_norm(&linear(&active, p, down).plus(&a), p, last, config.layer_norm_eps);
    #[rustfmt::skip]
    let cache = LayerCache { x, qkv, p: probabilities, c, first, a, wide, active, second };
    (y, cache)
}

/// The same from the end to the beginning; each term of a sum gets the gradient of the sum.
fn layer_backward(dy: &Matrix, of: &LayerCache, p: &Params, grad: &mut Params, i: usize) -> Matrix {
    let [q, k, v, o, norm, up, down, last] = &parts(i);
    let d_sum = layer_norm_backward(dy, &of.second, p, grad, last);
    let d_active = linear_backward(&d_sum, &of.active, p, grad, down);
    let d_wide = gelu_backward(&d_active, &of.wide);
    let da = linear_backward(&d_wide, &of.a, p, grad, up).plus(&d_sum);
    let d_sum = layer_norm_backward(&da, &of.first, p, grad, norm);
    let dc = linear_backward(&d_sum, &of.c, p, grad, o);
    let [dq, dk, dv] = attention_backward(&dc, of.qkv.each_ref(), &of.p);
    let dx = linear_backward(&dq, &of.x, p, grad, q).plus(&d_sum);
    let dx = dx.plus(&linear_backward(&dk, &of.x, p, grad, k));
    dx.plus(&linear_backward(&dv, &of.x, p, grad, v))
}

/// A sequence: tokens, their types, and its class.
pub(crate) struct Example {
    pub(crate) ids: Vec<u32>,
    pub(crate) types: Vec<u32>,
    pub(crate) class: usize,
}

/// The rows of the three tables that make the embedding of token `t`.
fn rows(example: &Example, t: usize) -> [(String, usize); 3] {
    let rows = [example.ids[t] as usize, t, example.types[t] as usize];
    let tables = ["word", "position", "token_type"];
    [0, 1, 2].map(|k| {
        (
            format!("bert.embeddings.{}_embeddings.weight", tables[k]),
            rows[k],
        )
    })
}

/// Forward and backward for one sequence: returns its loss, and adds `share` times its gradient to `grad`.
/// `x_t = LN(E[id_t] + F[t] + G[type_t])`, the layers, `r = tanh(x_0 W_pᵀ + b_p)`, `z = r W_cᵀ + b_c`, `L = −ln softmax(z)[class]`;
/// backwards `dz = softmax(z) − 1[class]`, `(1 − r²) dr` before the tanh, and each row of a table gets the sum of its uses.
fn pass(p: &Params, grad: &mut Params, config: &ModelConfig, example: &Example, share: f64) -> f64 {
    let (norm, pooler, classifier) = ("bert.embeddings.LayerNorm", "bert.pooler.dense", "classifier");
    let mut sum = Matrix::zeros(example.ids.len(), config.hidden_size);
    for t in 0..sum.rows() {
        for (table, row) in rows(example, t) {
            add(sum.row_mut(t), 1.0, p[&table].row(row));
        }
    }
    let (mut x, embedded) = layer_norm(&sum, p, norm, config.layer_norm_eps);
    let mut caches = Vec::new();
    for i in 0..config.num_hidden_layers {
        let (y, cache) = layer(x, p, config, i);
        caches.push(cache);
        x = y;
    }
    let (cols, own) = (x.cols, x.row(0).to_vec());
    let first = Matrix { cols, x: own };
    let mut r = linear(&first, p, pooler);
    r.x.iter_mut().for_each(|r| *r = libm::tanh(*r));
    let mut z = linear(&r, p, classifier);
    softmax(&mut z.x);
    let loss = -libm::log(z.x[example.class]);

    z.x[example.class] -= 1.0;
    z.x.iter_mut().for_each(|dz| *dz *= share);
    let mut dr = linear_backward(&z, &r, p, grad, classifier);
    dr.x.iter_mut().zip(&r.x).for_each(|(dr, r)| *dr *= 1.0 - r * r);
    let mut dx = Matrix::zeros(x.rows(), x.cols);
    let d_first = linear_backward(&dr, &first, p, grad, pooler);
    dx.row_mut(0).copy_from_slice(&d_first.x);
    for (i, cache) in caches.iter().enumerate().rev() {
        dx = layer_backward(&dx, cache, p, grad, i);
    }
    let d_sum = layer_norm_backward(&dx, &embedded, p, grad, norm);
    for t in 0..d_sum.rows() {
        for (table, row) in rows(example, t) {
            add(
                grad.get_mut(&table).expect("a table").row_mut(row),
                1.0,
                d_sum.row(t),
            );
        }
    }
    loss
}

/// CWGNC: `g ← g · min(1, c / (‖g‖₂ + 1e-6))`, each parameter's gradient by itself. NaN passes.
fn clip(grad: &mut Params, c: f64) {
    for g in grad.values_mut() {
        let scale = 1.0 / (dot(&g.x, &g.x).sqrt() + 1e-6) * c;
        if scale < 1.0 || scale.is_nan() {
            g.x.iter_mut().for_each(|g| *g *= scale);
        }
    }
}

/// The parameters, Adam's two moments of each, and the steps that were taken.
pub(crate) struct Training {
    pub(crate) config: ModelConfig,
    pub(crate) params: Params,
    moments: [Params; 2],
    steps: i32,
}

impl Training {
    pub(crate) fn new(config: ModelConfig, params: Params) -> Self {
        let (moments, steps) = ([zeros(&params), zeros(&params)], 0);
        #[rustfmt::skip]
        return Self { config, params, moments, steps };
    }

    /// One step on a batch, with this learning rate and threshold; returns the mean loss before it.
    pub(crate) fn step(&mut self, batch: &[Example], lr: f64, c: f64) -> f64 {
        let mut grad = zeros(&self.params);
        let share = 1.0 / batch.len() as f64;
        let one = |example| pass(&self.params, &mut grad, &self.config, example, share);
        let loss = batch.iter().map(one).sum::<f64>() * share;
        clip(&mut grad, c);
        self.adamw(&grad, lr);
        loss
    }

    /// PyTorch's AdamW with its usual numbers; biases and layer norms do not decay, as in transformers' `Trainer`. Step `t`:
    /// `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) g²`, `w ← w − lr λ w`, `w ← w − lr m/(1−β₁ᵗ) / (√v / √(1−β₂ᵗ) + ε)`
    fn adamw(&mut self, grad: &Params, lr: f64) {
        self.steps += 1;
        let [beta1, beta2, eps, decay] = [0.9, 0.999, 1e-8, 0.01];
        let [unbias1, unbias2] = [beta1, beta2].map(|beta| 1.0 - libm::pow(beta, f64::from(self.steps)));
        let [first, second] = &mut self.moments;
        let moments = first.values_mut().zip(second.values_mut());
        for (((name, w), g), (m, v)) in self.params.iter_mut().zip(grad.values()).zip(moments) {
            let decays = !name.ends_with("bias") && !name.contains("LayerNorm");
            let (w, g, m, v) = (&mut w.x, &g.x, &mut m.x, &mut v.x);
            for i in 0..w.len() {
                m[i] = beta1 * m[i] + (1.0 - beta1) * g[i];
                v[i] = beta2 * v[i] + (1.0 - beta2) * g[i] * g[i];
                w[i] -= if decays { lr * decay * w[i] } else { 0.0 };
                w[i] -= lr / unbias1 * m[i] / (v[i].sqrt() / unbias2.sqrt() + eps);
            }
        }
    }
}

fn zeros(like: &Params) -> Params {
    let zero = |(name, m): (&String, &Matrix)| (name.clone(), Matrix::zeros(m.rows(), m.cols));
    like.iter().map(zero).collect()
}

/// The parameters of a model of the library.
pub(crate) fn params(model: &SequenceClassifier<f64>) -> Params {
    let mut all = Params::new();
    for (name, value) in model.params() {
        let cols = value.shape().last().copied().unwrap_or(1);
        let x = value.iter().copied().collect();
        all.insert(name, Matrix { cols, x });
    }
    all
}

/// Fine-tunes `builtin:shallow` once over the first 480 sentences of `builtin:acceptability`, at the rate and the threshold
/// of `examples/fine_tune.rs`; AdamW is transformers' without decay there.
fn main() -> Result<(), Box<dyn Error>> {
    let (task, folder, batch, steps) = (Builtin::Acceptability, Path::new("builtin:shallow"), 8, 60);
    let mut config = checkpoint::read_config(folder)?.config;
    config.labels = task.stands_for().label_space().output_names();
    let encoder = TextEncoder::from_folder(folder, &config)?;
    let mut model = SequenceClassifier::<f64>::zeros(&config);
    let loaded = checkpoint::load_into(folder, &config, Purpose::FineTuning, &mut model)?;
    let fresh = |name: &str| loaded.to_initialise.iter().any(|known| known == name);
    init::initialise(&mut model, config.initializer_range, 42, fresh);
    let mut training = Training::new(config, params(&model));

    let set = task.generate(0).train;
    let targets = set.targets().ok_or("every example has a label")?;
    let encodings = encoder.encode_all(&set.examples[..batch * steps], 128)?;
    let mut examples = Vec::new();
    for (encoding, target) in encodings.into_iter().zip(targets) {
        let Target::Class(class) = target else { continue };
        let (ids, types) = (encoding.ids, encoding.token_types);
        examples.push(Example { ids, types, class });
    }
    for (step, batch) in examples.chunks(batch).enumerate() {
        let lr = 5e-4 * (1.0 - step as f64 / steps as f64);
        println!("step {:2}  loss {:.4}", step + 1, training.step(batch, lr, 0.05));
    }
    Ok(())
}
