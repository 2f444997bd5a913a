//! Tensors of several types in one component: real libraries' outputs, and arithmetic by hand.

use crate::clip_judge::streamed;
use crate::scratch::fixture;
use cwgnc::cases::file::read_plain;
use cwgnc::clip::ClipPolicy;
use cwgnc::oracle::{Candidate, Case, Data, Fit, Format, Tensor, identify, judge};
use serde_json::Value;

/// The pairs of `fixtures/mixed`: case, and what the library made of it.
fn pairs() -> Vec<(String, Case, Vec<Tensor>)> {
    let index = std::fs::read_to_string(fixture("mixed/index.jsonl")).expect("the index");
    let pair = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let name = row["pair"].as_str().expect("a name").to_owned();
        let read = |role: &str| read_plain(&fixture(&format!("mixed/{name}.{role}.safetensors")));
        let policy = row["policy"]
            .as_str()
            .expect("a policy")
            .parse()
            .expect("a policy");
        let mut case = Case::new(policy, read("before").expect("gradients"));
        if case.policy.rule.needs_values() {
            case.values = read("params").expect("parameters");
        }
        let after = read("after").expect("results");
        (name, case, after)
    };
    index.lines().map(pair).collect()
}

/// Nobody's output is accused, none is called by a wrong name, and ours has the same bits, given the same norm.
#[test]
fn real_outputs() {
    let (mut equal, mut mixed) = (0, 0);
    let pairs = pairs();
    for (name, case, after) in &pairs {
        let judgement = judge(case, &Candidate::new(after.clone())).expect("a judgement");
        assert!(
            judgement.passed(),
            "{name}, {}: {}",
            case.policy,
            judgement.verdict
        );
        let found = identify(case, after).expect("an identification");
        let right = found.best().iter().any(|ranked| ranked.policy == case.policy);
        assert!(right, "{name}: {} is not {}", case.policy, found.best()[0].policy);
        let ours = streamed(case).expect("clipped");
        let same = ours.iter().zip(after).all(|(a, b)| a.same_bits(b));
        let off = judgement.components.iter().find(|component| {
            component.histogram[1..].iter().any(|&count| count > 0) && component.implied_norm.is_none()
        });
        assert!(same || off.is_none(), "{name}, {}: {off:?}", case.policy);
        equal += usize::from(same);
        let formats = |t: &Tensor| t.data.format();
        mixed += usize::from(case.before.iter().any(|t| formats(t) != formats(&case.before[0])));
    }
    // The others' sums in F32 and F64 end in other last bits.
    assert!(
        pairs.len() == 32 && mixed == 32 && equal >= 28,
        "{equal} equal, {mixed} mixed of {}",
        pairs.len()
    );
}

fn after(policy: &str, before: &[Tensor]) -> Vec<Tensor> {
    let case = Case::new(policy.parse().expect(policy), before.to_vec());
    let after = streamed(&case).expect("clipped");
    let judgement = judge(&case, &Candidate::new(after.clone())).expect("a judgement");
    assert_eq!(judgement.verdict.to_string(), "PASS (bitwise)", "{policy}");
    after
}

/// ‖(1, 1, 1)‖ = 1.7320508 is 1.734375 in BF16 (steps of 2⁻⁷), √(1.734375² + 1) = 2.0020132 in F32, and 1/(that + 1e-6) is
/// 0.49949697; in BF16 (steps of 2⁻⁹) that is 0.5.
#[test]
fn torch_keeps_the_norm_of_a_tensor_in_its_type() {
    let before = [
        Tensor::vector("a", Format::Bf16, &[1.0; 3]),
        Tensor::vector("b", Format::F32, &[1.0]),
    ];
    let after = after("global:1@torch", &before);
    assert_eq!(after[0].data.values(), [0.5; 3]);
    assert!((after[1].data.get(0) - 0.499_496_97).abs() < 3e-8);
}

