//! A stream against the oracle, in F16, BF16, F32, F64 and mixed files.

use super::{Bytes, POLICIES, STATEFUL};
use crate::clip_support::{policy, special};
use cwgnc::clip::{ClipState, Convention, Edge, Element, Rule, Statistic};
use cwgnc::oracle::{Candidate, Case, Data, Declared, Format, Judgement, Reduction, Tensor, Verdict, judge};
use proptest::prelude::*;

const SHAPES: [(&str, &[usize]); 4] = [
    ("a.weight", &[2, 3]),
    ("a.bias", &[3]),
    ("c.layer.1.w", &[2, 3]),
    ("s", &[1]),
];

const DATA: [f64; 16] = [
    0.5, -1.25, 3.0, 0.1, -0.0, 2.5, 1.0, -0.3, 0.7, 4.0, -2.0, 0.01, 0.6, -5.0, 0.25, 1.5,
];

fn element(format: Format) -> Element {
    match format {
        Format::F16 => Element::F16,
        Format::Bf16 => Element::Bf16,
        Format::F32 => Element::F32,
        Format::F64 => Element::F64,
    }
}

fn bytes(data: &Data) -> Vec<u8> {
    match data {
        Data::F16(x) | Data::Bf16(x) => x.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::F32(x) => x.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::F64(x) => x.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

fn data(format: Format, bytes: &[u8]) -> Data {
    let halves = || {
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|b| u16::from_le_bytes(*b))
            .collect()
    };
    match format {
        Format::F16 => Data::F16(halves()),
        Format::Bf16 => Data::Bf16(halves()),
        Format::F32 => Data::F32(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect(),
        ),
        Format::F64 => Data::F64(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b))
                .collect(),
        ),
    }
}

fn case(text: &str, formats: [Format; 4], x: &[f64]) -> Case {
    let mut rest = x;
    let mut tensors = Vec::new();
    for ((name, shape), format) in SHAPES.into_iter().zip(formats) {
        let (own, others) = rest.split_at(shape.iter().product());
        tensors.push(Tensor::new(name, shape, format, own));
        rest = others;
    }
    let shifted = |t: &Tensor, by: f64| t.with((0..t.data.len()).map(|i| by + 0.1 * i as f64));
    let mut case = Case::new(policy(text), tensors);
    case.values = case.before.iter().map(|t| shifted(t, -0.2)).collect();
    case.second_moments = case.before.iter().map(|t| shifted(t, 0.01)).collect();
    case.declared = Declared::new(Reduction::F64);
    case
}

/// The verdict on what the stream makes of a case; none where both refuse.
#[track_caller]
fn agrees(case: &Case) -> Option<Judgement> {
    let mut stream = Bytes::default();
    for ((before, value), moment) in case.before.iter().zip(&case.values).zip(&case.second_moments) {
        let all = [before, value, moment].map(|t| bytes(&t.data));
        stream.push(&before.name, &before.shape, element(before.data.format()), all);
    }
    let mut state = case.state.clone().unwrap_or_default();
    let report = match stream.clip(&case.policy, &mut state) {
        Ok(report) => report,
        Err(refusal) => {
            let refuses = cwgnc::oracle::expect(case).map_or(true, |e| e.refuses);
            assert!(refuses, "{}: {refusal}", case.policy);
            return None;
        }
    };
    let after = case.before.iter().zip(&stream.out).map(|(before, out)| Tensor {
        data: data(before.data.format(), out),
        ..before.clone()
    });
    let mut candidate = Candidate::new(after.collect());
    if let Rule::Norm { .. } = case.policy.rule {
        let components = &report.components;
        candidate.norms = components.iter().map(|c| (c.id.clone(), c.norm_before)).collect();
        candidate.scales = components.iter().map(|c| (c.id.clone(), c.scale)).collect();
    }
    let judgement = judge(case, &candidate).expect("a judgement");
    assert!(
        judgement.passed(),
        "{}: {}\n{:?}\nbefore {:?}\nafter {:?}",
        case.policy,
        judgement.verdict,
        judgement.mismatches.first(),
        case.before,
        candidate.after
    );
    Some(judgement)
}

const UNIFORM: [[Format; 4]; 4] = [
    [Format::F16; 4],
    [Format::Bf16; 4],
    [Format::F32; 4],
    [Format::F64; 4],
];

