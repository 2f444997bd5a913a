//! Verdicts that name another policy, numbers beside the gradients, and the laws on the real clipper.

use super::oracle_clip::run;
use super::oracle_naive::{Fault, gradients, squares};
use cwgnc::clip::{ClipPolicy, ParamGrad, Rule, Statistic, clip};
use cwgnc::oracle::laws::{self, Law, Outcome};
use cwgnc::oracle::{
    Candidate, Case, Declared, Fit, Format, Reduction, Tensor, Tie, Verdict, expect, identify, judge,
};

/// A stale norm: the second call scales with what the first one measured. No single pair can show it, the law does.
#[test]
fn a_stale_norm_breaks_determinism() {
    let case = Case::new(
        "global:1@exact".parse().expect("a policy"),
        gradients(Format::F32, 71, 1.0),
    );
    let mut last = None;
    let mut stale = |case: &Case| {
        let sum: f64 = case
            .before
            .iter()
            .map(|t| squares(&t.data.values(), Format::F32, Fault::None))
            .sum();
        let n = last.replace(sum).unwrap_or(sum).sqrt();
        let k = Format::F32.round((1.0 / n).min(1.0));
        Ok(case
            .before
            .iter()
            .map(|t| t.with(t.data.values().into_iter().map(|x| x * k)))
            .collect())
    };
    assert!(matches!(
        laws::check(Law::Determinism, &case, &mut stale),
        Outcome::Broken(_)
    ));
}

/// What other conventions and policies do is recognised as theirs: run by `clip` under one, judged under another.
#[test]
fn other_policies_are_named() {
    for (judged, ran) in [
        ("component:1@exact", "component:1"),
        ("component:1", "global:1"),
        ("global:1", "component:1"),
        ("component:1", "module:1"),
        ("value:0.1", "value:0.1@paper"),
        ("component:1", "none"),
        ("component:0.01@tf-global", "component:0.01@torch"),
        ("component:0.01@torch", "component:0.01@mxnet"),
        ("component:1@exact,norm=1", "component:1@exact"),
    ] {
        let before = gradients(Format::F32, 71, 1.0);
        let after = run(&Case::new(ran.parse().expect(ran), before.clone()))
            .expect("a result")
            .after;
        let mut case = Case::new(judged.parse().expect(judged), before);
        case.declared = Declared::new(Reduction::F64);
        let verdict = judge(&case, &Candidate::new(after)).expect("a judgement").verdict;
        let Verdict::Policy { matches } = &verdict else {
            panic!("{ran} judged as {judged}: {verdict}")
        };
        let expected = ran.parse().expect(ran);
        assert!(matches.contains(&expected), "{ran} judged as {judged}: {verdict}");
    }
}

/// Returned norms: post-clip instead of pre-clip is a failure at the norm, before any element.
#[test]
fn returned_norms_are_judged_first() {
    let case = Case::new(
        "component:1@exact".parse().expect("a policy"),
        gradients(Format::F32, 71, 1.0),
    );
    let mut candidate = run(&case).expect("a result");
    assert!(judge(&case, &candidate).expect("a judgement").passed());
    for (_, norm) in &mut candidate.norms {
        *norm = norm.min(1.0);
    }
    let judgement = judge(&case, &candidate).expect("a judgement");
    assert_eq!(judgement.verdict.name(), "FAIL_LOGIC");
    assert_eq!(judgement.mismatches[0].place, cwgnc::oracle::Place::Norm);
}

/// Numbers with the ids of another partition do not hide that the elements are of that partition too. If the elements are
/// right, the numbers cannot be judged.
#[test]
fn numbers_of_another_partition() {
    let before = gradients(Format::F32, 71, 1.0);
    let case = |policy: &str| Case::new(policy.parse().expect(policy), before.clone());
    let foreign = run(&case("global:1@exact")).expect("a result");
    let verdict = judge(&case("component:1@exact"), &foreign)
        .expect("a judgement")
        .verdict;
    assert_eq!(
        verdict.to_string(),
        "POLICY: your output matches `global:1@exact`"
    );
    let mut strange = run(&case("component:1@exact")).expect("a result");
    strange.norms.push(("global".to_owned(), 1.0));
    let error = judge(&case("component:1@exact"), &strange).expect_err("an id too many");
    assert_eq!(error.to_string(), "norms: not expected global");
}

