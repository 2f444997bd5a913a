//! One set of labelled examples: where it came from, and its tokens.

use super::Error;
use super::progress::Progress;
use super::understood::FileFacts;
use crate::builtin::{Choice, tsv};
use crate::checkpoint;
use crate::data::{Dataset, Encoding, Example, FoundColumns, TextEncoder};
use crate::model::Target;
use crate::train::Sequence;
use std::path::{Path, PathBuf};

/// A labelled file, or a set of a built-in task, and where it came from.
#[derive(Debug)]
pub(super) struct Source {
    /// The file, or the name of the set.
    pub(super) path: PathBuf,
    pub(super) set: Dataset,
    /// Of a set that was made here, the hash of all of it as a file.
    made: Option<String>,
    /// What is appended to the names of its metrics (`_mm` for MNLI mismatched).
    pub(super) suffix: &'static str,
    /// Of a user's file, the columns that are read over.
    pub(super) others: Vec<String>,
}

impl Source {
    pub(super) fn new(path: PathBuf, set: Dataset, suffix: &'static str, limit: Option<usize>) -> Self {
        let mut set = set;
        set.examples.truncate(limit.unwrap_or(usize::MAX));
        Self {
            path,
            set,
            made: None,
            suffix,
            others: Vec::new(),
        }
    }

    /// A file of the user's own.
    pub(super) fn own(path: &Path, read: (Dataset, FoundColumns), limit: Option<usize>) -> Self {
        Self {
            others: read.1.others,
            ..Self::new(path.to_owned(), read.0, "", limit)
        }
    }

    /// A set of a built-in task, as in `builtin:paraphrase@0/train`.
    pub(super) fn made(choice: Choice, part: &str, set: Dataset, limit: Option<usize>) -> Self {
        let name = format!("builtin:{}@{}/{part}", choice.task.name(), choice.seed);
        let hash = checkpoint::fnv1a64(tsv(choice.task, &set).as_bytes());
        Self {
            made: Some(hash),
            ..Self::new(name.into(), set, "", limit)
        }
    }

    /// The tokenised examples with their targets, and what there is to say of the file.
    pub(super) fn encode_with_facts(
        &self,
        encoder: &TextEncoder,
        max_tokens: usize,
        progress: &mut Progress,
    ) -> Result<(Vec<Sequence>, FileFacts), Error> {
        let encodings = encoded(encoder, &self.set.examples, max_tokens, progress)?;
        let facts = FileFacts::of(self, &encodings);
        Ok((self.sequences(encodings)?, facts))
    }

    fn sequences(&self, encodings: Vec<Encoding>) -> Result<Vec<Sequence>, Error> {
        let targets = self
            .set
            .targets()
            .ok_or_else(|| Error::Usage(format!("{}: no labels", self.path.display())))?;
        let sequences = encodings.into_iter().zip(targets);
        let sequences: Vec<Sequence> = sequences
            .map(|(encoding, target)| Sequence {
                target: of_tokens(target, &encoding),
                ids: encoding.ids,
                token_types: encoding.token_types,
            })
            .collect();
        let counts = |target: &Target| match target {
            Target::Tags(tags) => tags.iter().any(Option::is_some),
            _ => true,
        };
        if !sequences.iter().any(|sequence| counts(&sequence.target)) {
            let path = self.path.display();
            return Err(Error::Usage(format!("{path}: no word has a tag that counts")));
        }
        Ok(sequences)
    }

    /// The file's name and a hash of its bytes; of a set that was made here, those of the file that `cwgnc tasks` would write.
    pub(super) fn fingerprint(&self) -> Result<(String, String), Error> {
        let hash = match &self.made {
            Some(hash) => hash.clone(),
            None => checkpoint::fnv1a64(&checkpoint::read(&self.path)?),
        };
        Ok((self.path.display().to_string(), hash))
    }
}

/// The target of a sequence's tokens: the tag of a word is that of its first token, and no other token has one.
fn of_tokens(target: Target, encoding: &Encoding) -> Target {
    let Target::Tags(words) = target else {
        return target;
    };
    let mut tokens = vec![None; encoding.ids.len()];
    for (tag, first) in words.into_iter().zip(&encoding.first_tokens) {
        if let Some(first) = first {
            tokens[*first] = tag;
        }
    }
    Target::Tags(tokens)
}

/// Examples that are tokenised between two drawings of the progress line.
const AT_ONCE: usize = 4096;

/// The tokens of all examples; long files show how far they are.
pub(super) fn encoded(
    encoder: &TextEncoder,
    examples: &[Example],
    max_tokens: usize,
    progress: &mut Progress,
) -> Result<Vec<Encoding>, Error> {
    let mut all = Vec::with_capacity(examples.len());
    for some in examples.chunks(AT_ONCE) {
        all.extend(encoder.encode_all(some, max_tokens)?);
        progress.count("tokenising", all.len(), examples.len());
    }
    progress.wipe();
    Ok(all)
}
