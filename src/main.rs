//! The command `cwgnc`.
fn main() {}
