//! Counting: how far numbers are from what is expected, in ulp and in units of the budget.

use super::format::{Format, same};
use super::interval::Interval;
use super::verdict::{Judgement, Mismatch};

/// The first mismatches, and how many there are.
#[derive(Default)]
pub(super) struct List {
    pub(super) first: Vec<Mismatch>,
    pub(super) count: u64,
}

impl List {
    pub(super) fn push(&mut self, mismatch: impl FnOnce() -> Mismatch) {
        if self.first.len() < Judgement::LISTED {
            self.first.push(mismatch());
        }
        self.count += 1;
    }

    /// Adds what comes after.
    pub(super) fn append(&mut self, next: Self) {
        let room = Judgement::LISTED.saturating_sub(self.first.len());
        self.first.extend(next.first.into_iter().take(room));
        self.count += next.count;
    }
}

/// What a walk over a component found.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) mismatched: List,
    /// The largest distance of an element from the exact expectation.
    pub(super) ulp: u64,
    /// The largest share of the budget that an element used.
    pub(super) share: f64,
    /// The largest error in units of the budget.
    pub(super) worst: f64,
    /// Whether something is wrong that no bound on the norm can excuse.
    pub(super) hopeless: bool,
    pub(super) histogram: [u64; 16],
}

impl Tally {
    /// The count of this part and of the next.
    pub(super) fn merge(mut self, next: Self) -> Self {
        self.mismatched.append(next.mismatched);
        self.ulp = self.ulp.max(next.ulp);
        self.share = self.share.max(next.share);
        self.worst = self.worst.max(next.worst);
        self.hopeless |= next.hopeless;
        for (sum, count) in self.histogram.iter_mut().zip(next.histogram) {
            *sum += count;
        }
        self
    }

    /// Counts a number against its exact and its allowed value; what it used of the budget.
    pub(super) fn count(&mut self, format: Format, exact: Interval, allowed: Interval, got: f64) -> f64 {
        if distance(format, exact, got) == 0 {
            return 0.0;
        }
        let ratio = ratio(exact, allowed, got);
        self.spent(ratio, got);
        ratio
    }

    /// Counts an element that is so many ulp off and used so much of its budget.
    #[inline]
    pub(super) fn element(&mut self, ulp: u64, used: f64, got: f64) {
        self.histogram[bucket(ulp)] += 1;
        self.ulp = self.ulp.max(ulp);
        self.spent(used, got);
        if used <= 1.0 {
            self.share = self.share.max(used);
        }
    }

    #[inline]
    fn spent(&mut self, ratio: f64, got: f64) {
        self.worst = self.worst.max(ratio);
        self.hopeless |= ratio == f64::INFINITY && !got.is_finite();
    }
}

/// Ulp to the nearer end of what is expected; 0 only for the same bits, so that -0 for +0 counts as 1.
pub(super) fn distance(format: Format, exact: Interval, got: f64) -> u64 {
    if same(exact.lo, got) || same(exact.hi, got) {
        return 0;
    }
    if exact.lo < got && got < exact.hi {
        return 0;
    }
    format.ulps(exact.lo, got).min(format.ulps(exact.hi, got)).max(1)
}

/// The error in units of the budget: 1 at the end of what is allowed.
#[inline]
pub(super) fn ratio(exact: Interval, allowed: Interval, got: f64) -> f64 {
    if allowed.contains(got) && got.is_infinite() || allowed.is_nan() && got.is_nan() {
        return 0.0;
    }
    if !got.is_finite() || allowed.is_nan() {
        return f64::INFINITY;
    }
    let (error, budget) = if got > exact.hi {
        (got - exact.hi, allowed.hi - exact.hi)
    } else if got < exact.lo {
        (exact.lo - got, exact.lo - allowed.lo)
    } else {
        // The same number with the other sign of zero: within every budget but that of an identity.
        let identity = allowed.is_point();
        return if identity && !same(exact.lo, got) {
            f64::INFINITY
        } else {
            0.0
        };
    };
    if allowed.contains(got) {
        (error / budget).min(1.0)
    } else if budget > 0.0 {
        (error / budget).max(1.000_001)
    } else {
        f64::INFINITY
    }
}

/// 0, 1, 2 to 3, 4 to 7, …
#[inline]
fn bucket(ulp: u64) -> usize {
    (64 - ulp.leading_zeros() as usize).min(15)
}
