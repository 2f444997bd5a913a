//! A clipper of one's own, judged: `main` is all it takes.
//!
//! ```text
//! cargo run --example judge_my_clipper --no-default-features
//! ```

use cwgnc::cases::{Class, Pack, Template, Wanted, examine};
use cwgnc::clip::{ClipPolicy, Convention, Partition};
use cwgnc::oracle::{Case, Format, Tensor};

/// What the clipper is for: each tensor by itself, with PyTorch's formula, whatever the threshold.
const POLICY: &str = "component:*@torch";

/// The clipper under examination, in `f32`.
fn my_clipper(c: f32, grad: &[f32]) -> Vec<f32> {
    let n = grad.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
    let k = 1.0 / (n + 1e-6) * c;
    // Not `k.min(1.0)`: that would make 1 of NaN.
    let k = if k > 1.0 { 1.0 } else { k };
    grad.iter().map(|x| x * k).collect()
}

/// Calls the clipper. What it is not for, it declines: the laws ask with exclusions and ties too.
fn answer(case: &Case) -> Result<Vec<Tensor>, String> {
    let c = case.policy.rule.threshold().ok_or("no threshold")?;
    if case.policy != ClipPolicy::norm(Partition::Parameter, c, Convention::Torch) {
        return Err("not mine".to_owned());
    }
    let clip = |grad: &Tensor| {
        let x: Vec<f32> = grad.data.values().iter().map(|x| *x as f32).collect();
        let y = my_clipper(c.get() as f32, &x);
        grad.with(y.into_iter().map(f64::from))
    };
    Ok(case.before.iter().map(clip).collect())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let template: Template = POLICY.parse()?;
    // A clipper that does not promise something leaves out its class: `without: vec![Class::NonFinite]`.
    let wanted = Wanted {
        formats: vec![Format::F32],
        count: 300,
        without: Vec::<Class>::new(),
        ..Wanted::default()
    };
    let examination = examine(Pack::cases_for(&template, &wanted)?, answer);
    assert!(examination.passed(), "{examination}");
    #[expect(clippy::print_stdout, reason = "an example shows its result")]
    {
        println!("{examination}");
    }
    Ok(())
}
