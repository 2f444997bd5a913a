//! What a tokenizer's report says of its tokens, and what files say that the class does not use.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json, to_value};
use tokenizers::{Encoding, PostProcessor, Tokenizer};

use crate::data::error::DataError;

use super::check::{check_templates, guarded, part};
use super::class::Kind;
use super::report::{TokenizerReport, TokenizerSetting};
use super::settings::{ADDED, CONFIG, JSON, MAP, Settings};
use super::token::{Token, Tokens};
use super::{DEFAULT, Files};

/// Whether the model is given token types: `model_input_names`, else as the class does.
pub(super) fn token_types(settings: &Settings, class: bool) -> Result<(bool, &'static str), DataError> {
    match settings.get("model_input_names") {
        None | Some((Value::Null, _)) => Ok((class, DEFAULT)),
        Some((Value::Array(names), source)) => {
            Ok((names.iter().any(|name| name == "token_type_ids"), source))
        }
        Some((_, source)) => Err(settings.unusable(source, "`model_input_names` is not a list")),
    }
}

/// Adds vocabulary and tokens to a report.
pub(super) fn describe(
    report: &mut TokenizerReport,
    tokens: &Tokens,
    tokenizer: &Tokenizer,
    source: &'static str,
) {
    let size = tokenizer.get_vocab_size(false);
    let vocabulary = TokenizerSetting::new("vocabulary", format!("{size} tokens"), source);
    report.settings.insert(0, vocabulary);
    for named in &tokens.named {
        let text = named.token.as_ref().map_or("none", Token::content);
        report
            .settings
            .push(TokenizerSetting::new(&named.role, text, named.source));
    }
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let added = tokens.added.values().chain(&tokens.extra);
    let mut seen: Vec<&str> = tokens
        .named
        .iter()
        .filter_map(|named| Some(named.token.as_ref()?.content()))
        .collect();
    for (token, source) in added {
        if !seen.contains(&token.content()) {
            seen.push(token.content());
            *counts.entry(source).or_default() += 1;
        }
    }
    for (source, count) in counts {
        report
            .settings
            .push(TokenizerSetting::new("added tokens", count, source));
    }
}

/// Settings that the class does not look at, where they ask for something unusual.
pub(super) fn unused(settings: &Settings, kind: Kind, class: &str) -> Vec<String> {
    let mut remarks = Vec::new();
    for key in kind.unused() {
        let Some((value, source)) = settings.get(key) else {
            continue;
        };
        let usual = match *key {
            "do_basic_tokenize" => *value == json!(true),
            "never_split" => *value == json!([]),
            "add_prefix_space" => *value == json!(false),
            _ => false,
        };
        if !usual && !value.is_null() {
            remarks.push(format!("{class} does not use {key}: {value} of {source}"));
        }
    }
    remarks
}

/// Tokens of the other files, which do not count where `tokenizer_config.json` lists the added tokens.
pub(super) fn unlisted(
    settings: &Settings,
    files: &Files,
    kind: Kind,
    tokens: &Tokens,
    json: Option<&Value>,
    added: Option<&Value>,
) -> Vec<String> {
    let mut remarks = Vec::new();
    if settings.get("added_tokens_decoder").is_none() {
        return remarks;
    }
    let because = format!("is not used, as {CONFIG} lists the added tokens (added_tokens_decoder)");
    let of_added = added.and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let of_added = of_added.map(|text| (text.as_str(), ADDED));
    let of_json = json
        .filter(|_| kind != Kind::File)
        .and_then(|json| json["added_tokens"].as_array());
    let of_json = of_json
        .into_iter()
        .flatten()
        .filter_map(|token| Some((token["content"].as_str()?, JSON)));
    for (text, name) in of_added.chain(of_json) {
        if !tokens.lists(text) {
            remarks.push(format!("the added token `{text}` of {name} {because}"));
        }
    }
    if let Ok(Some(map)) = settings.parse(files, MAP) {
        for named in &tokens.named {
            let said = map
                .get(&named.role)
                .map(|said| said.get("content").unwrap_or(said));
            let used = named.token.as_ref().map(Token::content);
            if said.is_some_and(|said| said.as_str() != used) {
                remarks.push(format!("{} of {MAP} {because}", named.role));
            }
        }
    }
    remarks
}

