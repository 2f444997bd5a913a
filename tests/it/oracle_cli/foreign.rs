//! NumPy archives, which are read, and files of other formats, which are told by name.

use super::{Files, run};
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/files/");

fn fixture(name: &str) -> String {
    format!("{FOLDER}{name}")
}

/// What `check` and `clip` say of a file as the gradients, with the exit code.
fn refused(path: &str) -> String {
    let pair = fixture("arrays.safetensors");
    let (code, out, err) = run(&["check", "--before", path, "--after", &pair, "--policy", "none"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    let clip = run(&["clip", "--grads", path, "--policy", "none"]);
    assert_eq!(clip, (2, String::new(), err.clone()));
    err
}

/// All that numpy wrote is what safetensors wrote: names, shapes, types and bits.
#[test]
fn numpy_archives_are_read() {
    let pair = fixture("arrays.safetensors");
    for name in ["arrays.npz", "arrays_deflated.npz"] {
        let path = fixture(name);
        for (before, after) in [(&path, &pair), (&pair, &path)] {
            let (code, out, err) = run(&["check", "--before", before, "--after", after, "--policy", "none"]);
            assert_eq!(code, 0, "{out}{err}");
            assert!(
                out.contains(": PASS (bitwise)") && out.contains("encoder/layer.0/kernel"),
                "{out}"
            );
        }
        let files = Files::new(&format!("npz_{name}"));
        let clipped = files.path("clipped.safetensors");
        let (code, _, err) = run(&["clip", "--grads", &path, "--policy", "value:0.5", "-o", &clipped]);
        assert_eq!(code, 0, "{err}");
        let (code, out, err) = run(&[
            "check",
            "--before",
            &pair,
            "--after",
            &clipped,
            "--policy",
            "value:0.5",
        ]);
        assert_eq!(code, 0, "{out}{err}");
        assert!(out.contains(": PASS (bitwise)"), "{out}");
    }
    let (code, _, err) = run(&["clip", "--grads", &pair, "--policy", "none", "-o", "x.npz"]);
    assert_eq!(
        (code, err.as_str()),
        (
            2,
            "error: --output x.npz: only safetensors is written; write x.safetensors\n"
        )
    );
}

/// No damage goes unnoticed, and none is a panic: every byte of the content has its checksum.
#[test]
fn damaged_archives() {
    let files = Files::new("npz_damaged");
    for name in ["one.npz", "arrays_deflated.npz"] {
        let good = std::fs::read(fixture(name)).expect("a fixture");
        let ask = |bytes: &[u8]| {
            let path = files.write("g.npz", bytes);
            run(&["clip", "--grads", &path, "--policy", "none"])
        };
        let whole = ask(&good);
        assert_eq!(whole.0, 0, "{}", whole.2);
        for part in 1..16 {
            let (code, _, err) = ask(&good[..good.len() * part / 16]);
            assert!(code == 2 && err.contains("g.npz"), "{part}: {err}");
        }
        let step = good.len() / 40 + 1;
        for at in (0..good.len()).step_by(step) {
            let mut bytes = good.clone();
            bytes[at] ^= 0x41;
            let (code, out, err) = ask(&bytes);
            // A date or a comment may change; what is read must not.
            assert!(
                code == 2 && err.contains("g.npz") || (code, &out) == (0, &whole.1),
                "byte {at}: {code} {err}"
            );
        }
    }
}

/// An archive of one stored array with this header, made by hand.
fn archive(name: &str, header: &str, data: &[u8]) -> Vec<u8> {
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    npy.extend(data);
    let crc = !npy.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    });
    let (size, length) = (npy.len() as u32, name.len() as u16);
    let common = |out: &mut Vec<u8>| {
        out.extend([20, 0, 0, 0, 0, 0, 0, 0, 33, 0]);
        out.extend([crc, size, size].iter().flat_map(|x| x.to_le_bytes()));
        out.extend(length.to_le_bytes());
        out.extend([0, 0]);
    };
    let mut out = b"PK\x03\x04".to_vec();
    common(&mut out);
    out.extend(name.as_bytes());
    out.extend(&npy);
    let at = out.len() as u32;
    out.extend(b"PK\x01\x02\x14\x00");
    common(&mut out);
    out.extend([0; 14]);
    out.extend(name.as_bytes());
    let length = out.len() as u32 - at;
    out.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    out.extend([length, at].iter().flat_map(|x| x.to_le_bytes()));
    out.extend([0, 0]);
    out
}

