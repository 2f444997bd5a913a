//! A stream against the same call in memory: gradients to the bit, and the whole report.

use super::{Bytes, POLICIES, STATEFUL};
use crate::clip_support::{any_bits, moderate, policy};
use cwgnc::clip::{ClipState, Element, ParamGrad, clip_with_state};
use cwgnc::real::Real;
use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;

const SHAPES: [(&str, &[usize]); 9] = [
    ("a.weight", &[2, 3]),
    ("a.bias", &[3]),
    ("c.layer.1.w", &[4, 2, 3]),
    ("c.layer.1.bias", &[1]),
    ("k", &[2, 1, 2, 3]),
    ("s", &[]),
    ("none", &[0, 3]),
    ("empty", &[3, 0]),
    ("row", &[1, 5]),
];

fn bytes<T: Real>(x: &[T]) -> Vec<u8> {
    let f32s = || x.iter().flat_map(|x| (x.widen() as f32).to_le_bytes());
    match T::NAME {
        "float32" => f32s().collect(),
        _ => x.iter().flat_map(|x| x.widen().to_le_bytes()).collect(),
    }
}

fn element<T: Real>() -> Element {
    if T::NAME == "float32" {
        Element::F32
    } else {
        Element::F64
    }
}

/// A value and a second moment for each element of a gradient.
fn beside<T: Real>(n: usize) -> [Vec<T>; 2] {
    [-0.2, 0.01].map(|first| (0..n).map(|i| T::of(first + 0.1 * (i % 7) as f64)).collect())
}

/// Clips tensors both ways, several steps of a stateful policy, and compares.
#[track_caller]
fn same<T: Real>(text: &str, tensors: &[(&str, &[usize], Vec<T>)], steps: usize) {
    let policy = policy(text);
    let (mut state, mut streamed_state) = (ClipState::default(), ClipState::default());
    for step in 0..steps {
        let scale = T::of([1.0, 2.5, 0.5, 100.0][step % 4]);
        let scaled = |x: &[T]| x.iter().map(|x| *x * scale).collect::<Vec<T>>();
        let mut stream = Bytes::default();
        let mut arrays = Vec::new();
        for (name, shape, x) in tensors {
            let x = if step == 0 { x.clone() } else { scaled(x) };
            let [value, moment] = beside::<T>(x.len());
            let all = [&x, &value, &moment].map(|x| bytes(x));
            stream.push(name, shape, element::<T>(), all);
            let array = |x| ArrayD::from_shape_vec(IxDyn(shape), x).expect("shape and values fit");
            arrays.push([x, value, moment].map(array));
        }
        let mut grads = Vec::new();
        for ((name, _, _), [grad, value, moment]) in tensors.iter().zip(&mut arrays) {
            let mut param = ParamGrad::new(name, grad.view_mut());
            param.value = Some(value.view());
            param.second_moment = Some(moment.view());
            grads.push(param);
        }
        let expected = clip_with_state(&policy, &mut state, &mut grads).map_err(|e| e.to_string());
        drop(grads);
        let got = stream.clip(&policy, &mut streamed_state);
        assert_eq!(format!("{got:?}"), format!("{expected:?}"), "{text}");
        assert_eq!(format!("{streamed_state:?}"), format!("{state:?}"), "{text}");
        for ((name, _, _), (out, [grad, ..])) in tensors.iter().zip(stream.out.iter().zip(&arrays)) {
            let expected = bytes(&grad.iter().copied().collect::<Vec<T>>());
            let width = size_of::<T>();
            let first = out
                .chunks(width)
                .zip(expected.chunks(width))
                .position(|(a, b)| a != b && !both_nan(a, b));
            assert_eq!(first, None, "{text}: `{name}`");
            assert_eq!(out.len(), expected.len(), "{text}: `{name}`");
        }
    }
}

fn both_nan(a: &[u8], b: &[u8]) -> bool {
    let is_nan = |x: &[u8]| match x.len() {
        4 => f32::from_le_bytes(x.try_into().expect("4 bytes")).is_nan(),
        _ => f64::from_le_bytes(x.try_into().expect("8 bytes")).is_nan(),
    };
    is_nan(a) && is_nan(b)
}

fn elements() -> usize {
    SHAPES
        .iter()
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}

