//! Files of other formats, told by their first bytes, with the line that makes safetensors of them.
//!
//! A safetensors file has `{` as its ninth byte and none of these formats has; so nothing here is asked of a good file.

use super::shell::shown;
use std::path::Path;

/// Bytes of a file's beginning that are enough to tell its format.
pub(super) const HEAD: usize = 512;

/// Words after an opening line of Python: the files are its arguments.
const TORCH: &str = "import sys, torch, safetensors.torch as s; w = torch.load(sys.argv[1], \
                     map_location='cpu', weights_only=True); \
                     s.save_file({k: v.clone().contiguous() for k, v in w.items()}, sys.argv[2])";
const PICKLE: &str = "import sys, pickle, numpy as np; from safetensors.numpy import save_file; \
                      save_file({k: np.asarray(v, order='C') for k, v in pickle.load(open(sys.argv[1], 'rb')).items()}, \
                      sys.argv[2])";
const NUMPY: &str = "import sys, numpy as np; from safetensors.numpy import save_file; \
                     save_file({k: np.asarray(v, order='C') for k, v in np.load(sys.argv[1]).items()}, sys.argv[2])";
const ARRAY: &str = "import sys, numpy as np; from safetensors.numpy import save_file; \
                     save_file({'NAME': np.asarray(np.load(sys.argv[1]), order='C')}, sys.argv[2])";
const HDF5: &str = "import sys, h5py, numpy as np; from safetensors.numpy import save_file; d = {}; \
                    h5py.File(sys.argv[1]).visititems(lambda n, x: d.update({n: np.asarray(x, order='C')}) \
                    if isinstance(x, h5py.Dataset) else None); save_file(d, sys.argv[2])";
const FLAX: &str = "import sys; from flax.serialization import msgpack_restore; \
                    from flax.traverse_util import flatten_dict; from safetensors.numpy import save_file; \
                    save_file(flatten_dict(msgpack_restore(open(sys.argv[1], 'rb').read()), sep='/'), sys.argv[2])";
const GGUF: &str = "import sys, numpy as np; from gguf import GGUFReader, dequantize; \
                    from safetensors.numpy import save_file; save_file({t.name: \
                    np.asarray(dequantize(t.data, t.tensor_type), order='C') for t in GGUFReader(sys.argv[1]).tensors}, \
                    sys.argv[2])";

const PICKLED: &str = "a file of pickled Python objects, as torch.save writes them";

/// What a file is, and the Python that makes a safetensors file of it, if a line does.
struct Known {
    what: String,
    line: Option<&'static str>,
}

/// What the file is that begins with these bytes, and what to do with it; none where that is not known.
pub(super) fn told(path: &Path, head: &[u8]) -> Option<String> {
    // Where a header of safetensors begins.
    if head.get(8) == Some(&b'{') {
        return None;
    }
    let known = known(path, head)?;
    let (what, line) = (known.what, known.line);
    Some(match line {
        Some(line) => {
            let mut made = path.with_extension("safetensors");
            if made == path {
                made = path.with_extension("new.safetensors");
            }
            let (from, to) = (shown(path), shown(&made));
            format!("it is {what}; make one of it with: python -c \"{line}\" {from} {to}")
        }
        None => format!("it is {what}"),
    })
}

fn known(path: &Path, head: &[u8]) -> Option<Known> {
    let known = |what: &str, line| {
        let what = what.to_owned();
        Some(Known { what, line })
    };
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    match head {
        [b'P', b'K', 3, 4, ..] => return Some(zip(head)),
        [b'P', b'K', 5, 6, ..] => return known("an empty zip archive", None),
        // The magic number of torch.save before it wrote zip archives.
        [0x80, 2, 0x8a, 10, 0x6c, 0xfc, ..] => return known(PICKLED, Some(TORCH)),
        [0x80, 2..=5, ..] => return known("a pickled Python object", Some(PICKLE)),
        _ => {}
    }
    for (begin, what, line) in [
        (&b"\x93NUMPY"[..], "one NumPy array without a name", Some(ARRAY)),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", Some(HDF5)),
        (b"GGUF", "a GGUF file", Some(GGUF)),
        (b"\x1f\x8b", "compressed with gzip; unpack it with gunzip", None),
        (
            b"\x28\xb5\x2f\xfd",
            "compressed with zstd; unpack it with unzstd",
            None,
        ),
        (b"\xfd7zXZ\0", "compressed with xz; unpack it with unxz", None),
        (b"BZh", "compressed with bzip2; unpack it with bunzip2", None),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it", None),
        (
            b"PAR1",
            "a Parquet file, which is a table and holds no tensors by name",
            None,
        ),
        (
            b"ARROW1",
            "an Arrow file, which is a table and holds no tensors by name",
            None,
        ),
        (b"MATLAB 5.0", "a MATLAB file; scipy.io.loadmat reads it", None),
    ] {
        if head.starts_with(begin) {
            return known(what, line);
        }
    }
    if head.get(257..262) == Some(b"ustar") {
        return known("a tar archive; unpack it", None);
    }
    if is_msgpack(head) {
        return known("a MessagePack file, as Flax writes it", Some(FLAX));
    }
    let text = std::str::from_utf8(head).map_or_else(|e| &head[..e.valid_up_to()], |_| head);
    let letters = text.trim_ascii_start();
    let is_text = text.len() + 4 > head.len() && !text.iter().any(|b| *b < b'\t');
    match letters.first() {
        Some(b'<') if is_text => known("an HTML or XML page, not the file that it stands for", None),
        Some(b'{' | b'[') if is_text && ending == "json" => {
            known("JSON; of the index of a model's shards give the folder", None)
        }
        Some(_) if is_text && head.len() > 8 => known("text and holds no tensors", None),
        _ => None,
    }
}

/// A zip archive, by the name of its first file.
fn zip(head: &[u8]) -> Known {
    let length = head
        .get(26..28)
        .map_or(0, |b| usize::from(b[0]) | usize::from(b[1]) << 8);
    let name = head.get(30..30 + length).unwrap_or_default();
    let (what, line) = if name.ends_with(b"data.pkl") || name.ends_with(b"/version") {
        (PICKLED.to_owned(), Some(TORCH))
    } else if name.ends_with(b".npy") {
        ("a NumPy archive (.npz)".to_owned(), Some(NUMPY))
    } else if name.is_empty() {
        ("a zip archive; unpack it".to_owned(), None)
    } else {
        let name = String::from_utf8_lossy(name).into_owned();
        (
            format!("a zip archive with the file {name:?} in it; unpack it"),
            None,
        )
    };
    Known { what, line }
}

/// A map whose first key is a text, as all maps of parameters are.
fn is_msgpack(head: &[u8]) -> bool {
    let ([0x81..=0x8f, key @ ..] | [0xde, _, _, key @ ..] | [0xdf, _, _, _, _, key @ ..]) = head else {
        return false;
    };
    let text = match key {
        [short @ 0xa1..=0xbf, rest @ ..] => rest.get(..usize::from(short & 0x1f)),
        [0xd9, length, rest @ ..] => rest.get(..usize::from(*length)),
        _ => None,
    };
    text.is_some_and(|text| std::str::from_utf8(text).is_ok_and(|t| !t.contains(char::is_control)))
}