/// A norm is judged in the type that it comes in: a wider one than the convention's own, or that of the gradients. Neither
/// touches the budget of the elements, and a distance is in units of that type.
#[test]
fn norms_of_other_types() {
    // √(0.1² + 0.2²) in f32 numbers has no short form in any type.
    let before = vec![Tensor::vector("w", Format::F32, &[0.1, 0.2])];
    for policy in ["component:0.01@exact", "component:0.01"] {
        let mut case = Case::new(policy.parse().expect(policy), before.clone());
        case.declared = "exact".parse().expect("a declaration");
        let mut candidate = run(&case).expect("a result");
        let wide = candidate.norms[0].1;
        assert_ne!(wide, f64::from(wide as f32));
        for norm in [wide, f64::from(wide as f32)] {
            candidate.norms[0].1 = norm;
            let verdict = judge(&case, &candidate).expect("a judgement").verdict;
            assert_eq!(
                verdict,
                Verdict::Pass { ulp: 0, share: 0.0 },
                "{policy}: {norm:e}"
            );
        }
        candidate.norms[0].1 = f64::from((wide as f32).next_up().next_up().next_up());
        let judgement = judge(&case, &candidate).expect("a judgement");
        assert!(!judgement.passed());
        assert!(
            (2..=3).contains(&judgement.mismatches[0].ulp),
            "{}",
            judgement.mismatches[0]
        );
    }
}

/// What multiplies by a negative threshold or by NaN makes elements that are not smaller; the law has nothing to say to that.
#[test]
fn shrink_is_silent_beyond_its_ground() {
    for (policy, x) in [
        ("component:-7@exact,unchecked", [3.0, 4.0]),
        ("component:1@torch", [f64::NAN, 4.0]),
        ("component:1@tf-global", [f64::INFINITY, 4.0]),
    ] {
        let before = vec![Tensor::vector("w", Format::F32, &x)];
        let case = Case::new(policy.parse().expect(policy), before);
        let outcome = laws::check(Law::Shrink, &case, &mut |case| run(case).map(|c| c.after));
        assert_eq!(outcome, Outcome::Silent, "{policy}");
    }
}

/// Every law that promises something holds for `clip` under every convention; those that promise nothing because the
/// source breaks them are shown to be broken by some case.
#[test]
fn clip_obeys_its_laws() {
    for convention in cwgnc::clip::Convention::ALL {
        for partition in ["global", "component", "row"] {
            for c in [0.02, 1.0, 3.0, 50.0] {
                let mean = if convention.measures_mean() {
                    ",norm=mean"
                } else {
                    ""
                };
                let text = format!("{partition}:{c}@{convention}{mean}");
                let mut case = Case::new(text.parse().expect(&text), gradients(Format::F32, 71, 1.0));
                case.declared = Declared::new(Reduction::F64);
                for (law, outcome) in laws::check_all(&case, &mut |case| run(case).map(|c| c.after)) {
                    assert!(
                        !matches!(outcome, Outcome::Broken(_) | Outcome::Refused(_)),
                        "{text}: {}: {outcome:?}",
                        law.name()
                    );
                }
            }
        }
    }
    let value = Case::new(
        "value:0.1".parse().expect("a policy"),
        gradients(Format::F32, 71, 1.0),
    );
    for (law, outcome) in laws::check_all(&value, &mut |case| run(case).map(|c| c.after)) {
        assert!(
            !matches!(outcome, Outcome::Broken(_) | Outcome::Refused(_)),
            "value: {}: {outcome:?}",
            law.name()
        );
    }
    assert_eq!(value.policy.statistic, Statistic::MAX);
    assert!(matches!(value.policy.rule, Rule::Value { .. }));
}

