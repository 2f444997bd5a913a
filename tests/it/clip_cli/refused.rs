//! Input that is refused, word for word; nothing is written then.

use super::{Files, before, f32s, safetensors};

/// What stderr says, with exit code 2 and nothing on stdout, nothing written.
#[track_caller]
fn said(files: &Files, arguments: &str) -> String {
    let names = files.names();
    let (code, out, err) = files.clip(arguments);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert_eq!(files.names(), names, "{err}");
    let err = err.strip_prefix("error: ").expect(&err);
    err.trim_end().to_owned()
}

#[test]
fn gradients() {
    let files = Files::new("refused_gradients");
    let refused = |bytes: &[u8]| {
        files.write("g", bytes);
        said(&files, "--grads @g --policy component:1 -o @c --report @r")
    };
    let good = before();
    assert_eq!(refused(&safetensors(&[])), "g: no tensor in it");
    assert_eq!(
        refused(b""),
        "g is not a valid safetensors file: it has 0 bytes, fewer than 8"
    );
    // The first eight bytes, the last of them the highest, are the length.
    assert_eq!(
        refused(b"PK\x03\x04 not safetensors at all"),
        "g is not a valid safetensors file: it is a zip archive; unpack it"
    );
    assert_eq!(
        refused(b"\xffK\x03\x04 not safetensors at all"),
        "g is not a valid safetensors file: its header would have 8390045714599857151 bytes, more than 100000000"
    );
    let short = good.len() - 3;
    assert_eq!(
        refused(&good[..short]),
        format!("g is truncated: expected {} bytes, found {short}", good.len())
    );
    assert_eq!(
        refused(&good[..50]),
        format!(
            "g is not a valid safetensors file: it has 50 bytes, its header alone {}",
            good.len() - 16
        )
    );
    assert_eq!(
        refused(b"version https://git-lfs.github.com/spec/v1\n"),
        "g is not a valid safetensors file: it is a Git LFS pointer; fetch the file with `git lfs pull`"
    );
    for (dtype, size) in [("I64", 8), ("F8_E4M3", 1), ("BOOL", 1)] {
        let entries = [
            ("w", "F32", &[1][..], f32s(&[1.0])),
            ("counter", dtype, &[1], vec![0; size]),
            ("other", dtype, &[1], vec![0; size]),
        ];
        let one = |name: &str| format!("`{name}` has the type {dtype}, expected F16, BF16, F32 or F64");
        assert_eq!(
            refused(&safetensors(&entries)),
            format!("g: {}; {}", one("counter"), one("other"))
        );
    }
    std::fs::remove_file(files.path("g")).expect("it was there");
    let gone = said(&files, "--grads @g --policy component:1 -o @c");
    assert!(gone.starts_with("cannot read g: "), "{gone}");
    let folder = files.0.display();
    let said = said(&files, &format!("--grads {folder} --policy component:1"));
    assert_eq!(said, format!("{folder}: no .safetensors and no .npz file in it"));
}

#[test]
fn policies() {
    let files = Files::new("refused_policies");
    files.write("g", before());
    let refused = |policy: &str| said(&files, &format!("--grads @g --policy {policy} -o @c"));
    for (policy, why) in [
        (
            "componnt:1",
            "unknown clipping policy `componnt`; nearest: component, none, soft",
        ),
        (
            "component:1@torhc",
            "unknown convention `torhc`; nearest: torch, ",
        ),
        (
            "component",
            "clipping policy `component` needs a threshold, as in `component:0.05`",
        ),
        (
            "component:-1",
            "clipping threshold `-1` is not a finite number of at least 0",
        ),
    ] {
        let error = refused(policy);
        let head = format!("invalid value '{policy}' for '--policy <POLICY>': {why}");
        assert!(error.starts_with(&head), "{error}");
    }
    for (policy, why) in [
        (
            "agc:0.1",
            "policy `agc:0.1` needs the parameters: give --params FILE",
        ),
        (
            "spam:4",
            "policy `spam:4` needs Adam's second moments: give --second-moments FILE",
        ),
        (
            "autoclip:50",
            "policy `autoclip:50` needs a memory of earlier steps: give --state FILE (it is made if it is not there)",
        ),
        ("axes-1:1", "g: `b.weight` of shape [2]: it has no such axis"),
        (
            "component:0@mindspore",
            "g: convention `mindspore` takes a threshold above 0, not 0",
        ),
        (
            "component:1,tie=a.weight:c",
            "g: `a.weight` is tied to `c`, which is no other parameter of its shape here",
        ),
    ] {
        assert_eq!(refused(policy), why);
    }
    for (flag, what) in [
        ("--params", "the parameters"),
        ("--second-moments", "Adam's second moments"),
        ("--state", "a memory of earlier steps"),
    ] {
        assert_eq!(
            said(&files, &format!("--grads @g --policy component:1 {flag} @g")),
            format!("{flag}: policy `component:1` does not read {what}")
        );
    }
}

