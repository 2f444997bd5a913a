//! Builds the tokenizers of transformers' `BertTokenizer` and `RobertaTokenizer`.
//!
//! Both take from a `tokenizer.json` its vocabulary (and merges) and the side of its truncation, and build all else from
//! the settings and their own defaults; without one they read `vocab.txt`, or `vocab.json` and `merges.txt`.

use std::collections::HashMap;

use serde_json::Value;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{ModelWrapper, Tokenizer};

use crate::data::error::{DataError, FileFault, LineFault};
use crate::data::source::utf8;
use crate::data::tsv;

use super::report::TokenizerSetting;
use super::settings::{JSON, Settings};
use super::token::Tokens;
use super::{DEFAULT, Files};

const VOCABULARY: &str = "vocab.txt";
const BPE_VOCABULARY: &str = "vocab.json";
const MERGES: &str = "merges.txt";

/// A tokenizer, its settings, and the file of its vocabulary.
pub(super) struct Built {
    pub(super) tokenizer: Tokenizer,
    pub(super) settings: Vec<TokenizerSetting>,
    pub(super) source: &'static str,
}

/// The `WordPiece` tokenizer of BERT.
pub(super) fn bert(
    files: &Files,
    settings: &Settings,
    json: Option<&Value>,
    tokens: &Tokens,
) -> Result<Built, DataError> {
    let (vocabulary, source) = match json {
        Some(json) => (json_vocabulary(settings, json, "WordPiece")?, JSON),
        None => (lines(files, settings)?, VOCABULARY),
    };
    let unknown = tokens.must(settings, "unk_token")?;
    for role in ["unk_token", "cls_token", "sep_token"] {
        let token = tokens.must(settings, role)?;
        // An unknown word is looked up in the vocabulary alone.
        let listed = role != "unk_token" && tokens.lists(&token);
        if !vocabulary.contains_key(&token) && !listed {
            return Err(settings.unusable(source, format!("no token `{token}` ({role})")));
        }
    }
    let model = WordPiece::builder()
        // The same map under the library's own hasher.
        .vocab(vocabulary.into_iter().collect::<HashMap<_, _, _>>())
        .unk_token(unknown)
        .continuing_subword_prefix("##".to_owned())
        .max_input_chars_per_word(100)
        .build();
    let mut said = Vec::new();
    let mut flag = |key: &str, default: Option<bool>| -> Result<Option<bool>, DataError> {
        let (value, source) = match settings.flag(key)? {
            Some((value, source)) => (Some(value), source),
            None => (default, DEFAULT),
        };
        let shown = value.map_or("as do_lower_case".to_owned(), |value| value.to_string());
        said.push(TokenizerSetting::new(key, shown, source));
        Ok(value)
    };
    let lower = flag("do_lower_case", Some(true))? == Some(true);
    let strip = flag("strip_accents", None)?;
    let chinese = flag("tokenize_chinese_chars", Some(true))? == Some(true);
    let built = model.map_err(|error| error.to_string()).and_then(|model| {
        let mut tokenizer = Tokenizer::new(model);
        let normalizer = BertNormalizer::new(true, chinese, strip, lower);
        tokenizer
            .with_normalizer(Some(normalizer))
            .map_err(|error| error.to_string())?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        Ok(tokenizer)
    });
    Ok(Built {
        tokenizer: built.map_err(|reason| settings.unusable(source, reason))?,
        settings: said,
        source,
    })
}

/// The byte-level BPE tokenizer of `RoBERTa`.
pub(super) fn roberta(
    files: &Files,
    settings: &Settings,
    json: Option<&Value>,
    tokens: &Tokens,
) -> Result<Built, DataError> {
    let (vocabulary, merges, source) = if let Some(json) = json {
        let merges = json["model"]["merges"].as_array().map_or(&[][..], Vec::as_slice);
        let merges: Option<Vec<_>> = merges.iter().map(json_merge).collect();
        let merges =
            merges.ok_or_else(|| settings.unusable(JSON, "model.merges does not hold pairs of pieces"))?;
        (json_vocabulary(settings, json, "BPE")?, merges, JSON)
    } else {
        let vocabulary = match settings.parse(files, BPE_VOCABULARY)? {
            Some(json) => numbers(settings, BPE_VOCABULARY, &json)?,
            None => return Err(missing(files, "neither tokenizer.json nor vocab.json is there")),
        };
        (vocabulary, merge_lines(files, settings)?, BPE_VOCABULARY)
    };
    for role in ["cls_token", "sep_token"] {
        let token = tokens.must(settings, role)?;
        if !vocabulary.contains_key(&token) && !tokens.lists(&token) {
            return Err(settings.unusable(source, format!("no token `{token}` ({role})")));
        }
    }
    let model = BPE::builder()
        .vocab_and_merges(vocabulary.into_iter().collect::<HashMap<_, _, _>>(), merges)
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(String::new())
        .build();
    let model = model.map_err(|error| settings.unusable(source, error.to_string()))?;
    let (prefix, said) = settings.flag("add_prefix_space")?.unwrap_or((false, DEFAULT));
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(prefix)));
    Ok(Built {
        tokenizer,
        settings: vec![TokenizerSetting::new("add_prefix_space", prefix, said)],
        source,
    })
}

