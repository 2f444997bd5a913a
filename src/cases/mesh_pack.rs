//! The pack `mesh`: a model as it lies on many devices, written out as one list of tensors.
//!
//! The shards of a tensor are `NAME.rank0`, `NAME.rank1`, …; under the partition `module` they share a norm, which is then
//! that of the whole tensor, and under `global` the norm is that of all. Replicas are `NAME.copyN` and follow without
//! being counted; a tied tensor is named by `tie`. A rank that holds nothing has a tensor without elements.

use super::draw::Draw;
use super::pack::{Class, List};
use crate::oracle::{Format, Tensor};

const WEIGHTS: [&str; 3] = ["embeddings", "layer.0.attention", "layer.0.output"];

pub(super) fn fill(list: &mut List) {
    let mut draw = Draw::new(list.seed, "mesh");
    for ranks in [1, 2, 3, 4, 8] {
        for format in [Format::F32, Format::Bf16] {
            for policy in [
                "global:0.5",
                "module:0.5@exact",
                "global:0.5@exact,norm=1",
                "module:0.5,norm=inf",
            ] {
                let before = WEIGHTS
                    .iter()
                    .flat_map(|name| shards(&mut draw, name, ranks, format));
                let before = before.collect();
                list.add(
                    Class::Mesh,
                    "shards: the norm is that of the whole tensor, whatever the cut; some ranks hold nothing",
                    policy,
                    before,
                );
            }
        }
    }
    for copies in [1, 3, 7] {
        for policy in ["global:0.5@exact", "module:0.5"] {
            replicas(list, &mut draw, copies, policy);
        }
    }
    for policy in ["global:0.5", "component:0.5@exact"] {
        let embedding = draw.vector("embeddings.weight", Format::F32, 12);
        let mut head = embedding.clone();
        "lm_head.weight".clone_into(&mut head.name);
        let other = draw.vector("layer.0.output.weight", Format::F32, 6);
        list.add(
            Class::Mesh,
            "tied tensors count once, and both are scaled",
            &format!("{policy},tie=lm_head.weight:embeddings.weight"),
            vec![embedding, other, head],
        );
    }
    for policy in ["global:0.5", "global:0.5@exact"] {
        let before = vec![
            draw.vector("layer.0.weight", Format::F32, 8),
            draw.vector("experts.0.weight", Format::F32, 8),
            draw.vector("experts.1.weight", Format::F32, 8),
        ];
        list.add(
            Class::Mesh,
            "experts are scaled with the others and not counted",
            &format!("{policy},follow=experts.*"),
            before,
        );
    }
}

/// A tensor cut at random places; with many ranks some get nothing.
fn shards(draw: &mut Draw, name: &str, ranks: usize, format: Format) -> Vec<Tensor> {
    let whole: Vec<f64> = (0..10).map(|_| draw.number(-3, 1)).collect();
    let mut cuts: Vec<usize> = (1..ranks).map(|_| draw.below(whole.len() + 1)).collect();
    cuts.extend([0, whole.len()]);
    cuts.sort_unstable();
    let pieces = cuts.windows(2).enumerate();
    pieces
        .map(|(rank, cut)| Tensor::vector(&format!("{name}.rank{rank}"), format, &whole[cut[0]..cut[1]]))
        .collect()
}

fn replicas(list: &mut List, draw: &mut Draw, copies: usize, policy: &str) {
    let original = draw.vector("norm.weight", Format::F32, 6);
    let mut before = vec![original.clone(), draw.vector("dense.weight", Format::F32, 9)];
    for copy in 1..=copies {
        let mut replica = original.clone();
        replica.name = format!("norm.copy{copy}");
        before.push(replica);
    }
    list.add(
        Class::Mesh,
        "replicas are scaled with their original and counted once",
        &format!("{policy},follow=*.copy*"),
        before,
    );
}
