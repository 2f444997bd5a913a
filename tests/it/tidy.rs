//! The rules of the house that a compiler does not check, run over the source tree as text.
//!
//! Each rule is a function from the tree to its offenders, as `file:line: what`. One test runs them all on the tree,
//! another gives each rule a planted offence, so that a rule that has gone blind turns red.

mod imports;
mod source;

use source::{Source, closing, files, item_end, read, tree, words};

/// Lines that a file in `src` has at most.
const FILE_LINES: usize = 400;

/// Lines that a function has at most, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;

type Rule = fn(&[Source]) -> Vec<String>;

/// Every rule on the tree, by the sentence that it holds up.
const RULES: [(&str, Rule); 15] = [
    ("every file begins with `//!`", begins_with_docs),
    ("no file in src is longer than 400 lines", file_length),
    ("no function in src is longer than 70 lines", function_length),
    ("`unsafe` is in src/gemm.rs and src/simd.rs alone", unsafe_code),
    ("a module uses what the import table allows", imports::offenders),
    ("only reduce.rs sums in parallel", parallel_sums),
    ("no module has a name that says nothing", module_names),
    (
        "only cli prints, reads the environment or the clock",
        surroundings,
    ),
    (
        "no number of src comes from the platform's mathematics",
        platform_mathematics,
    ),
    ("no `.unwrap()` outside tests", unwrap),
    ("nothing unfinished, nothing ignored, nothing allowed", leftovers),
    ("chance comes from random.rs and model/init.rs", randomness),
    ("every fixture is in fixtures/SHA256SUMS", fixtures_have_checksums),
    (
        "every fixture and every script has its row in fixtures/README.md",
        fixtures_have_rows,
    ),
    (
        "docs/ARCHITECTURE.md quotes the import table and knows every dependency",
        architecture,
    ),
];

#[test]
fn the_tree_is_tidy() {
    let tree = tree();
    assert!(tree.len() > 60, "the tree was found");
    let mut report = Vec::new();
    for (sentence, rule) in RULES {
        let offenders = rule(&tree).into_iter();
        report.extend(offenders.map(|offender| format!("{offender} (rule: {sentence})")));
    }
    assert!(report.is_empty(), "\n{}\n", report.join("\n"));
}

fn in_src(tree: &[Source]) -> impl Iterator<Item = &Source> {
    tree.iter().filter(|source| source.is_in(&["src/"]))
}

fn begins_with_docs(tree: &[Source]) -> Vec<String> {
    let bad = tree.iter().filter(|source| !source.text.starts_with("//! "));
    bad.map(|source| format!("{}:1: no `//!`", source.path)).collect()
}

fn file_length(tree: &[Source]) -> Vec<String> {
    in_src(tree)
        .map(|source| (source, source.text.lines().count()))
        .filter(|&(_, lines)| lines > FILE_LINES)
        .map(|(source, lines)| format!("{}:{lines}: {lines} lines", source.path))
        .collect()
}

fn function_length(tree: &[Source]) -> Vec<String> {
    let mut offenders = Vec::new();
    for source in in_src(tree) {
        let code = &source.code;
        // A function has a name; the type `fn(…)` has none.
        let functions = words(code).zip(words(code).skip(1));
        for ((start, _), (at, name)) in functions.filter(|&((start, word), (at, _))| {
            word == "fn" && code[start + 2..at].chars().all(char::is_whitespace)
        }) {
            let lines = 1 + code[start..item_end(code, at)].matches('\n').count();
            // One arm a convention: a table of formulas, which halves of it would not make clearer.
            let table = name == "kernel" && source.is_in(&["src/oracle/expect/convention.rs"]);
            if lines > FUNCTION_LINES && !table {
                offenders.push(format!("{}: `{name}` has {lines} lines", source.place(start)));
            }
        }
    }
    offenders
}

