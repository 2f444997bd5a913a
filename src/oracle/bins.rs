//! Exact sums at nearly the speed of reading: one integer addition for each element.
//!
//! A number is `±m · 2^(f - b)`, with a mantissa `m` of `p` bits and an exponent field `f`. Squares with the same field
//! have the same unit, so they are added up as integers `m²` in a table with one entry for each field; the table is
//! folded into the wide register once for each block. Within a block of `2¹⁶` elements nothing can overflow:
//! `m² < 2⁴⁸` leaves 16 bits of a `u64` for `f32`, `m² < 2¹⁰⁶` leaves 22 of a `u128` for `f64`.
//!
//! NaN and infinities have the highest field, so they too end up in one entry, and are looked at again only if that
//! entry is not 0. Blocks run in parallel; merging is exact, so neither blocks nor threads leave a trace.

use super::format::Format;
use super::kulisch::Kulisch;
use super::tensor::Slice;
use rayon::prelude::*;

/// Elements of a block; the argument above needs at most 2¹⁶.
const BLOCK: usize = 1 << 16;

/// Tables that take turns, so that an addition need not wait for the one before it.
const TURNS: usize = 4;

/// What an element adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    /// `|x|`.
    One,
    /// `x²`.
    Two,
}

/// An exact sum over finite elements, with what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) finite: Kulisch,
    pub(super) nan: u64,
    pub(super) infinite: u64,
}

impl Sum {
    pub(super) fn merge(mut self, other: &Self) -> Self {
        self.finite.merge(&other.finite);
        self.nan += other.nan;
        self.infinite += other.infinite;
        self
    }
}

/// `Σ|x|` or `Σx²`.
pub(super) fn sum(x: Slice<'_>, power: Power) -> Sum {
    let format = x.format();
    match x {
        Slice::F16(x) => blocks(x, |x| narrow(x, format, power, |x| half(x, 10))),
        Slice::Bf16(x) => blocks(x, |x| narrow(x, format, power, |x| half(x, 7))),
        Slice::F32(x) => blocks(x, |x| narrow(x, format, power, single)),
        Slice::F64(x) => blocks(x, |x| wide(x, power)),
    }
}

/// The largest magnitude; NaN and infinities do not count.
pub(super) fn largest(x: Slice<'_>) -> f64 {
    fn fold<B: Sync>(x: &[B], value: impl Fn(&B) -> f64 + Sync + Send) -> f64 {
        let block = |x: &[B]| {
            let finite = x.iter().map(|x| value(x).abs()).filter(|x| x.is_finite());
            finite.fold(0.0, f64::max)
        };
        x.par_chunks(BLOCK).map(block).reduce(|| 0.0, f64::max)
    }
    match x {
        Slice::F16(x) => fold(x, |&x| Format::F16.decode(x)),
        Slice::Bf16(x) => fold(x, |&x| Format::Bf16.decode(x)),
        Slice::F32(x) => fold(x, |&x| f64::from(x)),
        Slice::F64(x) => fold(x, |&x| x),
    }
}

fn blocks<B: Sync>(x: &[B], block: impl Fn(&[B]) -> Sum + Sync + Send) -> Sum {
    if x.len() <= BLOCK {
        return block(x);
    }
    x.par_chunks(BLOCK)
        .map(block)
        .reduce(Sum::default, |a, b| a.merge(&b))
}

/// Mantissa and field of a 16-bit number with `steps` fraction bits.
#[inline]
fn half(bits: u16, steps: u32) -> (u64, usize) {
    let field = usize::from((bits & 0x7fff) >> steps);
    let fraction = u64::from(bits) & ((1 << steps) - 1);
    (fraction | u64::from(field != 0) << steps, field)
}

/// Mantissa and field of an `f32`.
#[inline]
fn single(x: f32) -> (u64, usize) {
    let bits = x.to_bits();
    let field = (bits >> 23 & 0xff) as usize;
    (u64::from(bits & 0x7f_ffff) | u64::from(field != 0) << 23, field)
}

/// A block of one of the formats of up to 24 bits.
fn narrow<B: Copy>(x: &[B], format: Format, power: Power, split: impl Fn(B) -> (u64, usize)) -> Sum {
    let mut tables = [[0_u64; 256]; TURNS];
    let (turns, rest) = x.as_chunks::<TURNS>();
    match power {
        Power::One => add_up(turns, rest, &mut tables, &split),
        Power::Two => add_up(turns, rest, &mut tables, |x| {
            let (mantissa, field) = split(x);
            (mantissa * mantissa, field)
        }),
    }
    let total = |field: usize| tables.iter().map(|table| u128::from(table[field])).sum::<u128>();
    let specials = (2 - 2 * format.min_exponent() + 1).cast_unsigned() as usize;
    let mut sum = Sum::default();
    for field in 0..specials {
        fold(&mut sum.finite, total(field), field, format, power);
    }
    if total(specials) > 0 {
        let infinity = 1 << (format.precision() - 1) as u64;
        let special = x
            .iter()
            .map(|&x| split(x))
            .filter(|&(_, field)| field == specials);
        for (mantissa, _) in special {
            sum.infinite += u64::from(mantissa == infinity);
            sum.nan += u64::from(mantissa != infinity);
        }
    }
    sum
}

/// The hot loop: one table entry an element.
#[inline]
fn add_up<B: Copy>(
    turns: &[[B; TURNS]],
    rest: &[B],
    tables: &mut [[u64; 256]; TURNS],
    term: impl Fn(B) -> (u64, usize),
) {
    for turn in turns {
        for (table, &x) in tables.iter_mut().zip(turn) {
            let (value, field) = term(x);
            table[field & 0xff] += value;
        }
    }
    for &x in rest {
        let (value, field) = term(x);
        tables[0][field & 0xff] += value;
    }
}

/// A block of `f64`.
fn wide(x: &[f64], power: Power) -> Sum {
    let mut table = vec![0_u128; 2048];
    let (mut sum, mut first, mut last) = (Sum::default(), 2047, 0);
    for x in x {
        let bits = x.to_bits();
        let field = (bits >> 52 & 0x7ff) as usize;
        let mantissa = u128::from(bits & 0xf_ffff_ffff_ffff) | u128::from(field != 0) << 52;
        (first, last) = (first.min(field), last.max(field));
        table[field] += if power == Power::Two {
            mantissa * mantissa
        } else {
            mantissa
        };
    }
    for (field, &total) in table.iter().enumerate().take(last.min(2046) + 1).skip(first) {
        fold(&mut sum.finite, total, field, Format::F64, power);
    }
    if last == 2047 {
        sum.infinite = x.iter().filter(|x| x.is_infinite()).count() as u64;
        sum.nan = x.iter().filter(|x| x.is_nan()).count() as u64;
    }
    sum
}

/// Adds a table entry to the register: the unit of field `f` is `2^(max(f, 1) - 1 + e₀ - p + 1)`, for squares twice that.
fn fold(sum: &mut Kulisch, total: u128, field: usize, format: Format, power: Power) {
    if total > 0 {
        let unit = i32::from(field.max(1) as u16) - 1 + format.min_exponent() - format.precision() + 1;
        sum.add(total, if power == Power::Two { 2 * unit } else { unit });
    }
}
