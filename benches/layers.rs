//! Each layer by itself, forward and backward, at the shapes of one encoder layer.
//!
//!     cargo bench --bench layers                   at MiniLM's size
//!     cargo bench --bench layers -- tiny base      at others
//!
//! 16 sequences of 128 tokens, float32, dropout 0.1. Each result is compared with that of the same layer in float64 before it
//! is timed. `GB/s` counts each number that a layer has to read or write at least once: what stays far below the speed
//! of memory is bound by its arithmetic.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use cwgnc::model::Activation;
use cwgnc::nn::activation;
use cwgnc::nn::attention::{self, Spans};
use cwgnc::nn::dropout::Mask;
use cwgnc::nn::embedding::Embedding;
use cwgnc::nn::layer_norm::LayerNorm;
use cwgnc::nn::linear::Linear;
use cwgnc::pool::{Buffer, Pool};
use cwgnc::random::{stream, unit};
use cwgnc::real::Real;
use cwgnc::simd;
use cwgnc::train::workload::{LONGEST, SEQUENCES, Size};
use ndarray::Array2;
use rand_chacha::rand_core::RngCore;
use std::hint::black_box;
use std::io;
use std::time::Instant;

const TOKENS: usize = SEQUENCES * LONGEST;

/// Timed rounds; the first one warms up and is not counted.
const ROUNDS: usize = 9;

#[derive(Clone, Copy, PartialEq)]
enum Pass {
    Forward,
    /// After a forward pass.
    Backward,
}

/// A layer at work: one call is one pass, and returns its output or the gradient of its input.
struct Case<T: Real> {
    name: String,
    run: Box<dyn FnMut(Pass) -> Buffer<T>>,
    /// Numbers read and written at least, forward and backward.
    numbers: [usize; 2],
    /// Multiplications and additions of products.
    flops: [usize; 2],
}

/// The same numbers in every type, between −½ and ½.
fn random<T: Real>(rows: usize, columns: usize, index: u64) -> Array2<T> {
    let mut rng = stream(1, "layer", index);
    Array2::from_shape_fn((rows, columns), |_| {
        T::of(f64::from((unit(rng.next_u64()) - 0.5) as f32))
    })
}

fn linear<T: Real>(inputs: usize, outputs: usize) -> Case<T> {
    let pool = Pool::new();
    let layer = Linear {
        weight: random(outputs, inputs, 0),
        bias: random(1, outputs, 1).remove_axis(ndarray::Axis(0)),
    };
    let (x, dy) = (random(TOKENS, inputs, 2), random(TOKENS, outputs, 3));
    let mut grad = Linear::zeros(inputs, outputs);
    let (read, weights) = (TOKENS * (inputs + outputs), inputs * outputs);
    Case {
        name: format!("linear {inputs} to {outputs}"),
        run: Box::new(move |pass| match pass {
            Pass::Forward => layer.forward(x.view(), &pool),
            Pass::Backward => layer.backward(dy.view(), x.view(), &mut grad, &pool),
        }),
        numbers: [read + weights, 2 * read + 3 * weights],
        flops: [2 * TOKENS * weights, 4 * TOKENS * weights],
    }
}

fn layer_norm<T: Real>(size: usize) -> Case<T> {
    let pool = Pool::new();
    let layer = LayerNorm {
        weight: random(1, size, 0).remove_axis(ndarray::Axis(0)),
        bias: random(1, size, 1).remove_axis(ndarray::Axis(0)),
    };
    let (x, dy) = (random(TOKENS, size, 2), pool.copy(random(TOKENS, size, 3).view()));
    let (mut grad, mut cache) = (LayerNorm::zeros(size), None);
    Case {
        name: format!("layer norm {size}"),
        run: Box::new(move |pass| match pass {
            Pass::Forward => {
                let (y, kept) = layer.forward(pool.copy(x.view()), 1e-12, &pool);
                cache = Some(kept);
                y
            }
            Pass::Backward => {
                let cache = cache.as_ref().expect("a forward pass came before");
                layer.backward(&dy, cache, &mut grad, &pool)
            }
        }),
        numbers: [3 * TOKENS * size, 3 * TOKENS * size],
        flops: [0, 0],
    }
}

