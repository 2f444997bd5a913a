//! A clipper by norm with a choice of faults: `torch` and `exact`, over whole tensors, rows, or all.

use cwgnc::clip::{Convention, Partition, Rule, Threshold};
use cwgnc::oracle::{Case, Format, Tensor};
use std::collections::HashMap;

/// One change to the clipper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    /// Tensors of one element stay as they are.
    SkipsOneElement,
    /// Tensors of more elements do.
    SkipsBeyond(usize),
    SkipsScalars,
    /// All but matrices do.
    OnlyMatrices,
    /// Tensors of more than four axes do.
    SkipsManyAxes,
    SkipsLastTensor,
    /// All but so many do.
    FirstTensorsOnly(usize),
    SkipsNamed(&'static str),
    /// Those without a dot in their name do.
    SkipsFlatNames,
    PanicsOnUnicode,
    PanicsOnEmpty,
    /// The loop ends at a tensor without elements.
    StopsAtEmpty,
    /// Norms of tensors with elements, in order, scale tensors in order.
    EmptyShiftsNorms,
    LastRowSkipped,
    /// The norm is looked up by the tensor's length.
    NormByLength,
    /// The sum goes on from tensor to tensor.
    SumNotReset,
    SumsFirst(usize),
    /// What does not fill a block is not summed, unless there is no full one.
    SumsWhole(usize),
    SumsAllButLast,
    /// The last element of a multiple of this is not summed.
    FullBlockLosesOne(usize),
    FirstCountsTwice,
    /// The global norm is that of the first tensor.
    FirstTensorsNorm,
    /// The norm of a tensor of this name from the call before.
    StaleNorm,
    Mean,
    SumOfMagnitudes,
    LargestMagnitude,
    NoRoot,
    SquaresInSingle,
    RunningSumInType,
    NanNotSummed,
    ComponentForGlobal,
    GlobalForComponent,
    Epsilon(f64),
    EpsilonInRoot,
    NoMinimum,
    Maximum,
    ThresholdInHalf,
    ScaleInHalf,
    /// A reciprocal root with twelve bits.
    FastRoot,
    NanScalesByOne,
    ZeroMeansNone,
    DividesByZero,
    SquareCompared,
    /// What does not fill a vector is not written.
    TailNotWritten(usize),
    /// The last element of each block is not written.
    BlockEndNotWritten(usize),
    WritesFirst(usize),
    SignOfZeroLost,
    Flushed,
    /// Results go through BF16.
    StoredInHalf,
    NanBecomesZero,
}

/// The elements of a component: tensor and index.
type Component = Vec<(usize, usize)>;

/// A clipper and what it remembers.
pub(super) struct Clipper {
    fault: Fault,
    norms: HashMap<String, f64>,
}

impl Clipper {
    pub(super) fn new(fault: Fault) -> Self {
        Self {
            fault,
            norms: HashMap::new(),
        }
    }

    pub(super) fn clip(&mut self, case: &Case) -> Vec<Tensor> {
        let before = &case.before;
        for tensor in before {
            if self.fault == Fault::PanicsOnEmpty {
                assert!(!tensor.data.is_empty(), "index out of bounds");
            }
            if self.fault == Fault::PanicsOnUnicode {
                // `layer.` and a digit, by bytes.
                let _ = &tensor.name[..tensor.name.len().min(3)];
            }
        }
        let parts = self.components(case);
        let norms = self.norms(case, &parts);
        let mut after = before.clone();
        let mut nonempty = norms.iter().zip(&parts).filter(|(_, part)| !part.is_empty());
        for (part, &own) in parts.iter().zip(&norms) {
            let n = match self.fault {
                Fault::EmptyShiftsNorms => nonempty.next().map_or(own, |(&n, _)| n),
                _ => own,
            };
            if part.is_empty() {
                if self.fault == Fault::StopsAtEmpty {
                    break;
                }
                continue;
            }
            let format = part.iter().map(|&(t, _)| before[t].data.format()).reduce(wider);
            let k = self.scale(case, format.unwrap_or(Format::F32), n);
            let count = before.len();
            for &(t, i) in part {
                if self.skips(&before[t], t, count) || self.unwritten(&before[t], i) {
                    continue;
                }
                let x = before[t].data.get(i);
                after[t]
                    .data
                    .set(i, self.element(before[t].data.format(), x, k, n));
            }
        }
        after
    }

