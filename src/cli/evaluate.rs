//! `cwgnc eval`: a fine-tuned model and a labelled file.

use super::args::Eval;
use super::choice::Dtype;
use super::class_report::ClassReport;
use super::corpus::{Corpus, flags};
use super::output::eval_results;
use super::progress::Progress;
use super::reading::Asked;
use super::score::{line, scores};
use super::{Error, in_threads, machine, print, print_document, print_lines};
use crate::checkpoint::{self, Purpose};
use crate::data::TextEncoder;
use crate::model::SequenceClassifier;
use crate::real::Real;
use serde_json::Value;

/// Runs the command.
pub(super) fn command(args: &Eval) -> Result<(), Error> {
    in_threads(args.run.threads, || match args.dtype {
        Dtype::F32 => run::<f32>(args),
        Dtype::F64 => run::<f64>(args),
    })?
}

fn run<T: Real>(args: &Eval) -> Result<(), Error> {
    let mut progress = Progress::new(args.quiet);
    machine::warn_unless_portable(args.quiet);
    let config = checkpoint::read_config(&args.model.dir)?.config;
    let asked = Asked::of(&args.model.dir, flags(&args.data.columns), &config)?;
    let corpus = Corpus::for_evaluation(&args.data, &config, &asked, &mut progress)?;
    let encoder = TextEncoder::from_folder(&args.model.dir, &config)?;
    let mut dev = Vec::new();
    for source in &corpus.dev {
        let (sequences, facts) = source.encode_with_facts(&encoder, asked.max_tokens, &mut progress)?;
        if let Some((words, lost @ 1..)) = facts.words {
            progress.message(&format!(
                "warning: {}: {lost} of {words} tags do not count: their words were cut off, or have no token",
                facts.path
            ));
        }
        dev.push(sequences);
    }
    let zeros = SequenceClassifier::<T>::zeros;
    let (model, _) = checkpoint::load(&args.model.dir, &config, Purpose::Inference, zeros)?;
    let batch = args.run.per_device_eval_batch_size;
    let scores = scores(&config, &model, &corpus, &dev, batch, &mut progress)?;
    progress.wipe();
    if args.json {
        let results = eval_results(&scores, None);
        return print_document(&format!("{:#}", Value::Object(results)));
    }
    for scores in &scores {
        for (name, value) in scores.all() {
            print(&line(name, *value))?;
        }
    }
    let reports = scores.iter().filter_map(|scores| scores.classes.as_ref());
    print_lines(reports.flat_map(ClassReport::lines))
}
