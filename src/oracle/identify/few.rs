//! A few small tensors of many.

use super::super::case::Case;
use super::super::tensor::Tensor;
use std::collections::HashSet;

/// More elements than this are worth a trial on few of them.
const MANY: usize = 1 << 20;

/// The two smallest tensors of each number of axes that are not as they were, where there are many elements in all.
pub(super) fn few<'a>(case: &Case, after: &[&'a Tensor]) -> Option<(Case, Vec<&'a Tensor>)> {
    let elements: usize = case.before.iter().map(|tensor| tensor.data.len()).sum();
    if elements <= MANY {
        return None;
    }
    let mut order: Vec<usize> = (0..case.before.len()).collect();
    order.sort_by_key(|&t| case.before[t].data.len());
    let mut taken: Vec<usize> = Vec::new();
    for t in order {
        let rank = |t: usize| case.before[t].shape.len();
        let of_this_rank = taken.iter().filter(|&&other| rank(other) == rank(t)).count();
        if of_this_rank < 2 && !case.before[t].same_bits(after[t]) {
            taken.push(t);
        }
    }
    taken.sort_unstable();
    let small = subset(case, &taken);
    let fewer = small.before.iter().map(|tensor| tensor.data.len()).sum::<usize>() < elements / 2;
    (fewer && !taken.is_empty()).then(|| (small, taken.iter().map(|&t| after[t]).collect()))
}

/// The case with these tensors alone.
pub(super) fn subset(case: &Case, taken: &[usize]) -> Case {
    let names: HashSet<&String> = taken.iter().map(|&t| &case.before[t].name).collect();
    let of = |tensors: &[Tensor]| -> Vec<Tensor> {
        let named = |tensor: &&Tensor| names.contains(&tensor.name);
        tensors.iter().filter(named).cloned().collect()
    };
    Case {
        policy: case.policy.clone(),
        before: taken.iter().map(|&t| case.before[t].clone()).collect(),
        values: of(&case.values),
        second_moments: of(&case.second_moments),
        state: case.state.clone(),
        declared: case.declared,
    }
}
