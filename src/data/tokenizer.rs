//! Builds the tokenizer of a model folder as transformers 5 does: docs/tokenizers.md says what is read from where.

mod build;
mod check;
mod class;
mod remark;
mod report;
mod settings;
mod token;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::{Model, Tokenizer, TruncationDirection};

use crate::embedded;
use crate::model::Family;

use super::error::{DataError, FileFault};
use build::Built;
use class::Kind;
use settings::{ADDED, CONFIG, JSON, MODEL, Settings};
use token::{Token, Tokens};

pub(super) use check::guarded;
pub use report::{TokenizerReport, TokenizerSetting};

/// The source of what no file says.
const DEFAULT: &str = "default";

/// A tokenizer and the files it came from.
pub(super) struct Loaded {
    pub(super) tokenizer: Tokenizer,
    /// Which end of a text too long is cut off.
    pub(super) side: TruncationDirection,
    /// Whether the model is given the token types.
    pub(super) types: bool,
    /// The mask token's text, and the padding token's.
    pub(super) mask: Option<String>,
    pub(super) pad: Option<String>,
    /// Ids of special tokens that have a role and that neither the vocabulary nor a list of tokens has: the model need not
    /// have rows for them until a text spells them.
    pub(super) unlisted: Vec<u32>,
    pub(super) report: TokenizerReport,
    /// Names and bytes of the files that belong beside a saved model.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

/// The files of a tokenizer, the main one first.
const NAMES: [&str; 7] = [
    JSON,
    CONFIG,
    "special_tokens_map.json",
    ADDED,
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];

/// The files of a tokenizer in memory.
pub(super) struct Files {
    /// Where they are, or are to be: what errors name.
    pub(super) dir: PathBuf,
    all: Vec<(String, Vec<u8>)>,
    /// `tokenizer_class` of the folder's `config.json`.
    model_class: Option<Value>,
}

impl Files {
    /// Those of a folder.
    pub(super) fn read(dir: &Path) -> Result<Self, DataError> {
        let mut files = Vec::new();
        for name in NAMES {
            files.extend(read(dir, name)?.map(|bytes| (name.to_owned(), bytes)));
        }
        let mut files = Self::new(dir, files);
        if let Some(bytes) = read(dir, MODEL)? {
            let model: Value = serde_json::from_slice(&bytes)
                .map_err(|error| unusable(&dir.join(MODEL), error.to_string()))?;
            files.model_class = model
                .get("tokenizer_class")
                .filter(|class| !class.is_null())
                .cloned();
        }
        Ok(files)
    }

    pub(super) fn new(dir: &Path, files: Vec<(String, Vec<u8>)>) -> Self {
        Self {
            dir: dir.to_owned(),
            all: files,
            model_class: None,
        }
    }

    fn get(&self, name: &str) -> Option<&Vec<u8>> {
        let found = self.all.iter().find(|(known, _)| known == name);
        found.map(|(_, bytes)| bytes)
    }
}

/// Loads a tokenizer from its files.
pub(super) fn load(files: Files, family: Family) -> Result<Loaded, DataError> {
    let said = Said::read(&files, family)?;
    let Said { settings, tokens, .. } = &said;
    let mut built = said.build(&files)?;
    let listed = built.tokenizer.get_added_tokens_decoder();
    tokens.add_to(settings, &mut built.tokenizer)?;
    let named = tokens.named.iter().filter_map(|named| named.token.as_ref());
    let named = named.map(Token::content);
    let unlisted = named.filter(|&text| {
        let known = listed.values().any(|listed| listed.content == text) || tokens.lists(text);
        !known && built.tokenizer.get_model().token_to_id(text).is_none()
    });
    let unlisted = unlisted
        .filter_map(|text| built.tokenizer.token_to_id(text))
        .collect();
    if said.kind == Kind::File {
        check::check_parts(&built.tokenizer).map_err(|reason| said.in_json(reason))?;
        let removed = built.tokenizer.with_truncation(None);
        removed.map_err(|error| said.in_json(error.to_string()))?;
        built.tokenizer.with_padding(None);
    } else {
        build::frame(settings, &mut built, tokens)?;
    }
    let split = settings.flag("split_special_tokens")?;
    let (split, split_source) = split.unwrap_or((false, DEFAULT));
    built.tokenizer.set_encode_special_tokens(split);
    let (side, side_source) = said.side()?;
    let (types, types_source) = remark::token_types(settings, said.types)?;
    let mut report = said.report(&files, &mut built, types)?;
    let mut say = |name: &str, value: &str, source| {
        report.settings.push(TokenizerSetting::new(name, value, source));
    };
    if split {
        say("split_special_tokens", "true", split_source);
    }
    say("truncation_side", side.as_ref(), side_source);
    say("token types", if types { "given" } else { "all 0" }, types_source);
    Ok(Loaded {
        tokenizer: built.tokenizer,
        side,
        types,
        mask: tokens.role("mask_token").map(str::to_owned),
        pad: tokens.role("pad_token").map(str::to_owned),
        unlisted,
        report,
        files: files.all,
    })
}

/// What the files say, before a tokenizer is built of it.
struct Said {
    settings: Settings,
    class: TokenizerSetting,
    kind: Kind,
    /// Whether the class gives token types.
    types: bool,
    /// `tokenizer.json` and `added_tokens.json`.
    json: Option<Value>,
    added: Option<Value>,
    tokens: Tokens,
    /// What the library makes of `tokenizer.json`; of its vocabulary only if the class takes it from there.
    parsed: Option<Tokenizer>,
}

impl Said {
    fn read(files: &Files, family: Family) -> Result<Self, DataError> {
        let settings = Settings::read(files)?;
        let ((_, kind, types), class) = class::find(&settings, files, family)?;
        let json = settings.parse(files, JSON)?;
        let added = settings.parse(files, ADDED)?;
        let tokens = Tokens::read(&settings, json.as_ref(), added.as_ref(), kind.roles())?;
        let parsed = json.as_ref().zip(files.get(JSON)).map(|(json, bytes)| {
            check::check_file(json)?;
            if kind == Kind::File {
                parse(bytes)
            } else {
                without_vocabulary(json)
            }
        });
        let parsed = parsed
            .transpose()
            .map_err(|reason| settings.unusable(JSON, reason))?;
        Ok(Self {
            settings,
            class,
            kind,
            types,
            json,
            added,
            tokens,
            parsed,
        })
    }

