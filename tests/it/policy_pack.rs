//! Packs for one's own policy: what is in them, that they are the same everywhere, and that a right clipper passes them.

use crate::oracle_clip::run;
use cwgnc::cases::{Class, NamedCase, Pack, Template, Wanted};
use cwgnc::clip::Threshold;
use cwgnc::oracle::{Case, Format, components, expect, judge};
use std::collections::BTreeSet;

fn cases(policy: &str, wanted: &Wanted) -> Vec<NamedCase> {
    let template: Template = policy.parse().expect(policy);
    let cases = Pack::cases_for(&template, wanted).expect(policy);
    cases.collect()
}

fn wanted(formats: &[Format], count: usize) -> Wanted {
    Wanted {
        formats: formats.to_vec(),
        count,
        largest: 5000,
        ..Wanted::default()
    }
}

/// Policies of every rule, partition and kind of exception.
const POLICIES: [&str; 40] = [
    "component:*@exact",
    "component:*@torch",
    "component:*@torch-branch",
    "component:*@deepspeed",
    "global:*@deepspeed/1024",
    "component:*@mxnet",
    "component:*@burn",
    "global:*@optax",
    "global:*@optax-jit",
    "component:*@optax-rms,norm=rms",
    "component:*@optax-rms-jit,norm=rms",
    "component:*@optax-example",
    "component:*@jax-example",
    "component:*@jax-privacy",
    "global:*@tf-global",
    "global:*@keras-global",
    "component:*@tf-norm",
    "component:*@tf-average",
    "component:*@tf-average-graph",
    "component:*@tf-privacy",
    "global:*@paddle-global",
    "component:*@paddle-norm",
    "global:*@mindspore",
    "component:*@div-max",
    "module:*@exact,norm=inf",
    "layer:*@torch,norm=1",
    "row:*@exact",
    "optax-unit:*@optax",
    "axes-1:*@exact",
    "value:*",
    "soft-norm:*,by=component",
    "normalise:*,by=component",
    "agc:*",
    "trust-ratio",
    "stable-adamw:*",
    "autoclip:10",
    "zclip:2.5",
    "global:*@exact,tie=head.weight:embeddings.weight,follow=*.bias",
    "component:0.05@torch,exclude=*.bias,group=classifier.*:1",
    "component:*@exact,edge=zero,count=*LayerNorm*",
];