/// Every word of `code` that is one of `banned`, as offenders.
fn banned_words(source: &Source, code: &str, banned: &[&str]) -> Vec<String> {
    words(code)
        .filter(|(_, word)| banned.contains(word))
        .map(|(at, word)| format!("{}: `{word}`", source.place(at)))
        .collect()
}

/// Every place of `code` where one of `banned` stands, as offenders.
fn banned_text(source: &Source, code: &str, banned: &[&str]) -> Vec<String> {
    let places = |text: &&str| {
        let found: Vec<_> = code.match_indices(*text).collect();
        found
            .into_iter()
            .map(|(at, text)| format!("{}: `{text}`", source.place(at)))
    };
    banned.iter().flat_map(places).collect()
}

fn unsafe_code(tree: &[Source]) -> Vec<String> {
    tree.iter()
        .filter(|source| !source.is_in(&["src/gemm.rs", "src/simd.rs"]))
        .flat_map(|source| banned_words(source, &source.code, &["unsafe"]))
        .collect()
}

/// A chain of calls that begins with a parallel iterator may not end in a sum; what stands inside a closure of the
/// chain runs on one thread and may.
fn parallel_sums(tree: &[Source]) -> Vec<String> {
    const SUMS: [&str; 7] = [
        ".sum",
        ".product",
        ".reduce",
        ".fold",
        ".min_by",
        ".max_by",
        ".reduce_with",
    ];
    let mut offenders = Vec::new();
    // The oracle's bins add integers and take maxima, which have one result in any order.
    let may = ["src/reduce.rs", "src/oracle/bins.rs"];
    for source in in_src(tree).filter(|source| !source.is_in(&may)) {
        let code = &source.code;
        for (at, _) in words(code).filter(|(_, word)| word.starts_with("par_") || *word == "into_par_iter") {
            let chain = chain(&code[at..]);
            for (dot, _) in chain.match_indices('.') {
                let call = words(&chain[dot..]).next().map_or("", |(_, word)| word);
                if SUMS.iter().any(|sum| sum[1..] == *call) {
                    offenders.push(format!("{}: a parallel `{call}`", source.place(at)));
                }
            }
        }
    }
    offenders
}

/// The rest of the expression, without what stands in brackets.
fn chain(code: &str) -> String {
    let (mut chain, mut at) = (String::new(), 0);
    while let Some(c) = code[at..].chars().next() {
        match c {
            ';' | ',' | ')' | ']' | '}' => break,
            '(' | '[' | '{' => at = closing(code, at),
            _ => {
                chain.push(c);
                at += c.len_utf8();
            }
        }
    }
    chain
}

fn module_names(tree: &[Source]) -> Vec<String> {
    const EMPTY: [&str; 9] = [
        "utils", "util", "common", "helpers", "helper", "base", "types", "misc", "prelude",
    ];
    let mut offenders = Vec::new();
    for source in tree {
        let name = source.path.trim_end_matches(".rs");
        if name.split('/').any(|part| EMPTY.contains(&part)) {
            offenders.push(format!("{}:1: a name that says nothing", source.path));
        }
        let pairs = words(&source.code).zip(words(&source.code).skip(1));
        let modules = pairs.filter(|((_, word), (_, name))| *word == "mod" && EMPTY.contains(name));
        offenders.extend(modules.map(|((at, _), (_, name))| format!("{}: `mod {name}`", source.place(at))));
    }
    offenders
}

fn surroundings(tree: &[Source]) -> Vec<String> {
    const WORDS: [&str; 8] = [
        "println",
        "eprintln",
        "eprint",
        "dbg",
        "SystemTime",
        "Instant",
        "stdout",
        "stderr",
    ];
    in_src(tree)
        .filter(|source| !source.is_in(&["src/cli/", "src/main.rs"]))
        .flat_map(|source| {
            let mut offenders = banned_words(source, &source.bare, &WORDS);
            offenders.extend(banned_text(
                source,
                &source.bare,
                &["std::env", "env::var", " print!("],
            ));
            offenders
        })
        .collect()
}

