//! Clipping the 110 million gradients of BERT-base, tensor by tensor, beside plain loops over the same memory.
//!
//!     cargo bench --bench clip
//!
//! The loops are what memory allows: one parallel read of every tensor, and a read followed by a read-and-write pass.
//! All sides are timed in turn, round after round, and the ratios are medians over the rounds, so that a drift of the
//! machine's speed hits all of them alike. Each side's result is asserted before it is timed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use cwgnc::clip::{ClipPolicy, ParamGrad, clip};
use ndarray::Array1;
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 25;

/// Elements that one task of a plain loop handles.
const BLOCK: usize = 1 << 14;

/// The sizes of BERT-base's 201 tensors, in walk order (`fixtures/names/bert-base.txt`).
fn sizes() -> Vec<usize> {
    let (h, i) = (768, 3072);
    let mut sizes = vec![30522 * h, 512 * h, 2 * h, h, h];
    for _ in 0..12 {
        for _ in 0..4 {
            sizes.extend([h * h, h]);
        }
        sizes.extend([h, h, i * h, i, h * i, h, h, h]);
    }
    sizes.extend([h * h, h, 2 * h, 2]);
    sizes
}

/// A parallel read of every tensor: eight running sums in single precision, as many as a vector register holds.
fn read(tensors: &[Array1<f32>]) -> f32 {
    let blocks: Vec<&[f32]> = tensors
        .iter()
        .flat_map(|t| t.as_slice().expect("contiguous").chunks(BLOCK))
        .collect();
    let sums: Vec<f32> = blocks
        .par_iter()
        .map(|block| {
            let mut sums = [0.0_f32; 8];
            for x in block.as_chunks::<8>().0 {
                for lane in 0..8 {
                    sums[lane] += x[lane];
                }
            }
            sums.iter().sum()
        })
        .collect();
    sums.iter().sum()
}

/// A parallel read-and-write pass over every tensor.
fn scale(tensors: &mut [Array1<f32>], k: f32) {
    let blocks: Vec<&mut [f32]> = tensors
        .iter_mut()
        .flat_map(|t| t.as_slice_mut().expect("contiguous").chunks_mut(BLOCK))
        .collect();
    blocks
        .into_par_iter()
        .for_each(|block| block.iter_mut().for_each(|x| *x *= k));
}

fn clip_all(policy: &ClipPolicy, tensors: &mut [Array1<f32>]) -> usize {
    let names: Vec<String> = (0..tensors.len()).map(|i| format!("tensor.{i}")).collect();
    let named = tensors.iter_mut().zip(&names);
    let mut grads: Vec<_> = named
        .map(|(t, name)| ParamGrad::new(name, t.view_mut().into_dyn()))
        .collect();
    let report = clip(policy, &mut grads).expect("finite gradients");
    report.components.iter().filter(|c| c.was_clipped()).count()
}

fn seconds(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

fn main() {
    let sizes = sizes();
    let elements: usize = sizes.iter().sum();
    assert_eq!((sizes.len(), elements), (201, 109_483_778));
    let value = |i: usize| ((i * 7919) % 2001) as f32 / 1000.0 - 1.0;
    let mut tensors: Vec<Array1<f32>> = sizes.iter().map(|&n| Array1::from_shape_fn(n, value)).collect();
    let keep = ClipPolicy::cwgnc_as_published(1e5).expect("a threshold");
    let cut = ClipPolicy::cwgnc_as_published(0.05).expect("a threshold");
    let global = ClipPolicy::torch_global(0.05).expect("a threshold");
    assert_eq!(clip_all(&keep, &mut tensors), 0);
    assert_eq!(clip_all(&cut, &mut tensors), 201);

    let names = [
        "plain read",
        "clip, nothing clipped",
        "plain read, then write",
        "clip, all clipped",
        "clip, global",
    ];
    let mut times = vec![Vec::new(); names.len()];
    for _ in 0..ROUNDS {
        times[0].push(seconds(|| {
            black_box(read(&tensors));
        }));
        times[1].push(seconds(|| {
            black_box(clip_all(&keep, &mut tensors));
        }));
        times[2].push(seconds(|| {
            black_box(read(&tensors));
            scale(&mut tensors, 1.000_001);
        }));
        times[3].push(seconds(|| {
            black_box(clip_all(&cut, &mut tensors));
        }));
        times[4].push(seconds(|| {
            black_box(clip_all(&global, &mut tensors));
        }));
    }
    let ratio = |a: usize, b: usize| median(times[a].iter().zip(&times[b]).map(|(a, b)| a / b).collect());
    println!(
        "{elements} elements in {} tensors, {} threads, {ROUNDS} rounds",
        sizes.len(),
        rayon::current_num_threads()
    );
    for (name, times) in names.iter().zip(&times) {
        let t = median(times.clone());
        println!(
            "{name:24} {:7.1} ms  {:5.1} GB/s read",
            1e3 * t,
            4e-9 * elements as f64 / t
        );
    }
    println!("nothing clipped / plain read             {:.2}", ratio(1, 0));
    println!("all clipped / plain read, then write     {:.2}", ratio(3, 2));
    println!("global / plain read, then write          {:.2}", ratio(4, 2));
}
