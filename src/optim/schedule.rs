//! The linear schedule with warm-up, as Hugging Face's `get_linear_schedule_with_warmup`.
//!
//! ```text
//! lr(t) = peak · t / w                                for t < w        t: steps done before, from 0
//! lr(t) = peak · (e + (1 − e) (N − t) / (N − w))      for w ≤ t < N    N: all steps, w: warm-up steps
//! ```
//!
//! `e` is 0 for Hugging Face's `linear`, 1 for its `constant_with_warmup`, and with `w = 0` for `constant`.

/// A linear rise over the warm-up steps, then a linear fall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearSchedule {
    /// The highest learning rate.
    pub peak: f64,
    /// `w`.
    pub warmup_steps: usize,
    /// `N`.
    pub total_steps: usize,
    /// `e`: where the fall ends, as a share of the peak, in `[0, 1]`.
    pub end: f64,
}

impl LinearSchedule {
    /// A schedule whose warm-up is `ratio` of all steps, rounded up (Hugging Face's `warmup_ratio`), and which falls to 0.
    pub fn new(peak: f64, ratio: f64, total_steps: usize) -> Self {
        Self {
            peak,
            warmup_steps: (ratio * total_steps as f64).ceil() as usize,
            total_steps,
            end: 0.0,
        }
    }

    /// The schedule that falls to the share `end` of its peak.
    #[must_use]
    pub fn ending_at(self, end: f64) -> Self {
        Self { end, ..self }
    }

    /// The learning rate of the step before which `done` steps were taken.
    pub fn learning_rate(&self, done: usize) -> f64 {
        let factor = if done < self.warmup_steps {
            done as f64 / self.warmup_steps as f64
        } else {
            let left = self.total_steps.saturating_sub(done) as f64;
            let share = left / self.total_steps.saturating_sub(self.warmup_steps).max(1) as f64;
            self.end + (1.0 - self.end) * share
        };
        self.peak * factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten steps of which ⌈0.15 · 10⌉ = 2 warm up: 0, 1/2, then 8/8, 7/8, …, 1/8, and 0 beyond the end.
    #[test]
    fn rises_and_falls() {
        let schedule = LinearSchedule::new(8.0, 0.15, 10);
        let rates: Vec<f64> = (0..11).map(|t| schedule.learning_rate(t)).collect();
        assert_eq!(rates, [0.0, 4.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    }

    /// The same with other ends: constant at 8, or from 8 to 4 in eight steps, half a unit each.
    #[test]
    fn falls_to_any_share() {
        let schedule = LinearSchedule::new(8.0, 0.15, 10);
        let rates = |end| {
            (0..11)
                .map(|t| schedule.ending_at(end).learning_rate(t))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            rates(1.0),
            [0.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0]
        );
        assert_eq!(
            rates(0.5),
            [0.0, 4.0, 8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0, 4.5, 4.0]
        );
    }

    #[test]
    fn without_warm_up_the_first_step_has_the_peak() {
        let schedule = LinearSchedule::new(1.0, 0.0, 4);
        assert_eq!(
            [0, 1, 2, 3].map(|t| schedule.learning_rate(t)),
            [1.0, 0.75, 0.5, 0.25]
        );
        assert_eq!(LinearSchedule::new(1.0, 0.0, 0).learning_rate(0), 0.0);
    }
}
