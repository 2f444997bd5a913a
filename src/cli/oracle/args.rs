//! The flags of the oracle's commands.

#![expect(clippy::doc_markdown, reason = "the documentation of a flag is its help text")]

use crate::cases::sides::Placement;
use crate::cases::{Class, Pack, Template};
use crate::cli::number::{not_negative, positive};
use crate::clip::{ClipPolicy, Separator, Statistic};
use crate::oracle::{Declared, Format as ElementType, norm_error};
use clap::{Args as ClapArgs, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Write cases for a clipper to answer, one safetensors file a case: a pack, or cases for one's own policy.
///
/// The same flags give the same bytes everywhere. docs/oracle.md describes the files.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  cwgnc cases --pack core -o cases
  cwgnc cases --policy 'component:*@torch' --dtype f32,bf16 --count 500 -o cases
  cwgnc cases --policy global:1@optax --without non-finite,magnitude --largest 10000000 -o cases")]
pub(in crate::cli) struct Cases {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// The folder to write to; it must be new or empty
    #[arg(long, short, value_name = "DIR")]
    pub(super) output: PathBuf,
}

/// Which cases.
#[derive(Debug, ClapArgs)]
pub(super) struct Choice {
    /// core, edge, stress, mesh or stateful
    #[arg(long, value_name = "PACK", conflicts_with = "policy")]
    pub(super) pack: Option<Pack>,
    /// Cases for this policy alone; a `*` for its threshold leaves it open, and each case has its own
    #[arg(long, value_name = "POLICY", help_heading = "Cases for one's own policy")]
    pub(super) policy: Option<Template>,
    /// The element types, for example f32,bf16; with several some cases mix them
    #[arg(
        long,
        value_name = "TYPES",
        value_delimiter = ',',
        default_value = "f32",
        conflicts_with = "pack",
        help_heading = "Cases for one's own policy"
    )]
    pub(super) dtype: Vec<ElementType>,
    /// How many cases
    #[arg(
        long,
        value_name = "N",
        default_value_t = 300,
        conflicts_with = "pack",
        help_heading = "Cases for one's own policy"
    )]
    pub(super) count: usize,
    /// Elements of the longest tensors; there are lengths around all powers of two and ten up to 16777216
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        conflicts_with = "pack",
        help_heading = "Cases for one's own policy"
    )]
    pub(super) largest: usize,
    /// Classes to leave out, for example non-finite,magnitude
    #[arg(long, value_name = "CLASSES", value_delimiter = ',')]
    pub(super) without: Vec<Class>,
    /// The seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(super) seed: u64,
    /// The clipper's arithmetic [default: unknown, or the case's own]
    #[arg(long, value_name = "ARITHMETIC")]
    pub(super) declared: Option<Declared>,
}

/// Judge what a clipper made of gradients: PASS with the share of the error budget used, or why it is wrong.
///
/// Exit code 0: it passes; 1: it fails; 2: it cannot be judged.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  cwgnc check --before g.safetensors --after clipped.safetensors --policy component:0.05
  cwgnc check --before g.safetensors --after clipped.safetensors --policy global:1 --declared blocks-1024 --norms n.json
  cwgnc check --before ranks_before --after ranks_after --placement '*.weight=shard:0' --placement '*=replicated' --policy global:1
  cwgnc check --cases cases --results results --format junit > report.xml")]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    pub(super) question: Question,
    #[command(flatten)]
    pub(super) answer: AnswerFiles,
    /// Norms that the clipper returned: a JSON object from component to number
    #[arg(
        long,
        value_name = "FILE",
        requires = "after",
        help_heading = "One pair of files"
    )]
    pub(super) norms: Option<PathBuf>,
    /// A folder of case files, or one of them
    #[arg(
        long,
        value_name = "PATH",
        requires = "results",
        conflicts_with = "before",
        help_heading = "Cases and results"
    )]
    pub(super) cases: Option<PathBuf>,
    /// The folder of results under the same file names, or one of them
    #[arg(
        long,
        value_name = "PATH",
        requires = "cases",
        help_heading = "Cases and results"
    )]
    pub(super) results: Option<PathBuf>,
    /// Fail where no component was clipped: nothing was tested then
    #[arg(long)]
    pub(super) require_clipped: bool,
    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Gradients and what is to be done with them, from plain files.
