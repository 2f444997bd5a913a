//! The flags of `cwgnc study`.

use crate::cli::number::at_least_one;
use crate::study::{Shard, parse_seeds};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Fine-tune many times: tasks x conditions x seeds, with a report at the end.
///
/// A condition is a set of flags of cwgnc finetune: a name that a preset or the study file describes (control,
/// baseline1, ...), or a clipping policy by itself (component:0.05). Every finished run is written to the disk before
/// the next line of progress; what is killed goes on with --resume, to the same bits. The output folder holds study.toml
/// (everything, resolved), study.json (versions, hashes), journal.jsonl, results.jsonl and the runs' folders; docs/study.md
/// describes them.
#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Presets:
  paper        the thresholds 0.01 to 5, their control, and the baselines of Yang and Ma (EMNLP 2022), 30 seeds
  factorial    clipping x warm-up x weight decay x bias correction, one at a time
  stabilisers  what others do for stability, each alone beside the control
  subsets      1000 and 100 training examples, clipped and not
  unfreezing   gradual unfreezing in both modes, with the authors' settings

Examples:
  cwgnc study --preset paper --task rte --data glue/RTE --model bert-tiny --seeds 5 --conditions control,component:0.05
  cwgnc study --preset paper --task rte,mrpc --data glue --model bert-tiny --dry-run
  cwgnc study --config study.toml --output studies/rte --resume
  cwgnc study --preset paper --task rte --data glue --model bert-tiny --conditions control,component:0.05 \\
      -- --learning-rate 1e-4 --max-train-samples 1000
  cwgnc study --config study.toml --output studies/part-1 --shard 1/4
  cwgnc study merge studies/part-1 studies/part-2 studies/part-3 studies/part-4 --output studies/whole
  cwgnc study --config study.toml --output studies/rte --plan slurm > array.sh"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct StudyArgs {
    #[command(subcommand)]
    pub(super) command: Option<StudyCommand>,
    #[command(flatten)]
    pub(super) what: What,

    /// The folder to write to [default: runs/study-TASKS]
    #[arg(long, short, value_name = "DIR", help_heading = "Output")]
    pub(super) output: Option<PathBuf>,
    /// Go on with the study in the output folder; ends with the same results as an undisturbed one
    #[arg(long, help_heading = "Output")]
    pub(super) resume: bool,
    /// Keep the model of every run
    #[arg(long, help_heading = "Output")]
    pub(super) keep_models: bool,
    /// Print the table as JSON
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// No progress and no messages
    #[arg(long, help_heading = "Output")]
    pub(super) quiet: bool,

    /// Runs side by side [default: as many as fill the cores]
    #[arg(long, value_name = "J", value_parser = at_least_one, help_heading = "Machine")]
    pub(super) jobs: Option<usize>,
    /// Threads of each; no number changes with it [default: 1, or more if there are fewer runs than cores]
    #[arg(long, value_name = "K", value_parser = at_least_one, help_heading = "Machine")]
    pub(super) threads_per_job: Option<usize>,
    /// Go on with a study from a machine with fused multiply-add on one without, or the other way; their last digits differ
    #[arg(long, requires = "resume", help_heading = "Machine")]
    pub(super) mixed_machines: bool,
    /// Print the plan with an estimate of time, and run nothing but a few steps
    #[arg(long, conflicts_with_all = ["plan", "only"], help_heading = "Machine")]
    pub(super) dry_run: bool,
    /// Do one part of the runs, as in 1/4; `cwgnc study merge` puts the folders together
    #[arg(long, value_name = "I/N", help_heading = "Machine")]
    pub(super) shard: Option<Shard>,
    /// Do one run: its number in the plan, or its name as in rte/control/seed-1
    #[arg(long, value_name = "RUN", conflicts_with = "shard", help_heading = "Machine")]
    pub(super) only: Option<String>,
    /// Print the runs as lines for GNU parallel, or as an array script for Slurm
    #[arg(long, value_enum, conflicts_with_all = ["only", "shard"], help_heading = "Machine")]
    pub(super) plan: Option<Cluster>,

    /// Flags of cwgnc finetune for every run, after two hyphens
    #[arg(last = true, value_name = "FLAGS OF FINETUNE")]
    pub(super) flags: Vec<String>,
}

/// What a study is made of.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Study")]
pub(super) struct What {
    /// A study file; the flags below replace what it says
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// paper, factorial, stabilisers, subsets or unfreezing
    #[arg(long, value_name = "NAME")]
    pub(super) preset: Option<String>,
    /// Tasks, as in rte,mrpc; of a study file, those to run
    #[arg(long, visible_alias = "tasks", value_name = "TASKS", value_delimiter = ',')]
    pub(super) task: Vec<String>,
    /// The folder of each task, or one folder with all of GLUE in it
    #[arg(long, value_name = "DIRS", value_delimiter = ',')]
    pub(super) data: Vec<PathBuf>,
    /// The model folder, or builtin:shallow
    #[arg(long, visible_alias = "model-name-or-path", value_name = "DIR")]
    pub(super) model: Option<PathBuf>,
    /// Conditions by name, or clipping policies; repeat the flag or use commas
    #[arg(long, visible_alias = "condition", value_name = "NAMES")]
    pub(super) conditions: Vec<String>,
    /// A count of the paper's seeds (5), a list (1,2,3) or a range (101-140) [default: the paper's 30]
    #[arg(long, value_name = "SEEDS", value_parser = seeds)]
    pub(super) seeds: Option<SeedList>,
    /// What is compared: a metric of the task or of the files [default: the task's; of files of your own
    /// accuracy, or pearson if their labels are numbers]
    #[arg(long, value_name = "NAME")]
    pub(super) metric: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum StudyCommand {
    /// Put the folders of a study's shards together
    Merge(Merge),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Merge {
    /// The shards' folders
    #[arg(value_name = "DIR", required = true)]
    pub(super) folders: Vec<PathBuf>,
    /// The folder to write to; it must be new or empty
    #[arg(long, short, value_name = "DIR")]
    pub(super) output: PathBuf,
    /// Take shards of machines with and without fused multiply-add, whose numbers differ in their last digits
    #[arg(long)]
    pub(super) mixed_machines: bool,
    /// Print the table as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// No messages
    #[arg(long)]
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Cluster {
    /// One command a line
    Parallel,
    /// A script for sbatch
    Slurm,
}

/// Seeds as one value of a flag.
#[derive(Clone, Debug)]
pub(super) struct SeedList(pub(super) Vec<u64>);

fn seeds(text: &str) -> Result<SeedList, crate::study::StudyError> {
    parse_seeds(text).map(SeedList)
}
