//! What a run made of its files and flags, said before the first step and kept in `run.json` as `understood`.
//!
//! Whatever else a run decides by itself belongs here: one entry in [`Understood::record`], one line in
//! [`Understood::text`].

use super::corpus::Corpus;
use super::head::Head;
use super::reading::{Reading, listed};
use super::source::Source;
use crate::data::{Encoding, TokenizerReport, TokenizerSetting};
use crate::model::{Problem, Target};
use serde_json::{Map, Value, json};

/// What was understood.
#[derive(Clone, Debug)]
pub(super) struct Understood {
    files: Vec<FileFacts>,
    reading: Reading,
    /// How many training examples (of tags, words) have each class or label, and how many there are.
    counts: Vec<usize>,
    all: usize,
    /// How many of them have no label, where they may have any number, or no tag.
    without: usize,
    /// The least and the largest value to train on.
    range: Option<(f64, f64)>,
    head: Head,
    tokenizer: TokenizerReport,
    /// How much each class counts in the loss, if not all alike.
    weights: Option<Vec<f64>>,
}

/// Of one file.
#[derive(Clone, Debug)]
pub(super) struct FileFacts {
    pub(super) path: String,
    pub(super) examples: usize,
    pub(super) others: Vec<String>,
    /// Examples of which tokens were cut off.
    pub(super) cut: usize,
    /// Of sentences in words: how many words there are, and how many lost their tag because they were cut off or have no
    /// token.
    pub(super) words: Option<(usize, usize)>,
    /// Examples with a text of nothing but blanks.
    pub(super) blank: usize,
}

impl FileFacts {
    /// What is known of a file when its texts are tokens.
    pub(super) fn of(source: &Source, encodings: &[Encoding]) -> Self {
        let examples = &source.set.examples;
        let is_blank = |text: &str| text.trim().is_empty();
        let blank = examples
            .iter()
            .filter(|example| is_blank(&example.text_a) || example.text_b.as_deref().is_some_and(is_blank));
        let firsts = || encodings.iter().flat_map(|encoding| &encoding.first_tokens);
        let (words, lost) = (firsts().count(), firsts().filter(|first| first.is_none()).count());
        Self {
            path: source.path.display().to_string(),
            examples: examples.len(),
            others: source.others.clone(),
            cut: encodings.iter().filter(|encoding| encoding.cut).count(),
            words: (words > 0).then_some((words, lost)),
            blank: blank.count(),
        }
    }

    fn line(&self, max_tokens: usize) -> String {
        let share = percent(self.cut, self.examples);
        let mut line = format!(
            "{}: {} examples, {share} cut to {max_tokens} tokens",
            self.path, self.examples
        );
        if let Some((words, lost)) = self.words {
            line = format!("{line}, {lost} of {words} tags lost by that or for want of a token");
        }
        if self.blank > 0 {
            line = format!("{line}, {} with a blank text", self.blank);
        }
        if !self.others.is_empty() {
            line = format!("{line}; columns not used: {}", listed(&self.others));
        }
        line
    }
}

impl Understood {
    pub(super) fn new(
        corpus: &Corpus,
        reading: Reading,
        files: Vec<FileFacts>,
        head: Head,
        tokenizer: TokenizerReport,
        weights: Option<Vec<f64>>,
    ) -> Self {
        let targets = corpus.train.as_ref().and_then(|train| train.set.targets());
        let (mut counts, mut range) = (vec![0; reading.labels.len()], None);
        let (mut all, mut without) = (0, 0);
        for target in targets.into_iter().flatten() {
            match target {
                Target::Tags(tags) => {
                    for tag in tags {
                        all += 1;
                        match tag {
                            Some(tag) => counts[tag] += 1,
                            None => without += 1,
                        }
                    }
                    continue;
                }
                Target::Class(class) => counts[class] += 1,
                Target::Value(value) => {
                    let (least, largest) = range.unwrap_or((value, value));
                    range = Some((value.min(least), value.max(largest)));
                }
                Target::Labels(labels) => {
                    without += usize::from(!labels.contains(&true));
                    for (count, applies) in counts.iter_mut().zip(labels) {
                        *count += usize::from(applies);
                    }
                }
            }
            all += 1;
        }
        Self {
            files,
            reading,
            counts,
            all,
            without,
            range,
            head,
            tokenizer,
            weights,
        }
    }