#[derive(Debug, ClapArgs)]
pub(super) struct Question {
    /// The gradients before clipping, by name: safetensors or .npz, several of them, or a folder of shards or ranks
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        requires = "policy",
        help_heading = "One pair of files"
    )]
    pub(super) before: Vec<PathBuf>,
    /// What was to be done, for example component:0.05 or global:1@optax; docs/clipping.md has them all
    #[arg(
        long,
        value_name = "POLICY",
        requires = "before",
        help_heading = "One pair of files"
    )]
    pub(super) policy: Option<ClipPolicy>,
    /// The parameters, for policies that read them
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        requires = "before",
        help_heading = "One pair of files"
    )]
    pub(super) values: Vec<PathBuf>,
    /// Adam's second moments, for policies that read them
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        requires = "before",
        help_heading = "One pair of files"
    )]
    pub(super) moments: Vec<PathBuf>,
    /// What a stateful policy remembers before this step, as text
    #[arg(
        long,
        value_name = "FILE",
        requires = "before",
        help_heading = "One pair of files"
    )]
    pub(super) state: Option<PathBuf>,
    /// The clipper's arithmetic, for example sequential, blocks-1024 or f64,scale=F32 [default: unknown, or the case's own]
    #[arg(long, value_name = "ARITHMETIC")]
    pub(super) declared: Option<Declared>,
    #[command(flatten)]
    pub(super) limits: Limits,
    #[command(flatten)]
    pub(super) files: Files,
}

/// What is asked of the arithmetic, whatever a case says of it.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(super) struct Limits {
    /// The largest error of a norm that is certified, as a share or in per cents [default: 0.1%, or what is declared]
    #[arg(long, value_name = "SHARE", value_parser = norm_error, allow_hyphen_values = true)]
    max_norm_error: Option<f64>,
    /// What is right where squares leave the type that adds them up, as those of F32 do in PyTorch [default: none, or what
    /// is declared]
    #[arg(long, value_enum, value_name = "RANGE")]
    overflow: Option<Overflow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Overflow {
    /// The true norm: there is no overflow
    None,
    /// What the source then gives: an infinite norm, or one without the squares that vanish
    AsSource,
}

impl Limits {
    /// This arithmetic within the limits.
    pub(super) fn on(self, declared: Declared) -> Declared {
        Declared {
            max_norm_error: self.max_norm_error.unwrap_or(declared.max_norm_error),
            overflow_as_source: self.overflow.map_or(declared.overflow_as_source, |overflow| {
                overflow == Overflow::AsSource
            }),
            ..declared
        }
    }
}

/// How plain files are read; docs/oracle.md, "Files", has examples.
#[derive(Debug, ClapArgs)]
pub(super) struct Files {
    /// Take this off the names that begin with it, in all files: module. or _orig_mod.; may be given several times
    #[arg(
        long,
        value_name = "PREFIX",
        requires = "before",
        help_heading = "Files as you have them"
    )]
    pub(super) strip_prefix: Vec<String>,
    /// What a tensor is that stands in the files of several ranks: PATTERN=replicated, =shard:AXIS or =partial (a sum)
    #[arg(
        long,
        value_name = "PATTERN=PLACE",
        requires = "before",
        help_heading = "Files as you have them"
    )]
    pub(super) placement: Vec<Placement>,
    /// Cut names into modules and layers at this text and nowhere else; the same as separator= in a policy
    #[arg(
        long,
        value_name = "TEXT",
        requires = "before",
        help_heading = "Files as you have them"
    )]
    pub(super) separator: Option<Separator>,
}

/// The gradients after clipping, from plain files.
#[derive(Debug, ClapArgs)]
pub(super) struct AnswerFiles {
    /// The gradients after clipping, by name; files as for --before
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        requires = "before",
        help_heading = "One pair of files"
    )]
    pub(super) after: Vec<PathBuf>,
    /// A placement for the files after clipping alone, where it differs from that before
    #[arg(
        long,
        value_name = "PATTERN=PLACE",
        requires = "after",
        help_heading = "Files as you have them"
    )]
    pub(super) placement_after: Vec<Placement>,
    /// Gradients before clipping are of a narrower type than after it, and the clipper reads them widened (BF16 to F32 main
    /// gradients)
    #[arg(long, requires = "after", help_heading = "Files as you have them")]
    pub(super) widen: bool,
}

