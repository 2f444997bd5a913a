//! Special and added tokens: which a folder asks for, where, and in which order they get their ids.
//!
//! ```text
//! added   ← added_tokens_decoder of tokenizer_config.json, if it has that key; else, later ones over earlier,
//!           added_tokens.json, then added_tokens of tokenizer.json
//! named   ← bos, eos, unk, sep, pad, cls, mask, then keys of the folder's own that end in `_token`
//! extra   ← extra_special_tokens, or additional_special_tokens
//! the tokenizer gets: added by their ids, then named, then extra; one that the vocabulary has keeps its id, another gets
//! the next
//! ```
//!
//! Source: Hugging Face transformers 5.24, `PreTrainedTokenizerBase._from_pretrained`, `TokenizersBackend.__init__`.

use std::collections::BTreeMap;

use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

use super::settings::{ADDED, CONFIG, JSON, MAP, Settings};
use crate::data::error::DataError;

/// A token as a file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    token: AddedToken,
    /// Whether it is found in the normalized text; not said: if it is not special.
    normalized: Option<bool>,
}

impl Token {
    /// A special token of which only the text is known.
    fn named(content: &str) -> Self {
        Self {
            token: AddedToken::from(content, true),
            normalized: None,
        }
    }

    /// Text, or an object with `content`; the reason why it is neither.
    fn parse(value: &Value) -> Result<Self, String> {
        if let Some(content) = value.as_str() {
            return Ok(Self::named(content));
        }
        let content = value["content"].as_str().ok_or("is not text")?;
        let flag = |key: &str| match &value[key] {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(*flag)),
            _ => Err(format!("has a `{key}` that is not true, false or null")),
        };
        let said = |key: &str| flag(key).map(|flag| flag.unwrap_or(false));
        let token = AddedToken::from(content, said("special")?)
            .lstrip(said("lstrip")?)
            .rstrip(said("rstrip")?)
            .single_word(said("single_word")?);
        Ok(Self {
            token,
            normalized: flag("normalized")?,
        })
    }

    /// Its text.
    pub(super) fn content(&self) -> &str {
        &self.token.content
    }

    fn library(&self) -> AddedToken {
        let normalized = self.normalized.unwrap_or(!self.token.special);
        self.token.clone().normalized(normalized)
    }
}

/// A token with a role, `None` if the folder says that it has none.
pub(super) struct Named {
    pub(super) role: String,
    pub(super) token: Option<Token>,
    pub(super) source: &'static str,
}

