//! Names of parameters: as models have them, and those that a policy's patterns choose.

use super::super::draw::Draw;
use crate::clip::{ClipPolicy, Role};

const PARTS: [&str; 6] = [
    "attention.query.weight",
    "attention.query.bias",
    "attention.LayerNorm.weight",
    "attention.LayerNorm.bias",
    "output.dense.weight",
    "output.dense.bias",
];

/// How the parameters of a case are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Embeddings, numbered layers, a classifier.
    Model,
    /// One word without a dot.
    Flat,
    /// Letters beyond ASCII.
    Unicode,
}

/// So many names, each once. Where the policy treats some parameters differently, about every second is one of those.
pub(super) fn names(draw: &mut Draw, policy: &ClipPolicy, style: Style, count: usize) -> Vec<String> {
    let mut special = specials(policy);
    if count == 1 && draw.below(2) == 0 {
        special.clear();
    }
    let mut names: Vec<String> = Vec::with_capacity(count);
    let (mut own, mut chosen) = (0, special.into_iter());
    while names.len() < count {
        let turn = names.len() % 2 == 1 || count == 1;
        let special = if turn { chosen.next() } else { None };
        let name = special.unwrap_or_else(|| {
            own += 1;
            let name = name(style, own - 1, count);
            match &policy.separator {
                Some(separator) => name.replace('.', separator.as_str()),
                None => name,
            }
        });
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn name(style: Style, i: usize, count: usize) -> String {
    match style {
        Style::Flat => format!("p{i}"),
        Style::Unicode => format!("größe.{i}.重み"),
        Style::Model if i == 0 => "embeddings.weight".to_owned(),
        Style::Model if i + 1 == count && count > 2 => "classifier.weight".to_owned(),
        Style::Model => format!("encoder.layer.{}.{}", (i - 1) / 6, PARTS[(i - 1) % 6]),
    }
}

/// A name for each pattern of the policy, as far as a pattern that comes before it leaves it one; the copies of ties come
/// with their originals, later.
fn specials(policy: &ClipPolicy) -> Vec<String> {
    let mut found = Vec::new();
    for (i, selection) in policy.selections.iter().enumerate() {
        let name = match &selection.role {
            Role::Tie(original) => original.clone(),
            _ => filled(selection.pattern.as_str()),
        };
        let first = policy.selections.iter().position(|s| s.pattern.fits(&name));
        let wanted = matches!(selection.role, Role::Tie(_)) || first == Some(i);
        if wanted && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// A name that a pattern fits: its stars replaced.
fn filled(pattern: &str) -> String {
    let pieces: Vec<&str> = pattern.split('*').collect();
    let mut name = String::new();
    for (i, piece) in pieces.iter().enumerate() {
        if i > 0 {
            let (before, last) = (name.chars().last(), i + 1 == pieces.len());
            name.push_str(match before {
                None => "encoder.layer.7",
                Some('.') if last && piece.is_empty() => "weight",
                Some(_) if last && piece.is_empty() => ".weight",
                Some(_) => "3",
            });
        }
        name.push_str(piece);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn patterns_find_a_name() {
        let policy: ClipPolicy =
            "component:1,exclude=*.bias,group=classifier.*:2,tie=head.weight:embeddings.weight"
                .parse()
                .expect("a policy");
        let mut draw = Draw::new(0, "names");
        for count in [2, 5, 40] {
            for style in [Style::Model, Style::Flat, Style::Unicode] {
                let names = names(&mut draw, &policy, style, count);
                assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), count);
                assert!(names.contains(&"encoder.layer.7.bias".to_owned()), "{names:?}");
                if count > 5 {
                    assert!(names.iter().any(|name| name.starts_with("classifier.")));
                    assert!(names.contains(&"embeddings.weight".to_owned()));
                }
            }
        }
    }

    #[test]
    fn stars_are_filled() {
        for (pattern, name) in [
            ("*.bias", "encoder.layer.7.bias"),
            ("classifier.*", "classifier.weight"),
            ("classifier*", "classifier.weight"),
            ("*", "encoder.layer.7"),
            ("a.*.b", "a.3.b"),
            ("plain", "plain"),
        ] {
            assert_eq!(filled(pattern), name);
        }
    }
}
