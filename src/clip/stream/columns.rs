//! Units whose elements do not follow each other, as the columns of a matrix: their blocks are gathered.
//!
//! A block of a unit is complete in memory before it is added up, so the sums have the bits of the sums in memory. Where
//! the blocks of all units at once would take too much of it, the tensor is read several times.

use super::blocks::{Units, results};
use super::formula::Formula;
use super::layout::{CHUNK, Kind, Layout};
use super::source::{GradStream, Reader};
use crate::real::Real;
use crate::reduce::{BLOCK, BlockSum, Norms, Written};
use rayon::prelude::*;
use std::ops::Range;

/// The units of one reading and the beginnings of their blocks.
struct Gathered<C> {
    units: Range<usize>,
    blocks: Vec<Vec<C>>,
    /// Blocks that are complete.
    full: Vec<(usize, Vec<C>)>,
}

impl<C: Real> Gathered<C> {
    /// As many units from `first` on as may be in memory.
    fn new(layout: &Layout, first: usize) -> Self {
        let at_once = (4 * CHUNK / BLOCK.min(layout.len)).max(1);
        let units = first..layout.units.min(first + at_once);
        Self {
            blocks: vec![Vec::new(); units.len()],
            full: Vec::new(),
            units,
        }
    }

    /// Takes the elements of a chunk.
    fn take(&mut self, layout: &Layout, at: usize, x: &[C]) {
        for run in layout.runs(at..at + x.len()) {
            for i in run.range.clone() {
                let unit = match layout.kind {
                    Kind::Within => run.unit,
                    Kind::Across => run.unit + i - run.range.start,
                };
                if self.units.contains(&unit) {
                    let block = &mut self.blocks[unit - self.units.start];
                    block.push(x[i]);
                    if block.len() == BLOCK {
                        self.full.push((unit, std::mem::take(block)));
                    }
                }
            }
        }
    }

    /// The beginnings are the last blocks of their units.
    fn close(&mut self) {
        let last = self.blocks.iter_mut().map(std::mem::take);
        let last = self
            .units
            .clone()
            .zip(last)
            .filter(|(_, block)| !block.is_empty());
        self.full.extend(last);
    }

    /// Adds up the complete blocks.
    fn add_to(&mut self, units: &mut Units) {
        let sums: Vec<(usize, Option<BlockSum>)> = self
            .full
            .par_iter()
            .map(|(unit, block)| (*unit, units.open(*unit).map(|unit| unit.block(block))))
            .collect();
        for (unit, sum) in sums {
            units.add(unit, sum);
        }
        self.full.clear();
    }
}

/// The norms of every unit.
pub(super) fn norms<C: Real, S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    p: f64,
) -> Result<Vec<Norms>, S::Error> {
    let mut units = Units::new(layout.units, p);
    while units.are_open() {
        pass::<C, S>(reader, layout, &mut units, |_, _, _| Ok(()))?;
    }
    Ok(units.norms())
}

/// Writes a tensor and measures what was written.
pub(super) fn rewrite<C: Real, S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    formula: &Formula<C>,
    p: f64,
    write: bool,
) -> Result<Vec<Option<Written>>, S::Error> {
    let element = reader.element();
    let moments = reader.moments().filter(|_| formula.reads_moments());
    let mut units = Units::written(layout.units, p, formula);
    let mut changed = vec![0; layout.units];
    let (mut bytes, mut beside) = (Vec::new(), Vec::new());
    // Elements before this one were written and counted.
    let mut written = 0;
    while written < reader.elements() || units.are_open() {
        pass::<C, S>(reader, layout, &mut units, |reader, at, x| {
            let mut v: Vec<C> = Vec::new();
            if let Some(element) = moments {
                reader.read_moments(at, x.len(), &mut beside)?;
                element.decode(&beside, &mut v);
            }
            let new = at >= written;
            let (count, width) = (x.len(), element.width());
            if new && write {
                reader.read(at, count, &mut bytes)?;
            }
            for run in layout.runs(at..at + count) {
                let step = match layout.kind {
                    Kind::Within => run.range.len(),
                    Kind::Across => 1,
                };
                for start in run.range.clone().step_by(step) {
                    let unit = match layout.kind {
                        Kind::Within => run.unit,
                        Kind::Across => run.unit + start - run.range.start,
                    };
                    if !formula.writes(unit) {
                        continue;
                    }
                    let own = start..start + step;
                    let v = moments.map(|_| &v[own.clone()]);
                    let count = formula.apply(unit, layout.extent, &mut x[own.clone()], v);
                    if new {
                        changed[unit] += count;
                    }
                    if new && write {
                        element.encode(&x[own.clone()], &mut bytes[own.start * width..own.end * width]);
                    }
                }
            }
            if new && write {
                reader.write(at, &bytes)?;
            }
            written = written.max(at + count);
            Ok(())
        })?;
    }
    Ok(results(units, changed, formula))
}

/// One pass over all units that are not done, group by group; `change` sees every chunk first.
fn pass<C: Real, S: GradStream>(
    reader: &mut Reader<'_, S>,
    layout: &Layout,
    units: &mut Units,
    mut change: impl FnMut(&mut Reader<'_, S>, usize, &mut [C]) -> Result<(), S::Error>,
) -> Result<(), S::Error> {
    let (element, elements) = (reader.element(), reader.elements());
    let (mut bytes, mut x) = (Vec::new(), Vec::new());
    let mut first = 0;
    while first < layout.units {
        let mut gathered = Gathered::new(layout, first);
        let group = gathered.units.clone();
        first = group.end;
        for at in (0..elements).step_by(CHUNK) {
            let count = CHUNK.min(elements - at);
            reader.read(at, count, &mut bytes)?;
            element.decode::<C>(&bytes, &mut x);
            change(reader, at, &mut x)?;
            gathered.take(layout, at, &x);
            gathered.add_to(units);
        }
        gathered.close();
        gathered.add_to(units);
    }
    units.end_pass();
    Ok(())
}
