//! Wrong clippers, each found by the pack of its policy and by the strategies, and right ones that nothing is found in.
//!
//! The clipper is written here a third time, with nothing of `src/clip` and nothing of the oracle but its formats; a fault
//! is one change to it. `cargo test --features proptest wrong_clippers -- --nocapture` prints which case found it.

mod faulty;

use cwgnc::cases::{Pack, Template, Wanted};
use cwgnc::oracle::{Candidate, Case, Format, judge, judge_unexplained};
use faulty::{Clipper, Fault};
use std::panic::{AssertUnwindSafe, catch_unwind};

const TORCH: &str = "component:*@torch";
const EXACT: &str = "component:*@exact";
const GLOBAL: &str = "global:*@exact";
const ROW: &str = "row:*@exact";
const SINGLE: &[Format] = &[Format::F32];
const HALF: &[Format] = &[Format::Bf16];
const BOTH: &[Format] = &[Format::F32, Format::Bf16];

/// A fault, the policy that the clipper is for, and its element types.
const TABLE: [(Fault, &str, &[Format]); 66] = [
    // The six of the issue.
    (Fault::SkipsOneElement, TORCH, SINGLE),
    (Fault::SkipsBeyond(64), TORCH, SINGLE),
    (Fault::SumsFirst(256), TORCH, SINGLE),
    (Fault::TailNotWritten(8), TORCH, SINGLE),
    (Fault::FirstTensorsOnly(3), TORCH, SINGLE),
    (Fault::PanicsOnEmpty, TORCH, SINGLE),
    // The same in other types, partitions and conventions.
    (Fault::SkipsOneElement, GLOBAL, SINGLE),
    (Fault::SkipsBeyond(64), EXACT, HALF),
    (Fault::SumsFirst(256), GLOBAL, SINGLE),
    (Fault::TailNotWritten(8), ROW, SINGLE),
    (Fault::FirstTensorsOnly(3), GLOBAL, BOTH),
    (Fault::PanicsOnEmpty, ROW, SINGLE),
    // Which tensors are clipped.
    (Fault::SkipsBeyond(65_535), TORCH, SINGLE),
    (Fault::SkipsScalars, TORCH, SINGLE),
    (Fault::OnlyMatrices, TORCH, SINGLE),
    (Fault::SkipsManyAxes, TORCH, SINGLE),
    (Fault::SkipsLastTensor, EXACT, SINGLE),
    (Fault::FirstTensorsOnly(64), TORCH, SINGLE),
    (Fault::FirstTensorsOnly(110), EXACT, SINGLE),
    (Fault::FirstTensorsOnly(256), TORCH, SINGLE),
    (Fault::SkipsNamed(".bias"), TORCH, SINGLE),
    (Fault::SkipsNamed("LayerNorm"), EXACT, SINGLE),
    (Fault::SkipsNamed("classifier"), GLOBAL, SINGLE),
    (Fault::SkipsFlatNames, TORCH, SINGLE),
    (Fault::PanicsOnUnicode, TORCH, SINGLE),
    (Fault::StopsAtEmpty, TORCH, SINGLE),
    (Fault::EmptyShiftsNorms, EXACT, SINGLE),
    (Fault::LastRowSkipped, ROW, SINGLE),
    // What is summed.
    (Fault::NormByLength, TORCH, SINGLE),
    (Fault::SumNotReset, TORCH, SINGLE),
    (Fault::SumsFirst(65_535), TORCH, SINGLE),
    (Fault::SumsWhole(4), TORCH, SINGLE),
    (Fault::SumsWhole(1024), TORCH, SINGLE),
    (Fault::SumsAllButLast, EXACT, HALF),
    (Fault::FullBlockLosesOne(32), TORCH, SINGLE),
    (Fault::FirstCountsTwice, TORCH, SINGLE),
    (Fault::FirstTensorsNorm, GLOBAL, SINGLE),
    (Fault::StaleNorm, TORCH, SINGLE),
    (Fault::Mean, TORCH, SINGLE),
    (Fault::SumOfMagnitudes, TORCH, SINGLE),
    (Fault::LargestMagnitude, TORCH, SINGLE),
    (Fault::NoRoot, TORCH, SINGLE),
    (Fault::SquaresInSingle, EXACT, SINGLE),
    (Fault::RunningSumInType, EXACT, HALF),
    (Fault::NanNotSummed, TORCH, SINGLE),
    (Fault::ComponentForGlobal, GLOBAL, SINGLE),
    (Fault::GlobalForComponent, TORCH, BOTH),
    // The formula.
    (Fault::Epsilon(0.0), TORCH, SINGLE),
    (Fault::Epsilon(1e-5), TORCH, SINGLE),
    (Fault::Epsilon(1e-6), EXACT, SINGLE),
    (Fault::EpsilonInRoot, TORCH, SINGLE),
    (Fault::NoMinimum, TORCH, SINGLE),
    (Fault::Maximum, EXACT, SINGLE),
    (Fault::ThresholdInHalf, TORCH, SINGLE),
    (Fault::ScaleInHalf, TORCH, SINGLE),
    (Fault::FastRoot, TORCH, SINGLE),
    (Fault::NanScalesByOne, TORCH, SINGLE),
    (Fault::ZeroMeansNone, TORCH, SINGLE),
    (Fault::DividesByZero, EXACT, SINGLE),
    (Fault::SquareCompared, EXACT, SINGLE),
    // What is written.
    (Fault::BlockEndNotWritten(256), TORCH, SINGLE),
    (Fault::WritesFirst(65_536), TORCH, BOTH),
    (Fault::SignOfZeroLost, TORCH, SINGLE),
    (Fault::Flushed, EXACT, SINGLE),
    (Fault::StoredInHalf, EXACT, SINGLE),
    (Fault::NanBecomesZero, TORCH, SINGLE),
];

