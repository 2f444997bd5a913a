//! Policies with a memory, with parameters' values, and per example, against arithmetic by hand.

use crate::clip_support::policy;
use cwgnc::clip::{
    ClipError, ClipReport, ClipState, Clipped, ParamGrad, clip, clip_examples, clip_with_state, sum_examples,
};
use ndarray::{ArrayD, IxDyn, arr1, arr2};

/// One step on a single gradient of this norm, 0.6 n and 0.8 n.
fn step(text: &str, state: &mut ClipState, n: f64) -> (f64, ClipReport) {
    let mut g = arr1(&[0.6 * n, 0.8 * n]);
    let mut grads = [ParamGrad::new("g", g.view_mut().into_dyn())];
    let report = clip_with_state(&policy(text), state, &mut grads).expect(text);
    (g[0].hypot(g[1]), report)
}

#[track_caller]
fn steps(text: &str, norms: &[f64], expected: &[f64]) -> ClipState {
    let mut state = ClipState::default();
    for (&n, &expected) in norms.iter().zip(expected) {
        let (after, _) = step(text, &mut state, n);
        assert!(
            (after - expected).abs() <= 1e-5 * expected,
            "{text} at {n}: {after}, not {expected}"
        );
    }
    state
}

/// Percentiles of {5}, {5, 10}, {1, 5, 10}, {1, 5, 10, 20}: 5; 5 + 5/2; 5; 5 + 5/2. numpy interpolates linearly.
#[test]
fn autoclip() {
    steps("autoclip:50", &[5.0, 10.0, 1.0, 20.0], &[5.0, 7.5, 1.0, 7.5]);
    // The 10th percentile of (5, 10) is 5 + 0.1·5.
    steps("autoclip:10", &[5.0, 10.0], &[5.0, 5.5]);
}

