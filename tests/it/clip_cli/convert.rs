//! Files in, files out.

use super::{Files, before, bf16s, f16s, f32s, f64s, run, safetensors};
use cwgnc::clip::Convention;
use serde_json::{Value, json};

/// ‖a‖ = 5 to 2.5: halved; ‖b‖ = 12 to 2.5: 12·RN(2.5/12). All else is as it was, byte for byte.
#[test]
fn gradients_table_and_report() {
    let files = Files::new("report");
    files.write("g.safetensors", before());
    let (code, out, err) =
        files.clip("--grads @g.safetensors --policy component:2.5@exact -o @c.safetensors --report @r.json");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let expected = safetensors(&[
        ("b.weight", "F32", &[2], f32s(&[0.0, 12.0 * (2.5 / 12.0)])),
        ("a.weight", "F32", &[2], f32s(&[1.5, 2.0])),
    ]);
    assert_eq!(files.read("c.safetensors"), expected);
    // 2.5/12 = 0.208333…, √(5² + 12²) = 13, √(2.5² + 2.5²) = 3.535534.
    let table = "\
component  elements  norm before  scale     norm after  clipped  non-finite
b.weight   2         1.200000e1   0.208333  2.500000e0  yes      0
a.weight   2         5.000000e0   0.500000  2.500000e0  yes      0
total      4         1.300000e1             3.535534e0  2        0
clipped gradients in c.safetensors
";
    assert_eq!(out, table);
    let report: Value = serde_json::from_str(&files.text("r.json")).expect("JSON");
    let keys = |value: &Value| {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&report).join(" "),
        "spec version policy grads params second_moments output statistic state_steps elements global_norm_before \
         global_norm_after clipped_elements non_finite skipped components parameters"
    );
    assert_eq!(report["global_norm_before"], 13.0);
    assert_eq!(
        report["components"][1],
        json!({
            "id": "a.weight", "elements": 2, "norm_before": 5.0, "threshold": 2.5, "scale": 0.5, "norm_after": 2.5,
            "clipped": "yes", "non_finite": 0, "action": "rewritten", "parameters": ["a.weight"],
        })
    );
    assert_eq!(
        keys(&report["components"][0]).join(" "),
        "id elements norm_before threshold scale norm_after clipped non_finite action parameters"
    );
    assert_eq!(
        report["parameters"][0].to_string(),
        "{\"name\":\"b.weight\",\"dtype\":\"F32\",\"shape\":[2],\"elements\":2,\"norm_before\":12.0,\"norm_after\":2.5,\
         \"non_finite\":0,\"counted\":true}"
            .replace(",\"norm_after\":2.5,", &format!(",\"norm_after\":{},", report["parameters"][0]["norm_after"]))
    );
    // The same on stdout, twice over, with nothing written.
    let json = files
        .clip("--grads @g.safetensors --policy component:2.5@exact --format json")
        .1;
    let dash = files
        .clip("--grads @g.safetensors --policy component:2.5@exact --dry-run -o @d.safetensors --report -");
    assert_eq!((dash.0, &dash.1), (0, &json));
    let printed: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(printed["components"], report["components"]);
    assert_eq!(printed["output"], Value::Null);
    assert_eq!(files.names(), ["c.safetensors", "g.safetensors", "r.json"]);
    let (code, out, _) = files.clip("--grads @g.safetensors --policy component:2.5@exact");
    assert_eq!(
        (code, out.lines().last()),
        (0, Some("measured only; nothing was written"))
    );
}

