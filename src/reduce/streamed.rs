//! Norms of a tensor that comes block by block: the bits of [`p_norms`](super::p_norms), without the tensor in memory.

use super::norms::{Norms, SAFE_POWERS, SAFE_SUM, Sums, largest, root, scaled_powers, scaled_squares};
use crate::real::Real;

/// The norms of one tensor whose blocks come in order, [`BLOCK`](super::BLOCK) elements each but the last.
///
/// One pass over the blocks is enough unless squares or powers leave the range where they are accurate; then two more
/// follow, for the largest element and for scaled sums.
///
/// # Examples
/// ```
/// use cwgnc::reduce::{Streamed, p_norms};
///
/// let x = [3e200_f64, -4e200];
/// let mut streamed = Streamed::new(2.0);
/// let norms = loop {
///     let sum = streamed.block(&x);
///     streamed.add(sum);
///     if let Some(norms) = streamed.finish() {
///         break norms;
///     }
/// };
/// assert_eq!(norms, p_norms(&[&x[..]], 2.0)[0]);
/// ```
#[derive(Clone, Debug)]
pub struct Streamed {
    p: f64,
    pass: Pass,
    sums: Sums,
    two: Option<f64>,
    power: Option<f64>,
}

/// What a pass over the blocks finds out.
#[derive(Clone, Copy, Debug)]
enum Pass {
    /// Plain sums.
    Sums,
    /// The largest magnitude.
    Largest,
    /// Sums scaled by the largest magnitude.
    Scaled(f64),
}

/// What one block adds to [`Streamed`].
#[derive(Clone, Copy, Debug)]
pub struct BlockSum(Sums);

impl Streamed {
    /// Nothing added yet; `p` is above 0, possibly ∞.
    pub fn new(p: f64) -> Self {
        Self {
            p,
            pass: Pass::Sums,
            sums: Sums::default(),
            two: None,
            power: None,
        }
    }

    /// What a block of this pass adds; blocks may be looked at in parallel.
    pub fn block<T: Real>(&self, x: &[T]) -> BlockSum {
        BlockSum(match self.pass {
            Pass::Sums => Sums::of(x, self.p),
            Pass::Largest => Sums {
                squares: largest(x),
                powers: 0.0,
            },
            Pass::Scaled(m) => Sums {
                squares: match self.two {
                    None => scaled_squares(x, libm::ilogb(m)),
                    Some(_) => 0.0,
                },
                powers: match self.power {
                    None if self.p != 2.0 => scaled_powers(x, m, self.p),
                    _ => 0.0,
                },
            },
        })
    }

    /// Adds the next block.
    pub fn add(&mut self, block: BlockSum) {
        match self.pass {
            Pass::Largest => self.sums.squares = self.sums.squares.max(block.0.squares),
            _ => self.sums = self.sums.add(block.0, self.p),
        }
    }

    /// Ends a pass: the norms, or none if all blocks have to come once more.
    pub fn finish(&mut self) -> Option<Norms> {
        let Sums { squares, powers } = std::mem::take(&mut self.sums);
        match self.pass {
            Pass::Sums => {
                if (SAFE_SUM..f64::INFINITY).contains(&squares) || squares.is_nan() {
                    self.two = Some(squares.sqrt());
                }
                if squares.is_nan() {
                    self.power = Some(squares);
                } else if self.p == f64::INFINITY || self.p == 1.0 && powers.is_finite() {
                    self.power = Some(powers);
                } else if self.p != 2.0 && SAFE_POWERS.contains(&powers) {
                    self.power = Some(root(powers, self.p));
                }
                self.pass = Pass::Largest;
            }
            Pass::Largest => {
                let largest = squares;
                if largest == 0.0 || !largest.is_finite() {
                    self.two.get_or_insert(largest);
                    self.power.get_or_insert(largest);
                }
                self.pass = Pass::Scaled(largest);
            }
            Pass::Scaled(m) => {
                self.two
                    .get_or_insert_with(|| libm::ldexp(squares.sqrt(), libm::ilogb(m)));
                self.power.get_or_insert_with(|| m * root(powers, self.p));
            }
        }
        let two = self.two?;
        let p = if self.p == 2.0 { two } else { self.power? };
        Some(Norms { two, p })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::{BLOCK, p_norms};

    /// Several blocks at magnitudes where plain sums are fine, overflow, vanish, and where one of the two does.
    #[test]
    fn bits_of_the_norms_in_memory() {
        for (exponent, p) in [-1070, -600, -200, -60, 0, 60, 200, 600, 1000]
            .into_iter()
            .flat_map(|e| [0.3, 1.0, 2.0, 3.5, 40.0, f64::INFINITY].map(|p| (e, p)))
        {
            let unit = libm::ldexp(1.0, exponent);
            let x: Vec<f64> = (0..2 * BLOCK + 13).map(|i| (i as f64).sin() * unit).collect();
            for x in [&x[..], &x[..9], &x[..BLOCK], &[]] {
                check(x, p);
            }
        }
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
            check(&[1.0, bad, 0.0], 2.0);
            check(&[1.0, bad, 0.0, f64::INFINITY], 3.0);
        }
        check(&[0.0_f32, -0.0], 3.0);
    }

    fn check<T: Real>(x: &[T], p: f64) {
        let mut streamed = Streamed::new(p);
        let mut passes = 0;
        let got = loop {
            passes += 1;
            assert!(passes <= 3, "p = {p}");
            for block in x.chunks(BLOCK) {
                let sum = streamed.block(block);
                streamed.add(sum);
            }
            if let Some(norms) = streamed.finish() {
                break norms;
            }
        };
        let expected = p_norms(&[x], p)[0];
        let bits = |n: Norms| [n.two, n.p].map(|x| if x.is_nan() { 0 } else { x.to_bits() });
        assert_eq!(bits(got), bits(expected), "p = {p}: {got:?}, {expected:?}");
    }
}
