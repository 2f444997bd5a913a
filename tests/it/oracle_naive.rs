//! A naive clipper with a choice of faults, for the tests that judge the judge: nothing of `src/clip`, nothing of the oracle
//! but its formats.

use cwgnc::clip::{Partition, Role, Threshold};
use cwgnc::oracle::{Case, Format, Tensor};

/// One change to the naive clipper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    InvertedClamp,
    MissingClamp,
    EpsAdded,
    EpsInsideRoot,
    EpsMultiplied,
    SquaredNormCompared,
    RootForgotten,
    MeanOfNorms,
    TiedTwice,
    TiedDropped,
    ExcludedCounted,
    ExcludedScaled,
    NormOfFirstTensor,
    LastTensorLeftOut,
    HalfTheShards,
    GlobalForComponent,
    ComponentForGlobal,
    BiasMerged,
    TailNotSummed,
    TailNotScaled,
    PaddingRead,
    SquareInStorage,
    SequentialStorage,
    SequentialSingle,
    CoefficientInBf16,
    FastRoot,
    TruncatedInput,
    NanBecomesZero,
    NanDropped,
    Flushed,
    NoOp,
    SignLost,
    LeakToNeighbour,
    ProductFirst,
    ScaledThreshold,
    TwicePerStep,
    OneElementOff,
    WrongPower,
}

fn format(case: &Case) -> Format {
    case.before[0].data.format()
}

/// The sum of squares of some elements, in f64 unless the fault says otherwise.
pub(crate) fn squares(x: &[f64], format: Format, fault: Fault) -> f64 {
    let summed = match fault {
        Fault::TailNotSummed => &x[..x.len() / 4 * 4],
        Fault::HalfTheShards => &x[..x.len().div_ceil(2)],
        _ => x,
    };
    let mut sum = 0.0;
    for &x in summed {
        sum = match fault {
            Fault::SquareInStorage => sum + format.round(x * x),
            Fault::SequentialStorage => format.round(sum + format.round(x * x)),
            Fault::SequentialSingle => Format::F32.round(sum + Format::F32.round(x * x)),
            Fault::TruncatedInput => sum + f64::from(f32::from_bits((x as f32).to_bits() & !0x1fff)).powi(2),
            Fault::NanDropped if x.is_nan() => sum,
            _ => sum + x * x,
        };
    }
    if fault == Fault::PaddingRead {
        sum + 1.0
    } else {
        sum
    }
}

/// `n <= c ? x : x·(c/n)` on each component, with a fault.
pub(crate) fn naive(case: &Case, fault: Fault) -> Result<Vec<Tensor>, String> {
    let role = |name: &str| {
        case.policy
            .selections
            .iter()
            .find(|s| s.pattern.fits(name))
            .map(|s| &s.role)
    };
    let mut after = case.before.clone();
    let global = match case.policy.partition {
        Partition::Global => fault != Fault::ComponentForGlobal,
        Partition::Parameter => fault == Fault::GlobalForComponent,
        _ => return Err("no such partition here".to_owned()),
    };
    let key = |name: &str| match () {
        () if global => String::new(),
        () if fault == Fault::BiasMerged => name.split('.').next().unwrap_or_default().to_owned(),
        () => match role(name) {
            Some(Role::Tie(original)) => original.clone(),
            _ => name.to_owned(),
        },
    };
    let mut keys: Vec<String> = case.before.iter().map(|t| key(&t.name)).collect();
    keys.dedup();
    for own in keys {
        let members: Vec<usize> = (0..after.len())
            .filter(|&t| key(&case.before[t].name) == own)
            .collect();
        let counts = |t: &&usize| match role(&case.before[**t].name) {
            Some(Role::Exclude) => fault == Fault::ExcludedCounted,
            Some(Role::Tie(_)) => fault == Fault::TiedTwice,
            _ => {
                let tied = case.policy.selections.iter().any(|s| match &s.role {
                    Role::Tie(original) => *original == case.before[**t].name,
                    _ => false,
                });
                !(tied && fault == Fault::TiedDropped)
            }
        };
        let sums = members
            .iter()
            .filter(counts)
            .map(|&t| squares(&case.before[t].data.values(), format(case), fault));
        let mut sums: Vec<f64> = sums.collect();
        match fault {
            Fault::NormOfFirstTensor => sums.truncate(1),
            Fault::LastTensorLeftOut if sums.len() > 1 => drop(sums.pop()),
            _ => {}
        }
        let factor = factor(case, &sums, fault);
        for t in members {
            let excluded = matches!(role(&case.before[t].name), Some(Role::Exclude));
            if excluded && fault != Fault::ExcludedScaled {
                continue;
            }
            let n = case.before[t].data.len();
            for i in 0..n {
                let skipped = fault == Fault::TailNotScaled && i >= n / 4 * 4;
                let x = case.before[t].data.get(i);
                if !skipped {
                    after[t].data.set(i, element(format(case), x, factor, i, fault));
                }
            }
        }
    }
    if fault == Fault::LeakToNeighbour {
        let leak = after[after.len() - 1].data.get(0) * 1e-3;
        let x = after[0].data.get(0);
        after[0].data.set(0, x + leak);
    }
    Ok(if fault == Fault::NoOp {
        case.before.clone()
    } else {
        after
    })
}