fn wanted(formats: &[Format]) -> Wanted {
    Wanted {
        formats: formats.to_vec(),
        count: 500,
        ..Wanted::default()
    }
}

fn template(text: &str) -> Template {
    text.parse().expect(text)
}

/// Whether a clipper's answer passes; a panic does not.
fn passes(clipper: &mut Clipper, case: &Case) -> bool {
    let after = catch_unwind(AssertUnwindSafe(|| clipper.clip(case)));
    let Ok(after) = after else { return false };
    judge_unexplained(case, &Candidate::new(after)).is_ok_and(|judgement| judgement.passed())
}

/// Nothing is found in the clipper without a fault.
#[test]
fn the_right_one_passes() {
    let mut policies: Vec<(&str, &[Format])> = TABLE
        .iter()
        .map(|&(_, policy, formats)| (policy, formats))
        .collect();
    policies.sort_by_key(|(policy, formats)| (*policy, format!("{formats:?}")));
    policies.dedup();
    assert!(policies.len() >= 6);
    for (policy, formats) in policies {
        let mut clipper = Clipper::new(Fault::None);
        for named in Pack::cases_for(&template(policy), &wanted(formats)).expect("cases") {
            let after = clipper.clip(&named.case);
            let judgement = judge(&named.case, &Candidate::new(after)).expect("a judgement");
            let first = judgement.mismatches.first().map(ToString::to_string);
            assert!(
                judgement.passed(),
                "{policy} {formats:?} {}: {} {}; {first:?}",
                named.name,
                named.case.policy,
                judgement.verdict
            );
        }
    }
}

/// Every fault is found by a case of the pack for its policy.
#[test]
#[expect(clippy::print_stdout, reason = "the table is the result")]
fn every_wrong_one_is_found_by_its_pack() {
    let mut escaped = Vec::new();
    println!("{:<28} {:<18} {:<12} found by", "fault", "policy", "types");
    for (fault, policy, formats) in TABLE {
        let mut clipper = Clipper::new(fault);
        let mut cases = Pack::cases_for(&template(policy), &wanted(formats)).expect("cases");
        let found = cases.find(|named| !passes(&mut clipper, &named.case));
        let types: Vec<&str> = formats.iter().map(|format| format.name()).collect();
        let name = found.as_ref().map_or("nothing", |named| &named.name);
        println!(
            "{:<28} {policy:<18} {:<12} {name}",
            format!("{fault:?}"),
            types.join(" ")
        );
        if found.is_none() {
            escaped.push(format!("{fault:?} under {policy}"));
        }
    }
    assert!(escaped.is_empty(), "not found:\n{}", escaped.join("\n"));
}

/// And by the strategies, which make it small in some hundred calls.
#[cfg(feature = "proptest")]
#[test]
#[expect(clippy::print_stdout, reason = "the table is the result")]
fn every_wrong_one_is_found_by_the_strategies() {
    use cwgnc::cases::strategies::case_for;
    use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
    use std::cell::{Cell, RefCell};

    let mut escaped = Vec::new();
    println!(
        "{:<28} {:<18} found after, calls to make it small: what is left",
        "fault", "policy"
    );
    for (fault, policy, formats) in TABLE {
        let config = Config {
            cases: 1024,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let (calls, found) = (Cell::new(0), Cell::new(0));
        let clipper = RefCell::new(Clipper::new(fault));
        let result = runner.run(&case_for(template(policy), &wanted(formats)), |case| {
            calls.set(calls.get() + 1);
            if passes(&mut clipper.borrow_mut(), &case) {
                return Ok(());
            }
            if found.get() == 0 {
                found.set(calls.get());
            }
            Err(TestCaseError::fail("wrong"))
        });
        let Err(TestError::Fail(_, small)) = result else {
            escaped.push(format!("{fault:?} under {policy}: {result:?}"));
            continue;
        };
        let shrinking = calls.get() - found.get();
        let sizes: Vec<usize> = small.before.iter().map(|t| t.data.len()).collect();
        println!(
            "{:<28} {policy:<18} {} {shrinking}: {sizes:?}",
            format!("{fault:?}"),
            found.get()
        );
        if shrinking > 1000 {
            escaped.push(format!(
                "{fault:?} under {policy} took {shrinking} calls to {sizes:?}"
            ));
        }
    }
    assert!(escaped.is_empty(), "not found:\n{}", escaped.join("\n"));
}