#[test]
fn files_that_do_not_fit() {
    let files = Files::new("refused_pairs");
    files.write("g", before());
    files.write("few", safetensors(&[("c", "F32", &[2], f32s(&[3.0, 4.0]))]));
    let a = ("a.weight", "F32", &[2][..], f32s(&[3.0, 4.0]));
    files.write(
        "shape",
        safetensors(&[a, ("b.weight", "F32", &[1, 2], f32s(&[3.0, 4.0]))]),
    );
    for (policy, flag, what) in [
        ("agc:0.1", "--params", "value"),
        ("spam:4", "--second-moments", "second moment"),
    ] {
        let refused = |file: &str| {
            said(
                &files,
                &format!("--grads @g --policy {policy} {flag} @{file} -o @c"),
            )
        };
        assert_eq!(refused("few"), "few: missing `b.weight`, `a.weight`, which g has");
        assert_eq!(
            refused("shape"),
            format!("g: the gradient of `b.weight` has the shape [2], its {what} [1, 2]")
        );
    }
    files.write(
        "other",
        "cwgnc-clip-state 1\npolicy autoclip:10\nsteps 1\nhistory 5e0 | global\n",
    );
    files.write("bad", "cwgnc-clip-state 1\npolicy autoclip:50\nsteps two\n");
    let refused = |file: &str| {
        said(
            &files,
            &format!("--grads @g --policy autoclip:50 --state @{file} -o @c"),
        )
    };
    assert_eq!(
        refused("other"),
        "other: policy `autoclip:50` was given the state of `autoclip:10`"
    );
    assert_eq!(
        refused("bad"),
        "bad: clip state, line 3: expected a number of steps"
    );
}

#[test]
fn paths() {
    let files = Files::new("refused_paths");
    files.write("g", before());
    files.write("m", "cwgnc-clip-state 1\npolicy autoclip:50\nsteps 0\n");
    std::fs::create_dir(files.path("folder")).expect("a folder");
    let refused = |more: &str| said(&files, &format!("--grads @g --policy component:1 {more}"));
    assert_eq!(refused("-o @g"), "--output and --grads are the same file, g");
    assert_eq!(
        refused("-o @folder/../g"),
        "--output and --grads are the same file, folder/../g"
    );
    assert_eq!(
        refused("--report @g"),
        "--report and --grads are the same file, g"
    );
    assert_eq!(
        refused("-o @c --report @c"),
        "--report and --output are the same file, c"
    );
    assert_eq!(
        refused("-o @folder"),
        "--output: folder is a folder, expected a file"
    );
    assert_eq!(refused("-o @no/c"), "--output: the folder no is not there");
    assert_eq!(
        refused("-o @c --report @no/r"),
        "--report: the folder no is not there"
    );
    let stateful = |more: &str| said(&files, &format!("--grads @g --policy autoclip:50 {more} -o @c"));
    assert_eq!(stateful("--state @g"), "--state and --grads are the same file, g");
    assert_eq!(
        stateful("--state @c"),
        "--output and --state are the same file, c"
    );
    assert_eq!(
        stateful("--state @m --state-out @m"),
        "--state-out and --state are the same file, m"
    );
    assert_eq!(stateful("--state @no/m"), "--state: the folder no is not there");
    assert!(stateful("--state-out @n").contains("--state <FILE>"));
}

/// A report that cannot be written leaves no gradients either. (Nothing is refused to root.)
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written() {
    let files = Files::new("refused_report");
    files.write("g", before());
    for report in ["/proc/r.json", "/proc/self/r.json"] {
        let error = said(
            &files,
            &format!("--grads @g --policy component:1 -o @c --report {report}"),
        );
        assert!(error.starts_with(&format!("cannot write {report}: ")), "{error}");
    }
    let error = said(&files, "--grads @g --policy component:1 -o /proc/c");
    assert!(error.starts_with("cannot write /proc/c: "), "{error}");
}
