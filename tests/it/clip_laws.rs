//! The laws of clipping that hold under every convention, or need one only. `clip_law_table` has the others.

use crate::clip_support::{
    NAMES, Straddle, any_bits, bits, clipped, few, moderate, norm, policy, positive, report, statistic,
    straddle, tensors, text, times, try_clip, within,
};
use crate::threads::with_threads;
use cwgnc::clip::{Action, ClipPolicy, Convention};
use cwgnc::reduce;
use proptest::prelude::*;

proptest! {
    #![proptest_config(few())]

    /// 1: the norm after is at most c, but for 4 roundings; never asserted in bits.
    #[test]
    fn bound(x in tensors(moderate()), at in straddle()) {
        for convention in Convention::ALL {
            let c = positive(at.threshold(statistic(convention, &x)));
            let after = statistic(convention, &clipped(&text("global", convention, c), &x));
            // A result near c = 0 may be subnormal: half the smallest one an element.
            let subnormal = 1e-45 * 15.0;
            let bound = f64::from(c) * (1.0 + 4.0 * f64::from(f32::EPSILON)) + subnormal;
            prop_assert!(after <= bound, "{convention}: {after} > {c}");
        }
    }

    /// 5: signs and zeros are kept, T(-g) = -T(g), in bits.
    #[test]
    fn odd(x in tensors(moderate()), at in straddle()) {
        for convention in Convention::ALL {
            let c = positive(at.threshold(statistic(convention, &x)));
            for partition in ["global", "component"] {
                let policy = text(partition, convention, c);
                let (plus, minus) = (clipped(&policy, &x), clipped(&policy, &times(&x, -1.0)));
                prop_assert_eq!(bits(&times(&minus, -1.0)), bits(&plus), "{}", policy);
                let signs = plus.iter().flatten().zip(x.iter().flatten());
                prop_assert!(signs.into_iter().all(|(y, x)| y.is_sign_negative() == x.is_sign_negative()));
            }
        }
    }

    /// 14 and 29: under CWGNC a tensor's result does not depend on its neighbours, whatever bits they hold.
    #[test]
    fn locality(x in tensors(any_bits()), noise in proptest::collection::vec(any_bits(), 3), at in 0_usize..4, c in 0.01_f32..10.0) {
        for convention in Convention::ALL {
            let policy = text("component", convention, c);
            let at = at % x.len();
            let mut changed = x.clone();
            changed[at] = noise.clone();
            let (before, after) = (clipped(&policy, &x), clipped(&policy, &changed));
            for other in (0..x.len()).filter(|&other| other != at) {
                prop_assert_eq!(bits(&before[other..=other]), bits(&after[other..=other]), "{}", &policy);
            }
        }
    }

    /// 16: a single tensor is a component of its own under every partition of whole tensors.
    #[test]
    fn one_tensor_is_global(x in tensors(any_bits()), c in 0.01_f32..10.0) {
        for convention in Convention::ALL {
            let whole = bits(&clipped(&text("global", convention, c), &x[..1]));
            for partition in ["layer", "module", "component", "row"] {
                prop_assert_eq!(bits(&clipped(&text(partition, convention, c), &x[..1])), whole.clone());
            }
        }
    }

    /// 16: components of one element each are value clipping, for every p, within 1 unit.
    #[test]
    fn singletons_are_value_clipping(x in tensors(moderate()), c in 0.01_f32..10.0) {
        let value = clipped(&format!("value:{}", f64::from(c)), &x);
        for p in ["0.5", "1", "2", "3", "inf"] {
            let single = clipped(&format!("axes:{}@exact,norm={p}", f64::from(c)), &x);
            prop_assert!(within(&single, &value, 1), "p = {p}");
        }
    }

    /// 17: after CWGNC the norm of everything is at most √K c, and at most what it was.
    #[test]
    fn global_bound(x in tensors(moderate()), at in straddle()) {
        let c = at.threshold(norm(&x));
        let report = report(&format!("component:{}@exact", f64::from(c)), &x);
        let bound = f64::from(c) * (x.len() as f64).sqrt() * (1.0 + 4.0 * f64::from(f32::EPSILON)) + 1e-44;
        prop_assert!(report.global_norm_after() <= bound);
        prop_assert!(report.global_norm_after() <= report.global_norm_before());
    }

    /// 19: no two gradients move apart: a projection on a product of balls is non-expansive, and so is one with an ε.
    #[test]
    fn non_expansive(x in tensors(moderate()), noise in -1e-2_f32..1e-2, at in straddle()) {
        let y: Vec<Vec<f32>> = x.iter().map(|x| x.iter().enumerate().map(|(i, x)| x * (1.0 + noise * (i % 3) as f32)).collect()).collect();
        let distance = |x: &[Vec<f32>], y: &[Vec<f32>]| {
            let pairs = x.iter().flatten().zip(y.iter().flatten());
            pairs.map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>().sqrt()
        };
        let c = at.threshold(norm(&x));
        for convention in Convention::ALL.into_iter().filter(|k| !k.measures_mean()) {
            let c = positive(c);
            for partition in ["global", "component"] {
                let policy = text(partition, convention, c);
                let after = distance(&clipped(&policy, &x), &clipped(&policy, &y));
                let rounding = 16.0 * f64::from(f32::EPSILON) * norm(&x).min(2.0 * f64::from(c)) + 1e-43;
                prop_assert!(after <= distance(&x, &y) * (1.0 + 1e-6) + rounding, "{policy}");
            }
        }
    }

    /// 23 and 24: norms of parts combine to the norm of the whole, and fall as p rises.
    #[test]
    fn norms_combine(x in tensors(moderate())) {
        let whole = |p: &str| report(&format!("none,by=global,norm={p}"), &x).components[0].norm_before;
        let mut before = f64::INFINITY;
        for p in [0.5, 1.0, 2.0, 3.0, f64::INFINITY] {
            let parts: Vec<f64> = report(&format!("none,norm={p}"), &x).components.iter().map(|c| c.norm_before).collect();
            let combined = reduce::p_norms(&[&parts[..]], p)[0].p;
            let n = whole(&p.to_string());
            prop_assert!((combined - n).abs() <= 1e-13 * n, "p = {p}: {combined}, {n}");
            prop_assert!(n <= before * (1.0 + 1e-13), "p = {p}");
            before = n;
        }
    }

    /// 22: zeros at the end change nothing, and a tensor may be split under a global norm.
    #[test]
    fn padding_and_splitting(x in tensors(moderate()), at in straddle()) {
        let policy = format!("global:{}@exact", at.threshold(norm(&x[..1])));
        let whole = clipped(&policy, &x[..1]);
        let padded = clipped(&policy, &[[x[0].clone(), vec![0.0; 7]].concat()]);
        prop_assert!(within(&[padded[0][..x[0].len()].to_vec()], &whole, 1));
        let (left, right) = x[0].split_at(x[0].len() / 2);
        let halves = clipped(&policy, &[left.to_vec(), right.to_vec()]).concat();
        prop_assert!(within(&[halves], &whole, 1));
    }

    /// 27 and 28: the report's norms are those before and after, and its scale is what was applied.
    #[test]
    fn the_report_can_be_recomputed(x in tensors(moderate()), at in straddle()) {
        let c = positive(at.threshold(norm(&x[..1])));
        let (after, report) = try_clip(&policy(&format!("component:{}@exact", f64::from(c))), &x).expect("finite");
        for (k, component) in report.components.iter().enumerate() {
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b;
            prop_assert_eq!(&component.id, NAMES[k]);
            prop_assert_eq!(component.elements, x[k].len());
            prop_assert!(close(component.norm_before, norm(&x[k..=k])));
            prop_assert!(close(component.norm_after, norm(&after[k..=k])));
            // A norm above c by less than half a unit is clipped by a factor that rounds to 1.
            prop_assert!(component.was_clipped() || component.scale == 1.0);
            let excess = component.norm_before / f64::from(c) - 1.0;
            prop_assert!(component.scale < 1.0 || excess <= f64::from(f32::EPSILON) / 2.0);
            let expected: Vec<f32> = x[k].iter().map(|x| x * component.scale as f32).collect();
            prop_assert_eq!(bits(&[expected]), bits(&after[k..=k]));
        }
    }

    /// 29: the poisoned tensors are those with a NaN or an infinity in them, and no finite input makes a NaN.
    #[test]
    fn damage_is_confined(x in tensors(any_bits()), c in 0.01_f32..10.0) {
        for convention in Convention::ALL {
            for (x, y) in x.iter().zip(clipped(&text("component", convention, c), &x)) {
                // Where the norm overflows f32, TensorFlow's answer is NaN; (x·c) may overflow by itself.
                let source = convention.measures_mean() || matches!(convention, Convention::TfGlobal | Convention::KerasGlobal | Convention::TfNorm | Convention::MindSpore);
                if x.iter().all(|x| x.is_finite()) && !source {
                    prop_assert!(y.iter().all(|y| y.is_finite()), "{convention}: {x:?}");
                }
            }
        }
    }

    /// 33: what is excluded keeps its bits, and so does everything under `none`.
    #[test]
    fn frame(x in tensors(any_bits()), c in 0.0_f32..10.0) {
        prop_assert_eq!(bits(&clipped("none", &x)), bits(&x));
        for option in ["exclude", "count"] {
            let after = clipped(&format!("global:{},{option}=a.weight", f64::from(c)), &x);
            prop_assert_eq!(bits(&after[..1]), bits(&x[..1]));
        }
    }

    /// Edge rules: zero makes every bad component +0, skip changes nothing in it, and both leave the others alone.
    #[test]
    fn edge_rules(x in tensors(any_bits()), c in 0.01_f32..10.0) {
        let plain = clipped(&format!("component:{}@exact", f64::from(c)), &x);
        for (rule, action) in [("zero", Action::Zeroed), ("skip", Action::Skipped)] {
            let (after, report) = try_clip(&policy(&format!("component:{}@exact,edge={rule}", f64::from(c))), &x).expect(rule);
            for (k, x) in x.iter().enumerate() {
                let bad = x.iter().any(|x| !x.is_finite());
                prop_assert_eq!(report.components[k].action == action, bad);
                let expected = match (bad, action) {
                    (false, _) => plain[k].clone(),
                    (true, Action::Zeroed) => vec![0.0; x.len()],
                    (true, _) => x.clone(),
                };
                prop_assert_eq!(bits(&after[k..=k]), bits(&[expected]));
            }
        }
        let fails = try_clip(&policy(&format!("component:{}@exact,edge=error", f64::from(c))), &x).is_err();
        prop_assert_eq!(fails, x.iter().flatten().any(|x| !x.is_finite()));
    }
}