/// The first norm fills the ring; entry 5 of 100 is it until five smaller ones have come.
#[test]
fn percentile() {
    steps("percentile:5", &[4.0, 8.0, 1.0, 4.0], &[4.0, 4.0, 1.0, 4.0]);
    let small = [4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 8.0];
    steps("percentile:5", &small, &[4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    steps("percentile:100", &[4.0, 8.0], &[4.0, 8.0]);
}

/// Warm-up on 1 and 3: μ = 2, σ² = 1. Then 8: z = 6; adaptive: 2 + 2·1/(6/2) = 8/3. The averages take 8/3 in:
/// μ = 0.5·2 + 0.5·8/3 = 7/3, σ² = 0.5·1 + 0.5·(1/3)² = 5/9. Then 3: z = (2/3)/(√5/3) = 0.89, kept.
#[test]
fn zclip() {
    let text = "zclip:2,alpha=0.5,warmup=2,max=inf";
    steps(text, &[1.0, 3.0, 8.0, 3.0], &[1.0, 3.0, 8.0 / 3.0, 3.0]);
    steps(
        "zclip:2@mean,alpha=0.5,warmup=2,max=inf",
        &[1.0, 3.0, 8.0],
        &[1.0, 3.0, 2.0],
    );
    // `max` holds during the warm-up and after it.
    steps(
        "zclip:2,alpha=0.5,warmup=2,max=2.5",
        &[1.0, 3.0, 8.0],
        &[1.0, 2.5, 2.5],
    );
}

/// Warm-up of 2 at 1: norms 4 and 0.5 become 1 and 0.5, γ = 0.5. Then 4: h = 2·0.5/4, norm 1, γ = 0.5·0.5 + 0.5·1 = 0.75.
/// Then 4 again: 1.5.
#[test]
fn adagc() {
    steps(
        "adagc:2,beta=0.5,warmup=2",
        &[4.0, 0.5, 4.0, 4.0],
        &[1.0, 0.5, 1.0, 1.5],
    );
}

/// θ = 1/2. Step 1: max 0.8·5 = 4, m = 2, M = 2/(1-1/2) = 4: kept. Step 2: max 16, m = 1 + 8 = 9, M = 9/(3/4) = 12: the
/// one element above 12 becomes 12, the other stays 12: norm 12√2.
#[test]
fn stable_spam() {
    steps("stable-spam:0.5", &[5.0, 20.0], &[5.0, 12.0 * 2_f64.sqrt()]);
}

const TEXTS: [&str; 5] = [
    "autoclip:25",
    "percentile:3",
    "zclip:1.5,warmup=3,max=9",
    "adagc:1.1,warmup=2",
    "stable-spam:0.9",
];

/// 37: a run that is stopped, saved, loaded and continued has the bits of one that was not.
#[test]
fn replay() {
    let norms: Vec<f64> = (0..40).map(|i| 1.0 + f64::from(i * i % 17) / 7.0).collect();
    for text in TEXTS {
        let (mut whole, mut stopped) = (ClipState::default(), ClipState::default());
        for &n in &norms {
            let (a, first) = step(text, &mut whole, n);
            stopped = stopped.to_string().parse().expect("its own text");
            let (b, second) = step(text, &mut stopped, n);
            assert_eq!((a.to_bits(), first), (b.to_bits(), second), "{text}");
        }
        assert_eq!(whole, stopped);
        assert_eq!(whole.steps, 40);
    }
}

/// 37: a NaN that the edge rule handles is not remembered; one that propagates poisons AutoClip for ever.
#[test]
fn non_finite_norms() {
    for text in TEXTS {
        let handled = format!("{text},edge=skip");
        let mut state = ClipState::default();
        let _ = step(&handled, &mut state, 2.0);
        let before = state.components.clone();
        let (_, report) = step(&handled, &mut state, f64::NAN);
        assert_eq!(report.skipped().count(), 1, "{text}");
        assert_eq!((state.components, state.steps), (before, 2), "{text}");
    }
    let mut state = ClipState::default();
    let _ = step("autoclip:50", &mut state, f64::NAN);
    assert!(step("autoclip:50", &mut state, 1.0).0.is_nan());
    let text = state.to_string();
    assert!(text.contains("NaN"), "{text}");
    assert_eq!(
        text.parse::<ClipState>().expect("a NaN can be read").to_string(),
        text
    );
}

#[test]
fn states_belong_to_a_policy() {
    let mut state = ClipState::default();
    let _ = step("autoclip:10", &mut state, 1.0);
    let mut g = arr1(&[1.0]);
    let mut grads = [ParamGrad::new("g", g.view_mut().into_dyn())];
    let other = clip_with_state(&policy("autoclip:20"), &mut state, &mut grads);
    assert_eq!(
        other.expect_err("another policy").to_string(),
        "policy `autoclip:20` was given the state of `autoclip:10`"
    );
    assert_eq!(
        clip(&policy("autoclip:10"), &mut grads)
            .expect_err("no state")
            .to_string(),
        "policy `autoclip:10` remembers earlier steps and needs a state"
    );
    for (text, message) in [
        ("", "clip state, line 1: expected `cwgnc-clip-state 1…`"),
        (
            "cwgnc-clip-state 1\npolicy x\nsteps y",
            "clip state, line 3: expected a number of steps",
        ),
        // 2⁵³ and one: one step more could be an overflow, and f64 does not have the number.
        (
            "cwgnc-clip-state 1\npolicy x\nsteps 9007199254740993",
            "clip state, line 3: expected a number of steps",
        ),
        (
            "cwgnc-clip-state 1\npolicy x\nsteps 1\nlevel 1 2 | g",
            "clip state, line 4: expected a kind of memory, its numbers, `|` and a component",
        ),
    ] {
        assert_eq!(text.parse::<ClipState>().expect_err(text).to_string(), message);
    }
}

/// Weights (0, 5) and gradient rows (3, 4) and (6, 8): row norms of the weights 0 and 5, of the gradient 5 and 10. With
/// c = 0.1 and ε = 0.001 the limits are 0.0001 and 0.5.
#[test]
fn agc_rows_and_columns() {
    let w = arr2(&[[0.0, 0.0], [3.0, 4.0]]);
    let run = |text: &str| {
        let mut g = arr2(&[[3.0, 4.0], [6.0, 8.0]]);
        let mut grads = [ParamGrad {
            value: Some(w.view().into_dyn()),
            ..ParamGrad::new("w", g.view_mut().into_dyn())
        }];
        let report = clip(&policy(text), &mut grads).expect(text);
        (g, report)
    };
    let (g, report) = run("agc:0.1");
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-15 * b;
    assert!(
        close(g[(0, 0)], 3.0 * (1e-4 / 5.0)) && close(g[(0, 1)], 4.0 * (1e-4 / 5.0)),
        "{g}"
    );
    assert!(close(g[(1, 0)], 0.3) && close(g[(1, 1)], 0.4), "{g}");
    assert_eq!(report.components[1].id, "w[1]");
    assert!(close(report.components[1].norm_after, 0.5) && report.components[1].threshold == Some(0.5));
    assert!(close(report.parameters[0].norm_after, 0.5_f64.hypot(1e-4)));
    // Columns: weights (0, 3) and (0, 4), gradients (3, 6) and (4, 8): limits 0.3 and 0.4.
    let (g, _) = run("agc:0.1,by=optax-unit");
    assert!(
        close(g[(0, 0)].hypot(g[(1, 0)]), 0.3) && close(g[(0, 1)].hypot(g[(1, 1)]), 0.4),
        "{g}"
    );
    assert!(close(g[(1, 0)] / g[(0, 0)], 2.0));
    // A limit above the norm keeps the row.
    assert_eq!(run("agc:3").1.components[1].clipped, Clipped::No);
}

/// ‖w‖ = 10, ‖u‖ = 5: the ratio is 2, and 1 where either norm is 0 or `max` says so.
#[test]
fn trust_ratio() {
    let run = |text: &str, w: f64, u: f64| {
        let w = arr1(&[0.6 * w, 0.8 * w]);
        let mut u = arr1(&[0.6 * u, 0.8 * u]);
        let mut grads = [ParamGrad {
            value: Some(w.view().into_dyn()),
            ..ParamGrad::new("w", u.view_mut().into_dyn())
        }];
        clip(&policy(text), &mut grads).expect(text).components[0].scale
    };
    assert_eq!(run("trust-ratio", 10.0, 5.0), 2.0);
    assert_eq!(run("trust-ratio,max=1", 10.0, 5.0), 1.0);
    assert_eq!(run("trust-ratio,coefficient=0.001", 10.0, 5.0), 0.002);
    assert_eq!(run("trust-ratio", 0.0, 5.0), 1.0);
    assert_eq!(run("trust-ratio", 10.0, 0.0), 1.0);
}

/// g = (2, 2), v = (1, 4): g²/v = 4 and 1, r = √2.5. SPAM with Θ = 1 brings g to √v: (1, 2).
#[test]
fn second_moments() {
    let v = arr1(&[1.0, 4.0]);
    let run = |text: &str| {
        let mut g = arr1(&[2.0, 2.0]);
        let mut grads = [ParamGrad {
            second_moment: Some(v.view().into_dyn()),
            ..ParamGrad::new("w", g.view_mut().into_dyn())
        }];
        let report = clip(&policy(text), &mut grads).expect(text);
        (g, report)
    };
    let (_, report) = run("stable-adamw:1");
    assert!((report.components[0].scale - 1.0 / 2.5_f64.sqrt()).abs() < 1e-15);
    assert_eq!(run("stable-adamw:2").1.components[0].scale, 1.0);
    assert_eq!(run("spam:1").0, arr1(&[1.0, 2.0]));
    assert_eq!(run("spam:5000").0, arr1(&[2.0, 2.0]));
}

#[test]
fn missing_and_misshapen_tensors() {
    let mut g = arr1(&[1.0, 2.0]);
    let w = arr1(&[1.0]);
    let mut grads = [ParamGrad::new("w", g.view_mut().into_dyn())];
    let error = |text: &str, grads: &mut [ParamGrad<'_, f64>]| {
        clip(&policy(text), grads).expect_err(text).to_string()
    };
    assert_eq!(
        error("agc:1", &mut grads),
        "the policy needs the value of `w`, and it was not given"
    );
    assert_eq!(
        error("spam:1", &mut grads),
        "the policy needs the second moment of `w`, and it was not given"
    );
    // What is excluded needs nothing.
    assert!(clip(&policy("agc:1,exclude=w"), &mut grads).is_ok());
    grads[0].value = Some(w.view().into_dyn());
    assert_eq!(
        error("agc:1", &mut grads),
        "the gradient of `w` has the shape [2], its value [1]"
    );
}

/// Automatic clipping: ‖g‖ = 5 becomes 5/5.01; soft: 5/(1+5/5) = 2.5; normalise: exactly c, also from below.
#[test]
fn normalising_rules() {
    let run = |text: &str| {
        let mut g = arr1(&[3.0, 4.0]);
        let mut grads = [ParamGrad::new("g", g.view_mut().into_dyn())];
        clip(&policy(text), &mut grads).expect(text).components[0].norm_after
    };
    let close = |a: f64, b: f64| (a - b).abs() < 1e-14 * b;
    assert!(close(run("normalise:1,eps=0.01"), 5.0 / 5.01));
    assert!(close(run("normalise:20@max"), 20.0));
    assert!(close(run("soft-norm:5"), 2.5));
    assert_eq!(run("soft-norm:0"), 0.0);
}

/// 30 and 31: three examples, flat and per layer; each layer has the norm 5, both together 5√2.
#[test]
fn examples() {
    let rows = [[3.0, 4.0], [0.0, 0.0], [-4.0, 3.0]];
    let run = |text: &str| {
        let (mut a, mut b) = (arr2(&rows), arr2(&rows));
        let mut grads = [
            ParamGrad::new("a", a.view_mut().into_dyn()),
            ParamGrad::new("b", b.view_mut().into_dyn()),
        ];
        let reports = clip_examples(&policy(text), &mut grads).expect(text);
        assert_eq!(reports.len(), 3);
        (sum_examples(&a.view().into_dyn()), reports)
    };
    let close = |sum: &ArrayD<f64>, k: f64| (sum[0] + k).abs() < 1e-15 && (sum[1] - 7.0 * k).abs() < 1e-15;
    let (flat, reports) = run("global:1@exact");
    assert!(close(&flat, 1.0 / 50_f64.sqrt()), "{flat}");
    assert_eq!(reports[0].components[0].norm_before, 50_f64.sqrt());
    assert_eq!(reports[1].components[0].clipped, Clipped::No);
    assert!(close(&run("component:1@exact").0, 0.2));
    assert!(close(&run("normalise:1,eps=0.01,by=component").0, 1.0 / 5.01));
}

#[test]
fn examples_that_cannot_be() {
    let (mut a, mut b) = (arr2(&[[1.0], [2.0]]), arr1(&[1.0, 2.0, 3.0]));
    let mut grads = [
        ParamGrad::new("a", a.view_mut().into_dyn()),
        ParamGrad::new("b", b.view_mut().into_dyn()),
    ];
    let error = |text: &str, grads: &mut [ParamGrad<'_, f64>]| {
        let error = clip_examples(&policy(text), grads).expect_err(text);
        assert!(matches!(error, ClipError::Examples(_)));
        error.to_string()
    };
    assert_eq!(
        error("global:1", &mut grads),
        "the gradient of `b` has the shape [3], not 2 examples first"
    );
    assert_eq!(
        error("autoclip:1", &mut grads[..1]),
        "policy `autoclip:1` remembers, and examples of one step have no order"
    );
    let mut none = ArrayD::<f64>::zeros(IxDyn(&[0, 2]));
    let mut grads = [ParamGrad::new("a", none.view_mut())];
    assert!(
        clip_examples(&policy("global:1"), &mut grads)
            .expect("no examples")
            .is_empty()
    );
    assert_eq!(sum_examples(&none.view()), ArrayD::<f64>::zeros(IxDyn(&[2])));
}

/// Gradients that are not in standard layout are clipped all the same, and units of any axes add up to the tensor.
#[test]
fn layouts() {
    let values: Vec<f64> = (0..24).map(f64::from).collect();
    let straight = ArrayD::from_shape_vec(IxDyn(&[2, 3, 4]), values).expect("24 elements");
    for text in [
        "component:1",
        "row:1@exact",
        "axes-1:2@exact",
        "axes-0-2:0.5@optax,norm=inf",
        "optax-unit:3",
        "value:2",
    ] {
        let run = |mut g: ArrayD<f64>| {
            let mut grads = [ParamGrad::new("g", g.view_mut())];
            let report = clip(&policy(text), &mut grads).expect(text);
            (g, report)
        };
        let (expected, report) = run(straight.clone());
        let mut other = ArrayD::zeros(IxDyn(&[4, 3, 2])).permuted_axes(&[2, 1, 0][..]);
        other.assign(&straight);
        let (got, same) = run(other);
        let far = (&got - &expected).iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(far < 1e-14, "{text}: {far}");
        assert_eq!(report.components.len(), same.components.len());
        let total: f64 = report.components.iter().map(|c| c.elements).sum::<usize>() as f64;
        assert_eq!(total, 24.0, "{text}");
    }
}
