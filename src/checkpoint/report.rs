//! What a load did: which tensors came from where, and which did not.

use std::fmt;
use std::path::PathBuf;

/// Names that a line of the short report shows before it only counts.
const SHOWN: usize = 3;

/// The account of one load: every tensor of the model is either taken or to be initialised.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadReport {
    /// The files read.
    pub files: Vec<LoadedFile>,
    /// Tensors of the model that came from the files, in walk order.
    pub taken: Vec<TakenTensor>,
    /// Of these, the ones spelled otherwise in the file: `(file's name, model's name)`, in walk order.
    pub renamed: Vec<(String, String)>,
    /// Tensors of the files that the model does not use, by the file's names, sorted.
    pub ignored: Vec<String>,
    /// Tensors of the model that the files lack, or have for another number of labels, in walk order: the caller must
    /// initialise them.
    pub to_initialise: Vec<String>,
    /// Of these, the ones that the files have for another number of labels.
    pub other_labels: Vec<String>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its [`fnv1a64`](super::fnv1a64).
    pub hash: String,
}

/// A tensor that came from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenTensor {
    /// Its name in the model.
    pub name: String,
    /// Its safetensors type in the file: `F16`, `BF16`, `F32` or `F64`.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A few lines for people, without a line feed at the end.
impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: usize = self
            .taken
            .iter()
            .map(|tensor| tensor.shape.iter().product::<usize>())
            .sum();
        let mut dtypes: Vec<&str> = self.taken.iter().map(|tensor| tensor.dtype.as_str()).collect();
        dtypes.sort_unstable();
        dtypes.dedup();
        write!(f, "loaded {} tensors ({values} values", self.taken.len())?;
        if !dtypes.is_empty() {
            write!(f, ", {}", dtypes.join(" and "))?;
        }
        write!(f, ")")?;
        for file in &self.files {
            write!(
                f,
                "\n  from {} ({} bytes, {})",
                file.path.display(),
                file.bytes,
                file.hash
            )?;
        }
        let renamed: Vec<String> = self
            .renamed
            .iter()
            .map(|(from, to)| format!("{from} -> {to}"))
            .collect();
        for (what, names) in [
            ("renamed", &renamed),
            ("ignored", &self.ignored),
            ("to be initialised", &self.to_initialise),
        ] {
            if !names.is_empty() {
                let first = &names[..names.len().min(SHOWN)];
                write!(f, "\n  {what} {}: {}", names.len(), first.join(", "))?;
            }
            if names.len() > SHOWN {
                write!(f, " and {} more", names.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}