/// 19b: the radial map is non-expansive for p = 2 only. For p = ∞: (1, 1) and (1+h, 1-h) are h apart and clipped to 1
/// they become (1, 1) and (1, (1-h)/(1+h)), 2h/(1+h) apart.
#[test]
fn other_norms_are_not_non_expansive() {
    let h = 2_f64.powi(-10);
    let y = clipped("global:1@exact,norm=inf", &[vec![1.0 + h, 1.0 - h]]);
    let x = clipped("global:1@exact,norm=inf", &[vec![1.0, 1.0]]);
    let apart = (x[0][0] - y[0][0]).abs().max((x[0][1] - y[0][1]).abs());
    assert!((apart / h - 2.0 / (1.0 + h)).abs() < 1e-12 && apart > 1.99 * h);
}

/// 24: PyTorch's 0-norm of norms is not a norm here at all: p must be above 0.
#[test]
fn zero_is_no_p() {
    assert!("global:1,norm=0".parse::<ClipPolicy>().is_err());
}

/// 34: a tied tensor counts once and is scaled once: (3, 4) twice has the norm 5, not 5√2.
#[test]
fn ties_count_once() {
    let x = vec![3.0_f64, 4.0];
    let tied = "global:1@exact,tie=a.bias:a.weight";
    let (after, report) = try_clip(&policy(tied), &[x.clone(), x.clone()]).expect("tied");
    assert_eq!(report.components[0].norm_before, 5.0);
    assert_eq!(after, [[3.0 * 0.2, 4.0 * 0.2], [3.0 * 0.2, 4.0 * 0.2]]);
    assert_eq!(report.global_norm_before(), 5.0);
    let untied = report_of("global:1@exact", &[x.clone(), x]);
    assert_eq!(untied, 50_f64.sqrt());
}

