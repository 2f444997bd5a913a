//! Reasons by name: a table of planted mistakes, each of which must be called what it is.
//!
//! `cargo test reasons_by_name -- --nocapture` prints the table.

use super::oracle_naive::gradients;
use cwgnc::oracle::{Candidate, Case, Format, Judgement, Reason, Tensor, judge};

/// A tensor's number, its norm, all norms, and the threshold, to the factor.
type Factor = Box<dyn Fn(usize, f64, &[f64], f64) -> f64>;

/// From gradients and a threshold to what comes out.
type Clipper = Box<dyn Fn(&[Tensor], f64) -> Vec<Tensor>>;

struct Row {
    policy: String,
    format: Format,
    after: Clipper,
    /// The reason's name, or `POLICY`.
    name: &'static str,
    /// A part of the first line.
    says: String,
}

/// All clipped; some clipped, with norms of about 2.7, 0.8, 0.6, 0.015 and 15.
const ALL: &str = "component:0.01";
const SOME: &str = "component:1@exact";

fn norm(tensor: &Tensor) -> f64 {
    tensor.data.values().iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// `RN(x·RN(k))` with a factor for each tensor.
fn scaled(factor: Factor) -> Clipper {
    Box::new(move |before, c| {
        let norms: Vec<f64> = before.iter().map(norm).collect();
        let one = |(i, t): (usize, &Tensor)| {
            let k = t.data.format().round(factor(i, norms[i], &norms, c));
            t.with(t.data.values().into_iter().map(|x| x * k))
        };
        before.iter().enumerate().map(one).collect()
    })
}

fn row(policy: &str, name: &'static str, says: impl Into<String>, factor: Factor) -> Row {
    Row {
        policy: policy.to_owned(),
        format: Format::F32,
        after: scaled(factor),
        name,
        says: says.into(),
    }
}

/// Another denominator under the torch convention, with the same for `F64`.
fn over(name: &'static str, says: impl Into<String>, d: fn(f64) -> f64) -> [Row; 2] {
    let says = says.into();
    let one = || row(ALL, name, says.clone(), Box::new(move |_, n, _, c| c / d(n)));
    [
        one(),
        Row {
            format: Format::F64,
            ..one()
        },
    ]
}

fn formulas() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(over(
        "epsilon",
        "the ε is 1e-5, where the policy has 1e-6 (`eps=1e-5` in the policy accepts it)",
        |n| n + 1e-5,
    ));
    rows.extend(over("epsilon", "the ε is 1e-4, where", |n| n + 1e-4));
    rows.extend(over("epsilon", "the ε is 1e-3, where", |n| n + 1e-3));
    rows.extend(over("epsilon", "the ε is 1e-2, where", |n| n + 1e-2));
    rows.extend(over("epsilon", "the ε is 1e-7, where", |n| n + 1e-7));
    rows.extend(over(
        "epsilon-in-root",
        "an ε of 1e-6 inside the root instead",
        |n| (n * n + 1e-6).sqrt(),
    ));
    rows.extend(over(
        "epsilon-in-root",
        "an ε of 1e-8 inside the root instead",
        |n| (n * n + 1e-8).sqrt(),
    ));
    rows.extend(over("epsilon-in-root", "an ε of 1e-5 inside the root", |n| {
        (n * n + 1e-5).sqrt() + 1e-6
    }));
    rows.extend(over("norm-times", "every norm is 2 times the true one", |n| {
        2.0 * n + 1e-6
    }));
    rows.extend(over("norm-times", "every norm is 8 times the true one", |n| {
        8.0 * n + 1e-6
    }));
    rows.extend(over("norm-times", "every norm is √2 times", |n| {
        n * 2_f64.sqrt() + 1e-6
    }));
    rows.extend(over("norm-times", "every square counts 8 times", |n| {
        n * 8_f64.sqrt() + 1e-6
    }));
    rows.extend(over("norm-times", "every norm is 1/4 times", |n| n / 4.0 + 1e-6));
    rows.extend(over("norm-times", "one of 2 equal shards", |n| {
        n / 2_f64.sqrt() + 1e-6
    }));
    rows.extend(over("norm-times", "one of 8 equal shards", |n| {
        n / 8_f64.sqrt() + 1e-6
    }));
    rows.extend(over("root", "the root is missing", |n| n * n + 1e-6));
    rows.extend(over("root", "a root too many", |n| n.sqrt() + 1e-6));
    for (eps, says) in [
        (1e-5, "the ε is 1e-5, where the policy has 0e0"),
        (1e-3, "the ε is 1e-3"),
    ] {
        rows.push(row(
            "component:0.01@exact",
            "epsilon",
            says,
            Box::new(move |_, n, _, c| c / (n + eps)),
        ));
    }
    for (times, by) in [(1.05, "1.05 times"), (0.97, "0.97 times"), (1.3, "1.3 times")] {
        rows.push(row(
            ALL,
            "threshold",
            by,
            Box::new(move |_, n, _, c| times * c / (n + 1e-6)),
        ));
    }
    for (c, format) in [
        (0.05, Format::Bf16),
        (0.01, Format::Bf16),
        (0.3, Format::Bf16),
        (0.7, Format::Bf16),
        (0.05, Format::F16),
        (0.01, Format::F16),
    ] {
        let says = format!("the threshold {c} was rounded to {format}");
        let factor: Factor = Box::new(move |_, n, _, c| (format.round(c) / (n + 1e-6)).min(1.0));
        rows.push(row(&format!("component:{c}"), "threshold-rounded", says, factor));
    }
    let wide = |row| Row {
        format: Format::F64,
        ..row
    };
    let factor: Factor = Box::new(|_, n, _, c| Format::F32.round(c) / (n + 1e-6));
    rows.push(wide(row(ALL, "threshold-rounded", "rounded to F32", factor)));
    for format in [Format::Bf16, Format::F16] {
        let says = format!("the scale was rounded to {format}");
        let factor: Factor = Box::new(move |_, n, _, c| format.round(c / (n + 1e-6)));
        rows.push(row(ALL, "scale-rounded", says, factor));
    }
    rows
}

