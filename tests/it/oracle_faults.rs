//! The judge is judged: every planted fault must be caught, and by the verdict or the law that names it.
//!
//! The clipper under test is the ten lines of [`naive`]; a fault is one change to it. `cargo test planted -- --nocapture`
//! prints the table.

use super::oracle_clip::run;
use cwgnc::clip::{Partition, Role, Rule, Statistic};
use cwgnc::oracle::laws::{self, Law, Outcome};
use cwgnc::oracle::{Candidate, Case, Declared, Format, Tensor, Verdict, judge};

/// One change to the naive clipper.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    InvertedClamp,
    MissingClamp,
    EpsAdded,
    EpsInsideRoot,
    EpsMultiplied,
    SquaredNormCompared,
    RootForgotten,
    MeanOfNorms,
    TiedTwice,
    TiedDropped,
    ExcludedCounted,
    ExcludedScaled,
    NormOfFirstTensor,
    LastTensorLeftOut,
    HalfTheShards,
    GlobalForComponent,
    ComponentForGlobal,
    BiasMerged,
    TailNotSummed,
    TailNotScaled,
    PaddingRead,
    SquareInStorage,
    SequentialStorage,
    SequentialSingle,
    CoefficientInBf16,
    FastRoot,
    TruncatedInput,
    NanBecomesZero,
    NanDropped,
    Flushed,
    NoOp,
    SignLost,
    LeakToNeighbour,
    ProductFirst,
    ScaledThreshold,
    TwicePerStep,
    OneElementOff,
    WrongPower,
}

fn format(case: &Case) -> Format {
    case.before[0].data.format()
}

/// The sum of squares of some elements, in f64 unless the fault says otherwise.
fn squares(x: &[f64], format: Format, fault: Fault) -> f64 {
    let summed = match fault {
        Fault::TailNotSummed => &x[..x.len() / 4 * 4],
        Fault::HalfTheShards => &x[..x.len().div_ceil(2)],
        _ => x,
    };
    let mut sum = 0.0;
    for &x in summed {
        sum = match fault {
            Fault::SquareInStorage => sum + format.round(x * x),
            Fault::SequentialStorage => format.round(sum + format.round(x * x)),
            Fault::SequentialSingle => Format::F32.round(sum + Format::F32.round(x * x)),
            Fault::TruncatedInput => sum + f64::from(f32::from_bits((x as f32).to_bits() & !0x1fff)).powi(2),
            Fault::NanDropped if x.is_nan() => sum,
            _ => sum + x * x,
        };
    }
    if fault == Fault::PaddingRead {
        sum + 1.0
    } else {
        sum
    }
}

/// `n <= c ? x : x·(c/n)` on each component, with a fault.
fn naive(case: &Case, fault: Fault) -> Result<Vec<Tensor>, String> {
    let role = |name: &str| {
        case.policy
            .selections
            .iter()
            .find(|s| s.pattern.fits(name))
            .map(|s| &s.role)
    };
    let mut after = case.before.clone();
    let global = match case.policy.partition {
        Partition::Global => fault != Fault::ComponentForGlobal,
        Partition::Parameter => fault == Fault::GlobalForComponent,
        _ => return Err("no such partition here".to_owned()),
    };
    let key = |name: &str| match () {
        () if global => String::new(),
        () if fault == Fault::BiasMerged => name.split('.').next().unwrap_or_default().to_owned(),
        () => match role(name) {
            Some(Role::Tie(original)) => original.clone(),
            _ => name.to_owned(),
        },
    };
    let mut keys: Vec<String> = case.before.iter().map(|t| key(&t.name)).collect();
    keys.dedup();
    for own in keys {
        let members: Vec<usize> = (0..after.len())
            .filter(|&t| key(&case.before[t].name) == own)
            .collect();
        let counts = |t: &&usize| match role(&case.before[**t].name) {
            Some(Role::Exclude) => fault == Fault::ExcludedCounted,
            Some(Role::Tie(_)) => fault == Fault::TiedTwice,
            _ => {
                let tied = case.policy.selections.iter().any(|s| match &s.role {
                    Role::Tie(original) => *original == case.before[**t].name,
                    _ => false,
                });
                !(tied && fault == Fault::TiedDropped)
            }
        };
        let sums = members
            .iter()
            .filter(counts)
            .map(|&t| squares(&case.before[t].data.values(), format(case), fault));
        let mut sums: Vec<f64> = sums.collect();
        match fault {
            Fault::NormOfFirstTensor => sums.truncate(1),
            Fault::LastTensorLeftOut if sums.len() > 1 => drop(sums.pop()),
            _ => {}
        }
        let factor = factor(case, &sums, fault);
        for t in members {
            let excluded = matches!(role(&case.before[t].name), Some(Role::Exclude));
            if excluded && fault != Fault::ExcludedScaled {
                continue;
            }
            let n = case.before[t].data.len();
            for i in 0..n {
                let skipped = fault == Fault::TailNotScaled && i >= n / 4 * 4;
                let x = case.before[t].data.get(i);
                if !skipped {
                    after[t].data.set(i, element(format(case), x, factor, i, fault));
                }
            }
        }
    }
    if fault == Fault::LeakToNeighbour {
        let leak = after[after.len() - 1].data.get(0) * 1e-3;
        let x = after[0].data.get(0);
        after[0].data.set(0, x + leak);
    }
    Ok(if fault == Fault::NoOp {
        case.before.clone()
    } else {
        after
    })
}

