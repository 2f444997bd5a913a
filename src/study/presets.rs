//! Studies and conditions that can be named, as the text of a study file each.

/// A name and the text of its study file, the paper's first. A condition's name stands in one preset only, so that any
/// study can take it by name; beside what it says, the defaults of `cwgnc finetune` hold, which are the paper's run.
pub const PRESETS: [(&str, &str); 5] = [
    ("paper", include_str!("presets/paper.toml")),
    ("factorial", include_str!("presets/factorial.toml")),
    ("stabilisers", include_str!("presets/stabilisers.toml")),
    ("subsets", include_str!("presets/subsets.toml")),
    ("unfreezing", include_str!("presets/unfreezing.toml")),
];

/// The 30 seeds of the authors' scripts (`run.sh`, `run_baseline.sh`), in their order.
pub const SEEDS: [u64; 30] = [
    1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 42, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 997, 1021,
];
