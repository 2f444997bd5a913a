//! The pack `core`: small cases of every class, integers first.

use super::draw::{Draw, Integers, times_power_of_two};
use super::layouts;
use super::pack::{Class, List, policy_of};
use crate::oracle::{Case, Format, Tensor};

/// The names of the tensors: a weight and its bias in two numbered layers, and a head.
pub(super) const NAMES: [&str; 5] = [
    "encoder.layer.0.dense.weight",
    "encoder.layer.0.dense.bias",
    "encoder.layer.1.dense.weight",
    "encoder.layer.1.dense.bias",
    "classifier.weight",
];

pub(super) fn fill(list: &mut List) {
    exact(list);
    rules(list);
    straddles(list);
    magnitudes(list);
    stagnation(list);
    tails(list);
    non_finite(list);
    layouts::fill(list);
}

/// The largest sum of squares that a running sum in the type holds without rounding.
pub(super) fn exact_sums(format: Format) -> f64 {
    times_power_of_two(1.0, format.precision().min(24))
}

fn exact(list: &mut List) {
    let mut draw = Draw::new(list.seed, "exact");
    let conventions = [
        "exact",
        "torch",
        "optax",
        "tf-global",
        "tf-norm",
        "paddle-global",
        "div-max",
        "jax-example",
    ];
    let partitions = ["component", "global", "module", "layer"];
    for i in 0..24 {
        let format = Format::ALL[(i + 2) % 4];
        let integers = Integers::below(&mut draw, exact_sums(format) / 16.0);
        let convention = conventions[i % conventions.len()];
        // One third in which the scale is 1, 1/2 and 1/4, so that nothing is rounded anywhere without an ε.
        let before: Vec<Tensor> = NAMES[..3]
            .iter()
            .zip([0, 1, 1])
            .map(|(name, doublings)| Tensor::vector(name, format, &integers.vector(&mut draw, doublings, 6)))
            .collect();
        let partition = partitions[(i / 2) % partitions.len()];
        let threshold = integers.norm() * [1.0, 0.5, 0.25][i % 3];
        list.add(
            Class::Exact,
            "integers: every partial sum of squares is exact in any order",
            &format!("{partition}:{threshold}@{convention}"),
            before,
        );
    }
}

fn rules(list: &mut List) {
    let mut draw = Draw::new(list.seed, "rules");
    for policy in [
        "none",
        "value:0.5",
        "value:0.5@tf",
        "value:0.5@paper",
        "soft:0.5",
        "soft-norm:0.5,by=component",
        "normalise:1,by=component",
        "component:0.5,norm=1",
        "component:0.5,norm=inf",
        "component:0.5,norm=rms",
        "component:1,group=*.bias:0.25,exclude=classifier.*",
        "global:1,count=classifier.*",
        "global:1,follow=classifier.*",
        "agc:0.125",
        "trust-ratio",
        "stable-adamw:1",
        "spam:2",
    ] {
        let tensors = |draw: &mut Draw| -> Vec<Tensor> {
            let shapes: [&[usize]; 5] = [&[3, 4], &[3], &[2, 3], &[2], &[5]];
            let named = NAMES.iter().zip(shapes);
            named
                .map(|(name, shape)| {
                    let len = shape.iter().product();
                    let x: Vec<f64> = (0..len).map(|_| draw.number(-4, 1)).collect();
                    Tensor::new(name, shape, Format::F32, &x)
                })
                .collect()
        };
        let mut case = Case::new(policy_of(policy), tensors(&mut draw));
        if case.policy.rule.needs_values() {
            case.values = tensors(&mut draw);
        }
        if case.policy.rule.needs_second_moments() {
            let squares = |t: &Tensor| t.with(t.data.values().iter().map(|x| x * x));
            case.second_moments = tensors(&mut draw).iter().map(squares).collect();
        }
        list.push(Class::Rule, "one rule of its kind", case);
    }
}

