//! What must come out: the slow, independent twin of [`clip`](crate::clip::clip).
//!
//! ```text
//! n ∈ [lo, hi]           the exact norm
//! n̂ ∈ [lo', hi']         what the declared arithmetic can make of it (tolerance.rs)
//! y ∈ hull f(x; n̂)       f: the convention's formula with its roundings, at both ends; it is monotone in n
//! ```
//!
//! The *exact* expectation of an element is `f` at the correctly rounded norm, one number wherever the statistic has one;
//! the *allowed* one is the hull over the declared norms, with the slack for another order of the same roundings.

mod adaptive;
mod convention;
mod edge;
mod flag;
mod function;
mod kernel;
mod machine;
mod parts;
mod rule;

use super::case::{Case, OracleError};
use super::component::{Component, components};
use super::declared::Declared;
use super::exact::Norm;
use super::format::{Format, same};
use super::interval::Interval;
use super::member::Member;
use super::range;
use super::tensor::{Data, Tensor};
use super::tolerance;
use super::totals::Totals;
use crate::clip::{Action, Clipped, Rule, Statistic};
pub use function::Function;
use function::Products;
use kernel::Kernel;
use machine::Machine;
use parts::Parts;
use rayon::prelude::*;
use rule::Plan;

/// What must come out of a case.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The components, in the order of their first element.
    pub components: Vec<Expected>,
    /// Whether the clipper must refuse, leaving every gradient as it is: the edge rule is `error` and a component is
    /// not finite.
    pub refuses: bool,
}

/// What must come out of a component.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Its elements.
    pub component: Component,
    /// The exact statistic.
    pub norm: Norm,
    /// What the declared arithmetic can make of it, in the type that keeps norms.
    pub allowed_norm: Interval,
    /// The same before it is rounded to that type.
    pub computed_norm: Interval,
    /// The relative bound on the norm.
    pub bound: tolerance::NormBound,
    /// What it is held against; an interval for stateful rules, none where the rule has none.
    pub threshold: Option<Interval>,
    /// What the scale can be; NaN for the rules that work on elements.
    pub scale: Interval,
    /// Whether it is clipped, under the declared arithmetic.
    pub clipped: Clipped,
    /// What is done.
    pub action: Action,
    /// The type that keeps norms and scales.
    pub format: Format,
    /// The type that holds the elements of all its tensors, that of its sums, and the number of tensors that count.
    own: Format,
    summed: Format,
    counted: u64,
    /// The tensors, where the source rounds what it makes of each.
    parts: Option<Parts>,
    /// Whether an element that does not count is NaN or infinite.
    poisoned: bool,
    statistic: Statistic,
    plan: Plan,
    declared: Declared,
}

/// Computes what must come out.
///
/// # Errors
/// If the case is not well formed, or its policy cannot be judged.
pub fn expect(case: &Case) -> Result<Expectation, OracleError> {
    assemble(case, measure(case)?)
}

/// The components of a case with their exact statistics.
pub(super) fn measure(case: &Case) -> Result<Vec<(Component, Norm)>, OracleError> {
    measure_sharing(case, &Totals::new(case.before.len()))
}

/// The same, with what is known of whole tensors from other partitions.
pub(super) fn measure_sharing(case: &Case, totals: &Totals) -> Result<Vec<(Component, Norm)>, OracleError> {
    let found = components(&case.policy, &case.before)?;
    let norm = |component: &Component| {
        let norm = totals
            .of(component, |t| &case.before[t].data, case.policy.statistic)
            .norm();
        range::as_source(case, component, norm)
    };
    let norms: Vec<Norm> = found.par_iter().map(norm).collect();
    Ok(found.into_iter().zip(norms).collect())
}

/// The expectation for components that were measured under the case's partition, statistic and selections.
pub(super) fn assemble(case: &Case, measured: Vec<(Component, Norm)>) -> Result<Expectation, OracleError> {
    check(case, &measured)?;
    let global = adaptive::global_norm(case, &measured);
    let mut expected = Vec::with_capacity(measured.len());
    for (component, norm) in measured {
        let plan = Plan::new(case, &component, &norm, global)?;
        expected.push(Expected::new(case, component, norm, plan));
    }
    let refuses = edge::settle(case.policy.edge, &mut expected);
    Ok(Expectation {
        components: expected,
        refuses,
    })
}

