//! Policies with a memory over random histories. Each step is judged by the oracle from the memory before it, and the
//! memory itself is compared with a replay of all norms since the first step.

use super::oracle_clip::step;
use crate::clip_support::policy;
use cwgnc::clip::{Adaptive, ClipPolicy, ClipState, Confine, Edge, Memory, Rule, SpikeTarget};
use cwgnc::oracle::{Case, Declared, Format, Reduction, Tensor, judge};
use proptest::collection::vec;
use proptest::prelude::*;

const TEXTS: [&str; 10] = [
    "autoclip:10",
    "autoclip:85,by=component",
    "percentile:5",
    "percentile:60",
    "zclip:2.5,warmup=3,max=inf",
    "zclip:1@mean,alpha=0.5,warmup=2,factor=0.5,max=4,by=component",
    "zclip:1.5,alpha=0.75,warmup=0,factor=1.5",
    "adagc:1.05,absolute=2,beta=0.5,warmup=3",
    "adagc:1.1,warmup=0",
    "stable-spam:0.9",
];

const EDGES: [&str; 5] = ["propagate", "zero", "skip", "zero-all", "skip-all"];

/// A step: six numbers of about 1, and what is done to them: usual, a spike, nearly nothing, zero, NaN, infinite.
fn history() -> impl Strategy<Value = Vec<(Vec<f64>, f64)>> {
    let number = (0.25..2.0_f64, any::<bool>()).prop_map(|(x, negative)| if negative { -x } else { x });
    let kinds = vec![
        1.0,
        1.0,
        1.0,
        1.0,
        64.0,
        1.0 / 4096.0,
        0.0,
        f64::NAN,
        f64::INFINITY,
    ];
    vec((vec(number, 6), prop::sample::select(kinds)), 1..14)
}

/// The gradients of a step; what is odd about it is odd in the first tensor alone.
fn gradients(x: &[f64], factor: f64) -> Vec<Tensor> {
    let first: Vec<f64> = x[..3].iter().map(|x| x * factor).collect();
    vec![
        Tensor::vector("a.weight", Format::F32, &first),
        Tensor::vector("b.weight", Format::F32, &x[3..]),
    ]
}

/// The norms of the components of one step; none for a component that the edge rule takes away.
struct Norms {
    own: Vec<(String, Option<f64>)>,
    /// The 2-norm of all that is left to the rule.
    global: f64,
}

/// By the schoolbook, in `f64`: the numbers are moderate or not finite.
fn norms(policy: &ClipPolicy, before: &[Tensor]) -> Norms {
    let two = |tensors: &[&Tensor]| {
        let all = tensors.iter().flat_map(|t| t.data.values());
        all.map(|x| x * x).sum::<f64>().sqrt()
    };
    let largest = |tensors: &[&Tensor]| {
        let all = tensors.iter().flat_map(|t| t.data.values());
        all.fold(0.0_f64, |m, x| {
            if m.is_nan() || x.is_nan() {
                f64::NAN
            } else {
                m.max(x.abs())
            }
        })
    };
    let groups: Vec<(String, Vec<&Tensor>)> = match policy.partition.name() {
        "global" => vec![("global".to_owned(), before.iter().collect())],
        _ => before.iter().map(|t| (t.name.clone(), vec![t])).collect(),
    };
    let finite = |tensors: &[&Tensor]| two(tensors).is_finite();
    let any_bad = groups.iter().any(|(_, tensors)| !finite(tensors));
    let taken = |tensors: &[&Tensor]| match policy.edge {
        Edge::Zero(Confine::Global) | Edge::Skip(Confine::Global) => any_bad,
        Edge::Zero(Confine::Component) | Edge::Skip(Confine::Component) => !finite(tensors),
        _ => false,
    };
    let spikes = matches!(policy.rule, Rule::Adaptive(Adaptive::StableSpam { .. }));
    let own = groups.iter().map(|(id, tensors)| {
        let n = if spikes { largest(tensors) } else { two(tensors) };
        (id.clone(), (!taken(tensors)).then_some(n))
    });
    let left: Vec<&Tensor> = groups
        .iter()
        .filter(|(_, t)| !taken(t))
        .flat_map(|(_, t)| t.clone())
        .collect();
    Norms {
        own: own.collect(),
        global: two(&left),
    }
}

/// What is remembered of a component after these steps: its norm, if the edge rule left it one, and the global norm.
fn remembered(rule: &Adaptive, steps: &[(Option<f64>, f64)]) -> Option<Vec<f64>> {
    let own: Vec<f64> = steps.iter().filter_map(|&(n, _)| n).collect();
    let &first = own.first()?;
    match *rule {
        Adaptive::AutoClip { .. } => Some(own),
        Adaptive::Percentile { .. } => {
            let mut ring = vec![first * first; 100];
            // Step t, counted from 1, has slot t mod 100.
            for (t, (n, _)) in (1..).zip(steps) {
                if let Some(n) = n {
                    ring[t % 100] = n * n;
                }
            }
            Some(ring)
        }
        Adaptive::StableSpam { theta } => {
            let level = own.iter().fold(0.0, |level, n| theta * level + (1.0 - theta) * n);
            Some(vec![level])
        }
        Adaptive::AdaGc {
            absolute,
            relative,
            beta,
            warmup,
        } => {
            let mut level: Option<f64> = None;
            for (t, &(n, global)) in steps.iter().enumerate() {
                let Some(n) = n else { continue };
                let at_most_one = |h: f64| if h > 1.0 { 1.0 } else { h };
                let warm = t < warmup;
                let h = match level {
                    _ if n == 0.0 => 1.0,
                    _ if warm => at_most_one(absolute / global),
                    Some(level) => at_most_one(relative * level / n),
                    None => 1.0,
                };
                level = Some(match level {
                    None => h * n,
                    Some(level) if warm && (level.is_nan() || level < h * n) => level,
                    Some(_) if warm => h * n,
                    Some(level) => beta * level + (1.0 - beta) * (h * n),
                });
            }
            Some(vec![level?])
        }
        Adaptive::ZClip {
            target,
            z,
            alpha,
            warmup,
            factor,
            ..
        } => {
            if own.len() < warmup {
                return Some(own);
            }
            let (start, rest) = own.split_at(warmup.max(1));
            let count = start.len() as f64;
            let mut mean = start.iter().sum::<f64>() / count;
            let mut variance = start.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / count;
            for &n in rest {
                let deviation = variance.sqrt();
                let score = (n - mean) / (deviation + 1e-6);
                let taken_for = match target {
                    _ if score.is_nan() || score <= z => n,
                    SpikeTarget::Mean => mean,
                    SpikeTarget::Adaptive => factor * (mean + z * z * deviation / score),
                };
                mean = alpha * mean + (1.0 - alpha) * taken_for;
                variance = alpha * variance + (1.0 - alpha) * (taken_for - mean).powi(2);
            }
            Some(vec![mean, variance])
        }
    }
}

