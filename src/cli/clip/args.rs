//! The flags of `cwgnc clip`.

use crate::clip::{ClipPolicy, Separator};
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// Clip a file of gradients: F16, BF16, F32 or F64 in and out, larger than memory if need be.
///
/// Reads one safetensors file whose tensors have the parameters' names, and writes one with the same header, in which
/// only elements that the policy changes are different. Of several files, or a NumPy archive, the tensors are written
/// to one safetensors file. Without --output, or with --dry-run, it only measures.
/// docs/clipping.md has the policies and the keys of the report.
///
/// Exit code 0: done; 1: the policy says edge=error and a component is not finite; 2: it cannot be done. With 1 and 2
/// no gradients are written, unless all that failed was to write the memory (--state, --state-out) after them.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  Clip every tensor by itself at 0.05 (CWGNC) and keep a record of the norms:
    cwgnc clip --grads g.safetensors --policy component:0.05 -o clipped.safetensors --report r.json
  Look at the norms only; then one step of a policy that remembers, its memory in a file:
    cwgnc clip --grads g.safetensors --policy none
    cwgnc clip --grads g.safetensors --policy autoclip:10 --state memory.txt -o clipped.safetensors")]
pub(in crate::cli) struct Clip {
    /// The gradients, by name: safetensors or .npz, several of them, or a folder of shards
    #[arg(long, value_name = "FILE", num_args = 1.., required = true, help_heading = "Input")]
    pub(super) grads: Vec<PathBuf>,
    /// What to do, for example component:0.05, global:1@optax or agc:0.01; docs/clipping.md has them all
    #[arg(long, value_name = "POLICY", help_heading = "Input")]
    pub(super) policy: ClipPolicy,
    /// The parameters, for policies that read them
    #[arg(long, visible_alias = "values", value_name = "FILE", num_args = 1.., help_heading = "Input")]
    pub(super) params: Vec<PathBuf>,
    /// Adam's second moments, for policies that read them
    #[arg(long, visible_alias = "moments", value_name = "FILE", num_args = 1.., help_heading = "Input")]
    pub(super) second_moments: Vec<PathBuf>,
    /// Take this off the names that begin with it, in all files, as in --strip-prefix module.; may be given several times
    #[arg(long, value_name = "PREFIX", help_heading = "Input")]
    pub(super) strip_prefix: Vec<String>,
    /// Cut names into modules and layers at this text and nowhere else; the same as separator= in the policy
    #[arg(long, value_name = "TEXT", help_heading = "Input")]
    pub(super) separator: Option<Separator>,
    /// What a stateful policy remembers, as text: read before the step and written after it; a file that is not there is
    /// a first step
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(super) state: Option<PathBuf>,
    /// Write the memory after the step to this file and leave --state as it is
    #[arg(long, value_name = "FILE", requires = "state", help_heading = "Output")]
    pub(super) state_out: Option<PathBuf>,
    /// The file to write the clipped gradients to
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub(super) output: Option<PathBuf>,
    /// Write a report as JSON to this file; - for stdout
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) report: Option<PathBuf>,
    /// Measure, and write neither gradients nor memory
    #[arg(long, help_heading = "Output")]
    pub(super) dry_run: bool,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t = Format::Text, help_heading = "Output")]
    pub(super) format: Format,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table
    Text,
    /// One JSON object
    Json,
}
