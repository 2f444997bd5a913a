//! Totals of components, and those of whole tensors, each worked out once.
//!
//! Sums without roundings do not depend on how they were cut: the total of a module, a layer or of everything is that of
//! its tensors. Squares serve p = 2, root mean squares and means alike.

use super::component::Component;
use super::exact::{Total, is_of_squares};
use super::tensor::Data;
use crate::clip::Statistic;
use std::sync::OnceLock;

/// The statistic's total over what counts in a component.
pub(super) fn total<'a>(
    component: &Component,
    data: impl Fn(usize) -> &'a Data,
    statistic: Statistic,
) -> Total {
    let mut total = Total::new(statistic);
    for member in component.members.iter().filter(|member| member.counted) {
        total.merge(&member.total(data(member.tensor), statistic));
    }
    total
}

/// Tensors of fewer elements are summed again: a total takes some kilobytes.
const WORTH: usize = 1 << 12;

/// What is known of each tensor so far.
#[derive(Debug)]
pub(super) struct Totals {
    squares: Vec<OnceLock<Total>>,
    magnitudes: Vec<OnceLock<Total>>,
}

impl Totals {
    /// Nothing yet, of so many tensors.
    pub(super) fn new(tensors: usize) -> Self {
        let none = || (0..tensors).map(|_| OnceLock::new()).collect();
        Self {
            squares: none(),
            magnitudes: none(),
        }
    }

    /// The statistic's total over what counts in a component; the data must be the same in every call.
    pub(super) fn of<'a>(
        &self,
        component: &Component,
        data: impl Fn(usize) -> &'a Data,
        statistic: Statistic,
    ) -> Total {
        let mut total = Total::new(statistic);
        for member in component.members.iter().filter(|member| member.counted) {
            let (t, data) = (member.tensor, data(member.tensor));
            let known = if is_of_squares(statistic) {
                Some((&self.squares[t], Statistic::L2))
            } else if statistic == Statistic::L1 || statistic == Statistic::MAX {
                Some((&self.magnitudes[t], Statistic::MAX))
            } else {
                None
            };
            let whole = data.len() >= WORTH && member.range() == Some(0..data.len());
            match known.filter(|_| whole) {
                Some((known, kind)) => {
                    total.merge_sum(known.get_or_init(|| Total::of(kind, data.slice(0..data.len()))));
                }
                None => total.merge(&member.total(data, statistic)),
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::super::component::components;
    use super::super::{Format, Tensor};
    use super::*;

    /// What is shared is what every component has by itself, in whatever order they are asked for.
    #[test]
    fn shared_totals_are_those_of_each_component() {
        let values =
            |n: usize, scale: f64| -> Vec<f64> { (0..n).map(|i| scale * (i as f64 - 2.5)).collect() };
        let tensors = [
            Tensor::new("layer.0.q.weight", &[2, 3000], Format::F32, &values(6000, 1.5)),
            Tensor::new("layer.0.q.bias", &[5000], Format::Bf16, &values(5000, 0.5)),
            Tensor::new("layer.1.q.weight", &[2, 2], Format::F64, &values(4, 1e200)),
            Tensor::new("none", &[0], Format::F32, &[]),
        ];
        let totals = Totals::new(tensors.len());
        for policy in [
            "component:1",
            "global:1",
            "module:1",
            "layer:1",
            "row:1",
            "axes-0:1",
        ] {
            let components = components(&policy.parse().expect(policy), &tensors).expect(policy);
            for statistic in [
                Statistic::MAX,
                Statistic::Rms,
                Statistic::L2,
                Statistic::Mean,
                Statistic::L1,
                Statistic::Norm(3.0),
            ] {
                for component in &components {
                    let shared = totals.of(component, |t| &tensors[t].data, statistic).norm();
                    let own = total(component, |t| &tensors[t].data, statistic).norm();
                    assert_eq!(shared, own, "{} {statistic:?}", component.id);
                }
            }
        }
    }
}
