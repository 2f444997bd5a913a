//! Lengths at which code breaks, and shapes for them.

use super::super::draw::Draw;
use crate::clip::Partition;

/// Around every power of two and of ten up to `largest`: one below, the number, one above, and half as much again.
pub(super) fn lengths(largest: usize) -> Vec<usize> {
    let twos = (0..24).map(|k| 1 << k);
    let tens = (3..8).map(|k| 10_usize.pow(k));
    let mut lengths: Vec<usize> = twos
        .chain(tens)
        .flat_map(|b| [b - 1, b, b + 1, b + b / 2])
        .filter(|&n| 0 < n && n <= largest)
        .collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

/// Counts of tensors around the limits of launches that take many tensors at once, and around powers of two.
pub(super) const COUNTS: [usize; 40] = [
    2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 30, 31, 32, 33, 36, 37, 48, 49, 63, 64, 65, 96, 100, 110,
    111, 127, 128, 129, 200, 201, 255, 256, 257, 319, 320, 321, 513,
];

/// The `k`th of `n` places, jumping about: any run of them is spread over all, and `n` in a row are all of them.
pub(super) fn spread(k: usize, n: usize) -> usize {
    // Five eighths of the way, or the first step from there that has no divisor in common with n.
    let start = (n * 5).div_ceil(8).max(1);
    let step = (start..start + n).find(|&step| gcd(step, n) == 1).unwrap_or(1);
    (k % n) * step % n
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A shape whose components, or whose longest one, have so many elements.
pub(super) fn shape(draw: &mut Draw, partition: &Partition, length: usize) -> Vec<usize> {
    let units = draw.choose(&[1, 2, 3, 5]);
    // Long tensors have few units, so that a case keeps its size.
    let units = if length > 10_000 { 1 } else { units };
    match partition {
        Partition::Row => vec![units, length],
        Partition::OptaxUnit => vec![length, units + 1],
        Partition::Axes(axes) => {
            let rank = axes.iter().max().map_or(1, |axis| axis + 1);
            let mut shape = vec![1; rank.max(2)];
            match axes.first() {
                Some(&axis) => shape[axis] = length,
                None => shape[0] = length,
            }
            let free = (0..shape.len()).find(|axis| !axes.contains(axis));
            if let Some(axis) = free.filter(|_| !axes.is_empty()) {
                shape[axis] = units;
            }
            shape
        }
        _ => match draw.below(6) {
            0 => vec![1, length],
            1 => vec![length, 1],
            2 | 3 => factors(draw, length),
            _ => vec![length],
        },
    }
}

/// Two axes with that many elements, as square as it goes by powers of two and three.
fn factors(draw: &mut Draw, length: usize) -> Vec<usize> {
    let divisors = [2, 3, 4, 8, 16, 32, 64, 128];
    let fitting: Vec<usize> = divisors
        .into_iter()
        .filter(|d| length.is_multiple_of(*d))
        .collect();
    if fitting.is_empty() {
        return vec![length];
    }
    let d = draw.choose(&fitting);
    if draw.below(2) == 0 {
        vec![d, length / d]
    } else {
        vec![length / d, d]
    }
}

/// Axes that a partition needs are there: axes of length 1 are put behind.
pub(super) fn with_axes(partition: &Partition, mut shape: Vec<usize>) -> Vec<usize> {
    if let Partition::Axes(axes) = partition {
        let rank = axes.iter().max().map_or(0, |axis| axis + 1);
        while shape.len() < rank {
            shape.push(1);
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn lengths_stand_around_blocks() {
        // b - 1, b, b + 1 and b + b/2 for b = 1, 2, 4, 8, 16, 32.
        assert_eq!(
            lengths(40),
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33]
        );
        for (n, largest) in [(1023, 5000), (65_537, 70_000), (10_000_000, 10_000_001)] {
            assert!(lengths(largest).contains(&n));
        }
        assert!(lengths(100).iter().all(|&n| n <= 100));
    }

    #[test]
    fn a_spread_visits_everything_once() {
        for n in [1, 2, 3, 8, 40, 53, 96] {
            let visited: BTreeSet<usize> = (0..n).map(|k| spread(k, n)).collect();
            assert_eq!(visited.len(), n, "{n}");
        }
        // A tenth of the places reaches both halves.
        let few: Vec<usize> = (0..10).map(|k| spread(k, 100)).collect();
        assert!(few.iter().any(|&i| i < 50) && few.iter().any(|&i| i >= 50));
    }

    #[test]
    fn shapes_hold_the_length() {
        let mut draw = Draw::new(0, "shapes");
        for length in [1, 7, 64, 1025] {
            for partition in Partition::NAMED {
                let shape = shape(&mut draw, &partition, length);
                let elements: usize = shape.iter().product();
                assert_eq!(elements % length, 0, "{partition} {shape:?}");
            }
            let axes = Partition::Axes(vec![0, 1]);
            let shape = shape(&mut draw, &axes, length);
            assert!(shape.len() >= 2 && shape.contains(&length));
        }
        assert_eq!(with_axes(&Partition::Axes(vec![2]), vec![4]), [4, 1, 1]);
        assert!(with_axes(&Partition::Row, vec![]).is_empty());
    }
}
