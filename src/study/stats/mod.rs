//! Statistics of a study: what `n` runs of a condition reached, and how that differs from a control.
//!
//! * [`mod@summary`]: mean, standard deviation, median, quantiles.
//! * [`bootstrap`]: intervals for any statistic, percentile and `BCa`, from a seeded generator.
//! * [`level`]: does a condition reach higher values? Welch's t test and the Mann-Whitney U test.
//! * [`paired`]: does it with the same seeds? The paired t test and Wilcoxon's signed-rank test.
//! * [`spread`]: does it vary less? The test of Brown and Forsythe.
//! * [`failures`]: do fewer runs fail? Fisher's exact test, Wilson's interval.
//! * [`effect`]: how large is the difference? Hedges' g, Cliff's delta, the ratio of deviations.
//! * [`mod@holm`]: many conditions, one family of tests.
//!
//! What is not defined (a deviation of one value, a test of samples without variance) is `None`, never a NaN.
//! Everything here has the same bits on every machine: distribution functions come from `libm` and from `beta`, where a
//! crate of statistics would call the platform's logarithm.

mod beta;
pub mod bootstrap;
pub mod effect;
pub mod failures;
pub mod holm;
pub mod level;
mod normal;
pub mod paired;
pub mod spread;
pub mod summary;

pub use bootstrap::Interval;
pub use holm::holm;
pub use summary::{Summary, mean, quantile, sd, summary};