    fn components(&self, case: &Case) -> Vec<Component> {
        let whole = |t: usize| -> Component { (0..case.before[t].data.len()).map(|i| (t, i)).collect() };
        let tensors = 0..case.before.len();
        let global = match case.policy.partition {
            Partition::Global => self.fault != Fault::ComponentForGlobal,
            _ => self.fault == Fault::GlobalForComponent,
        };
        match &case.policy.partition {
            _ if global => vec![tensors.flat_map(whole).collect()],
            Partition::Row => tensors
                .flat_map(|t| {
                    let (whole, shape) = (whole(t), &case.before[t].shape);
                    let rows = if shape.len() < 2 { 1 } else { shape[0] };
                    let length = whole.len() / rows.max(1);
                    (0..rows)
                        .map(|r| whole[r * length..(r + 1) * length].to_vec())
                        .collect::<Vec<_>>()
                })
                .collect(),
            _ => tensors.map(whole).collect(),
        }
    }

    fn norms(&mut self, case: &Case, parts: &[Component]) -> Vec<f64> {
        let (mut norms, mut carried) = (Vec::new(), 0.0);
        let mut by_length: HashMap<usize, f64> = HashMap::new();
        for part in parts {
            let value = |&(t, i): &(usize, usize)| case.before[t].data.get(i);
            let x: Vec<f64> = match (self.fault, part.first()) {
                (Fault::FirstTensorsNorm, Some(&(first, _))) => {
                    part.iter().filter(|(t, _)| *t == first).map(value).collect()
                }
                _ => part.iter().map(value).collect(),
            };
            let format = part
                .iter()
                .map(|&(t, _)| case.before[t].data.format())
                .reduce(wider);
            let mut sum = self.sum(&x, format.unwrap_or(Format::F32));
            if self.fault == Fault::SumNotReset {
                carried += sum;
                sum = carried;
            }
            let mut n = self.root(sum, x.len());
            if self.fault == Fault::NormByLength {
                n = *by_length.entry(x.len()).or_insert(n);
            }
            if self.fault == Fault::StaleNorm
                && let Some(&(t, _)) = part.first()
            {
                n = self.norms.insert(case.before[t].name.clone(), n).unwrap_or(n);
            }
            norms.push(n);
        }
        norms
    }

    fn sum(&self, x: &[f64], format: Format) -> f64 {
        let n = x.len();
        let counted = match self.fault {
            Fault::SumsFirst(most) => &x[..n.min(most)],
            Fault::SumsWhole(block) if n >= block => &x[..n / block * block],
            Fault::SumsAllButLast if n > 1 => &x[..n - 1],
            Fault::FullBlockLosesOne(block) if n > 0 && n.is_multiple_of(block) => &x[..n - 1],
            _ => x,
        };
        let mut sum = match self.fault {
            Fault::FirstCountsTwice => x.first().map_or(0.0, |x| x * x),
            _ => 0.0_f64,
        };
        for &x in counted {
            sum = match self.fault {
                Fault::SumOfMagnitudes => sum + x.abs(),
                Fault::LargestMagnitude => sum.max(x.abs()),
                Fault::SquaresInSingle => Format::F32.round(sum + Format::F32.round(x * x)),
                Fault::RunningSumInType => format.round(sum + format.round(x * x)),
                Fault::NanNotSummed if x.is_nan() => sum,
                _ => sum + x * x,
            };
        }
        sum
    }