/// The functions of the standard library that are the platform's, with errors of its own. `libm` and `real/elementary.rs` have
/// those that are the same everywhere; roots, remainders and roundings to integers are exact and may stay.
fn platform_mathematics(tree: &[Source]) -> Vec<String> {
    const FUNCTIONS: [&str; 26] = [
        "exp", "exp2", "exp_m1", "ln", "ln_1p", "log", "log2", "log10", "powf", "powi", "sin", "cos", "tan",
        "sin_cos", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
        "cbrt", "hypot",
    ];
    // Called as a method, or by a path that begins with a type.
    const PATHS: [&str; 6] = ["f32::", "f64::", "T::", "Self::", "Float::", "NdFloat::"];
    let is_call = |code: &str, at: usize, word: &str| {
        let before = code[..at].trim_end();
        let method = before.ends_with('.') && code[at + word.len()..].trim_start().starts_with('(');
        method || PATHS.iter().any(|path| before.ends_with(path))
    };
    let mut offenders = Vec::new();
    for source in in_src(tree) {
        let found = words(&source.bare).filter(|&(at, word)| {
            (FUNCTIONS.contains(&word) || word == "mul_add" && !source.is_in(&["src/gemm.rs"]))
                && is_call(&source.bare, at, word)
        });
        offenders.extend(found.map(|(at, word)| format!("{}: `{word}`", source.place(at))));
    }
    offenders
}

fn unwrap(tree: &[Source]) -> Vec<String> {
    in_src(tree)
        .flat_map(|source| banned_text(source, &source.bare, &[".unwrap()"]))
        .collect()
}

fn leftovers(tree: &[Source]) -> Vec<String> {
    const TEXTS: [&str; 5] = ["todo!", "unimplemented!", "#[ignore", "#[allow(", "#![allow("];
    tree.iter()
        .flat_map(|source| banned_text(source, &source.code, &TEXTS))
        .collect()
}

fn randomness(tree: &[Source]) -> Vec<String> {
    const CRATES: [&str; 6] = [
        "rand",
        "rand_chacha",
        "rand_core",
        "rand_distr",
        "ndarray_rand",
        "getrandom",
    ];
    in_src(tree)
        .filter(|source| !source.is_in(&["src/random.rs", "src/model/init.rs"]))
        .flat_map(|source| banned_words(source, &source.code, &CRATES))
        .collect()
}

/// The made files: everything in `fixtures` but its two texts and the scripts.
fn made_files() -> Vec<String> {
    let mut made: Vec<String> = files("fixtures")
        .iter()
        .filter_map(|path| path.strip_prefix("fixtures/").map(str::to_owned))
        .collect();
    made.retain(|path| path != "README.md" && path != "SHA256SUMS" && !path.starts_with("make/"));
    made
}

fn fixtures_have_checksums(_: &[Source]) -> Vec<String> {
    check_sums(&read("fixtures/SHA256SUMS"), &made_files())
}

/// Each line is a hash, two blanks and a path; the paths are those of the made files, in order.
fn check_sums(sums: &str, made: &[String]) -> Vec<String> {
    let mut offenders = Vec::new();
    let mut listed = Vec::new();
    for (line, text) in (1..).zip(sums.lines()) {
        let place = format!("fixtures/SHA256SUMS:{line}");
        let Some((hash, path)) = text.split_once("  ") else {
            offenders.push(format!("{place}: not `hash  path`"));
            continue;
        };
        if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            offenders.push(format!("{place}: not a SHA-256"));
        }
        if listed.last().is_some_and(|&last| last >= path) {
            offenders.push(format!("{place}: out of order"));
        }
        if made.iter().all(|name| name != path) {
            offenders.push(format!("{place}: there is no fixtures/{path}"));
        }
        listed.push(path);
    }
    let missing = made.iter().filter(|path| !listed.contains(&path.as_str()));
    offenders.extend(missing.map(|path| format!("fixtures/{path}:1: not in SHA256SUMS")));
    offenders
}

