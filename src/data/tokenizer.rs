//! Builds the tokenizer of a model folder: from `tokenizer.json`, or for BERT from `vocab.txt`.
//!
//! `tokenizer.json` says everything about itself and wins. `vocab.txt` is one token a line, the line number from 0 is
//! the id; what it does not say comes from `tokenizer_config.json`, and what that does not say is BERT's published
//! default: lower case, accents stripped with it, spaces around Chinese characters, `[UNK]`, `[CLS]`, `[SEP]`, `[PAD]`,
//! `[MASK]`, `WordPiece` with `##` and at most 100 characters a word.
//!
//! Source: Devlin et al. 2019, arXiv 1810.04805; Hugging Face transformers, `BertTokenizer`.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer, TruncationDirection};

use crate::embedded;
use crate::model::Family;

use super::error::{DataError, FileFault, LineFault};
use super::source::utf8;
use super::tsv;

/// A tokenizer and the files it came from.
pub(super) struct Loaded {
    pub(super) tokenizer: Tokenizer,
    /// Which end of a text too long is cut off.
    pub(super) side: TruncationDirection,
    /// The mask token's text.
    pub(super) mask: String,
    /// Names and bytes of the files that belong beside a saved model.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

/// The files of a tokenizer, the main one first.
const NAMES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];

/// The files of a tokenizer in memory.
pub(super) struct Files {
    /// Where they are, or are to be: what errors name.
    pub(super) dir: PathBuf,
    files: Vec<(String, Vec<u8>)>,
}

impl Files {
    /// Those of a folder.
    pub(super) fn read(dir: &Path) -> Result<Self, DataError> {
        let mut files = Vec::new();
        for name in NAMES {
            files.extend(read(dir, name)?.map(|bytes| (name.to_owned(), bytes)));
        }
        Ok(Self::new(dir, files))
    }

    pub(super) fn new(dir: &Path, files: Vec<(String, Vec<u8>)>) -> Self {
        let dir = dir.to_owned();
        Self { dir, files }
    }

    fn get(&self, name: &str) -> Option<&Vec<u8>> {
        let found = self.files.iter().find(|(known, _)| known == name);
        found.map(|(_, bytes)| bytes)
    }
}

/// Loads a tokenizer from its files.
pub(super) fn load(files: Files, family: Family) -> Result<Loaded, DataError> {
    let config = Config::read(&files)?;
    let (tokenizer, side) = match files.get("tokenizer.json") {
        Some(bytes) => {
            let (tokenizer, side) = from_json(&files.dir.join("tokenizer.json"), bytes)?;
            (tokenizer, config.truncation_side().unwrap_or(side))
        }
        None => (
            from_vocabulary(&files, family, &config)?,
            config.truncation_side().unwrap_or_default(),
        ),
    };
    Ok(Loaded {
        tokenizer,
        side,
        mask: config.token("mask_token", "[MASK]")?,
        files: files.files,
    })
}

/// A file's bytes, or `None` if it is not there.
fn read(dir: &Path, name: &str) -> Result<Option<Vec<u8>>, DataError> {
    let path = dir.join(name);
    match embedded::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataError::CannotRead {
            path,
            error,
            note: String::new(),
        }),
    }
}

fn unusable(path: &Path, reason: impl Into<String>) -> DataError {
    DataError::File {
        path: path.to_owned(),
        fault: FileFault::Tokenizer {
            reason: reason.into(),
        },
    }
}

