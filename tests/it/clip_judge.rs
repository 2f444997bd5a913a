//! Our clipping against our judge: any policy, exceptions, names, types, shapes and values. They are two implementations,
//! so that each is the other's test; where the arithmetic is declared, what comes out is held to the bit.
//!
//! `CWGNC_CASES=1000000 cargo test --release --test it clip_judge` tries as many cases.

use crate::clip_stream::Bytes;
use cwgnc::cases::shrink;
use cwgnc::clip::{ClipPolicy, ClipState, Convention, Element, ParamGrad, Rule, Statistic, clip_with_state};
use cwgnc::oracle::laws::{self, Outcome};
use cwgnc::oracle::{Candidate, Case, Data, Declared, Format, Judgement, Reduction, Tensor, expect, judge};
use cwgnc::real::Real;
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;

/// Numbers that depend on a seed alone (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

const NAMES: [&str; 30] = [
    "encoder.layer.0.q.weight",
    "encoder.layer.0.q.bias",
    "encoder.layer.10.q.weight",
    "encoder.layer.1.norm.weight",
    "encoder.norm.weight",
    "scales.0",
    "scales.1",
    "0",
    "1.2",
    "007",
    "a/b/kernel",
    "a/b/bias",
    "a/0/kernel",
    "layers_3/kernel",
    "['a']['b']['w']",
    "['a']['b']['v']",
    "['a'][0]['w']",
    "['a']['1']",
    "params['x.y/z'][2].w",
    "größe.0.β",
    "größe.1.β",
    "重み/層/3/核",
    "w",
    ".w",
    "a..b",
    "a.b.",
    "w[0]",
    "x[",
    "global",
    "module_.x y.bias",
];

const CONVENTIONS: [&str; 29] = [
    "exact",
    "torch",
    "torch",
    "torch-branch",
    "deepspeed",
    "deepspeed/1024",
    "mxnet",
    "torch,eps=0.001",
    "torch-branch,eps=0",
    "deepspeed/8,eps=0.25",
    "mxnet,eps=0.5",
    "burn",
    "optax",
    "optax-jit",
    "optax-rms",
    "optax-rms-jit",
    "optax-example",
    "jax-example",
    "jax-privacy",
    "tf-global",
    "keras-global",
    "tf-norm",
    "tf-average",
    "tf-average-graph",
    "tf-privacy",
    "paddle-global",
    "paddle-norm",
    "mindspore",
    "div-max",
];

const RULES: [&str; 20] = [
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
    "agc:C,by=optax-unit",
    "trust-ratio",
    "stable-adamw:C",
    "spam:C",
    "autoclip:50",
    "percentile:5",
    "zclip:2,alpha=0.5,warmup=2,max=1",
    "adagc:1.05",
    "stable-spam:0.999",
];

const PARTITIONS: [&str; 10] = [
    "global",
    "global",
    "layer",
    "module",
    "component",
    "component",
    "row",
    "optax-unit",
    "axes-0",
    "axes",
];

/// A magnitude anywhere in a type, or near 1.
fn magnitude(draw: &mut Draw, format: Format) -> f64 {
    let (least, most) = (format.min_subnormal().log2(), format.max().log2());
    let exponent = if draw.one_in(4) {
        least + (most - least) * draw.unit()
    } else {
        8.0 * draw.unit() - 4.0
    };
    exponent.exp2()
}

fn tensor(draw: &mut Draw, name: &str, format: Format) -> Tensor {
    let rank = draw.below(6);
    let shape: Vec<usize> = (0..rank)
        .map(|_| {
            if draw.one_in(25) {
                0
            } else {
                1 + draw.below(if rank > 3 { 2 } else { 4 })
            }
        })
        .collect();
    let count = shape.iter().product();
    let scale = magnitude(draw, format);
    let class = draw.below(6);
    let special = draw.one_in(12);
    let value = |draw: &mut Draw| {
        let sign = if draw.one_in(2) { -1.0 } else { 1.0 };
        if special && draw.one_in(3) {
            return *draw.of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]);
        }
        sign * match class {
            0 => draw.below(9) as f64,
            1 => scale,
            2 => magnitude(draw, format),
            3 if draw.one_in(3) => 0.0,
            _ => scale * (draw.unit() + draw.unit()),
        }
    };
    let values: Vec<f64> = (0..count).map(|_| value(draw)).collect();
    Tensor::new(name, &shape, format, &values)
}