/// The scale of a component.
fn factor(case: &Case, sums: &[f64], fault: Fault) -> f64 {
    let c = case.policy.rule.threshold().map_or(1.0, |c| c.get());
    let c = if fault == Fault::ScaledThreshold {
        c / 16.0
    } else {
        c
    };
    let sum: f64 = sums.iter().sum();
    let total = if fault == Fault::SquareInStorage {
        format(case).round(sum)
    } else {
        sum
    };
    let n = match fault {
        Fault::EpsInsideRoot => (total + 1e-6).sqrt(),
        Fault::EpsMultiplied => total.sqrt() * (1.0 + 1e-6),
        Fault::RootForgotten => total,
        Fault::MeanOfNorms => sums.iter().map(|s| s.sqrt()).sum::<f64>() / sums.len() as f64,
        Fault::WrongPower => sums.iter().map(|s| s.sqrt()).sum::<f64>(),
        Fault::FastRoot => total.sqrt() * (1.0 + 2f64.powi(-12)),
        _ => total.sqrt(),
    };
    let n = if fault == Fault::EpsAdded { n + 1e-6 } else { n };
    let clips = match fault {
        Fault::SquaredNormCompared => n * n > c,
        Fault::InvertedClamp => n < c,
        Fault::MissingClamp => true,
        _ => n > c || n.is_nan(),
    };
    let k = if clips { c / n } else { 1.0 };
    let k = if fault == Fault::CoefficientInBf16 {
        Format::Bf16.round(k)
    } else {
        format(case).round(k)
    };
    if fault == Fault::TwicePerStep { k * k } else { k }
}

fn element(format: Format, x: f64, k: f64, i: usize, fault: Fault) -> f64 {
    let y = match fault {
        Fault::SignLost => (x * k).abs(),
        Fault::NanBecomesZero if (x * k).is_nan() => 0.0,
        Fault::ProductFirst => format.round(x * 300.0) * (k / 300.0),
        Fault::OneElementOff if i == 17 => format.from_ordinal(format.ordinal(format.round(x * k)) + 40),
        _ => format.round(x * k),
    };
    if fault == Fault::Flushed && y.abs() < format.min_normal() {
        0.0_f64.copysign(y)
    } else {
        y
    }
}

/// Gradients of five tensors: normal-looking, of different sizes, some below the threshold of 1 and some above.
fn gradients(format: Format, size: usize, scale: f64) -> Vec<Tensor> {
    let wave = |i: usize, phase: f64| scale * ((i as f64) * 1.618 + phase).sin() * (1.0 + (i % 7) as f64);
    let tensor = |name: &str, n: usize, phase: f64, by: f64| {
        Tensor::vector(
            name,
            format,
            &(0..n).map(|i| by * wave(i, phase)).collect::<Vec<_>>(),
        )
    };
    vec![
        tensor("a.weight", size, 0.3, 0.1),
        tensor("a.bias", 21, 0.7, 0.05),
        tensor("b.weight", size + 6, 1.1, 0.02),
        tensor("b.bias", 19, 1.9, 0.001),
        tensor("c.weight", 23, 2.5, 1.0),
    ]
}

