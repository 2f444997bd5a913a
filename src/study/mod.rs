//! A study: the same fine-tuning many times, under several conditions and with many seeds.
//!
//! [`plan`] says which runs there are; [`presets`] are studies ready to be named; [`stats`] says what the results mean
//! together: summaries, intervals, tests and effect sizes. Nothing here trains, reads a file or knows a flag: settings are
//! names and values, as text.

pub mod plan;
pub mod presets;
pub mod stats;

pub use plan::{Part, PlannedRun, Settings, Shard, Study, StudyError, folder_name, parse_seeds};
