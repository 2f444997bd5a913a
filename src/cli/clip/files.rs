//! Safetensors files as streams of gradients.

use super::super::{Error, oracle::called};
use crate::cases::file::FileError;
use crate::cases::sides::{Sides, files};
use crate::checkpoint::{CheckpointError, Entry, TensorReader, some};
use crate::clip::{ClipPolicy, Element, GradStream, Role, StreamedParam, StreamedTensor, Tensor};
use crate::oracle::OracleError;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;

/// Named tensors of one file or several.
#[derive(Debug)]
pub(super) struct TensorsFile {
    /// What errors call it.
    pub(super) called: String,
    /// The beginning of a file with these tensors: that of the file, or a new one.
    pub(super) head: Vec<u8>,
    pub(super) names: Vec<String>,
    readers: Vec<TensorReader>,
    /// In the order of the files: their type and shape, the number of their file, and where they begin in it.
    tensors: Vec<(StreamedTensor, usize, usize)>,
}

impl TensorsFile {
    /// Opens files and folders, all of whose tensors must be of a type that can be clipped and have names of their own.
    pub(super) fn open(paths: &[PathBuf], sides: &mut Sides) -> Result<Self, Error> {
        let called = called(paths);
        let (mut readers, mut entries) = (Vec::new(), Vec::new());
        let mut problems = Vec::new();
        let mut of_names: HashMap<String, (String, PathBuf)> = HashMap::new();
        let files = files(paths)?;
        for path in &files.paths {
            let reader = TensorReader::open_either(path)?;
            files.check(
                path,
                &reader.entries.iter().map(|(name, _)| name.clone()).collect(),
            )?;
            for (long, entry) in &reader.entries {
                let name = sides.stripped(long);
                if let Some((other, place)) = of_names.insert(name.clone(), (long.clone(), path.clone())) {
                    problems.push(format!(
                        "`{name}` is there twice, as `{other}` in {} and as `{long}` in {}; each tensor is clipped once",
                        place.display(),
                        path.display()
                    ));
                }
                match tensor(&name, entry) {
                    Ok(tensor) => entries.push((name, tensor, readers.len(), entry.range.start)),
                    Err(problem) => problems.push(problem),
                }
            }
            readers.push(reader);
        }
        if entries.is_empty() && problems.is_empty() {
            problems.push("no tensor in it".to_owned());
        }
        if !problems.is_empty() {
            let path = PathBuf::from(called);
            return Err(FileError::Content { path, problems }.into());
        }
        let same = |one: &TensorReader| one.entries.iter().zip(&entries).all(|(a, b)| a.0 == b.0);
        let head = match readers.as_slice() {
            [one] if !one.head.is_empty() && same(one) => one.head.clone(),
            _ => {
                // Wide types first, so that each tensor is aligned; those of a type in the order of the files.
                entries.sort_by_key(|(_, tensor, ..)| Reverse(tensor.element.width()));
                head(entries.iter().map(|(name, tensor, ..)| (name.as_str(), tensor)))
            }
        };
        let names = entries.iter().map(|(name, ..)| name.clone()).collect();
        let tensors = entries
            .into_iter()
            .map(|(_, tensor, file, start)| (tensor, file, start))
            .collect();
        Ok(Self {
            called,
            head,
            names,
            readers,
            tensors,
        })
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// Reads elements of a tensor.
    fn read(&mut self, tensor: usize, at: usize, bytes: &mut [u8]) -> Result<(), CheckpointError> {
        let (found, file, start) = &self.tensors[tensor];
        let place = start + at * found.element.width();
        self.readers[*file].read_at(place as u64, bytes)
    }
}

/// What can be clipped of a file.
fn tensor(name: &str, entry: &Entry) -> Result<StreamedTensor, String> {
    let dtype = entry.dtype.to_string();
    let element = Element::ALL.into_iter().find(|element| element.name() == dtype);
    let element =
        element.ok_or_else(|| format!("`{name}` has the type {dtype}, expected F16, BF16, F32 or F64"))?;
    let shape = entry.shape.clone();
    Ok(StreamedTensor { element, shape })
}

/// The length of a header and the header, for tensors one after the other.
fn head<'a>(tensors: impl Iterator<Item = (&'a str, &'a StreamedTensor)>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, tensor) in tensors {
        let begin = end;
        end += tensor.shape.iter().product::<usize>() * tensor.element.width();
        let entry = json!({
            "dtype": tensor.element.name(),
            "shape": tensor.shape,
            "data_offsets": [begin, end],
        });
        header.insert(name.to_owned(), entry);
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text].concat()
}

