//! The token ids of texts, as the tokenizer of a model folder gives them: a JSON object a line on standard input
//! (`{"a": TEXT, "b": TEXT or null, "max": LENGTH}`), ids and token types a line on standard output.
//!
//! ```console
//! echo '{"a": "Hello world", "b": null, "max": 128}' | cargo run --example token_ids -- MODEL_FOLDER
//! ```
//!
//! `fixtures/make/tokenizer_folders.py` compares these with transformers. What was understood of the folder's files goes to
//! standard error; with a second argument, the tokenizer's files are written into that folder, as beside a saved model.

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;

use cwgnc::checkpoint::read_config;
use cwgnc::data::TextEncoder;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("usage: token_ids MODEL_FOLDER [COPY_TO]")?;
    let folder = Path::new(&folder);
    let encoder = TextEncoder::from_folder(folder, &read_config(folder)?.config)?;
    writeln!(std::io::stderr(), "{}", encoder.report())?;
    for line in stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let max = case["max"].as_u64().ok_or("max is not a number")? as usize;
        let encoding = encoder.encode(
            case["a"].as_str().ok_or("a is not text")?,
            case["b"].as_str(),
            max,
        )?;
        let out = json!({"ids": encoding.ids, "types": encoding.token_types});
        writeln!(stdout(), "{out}")?;
    }
    if let Some(copy) = arguments.next() {
        for (name, bytes) in encoder.files() {
            std::fs::write(Path::new(&copy).join(name), bytes)?;
        }
    }
    Ok(())
}