/// The table of promises is as strict as it can be: where it gives less than bits, some case breaks the bits.
#[test]
fn what_is_not_promised_is_broken_somewhere() {
    use cwgnc::oracle::laws::Promise;
    for (law, policy, promise) in [
        (Law::PowerOfTwo, "component:C", Promise::Bits),
        (Law::PowerOfTwo, "component:C@mxnet", Promise::Bits),
        (Law::Idempotence, "component:C", Promise::Budget),
        (Law::Idempotence, "component:C@exact", Promise::Bits),
        (Law::IdentityBelow, "component:C@tf-norm", Promise::Bits),
        (Law::IdentityBelow, "component:C@tf-global", Promise::Bits),
        (Law::Odd, "value:C@paper", Promise::Bits),
        (Law::Bound, "value:C@paper", Promise::Bits),
        (Law::Bound, "component:C@exact", Promise::Bits),
        (Law::Singletons, "component:C", Promise::Ulp(2)),
        (Law::MonotoneThreshold, "component:C@tf-norm", Promise::Bits),
        (Law::ZeroPadding, "component:C@exact,norm=rms", Promise::Budget),
    ] {
        let broken = (1..400).any(|i| {
            let c = 0.003 * f64::from(i);
            let text = policy.replace('C', &c.to_string());
            let mut case = Case::new(
                text.parse().expect(&text),
                gradients(Format::F32, 8, 0.1 + 0.0007 * f64::from(i)),
            );
            case.declared = Declared::new(Reduction::F64);
            let mut subject = |case: &Case| run(case).map(|c| c.after);
            matches!(
                laws::check_promise(law, promise, &case, &mut subject),
                Outcome::Broken(_)
            )
        });
        assert!(broken, "{} of {policy} holds as {promise:?}", law.name());
    }
}

/// Below every threshold most policies do the same, and the answer is an honest tie; above it there is one, if the sum
/// is known to be good.
#[test]
fn ties_are_ties() {
    for (text, tie) in [
        ("component:1000@exact", Some(Tie::Unchanged)),
        ("component:0.01@torch", None),
    ] {
        let mut case = Case::new(text.parse().expect(text), gradients(Format::F32, 71, 1.0));
        case.declared = Declared::new(Reduction::F64);
        let after = run(&case).expect("a result").after;
        let found = identify(&case, &after).expect("an identification");
        assert_eq!(
            found.best()[0].policy,
            case.policy,
            "the case's own comes first among equals"
        );
        assert_eq!(
            (found.tied == 1, found.tie),
            (tie.is_none(), tie),
            "{text}: {} tied",
            found.tied
        );
    }
}

/// Where no norm whatever gives the bits, a formula is ruled out, even if nothing is known about the sum.
#[test]
fn other_formulas_are_ruled_out() {
    let families = [
        ("optax", &["optax-jit", "tf-norm", "div-max", "exact"][..]),
        ("optax-jit", &["optax", "tf-norm", "div-max", "exact"]),
        ("tf-norm", &["optax", "optax-jit", "div-max", "exact"]),
        ("div-max", &["optax", "optax-jit", "tf-norm", "exact"]),
        ("tf-average", &["tf-average-graph", "exact", "optax"]),
        ("tf-average-graph", &["tf-average", "optax"]),
        ("exact", &["optax", "optax-jit", "tf-norm", "div-max"]),
    ];
    for (convention, others) in families {
        let text = format!("global:0.01@{convention}");
        let case = Case::new(text.parse().expect(&text), gradients(Format::F32, 71, 1.0));
        let after = run(&case).expect("a result").after;
        let found = identify(&case, &after).expect("an identification");
        let named = |convention: &str| {
            let policy: ClipPolicy = format!("global:0.01@{convention}").parse().expect(convention);
            found.best().iter().any(|ranked| ranked.policy == policy)
        };
        assert!(named(convention), "{text}");
        for other in others {
            assert!(!named(other), "{text} taken for {other}");
        }
        let component = found
            .best()
            .iter()
            .any(|ranked| ranked.policy.partition == cwgnc::clip::Partition::Parameter);
        assert!(!component, "{text} taken for a component's");
    }
}

