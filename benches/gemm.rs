//! The products of BERT's linear layers, as a share of what the processor's multiply-adds allow.
//!
//!     cargo bench --bench gemm                     tiny, mini, small, minilm, base
//!     cargo bench --bench gemm -- minilm           one size
//!     cargo bench --bench gemm -- --answer         for a program that times something else in between
//!
//! 2048 tokens (16 sequences of 128), float32, in the three forms of a linear layer:
//!
//! ```text
//! forward   y  = x Wᵀ       [n, i] [i, o]
//! input     dx = dy W       [n, o] [o, i]
//! weight    dW += dyᵀ x     [o, n] [n, i]
//! ```
//!
//! The peak is measured beside the products, round after round: multiply-adds in registers on every thread. Shares are medians
//! over the rounds. Each product is compared with sums in float64 before it is timed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use cwgnc::gemm;
use cwgnc::random::{stream, unit};
use cwgnc::simd;
use cwgnc::train::workload::{LONGEST, SEQUENCES, SIZES, Size};
use ndarray::{Array2, ArrayView2};
use rand_chacha::rand_core::RngCore;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

const TOKENS: usize = SEQUENCES * LONGEST;

/// Timed rounds; the first one warms up and is not counted.
const ROUNDS: usize = 9;

/// Multiply-adds of a measurement of the peak on one thread, a few milliseconds.
const PEAK_ROUNDS: usize = 1_000_000;

/// One linear layer.
#[derive(Clone, Copy)]
struct Shape {
    inputs: usize,
    outputs: usize,
}

const FORMS: [&str; 3] = ["forward", "input", "weight"];

fn random(rows: usize, columns: usize, index: u64) -> Array2<f32> {
    let mut rng = stream(1, "matrix", index);
    Array2::from_shape_fn((rows, columns), |_| (unit(rng.next_u64()) - 0.5) as f32)
}

/// The matrices of one layer.
struct Layer {
    x: Array2<f32>,
    w: Array2<f32>,
    dy: Array2<f32>,
    out: [Array2<f32>; 3],
}

impl Layer {
    fn new(Shape { inputs, outputs }: Shape) -> Self {
        let mut layer = Self {
            x: random(TOKENS, inputs, 0),
            w: random(outputs, inputs, 1),
            dy: random(TOKENS, outputs, 2),
            out: [(TOKENS, outputs), (TOKENS, inputs), (outputs, inputs)].map(Array2::zeros),
        };
        for form in 0..3 {
            layer.run(form);
            let (a, b) = layer.operands(form);
            check(a, b, layer.out[form].view());
        }
        layer
    }

    fn operands(&self, form: usize) -> (ArrayView2<'_, f32>, ArrayView2<'_, f32>) {
        match form {
            0 => (self.x.view(), self.w.t()),
            1 => (self.dy.view(), self.w.view()),
            _ => (self.dy.t(), self.x.view()),
        }
    }

    /// The seconds of one product.
    fn run(&mut self, form: usize) -> f64 {
        let mut out = std::mem::take(&mut self.out[form]);
        let (a, b) = self.operands(form);
        let start = Instant::now();
        match form {
            0 | 1 => gemm::mul(a, b, out.view_mut()),
            _ => gemm::mul_add(a, b, out.view_mut()),
        }
        let time = start.elapsed().as_secs_f64();
        self.out[form] = black_box(out);
        time
    }

    fn flops(&self) -> f64 {
        2.0 * (TOKENS * self.w.len()) as f64
    }
}

/// A few elements against sums in `f64`.
fn check(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, c: ArrayView2<'_, f32>) {
    let (m, n) = c.dim();
    for (i, j) in [(0, 0), (m / 2, n - 1), (m - 1, n / 3)] {
        let products = a
            .row(i)
            .into_iter()
            .zip(b.column(j))
            .map(|(&a, &b)| f64::from(a) * f64::from(b));
        let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
        let error = (f64::from(c[[i, j]]) - sum).abs();
        assert!(error <= 1e-5 * size, "[{i}, {j}] of {m}x{n}: {error}");
    }
}