    /// For `run.json`.
    pub(super) fn record(&self) -> Map<String, Value> {
        let files = self.files.iter().map(|file| {
            let mut facts = json!({
                "file": file.path,
                "examples": file.examples,
                "cut": file.cut,
                "blank": file.blank,
                "columns_not_used": file.others,
            });
            if let Some((words, lost)) = file.words {
                facts["words"] = words.into();
                facts["tags_lost"] = lost.into();
            }
            facts
        });
        let files: Vec<Value> = files.collect();
        let mut record = self.reading.record();
        record.insert("files".to_owned(), files.into());
        let classes = self
            .reading
            .labels
            .iter()
            .cloned()
            .zip(self.counts.iter().map(|&count| count.into()));
        match self.reading.problem {
            Problem::Classification | Problem::MultiLabel | Problem::Tokens => {
                record.insert("classes".to_owned(), Value::Object(classes.collect()))
            }
            Problem::Regression => record.insert("range".to_owned(), json!(self.range)),
        };
        if matches!(self.reading.problem, Problem::MultiLabel | Problem::Tokens) {
            record.insert("without_label".to_owned(), self.without.into());
        }
        if let Some(weights) = &self.weights {
            let weights = self
                .reading
                .labels
                .iter()
                .cloned()
                .zip(weights.iter().map(|&w| w.into()));
            record.insert("class_weights".to_owned(), Value::Object(weights.collect()));
        }
        record.insert("head".to_owned(), self.head.record());
        let tokenizer = &self.tokenizer;
        let setting =
            |setting: &TokenizerSetting| json!({ "value": setting.value, "source": setting.source });
        let settings = tokenizer.settings.iter().map(|s| (s.name.clone(), setting(s)));
        record.insert(
            "tokenizer".to_owned(),
            json!({
                "class": setting(&tokenizer.class),
                "settings": settings.collect::<Map<String, Value>>(),
                "remarks": tokenizer.remarks,
            }),
        );
        record
    }

    /// For people, some lines without a line feed at the end.
    pub(super) fn text(&self) -> String {
        let reading = &self.reading;
        let mut lines: Vec<String> = self
            .files
            .iter()
            .map(|file| file.line(reading.max_tokens))
            .collect();
        lines.push(format!(
            "texts from {}, labels from {}",
            listed(&reading.texts),
            reading.label_names()
        ));
        let all = self.all;
        let classes = reading.labels.iter().zip(&self.counts);
        let shares = classes.map(|(name, &count)| format!("`{name}` {}", percent(count, all)));
        let shares: Vec<String> = shares.collect();
        lines.push(match (reading.problem, self.range) {
            (Problem::Classification, _) => {
                format!("classification of {} labels: {}", shares.len(), shares.join(", "))
            }
            (Problem::Tokens, _) => format!(
                "token classification, one of {} tags a word: {}; {} of the words have none (-100)",
                shares.len(),
                shares.join(", "),
                percent(self.without, all)
            ),
            (Problem::MultiLabel, _) => format!(
                "multi-label classification, any number of {} labels a row: {}; {} of the rows have none",
                shares.len(),
                shares.join(", "),
                percent(self.without, all)
            ),
            (Problem::Regression, Some((least, largest))) => {
                format!("regression: values from {least} to {largest}")
            }
            (Problem::Regression, None) => "regression".to_owned(),
        });
        if let Some(weights) = &self.weights {
            let weights = reading.labels.iter().zip(weights);
            let weights: Vec<String> = weights.map(|(name, w)| format!("`{name}` {w:.4}")).collect();
            lines.push(format!("class weights: {}", weights.join(", ")));
        }
        lines.push(format!("head: {}", self.head.line(&reading.labels)));
        lines.push(format!("tokenizer: {}", self.tokenizer));
        lines.join("\n")
    }
}

/// `12.5 %`.
fn percent(part: usize, all: usize) -> String {
    format!("{:.1} %", 100.0 * part as f64 / all.max(1) as f64)
}