fn gelu<T: Real>(size: usize) -> Case<T> {
    let pool = Pool::new();
    let (x, dy) = (random(TOKENS, size, 0), random(TOKENS, size, 1));
    let bias = random(1, size, 2).remove_axis(ndarray::Axis(0));
    let mut cache = None;
    Case {
        name: format!("bias + gelu {size}"),
        run: Box::new(move |pass| match pass {
            Pass::Forward => {
                let (y, kept) = activation::forward(Activation::Gelu, pool.copy(x.view()), &bias, &pool);
                cache = Some(kept);
                y
            }
            Pass::Backward => {
                let cache = cache.as_ref().expect("a forward pass came before");
                activation::backward(pool.copy(dy.view()), cache)
            }
        }),
        numbers: [3 * TOKENS * size, 3 * TOKENS * size],
        flops: [0, 0],
    }
}

fn residual_and_layer_norm<T: Real>(size: usize) -> Case<T> {
    let pool = Pool::new();
    let layer = LayerNorm {
        weight: random(1, size, 0).remove_axis(ndarray::Axis(0)),
        bias: random(1, size, 1).remove_axis(ndarray::Axis(0)),
    };
    let [x, r, dy] = [2, 3, 4].map(|seed| pool.copy(random(TOKENS, size, seed).view()));
    let (mask, keys) = (Mask::new(1, 0.1), (0..TOKENS as u64).collect::<Vec<_>>());
    let (mut grad, mut cache) = (LayerNorm::zeros(size), None);
    Case {
        name: format!("dropout + r + norm {size}"),
        run: Box::new(move |pass| match pass {
            Pass::Forward => {
                let x = pool.copy(x.view());
                let (y, kept) = layer.forward_residual(x, &r, (mask, &keys), 1e-12, &pool);
                cache = Some(kept);
                y
            }
            Pass::Backward => {
                let cache = cache.as_ref().expect("a forward pass came before");
                let (mut dx, dr) = layer.backward_residual(&dy, cache, (mask, &keys), &mut grad, &pool);
                *dx += &*dr;
                dx
            }
        }),
        numbers: [4 * TOKENS * size, 4 * TOKENS * size],
        flops: [0, 0],
    }
}

fn self_attention<T: Real>(size: usize, heads: usize) -> Case<T> {
    let pool = Pool::new();
    let (q, k, v) = (
        random(TOKENS, size, 0),
        random(TOKENS, size, 1),
        random(TOKENS, size, 2),
    );
    let dy = random(TOKENS, size, 3);
    let offsets: Vec<usize> = (0..=SEQUENCES).map(|i| i * LONGEST).collect();
    let (spans, mask) = (Spans::all_tokens(&offsets), Mask::new(1, 0.1));
    let keys: Vec<u64> = (0..TOKENS as u64).collect();
    let mut cache = None;
    let squares = heads * SEQUENCES * LONGEST * LONGEST;
    Case {
        name: format!("attention {size}, {heads} heads"),
        run: Box::new(move |pass| match pass {
            Pass::Forward => {
                let qkv = (pool.copy(q.view()), pool.copy(k.view()), pool.copy(v.view()));
                let (y, kept) = attention::forward(qkv, &spans, heads, mask, &keys, &pool);
                cache = Some(kept);
                y
            }
            Pass::Backward => {
                let cache = cache.as_ref().expect("a forward pass came before");
                let (dq, mut dk, dv) =
                    attention::backward(dy.view(), cache, &spans, heads, mask, &keys, &pool);
                *dk += &*dq;
                *dk += &*dv;
                dk
            }
        }),
        numbers: [4 * TOKENS * size + 2 * squares, 7 * TOKENS * size + 2 * squares],
        flops: [
            4 * SEQUENCES * LONGEST * LONGEST * size,
            8 * SEQUENCES * LONGEST * LONGEST * size,
        ],
    }
}