/// `check` on what `clip` wrote, for every convention in every type: to the bit in types of at most 32 bits.
#[test]
fn check_passes() {
    let files = Files::new("check");
    let numbers = |n: usize| (0..n).map(|i| (i as f32 * 1.7).sin() * 0.4).collect::<Vec<f32>>();
    let (w, b) = (numbers(35), numbers(7));
    let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
    for (dtype, w, b) in [
        ("F16", f16s(&w), f16s(&b)),
        ("BF16", bf16s(&w), bf16s(&b)),
        ("F32", f32s(&w), f32s(&b)),
        ("F64", f64s(&wide(&w)), f64s(&wide(&b))),
    ] {
        files.write(
            "g.safetensors",
            safetensors(&[
                ("w", dtype, &[5, 7], w),
                ("b", dtype, &[7], b.clone()),
                ("s", dtype, &[], b[..b.len() / 7].to_vec()),
            ]),
        );
        for convention in Convention::ALL {
            let policy = format!("component:0.3@{convention}");
            let (code, _, err) = files.clip(&format!(
                "--grads @g.safetensors --policy {policy} -o @c.safetensors"
            ));
            assert_eq!((code, err.as_str()), (0, ""), "{policy} in {dtype}");
            let (before, after) = (files.path("g.safetensors"), files.path("c.safetensors"));
            let pair = [
                "check", "--before", &before, "--after", &after, "--policy", &policy,
            ];
            let (code, out, err) = run(&pair);
            assert_eq!((code, err.as_str()), (0, ""), "{policy} in {dtype}: {out}");
            if dtype != "F64" && convention != Convention::TfAverage {
                assert!(
                    files.plain(&out).starts_with("g.safetensors: PASS (bitwise)"),
                    "{policy} in {dtype}: {out}"
                );
            }
        }
    }
}

/// What is not clipped is not touched: payloads of NaN, signs of zero.
#[test]
fn kept_bytes() {
    let files = Files::new("kept");
    // A signalling NaN, a quiet one with all bits, -0.
    let odd = [0x01, 0x7c, 0xff, 0xff, 0x00, 0x80];
    let brain = [0x81, 0x7f, 0xff, 0xff, 0x00, 0x80];
    let single = [0x01, 0x00, 0x80, 0x7f, 0x00, 0x00, 0x00, 0x80];
    let file = safetensors(&[
        ("half", "F16", &[3], odd.to_vec()),
        ("brain", "BF16", &[3], brain.to_vec()),
        ("single", "F32", &[2, 1], single.to_vec()),
        ("big", "F32", &[2], f32s(&[3.0, 4.0])),
    ]);
    files.write("g.safetensors", &file);
    for policy in [
        "none",
        "component:1,edge=skip,exclude=big",
        "axes:1,edge=skip,exclude=big",
    ] {
        let (code, out, err) = files.clip(&format!(
            "--grads @g.safetensors --policy {policy} -o @c.safetensors"
        ));
        assert_eq!((code, err.as_str()), (0, ""), "{policy}");
        assert_eq!(files.read("c.safetensors"), file, "{policy}");
        assert_eq!(
            policy != "none",
            out.contains("\ndo not update with: half"),
            "{out}"
        );
    }
    // edge=zero takes them out.
    files.clip("--grads @g.safetensors --policy component:10,edge=zero -o @c.safetensors");
    let zeros = [vec![0; 6 + 6 + 8], f32s(&[3.0, 4.0])].concat();
    assert!(files.read("c.safetensors").ends_with(&zeros));
    let (code, out, err) = files
        .clip("--grads @g.safetensors --policy component:10,edge=error -o @e.safetensors --report @e.json");
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(
        err,
        "error: g.safetensors: component `half` has the norm NaN and 2 elements that are not finite\n"
    );
    assert_eq!(files.names(), ["c.safetensors", "g.safetensors"]);
    // In JSON a norm that is no number is a text.
    let (_, json, _) = files.clip("--grads @g.safetensors --policy none --format json");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["components"][0]["norm_before"], "NaN");
    assert_eq!(
        (&json["global_norm_before"], &json["non_finite"]),
        (&json!("NaN"), &json!(5))
    );
}