/// Find out which convention and which partition made a file of clipped gradients.
///
/// Exit code 0: one fits, or several that these gradients cannot tell apart; 1: none fits; 2: it cannot be judged. For
/// a folder with an index.jsonl (pair, threshold, policy), 1: a pair's policy is not among those that fit.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Identify {
    /// A folder with index.jsonl and, for each pair, PAIR.before.safetensors and PAIR.after.safetensors
    #[arg(value_name = "DIR", conflicts_with_all = ["before", "after", "threshold"], required_unless_present = "before")]
    pub(super) dir: Option<PathBuf>,
    /// In a folder: do not try a pair's own policy unless it is among the usual ones
    #[arg(long, requires = "dir")]
    pub(super) blind: bool,
    /// The gradients before clipping, by name: safetensors or .npz, several of them, or a folder of shards or ranks
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "after", help_heading = "One pair of files")]
    pub(super) before: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) answer: AnswerFiles,
    /// The parameters, for policies that read them
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "before", help_heading = "One pair of files")]
    pub(super) values: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) files: Files,
    /// The threshold that was used [default: read off the norms after clipping]
    #[arg(long, value_name = "C", value_parser = not_negative)]
    pub(super) threshold: Option<f64>,
    /// The norm that was used, if it is not the 2-norm: 1, inf, rms, mean or another exponent
    #[arg(long, value_name = "NORM", requires = "before")]
    pub(super) norm: Option<Statistic>,
    /// The clipper's arithmetic
    #[arg(long, value_name = "ARITHMETIC", default_value = "unknown")]
    pub(super) declared: Declared,
    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Show what must come out of a case, and what a result made of it: norms, scales, distances, the first wrong element.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Explain {
    /// The case file
    #[arg(
        value_name = "CASE",
        conflicts_with = "before",
        required_unless_present = "before"
    )]
    pub(super) case: Option<PathBuf>,
    /// The result file
    #[arg(value_name = "RESULT")]
    pub(super) result: Option<PathBuf>,
    #[command(flatten)]
    pub(super) question: Question,
    #[command(flatten)]
    pub(super) answer: AnswerFiles,
}

/// Write a case with its expected gradients beside it.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Expect {
    /// The case file
    #[arg(
        value_name = "CASE",
        conflicts_with = "before",
        required_unless_present = "before"
    )]
    pub(super) case: Option<PathBuf>,
    #[command(flatten)]
    pub(super) question: Question,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: PathBuf,
}

/// Judge a program that answers cases over stdin and stdout.
///
/// Each way, a message is 8 bytes of length (little-endian) and that many bytes of a safetensors file: a case to the
/// program, a result back. An answer of length 0 declines the case. A failure is shrunk to a small case and saved.
/// Exit code 0: every answer passes; 1: one fails; 2: nothing could be judged.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  cwgnc pipe --policy 'component:*@torch' --dtype f32,bf16 -- python3 my_clipper.py
  cwgnc pipe --pack core -- python3 my_clipper.py
  cwgnc pipe --pack core -- cwgnc answer")]
pub(in crate::cli) struct Pipe {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// A folder of case files, or one of them, instead of a pack
    #[arg(long, value_name = "PATH", conflicts_with_all = ["pack", "policy", "dtype", "count", "largest"])]
    pub(super) cases: Option<PathBuf>,
    #[command(flatten)]
    pub(super) limits: Limits,
    /// Fail where no component of any case was clipped
    #[arg(long)]
    pub(super) require_clipped: bool,
    /// Seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = positive)]
    pub(super) timeout: f64,
    /// The folder for failures made small
    #[arg(long, value_name = "DIR", default_value = "cwgnc-failures")]
    pub(super) save: PathBuf,
    /// Failures that are made small and saved; the others are only reported
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) shrink: usize,
    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// The program and its arguments
    #[arg(last = true, value_name = "PROGRAM", required = true)]
    pub(super) program: Vec<OsString>,
}

/// Answer cases on stdin with this crate's own clipping, as a program under `cwgnc pipe`.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Answer {
    /// Use this policy whatever the case asks for
    #[arg(long, value_name = "POLICY")]
    pub(super) policy: Option<ClipPolicy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Lines to read
    Text,
    /// One JSON object
    Json,
    /// JUnit's XML
    Junit,
    /// A page to look at
    Html,
}