/// What must catch a fault.
enum By {
    /// A verdict of this name on the case.
    Verdict(&'static str),
    /// Nothing: the result is within what was declared.
    Pass,
}

struct Plant {
    fault: Fault,
    policy: &'static str,
    declared: &'static str,
    gradients: Vec<Tensor>,
    by: By,
    law: Option<Law>,
}

fn plants() -> Vec<Plant> {
    let single = || gradients(Format::F32, 71, 1.0);
    let plant = |fault, policy, verdict, law| Plant {
        fault,
        policy,
        declared: "f64",
        gradients: single(),
        by: By::Verdict(verdict),
        law,
    };
    let poisoned = || {
        let mut all = single();
        all[4].data.set(3, f64::NAN);
        all
    };
    let (global, component) = ("global:1@exact", "component:1@exact");
    let tied = "global:1@exact,tie=a.weight:b.weight";
    let excluded = "global:1@exact,exclude=c.*";
    let mut same = single();
    same[0] = Tensor {
        name: "a.weight".into(),
        ..same[2].clone()
    };
    vec![
        Plant {
            by: By::Pass,
            ..plant(Fault::None, component, "", None)
        },
        Plant {
            by: By::Pass,
            ..plant(Fault::None, global, "", None)
        },
        plant(
            Fault::InvertedClamp,
            component,
            "FAIL_LOGIC",
            Some(Law::IdentityBelow),
        ),
        plant(
            Fault::MissingClamp,
            component,
            "FAIL_LOGIC",
            Some(Law::IdentityBelow),
        ),
        plant(Fault::EpsAdded, component, "FAIL_ROUNDING", Some(Law::PowerOfTwo)),
        Plant {
            gradients: gradients(Format::F32, 71, 0.05),
            ..plant(
                Fault::EpsInsideRoot,
                "component:0.01@exact",
                "FAIL_LOGIC",
                Some(Law::PowerOfTwo),
            )
        },
        plant(Fault::EpsMultiplied, component, "FAIL_ROUNDING", None),
        plant(
            Fault::SquaredNormCompared,
            "component:5@exact",
            "FAIL_LOGIC",
            Some(Law::Shrink),
        ),
        plant(
            Fault::RootForgotten,
            component,
            "FAIL_LOGIC",
            Some(Law::PowerOfTwo),
        ),
        plant(Fault::MeanOfNorms, global, "FAIL_LOGIC", Some(Law::Bound)),
        plant(Fault::WrongPower, global, "FAIL_LOGIC", Some(Law::SplitMerge)),
        Plant {
            gradients: same.clone(),
            ..plant(Fault::TiedTwice, tied, "FAIL_LOGIC", Some(Law::Duplicate))
        },
        Plant {
            gradients: same,
            ..plant(Fault::TiedDropped, tied, "FAIL_LOGIC", None)
        },
        plant(Fault::ExcludedCounted, excluded, "FAIL_LOGIC", Some(Law::Frame)),
        plant(Fault::ExcludedScaled, excluded, "FAIL_LOGIC", Some(Law::Frame)),
        plant(
            Fault::NormOfFirstTensor,
            global,
            "FAIL_LOGIC",
            Some(Law::TensorOrder),
        ),
        plant(
            Fault::LastTensorLeftOut,
            global,
            "FAIL_LOGIC",
            Some(Law::TensorOrder),
        ),
        plant(
            Fault::HalfTheShards,
            component,
            "FAIL_LOGIC",
            Some(Law::Permutation),
        ),
        plant(
            Fault::GlobalForComponent,
            component,
            "POLICY",
            Some(Law::Locality),
        ),
        plant(Fault::ComponentForGlobal, global, "POLICY", Some(Law::SplitMerge)),
        plant(Fault::BiasMerged, component, "POLICY", None),
        plant(
            Fault::TailNotSummed,
            component,
            "FAIL_LOGIC",
            Some(Law::ZeroPadding),
        ),
        plant(
            Fault::TailNotScaled,
            component,
            "FAIL_LOGIC",
            Some(Law::Direction),
        ),
        plant(Fault::PaddingRead, component, "FAIL_LOGIC", Some(Law::PowerOfTwo)),
        Plant {
            gradients: gradients(Format::F16, 71, 80.0),
            ..plant(Fault::SquareInStorage, global, "RANGE", None)
        },
        Plant {
            gradients: gradients(Format::F16, 71, 1e-4),
            policy: "component:1e-5@exact",
            ..plant(Fault::SquareInStorage, "", "RANGE", None)
        },
        Plant {
            gradients: gradients(Format::Bf16, 4000, 1.0),
            ..plant(Fault::SequentialStorage, component, "FAIL_ROUNDING", None)
        },
        Plant {
            gradients: gradients(Format::Bf16, 4000, 1.0),
            declared: "sequential,acc=BF16",
            ..plant(Fault::SequentialStorage, component, "VACUOUS", None)
        },
        Plant {
            gradients: gradients(Format::F32, 30_000, 1.0),
            ..plant(Fault::SequentialSingle, component, "FAIL_ROUNDING", None)
        },
        Plant {
            gradients: gradients(Format::F32, 30_000, 1.0),
            declared: "sequential",
            by: By::Pass,
            ..plant(Fault::SequentialSingle, component, "", None)
        },
        plant(
            Fault::CoefficientInBf16,
            component,
            "FAIL_LOGIC",
            Some(Law::Bound),
        ),
        plant(Fault::FastRoot, component, "FAIL_LOGIC", None),
        plant(Fault::TruncatedInput, component, "FAIL_LOGIC", Some(Law::Bound)),
        Plant {
            gradients: poisoned(),
            ..plant(Fault::NanBecomesZero, component, "FAIL_LOGIC", None)
        },
        Plant {
            gradients: poisoned(),
            ..plant(Fault::NanDropped, component, "FAIL_LOGIC", None)
        },
        Plant {
            gradients: gradients(Format::F32, 71, 1e-37),
            policy: "component:2e-37@exact",
            ..plant(Fault::Flushed, "", "FAIL_LOGIC", None)
        },
        Plant {
            gradients: gradients(Format::F32, 71, 1e-37),
            policy: "component:2e-37@exact",
            declared: "f64,ftz",
            by: By::Pass,
            ..plant(Fault::Flushed, "", "", None)
        },
        plant(Fault::NoOp, component, "POLICY", Some(Law::Bound)),
        plant(Fault::SignLost, component, "FAIL_LOGIC", Some(Law::Odd)),
        plant(
            Fault::LeakToNeighbour,
            component,
            "FAIL_LOGIC",
            Some(Law::Confinement),
        ),
        Plant {
            gradients: gradients(Format::F16, 71, 80.0),
            ..plant(Fault::ProductFirst, component, "FAIL_LOGIC", None)
        },
        plant(
            Fault::ScaledThreshold,
            component,
            "FAIL_LOGIC",
            Some(Law::IdentityBelow),
        ),
        plant(Fault::TwicePerStep, component, "FAIL_LOGIC", None),
        plant(
            Fault::OneElementOff,
            component,
            "FAIL_LOGIC",
            Some(Law::Direction),
        ),
    ]
}

/// Every plant is caught by the verdict it is listed with and, where one is listed, by that law.
#[test]
fn planted_faults() {
    let mut escaped = Vec::new();
    println!("{:<22} {:<38} {:<14} laws broken", "fault", "policy", "verdict");
    for plant in plants() {
        let mut case = Case::new(plant.policy.parse().expect(plant.policy), plant.gradients);
        case.declared = plant.declared.parse().expect(plant.declared);
        let after = naive(&case, plant.fault).expect("a result");
        let judgement = judge(&case, &Candidate::new(after)).expect("a judgement");
        let broken: Vec<Law> = laws::check_all(&case, &mut |case| naive(case, plant.fault))
            .into_iter()
            .filter_map(|(law, outcome)| matches!(outcome, Outcome::Broken(_)).then_some(law))
            .collect();
        let names: Vec<_> = broken.iter().map(|law| law.name()).collect();
        let verdict = judgement.verdict.to_string();
        println!(
            "{:<22} {:<38} {:<14} {}\n{:22} {}",
            format!("{:?}", plant.fault),
            format!("{} ({})", plant.policy, plant.declared),
            judgement.verdict.name(),
            names.join(" "),
            "",
            verdict.chars().take(150).collect::<String>()
        );
        let caught = match plant.by {
            By::Verdict(name) => judgement.verdict.name() == name,
            By::Pass => judgement.passed() && broken.is_empty(),
        };
        if !caught || plant.law.is_some_and(|law| !broken.contains(&law)) {
            escaped.push(format!(
                "{:?} under {} ({}): {verdict}; {names:?}",
                plant.fault, plant.policy, plant.declared
            ));
        }
    }
    assert!(
        escaped.is_empty(),
        "not caught as listed:\n{}",
        escaped.join("\n")
    );
}

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
        ("component:1@tf-global", "component:1@torch"),
        ("component:0.01@torch", "component:0.01@mxnet"),
        ("component:1@exact,norm=1", "component:1@exact"),
    ] {
        let before = gradients(Format::F32, 71, 1.0);
        let after = run(&Case::new(ran.parse().expect(ran), before.clone()))
            .expect("a result")
            .after;
        let mut case = Case::new(judged.parse().expect(judged), before);
        case.declared = Declared::new(cwgnc::oracle::Reduction::F64);
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

/// Every law that promises something holds for `clip` under every convention; those that promise nothing because the
/// source breaks them are shown to be broken by some case.
#[test]
fn clip_obeys_its_laws() {
    for convention in cwgnc::clip::Convention::ALL {
        for partition in ["global", "component", "row"] {
            for c in [0.02, 1.0, 3.0, 50.0] {
                let mean = if convention == cwgnc::clip::Convention::TfAverage {
                    ",norm=mean"
                } else {
                    ""
                };
                let text = format!("{partition}:{c}@{convention}{mean}");
                let mut case = Case::new(text.parse().expect(&text), gradients(Format::F32, 71, 1.0));
                case.declared = Declared::new(cwgnc::oracle::Reduction::F64);
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
            case.declared = Declared::new(cwgnc::oracle::Reduction::F64);
            let mut subject = |case: &Case| run(case).map(|c| c.after);
            matches!(
                laws::check_promise(law, promise, &case, &mut subject),
                Outcome::Broken(_)
            )
        });
        assert!(broken, "{} of {policy} holds as {promise:?}", law.name());
    }
}
