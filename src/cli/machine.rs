//! `cwgnc verify-machine`, and what the other commands say of the machine that they run on.

use super::progress::say;
use super::{Error, print, print_document};
use crate::gemm;
use crate::machine::{self, Difference};
use clap::Args as ClapArgs;
use serde_json::json;
use std::time::Instant;

/// Check that this machine computes the reference's bits.
///
/// Products against their definition; functions, the layers of three small models forward and backward, and steps of training
/// against bits that are part of this program. Takes a second. A machine that passes writes the same weights, logs, records
/// and reports as any other that does (docs/numerics.md): run it before you compare another implementation with this one.
/// Exit code 0: the same bits; 1: other bits, and the first number that differs.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  cwgnc verify-machine
  cwgnc verify-machine --json")]
pub(super) struct VerifyMachine {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Print the numbers of this machine instead, each with a hash of its bits: the list that others are held against
    #[arg(long, conflicts_with = "json")]
    list: bool,
}

/// Runs the command.
pub(super) fn command(args: &VerifyMachine) -> Result<u8, Error> {
    if args.list {
        let lines: Vec<String> = machine::numbers().map(|number| number.to_string()).collect();
        print_document(&lines.join("\n"))?;
        return Ok(0);
    }
    let start = Instant::now();
    let result = machine::check();
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        let result = json!({
            "same_bits": result.is_ok(),
            "numbers": result.as_ref().ok(),
            "first_difference": result.as_ref().err().map(ToString::to_string),
            "portable": gemm::is_portable(),
            "cpu_features": cpu_features(),
            "cwgnc_version": env!("CARGO_PKG_VERSION"),
        });
        print_document(&format!("{result:#}"))?;
    } else {
        let said = match &result {
            Ok(numbers) => format!(
                "this machine gives the reference's bits: {numbers} numbers compared in {seconds:.1} s"
            ),
            Err(difference) => explained(difference),
        };
        said.lines().try_for_each(print)?;
        print(&format!("processor: {}", cpu_features().join(" ")))?;
    }
    Ok(u8::from(result.is_err()))
}

fn explained(difference: &Difference) -> String {
    let why = match difference {
        Difference::Product(_) => {
            "Products differ where the processor has no fused multiply-add (on x86-64: FMA and AVX2), or where the block sizes \
             of matrixmultiply were overridden when it was compiled (MATMUL_SGEMM_KC, MATMUL_DGEMM_KC, MMTEST_FEATURE)."
        }
        Difference::Number { .. } => {
            "Everything before it in the list is the same. The compiler, a flag that it was given, or another version of a \
             dependency computes this differently; please report it with the output of `cwgnc verify-machine --list`."
        }
        Difference::Length { .. } => {
            "The list is not that of this program: it was built from changed sources."
        }
    };
    format!("this machine gives other bits than the reference\nfirst difference: {difference}\n{why}")
}

/// Says, where products have other bits than the reference's, that numbers will too.
pub(super) fn warn_unless_portable(quiet: bool) {
    if !quiet && !gemm::is_portable() {
        say(
            "warning: this machine has no fused multiply-add that products could use, so the last digits of all numbers differ \
             from those of other machines; the records say \"portable\": false (`cwgnc verify-machine` has the details)",
        );
    }
}

/// What the processor offers that `matrixmultiply` and `wide!` choose their code by.
pub(super) fn cpu_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let known = [
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("avx", std::arch::is_x86_feature_detected!("avx")),
        ];
        let there = known.into_iter().filter(|(_, there)| *there);
        std::iter::once("x86-64")
            .chain(there.map(|(name, _)| name))
            .collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    vec![std::env::consts::ARCH]
}
