//! Rust source as the tidy rules see it: text, and the same text with comments and literals blanked out.

use std::path::{Path, PathBuf};

/// One file of the tree.
pub(super) struct Source {
    /// From the root, with `/`: `src/nn/linear.rs`.
    pub(super) path: String,
    /// As it is.
    pub(super) text: String,
    /// Comments, strings and character literals replaced by blanks; lines stay lines.
    pub(super) code: String,
    /// `code` without the items under `#[cfg(test)]`.
    pub(super) bare: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = code(text);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            bare: without_tests(&code),
            code,
        }
    }

    /// `src/nn/linear.rs:12`, for a position in `code` or `bare`.
    pub(super) fn place(&self, at: usize) -> String {
        let line = 1 + self.code[..at].matches('\n').count();
        format!("{}:{line}", self.path)
    }

    /// Whether the file is one of these, or in one of these folders (which end in `/`).
    pub(super) fn is_in(&self, places: &[&str]) -> bool {
        places
            .iter()
            .any(|place| self.path == *place || place.ends_with('/') && self.path.starts_with(place))
    }
}

/// The root of the package.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the package, sorted.
pub(super) fn tree() -> Vec<Source> {
    let folders = ["src", "tests", "benches", "examples", "fuzz"];
    let files = folders.iter().flat_map(|folder| files(folder));
    let rust = files.filter(|path| Path::new(path).extension().is_some_and(|end| end == "rs"));
    rust.map(|path| Source::new(&path, &read(&path))).collect()
}

/// The text of a file, by its path from the root.
pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every file below a folder, sorted, as paths from the root; none if there is no such folder.
pub(super) fn files(folder: &str) -> Vec<String> {
    let (mut folders, mut files) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        let (inner, plain): (Vec<PathBuf>, Vec<PathBuf>) = entries
            .map(|entry| entry.expect("a readable folder").path())
            .partition(|path| path.is_dir());
        folders.extend(inner.into_iter().filter(|path| !path.ends_with("__pycache__")));
        files.extend(plain);
    }
    let name = |path: &PathBuf| {
        let parts = path.strip_prefix(root()).expect("below the root").iter();
        parts
            .map(|part| part.to_string_lossy())
            .collect::<Vec<_>>()
            .join("/")
    };
    let mut names: Vec<String> = files.iter().map(name).collect();
    names.sort();
    names
}

/// The identifiers of a code text, keywords included, with their positions.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_word)?;
        let len = code[start..].find(|c| !is_word(c)).unwrap_or(code.len() - start);
        at = start + len;
        Some((start, &code[start..at]))
    })
}

/// The position behind the bracket that closes the one at `open`, or the end of the code.
pub(super) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at + 1;
        }
    }
    code.len()
}

/// The position behind the item that begins at `start`: its block in braces, or its semicolon.
pub(super) fn item_end(code: &str, start: usize) -> usize {
    let mut at = start;
    while let Some(found) = code[at..].find(['(', '[', '{', ';']) {
        let open = at + found;
        at = match code.as_bytes()[open] {
            b';' => return open + 1,
            b'{' => return closing(code, open),
            _ => closing(code, open),
        };
    }
    code.len()
}

/// The code with every item under `#[cfg(test)]` blanked.
fn without_tests(code: &str) -> String {
    const TEST: &str = "#[cfg(test)]";
    let (mut bare, mut at) = (String::with_capacity(code.len()), 0);
    while let Some(found) = code[at..].find(TEST) {
        let start = at + found;
        let end = item_end(code, start + TEST.len());
        bare.push_str(&code[at..start]);
        bare.push_str(&blanks(&code[start..end]));
        at = end;
    }
    bare + &code[at..]
}

/// As many blanks as bytes, lines kept: positions stay the same.
fn blanks(text: &str) -> String {
    text.bytes()
        .map(|b| if b == b'\n' { '\n' } else { ' ' })
        .collect()
}

/// The text with comments, strings and character literals blanked.
fn code(text: &str) -> String {
    let (mut code, mut at) = (String::with_capacity(text.len()), 0);
    let mut before = ' ';
    while let Some(c) = text[at..].chars().next() {
        let end = literal_end(text, at, before);
        match end {
            Some(end) => code.push_str(&blanks(&text[at..end])),
            None => code.push(c),
        }
        at = end.unwrap_or(at + c.len_utf8());
        before = c;
    }
    code
}

/// Where the comment or literal that begins at `at` ends, if one does; `before` is the character in front of it.
fn literal_end(text: &str, at: usize, before: char) -> Option<usize> {
    let rest = &text[at..];
    let up_to = |mark: &str, from: usize| {
        rest.get(from..)
            .and_then(|r| r.find(mark))
            .map_or(text.len(), |n| at + from + n + mark.len())
    };
    if rest.starts_with("//") {
        return Some(at + rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(up_to("*/", 2));
    }
    if rest.starts_with('"') {
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|&(_, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return Some(end.map_or(text.len(), |(n, _)| at + n + 1));
    }
    let inside_a_word = before.is_alphanumeric() && before != 'b' || before == '_';
    if rest.starts_with('r') && !inside_a_word {
        let hashes = rest[1..].find(|c| c != '#')?;
        let raw = rest[1 + hashes..].starts_with('"');
        return raw.then(|| up_to(&format!("\"{}", "#".repeat(hashes)), hashes + 2));
    }
    if let Some(literal) = rest.strip_prefix('\'') {
        if literal.starts_with('\\') {
            return Some(up_to("'", 3));
        }
        let c = literal.chars().next()?;
        return literal[c.len_utf8()..]
            .starts_with('\'')
            .then(|| at + c.len_utf8() + 2);
    }
    None
}

/// Comments, strings, raw strings and characters are gone, lifetimes and code are not, and no position moves.
#[test]
fn literals_are_blanked() {
    for (text, expected) in [
        ("a // { b\nc", "a       \nc"),
        ("a /* { */ b", "a         b"),
        (r#"f("{\"{", x)"#, "f(      , x)"),
        ("r#\"{\"{\"# + br\"{\" + r#type", "         + b     + r#type"),
        (r"'{' '\'' '\u{7b}' &'a x", "                  &'a x"),
        ("car\"{\" é'é'x", "car    é    x"),
    ] {
        assert_eq!(code(text), expected, "{text}");
    }
    let source = Source::new(
        "src/a.rs",
        "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c() {}",
    );
    assert_eq!(words(&source.bare).filter(|w| w.1 == "fn").count(), 2);
    assert_eq!(
        source.place(source.bare.find("fn c").expect("there")),
        "src/a.rs:4"
    );
}
