//! `cwgnc predict`: labels with their probabilities, or values, by themselves, beside the columns of the input, or as GLUE's
//! server takes them.

pub(super) mod args;
mod input;
mod rows;
mod submission;
mod tags;

use super::choice::Dtype;
use super::corpus::flags;
use super::output;
use super::progress::Progress;
use super::reading::Asked;
use super::source::encoded;
use super::task::Chosen;
use super::{Error, in_threads, machine, print_document};
use crate::checkpoint::{self, Purpose};
use crate::data::TextEncoder;
use crate::model::{Problem, SequenceClassifier};
use crate::real::Real;
use crate::train::predict;
use args::{Format, Predict, Split};
use input::Input;
use std::path::Path;
use tags::Tagged;

/// Runs the command.
pub(super) fn command(args: &Predict) -> Result<(), Error> {
    check(args)?;
    in_threads(args.run.threads, || match args.dtype {
        Dtype::F32 => run::<f32>(args),
        Dtype::F64 => run::<f64>(args),
    })?
}

fn run<T: Real>(args: &Predict) -> Result<(), Error> {
    let mut progress = Progress::new(args.quiet);
    machine::warn_unless_portable(args.quiet);
    let config = checkpoint::read_config(&args.model.dir)?.config;
    let asked = Asked::of(&args.model.dir, flags(&args.columns), &config)?;
    let format = args.format.unwrap_or(Format::Jsonl);
    if config.problem == Problem::Tokens {
        tags::check(format)?;
    }
    let input = Input::read(args, &config, &asked, &mut progress)?;
    let encoder = TextEncoder::from_folder(&args.model.dir, &config)?;
    let encodings = encoded(&encoder, &input.examples, asked.max_tokens, &mut progress)?;
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
    if let (Some(test), None) = (&input.test, args.format) {
        return submission::write(test, &logits, args.output.as_deref());
    }
    let prefix = args.prefix.as_deref().unwrap_or("predicted_");
    let tagged = (config.problem == Problem::Tokens).then(|| Tagged {
        config: &config,
        examples: &input.examples,
        encodings: &encodings,
        logits: &logits,
    });
    if let Some(tagged) = &tagged {
        tagged.warn(&mut progress);
    }
    let lines = match (tagged, input.carried) {
        (Some(tagged), None) => tagged.alone(),
        (Some(tagged), Some(carried)) => tagged.beside(carried, prefix)?,
        (None, None) => rows::alone(&config, &logits, format == Format::Table),
        (None, Some(carried)) => rows::beside(carried, &config, &logits, format, prefix)?,
    };
    write(&lines, args.output.as_deref())
}

/// What the flags say together.
fn check(args: &Predict) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::Usage(why.to_owned()));
    if args.prefix.is_some() && !args.carries() {
        return refuse(
            "--prefix is for predictions beside the columns of the input: give --keep-columns too",
        );
    }
    // clap does not ask for a flag that contradicts another one that is there.
    if args.split == Split::Test && args.task.is_none() {
        return refuse("--split test is for a task: give --task and --data");
    }
    if args.input_format.is_some() && args.file.is_none() {
        return refuse("--input-format is for --file");
    }
    if args.split == Split::Test && args.format.is_none() {
        if args.keep_columns {
            return refuse(
                "--split test without --format writes a submission, which has no other columns: give --format too",
            );
        }
        if let Some(Chosen::Glue(task, _)) = args
            .task
            .as_deref()
            .map(|task| Chosen::parse(task, args.data.as_deref()))
            .transpose()?
        {
            return submission::check(task, args.output.as_deref());
        }
    }
    Ok(())
}

/// Writes the lines to a file, completely or not at all, or prints them.
fn write(lines: &[String], output: Option<&Path>) -> Result<(), Error> {
    let mut text = lines.join("\n");
    let Some(path) = output else {
        return print_document(&text);
    };
    text.push('\n');
    output::make_parent(path)?;
    Ok(checkpoint::write_atomic(path, |out| {
        out.write_all(text.as_bytes())
    })?)
}
