//! The exported strategies: what they draw can be judged, and tells right from wrong.

use cwgnc::cases::strategies::{case, case_of, policy};
use cwgnc::clip::ClipPolicy;
use cwgnc::oracle::{Candidate, Format, Tensor, expect, judge, judge_unexplained};
use proptest::prelude::*;

fn of(text: &str) -> ClipPolicy {
    text.parse().expect(text)
}

/// Component by component, `n <= c ? x : x·(c/n)`, with sums in `f64`.
fn right(c: f64, before: &[Tensor]) -> Vec<Tensor> {
    let clip = |t: &Tensor| {
        let x = t.data.values();
        let n = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let k = if n <= c { 1.0 } else { f64::from((c / n) as f32) };
        t.with(x.iter().map(|x| x * k))
    };
    before.iter().map(clip).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_right_clipper_passes(case in case(of("component:0.5@exact"))) {
        let judgement = judge(&case, &Candidate::new(right(0.5, &case.before)))?;
        prop_assert!(judgement.passed(), "{}", judgement.verdict);
    }

    /// Whoever doubles every element fails, unless there is nothing that twice is another number.
    #[test]
    fn a_wrong_clipper_fails(case in case(of("component:0.5@exact"))) {
        let doubled: Vec<Tensor> = right(0.5, &case.before)
            .iter()
            .map(|t| t.with(t.data.values().iter().map(|x| 2.0 * x)))
            .collect();
        let expected = right(0.5, &case.before);
        let same = doubled.iter().zip(&expected).all(|(doubled, right)| doubled.same_bits(right));
        let judgement = judge_unexplained(&case, &Candidate::new(doubled))?;
        prop_assert_eq!(judgement.passed(), same);
    }

    /// Every policy, every element type, and the rules that read more than gradients.
    #[test]
    fn cases_are_well_formed(
        case in (policy(), prop::sample::select(Format::ALL.to_vec())).prop_flat_map(|(p, f)| case_of(p, f)),
        agc in case(of("agc:0.5")),
        spam in case(of("spam:2")),
    ) {
        for case in [&case, &agc, &spam] {
            // MindSpore refuses a threshold of 0, which is not drawn; nothing else is refused.
            prop_assert!(expect(case).is_ok(), "{}", case.policy);
        }
    }
}
