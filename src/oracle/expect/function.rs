//! What must become of an element, and within what.

use super::kernel::Kernel;
use super::machine::Machine;
use crate::clip::Extent;
use crate::oracle::declared::Rounding;
use crate::oracle::format::Format;
use crate::oracle::interval::Interval;
use crate::oracle::tensor::Slice;

/// The function of the elements of a member: what exactly, and within what.
#[derive(Clone, Debug)]
pub struct Function {
    pub(super) machine: Machine,
    pub(super) output: Format,
    /// How much of a tensor the elements are.
    pub(super) extent: Extent,
    pub(super) rounding: Rounding,
    pub(super) exact: Vec<Kernel>,
    pub(super) allowed: Vec<Kernel>,
    pub(super) relative: f64,
    pub(super) absolute: f64,
    /// Magnitudes below this may become 0.
    pub(super) flushed: f64,
    pub(super) products: Option<Products>,
}

/// `x·k` in `f32`: what most conventions come to, and many times as fast as one operation after the other in `f64`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Products {
    exact: f32,
    /// At the ends of what is allowed.
    allowed: (f32, f32),
}

impl Products {
    /// That of these kernels in one type, if it is `F32` and they are products.
    pub(super) fn of(formats: (Format, Format), exact: &[Kernel], allowed: &[Kernel]) -> Option<Self> {
        let factor = |kernel: &Kernel| match *kernel {
            Kernel::Times(k) => Some(k as f32),
            _ => None,
        };
        let ([one], [first, ..], [.., last]) = (exact, allowed, allowed) else {
            return None;
        };
        let single = formats == (Format::F32, Format::F32) && allowed.len() <= 2;
        let products = Self {
            exact: factor(one)?,
            allowed: (factor(first)?, factor(last)?),
        };
        single.then_some(products)
    }
}

impl Function {
    /// The expected result for an element and its second moment: one number, or an interval where the norm is one.
    pub fn exact(&self, x: f64, v: f64) -> Interval {
        match self.products {
            Some(products) => Interval::point((x as f32 * products.exact).into()),
            None => self.hull(&self.exact, x, v),
        }
    }

    /// What the declared arithmetic allows.
    pub fn allowed(&self, x: f64, v: f64) -> Interval {
        let hull = match self.products.map(|products| products.allowed) {
            Some((a, b)) => Interval::hull((x as f32 * a).into(), (x as f32 * b).into()),
            None => self.hull(&self.allowed, x, v),
        };
        self.loosened(hull)
    }

    /// The slack of the roundings around what the kernels give.
    #[inline]
    fn loosened(&self, mut hull: Interval) -> Interval {
        if hull.lo.abs().min(hull.hi.abs()) < self.flushed {
            hull = hull.with(Interval::point(0.0));
        }
        if self.relative == 0.0 || hull.is_nan() {
            return hull;
        }
        let slack = |end: f64| {
            let step = if self.rounding == Rounding::Nearest {
                0.0
            } else {
                2.0 * self.output.unit_roundoff()
            };
            end.abs() * (self.relative + step) + self.absolute
        };
        Interval {
            lo: (hull.lo - slack(hull.lo)).next_down(),
            hi: (hull.hi + slack(hull.hi)).next_up(),
        }
    }

    /// Whether these elements are what is expected, to the bit; may be false where that is not seen at once.
    pub(in crate::oracle) fn is_at_once(&self, before: Slice<'_>, after: Slice<'_>) -> bool {
        let (Slice::F32(x), Slice::F32(y)) = (before, after) else {
            return false;
        };
        let single = (self.machine.format, self.output) == (Format::F32, Format::F32);
        let differ = |k: f32| {
            let pairs = x.iter().zip(y);
            pairs.fold(0, |bits, (x, y)| bits | ((x * k).to_bits() ^ y.to_bits()))
        };
        match self.exact[..] {
            [Kernel::Keep] => {
                x.iter()
                    .zip(y)
                    .fold(0, |bits, (x, y)| bits | (x.to_bits() ^ y.to_bits()))
                    == 0
            }
            [Kernel::Times(k)] if single => differ(k as f32) == 0,
            _ => false,
        }
    }

    fn hull(&self, kernels: &[Kernel], x: f64, v: f64) -> Interval {
        let results = kernels
            .iter()
            .map(|k| self.output.round(k.apply(self.machine, x, v, self.extent)));
        let hull = results.map(Interval::point).reduce(Interval::with);
        hull.unwrap_or(Interval::point(x))
    }
}
