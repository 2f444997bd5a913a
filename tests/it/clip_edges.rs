//! The edge-case matrix: what each convention makes of zeros, infinities, NaN and thresholds that are none.
//!
//! The cells are those of the survey (see `docs/clipping.md`), measured on the libraries or derived from their formulas,
//! never taken from this crate. Two of its rows are about how a library adds up squares, which no convention here
//! imitates: they have tests of their own below.

use crate::clip_support::{bits, clipped, policy, report, try_clip};
use cwgnc::clip::{Action, ClipError, Clipped, Convention, Edge, Partition};
use std::fmt::Write;

/// What becomes of the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    /// `x`, in bits.
    Same,
    /// `x`, to rounding.
    Near,
    /// Zeros that keep their sign; what was not finite becomes NaN.
    Zero,
    /// NaN everywhere.
    Nan,
    /// The threshold turns the gradient round: `x·c/n`, `c` negative.
    Flip,
    /// The source refuses.
    Error,
}
use Cell::{Error, Flip, Nan, Near, Same, Zero};

/// The columns: convention, and the partition that its source has.
const COLUMNS: [(&str, &str); 11] = [
    ("torch", "global"),
    ("optax", "global"),
    ("tf-global", "global"),
    ("tf-norm", "component"),
    ("mindspore", "global"),
    ("paddle-global", "global"),
    ("paddle-norm", "component"),
    ("burn", "component"),
    ("jax-privacy", "global"),
    ("exact", "global"),
    ("keras-global", "global"),
];

