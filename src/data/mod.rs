//! Text in: GLUE tasks, users' own files, tokens and metrics.
//!
//! The way of a sentence: a file ([`read_glue`], [`read_user_train`], [`read_user`]) gives a [`Dataset`] of
//! [`Example`]s; a [`TextEncoder`] turns each into token ids; [`evaluate`] scores what the model made of them.
//! Plain text comes as paragraphs ([`read_paragraphs`]), and from it a vocabulary can be trained ([`train_wordpiece`]).
//! Every refusal is a [`DataError`] that names the file and, where there is one, the line.
//!
//! Nothing here knows a model's parameters, a batch or a random number.

mod columns;
mod csv;
mod encode;
mod error;
mod glue;
mod infer;
mod input;
mod jsonl;
mod label;
mod majority;
mod message;
mod metric;
mod read;
mod source;
mod table;
mod tagged;
mod task;
mod text;
mod tokenizer;
mod tsv;
mod user;
mod wordpiece;
mod words;

pub use columns::FoundColumns;
pub use csv::csv_line;
pub use encode::{Encoding, TextEncoder};
pub use error::{DataError, FileFault, LengthFault, LineFault, ScoreFault};
pub use glue::{read_glue, read_glue_test};
pub use input::{Carried, FileKind, UserFile};
pub use label::LabelSpace;
pub use majority::{majority, majority_tag};
pub use metric::{
    Confusion, Metric, Predictions, Tally, entity_tallies, evaluate, evaluate_each, label_tallies,
};
pub use read::{Dataset, Example, Labels};
pub(crate) use task::nearest_of;
pub use task::{Columns, DevFile, Incomplete, Outcome, TASKS, Task, TaskLabel, TestFile};
pub use text::{is_held_out, pack_lines, read_paragraphs};
pub use tokenizer::{TokenizerReport, TokenizerSetting};
pub use tsv::tsv_line;
pub use user::{TextColumns, UserColumns, read_user, read_user_train};
pub use wordpiece::{
    SPECIAL_TOKENS, VocabularyFault, WordPieceSettings, count_words, train_wordpiece, wordpiece_files,
};
