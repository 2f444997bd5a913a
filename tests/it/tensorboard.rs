//! Event files of `TensorBoard`, against bytes that its own writer made (`fixtures/make/tensorboard_events.py`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::scratch;
use cwgnc::report::tensorboard::{Event, tensorboard};

#[test]
fn the_bytes_of_its_own_writer() {
    let event = |step, values: &[(&str, f32)]| Event {
        step,
        values: values
            .iter()
            .map(|&(tag, value)| (tag.to_owned(), value))
            .collect(),
    };
    let long = "x".repeat(130);
    let events = [
        event(0, &[("train/loss", 0.0)]),
        event(
            1,
            &[
                ("train/loss", 0.7125),
                ("train/learning_rate", 2e-5),
                ("grad_norm/é", -1.5),
            ],
        ),
        event(300, &[(&long, 3.4e38), ("eval/loss", 1e-45)]),
        event(5_000_000_000, &[("eval/loss", f32::INFINITY)]),
        event(5_000_000_001, &[]),
    ];
    let expected = std::fs::read(scratch::fixture("tensorboard.tfevents")).unwrap();
    assert_eq!(tensorboard(&events), expected);
}
