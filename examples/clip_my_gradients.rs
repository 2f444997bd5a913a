//! Clip gradients of one's own: any names, any shapes, f32 or f64; nothing else of the crate is needed.
//!
//! ```text
//! cargo run --example clip_my_gradients --no-default-features
//! ```

#![expect(clippy::print_stdout, reason = "it is an example")]

use cwgnc::clip::{ClipPolicy, ParamGrad, clip};
use ndarray::array;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut weight, mut bias) = (array![[3.0_f32, 0.0], [0.0, 4.0]], array![0.01_f32, -0.02]);
    let mut grads = [
        ParamGrad::new("weight", weight.view_mut().into_dyn()),
        ParamGrad::new("bias", bias.view_mut().into_dyn()),
    ];
    let report = clip(&"component:0.05".parse::<ClipPolicy>()?, &mut grads)?;
    for c in &report.components {
        println!("{:6}  norm {:.4} -> {:.4}", c.id, c.norm_before, c.norm_after);
    }
    println!("{weight}\n{bias}");
    Ok(())
}
