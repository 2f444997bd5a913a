//! Clipping gradients that do not fit into memory: the bits of [`clip`](super::clip()), block by block.
//!
//! ```text
//! measure   every tensor is read once, some a second time     norms, by the blocks of `crate::reduce`
//! decide    as in memory
//! write     every tensor is read again, and written in order  what is kept is copied byte for byte
//! ```
//!
//! Gradients may be F16 and BF16 too, and their types may differ. Norm and factor are then in the type that holds all
//! numbers of the component, and each result is rounded to its tensor's type; what PyTorch and optax do otherwise is in
//! `mixed.rs`.
//!
//! In memory are one chunk of a tensor, and the numbers of every component; `row` has one for each row.

mod blocks;
mod columns;
mod formula;
mod layout;
mod mixed;
mod source;

pub use source::{GradStream, StreamError, StreamedParam, StreamedTensor, Tensor};

use super::Element;
use super::checks::{self, Shapes};
use super::error::ClipError;
use super::pass::{Handling, decide};
use super::pieces::Slot;
use super::plan::Plan;
use super::policy::ClipPolicy;
use super::report::ClipReport;
use super::rule::Rule;
use super::state::ClipState;
use super::tally::{Index, Outcome, Writing};
use crate::reduce::Norms;
use formula::{Acts, Decided};
use layout::Layout;
use source::Reader;

/// Clips gradients that come block by block and reports what was measured and done.
///
/// All gradients are read before the first is written, so an error of the policy leaves the output untouched. Then every
/// element of every gradient is written, in order; with `write` false nothing is, and the report is the same. F32 and
/// F64 gradients get the bits that [`clip_with_state`](super::clip_with_state) gives.
///
/// # Errors
/// [`StreamError::Clip`] as in memory, [`StreamError::Stream`] if a block cannot be read or written. The state is then as
/// it was.
///
/// # Examples
/// ```
/// use cwgnc::clip::{ClipState, Element, GradStream, StreamedParam, StreamedTensor, Tensor, clip_stream};
///
/// /// One gradient in BF16; (3, 4) has the norm 5.
/// struct Bytes(Vec<u8>, Vec<u8>);
///
/// impl GradStream for Bytes {
///     type Error = std::convert::Infallible;
///
///     fn read(&mut self, _: Tensor, _: usize, at: usize, bytes: &mut [u8]) -> Result<(), Self::Error> {
///         bytes.copy_from_slice(&self.0[2 * at..][..bytes.len()]);
///         Ok(())
///     }
///
///     fn write(&mut self, _: usize, _: usize, bytes: &[u8]) -> Result<(), Self::Error> {
///         self.1.extend_from_slice(bytes);
///         Ok(())
///     }
/// }
///
/// let param = StreamedParam::new("g", StreamedTensor { element: Element::Bf16, shape: vec![2] });
/// let mut bytes = Bytes(vec![0x40, 0x40, 0x80, 0x40], Vec::new());
/// let policy = "component:2.5@exact".parse()?;
/// let report = clip_stream(&policy, &mut ClipState::default(), &[param], &mut bytes, true)?;
/// assert_eq!(report.components[0].norm_before, 5.0);
/// // (1.5, 2)
/// assert_eq!(bytes.1, [0xc0, 0x3f, 0x00, 0x40]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clip_stream<S: GradStream>(
    policy: &ClipPolicy,
    state: &mut ClipState,
    params: &[StreamedParam],
    stream: &mut S,
    write: bool,
) -> Result<ClipReport, StreamError<S::Error>> {
    if policy.is_stateful() && !state.fits(policy) {
        return Err(StreamError::Clip(ClipError::State {
            policy: policy.to_string(),
            state: Some(state.policy.clone()),
        }));
    }
    checks::beside(policy, params.iter().map(shapes))?;
    let names: Vec<(&str, Vec<usize>)> = params
        .iter()
        .map(|p| (p.name.as_str(), p.grad.shape.clone()))
        .collect();
    let shapes: Vec<(&str, &[usize])> = names.iter().map(|(name, shape)| (*name, &shape[..])).collect();
    let plan = Plan::new(policy, &shapes)?;
    checks::thresholds(policy, &plan)?;
    let call = Call::new(policy, &plan, params);
    let (before, non_finite) = call.measure(stream).map_err(StreamError::Stream)?;
    let beside = call.beside(stream).map_err(StreamError::Stream)?;
    let index = Index::new(&plan, call.slots());
    let measured = index.measured(policy, &before, &non_finite, beside.as_deref());
    let kept = mixed::as_kept(&call, &index, &before, &measured, stream).map_err(StreamError::Stream)?;
    let bad: Vec<bool> = (0..kept.len())
        .map(|at| call.elements[at].is_bad(policy, &kept[at]))
        .collect();
    let form = |at: usize, handling: Handling<'_>| {
        Decided::new(
            policy,
            call.elements[at],
            &plan.components[at],
            &kept[at],
            handling,
        )
    };
    let (decisions, learned) = decide(policy, state, &plan.components, &measured, &bad, form)?;
    let written = call
        .write(stream, &decisions, (before, non_finite), write)
        .map_err(StreamError::Stream)?;
    if policy.is_stateful() {
        *state = learned;
    }
    let outcomes: Vec<Outcome> = decisions.iter().map(Decided::outcome).collect();
    Ok(index.report(policy.statistic, plan, &names, &measured, &outcomes, &written))
}

