//! What a training step asks of the system's memory, counted by an allocator. A binary of its own: nothing may run beside it.

use cwgnc::clip::ClipPolicy;
use cwgnc::model::{ModelConfig, Noise};
use cwgnc::train::Trainer;
use cwgnc::train::workload::{SIZES, batch, trainer};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Layers of 32 columns.
fn narrow(layers: usize) -> Trainer<f32> {
    trainer(&ModelConfig {
        hidden_size: 32,
        intermediate_size: 128,
        num_hidden_layers: layers,
        ..SIZES[0].config()
    })
}

/// What the first steps of a training asked for, each alone.
fn steps(mut trainer: Trainer<f32>, length: usize) -> [Stats; 8] {
    let batch = [batch(&trainer.config, &[length; 6], 0)];
    let policy = ClipPolicy::cwgnc_as_published(0.05).expect("a threshold");
    [1, 2, 3, 4, 5, 6, 7, 8].map(|step| {
        let region = Region::new(ALLOCATOR);
        let noise = Noise::Step { seed: 1, step };
        let report = trainer.step(&batch, noise, &policy, 1e-4).expect("finite");
        drop(report);
        region.change()
    })
}

/// Bytes that were taken and not given back.
fn kept(stats: Stats) -> isize {
    stats.bytes_allocated.cast_signed() - stats.bytes_deallocated.cast_signed()
}

/// On one thread, since how often rayon's queues grow is a matter of chance. After the first steps a step leaves nothing
/// behind, and how often it asks does not depend on the number of tokens: there are the names of the parameters, lists of
/// views and blocks, and in each product the packing buffer of `matrixmultiply`, but no matrix of activations. The least of
/// several steps counts, because the thread that waits for the test may ask for something too.
fn a_step_allocates_no_activations() {
    let least = |length| {
        let steps = steps(narrow(2), length);
        let later = &steps[2..];
        assert!(later.iter().any(|&stats| kept(stats) == 0), "{later:?}");
        later.iter().map(|stats| stats.allocations).min()
    };
    assert_eq!(least(20), least(60));
}

/// What the pool holds after these steps, kept activations against activations computed again: with 12 layers a quarter is
/// enough, the cache of one layer and the input of each.
fn activations_computed_again_are_not_kept() {
    let held = |recomputes| {
        let mut trainer = narrow(12);
        trainer.recompute_activations(recomputes);
        let steps = steps(trainer, 40);
        steps.iter().map(|&stats| kept(stats)).sum::<isize>()
    };
    let (kept, computed_again) = (held(false), held(true));
    assert!(4 * computed_again < kept, "{computed_again} of {kept} bytes");
}

/// One after the other in one test: two would run side by side.
#[test]
fn memory() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.expect("a thread").install(|| {
        a_step_allocates_no_activations();
        activations_computed_again_are_not_kept();
    });
}