/// Gradients and what lies beside them.
pub(super) struct Sources {
    pub(super) grads: TensorsFile,
    values: Option<TensorsFile>,
    moments: Option<TensorsFile>,
    pub(super) params: Vec<StreamedParam>,
    /// Where each parameter's value and second moment lie in their files.
    places: Vec<[usize; 2]>,
}

impl Sources {
    /// Pairs the files up by name. A file beside the gradients may hold more than the policy asks for, not less.
    pub(super) fn new(
        policy: &ClipPolicy,
        grads: TensorsFile,
        values: Option<TensorsFile>,
        moments: Option<TensorsFile>,
    ) -> Result<Self, Error> {
        for file in [&values, &moments].into_iter().flatten() {
            let lacking = grads.names.iter();
            let lacking = lacking.filter(|name| !is_excluded(policy, name) && file.position(name).is_none());
            let lacking: Vec<&String> = lacking.collect();
            if !lacking.is_empty() {
                let surplus: Vec<String> = file
                    .names
                    .iter()
                    .filter(|n| grads.position(n).is_none())
                    .cloned()
                    .collect();
                let error = OracleError::Unpaired {
                    place: "names",
                    missing: lacking.iter().map(|name| (*name).clone()).collect(),
                    surplus,
                };
                let prefixes = error.prefixes();
                let advice = prefixes.iter().map(|prefix| format!(" --strip-prefix {prefix}"));
                let advice: String = advice.collect();
                return Err(Error::Judge(format!(
                    "{}: missing {}, which {} has{}{advice}",
                    file.called,
                    some(&lacking),
                    grads.called,
                    if advice.is_empty() {
                        ""
                    } else {
                        "; names differ by a prefix:"
                    }
                )));
            }
        }
        let (mut params, mut places) = (Vec::new(), Vec::new());
        for (name, (grad, ..)) in grads.names.iter().zip(&grads.tensors) {
            let found = [&values, &moments].map(|file| {
                let file = file.as_ref()?;
                file.position(name).map(|at| (at, file.tensors[at].0.clone()))
            });
            places.push(
                found
                    .each_ref()
                    .map(|found| found.as_ref().map_or(0, |(at, _)| *at)),
            );
            let [value, second_moment] = found.map(|found| found.map(|(_, tensor)| tensor));
            params.push(StreamedParam {
                name: name.clone(),
                grad: grad.clone(),
                value,
                second_moment,
            });
        }
        Ok(Self {
            grads,
            values,
            moments,
            params,
            places,
        })
    }
}

fn is_excluded(policy: &ClipPolicy, name: &str) -> bool {
    let chosen = policy.selections.iter().find(|s| s.pattern.fits(name));
    chosen.is_some_and(|s| s.role == Role::Exclude)
}

/// The files that are read and the one that is written.
pub(super) struct Stream<'a> {
    pub(super) sources: &'a mut Sources,
    pub(super) out: &'a mut dyn Write,
}

/// Why a stream ended.
#[derive(Debug)]
pub(super) enum Broken {
    /// A file cannot be read.
    Read(CheckpointError),
    /// The output cannot be written.
    Write(io::Error),
}

impl GradStream for Stream<'_> {
    type Error = Broken;

    fn read(&mut self, tensor: Tensor, parameter: usize, at: usize, bytes: &mut [u8]) -> Result<(), Broken> {
        let sources = &mut *self.sources;
        let [value, moment] = sources.places[parameter];
        let (file, place) = match tensor {
            Tensor::Gradient => (Some(&mut sources.grads), parameter),
            Tensor::Value => (sources.values.as_mut(), value),
            Tensor::SecondMoment => (sources.moments.as_mut(), moment),
        };
        let file = file.expect("only tensors that were paired up are read");
        file.read(place, at, bytes).map_err(Broken::Read)
    }

    fn write(&mut self, _: usize, _: usize, bytes: &[u8]) -> Result<(), Broken> {
        // The parameters are in the order of the file, so what comes is the file.
        self.out.write_all(bytes).map_err(Broken::Write)
    }
}
