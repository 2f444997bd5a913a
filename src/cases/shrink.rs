//! Making a failing case small: fewer tensors, fewer elements, simpler numbers, as long as it fails in the same way.

use crate::oracle::{Case, Tensor};

/// The smallest case found, starting from one that fails, for which `fails` still holds, in at most `tries` calls.
///
/// Whole tensors go first, then halves of tensors, then elements become 0 or 1. What belongs to a tensor (its
/// parameter, its second moment) goes with it. `fails` must be false for a case that cannot be judged.
pub fn shrink(case: &Case, mut tries: usize, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    loop {
        let next = steps(&smallest).take(tries).find(|smaller| {
            tries -= 1;
            fails(smaller)
        });
        match next {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}

/// The next smaller cases, the boldest first.
fn steps(case: &Case) -> impl Iterator<Item = Case> + '_ {
    let tensors = 0..case.before.len();
    let without = tensors.clone().filter_map(|t| without(case, t));
    let halves = tensors.clone().flat_map(move |t| {
        [true, false]
            .into_iter()
            .filter_map(move |first| halved(case, t, first))
    });
    let simpler = tensors.flat_map(move |t| [0.0, 1.0].into_iter().flat_map(move |x| simpler(case, t, x)));
    without.chain(halves).chain(simpler)
}

/// Without a tensor.
fn without(case: &Case, t: usize) -> Option<Case> {
    if case.before.len() < 2 {
        return None;
    }
    let mut smaller = case.clone();
    let name = smaller.before.remove(t).name;
    smaller.values.retain(|tensor| tensor.name != name);
    smaller.second_moments.retain(|tensor| tensor.name != name);
    Some(smaller)
}

/// With one half of a tensor, cut along its longest axis.
fn halved(case: &Case, t: usize, first: bool) -> Option<Case> {
    let before = &case.before[t];
    let (axis, &length) = before.shape.iter().enumerate().max_by_key(|&(_, &n)| n)?;
    if length < 2 {
        return None;
    }
    let range = if first { 0..length / 2 } else { length / 2..length };
    let mut smaller = case.clone();
    let name = &before.name;
    for list in [
        &mut smaller.before,
        &mut smaller.values,
        &mut smaller.second_moments,
    ] {
        for tensor in list.iter_mut().filter(|tensor| tensor.name == *name) {
            *tensor = cut(tensor, axis, range.clone());
        }
    }
    Some(smaller)
}

/// The part of a tensor with these indices of an axis.
fn cut(tensor: &Tensor, axis: usize, range: std::ops::Range<usize>) -> Tensor {
    let length = tensor.shape[axis];
    let inner: usize = tensor.shape[axis + 1..].iter().product();
    let kept = (0..tensor.data.len()).filter(|i| range.contains(&(i / inner.max(1) % length)));
    let values: Vec<f64> = kept.map(|i| tensor.data.get(i)).collect();
    let mut shape = tensor.shape.clone();
    shape[axis] = range.len();
    Tensor::new(&tensor.name, &shape, tensor.data.format(), &values)
}

/// With one element, one after the other, replaced by a simpler one.
fn simpler(case: &Case, t: usize, x: f64) -> impl Iterator<Item = Case> + '_ {
    let data = &case.before[t].data;
    (0..data.len())
        .filter(move |&i| data.get(i) != 0.0 && data.get(i) != x)
        .map(move |i| {
            let mut smaller = case.clone();
            smaller.before[t].data.set(i, x);
            smaller
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Format;

    #[test]
    fn finds_the_one_element_that_matters() {
        let mut x = vec![2.0; 40];
        x[17] = 9.0;
        let before = vec![
            Tensor::vector("other", Format::F32, &[5.0; 6]),
            Tensor::new("w", &[8, 5], Format::F32, &x),
        ];
        let case = Case::new("component:1".parse().expect("a policy"), before);
        let nine = |case: &Case| case.before.iter().any(|t| t.data.values().contains(&9.0));
        let small = shrink(&case, 1000, nine);
        assert_eq!(small.before, [Tensor::new("w", &[1, 1], Format::F32, &[9.0])]);
        // Without tries nothing changes; a simpler number is taken where it still fails.
        assert_eq!(shrink(&case, 0, nine), case);
        let any = shrink(&case, 1000, |case| !case.before.is_empty());
        assert_eq!(any.before.iter().map(|t| t.data.len()).sum::<usize>(), 1);
    }
}
