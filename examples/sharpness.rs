//! The table of docs/oracle.md: what the judge says, without a declaration, of kernels that are right and wrong.
//!
//! `cargo run --release --example sharpness -- 10000 100000 1000000 10000000 100000000`

use cwgnc::oracle::{Candidate, Case, Data, Judgement, Tensor, Verdict, judge};

#[path = "../tests/it/sharp_kernels.rs"]
mod sharp_kernels;
use sharp_kernels::{Kernel, RIGHT, WRONG, gradient};

fn judged(kernel: &Kernel, x: &[f32]) -> Judgement {
    let tensor = |x: Vec<f32>| Tensor {
        name: "w".into(),
        shape: vec![x.len()],
        data: Data::F32(x),
    };
    let after = Candidate::new(vec![tensor((kernel.clip)(x))]);
    let case = Case::new(
        kernel.policy.parse().expect(kernel.policy),
        vec![tensor(x.to_vec())],
    );
    judge(&case, &after).expect("a judgement")
}

fn cell(judgement: &Judgement) -> String {
    match &judgement.verdict {
        Verdict::Pass { ulp: 0, .. } => "PASS, bitwise".to_owned(),
        Verdict::Pass { share, .. } => format!("PASS, {:.0} %", 100.0 * share),
        Verdict::Weak { needs, .. } => format!("WEAK ({needs})"),
        Verdict::FailRounding { ratio } | Verdict::FailLogic { ratio } => {
            let reason = judgement.reason.as_ref().map_or("", |reason| reason.name);
            format!("FAIL {ratio:.3}x {reason}")
        }
        other => other.name().to_owned(),
    }
}

#[expect(clippy::print_stdout, reason = "an example prints")]
fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    let sizes = if sizes.is_empty() {
        vec![10_000, 100_000, 1_000_000]
    } else {
        sizes
    };
    let mut rows: Vec<String> = RIGHT
        .iter()
        .chain(&WRONG)
        .map(|kernel| format!("| {} |", kernel.name))
        .collect();
    for &n in &sizes {
        let x = gradient(n, 7);
        for (row, kernel) in rows.iter_mut().zip(RIGHT.iter().chain(&WRONG)) {
            *row = format!("{row} {} |", cell(&judged(kernel, &x)).trim_end());
        }
    }
    let heads: Vec<String> = sizes.iter().map(ToString::to_string).collect();
    println!(
        "| kernel | {} |\n|---|{}",
        heads.join(" | "),
        "---|".repeat(sizes.len())
    );
    println!("{}", rows.join("\n"));
}
