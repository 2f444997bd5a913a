//! The gradients cut into pieces, each within one component: a whole tensor, or a unit of one.
//!
//! A piece is read once and written at most once. Pieces that are contiguous are worked on in place, all their blocks in
//! parallel; the others (columns, gradients not in standard layout) are copied out, and back if written, one at a time
//! for each thread.

use super::ParamGrad;
use super::plan::Plan;
use crate::real::Real;
use crate::reduce::{self, Norms, Written};
use ndarray::{ArrayViewD, ArrayViewMutD, Axis, CowArray, IxDyn};
use rayon::prelude::*;

/// A part of one gradient with what lies beside it.
#[derive(Debug)]
pub(super) struct Piece<'a, T> {
    pub(super) parameter: usize,
    pub(super) component: Option<usize>,
    pub(super) counted: bool,
    pub(super) scaled: bool,
    pub(super) grad: ArrayViewMutD<'a, T>,
    pub(super) value: Option<ArrayViewD<'a, T>>,
    /// In standard layout.
    pub(super) second_moment: Option<CowArray<'a, T, IxDyn>>,
}

/// What is known of a piece without its elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) parameter: usize,
    pub(super) component: Option<usize>,
    pub(super) counted: bool,
    pub(super) elements: usize,
}

impl<T> Piece<'_, T> {
    pub(super) fn slot(&self) -> Slot {
        Slot {
            parameter: self.parameter,
            component: self.component,
            counted: self.counted,
            elements: self.grad.len(),
        }
    }
}

/// Cuts the gradients along the plan, parameter by parameter.
pub(super) fn cut<'a, T: Real>(plan: &Plan, grads: &'a mut [ParamGrad<'_, T>]) -> Vec<Piece<'a, T>> {
    let mut pieces = Vec::with_capacity(grads.len());
    for (parameter, (param, place)) in grads.iter_mut().zip(&plan.places).enumerate() {
        let axes = 0..param.grad.ndim();
        let (kept, order) = match &place.summed {
            None => (0, axes.collect()),
            Some(summed) => {
                let kept: Vec<usize> = axes.filter(|axis| !summed.contains(axis)).collect();
                (kept.len(), [kept, summed.clone()].concat())
            }
        };
        if kept > 0 && param.grad.is_empty() {
            continue;
        }
        let order: &[usize] = &order;
        let beside = |view: ArrayViewD<'a, T>| units(view.permuted_axes(order), kept).into_iter();
        let mut values = param.value.as_ref().map(|v| beside(v.view()));
        let mut moments = param.second_moment.as_ref().map(|v| beside(v.view()));
        let grads = units_mut(param.grad.view_mut().permuted_axes(order), kept);
        for (unit, grad) in grads.into_iter().enumerate() {
            pieces.push(Piece {
                parameter,
                component: place.component.map(|first| first + unit),
                counted: place.counted,
                scaled: place.scaled,
                grad,
                value: values.as_mut().and_then(Iterator::next),
                second_moment: moments.as_mut().and_then(Iterator::next).map(in_standard_layout),
            });
        }
    }
    pieces
}

/// One view for each index of the first `kept` axes.
fn units<T>(view: ArrayViewD<'_, T>, kept: usize) -> Vec<ArrayViewD<'_, T>> {
    if kept == 0 {
        return vec![view];
    }
    let unit = |i| view.clone().index_axis_move(Axis(0), i);
    let below = (0..view.len_of(Axis(0))).flat_map(|i| units(unit(i), kept - 1));
    below.collect()
}

/// One mutable view for each index of the first `kept` axes.
fn units_mut<T>(view: ArrayViewMutD<'_, T>, kept: usize) -> Vec<ArrayViewMutD<'_, T>> {
    if kept == 0 {
        return vec![view];
    }
    let mut all = Vec::new();
    let mut rest = view;
    for _ in 0..rest.len_of(Axis(0)) {
        let (first, others) = rest.split_at(Axis(0), 1);
        all.extend(units_mut(first.index_axis_move(Axis(0), 0), kept - 1));
        rest = others;
    }
    all
}

fn in_standard_layout<T: Clone>(view: ArrayViewD<'_, T>) -> CowArray<'_, T, IxDyn> {
    if view.is_standard_layout() {
        CowArray::from(view)
    } else {
        CowArray::from(view.as_standard_layout().into_owned())
    }
}

/// The norms of each view, in order.
pub(super) fn measure<T: Real>(views: &[ArrayViewD<'_, T>], p: f64) -> Vec<Norms> {
    let copied: Vec<Option<Norms>> = views
        .par_iter()
        .map(|view| match view.as_slice() {
            Some(_) => None,
            None => Some(reduce::p_norms(&[&view.iter().copied().collect::<Vec<T>>()], p)[0]),
        })
        .collect();
    let slices: Vec<&[T]> = views.iter().filter_map(|view| view.as_slice()).collect();
    let mut in_place = reduce::p_norms(&slices, p).into_iter();
    let all = copied
        .into_iter()
        .map(|copied| copied.unwrap_or_else(|| in_place.next().expect("a view is contiguous or was copied")));
    all.collect()
}

/// Rewrites the pieces and measures what was written. `write` is given the piece's place in the list, the place of the
/// block in the piece, and the block; it returns how many elements it changed.
pub(super) fn rewrite<T: Real>(
    pieces: &mut [&mut Piece<'_, T>],
    p: f64,
    write: impl Fn(usize, usize, &mut [T]) -> usize + Sync,
) -> Vec<Written> {
    let copied: Vec<Option<Written>> = pieces
        .par_iter_mut()
        .enumerate()
        .map(|(index, piece)| {
            if piece.grad.is_standard_layout() {
                return None;
            }
            let mut copy: Vec<T> = piece.grad.iter().copied().collect();
            let write = |_, at, x: &mut [T]| write(index, at, x);
            let written = reduce::write_norms(&mut [&mut copy[..]], p, write)[0];
            piece.grad.iter_mut().zip(copy).for_each(|(to, from)| *to = from);
            Some(written)
        })
        .collect();
    let (indices, mut slices): (Vec<usize>, Vec<&mut [T]>) = pieces
        .iter_mut()
        .enumerate()
        .filter_map(|(index, piece)| piece.grad.as_slice_mut().map(|x| (index, x)))
        .unzip();
    let write = |slice: usize, at, x: &mut [T]| write(indices[slice], at, x);
    let mut in_place = reduce::write_norms(&mut slices, p, write).into_iter();
    let all = copied.into_iter().map(|copied| {
        copied.unwrap_or_else(|| in_place.next().expect("a piece is contiguous or was copied"))
    });
    all.collect()
}