fn check(case: &Case, found: &[(Component, Norm)]) -> Result<(), OracleError> {
    let Rule::Norm { convention, .. } = case.policy.rule else {
        return Ok(());
    };
    if !case.policy.rule.has_its_epsilon() {
        return Err(OracleError::Unsupported(format!("`{convention}` has no such ε")));
    }
    // The rule's own threshold is refused though every tensor may be in a group with another.
    let own = case.policy.rule.threshold().map(crate::clip::Threshold::get);
    let groups = found.iter().map(|(component, _)| component.threshold);
    let mut thresholds = std::iter::once(own).chain(groups).flatten();
    let refused = thresholds.find_map(|c| convention::refuses(convention, c));
    refused.map_or(Ok(()), |why| Err(OracleError::Unsupported(why.to_owned())))
}

impl Expected {
    fn new(case: &Case, component: Component, norm: Norm, plan: Plan) -> Self {
        let declared = case.declared;
        let formats = component
            .members
            .iter()
            .map(|m| case.before[m.tensor].data.format());
        let own = formats.reduce(Format::promote).unwrap_or(Format::F32);
        let format = plan.norm_format(declared.scale_for(own));
        let counts = || component.members.iter().filter(|m| m.counted);
        // The sum of an F32 tensor is one in F32, whatever type the norm is promoted to.
        let wide = |m: &Member| case.before[m.tensor].data.format() == Format::F64;
        let summed = if own == Format::F64 && !counts().all(wide) {
            Format::F32
        } else {
            own
        };
        let counted = counts().count() as u64;
        let parts = Parts::of(case, &component, own, &norm);
        let mut expected = Self {
            allowed_norm: norm.interval,
            computed_norm: norm.interval,
            threshold: plan.threshold(&component),
            scale: Interval::point(1.0),
            clipped: Clipped::No,
            action: Action::Rewritten,
            norm,
            bound: tolerance::NormBound::EXACT,
            format,
            own,
            summed,
            counted,
            parts,
            poisoned: edge::poisoned(&component, &case.before),
            component,
            statistic: case.policy.statistic,
            plan,
            declared,
        };
        expected.declare(case, declared);
        expected
    }

    /// Works out what is allowed under this arithmetic, whose types of norm and scale must be those of the case.
    pub(super) fn declare(&mut self, case: &Case, declared: Declared) {
        self.declared = declared;
        self.bound = tolerance::norm(
            &self.declared,
            self.statistic,
            self.summed,
            self.norm.elements,
            self.counted,
        );
        let computed = self.bound.apply(self.norm.interval);
        // What was correctly rounded before stays one number; all else is rounded at the ends.
        let ends = |computed: Interval| {
            Interval::hull(self.format.round(computed.lo), self.format.round(computed.hi))
        };
        let exact = computed == self.norm.interval;
        self.allowed_norm = if exact {
            self.norm.round(self.format)
        } else {
            ends(computed)
        };
        self.computed_norm = computed;
        // The source's norm, and that of all elements at once: either is right.
        if let Some(parts) = &self.parts {
            let computed = parts.computed(&self.declared, self.own);
            let allowed = if exact {
                parts.norm(self.format)
            } else {
                ends(computed)
            };
            self.allowed_norm = self.allowed_norm.with(allowed);
            self.computed_norm = self.computed_norm.with(computed);
        }
        if matches!(self.plan, Plan::Fixed(_)) {
            return;
        }
        let format = self.declared.scale_for(self.own);
        let machine = Machine { format };
        let kernels = self.kernels(machine, machine, self.allowed_norm);
        let scales = kernels.iter().map(|kernel| kernel.scale());
        let hull = scales.map(Interval::point).reduce(Interval::with);
        self.scale = hull.unwrap_or(Interval::point(1.0));
        let norms = [self.allowed_norm.lo, self.allowed_norm.hi];
        self.clipped = flag::flag(&self.plan, machine, &norms, case, &self.component);
        let identity = kernels.iter().all(|kernel| kernel.is_identity());
        self.action = if identity { Action::Kept } else { Action::Rewritten };
    }

    /// The arithmetic that this was worked out for.
    pub(super) fn declared(&self) -> &Declared {
        &self.declared
    }

    /// The type that holds the elements of all its tensors.
    pub(super) fn elements_format(&self) -> Format {
        self.own
    }

    /// The same with single values for the second norm that the rule reads: the exact one, then its neighbours, with
    /// the distance in ulp. Only itself, where there is no such norm.
    pub(super) fn seconds(&self) -> Vec<(u64, Self)> {
        let format = self.declared.scale_for(self.own);
        let moved = self.plan.seconds(format).into_iter();
        let with = |(distance, plan)| {
            let moved = Self { plan, ..self.clone() };
            (distance, moved)
        };
        moved.map(with).collect()
    }

