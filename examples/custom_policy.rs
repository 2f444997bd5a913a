//! A policy of one's own, put together from its four parts, and the same policy as text.
//!
//! ```text
//! cargo run --example custom_policy --no-default-features
//! ```

#![expect(clippy::print_stdout, reason = "it is an example")]

use cwgnc::clip::{ClipPolicy, Convention, Edge, ParamGrad, Partition, Rule, Statistic, Threshold, clip};
use ndarray::array;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each output of a layer by itself, by the root mean square of what flows into it, and never a NaN in silence.
    let policy = ClipPolicy {
        partition: Partition::Row,
        statistic: Statistic::Rms,
        rule: Rule::norm(Threshold::new(0.5)?, Convention::Exact),
        edge: Edge::Error,
        selections: Vec::new(),
        separator: None,
    };
    println!("{policy}");
    assert_eq!(policy.to_string().parse::<ClipPolicy>()?, policy);

    let mut weight = array![[3.0_f64, 4.0], [0.3, 0.4]];
    let mut grads = [ParamGrad::new("weight", weight.view_mut().into_dyn())];
    let report = clip(&policy, &mut grads)?;
    for c in &report.components {
        println!("{}  rms {:.3} -> {:.3}", c.id, c.norm_before, c.norm_after);
    }
    // rms(3, 4) = √(25/2) = 3.54 is brought down to 0.5; rms(0.3, 0.4) = 0.354 is below it and kept.
    println!("{weight}");

    // Not finite: an error that names the component, and gradients as they were.
    let mut broken = array![f64::NAN, 1.0];
    let refused = clip(
        &policy,
        &mut [ParamGrad::new("bias", broken.view_mut().into_dyn())],
    );
    println!("{}", refused.expect_err("NaN is refused"));
    Ok(())
}