    fn in_json(&self, reason: String) -> DataError {
        self.settings.unusable(JSON, reason)
    }

    /// The tokenizer without the special tokens that its class adds.
    fn build(&self, files: &Files) -> Result<Built, DataError> {
        let json = self.json.as_ref();
        match (self.kind, &self.parsed) {
            (Kind::Bert, _) => build::bert(files, &self.settings, json, &self.tokens),
            (Kind::Roberta, _) => build::roberta(files, &self.settings, json, &self.tokens),
            (Kind::File, Some(parsed)) => Ok(Built {
                tokenizer: parsed.clone(),
                settings: Vec::new(),
                source: JSON,
            }),
            (Kind::File, None) => {
                let class = &self.class.value;
                let reason = format!("tokenizer.json is not there, and {class} reads nothing else");
                Err(build::missing(files, &reason))
            }
        }
    }

    /// Which end of a text too long is cut off, and the file that says so.
    fn side(&self) -> Result<(TruncationDirection, &'static str), DataError> {
        let truncation = self.parsed.as_ref().and_then(|parsed| parsed.get_truncation());
        let of_file = truncation.map(|truncation| (truncation.direction, JSON));
        let said = self.settings.truncation_side()?;
        Ok(said.or(of_file).unwrap_or((TruncationDirection::Right, DEFAULT)))
    }

    fn report(&self, files: &Files, built: &mut Built, types: bool) -> Result<TokenizerReport, DataError> {
        let class = &self.class.value;
        let mut remarks = remark::unused(&self.settings, self.kind, class);
        let (json, added) = (self.json.as_ref(), self.added.as_ref());
        remarks.extend(remark::unlisted(
            &self.settings,
            files,
            self.kind,
            &self.tokens,
            json,
            added,
        ));
        if let (Some(json), Some(parsed)) = (json, &self.parsed) {
            let unused = remark::of_file(self.kind, class, json, parsed, &built.tokenizer, types);
            remarks.extend(unused.map_err(|reason| self.in_json(reason))?);
        }
        let mut report = TokenizerReport {
            class: self.class.clone(),
            settings: std::mem::take(&mut built.settings),
            remarks,
        };
        remark::describe(&mut report, &self.tokens, &built.tokenizer, built.source);
        Ok(report)
    }
}

/// A `tokenizer.json` read by the library.
fn parse(bytes: &[u8]) -> Result<Tokenizer, String> {
    guarded(|| Tokenizer::from_bytes(bytes))
}

/// A `tokenizer.json` read by the library without its vocabulary and its added tokens.
fn without_vocabulary(json: &Value) -> Result<Tokenizer, String> {
    let object = json.as_object().ok_or("the file is not a JSON object")?;
    let mut rest = Map::new();
    for (key, value) in object.iter().filter(|(key, _)| *key != "added_tokens") {
        let value = match value.as_object().filter(|_| key == "model") {
            None => value.clone(),
            Some(model) => {
                let empty = |(key, value): (&String, &Value)| {
                    let value = match (key.as_str(), value) {
                        ("vocab", Value::Object(_)) => Value::Object(Map::new()),
                        ("merges", _) => Value::Array(Vec::new()),
                        _ => value.clone(),
                    };
                    (key.clone(), value)
                };
                Value::Object(model.iter().map(empty).collect())
            }
        };
        rest.insert(key.clone(), value);
    }
    parse(&serde_json::to_vec(&rest).map_err(|error| error.to_string())?)
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
