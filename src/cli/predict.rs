//! `cwgnc predict`: labels with their probabilities, or values.

use super::args::Predict;
use super::choice::{Dtype, Format};
use super::corpus::to_predict;
use super::output;
use super::progress::Progress;
use super::reading::{Asked, Flags};
use super::score::largest;
use super::source::encoded;
use super::{Error, in_threads, machine, print};
use crate::checkpoint::{self, Purpose};
use crate::data::TextEncoder;
use crate::model::{ModelConfig, Problem, SequenceClassifier};
use crate::nn::cross_entropy::softmax;
use crate::real::Real;
use crate::train::predict;
use serde_json::{Map, Value, json};

/// Runs the command.
pub(super) fn command(args: &Predict) -> Result<(), Error> {
    in_threads(args.run.threads, || match args.dtype {
        Dtype::F32 => run::<f32>(args),
        Dtype::F64 => run::<f64>(args),
    })?
}

fn run<T: Real>(args: &Predict) -> Result<(), Error> {
    let mut progress = Progress::new(args.quiet);
    machine::warn_unless_portable(args.quiet);
    let config = checkpoint::read_config(&args.model.dir)?.config;
    let flags = Flags {
        text: args.text_column.as_ref(),
        pair: args.text_pair_column.as_ref(),
        label: args.label_column.as_ref(),
        max_tokens: args.max_seq_length,
    };
    let asked = Asked::of(&args.model.dir, flags, &config)?;
    let examples = to_predict(args, &config, &asked, &mut progress)?;
    let encoder = TextEncoder::from_folder(&args.model.dir, &config)?;
    let encodings = encoded(&encoder, &examples, asked.max_tokens, &mut progress)?;
    let zeros = SequenceClassifier::<T>::zeros;
    let (model, _) = checkpoint::load(&args.model.dir, &config, Purpose::Inference, zeros)?;
    let inputs: Vec<_> = encodings
        .iter()
        .map(|e| (&e.ids[..], &e.token_types[..]))
        .collect();
    let batch = args.run.per_device_eval_batch_size;
    let logits = predict(&config, &model, &inputs, batch, |done| {
        progress.count("predicting", done, inputs.len());
    });
    progress.wipe();
    let lines = match args.format {
        Format::Jsonl => logits
            .iter()
            .enumerate()
            .map(|(i, z)| json_line(&config, i, z).to_string())
            .collect(),
        Format::Table => table(&config, &logits),
    };
    let mut text = lines.join("\n");
    if let Some(path) = &args.output {
        text.push('\n');
        output::make_parent(path)?;
        return Ok(checkpoint::write_atomic(path, |out| {
            out.write_all(text.as_bytes())
        })?);
    }
    text.lines().try_for_each(print)
}

/// `{"index": 0, "label": …, "probability": …, "probabilities": {…}, "logits": […]}`, or `"value"` for a regression.
fn json_line(config: &ModelConfig, index: usize, z: &[f64]) -> Value {
    if config.problem == Problem::Regression {
        return json!({ "index": index, "value": z[0], "logits": z });
    }
    let p = softmax(z.iter().copied());
    let best = largest(z);
    let probabilities: Map<String, Value> = config
        .labels
        .iter()
        .cloned()
        .zip(p.iter().map(|&p| p.into()))
        .collect();
    json!({
        "index": index,
        "label": config.labels[best],
        "probability": p[best],
        "probabilities": probabilities,
        "logits": z,
    })
}

/// A header and one row for each example, columns aligned.
fn table(config: &ModelConfig, logits: &[Vec<f64>]) -> Vec<String> {
    let mut rows = Vec::with_capacity(logits.len() + 1);
    if config.problem == Problem::Regression {
        rows.push(vec!["index".to_owned(), "value".to_owned()]);
        rows.extend(
            logits
                .iter()
                .enumerate()
                .map(|(i, z)| vec![i.to_string(), format!("{:.4}", z[0])]),
        );
    } else {
        let labels = config.labels.iter().map(|label| format!("p({label})"));
        rows.push(
            ["index".to_owned(), "label".to_owned()]
                .into_iter()
                .chain(labels)
                .collect(),
        );
        rows.extend(logits.iter().enumerate().map(|(i, z)| {
            let p = softmax(z.iter().copied());
            let label = config.labels[largest(z)].clone();
            [i.to_string(), label]
                .into_iter()
                .chain(p.iter().map(|p| format!("{p:.4}")))
                .collect()
        }));
    }
    super::aligned(&rows)
}
