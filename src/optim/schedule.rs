//! Learning rates over the steps: a linear rise, then one of three ways down, as Hugging Face's schedules have them.
//!
//! ```text
//! lr(t) = peak · t / w                                for t < w        t: steps done before, from 0
//!                                                     for w ≤ t < N    N: all steps, w: warm-up steps
//! linear         peak · (e + (1 − e) (1 − s))         s = (t − w) / (N − w)
//! cosine         peak · ½ (1 + cos(π s))              half a cosine, down to 0
//! polynomial     (peak − r) (1 − s)^p + r             down to the rate r
//! ```
//!
//! With `e = 0` the first is `get_linear_schedule_with_warmup`, with `e = 1` `constant_with_warmup`, and with `w = 0`
//! `constant`. The others are `get_cosine_schedule_with_warmup` with its default of half a cycle, and
//! `get_polynomial_decay_schedule_with_warmup`.

/// A linear rise over the warm-up steps, then a way down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// `w`.
    pub warmup_steps: usize,
    /// `N`.
    pub total_steps: usize,
    /// The way down.
    pub decay: Decay,
}

/// How the rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// A straight line.
    Linear {
        /// `e`: where it ends, as a share of the peak, in `[0, 1]`.
        end: f64,
    },
    /// Half a cosine.
    Cosine,
    /// A power of the steps that are left.
    Polynomial {
        /// `p`, above 0.
        power: f64,
        /// `r`, below the peak.
        end_rate: f64,
    },
}

impl Schedule {
    /// A linear schedule whose warm-up is `ratio` of all steps, rounded up (Hugging Face's `warmup_ratio`), and which
    /// falls to 0.
    pub fn new(peak: f64, ratio: f64, total_steps: usize) -> Self {
        Self {
            peak,
            warmup_steps: (ratio * total_steps as f64).ceil() as usize,
            total_steps,
            decay: Decay::Linear { end: 0.0 },
        }
    }

    /// The linear schedule that falls to the share `end` of its peak.
    #[must_use]
    pub fn ending_at(self, end: f64) -> Self {
        let decay = Decay::Linear { end };
        Self { decay, ..self }
    }

    /// The learning rate of the step before which `done` steps were taken.
    pub fn learning_rate(&self, done: usize) -> f64 {
        if done < self.warmup_steps {
            return self.peak * (done as f64 / self.warmup_steps as f64);
        }
        let falling = self.total_steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let share = self.total_steps.saturating_sub(done) as f64 / falling;
        match self.decay {
            Decay::Linear { end } => self.peak * (end + (1.0 - end) * share),
            Decay::Cosine => {
                let progress = (done.min(self.total_steps).max(self.warmup_steps) - self.warmup_steps) as f64;
                let turned = libm::cos(std::f64::consts::PI * (progress / falling));
                self.peak * (0.5 * (1.0 + turned)).max(0.0)
            }
            Decay::Polynomial { power, end_rate } => {
                (self.peak - end_rate) * libm::pow(share, power) + end_rate
            }
        }
    }

    /// Where the way down ends, as a share of the peak.
    pub fn end(&self) -> f64 {
        match self.decay {
            Decay::Linear { end } => end,
            Decay::Cosine => 0.0,
            Decay::Polynomial { end_rate, .. } => end_rate / self.peak,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule) -> Vec<f64> {
        (0..11).map(|t| schedule.learning_rate(t)).collect()
    }

    /// Ten steps of which ⌈0.15 · 10⌉ = 2 warm up: 0, 1/2, then 8/8, 7/8, …, 1/8, and 0 beyond the end.
    #[test]
    fn rises_and_falls() {
        assert_eq!(
            rates(Schedule::new(8.0, 0.15, 10)),
            [0.0, 4.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
        );
    }

    /// The same with other ends: constant at 8, or from 8 to 4 in eight steps, half a unit each.
    #[test]
    fn falls_to_any_share() {
        let ending = |end| rates(Schedule::new(8.0, 0.15, 10).ending_at(end));
        assert_eq!(
            ending(1.0),
            [0.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0]
        );
        assert_eq!(
            ending(0.5),
            [0.0, 4.0, 8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0, 4.5, 4.0]
        );
    }

    /// A third, a half and two thirds of a half turn have the cosines 1/2, 0 and −1/2: of six steps without warm-up the
    /// rates 4 (1 + cos) are 8, …, 6, 4, 2, …. The square of what is left, from 8 to 4 in four steps: 4 (1 − s)² + 4.
    #[test]
    fn other_ways_down() {
        let start = Schedule::new(8.0, 0.0, 6);
        let cosine = Schedule {
            decay: Decay::Cosine,
            ..start
        };
        for (step, rate) in [(0, 8.0), (2, 6.0), (3, 4.0), (4, 2.0), (6, 0.0), (9, 0.0)] {
            let found = cosine.learning_rate(step);
            assert!((found - rate).abs() < 1e-14, "step {step}: {found}");
        }
        let (power, end_rate) = (2.0, 4.0);
        let square = Schedule {
            total_steps: 4,
            decay: Decay::Polynomial { power, end_rate },
            ..start
        };
        assert_eq!(
            [0, 1, 2, 3, 4, 9].map(|t| square.learning_rate(t)),
            [8.0, 6.25, 5.0, 4.25, 4.0, 4.0]
        );
        assert_eq!((square.end(), cosine.end()), (0.5, 0.0));
    }

    #[test]
    fn without_warm_up_the_first_step_has_the_peak() {
        let schedule = Schedule::new(1.0, 0.0, 4);
        assert_eq!(
            [0, 1, 2, 3].map(|t| schedule.learning_rate(t)),
            [1.0, 0.75, 0.5, 0.25]
        );
        assert_eq!(Schedule::new(1.0, 0.0, 0).learning_rate(0), 0.0);
    }
}
