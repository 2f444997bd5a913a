//! The judge is judged: every planted fault must be caught, and by the verdict or the law that names it.
//!
//! The clipper under test is [`naive`](super::oracle_naive::naive); a fault is one change to it.
//! `cargo test planted -- --nocapture` prints the table.

use super::oracle_naive::{Fault, gradients, naive};
use cwgnc::oracle::laws::{self, Law, Outcome};
use cwgnc::oracle::{Candidate, Case, Format, Tensor, judge};

/// What must catch a fault.
enum By {
    /// A verdict of this name on the case.
    Verdict(&'static str),
    /// Nothing: the result is within what was declared.
    Pass,
}

struct Plant {
    fault: Fault,
    policy: &'static str,
    declared: &'static str,
    gradients: Vec<Tensor>,
    by: By,
    law: Option<Law>,
}

const GLOBAL: &str = "global:1@exact";
const COMPONENT: &str = "component:1@exact";
const TIED: &str = "global:1@exact,tie=a.weight:b.weight";
const EXCLUDED: &str = "global:1@exact,exclude=c.*";

fn plant(fault: Fault, policy: &'static str, verdict: &'static str, law: Option<Law>) -> Plant {
    Plant {
        fault,
        policy,
        declared: "f64",
        gradients: gradients(Format::F32, 71, 1.0),
        by: By::Verdict(verdict),
        law,
    }
}

/// Faults of the formula.
fn formulas() -> Vec<Plant> {
    vec![
        Plant {
            by: By::Pass,
            ..plant(Fault::None, COMPONENT, "", None)
        },
        Plant {
            by: By::Pass,
            ..plant(Fault::None, GLOBAL, "", None)
        },
        plant(
            Fault::InvertedClamp,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::IdentityBelow),
        ),
        plant(
            Fault::MissingClamp,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::IdentityBelow),
        ),
        plant(Fault::EpsAdded, COMPONENT, "FAIL_ROUNDING", Some(Law::PowerOfTwo)),
        Plant {
            gradients: gradients(Format::F32, 71, 0.05),
            ..plant(
                Fault::EpsInsideRoot,
                "component:0.01@exact",
                "FAIL_LOGIC",
                Some(Law::PowerOfTwo),
            )
        },
        plant(Fault::EpsMultiplied, COMPONENT, "FAIL_ROUNDING", None),
        plant(
            Fault::SquaredNormCompared,
            "component:5@exact",
            "FAIL_LOGIC",
            Some(Law::Shrink),
        ),
        plant(
            Fault::RootForgotten,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::PowerOfTwo),
        ),
        plant(Fault::MeanOfNorms, GLOBAL, "FAIL_LOGIC", Some(Law::Bound)),
        plant(Fault::WrongPower, GLOBAL, "FAIL_LOGIC", Some(Law::SplitMerge)),
        plant(Fault::NoOp, COMPONENT, "POLICY", Some(Law::Bound)),
        plant(Fault::SignLost, COMPONENT, "FAIL_LOGIC", Some(Law::Odd)),
        plant(
            Fault::ScaledThreshold,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::IdentityBelow),
        ),
        plant(Fault::TwicePerStep, COMPONENT, "FAIL_LOGIC", None),
    ]
}

/// Faults in what is summed and what is scaled.
fn groupings() -> Vec<Plant> {
    let mut same = gradients(Format::F32, 71, 1.0);
    same[0] = Tensor {
        name: "a.weight".into(),
        ..same[2].clone()
    };
    vec![
        Plant {
            gradients: same.clone(),
            ..plant(Fault::TiedTwice, TIED, "FAIL_LOGIC", Some(Law::Duplicate))
        },
        Plant {
            gradients: same,
            ..plant(Fault::TiedDropped, TIED, "FAIL_LOGIC", None)
        },
        plant(Fault::ExcludedCounted, EXCLUDED, "FAIL_LOGIC", Some(Law::Frame)),
        plant(Fault::ExcludedScaled, EXCLUDED, "FAIL_LOGIC", Some(Law::Frame)),
        plant(
            Fault::NormOfFirstTensor,
            GLOBAL,
            "FAIL_LOGIC",
            Some(Law::TensorOrder),
        ),
        plant(
            Fault::LastTensorLeftOut,
            GLOBAL,
            "FAIL_LOGIC",
            Some(Law::TensorOrder),
        ),
        plant(
            Fault::HalfTheShards,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::Permutation),
        ),
        plant(
            Fault::GlobalForComponent,
            COMPONENT,
            "POLICY",
            Some(Law::Locality),
        ),
        plant(Fault::ComponentForGlobal, GLOBAL, "POLICY", Some(Law::SplitMerge)),
        plant(Fault::BiasMerged, COMPONENT, "POLICY", None),
        plant(
            Fault::TailNotSummed,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::ZeroPadding),
        ),
        plant(
            Fault::TailNotScaled,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::Direction),
        ),
        plant(Fault::PaddingRead, COMPONENT, "FAIL_LOGIC", Some(Law::PowerOfTwo)),
        plant(
            Fault::LeakToNeighbour,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::Confinement),
        ),
    ]
}

