//! The conventions against real libraries: outputs recorded by `fixtures/make/clip_conventions.py` and `clip_torch.py`.
//!
//! A convention starts from a norm. Given the norm that the library computed, every element must have the library's
//! bits; the norm itself is judged apart, because the order of its sum is no part of a convention.

use crate::scratch::fixture;
use cwgnc::clip::{Convention, Extent, ParamGrad, Scaling, clip};
use cwgnc::real::Real;
use ndarray::ArrayViewMut1;
use serde_json::Value;

fn read(name: &str) -> Value {
    let path = fixture(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn text<'v>(case: &'v Value, key: &str) -> &'v str {
    case[key].as_str().unwrap_or_else(|| panic!("a text `{key}`"))
}

fn float<T: Real>(bits: &Value) -> T {
    let bits = u64::from_str_radix(bits.as_str().expect("bits"), 16).expect("hexadecimal");
    match T::NAME {
        "float32" => T::of(f64::from(f32::from_bits(u32::try_from(bits).expect("32 bits")))),
        _ => T::of(f64::from_bits(bits)),
    }
}

fn floats<T: Real>(case: &Value, key: &str) -> Vec<T> {
    case[key].as_array().expect(key).iter().map(float).collect()
}

/// The same bits, all NaNs being one.
fn same<T: Real>(a: T, b: T) -> bool {
    a.is_nan() && b.is_nan() || a.widen().to_bits() == b.widen().to_bits()
}

/// Cases that differ, and cases in all.
fn differing<T: Real>(cases: &[&Value]) -> (Vec<String>, usize) {
    let mut differing = Vec::new();
    for case in cases {
        let convention: Convention = text(case, "convention").parse().expect("a convention");
        let c = text(case, "threshold").parse().expect("a threshold");
        let norm: T = float(&case["norm"]);
        let (mut x, after) = (floats::<T>(case, "before"), floats::<T>(case, "after"));
        let scaling: Scaling<T> =
            convention.scaling(norm.widen(), c, convention.eps().unwrap_or(0.0), x.len());
        let extent = match case["scalar"].as_bool() {
            Some(true) => Extent::Scalar,
            _ => Extent::of(&[x.len()]),
        };
        scaling.apply(&mut x, extent);
        if !x.iter().zip(&after).all(|(&x, &y)| same(x, y)) {
            differing.push(format!("{case}: {x:?}, not {after:?}"));
        }
    }
    (differing, cases.len())
}

fn check(library: &str, known: fn(&Value) -> bool) {
    let file = read(&format!("clip/{library}.json"));
    let cases: Vec<&Value> = file["cases"].as_array().expect("cases").iter().collect();
    let of = |dtype: &str| -> Vec<&Value> {
        let cases = cases.iter().copied();
        cases.filter(|c| text(c, "dtype") == dtype && !known(c)).collect()
    };
    let (mut wrong, mut count) = differing::<f32>(&of("f32"));
    let (more, others) = differing::<f64>(&of("f64"));
    wrong.extend(more);
    count += others;
    assert!(count >= 200, "the cases are there");
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn torch_bits() {
    check("torch", |_| false);
}

#[test]
fn jax_bits() {
    check("jax", |_| false);
}

#[test]
fn tensorflow_bits() {
    check("tensorflow", |_| false);
}

/// The committed outputs of `clip_grad_norm_`, end to end.
///
/// f64: our norm and PyTorch's may differ in the last bit, and so may each of three later roundings. f32: PyTorch's norm
/// of at most 112 elements is off by at most (112/2 + 2) 2⁻²⁴.
#[test]
fn clip_torch_end_to_end() {
    let file = read("clip_torch.json");
    let mut count = 0;
    for case in file["cases"].as_array().expect("cases") {
        for result in case["results"].as_array().expect("results") {
            let policy = format!("{}:{}", text(result, "mode"), case["max_norm"]);
            match text(result, "dtype") {
                "f64" => end_to_end::<f64>(case, result, &policy, 8.0 * f64::EPSILON),
                "f32" => end_to_end::<f32>(case, result, &policy, 60.0 * f64::from(f32::EPSILON)),
                other => panic!("dtype {other}"),
            }
            count += 1;
        }
    }
    assert_eq!(count, 12 * 4);
}

fn end_to_end<T: Real>(case: &Value, result: &Value, policy: &str, tolerance: f64) {
    let numbers = |value: &Value| -> Vec<f64> {
        let values = value.as_array().expect("numbers").iter();
        values.map(|x| x.as_f64().expect("a number")).collect()
    };
    let before = case["before"].as_object().expect("tensors");
    let mut tensors: Vec<(&str, Vec<T>)> = before
        .iter()
        .map(|(name, x)| (&name[..], numbers(x).into_iter().map(T::of).collect()))
        .collect();
    let mut grads: Vec<_> = tensors
        .iter_mut()
        .map(|(name, x)| ParamGrad::new(name, ArrayViewMut1::from(&mut x[..]).into_dyn()))
        .collect();
    let report = clip(&policy.parse().expect(policy), &mut grads).expect(policy);
    let close = |got: f64, expected: f64| (got - expected).abs() <= tolerance * expected.abs();
    let norms = numbers(&result["norms"]);
    assert_eq!(norms.len(), report.components.len());
    for (component, norm) in report.components.iter().zip(norms) {
        assert!(
            close(component.norm_before, norm),
            "{policy}: {component:?}, {norm}"
        );
    }
    for (name, x) in &tensors {
        for (x, y) in x.iter().zip(numbers(&result["after"][name])) {
            assert!(close(x.widen(), y), "{}, {policy}, {name}: {x} {y}", case["name"]);
        }
    }
}