fn report_of(text: &str, x: &[Vec<f64>]) -> f64 {
    report(text, x).components[0].norm_before
}

/// 32: the same bits for any number of threads, whatever the statistic, around the sizes of blocks.
#[test]
fn threads_do_not_matter() {
    let wave = |n: usize| {
        (0..n)
            .map(|i| ((i * i) as f32 * 0.37).sin() * 3.0)
            .collect::<Vec<f32>>()
    };
    let x = [wave(65537), wave(16383), wave(5), wave(3 * 16384)];
    for text in [
        "component:1",
        "global:1@tf-norm,norm=1",
        "module:2@optax,norm=3",
        "value:0.5",
        "global:1,norm=inf",
        "soft:1@tanh",
        "component:0.01@div-max,norm=rms",
    ] {
        let run = |threads| with_threads(threads, || try_clip(&policy(text), &x).expect(text));
        let (one, report) = run(1);
        for threads in [2, 3, 7] {
            let (other, same) = run(threads);
            assert_eq!(bits(&one), bits(&other), "{text}");
            assert_eq!(format!("{report:?}"), format!("{same:?}"), "{text}");
        }
    }
}

/// The straddles hit what they are for: on, just below, just above.
#[test]
fn straddles() {
    assert_eq!(Straddle::Ulps(0).threshold(5.0), 5.0);
    assert_eq!(Straddle::Ulps(-1).threshold(1.0), 1.0 - f32::EPSILON / 2.0);
    assert_eq!(Straddle::Ulps(-3).threshold(0.0), 0.0);
}
