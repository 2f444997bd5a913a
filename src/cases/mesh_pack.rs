//! The pack `mesh`: a model as it lies on many devices, written out as one list of tensors.
//!
//! The shards of a tensor are `NAME.rank0`, `NAME.rank1`, …; under the partition `module` they share a norm, which is then
//! that of the whole tensor, and under `global` the norm is that of all. Replicas are `NAME.copyN` and follow without
//! being counted; a tied tensor is named by `tie`. A rank that holds nothing has a tensor without elements. On a mesh of two
//! axes a shard is `NAME.dataImodelJ`.

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
    for (data, model) in [(2, 2), (2, 4), (4, 2), (3, 5)] {
        for format in [Format::F32, Format::F64, Format::Bf16] {
            for policy in ["global:0.5", "global:0.5@exact", "module:0.5@exact"] {
                plane(list, &mut draw, (data, model), format, policy);
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
    let cuts = cuts(draw, whole.len(), ranks);
    let pieces = cuts.windows(2).enumerate();
    pieces
        .map(|(rank, cut)| Tensor::vector(&format!("{name}.rank{rank}"), format, &whole[cut[0]..cut[1]]))
        .collect()
}

/// A mesh of two axes, data × tensor parallel. A matrix is cut by columns over the one axis and its columns by rows over the
/// other; a vector is cut over the data axis and has a replica on each rank of the other. With many ranks some get nothing.
fn plane(list: &mut List, draw: &mut Draw, (data, model): (usize, usize), format: Format, policy: &str) {
    const ROWS: usize = 6;
    const COLUMNS: usize = 4;
    let mut before = Vec::new();
    for name in WEIGHTS {
        let whole: Vec<f64> = (0..ROWS * COLUMNS).map(|_| draw.number(-3, 1)).collect();
        let (rows, columns) = (cuts(draw, ROWS, data), cuts(draw, COLUMNS, model));
        for (d, rows) in rows.windows(2).enumerate() {
            for (m, columns) in columns.windows(2).enumerate() {
                let row = |r: usize| &whole[r * COLUMNS + columns[0]..r * COLUMNS + columns[1]];
                let part: Vec<f64> = (rows[0]..rows[1]).flat_map(row).copied().collect();
                let shape = [rows[1] - rows[0], columns[1] - columns[0]];
                before.push(Tensor::new(
                    &format!("{name}.data{d}model{m}"),
                    &shape,
                    format,
                    &part,
                ));
            }
        }
    }
    for (d, shard) in shards(draw, "norm", data, format).into_iter().enumerate() {
        for copy in 1..model {
            before.push(Tensor {
                name: format!("norm.copy{copy}data{d}"),
                ..shard.clone()
            });
        }
        before.push(shard);
    }
    list.add(
        Class::Mesh,
        "a mesh of two axes: matrices cut along both, vectors cut along one and copied along the other",
        &format!("{policy},follow=*.copy*"),
        before,
    );
}

/// Where an axis of this length is cut into so many parts, ends included.
fn cuts(draw: &mut Draw, length: usize, parts: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (1..parts).map(|_| draw.below(length + 1)).collect();
    cuts.extend([0, length]);
    cuts.sort_unstable();
    cuts
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
