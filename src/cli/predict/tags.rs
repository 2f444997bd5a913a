//! Predictions of a model of tags: one tag for each word of a sentence.

use super::rows::{check_names, with_objects};
use crate::cli::Error;
use crate::cli::predict::args::Format;
use crate::cli::progress::Progress;
use crate::cli::score::largest;
use crate::data::{Carried, Encoding, Example};
use crate::model::ModelConfig;
use crate::nn::cross_entropy::softmax;
use serde_json::{Map, Value, json};

/// Sentences, their tokens, and the logits of every token.
pub(super) struct Tagged<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) examples: &'a [Example],
    pub(super) encodings: &'a [Encoding],
    pub(super) logits: &'a [Vec<f64>],
}

/// A list for each word has no place in a table.
pub(super) fn check(format: Format) -> Result<(), Error> {
    if format == Format::Jsonl {
        return Ok(());
    }
    Err(Error::Usage(
        "this model predicts a tag for each word: --format jsonl is right, with a list of tags for each sentence; csv, tsv and \
         table have one row a text"
            .to_owned(),
    ))
}

impl Tagged<'_> {
    /// The predictions with the words that they are of.
    pub(super) fn alone(&self) -> Vec<String> {
        let objects = self.objects("").into_iter().zip(self.examples).enumerate();
        let line = |(index, (object, example)): (usize, (Map<String, Value>, &Example))| {
            let mut line = Map::from_iter([
                ("index".to_owned(), index.into()),
                ("tokens".to_owned(), json!(example.words)),
            ]);
            line.extend(object);
            Value::Object(line).to_string()
        };
        objects.map(line).collect()
    }

    /// The columns of the input, and the predictions after them.
    pub(super) fn beside(&self, carried: Carried, prefix: &str) -> Result<Vec<String>, Error> {
        let names = ["tags", "probabilities", "logits"].map(|name| format!("{prefix}{name}"));
        check_names(&carried, &names, Format::Jsonl)?;
        Ok(with_objects(carried, self.objects(prefix)))
    }

    /// Says how many words have no prediction, if there are any.
    pub(super) fn warn(&self, progress: &mut Progress) {
        let firsts = || self.encodings.iter().flat_map(|encoding| &encoding.first_tokens);
        let lost = firsts().filter(|first| first.is_none()).count();
        if lost > 0 {
            progress.message(&format!(
                "warning: {lost} of {} words have no tag (null): they were cut off, or the tokenizer makes no token of them",
                firsts().count()
            ));
        }
    }

    /// `{"tags": […], "probabilities": […], "logits": [[…]]}`: of each word its tag, the tag's probability and the logits of
    /// all tags; `null` of a word without a token.
    fn objects(&self, prefix: &str) -> Vec<Map<String, Value>> {
        let c = self.config.num_labels();
        let object = |(encoding, z): (&Encoding, &Vec<f64>)| {
            let words = encoding.first_tokens.iter();
            let words: Vec<Option<&[f64]>> = words.map(|first| first.map(|at| &z[at * c..][..c])).collect();
            let tags = words.iter().map(|z| z.map(|z| &self.config.labels[largest(z)]));
            let probability = |z: &[f64]| softmax(z.iter().copied())[largest(z)];
            let probabilities = words.iter().map(|z| z.map(probability));
            let values = [
                json!(tags.collect::<Vec<_>>()),
                json!(probabilities.collect::<Vec<_>>()),
                json!(words),
            ];
            let names = ["tags", "probabilities", "logits"].map(|name| format!("{prefix}{name}"));
            names.into_iter().zip(values).collect()
        };
        self.encodings.iter().zip(self.logits).map(object).collect()
    }
}
