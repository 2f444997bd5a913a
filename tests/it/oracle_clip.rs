//! The clipper against the oracle: every convention, partition, edge rule and special value, to the bit where the oracle
//! has one number, and within the budget of a sum in f64 otherwise.

use crate::clip_support::special;
use cwgnc::clip::{
    Adaptive, ClipPolicy, ClipState, Clipped, ComponentReport, Convention, Edge, ParamGrad, Partition, Rule,
    Statistic, Threshold, ValueForm, clip_with_state,
};
use cwgnc::oracle::{Candidate, Case, Data, Declared, Format, Judgement, Reduction, Tensor, Verdict, judge};
use cwgnc::real::Real;
use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;

/// What `clip` makes of a case in f32 or f64, with the numbers that it reports; a refusal is the text of the error.
pub(crate) fn run(case: &Case) -> Result<Candidate, String> {
    step(case).map(|(candidate, _)| candidate)
}

/// The same with the memory afterwards.
pub(crate) fn step(case: &Case) -> Result<(Candidate, ClipState), String> {
    match case.before[0].data.format() {
        Format::F64 => step_in::<f64>(case),
        _ => step_in::<f32>(case),
    }
}

fn step_in<T: Real>(case: &Case) -> Result<(Candidate, ClipState), String> {
    let array = |t: &Tensor| {
        let values = t.data.values().into_iter().map(T::of).collect();
        ArrayD::from_shape_vec(IxDyn(&t.shape), values).expect("shape and values fit")
    };
    let mut grads: Vec<ArrayD<T>> = case.before.iter().map(array).collect();
    let find = |tensors: &[Tensor], name: &str| tensors.iter().find(|t| t.name == name).map(array);
    let values: Vec<_> = case.before.iter().map(|t| find(&case.values, &t.name)).collect();
    let moments: Vec<_> = case
        .before
        .iter()
        .map(|t| find(&case.second_moments, &t.name))
        .collect();
    let mut params: Vec<ParamGrad<'_, T>> = Vec::new();
    for (i, (tensor, grad)) in case.before.iter().zip(&mut grads).enumerate() {
        let mut param = ParamGrad::new(&tensor.name, grad.view_mut());
        param.value = values[i].as_ref().map(|x| x.view());
        param.second_moment = moments[i].as_ref().map(|x| x.view());
        params.push(param);
    }
    let mut state = case.state.clone().unwrap_or_default();
    let report = clip_with_state(&case.policy, &mut state, &mut params).map_err(|e| e.to_string())?;
    let after = case
        .before
        .iter()
        .zip(&grads)
        .map(|(t, grad)| t.with(grad.iter().map(|x| x.widen())));
    let scaled = !matches!(
        case.policy.rule,
        Rule::Value { .. }
            | Rule::Soft { .. }
            | Rule::Spam { .. }
            | Rule::Adaptive(Adaptive::StableSpam { .. })
    );
    let components = &report.components;
    let flag = |c: &ComponentReport| match c.clipped {
        Clipped::Ambiguous => None,
        clipped => Some((c.id.clone(), clipped == Clipped::Yes)),
    };
    let candidate = Candidate {
        after: after.collect(),
        norms: components.iter().map(|c| (c.id.clone(), c.norm_before)).collect(),
        scales: components
            .iter()
            .filter(|_| scaled)
            .map(|c| (c.id.clone(), c.scale))
            .collect(),
        clipped: components.iter().filter_map(flag).collect(),
    };
    Ok((candidate, state))
}