fn tensors<T: Real>(x: &[T]) -> Vec<(&'static str, &'static [usize], Vec<T>)> {
    let mut rest = x;
    let each = SHAPES.iter().map(|&(name, shape)| {
        let (own, others) = rest.split_at(shape.iter().product());
        rest = others;
        (name, shape, own.to_vec())
    });
    each.collect()
}

proptest! {
    #[test]
    fn any_bits_f32(x in prop::collection::vec(any_bits(), elements()), at in 0..POLICIES.len(), c in 0.001_f64..10.0) {
        same(&POLICIES[at].replace('C', &c.to_string()), &tensors(&x), 1);
    }

    #[test]
    fn moderate_f32(x in prop::collection::vec(moderate(), elements()), at in 0..POLICIES.len(), c in 0.001_f64..10.0) {
        same(&POLICIES[at].replace('C', &c.to_string()), &tensors(&x), 1);
    }

    /// Magnitudes whose squares leave the range of an f64.
    #[test]
    fn any_magnitude_f64(
        x in prop::collection::vec(-4.0_f64..4.0, elements()),
        exponent in -1070_i32..1020,
        at in 0..POLICIES.len(),
    ) {
        let unit = 2.0_f64.powi(exponent / 2) * 2.0_f64.powi(exponent - exponent / 2);
        let x: Vec<f64> = x.iter().map(|x| x * unit).collect();
        same(&POLICIES[at].replace('C', &(unit * 1.5).to_string()), &tensors(&x), 1);
    }

    #[test]
    fn steps_of_a_memory(x in prop::collection::vec(moderate(), elements()), at in 0..STATEFUL.len()) {
        same(STATEFUL[at], &tensors(&x), 5);
        for more in [",by=row", ",by=optax-unit"] {
            same(&format!("{}{more}", STATEFUL[at]), &tensors(&x), 3);
        }
        let wide: Vec<f64> = x.iter().map(|x| x.widen()).collect();
        same(STATEFUL[at], &tensors(&wide), 5);
    }
}

/// Units over many blocks, chunks and readings of a tensor: rows of 400 000, columns of 17 000 in groups of 256.
#[test]
fn large_tensors() {
    let wave = |n: usize| (0..n).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
    let rows = [
        ("w", &[5, 400_000][..], wave(2_000_000)),
        ("b", &[70_000], wave(70_000)),
    ];
    for text in ["global:1", "row:1@exact,norm=3", "value:0.5", "axes-0-1:1@optax"] {
        same(text, &rows, 1);
    }
    let columns = [("w", &[17_000, 300][..], wave(5_100_000))];
    for text in ["optax-unit:1", "optax-unit:1@exact,norm=1"] {
        same(text, &columns, 1);
    }
    let middle = [("w", &[3, 20_000, 2][..], wave(120_000))];
    for text in [
        "axes-1:1",
        "axes-0:1",
        "axes-0-2:1",
        "axes-2-0:1",
        "spam:1,by=axes-1",
    ] {
        same(text, &middle, 1);
    }
}

/// Units along axes of any order: the axes that are kept lie before, between and behind those that are summed.
#[test]
fn any_axes() {
    let x: Vec<f32> = (0..240).map(|i| (i as f32 * 0.37).sin()).collect();
    let tensor = [("w", &[2, 3, 5, 4, 2][..], x)];
    for axes in 0..32 {
        let chosen: Vec<String> = (0..5)
            .filter(|axis| axes >> axis & 1 == 1)
            .map(|axis| format!("-{axis}"))
            .collect();
        let axes = chosen.concat();
        same(&format!("axes{axes}:0.5"), &tensor, 1);
        same(&format!("stable-adamw:1,by=axes{axes}"), &tensor, 1);
    }
}

/// Elements whose squares vanish or overflow in blocks after the first, in rows and in columns.
#[test]
fn squares_out_of_range_in_large_tensors() {
    for unit in [1e-200, 1e200] {
        let x: Vec<f64> = (0..100_000).map(|i| (f64::from(i) * 0.37).sin() * unit).collect();
        let text = |by: &str| format!("{by}:{unit}@exact");
        same(&text("component"), &[("w", &[100_000][..], x.clone())], 1);
        same(&text("row"), &[("w", &[2, 50_000][..], x.clone())], 1);
        same(&text("optax-unit"), &[("w", &[50_000, 2][..], x.clone())], 1);
    }
}
