//! What is done to the elements of a streamed tensor, in the type of its component.

use super::layout::Layout;
use super::source::{GradStream, Reader};
use super::{blocks, columns};
use crate::clip::Element;
use crate::clip::decision::{Act, Decision, Measured};
use crate::clip::elementwise::Each;
use crate::clip::narrow;
use crate::clip::pass::Handling;
use crate::clip::plan::Component;
use crate::clip::policy::ClipPolicy;
use crate::clip::scaling::Extent;
use crate::clip::tally::Outcome;
use crate::real::Real;
use crate::reduce::Written;

/// The decision on a component, in the type of its numbers: F32, or one that is carried as `f64`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decided {
    F32(Decision<f32>),
    F64(Decision<f64>),
}

impl Decided {
    pub(super) fn new(
        policy: &ClipPolicy,
        element: Element,
        component: &Component,
        m: &Measured,
        handling: Handling<'_>,
    ) -> Self {
        match element {
            Element::F32 => Self::F32(Decision::handled(policy, component, m, handling)),
            Element::F64 => Self::F64(Decision::handled(policy, component, m, handling)),
            Element::F16 | Element::Bf16 => {
                Self::F64(narrow::decide(policy, element, component, m, handling))
            }
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::F32(decision) => decision.outcome(),
            Self::F64(decision) => decision.outcome(),
        }
    }
}

impl Element {
    /// Whether the edge rule applies to a component of this type.
    pub(super) fn is_bad(self, policy: &ClipPolicy, m: &Measured) -> bool {
        match self {
            Self::F32 => policy.is_non_finite::<f32>(m),
            Self::F64 => policy.is_non_finite::<f64>(m),
            Self::F16 | Self::Bf16 => m.non_finite > 0 || narrow::overflows(&policy.rule, self, m),
        }
    }
}

/// What is done to the units of a tensor.
pub(super) enum Acts {
    F32(Formula<f32>),
    F64(Formula<f64>),
}

/// The same in the type that carries the numbers.
pub(super) struct Formula<C> {
    /// The type of the arithmetic.
    arithmetic: Element,
    /// The type of the tensor.
    storage: Element,
    /// By unit; none where the elements are kept.
    acts: Vec<Option<Act<C>>>,
}

impl Acts {
    /// From the decision on each unit, all of one type; none if no unit is written.
    pub(super) fn of(storage: Element, decided: impl Iterator<Item = (Element, Decided)>) -> Option<Self> {
        let (mut single, mut double, mut arithmetic) = (Vec::new(), Vec::new(), storage);
        for (element, decided) in decided {
            arithmetic = element;
            match decided {
                Decided::F32(decision) => single.push(Some(decision.act).filter(|act| act.writes())),
                Decided::F64(decision) => double.push(Some(decision.act).filter(|act| act.writes())),
            }
        }
        if single.iter().any(Option::is_some) {
            Some(Self::F32(Formula {
                arithmetic,
                storage,
                acts: single,
            }))
        } else if double.iter().any(Option::is_some) {
            Some(Self::F64(Formula {
                arithmetic,
                storage,
                acts: double,
            }))
        } else {
            None
        }
    }

    /// Applies them; the norms after and the elements changed of every unit that is written.
    pub(super) fn rewrite<S: GradStream>(
        &self,
        reader: &mut Reader<'_, S>,
        layout: &Layout,
        p: f64,
        write: bool,
    ) -> Result<Vec<Option<Written>>, S::Error> {
        match self {
            Self::F32(formula) if layout.is_contiguous() => {
                blocks::rewrite(reader, layout, formula, p, write)
            }
            Self::F64(formula) if layout.is_contiguous() => {
                blocks::rewrite(reader, layout, formula, p, write)
            }
            Self::F32(formula) => columns::rewrite(reader, layout, formula, p, write),
            Self::F64(formula) => columns::rewrite(reader, layout, formula, p, write),
        }
    }
}

impl<C: Real> Formula<C> {
    /// Whether the unit is written.
    pub(super) fn writes(&self, unit: usize) -> bool {
        self.acts[unit].is_some()
    }

    /// Whether the second moments are read.
    pub(super) fn reads_moments(&self) -> bool {
        self.acts
            .iter()
            .any(|act| matches!(act, Some(Act::Each(Each::Spam(_)))))
    }

    /// Rewrites elements of a unit of this extent, and counts those that an element-wise rule changed.
    pub(super) fn apply(&self, unit: usize, extent: Extent, x: &mut [C], moments: Option<&[C]>) -> usize {
        let Some(act) = self.acts[unit] else {
            return 0;
        };
        if self.arithmetic.is_narrow() {
            return narrow::apply(self.arithmetic, act, x, extent, moments);
        }
        let changed = match act {
            Act::Scale(scaling) => {
                scaling.apply(x, extent);
                0
            }
            Act::Each(rule) => rule.apply(x, moments),
            Act::Zero => {
                x.fill(C::zero());
                0
            }
            Act::Skip => 0,
        };
        if self.storage != self.arithmetic {
            for x in x {
                *x = C::of(self.storage.round(x.widen()));
            }
        }
        changed
    }
}
