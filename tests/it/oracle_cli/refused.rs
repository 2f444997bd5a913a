//! Input that is refused, and the words.

use super::{BEFORE, Files, case, result, run, safetensors};

/// What `explain` says of a case file with this metadata.
fn metadata(text: &str) -> String {
    let files = Files::new("refused_metadata");
    let bytes = safetensors(Some(text), &[("before/w", &[2], &[3.0, 4.0])]);
    let path = files.write("c.safetensors", bytes);
    let (code, out, err) = run(&["explain", &path]);
    assert_eq!((code, out.as_str()), (2, ""), "{text}");
    files.plain(&err)
}

#[test]
fn metadata_of_a_case() {
    let policy = "\"policy\":\"component:1@exact\"";
    for (text, said) in [
        (
            format!("{{\"spec\":2,{policy}}}"),
            "a case of spec 2; this program knows spec 1: use a newer cwgnc",
        ),
        (
            format!("{{\"spec\":0,{policy}}}"),
            "metadata `cwgnc`: `spec` must be 1",
        ),
        (format!("{{{policy}}}"), "metadata `cwgnc`: `spec` must be 1"),
        (
            format!("{{\"spec\":1.5,{policy}}}"),
            "metadata `cwgnc`: `spec` is 1.5, expected a whole number",
        ),
        ("{\"spec\":1}".to_owned(), "metadata `cwgnc`: `policy` is missing"),
        (
            format!("{{\"spec\":1,{policy},\"seed\":-1}}"),
            "metadata `cwgnc`: `seed` is -1, expected a whole number",
        ),
        (
            format!("{{\"spec\":1,{policy},\"threshold\":1.0}}"),
            "metadata `cwgnc`: `threshold` is 1.0, expected a text",
        ),
        (
            format!("{{\"spec\":1,{policy},\"threshold\":\"2\"}}"),
            "metadata `cwgnc`: `threshold` is `2`, the policy says `1`",
        ),
        (
            format!("{{\"spec\":1,{policy},\"convention\":\"torch\"}}"),
            "metadata `cwgnc`: `convention` is `torch`, the policy says `exact`",
        ),
        (
            format!("{{\"spec\":1,{policy},\"declard\":\"f64\"}}"),
            "metadata `cwgnc`: `declard` is not known; a key of your own begins with `x-`",
        ),
        (
            format!("{{\"spec\":1,{policy},\"declared\":\"lanes-0\"}}"),
            "metadata `cwgnc`: reduction `lanes-0`: expected unknown, exact, f64, kahan, sequential, any-order, \
             lanes-N, pairwise-N, blocks-N or depth-N",
        ),
        (
            "{\"spec\":1,\"policy\":\"component:1@torhc\"}".to_owned(),
            "metadata `cwgnc`: `policy`: unknown convention `torhc`; nearest: torch",
        ),
        (
            "{\"spec\":1,\"policy\":\"component:NaN\"}".to_owned(),
            "metadata `cwgnc`: `policy`: clipping threshold `NaN` is not a finite number of at least 0",
        ),
        ("[1]".to_owned(), "metadata `cwgnc`: not a JSON object"),
        (
            format!("{{\"spec\":1,{policy},\"spec\":1}}"),
            "metadata `cwgnc`: the key `spec` is given twice",
        ),
        (
            format!("{{\"spec\":1,{policy},\"state\":\"x\"}}"),
            "metadata `cwgnc`: `state` cannot be read: clip state, line 1: expected `cwgnc-clip-state 1…`",
        ),
    ] {
        let expected = format!("error: c.safetensors: {said}");
        let said = metadata(&text);
        assert!(said.starts_with(&expected), "{text}\n{said}");
    }
    let nan = metadata("{\"spec\":1,\"policy\":\"component:1\",\"seed\":NaN}");
    assert!(
        nan.starts_with("error: c.safetensors: metadata `cwgnc`: not JSON: "),
        "{nan}"
    );
    assert!(
        nan.ends_with("(NaN and infinities are no JSON numbers; a threshold is written as a text)\n"),
        "{nan}"
    );
    // A key of one's own is fine.
    let files = Files::new("refused_own_key");
    let own = format!("{{\"spec\":1,{policy},\"x-author\":\"me\",\"threshold\":\"1\"}}");
    let path = files.write(
        "c.safetensors",
        safetensors(Some(&own), &[("before/w", &[2], &[3.0, 4.0])]),
    );
    assert_eq!(run(&["explain", &path]).0, 0);
}

