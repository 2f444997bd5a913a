//! Closed intervals of `f64`, rounded outward.

/// All numbers from `lo` to `hi`; a NaN end means that the value is NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub lo: f64,
    /// The upper end.
    pub hi: f64,
}

impl Interval {
    /// One number.
    pub const fn point(x: f64) -> Self {
        Self { lo: x, hi: x }
    }

    /// The smallest interval with both numbers; NaN if one is.
    pub fn hull(a: f64, b: f64) -> Self {
        if a.is_nan() || b.is_nan() {
            return Self::point(f64::NAN);
        }
        Self {
            lo: a.min(b),
            hi: a.max(b),
        }
    }

    /// The smallest interval with both; NaN if one is.
    pub fn with(self, other: Self) -> Self {
        if self.is_nan() || other.is_nan() {
            return Self::point(f64::NAN);
        }
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.max(other.hi),
        }
    }

    /// Whether it is one number or NaN.
    pub fn is_point(self) -> bool {
        self.lo == self.hi || self.is_nan()
    }

    /// Whether the value is NaN.
    pub fn is_nan(self) -> bool {
        self.lo.is_nan() || self.hi.is_nan()
    }

    /// Whether the number lies in it; NaN lies in NaN.
    pub fn contains(self, x: f64) -> bool {
        (self.lo <= x && x <= self.hi) || (self.is_nan() && x.is_nan())
    }

    /// Every `v·(1+θ)` with `-below <= θ <= above`, for a non-negative interval.
    pub fn widened(self, below: f64, above: f64) -> Self {
        let lo = self.lo * (1.0 - below).next_down().max(0.0);
        let hi = self.hi * (1.0 + above).next_up();
        let lo = if below == 0.0 || self.lo == 0.0 {
            self.lo
        } else {
            lo.next_down().max(0.0)
        };
        Self {
            lo,
            hi: if above == 0.0 || self.hi == 0.0 {
                self.hi
            } else {
                hi.next_up()
            },
        }
    }
}
