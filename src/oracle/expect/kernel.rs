//! What is done to an element once norm and scale are known.

use super::machine::{Machine, max, min};
use crate::clip::{Curve, Extent, ValueForm};
use crate::oracle::format::Format;

/// A function of one element, in the type of its [`Machine`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kernel {
    /// `x`, no bit changed.
    Keep,
    /// This number, whatever `x`.
    Fill(f64),
    /// `x·k`.
    Times(f64),
    /// `(x·RN(1/n))·c`; in BF16, and in a tensor of one element, `(x/n)·c`.
    ReciprocalTimes { n: f64, c: f64 },
    /// `(x/n)·c`.
    DivideTimes { n: f64, c: f64 },
    /// `x·RN(1/d)`; in BF16, and in a tensor of one element, `x/d`.
    Reciprocal(f64),
    /// `(x·c)/d`.
    TimesDivide { c: f64, d: f64 },
    /// `(x·c)·k`.
    TimesTimes { c: f64, k: f64 },
    /// `x·RN(c·k)`; in a tensor without axes `(x·c)·k`.
    TimesProduct { c: f64, k: f64 },
    /// `x/d`.
    Divide(f64),
    /// Bounds on the element.
    Value { c: f64, form: ValueForm },
    /// Smooth bounds on the element.
    Soft { c: f64, curve: Curve },
    /// `x² > θ·v ? sign(x)·√(θ·v) : x`.
    Spike { theta: f64 },
    /// `|x| > m ? x/largest·m : x`.
    Bend { m: f64, largest: f64 },
}

impl Kernel {
    /// The result for element `x`, whose second moment is `v` (only [`Kernel::Spike`] looks at it), in a tensor
    /// of this extent.
    pub(super) fn apply(self, m: Machine, x: f64, v: f64, tensor: Extent) -> f64 {
        // XLA on a CPU leaves divisions in BF16 as they are (measured, jax 0.10.2).
        let divides = tensor != Extent::Many || m.format == Format::Bf16;
        match self {
            Self::Keep => x,
            Self::Fill(value) => value,
            Self::Times(k) => m.mul(x, k),
            Self::ReciprocalTimes { n, c } if divides => m.mul(m.div(x, n), c),
            Self::DivideTimes { n, c } => m.mul(m.div(x, n), c),
            Self::ReciprocalTimes { n, c } => m.mul(m.mul(x, m.div(1.0, n)), c),
            Self::Reciprocal(d) if !divides => m.mul(x, m.div(1.0, d)),
            Self::TimesDivide { c, d } => m.div(m.mul(x, c), d),
            Self::TimesProduct { c, k } if tensor != Extent::Scalar => m.mul(x, m.mul(c, k)),
            Self::TimesTimes { c, k } | Self::TimesProduct { c, k } => m.mul(m.mul(x, c), k),
            Self::Reciprocal(d) | Self::Divide(d) => m.div(x, d),
            Self::Value { c, form } => value(x, c, form),
            Self::Soft { c, curve } => m.round(soft(x, c, curve)),
            Self::Spike { theta } => {
                let bound = theta * v;
                if x * x > bound && v > 0.0 {
                    m.round(bound.sqrt().copysign(x))
                } else {
                    x
                }
            }
            Self::Bend { m: bound, largest } => {
                if x.abs() > bound {
                    m.mul(m.div(x, largest), bound)
                } else {
                    x
                }
            }
        }
    }

    /// The factor on the elements; NaN for the rules that have none.
    pub(super) fn scale(self) -> f64 {
        match self {
            Self::Keep => 1.0,
            Self::Times(k) => k,
            Self::ReciprocalTimes { n, c } | Self::DivideTimes { n, c } => c / n,
            Self::TimesDivide { c, d } => c / d,
            Self::TimesTimes { c, k } | Self::TimesProduct { c, k } => c * k,
            Self::Divide(d) | Self::Reciprocal(d) => 1.0 / d,
            Self::Fill(_)
            | Self::Value { .. }
            | Self::Soft { .. }
            | Self::Spike { .. }
            | Self::Bend { .. } => f64::NAN,
        }
    }

    /// Whether it treats each element by itself.
    pub(super) fn is_on_elements(self) -> bool {
        matches!(
            self,
            Self::Value { .. } | Self::Soft { .. } | Self::Spike { .. } | Self::Bend { .. }
        )
    }

    /// Whether every finite element stays as it is, by construction.
    pub(super) fn is_identity(self) -> bool {
        matches!(
            self,
            Self::Keep | Self::Times(1.0) | Self::Divide(1.0) | Self::Reciprocal(1.0)
        )
    }
}

/// Clipping by value; comparisons, so that NaN passes through and -0 stays.
fn value(x: f64, c: f64, form: ValueForm) -> f64 {
    match form {
        ValueForm::Torch => min(max(x, -c), c),
        ValueForm::Tf => max(min(x, c), -c),
        ValueForm::Paper if x > c => c,
        ValueForm::Paper => x,
    }
}

fn soft(x: f64, c: f64, curve: Curve) -> f64 {
    match curve {
        // The limits of all three.
        _ if c == 0.0 => 0.0_f64.copysign(x) * if x.is_nan() { x } else { 1.0 },
        // The limit, which `∞/(1+∞)` would miss.
        Curve::Rational if (x / c).is_infinite() || x.is_infinite() => c.copysign(x),
        Curve::Rational => x / (1.0 + x.abs() / c),
        Curve::Tanh => c * libm::tanh(x / c),
        Curve::MuLaw => {
            let share = libm::log1p(127.0 * x.abs() / c) / libm::log(128.0);
            (c * share).copysign(x)
        }
    }
}