/// Faults of precision, and the declarations under which they are none.
fn roundings() -> Vec<Plant> {
    vec![
        Plant {
            gradients: gradients(Format::Bf16, 4000, 1.0),
            ..plant(Fault::SequentialStorage, COMPONENT, "FAIL_ROUNDING", None)
        },
        Plant {
            gradients: gradients(Format::Bf16, 4000, 1.0),
            declared: "sequential,acc=BF16",
            ..plant(Fault::SequentialStorage, COMPONENT, "VACUOUS", None)
        },
        Plant {
            gradients: gradients(Format::F32, 30_000, 1.0),
            ..plant(Fault::SequentialSingle, COMPONENT, "FAIL_ROUNDING", None)
        },
        Plant {
            gradients: gradients(Format::F32, 30_000, 1.0),
            declared: "sequential",
            by: By::Pass,
            ..plant(Fault::SequentialSingle, COMPONENT, "", None)
        },
        plant(
            Fault::CoefficientInBf16,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::Bound),
        ),
        plant(Fault::FastRoot, COMPONENT, "FAIL_LOGIC", None),
        plant(Fault::TruncatedInput, COMPONENT, "FAIL_LOGIC", Some(Law::Bound)),
        plant(
            Fault::OneElementOff,
            COMPONENT,
            "FAIL_LOGIC",
            Some(Law::Direction),
        ),
    ]
}

/// Range, NaN and subnormal numbers.
fn specials() -> Vec<Plant> {
    let poisoned = || {
        let mut all = gradients(Format::F32, 71, 1.0);
        all[4].data.set(3, f64::NAN);
        all
    };
    vec![
        Plant {
            gradients: gradients(Format::F16, 71, 80.0),
            ..plant(Fault::SquareInStorage, GLOBAL, "RANGE", None)
        },
        Plant {
            gradients: gradients(Format::F16, 71, 1e-4),
            policy: "component:1e-5@exact",
            ..plant(Fault::SquareInStorage, "", "RANGE", None)
        },
        Plant {
            gradients: poisoned(),
            ..plant(Fault::NanBecomesZero, COMPONENT, "FAIL_LOGIC", None)
        },
        Plant {
            gradients: poisoned(),
            ..plant(Fault::NanDropped, COMPONENT, "FAIL_LOGIC", None)
        },
        Plant {
            gradients: gradients(Format::F32, 71, 1e-37),
            policy: "component:2e-37@exact",
            ..plant(Fault::Flushed, "", "FAIL_LOGIC", None)
        },
        Plant {
            gradients: gradients(Format::F32, 71, 1e-37),
            policy: "component:2e-37@exact",
            declared: "f64,ftz",
            by: By::Pass,
            ..plant(Fault::Flushed, "", "", None)
        },
        Plant {
            gradients: gradients(Format::F16, 71, 80.0),
            ..plant(Fault::ProductFirst, COMPONENT, "FAIL_LOGIC", None)
        },
    ]
}

/// Every plant is caught by the verdict it is listed with and, where one is listed, by that law.
#[test]
#[expect(clippy::print_stdout, reason = "the table is the result")]
fn planted_faults() {
    let mut escaped = Vec::new();
    println!("{:<22} {:<38} {:<14} laws broken", "fault", "policy", "verdict");
    for plant in formulas()
        .into_iter()
        .chain(groupings())
        .chain(roundings())
        .chain(specials())
    {
        let mut case = Case::new(plant.policy.parse().expect(plant.policy), plant.gradients);
        case.declared = plant.declared.parse().expect(plant.declared);
        let after = naive(&case, plant.fault).expect("a result");
        let judgement = judge(&case, &Candidate::new(after)).expect("a judgement");
        let broken: Vec<Law> = laws::check_all(&case, &mut |case| naive(case, plant.fault))
            .into_iter()
            .filter_map(|(law, outcome)| matches!(outcome, Outcome::Broken(_)).then_some(law))
            .collect();
        let names: Vec<_> = broken.iter().map(|law| law.name()).collect();
        let verdict = judgement.verdict.to_string();
        println!(
            "{:<22} {:<38} {:<14} {}\n{:22} {}",
            format!("{:?}", plant.fault),
            format!("{} ({})", plant.policy, plant.declared),
            judgement.verdict.name(),
            names.join(" "),
            "",
            verdict.chars().take(150).collect::<String>()
        );
        let caught = match plant.by {
            By::Verdict(name) => judgement.verdict.name() == name,
            By::Pass => judgement.passed() && broken.is_empty(),
        };
        if !caught || plant.law.is_some_and(|law| !broken.contains(&law)) {
            escaped.push(format!(
                "{:?} under {} ({}): {verdict}; {names:?}",
                plant.fault, plant.policy, plant.declared
            ));
        }
    }
    assert!(
        escaped.is_empty(),
        "not caught as listed:\n{}",
        escaped.join("\n")
    );
}
