//! Files as users have them: several a side, folders of shards and of ranks, prefixes, separators, other types.

use super::{Files, run, safetensors};

type Tensors<'a> = &'a [(&'a str, &'a [usize], &'a [f32])];

impl Files {
    fn tensors(&self, name: &str, tensors: Tensors<'_>) {
        self.write(name, safetensors(None, tensors));
    }

    /// The program with paths in this folder for the words that begin with `@`; paths are cut out of what it says.
    fn run(&self, arguments: &str) -> (i32, String, String) {
        let words = arguments.split(' ').filter(|word| !word.is_empty());
        let words = words.map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name),
            None => word.to_owned(),
        });
        let words: Vec<String> = words.collect();
        let (code, out, err) = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        (code, self.plain(&out), self.plain(&err))
    }

    /// What `check` says, with these flags: the first line of stdout with 0 or 1, stderr with 2.
    fn check(&self, arguments: &str) -> (i32, String) {
        let (code, out, err) = self.run(&format!("check {arguments}"));
        let said = if code == 2 && out.is_empty() { err } else { out };
        (
            code,
            said.trim_end().lines().next().unwrap_or_default().to_owned(),
        )
    }
}

/// A file of one BF16 tensor, from the upper halves of F32.
fn bf16(name: &str, values: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = values
        .iter()
        .flat_map(|x| x.to_le_bytes()[2..].to_vec())
        .collect();
    let (count, end) = (values.len(), data.len());
    let header =
        format!("{{\"{name}\":{{\"dtype\":\"BF16\",\"shape\":[{count}],\"data_offsets\":[0,{end}]}}}}");
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

/// `a` = (3, 4) and `b` = (0, 12) of norms 5 and 12, together 13; by 1/2 and 1/4 when each is clipped to 2.5 or 3 …
const A: (&str, &[usize], &[f32]) = ("a.w", &[2], &[3.0, 4.0]);
const B: (&str, &[usize], &[f32]) = ("b.w", &[2], &[0.0, 12.0]);
/// … and by 1/2 when their global norm is clipped to 6.5.
const HALF: [(&str, &[usize], &[f32]); 2] = [("a.w", &[2], &[1.5, 2.0]), ("b.w", &[2], &[0.0, 6.0])];

const GLOBAL: &str = "--policy global:6.5@exact";

#[test]
fn several_files_a_side_and_folders() {
    let files = Files::new("several");
    files.tensors("a.safetensors", &[A]);
    files.tensors("b.safetensors", &[B]);
    files.tensors("after.safetensors", &HALF);
    let after = "--after @after.safetensors";
    let pass = |said: (i32, String)| assert!(said.0 == 0 && said.1.contains(": PASS (bitwise)"), "{said:?}");
    // Each way of naming two files.
    pass(files.check(&format!(
        "--before @a.safetensors @b.safetensors {after} {GLOBAL}"
    )));
    pass(files.check(&format!(
        "--before @b.safetensors --before @a.safetensors {after} {GLOBAL}"
    )));
    for folder in ["hf", "plain", "indexed"] {
        files.tensors(&format!("{folder}/model-00001-of-00002.safetensors"), &[A]);
        files.tensors(&format!("{folder}/model-00002-of-00002.safetensors"), &[B]);
        files.write(&format!("{folder}/.DS_Store"), "x");
    }
    let index = |map: &str| {
        files.write(
            "indexed/model.safetensors.index.json",
            format!("{{\"weight_map\":{{{map}}}}}"),
        )
    };
    index(r#""a.w":"model-00001-of-00002.safetensors","b.w":"model-00002-of-00002.safetensors""#);
    for folder in ["hf", "indexed"] {
        pass(files.check(&format!("--before @{folder} {after} {GLOBAL}")));
        let after = format!("--after @{folder}");
        let (code, said) = files.check(&format!("--before @after.safetensors {after} {GLOBAL}"));
        assert!(code == 1 && said.starts_with("after.safetensors: "), "{said}");
    }
    // Without b.w no norm would be 13.
    std::fs::remove_file(files.path("plain/model-00002-of-00002.safetensors")).expect("a file");
    assert_eq!(
        files.check(&format!("--before @plain {after} {GLOBAL}")),
        (
            2,
            "error: plain: of 2 shards model-00002-of-00002.safetensors is missing".to_owned()
        )
    );
    index(r#""a.w":"model-00001-of-00002.safetensors","c.w":"model-00002-of-00002.safetensors""#);
    let (code, said) = files.check(&format!("--before @indexed {after} {GLOBAL}"));
    assert!(
        code == 2 && said.ends_with("the shard model-00002-of-00002.safetensors lacks `c.w`"),
        "{said}"
    );
    index(r#""a.w":"model-00001-of-00002.safetensors""#);
    let (code, said) = files.check(&format!("--before @indexed {after} {GLOBAL}"));
    assert!(
        code == 2 && said.contains("it is not in the index of its folder"),
        "{said}"
    );
    files.write("empty/readme.txt", "x");
    let (code, said) = files.check(&format!("--before @empty {after} {GLOBAL}"));
    assert!(code == 2 && said.contains("readme.txt"), "{said}");
    let (code, said) = files.check(&format!(
        "--before @a.safetensors @a.safetensors {after} {GLOBAL}"
    ));
    assert_eq!(
        (code, said.as_str()),
        (2, "error: a.safetensors: the file is given twice")
    );
}

/// Ranks: `w` is cut along axis 1, `n` is on each, `p` is a sum; 1 + 2 + 3 + 6 of the 12 files are in each folder.
fn ranks(files: &Files) {
    // w = [[1, 2, 3], [4, 5, 6]], in columns of 1 and 2; n = (8), p = (1, 2) + (3, -2) = (4, 0).
    let rank0: Tensors<'_> = &[
        ("w", &[2, 1], &[1.0, 4.0]),
        ("n", &[1], &[8.0]),
        ("p", &[2], &[1.0, 2.0]),
    ];
    let rank1: Tensors<'_> = &[
        ("w", &[2, 2], &[2.0, 3.0, 5.0, 6.0]),
        ("n", &[1], &[8.0]),
        ("p", &[2], &[3.0, -2.0]),
    ];
    files.tensors("before/rank0.safetensors", rank0);
    files.tensors("before/rank1.safetensors", rank1);
    // By value at 2.5.
    let whole: Tensors<'_> = &[
        ("w", &[2, 3], &[1.0, 2.0, 2.5, 2.5, 2.5, 2.5]),
        ("n", &[1], &[2.5]),
        ("p", &[2], &[2.5, 0.0]),
    ];
    files.tensors("whole.safetensors", whole);
}

#[test]
fn placements() {
    let files = Files::new("placements");
    ranks(&files);
    let value = "--policy value:2.5";
    let placed = "--placement w=shard:1 --placement n=replicated --placement p=partial";
    let (code, out, _) = files.run(&format!(
        "check --before @before --after @whole.safetensors {value} {placed}"
    ));
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("before: PASS (bitwise)"), "{out}");
    let note = "before: `w=shard:1`: 1 tensor, each from 2 files, `n=replicated`: 1 tensor, each from 2 files, \
                `p=partial`: 1 tensor, each from 2 files";
    assert!(out.contains(note), "{out}");
    // From the end, and by pattern; the first that fits counts.
    let other = "--placement w=shard:-1 --placement p=partial --placement *=replicated";
    assert_eq!(
        files
            .check(&format!(
                "--before @before --after @whole.safetensors {value} {other}"
            ))
            .0,
        0
    );

    let refused = |flags: &str, part: &str| {
        let (code, said) = files.check(&format!(
            "--before @before --after @whole.safetensors {value} {flags}"
        ));
        assert_eq!(code, 2, "{flags}: {said}");
        assert!(said.contains(part), "{flags}: {said}");
    };
    refused(
        "",
        "`w` stands in before/rank0.safetensors and before/rank1.safetensors (and so do 2 names more)",
    );
    refused(
        "",
        "--placement 'w=replicated', --placement 'w=shard:AXIS', --placement 'w=partial'",
    );
    refused(
        "--placement *=replicated",
        "replicas of `w` differ: shape [2, 1] in before/rank0.safetensors, [2, 2]",
    );
    refused(
        "--placement p=replicated --placement *=shard:-1",
        "replicas of `p` differ: element 0 is 1.0 in",
    );
    refused(
        "--placement *=shard:0",
        "`w`: the shard in before/rank0.safetensors has the shape [2, 1] and that in",
    );
    refused("--placement *=shard:2", "which has no axis 2");
    refused("--placement *=partial", "`w`: terms of a sum have one shape");
    refused(
        &format!("{placed} --placement x*=partial"),
        "the placement `x*=partial` fits no tensor",
    );
    for (flag, part) in [
        ("w=shard", "`shard` is no placement, expected PATTERN=replicated"),
        ("w", "expected PATTERN=replicated"),
        ("w=shard:x", "`shard:x` is no placement"),
    ] {
        let (code, _, err) = files.run(&format!(
            "check --before @before --after @whole.safetensors {value} --placement {flag}"
        ));
        assert!(code == 2 && err.contains(part), "{err}");
    }
}

