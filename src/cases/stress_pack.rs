//! The pack `stress`: long tensors and wide ranges. A recipe; its files are too large to be kept.

use super::core_pack::NAMES;
use super::draw::Draw;
use super::pack::{Class, List};
use crate::oracle::{Format, Tensor};

pub(super) fn fill(list: &mut List) {
    tails(list);
    stagnation(list);
    wide(list);
}

fn tails(list: &mut List) {
    let mut draw = Draw::new(list.seed, "long tails");
    for block in [512, 1024, 4096, 65536] {
        for len in [block - 1, block, block + 1] {
            for format in [Format::F32, Format::Bf16] {
                let mut x: Vec<f64> = (0..len).map(|_| draw.number(-3, 0)).collect();
                x[len - 1] = draw.sign(1024.0);
                list.add(
                    Class::Tail,
                    "the last element holds most of the norm",
                    "component:1@exact",
                    vec![Tensor::vector(NAMES[0], format, &x)],
                );
            }
        }
    }
}

fn stagnation(list: &mut List) {
    for (len, at) in [(100_000, 0), (100_000, 99_999), (1_000_000, 0)] {
        for partition in ["component", "global"] {
            let mut x = vec![1.0; len];
            x[at] = 4096.0;
            list.add(
                Class::Stagnation,
                "4096 and ones: a sequential f32 sum of squares stays at 2²⁴ from there on",
                &format!("{partition}:1@exact"),
                vec![Tensor::vector(NAMES[0], Format::F32, &x)],
            );
        }
    }
}

fn wide(list: &mut List) {
    let mut draw = Draw::new(list.seed, "wide");
    let policies = [
        "component:C@exact",
        "component:C",
        "global:C",
        "global:C@tf-global",
        "global:C@optax",
        "component:C@tf-norm",
        "module:C@exact",
        "layer:C@exact,norm=inf",
        "component:C@exact,norm=1",
        "value:C",
    ];
    for i in 0..60 {
        let format = Format::ALL[i % 4];
        let reach = (format.precision() / 2).min(20);
        let before: Vec<Tensor> = NAMES
            .iter()
            .map(|name| {
                let len = 1 + draw.below(5000);
                let sparse = draw.below(3) == 0;
                let x: Vec<f64> = (0..len)
                    .map(|_| {
                        let x = draw.number(-reach, reach / 2);
                        if sparse && draw.below(50) != 0 { 0.0 } else { x }
                    })
                    .collect();
                Tensor::vector(name, format, &x)
            })
            .collect();
        let threshold = draw.choose(&["0.0078125", "0.05", "1", "30"]);
        let policy = policies[i % policies.len()].replace('C', threshold);
        list.add(
            Class::Wide,
            "magnitudes over many binades, some sparse",
            &policy,
            before,
        );
    }
}