    fn root(&self, sum: f64, elements: usize) -> f64 {
        match self.fault {
            Fault::SumOfMagnitudes | Fault::LargestMagnitude | Fault::NoRoot => sum,
            Fault::Mean => (sum / elements.max(1) as f64).sqrt(),
            Fault::EpsilonInRoot => (sum + 1e-6).sqrt(),
            Fault::FastRoot => sum.sqrt() * (1.0 + 2.0_f64.powi(-12)),
            _ => sum.sqrt(),
        }
    }

    fn scale(&self, case: &Case, format: Format, n: f64) -> f64 {
        let Rule::Norm {
            convention,
            threshold,
            ..
        } = &case.policy.rule
        else {
            panic!("this clipper clips norms");
        };
        let c = match self.fault {
            Fault::ThresholdInHalf => Format::Bf16.round(Threshold::get(*threshold)),
            _ => threshold.get(),
        };
        if self.fault == Fault::ZeroMeansNone && c == 0.0 {
            return 1.0;
        }
        let added = match (self.fault, convention) {
            (Fault::Epsilon(eps), _) => eps,
            (Fault::EpsilonInRoot, _) | (_, Convention::Exact) => 0.0,
            _ => 1e-6,
        };
        let k = if *convention == Convention::Torch {
            let n = format.round(format.round(n) + added);
            format.round(format.round(1.0 / n) * c)
        } else {
            let compared = if self.fault == Fault::SquareCompared {
                n * n
            } else {
                n
            };
            if compared <= c {
                1.0
            } else {
                format.round(c / (n + added))
            }
        };
        let k = if self.fault == Fault::ScaleInHalf {
            Format::Bf16.round(k)
        } else {
            k
        };
        match self.fault {
            Fault::NoMinimum => k,
            Fault::Maximum => k.max(1.0),
            Fault::NanScalesByOne => k.min(1.0),
            _ if k > 1.0 => 1.0,
            _ => k,
        }
    }

    fn skips(&self, tensor: &Tensor, t: usize, count: usize) -> bool {
        let (length, rank) = (tensor.data.len(), tensor.shape.len());
        match self.fault {
            Fault::SkipsOneElement => length == 1,
            Fault::SkipsBeyond(most) => length > most,
            Fault::SkipsScalars => rank == 0,
            Fault::OnlyMatrices => rank != 2,
            Fault::SkipsManyAxes => rank > 4,
            Fault::SkipsLastTensor => count > 1 && t + 1 == count,
            Fault::FirstTensorsOnly(most) => t >= most,
            Fault::SkipsNamed(part) => tensor.name.contains(part),
            Fault::SkipsFlatNames => !tensor.name.contains('.'),
            _ => false,
        }
    }

    fn unwritten(&self, tensor: &Tensor, i: usize) -> bool {
        let n = tensor.data.len();
        match self.fault {
            Fault::TailNotWritten(vector) => i >= n / vector * vector && n > vector,
            Fault::BlockEndNotWritten(block) => i % block == block - 1,
            Fault::WritesFirst(most) => i >= most,
            Fault::LastRowSkipped => {
                tensor.shape.len() > 1 && tensor.shape[0] > 1 && i >= n - n / tensor.shape[0]
            }
            _ => false,
        }
    }

    fn element(&self, format: Format, x: f64, k: f64, n: f64) -> f64 {
        let y = format.round(x * k);
        match self.fault {
            Fault::DividesByZero if k == 1.0 => x / n * n,
            Fault::SignOfZeroLost => y + 0.0,
            Fault::Flushed if y.abs() < format.min_normal() => 0.0_f64.copysign(y),
            Fault::StoredInHalf if k != 1.0 => Format::Bf16.round(y),
            Fault::NanBecomesZero if y.is_nan() => 0.0,
            _ => y,
        }
    }
}

fn wider(a: Format, b: Format) -> Format {
    match (a, b) {
        (a, b) if a == b => a,
        (Format::F64, _) | (_, Format::F64) => Format::F64,
        _ => Format::F32,
    }
}
