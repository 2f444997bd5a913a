//! Which module may use which: the layers of the crate as a table, and the paths that a file really uses.

use super::source::{Source, closing, words};

/// The table; `docs/ARCHITECTURE.md` quotes it, and a test compares the two.
///
/// `layer 0` stands for all modules of that layer, `everything` for all. `(types)` allows names that begin with a
/// capital letter: types, their constructors and methods, but no function of the module.
pub(super) const TABLE: &str = "\
layer  module      may use
0      real        layer 0
0      param       layer 0
0      reduce      layer 0
0      gemm        layer 0
0      simd        layer 0
0      pool        layer 0
0      random      layer 0
0      embedded    nothing
1      report      nothing
1      clip        layer 0
1      nn          layer 0
1      optim       layer 0
2      model       layer 0, nn
2      checkpoint  layer 0, model (types)
2      oracle      layer 0, clip (types), report
3      data        layer 0, model (types)
3      train       layer 0, clip, optim, model
3      cases       layer 0, clip (types), oracle, checkpoint, report
4      machine     layer 0, clip, optim, model, train
4      builtin     layer 0, data, model (types)
4      study       layer 0
5      cli         everything
5      main        cli
";

/// What one module may use of another.
#[derive(Clone, Copy, PartialEq)]
enum Grant {
    All,
    Types,
}

/// (layer, module, entries) of each row.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TABLE.lines().skip(1).map(|line| {
        let (layer, rest) = line.split_once(' ').expect("a layer");
        let (module, grants) = rest.trim_start().split_once(' ').expect("a module");
        (layer, module, grants.trim())
    })
}

/// What `module` may use of `used`, or `None`.
fn grant(module: &str, used: &str) -> Option<Grant> {
    let (_, _, grants) = rows().find(|row| row.1 == module)?;
    let layer_0 = rows().any(|(layer, name, _)| layer == "0" && name == used);
    grants.split(", ").find_map(|grant| match grant {
        "everything" => Some(Grant::All),
        "layer 0" if layer_0 => Some(Grant::All),
        name if name == used => Some(Grant::All),
        name if name.strip_suffix(" (types)") == Some(used) => Some(Grant::Types),
        _ => None,
    })
}

/// The module of a file under `src`: its first folder, or its own name.
fn module(path: &str) -> Option<&str> {
    let path = path.strip_prefix("src/")?;
    Some(
        path.split_once('/')
            .map_or(path.trim_end_matches(".rs"), |(folder, _)| folder),
    )
}

/// Every use of a module that the table does not allow, and every file whose module it does not know.
pub(super) fn offenders(tree: &[Source]) -> Vec<String> {
    let mut offenders = Vec::new();
    for source in tree {
        // lib.rs declares the modules; it uses none.
        let Some(module) = module(&source.path).filter(|&module| module != "lib") else {
            continue;
        };
        if rows().all(|row| row.1 != module) {
            offenders.push(format!(
                "{}:1: module `{module}` is not in the import table",
                source.path
            ));
            continue;
        }
        for (at, path) in paths(source) {
            let Some(used) = path.first().filter(|&used| used != module && used != "self") else {
                continue;
            };
            let allowed = match grant(module, used) {
                Some(Grant::All) => true,
                Some(Grant::Types) => path.get(1..).is_some_and(|p| p.iter().any(|name| is_type(name))),
                None => false,
            };
            if !allowed {
                offenders.push(format!(
                    "{}: `{module}` may not use `{}`",
                    source.place(at),
                    path.join("::")
                ));
            }
        }
    }
    offenders
}

fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

/// Every path that starts at the root of the crate (`crate::…`, enough `super::…`, or `cwgnc::…` in main.rs), with
/// its position and without its start.
fn paths(source: &Source) -> Vec<(usize, Vec<String>)> {
    let code = &source.code;
    let mut found = Vec::new();
    let mut past = 0;
    for (at, word) in words(code) {
        if at < past || !matches!(word, "crate" | "super" | "cwgnc") {
            continue;
        }
        let mut end = at + word.len();
        let mut supers = usize::from(word == "super");
        while let Some(next) = code[end..].strip_prefix("::super") {
            (supers, end) = (supers + 1, code.len() - next.len());
        }
        past = end;
        let is_root = match word {
            "crate" => code[end..].starts_with("::"),
            "cwgnc" => source.path == "src/main.rs",
            _ => supers >= depth(source, at),
        };
        if is_root && let Some(rest) = code[end..].strip_prefix("::") {
            found.extend(tree_paths(rest).into_iter().map(|path| (at, path)));
        }
    }
    found
}