/// The scale of a component.
fn factor(case: &Case, sums: &[f64], fault: Fault) -> f64 {
    let c = case.policy.rule.threshold().map_or(1.0, Threshold::get);
    let c = if fault == Fault::ScaledThreshold {
        c / 16.0
    } else {
        c
    };
    let sum: f64 = sums.iter().sum();
    let total = if fault == Fault::SquareInStorage {
        format(case).round(sum)
    } else {
        sum
    };
    let n = match fault {
        Fault::EpsInsideRoot => (total + 1e-6).sqrt(),
        Fault::EpsMultiplied => total.sqrt() * (1.0 + 1e-6),
        Fault::RootForgotten => total,
        Fault::MeanOfNorms => sums.iter().map(|s| s.sqrt()).sum::<f64>() / sums.len() as f64,
        Fault::WrongPower => sums.iter().map(|s| s.sqrt()).sum::<f64>(),
        Fault::FastRoot => total.sqrt() * (1.0 + 2f64.powi(-12)),
        _ => total.sqrt(),
    };
    let n = if fault == Fault::EpsAdded { n + 1e-6 } else { n };
    let clips = match fault {
        Fault::SquaredNormCompared => n * n > c,
        Fault::InvertedClamp => n < c,
        Fault::MissingClamp => true,
        _ => n > c || n.is_nan(),
    };
    let k = if clips { c / n } else { 1.0 };
    let k = if fault == Fault::CoefficientInBf16 {
        Format::Bf16.round(k)
    } else {
        format(case).round(k)
    };
    if fault == Fault::TwicePerStep { k * k } else { k }
}

fn element(format: Format, x: f64, k: f64, i: usize, fault: Fault) -> f64 {
    let y = match fault {
        Fault::SignLost => (x * k).abs(),
        Fault::NanBecomesZero if (x * k).is_nan() => 0.0,
        Fault::ProductFirst => format.round(x * 300.0) * (k / 300.0),
        Fault::OneElementOff if i == 17 => format.from_ordinal(format.ordinal(format.round(x * k)) + 40),
        _ => format.round(x * k),
    };
    if fault == Fault::Flushed && y.abs() < format.min_normal() {
        0.0_f64.copysign(y)
    } else {
        y
    }
}

/// Gradients of five tensors: normal-looking, of different sizes, some below the threshold of 1 and some above.
pub(crate) fn gradients(format: Format, size: usize, scale: f64) -> Vec<Tensor> {
    let wave = |i: usize, phase: f64| scale * ((i as f64) * 1.618 + phase).sin() * (1.0 + (i % 7) as f64);
    let tensor = |name: &str, n: usize, phase: f64, by: f64| {
        Tensor::vector(
            name,
            format,
            &(0..n).map(|i| by * wave(i, phase)).collect::<Vec<_>>(),
        )
    };
    vec![
        tensor("a.weight", size, 0.3, 0.1),
        tensor("a.bias", 21, 0.7, 0.05),
        tensor("b.weight", size + 6, 1.1, 0.02),
        tensor("b.bias", 19, 1.9, 0.001),
        tensor("c.weight", 23, 2.5, 1.0),
    ]
}
