//! Sharp by default: without a declaration every right kernel passes, every wrong one does not, at every size.
//!
//! `cargo run --release --example sharpness` goes up to 10⁸ elements.

use super::sharp_kernels::{Kernel, RIGHT, WRONG, gradient};
use cwgnc::oracle::{Candidate, Case, Format, Judgement, Reduction, Tensor, Verdict, judge, tolerance};

fn judged(kernel: &Kernel, x: &[f32], declared: &str) -> Judgement {
    let tensor = |x: &[f32]| Tensor {
        name: "w".into(),
        shape: vec![x.len()],
        data: cwgnc::oracle::Data::F32(x.to_vec()),
    };
    let mut case = Case::new(kernel.policy.parse().expect(kernel.policy), vec![tensor(x)]);
    case.declared = declared.parse().expect(declared);
    let after = (kernel.clip)(x);
    judge(&case, &Candidate::new(vec![tensor(&after)])).expect("a judgement")
}

#[test]
fn right_kernels_pass_and_wrong_ones_do_not() {
    let mut escaped = Vec::new();
    for n in [10_000, 100_000, 1_000_000] {
        let x = gradient(n, 7);
        for (kernel, passes) in RIGHT
            .iter()
            .map(|k| (k, true))
            .chain(WRONG.iter().map(|k| (k, false)))
        {
            let judgement = judged(kernel, &x, "unknown");
            if judgement.passed() != passes || (judgement.exit_code() == 0) != passes {
                escaped.push(format!("{n}: {}: {}", kernel.name, judgement.headline()));
            }
        }
    }
    assert!(escaped.is_empty(), "{}", escaped.join("\n"));
}

/// Where a weak sum cannot be told from a fault, it is told, with its component, the distance and the declaration that
/// accepts it; and that one does.
#[test]
fn a_weak_sum_is_told() {
    let x = vec![1.1_f32; 3_000_000];
    let judgement = judged(&RIGHT[0], &x, "unknown");
    let Verdict::Weak {
        component,
        needs,
        off,
        ..
    } = &judgement.verdict
    else {
        panic!("{}", judgement.headline())
    };
    assert_eq!(
        (component.as_str(), *needs, judgement.exit_code()),
        ("w", Reduction::Lanes(8), 2)
    );
    // 375,000 times 1.21 in each lane: the distance in F64 from the same sum in F32, here once more.
    let mut lane = 0.0_f32;
    for _ in 0..375_000 {
        lane += 1.1_f32 * 1.1;
    }
    let exact = f64::from(1.1_f32).powi(2) * 375_000.0;
    let true_off = ((f64::from(lane) / exact).sqrt() - 1.0).abs();
    assert!((off / true_off - 1.0).abs() < 0.01, "{off:e} and {true_off:e}");
    let line = judgement.headline();
    assert!(line.starts_with("WEAK: the norm of `w` is 0.0"), "{line}");
    assert!(line.contains("`--declared lanes-8` accepts it"), "{line}");
    let declared = judged(&RIGHT[0], &x, "lanes-8");
    assert!(declared.passed(), "{}", declared.headline());
    let limited = judged(&RIGHT[0], &x, "lanes-8,max-norm-error=1e-5");
    assert_eq!(
        (limited.verdict.name(), limited.exit_code()),
        ("VACUOUS", 2),
        "{}",
        limited.headline()
    );
}

/// At sizes that no test allocates: a formula that is off by what these faults are is beyond the budget, and 100 times
/// what good sums are off by is within it.
#[test]
fn the_largest_sizes() {
    for n in [10_000_000_u64, 100_000_000, 1_000_000_000] {
        let declared = cwgnc::oracle::Declared::default();
        let bound = tolerance::norm(&declared, cwgnc::clip::Statistic::L2, Format::F32, n, 1);
        let faults = [
            (0.05_f64 / 0.050_048_828 - 1.0).abs(),
            0.005,
            0.02,
            512.0 / n as f64,
            0.5 / (n as f64).sqrt(),
        ];
        let least = faults.into_iter().fold(f64::INFINITY, f64::min);
        if n <= 100_000_000 {
            assert!(
                bound.above < least && bound.below < least,
                "{n}: {:e}",
                bound.above
            );
        }
        assert!(bound.above > 60.0 * Format::F32.unit_roundoff());
    }
}
