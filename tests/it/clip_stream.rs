//! Clipping in a stream: the bits of clipping in memory for F32 and F64, and what the oracle expects in every type.

mod elements;
mod memory;
mod oracle;

use cwgnc::clip::{
    ClipPolicy, ClipReport, ClipState, Element, GradStream, StreamError, StreamedParam, StreamedTensor,
    Tensor, clip_stream,
};
use std::convert::Infallible;

/// The policies of the tests; `C` is the threshold.
pub(crate) const POLICIES: [&str; 52] = [
    "global:C@torch",
    "global:C@exact",
    "global:C@optax",
    "global:C@tf-global",
    "global:C@deepspeed/1024",
    "layer:C@paddle-norm",
    "module:C@mindspore",
    "component:C",
    "component:C@optax",
    "component:C@optax-rms,norm=rms",
    "component:C@tf-norm",
    "component:C@tf-average",
    "component:C@div-max",
    "component:C,norm=1",
    "component:C,norm=inf",
    "component:C@exact,norm=0.5",
    "global:C@exact,norm=3",
    "row:C@torch",
    "row:C@optax",
    "row:C@exact,norm=inf",
    "optax-unit:C@exact",
    "optax-unit:C@optax-rms,norm=rms",
    "optax-unit:C@torch,norm=3",
    "axes:C@exact",
    "axes:C@optax",
    "value:C",
    "value:C@tf",
    "value:C@paper",
    "soft:C",
    "soft:C@tanh",
    "soft:C@mu-law",
    "soft-norm:C",
    "normalise:C",
    "normalise:C@max",
    "agc:C",
    "agc:C,by=optax-unit",
    "trust-ratio",
    "trust-ratio,max=1",
    "stable-adamw:C",
    "stable-adamw:C,by=row",
    "stable-adamw:C,by=optax-unit",
    "spam:C",
    "spam:C,by=optax-unit",
    "none",
    "none,by=optax-unit",
    "global:C,exclude=*.bias",
    "global:C,group=*.bias:0.01",
    "row:C,group=a.*:0.01",
    "global:C,count=*.bias",
    "global:C,follow=*.bias",
    "global:C,edge=zero",
    "row:C,edge=skip",
];

/// The policies with a memory.
pub(crate) const STATEFUL: [&str; 6] = [
    "autoclip:50",
    "percentile:5",
    "zclip:2,alpha=0.5,warmup=2,max=inf",
    "zclip:2@mean,alpha=0.5,warmup=2,max=3",
    "adagc:1.05,warmup=2",
    "stable-spam:0.5",
];

/// Files in memory: three lists of tensors as bytes, and what was written.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    pub(crate) params: Vec<StreamedParam>,
    pub(crate) grads: Vec<Vec<u8>>,
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) moments: Vec<Vec<u8>>,
    pub(crate) out: Vec<Vec<u8>>,
}

impl GradStream for Bytes {
    type Error = Infallible;

    fn read(
        &mut self,
        tensor: Tensor,
        parameter: usize,
        at: usize,
        bytes: &mut [u8],
    ) -> Result<(), Infallible> {
        let param = &self.params[parameter];
        let (data, kind) = match tensor {
            Tensor::Gradient => (&self.grads, Some(&param.grad)),
            Tensor::Value => (&self.values, param.value.as_ref()),
            Tensor::SecondMoment => (&self.moments, param.second_moment.as_ref()),
        };
        let start = at * kind.expect("only what is there is read").element.width();
        bytes.copy_from_slice(&data[parameter][start..start + bytes.len()]);
        Ok(())
    }

    fn write(&mut self, parameter: usize, at: usize, bytes: &[u8]) -> Result<(), Infallible> {
        if at == 0 {
            // Empty tensors are not written.
            self.out.resize(parameter + 1, Vec::new());
        }
        assert_eq!(self.out.len(), parameter + 1, "parameters come in order");
        let out = &mut self.out[parameter];
        assert_eq!(out.len(), at * self.params[parameter].grad.element.width());
        out.extend_from_slice(bytes);
        Ok(())
    }
}

impl Bytes {
    pub(crate) fn push(
        &mut self,
        name: &str,
        shape: &[usize],
        element: Element,
        [grad, value, moment]: [Vec<u8>; 3],
    ) {
        let tensor = StreamedTensor {
            element,
            shape: shape.to_vec(),
        };
        let mut param = StreamedParam::new(name, tensor.clone());
        param.value = Some(tensor.clone());
        param.second_moment = Some(tensor);
        self.params.push(param);
        self.grads.push(grad);
        self.values.push(value);
        self.moments.push(moment);
    }

    /// Clips, and checks that a call without writing says the same.
    pub(crate) fn clip(&mut self, policy: &ClipPolicy, state: &mut ClipState) -> Result<ClipReport, String> {
        let text = |error: StreamError<Infallible>| error.to_string();
        let params = self.params.clone();
        let mut again = state.clone();
        let measured = clip_stream(policy, &mut again, &params, self, false).map_err(text);
        assert!(self.out.is_empty());
        let report = clip_stream(policy, state, &params, self, true).map_err(text);
        assert_eq!(format!("{measured:?}"), format!("{report:?}"));
        assert_eq!(format!("{again:?}"), format!("{state:?}"));
        self.out
            .resize(if report.is_ok() { params.len() } else { 0 }, Vec::new());
        report
    }
}