/// Puts the class's special tokens around texts; they have their ids by now.
pub(super) fn frame(settings: &Settings, built: &mut Built, tokens: &Tokens) -> Result<(), DataError> {
    let special = |role: &str| -> Result<(String, u32), DataError> {
        let text = tokens.must(settings, role)?;
        let id = built.tokenizer.token_to_id(&text);
        let none = || settings.unusable(built.source, format!("no token `{text}` ({role})"));
        id.ok_or_else(none).map(|id| (text.clone(), id))
    };
    let (sep, cls) = (special("sep_token")?, special("cls_token")?);
    if matches!(built.tokenizer.get_model(), ModelWrapper::BPE(_)) {
        built
            .tokenizer
            .with_post_processor(Some(RobertaProcessing::new(sep, cls)));
    } else {
        built
            .tokenizer
            .with_post_processor(Some(BertProcessing::new(sep, cls)));
    }
    Ok(())
}

/// The folder has no tokenizer.
pub(super) fn missing(files: &Files, reason: &str) -> DataError {
    DataError::File {
        path: files.dir.clone(),
        fault: FileFault::NoTokenizer {
            reason: reason.to_owned(),
        },
    }
}

/// The vocabulary of a `tokenizer.json` whose model is of this kind.
fn json_vocabulary(settings: &Settings, json: &Value, kind: &str) -> Result<HashMap<String, u32>, DataError> {
    let model = &json["model"];
    // Old files do not name the kind of their model.
    let old = |kind| {
        if model.get("merges").is_some() {
            kind == "BPE"
        } else {
            kind == "WordPiece"
        }
    };
    let fits = model["type"]
        .as_str()
        .map_or_else(|| old(kind), |found| found == kind);
    if !fits {
        let found = model["type"].as_str().unwrap_or("other");
        let reason = format!(
            "its model is of type {found}, and the tokenizer class takes {kind}; if the file describes the whole \
             tokenizer, write \"tokenizer_class\": \"PreTrainedTokenizerFast\" into tokenizer_config.json"
        );
        return Err(settings.unusable(JSON, reason));
    }
    numbers(settings, JSON, &model["vocab"])
}

/// Tokens and their ids.
fn numbers(
    settings: &Settings,
    source: &'static str,
    json: &Value,
) -> Result<HashMap<String, u32>, DataError> {
    let map = settings.object(source, "the vocabulary", json)?;
    let number = |(token, id): (&String, &Value)| {
        // The library counts on from the largest.
        let id = id.as_u64().filter(|&id| id < 1 << 31).map(|id| id as u32);
        let wrong = || {
            settings.unusable(
                source,
                format!("the id of `{token}` is not a whole number below 2^31"),
            )
        };
        id.ok_or_else(wrong).map(|id| (token.clone(), id))
    };
    map.iter().map(number).collect()
}

fn json_merge(merge: &Value) -> Option<(String, String)> {
    let (a, b) = match merge {
        Value::String(text) => text.split_once(' ')?,
        _ => match merge.as_array()?.as_slice() {
            [a, b] => (a.as_str()?, b.as_str()?),
            _ => return None,
        },
    };
    Some((a.to_owned(), b.to_owned()))
}

/// Two pieces a line, after a line with the version.
fn merge_lines(files: &Files, settings: &Settings) -> Result<Vec<(String, String)>, DataError> {
    let bytes = files.get(MERGES).cloned();
    let bytes = bytes.ok_or_else(|| missing(files, "vocab.json is there, and merges.txt is not"))?;
    let text = utf8(&settings.path(MERGES), bytes)?;
    let merges = tsv::lines(&text)
        .enumerate()
        .filter(|(_, line)| !line.starts_with("#version"));
    merges
        .map(|(index, line)| match line.split_once(' ') {
            Some((a, b)) if !b.contains(' ') => Ok((a.to_owned(), b.to_owned())),
            _ => Err(settings.unusable(
                MERGES,
                format!("line {} is not two pieces with a space between", index + 1),
            )),
        })
        .collect()
}

/// Tokens and ids of a `vocab.txt`: one token a line, the line number from 0 is the id.
///
/// White space at a line's end is no part of the token, as in the tokenizers library.
fn lines(files: &Files, settings: &Settings) -> Result<HashMap<String, u32>, DataError> {
    let path = settings.path(VOCABULARY);
    let bytes = files.get(VOCABULARY).cloned();
    let bytes = bytes.ok_or_else(|| missing(files, "neither tokenizer.json nor vocab.txt is there"))?;
    let text = utf8(&path, bytes)?;
    if text.is_empty() {
        return Err(DataError::File {
            path,
            fault: FileFault::Empty,
        });
    }
    let mut seen = HashMap::new();
    let mut vocabulary = HashMap::new();
    for (token, id) in tsv::lines(&text).zip(0_u32..) {
        if let Some(first) = seen.insert(token, id) {
            return Err(DataError::Line {
                path,
                line: id as usize + 1,
                fault: LineFault::RepeatedToken {
                    token: token.to_owned(),
                    first: first as usize + 1,
                },
            });
        }
        vocabulary.insert(token.trim_end().to_owned(), id);
    }
    Ok(vocabulary)
}
