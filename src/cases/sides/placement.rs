//! What a tensor is that stands in several files, and how one is made of its parts.
//!
//! | text | each rank's file holds | the tensor is |
//! |---|---|---|
//! | `PATTERN=replicated` | a replica | that of the first rank; all must have the same bits |
//! | `PATTERN=shard:AXIS` | a shard | the shards, one after the other along the axis in the order of ranks |
//! | `PATTERN=partial` | a term | the sum over ranks, where no order of summation can change it |
//!
//! An axis below 0 counts from the last, as in PyTorch and NumPy. Who adds terms up (an all-reduce) does it in an order
//! that nobody knows, so a sum is taken only if every order gives the same bits: that of two ranks, which is rounded
//! once, and of more where no partial sum is rounded at all. With every term a multiple of `q`, the smallest last bit
//! among them, that is so if `Σ |xᵢ| < 2^p q` for the type's `p` significant bits, because then each partial
//! sum is a multiple of `q` that the type can hold.

use super::Part;
use crate::clip::Pattern;
use crate::oracle::{Data, Format, Tensor};
use std::fmt;
use std::str::FromStr;

/// What the parts of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The same tensor on every rank.
    Replicated,
    /// Pieces along this axis.
    Shard(isize),
    /// Terms of a sum.
    Partial,
}

/// What the tensors of a pattern are.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The names, without the prefixes that are stripped.
    pub pattern: Pattern,
    /// What their parts are.
    pub place: Place,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = self.pattern.as_str();
        match self.place {
            Place::Replicated => write!(f, "{pattern}=replicated"),
            Place::Shard(axis) => write!(f, "{pattern}=shard:{axis}"),
            Place::Partial => write!(f, "{pattern}=partial"),
        }
    }
}

impl FromStr for Placement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected PATTERN=replicated, PATTERN=shard:AXIS or PATTERN=partial";
        let (pattern, place) = text.rsplit_once('=').ok_or_else(|| expected.to_owned())?;
        let place = match (place, place.strip_prefix("shard:").map(str::parse)) {
            ("replicated", _) => Place::Replicated,
            ("partial", _) => Place::Partial,
            (_, Some(Ok(axis))) => Place::Shard(axis),
            _ => return Err(format!("`{place}` is no placement, {expected}")),
        };
        let pattern = Pattern::new(pattern).map_err(|error| error.to_string())?;
        Ok(Self { pattern, place })
    }
}

/// A tensor that was made of its parts, and where replicas differ.
pub(super) struct Whole {
    pub(super) tensor: Tensor,
    pub(super) difference: Option<String>,
}

