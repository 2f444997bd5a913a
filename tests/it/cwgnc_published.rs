//! The published algorithm in its few lines ([`cwgnc`]) against the policy `component:c@torch`, bit for bit.

use cwgnc::clip::{ClipPolicy, ParamGrad, clip, cwgnc};
use cwgnc::random;
use cwgnc::real::Real;
use ndarray::ArrayViewMut1;

/// 10,000 sets in each type.
const SETS: u64 = 10_000;

/// Numbers from a generator that gives a number below another.
struct Draw<F>(F);

impl<F: FnMut(u64) -> u64> Draw<F> {
    fn below(&mut self, n: u64) -> u64 {
        (self.0)(n)
    }

    /// Any number of a type: ordinary ones mostly, or special ones, or powers of two from subnormal to huge.
    fn number<T: Real>(&mut self, kind: u64) -> T {
        let unit = self.below(1 << 24) as f64 / f64::from(1 << 23) - 1.0;
        match (kind, self.below(40)) {
            (1, 0) => T::nan(),
            (1, 1) => T::infinity(),
            (1, 2) => T::neg_infinity(),
            (2, _) => T::of(unit) * T::min_positive_value(),
            (3, _) => T::of(unit) * T::max_value(),
            (4, n) => T::of(unit * 2_f64.powi(3 * n as i32 - 60)),
            (_, 3) => T::zero(),
            (_, 4) => -T::zero(),
            _ => T::of(unit),
        }
    }
}

/// A set of tensors is clipped both ways; thresholds lie at a norm, beside it, or anywhere.
fn sets<T: Real>(bits: impl Fn(T) -> u64) {
    let mut rng = random::stream(1, T::NAME, 0);
    let mut draw = Draw(|n| random::below(&mut rng, n));
    let mut clipped = 0;
    for set in 0..SETS {
        let mut tensors: Vec<Vec<T>> = Vec::new();
        for _ in 0..=draw.below(5) {
            let length = match draw.below(20) {
                0 => 0,
                1 => 200 + draw.below(20_000),
                _ => 1 + draw.below(40),
            };
            let kind = draw.below(6);
            tensors.push((0..length).map(|_| draw.number(kind)).collect());
        }
        let c = threshold(&mut draw, &tensors[0]);
        let mut by_policy = tensors.clone();
        let mut grads: Vec<ParamGrad<'_, T>> = Vec::new();
        for (x, name) in by_policy.iter_mut().zip(["a", "b", "c", "d", "e"]) {
            grads.push(ParamGrad::new(name, ArrayViewMut1::from(&mut x[..]).into_dyn()));
        }
        let text = format!("component:{:?}@torch", c.widen());
        let policy: ClipPolicy = text.parse().expect(&text);
        assert!(clip(&policy, &mut grads).is_ok(), "{text}");
        let before = tensors.clone();
        let mut slices: Vec<&mut [T]> = tensors.iter_mut().map(|x| &mut x[..]).collect();
        cwgnc(&mut slices, c);
        for (x, y) in tensors.iter().zip(&by_policy) {
            // All NaN are one: IEEE 754 leaves open which a product gives.
            let same = |(x, y): (&T, &T)| bits(*x) == bits(*y) || x.is_nan() && y.is_nan();
            assert!(
                x.iter().zip(y).all(same),
                "{} {set}: {text}: {x:?} and {y:?}",
                T::NAME
            );
        }
        clipped += usize::from(before != tensors);
    }
    // NaN sets count as clipped; about half of the others are.
    assert!(
        (SETS as usize / 4..SETS as usize * 9 / 10).contains(&clipped),
        "{clipped}"
    );
}

fn threshold<T: Real>(draw: &mut Draw<impl FnMut(u64) -> u64>, x: &[T]) -> T {
    let sum: f64 = x.iter().map(|x| x.widen() * x.widen()).sum();
    let norm = T::of(sum.sqrt());
    let step = T::one() + T::epsilon();
    let near = match draw.below(5) {
        0 => norm,
        1 => norm * step,
        2 => norm / step,
        3 => norm + T::of(1e-6),
        _ => T::of(draw.below(1 << 20) as f64 / 5e4),
    };
    if near.is_finite() { near } else { T::one() }
}

#[test]
fn the_few_lines_are_the_policy_in_f32() {
    sets::<f32>(|x| u64::from(x.to_bits()));
}

#[test]
fn the_few_lines_are_the_policy_in_f64() {
    sets::<f64>(f64::to_bits);
}

/// README's first screen shows the loop of `src/clip/cwgnc.rs` as it is.
#[test]
fn the_readme_shows_the_code() {
    let (source, readme) = (
        include_str!("../../src/clip/cwgnc.rs"),
        include_str!("../../README.md"),
    );
    let (_, shown) = readme.split_once("```rust\n").expect("a block of Rust");
    let (shown, _) = shown.split_once("```").expect("its end");
    let indented: Vec<String> = shown.lines().map(|line| format!("    {line}\n")).collect();
    assert!(source.contains(&indented.concat()), "{shown}");
}
