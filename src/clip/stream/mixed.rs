//! Components with 16-bit tensors, or with tensors of several types: norms as the sources combine them, and the formula
//! in the type of each tensor.
//!
//! ```text
//! PyTorch       n = RN_P ‖(RN_T ‖x‖ of each tensor)‖                                factor in P, product in T
//! optax         n = RN_P √S,   S ← RN(S + s) tensor by tensor,   s = RN_T Σ RN_T(x²)   quotient and product in T
//! others        n = RN_P ‖all elements‖                                             all in P
//! ```
//!
//! `T`: a tensor's type, `P`: the one that holds all numbers of the component. Measured with PyTorch 2.15.0, JAX 0.10.2 and
//! optax 0.2.8 (`fixtures/make/mixed_types.py`). The roundings of sums keep the digits of a type without its range, so
//! that a square that leaves F16 does not make a norm infinite. optax' tensors are added in the order of their names,
//! in which JAX flattens a dictionary.

use super::Call;
use super::blocks;
use super::formula::Decided;
use super::source::{GradStream, Reader, Tensor};
use crate::clip::decision::{Act, Decision, Measured};
use crate::clip::rule::Rule;
use crate::clip::scaling::Scaling;
use crate::clip::tally::{Index, combine};
use crate::clip::{Convention, Element, Statistic};
use crate::reduce::Norms;

/// How a source makes the norm of a component from its tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Combining {
    /// From all elements at once, as far as is known.
    Whole,
    /// From the norms of the tensors, each in its tensor's type.
    Norms,
    /// From the sums of squares of the tensors, each in its tensor's type.
    Sums(Squares),
}

/// Which squares are rounded to the type of their tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Squares {
    /// All: `jnp.square` is an operation by itself.
    Rounded,
    /// Those in F16: a compiled program keeps BF16 squares in F32 until they are added up.
    RoundedInF16,
    /// None: `jnp.vdot` is one operation.
    Exact,
}

impl Combining {
    fn of(rule: &Rule, statistic: Statistic) -> Self {
        let Rule::Norm { convention, .. } = rule else {
            return Self::Whole;
        };
        match (convention, statistic) {
            (Convention::Torch | Convention::TorchBranch, Statistic::Norm(_)) => Self::Norms,
            (Convention::Optax, Statistic::L2) => Self::Sums(Squares::Rounded),
            (Convention::OptaxJit, Statistic::L2) => Self::Sums(Squares::RoundedInF16),
            (Convention::JaxExample, Statistic::L2) => Self::Sums(Squares::Exact),
            _ => Self::Whole,
        }
    }
}

/// What was measured, with the norms that the rule's source would have; `before` are the norms of the pieces.
pub(super) fn as_kept<S: GradStream>(
    call: &Call<'_>,
    index: &Index,
    before: &[Norms],
    measured: &[Measured],
    stream: &mut S,
) -> Result<Vec<Measured>, S::Error> {
    let combining = Combining::of(&call.policy.rule, call.policy.statistic);
    let p = call.policy.statistic.p();
    let pieces: Vec<f64> = match combining {
        Combining::Whole => return Ok(measured.to_vec()),
        Combining::Norms => before.iter().map(|norms| norms.p).collect(),
        Combining::Sums(squares) => sums(call, squares, stream)?,
    };
    let each = measured.iter().enumerate().map(|(at, m)| {
        let narrow = call.elements[at].is_narrow();
        let parameters = &call.plan.components[at].members;
        let own = |parameter: usize| call.params[parameter].grad.element;
        let usual = !narrow && parameters.iter().all(|&p| own(p) == call.elements[at]);
        // Squares of other norms leave an f64, or are none.
        if usual || combining != Combining::Norms && !(1e-140..1e140).contains(&m.statistic) {
            return *m;
        }
        let mut counted: Vec<(usize, usize)> = index.counted_pieces(at).collect();
        let kept = counted
            .iter()
            .map(|&(piece, parameter)| own(parameter).round(pieces[piece]));
        let norm = if combining == Combining::Norms {
            combine(kept, p)
        } else {
            counted.sort_by_key(|&(_, parameter)| &call.params[parameter].name);
            added(
                counted
                    .iter()
                    .map(|&(piece, parameter)| (own(parameter), pieces[piece])),
            )
            .sqrt()
        };
        Measured {
            statistic: norm,
            ..*m
        }
    });
    Ok(each.collect())
}

/// The sum of sums, each and every sum of two in the type that holds its parts.
fn added(sums: impl Iterator<Item = (Element, f64)>) -> f64 {
    let kept = sums.map(|(element, sum)| (element, element.digits(sum)));
    let total = kept.reduce(|(a, x), (b, y)| {
        let element = a.promote(b);
        (element, element.digits(x + y))
    });
    total.map_or(0.0, |(_, sum)| sum)
}

