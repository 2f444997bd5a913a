//! The JSON in a case file's one metadata key.
//!
//! `spec` and `policy` are a must; the policy is the whole truth. `convention`, `partition`, `statistic`, `threshold`,
//! `edge` and `dtype` repeat parts of the case in words that need no parser; where they are given they must agree with
//! it. A key that is not known is refused, unless it begins with `x-`.

use super::{FileError, KEY, SPEC, spelled};
use crate::cases::NamedCase;
use crate::checkpoint::{TensorFile, duplicate_key};
use crate::clip::{ClipPolicy, Rule};
use crate::oracle::{Case, Declared, Tensor};
use serde_json::{Map, Value, json};

/// The metadata of a case.
pub(super) fn write(named: &NamedCase) -> String {
    let case = &named.case;
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
    put("spec", SPEC.into());
    for (key, text) in [
        ("name", &named.name),
        ("pack", &named.pack),
        ("class", &named.class),
        ("note", &named.note),
    ] {
        if !text.is_empty() {
            put(key, text.clone().into());
        }
    }
    put("seed", named.seed.into());
    put("policy", case.policy.to_string().into());
    for (key, text) in repeated(&case.policy) {
        put(key, text.into());
    }
    put("dtype", json!(dtypes(&case.before)));
    put("declared", case.declared.to_string().into());
    if let Some(state) = &case.state {
        put("state", state.to_string().into());
    }
    Value::Object(map).to_string()
}

/// What the policy says, field by field.
fn repeated(policy: &ClipPolicy) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("partition", policy.partition.to_string()),
        ("statistic", policy.statistic.to_string()),
        ("edge", policy.edge.to_string()),
    ];
    if let Rule::Norm { convention, .. } = policy.rule {
        fields.push(("convention", convention.to_string()));
    }
    if let Some(threshold) = policy.rule.threshold() {
        fields.push(("threshold", threshold.to_string()));
    }
    fields
}

/// The element types, each once, in the order of the tensors.
fn dtypes(tensors: &[Tensor]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for tensor in tensors {
        let name = tensor.data.format().name();
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// The metadata of a file, as a case without tensors.
pub(super) fn read(file: &TensorFile) -> Result<NamedCase, FileError> {
    let refuse = |problem: String| FileError::one(&file.path, problem);
    let Some(text) = file.metadata.get(KEY) else {
        return Err(refuse(format!(
            "no case file: its metadata have no key `{KEY}`; for plain gradients use --before and --policy"
        )));
    };
    let map = match serde_json::from_str(text) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return Err(refuse(format!("metadata `{KEY}`: not a JSON object"))),
        Err(error) => {
            return Err(refuse(format!(
                "metadata `{KEY}`: not JSON: {error}{}",
                nan_hint(text)
            )));
        }
    };
    if let Some(key) = duplicate_key(text.as_bytes()) {
        return Err(refuse(format!(
            "metadata `{KEY}`: the key `{key}` is given twice"
        )));
    }
    let spec = whole(&map, "spec").map_err(refuse)?;
    match spec {
        Some(SPEC) => {}
        Some(newer) if newer > SPEC => {
            return Err(refuse(format!(
                "a case of spec {newer}; this program knows spec {SPEC}: use a newer cwgnc"
            )));
        }
        _ => return Err(refuse(format!("metadata `{KEY}`: `spec` must be {SPEC}"))),
    }
    fields(&map).map_err(|problems| FileError::Content {
        path: file.path.clone(),
        problems,
    })
}

/// Python and JavaScript write numbers that JSON does not have.
fn nan_hint(text: &str) -> &'static str {
    let words = ["NaN", "Infinity", "nan", "inf"];
    let has = |word: &&str| {
        text.split(|c: char| !c.is_alphanumeric())
            .any(|part| part == *word)
    };
    if words.iter().any(has) {
        " (NaN and infinities are no JSON numbers; a threshold is written as a text)"
    } else {
        ""
    }
}

/// A whole number, or none.
fn whole(map: &Map<String, Value>, key: &str) -> Result<Option<u64>, String> {
    match map.get(key) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| format!("metadata `{KEY}`: `{key}` is {value}, expected a whole number")),
    }
}

const TEXTS: [&str; 12] = [
    "name",
    "pack",
    "class",
    "note",
    "policy",
    "declared",
    "state",
    "partition",
    "statistic",
    "edge",
    "convention",
    "threshold",
];

fn fields(map: &Map<String, Value>) -> Result<NamedCase, Vec<String>> {
    let mut problems = Vec::new();
    let say = |key: &str, what: String| format!("metadata `{KEY}`: `{key}` {what}");
    for (key, value) in map {
        let known = TEXTS.contains(&key.as_str());
        if known && !value.is_string() {
            problems.push(say(key, format!("is {value}, expected a text")));
        } else if !known && !["spec", "seed", "dtype"].contains(&key.as_str()) && !key.starts_with("x-") {
            problems.push(say(
                key,
                "is not known; a key of your own begins with `x-`".to_owned(),
            ));
        }
    }
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let seed = whole(map, "seed").unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let policy = match text("policy") {
        None => Err(say("policy", "is missing".to_owned())),
        Some(text) => text
            .parse::<ClipPolicy>()
            .map_err(|error| format!("metadata `{KEY}`: {}", spelled(&error))),
    };
    let policy = policy.map_err(|problem| problems.push(problem)).ok();
    for (key, said) in policy.iter().flat_map(repeated) {
        if let Some(other) = text(key).filter(|other| *other != said) {
            problems.push(say(key, format!("is `{other}`, the policy says `{said}`")));
        }
    }
    let mut declared = Declared::default();
    match text("declared").map(str::parse) {
        Some(Ok(found)) => declared = found,
        Some(Err(error)) => problems.push(format!("metadata `{KEY}`: {error}")),
        None => {}
    }
    let mut state = None;
    match text("state").map(str::parse) {
        Some(Ok(found)) => state = Some(found),
        Some(Err(error)) => problems.push(say("state", format!("cannot be read: {error}"))),
        None => {}
    }
    match policy {
        Some(policy) if problems.is_empty() => {
            let own = |key: &str| text(key).unwrap_or_default().to_owned();
            Ok(NamedCase {
                name: own("name"),
                pack: own("pack"),
                class: own("class"),
                note: own("note"),
                seed: seed.unwrap_or(0),
                case: Case {
                    state,
                    declared,
                    ..Case::new(policy, Vec::new())
                },
            })
        }
        _ => Err(problems),
    }
}
