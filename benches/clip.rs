//! Clipping the 110 million gradients of BERT-base, tensor by tensor, beside plain loops over the same memory.
//!
//!     cargo bench --bench clip
//!
//! The loops are what memory allows: one parallel read of every tensor, and a read followed by a read-and-write pass.
//! All sides are timed in turn, round after round, and the ratios are medians over the rounds, so that a drift of the
//! machine's speed hits all of them alike. Each side's result is asserted before it is timed.
//! `benches/clip_beside_torch.py` times PyTorch's clipping in turn with these.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use cwgnc::clip::{ClipPolicy, ParamGrad, Statistic, clip};
use cwgnc::oracle::{self, Slice};
use cwgnc::reduce;
use ndarray::Array1;
use rayon::prelude::*;
use std::hint::black_box;
use std::io::{self, Write};
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

/// The oracle's norms, which no rounding touches.
fn exact_norms(tensors: &[Array1<f32>]) -> Vec<f64> {
    let norm = |t: &Array1<f32>| oracle::norm(Statistic::L2, Slice::F32(t.as_slice().expect("contiguous")));
    tensors.par_iter().map(|t| norm(t).interval.lo).collect()
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

/// The gradients, and what is timed on them.
struct Subject {
    tensors: Vec<Array1<f32>>,
    keep: ClipPolicy,
    cut: ClipPolicy,
    global: ClipPolicy,
}

const SIDES: [&str; 6] = [
    "read",
    "clip-none",
    "read-write",
    "clip-all",
    "clip-global",
    "exact-norms",
];

impl Subject {
    /// BERT-base's tensors, after each policy was seen to do what it is timed for.
    fn new() -> Self {
        let sizes = sizes();
        assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (201, 109_483_778));
        let value = |i: usize| ((i * 7919) % 2001) as f32 / 1000.0 - 1.0;
        let mut subject = Self {
            tensors: sizes.iter().map(|&n| Array1::from_shape_fn(n, value)).collect(),
            keep: ClipPolicy::cwgnc_as_published(1e5).expect("a threshold"),
            cut: ClipPolicy::cwgnc_as_published(0.05).expect("a threshold"),
            global: ClipPolicy::torch_global(0.05).expect("a threshold"),
        };
        let slices: Vec<&[f32]> = subject
            .tensors
            .iter()
            .map(|t| t.as_slice().expect("contiguous"))
            .collect();
        for (exact, fast) in exact_norms(&subject.tensors).iter().zip(reduce::norms(&slices)) {
            assert!((exact / fast - 1.0).abs() < 1e-12, "{exact} {fast}");
        }
        assert_eq!(clip_all(&subject.keep, &mut subject.tensors), 0);
        assert_eq!(clip_all(&subject.cut, &mut subject.tensors), 201);
        assert_eq!(clip_all(&subject.global, &mut subject.tensors), 1);
        subject
    }

    /// Times one side. All tensors are above the thresholds of the sides that clip, however often those have run: what
    /// was clipped before is scaled up again first, untimed.
    fn time(&mut self, side: &str) -> Option<f64> {
        let tensors = &mut self.tensors;
        let time = match side {
            "read" => seconds(|| {
                black_box(read(tensors));
            }),
            "clip-none" => seconds(|| {
                black_box(clip_all(&self.keep, tensors));
            }),
            "exact-norms" => seconds(|| {
                black_box(exact_norms(tensors));
            }),
            "read-write" => seconds(|| {
                black_box(read(tensors));
                scale(tensors, 1.000_001);
            }),
            "clip-all" | "clip-global" => {
                scale(tensors, 100.0);
                let policy = if side == "clip-all" {
                    &self.cut
                } else {
                    &self.global
                };
                let mut clipped = 0;
                let time = seconds(|| clipped = black_box(clip_all(policy, tensors)));
                assert!(clipped > 0, "nothing was clipped");
                time
            }
            _ => return None,
        };
        Some(time)
    }
}

/// Times the sides whose names come on standard input, one a line, and answers each with its seconds: for a program that
/// times something else between them.
fn answer(subject: &mut Subject) -> io::Result<()> {
    for line in io::stdin().lines() {
        let line = line?;
        let time = subject
            .time(line.trim())
            .ok_or_else(|| io::Error::other(format!("no side `{line}`; there are {}", SIDES.join(", "))))?;
        println!("{time:e}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let mut subject = Subject::new();
    if std::env::args().any(|arg| arg == "--answer") {
        return answer(&mut subject);
    }
    let mut times = vec![Vec::new(); SIDES.len()];
    for _ in 0..ROUNDS {
        for (side, times) in SIDES.iter().zip(&mut times) {
            times.extend(subject.time(side));
        }
    }
    let elements: usize = subject.tensors.iter().map(Array1::len).sum();
    println!(
        "{elements} elements in {} tensors, {} threads, {ROUNDS} rounds",
        subject.tensors.len(),
        rayon::current_num_threads()
    );
    for (side, times) in SIDES.iter().zip(&times) {
        let t = median(times.clone());
        println!(
            "{side:12} {:7.1} ms  {:5.1} GB/s read",
            1e3 * t,
            4e-9 * elements as f64 / t
        );
    }
    let ratio = |a: usize, b: usize| median(times[a].iter().zip(&times[b]).map(|(a, b)| a / b).collect());
    println!("clip-none / read          {:.2}", ratio(1, 0));
    println!("clip-all / read-write     {:.2}", ratio(3, 2));
    println!("clip-global / read-write  {:.2}", ratio(4, 2));
    println!("exact-norms / clip-none   {:.2}", ratio(5, 1));
    Ok(())
}
