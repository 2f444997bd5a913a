//! Norms that a source makes of the norms of tensors, where that shows: in 16 bits, and in components of several types.
//!
//! `torch.nn.utils.get_total_norm` calls `vector_norm` on each gradient, which returns the gradient's own type, stacks the
//! results, which promotes them, and calls it again. `optax.tree.norm` squares each leaf in its type, sums it there
//! (JAX adds up 16-bit numbers in `F32` and casts the sum), adds the sums with `+`, which promotes them two at a time, and
//! takes the root. JAX' `l2_norm` does the same with `vdot`, which rounds the sum alone. A compiled program leaves BF16
//! squares unrounded. (Read from the sources; 4000 sets of tensors in all mixtures: every one of PyTorch's products and
//! types, and all norms but for the order of sums in `F32` and `F64`.)
//!
//! What a sum loses beyond the range of 16 bits is no part of this: `RANGE` says that.

use super::{Component, Member};
use crate::clip::{Convention, Rule, Statistic};
use crate::oracle::case::Case;
use crate::oracle::declared::Declared;
use crate::oracle::exact::{Norm, Total};
use crate::oracle::format::{Format, exp2, exponent};
use crate::oracle::interval::Interval;
use crate::oracle::tensor::Slice;
use crate::oracle::tolerance;

/// The tensors of a component that count, as its source adds them up.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    tensors: Vec<Part>,
    kind: Kind,
    statistic: Statistic,
}

/// What is rounded to the type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its norm.
    Norms,
    /// The sum of its squares, and the squares themselves in these types.
    Sums(&'static [Format]),
}

/// One tensor.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    format: Format,
    /// Its exact norm.
    norm: Norm,
    /// The sum of its squares as far as they are rounded, in the tensor's digits.
    sum: f64,
}