/// `Σ x²` of every piece, with the roundings of squares.
fn sums<S: GradStream>(call: &Call<'_>, squares: Squares, stream: &mut S) -> Result<Vec<f64>, S::Error> {
    let mut sums = Vec::new();
    for (parameter, layout) in call.layouts.iter().enumerate() {
        let mut reader = Reader::new(stream, call.params, Tensor::Gradient, parameter);
        let element = reader.element();
        let rounds = match squares {
            Squares::Rounded => element.is_narrow(),
            Squares::RoundedInF16 => element == Element::F16,
            Squares::Exact => false,
        };
        let square = |x: f64| if rounds { element.digits(x * x) } else { x * x };
        sums.extend(blocks::sums(&mut reader, layout, square)?);
    }
    Ok(sums)
}

/// What is done to a tensor of this type in a component of that one, with the type of the arithmetic.
pub(super) fn in_type_of(
    tensor: Element,
    (component, decided): (Element, Decided),
    rule: &Rule,
) -> (Element, Decided) {
    let Rule::Norm { convention, .. } = rule else {
        return (component, decided);
    };
    let casts = matches!(
        convention,
        Convention::Torch | Convention::TorchBranch | Convention::Optax | Convention::OptaxJit
    );
    if tensor == component || !casts {
        return (component, decided);
    }
    let act = match decided {
        Decided::F32(decision) => widened(decision.act),
        Decided::F64(decision) => decision.act,
    };
    // A 16-bit kernel takes its factor as an f32.
    let factor = |k: f64| f64::from(k as f32);
    let outcome = decided.outcome();
    let act = match act {
        Act::Scale(Scaling::Times(k)) => Act::Scale(Scaling::Times(factor(k))),
        // What is cast is divided by as outside of a compiled program, there too.
        Act::Scale(Scaling::ReciprocalTimes(n, _) | Scaling::OverTimes(n, _)) => {
            let c = outcome.threshold.unwrap_or(f64::NAN);
            Act::Scale(Scaling::ReciprocalTimes(tensor.round(n), tensor.round(c)))
        }
        act => act,
    };
    let decision = Decision {
        act,
        threshold: outcome.threshold,
        clipped: crate::clip::Clipped::No,
    };
    let own = if tensor == Element::F32 {
        Decided::F32(Decision {
            act: narrowed(decision.act),
            threshold: decision.threshold,
            clipped: decision.clipped,
        })
    } else {
        Decided::F64(decision)
    };
    (tensor, own)
}

/// The same act on numbers that are carried as `f64`.
fn widened(act: Act<f32>) -> Act<f64> {
    match act {
        Act::Zero => Act::Zero,
        Act::Scale(Scaling::Keep) => Act::Scale(Scaling::Keep),
        Act::Scale(Scaling::Times(k)) => Act::Scale(Scaling::Times(f64::from(k))),
        Act::Scale(Scaling::ReciprocalTimes(n, c)) => {
            Act::Scale(Scaling::ReciprocalTimes(f64::from(n), f64::from(c)))
        }
        Act::Scale(Scaling::OverTimes(n, c)) => Act::Scale(Scaling::OverTimes(f64::from(n), f64::from(c))),
        Act::Skip => Act::Skip,
        Act::Scale(_) | Act::Each(_) => unreachable!("no act of the conventions that cast"),
    }
}

/// The same act on F32 numbers.
fn narrowed(act: Act<f64>) -> Act<f32> {
    match act {
        Act::Zero => Act::Zero,
        Act::Scale(Scaling::Times(k)) => Act::Scale(Scaling::Times(k as f32)),
        Act::Scale(Scaling::ReciprocalTimes(n, c)) => {
            Act::Scale(Scaling::ReciprocalTimes(n as f32, c as f32))
        }
        Act::Skip => Act::Skip,
        _ => Act::Scale(Scaling::Keep),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 256 + 1 is 256 in BF16 (a tie, to even) and 257 in F16, F32 and together with another type; 2⁻²⁰ keeps its digits
    /// in F16, whose range it leaves.
    #[test]
    fn sums_of_sums() {
        use Element::{Bf16, F16, F32};
        let total = |sums: &[(Element, f64)]| added(sums.iter().copied());
        assert_eq!(total(&[(Bf16, 256.0), (Bf16, 1.0)]), 256.0);
        assert_eq!(total(&[(F16, 256.0), (F16, 1.0)]), 257.0);
        assert_eq!(total(&[(Bf16, 256.0), (F32, 1.0)]), 257.0);
        assert_eq!(total(&[(Bf16, 257.0), (F16, 1.0)]), 257.0);
        assert_eq!(
            total(&[(F16, 1.0 / 1_048_576.0 / 1024.0)]),
            1.0 / 1_048_576.0 / 1024.0
        );
        assert_eq!(total(&[]), 0.0);
    }
}