fn fixtures_have_rows(_: &[Source]) -> Vec<String> {
    check_rows(&read("fixtures/README.md"), &files("fixtures"))
}

/// A row begins with the name in backquotes; a folder's row ends in `/` and stands for what is in it. The files of
/// `parity` have a row for each case, the scripts are named somewhere.
fn check_rows(readme: &str, files: &[String]) -> Vec<String> {
    let has_row = |name: &str| readme.contains(&format!("\n| `{name}"));
    let mut offenders = Vec::new();
    for path in files.iter().filter_map(|path| path.strip_prefix("fixtures/")) {
        let parts: Vec<&str> = path.split('/').collect();
        let found = match parts[..] {
            ["README.md" | "SHA256SUMS"] => true,
            ["make", script] => readme.contains(&format!("make/{script}")),
            ["parity", case, _] => has_row(&format!("{case}`")),
            [file] => has_row(&format!("{file}`")),
            [folder, ..] => has_row(&format!("{folder}/")),
            [] => false,
        };
        if !found {
            offenders.push(format!("fixtures/{path}:1: no row in fixtures/README.md"));
        }
    }
    offenders
}

fn architecture(_: &[Source]) -> Vec<String> {
    check_architecture(&read("docs/ARCHITECTURE.md"), &read("Cargo.toml"))
}

/// The import table stands there letter for letter, and each dependency has a row in a table.
fn check_architecture(text: &str, manifest: &str) -> Vec<String> {
    let mut offenders = Vec::new();
    if !text.contains(&format!("```text\n{}```", imports::TABLE)) {
        offenders.push(
            "docs/ARCHITECTURE.md:1: its import table is not that of tests/it/tidy/imports.rs".to_owned(),
        );
    }
    let mut section = "";
    for (line, row) in (1..).zip(manifest.lines()) {
        if row.starts_with('[') {
            section = row;
        } else if let Some((name, _)) = row.split_once(" = ")
            && section.ends_with("dependencies]")
            && !text.contains(&format!("\n| `{name}` |"))
        {
            offenders.push(format!(
                "Cargo.toml:{line}: `{name}` has no row in docs/ARCHITECTURE.md"
            ));
        }
    }
    offenders
}

