//! A clipper of one's own, judged: `main` is all it takes.
//!
//! ```text
//! cargo run --example judge_my_clipper --no-default-features
//! ```

use cwgnc::cases::{Pack, examine};
use cwgnc::clip::{Convention, Partition, Rule, Statistic};
use cwgnc::oracle::{Case, Format, Tensor};

/// The clipper under examination: each tensor by itself, in `f32`, with PyTorch's formula.
fn my_clipper(c: f32, grad: &[f32]) -> Vec<f32> {
    let n = grad.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
    let k = 1.0 / (n + 1e-6) * c;
    // Not `k.min(1.0)`: that would make 1 of NaN.
    let k = if k > 1.0 { 1.0 } else { k };
    grad.iter().map(|x| x * k).collect()
}

/// What the clipper cannot do, it declines.
fn answer(case: &Case) -> Result<Vec<Tensor>, String> {
    let policy = &case.policy;
    let usual = policy.partition == Partition::Parameter && policy.statistic == Statistic::L2;
    let f32s = case.before.iter().all(|t| t.data.format() == Format::F32);
    let (
        Rule::Norm {
            threshold,
            convention: Convention::Torch,
        },
        true,
        true,
        [],
    ) = (&policy.rule, usual, f32s, &policy.selections[..])
    else {
        return Err("not mine".to_owned());
    };
    let clip = |grad: &Tensor| {
        let x: Vec<f32> = grad.data.values().iter().map(|x| *x as f32).collect();
        let y = my_clipper(threshold.get() as f32, &x);
        grad.with(y.into_iter().map(f64::from))
    };
    Ok(case.before.iter().map(clip).collect())
}

fn main() {
    let cases = [Pack::Core, Pack::Edge]
        .into_iter()
        .flat_map(|pack| pack.cases(0));
    let examination = examine(cases, answer);
    assert!(examination.passed(), "{examination}");
    #[expect(clippy::print_stdout, reason = "an example shows its result")]
    {
        println!("{examination}");
    }
}