/// Name, gradient, threshold, one cell a column. A second, healthy gradient (3, 4) lies beside every non-finite one; what
/// becomes of it has a row of its own (`beside`).
type Row = (&'static str, &'static [f32], &'static str, [Cell; 11]);

const ROWS: [Row; 9] = [
    (
        "n = 0, c > 0",
        &[0.0, -0.0],
        "1",
        [Same, Same, Same, Same, Same, Same, Same, Same, Same, Same, Same],
    ),
    (
        "n = 0, c = 0",
        &[0.0, -0.0],
        "0",
        [Same, Nan, Nan, Nan, Error, Nan, Same, Same, Same, Same, Same],
    ),
    (
        "c = 0",
        &[3.0, 4.0],
        "0",
        [Zero, Zero, Zero, Zero, Error, Zero, Zero, Zero, Zero, Zero, Same],
    ),
    (
        "c < 0",
        &[3.0, 4.0],
        "-1",
        [Flip, Flip, Same, Zero, Error, Flip, Flip, Flip, Error, Flip, Same],
    ),
    (
        "c = inf",
        &[3.0, 4.0],
        "inf",
        [Same, Same, Nan, Nan, Nan, Nan, Nan, Same, Same, Same, Nan],
    ),
    (
        "c = inf, n = inf",
        &[f32::INFINITY, 1.0],
        "inf",
        [Nan, Nan, Nan, Nan, Nan, Nan, Nan, Nan, Zero, Same, Nan],
    ),
    (
        "one NaN",
        &[f32::NAN, 1.0],
        "5",
        [Nan, Nan, Nan, Nan, Near, Nan, Nan, Nan, Zero, Nan, Nan],
    ),
    (
        "one Inf",
        &[f32::INFINITY, -1.0],
        "5",
        [Zero, Zero, Nan, Zero, Zero, Zero, Zero, Zero, Zero, Zero, Nan],
    ),
    (
        "n overflows f32",
        &[3e38, -3e38],
        "1",
        [Zero, Zero, Nan, Zero, Zero, Zero, Zero, Zero, Zero, Near, Nan],
    ),
];

/// What becomes of (3, 4) beside a NaN and beside an infinity, at c = 5 of `component` and 50 of `global` partitions:
/// the whole point of components. Poisoned, or as it was.
const BESIDE: [(&str, f32, [Cell; 11]); 2] = [
    (
        "beside a NaN",
        f32::NAN,
        [Nan, Nan, Nan, Near, Near, Nan, Same, Same, Zero, Nan, Nan],
    ),
    (
        "beside an Inf",
        f32::INFINITY,
        [Zero, Zero, Nan, Near, Zero, Zero, Same, Same, Zero, Zero, Nan],
    ),
];

fn matches(cell: Cell, x: &[f32], y: &[f32], c: f64) -> bool {
    let norm = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let close = |y: f32, expected: f64| (f64::from(y) - expected).abs() <= 1e-6 * expected.abs();
    x.iter().zip(y).all(|(&x, &y)| match cell {
        Same => x.to_bits() == y.to_bits(),
        Near if x.is_nan() => y.is_nan(),
        // With n = 4.2e38 and c = 1 the exact convention scales as ever.
        Near if x.abs() > 1e38 => close(y, f64::from(x) / norm),
        Near => close(y, f64::from(x)),
        Zero if x.is_finite() => y == 0.0 && y.is_sign_negative() == x.is_sign_negative(),
        Zero | Nan => y.is_nan(),
        Flip => close(y, f64::from(x) * c / norm),
        Error => false,
    })
}

#[test]
fn matrix() {
    let mut wrong = String::new();
    for (name, x, c, cells) in ROWS {
        for ((convention, partition), cell) in COLUMNS.into_iter().zip(cells) {
            let policy = policy(&format!("{partition}:{c}@{convention},unchecked"));
            let result = try_clip(&policy, &[x.to_vec()]);
            let right = match &result {
                Err(ClipError::Threshold { .. }) => cell == Error,
                Err(_) => false,
                // A zero norm may be scaled by 0: -0 · 0 keeps its sign too.
                Ok((y, _)) => matches(cell, x, &y[0], c.parse().expect("a number")),
            };
            if !right {
                writeln!(wrong, "{name}, {convention}: {result:?}, not {cell:?}").expect("a string");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn matrix_beside() {
    let mut wrong = String::new();
    for (name, bad, cells) in BESIDE {
        for ((convention, partition), cell) in COLUMNS.into_iter().zip(cells) {
            let policy = format!("{partition}:50@{convention}");
            let y = clipped(&policy, &[vec![1.0, bad], vec![3.0, 4.0]]);
            if !matches(cell, &[3.0, 4.0], &y[1], 50.0) {
                writeln!(wrong, "{name}, {convention}: {y:?}, not {cell:?}").expect("a string");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The conventions without a column, at n = 0 and c = 0: 0/0, or 0 over an ε, or no clipping at all.
#[test]
fn zero_by_zero() {
    for convention in [
        "jax-example",
        "optax-jit",
        "optax-rms",
        "optax-rms-jit",
        "tf-average",
        "tf-average-graph",
        "div-max",
    ] {
        let y = clipped(&format!("global:0@{convention}"), &[vec![0.0_f32, -0.0]]);
        assert!(y[0].iter().all(|y| y.is_nan()), "{convention}: {y:?}");
    }
    for convention in [
        "torch-branch",
        "deepspeed",
        "mxnet",
        "optax-example",
        "tf-privacy",
    ] {
        let y = clipped(&format!("global:0@{convention}"), &[vec![0.0_f32, -0.0]]);
        assert_eq!(bits(&y), bits(&[vec![0.0_f32, -0.0]]), "{convention}");
    }
}

/// The survey's rows "1e20" and "1e-25" are squares that overflow or vanish in `f32`. Here the norm is right, and every
/// convention does with it what it does with any norm: 1e20·√2 is clipped to 1, 1e-25·√2 to 1e-26.
#[test]
fn squares_neither_overflow_nor_vanish() {
    for (convention, _) in COLUMNS {
        for (x, c) in [(1e20_f32, 1.0), (1e-25, 1e-26)] {
            // PyTorch's ε is far above 1e-25: x·(c/1e-6), subnormal here. TensorFlow's and MindSpore's x·c underflows
            // f32, and tf-norm's 0 is the survey's cell too.
            let product = f64::from(x) * c < 1e-44;
            if c < 1.0 && (convention == "torch" || product) {
                continue;
            }
            let y = clipped(&format!("global:{c}@{convention}"), &[vec![x, x]]);
            let norm = f64::from(y[0][0]).hypot(f64::from(y[0][1]));
            assert!((norm / c - 1.0).abs() < 1e-6, "{convention}: {y:?}");
        }
    }
    assert_eq!(
        clipped("global:1e-26@tf-norm", &[vec![1e-25_f32, 1e-25]]),
        [[0.0, 0.0]]
    );
    let torch = clipped("global:1e-26", &[vec![1e-25_f32, 1e-25]]);
    assert!(f64::from(torch[0][0]) <= 1.5e-45);
    // f64 squares: 2e200 and 1e-200 have finite norms for every p.
    for p in ["0.5", "1", "2", "3.5", "inf"] {
        for x in [2e200, 1e-200] {
            let report = report(&format!("none,norm={p}"), &[vec![x]]);
            let n = report.components[0].norm_before;
            assert!((n / x - 1.0).abs() < 1e-13, "p = {p}: {n}");
        }
    }
}

/// PyTorch's `error_if_nonfinite` grid: an infinity or a NaN anywhere is an error for every p > 0, 2e22 never.
#[test]
fn errors_leave_the_gradients_alone() {
    for p in ["0.1", "1", "2", "3.5", "inf"] {
        let policy = policy(&format!("global:1,norm={p},edge=error"));
        for bad in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let error = try_clip(&policy, &[vec![0.5], vec![bad, 1.0]]).expect_err("not finite");
            let ClipError::NonFinite {
                component, elements, ..
            } = error
            else {
                panic!("{error}");
            };
            assert_eq!((&component[..], elements), ("global", 1));
        }
        assert!(try_clip(&policy, &[vec![2e22_f64, 1.0]]).is_ok(), "p = {p}");
    }
    let error = try_clip(
        &policy("component:1,edge=error"),
        &[vec![1.0_f32], vec![f32::NAN]],
    );
    assert_eq!(
        error.expect_err("a NaN").to_string(),
        "component `a.bias` has the norm NaN and 1 elements that are not finite"
    );
    // 4.2e38 is finite in f64, and overflows the type that PyTorch keeps norms in; `exact` keeps them in f64.
    let large = [vec![3e38_f32, 3e38]];
    assert!(try_clip(&policy("global:1,edge=error"), &large).is_err());
    assert!(try_clip(&policy("global:1@exact,edge=error"), &large).is_ok());
}

#[test]
fn edge_rules_confined_and_global() {
    let x = [vec![3.0_f64, 4.0], vec![f64::NAN, 1.0]];
    let run = |edge: &str| try_clip(&policy(&format!("component:1@exact,edge={edge}")), &x).expect(edge);
    let (zero, report) = run("zero");
    assert_eq!(zero, [[3.0 * 0.2, 4.0 * 0.2], [0.0, 0.0]]);
    assert_eq!(report.components[1].action, Action::Zeroed);
    assert_eq!(
        (report.components[1].non_finite, report.components[1].norm_after),
        (1, 0.0)
    );
    assert_eq!(run("zero-all").0, [[0.0, 0.0], [0.0, 0.0]]);
    let (skip, report) = run("skip");
    assert_eq!(bits(&skip), bits(&[vec![3.0 * 0.2, 4.0 * 0.2], x[1].clone()]));
    assert_eq!(report.skipped().collect::<Vec<_>>(), ["a.bias"]);
    let (skip, report) = run("skip-all");
    assert_eq!(bits(&skip), bits(&x));
    assert_eq!(report.skipped().count(), 2);
}

/// No tensor, empty tensors, no counted tensor.
#[test]
fn nothing_to_clip() {
    for text in [
        "global:1",
        "component:1,norm=inf",
        "row:1",
        "value:1",
        "none",
        "global:1,norm=rms",
    ] {
        let (_, report) = try_clip::<f32>(&policy(text), &[]).expect(text);
        assert!(
            report.components.is_empty() && report.parameters.is_empty(),
            "{text}"
        );
        assert_eq!(report.global_norm_after(), 0.0);
        let empty: Vec<f32> = Vec::new();
        let (after, report) = try_clip(&policy(text), std::slice::from_ref(&empty)).expect(text);
        assert_eq!(after, [empty]);
        assert_eq!(report.components[0].norm_before, 0.0);
        assert_eq!(
            (report.components[0].clipped, report.clipped_elements()),
            (Clipped::No, 0.0),
            "{text}"
        );
    }
    let (_, report) = try_clip(&policy("global:1,exclude=*"), &[vec![9.0_f32]]).expect("excluded");
    assert!(report.components.is_empty() && !report.parameters[0].counted);
}

/// Within the error bound of its norm a component is neither certainly clipped nor certainly not.
#[test]
fn ambiguous_at_the_threshold() {
    let at = |c: f64| report(&format!("component:{c}@exact"), &[vec![1.0_f64; 5]]).components[0].clipped;
    let n = 5_f64.sqrt();
    assert_eq!(at(n), Clipped::Ambiguous);
    assert_eq!(at(n.next_up()), Clipped::Ambiguous);
    assert_eq!(at(n * (1.0 + 1e-13)), Clipped::No);
    assert_eq!(at(n * (1.0 - 1e-13)), Clipped::Yes);
    // The ∞-norm has no rounding.
    let exact = report("component:1@exact,norm=inf", &[vec![1.0_f64; 5]]);
    assert_eq!(exact.components[0].clipped, Clipped::No);
}

/// The value forms on whole gradients, and what is reported of them.
#[test]
fn values() {
    let x = [vec![-9.0_f32, 0.1], vec![0.1, -0.1]];
    let (after, report) = try_clip(&policy("value:0.15"), &x).expect("finite");
    assert_eq!(after, [[-0.15, 0.1], [0.1, -0.1]]);
    assert_eq!(report.components[0].clipped, Clipped::Yes);
    assert_eq!(
        (report.components[1].clipped, report.components[1].action),
        (Clipped::No, Action::Kept)
    );
    assert_eq!(report.clipped_elements(), 0.5);
    // The paper's code clips the upper side only.
    let (after, report) = try_clip(&policy("value:0.15@paper"), &x).expect("finite");
    assert_eq!(after, x);
    assert_eq!(report.components[0].clipped, Clipped::No);
}

#[test]
fn every_partition_has_a_policy() {
    for partition in Partition::NAMED {
        let text = format!("{partition}:1");
        assert_eq!(policy(&text).to_string(), text);
    }
}

/// Every arm of every enum has its row in `docs/clipping.md`, and no row is left over.
#[test]
fn the_documentation_is_complete() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clipping.md");
    let text = std::fs::read_to_string(path).expect("docs/clipping.md");
    let rows = |section: &str| -> Vec<&str> {
        let after = text.split_once(&format!("\n## {section}\n")).expect(section).1;
        let section = after.split("\n##").next().expect("a section");
        let names = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        names
            .map(|name| name.split('/').next().expect("a name"))
            .collect()
    };
    assert_eq!(rows("Conventions"), Convention::ALL.map(Convention::name));
    let partitions: Vec<&str> = Partition::NAMED
        .iter()
        .map(Partition::name)
        .chain(["axes"])
        .collect();
    assert_eq!(rows("Partitions"), partitions);
    assert_eq!(rows("Edge rules"), Edge::ALL.map(Edge::name));
    assert_eq!(rows("Statistics"), ["norm=p", "rms", "mean"]);
    // The rules are compared with their enum in `src/clip/fields.rs`.
}
