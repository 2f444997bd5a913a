//! JSON as a tree that can hold what a parser must refuse: a key twice, numbers that no type has, any depth.

use super::chance::Chance;
use serde_json::Value;
use std::fmt::Write;

/// A value; names and leaves are JSON as it is written.
#[derive(Clone, Debug)]
enum Node {
    Leaf(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// Leaves at the edges of what types and parsers hold.
const EXTREMES: [&str; 46] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "0.5",
    "-0.0",
    "1e999",
    "-1e999",
    "1e308",
    "1e-400",
    "1E5",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1152921504606846976",
    "NaN",
    "Infinity",
    "01",
    "1.",
    "\"\"",
    "\" \"",
    "\"NaN\"",
    "\"inf\"",
    "\"-1\"",
    "\"1\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\u001b[31m\"",
    "\"\u{202e}\"",
    "\"/\"",
    "\"../x\"",
    "[]",
    "{}",
];

/// What is larger is not made larger.
const MOST_BYTES: usize = 4 << 20;

/// The text after a few changes, or none if it is no JSON.
pub(crate) fn changed(text: &[u8], words: &[&str], chance: &mut Chance) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let mut root = node(&value);
    for _ in 0..=chance.below(4) {
        change(&mut root, words, chance);
    }
    let mut out = String::new();
    if chance.once_in(50) {
        out.push('\u{feff}');
    }
    print(&root, &mut out);
    Some(out.into_bytes())
}

/// The same of TOML, which has the same trees; none also where the changed tree cannot be written as TOML.
pub(crate) fn changed_toml(text: &[u8], words: &[&str], chance: &mut Chance) -> Option<Vec<u8>> {
    let value: Value = basic_toml::from_slice(text).ok()?;
    let json = changed(value.to_string().as_bytes(), words, chance)?;
    let value: Value = serde_json::from_slice(&json).ok()?;
    basic_toml::to_string(&value).ok().map(String::into_bytes)
}

fn node(value: &Value) -> Node {
    match value {
        Value::Array(items) => Node::List(items.iter().map(node).collect()),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (Value::from(key.as_str()).to_string(), node(value)));
            Node::Map(fields.collect())
        }
        leaf => Node::Leaf(leaf.to_string()),
    }
}

fn print(node: &Node, out: &mut String) {
    match node {
        Node::Leaf(text) => out.push_str(text),
        Node::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                print(item, out);
            }
            out.push(']');
        }
        Node::Map(fields) => {
            out.push('{');
            for (i, (key, value)) in fields.iter().enumerate() {
                let comma = if i > 0 { "," } else { "" };
                let _ = write!(out, "{comma}{key}:");
                print(value, out);
            }
            out.push('}');
        }
    }
}

fn size(node: &Node) -> usize {
    1 + match node {
        Node::Leaf(_) => 0,
        Node::List(items) => items.iter().map(size).sum(),
        Node::Map(fields) => fields.iter().map(|(_, value)| size(value)).sum(),
    }
}

/// About how many bytes it takes.
fn bytes(node: &Node) -> usize {
    2 + match node {
        Node::Leaf(text) => text.len(),
        Node::List(items) => items.iter().map(bytes).sum(),
        Node::Map(fields) => fields.iter().map(|(key, value)| key.len() + bytes(value)).sum(),
    }
}

/// The node with this number, counted from the root down.
fn at<'a>(node: &'a mut Node, number: &mut usize) -> Option<&'a mut Node> {
    if *number == 0 {
        return Some(node);
    }
    *number -= 1;
    match node {
        Node::Leaf(_) => None,
        Node::List(items) => items.iter_mut().find_map(|item| at(item, number)),
        Node::Map(fields) => fields.iter_mut().find_map(|(_, value)| at(value, number)),
    }
}

fn names(node: &Node, found: &mut Vec<String>) {
    match node {
        Node::Leaf(_) => {}
        Node::List(items) => items.iter().for_each(|item| names(item, found)),
        Node::Map(fields) => {
            for (key, value) in fields {
                found.push(key.clone());
                names(value, found);
            }
        }
    }
}