/// One offence for each rule on source text, and its place. (The import rules have a test of their own.)
#[test]
fn each_rule_sees_its_offence() {
    let long_file = "//! x\n".repeat(401);
    let long_function = format!("//! x\nfn f(g: fn(u8) -> [u8; 2]) {{{}}}\n", "\n".repeat(70));
    let planted: [(Rule, &str, &str, &str); 23] = [
        (begins_with_docs, "tests/it/a.rs", "use a;\n//! x", "1: no `//!`"),
        (file_length, "src/a.rs", &long_file, "401: 401 lines"),
        (function_length, "src/a.rs", &long_function, "2: `f` has 71 lines"),
        (unsafe_code, "tests/it/a.rs", "\nunsafe { f() }", "2: `unsafe`"),
        (
            parallel_sums,
            "src/a.rs",
            "let x: f64 =\n y.par_iter().map(|x| {\n x; }).sum();",
            "2: a parallel `sum`",
        ),
        (
            parallel_sums,
            "src/a.rs",
            "f(x.into_par_iter().reduce(|| 0, g))",
            "1: a parallel `reduce`",
        ),
        (module_names, "src/nn/utils.rs", "", "1: a name that says nothing"),
        (module_names, "src/a.rs", "mod helpers {}", "1: `mod helpers`"),
        (
            surroundings,
            "src/nn/a.rs",
            "fn f() { println!() }",
            "1: `println`",
        ),
        (
            surroundings,
            "src/nn/a.rs",
            "use std::time::Instant;",
            "1: `Instant`",
        ),
        (surroundings, "src/nn/a.rs", "\nuse std::env;", "2: `std::env`"),
        (
            platform_mathematics,
            "src/a.rs",
            "fn f() {\n x.exp() }",
            "2: `exp`",
        ),
        (
            platform_mathematics,
            "src/a.rs",
            "fn f() { y.map(f64::tanh) }",
            "1: `tanh`",
        ),
        (platform_mathematics, "src/a.rs", "x\n    .powi(2)", "2: `powi`"),
        (
            platform_mathematics,
            "src/a.rs",
            "T::mul_add(x, y, z)",
            "1: `mul_add`",
        ),
        (unwrap, "src/cli/a.rs", "fn f() { x.unwrap() }", "1: `.unwrap()`"),
        (leftovers, "src/a.rs", "fn f() { todo!() }", "1: `todo!`"),
        (
            leftovers,
            "tests/a.rs",
            "fn f() { unimplemented!() }",
            "1: `unimplemented!`",
        ),
        (leftovers, "tests/a.rs", "#[test]\n#[ignore = 1]", "2: `#[ignore`"),
        (leftovers, "src/a.rs", "#[allow(dead_code)]", "1: `#[allow(`"),
        (leftovers, "src/a.rs", "#![allow(dead_code)]", "1: `#![allow(`"),
        (
            randomness,
            "src/train/a.rs",
            "use ndarray_rand::X;",
            "1: `ndarray_rand`",
        ),
        (
            randomness,
            "src/train/a.rs",
            "fn f() { rand::random() }",
            "1: `rand`",
        ),
    ];
    for (rule, path, text, offence) in planted {
        assert_eq!(
            rule(&[Source::new(path, text)]),
            [format!("{path}:{offence}")],
            "{text}"
        );
    }
    let fine = "//! println! todo!()\n\
        fn f() { let x: f64 = libm::exp(x.iter().sum()); exp(x.sqrt()); log::line(); y.par_iter().for_each(|y| y.iter().sum()); }\n\
        #[cfg(test)]\nmod tests { fn f() { \"unsafe\"; x.exp(); x.unwrap(); println!() } }\n";
    for (sentence, rule) in &RULES[..12] {
        assert_eq!(rule(&[Source::new("src/reduce.rs", fine)]), [""; 0], "{sentence}");
    }
}

/// The rules on other files.
#[test]
fn each_rule_on_lists_sees_its_offence() {
    let hash = "0".repeat(64);
    let made = ["a".to_owned(), "b/c".to_owned()];
    assert_eq!(check_sums(&format!("{hash}  a\n{hash}  b/c\n"), &made), [""; 0]);
    assert_eq!(
        check_sums(&format!("{hash}  d\n{hash}  a\n12  a\nx\n"), &made),
        [
            "fixtures/SHA256SUMS:1: there is no fixtures/d",
            "fixtures/SHA256SUMS:2: out of order",
            "fixtures/SHA256SUMS:3: not a SHA-256",
            "fixtures/SHA256SUMS:3: out of order",
            "fixtures/SHA256SUMS:4: not `hash  path`",
            "fixtures/b/c:1: not in SHA256SUMS",
        ]
    );
    let files = [
        "fixtures/a",
        "fixtures/b/c",
        "fixtures/make/d.py",
        "fixtures/parity/e/f",
    ]
    .map(str::to_owned);
    assert_eq!(
        check_rows("\n| `a` |\n| `b/` |\n| make/d.py\n| `e` |", &files),
        [""; 0]
    );
    assert_eq!(check_rows("", &files).len(), 4);

    let text = format!("```text\n{}```\n| `a` | x |", imports::TABLE);
    let manifest = "[package]\nz = 1\n[dependencies]\na = 1\n[dev-dependencies]\nb = 2\n";
    assert_eq!(
        check_architecture(&text, manifest),
        ["Cargo.toml:6: `b` has no row in docs/ARCHITECTURE.md"]
    );
    assert_eq!(
        check_architecture(&text.replace("everything", "all"), "").len(),
        1
    );
}