/// Ten ranks: by number and not by letter, and the order on the command line where names have no numbers.
#[test]
fn the_order_of_ranks() {
    let files = Files::new("order");
    let whole: Vec<f32> = (0..11_u8).map(f32::from).collect();
    let expected: Vec<f32> = whole.iter().map(|x| x.min(4.0)).collect();
    for (i, x) in whole.iter().enumerate() {
        files.tensors(&format!("ranks/rank{i}.safetensors"), &[("w", &[1], &[*x])]);
        let letter = char::from(b'z' - u8::try_from(i).expect("few"));
        files.tensors(&format!("letters/{letter}.safetensors"), &[("w", &[1], &[*x])]);
    }
    files.tensors("after.safetensors", &[("w", &[11], &expected)]);
    let rest = "--after @after.safetensors --policy value:4 --placement w=shard:0";
    assert_eq!(files.check(&format!("--before @ranks {rest}")).0, 0);
    let (code, said) = files.check(&format!("--before @letters {rest}"));
    assert!(
        code == 2 && said.contains("the order of the shards is not known"),
        "{said}"
    );
    let listed: Vec<String> = ('p'..='z')
        .rev()
        .map(|c| format!("@letters/{c}.safetensors"))
        .collect();
    assert_eq!(files.check(&format!("--before {} {rest}", listed.join(" "))).0, 0);
    std::fs::remove_file(files.path("ranks/rank4.safetensors")).expect("a file");
    let (code, said) = files.check(&format!("--before @ranks {rest}"));
    assert!(
        code == 2 && said.contains("there are files of 10 ranks, and none of rank 4"),
        "{said}"
    );
}

