//! The forms of English words: plurals, tenses, comparatives, `a` and `an`.
//!
//! Rules for regular words; `lexicon/irregular.txt` has the verbs and `lexicon/nouns.txt` the plurals that no rule gives.

/// Whether `-s` needs an `e` before it: boxes, wishes, churches.
fn hisses(word: &str) -> bool {
    ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end))
}

/// The letters before a final `y` that follows a consonant: `cit` of city, nothing of toy.
fn before_y(word: &str) -> Option<&str> {
    let stem = word.strip_suffix('y')?;
    (!stem.ends_with(['a', 'e', 'i', 'o', 'u'])).then_some(stem)
}

/// The plural of a regular noun, which is also the form of a regular verb after he, she and it.
pub(super) fn with_s(word: &str) -> String {
    match before_y(word) {
        Some(stem) => format!("{stem}ies"),
        None if hisses(word) => format!("{word}es"),
        None => format!("{word}s"),
    }
}

/// The past of a regular verb.
pub(super) fn with_ed(word: &str) -> String {
    match before_y(word) {
        Some(stem) => format!("{stem}ied"),
        None if word.ends_with('e') => format!("{word}d"),
        None => format!("{word}ed"),
    }
}

/// The form with -ing; `past` shows whether the last letter is doubled.
pub(super) fn with_ing(word: &str, past: &str) -> String {
    let last = word.chars().last().unwrap_or_default();
    if let Some(stem) = word.strip_suffix("ie") {
        format!("{stem}ying")
    } else if let Some(stem) = word.strip_suffix('e').filter(|stem| !stem.ends_with('e')) {
        format!("{stem}ing")
    } else if past == format!("{word}{last}ed") || ["shut", "upset"].contains(&word) {
        format!("{word}{last}ing")
    } else {
        format!("{word}ing")
    }
}

/// The comparative with -er: older, bigger, heavier.
pub(super) fn with_er(word: &str) -> String {
    let vowel = |c: &u8| b"aeiou".contains(c);
    match (before_y(word), word.as_bytes()) {
        (Some(stem), _) => format!("{stem}ier"),
        (None, _) if word.ends_with('e') => format!("{word}r"),
        // big, sad, wet: consonant, vowel, consonant.
        (None, &[a, b, c]) if !vowel(&a) && vowel(&b) && !vowel(&c) && c != b'w' => {
            format!("{word}{}er", char::from(c))
        }
        _ => format!("{word}er"),
    }
}

/// Whether a word begins with the sound of a vowel.
fn vowel_sound(word: &str) -> bool {
    const SILENT: [&str; 3] = ["honest", "hour", "heir"];
    const CONSONANT: [&str; 4] = ["uni", "eu", "use", "one"];
    let begins = |with: &[&str]| with.iter().any(|start| word.starts_with(start));
    begins(&SILENT)
        || word.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']) && {
            !begins(&CONSONANT) || word.starts_with("unint") || word.starts_with("unim")
        }
}

/// Words joined to a sentence: `an` where it belongs, a capital at the start, a full stop at the end.
pub(super) fn sentence(words: &str) -> String {
    let mut text = String::with_capacity(words.len() + 2);
    let mut rest = words.split_whitespace().peekable();
    while let Some(word) = rest.next() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(match (word, rest.peek()) {
            ("a", Some(next)) if vowel_sound(next) => "an",
            _ => word,
        });
    }
    if let Some(first) = text.get(..1) {
        let first = first.to_uppercase();
        text.replace_range(..1, &first);
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_regular_words() {
        for (word, plural) in [
            ("cat", "cats"),
            ("church", "churches"),
            ("box", "boxes"),
            ("lady", "ladies"),
            ("toy", "toys"),
            ("brush", "brushes"),
        ] {
            assert_eq!(with_s(word), plural);
        }
        for (base, past, ing) in [
            ("open", "opened", "opening"),
            ("carry", "carried", "carrying"),
            ("hide", "hid", "hiding"),
            ("free", "freed", "freeing"),
            ("die", "died", "dying"),
            ("trim", "trimmed", "trimming"),
            ("shut", "shut", "shutting"),
            ("annoy", "annoyed", "annoying"),
        ] {
            assert_eq!(with_ing(base, past), ing);
        }
        assert_eq!(
            [
                with_ed("open"),
                with_ed("carry"),
                with_ed("bake"),
                with_ed("annoy")
            ],
            ["opened", "carried", "baked", "annoyed"]
        );
        let comparatives = ["big", "sad", "heavy", "large", "old", "slow", "new", "weak"].map(with_er);
        assert_eq!(
            comparatives,
            [
                "bigger", "sadder", "heavier", "larger", "older", "slower", "newer", "weaker"
            ]
        );
    }

    #[test]
    fn articles_capitals_and_stops() {
        assert_eq!(sentence("a oak and a honest man"), "An oak and an honest man.");
        assert_eq!(
            sentence("a uniform hid a uninteresting atlas"),
            "A uniform hid an uninteresting atlas."
        );
        assert_eq!(sentence("a  elderly  man"), "An elderly man.");
    }
}
