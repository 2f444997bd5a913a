//! What can be wrong with a model folder: one error type for this boundary.

use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Why a file of a model folder could not be read, understood or written; every text names the file.
#[derive(Debug)]
pub enum CheckpointError {
    /// The operating system refused to read.
    Read {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// Writing failed; the file is as it was before, or still absent.
    Write {
        /// The file that should have been written.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The text is not JSON, is not an object, or gives one key twice.
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// `config.json` describes a model that this crate cannot be, or none at all.
    Config {
        /// The file.
        path: PathBuf,
        /// The key, its value and what would be right.
        problem: String,
    },
    /// `model.safetensors.index.json` and its shards disagree.
    Index {
        /// The index file.
        path: PathBuf,
        /// The tensor or shard concerned.
        problem: String,
    },
    /// The file breaks the safetensors format.
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A NumPy archive that cannot be read.
    Npz {
        /// The file.
        path: PathBuf,
        /// What is wrong, and with which array.
        problem: String,
    },
    /// The file is shorter or longer than its header says.
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The folder has only pickled weights.
    Pickled {
        /// The pickle.
        path: PathBuf,
    },
    /// The tensors carry the names of the other architecture.
    Family {
        /// The weights.
        path: PathBuf,
        /// `model_type` of the configuration.
        expected: &'static str,
        /// `model_type` that the names tell of.
        found: &'static str,
    },
    /// The encoder's tensors have names with something before them.
    Prefix {
        /// The file.
        path: PathBuf,
        /// What stands before every name.
        prefix: String,
    },
    /// There is no folder of this name.
    NoFolder {
        /// It.
        path: PathBuf,
    },
    /// The tensors are not those of the model.
    Tensors {
        /// The weights (the index file, if they are sharded).
        path: PathBuf,
        /// Every offender, sorted by name; never empty.
        problems: Vec<TensorProblem>,
    },
}

/// One tensor that does not fit, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorProblem {
    /// The tensor's name: the model's name where the model wants it, else the file's.
    pub name: String,
    /// Why it does not fit.
    pub kind: ProblemKind,
}

/// Why a tensor does not fit.
#[derive(Clone, Debug, PartialEq)]
pub enum ProblemKind {
    /// The model wants it, the file lacks it.
    Missing {
        /// Its shape in the model.
        expected: Vec<usize>,
    },
    /// Part of the head, and the file has no trained head.
    NoHead {
        /// Its shape in the model.
        expected: Vec<usize>,
    },
    /// The file has it, the model has no place for it.
    Unexpected {
        /// Its shape in the file.
        found: Vec<usize>,
    },
    /// The shapes differ.
    Shape {
        /// Its shape in the model.
        expected: Vec<usize>,
        /// Its shape in the file.
        found: Vec<usize>,
    },
    /// The output layer of a head with another number of labels.
    Labels {
        /// Its shape in the model; the first extent is the number of labels.
        expected: Vec<usize>,
        /// Its shape in the file.
        found: Vec<usize>,
    },
    /// The element type cannot be used here.
    Dtype {
        /// The types that can, in words.
        expected: &'static str,
        /// The safetensors name of the type found.
        found: String,
    },
    /// The output layer is written out with other values than the tensor that it shares in this model.
    Untied {
        /// That tensor.
        to: &'static str,
    },
    /// Two tensors of the file claim this name once old spellings are translated.
    Twice {
        /// The claimants, as the file spells them, sorted.
        sources: Vec<String>,
    },
    /// A value is NaN or infinite.
    NonFinite {
        /// Where: one index per axis.
        index: Vec<usize>,
        /// The value as the file has it.
        value: f64,
        /// The element type it was to become.
        target: &'static str,
    },
    /// ndarray cannot hold this shape.
    TooLarge {
        /// Its shape in the file.
        found: Vec<usize>,
    },
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Write { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            Self::Json { path, problem } | Self::Config { path, problem } | Self::Index { path, problem } => {
                write!(f, "{}: {problem}", path.display())
            }
            Self::Safetensors { path, problem } => {
                write!(f, "{} is not a valid safetensors file: {problem}", path.display())
            }
            Self::Npz { path, problem } => {
                write!(f, "{}, a NumPy archive: {problem}", path.display())
            }
            Self::Length {
                path,
                expected,
                found,
            } => {
                let what = if found < expected {
                    "is truncated"
                } else {
                    "has trailing bytes"
                };
                write!(
                    f,
                    "{} {what}: expected {expected} bytes, found {found}",
                    path.display()
                )
            }
            Self::Pickled { path } => write!(
                f,
                "{} holds pickled Python objects, which are not read here; write model.safetensors beside it with: \
                 python -c \"import torch, safetensors.torch as s; w = torch.load('pytorch_model.bin', \
                 map_location='cpu', weights_only=True); s.save_file({{k: v.clone().contiguous() for k, v in \
                 w.items()}}, 'model.safetensors', {{'format': 'pt'}})\"",
                path.display()
            ),
            Self::Family {
                path,
                expected,
                found,
            } => write!(
                f,
                "{} holds tensors named `{found}.*`, but the configuration says model_type `{expected}`",
                path.display()
            ),
            Self::Prefix { path, prefix } => write!(
                f,
                "{} names its tensors `{prefix}…`, so a model was saved inside of another one; save the inner one, or take \
                 `{prefix}` off the names",
                path.display()
            ),
            Self::NoFolder { path } => no_folder(path, f),
            Self::Tensors { path, problems } => {
                write!(f, "{} does not fit", path.display())?;
                if let [only] = problems.as_slice() {
                    return write!(f, ": {only}");
                }
                write!(f, ", {} problems:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

/// Where a model folder is to be, and none is.
fn no_folder(path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = path.display();
    write!(
        f,
        "there is no model folder {name}: a model is a folder with config.json, model.safetensors and tokenizer.json or \
         vocab.txt, or builtin:shallow"
    )?;
    // A name, or an owner and a name.
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if path.components().count() > 2 || !path.components().all(plain) {
        return Ok(());
    }
    write!(
        f,
        "; of a published model, `hf download {name} --local-dir DIR` makes such a folder"
    )
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match &self.kind {
            ProblemKind::Missing { expected } => write!(f, "missing, expected shape {expected:?}"),
            ProblemKind::NoHead { expected } => {
                write!(
                    f,
                    "missing, expected shape {expected:?}; without it the model must be fine-tuned first"
                )
            }
            ProblemKind::Unexpected { found } => write!(f, "not part of the model, found shape {found:?}"),
            ProblemKind::Shape { expected, found } => {
                write!(f, "expected shape {expected:?}, found {found:?}")
            }
            ProblemKind::Labels { expected, found } => {
                let labels = |shape: &[usize]| shape.first().copied().unwrap_or(0);
                write!(
                    f,
                    "expected shape {expected:?}, found {found:?}; the configuration has {} labels, the file's head \
                     {}; only fine-tuning may start a new head",
                    labels(expected),
                    labels(found)
                )
            }
            ProblemKind::Dtype { expected, found } => write!(f, "expected {expected}, found {found}"),
            ProblemKind::Untied { to } => write!(
                f,
                "not the values of {to}; only a head tied to the word embeddings is supported"
            ),
            ProblemKind::Twice { sources } => write!(f, "in the file twice, as {}", sources.join(" and ")),
            ProblemKind::NonFinite { index, value, target } => {
                write!(f, "the value at {index:?} is {value:?}")?;
                if value.is_finite() {
                    write!(f, ", not finite as {target}")
                } else {
                    Ok(())
                }
            }
            ProblemKind::TooLarge { found } => write!(f, "shape {found:?} is too large"),
        }
    }
}

impl std::error::Error for CheckpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
