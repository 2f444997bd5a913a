//! The other number of a rule: the weight's norm and the deviation, with what the arithmetic may make of them.

use super::*;
use crate::oracle::expect::measure;

const NO_GLOBAL: Interval = Interval::point(f64::NAN);

/// Four gradients of one component, with the weights or second moments that the rule reads.
fn case(policy: &str, declared: &str, beside: &[f64]) -> Case {
    let tensor = |values: &[f64]| vec![Tensor::vector("w", Format::F32, values)];
    let mut case = Case::new(policy.parse().expect(policy), tensor(&[4.0, 3.0, 4.0, 1.0]));
    case.declared = declared.parse().expect(declared);
    case.values = tensor(beside);
    case.second_moments = tensor(beside);
    case
}

fn plan(case: &Case) -> Plan {
    let (component, norm) = measure(case).expect("a measured case").remove(0);
    Plan::new(case, &component, &norm, NO_GLOBAL).expect("a plan")
}

fn second(plan: &Plan) -> Interval {
    match plan {
        Plan::Rule { second, .. } => *second,
        Plan::Fixed(_) => panic!("no edge rule decides here"),
    }
}

/// ‖(1, 4, 8, 0)‖ = 9. Four terms one after the other pass through 3 additions: (3 + 1)/2 + 1 = 3 roundings of 2⁻²⁴ of 9,
/// 27 · 2⁻²⁴. Neighbours of 9 in F32 are 16 · 2⁻²⁴ apart, and 27 is rounded to two of them on each side. As it is, the norm
/// is 9 and no other number, and comes first.
#[test]
fn the_exact_norm_of_the_weights_comes_first() {
    for rule in ["agc:0.1", "trust-ratio"] {
        let sequential = plan(&case(rule, "sequential", &[1.0, 4.0, 8.0, 0.0]));
        let computed = second(&sequential);
        let unit = f64::from(f32::EPSILON) / 2.0;
        for (end, away) in [(computed.lo, 9.0 - computed.lo), (computed.hi, computed.hi - 9.0)] {
            assert!((away / unit - 27.0).abs() < 0.01, "{rule}: {end}");
        }
        let seconds = sequential.seconds(Format::F32);
        let found: Vec<_> = seconds.iter().map(|(step, plan)| (*step, second(plan))).collect();
        let neighbour = |steps: f64| Interval::point(9.0 + steps * 16.0 * unit);
        let expected = [(0, 0.0), (1, 1.0), (1, -1.0), (2, 2.0), (2, -2.0)]
            .map(|(step, steps)| (step, neighbour(steps)));
        assert_eq!(found, expected, "{rule}");
        // A sum without error leaves nothing to choose from.
        let exact = plan(&case(rule, "exact", &[1.0, 4.0, 8.0, 0.0]));
        assert_eq!(second(&exact), Interval::point(9.0));
        assert_eq!(exact.seconds(Format::F32).len(), 1);
    }
}

/// v = (16, 1, 8, 0) with ε = 1/2: g²/max(v, ε²) = 16/16, 9/1, 16/8, 1/(1/4) = 1, 9, 2, 4; their mean is 4 and r = 2.
///
/// Without error in the sum, 4 roundings of a quotient (2 of its root) and 2 of the root in F64 remain: 2 (1 ± 4 · 2⁻⁵²).
/// One after the other in F32, an rms has 3/2 + 7/2 = 5 roundings of 2⁻²⁴: 2 (1 ± 5 · 2⁻²⁴).
#[test]
fn both_ends_of_a_deviation() {
    for (declared, unit, roundings) in [
        ("exact", f64::EPSILON, 4.0),
        ("sequential", f64::from(f32::EPSILON) / 2.0, 5.0),
    ] {
        let case = case("stable-adamw:1,eps=0.5", declared, &[16.0, 1.0, 8.0, 0.0]);
        let r = second(&plan(&case));
        for away in [1.0 - r.lo / 2.0, r.hi / 2.0 - 1.0] {
            assert!((away / unit - roundings).abs() < 1.0, "{declared}: {r:?}");
        }
    }
}