/// A `tokenizer.json` without the truncation and padding that the file asks for; the side of its truncation is kept.
fn from_json(path: &Path, bytes: &[u8]) -> Result<(Tokenizer, TruncationDirection), DataError> {
    // Parsed once without meaning: the library panics on a file whose JSON is broken in the wrong place.
    serde_json::from_slice::<Value>(bytes).map_err(|error| unusable(path, error.to_string()))?;
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| unusable(path, error.to_string()))?;
    // Asked of what the library understood, written out again, for it reads a processor in several spellings.
    serde_json::to_value(tokenizer.get_post_processor())
        .map_err(|error| error.to_string())
        .and_then(|processor| check_templates(&processor))
        .map_err(|reason| unusable(path, reason))?;
    let side = tokenizer
        .get_truncation()
        .map_or(TruncationDirection::Right, |truncation| truncation.direction);
    tokenizer
        .with_truncation(None)
        .map_err(|error| unusable(path, error.to_string()))?;
    tokenizer.with_padding(None);
    Ok((tokenizer, side))
}

/// Refuses a post-processor template that names what is not there: the tokenizers library would panic on it while
/// encoding.
fn check_templates(processor: &Value) -> Result<(), String> {
    let list = |key: &str| processor[key].as_array().map_or(&[][..], Vec::as_slice);
    for inner in list("processors") {
        check_templates(inner)?;
    }
    if list("single").iter().any(|piece| piece["Sequence"]["id"] == "B") {
        return Err("the template for one text asks for a second".to_owned());
    }
    for piece in list("single").iter().chain(list("pair")) {
        if let Some(id) = piece["SpecialToken"]["id"].as_str()
            && processor["special_tokens"].get(id).is_none()
        {
            return Err(format!("its template uses `{id}`, which its special_tokens lack"));
        }
    }
    Ok(())
}

/// The `WordPiece` tokenizer of a `vocab.txt`.
fn from_vocabulary(files: &Files, family: Family, config: &Config) -> Result<Tokenizer, DataError> {
    let missing = |reason: &str| DataError::File {
        path: files.dir.clone(),
        fault: FileFault::NoTokenizer {
            reason: reason.to_owned(),
        },
    };
    if family == Family::Roberta {
        return Err(missing(
            "tokenizer.json is not there and RoBERTa needs it \
             (save_pretrained of a fast Hugging Face tokenizer writes it)",
        ));
    }
    let path = files.dir.join("vocab.txt");
    let bytes = files.get("vocab.txt").cloned();
    let bytes = bytes.ok_or_else(|| missing("neither tokenizer.json nor vocab.txt is there"))?;
    let vocabulary = vocabulary(&path, bytes)?;
    let special = Special::find(&path, &vocabulary, config)?;

    let model = WordPiece::builder()
        // The same map under the library's own hasher.
        .vocab(vocabulary.into_iter().collect::<HashMap<_, _, _>>())
        .unk_token(special.unknown)
        .continuing_subword_prefix("##".to_owned())
        .max_input_chars_per_word(100)
        .build();
    let mut tokenizer = Tokenizer::new(model.map_err(|error| unusable(&path, error.to_string()))?);
    let normalizer = BertNormalizer::new(
        true,
        config.flag("tokenize_chinese_chars")?.unwrap_or(true),
        config.flag("strip_accents")?,
        config.flag("do_lower_case")?.unwrap_or(true),
    );
    tokenizer
        .with_normalizer(Some(normalizer))
        .map_err(|error| unusable(&path, error.to_string()))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_post_processor(Some(BertProcessing::new(special.sep, special.cls)));
    tokenizer
        .add_special_tokens(special.all.into_iter().map(|token| AddedToken::from(token, true)))
        .map_err(|error| unusable(&path, error.to_string()))?;
    Ok(tokenizer)
}

/// The special tokens of a `vocab.txt`.
struct Special {
    unknown: String,
    /// With its id, as is `sep`.
    cls: (String, u32),
    sep: (String, u32),
    /// All that the vocabulary has, to be recognised in a text.
    all: Vec<String>,
}

