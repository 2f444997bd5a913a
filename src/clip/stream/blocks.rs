//! Units whose elements follow each other: chunks of whole blocks, the blocks of a chunk in parallel.

use super::columns;
use super::formula::Formula;
use super::layout::{CHUNK, Kind, Layout};
use super::source::{GradStream, Reader};
use crate::clip::Element;
use crate::real::Real;
use crate::reduce::{BLOCK, BlockSum, Norms, Streamed, Written};
use rayon::prelude::*;

/// A block of a unit, or a whole unit that is shorter.
#[derive(Clone, Copy, Debug)]
struct Block {
    unit: usize,
    /// The place of its first element in the tensor.
    at: usize,
    len: usize,
}

/// The blocks of a tensor in order, so many at once as fill a chunk.
fn chunks(layout: &Layout) -> impl Iterator<Item = Vec<Block>> {
    let len = layout.len;
    let mut blocks = (0..layout.units).flat_map(move |unit| {
        (0..len).step_by(BLOCK).map(move |start| Block {
            unit,
            at: unit * len + start,
            len: BLOCK.min(len - start),
        })
    });
    std::iter::from_fn(move || {
        let mut chunk = Vec::new();
        let mut elements = 0;
        while elements < CHUNK {
            let Some(block) = blocks.next() else {
                break;
            };
            elements += block.len;
            chunk.push(block);
        }
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn extent(chunk: &[Block]) -> (usize, usize) {
    let (first, last) = (chunk[0], chunk[chunk.len() - 1]);
    (first.at, last.at + last.len - first.at)
}

/// Splits the bytes of a chunk into those of its blocks.
fn split<'b>(chunk: &[Block], mut bytes: &'b mut [u8], width: usize) -> Vec<(Block, &'b mut [u8])> {
    let each = chunk.iter().map(|&block| {
        let (own, rest) = std::mem::take(&mut bytes).split_at_mut(block.len * width);
        bytes = rest;
        (block, own)
    });
    each.collect()
}

/// The norms of every unit of a tensor.
pub(super) fn norms<S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    p: f64,
) -> Result<Vec<Norms>, S::Error> {
    match (reader.element(), layout.is_contiguous()) {
        (Element::F64, true) => norms_in::<f64, S>(reader, layout, p),
        (_, true) => norms_in::<f32, S>(reader, layout, p),
        (Element::F64, false) => columns::norms::<f64, S>(reader, layout, p),
        (_, false) => columns::norms::<f32, S>(reader, layout, p),
    }
}

fn norms_in<C: Real, S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    p: f64,
) -> Result<Vec<Norms>, S::Error> {
    let element = reader.element();
    let mut units = Units::new(layout.units, p);
    let mut bytes = Vec::new();
    while units.are_open() {
        for chunk in chunks(layout) {
            if chunk.iter().all(|block| units.is_done(block.unit)) {
                continue;
            }
            let (at, count) = extent(&chunk);
            reader.read(at, count, &mut bytes)?;
            let sums: Vec<Option<BlockSum>> = split(&chunk, &mut bytes, element.width())
                .into_par_iter()
                .map_init(Vec::new, |x: &mut Vec<C>, (block, bytes)| {
                    units.open(block.unit).map(|unit| {
                        element.decode(bytes, x);
                        unit.block(x)
                    })
                })
                .collect();
            for (block, sum) in chunk.iter().zip(sums) {
                units.add(block.unit, sum);
            }
        }
        units.end_pass();
    }
    Ok(units.norms())
}

/// The norms of units in the making.
pub(super) struct Units {
    open: Vec<Streamed>,
    done: Vec<Option<Norms>>,
}

impl Units {
    pub(super) fn new(units: usize, p: f64) -> Self {
        Self {
            open: vec![Streamed::new(p); units],
            done: vec![None; units],
        }
    }

    /// Those that the formula writes; the others need no pass.
    pub(super) fn written<C: Real>(units: usize, p: f64, formula: &Formula<C>) -> Self {
        let mut all = Self::new(units, p);
        for (unit, done) in all.done.iter_mut().enumerate() {
            *done = (!formula.writes(unit)).then_some(Norms { two: 0.0, p: 0.0 });
        }
        all
    }

    /// Whether another pass is needed.
    pub(super) fn are_open(&self) -> bool {
        self.done.iter().any(Option::is_none)
    }

    pub(super) fn is_done(&self, unit: usize) -> bool {
        self.done[unit].is_some()
    }

    /// The unit, if it needs this pass.
    pub(super) fn open(&self, unit: usize) -> Option<&Streamed> {
        (!self.is_done(unit)).then_some(&self.open[unit])
    }

    pub(super) fn add(&mut self, unit: usize, sum: Option<BlockSum>) {
        if let Some(sum) = sum {
            self.open[unit].add(sum);
        }
    }

    pub(super) fn end_pass(&mut self) {
        for (open, done) in self.open.iter_mut().zip(&mut self.done) {
            if done.is_none() {
                *done = open.finish();
            }
        }
    }

    pub(super) fn norms(self) -> Vec<Norms> {
        self.done.into_iter().flatten().collect()
    }
}