fn factors() -> Vec<Row> {
    let right = |n: f64, c: f64| (c / n).min(1.0);
    let mut rows = vec![
        row(
            SOME,
            "no-minimum",
            "`min(1, ·)` is missing",
            Box::new(|_, n, _, c| c / n),
        ),
        row(
            SOME,
            "inverted",
            "the minimum is a maximum",
            Box::new(|_, n, _, c| (c / n).max(1.0)),
        ),
        row(
            ALL,
            "sign",
            "the wrong sign",
            Box::new(|_, n, _, c| -c / (n + 1e-6)),
        ),
        row(
            ALL,
            "clipped-twice",
            "applied once more",
            Box::new(|_, n, _, c| (c / (n + 1e-6)).powi(2)),
        ),
        row(
            ALL,
            "clipped-twice",
            "was clipped again",
            Box::new(|_, n, _, c| {
                let k = c / (n + 1e-6);
                k * (c / (n * k + 1e-6))
            }),
        ),
        row(
            "component:0.01",
            "POLICY",
            "nothing was clipped",
            Box::new(|_, _, _, _| 1.0),
        ),
    ];
    for (scale, says) in [
        (1024.0, "is 1024 times what"),
        (65536.0, "is 65536 times what"),
        (1.0 / 1024.0, "is 1/1024 times what"),
        (8.0, "is 8 times what"),
        (1.0 / 3.0, "is 1/3 times what"),
    ] {
        rows.push(row(
            SOME,
            "loss-scale",
            says,
            Box::new(move |_, n, _, c| right(n, c) * scale),
        ));
    }
    let other = |name, at: fn(usize, usize) -> usize| {
        row(
            ALL,
            "other-norm",
            name,
            Box::new(move |i, _, all: &[f64], c| c / (all[at(i, all.len())] + 1e-6)),
        )
    };
    // Norms of 2.7, 0.8, 0.6, 0.015 and 15, times 2, 64 or 1/4: others are clipped than with the true ones.
    for (times, says) in [
        (2.0, "2 times the true one"),
        (64.0, "or a loss scale that was taken out after clipping"),
        (0.25, "a mean of 4 where the sum belongs"),
    ] {
        rows.push(row(
            SOME,
            "norm-times",
            says,
            Box::new(move |_, n, _, c| right(times * n, c)),
        ));
    }
    rows.push(other(
        "`a.weight` was scaled with the norm of `a.bias`",
        |i, n| (i + 1) % n,
    ));
    rows.push(other(
        "`a.weight` was scaled with the norm of `c.weight`",
        |i, n| (i + n - 1) % n,
    ));
    rows.push(other("`a.bias` was scaled with the norm of `a.weight`", |_, _| 0));
    rows
}

