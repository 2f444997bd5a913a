//! `cwgnc answer`: this crate's own clipping as a program under `cwgnc pipe`.
//!
//! It is also the shortest complete example of the protocol: read a length, read a case, clip, write a length, write a
//! result, until stdin ends.

use super::super::Error;
use super::args::Answer;
use crate::cases::file::{case_of_bytes, result_bytes};
use crate::clip::{
    self, Adaptive, ClipReport, Clipped, Element, GradStream, ParamGrad, Rule, StreamedParam, StreamedTensor,
    clip_stream, clip_with_state,
};
use crate::oracle::{Candidate, Case, Data, Format, Tensor};
use crate::real::Real;
use ndarray::{ArrayD, IxDyn};
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::path::Path;

/// Runs the command.
pub(in crate::cli) fn command(args: &Answer) -> Result<u8, Error> {
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let broken = |error: io::Error| Error::Judge(format!("the pipe is broken: {error}"));
    loop {
        let mut length = Vec::new();
        (&mut stdin).take(8).read_to_end(&mut length).map_err(broken)?;
        if length.is_empty() {
            return Ok(0);
        }
        let Some(bytes) = length.first_chunk() else {
            return Err(Error::Judge(
                "stdin ends within the length of a message".to_owned(),
            ));
        };
        let expected = u64::from_le_bytes(*bytes);
        let mut message = Vec::new();
        (&mut stdin)
            .take(expected)
            .read_to_end(&mut message)
            .map_err(broken)?;
        let mut case = case_of_bytes(Path::new("stdin"), message)?.case;
        if let Some(policy) = &args.policy {
            case.policy = policy.clone();
        }
        // Of length 0 where the case is declined.
        let mut candidate = clipped(&case);
        if args.policy.is_some() {
            // Norms go by component, and the components are others than those that were asked for.
            candidate = candidate.map(|candidate| Candidate::new(candidate.after));
        }
        let answer = candidate.map_or(Vec::new(), |candidate| result_bytes(&candidate));
        stdout
            .write_all(&(answer.len() as u64).to_le_bytes())
            .map_err(broken)?;
        stdout.write_all(&answer).map_err(broken)?;
        stdout.flush().map_err(broken)?;
    }
}

/// The answer; none without gradients. Those of 16 bits, and of several types at once, go through the stream.
fn clipped(case: &Case) -> Option<Candidate> {
    let formats = || case.before.iter().map(|tensor| tensor.data.format());
    match formats().next()? {
        Format::F32 if formats().all(|format| format == Format::F32) => answer::<f32>(case),
        Format::F64 if formats().all(|format| format == Format::F64) => answer::<f64>(case),
        _ => Some(streamed(case)),
    }
}

fn answer<T: Real>(case: &Case) -> Option<Candidate> {
    let mut grads: Vec<ArrayD<T>> = case.before.iter().map(array).collect::<Option<_>>()?;
    let beside = |tensors: &[Tensor], name: &str| {
        let found = tensors.iter().find(|tensor| tensor.name == name)?;
        array::<T>(found)
    };
    let values: Vec<_> = case
        .before
        .iter()
        .map(|t| beside(&case.values, &t.name))
        .collect();
    let moments: Vec<_> = case
        .before
        .iter()
        .map(|t| beside(&case.second_moments, &t.name))
        .collect();
    let mut params: Vec<ParamGrad<'_, T>> = Vec::new();
    for (i, grad) in grads.iter_mut().enumerate() {
        let mut param = ParamGrad::new(&case.before[i].name, grad.view_mut());
        param.value = values[i].as_ref().map(|array| array.view());
        param.second_moment = moments[i].as_ref().map(|array| array.view());
        params.push(param);
    }
    let mut state = case.state.clone().unwrap_or_default();
    // An edge rule that refuses leaves the gradients as they were, and that is the answer.
    let report = clip_with_state(&case.policy, &mut state, &mut params).ok();
    drop(params);
    let after = grads.iter().zip(&case.before);
    let after = after
        .map(|(grad, before)| before.with(grad.iter().map(|x| x.widen())))
        .collect();
    let returned = report.map_or_else(Candidate::default, |report| returned(case, &report));
    Some(Candidate { after, ..returned })
}

