//! The pack `edge`: every convention on the inputs on which conventions differ, and every edge rule.

use super::draw::Draw;
use super::pack::{Class, List, policy_of};
use crate::clip::{Convention, Edge};
use crate::oracle::{Case, Format, Tensor, expect};

/// An input: its class, what it is about, the threshold, the type, the elements.
type Input = (Class, &'static str, f64, Format, &'static [f64]);

const INPUTS: [Input; 15] = [
    (
        Class::Degenerate,
        "an ordinary vector, clipped",
        1.0,
        Format::F32,
        &[3.0, 4.0],
    ),
    (
        Class::Degenerate,
        "an ordinary vector below the threshold",
        100.0,
        Format::F32,
        &[3.0, 4.0],
    ),
    (
        Class::Degenerate,
        "zeros of both signs",
        1.0,
        Format::F32,
        &[0.0, -0.0],
    ),
    (
        Class::Degenerate,
        "norm 0 and threshold 0",
        0.0,
        Format::F32,
        &[0.0, 0.0],
    ),
    (Class::Degenerate, "threshold 0", 0.0, Format::F32, &[3.0, -4.0]),
    (
        Class::Degenerate,
        "a threshold below 0",
        -1.0,
        Format::F32,
        &[3.0, -4.0],
    ),
    (
        Class::Degenerate,
        "no bound",
        f64::INFINITY,
        Format::F32,
        &[3.0, -4.0],
    ),
    (
        Class::NonFinite,
        "no bound, and an infinite element",
        f64::INFINITY,
        Format::F32,
        &[f64::INFINITY, 4.0],
    ),
    (Class::NonFinite, "a NaN", 1.0, Format::F32, &[f64::NAN, 4.0]),
    (
        Class::NonFinite,
        "an infinity",
        1.0,
        Format::F32,
        &[3.0, f64::NEG_INFINITY],
    ),
    (
        Class::NonFinite,
        "a NaN and an infinity",
        1.0,
        Format::F32,
        &[f64::NAN, f64::INFINITY],
    ),
    (
        Class::Magnitude,
        "squares overflow",
        1.0,
        Format::F32,
        &[1e20, -1e20],
    ),
    (
        Class::Magnitude,
        "squares vanish",
        1e-26,
        Format::F32,
        &[1e-25, -1e-25],
    ),
    (
        Class::Magnitude,
        "squares overflow in half precision",
        1.0,
        Format::F16,
        &[300.0, -300.0],
    ),
    (
        Class::Magnitude,
        "subnormal numbers",
        1e-43,
        Format::F32,
        &[1e-42, 3e-44],
    ),
];

pub(super) fn fill(list: &mut List) {
    for (class, note, threshold, format, x) in INPUTS {
        for convention in Convention::ALL {
            let average = if convention.measures_mean() {
                ",norm=mean"
            } else {
                ""
            };
            let unchecked = if threshold.is_finite() && threshold >= 0.0 {
                ""
            } else {
                ",unchecked"
            };
            let policy = format!("component:{threshold}@{convention}{average}{unchecked}");
            let Ok(policy) = policy.parse() else { continue };
            let before = vec![
                Tensor::vector("odd", format, x),
                Tensor::vector("healthy", format, &[0.375, 0.5]),
            ];
            let case = Case::new(policy, before);
            // What the source of a convention refuses has no answer.
            if expect(&case).is_ok() {
                list.push(class, note, case);
            }
        }
    }
    edges(list);
    values(list);
}

fn edges(list: &mut List) {
    let mut draw = Draw::new(list.seed, "edges");
    for edge in Edge::ALL {
        for partition in ["component", "global", "row"] {
            for (bad, at) in [(f64::NAN, 0), (f64::INFINITY, 5), (f64::NEG_INFINITY, 2)] {
                let x: Vec<f64> = (0..6).map(|_| draw.number(-2, 2)).collect();
                let mut sick = Tensor::new("sick.weight", &[2, 3], Format::F32, &x);
                sick.data.set(at, bad);
                let before = vec![
                    draw.vector("first.weight", Format::F32, 4),
                    sick,
                    draw.vector("last.bias", Format::F32, 3),
                ];
                let policy = policy_of(&format!("{partition}:0.5@exact,edge={edge}"));
                list.push(
                    Class::NonFinite,
                    "an edge rule: which elements it reaches",
                    Case::new(policy, before),
                );
            }
        }
    }
}

fn values(list: &mut List) {
    for form in ["torch", "tf", "paper"] {
        for (c, unchecked) in [
            ("0.15", ""),
            ("0", ""),
            ("-1", ",unchecked"),
            ("inf", ",unchecked"),
        ] {
            let x = [-9.0, -0.15, -0.0, 0.0, 0.1, 0.15, 9.0, f64::NAN, f64::INFINITY];
            list.add(
                Class::Degenerate,
                "clipping by value: both sides, the bounds themselves, zeros, NaN",
                &format!("value:{c}@{form}{unchecked}"),
                vec![Tensor::vector("w", Format::F32, &x)],
            );
        }
    }
}
