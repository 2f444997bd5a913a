//! The oracle's commands: other people's clippers are judged here.
//!
//! One file a command ([`cases`], [`check`], [`identify`], [`explain`], [`expect`], [`pipe`], [`answer`]), and what they share:
//! [`args`] (the flags), [`input`] (from flags and files to questions), [`widening`] (input and output of different types), [`pairs`] (a folder
//! of pairs to identify), [`child`] (a program behind a pipe), and
//! [`records`] (which report is printed).
//!
//! Every command returns its exit code: 0 for a pass, 1 for a failure, 2 where nothing can be judged.

pub(super) mod answer;
pub(super) mod args;
pub(super) mod cases;
pub(super) mod check;
mod child;
pub(super) mod expect;
pub(super) mod explain;
pub(super) mod identify;
mod input;
mod pairs;
pub(super) mod pipe;
mod records;
mod widening;

pub(super) use input::{called, is_safetensors, separated};
pub(super) use records::number;