/// The tensors of a case as a stream, and what was written.
struct Streamed<'a> {
    case: &'a Case,
    after: Vec<Vec<u8>>,
}

impl Streamed<'_> {
    /// A parameter's gradient, value or second moment.
    fn tensor(&self, which: clip::Tensor, parameter: usize) -> Option<&Tensor> {
        let before = &self.case.before[parameter];
        let tensors = match which {
            clip::Tensor::Gradient => return Some(before),
            clip::Tensor::Value => &self.case.values,
            clip::Tensor::SecondMoment => &self.case.second_moments,
        };
        tensors.iter().find(|tensor| tensor.name == before.name)
    }

    fn param(&self, parameter: usize) -> StreamedParam {
        let found = |which| self.tensor(which, parameter).map(streamed_tensor);
        let before = &self.case.before[parameter];
        StreamedParam {
            value: found(clip::Tensor::Value),
            second_moment: found(clip::Tensor::SecondMoment),
            ..StreamedParam::new(&before.name, streamed_tensor(before))
        }
    }
}

fn streamed_tensor(tensor: &Tensor) -> StreamedTensor {
    StreamedTensor {
        element: match tensor.data.format() {
            Format::F16 => Element::F16,
            Format::Bf16 => Element::Bf16,
            Format::F32 => Element::F32,
            Format::F64 => Element::F64,
        },
        shape: tensor.shape.clone(),
    }
}

impl GradStream for Streamed<'_> {
    type Error = Infallible;

    fn read(
        &mut self,
        which: clip::Tensor,
        parameter: usize,
        at: usize,
        bytes: &mut [u8],
    ) -> Result<(), Infallible> {
        let tensor = self
            .tensor(which, parameter)
            .expect("only tensors that were announced are read");
        let all = tensor.data.to_le_bytes();
        let start = at * streamed_tensor(tensor).element.width();
        bytes.copy_from_slice(&all[start..start + bytes.len()]);
        Ok(())
    }

    fn write(&mut self, parameter: usize, _: usize, bytes: &[u8]) -> Result<(), Infallible> {
        self.after[parameter].extend_from_slice(bytes);
        Ok(())
    }
}

fn streamed(case: &Case) -> Candidate {
    let after = vec![Vec::new(); case.before.len()];
    let mut stream = Streamed { case, after };
    let params: Vec<_> = (0..case.before.len()).map(|at| stream.param(at)).collect();
    let mut state = case.state.clone().unwrap_or_default();
    // As above: a refusal leaves the gradients as they were.
    let Ok(report) = clip_stream(&case.policy, &mut state, &params, &mut stream, true) else {
        return Candidate::new(case.before.clone());
    };
    let after = case
        .before
        .iter()
        .zip(&stream.after)
        .map(|(before, bytes)| Tensor {
            data: Data::from_le_bytes(before.data.format(), bytes),
            ..before.clone()
        });
    Candidate {
        after: after.collect(),
        ..returned(case, &report)
    }
}

/// What the report says of the components.
fn returned(case: &Case, report: &ClipReport) -> Candidate {
    // A rule on elements has no scale that it could return.
    let on_elements = matches!(
        case.policy.rule,
        Rule::Value { .. }
            | Rule::Soft { .. }
            | Rule::Spam { .. }
            | Rule::Adaptive(Adaptive::StableSpam { .. })
    );
    let mut candidate = Candidate::default();
    for component in &report.components {
        let id = || component.id.clone();
        candidate.norms.push((id(), component.norm_before));
        if !on_elements {
            candidate.scales.push((id(), component.scale));
        }
        match component.clipped {
            Clipped::Yes => candidate.clipped.push((id(), true)),
            Clipped::No => candidate.clipped.push((id(), false)),
            // Either would do.
            Clipped::Ambiguous => {}
        }
    }
    candidate
}

fn array<T: Real>(tensor: &Tensor) -> Option<ArrayD<T>> {
    let values = tensor.data.values().into_iter().map(T::of).collect();
    ArrayD::from_shape_vec(IxDyn(&tensor.shape), values).ok()
}