/// A pattern whose tensors are not on as many ranks each.
#[test]
fn a_rank_that_lacks_a_tensor() {
    let files = Files::new("lacks");
    files.tensors("r/rank0.safetensors", &[("a", &[1], &[1.0]), ("b", &[1], &[1.0])]);
    files.tensors("r/rank1.safetensors", &[("a", &[1], &[1.0])]);
    files.tensors(
        "after.safetensors",
        &[("a", &[2], &[1.0, 1.0]), ("b", &[1], &[1.0])],
    );
    let check = |placement: &str| {
        files.check(&format!(
            "--before @r --after @after.safetensors --policy value:4 {placement}"
        ))
    };
    let (code, said) = check("--placement *=shard:0");
    assert_eq!(code, 2);
    let part =
        "`*=shard:0`: `a` stands in 2 files and `b` in 1, not in r/rank1.safetensors; if that is right, give";
    assert!(said.contains(part), "{said}");
    assert_eq!(check("--placement a=shard:0").0, 0);
}

/// Sums over ranks: two are rounded once, of more only what every order gives.
#[test]
fn partial_gradients() {
    let files = Files::new("partial");
    let check = |name: &str, terms: &[f32], sum: f32| {
        for (rank, x) in terms.iter().enumerate() {
            files.tensors(&format!("{name}/rank{rank}.safetensors"), &[("w", &[1], &[*x])]);
        }
        files.tensors(&format!("{name}.safetensors"), &[("w", &[1], &[sum])]);
        let flags = "--policy none --placement w=partial";
        files.check(&format!("--before @{name} --after @{name}.safetensors {flags}"))
    };
    let tiny = f32::from_bits(1);
    // 0.1 + 0.2 rounded to F32; integers; numbers that cancel; the smallest numbers; signed zeros.
    for (name, terms, sum) in [
        ("two", &[0.1_f32, 0.2][..], 0.1 + 0.2),
        ("integers", &[1.0, 2.0, 3.0, -7.0], -1.0),
        ("cancels", &[8e6, -8e6, 7.0], 7.0),
        ("smallest", &[tiny, tiny, tiny], 3.0 * tiny),
        ("zeros", &[-0.0, -0.0, -0.0], -0.0),
        ("signs", &[-0.0, 0.0, -0.0], 0.0),
        ("infinite", &[f32::INFINITY, 1.0, 2.0], f32::INFINITY),
    ] {
        let (code, said) = check(name, terms, sum);
        assert_eq!(code, 0, "{name}: {said}");
    }
    for (name, terms) in [
        // (1 + 2^-24) + 2^-24 = 1 in F32, 1 + (2^-24 + 2^-24) = 1 + 2^-23.
        ("order", [1.0, f32::EPSILON / 2.0, f32::EPSILON / 2.0]),
        ("tenths", [0.1, 0.2, 0.3]),
        // Infinity first, or 3e38.
        ("overflow", [3e38, 3e38, -3e38]),
    ] {
        let (code, said) = check(name, &terms, 0.0);
        assert!(
            code == 2 && said.contains("depends on its order in F32"),
            "{name}: {said}"
        );
    }
}