/// The clipper of this crate passes what the pack of its policy asks, whatever the policy.
#[test]
fn our_own_clipper_passes() {
    let mut findings = Vec::new();
    for policy in POLICIES {
        for format in [Format::F32, Format::F64] {
            for named in cases(policy, &wanted(&[format], 60)) {
                let said = match run(&named.case) {
                    Err(why) => why,
                    Ok(mut candidate) => {
                        // Whether nothing at all was clipped is not worth a dispute.
                        let full = nonempty(&named.case);
                        candidate.clipped.retain(|(id, _)| full.contains(id));
                        match judge(&named.case, &candidate) {
                            Ok(judgement) if judgement.passed() => continue,
                            Ok(judgement) => {
                                format!("{} {:?}", judgement.verdict, judgement.mismatches.first())
                            }
                            Err(why) => why.to_string(),
                        }
                    }
                };
                findings.push(format!(
                    "{} under `{}` ({policy}): {said}",
                    named.name, named.case.policy
                ));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// The components that have elements.
fn nonempty(case: &Case) -> BTreeSet<String> {
    let found = components(&case.policy, &case.before).expect("components");
    let full = found
        .into_iter()
        .filter(|component| component.members.iter().any(|m| !m.is_empty()));
    full.map(|component| component.id).collect()
}

/// Every policy gets as many cases as wanted, and almost every case of a policy with a threshold has work to do.
#[test]
fn packs_are_full() {
    for policy in POLICIES {
        let wanted = wanted(&Format::ALL, 92);
        let cases = cases(policy, &wanted);
        assert_eq!(cases.len(), 92, "{policy}");
        let mut clipped = 0;
        for named in &cases {
            assert_eq!(named.pack, policy.parse::<Template>().expect(policy).to_string());
            let expectation = expect(&named.case).unwrap_or_else(|why| panic!("{policy}: {why}"));
            let changed = expectation
                .tensors(&named.case, false)
                .iter()
                .zip(&named.case.before)
                .any(|((lo, hi), before)| !lo.same_bits(before) || !hi.same_bits(before));
            clipped += usize::from(changed);
        }
        assert!(
            clipped * 2 > cases.len(),
            "{policy}: {clipped} of {} change anything",
            cases.len()
        );
    }
}

/// A case does not depend on how many are wanted, and everything on the seed.
#[test]
fn a_smaller_pack_is_the_beginning_of_a_larger() {
    let with = |count, seed| {
        let wanted = Wanted {
            seed,
            ..wanted(&[Format::F32, Format::Bf16], count)
        };
        let cases = cases("component:*@torch", &wanted);
        cases.iter().map(digest).collect::<Vec<_>>()
    };
    let (small, large) = (with(40, 3), with(90, 3));
    assert_eq!(small[..], large[..40]);
    assert_eq!(large, with(90, 3));
    let other = with(90, 4);
    let equal = large.iter().zip(&other).filter(|(a, b)| a == b).count();
    // Nothing but zeros, or nothing at all, is the same for every seed.
    assert!(equal < 6, "{equal}");
}

/// Name, policy and bits of a case, hashed: FNV-1a of 64 bits.
fn digest(named: &NamedCase) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(named.name.as_bytes());
    add(named.case.policy.to_string().as_bytes());
    for tensor in named
        .case
        .before
        .iter()
        .chain(&named.case.values)
        .chain(&named.case.second_moments)
    {
        add(tensor.name.as_bytes());
        add(&tensor
            .shape
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect::<Vec<_>>());
        add(&tensor.data.to_le_bytes());
    }
    hash
}

/// The bits of two packs, so that they are the same on every machine and do not change in silence.
#[test]
fn golden_digests() {
    let of = |policy: &str, formats: &[Format]| {
        let cases = cases(policy, &wanted(formats, 120));
        cases
            .iter()
            .fold(0_u64, |all, named| all.rotate_left(7) ^ digest(named))
    };
    let found = [
        of("component:*@torch", &[Format::F32, Format::Bf16]),
        of("agc:0.01", &[Format::F64, Format::F16]),
    ];
    assert_eq!(found, [0xdbde_4c4b_5add_0e6e, 0x03b2_100b_b01e_9d7a]);
}

/// Every class that fits is there, with what it is about; what is left out is not.
#[test]
fn classes() {
    let of = |policy: &str, formats: &[Format], without: &[Class]| -> BTreeSet<String> {
        let wanted = Wanted {
            without: without.to_vec(),
            ..wanted(formats, 60)
        };
        cases(policy, &wanted)
            .into_iter()
            .map(|named| named.class)
            .collect()
    };
    let set = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|&name| name.to_owned()).collect() };
    let usual = [
        "degenerate",
        "empty",
        "exact",
        "layout",
        "magnitude",
        "many",
        "non-finite",
        "stagnation",
        "straddle",
        "tail",
        "wide",
    ];
    assert_eq!(of("component:*", &[Format::F32], &[]), set(&usual));
    assert_eq!(
        of("component:*", &[Format::F32, Format::F16], &[]),
        &set(&usual) | &set(&["mixed"])
    );
    assert_eq!(
        of("zclip:2.5", &[Format::F32], &[]),
        &(&set(&usual) | &set(&["history"])) - &set(&["straddle"])
    );
    let without = [Class::NonFinite, Class::Magnitude, Class::Mixed, Class::Empty];
    let rest = of("component:*", &[Format::F32, Format::F16], &without);
    assert_eq!(rest, &set(&usual) - &set(&["non-finite", "magnitude", "empty"]));
    let all = cases("component:*", &wanted(&[Format::F32], 200));
    let count = |class: &str| all.iter().filter(|named| named.class == class).count();
    assert!(count("many") >= 15 && count("tail") >= 30 && count("empty") >= 8);
    let longest = |class: &str| {
        let of = all.iter().filter(|named| named.class == class);
        of.flat_map(|named| named.case.before.iter().map(|t| t.data.len()))
            .max()
    };
    assert!(longest("tail") >= Some(4000), "{:?}", longest("tail"));
    let most = all.iter().map(|named| named.case.before.len()).max();
    assert!(most > Some(128), "{most:?}");
    let has = |test: &dyn Fn(&Case) -> bool| all.iter().any(|named| test(&named.case));
    assert!(has(&|case| case.before.iter().any(|t| t.shape.is_empty())));
    assert!(has(&|case| case.before.iter().all(|t| t.data.is_empty())));
    assert!(has(&|case| case
        .policy
        .rule
        .threshold()
        .is_some_and(|c| c.get() == 0.0)));
}

/// Outside their classes nothing is infinite, empty or of another type, and no square overflows or vanishes: who cannot
/// do these leaves out the class, and passes.
#[test]
fn what_is_left_out_is_out() {
    let out = [Class::NonFinite, Class::Magnitude, Class::Empty, Class::Mixed];
    for format in Format::ALL {
        let formats = [
            format,
            if format == Format::F64 {
                Format::F32
            } else {
                Format::F64
            },
        ];
        let wanted = Wanted {
            without: out.to_vec(),
            largest: 70_000,
            ..wanted(&formats, 400)
        };
        for named in cases("component:*@torch", &wanted) {
            let types: BTreeSet<&str> = named.case.before.iter().map(|t| t.data.format().name()).collect();
            assert_eq!(types.len(), 1, "{}", named.name);
            for tensor in &named.case.before {
                assert!(!tensor.data.is_empty(), "{}", named.name);
                // An accumulator in F32, or F64 for F64, and a norm in the type itself.
                let (least, most) = match tensor.data.format() {
                    Format::F64 => (1e-300, 1e300),
                    _ => (1e-37, 1e38),
                };
                let squares = tensor.data.values().into_iter().map(|x| x * x);
                let sum: f64 = squares.sum();
                assert!(
                    sum == 0.0 || (least..most).contains(&sum),
                    "{}: {sum}",
                    named.name
                );
                assert!(sum.sqrt() <= tensor.data.format().max(), "{}: {sum}", named.name);
            }
        }
    }
}

/// A given threshold stays, and gradients lie around it.
#[test]
fn gradients_fit_a_given_threshold() {
    for (policy, c) in [
        ("component:0.05@torch", 0.05),
        ("global:30@optax", 30.0),
        ("value:0.001", 0.001),
    ] {
        let (mut above, mut below, mut near) = (0, 0, 0);
        for named in cases(policy, &wanted(&[Format::F32], 120)) {
            assert_eq!(named.case.policy.rule.threshold().map(Threshold::get), Some(c));
            let expectation = expect(&named.case).expect("an expectation");
            let norms = expectation
                .components
                .iter()
                .map(|e| e.norm.interval.hi)
                .filter(|n| n.is_finite());
            let largest = norms.fold(0.0, f64::max);
            above += usize::from(largest > c);
            below += usize::from(largest <= c);
            near += usize::from((largest / c - 1.0).abs() < 0.002);
        }
        assert!(above > 50 && below > 10, "{policy}: {above} {below}");
        assert!(near >= 4 || policy.starts_with("value"), "{policy}: {near}");
    }
}

/// Long tensors come when they are asked for; the pack itself holds none of them.
#[test]
fn large_cases_are_made_one_by_one() {
    let keep = [Class::Tail];
    let wanted = Wanted {
        largest: 1 << 20,
        count: 10_000_000,
        without: Class::ALL
            .into_iter()
            .filter(|class| !keep.contains(class))
            .collect(),
        ..Wanted::default()
    };
    let template: Template = "component:*@torch".parse().expect("a template");
    let cases = Pack::cases_for(&template, &wanted).expect("cases");
    let lengths = cases
        .take(12)
        .map(|named| named.case.before.iter().map(|t| t.data.len()).max());
    assert!(lengths.max().flatten() > Some(100_000));
}

#[test]
fn what_cannot_be_had() {
    let error = |policy: &str, wanted: Wanted| {
        let template: Template = policy.parse().expect(policy);
        Pack::cases_for(&template, &wanted).expect_err(policy).to_string()
    };
    let none = |formats: &[Format], count| wanted(formats, count);
    assert_eq!(
        error("component:*", none(&[], 5)),
        "no element type is asked for, expected at least one"
    );
    assert_eq!(
        error("component:*", none(&[Format::F32], 0)),
        "no case is asked for, expected at least one"
    );
    let all = Wanted {
        without: Class::ALL.to_vec(),
        ..Wanted::default()
    };
    assert_eq!(error("none", all), "no class is asked for, expected at least one");
    // MindSpore refuses a threshold of 0.
    let refused = error("global:0@mindspore", Wanted::default());
    assert!(
        refused.starts_with("no case of this policy can be judged: "),
        "{refused}"
    );
}