fn policies() -> Vec<String> {
    let mut texts = Vec::new();
    for convention in Convention::ALL {
        for partition in ["global", "component", "module", "layer", "row", "optax-unit"] {
            texts.push(format!("{partition}:C@{convention}"));
        }
    }
    for more in [
        "global:C@deepspeed/1024",
        "component:C,norm=1",
        "component:C,norm=inf",
        "global:C@exact,norm=3",
        "component:C@exact,norm=0.5",
        "component:C@div-max,norm=rms",
        "component:C@torch,norm=mean",
        "agc:C,by=optax-unit",
        "trust-ratio,max=1",
        "axes-1:C@exact",
        "axes:C@exact",
        "global:C,exclude=*.bias",
        "global:C,group=*.bias:0.01",
        "row:C,group=a.*:0.01",
        "global:C,count=*.bias",
        "global:C,follow=*.bias",
        "component:C,tie=c.layer.1.w:a.weight",
    ] {
        texts.push(more.to_owned());
    }
    texts.extend(RULES.map(str::to_owned));
    texts
}

/// Four tensors: two of a module, a matrix in a layer, a single number.
fn case(text: &str, c: f64, format: Format, x: &[f64]) -> Option<Case> {
    let policy: ClipPolicy = text.replace('C', &format!("{c}")).parse().ok()?;
    let shapes: [(&str, &[usize]); 4] = [
        ("a.weight", &[2, 3]),
        ("a.bias", &[3]),
        ("c.layer.1.w", &[2, 3]),
        ("s", &[1]),
    ];
    let mut rest = x;
    let mut tensors = Vec::new();
    for (name, shape) in shapes {
        if text.contains("axes-1") && shape.len() < 2 {
            continue;
        }
        let (own, others) = rest.split_at(shape.iter().product());
        tensors.push(Tensor::new(name, shape, format, own));
        rest = others;
    }
    let shifted = |t: &Tensor, by: f64| {
        let n = t.data.len();
        t.with((0..n).map(|i| by + 0.1 * i as f64))
    };
    let values = tensors.iter().map(|t| shifted(t, -0.2)).collect();
    let second_moments = tensors.iter().map(|t| shifted(t, 0.01)).collect();
    let mut case = Case::new(policy, tensors);
    case.values = values;
    case.second_moments = second_moments;
    case.declared = Declared::new(Reduction::F64);
    Some(case)
}

#[track_caller]
fn agrees(case: &Case) -> Option<Judgement> {
    match run(case) {
        Ok(candidate) => {
            let judgement = judge(case, &candidate).expect("a judgement");
            let first = judgement
                .mismatches
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                judgement.passed(),
                "{}: {}\n{first}\nbefore {:?}\nafter {:?}",
                case.policy,
                judgement.verdict,
                case.before,
                candidate.after
            );
            Some(judgement)
        }
        Err(refusal) => {
            let refuses = cwgnc::oracle::expect(case).map_or(true, |e| e.refuses);
            assert!(refuses, "{}: {refusal}", case.policy);
            None
        }
    }
}

const DATA: [f64; 16] = [
    0.5, -1.25, 3.0, 0.1, -0.0, 2.5, 1.0, -0.3, 0.7, 4.0, -2.0, 0.01, 0.6, -5.0, 0.25, 1.5,
];

/// Every policy, at thresholds below, between and above the norms, in both types: to the bit for every convention.
#[test]
fn every_policy_agrees() {
    let mut bitwise = 0;
    for format in [Format::F32, Format::F64] {
        for text in policies() {
            for c in [0.01, 0.7, 1.0, 3.25, 100.0] {
                let case = case(&text, c, format, &DATA).expect(&text);
                let judgement = agrees(&case).expect("a result");
                let is_convention = matches!(
                    case.policy.rule,
                    Rule::Norm { .. } | Rule::Value { .. } | Rule::Keep
                );
                let exact = matches!(case.policy.statistic, Statistic::Norm(1.0 | 2.0 | f64::INFINITY));
                if is_convention && exact && format == Format::F32 {
                    let bits = matches!(judgement.verdict, Verdict::Pass { ulp: 0, .. });
                    assert!(
                        bits,
                        "{text} at {c}: {}: {:?}",
                        judgement.verdict, judgement.mismatches
                    );
                    bitwise += 1;
                }
            }
        }
    }
    assert!(bitwise > 500);
}