/// Operations a second of registers alone, on every thread.
fn peak() -> f64 {
    let start = Instant::now();
    let flops = rayon::broadcast(|_| black_box(simd::register_flops(black_box(PEAK_ROUNDS))).0);
    flops.iter().sum::<f64>() / start.elapsed().as_secs_f64()
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

/// The layers of a size: attention's, into the feed-forward, out of it.
fn shapes(size: Size) -> [Shape; 3] {
    let h = size.hidden;
    let shape = |inputs, outputs| Shape { inputs, outputs };
    [shape(h, h), shape(h, 4 * h), shape(4 * h, h)]
}

fn table(sizes: &[Size]) {
    println!(
        "{} threads, {TOKENS} tokens, {ROUNDS} rounds, medians",
        rayon::current_num_threads()
    );
    println!("size    inputs outputs  form      GFLOP/s  share of peak");
    let mut logarithms = Vec::new();
    for &size in sizes {
        for shape in shapes(size) {
            let mut layer = Layer::new(shape);
            for (form, name) in FORMS.iter().enumerate() {
                let mut found = (Vec::new(), Vec::new());
                for round in 0..=ROUNDS {
                    let peak = peak();
                    let speed = layer.flops() / layer.run(form);
                    if round > 0 {
                        found.0.push(speed);
                        found.1.push(speed / peak);
                    }
                }
                let (speed, share) = (median(found.0), median(found.1));
                logarithms.push(share.ln());
                println!(
                    "{:7} {:6} {:7}  {name:8} {:8.1} {:12.0} %",
                    size.name,
                    shape.inputs,
                    shape.outputs,
                    1e-9 * speed,
                    100.0 * share
                );
            }
        }
    }
    let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
    println!(
        "geometric mean {:.1} % of a peak of {:.0} GFLOP/s",
        100.0 * mean.exp(),
        1e-9 * peak()
    );
}

/// Answers each line `form inputs outputs` with the seconds of one product, the median of three after one that wakes the
/// threads up, and `peak` with operations a second.
fn answer() -> io::Result<()> {
    let mut layers: Vec<((usize, usize), Layer)> = Vec::new();
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = match words[..] {
            ["peak"] => peak(),
            [form, inputs, outputs] => {
                let unknown = || io::Error::other(format!("not a line as in `weight 384 1536`: {line}"));
                let form = FORMS
                    .iter()
                    .position(|&known| known == form)
                    .ok_or_else(unknown)?;
                let key = (
                    inputs.parse().map_err(|_| unknown())?,
                    outputs.parse().map_err(|_| unknown())?,
                );
                if !layers.iter().any(|(known, _)| *known == key) {
                    let (inputs, outputs) = key;
                    layers.push((key, Layer::new(Shape { inputs, outputs })));
                }
                let layer = layers.iter_mut().find(|(known, _)| *known == key);
                let layer = &mut layer.ok_or_else(unknown)?.1;
                layer.run(form);
                median((0..3).map(|_| layer.run(form)).collect())
            }
            _ => {
                return Err(io::Error::other(format!(
                    "not a line as in `weight 384 1536`: {line}"
                )));
            }
        };
        println!("{number:e}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let named = |word: &String| {
        Size::named(word).ok_or_else(|| {
            io::Error::other(format!(
                "no size `{word}`: tiny, mini, small, minilm, base, large"
            ))
        })
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .build()
        .map_err(io::Error::other)?;
    pool.install(|| match &words[..] {
        [word] if word == "--answer" => answer(),
        [] => {
            table(&SIZES[..5]);
            Ok(())
        }
        words => {
            table(&words.iter().map(named).collect::<Result<Vec<_>, _>>()?);
            Ok(())
        }
    })
}
