//! Safetensors files as streams of gradients.

use super::super::Error;
use crate::checkpoint::{CheckpointError, TensorReader};
use crate::clip::{ClipPolicy, Element, GradStream, Role, StreamedParam, StreamedTensor, Tensor};
use std::io::{self, Write};
use std::path::Path;

/// A file of named tensors.
#[derive(Debug)]
pub(super) struct TensorsFile {
    pub(super) reader: TensorReader,
    /// In the order of the file.
    tensors: Vec<StreamedTensor>,
}

impl TensorsFile {
    /// Opens a file, all of whose tensors must be of a type that can be clipped.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let reader = TensorReader::open(path)?;
        let refuse = |problem: String| Error::Judge(format!("{}: {problem}", path.display()));
        if reader.entries.is_empty() {
            return Err(refuse("no tensor in it".to_owned()));
        }
        let (mut tensors, mut problems) = (Vec::new(), Vec::new());
        for (name, entry) in &reader.entries {
            let dtype = entry.dtype.to_string();
            match Element::ALL.into_iter().find(|element| element.name() == dtype) {
                Some(element) => tensors.push(StreamedTensor {
                    element,
                    shape: entry.shape.clone(),
                }),
                None => problems.push(format!(
                    "`{name}` has the type {dtype}, expected F16, BF16, F32 or F64"
                )),
            }
        }
        if !problems.is_empty() {
            return Err(refuse(problems.join("; ")));
        }
        Ok(Self { reader, tensors })
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.reader.entries.iter().position(|(other, _)| other == name)
    }

    /// Reads elements of a tensor.
    fn read(&mut self, tensor: usize, at: usize, bytes: &mut [u8]) -> Result<(), CheckpointError> {
        let start = self.reader.entries[tensor].1.range.start;
        let place = start + at * self.tensors[tensor].element.width();
        self.reader.read_at(place as u64, bytes)
    }
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
            let lacking = grads.reader.entries.iter().map(|(name, _)| name);
            let lacking = lacking.filter(|name| !is_excluded(policy, name) && file.position(name).is_none());
            let lacking: Vec<String> = lacking.map(|name| format!("`{name}`")).collect();
            if !lacking.is_empty() {
                return Err(Error::Judge(format!(
                    "{}: missing {}, which {} has",
                    file.reader.path.display(),
                    lacking.join(", "),
                    grads.reader.path.display()
                )));
            }
        }
        let (mut params, mut places) = (Vec::new(), Vec::new());
        for ((name, _), grad) in grads.reader.entries.iter().zip(&grads.tensors) {
            let found = [&values, &moments].map(|file| {
                let file = file.as_ref()?;
                file.position(name).map(|at| (at, file.tensors[at].clone()))
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