/// Parts of a `tokenizer.json`, as the library reads it, that the class replaces or leaves out.
pub(super) fn of_file(
    kind: Kind,
    class: &str,
    json: &Value,
    parsed: &Tokenizer,
    built: &Tokenizer,
    types: bool,
) -> Result<Vec<String>, String> {
    let mut remarks = Vec::new();
    let ours = frame(built)?;
    if kind == Kind::File {
        if !types && ours.1.iter().any(|&given| given != 0) {
            remarks.push(format!(
                "the token types of {JSON} are not used, as {class} gives none (list token_type_ids in \
                 model_input_names of {CONFIG} to use them)"
            ));
        }
        return Ok(remarks);
    }
    let mut differs = |name: &str, theirs: &Value, ours: &Value| {
        if ours.is_null() && !theirs.is_null() {
            remarks.push(format!("{class} has no {name}, and {JSON} has one"));
        }
        for (key, ours) in ours.as_object().into_iter().flatten() {
            let theirs = &theirs[key];
            let same = theirs == ours || [theirs, ours].iter().all(|value| value.is_null() || *value == "");
            if !same && key != "trim_offsets" {
                let theirs: String = theirs.to_string().chars().take(40).collect();
                remarks.push(format!(
                    "{class} makes its own {name}, with {key}: {ours} where {JSON} says {theirs}"
                ));
            }
        }
    };
    differs(
        "normalizer",
        &part(to_value(parsed.get_normalizer()))?,
        &part(to_value(built.get_normalizer()))?,
    );
    differs(
        "pre-tokenizer",
        &part(to_value(parsed.get_pre_tokenizer()))?,
        &part(to_value(built.get_pre_tokenizer()))?,
    );
    differs("model", &json["model"], &model(built));
    let theirs =
        part(to_value(parsed.get_post_processor())).and_then(|processor| check_templates(&processor));
    if theirs.and_then(|()| frame(parsed)).ok() != Some(ours) {
        remarks.push(format!(
            "{class} puts its own special tokens around a text, not those of {JSON}"
        ));
    }
    Ok(remarks)
}

/// The settings of a model, as the library writes them.
fn model(tokenizer: &Tokenizer) -> Value {
    use tokenizers::ModelWrapper as Model;
    match tokenizer.get_model() {
        Model::BPE(bpe) => json!({
            "dropout": bpe.dropout, "unk_token": bpe.unk_token, "fuse_unk": bpe.fuse_unk,
            "byte_fallback": bpe.byte_fallback, "ignore_merges": bpe.ignore_merges,
            "continuing_subword_prefix": bpe.continuing_subword_prefix, "end_of_word_suffix": bpe.end_of_word_suffix,
        }),
        Model::WordPiece(pieces) => json!({
            "unk_token": pieces.unk_token, "continuing_subword_prefix": pieces.continuing_subword_prefix,
            "max_input_chars_per_word": pieces.max_input_chars_per_word,
        }),
        _ => Value::Null,
    }
}

/// Ids and types of two empty texts with the special tokens around them.
fn frame(tokenizer: &Tokenizer) -> Result<(Vec<u32>, Vec<u32>), String> {
    let Some(processor) = tokenizer.get_post_processor() else {
        return Ok((Vec::new(), Vec::new()));
    };
    let empty = || Encoding::default();
    let joined = guarded(|| processor.process(empty(), Some(empty()), true))?;
    Ok((joined.get_ids().to_vec(), joined.get_type_ids().to_vec()))
}
