//! The integration tests, in one binary.

#[cfg(feature = "checkpoint")]
mod adamw;
#[cfg(feature = "data")]
mod builtin;
#[cfg(feature = "data")]
mod carried;
#[cfg(feature = "checkpoint")]
mod checkpoint;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod clip_cli;
mod clip_edges;
#[cfg(feature = "checkpoint")]
mod clip_fixtures;
mod clip_histories;
mod clip_judge;
mod clip_law_table;
mod clip_laws;
mod clip_more_laws;
mod clip_stateful;
mod clip_stream;
mod clip_support;
mod contracts;
mod criterion;
mod cwgnc_published;
#[cfg(feature = "data")]
mod data;
#[cfg(feature = "data")]
mod data_errors;
#[cfg(feature = "data")]
mod data_guess;
#[cfg(feature = "data")]
mod data_props;
mod determinism;
#[cfg(feature = "data")]
mod encode;
#[cfg(feature = "data")]
mod encode_errors;
mod examination;
#[cfg(feature = "cli")]
mod golden;
mod gradcheck;
mod inference;
#[cfg(feature = "checkpoint")]
mod masked_lm;
#[cfg(feature = "data")]
mod metric;
#[cfg(feature = "checkpoint")]
mod mixed_types;
#[cfg(feature = "data")]
mod multi_label;
mod names;
#[cfg(feature = "cli")]
mod one_file;
#[cfg(feature = "cli")]
mod oracle_cli;
mod oracle_clip;
mod oracle_exact;
mod oracle_faults;
mod oracle_naive;
mod oracle_reasons;
mod oracle_sharp;
mod oracle_verdicts;
#[cfg(feature = "checkpoint")]
mod parity;
mod policy_pack;
mod products;
#[cfg(feature = "checkpoint")]
mod schedules;
mod scratch;
#[cfg(feature = "data")]
mod shared_data;
mod sharp_kernels;
mod stabilise;
#[cfg(feature = "proptest")]
mod strategies;
#[cfg(feature = "cli")]
mod study_plan;
#[cfg(feature = "cli")]
mod study_stats;
#[cfg(feature = "data")]
mod tagged;
mod tensorboard;
#[cfg(feature = "checkpoint")]
mod tensors;
mod threads;
mod tidy;
#[cfg(feature = "data")]
mod tokenizer_folders;
#[cfg(feature = "checkpoint")]
mod unfreeze_torch;
#[cfg(feature = "data")]
mod wordpiece;
mod wrong_clippers;
