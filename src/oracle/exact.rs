//! Exact statistics of a component.
//!
//! ```text
//! p = 1   Σ|xᵢ|        p = 2   √Σxᵢ²        p = ∞   max|xᵢ|        rms   √(Σxᵢ²/N)        mean   √Σxᵢ² / N
//! ```
//!
//! The sums carry no rounding at all ([`Kulisch`]), the root is taken of the integer, and the result is known as an
//! interval between neighbouring `f64`, or exactly. Other `p` have an interval that is rounded outward ([`power`]).
//! Sums of shards, parameters or blocks merge without a trace of how they were cut.
//!
//! [`power`]: super::power

use super::bins::{self, Power, Sum};
use super::format::Format;
use super::interval::Interval;
use super::kulisch::Kulisch;
use super::power;
use super::tensor::Slice;
use crate::clip::Statistic;

/// What a statistic is made of: it can be merged with that of other elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    statistic: Statistic,
    sum: Sum,
    largest: f64,
    elements: u64,
    /// For a `p` that is none of 1, 2 and ∞: the elements themselves, since their scale is known only at the end.
    kept: Vec<f64>,
}

/// A statistic, as well as it can be known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// It lies in here. The ends are equal or neighbours for `p` = 1, 2 and ∞, rms and mean.
    pub interval: Interval,
    /// The nearest `f64`, where it is certain.
    pub nearest: Option<f64>,
    /// Elements that count in it.
    pub elements: u64,
    /// NaN among them.
    pub nan: u64,
    /// Infinities among them.
    pub infinite: u64,
}

impl Total {
    /// The total of nothing.
    pub fn new(statistic: Statistic) -> Self {
        Self {
            statistic,
            sum: Sum::default(),
            largest: 0.0,
            elements: 0,
            kept: Vec::new(),
        }
    }

    /// Adds elements.
    pub fn add(&mut self, x: Slice<'_>) {
        self.merge(&Self::of(self.statistic, x));
    }

    /// The total of these elements.
    pub fn of(statistic: Statistic, x: Slice<'_>) -> Self {
        let mut total = Self::new(statistic);
        total.elements = x.len() as u64;
        let squares = is_of_squares(statistic);
        total.sum = bins::sum(x, if squares { Power::Two } else { Power::One });
        if statistic == Statistic::MAX {
            total.largest = bins::largest(x);
        } else if !squares && statistic != Statistic::L1 {
            total.kept = x.iter().filter(|x| x.is_finite()).map(f64::abs).collect();
        }
        total
    }

    /// Adds another total of the same statistic.
    ///
    /// # Panics
    /// If the statistics differ.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.statistic, other.statistic, "totals of different statistics");
        self.merge_sum(other);
    }

    /// Adds another total whose statistic is made of the same sum.
    pub(super) fn merge_sum(&mut self, other: &Self) {
        self.sum = std::mem::take(&mut self.sum).merge(&other.sum);
        self.largest = self.largest.max(other.largest);
        self.elements += other.elements;
        self.kept.extend_from_slice(&other.kept);
    }

    /// The exact sum of squares or magnitudes of the finite elements.
    pub fn sum(&self) -> &Kulisch {
        &self.sum.finite
    }

    /// The statistic.
    pub fn norm(&self) -> Norm {
        let (interval, nearest) = self.value();
        Norm {
            interval,
            nearest,
            elements: self.elements,
            nan: self.sum.nan,
            infinite: self.sum.infinite,
        }
    }

    fn value(&self) -> (Interval, Option<f64>) {
        let exact = |x| (Interval::point(x), Some(x));
        if self.sum.nan > 0 {
            return exact(f64::NAN);
        }
        if self.sum.infinite > 0 {
            return exact(f64::INFINITY);
        }
        if self.sum.finite.is_zero() {
            return exact(0.0);
        }
        let sum = &self.sum.finite;
        let dyadic = match self.statistic {
            Statistic::Rms => sum.root_of_mean(self.elements, false),
            Statistic::Mean => sum.root_of_mean(self.elements, true),
            Statistic::Norm(2.0) => sum.root(),
            Statistic::Norm(1.0) => sum.value(),
            Statistic::Norm(f64::INFINITY) => return exact(self.largest),
            Statistic::Norm(p) => return (power::norm(&self.kept, p), None),
        };
        let (lo, hi) = dyadic.enclose();
        (Interval { lo, hi }, Some(dyadic.nearest()))
    }
}