/// How many `super` lead from a position in a file to the root of the crate.
fn depth(source: &Source, at: usize) -> usize {
    let path = source.path.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    let inline = words(&source.code).filter(|&(start, word)| {
        let rest = &source.code[start + word.len()..];
        let open = rest.find(['{', ';']).filter(|&n| rest.as_bytes()[n] == b'{');
        let open = open.map(|n| start + word.len() + n);
        word == "mod" && open.is_some_and(|open| open < at && at < closing(&source.code, open))
    });
    path.split('/').count() + inline.count()
}

/// The paths of a use tree, or of a path in an expression: `clip::{self, ClipPolicy}` is two.
fn tree_paths(code: &str) -> Vec<Vec<String>> {
    let code = code.trim_start();
    if code.starts_with('{') {
        let inside = &code[1..closing(code, 0) - 1];
        return branches(inside).into_iter().flat_map(tree_paths).collect();
    }
    let len = code
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(code.len());
    let name = code[..len].to_owned();
    let tails = match code[len..].strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => tree_paths(rest),
        _ => vec![Vec::new()],
    };
    let joined = |tail: Vec<String>| std::iter::once(name.clone()).chain(tail).collect();
    tails.into_iter().map(joined).collect()
}

/// The parts between the commas that are in no inner braces.
fn branches(inside: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Uses of every form, with what the table says of them.
#[test]
fn import_rules() {
    for (path, code, expected) in [
        ("src/nn/a.rs", "use crate::gemm;", ""),
        (
            "src/nn/a.rs",
            "use crate::clip::clip;",
            "`nn` may not use `clip::clip`",
        ),
        (
            "src/nn/a.rs",
            "use crate::{real::Real, model};",
            "`nn` may not use `model`",
        ),
        (
            "src/nn/a.rs",
            "fn f() { crate::train::predict::<f32>() }",
            "`nn` may not use `train::predict`",
        ),
        (
            "src/nn/a.rs",
            "use super::super::optim;",
            "`nn` may not use `optim`",
        ),
        ("src/nn/a.rs", "mod t { use super::super::linear; }", ""),
        (
            "src/nn/mod.rs",
            "use super::clip::X;",
            "`nn` may not use `clip::X`",
        ),
        ("src/reduce.rs", "use super::nn;", "`reduce` may not use `nn`"),
        (
            "src/reduce.rs",
            "#[cfg(test)] mod tests { use crate::clip::X; }",
            "`reduce` may not use `clip::X`",
        ),
        (
            "src/oracle/a.rs",
            "use crate::clip::{ClipPolicy, policy::Threshold};",
            "",
        ),
        (
            "src/oracle/a.rs",
            "use crate::clip::{ClipPolicy, clip};",
            "`oracle` may not use `clip::clip`",
        ),
        (
            "src/oracle/a.rs",
            "use crate::clip::{self};",
            "`oracle` may not use `clip::self`",
        ),
        (
            "src/oracle/a.rs",
            "use crate::clip::*;",
            "`oracle` may not use `clip::`",
        ),
        (
            "src/report/a.rs",
            "use crate::real::Real;",
            "`report` may not use `real::Real`",
        ),
        ("src/cli/a.rs", "use crate::train::Run;", ""),
        (
            "src/main.rs",
            "fn main() { cwgnc::train::run() }",
            "`main` may not use `train::run`",
        ),
        ("src/extra.rs", "", "module `extra` is not in the import table"),
    ] {
        let found = offenders(&[Source::new(path, code)]);
        let expected: Vec<String> = Some(expected)
            .filter(|text| !text.is_empty())
            .map(|text| format!("{path}:1: {text}"))
            .into_iter()
            .collect();
        assert_eq!(found, expected, "{path}: {code}");
    }
}
