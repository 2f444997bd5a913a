//! Laws of `docs/clipping.md` about reordering, rotating, adding and about the rules beside the conventions.

use super::oracle_clip::run;
use crate::clip_support::{
    bits, clipped, few, moderate, norm, policy, positive, report, statistic, straddle, tensors, text, times,
    within,
};
use cwgnc::clip::Convention;
use cwgnc::oracle::{Case, Format, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;

/// Another order of the same numbers: the places ordered by a hash.
fn permutation(len: usize, seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..len).collect();
    places.sort_by_key(|&i| {
        (i as u64 ^ seed)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(17)
    });
    places
}

fn permuted(x: &[Vec<f32>], seed: u64) -> Vec<Vec<f32>> {
    let one = |x: &Vec<f32>| permutation(x.len(), seed).into_iter().map(|i| x[i]).collect();
    x.iter().map(one).collect()
}

/// Signs changed by the bits of the seed.
fn turned(x: &[Vec<f32>], seed: u64) -> Vec<Vec<f32>> {
    let one = |x: &Vec<f32>| {
        x.iter()
            .enumerate()
            .map(|(i, x)| if seed >> (i % 64) & 1 == 1 { -x } else { *x })
            .collect()
    };
    x.iter().map(one).collect()
}

/// What AGC makes of one tensor.
fn agc(g: &[f64], w: &[f64], eps: f64) -> Vec<f64> {
    let text = format!("agc:0.25,eps={eps},by=component");
    let mut case = Case::new(policy(&text), vec![Tensor::vector("w", Format::F32, g)]);
    case.values = vec![Tensor::vector("w", Format::F32, w)];
    run(&case).expect("finite").after[0].data.values()
}

proptest! {
    #![proptest_config(few())]

    /// 12 and 21: signed permutations of the elements. Signs alone keep every bit. The sum of another order is another one, by
    /// a unit of f64, so that the norm in f32 may be its neighbour.
    #[test]
    fn signed_permutations(x in tensors(moderate()), at in straddle(), seed in any::<u64>()) {
        for convention in Convention::ALL {
            let c = positive(at.threshold(statistic(convention, &x)));
            for partition in ["global", "component"] {
                let policy = text(partition, convention, c);
                let expected = turned(&clipped(&policy, &x), seed);
                prop_assert_eq!(bits(&clipped(&policy, &turned(&x, seed))), bits(&expected), "{}", policy);
                let expected = permuted(&expected, seed);
                prop_assert!(within(&clipped(&policy, &permuted(&turned(&x, seed), seed)), &expected, 2), "{policy}");
            }
        }
    }

    /// 13: the order of the tensors. Their names go with them.
    #[test]
    fn tensor_order(x in vec(vec(-4.0..4.0_f64, 1..6), 2..5), c in 0.01..8.0_f64) {
        let named = x.iter().enumerate().map(|(i, x)| Tensor::vector(&format!("m{}.t{i}", i / 2), Format::F32, x));
        let before: Vec<Tensor> = named.collect();
        for convention in Convention::ALL {
            for (partition, slack) in [("component", 0), ("module", 2), ("global", 2)] {
                let run = |before: Vec<Tensor>| run(&Case::new(policy(&format!("{partition}:{c}@{convention}")), before)).expect("finite").after;
                let mut other = run(before.iter().rev().cloned().collect());
                other.reverse();
                for (a, b) in run(before.clone()).iter().zip(&other) {
                    let far = (0..a.data.len()).map(|i| Format::F32.ulps(a.data.get(i), b.data.get(i))).max();
                    prop_assert!(far.unwrap_or(0) <= slack, "{partition} {convention}: {far:?}");
                }
            }
        }
    }

    /// 21: a rotation of integers whose norm is exact in any order: half the Hadamard matrix of order 4. `T(Qg) = Q T(g)`, each
    /// element of the right side having four roundings of numbers up to the norm.
    #[test]
    fn rotation(x in vec(-64..64_i32, 4), c in 0.1_f32..300.0) {
        let rotate = |x: &[f64]| {
            let [a, b, c, d] = [x[0], x[1], x[2], x[3]];
            [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d].map(|x| x / 2.0)
        };
        let g: Vec<f32> = x.iter().map(|&x| 2.0 * x as f32).collect();
        let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        let turned: Vec<f32> = rotate(&wide(&g)).iter().map(|x| *x as f32).collect();
        for convention in Convention::ALL {
            let policy = text("component", convention, c);
            let left = wide(&clipped(&policy, std::slice::from_ref(&turned))[0]);
            let right = rotate(&wide(&clipped(&policy, std::slice::from_ref(&g))[0]));
            let room = 4.0 * f64::from(f32::EPSILON) * norm(std::slice::from_ref(&g));
            prop_assert!(left.iter().zip(right).all(|(a, b)| (a - b).abs() <= room), "{convention}");
        }
    }

    /// 25: DeepSpeed takes the loss scale out and clips in one step, to the same bits as clipping what it was taken out of. For the
    /// other conventions the law is in the table.
    #[test]
    fn fused_unscaling(x in tensors(moderate()), at in straddle()) {
        let c = positive(at.threshold(norm(&x)));
        let apart = clipped(&text("global", Convention::DeepSpeed { loss_scale: 1.0 }, c), &x);
        let scaled = times(&x, 65536.0);
        let fused = clipped(&text("global", Convention::DeepSpeed { loss_scale: 65536.0 }, c), &scaled);
        prop_assert_eq!(bits(&apart), bits(&fused));
    }

    /// 26: clipping each micro-batch bounds the sum by m·c only.
    #[test]
    fn accumulation(parts in vec(vec(-4.0_f32..4.0, 5), 1..5), c in 0.01_f32..8.0) {
        for convention in Convention::ALL.into_iter().filter(|k| !k.measures_mean()) {
            let mut sum = [0.0_f64; 5];
            for part in &parts {
                let clipped = clipped(&text("component", convention, c), std::slice::from_ref(part));
                sum.iter_mut().zip(&clipped[0]).for_each(|(s, x)| *s += f64::from(*x));
            }
            let total = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
            prop_assert!(total <= parts.len() as f64 * f64::from(c) * (1.0 + 4.0 * f64::from(f32::EPSILON)), "{convention}");
        }
    }

    /// 9: AGC does not see the unit of a parameter, as long as no floor does.
    #[test]
    fn agc_has_no_unit(g in vec(0.5..4.0_f64, 4), w in vec(0.5..4.0_f64, 4), k in -6..12_i32) {
        let scale = 2.0_f64.powi(k);
        let by = |x: &[f64]| x.iter().map(|x| f64::from(*x as f32) * scale).collect::<Vec<f64>>();
        prop_assert_eq!(agc(&by(&g), &by(&w), 0.001), by(&agc(&g, &w, 0.001)));
    }

    /// 36: an update is brought to an RMS of d if it was above, and is never larger than it was.
    #[test]
    fn updates(x in tensors(moderate()), d in 0.001_f32..100.0) {
        let report = report(&format!("component:{}@div-max,norm=rms", f64::from(d)), &x);
        for component in &report.components {
            let (before, after) = (component.norm_before, component.norm_after);
            let (bound, room) = (before.min(f64::from(d)), 4.0 * f64::from(f32::EPSILON));
            prop_assert!(after <= before && (after - bound).abs() <= room * bound + 1e-40, "{before} to {after}");
        }
    }

    /// 38: every gradient but 0 has the norm c afterwards, and a power of two in front of it does not matter.
    #[test]
    fn normalised(x in tensors(moderate()), c in 0.01_f32..100.0, k in -8..8_i32) {
        let text = format!("normalise:{}@max,eps=0,by=global", f64::from(c));
        prop_assume!(norm(&x) > 0.0);
        let after = clipped(&text, &x);
        prop_assert!((norm(&after) / f64::from(c) - 1.0).abs() <= 4.0 * f64::from(f32::EPSILON), "{}", norm(&after));
        prop_assert_eq!(bits(&clipped(&text, &times(&x, (k as f32).exp2()))), bits(&after));
    }
}