/// Makes one tensor of several parts.
///
/// # Errors
/// Why the parts do not go together.
pub(super) fn whole(place: Place, parts: &[Part<'_>]) -> Result<Whole, String> {
    let (first, others) = parts.split_first().ok_or("no part")?;
    let format = first.tensor.data.format();
    if let Some(other) = others.iter().find(|part| part.tensor.data.format() != format) {
        let (a, b) = (format, other.tensor.data.format());
        return Err(format!("it is {a} in {} and {b} in {}", first.file, other.file));
    }
    let tensor = match place {
        Place::Replicated => {
            let difference = others.iter().find_map(|other| difference(first, other));
            let tensor = first.tensor.clone();
            return Ok(Whole { tensor, difference });
        }
        Place::Shard(axis) => joined(axis, parts)?,
        Place::Partial => sum(parts)?,
    };
    Ok(Whole {
        tensor,
        difference: None,
    })
}

/// Where two replicas first differ.
fn difference(a: &Part<'_>, b: &Part<'_>) -> Option<String> {
    let name = &a.tensor.name;
    if a.tensor.shape != b.tensor.shape {
        let (one, other) = (&a.tensor.shape, &b.tensor.shape);
        return Some(format!(
            "replicas of `{name}` differ: shape {one:?} in {}, {other:?} in {}",
            a.file, b.file
        ));
    }
    let (x, y) = (&a.tensor.data, &b.tensor.data);
    let differ = |&i: &usize| {
        let (x, y) = (x.get(i), y.get(i));
        // All NaN are one, as in verdicts.
        x.to_bits() != y.to_bits() && !(x.is_nan() && y.is_nan())
    };
    let first = (0..x.len()).find(differ)?;
    let more = match (first + 1..x.len()).filter(differ).count() {
        0 => String::new(),
        n => format!(", and {n} elements more"),
    };
    Some(format!(
        "replicas of `{name}` differ: element {first} is {:?} in {} and {:?} in {}{more}",
        x.get(first),
        a.file,
        y.get(first),
        b.file
    ))
}

/// Shards, one after the other along an axis.
fn joined(axis: isize, parts: &[Part<'_>]) -> Result<Tensor, String> {
    let first = &parts[0].tensor;
    let rank = first.shape.len();
    let at = if axis < 0 { axis + rank.cast_signed() } else { axis };
    let at = usize::try_from(at).ok().filter(|at| *at < rank).ok_or_else(|| {
        format!(
            "its shape is {:?}, which has no axis {axis} that shards could be joined along",
            first.shape
        )
    })?;
    let mut shape = first.shape.clone();
    for part in &parts[1..] {
        let mut other = part.tensor.shape.clone();
        if other.len() == rank {
            shape[at] += other[at];
            other[at] = first.shape[at];
        }
        if other != first.shape {
            return Err(format!(
                "the shard in {} has the shape {:?} and that in {} {:?}: they may differ along axis {at} alone",
                parts[0].file, first.shape, part.file, part.tensor.shape
            ));
        }
    }
    let rows: usize = shape[..at].iter().product();
    let pieces: Vec<Vec<u8>> = parts.iter().map(|part| part.tensor.data.to_le_bytes()).collect();
    let mut bytes = Vec::with_capacity(pieces.iter().map(Vec::len).sum());
    for row in 0..rows {
        for piece in &pieces {
            let length = piece.len() / rows;
            bytes.extend_from_slice(&piece[row * length..(row + 1) * length]);
        }
    }
    Ok(Tensor {
        name: first.name.clone(),
        shape,
        data: Data::from_le_bytes(first.data.format(), &bytes),
    })
}

/// The sum over ranks.
fn sum(parts: &[Part<'_>]) -> Result<Tensor, String> {
    let first = &parts[0].tensor;
    if let Some(other) = parts.iter().find(|part| part.tensor.shape != first.shape) {
        return Err(format!(
            "terms of a sum have one shape: {:?} in {}, {:?} in {}",
            first.shape, parts[0].file, other.tensor.shape, other.file
        ));
    }
    let format = first.data.format();
    let mut values = Vec::with_capacity(first.data.len());
    let mut terms = Vec::with_capacity(parts.len());
    for i in 0..first.data.len() {
        terms.clear();
        terms.extend(parts.iter().map(|part| part.tensor.data.get(i)));
        let sum = sum_in_any_order(format, &terms).ok_or_else(|| {
            format!(
                "the sum of {} ranks at element {i} ({terms:?}) depends on its order in {format}, and the order of an \
                 all-reduce is not known: save the gradients after it, before they are clipped",
                terms.len()
            )
        })?;
        values.push(sum);
    }
    Ok(first.with(values))
}

/// The sum in this type, if every order of additions gives these bits.
fn sum_in_any_order(format: Format, terms: &[f64]) -> Option<f64> {
    // Adding -0 and -0 gives -0, as a sum that begins with its first term does.
    let sum = terms.iter().copied().reduce(|a, b| a + b)?;
    let magnitude: f64 = terms.iter().filter(|x| x.is_finite()).map(|x| x.abs()).sum();
    if terms.iter().any(|x| !x.is_finite()) {
        // An infinity or a NaN stays what it is unless finite terms overflow to another infinity first.
        return (magnitude <= format.max()).then_some(sum);
    }
    if let [a, b] = terms {
        // Rounded once: the error of a sum of two in F64 is too small to round it differently into a narrower type.
        return Some(format.round(a + b));
    }
    let bits = terms.iter().filter(|x| **x != 0.0).map(|x| quantum(format, *x));
    let quantum = bits.reduce(f64::min);
    let Some(quantum) = quantum else {
        return Some(sum);
    };
    // 2^p q. Below it the sum of magnitudes is exact in F64; above, it cannot round to less.
    let bound = quantum / format.unit_roundoff();
    (magnitude < bound && magnitude <= format.max()).then_some(sum)
}

/// The lowest bit that is set in a number of the format: 2^10 of 1024.
fn quantum(format: Format, x: f64) -> f64 {
    let bits = x.abs().to_bits();
    let (exponent, mantissa) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    let (mantissa, exponent) = if exponent == 0 {
        (mantissa, 1)
    } else {
        (mantissa | 1 << 52, exponent)
    };
    let power = exponent - 1075 + mantissa.trailing_zeros().cast_signed();
    power_of_two(power).max(format.min_subnormal())
}

/// `2^n` for the exponents of F64, subnormal ones too.
fn power_of_two(n: i32) -> f64 {
    if n >= -1022 {
        f64::from_bits(((n + 1023) as u64) << 52)
    } else {
        f64::from_bits(1 << (n + 1074))
    }
}