/// A norm that is off by a few units, as a library's is, leads to no other name: what fits, fits, near or far.
#[test]
fn the_nearest_norm_does_not_decide() {
    for (convention, steps) in [("torch", 9), ("tf-global", -7), ("optax-jit", 5)] {
        let text = format!("global:0.01@{convention}");
        let case = Case::new(text.parse().expect(&text), gradients(Format::F32, 71, 1.0));
        let Rule::Norm { convention, .. } = case.policy.rule else {
            panic!("a convention")
        };
        // `clip`'s scaling for a norm so many units away from the right one.
        let all: Vec<f64> = case.before.iter().flat_map(|t| t.data.values()).collect();
        let exact = all.iter().map(|x| x * x).sum::<f64>().sqrt();
        let n = Format::F32.from_ordinal(Format::F32.ordinal(Format::F32.round(exact)) + steps);
        let after: Vec<_> = case
            .before
            .iter()
            .map(|t| {
                let mut x: Vec<f32> = t.data.values().into_iter().map(|x| x as f32).collect();
                let extent = cwgnc::clip::Extent::of(&t.shape);
                convention
                    .scaling::<f32>(n, 0.01, convention.eps().unwrap_or(0.0), all.len())
                    .apply(&mut x, extent);
                t.with(x.into_iter().map(f64::from))
            })
            .collect();
        let found = identify(&case, &after).expect("an identification");
        let own = found
            .best()
            .iter()
            .find(|ranked| ranked.policy == case.policy)
            .expect("its own");
        let Fit::Bits { ulps, .. } = own.fit else {
            panic!("{text}: {:?}", own.fit)
        };
        assert!(ulps.abs_diff(steps.unsigned_abs()) <= 1, "{text}: {ulps} ulp");
    }
}

/// 16-bit gradients that are scaled by a norm and a factor in F32: y = RN(x·k), k = c/n in F32.
#[test]
fn narrow_gradients_with_a_wide_scale() {
    for format in [Format::F16, Format::Bf16] {
        let case = Case::new(
            "component:0.25@exact".parse().expect("a policy"),
            gradients(format, 71, 1.0),
        );
        let after: Vec<_> = case
            .before
            .iter()
            .map(|t| {
                let x: Vec<f64> = t.data.values();
                let n = x.iter().map(|x| x * x).sum::<f64>().sqrt();
                let k = if n > 0.25 {
                    f64::from((0.25 / n) as f32)
                } else {
                    1.0
                };
                t.with(x.into_iter().map(|x| format.round(f64::from((x * k) as f32))))
            })
            .collect();
        let found = identify(&case, &after).expect("an identification");
        let own = found
            .best()
            .iter()
            .find(|ranked| ranked.policy == case.policy)
            .expect("its own");
        let Fit::Bits { rung: 0, needs, .. } = own.fit else {
            panic!("{format}: {:?}", own.fit)
        };
        assert_eq!(needs.scale, Some(Format::F32), "{format}");
    }
}

/// (3, 4)·2⁷⁰: squares of 9·2¹⁴⁰ are beyond F32, so that PyTorch's norm is infinite and its factor 0; with the true norm,
/// 5·2⁷⁰, the factor is a half.
#[test]
fn overflow_as_in_the_source() {
    let x = |values: [f64; 2]| {
        let values = values.map(|x| libm::ldexp(x, 70));
        vec![Tensor::vector("w", Format::F32, &values)]
    };
    let policy = format!("component:{}@exact", libm::ldexp(2.5, 70));
    let case = Case::new(policy.parse().expect("a policy"), x([3.0, 4.0]));
    let source = Case {
        declared: "unknown,overflow=as-source".parse().expect("arithmetic"),
        ..case.clone()
    };
    let verdict = |case: &Case, after: [f64; 2]| {
        let judgement = judge(case, &Candidate::new(x(after))).expect("a verdict");
        judgement.verdict.name()
    };
    assert_eq!(verdict(&case, [0.0, 0.0]), "RANGE");
    assert_eq!(verdict(&case, [1.5, 2.0]), "PASS");
    assert_eq!(verdict(&source, [0.0, 0.0]), "PASS");
    assert_ne!(verdict(&source, [1.5, 2.0]), "PASS");
}

