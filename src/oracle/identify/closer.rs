//! Another convention that explains an output better than the one that was asked for.

use super::super::case::Case;
use super::super::implied::Look;
use super::super::tensor::Tensor;
use super::few::subset;
use super::suspects::conventions;
use super::{Fit, Trials};
use crate::clip::{ClipPolicy, Partition, Rule};

/// Elements of what [`closer`] looks at.
const MOST: usize = 1 << 22;

/// Another convention that gives every bit from the correctly rounded norms, where the case's own is only within its
/// tolerance. Of very large cases, tensors that are components by themselves are looked at as far as they are small.
pub(in crate::oracle) fn closer(case: &Case, after: &[&Tensor]) -> Option<ClipPolicy> {
    let own = &case.policy;
    let threshold = own.rule.threshold()?;
    if !matches!(own.rule, Rule::Norm { .. }) {
        return None;
    }
    let by_itself = own.partition.cuts_tensors() || own.partition == Partition::Parameter;
    let elements: usize = case.before.iter().map(|tensor| tensor.data.len()).sum();
    let mut room = MOST;
    let mut fits = |tensor: &Tensor| {
        let taken =
            elements <= MOST || by_itself && tensor.data.len() <= room && tensor.data.len() <= MOST / 16;
        room -= if taken { tensor.data.len().min(room) } else { 0 };
        taken
    };
    let taken: Vec<usize> = (0..case.before.len())
        .filter(|&t| fits(&case.before[t]))
        .collect();
    let small = subset(case, &taken);
    let after: Vec<&Tensor> = taken.iter().map(|&t| after[t]).collect();
    if small
        .before
        .iter()
        .zip(&after)
        .all(|(before, after)| before.same_bits(after))
    {
        return None;
    }
    let mut trials = Trials::new(small, after);
    trials.turn(threshold, &[]);
    let others = conventions(own).map(|convention| ClipPolicy {
        rule: Rule::norm(threshold, convention),
        ..own.clone()
    });
    let mut others =
        others.filter(|policy| policy != own && policy.rule.usual_statistic() == own.rule.usual_statistic());
    others.find(|policy| matches!(trials.fit(policy, Look::All), Some(Fit::Bits { rung: 0, .. })))
}
