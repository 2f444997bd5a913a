//! Clippers of one F32 tensor, right and wrong, as people write them: nothing of `src/clip`, nothing of the oracle.
//!
//! `examples/sharpness.rs` prints the table of docs/oracle.md with them, and `oracle_sharp` holds the judge to it.

/// `n` elements of norm 10, from three draws each of a generator of Lehmer's: the shape of a bell, the same everywhere.
pub(crate) fn gradient(n: usize, seed: u64) -> Vec<f32> {
    let mut state = u128::from(seed) * 2 + 1;
    let mut draw = || {
        state = state.wrapping_mul(0xda94_2042_e4dd_58b5);
        (state >> 80) as f64 / (1_u64 << 48) as f64
    };
    let x: Vec<f64> = (0..n).map(|_| draw() + draw() + draw() - 1.5).collect();
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    x.iter().map(|x| (10.0 * x / norm) as f32).collect()
}

/// A clipper's name, the policy it is meant for, and what it makes of a gradient.
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) clip: fn(&[f32]) -> Vec<f32>,
}

const fn torch(name: &'static str, clip: fn(&[f32]) -> Vec<f32>) -> Kernel {
    Kernel {
        name,
        policy: "component:0.05",
        clip,
    }
}

/// Those that are right. `torch` on a CPU adds up in 8 lanes of F32, `foreach` on a GPU in a tree, optax in windows.
pub(crate) const RIGHT: [Kernel; 8] = [
    torch("torch loop (8 lanes)", |x| scaled(x, lanes(x, 8), 0.05)),
    torch("torch foreach (GPU)", |x| scaled(x, chunks(x), 0.05)),
    Kernel {
        name: "optax",
        policy: "component:0.05@optax",
        clip: |x| {
            let inverse = 1.0 / tree(x).sqrt();
            x.iter().map(|x| (x * inverse) * 0.05).collect()
        },
    },
    Kernel {
        name: "optax, jitted",
        policy: "component:0.05@optax-jit",
        clip: |x| {
            let n = tree(x).sqrt();
            x.iter().map(|x| (x / n) * 0.05).collect()
        },
    },
    torch("blocks of 1024, atomic", |x| {
        scaled(x, x.chunks(1024).map(tree).fold(0.0, |a, b| a + b).sqrt(), 0.05)
    }),
    torch("tree", |x| scaled(x, tree(x).sqrt(), 0.05)),
    torch("Kahan", |x| scaled(x, kahan(x).sqrt(), 0.05)),
    torch("F64", |x| scaled(x, exact(x), 0.05)),
];

/// Those that are wrong.
pub(crate) const WRONG: [Kernel; 8] = [
    torch("threshold rounded to BF16", |x| {
        scaled(x, exact(x), 0.050_048_828)
    }),
    torch("threshold 0.5 % off", |x| scaled(x, exact(x), 0.05 * 1.005)),
    torch("threshold 2 % off", |x| scaled(x, exact(x), 0.05 * 1.02)),
    torch("without the last block of 1024", |x| {
        scaled(x, exact(&x[..x.len() - 1024]), 0.05)
    }),
    torch("every other element, times √2", |x| {
        let some: Vec<f32> = x.iter().step_by(2).copied().collect();
        scaled(x, exact(&some) * std::f32::consts::SQRT_2, 0.05)
    }),
    torch("without what is left over from 256", |x| {
        scaled(x, exact(&x[..x.len() / 256 * 256 - 256]), 0.05)
    }),
    torch("scale rounded to BF16", |x| {
        let k = f32::from_bits((0.05 / exact(x)).to_bits() & 0xffff_0000);
        x.iter().map(|x| x * k).collect()
    }),
    torch("clipped twice, by k²", |x| {
        let k = 0.05 / exact(x);
        x.iter().map(|x| x * k * k).collect()
    }),
];

/// `x·(1/(n + 1e-6)·c)`, all in F32.
fn scaled(x: &[f32], n: f32, c: f32) -> Vec<f32> {
    let k = (1.0 / (n + 1e-6) * c).min(1.0);
    x.iter().map(|x| x * k).collect()
}

fn exact(x: &[f32]) -> f32 {
    x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt() as f32
}

fn lanes(x: &[f32], lanes: usize) -> f32 {
    let mut sums = vec![0.0_f32; lanes];
    for turn in x.chunks(lanes) {
        for (sum, x) in sums.iter_mut().zip(turn) {
            *sum += x * x;
        }
    }
    sums.iter().fold(0.0, |a, b| a + b).sqrt()
}

/// Chunks of 65536, 2048 lanes in each, their norms squared and added up: the kernel of `multi_tensor_apply`.
fn chunks(x: &[f32]) -> f32 {
    let norms: Vec<f32> = x
        .chunks(65536)
        .map(|chunk| {
            let mut sums = vec![0.0_f32; 2048];
            for turn in chunk.chunks(2048) {
                for (sum, x) in sums.iter_mut().zip(turn) {
                    *sum += x * x;
                }
            }
            halves(&sums, |x| x).sqrt()
        })
        .collect();
    tree(&norms).sqrt()
}

fn tree(x: &[f32]) -> f32 {
    halves(x, |x| x * x)
}

fn halves(x: &[f32], term: fn(f32) -> f32) -> f32 {
    match x {
        [] => 0.0,
        [x] => term(*x),
        _ => {
            let (a, b) = x.split_at(x.len() / 2);
            halves(a, term) + halves(b, term)
        }
    }
}

fn kahan(x: &[f32]) -> f32 {
    let (mut sum, mut lost) = (0.0_f32, 0.0_f32);
    for x in x {
        let term = x * x - lost;
        let next = sum + term;
        (lost, sum) = ((next - sum) - term, next);
    }
    sum
}