#[test]
fn case_files() {
    let files = Files::new("refused_cases");
    let said = |bytes: Vec<u8>| {
        let path = files.write("c.safetensors", bytes);
        let (code, _, err) = run(&["explain", &path]);
        assert_eq!(code, 2);
        files.plain(&err)
    };
    let meta = Some("{\"spec\":1,\"policy\":\"component:1\"}");
    assert_eq!(
        said(safetensors(None, &BEFORE)),
        "error: c.safetensors: no case file: its metadata have no key `cwgnc`; for plain gradients use --before and \
         --policy\n"
    );
    assert_eq!(
        said(safetensors(meta, &BEFORE)),
        "error: c.safetensors: `a.weight` has no known role, expected a name that begins with before/, value/, \
         moment/; `b.weight` has no known role, expected a name that begins with before/, value/, moment/\n"
    );
    assert_eq!(
        said(safetensors(meta, &[])),
        "error: c.safetensors: no tensor `before/…`: nothing to clip\n"
    );
    let mut integers = safetensors(meta, &[("before/w", &[2], &[3.0, 4.0])]);
    let at = integers.windows(3).position(|w| w == b"F32").expect("the type");
    integers[at..at + 3].copy_from_slice(b"I32");
    assert_eq!(
        said(integers),
        "error: c.safetensors: `before/w` has the type I32, expected F16, BF16, F32 or F64\n"
    );
    let whole = case("component:1");
    let expected = whole.len();
    assert_eq!(
        said(whole[..expected - 4].to_vec()),
        format!(
            "error: c.safetensors is truncated: expected {expected} bytes, found {}\n",
            expected - 4
        )
    );
    assert_eq!(
        said(vec![1, 2, 3]),
        "error: c.safetensors is not a valid safetensors file: it has 3 bytes, fewer than 8\n"
    );
    let (code, _, err) = run(&["explain", &files.path("absent.safetensors")]);
    assert_eq!(code, 2);
    assert_eq!(
        files.plain(&err),
        "error: cannot read absent.safetensors: No such file or directory (os error 2)\n"
    );
}

#[test]
fn pairs_that_do_not_fit() {
    let files = Files::new("refused_pairs");
    let before = files.write("before.safetensors", safetensors(None, &BEFORE));
    let said = |after: Vec<u8>| {
        let after = files.write("after.safetensors", after);
        let pair = [
            "check",
            "--before",
            &before,
            "--after",
            &after,
            "--policy",
            "component:1",
        ];
        let (code, _, err) = run(&pair);
        assert_eq!(code, 2);
        files.plain(&err)
    };
    assert_eq!(
        said(safetensors(
            None,
            &[("a.weight", &[2], &[3.0, 4.0]), ("c", &[1], &[0.0])]
        )),
        "error: after.safetensors: after: missing b.weight; not expected c\n"
    );
    assert_eq!(
        said(safetensors(
            None,
            &[("a.weight", &[2, 1], &[3.0, 4.0]), BEFORE[1]]
        )),
        "error: after.safetensors: `a.weight`: expected F32 of shape [2], got F32 of shape [2, 1]\n"
    );
    let mut halves = safetensors(None, &[("a.weight", &[2], &[3.0]), BEFORE[1]]);
    let at = halves.windows(3).position(|w| w == b"F32").expect("the type");
    halves[at..at + 3].copy_from_slice(b"F16");
    assert_eq!(
        said(halves),
        "error: after.safetensors: `a.weight` is F32 before clipping and F16 after: the output was rounded to F16 when it \
         was clipped already, and how is not known; save it before it is cast, or save both as F16 if that is what was \
         clipped\n"
    );
    assert_eq!(
        said(safetensors(None, &[])),
        "error: after.safetensors: no tensor in it\n"
    );
}

#[test]
fn result_files() {
    let files = Files::new("refused_results");
    let case = files.write("case.safetensors", case("component:2.5"));
    let said = |bytes: Vec<u8>| {
        let path = files.write("result.safetensors", bytes);
        let (code, _, err) = run(&["explain", &case, &path]);
        assert_eq!(code, 2);
        files.plain(&err)
    };
    assert_eq!(
        said(safetensors(None, &[("after/a.weight", &[2], &[3.0, 4.0])])),
        "error: result.safetensors: after: missing b.weight\n"
    );
    let mut noisy = result([1.0, 2.0], [0.0, 1.0]);
    assert!(
        said(noisy.split_off(20)).starts_with("error: result.safetensors is not a valid safetensors file: ")
    );
    assert_eq!(
        said(safetensors(
            None,
            &[
                ("after/a.weight", &[2], &[3.0, 4.0]),
                ("norm/a.weight", &[2], &[5.0, 5.0])
            ]
        )),
        "error: result.safetensors: `norm/a.weight` has 2 elements, expected 1\n"
    );
}

#[test]
fn flags() {
    let files = Files::new("refused_flags");
    let before = files.write("before.safetensors", safetensors(None, &BEFORE));
    for (flags, said) in [
        (
            vec!["check"],
            "error: what to check is missing: give --before, --after and --policy, or --cases and --results",
        ),
        (
            vec!["check", "--before", &before, "--policy", "component:1"],
            "error: what to check is missing",
        ),
        (
            vec!["check", "--before", &before, "--policy", "componnt:1"],
            "unknown clipping policy `componnt`; nearest: component",
        ),
        (
            vec!["check", "--before", &before, "--policy", "component:-1"],
            "clipping threshold `-1` is not a finite number of at least 0",
        ),
        (
            vec![
                "check",
                "--before",
                &before,
                "--policy",
                "component:1",
                "--declared",
                "fast",
            ],
            "reduction `fast`: expected unknown, exact",
        ),
        (
            vec!["identify"],
            "the following required arguments were not provided",
        ),
        (
            vec!["expect", "-o", "x"],
            "the following required arguments were not provided",
        ),
    ] {
        let (code, _, err) = run(&flags);
        assert_eq!(code, 2, "{flags:?}");
        assert!(err.contains(said), "{flags:?}\n{err}");
    }
}
