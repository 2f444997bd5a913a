//! Shapes that trip code: scalars, nothing at all, axes of length 1, many axes, units of every partition.

use super::draw::Draw;
use super::pack::{Class, List, policy_of};
use crate::oracle::{Case, Format, Tensor};

/// Shapes of one case, and what is odd about them.
const SHAPES: [(&str, &[&[usize]]); 6] = [
    ("a scalar beside a vector", &[&[], &[3]]),
    ("a tensor without elements, first", &[&[0], &[4], &[2, 0, 3]]),
    ("axes of length 1", &[&[1, 5], &[5, 1], &[1, 1, 1]]),
    ("four axes, as in a convolution", &[&[3, 2, 2, 2], &[3]]),
    ("five axes", &[&[2, 2, 1, 3, 2]]),
    ("a wide and a tall matrix", &[&[2, 17], &[17, 2]]),
];

pub(super) fn fill(list: &mut List) {
    let mut draw = Draw::new(list.seed, "layout");
    for (note, shapes) in SHAPES {
        for policy in [
            "component:0.5@exact",
            "row:0.5@exact",
            "agc:0.125",
            "optax-unit:0.5@optax",
        ] {
            let tensors = |draw: &mut Draw| -> Vec<Tensor> {
                let numbered = shapes.iter().enumerate();
                numbered
                    .map(|(i, shape)| {
                        let len = shape.iter().product();
                        let x: Vec<f64> = (0..len).map(|_| draw.number(-3, 1)).collect();
                        Tensor::new(&format!("layer.{i}.weight"), shape, Format::F32, &x)
                    })
                    .collect()
            };
            let mut case = Case::new(policy_of(policy), tensors(&mut draw));
            if case.policy.rule.needs_values() {
                case.values = tensors(&mut draw);
            }
            list.push(Class::Layout, note, case);
        }
    }
    let mixed = [Format::F32, Format::F16, Format::Bf16];
    for partition in ["component", "global"] {
        let before = mixed.iter().map(|&format| {
            let name = format!("{}.weight", format.name().to_lowercase());
            draw.vector(&name, format, 5)
        });
        let before = before.collect();
        list.add(
            Class::Layout,
            "three element types at once",
            &format!("{partition}:0.5@exact"),
            before,
        );
    }
}