/// A subject that leaves a tensor out is refused by every law, and does not end the program.
#[test]
fn a_missing_tensor_is_refused() {
    let tensors = ["a", "b"].map(|name| Tensor::vector(name, Format::F64, &[3.0, 4.0]));
    let case = Case::new("component:1@exact".parse().expect("a policy"), tensors.to_vec());
    let outcomes = laws::check_all(&case, &mut |case| Ok(case.before[1..].to_vec()));
    let refused = |(_, outcome): &&(Law, Outcome)| matches!(outcome, Outcome::Refused(_));
    let held: Vec<_> = outcomes.iter().filter(|one| !refused(one)).collect();
    assert!(
        held.iter().all(|(_, outcome)| matches!(outcome, Outcome::Silent)),
        "{held:?}"
    );
    assert!(outcomes.iter().filter(refused).count() > 10, "{outcomes:?}");
}

/// Five components clipped to 1 by `RN(c/n)`, one rounding in the factor, and judged as PyTorch's two roundings: within the
/// budget, and the line says which convention gives every bit. Of what PyTorch's formula makes, none is named.
#[test]
fn a_pass_names_the_convention_that_gives_every_bit() {
    let tensors: Vec<Tensor> = (0..5)
        .map(|t| {
            let x: Vec<f64> = (1..40).map(|i| f64::from(i % 7 + t) * 0.37).collect();
            Tensor::vector(&format!("w{t}"), Format::F32, &x)
        })
        .collect();
    let single = |x: f64| f64::from(x as f32);
    let clipped = |factor: &dyn Fn(f64) -> f64| -> Vec<Tensor> {
        let clip = |t: &Tensor| {
            let x = t.data.values();
            let k = factor(x.iter().map(|x| x * x).sum::<f64>().sqrt());
            t.with(x.iter().map(|x| x * k))
        };
        tensors.iter().map(clip).collect()
    };
    let case = Case::new("component:1@torch".parse().expect("a policy"), tensors.clone());
    let judged = |after: Vec<Tensor>| judge(&case, &Candidate::new(after)).expect("a verdict");
    let other = judged(clipped(&|n| single(1.0 / n)));
    assert!(
        other.passed() && other.verdict.to_string() != "PASS (bitwise)",
        "{other}"
    );
    let closer = other.closer.as_ref().map(ToString::to_string);
    assert_eq!(closer.as_deref(), Some("component:1@exact"));
    assert!(
        other
            .headline()
            .ends_with("; `component:1@exact` gives every bit: ask for it if it is meant")
    );
    let own = judged(clipped(&|n| single(1.0 / single(single(n) + single(1e-6)))));
    assert_eq!(
        (own.verdict.to_string().as_str(), own.closer),
        ("PASS (bitwise)", None)
    );
    // A sum that is an ulp off: other conventions fit as well as this one, with norms as far off, and none is better.
    let off = judged(clipped(&|n| {
        let n = f64::from((n as f32).next_up());
        single(1.0 / single(n + single(1e-6)))
    }));
    assert!(
        off.passed() && off.verdict.to_string() != "PASS (bitwise)",
        "{off}"
    );
    assert_eq!(off.closer, None);
}

/// A convention without an ε takes none, and the others no infinite one: in clipping and in judging.
#[test]
fn an_epsilon_that_is_none() {
    for (policy, wrong) in [
        ("component:1@exact", 0.5),
        ("component:1", f64::INFINITY),
        ("component:1", -1.0),
    ] {
        let mut policy: ClipPolicy = policy.parse().expect("a policy");
        let Rule::Norm { eps, .. } = &mut policy.rule else {
            panic!("{policy}")
        };
        *eps = wrong;
        let case = Case::new(
            policy.clone(),
            vec![Tensor::vector("w", Format::F64, &[3.0, 4.0])],
        );
        let error = expect(&case).expect_err("no expectation").to_string();
        assert!(error.ends_with("has no such ε"), "{error}");
        let mut x = ndarray::arr1(&[3.0_f64, 4.0]).into_dyn();
        let mut grads = [ParamGrad::new("w", x.view_mut())];
        let error = clip(&policy, &mut grads).expect_err("no clipping").to_string();
        assert!(error.contains("takes no ε"), "{error}");
    }
}
