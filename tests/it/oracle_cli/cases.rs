//! `cases`, and what is in the packs.

use super::{Files, run};
use crate::scratch::fixture;
use cwgnc::cases::file::{case_bytes, case_of_bytes, read_case};
use cwgnc::cases::{Class, Pack, Wanted};
use cwgnc::oracle::{Format, expect};
use std::collections::BTreeSet;
use std::path::Path;

/// The committed pack is what the program makes from seed 0, byte for byte.
#[test]
fn the_core_pack_is_the_committed_one() {
    let cases = Pack::Core.cases(0);
    let committed = std::fs::read_dir(fixture("cases")).expect("the folder").count();
    assert_eq!(cases.len(), committed);
    for named in &cases {
        let path = fixture("cases").join(format!("{}.safetensors", named.name));
        let bytes = std::fs::read(&path).expect("the committed file");
        assert!(bytes == case_bytes(named, None), "{}", named.name);
    }
}

/// Every case can be judged, and comes back from its file as it was.
#[test]
fn packs_are_sound() {
    for pack in Pack::ALL {
        let cases = pack.cases(3);
        assert!(cases.len() > 40, "{pack}");
        let mut names = BTreeSet::new();
        for named in &cases {
            assert!(names.insert(&named.name), "{} twice", named.name);
            assert!(!named.note.is_empty(), "{}", named.name);
            expect(&named.case).unwrap_or_else(|error| panic!("{}: {error}", named.name));
            if pack == Pack::Stress {
                continue;
            }
            let read = case_of_bytes(Path::new("case"), case_bytes(named, None)).expect("the file");
            let mut wide_first = named.clone();
            wide_first
                .case
                .before
                .sort_by_key(|t| std::cmp::Reverse(t.data.format().precision() > 11));
            // NaN is not equal to itself, so bits are compared.
            assert_eq!(read.case.policy, named.case.policy);
            assert_eq!(read.case.state, named.case.state);
            assert_eq!(
                (&read.name, &read.class, read.seed),
                (&named.name, &named.class, named.seed)
            );
            let same = read
                .case
                .before
                .iter()
                .zip(&wide_first.case.before)
                .all(|(a, b)| a.same_bits(b));
            assert!(
                same && read.case.before.len() == named.case.before.len(),
                "{}",
                named.name
            );
        }
    }
}

/// The table of packs in `docs/oracle.md` has their sizes.
#[test]
fn packs_are_as_large_as_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/oracle.md");
    let text = std::fs::read_to_string(path).expect("docs/oracle.md");
    for pack in Pack::ALL {
        let row = format!("| `{pack}` | {}", pack.cases(0).len());
        let found = text.lines().filter(|line| line.starts_with(&row));
        let exact = found.filter(|line| line[row.len()..].starts_with([',', ' ']));
        assert_eq!(exact.count(), 1, "{row}");
    }
}

/// Integers whose squares sum to the square of an integer, to be exact whoever adds them up.
#[test]
fn the_exact_class_is_exact() {
    let cases = Pack::Core.cases(11);
    let exact: Vec<_> = cases
        .iter()
        .filter(|named| named.class == Class::Exact.name())
        .collect();
    assert!(exact.len() >= 20);
    for named in exact {
        for tensor in &named.case.before {
            let x = tensor.data.values();
            assert!(x.iter().all(|x| x.fract() == 0.0), "{}", named.name);
            let sum: f64 = x.iter().map(|x| x * x).sum();
            assert_eq!(sum.sqrt().fract(), 0.0, "{}", named.name);
            let room = 2.0_f64.powi(tensor.data.format().precision().min(24));
            assert!(sum < room, "{}: {sum} in {}", named.name, tensor.data.format());
        }
    }
}

#[test]
fn seeds_make_packs() {
    let files = |seed| {
        let cases = Pack::Core.cases(seed);
        cases
            .iter()
            .map(|named| case_bytes(named, None))
            .collect::<Vec<_>>()
    };
    assert!(files(5) == files(5) && files(5) != files(6));
}