/// 9: below the floor ε of the weight's norm the limit is c·ε whatever the unit: half of both makes the same, not half of it.
#[test]
fn agc_has_a_floor() {
    assert_eq!(
        agc(&[3.0, 4.0], &[0.0, 0.0], 1.0),
        agc(&[1.5, 2.0], &[0.0, 0.0], 1.0)
    );
}

/// 21: clipping by value is bound to the axes: (4, 4) becomes (1, 1); turned by 45 degrees it is (√32, 0), which becomes (1, 0), and
/// that turned back is (0.7, 0.7).
#[test]
fn values_do_not_turn() {
    assert_eq!(clipped("value:1", &[vec![4.0_f64, 4.0]]), [[1.0, 1.0]]);
    assert_eq!(clipped("value:1", &[vec![32.0_f64.sqrt(), 0.0]]), [[1.0, 0.0]]);
}

/// 26: (3, 0) and (0, 4) sum to the norm 5, which is clipped to (0.6, 0.8); clipped one by one they sum to (1, 1), and clipped as
/// they are added up (((3, 0) clipped) + (0, 4), clipped) to (1, 4)/√17.
#[test]
fn clipping_micro_batches_is_another_thing() {
    let clip = |x: [f64; 2]| clipped("component:1@exact", &[x.to_vec()])[0].clone();
    let close = |x: &[f64], y: [f64; 2]| x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-15);
    assert!(close(&clip([3.0, 4.0]), [0.6, 0.8]));
    assert_eq!(
        (clip([3.0, 0.0]), clip([0.0, 4.0])),
        (vec![1.0, 0.0], vec![0.0, 1.0])
    );
    let root = 17.0_f64.sqrt();
    assert!(close(&clip([1.0, 4.0]), [1.0 / root, 4.0 / root]));
}