impl Norm {
    /// The norm rounded to nearest in a format: one number where that is certain, else the two ends.
    ///
    /// The narrower formats are served by rounding to odd: of the two `f64` around a number that is none, the one with
    /// an odd last bit keeps everything that a rounding to 51 bits or fewer can ask (Boldo and Melquiond 2008).
    pub fn round(&self, format: Format) -> Interval {
        let Interval { lo, hi } = self.interval;
        match self.nearest {
            Some(nearest) if format == Format::F64 || lo == hi || nearest.is_nan() => {
                Interval::point(format.round(nearest))
            }
            Some(_) => {
                let odd = if lo.to_bits() % 2 == 1 { lo } else { hi };
                Interval::point(format.round(odd))
            }
            None => Interval {
                lo: format.round(lo),
                hi: format.round(hi),
            },
        }
    }

    /// NaN and infinite elements.
    pub fn non_finite(&self) -> u64 {
        self.nan + self.infinite
    }
}

/// Whether a statistic is made of the sum of squares.
pub(super) fn is_of_squares(statistic: Statistic) -> bool {
    matches!(statistic, Statistic::Rms | Statistic::Mean) || statistic == Statistic::L2
}

/// The statistic of one tensor's elements.
pub fn norm(statistic: Statistic, x: Slice<'_>) -> Norm {
    Total::of(statistic, x).norm()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3, 4 in every format and at magnitudes whose squares leave it.
    #[test]
    fn pythagoras() {
        for (format, exponents) in [
            (Format::F16, [-24, 0, 13]),
            (Format::Bf16, [-133, 0, 125]),
            (Format::F32, [-149, 0, 125]),
            (Format::F64, [-1074, 0, 1021]),
        ] {
            for e in exponents {
                let x = super::super::Data::round(format, [3.0, -4.0].map(|x| libm::ldexp(x, e)));
                let l2 = norm(Statistic::L2, x.slice(0..2));
                assert_eq!(
                    l2.interval,
                    Interval::point(libm::ldexp(5.0, e)),
                    "{format} 2^{e}"
                );
                assert_eq!(
                    norm(Statistic::L1, x.slice(0..2)).nearest,
                    Some(libm::ldexp(7.0, e))
                );
                assert_eq!(
                    norm(Statistic::MAX, x.slice(0..2)).nearest,
                    Some(libm::ldexp(4.0, e))
                );
            }
        }
    }

    /// √((1+1+1+1)/4) = 1, √4/4 = 1/2; empty is 0; NaN beats infinity.
    #[test]
    fn other_statistics() {
        let ones = [1.0_f32, -1.0, 1.0, -1.0];
        assert_eq!(norm(Statistic::Rms, Slice::F32(&ones)).nearest, Some(1.0));
        assert_eq!(norm(Statistic::Mean, Slice::F32(&ones)).nearest, Some(0.5));
        for statistic in [
            Statistic::L1,
            Statistic::L2,
            Statistic::MAX,
            Statistic::Rms,
            Statistic::Norm(3.0),
        ] {
            assert_eq!(norm(statistic, Slice::F32(&[])).nearest, Some(0.0));
            let infinite = norm(statistic, Slice::F64(&[1.0, f64::NEG_INFINITY]));
            assert_eq!((infinite.nearest, infinite.infinite), (Some(f64::INFINITY), 1));
            let nan = norm(statistic, Slice::F32(&[f32::INFINITY, f32::NAN]));
            assert!(nan.nearest.is_some_and(f64::is_nan) && nan.non_finite() == 2);
        }
    }
}