    /// The scale with the slack of its own roundings.
    pub fn allowed_scale(&self) -> Interval {
        let (relative, _) = self
            .plan
            .slack(&self.declared, self.declared.scale_for(self.own), self.own);
        let slack = |end: f64| end.abs() * relative;
        Interval {
            lo: self.scale.lo - slack(self.scale.lo),
            hi: self.scale.hi + slack(self.scale.hi),
        }
    }

    /// The norm as the source keeps it, if all of its sums are right until they are rounded.
    pub(super) fn kept_norm(&self) -> Interval {
        match &self.parts {
            Some(parts) => parts.norm(self.format),
            None => self.norm.round(self.format),
        }
    }

    fn kernels(&self, machine: Machine, element: Machine, norm: Interval) -> Vec<Kernel> {
        let ends: &[f64] = if norm.is_point() {
            &[norm.lo]
        } else {
            &[norm.lo, norm.hi]
        };
        let mut kernels = Vec::new();
        for &n in ends {
            self.plan
                .push((machine, element), n, self.component.threshold, &mut kernels);
        }
        kernels
    }

    /// The type of a number that was returned beside the gradients: theirs, that of the scale, or the widest.
    pub(super) fn type_of(&self, number: f64) -> Format {
        let types = [self.own, self.declared.scale_for(self.own), self.format];
        let holds = |format: &Format| same(format.round(number), number);
        types.into_iter().find(holds).unwrap_or(Format::F64)
    }

    /// What happens to the elements of a member whose tensor has this type.
    pub fn function(&self, member: &Member, output: Format) -> Function {
        self.function_for(member, output, self.kept_norm(), self.allowed_norm)
    }

    /// The same for given norms: the exact one, and those that are allowed.
    pub(super) fn function_for(
        &self,
        member: &Member,
        output: Format,
        exact: Interval,
        allowed: Interval,
    ) -> Function {
        let machine = Machine {
            format: self.declared.scale_for(self.own),
        };
        let element = Machine {
            format: self.plan.element_format(&self.declared, self.own, output),
        };
        let keep = vec![Kernel::Keep];
        let of = |norm| self.kernels(machine, element, norm);
        let (exact, allowed) = if member.scaled {
            (of(exact), of(allowed))
        } else {
            (keep.clone(), keep)
        };
        // A threshold that follows the norm may give 1 at both ends, and not between them.
        let identity =
            |kernel: &Kernel| kernel.is_identity() && (*kernel == Kernel::Keep || !self.plan.is_adaptive());
        let identity = exact.iter().chain(&allowed).all(identity);
        let (relative, absolute) = if identity {
            (0.0, 0.0)
        } else {
            let scale = self.plan.scale_format(machine.format, element.format);
            self.plan.slack(&self.declared, scale, output)
        };
        Function {
            machine: element,
            output,
            extent: member.extent(),
            rounding: self.declared.rounding,
            products: Products::of((element.format, output), &exact, &allowed),
            exact,
            allowed,
            relative,
            absolute,
            flushed: if self.declared.ftz {
                output.min_normal()
            } else {
                0.0
            },
        }
    }
}

impl Expectation {
    /// The tensors that lie in no component.
    pub(super) fn outside(&self, case: &Case) -> Vec<usize> {
        let mut covered = vec![false; case.before.len()];
        for member in self.components.iter().flat_map(|e| &e.component.members) {
            covered[member.tensor] = true;
        }
        (0..covered.len()).filter(|&t| !covered[t]).collect()
    }

    /// The expected gradients, lower and upper end of each element; excluded tensors as they were. They are equal
    /// wherever the expectation is one number.
    pub fn tensors(&self, case: &Case, allowed: bool) -> Vec<(Tensor, Tensor)> {
        let mut out: Vec<_> = case.before.iter().map(|t| (t.clone(), t.clone())).collect();
        if self.refuses {
            return out;
        }
        for expected in &self.components {
            for member in &expected.component.members {
                let before = &case.before[member.tensor];
                let moments = find(&case.second_moments, &before.name);
                let function = expected.function(member, before.data.format());
                let (lo, hi) = &mut out[member.tensor];
                for i in (0..member.len()).map(|k| member.index(k)) {
                    let (x, v) = (before.data.get(i), moments.map_or(0.0, |v| v.get(i)));
                    let y = if allowed {
                        function.allowed(x, v)
                    } else {
                        function.exact(x, v)
                    };
                    lo.data.set(i, y.lo);
                    hi.data.set(i, y.hi);
                }
            }
        }
        out
    }
}

/// The data of the tensor of this name.
pub(in crate::oracle) fn find<'a>(tensors: &'a [Tensor], name: &str) -> Option<&'a Data> {
    tensors
        .iter()
        .find(|tensor| tensor.name == name)
        .map(|tensor| &tensor.data)
}
