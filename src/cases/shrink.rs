//! Making a failing case small: fewer tensors, fewer elements, simpler numbers, as long as it fails in the same way.

mod shrinker;

use crate::oracle::{Candidate, Case, Judgement, Verdict, judge, judge_unexplained};
pub(super) use shrinker::Shrinker;

/// The smallest case found, starting from one that fails, for which `fails` still holds, in at most `tries` calls.
///
/// Whole tensors go first, then parts of axes, then elements become 0 or 1; always the largest part first. What belongs
/// to a tensor (its parameter, its second moment) goes with it. `fails` must be false for a case that cannot be judged.
pub fn shrink(case: &Case, tries: usize, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut shrinker = Shrinker::new(case.clone());
    for _ in 0..tries {
        let Some(smaller) = shrinker.propose() else {
            break;
        };
        let failed = fails(smaller);
        shrinker.answer(failed);
    }
    shrinker.smallest()
}

/// Makes a case small whose answer has this judgement, so that it still fails, and for the same reason if that does not
/// cost much.
///
/// To look for a reason takes many times as long; so it is looked for at the end, and only if it has become another one
/// there, at every step of a shorter search.
pub(crate) fn shrink_verdict(
    case: &Case,
    tries: usize,
    judgement: &Judgement,
    mut answer: impl FnMut(&Case) -> Option<Candidate>,
) -> Case {
    let name = judgement.verdict.name();
    let explained = matches!(judgement.verdict, Verdict::Policy { .. } | Verdict::Range { .. });
    let small = shrink(case, tries, |case| {
        let again = answer(case).and_then(|candidate| judge_unexplained(case, &candidate).ok());
        again.is_some_and(|again| {
            let failed = again.exit_code() == 1;
            explained && failed || again.verdict.name() == name
        })
    });
    let mut keeps = |case: &Case| {
        let again = answer(case).and_then(|candidate| judge(case, &candidate).ok());
        again.is_some_and(|again| again.verdict.name() == name)
    };
    if keeps(&small) {
        return small;
    }
    let named = shrink(case, tries / 4, keeps);
    let elements = |case: &Case| case.before.iter().map(|t| t.data.len()).sum::<usize>();
    // A reason that only some accident of many elements gives is not worth them.
    if elements(&named) > 16.max(4 * elements(&small)) {
        small
    } else {
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{Format, Tensor};

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

    /// Lengths, counts of tensors and numbers end at the least that fails, in few tries.
    #[test]
    fn ends_at_the_boundary() {
        let tensors = |count: usize, length: usize| -> Vec<Tensor> {
            let x: Vec<f64> = (0..length).map(|i| 1.5 + i as f64).collect();
            let one = |i: usize| Tensor::vector(&format!("t{i}"), Format::F32, &x);
            (0..count).map(one).collect()
        };
        let policy = || "component:1".parse().expect("a policy");
        for (count, length, least) in [(1, 5000, 65), (1, 70_000, 65_537), (7, 40, 33)] {
            let mut calls = 0;
            let case = Case::new(policy(), tensors(count, length));
            let small = shrink(&case, 400, |case| {
                calls += 1;
                case.before.iter().any(|t| t.data.len() >= least)
            });
            assert_eq!(small.before.len(), 1);
            assert_eq!(small.before[0].data.len(), least, "in {calls} tries");
            assert!(small.before[0].data.values().iter().all(|&x| x == 0.0));
            assert!(calls < 400, "{calls}");
        }
        // At least four tensors, one of which has a NaN behind two elements.
        let mut case = Case::new(policy(), tensors(300, 9));
        case.before[200].data.set(5, f64::NAN);
        let small = shrink(&case, 400, |case| {
            let sick = |t: &Tensor| t.data.values().iter().skip(2).any(|x| x.is_nan());
            case.before.len() >= 4 && case.before.iter().any(sick)
        });
        let mut lengths: Vec<usize> = small.before.iter().map(|t| t.data.len()).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 1, 1, 3]);
    }

    /// What belongs to a tensor goes with it.
    #[test]
    fn parameters_follow() {
        let tensor = |name: &str, x: f64| Tensor::new(name, &[2, 4], Format::F32, &[x; 8]);
        let mut case = Case::new(
            "agc:0.5".parse().expect("a policy"),
            vec![tensor("a", 3.0), tensor("b", 2.0)],
        );
        case.values = vec![tensor("b", 7.0), tensor("a", 9.0)];
        let small = shrink(&case, 100, |case| case.before.iter().any(|t| t.name == "b"));
        assert_eq!(small.before[0].shape, small.values[0].shape);
        assert_eq!((small.before.len(), small.values.len()), (1, 1));
        assert_eq!(small.values, [Tensor::new("b", &[1, 1], Format::F32, &[7.0])]);
    }
}
