//! Several files, folders of shards, prefixes: all go to one safetensors file.

use super::{Files, bf16s, f32s, safetensors};

/// `a` (BF16) and `b` in two files, by 1/2 at the global norm 13; the wider type first in what is written.
#[test]
fn several_files() {
    let files = Files::new("several");
    let a = |name: &str, x: &[f32]| safetensors(&[(name, "BF16", &[2], bf16s(x))]);
    let b = |x: &[f32]| safetensors(&[("b.w", "F32", &[2], f32s(x))]);
    std::fs::create_dir_all(files.path("shards")).expect("a folder");
    files.write("shards/model-00001-of-00002.safetensors", a("a.w", &[3.0, 4.0]));
    files.write("shards/model-00002-of-00002.safetensors", b(&[0.0, 12.0]));
    files.write("a", a("a.w", &[3.0, 4.0]));
    files.write("module", a("module.a.w", &[3.0, 4.0]));
    files.write("b", b(&[0.0, 12.0]));
    let data = [f32s(&[0.0, 6.0]), bf16s(&[1.5, 2.0])].concat();
    for grads in [
        "@shards",
        "@a @b",
        "@b --grads @a",
        "@module @b --strip-prefix module.",
    ] {
        let (code, _, err) = files.clip(&format!("--grads {grads} --policy global:6.5@exact -o @c"));
        assert_eq!(code, 0, "{grads}: {err}");
        let written = files.read("c");
        let length = u64::from_le_bytes(*written.first_chunk().expect("a length")) as usize;
        let header: serde_json::Value = serde_json::from_slice(&written[8..8 + length]).expect("JSON");
        assert_eq!(
            header,
            serde_json::json!({
                "b.w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                "a.w": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]},
            })
        );
        assert_eq!(written[8 + length..], data, "{grads}");
    }
    let refused = |arguments: &str, part: &str| {
        let (code, _, err) = files.clip(&format!("{arguments} --policy global:1"));
        assert!(code == 2 && err.contains(part), "{arguments}: {err}");
    };
    refused(
        "--grads @a @b @shards -o @c2",
        "`a.w` is there twice, as `a.w` in",
    );
    refused("--grads @a @module --strip-prefix module.", "as `a.w` in");
    refused(
        "--grads @a --strip-prefix module.",
        "no name begins with the prefix `module.`",
    );
    refused(
        "--grads @shards -o @shards/c",
        "would lie in the folder that --grads reads",
    );
    refused("--grads @a @b -o @b", "--output and --grads are the same file");
    assert!(!files.names().contains(&"c2".to_owned()));
    // Parameters under other names: the flag is named.
    let agc = files.clip("--grads @a --params @module --policy agc:0.1");
    assert!(
        agc.0 == 2 && agc.2.contains("names differ by a prefix: --strip-prefix module."),
        "{}",
        agc.2
    );
    let agc = files.clip("--grads @a --params @module --policy agc:0.1 --strip-prefix module.");
    assert_eq!(agc.0, 0, "{}", agc.2);
}