/// Replicas that differ are bad input before clipping, and after it what is looked for.
#[test]
fn replicas_after_clipping_that_differ() {
    let files = Files::new("replicas");
    for (rank, second) in [(0, 2.0), (1, 2.0), (2, 2.5)] {
        files.tensors(&format!("before/rank{rank}.safetensors"), &[A]);
        files.tensors(
            &format!("good/rank{rank}.safetensors"),
            &[("a.w", &[2], &[1.5, 2.0])],
        );
        files.tensors(
            &format!("bad/rank{rank}.safetensors"),
            &[("a.w", &[2], &[1.5, second])],
        );
    }
    let rest = "--policy component:2.5@exact --placement *=replicated";
    assert_eq!(
        files.check(&format!("--before @before --after @good {rest}")).0,
        0
    );
    let line = "replicas of `a.w` differ: element 1 is 2.0 in bad/rank0.safetensors and 2.5 in bad/rank2.safetensors";
    assert_eq!(
        files.check(&format!("--before @before --after @bad {rest}")),
        (1, format!("before: REPLICAS: {line}"))
    );
    let (code, out, _) = files.run(&format!(
        "check --before @before --after @bad {rest} --format json"
    ));
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (code, &report["cases"][0]["verdict"], &report["exit_code"]),
        (1, &"REPLICAS".into(), &1.into())
    );
    let (code, out, _) = files.run(&format!(
        "check --before @before --after @bad {rest} --format junit"
    ));
    assert!(
        code == 1 && out.contains("failures=\"1\"") && out.contains("REPLICAS"),
        "{out}"
    );
    assert_eq!(
        files.check(&format!("--before @bad --after @good {rest}")),
        (2, format!("error: bad: {line}"))
    );
    for command in ["explain --policy component:2.5@exact", "identify --threshold 2.5"] {
        let (code, out, err) = files.run(&format!(
            "{command} --before @before --after @bad --placement *=replicated"
        ));
        assert_eq!((code, out.trim_end(), err.as_str()), (1, line, ""), "{command}");
    }
}

/// A gradient that is a sum before clipping is something else after it.
#[test]
fn placements_of_one_side() {
    let files = Files::new("one_side");
    // (3, 4) = (1, 4) + (2, 0), and by 1/2.
    files.tensors("before/rank0.safetensors", &[("w", &[2], &[1.0, 4.0])]);
    files.tensors("before/rank1.safetensors", &[("w", &[2], &[2.0, 0.0])]);
    files.tensors("after/rank0.safetensors", &[("w", &[1], &[1.5])]);
    files.tensors("after/rank1.safetensors", &[("w", &[1], &[2.0])]);
    let flags = "--before @before --after @after --policy global:2.5@exact --placement w=partial";
    let (code, said) = files.check(flags);
    assert!(
        code == 2 && said.contains("say with --placement-after what the tensors are after it"),
        "{said}"
    );
    assert_eq!(files.check(&format!("{flags} --placement-after w=shard:0")).0, 0);
    assert_eq!(
        files.run("identify --before @before --after @after --threshold 2.5 --placement w=partial --placement-after w=shard:0").0,
        0
    );
}

