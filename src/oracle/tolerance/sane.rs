//! What a reduction that nobody declared is taken for.
//!
//! Only what sane implementations do explains a deviation ([`sane`]): a sum that is correctly rounded, in `F64`, compensated,
//! pairwise, a tree of any shape with no path of more than [`SANE_DEPTH`] additions, or blocks that are added one after the
//! other. A block kernel over `N` elements allows an error of `N/2B u`, and one that forgets a block is off by `B/2N`; so
//! blocks of at most [`SANE_BLOCK`] elements are an explanation only where there are at most [`SANE_BLOCKS`] of them:
//!
//! ```text
//! N/2B u <= B/8N    where    N/B <= 1/(2 √u) = 2048        a quarter of what one forgotten block would be
//! ```
//!
//! What needs more ([`WEAK`]) is told. No norm that is off by more than
//! [`max_norm_error`](crate::oracle::Declared::max_norm_error) is certified, whatever was declared.

use super::depth;
use crate::oracle::declared::Reduction;
use crate::oracle::format::Format;

/// A tree is sane if no term passes through more additions: the runs of 128 of numpy, the three levels of a GPU.
pub const SANE_DEPTH: u64 = 128;

/// Blocks of more elements could go missing unnoticed.
pub const SANE_BLOCK: u64 = 1024;

/// So many blocks, one after the other, are an explanation: `1/(2√u)` in `F32`.
pub const SANE_BLOCKS: u64 = 2048;

/// The sums that an `unknown` reduction is not taken for, tight to loose; what needs one of them is told.
pub const WEAK: [Reduction; 4] = [
    Reduction::Blocks(1024),
    Reduction::Lanes(1024),
    Reduction::Lanes(8),
    Reduction::Sequential,
];

/// What an `unknown` reduction of so many elements is taken for, tight to loose. In `F64` any order will do: at 10⁸ elements
/// it is off by less than 10⁻⁸.
pub fn sane(elements: u64, accumulator: Format) -> Vec<Reduction> {
    if accumulator == Format::F64 {
        return vec![
            Reduction::Exact,
            Reduction::Kahan,
            Reduction::Pairwise(8),
            Reduction::F64,
        ];
    }
    let mut rungs = vec![
        Reduction::Exact,
        Reduction::F64,
        Reduction::Kahan,
        Reduction::Pairwise(8),
        Reduction::Depth(SANE_DEPTH),
    ];
    let block = elements.div_ceil(SANE_BLOCKS).next_power_of_two();
    if block <= SANE_BLOCK {
        let blocks = Reduction::Blocks(block as u32);
        if depth(blocks, elements) > SANE_DEPTH {
            rungs.push(blocks);
        }
    }
    rungs
}

#[cfg(test)]
mod tests {
    use super::super::norm;
    use super::*;
    use crate::clip::Statistic;
    use crate::oracle::Declared;

    /// At most 2048 blocks, of the least power of two that does: 8 for 10^4 elements, 512 for 10^6; beyond 2^21 elements
    /// 1024 would not do.
    #[test]
    fn sane_sums() {
        let deepest = |n| depth(Reduction::Unknown, n);
        assert_eq!(deepest(100), 99);
        assert_eq!(deepest(10_000), 3 + 1249);
        assert_eq!(deepest(1_000_000), 9 + 1953);
        assert_eq!(deepest(1 << 21), 10 + 2047);
        assert_eq!(deepest((1 << 21) + 1), 128);
        for n in [
            1_000,
            10_000,
            100_000,
            1_000_000,
            1 << 21,
            10_000_000,
            100_000_000,
        ] {
            let bound = norm(&Declared::default(), Statistic::L2, Format::F32, n, 1).above;
            let forgotten = SANE_BLOCK.min(n) as f64 / (2 * n) as f64;
            assert!(bound < forgotten, "{n}: {bound:e} hides a block, {forgotten:e}");
        }
    }
}
