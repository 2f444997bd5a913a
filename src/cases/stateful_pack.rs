//! The pack `stateful`: one step each of the policies with a memory, from a history that is given.
//!
//! The history of a case is drawn, not computed: a case asks what the next step does, so a candidate needs no run of
//! earlier steps, and one fault is not carried into the next case.

use super::draw::Draw;
use super::pack::{Class, List, policy_of};
use crate::clip::{ClipState, Memory};
use crate::oracle::{Case, Format, Tensor};

/// A policy, its steps so far, the memory of a component.
type Setting = (&'static str, u64, fn(&mut Draw) -> Option<Memory>);

fn numbers(draw: &mut Draw, len: usize) -> Vec<f64> {
    (0..len).map(|_| draw.number(-1, 1).abs()).collect()
}

const SETTINGS: [Setting; 21] = [
    ("autoclip:10", 0, |_| None),
    ("autoclip:10", 1, |draw| Some(Memory::History(numbers(draw, 1)))),
    ("autoclip:10", 37, |draw| Some(Memory::History(numbers(draw, 37)))),
    ("autoclip:100", 8, |draw| Some(Memory::History(numbers(draw, 8)))),
    ("autoclip:50,by=component", 10, |draw| {
        Some(Memory::History(numbers(draw, 10)))
    }),
    ("percentile:5", 0, |_| None),
    ("percentile:5", 250, |draw| Some(Memory::Ring(numbers(draw, 100)))),
    ("percentile:50", 100, |draw| {
        Some(Memory::Ring(numbers(draw, 100)))
    }),
    ("zclip:2.5", 0, |_| None),
    ("zclip:2.5", 24, |draw| Some(Memory::Warmup(numbers(draw, 24)))),
    ("zclip:2.5,max=inf", 60, |_| {
        Some(Memory::Average {
            mean: 1.0,
            variance: 0.0625,
        })
    }),
    ("zclip:2.5@mean,max=inf", 60, |_| {
        Some(Memory::Average {
            mean: 1.0,
            variance: 0.0625,
        })
    }),
    ("adagc:1.05", 0, |_| None),
    ("adagc:1.05", 150, |draw| Some(level(draw))),
    // In the warm-up, at its last step, and just after it.
    ("adagc:1.05", 40, |draw| Some(level(draw))),
    ("adagc:1.05,absolute=0.5", 99, |draw| Some(level(draw))),
    ("adagc:1.05,absolute=0.5", 100, |draw| Some(level(draw))),
    ("stable-spam:0.999", 0, |_| None),
    ("stable-spam:0.999", 1, |draw| Some(level(draw))),
    ("stable-spam:0.9", 60, |draw| Some(level(draw))),
    ("stable-spam:0.5,by=global", 7, |draw| Some(level(draw))),
];

/// `γ` of AdaGC, `m` of Stable-SPAM.
fn level(draw: &mut Draw) -> Memory {
    Memory::Level(draw.number(-1, 1).abs())
}

/// What becomes of the step: the norm is brought to about this.
const NORMS: [(&str, i32); 3] = [
    ("a step like the others", -1),
    ("a spike", 6),
    ("nearly nothing", -12),
];

pub(super) fn fill(list: &mut List) {
    let mut draw = Draw::new(list.seed, "stateful");
    for (policy, steps, memory) in SETTINGS {
        for (note, exponent) in NORMS {
            let policy = policy_of(policy);
            let before: Vec<Tensor> = ["a.weight", "b.weight"]
                .iter()
                .map(|name| {
                    let x: Vec<f64> = (0..5).map(|_| draw.number(exponent - 1, exponent)).collect();
                    Tensor::vector(name, Format::F32, &x)
                })
                .collect();
            let mut case = Case::new(policy, before);
            let found = crate::oracle::components(&case.policy, &case.before).unwrap_or_default();
            let mut state = ClipState {
                policy: case.policy.to_string(),
                steps,
                ..ClipState::default()
            };
            for component in found {
                if let Some(memory) = memory(&mut draw) {
                    state.components.insert(component.id, memory);
                }
            }
            // No state at all is the first step.
            case.state = (steps > 0).then_some(state);
            list.push(Class::History, note, case);
        }
    }
}
