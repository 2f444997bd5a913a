//! Functions of one number, sums and chance: what a run is made of below the layers.

use super::Number;
use crate::random::{permutation, stream};
use crate::real::Real;
use crate::reduce;

/// Arguments of each function.
const ARGUMENTS: u32 = 4096;

pub(super) fn numbers() -> impl Iterator<Item = Number> {
    let plain = FUNCTIONS.iter().map(|&(name, low, high, f)| {
        let values = arguments(low, high).map(f);
        Number::new(
            format!("{name}, {ARGUMENTS} numbers from {low} to {high}"),
            values,
        )
    });
    let typed = of_type::<f32>().into_iter().chain(of_type::<f64>());
    let order = permutation(&mut stream(1, "order", 0), 1000);
    let order = Number::new(
        "the order of 1000 examples".to_owned(),
        order.into_iter().map(|i| i as f64),
    );
    plain.chain(typed).chain([order])
}

/// A name, the first and the last argument, and the function.
type Function = (&'static str, f64, f64, fn(f64) -> f64);

/// The functions of `libm` that a run, a record or a report is computed with, and where.
const FUNCTIONS: [Function; 11] = [
    ("exp", -40.0, 5.0, libm::exp),
    ("log", 1e-9, 30.0, libm::log),
    ("log1p", -0.9, 127.0, libm::log1p),
    ("log10", 1e-9, 1e9, libm::log10),
    ("exp10", -9.0, 9.0, libm::exp10),
    ("0.999 to the power", 0.0, 5000.0, |x| libm::pow(0.999, x)),
    ("tanh", -6.0, 6.0, libm::tanh),
    ("erf", -5.0, 5.0, libm::erf),
    ("erfc", -5.0, 12.0, libm::erfc),
    ("log of gamma", 0.5, 60.0, libm::lgamma),
    ("square root", 0.0, 9.0, f64::sqrt),
];

fn arguments(low: f64, high: f64) -> impl Iterator<Item = f64> {
    (0..ARGUMENTS).map(move |i| low + (high - low) * f64::from(i) / f64::from(ARGUMENTS - 1))
}

fn of_type<T: Real>() -> Vec<Number> {
    let number = |what: &str, values: Vec<f64>| Number::new(format!("{what} in {}", T::NAME), values);
    let all = |low, high, f: fn(T) -> T| arguments(low, high).map(|x| f(T::of(x)).widen()).collect();
    let terms: Vec<T> = arguments(-1.0, 1.0).map(T::of).collect();
    vec![
        number("exp of softmax", all(-110.0, 90.0, T::exponential)),
        number("tanh of the pooler", all(-10.0, 10.0, T::hyperbolic_tangent)),
        number("Φ of GELU", all(-15.0, 15.0, |x| x.normal().0)),
        number("φ of GELU", all(-15.0, 15.0, |x| x.normal().1)),
        number("sum in lanes", vec![reduce::sum(&terms).widen()]),
        number("product in lanes", vec![reduce::dot(&terms, &terms).widen()]),
    ]
}