/// NaN, infinities, zeros, huge and tiny numbers, every convention and edge rule, thresholds 0, negative and infinite.
#[test]
fn special_values_agree() {
    let inputs = special(DATA, [1e20, 1e38, 1e-25, 1e-40]);
    let edges = Edge::ALL.map(Edge::name);
    for convention in Convention::ALL {
        for (i, data) in inputs.iter().enumerate() {
            for c in ["1", "0", "-1", "inf", "NaN", "1e-26"] {
                for edge in edges {
                    let statistic = if convention.measures_mean() {
                        ",norm=mean"
                    } else {
                        ""
                    };
                    let text = format!("component:{c}@{convention},edge={edge}{statistic},unchecked");
                    let Some(case) = case(&text, 0.0, Format::F32, data) else {
                        panic!("{text}");
                    };
                    let _ = (i, agrees(&case));
                }
            }
        }
    }
    for rule in RULES {
        for data in &inputs {
            for c in ["1", "0", "inf"] {
                for edge in edges {
                    let text = format!("{},edge={edge},unchecked", rule.replace('C', c));
                    agrees(&case(&text, 0.0, Format::F32, data).expect(&text));
                }
            }
        }
    }
}

/// The rules that are no convention.
const RULES: [&str; 14] = [
    "none",
    "value:C",
    "value:C@tf",
    "value:C@paper",
    "soft:C",
    "soft:C@tanh",
    "soft:C@mu-law",
    "soft-norm:C",
    "normalise:C",
    "normalise:C@max",
    "agc:C",
    "trust-ratio",
    "stable-adamw:C",
    "spam:C",
];

fn number() -> impl Strategy<Value = f64> {
    let bits = any::<u32>().prop_map(|bits| f64::from(f32::from_bits(bits)));
    prop_oneof![3 => -4.0..4.0_f64, 1 => bits.prop_filter("finite", |x| x.is_finite()), 1 => Just(0.0)]
}

fn statistic() -> impl Strategy<Value = Statistic> {
    prop::sample::select(vec![Statistic::L2, Statistic::L1, Statistic::MAX, Statistic::Rms])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, ..ProptestConfig::default() })]
    /// Random gradients, random conventions, thresholds near the norm in half of the cases.
    #[test]
    fn clip_is_the_oracle(
        x in prop::collection::vec(number(), 16),
        convention in prop::sample::select(Convention::ALL.to_vec()),
        statistic in statistic(),
        partition in prop::sample::select(Partition::NAMED.to_vec()),
        near in prop::bool::ANY,
        c in 0.001..10.0_f64,
        steps in -2..=2_i64,
    ) {
        let statistic = if convention.measures_mean() { Statistic::Mean } else { statistic };
        let data = Data::round(Format::F32, x.iter().copied());
        let norm = cwgnc::oracle::norm(statistic, data.slice(0..16)).round(Format::F32).lo;
        let c = if near && norm.is_finite() && norm > 0.0 {
            Format::F32.from_ordinal(Format::F32.ordinal(norm) + steps).max(0.0)
        } else {
            c
        };
        let policy = ClipPolicy { statistic, ..ClipPolicy::norm(partition, Threshold::unchecked(c), convention) };
        let mut case = case("none", 1.0, Format::F32, &x).expect("a case");
        case.policy = policy;
        agrees(&case);
    }

    /// Value clipping needs no norm and is always exact.
    #[test]
    fn values_are_the_oracle(
        x in prop::collection::vec(number(), 16),
        c in prop_oneof![4 => -1.0..5.0_f64, 1 => Just(f64::NAN)],
        form in prop::sample::select(vec![ValueForm::Torch, ValueForm::Tf, ValueForm::Paper]),
    ) {
        let mut case = case("none", 1.0, Format::F32, &x).expect("a case");
        case.policy = ClipPolicy::of(Rule::Value { threshold: Threshold::unchecked(c), form });
        case.policy.edge = Edge::Propagate;
        agrees(&case);
    }
}