fn embedding<T: Real>(size: usize) -> Case<T> {
    let pool = Pool::new();
    let table = Embedding {
        weight: random(30_522, size, 0),
    };
    let mut rng = stream(1, "ids", 0);
    let ids: Vec<u32> = (0..TOKENS).map(|_| (rng.next_u64() % 30_522) as u32).collect();
    let dy = random::<T>(TOKENS, size, 1);
    let mut grad = Embedding::zeros(30_522, size);
    Case {
        name: format!("embedding of 30522 x {size}"),
        run: Box::new(move |pass| {
            let mut y = pool.zeros(TOKENS, size);
            match pass {
                Pass::Forward => table.forward(&ids, &mut y),
                // An index has no gradient; what was added to the table is looked up again.
                Pass::Backward => Embedding::backward(&ids, dy.view(), None, &mut grad),
            }
            y
        }),
        numbers: [2 * TOKENS * size, 3 * TOKENS * size],
        flops: [0, 0],
    }
}

fn cases<T: Real>(size: Size) -> Vec<Case<T>> {
    let (h, i) = (size.hidden, 4 * size.hidden);
    vec![
        linear(h, h),
        linear(h, i),
        linear(i, h),
        self_attention(h, size.heads),
        gelu(i),
        layer_norm(h),
        residual_and_layer_norm(h),
        embedding(h),
    ]
}

/// Both passes of both types agree but for rounding.
fn check(single: &mut Case<f32>, double: &mut Case<f64>) {
    for pass in [Pass::Forward, Pass::Backward] {
        let (a, b) = ((single.run)(pass), (double.run)(pass));
        let sum = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let apart = sum(&mut a.iter().zip(b.iter()).map(|(&a, &b)| f64::from(a) - b));
        let size = sum(&mut b.iter().copied());
        assert!(apart <= 2e-6 * size, "{}: {apart:e} of {size:e}", single.name);
    }
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

fn table(size: Size) {
    println!(
        "{}, {TOKENS} tokens, {} threads, {ROUNDS} rounds, medians",
        size.name,
        rayon::current_num_threads()
    );
    println!("layer                        forward ms   GFLOP/s     GB/s  backward ms   GFLOP/s     GB/s");
    for (mut case, mut twin) in cases::<f32>(size).into_iter().zip(cases::<f64>(size)) {
        check(&mut case, &mut twin);
        drop(twin);
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            for (pass, times) in [Pass::Forward, Pass::Backward].into_iter().zip(&mut times) {
                let start = Instant::now();
                black_box((case.run)(pass));
                if round > 0 {
                    times.push(start.elapsed().as_secs_f64());
                }
            }
        }
        let columns: Vec<String> = times
            .map(median)
            .into_iter()
            .zip(case.flops.into_iter().zip(case.numbers))
            .map(|(time, (flops, numbers))| {
                let (flops, bytes) = (1e-9 * flops as f64 / time, 4e-9 * numbers as f64 / time);
                format!("{:10.2} {flops:9.1} {bytes:8.1}", 1e3 * time)
            })
            .collect();
        println!("{:28} {}   {}", case.name, columns[0], columns[1]);
    }
}

fn main() -> io::Result<()> {
    let words = std::env::args().skip(1).filter(|word| word != "--bench");
    let named = |word: String| {
        Size::named(&word).ok_or_else(|| {
            io::Error::other(format!(
                "no size `{word}`: tiny, mini, small, minilm, base, large"
            ))
        })
    };
    let mut sizes = words.map(named).collect::<Result<Vec<_>, _>>()?;
    if sizes.is_empty() {
        sizes.extend(Size::named("minilm"));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .build()
        .map_err(io::Error::other)?;
    pool.install(|| {
        // A third of a second of work on every thread: by then the system has given each a core of its own.
        rayon::broadcast(|_| black_box(simd::register_flops(black_box(100_000_000))));
        sizes.into_iter().for_each(table);
    });
    Ok(())
}