impl Special {
    fn find(path: &Path, vocabulary: &HashMap<String, u32>, config: &Config) -> Result<Self, DataError> {
        let must = |key: &str, default: &str| {
            let token = config.token(key, default)?;
            match vocabulary.get(&token) {
                Some(&id) => Ok((token, id)),
                None => Err(unusable(path, format!("no token `{token}` ({key})"))),
            }
        };
        let (unknown, _) = must("unk_token", "[UNK]")?;
        let (cls, sep) = (must("cls_token", "[CLS]")?, must("sep_token", "[SEP]")?);
        let mut all = vec![unknown.clone(), cls.0.clone(), sep.0.clone()];
        // Not needed, so they may be absent; a text that spells them gets their ids, as from transformers.
        for (key, default) in [("pad_token", "[PAD]"), ("mask_token", "[MASK]")] {
            let token = config.token(key, default)?;
            all.extend(Some(token).filter(|token| vocabulary.contains_key(token)));
        }
        config.refuse_other_tokens(&all)?;
        Ok(Self {
            unknown,
            cls,
            sep,
            all,
        })
    }
}

/// Tokens and ids of a `vocab.txt`.
///
/// Only the line end is taken off: a token may be a blank of some alphabet.
fn vocabulary(path: &Path, bytes: Vec<u8>) -> Result<HashMap<String, u32>, DataError> {
    let text = utf8(path, bytes)?;
    if text.is_empty() {
        return Err(DataError::File {
            path: path.to_owned(),
            fault: FileFault::Empty,
        });
    }
    let mut vocabulary = HashMap::new();
    for (token, id) in tsv::lines(&text).zip(0_u32..) {
        if let Some(first) = vocabulary.insert(token.to_owned(), id) {
            return Err(DataError::Line {
                path: path.to_owned(),
                line: id as usize + 1,
                fault: LineFault::RepeatedToken {
                    token: token.to_owned(),
                    first: first as usize + 1,
                },
            });
        }
    }
    Ok(vocabulary)
}

/// `tokenizer_config.json`, or an empty object if there is none.
struct Config {
    path: PathBuf,
    json: Value,
}

impl Config {
    fn read(files: &Files) -> Result<Self, DataError> {
        let path = files.dir.join("tokenizer_config.json");
        let json = match files.get("tokenizer_config.json") {
            None => Value::Null,
            Some(bytes) => {
                serde_json::from_slice(bytes).map_err(|error| unusable(&path, error.to_string()))?
            }
        };
        Ok(Self { path, json })
    }

    /// `truncation_side`; anything but `left` and `right` counts as not said.
    fn truncation_side(&self) -> Option<TruncationDirection> {
        match self.json["truncation_side"].as_str() {
            Some("left") => Some(TruncationDirection::Left),
            Some("right") => Some(TruncationDirection::Right),
            _ => None,
        }
    }

    /// A truth value; `null` counts as not said.
    fn flag(&self, key: &str) -> Result<Option<bool>, DataError> {
        match &self.json[key] {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(*flag)),
            _ => Err(unusable(
                &self.path,
                format!("`{key}` is not true, false or null"),
            )),
        }
    }

    /// The text of a special token: a string, or an object with `content`.
    fn token(&self, key: &str, default: &str) -> Result<String, DataError> {
        let value = &self.json[key];
        let value = value.get("content").unwrap_or(value);
        match value {
            Value::Null => Ok(default.to_owned()),
            Value::String(token) => Ok(token.clone()),
            _ => Err(unusable(&self.path, format!("`{key}` is not text"))),
        }
    }

    /// Refuses added tokens that `vocab.txt` alone does not describe, rather than tokenize otherwise than transformers.
    fn refuse_other_tokens(&self, special: &[String]) -> Result<(), DataError> {
        let listed = self.json["additional_special_tokens"].as_array();
        let added = self.json["added_tokens_decoder"].as_object();
        let all = listed
            .into_iter()
            .flatten()
            .chain(added.into_iter().flat_map(serde_json::Map::values));
        for token in all {
            let text = token.get("content").unwrap_or(token);
            if let Some(text) = text.as_str()
                && !special.iter().any(|known| known == text)
            {
                let reason = format!("it adds the token `{text}`, which only a tokenizer.json can describe");
                return Err(unusable(&self.path, reason));
            }
        }
        Ok(())
    }
}
