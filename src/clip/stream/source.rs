//! Where streamed gradients come from and go to.

use super::layout::CHUNK;
use crate::clip::{ClipError, Element};
use std::fmt;

/// A tensor in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamedTensor {
    /// The type of its elements.
    pub element: Element,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A named parameter's gradient in a stream, with what some rules need beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamedParam {
    /// The parameter's name.
    pub name: String,
    /// Its gradient.
    pub grad: StreamedTensor,
    /// The parameter itself, for [`Rule::Agc`](crate::clip::Rule::Agc) and
    /// [`Rule::TrustRatio`](crate::clip::Rule::TrustRatio); of the gradient's shape.
    pub value: Option<StreamedTensor>,
    /// Adam's second moment, for [`Rule::StableAdamW`](crate::clip::Rule::StableAdamW) and
    /// [`Rule::Spam`](crate::clip::Rule::Spam); of the gradient's shape.
    pub second_moment: Option<StreamedTensor>,
}

impl StreamedParam {
    /// A gradient alone.
    pub fn new(name: &str, grad: StreamedTensor) -> Self {
        Self {
            name: name.to_owned(),
            grad,
            value: None,
            second_moment: None,
        }
    }

    fn tensor(&self, which: Tensor) -> &StreamedTensor {
        match which {
            Tensor::Gradient => Some(&self.grad),
            Tensor::Value => self.value.as_ref(),
            Tensor::SecondMoment => self.second_moment.as_ref(),
        }
        .expect("it was checked that the tensor is there")
    }
}

/// Which of a parameter's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tensor {
    /// The gradient.
    Gradient,
    /// The parameter.
    Value,
    /// Adam's second moment.
    SecondMoment,
}

/// Gradients that are read and written block by block, as little-endian bytes in row-major order.
pub trait GradStream {
    /// Why a block could not be read or written.
    type Error;

    /// Reads elements from place `at` of a tensor of a parameter, as many as fill `bytes`.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read(
        &mut self,
        tensor: Tensor,
        parameter: usize,
        at: usize,
        bytes: &mut [u8],
    ) -> Result<(), Self::Error>;

    /// Takes the elements from place `at` of a parameter's clipped gradient. Parameters and places come in order, without
    /// gaps.
    ///
    /// # Errors
    /// If they cannot be written.
    fn write(&mut self, parameter: usize, at: usize, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Why streamed gradients were not clipped.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamError<E> {
    /// The policy cannot be applied, or refuses; nothing was written.
    Clip(ClipError),
    /// A block could not be read or written.
    Stream(E),
}

impl<E> From<ClipError> for StreamError<E> {
    fn from(error: ClipError) -> Self {
        Self::Clip(error)
    }
}

impl<E: fmt::Display> fmt::Display for StreamError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clip(error) => error.fmt(f),
            Self::Stream(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for StreamError<E> {}

/// One tensor of a stream.
pub(super) struct Reader<'s, S> {
    stream: &'s mut S,
    param: &'s StreamedParam,
    tensor: Tensor,
    parameter: usize,
}

impl<'s, S: GradStream> Reader<'s, S> {
    pub(super) fn new(
        stream: &'s mut S,
        params: &'s [StreamedParam],
        tensor: Tensor,
        parameter: usize,
    ) -> Self {
        Self {
            stream,
            param: &params[parameter],
            tensor,
            parameter,
        }
    }

    pub(super) fn element(&self) -> Element {
        self.param.tensor(self.tensor).element
    }

    /// The type of the second moments.
    pub(super) fn moments(&self) -> Option<Element> {
        self.param.second_moment.as_ref().map(|tensor| tensor.element)
    }

    /// Elements of the tensor.
    pub(super) fn elements(&self) -> usize {
        self.param.tensor(self.tensor).shape.iter().product()
    }

    /// Elements `at..at + count`.
    pub(super) fn read(&mut self, at: usize, count: usize, bytes: &mut Vec<u8>) -> Result<(), S::Error> {
        bytes.resize(count * self.element().width(), 0);
        self.stream.read(self.tensor, self.parameter, at, bytes)
    }

    /// The second moments of elements `at..at + count`; empty if there are none.
    pub(super) fn read_moments(
        &mut self,
        at: usize,
        count: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), S::Error> {
        let width = self.moments().map_or(0, Element::width);
        bytes.resize(count * width, 0);
        if width == 0 {
            return Ok(());
        }
        self.stream.read(Tensor::SecondMoment, self.parameter, at, bytes)
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), S::Error> {
        self.stream.write(self.parameter, at, bytes)
    }

    /// Writes the gradient as it is.
    pub(super) fn copy(&mut self) -> Result<(), S::Error> {
        let (mut bytes, elements) = (Vec::new(), self.elements());
        for at in (0..elements).step_by(CHUNK) {
            self.read(at, CHUNK.min(elements - at), &mut bytes)?;
            self.write(at, &bytes)?;
        }
        Ok(())
    }
}