/// The norm of all tensors with some of them counted `times`.
fn global(name: &'static str, says: String, counts: fn(&str, usize) -> f64) -> Row {
    Row {
        policy: "global:0.01".to_owned(),
        format: Format::F32,
        after: Box::new(move |before, c| {
            let all = before.iter().enumerate();
            let sum: f64 = all.map(|(i, t)| counts(&t.name, i) * norm(t).powi(2)).sum();
            let k = Format::F32.round(c / (sum.sqrt() + 1e-6));
            before
                .iter()
                .map(|t| t.with(t.data.values().into_iter().map(|x| x * k)))
                .collect()
        }),
        name,
        says,
    }
}

fn sums() -> Vec<Row> {
    let mut rows = vec![
        global("left-out", "leaves out `a.weight`".into(), |_, i| {
            f64::from(u8::from(i != 0))
        }),
        global("left-out", "leaves out `a.bias`".into(), |_, i| {
            f64::from(u8::from(i != 1))
        }),
        global("left-out", "leaves out `b.weight`".into(), |_, i| {
            f64::from(u8::from(i != 2))
        }),
        global("left-out", "leaves out `c.weight`".into(), |_, i| {
            f64::from(u8::from(i != 4))
        }),
        global("left-out", "all but the first tensor".into(), |_, i| {
            f64::from(u8::from(i == 0))
        }),
        global("left-out", "the 2 tensors with `a` in".into(), |n, _| {
            f64::from(u8::from(!n.starts_with("a.")))
        }),
        global("left-out", "the 3 tensors with `weight`".into(), |n, _| {
            f64::from(u8::from(n.ends_with("bias")))
        }),
        global("counted-twice", "counts `a.weight` twice".into(), |_, i| {
            if i == 0 { 2.0 } else { 1.0 }
        }),
        global("counted-twice", "counts `a.bias` twice".into(), |_, i| {
            if i == 1 { 2.0 } else { 1.0 }
        }),
        global("counted-twice", "counts `c.weight` twice".into(), |_, i| {
            if i == 4 { 2.0 } else { 1.0 }
        }),
        global(
            "counted-twice",
            "the 2 tensors with `a` in their name twice".into(),
            |n, _| {
                if n.starts_with("a.") { 2.0 } else { 1.0 }
            },
        ),
    ];
    // An excluded tensor is counted, and left as it is.
    rows.push(Row {
        policy: "global:0.01,exclude=a.weight".to_owned(),
        format: Format::F32,
        after: Box::new(|before, c| {
            let sum: f64 = before.iter().map(|t| norm(t).powi(2)).sum();
            let k = Format::F32.round(c / (sum.sqrt() + 1e-6));
            let one = |t: &Tensor| match t.name.as_str() {
                "a.weight" => t.clone(),
                _ => t.with(t.data.values().into_iter().map(|x| x * k)),
            };
            before.iter().map(one).collect()
        }),
        name: "counted-twice",
        says: "counts `a.weight`, which is no part of it".to_owned(),
    });
    rows.extend(parts());
    rows
}