impl Parts {
    /// Those of a component, if its convention makes something of them that another sum does not.
    pub(super) fn of(case: &Case, component: &Component, own: Format, norm: &Norm) -> Option<Self> {
        let members = || component.members.iter();
        let format = |tensor: usize| case.before[tensor].data.format();
        let narrow = matches!(own, Format::F16 | Format::Bf16);
        if case.declared.scale.is_some() || !narrow && members().all(|m| format(m.tensor) == own) {
            return None;
        }
        let kind = kind(&case.policy.rule, case.policy.statistic)?;
        // Squares of squares must be numbers.
        let harmless = (1e-140..1e140).contains(&norm.interval.lo);
        if kind != Kind::Norms && !harmless {
            return None;
        }
        let counted = members().filter(|member| member.counted);
        let part = |member: &Member| {
            let tensor = &case.before[member.tensor];
            let own = member.gather(&tensor.data);
            let format = own.format();
            let rounds = matches!(kind, Kind::Sums(squares) if squares.contains(&format));
            let sum = if kind == Kind::Norms {
                f64::NAN
            } else {
                sum_of_squares(own.slice(0..own.len()), rounds)
            };
            Part {
                name: tensor.name.clone(),
                format,
                norm: Total::of(case.policy.statistic, own.slice(0..own.len())).norm(),
                sum,
            }
        };
        let mut parts: Vec<Part> = counted.map(part).collect();
        if kind != Kind::Norms {
            // A dictionary is flattened in the order of its keys.
            parts.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Some(Self {
            tensors: parts,
            kind,
            statistic: case.policy.statistic,
        })
    }

    /// The source's norm, if each of its sums is right until it is rounded.
    pub(super) fn norm(&self, format: Format) -> Interval {
        if self.kind == Kind::Norms {
            let kept: Vec<Interval> = self
                .tensors
                .iter()
                .map(|part| part.norm.round(part.format))
                .collect();
            return self.combined(&kept, |norm| norm.round(format));
        }
        let sums = self.tensors.iter().map(|part| (part.format, part.sum));
        Interval::point(format.round(added(sums).sqrt()))
    }

    /// What the declared arithmetic can make of it, before it is rounded to the type that keeps it.
    pub(super) fn computed(&self, declared: &Declared, format: Format) -> Interval {
        let one = |part: &Part| {
            let bound = tolerance::norm(declared, self.statistic, part.format, part.norm.elements, 1);
            (bound.apply(part.norm.interval), part.format)
        };
        let computed: Vec<(Interval, Format)> = self.tensors.iter().map(one).collect();
        if self.kind == Kind::Norms {
            let round = |(norm, format): &(Interval, Format)| Interval {
                lo: format.round(norm.lo),
                hi: format.round(norm.hi),
            };
            let kept: Vec<Interval> = computed.iter().map(round).collect();
            let total = self.combined(&kept, |norm| norm.interval);
            let count = kept.len() as u64;
            return match count {
                0 | 1 => total,
                _ => tolerance::norm(declared, self.statistic, format, count, 1).apply(total),
            };
        }
        // Squares that are rounded, and sums in another order.
        let several = self.tensors.len() as f64 * format.unit_roundoff();
        let end = |outward: f64, of: fn(Interval) -> f64| {
            let sums = computed.iter().map(|&(norm, format)| {
                let squares = match format {
                    Format::F16 | Format::Bf16 => format.unit_roundoff(),
                    Format::F32 | Format::F64 => 0.0,
                };
                let n = of(norm);
                (format, digits(format, n * n * (1.0 + outward * squares)))
            });
            added(sums).sqrt() * (1.0 + outward * several)
        };
        Interval::hull(
            end(-1.0, |norm| norm.lo).next_down(),
            end(1.0, |norm| norm.hi).next_up(),
        )
    }

    /// The statistic of the statistics of the tensors, at both ends.
    fn combined(&self, kept: &[Interval], of: impl Fn(&Norm) -> Interval) -> Interval {
        let end = |end: fn(&Interval) -> f64| {
            let ends: Vec<f64> = kept.iter().map(end).collect();
            of(&Total::of(self.statistic, Slice::F64(&ends)).norm())
        };
        end(|kept| kept.lo).with(end(|kept| kept.hi))
    }
}

/// What a rule's source rounds.
fn kind(rule: &Rule, statistic: Statistic) -> Option<Kind> {
    let Rule::Norm { convention, .. } = rule else {
        return None;
    };
    match (convention, statistic) {
        (Convention::Torch | Convention::TorchBranch, Statistic::Norm(_)) => Some(Kind::Norms),
        (Convention::Optax, Statistic::L2) => Some(Kind::Sums(&[Format::F16, Format::Bf16])),
        (Convention::OptaxJit, Statistic::L2) => Some(Kind::Sums(&[Format::F16])),
        (Convention::JaxExample, Statistic::L2) => Some(Kind::Sums(&[])),
        _ => None,
    }
}

/// `Σ x²` in the digits of the elements' type, of squares in those digits if they are rounded: correctly rounded.
fn sum_of_squares(x: Slice<'_>, rounds: bool) -> f64 {
    let format = x.format();
    if rounds {
        let squares: Vec<f64> = x.iter().map(|x| digits(format, x * x)).collect();
        let sum = Total::of(Statistic::L1, Slice::F64(&squares)).norm();
        return digits(format, odd(sum.interval));
    }
    let sum = Total::of(Statistic::L2, x);
    let (lo, hi) = sum.sum().value().enclose();
    if format == Format::F64 {
        return sum.sum().value().nearest();
    }
    digits(format, odd(Interval { lo, hi }))
}

/// Of two neighbours the one with an odd last bit, from which every shorter rounding is right.
fn odd(x: Interval) -> f64 {
    if x.lo == x.hi || x.lo.to_bits() % 2 == 1 {
        x.lo
    } else {
        x.hi
    }
}

/// Sums of two, one after the other, each in the type that holds both.
fn added(sums: impl Iterator<Item = (Format, f64)>) -> f64 {
    let mut total: Option<(Format, f64)> = None;
    for (format, sum) in sums {
        total = Some(match total {
            None => (format, sum),
            Some((held, so_far)) => {
                let wide = held.promote(format);
                (wide, digits(wide, so_far + sum))
            }
        });
    }
    total.map_or(0.0, |(_, sum)| sum)
}

/// The nearest number with the digits of the format, whatever its magnitude; ties to even.
fn digits(format: Format, x: f64) -> f64 {
    if format == Format::F64 || x == 0.0 || !x.is_finite() {
        return x;
    }
    let unit = exponent(x) - format.precision() + 1;
    (x * exp2(-unit)).round_ties_even() * exp2(unit)
}