/// The median of the norms 5, then of 5 and 10, is 5, then 7.5.
#[test]
fn a_memory_in_a_file() {
    let files = Files::new("memory");
    for (name, scale) in [("1", 1.0), ("2", 2.0)] {
        let file = safetensors(&[("g", "F64", &[2], f64s(&[3.0 * scale, 4.0 * scale]))]);
        files.write(name, file);
    }
    let step = |name: &str, more: &str| {
        let arguments = format!("--grads @{name} --policy autoclip:50 --state @m.txt --format json{more}");
        let (code, out, err) = files.clip(&arguments);
        assert_eq!((code, err.as_str()), (0, ""));
        let json: Value = serde_json::from_str(&out).expect("JSON");
        (
            json["components"][0]["threshold"].clone(),
            json["state_steps"].clone(),
        )
    };
    let is = |threshold: f64, steps: u64| (json!(threshold), json!(steps));
    assert_eq!(step("1", ""), is(5.0, 1));
    assert_eq!(
        files.names(),
        ["1", "2"],
        "nothing is remembered of a measurement"
    );
    assert_eq!(step("1", " -o @c"), is(5.0, 1));
    let first = files.text("m.txt");
    assert_eq!(
        first,
        "cwgnc-clip-state 1\npolicy autoclip:50\nsteps 1\nhistory 5e0 | global\n"
    );
    assert_eq!(step("2", " -o @c --state-out @n.txt"), is(7.5, 2));
    assert_eq!(files.text("m.txt"), first);
    assert_eq!(step("2", " -o @c"), is(7.5, 2));
    assert_eq!(files.text("m.txt"), files.text("n.txt"));
    assert!(
        files
            .text("m.txt")
            .ends_with("steps 2\nhistory 5e0 1e1 | global\n")
    );
}

/// AGC at 0.1: the row (3, 4) has a weight of norm 10, so it comes down to 1. SPAM at 4: v = 1 bounds every element at 2.
#[test]
fn files_beside_the_gradients() {
    let files = Files::new("beside");
    files.write("g", safetensors(&[("w", "BF16", &[2], bf16s(&[3.0, 4.0]))]));
    let surplus = ("other", "F16", &[1][..], f16s(&[1.0]));
    files.write(
        "w",
        safetensors(&[surplus.clone(), ("w", "F32", &[2], f32s(&[6.0, 8.0]))]),
    );
    files.write(
        "v",
        safetensors(&[("w", "F64", &[2], f64s(&[1.0, 1.0])), surplus]),
    );
    // n = 5, m = 0.1·10 = 1, k = 1/5, in BF16 each: 0.1 is an f32 that makes m = 1, and 0.2 becomes 0.2001953125.
    let (code, _, err) = files.clip("--grads @g --policy agc:0.1 --values @w -o @c");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        files
            .read("c")
            .ends_with(&bf16s(&[3.0 * 0.200_195_31, 4.0 * 0.200_195_31]))
    );
    let (code, _, err) = files.clip("--grads @g --policy spam:4 --moments @v -o @c");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(files.read("c").ends_with(&bf16s(&[2.0, 2.0])));
}

/// A file of 384 MiB (a hole, so all zeros), in a process that may have 300 MiB.
#[cfg(target_os = "linux")]
#[test]
fn a_file_larger_than_memory() {
    use std::io::{Read, Seek, SeekFrom, Write};
    let files = Files::new("large");
    let elements = 96 << 20;
    let header = format!(
        "{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{elements}],\"data_offsets\":[0,{}]}}}}",
        elements * 4
    );
    let mut file = std::fs::File::create(files.path("g")).expect("a file");
    file.write_all(&(header.len() as u64).to_le_bytes())
        .expect("written");
    file.write_all(header.as_bytes()).expect("written");
    file.set_len(8 + header.len() as u64 + elements * 4)
        .expect("a hole");
    file.seek(SeekFrom::End(-4)).expect("the last element");
    file.write_all(&4.0_f32.to_le_bytes()).expect("written");
    let (program, g, c) = (env!("CARGO_BIN_EXE_cwgnc"), files.path("g"), files.path("c"));
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -v 300000 && exec \"$0\" clip --grads \"$1\" --policy component:1@exact -o \"$2\"",
        ])
        .args([program, &g, &c])
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .expect("a shell");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut written = std::fs::File::open(&c).expect("the output");
    assert_eq!(
        written.metadata().expect("its length").len(),
        file.metadata().expect("its length").len()
    );
    written.seek(SeekFrom::End(-8)).expect("the last elements");
    let mut last = [0; 8];
    written.read_exact(&mut last).expect("they are there");
    assert_eq!(last.to_vec(), f32s(&[0.0, 1.0]));
    for path in [g, c] {
        std::fs::remove_file(path).expect("not to be left behind");
    }
}
