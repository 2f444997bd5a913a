//! Model folders: what is read, what is written, and the exact text of every refusal.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod config;
mod damage;
mod file;
mod folder;
mod load;
mod refuse;
mod save;
mod shards;