#[test]
fn the_command_writes_a_pack() {
    let files = Files::new("cases");
    let dir = files.path("mesh");
    let (code, out, err) = run(&["cases", "--pack", "mesh", "--seed", "9", "-o", &dir]);
    assert_eq!((code, err.as_str()), (0, ""));
    let cases = Pack::Mesh.cases(9);
    assert!(
        out.starts_with(&format!("{} cases of pack mesh, seed 9, ", cases.len())),
        "{out}"
    );
    let first = read_case(&Path::new(&dir).join(format!("{}.safetensors", cases[0].name))).expect("a case");
    assert_eq!(first, cases[0]);
    let (code, _, err) = run(&["cases", "--pack", "mesh", "-o", &dir]);
    assert_eq!(code, 2);
    assert_eq!(
        files.plain(&err),
        "error: the folder mesh is not empty; cases of two packs or seeds must not mix\n"
    );
    let (code, _, err) = run(&["cases", "--pack", "cor", "-o", &files.path("new")]);
    assert_eq!(code, 2);
    assert!(
        err.contains("unknown pack `cor`; there are core, edge, stress, mesh, stateful"),
        "{err}"
    );
}

/// Cases for one's own policy are those of the library, and come back from their files.
#[test]
fn the_command_writes_cases_for_a_policy() {
    let files = Files::new("cases_policy");
    let dir = files.path("own");
    let policy = "component:*@optax,exclude=*.bias";
    let own = [
        "cases",
        "--policy",
        policy,
        "--dtype",
        "f32,bf16",
        "--count",
        "45",
        "--largest",
        "300",
    ];
    let more = ["--without", "magnitude,non-finite", "--seed", "5", "-o", &dir];
    let (code, out, err) = run(&[&own[..], &more].concat());
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with(&format!("45 cases for {policy}, seed 5, ")),
        "{out}"
    );
    let wanted = Wanted {
        formats: vec![Format::F32, Format::Bf16],
        count: 45,
        seed: 5,
        without: vec![Class::Magnitude, Class::NonFinite],
        largest: 300,
        ..Wanted::default()
    };
    let cases = Pack::cases_for(&policy.parse().expect("a template"), &wanted).expect("cases");
    for named in cases {
        let path = Path::new(&dir).join(format!("{}.safetensors", named.name));
        let bytes = std::fs::read(&path).expect("the file");
        assert!(bytes == case_bytes(&named, None), "{}", named.name);
        let read = read_case(&path).expect("a case");
        assert_eq!(
            (read.pack.as_str(), read.case.policy),
            (policy, named.case.policy)
        );
    }
    assert_eq!(std::fs::read_dir(&dir).expect("the folder").count(), 45);
}

#[test]
fn cases_that_cannot_be_had() {
    let files = Files::new("cases_refused");
    let dir = files.path("new");
    for (flags, said) in [
        (vec![], "which cases? give --pack or --policy"),
        (
            vec!["--pack", "core", "--policy", "global:*"],
            "cannot be used with",
        ),
        (vec!["--pack", "core", "--count", "5"], "cannot be used with"),
        (vec!["--pack", "core", "--dtype", "f16"], "cannot be used with"),
        (
            vec!["--policy", "global:*", "--without", "nonfinite"],
            "unknown class `nonfinite`; there are exact, rule, straddle, ",
        ),
        (
            vec!["--policy", "global:*", "--dtype", "f32,f8"],
            "element type `f8`: expected F16, BF16, F32 or F64",
        ),
        (
            vec!["--policy", "globl:*"],
            "unknown clipping policy `globl`; nearest: global",
        ),
        (
            vec!["--policy", "autoclip:*"],
            "`autoclip` has no threshold that could be left open; give its number in place of `*`",
        ),
        (
            vec!["--policy", "global:*", "--count", "0"],
            "--policy global:*: no case is asked for, expected at least one",
        ),
        (
            vec!["--policy", "global:0@mindspore"],
            "--policy global:0@mindspore: no case of this policy can be judged: ",
        ),
        (
            vec!["--pack", "stateful", "--without", "history"],
            "pack stateful: --without leaves no case",
        ),
    ] {
        let (code, _, err) = run(&[&["cases", "-o", &dir], &flags[..]].concat());
        assert_eq!(code, 2, "{flags:?}");
        assert!(err.contains(said), "{flags:?}\n{err}");
        assert!(!Path::new(&dir).exists(), "{flags:?}");
    }
    let left = ["--without", "magnitude,non-finite", "-o", &dir];
    let (code, out, _) = run(&[&["cases", "--pack", "core"], &left[..]].concat());
    let kept = Pack::Core.cases(0).into_iter().filter(|named| {
        let class = named.class.as_str();
        class != Class::Magnitude.name() && class != Class::NonFinite.name()
    });
    assert_eq!(code, 0);
    assert!(
        out.starts_with(&format!("{} cases of pack core, ", kept.count())),
        "{out}"
    );
}