fn shapes(param: &StreamedParam) -> Shapes<'_> {
    Shapes {
        name: &param.name,
        grad: &param.grad.shape,
        value: param.value.as_ref().map(|tensor| &tensor.shape[..]),
        second_moment: param.second_moment.as_ref().map(|tensor| &tensor.shape[..]),
    }
}

/// What a call knows before it reads.
struct Call<'a> {
    policy: &'a ClipPolicy,
    plan: &'a Plan,
    params: &'a [StreamedParam],
    layouts: Vec<Layout>,
    /// The type of each component: the one that holds all numbers of its tensors.
    elements: Vec<Element>,
}

impl<'a> Call<'a> {
    fn new(policy: &'a ClipPolicy, plan: &'a Plan, params: &'a [StreamedParam]) -> Self {
        let layouts = params
            .iter()
            .zip(&plan.places)
            .map(|(param, place)| Layout::new(&param.grad.shape, place.summed.as_deref()));
        let elements = plan.components.iter().map(|component| {
            let elements = component.members.iter().map(|&at| params[at].grad.element);
            elements.reduce(Element::promote).unwrap_or(Element::F32)
        });
        Self {
            policy,
            plan,
            params,
            layouts: layouts.collect(),
            elements: elements.collect(),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (parameter, (place, layout)) in self.plan.places.iter().zip(&self.layouts).enumerate() {
            slots.extend((0..layout.units).map(|unit| Slot {
                parameter,
                component: place.component.map(|first| first + unit),
                counted: place.counted,
                elements: layout.len,
            }));
        }
        slots
    }

    /// The norms of every unit and its elements that are not finite.
    fn measure<S: GradStream>(&self, stream: &mut S) -> Result<(Vec<Norms>, Vec<usize>), S::Error> {
        let p = self.policy.statistic.p();
        let (mut norms, mut non_finite) = (Vec::new(), Vec::new());
        for (parameter, layout) in self.layouts.iter().enumerate() {
            let mut reader = Reader::new(stream, self.params, Tensor::Gradient, parameter);
            let own = blocks::norms(&mut reader, layout, p)?;
            non_finite.extend(blocks::non_finite(&mut reader, layout, &own)?);
            norms.extend(own);
        }
        Ok((norms, non_finite))
    }

    /// The norm of every unit of what the rule compares with: the weights, or `g/√max(v, ε²)`.
    fn beside<S: GradStream>(&self, stream: &mut S) -> Result<Option<Vec<f64>>, S::Error> {
        let mut beside = Vec::new();
        for (parameter, layout) in self.layouts.iter().enumerate() {
            let param = &self.params[parameter];
            match self.policy.rule {
                Rule::Agc { .. } | Rule::TrustRatio { .. } if param.value.is_some() => {
                    let mut reader = Reader::new(stream, self.params, Tensor::Value, parameter);
                    let norms = blocks::norms(&mut reader, layout, 2.0)?;
                    beside.extend(norms.into_iter().map(|n| n.two));
                }
                Rule::StableAdamW { eps, .. } if param.second_moment.is_some() => {
                    let mut reader = Reader::new(stream, self.params, Tensor::Gradient, parameter);
                    beside.extend(blocks::ratios(&mut reader, layout, eps)?);
                }
                Rule::Agc { .. } | Rule::TrustRatio { .. } | Rule::StableAdamW { .. } => {
                    beside.extend(std::iter::repeat_n(0.0, layout.units));
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(beside))
    }

    /// The write pass, or the same without writing.
    fn write<S: GradStream>(
        &self,
        stream: &mut S,
        decisions: &[Decided],
        (before, non_finite): (Vec<Norms>, Vec<usize>),
        write: bool,
    ) -> Result<Writing, S::Error> {
        let (mut after, mut changed) = (before.clone(), vec![0; before.len()]);
        let mut first = 0;
        for (parameter, layout) in self.layouts.iter().enumerate() {
            let own = first..first + layout.units;
            first = own.end;
            let acts = self.acts(parameter, decisions);
            let mut reader = Reader::new(stream, self.params, Tensor::Gradient, parameter);
            match acts {
                Some(acts) => {
                    let p = self.policy.statistic.p();
                    let results = acts.rewrite(&mut reader, layout, p, write)?;
                    for (at, result) in own.zip(results) {
                        if let Some(result) = result {
                            (after[at], changed[at]) = (result.norms, result.changed);
                        }
                    }
                }
                None if write => reader.copy()?,
                None => {}
            }
        }
        Ok(Writing {
            before,
            after,
            changed,
            non_finite,
        })
    }

    /// What is done to each unit of a parameter; none if all are kept.
    fn acts(&self, parameter: usize, decisions: &[Decided]) -> Option<Acts> {
        let place = &self.plan.places[parameter];
        let first = place.component.filter(|_| place.scaled)?;
        let storage = self.params[parameter].grad.element;
        let decided = (first..first + self.layouts[parameter].units).map(|at| {
            let of_component = (self.elements[at], decisions[at]);
            mixed::in_type_of(storage, of_component, &self.policy.rule)
        });
        Acts::of(storage, decided)
    }
}