fn tensors(draw: &mut Draw) -> Vec<Tensor> {
    let uniform = draw.one_in(2).then(|| *draw.of(&Format::ALL));
    let count = 1 + draw.below(6);
    let mut list: Vec<Tensor> = Vec::new();
    while list.len() < count {
        let name = *draw.of(&NAMES);
        if list.iter().all(|t| t.name != name) {
            let format = uniform.unwrap_or_else(|| *draw.of(&Format::ALL));
            list.push(tensor(draw, name, format));
        }
    }
    list
}

/// An exception that fits one of the tensors; names that a policy's text cannot hold have none.
fn exception(draw: &mut Draw, tensors: &[Tensor]) -> Option<String> {
    let name = &draw.of(tensors).name;
    let pattern = match draw.below(3) {
        0 => name.clone(),
        1 => format!("{}*", name.chars().take(2).collect::<String>()),
        _ => format!("*{}", name.chars().last().map(String::from).unwrap_or_default()),
    };
    Some(match draw.below(5) {
        0 => format!("exclude={pattern}"),
        1 => format!("count={pattern}"),
        2 => format!("follow={pattern}"),
        3 => format!("group={pattern}:{}", [0.01, 0.5, 100.0][draw.below(3)]),
        _ => {
            let like = |a: &&Tensor| {
                a.name != *name && tensors.iter().any(|b| b.name == *name && b.shape == a.shape)
            };
            let original = tensors.iter().find(like)?;
            format!("tie={name}:{}", original.name)
        }
    })
}

fn threshold(draw: &mut Draw, tensors: &[Tensor]) -> f64 {
    match draw.below(20) {
        0 => 0.0,
        1 => f64::INFINITY,
        2 => f64::NAN,
        3 => -0.5,
        4..=6 => magnitude(draw, Format::F32),
        // At a norm, or beside it.
        7..=9 => {
            let t = draw.of(tensors);
            let norm = cwgnc::oracle::norm(Statistic::L2, t.data.slice(0..t.data.len()));
            let format = *draw.of(&[t.data.format(), Format::F32, Format::F64]);
            let n = norm.round(format).hi;
            if n.is_finite() {
                format.from_ordinal(format.ordinal(n) + [-1, 0, 1][draw.below(3)])
            } else {
                1.0
            }
        }
        _ => (6.0 * draw.unit() - 5.0).exp2(),
    }
}

