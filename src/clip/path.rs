//! Names of parameters as paths: PyTorch's `layer.0.weight`, Flax's `layer/0/kernel`, JAX's `['layer'][0]['kernel']`.
//!
//! `.` and `/` stand between two steps of a path, a pair of brackets around one; in quotes within brackets nothing cuts.
//! Where a separator is given, it cuts and nothing else does.

/// The name up to its last step; the name itself if it has one step.
pub(super) fn module<'n>(name: &'n str, separator: Option<&str>) -> &'n str {
    let steps = steps_by(name, separator);
    let ends: Vec<usize> = steps.iter().rev().skip(1).map(|step| step.end).collect();
    ends.first().map_or(name, |&end| &name[..end])
}

/// The name up to its first step that is a number, that step included.
pub(super) fn layer<'n>(name: &'n str, separator: Option<&str>) -> Option<&'n str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = steps_by(name, separator)
        .into_iter()
        .find(|step| is_number(step.text));
    number.map(|step| &name[..step.end])
}

/// A step: its text, without brackets and quotes, and where it ends in the name, with them.
#[derive(Debug, PartialEq)]
struct Step<'n> {
    text: &'n str,
    end: usize,
}

fn steps_by<'n>(name: &'n str, separator: Option<&str>) -> Vec<Step<'n>> {
    let Some(separator) = separator else {
        return steps(name);
    };
    let mut end = 0;
    let texts = name.split(separator).enumerate();
    let steps = texts.map(|(i, text)| {
        end += text.len() + if i > 0 { separator.len() } else { 0 };
        Step { text, end }
    });
    steps.collect()
}

fn steps(name: &str) -> Vec<Step<'_>> {
    let (mut steps, mut start, mut at) = (Vec::new(), 0, 0);
    // Whether the step before is closed, so that nothing need stand before the next separator.
    let mut closed = false;
    while let Some(&byte) = name.as_bytes().get(at) {
        let bracket = (byte == b'[').then(|| closing(name, at)).flatten();
        if let Some(end) = bracket {
            if start < at {
                steps.push(Step {
                    text: &name[start..at],
                    end: at,
                });
            }
            let inner = &name[at + 1..end - 1];
            let text = unquoted(inner).unwrap_or(inner);
            steps.push(Step { text, end });
            (start, at, closed) = (end, end, true);
        } else if byte == b'.' || byte == b'/' {
            if start < at || !closed {
                steps.push(Step {
                    text: &name[start..at],
                    end: at,
                });
            }
            (start, at, closed) = (at + 1, at + 1, false);
        } else {
            at += 1;
        }
    }
    if start < at || !closed {
        steps.push(Step {
            text: &name[start..],
            end: at,
        });
    }
    steps
}

/// Where the bracket that opens here has closed; none if it never does.
fn closing(name: &str, open: usize) -> Option<usize> {
    let rest = &name[open + 1..];
    let quote = rest.chars().next().filter(|c| ['\'', '"'].contains(c));
    let inner = match quote {
        None => rest.find(']')?,
        // The quote that opens does not close.
        Some(quote) => rest[1..].find(&format!("{quote}]"))? + 2,
    };
    Some(open + inner + 2)
}

fn unquoted(text: &str) -> Option<&str> {
    let strip = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    strip('\'').or_else(|| strip('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_paths() {
        let expect = |name: &str, expected: &str, number: Option<&str>| {
            assert_eq!(
                (module(name, None), layer(name, None)),
                (expected, number),
                "{name}"
            );
        };
        expect(
            "encoder.layer.3.q.weight",
            "encoder.layer.3.q",
            Some("encoder.layer.3"),
        );
        expect(
            "encoder/layer/3/q/kernel",
            "encoder/layer/3/q",
            Some("encoder/layer/3"),
        );
        expect("['encoder'][3]['q']", "['encoder'][3]", Some("['encoder'][3]"));
        expect(
            "['encoder']['3']['q']",
            "['encoder']['3']",
            Some("['encoder']['3']"),
        );
        expect(".params['dense'].kernel", ".params['dense']", None);
        expect("scales.0", "scales", Some("scales.0"));
        expect("0", "0", Some("0"));
        expect("w[0]", "w", Some("w[0]"));
        expect("weight", "weight", None);
        // A separator in a key is part of it, and a bracket that never closes is a letter.
        expect("['a.b/c']['w']", "['a.b/c']", None);
        expect("a[b.c", "a[b", None);
        expect("a['b.c", "a['b", None);
        expect("['].w", "[']", None);
        expect("a.[0]x", "a.[0]", Some("a.[0]"));
        // Empty steps are steps.
        for (name, expected) in [
            ("", ""),
            (".w", ""),
            ("a.", "a"),
            ("a..w", "a."),
            ("/a", ""),
            ("[]", "[]"),
        ] {
            expect(name, expected, None);
        }
        expect("größe.0.ü", "größe.0", Some("größe.0"));
    }

    #[test]
    fn steps_by_a_separator() {
        for (name, separator, expected, number) in [
            ("a.b/0.5/w", "/", "a.b/0.5", None),
            ("a.b/0/w.x", "/", "a.b/0", Some("a.b/0")),
            ("a/b.0/w", ".", "a/b", None),
            ("a/b.0.w", ".", "a/b.0", Some("a/b.0")),
            ("h:0:attn:w", ":", "h:0:attn", Some("h:0")),
            ("a__0__w", "__", "a__0", Some("a__0")),
            // From the left, as with `split`.
            ("a___b", "__", "a", None),
            ("['a'][0].w", ".", "['a'][0]", None),
            ("w", "/", "w", None),
            ("/w", "/", "", None),
            ("w/", "/", "w", None),
            ("ü→0→w", "→", "ü→0", Some("ü→0")),
        ] {
            let found = (module(name, Some(separator)), layer(name, Some(separator)));
            assert_eq!(found, (expected, number), "{name}");
        }
    }
}