#[test]
fn arrays_that_are_not_gradients() {
    let files = Files::new("npz_types");
    let said = |name: &str, descr: &str, shape: &str, bytes: usize| {
        let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
        let path = files.write("g.npz", archive(name, &header, &vec![0; bytes]));
        run(&["clip", "--grads", &path, "--policy", "none"])
    };
    assert_eq!(said("w.npy", "'<f4'", "(2,)", 8).0, 0);
    for (descr, bytes, part) in [
        ("'|O'", 8, "`w`: its NumPy type is |O, Python objects; expected"),
        ("'|V2'", 4, "bfloat16 of ml_dtypes is <V2"),
        ("'<c8'", 16, "its NumPy type is <c8; expected f2, f4, f8"),
        ("'<i8'", 16, "its NumPy type is <i8"),
        ("[('x', '<f4')]", 8, "its NumPy type is [('x', '<f4')]"),
        (
            "'<f4'",
            7,
            "`w`: it has 7 bytes of elements, which is not what its shape [2] asks for",
        ),
    ] {
        let (code, _, err) = said("w.npy", descr, "(2,)", bytes);
        assert!(code == 2 && err.contains(part), "{err}");
    }
    let (code, _, err) = said("w.npy", "'<f4'", "(4294967296, 4294967296, 2)", 8);
    assert!(code == 2 && err.contains("which is not what its shape"), "{err}");
    let (code, _, err) = said("w.npy", "'<f4'", "(-2,)", 8);
    assert!(code == 2 && err.contains("it is no NumPy array"), "{err}");
}

/// Files of real libraries, with the line that converts each; `fixtures/make/other_files.py` has their versions.
#[test]
fn other_formats_are_told() {
    for (name, what, word) in [
        (
            "zip.pt",
            "it is a file of pickled Python objects, as torch.save writes them",
            "torch.load",
        ),
        (
            "legacy.pt",
            "it is a file of pickled Python objects, as torch.save writes them",
            "torch.load",
        ),
        ("dict.pkl", "it is a pickled Python object", "pickle.load"),
        ("one.npy", "it is one NumPy array without a name", "np.load"),
        ("one.h5", "it is an HDF5 file", "h5py.File"),
    ] {
        let path = fixture(name);
        let err = refused(&path);
        let made = Path::new(&path).with_extension("safetensors");
        assert!(err.contains(what) && err.contains(word), "{err}");
        assert!(
            err.trim_end().ends_with(&format!("\" {path} {}", made.display())),
            "{err}"
        );
        assert_eq!(err.lines().count(), 1);
    }
}

/// By their first bytes alone, as their definitions give them.
#[test]
fn first_bytes() {
    let files = Files::new("first_bytes");
    let long = |begin: &[u8]| [begin, &[7; 700]].concat();
    let mut tar = vec![b'a'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    for (name, bytes, part) in [
        (
            "m.gguf",
            long(b"GGUF\x03\0\0\0\x01\0\0\0"),
            "it is a GGUF file; make one of it with: python -c",
        ),
        (
            "m.msgpack",
            long(b"\x82\xa6params\x81\xa1w\x01"),
            "it is a MessagePack file, as Flax writes it",
        ),
        (
            "m.gz",
            long(b"\x1f\x8b\x08\0\0\0\0\0\0"),
            "it is compressed with gzip",
        ),
        (
            "m.zst",
            long(b"\x28\xb5\x2f\xfd\0\0\0\0\0"),
            "it is compressed with zstd",
        ),
        ("m.tar", tar, "it is a tar archive"),
        (
            "m.zip",
            long(b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0a.txt"),
            "a zip archive with the file \"a.txt\" in it",
        ),
        (
            "m.html",
            b"<!DOCTYPE html><html>Sign in</html>".to_vec(),
            "it is an HTML or XML page",
        ),
        (
            "model.safetensors.index.json",
            b"{\"metadata\": {}, \"weight_map\": {}}".to_vec(),
            "it is JSON; of the index of a model's shards give the folder",
        ),
        (
            "m.txt",
            b"3.0 4.0 5.0 6.0\n".to_vec(),
            "it is text and holds no tensors",
        ),
        (
            "m.pointer",
            b"version https://git-lfs.github.com/spec/v1\noid".to_vec(),
            "Git LFS pointer",
        ),
        (
            "odd name's.pt",
            std::fs::read(fixture("zip.pt")).expect("a fixture"),
            r"odd name'\''s.safetensors'",
        ),
        // Not one of these: the header is too long.
        ("m.bin", vec![0xff; 64], "its header would have"),
    ] {
        let err = refused(&files.write(name, bytes));
        assert!(err.contains(part), "{name}: {err}");
    }
}

/// Where only safetensors is read, a NumPy archive is told like the others: cases, and folders of models.
#[test]
fn archives_are_no_cases_and_no_models() {
    let err = run(&["explain", &fixture("one.npz")]).2;
    assert!(
        err.contains("it is a NumPy archive (.npz); make one of it with"),
        "{err}"
    );
    let files = Files::new("npz_model");
    files.write(
        "model.safetensors",
        std::fs::read(fixture("zip.pt")).expect("a fixture"),
    );
    let config = r#"{"model_type":"bert","vocab_size":9,"hidden_size":4,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":4,"max_position_embeddings":4,"type_vocab_size":2,"hidden_act":"gelu","layer_norm_eps":1e-12,"hidden_dropout_prob":0.1,"attention_probs_dropout_prob":0.1}"#;
    files.write("config.json", config);
    let (code, _, err) = run(&["inspect", &files.path("")]);
    assert!(
        code != 0 && err.contains("pickled Python objects") && err.contains("torch.load"),
        "{err}"
    );
    // The file that it makes is not the file that it reads.
    assert!(err.contains("model.new.safetensors"), "{err}");
}