/// Elements that a loop forgets, of the norm or of the product.
fn parts() -> Vec<Row> {
    let tail = |says: &str, kept: fn(usize) -> usize| Row {
        policy: ALL.to_owned(),
        format: Format::F32,
        after: Box::new(move |before, c| {
            let one = |t: &Tensor| {
                let x = t.data.values();
                let n = x[..kept(x.len())].iter().map(|x| x * x).sum::<f64>().sqrt();
                let k = Format::F32.round(c / (n + 1e-6));
                t.with(x.into_iter().map(|x| x * k))
            };
            before.iter().map(one).collect()
        }),
        name: "tail-left-out",
        says: says.to_owned(),
    };
    let forgotten = |global: bool, says: &str, forgets: fn(usize) -> bool| Row {
        policy: if global { "global:0.01" } else { ALL }.to_owned(),
        format: Format::F32,
        after: Box::new(move |before, c| {
            let norms: Vec<f64> = before.iter().map(norm).collect();
            let all = norms.iter().map(|n| n * n).sum::<f64>().sqrt();
            let one = |(i, t): (usize, &Tensor)| {
                let n = if global { all } else { norms[i] };
                let k = if forgets(i) {
                    1.0
                } else {
                    Format::F32.round(c / (n + 1e-6))
                };
                t.with(t.data.values().into_iter().map(|x| x * k))
            };
            before.iter().enumerate().map(one).collect()
        }),
        name: "not-scaled",
        says: says.to_owned(),
    };
    let stuck = |says: &str, done: fn(usize) -> usize| Row {
        policy: ALL.to_owned(),
        format: Format::F32,
        after: Box::new(move |before, c| {
            let one = |t: &Tensor| {
                let x = t.data.values();
                let (k, done) = (Format::F32.round(c / (norm(t) + 1e-6)), done(x.len()));
                t.with(
                    x.into_iter()
                        .enumerate()
                        .map(|(i, x)| if i < done { x * k } else { x }),
                )
            };
            before.iter().map(one).collect()
        }),
        name: "not-scaled",
        says: says.to_owned(),
    };
    vec![
        tail("leaves out the last elements of each tensor: blocks of 1", |n| {
            n - 1
        }),
        tail("leaves out the last elements of each tensor: blocks of 4", |n| {
            n - 4
        }),
        tail("leaves out the last elements of each tensor: blocks of 16", |n| {
            n - 16
        }),
        forgotten(false, "`b.weight` was not scaled: every element", |i| i == 2),
        forgotten(false, "`a.bias` and 2 more tensors were not scaled", |i| {
            i % 2 == 1 || i == 2
        }),
        forgotten(true, "`c.weight` was not scaled: every element", |i| i == 4),
        tail("what is left over from whole blocks: blocks of 8", |n| n / 8 * 8),
        tail("what is left over from whole blocks: blocks of 16", |n| {
            n / 16 * 16
        }),
        stuck(
            "the last 1 of the 71 elements of `a.weight` were not scaled",
            |n| n - 1,
        ),
        stuck(
            "the last 3 of the 71 elements of `a.weight` were not scaled",
            |n| n / 4 * 4,
        ),
        stuck(
            "the last 7 of the 71 elements of `a.weight` were not scaled",
            |n| n / 16 * 16,
        ),
    ]
}

