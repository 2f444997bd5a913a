//! `cwgnc inspect`: what is in a model folder.

use super::args::Inspect;
use super::{Error, aligned, print, print_document};
use crate::checkpoint::{self, LoadReport, Purpose};
use crate::model::{ModelConfig, SequenceClassifier};
use crate::param::ParamTree;
use crate::reduce;
use serde_json::{Value, json};

/// A component: a named parameter tensor.
struct Component {
    name: String,
    shape: Vec<usize>,
    elements: usize,
    /// Its L2 norm; `None` where the folder does not have it.
    norm: Option<f64>,
}

/// Runs the command.
pub(super) fn command(args: &Inspect) -> Result<(), Error> {
    let config = checkpoint::read_config(&args.dir)?.config;
    let zeros = SequenceClassifier::<f32>::zeros;
    let (model, report) = checkpoint::load(&args.dir, &config, Purpose::FineTuning, zeros)?;
    let components = components(&model, &report);
    let total: usize = components.iter().map(|c| c.elements).sum();
    if args.json {
        let json = json(&config, &report, &components, total);
        return print_document(&format!("{json:#}"));
    }
    print(&format!(
        "{}: {} layers, hidden {}, {} heads, feed-forward {}, {:?}, vocabulary {}, {} positions, labels {}",
        config.family.model_type(),
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        config.intermediate_size,
        config.hidden_act,
        config.vocab_size,
        config.max_position_embeddings,
        config.labels.join(", ")
    ))?;
    report.to_string().lines().try_for_each(print)?;
    let mut rows = vec![
        ["component", "shape", "elements", "norm"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(components.iter().map(|c| {
        let norm = c
            .norm
            .map_or("to be initialised".to_owned(), |norm| format!("{norm:.4}"));
        vec![
            c.name.clone(),
            format!("{:?}", c.shape),
            c.elements.to_string(),
            norm,
        ]
    }));
    rows.push(vec![
        format!("{} components", components.len()),
        String::new(),
        total.to_string(),
        String::new(),
    ]);
    aligned(&rows).iter().try_for_each(|line| print(line))
}

fn components(model: &SequenceClassifier<f32>, report: &LoadReport) -> Vec<Component> {
    let component = |(name, value): (String, ndarray::ArrayViewD<'_, f32>)| {
        let norm = (!report.to_initialise.contains(&name))
            .then(|| reduce::norms(&[value.as_slice().expect("a parameter is in standard layout")])[0]);
        Component {
            shape: value.shape().to_vec(),
            elements: value.len(),
            norm,
            name,
        }
    };
    model.params().into_iter().map(component).collect()
}

fn json(config: &ModelConfig, report: &LoadReport, components: &[Component], total: usize) -> Value {
    let components: Vec<Value> = components
        .iter()
        .map(|c| json!({ "name": c.name, "shape": c.shape, "elements": c.elements, "norm": c.norm }))
        .collect();
    json!({
        "model_type": config.family.model_type(),
        "num_hidden_layers": config.num_hidden_layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_position_embeddings,
        "labels": config.labels,
        "elements": total,
        "components": components,
        "renamed": report.renamed.iter().map(|(from, to)| json!({ "from": from, "to": to })).collect::<Vec<_>>(),
        "ignored": report.ignored,
        "to_initialise": report.to_initialise,
    })
}