fn policy(draw: &mut Draw, tensors: &[Tensor]) -> ClipPolicy {
    let c = threshold(draw, tensors);
    let mut text = if draw.one_in(4) {
        draw.of(&RULES)
            .replace('C', &c.abs().clamp(1e-3, 1e3).to_string())
    } else {
        let (partition, convention) = (draw.of(&PARTITIONS), draw.of(&CONVENTIONS));
        let means = convention.starts_with("tf-average");
        let norm = *draw.of(&["", "", "", "", ",norm=1", ",norm=inf", ",norm=rms", ",norm=3"]);
        format!("{partition}:{c}@{convention}{}", if means { "" } else { norm })
    };
    if draw.one_in(3) {
        text += *draw.of(&[
            ",edge=error",
            ",edge=zero",
            ",edge=skip",
            ",edge=zero-all",
            ",edge=skip-all",
        ]);
    }
    let parse = |text: &str| format!("{text},unchecked").parse::<ClipPolicy>();
    for _ in 0..draw.below(3) {
        let more = exception(draw, tensors).map(|exception| format!("{text},{exception}"));
        // Not every rule takes every exception.
        if let Some(more) = more.filter(|more| parse(more).is_ok()) {
            text = more;
        }
    }
    parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn any_case(seed: u64) -> Case {
    let mut draw = Draw(seed.wrapping_mul(0xd134_2543_de82_ef95));
    let before = tensors(&mut draw);
    let mut case = Case::new(policy(&mut draw, &before), before);
    let beside = |draw: &mut Draw, t: &Tensor, sign: bool| {
        let x: Vec<f64> = (0..t.data.len())
            .map(|_| 4.0 * draw.unit() - if sign { 2.0 } else { 0.0 })
            .collect();
        t.with(x)
    };
    if case.policy.rule.needs_values() {
        case.values = case.before.iter().map(|t| beside(&mut draw, t, true)).collect();
    }
    if case.policy.rule.needs_second_moments() {
        case.second_moments = case.before.iter().map(|t| beside(&mut draw, t, false)).collect();
    }
    case.declared = Declared::new(Reduction::F64);
    case
}

fn element(format: Format) -> Element {
    Element::ALL[Format::ALL
        .iter()
        .position(|&f| f == format)
        .expect("one of four")]
}

/// What the stream makes of a case, or why it refuses.
pub(crate) fn streamed(case: &Case) -> Result<Vec<Tensor>, String> {
    let find = |tensors: &[Tensor], name: &str| {
        tensors
            .iter()
            .find(|t| t.name == name)
            .map(|t| t.data.to_le_bytes())
    };
    let mut bytes = Bytes::default();
    for t in &case.before {
        let all = [
            Some(t.data.to_le_bytes()),
            find(&case.values, &t.name),
            find(&case.second_moments, &t.name),
        ];
        let zeros = || vec![0; t.data.to_le_bytes().len()];
        bytes.push(
            &t.name,
            &t.shape,
            element(t.data.format()),
            all.map(|b| b.unwrap_or_else(zeros)),
        );
    }
    let _ = bytes.clip(&case.policy, &mut ClipState::default())?;
    let after = case.before.iter().zip(&bytes.out).map(|(t, out)| Tensor {
        data: Data::from_le_bytes(t.data.format(), out),
        ..t.clone()
    });
    Ok(after.collect())
}

/// What clipping in memory makes of it; none where the tensors are not all of this type.
fn in_memory<T: Real>(case: &Case, format: Format) -> Option<Result<Vec<Tensor>, String>> {
    case.before
        .iter()
        .all(|t| t.data.format() == format)
        .then_some(())?;
    let array = |t: &Tensor| {
        let x = t.data.values().into_iter().map(T::of).collect();
        ArrayD::<T>::from_shape_vec(IxDyn(&t.shape), x).expect("a tensor's shape")
    };
    let beside = |list: &[Tensor]| -> Vec<ArrayD<T>> { list.iter().map(array).collect() };
    let (mut grads, values, moments) = (
        beside(&case.before),
        beside(&case.values),
        beside(&case.second_moments),
    );
    let mut params: Vec<ParamGrad<'_, T>> = Vec::new();
    for (i, (grad, t)) in grads.iter_mut().zip(&case.before).enumerate() {
        let mut param = ParamGrad::new(&t.name, grad.view_mut());
        param.value = values.get(i).map(|v| v.view());
        param.second_moment = moments.get(i).map(|v| v.view());
        params.push(param);
    }
    let report = clip_with_state(&case.policy, &mut ClipState::default(), &mut params);
    drop(params);
    Some(match report {
        Err(error) => Err(error.to_string()),
        Ok(_) => Ok(grads
            .iter()
            .zip(&case.before)
            .map(|(g, t)| t.with(g.iter().map(|x| x.widen())))
            .collect()),
    })
}

/// Why the judge disagrees; none if it does not.
fn disagreement(case: &Case) -> Option<String> {
    // A root mean square is made of a norm, which is beyond F64 where its elements nearly are.
    let huge = |t: &Tensor| t.data.values().iter().any(|x| x.is_finite() && x.abs() > 1e306);
    if case.policy.statistic == Statistic::Rms && case.before.iter().any(huge) {
        return None;
    }
    let answer = streamed(case);
    let memory = in_memory::<f32>(case, Format::F32).or_else(|| in_memory::<f64>(case, Format::F64));
    match (&answer, &memory) {
        (_, None) | (Err(_), Some(Err(_))) => {}
        (Ok(a), Some(Ok(b))) if a.iter().zip(b).all(|(a, b)| a.same_bits(b)) => {}
        _ => return Some(format!("the stream and memory differ: {answer:?}, {memory:?}")),
    }
    let after = match answer {
        Ok(after) => after,
        Err(refusal) => {
            return match expect(case) {
                Ok(expectation) if !expectation.refuses => {
                    Some(format!("the judge does not refuse: {refusal}"))
                }
                _ => None,
            };
        }
    };
    let judgement = match judge(case, &Candidate::new(after)) {
        Ok(judgement) => judgement,
        Err(error) => return Some(format!("the judge refuses: {error}")),
    };
    if !judgement.passed() {
        return Some(format!(
            "{}; {:?}",
            judgement.verdict,
            judgement.mismatches.first()
        ));
    }
    not_to_the_bit(case, &judgement)
}

/// A component whose bits are not those of the formula for the norm that clipping in `f64` has.
fn not_to_the_bit(case: &Case, judgement: &Judgement) -> Option<String> {
    // The other rules compute in `f64` what they round in the end, some with functions that differ in the last place.
    let Rule::Norm {
        convention,
        threshold,
        ..
    } = case.policy.rule
    else {
        return None;
    };
    // A mean is the judge's norm, and the source's is a norm divided by a number of elements in another place.
    if convention.measures_mean() {
        return None;
    }
    // A norm that is kept in F64 is that of our sum, not the exact one, and a sum of magnitudes may lie half way between
    // two numbers but for what an f64 loses; the formula after it is to the bit.
    let wide = case.before.iter().any(|t| t.data.format() == Format::F64) || convention == Convention::Exact;
    let halfway = matches!(case.policy.statistic, Statistic::Norm(p) if p == 1.0 || p == 3.0);
    // Where a convention compares first, an element at the threshold may grow by a rounding.
    let at_threshold = |n: f64, c: f64| (n - c).abs() <= 4.0 * f64::EPSILON * c;
    let off = judgement.components.iter().find(|component| {
        let differs = component.histogram[1..].iter().any(|&count| count > 0);
        let edge = at_threshold(component.norm.interval.lo, threshold.get());
        differs && !((wide || halfway) && (component.implied_norm.is_some() || edge))
    })?;
    Some(format!("{}: not to the bit, {:?}", off.id, off.histogram))
}

/// A law that the judge's table promises and our clipping breaks.
fn broken_law(case: &Case) -> Option<String> {
    // The laws cut tensors without what lies beside them.
    if case.policy.rule.needs_values() || case.policy.rule.needs_second_moments() {
        return None;
    }
    let broken = laws::check_all(case, &mut |case| streamed(case)).into_iter();
    let broken = broken.filter(|(_, outcome)| matches!(outcome, Outcome::Broken(_)));
    broken
        .map(|(law, outcome)| format!("{}: {outcome:?}", law.name()))
        .next()
}

/// Tries cases, and shows the first ones that are wrong, made small.
fn hold(cases: u64, wrong: impl Fn(&Case) -> Option<String> + Sync) {
    let failures: Vec<u64> = (0..cases)
        .into_par_iter()
        .filter(|&seed| wrong(&any_case(seed)).is_some())
        .collect();
    let explained: Vec<String> = failures
        .iter()
        .take(5)
        .map(|&seed| {
            let small = shrink(&any_case(seed), 300, |case| wrong(case).is_some());
            let why = wrong(&small).unwrap_or_default();
            format!("seed {seed}: {}\n  {why}\n  {:?}", small.policy, small.before)
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {cases} cases, {failures:?}\n{}",
        failures.len(),
        explained.join("\n")
    );
}

/// So many as `CWGNC_CASES` says.
fn count(usual: u64) -> u64 {
    let asked = std::env::var("CWGNC_CASES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn any_gradients_under_any_policy() {
    hold(count(2000), disagreement);
}

#[test]
fn laws_accuse_no_right_clipper() {
    hold(count(2000), broken_law);
}

#[test]
fn every_convention_is_drawn() {
    for convention in Convention::ALL {
        let drawn = |text: &&str| text.split([',', '/']).next() == Some(convention.name());
        assert!(CONVENTIONS.iter().any(drawn), "{convention}");
    }
}