/// ‖(36, 48, 80)‖ = 100 in any arithmetic, so that k = RN(RN(1/(100 + 1e-6))·0.3) in F64; an F32 tensor is multiplied by RN32(k).
#[test]
fn torch_rounds_the_factor_to_the_type_of_each_tensor() {
    let (x, y) = ([36.0_f32, 48.0], 80.0_f64);
    let before = [
        Tensor::vector("f", Format::F32, &x.map(f64::from)),
        Tensor::vector("d", Format::F64, &[y]),
    ];
    let k = 1.0 / (100.0_f64 + 1e-6) * 0.3;
    let after = after("global:0.3@torch", &before);
    assert_eq!(after[0].data, Data::F32(x.map(|x| x * k as f32).to_vec()));
    assert_eq!(after[1].data, Data::F64(vec![y * k]));
    // One rounding of x·k would give another number for 36.
    assert_ne!((f64::from(x[0]) * k) as f32, x[0] * k as f32);
}

/// optax compares in F32 and divides in F16, where 2e5 and 1e5 are infinite: 3/∞ = 0, and 0·∞ is NaN. In F16 1e-9 is 0:
/// 0/0 is NaN.
#[test]
fn optax_divides_in_the_type_of_each_tensor() {
    for policy in ["optax", "optax-jit"] {
        for (x, y, c) in [([3.0, 0.0], 2e5, 1e5), ([0.0, -0.0], 1e-9, 1e-10)] {
            let before = [
                Tensor::vector("a", Format::F16, &x),
                Tensor::vector("b", Format::F32, &[y]),
            ];
            let after = after(&format!("global:{c}@{policy}"), &before);
            assert!(after[0].data.values().iter().all(|x| x.is_nan()), "{policy} {c}");
        }
    }
}

/// 1.0546875² = 1.112366 is 1.109375 in BF16 (steps of 2⁻⁷), and three of them 3.328125 (steps of 2⁻⁶); the three exact squares
/// are 3.337097, in BF16 3.34375. With 1 from an F32 tensor beside it: √4.328125 = 2.0804146 where squares are rounded,
/// and √4.34375 = 2.0841665 in a compiled program, which leaves them.
#[test]
fn optax_squares_in_the_type_of_each_tensor() {
    let before = [
        Tensor::vector("a", Format::Bf16, &[1.054_687_5; 3]),
        Tensor::vector("b", Format::F32, &[1.0]),
    ];
    for (policy, norm) in [("optax", 2.080_414_6), ("optax-jit", 2.084_166_5)] {
        let after = after(&format!("global:1@{policy}"), &before);
        let implied = 1.0 / after[1].data.get(0);
        assert!((implied - norm).abs() < 5e-7, "{policy}: {implied}");
    }
}

/// TensorFlow adds up squares in the type of the tensor. Beside `F32`, a norm of `F16` that is one step of `F16` off, as such
/// a sum may be, gives every bit; the same step in `F32` elements' norm, 1e-3, is no sum's.
#[test]
fn a_norm_in_16_bits_beside_32() {
    let x: Vec<f64> = (0..200).map(|i| 0.01 * f64::from(i % 37 - 18)).collect();
    let tensor = |name: &str, format: Format| Tensor::vector(name, format, &x);
    let clipped = |t: &Tensor, step: f64| {
        let format = t.data.format();
        let norm = t.data.values().iter().map(|x| x * x).sum::<f64>().sqrt();
        let norm = format.round(format.round(norm) * step);
        t.with(t.data.values().into_iter().map(|x| format.round(x / norm)))
    };
    // 1 + 2⁻¹⁰ is the number after 1 in F16.
    let step = 1.0 + 2_f64.powi(-10);
    for (off, fits) in [("h", true), ("w", false)] {
        let before = vec![tensor("h", Format::F16), tensor("w", Format::F32)];
        let after: Vec<Tensor> = before
            .iter()
            .map(|t| clipped(t, if t.name == off { step } else { 1.0 }))
            .collect();
        let policy: ClipPolicy = "component:1@tf-norm".parse().expect("a policy");
        let case = Case::new(policy.clone(), before);
        let found = identify(&case, &after).expect("an identification");
        let own = found.ranked.iter().find(|ranked| ranked.policy == policy);
        let in_bits = own.is_some_and(|own| matches!(own.fit, Fit::Bits { .. }));
        assert_eq!(in_bits, fits, "{off}: {own:?}");
    }
}