/// All tokens of a folder beside its vocabulary.
pub(super) struct Tokens {
    pub(super) added: BTreeMap<u32, (Token, &'static str)>,
    pub(super) named: Vec<Named>,
    pub(super) extra: Vec<(Token, &'static str)>,
}

/// The roles that every tokenizer has, in transformers' order.
const ROLES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

impl Tokens {
    /// Reads them; `defaults` are the class's roles, and `padding` the padding token of a `tokenizer.json`.
    pub(super) fn read(
        settings: &Settings,
        json: Option<&Value>,
        added_tokens: Option<&Value>,
        defaults: &[(&str, &str)],
    ) -> Result<Self, DataError> {
        let mut named = named(settings, json, defaults)?;
        let extra = extra(settings, &mut named)?;
        let mut added = BTreeMap::new();
        if let Some((decoder, source)) = settings.get("added_tokens_decoder") {
            for (id, token) in settings.object(source, "added_tokens_decoder", decoder)? {
                insert(settings, &mut added, source, id.parse().ok(), token)?;
            }
        } else {
            for (content, id) in match added_tokens {
                Some(map) => settings.object(ADDED, "the file", map)?.iter().collect(),
                None => Vec::new(),
            } {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                let id = id.ok_or_else(|| {
                    settings.unusable(ADDED, format!("the id of `{content}` is not a whole number"))
                })?;
                let mut token = Token::named(content);
                token.token.special = is_special(content, settings, &named, &extra);
                added.insert(id, (token, ADDED));
            }
            for token in json
                .and_then(|json| json["added_tokens"].as_array())
                .into_iter()
                .flatten()
            {
                let id = token["id"].as_u64().and_then(|id| u32::try_from(id).ok());
                insert(settings, &mut added, JSON, id, token)?;
            }
        }
        // What a role's token does beside its text is said where it is listed by its id.
        for role in named.iter_mut().filter(|role| role.source != super::DEFAULT) {
            if let Some(token) = &mut role.token
                && let Some((listed, _)) = added
                    .values()
                    .find(|(listed, _)| listed.content() == token.content())
            {
                *token = listed.clone();
            }
        }
        Ok(Self { added, named, extra })
    }

    /// The text of a role.
    pub(super) fn role(&self, role: &str) -> Option<&str> {
        let found = self.named.iter().find(|named| named.role == role)?;
        found.token.as_ref().map(Token::content)
    }

    /// The text of a role that the class cannot do without.
    pub(super) fn must(&self, settings: &Settings, role: &str) -> Result<String, DataError> {
        let text = self.role(role).filter(|text| !text.is_empty());
        let missing = || {
            settings.unusable(
                CONFIG,
                format!("`{role}` is empty or null, and the tokenizer needs it"),
            )
        };
        text.map(str::to_owned).ok_or_else(missing)
    }

    /// Where a token is listed by its text, with an id or without.
    pub(super) fn lists(&self, text: &str) -> bool {
        let added = self.added.values().map(|(token, _)| token);
        let mut all = added.chain(self.extra.iter().map(|(token, _)| token));
        all.any(|token| token.content() == text)
    }

    /// Gives them to the tokenizer, in transformers' order, and checks that they got the ids that the files say.
    pub(super) fn add_to(&self, settings: &Settings, tokenizer: &mut Tokenizer) -> Result<(), DataError> {
        let mut adding: Vec<Token> = self.added.values().map(|(token, _)| token.clone()).collect();
        let decoder = tokenizer.get_added_tokens_decoder();
        let mut known: Vec<String> = decoder.into_values().map(|token| token.content).collect();
        known.extend(adding.iter().map(|token| token.content().to_owned()));
        let named = self.named.iter().filter_map(|named| named.token.as_ref());
        for token in named.clone().chain(self.extra.iter().map(|(token, _)| token)) {
            if !known.iter().any(|known| known == token.content()) && !adding.contains(token) {
                adding.push(token.clone());
            }
        }
        for token in &mut adding {
            token.token.special |= named.clone().any(|named| named.content() == token.content());
        }
        tokenizer
            .add_tokens(adding.iter().map(Token::library))
            .map_err(|error| settings.unusable(CONFIG, error.to_string()))?;
        for (&id, (token, source)) in &self.added {
            let found = tokenizer.token_to_id(token.content());
            if found != Some(id) && !token.content().is_empty() {
                let found = found.map_or("none".to_owned(), |found| found.to_string());
                let reason = format!(
                    "it says that the added token `{}` has id {id}, and the vocabulary makes it {found}",
                    token.content()
                );
                return Err(settings.unusable(source, reason));
            }
        }
        Ok(())
    }
}

fn insert(
    settings: &Settings,
    added: &mut BTreeMap<u32, (Token, &'static str)>,
    source: &'static str,
    id: Option<u32>,
    token: &Value,
) -> Result<(), DataError> {
    let id = id.ok_or_else(|| settings.unusable(source, "an added token's id is not a whole number"))?;
    let token = match token {
        Value::Object(_) => Token::parse(token),
        _ => Err("is not an object".to_owned()),
    };
    let reason = |reason| settings.unusable(source, format!("the added token of id {id} {reason}"));
    added.insert(id, (token.map_err(reason)?, source));
    Ok(())
}

/// Whether a token of `added_tokens.json` is special: by what transformers looks at there, which is not all.
fn is_special(content: &str, settings: &Settings, named: &[Named], extra: &[(Token, &'static str)]) -> bool {
    let looked_at = |key: &str| {
        let (value, source) = settings.get(key)?;
        Some(value.is_array() || value.is_string() || source == MAP)
    };
    let roles = named.iter().filter(|named| ROLES.contains(&named.role.as_str()));
    let roles = roles.filter(|named| looked_at(&named.role) == Some(true));
    let roles = roles.filter_map(|named| named.token.as_ref());
    let extra = extra.iter().map(|(token, _)| token);
    let extra = extra.filter(|_| looked_at("extra_special_tokens") == Some(true));
    roles.chain(extra).any(|token| token.content() == content)
}

/// The tokens with a role.
fn named(
    settings: &Settings,
    json: Option<&Value>,
    defaults: &[(&str, &str)],
) -> Result<Vec<Named>, DataError> {
    let parse = |role: &str, value: &Value, source| match value {
        Value::Null => Ok(None),
        value => Token::parse(value)
            .map(Some)
            .map_err(|reason| settings.unusable(source, format!("`{role}` {reason}"))),
    };
    let mut named = Vec::new();
    for role in ROLES {
        let default = defaults.iter().find(|(known, _)| *known == role);
        let padding = json.map(|json| &json["padding"]["pad_token"]);
        let (token, source) = match settings.get(role) {
            Some((value, source)) => (parse(role, value, source)?, source),
            None => match (default, padding.and_then(Value::as_str)) {
                (Some((_, text)), _) => (Some(Token::named(text)), super::DEFAULT),
                (None, Some(text)) if role == "pad_token" => (Some(Token::named(text)), JSON),
                _ => continue,
            },
        };
        named.push(Named {
            role: role.to_owned(),
            token,
            source,
        });
    }
    for (role, value, source) in settings.all() {
        let is_token = value.is_string() || value.get("__type").is_some_and(|kind| kind == "AddedToken");
        if role.ends_with("_token") && !ROLES.contains(&role) && is_token {
            named.push(Named {
                role: role.to_owned(),
                token: parse(role, value, source)?,
                source,
            });
        }
    }
    Ok(named)
}

/// The special tokens without a role; those of an object have roles, which join `named`.
fn extra(settings: &Settings, named: &mut Vec<Named>) -> Result<Vec<(Token, &'static str)>, DataError> {
    const KEYS: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];
    let found = KEYS
        .iter()
        .find_map(|key| settings.get(key).map(|found| (*key, found)));
    let mut extra = Vec::new();
    let Some((key, (value, source))) = found else {
        return Ok(extra);
    };
    let parse = |value: &Value| {
        let reason = |reason| settings.unusable(source, format!("a token of `{key}` {reason}"));
        let mut token = Token::parse(value).map_err(reason)?;
        token.token.special |= source == MAP;
        Ok(token)
    };
    match value {
        Value::Null => {}
        Value::Array(list) => {
            for token in list {
                extra.push((parse(token)?, source));
            }
        }
        Value::Object(roles) => {
            for (role, token) in roles {
                let token = Some(parse(token)?);
                let role = role.clone();
                named.push(Named { role, token, source });
            }
        }
        _ => return Err(settings.unusable(source, format!("`{key}` is not a list of tokens"))),
    }
    Ok(extra)
}