/// Runs a history, judging every step and every memory.
fn follow(text: &str, history: &[(Vec<f64>, f64)]) -> Result<(), TestCaseError> {
    let policy = policy(text);
    let Rule::Adaptive(rule) = policy.rule.clone() else {
        panic!("{text} has no memory");
    };
    let mut state = ClipState::default();
    let mut seen: Vec<Norms> = Vec::new();
    for (x, factor) in history {
        let mut case = Case::new(policy.clone(), gradients(x, *factor));
        case.state = (state.steps > 0).then(|| state.clone());
        case.declared = Declared::new(Reduction::F64);
        let (candidate, after) = step(&case).expect("no edge rule refuses");
        let judgement = judge(&case, &candidate)?;
        prop_assert!(
            judgement.passed(),
            "{text}, step {}: {}: {:?}\nstate {state}",
            seen.len() + 1,
            judgement.verdict,
            judgement.mismatches.first().map(ToString::to_string)
        );
        seen.push(norms(&policy, &case.before));
        state = after;
        prop_assert_eq!(state.steps, seen.len() as u64);
        for (k, (id, _)) in seen[0].own.iter().enumerate() {
            let steps: Vec<_> = seen.iter().map(|step| (step.own[k].1, step.global)).collect();
            let expected = remembered(&rule, &steps);
            let got = state.components.get(id).map(Memory::numbers);
            let largest = steps
                .iter()
                .filter_map(|s| s.0)
                .filter(|n| n.is_finite())
                .fold(1.0, f64::max);
            let close = |(a, b): (&f64, &f64)| {
                a.to_bits() == b.to_bits()
                    || a == b
                    || a.is_nan() && b.is_nan()
                    || (a - b).abs() <= 1e-12 * largest * largest
            };
            let same = match (&expected, &got) {
                (None, None) => true,
                (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b).all(close),
                _ => false,
            };
            prop_assert!(
                same,
                "{text}, `{id}`, step {}: {got:?}, not {expected:?}",
                seen.len()
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]
    /// 37: every rule, under every edge rule that goes on.
    #[test]
    fn every_step_is_the_oracle_s(history in history()) {
        for text in TEXTS {
            for edge in EDGES {
                follow(&format!("{text},edge={edge}"), &history)?;
            }
        }
    }

    /// 37: thresholds are norms of the history or lie between two of them, and a history that is 2ᵏ times another one is
    /// clipped to 2ᵏ times the same (percentile clipping, whose formula has no ε).
    #[test]
    fn percentiles_scale(history in history(), k in -20..20_i32) {
        let scale = 2.0_f64.powi(k);
        for text in ["percentile:5", "percentile:60", "autoclip:40"] {
            let (mut plain, mut scaled) = (ClipState::default(), ClipState::default());
            let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
            for (x, factor) in history.iter().filter(|(_, factor)| factor.is_finite()) {
                let run = |state: &mut ClipState, scale: f64| {
                    let before = gradients(x, *factor).iter().map(|t| t.with(t.data.values().iter().map(|x| x * scale))).collect();
                    let case = Case { state: Some(state.clone()), ..Case::new(policy(&format!("{text},by=global")), before) };
                    let (candidate, after) = step(&case).expect("finite");
                    *state = after;
                    candidate
                };
                let first = run(&mut plain, 1.0);
                let n = first.norms[0].1;
                (low, high) = (low.min(n), high.max(n));
                let rounding = 1.0 + 1e-6;
                let left = n * first.scales[0].1;
                prop_assert!(left <= high * rounding && (left * rounding + 1e-6 >= low || n <= low), "{text}: {left} of {n}");
                let second = run(&mut scaled, scale);
                if text.starts_with("percentile") {
                    for (a, b) in first.after.iter().zip(&second.after) {
                        let times: Vec<f64> = a.data.values().iter().map(|x| x * scale).collect();
                        prop_assert_eq!(times, b.data.values());
                    }
                }
            }
        }
    }
}

/// Past the end of the ring, where slots are used again.
#[test]
fn a_ring_goes_round() {
    let norm = |t: u64| 1.0 + (t * t % 97) as f64 / 16.0;
    let history: Vec<_> = (0..230)
        .map(|t| (vec![norm(t), 0.5, -0.25, 0.5, 1.0, 2.0], 1.0))
        .collect();
    for text in ["percentile:5", "percentile:60"] {
        follow(text, &history).unwrap_or_else(|error| panic!("{error}"));
    }
}