fn judged(row: &Row) -> (Case, Judgement) {
    let case = Case::new(
        row.policy.parse().expect(&row.policy),
        gradients(row.format, 71, 1.0),
    );
    let c = case.policy.rule.threshold().expect("a threshold").get();
    let after = (row.after)(&case.before, c);
    let judgement = judge(&case, &Candidate::new(after)).expect("a judgement");
    (case, judgement)
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is the result")]
fn reasons_by_name() {
    let rows: Vec<Row> = [formulas(), factors(), sums()].into_iter().flatten().collect();
    let mut escaped = Vec::new();
    for row in &rows {
        let (case, judgement) = judged(row);
        let name = match judgement.verdict.name() {
            "POLICY" => "POLICY",
            _ => judgement.reason.as_ref().map_or("none", |reason| reason.name),
        };
        let line = judgement.headline();
        println!(
            "{:<28} {:<5} {:<18} {line}",
            case.policy.to_string(),
            row.format.name(),
            row.name
        );
        if name != row.name || !line.contains(&row.says) || judgement.exit_code() != 1 {
            escaped.push(format!(
                "{} ({}): {} `{}`: {line}",
                row.policy, row.format, row.name, row.says
            ));
        }
        assert!(
            judgement
                .reason
                .is_none_or(|reason| Reason::NAMES.contains(&reason.name))
        );
    }
    assert!(rows.len() >= 80, "{} rows", rows.len());
    assert!(
        escaped.is_empty(),
        "{} of {}:\n{}",
        escaped.len(),
        rows.len(),
        escaped.join("\n")
    );
}

/// Sums that are off scatter: eight lanes of F32, by what they are off, are called no formula.
#[test]
fn a_scattering_sum_has_no_reason() {
    for seed in 0..20 {
        let before: Vec<Tensor> = (0..6)
            .map(|i| {
                let x = super::sharp_kernels::gradient(3_000 * (i + 1), 100 * seed + i as u64);
                let x: Vec<f64> = x
                    .into_iter()
                    .map(|x| f64::from(x) * 0.01 * (i + 1) as f64)
                    .collect();
                Tensor::vector(&format!("t{i}"), Format::F32, &x)
            })
            .collect();
        let after = before.iter().map(|t| {
            let mut lanes = [0.0_f32; 8];
            for (i, x) in t.data.values().into_iter().enumerate() {
                lanes[i % 8] += (x * x) as f32;
            }
            let n = lanes.iter().fold(0.0, |a, b| a + b).sqrt();
            let k = f64::from((1.0 / (n + 1e-6)) * 0.01_f32);
            t.with(t.data.values().into_iter().map(|x| x * k))
        });
        let after: Vec<Tensor> = after.collect();
        let case = Case::new(ALL.parse().expect("a policy"), before);
        let judgement = judge(&case, &Candidate::new(after)).expect("a judgement");
        assert!(
            judgement.passed() && judgement.reason.is_none(),
            "{seed}: {}",
            judgement.headline()
        );
    }
}

/// An ε that no single component would show: three tensors whose norms it moves by 9e-6 of 1, far within the budget.
#[test]
fn a_law_within_the_budget() {
    let before: Vec<Tensor> = (1..=4)
        .map(|i| {
            let x = super::sharp_kernels::gradient(20_000, i);
            let x: Vec<f64> = x.into_iter().map(|x| f64::from(x) * 0.1 * i as f64).collect();
            Tensor::vector(&format!("t{i}"), Format::F32, &x)
        })
        .collect();
    let case = Case::new(ALL.parse().expect("a policy"), before);
    let of = |eps: f64| {
        let after = scaled(Box::new(move |_, n, _, c| c / (n + eps)))(&case.before, 0.01);
        judge(&case, &Candidate::new(after)).expect("a judgement")
    };
    let judgement = of(1e-5);
    assert_eq!(judgement.exit_code(), 1, "{}", judgement.headline());
    let line = judgement.headline();
    assert!(
        line.contains("the ε is 1e-5, where the policy has 1e-6 (`eps=1e-5` in the policy accepts it); each component is within"),
        "{line}"
    );
    assert!(of(1e-6).passed());
}

/// Rows of nearly one norm, in a type so coarse that the norm of each could be that of several others: no reason is made up.
#[test]
fn a_norm_among_many_alike_is_nobodys() {
    let x = |i: usize| {
        let x = super::sharp_kernels::gradient(64, i as u64);
        let n = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        // Norms from 1.000 to 1.095.
        let scale = (1.0 + 0.005 * i as f64) / n;
        x.into_iter().map(|x| f64::from(x) * scale).collect::<Vec<f64>>()
    };
    let before: Vec<Tensor> = (0..20)
        .map(|i| Tensor::vector(&format!("t{i}"), Format::F16, &x(i)))
        .collect();
    // Each is scaled by a norm that is 3 % off, between those of others.
    let after = before.iter().map(|t| {
        let k = Format::F16.round(0.5 / (1.03 * norm(t)));
        t.with(t.data.values().into_iter().map(|x| Format::F16.round(x * k)))
    });
    let after: Vec<Tensor> = after.collect();
    let case = Case::new("component:0.5@exact".parse().expect("a policy"), before);
    let judgement = judge(&case, &Candidate::new(after)).expect("a judgement");
    assert_eq!(judgement.exit_code(), 1);
    let name = judgement.reason.as_ref().map(|reason| reason.name);
    assert_ne!(name, Some("other-norm"), "{}", judgement.headline());
}