/// Goes through a tensor chunk by chunk, as `f64`.
fn each_chunk<S: GradStream>(
    reader: &mut Reader<'_, S>,
    moments: bool,
    mut visit: impl FnMut(usize, &[f64], &[f64]),
) -> Result<(), S::Error> {
    let (element, elements) = (reader.element(), reader.elements());
    let (mut bytes, mut x, mut v) = (Vec::new(), Vec::new(), Vec::new());
    for at in (0..elements).step_by(CHUNK) {
        let count = CHUNK.min(elements - at);
        reader.read(at, count, &mut bytes)?;
        element.decode(&bytes, &mut x);
        if let Some(element) = reader.moments().filter(|_| moments) {
            reader.read_moments(at, count, &mut bytes)?;
            element.decode(&bytes, &mut v);
        }
        visit(at, &x, &v);
    }
    Ok(())
}

/// The NaN and infinite elements of every unit. A norm that is a number has none.
pub(super) fn non_finite<S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    norms: &[Norms],
) -> Result<Vec<usize>, S::Error> {
    let mut counts = vec![0; layout.units];
    if norms.iter().all(|n| n.two.is_finite()) {
        return Ok(counts);
    }
    each_chunk(reader, false, |at, x, _| {
        each_unit(layout, at, x.len(), |i, unit| {
            counts[unit] += usize::from(!x[i].is_finite());
        });
    })?;
    Ok(counts)
}

/// `√Σ g²/max(v, ε²)` of every unit, added up in order.
pub(super) fn ratios<S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    eps: f64,
) -> Result<Vec<f64>, S::Error> {
    let mut sums = vec![0.0_f64; layout.units];
    each_chunk(reader, true, |at, g, v| {
        each_unit(layout, at, g.len(), |i, unit| {
            sums[unit] += g[i] * g[i] / v[i].max(eps * eps);
        });
    })?;
    Ok(sums.into_iter().map(f64::sqrt).collect())
}

/// The sum of the squares of every unit, each as `square` gives it, in order and with what each addition loses.
pub(super) fn sums<S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    square: impl Fn(f64) -> f64,
) -> Result<Vec<f64>, S::Error> {
    let mut sums = vec![(0.0_f64, 0.0_f64); layout.units];
    each_chunk(reader, false, |at, x, _| {
        each_unit(layout, at, x.len(), |i, unit| {
            let (sum, lost) = sums[unit];
            let term = square(x[i]);
            let total = sum + term;
            let (large, small) = if sum < term { (term, sum) } else { (sum, term) };
            sums[unit] = (total, lost + ((large - total) + small));
        });
    })?;
    Ok(sums.into_iter().map(|(sum, lost)| sum + lost).collect())
}

/// Every element of a range with its unit.
fn each_unit(layout: &Layout, at: usize, count: usize, mut visit: impl FnMut(usize, usize)) {
    for run in layout.runs(at..at + count) {
        for i in run.range.clone() {
            let unit = match layout.kind {
                Kind::Within => run.unit,
                Kind::Across => run.unit + i - run.range.start,
            };
            visit(i, unit);
        }
    }
}

/// Writes a tensor whose units are contiguous and measures what was written.
pub(super) fn rewrite<C: Real, S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    formula: &Formula<C>,
    p: f64,
    write: bool,
) -> Result<Vec<Option<Written>>, S::Error> {
    let element = reader.element();
    let moments = reader.moments().filter(|_| formula.reads_moments());
    let width = moments.map_or(0, Element::width);
    let mut units = Units::written(layout.units, p, formula);
    let mut changed = vec![0; layout.units];
    let (mut bytes, mut beside) = (Vec::new(), Vec::new());
    let mut first = true;
    while first || units.are_open() {
        for chunk in chunks(layout) {
            let (at, count) = extent(&chunk);
            reader.read(at, count, &mut bytes)?;
            if moments.is_some() {
                reader.read_moments(at, count, &mut beside)?;
            }
            let own = split(&chunk, &mut bytes, element.width());
            let sums: Vec<(Option<BlockSum>, usize)> = own
                .into_par_iter()
                .map_init(
                    || (Vec::new(), Vec::new()),
                    |(x, v), (block, bytes)| {
                        let Some(unit) = units.open(block.unit) else {
                            return (None, 0);
                        };
                        element.decode::<C>(bytes, x);
                        let v = moments.map(|element| {
                            let place = (block.at - at) * width..(block.at - at + block.len) * width;
                            element.decode::<C>(&beside[place], v);
                            &v[..]
                        });
                        let changed = formula.apply(block.unit, layout.extent, x, v);
                        element.encode(x, bytes);
                        (Some(unit.block(x)), changed)
                    },
                )
                .collect();
            for (block, (sum, count)) in chunk.iter().zip(sums) {
                units.add(block.unit, sum);
                changed[block.unit] += if first { count } else { 0 };
            }
            if first && write {
                reader.write(at, &bytes)?;
            }
        }
        units.end_pass();
        first = false;
    }
    Ok(results(units, changed, formula))
}

/// What was written, unit by unit.
pub(super) fn results<C: Real>(
    units: Units,
    changed: Vec<usize>,
    formula: &Formula<C>,
) -> Vec<Option<Written>> {
    let each = units.norms().into_iter().zip(changed).enumerate();
    each.map(|(unit, (norms, changed))| formula.writes(unit).then_some(Written { norms, changed }))
        .collect()
}