fn change(root: &mut Node, words: &[&str], chance: &mut Chance) {
    let all = size(root);
    if all > 200_000 || bytes(root) > MOST_BYTES {
        return;
    }
    let (chosen, other) = (chance.below(all), chance.below(all));
    let mut keys = Vec::new();
    names(root, &mut keys);
    let mut get = |number: usize| at(root, &mut number.clone()).cloned();
    let (Some(mut new), Some(second)) = (get(chosen), get(other)) else {
        return;
    };
    match chance.below(10) {
        0 | 1 => new = Node::Leaf((*chance.pick(&EXTREMES)).to_owned()),
        2 => new = second,
        3 => {
            // Both change places, unless one is within the other.
            if let Some(place) = at(root, &mut other.clone()) {
                *place = new;
            }
            new = second;
        }
        4 => delete(&mut new, chance),
        5 => repeat(&mut new, 1, chance),
        6 => {
            let times = chance.count();
            repeat(&mut new, times, chance);
        }
        7 => rename(&mut new, &keys, words, chance),
        8 => new = deep(&new, chance),
        _ => adjust(&mut new, words, chance),
    }
    if let Some(place) = at(root, &mut chosen.clone()) {
        *place = new;
    }
}

fn delete(node: &mut Node, chance: &mut Chance) {
    match node {
        Node::Leaf(text) => *text = String::new(),
        Node::List(items) if !items.is_empty() => drop(items.remove(chance.below(items.len()))),
        Node::Map(fields) if !fields.is_empty() => drop(fields.remove(chance.below(fields.len()))),
        _ => {}
    }
}

/// One child more, `times` times; of an object under its own key, or under keys of their own.
fn repeat(node: &mut Node, times: usize, chance: &mut Chance) {
    match node {
        Node::List(items) if !items.is_empty() => {
            let item = chance.pick(items).clone();
            if bytes(&item) * times < MOST_BYTES {
                items.extend(std::iter::repeat_n(item, times));
            }
        }
        Node::Map(fields) if !fields.is_empty() => {
            let (key, value) = chance.pick(fields).clone();
            if (bytes(&value) + key.len()) * times < MOST_BYTES {
                let own = times > 1 && !chance.once_in(4);
                fields.extend((0..times).map(|i| {
                    let name = key.trim_matches('"');
                    let key = if own {
                        format!("\"{name}{i}\"")
                    } else {
                        key.clone()
                    };
                    (key, value.clone())
                }));
            }
        }
        Node::Leaf(text) if text.starts_with('"') => *text = format!("\"{}\"", "x".repeat(times)),
        _ => {}
    }
}

fn rename(node: &mut Node, keys: &[String], words: &[&str], chance: &mut Chance) {
    if let Node::Map(fields) = node
        && !fields.is_empty()
    {
        let at = chance.below(fields.len());
        fields[at].0 = match chance.below(4) {
            0 if !words.is_empty() => format!("\"{}\"", chance.pick(words)),
            1 => "\"\"".to_owned(),
            2 => format!("\"{}\"", "k".repeat(chance.count())),
            _ if keys.is_empty() => "\"a\"".to_owned(),
            _ => chance.pick(keys).clone(),
        };
    }
}

/// The value within many others.
fn deep(node: &Node, chance: &mut Chance) -> Node {
    let depth = *chance.pick(&[1, 2, 60, 65, 126, 127, 128, 1000, 100_000]);
    let (open, close) = *chance.pick(&[("[", "]"), ("{\"a\":", "}")]);
    let mut text = String::new();
    print(node, &mut text);
    Node::Leaf(format!("{}{text}{}", open.repeat(depth), close.repeat(depth)))
}

/// A number near by, or a text with something in it.
fn adjust(node: &mut Node, words: &[&str], chance: &mut Chance) {
    let Node::Leaf(text) = node else { return };
    if let Ok(number) = text.parse::<i128>() {
        let new = match chance.below(6) {
            0 => number + 1,
            1 => number - 1,
            2 => number * 2,
            3 => -number,
            4 => number * 1_000_000_007,
            _ => return *text = format!("{number}.0"),
        };
        *text = new.to_string();
    } else if let Ok(number) = text.parse::<f64>() {
        *text = format!("{:e}", number * *chance.pick(&[-1.0, 1e-30, 1e30, 1e300, 0.0]));
    } else if let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        let odd = [
            "\\u0000", "\\n", "\\t", ",", ":", "@", "*", "=", "..", "/", "\u{301}", "\u{202e}", "\\ud83d",
            "é",
        ];
        let odd = if words.is_empty() || chance.once_in(2) {
            *chance.pick(&odd)
        } else {
            *chance.pick(words)
        };
        let cuts: Vec<usize> = inner
            .char_indices()
            .map(|(i, _)| i)
            .chain([inner.len()])
            .collect();
        let cut = *chance.pick(&cuts);
        *text = match chance.below(3) {
            0 => format!("\"{}\"", &inner[..cut]),
            1 => format!("\"{odd}\""),
            _ => format!("\"{}{odd}{}\"", &inner[..cut], &inner[cut..]),
        };
    }
}