const MIXED: [[Format; 4]; 4] = [
    [Format::F16, Format::Bf16, Format::F32, Format::F32],
    [Format::Bf16, Format::F32, Format::Bf16, Format::F32],
    [Format::F64, Format::Bf16, Format::F32, Format::F16],
    [Format::F16, Format::F16, Format::F16, Format::Bf16],
];

/// Every convention by every partition passes; to the bit in types of at most 32 bits that are not mixed.
#[test]
fn every_convention() {
    let mut bitwise = 0;
    for convention in Convention::ALL {
        let mean = convention == Convention::TfAverage;
        for partition in ["global", "component", "module", "layer", "row", "optax-unit"] {
            for c in [0.01, 0.05, 0.7, 1.0, 3.25, 100.0] {
                for formats in UNIFORM.into_iter().chain(MIXED) {
                    let text = format!("{partition}:{c}@{convention}");
                    let judgement = agrees(&case(&text, formats, &DATA)).expect("a result");
                    if formats == [formats[0]; 4] && formats[0] != Format::F64 && !mean {
                        assert!(
                            matches!(judgement.verdict, Verdict::Pass { ulp: 0, .. }),
                            "{text} in {}: {}: {:?}",
                            formats[0],
                            judgement.verdict,
                            judgement.mismatches
                        );
                        bitwise += 1;
                    }
                }
            }
        }
    }
    assert!(bitwise > 1500);
}

#[test]
fn every_rule() {
    for text in POLICIES {
        for c in ["0.01", "0.7", "3.25", "100"] {
            for formats in UNIFORM.into_iter().chain(MIXED) {
                let case = case(&text.replace('C', c), formats, &DATA);
                assert!(agrees(&case).is_some());
            }
        }
    }
}

/// One step of each rule with a memory, in mid-history.
#[test]
fn every_memory() {
    for text in STATEFUL {
        for formats in UNIFORM {
            let before = case(text, formats, &DATA);
            let mut state = ClipState::default();
            for _ in 0..3 {
                let mut stream = Bytes::default();
                for t in &before.before {
                    let all = [t, t, t].map(|t| bytes(&t.data));
                    stream.push(&t.name, &t.shape, element(t.data.format()), all);
                }
                let _ = stream.clip(&before.policy, &mut state).expect("a step");
            }
            let larger = DATA.map(|x| 1.5 * x);
            let mut case = case(text, formats, &larger);
            case.state = Some(state);
            agrees(&case);
        }
    }
}

/// NaN, infinities, norms beyond the largest number of the type, zeros and subnormal numbers, by every edge rule.
#[test]
fn special_values() {
    let inputs = special(DATA, [12_000.0, 6e37, 1e-7, 1e-39]);
    let edges = Edge::ALL.map(Edge::name);
    for convention in Convention::ALL {
        for data in &inputs {
            for c in ["1", "0", "-1", "inf", "NaN", "1e-7"] {
                for (edge, formats) in edges
                    .into_iter()
                    .flat_map(|edge| UNIFORM[..2].iter().chain(&MIXED[3..]).map(move |f| (edge, *f)))
                {
                    let text = format!("component:{c}@{convention},edge={edge},unchecked");
                    agrees(&case(&text, formats, data));
                }
            }
        }
    }
}

proptest! {
    /// Thresholds near the norm and anywhere, in every type and in mixed files.
    #[test]
    fn any_gradients(
        x in prop::collection::vec(prop_oneof![4 => -4.0..4.0_f64, 1 => Just(0.0)], 16),
        convention in prop::sample::select(Convention::ALL.to_vec()),
        partition in prop::sample::select(vec!["global", "component", "module", "row", "optax-unit"]),
        formats in prop::sample::select([UNIFORM, MIXED].concat()),
        near in prop::bool::ANY,
        c in 0.001..10.0_f64,
        steps in -2..=2_i64,
    ) {
        let mut case = case("none", formats, &x);
        let statistic = if convention == Convention::TfAverage { Statistic::Mean } else { Statistic::L2 };
        let first = &case.before[0].data;
        let norm = cwgnc::oracle::norm(statistic, first.slice(0..first.len())).round(formats[0]).lo;
        let c = if near && norm > 0.0 {
            formats[0].from_ordinal(formats[0].ordinal(norm) + steps).max(0.0)
        } else {
            c
        };
        case.policy = policy(&format!("{partition}:{c}@{convention}"));
        agrees(&case);
    }
}