fn straddles(list: &mut List) {
    let mut draw = Draw::new(list.seed, "straddle");
    for convention in ["exact", "torch", "optax", "tf-norm"] {
        for (format, step) in [
            (Format::F32, -1),
            (Format::F32, 0),
            (Format::F32, 1),
            (Format::F64, 2),
        ] {
            let integers = Integers::below(&mut draw, exact_sums(format));
            let x: Vec<f64> = integers.vector(&mut draw, 0, 5);
            // 2⁻⁴ leaves room between neighbours for half an ε of 1e-6.
            let scaled: Vec<f64> = x.iter().map(|x| x / 16.0).collect();
            let norm = integers.norm() / 16.0;
            let ulp = 2.0 * norm * format.unit_roundoff();
            let (threshold, note) = match step {
                -1 => (
                    format.round(norm - ulp),
                    "the threshold is one step below the norm",
                ),
                0 => (norm, "the threshold is the norm"),
                1 => (
                    format.round(norm + ulp),
                    "the threshold is one step above the norm",
                ),
                _ => (
                    norm + 5e-7,
                    "the norm is below the threshold by less than 1e-6: an ε in the formula shows",
                ),
            };
            list.add(
                Class::Straddle,
                note,
                &format!("component:{threshold}@{convention}"),
                vec![Tensor::vector(NAMES[0], format, &scaled)],
            );
        }
    }
}

fn magnitudes(list: &mut List) {
    let mut draw = Draw::new(list.seed, "magnitude");
    let ranges = [
        (Format::F32, 70, -70),
        (Format::Bf16, 70, -70),
        (Format::F16, 8, -12),
        (Format::F64, 600, -600),
    ];
    for (format, large, small) in ranges {
        for (exponent, note) in [
            (large, "squares overflow, the norm does not"),
            (small, "squares vanish, the norm does not"),
        ] {
            for convention in ["exact", "torch"] {
                let integers = Integers::below(&mut draw, 64.0);
                let scaled = |x: f64| times_power_of_two(x, exponent);
                let healthy = integers.vector(&mut draw, 0, 4);
                let extreme: Vec<f64> = integers.vector(&mut draw, 1, 0).into_iter().map(scaled).collect();
                let threshold = scaled(integers.norm());
                list.add(
                    Class::Magnitude,
                    note,
                    &format!("component:{threshold:e}@{convention}"),
                    vec![
                        Tensor::vector(NAMES[0], format, &extreme),
                        Tensor::vector(NAMES[1], format, &healthy),
                    ],
                );
            }
        }
    }
}

fn stagnation(list: &mut List) {
    // A running sum at `large²` no longer feels the square of 1.
    for (format, large, ones) in [
        (Format::F32, 4096.0, 3000),
        (Format::Bf16, 16.0, 200),
        (Format::F16, 46.0, 300),
    ] {
        for partition in ["component", "global"] {
            let mut x = vec![1.0; ones];
            x[0] = large;
            list.add(
                Class::Stagnation,
                "a large element first: a running sum in the type of the gradients does not feel the others",
                &format!("{partition}:1@exact"),
                vec![Tensor::vector(NAMES[0], format, &x)],
            );
        }
    }
}

fn tails(list: &mut List) {
    let mut draw = Draw::new(list.seed, "tail");
    for block in [4, 32, 64, 256] {
        for len in [block - 1, block, block + 1] {
            let mut x: Vec<f64> = (0..len).map(|_| draw.sign(1.0)).collect();
            x[len - 1] = draw.sign(64.0);
            let format = draw.choose(&[Format::F32, Format::F32, Format::Bf16, Format::F16]);
            list.add(
                Class::Tail,
                "the last element holds most of the norm: whoever drops the tail of a block shows",
                "component:2@exact",
                vec![
                    Tensor::vector(NAMES[0], format, &x),
                    Tensor::vector(NAMES[1], format, &[3.0, 4.0]),
                ],
            );
        }
    }
}

fn non_finite(list: &mut List) {
    let mut draw = Draw::new(list.seed, "non-finite");
    for (bad, at) in [
        (f64::NAN, 0),
        (f64::INFINITY, 3),
        (f64::NEG_INFINITY, 6),
        (f64::NAN, 6),
    ] {
        for policy in [
            "component:1",
            "global:1",
            "component:1@tf-norm",
            "component:1@exact,edge=zero",
            "component:1@exact,edge=skip",
        ] {
            let mut sick = draw.vector(NAMES[0], Format::F32, 7);
            sick.data.set(at, bad);
            let healthy = draw.vector(NAMES[1], Format::F32, 5);
            list.add(
                Class::NonFinite,
                "one component is not finite: what becomes of it, and of its neighbour",
                policy,
                vec![sick, healthy],
            );
        }
    }
}