#[test]
fn prefixes() {
    let files = Files::new("prefixes");
    files.tensors("b.safetensors", &[A, B]);
    files.tensors(
        "module.safetensors",
        &[
            ("module.a.w", &[2], &[1.5, 2.0]),
            ("module.b.w", &[2], &[0.0, 6.0]),
        ],
    );
    files.tensors(
        "compiled.safetensors",
        &[("_orig_mod.a.w", A.1, A.2), ("_orig_mod.b.w", B.1, B.2)],
    );
    files.tensors(
        "nested.safetensors",
        &[
            ("module._orig_mod.a.w", A.1, A.2),
            ("module._orig_mod.b.w", B.1, B.2),
        ],
    );
    files.tensors(
        "both.safetensors",
        &[("module.a.w", A.1, A.2), ("a.w", A.1, A.2), ("b.w", B.1, B.2)],
    );
    let check = |before: &str, after: &str, flags: &str| {
        files.check(&format!(
            "--before @{before}.safetensors --after @{after}.safetensors {GLOBAL}{flags}"
        ))
    };
    let (code, said) = check("b", "module", "");
    assert_eq!(code, 2);
    assert!(
        said.ends_with("is the same without it; strip it: --strip-prefix module."),
        "{said}"
    );
    let (_, said) = check("compiled", "module", "");
    assert!(
        said.ends_with("strip both: --strip-prefix _orig_mod. --strip-prefix module."),
        "{said}"
    );
    assert_eq!(check("b", "module", " --strip-prefix module.").0, 0);
    assert_eq!(
        check(
            "compiled",
            "module",
            " --strip-prefix module. --strip-prefix _orig_mod."
        )
        .0,
        0
    );
    assert_eq!(
        check(
            "nested",
            "module",
            " --strip-prefix module. --strip-prefix _orig_mod."
        )
        .0,
        0
    );
    let (code, said) = check("b", "module", " --strip-prefix module. --strip-prefix modul_");
    assert!(
        code == 2 && said.contains("no name begins with the prefix `modul_`"),
        "{said}"
    );
    let (code, said) = check("both", "module", " --strip-prefix module.");
    assert!(
        code == 2 && said.contains("without its prefix `a.w` is `a.w`, and so is `module.a.w`")
            || said.contains("without its prefix `module.a.w` is `a.w`, and so is `a.w`"),
        "{said}"
    );
    // Norms that the kernel returned have its names.
    files.write("norms.json", r#"{"module.a.w": 5, "module.b.w": 12}"#);
    files.tensors(
        "each.safetensors",
        &[
            ("module.a.w", &[2], &[1.5, 2.0]),
            ("module.b.w", &[2], &[0.0, 2.5]),
        ],
    );
    let flags = "--policy component:2.5@exact --strip-prefix module. --norms @norms.json";
    let (code, said) = files.check(&format!(
        "--before @b.safetensors --after @each.safetensors {flags}"
    ));
    assert_eq!(code, 0, "{said}");
}

/// Many names without a partner are counted, not listed.
#[test]
fn long_lists_are_cut() {
    let files = Files::new("long_lists");
    let names: Vec<String> = (0..900).map(|i| format!("model.layers.{i}.weight")).collect();
    let one: &[f32] = &[1.0];
    let tensors: Vec<(&str, &[usize], &[f32])> =
        names.iter().map(|name| (name.as_str(), &[1][..], one)).collect();
    files.tensors("many.safetensors", &tensors);
    files.tensors("other.safetensors", &[A]);
    let (code, _, err) =
        files.run("check --before @many.safetensors --after @other.safetensors --policy global:1");
    assert!(
        code == 2 && err.contains("and 894 more") && err.len() < 400,
        "{err}"
    );
    let clip = "clip --grads @many.safetensors --params @other.safetensors --policy agc:0.1";
    let (code, _, err) = files.run(clip);
    assert!(
        code == 2 && err.contains("and 894 more") && err.len() < 400,
        "{err}"
    );
}

/// Names that hold dots and slashes: what is a module is for the user to say.
#[test]
fn separators() {
    let files = Files::new("separators");
    // Modules at `/`: both of norm 13 together; at dots and slashes `net/a.b` alone, of norm 5, and `net/c`.
    files.tensors("b.safetensors", &[("net/a.b", A.1, A.2), ("net/c", B.1, B.2)]);
    files.tensors(
        "a.safetensors",
        &[("net/a.b", &[2], &[1.5, 2.0]), ("net/c", &[2], &[0.0, 6.0])],
    );
    let check = |policy: &str| {
        files.check(&format!(
            "--before @b.safetensors --after @a.safetensors --policy {policy}"
        ))
    };
    assert_eq!(check("module:6.5@exact").0, 1);
    for policy in ["module:6.5@exact --separator /", "module:6.5@exact,separator=/"] {
        let (code, said) = check(policy);
        assert_eq!(code, 0, "{said}");
    }
    for (policy, part) in [
        (
            "module:6.5@exact,separator=. --separator /",
            "--separator /: the policy is `module:6.5@exact,separator=.`",
        ),
        ("global:6.5@exact --separator /", "cuts none"),
        ("global:6.5@exact,separator=/", "cuts none"),
    ] {
        let (code, _, err) = files.run(&format!(
            "check --before @b.safetensors --after @a.safetensors --policy {policy}"
        ));
        assert!(code == 2 && err.contains(part), "{err}");
    }
    let identify = "identify --before @b.safetensors --after @a.safetensors --threshold 6.5 --declared exact";
    let (_, out, _) = files.run(identify);
    assert!(!out.contains("module:6.5@exact"), "{out}");
    let (code, out, _) = files.run(&format!("{identify} --separator /"));
    assert!(
        code == 0 && out.contains("`module:6.5@exact,separator=/`"),
        "{out}"
    );
    // Both engines, and case files: the policy's text goes with them.
    let clip = "clip --grads @b.safetensors --policy module:6.5@exact --separator / -o";
    assert_eq!(
        files
            .run(&format!("{clip} {}", files.path("clipped.safetensors")))
            .0,
        0
    );
    let read = |name: &str| std::fs::read(files.path(name)).expect("a file");
    assert_eq!(read("clipped.safetensors"), read("a.safetensors"));
    let expect = format!(
        "expect --before @b.safetensors --policy module:6.5@exact --separator / -o {}",
        files.path("e.safetensors")
    );
    assert_eq!(files.run(&expect).0, 0);
    let (code, out, _) = files.run("explain @e.safetensors");
    assert!(
        code == 0 && out.contains("module:6.5@exact,separator=/") && out.contains("net "),
        "{out}"
    );
}

/// BF16 gradients that were clipped as F32, as main gradients are.
#[test]
fn types_that_differ() {
    let files = Files::new("types");
    files.write("bf16.safetensors", bf16("a.w", A.2));
    files.write("half_bf16.safetensors", bf16("a.w", &[1.5, 2.0]));
    files.tensors("f32.safetensors", &[("a.w", &[2], &[3.0, 4.0])]);
    // 3/5 · 1 and 4/5 · 1 rounded to F32, which BF16 cannot hold.
    files.tensors("unit.safetensors", &[("a.w", &[2], &[0.6, 0.8])]);
    let check = |before: &str, after: &str, flags: &str| {
        files.check(&format!(
            "--before @{before}.safetensors --after @{after}.safetensors {flags}"
        ))
    };
    let (code, said) = check("bf16", "unit", "--policy global:1@exact");
    assert_eq!(code, 2);
    assert!(
        said.contains("`a.w` is BF16 before clipping and F32 after; say --widen if"),
        "{said}"
    );
    let (code, out, _) = files
        .run("check --before @bf16.safetensors --after @unit.safetensors --policy global:1@exact --widen");
    assert!(
        code == 0 && out.contains("PASS (bitwise)") && out.contains("1 widened from BF16 to F32"),
        "{out}"
    );
    let identify = "identify --before @bf16.safetensors --after @unit.safetensors --threshold 1";
    assert_eq!(
        (files.run(identify).0, files.run(&format!("{identify} --widen")).0),
        (2, 0)
    );
    let (code, said) = check("f32", "half_bf16", "--policy global:2.5@exact --widen");
    assert!(
        code == 2 && said.contains("is F32 before clipping and BF16 after: the output was rounded"),
        "{said}"
    );
    let (code, said) = check("f32", "unit", "--policy global:1@exact --widen");
    assert!(
        code == 2 && said.contains("--widen: no tensor is of a wider type"),
        "{said}"
    );
}

/// A case of somebody else's may be called anything; files are written in the folder for them and nowhere else.
#[test]
fn names_of_cases_with_slashes() {
    let files = Files::new("slashes");
    for (file, name) in [("one", "a/b"), ("two", "../../up"), ("three", "/top")] {
        let about = format!(r#"{{"spec":1,"policy":"component:1","name":"{name}"}}"#);
        let tensors: Tensors<'_> = &[("before/net/a.b", &[2], &[3.0, 4.0])];
        files.write(
            &format!("cases/{file}.safetensors"),
            safetensors(Some(&about), tensors),
        );
    }
    let save = files.path("saved");
    let (code, out, err) = files.run(&format!("pipe --cases @cases --save {save} -- cat"));
    assert_eq!(code, 1, "{out}{err}");
    let mut names: Vec<String> = std::fs::read_dir(&save)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["_._.._up.safetensors", "_top.safetensors", "a_b.safetensors"]
    );
}
