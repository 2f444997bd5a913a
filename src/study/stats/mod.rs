//! Statistics of a study: what `n` runs of a condition reached, and how that differs from a control.
//!
//! * [`mod@summary`]: mean, standard deviation, median, quantiles.
//! * [`bootstrap`]: intervals for any statistic, percentile and `BCa`, from a seeded generator.
//! * [`level`]: does a condition reach higher values? Welch's t test and the Mann-Whitney U test.
//! * [`spread`]: does it vary less? The test of Brown and Forsythe.
//! * [`failures`]: do fewer runs fail? Fisher's exact test, Wilson's interval.
//! * [`effect`]: how large is the difference? Hedges' g, Cliff's delta, the ratio of deviations.
//! * [`mod@holm`]: many conditions, one family of tests.
//!
//! What is not defined (a deviation of one value, a test of samples without variance) is `None`, never a NaN.
//! Distribution functions are those of `statrs`. Its own tests are not used: its Fisher test calls tables equally
//! likely that differ by up to 1 part in 10⁴, and its Mann-Whitney test loses small p-values to `1 - cdf`.

pub mod bootstrap;
pub mod effect;
pub mod failures;
pub mod holm;
pub mod level;
mod normal;
pub mod spread;
pub mod summary;

pub use bootstrap::Interval;
pub use holm::holm;
pub use summary::{Summary, mean, quantile, sd, summary};
