//! From text to token ids, as Hugging Face's transformers do it (docs/tokenizers.md).
//!
//! BERT: `[CLS] a [SEP]` and `[CLS] a [SEP] b [SEP]`, token types 0 up to the first `[SEP]` and 1 after it. `RoBERTa`:
//! `<s> a </s>` and `<s> a </s></s> b </s>`, token types all 0. Nothing is padded: a batch is its real tokens.
//!
//! A text too long is cut by the rule `longest_first`. With room for `m` tokens beside the special ones, a single text
//! keeps `m`. Of a pair of lengths `n₁ ≤ n₂` (whichever comes first) the longer gives way alone as far as it can: it
//! keeps `max(n₁, m − n₁)`, and if that is still too much the shorter position keeps `⌊m/2⌋` and the other `⌈m/2⌉`.
//! Tokens go from the end, or from the beginning if the folder's tokenizer says `truncation_side: left`.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use rayon::prelude::*;
use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use crate::model::ModelConfig;

use super::error::{DataError, FileFault, LengthFault};
use super::read::Example;
use super::tokenizer::{self, TokenizerReport, guarded};

/// The tokens of one example, special ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Rows of the word embedding.
    pub ids: Vec<u32>,
    /// Rows of the token-type embedding, one a token.
    pub token_types: Vec<u32>,
    /// Whether tokens of the texts were cut off.
    pub cut: bool,
    /// Of a sentence in words, the place of each word's first token; none of a word that was cut off or has no token.
    pub first_tokens: Vec<Option<usize>>,
}

/// A model's tokenizer, checked against the model.
#[derive(Clone)]
pub struct TextEncoder {
    pub(super) tokenizer: Tokenizer,
    /// The same for words, if it must be another; made when the first sentence in words comes.
    pub(super) of_words: OnceLock<Tokenizer>,
    side: TruncationDirection,
    /// The texts of the mask and the padding token.
    mask: Option<String>,
    pad: Option<String>,
    /// Whether the model is given token types.
    token_types: bool,
    /// Ids that the model may lack until a text has them.
    unlisted: Vec<u32>,
    report: TokenizerReport,
    files: Vec<(String, Vec<u8>)>,
    /// The most tokens a sequence may have.
    limit: usize,
    /// Rows of the position, the token-type and the word embedding.
    positions: usize,
    types: usize,
    words: usize,
}

impl TextEncoder {
    /// Loads the tokenizer of a model folder as transformers 5 does: `tokenizer.json`, `vocab.txt`, or `vocab.json` and
    /// `merges.txt`, with what `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` say.
    ///
    /// The truncation and padding that a `tokenizer.json` asks for are ignored (the side of the truncation excepted):
    /// the length is the caller's business, and padding nobody's.
    ///
    /// # Errors
    /// [`DataError`] that names the file: none there, unreadable, not a tokenizer, no special tokens around the text,
    /// a token that BERT needs missing or listed twice, or token ids beyond the word embedding of `config`.
    pub fn from_folder(dir: &Path, config: &ModelConfig) -> Result<Self, DataError> {
        Self::from_files(tokenizer::Files::read(dir)?, config)
    }

    /// [`TextEncoder::from_folder`] of files that are in memory, by their names; errors name them as if they were in `dir`.
    ///
    /// # Errors
    /// Those of [`TextEncoder::from_folder`].
    pub fn from_memory(
        dir: &Path,
        files: Vec<(String, Vec<u8>)>,
        config: &ModelConfig,
    ) -> Result<Self, DataError> {
        Self::from_files(tokenizer::Files::new(dir, files), config)
    }

    fn from_files(files: tokenizer::Files, config: &ModelConfig) -> Result<Self, DataError> {
        let dir = files.dir.clone();
        let loaded = tokenizer::load(files, config.family)?;
        let encoder = Self {
            tokenizer: loaded.tokenizer,
            of_words: OnceLock::new(),
            side: loaded.side,
            mask: loaded.mask,
            pad: loaded.pad,
            token_types: loaded.types,
            unlisted: loaded.unlisted,
            report: loaded.report,
            files: loaded.files,
            limit: config.max_tokens(),
            positions: config.max_position_embeddings,
            types: config.type_vocab_size,
            words: config.vocab_size,
        };
        encoder.check_vocabulary(&dir)?;
        Ok(encoder)
    }

    /// Every id that an encoding can hold has a row, and an encoding begins with a special token.
    fn check_vocabulary(&self, dir: &Path) -> Result<(), DataError> {
        let vocabulary = self
            .report
            .settings
            .iter()
            .find(|setting| setting.name == "vocabulary");
        let path = dir.join(vocabulary.map_or("tokenizer.json", |setting| setting.source));
        let fault = |fault| DataError::File {
            path: path.clone(),
            fault,
        };
        let frames = self.frames()?;
        let vocabulary = self.tokenizer.get_vocab(true).into_values();
        let needed = vocabulary.filter(|id| !self.unlisted.contains(id)).chain(frames);
        let largest = needed.max().unwrap_or(0);
        if largest as usize >= self.words {
            return Err(fault(FileFault::TooManyTokens {
                largest,
                rows: self.words,
            }));
        }
        if self.special_tokens(None) == 0 {
            return Err(fault(FileFault::Tokenizer {
                reason: "it puts no special token before a text, and the classifier reads the first token"
                    .to_owned(),
            }));
        }
        Ok(())
    }

    /// The largest id that an encoding can hold.
    ///
    /// # Errors
    /// [`DataError::Encode`] if the tokenizer cannot read an empty text.
    pub fn largest_id(&self) -> Result<u32, DataError> {
        // The post-processor writes ids of its own, so the vocabulary alone does not tell.
        let vocabulary = self.tokenizer.get_vocab(true).into_values();
        Ok(vocabulary.chain(self.frames()?).max().unwrap_or(0))
    }

    /// The ids around one text and around two.
    fn frames(&self) -> Result<Vec<u32>, DataError> {
        let (mut one, two) = (
            self.join("", None, usize::MAX)?,
            self.join("", Some(""), usize::MAX)?,
        );
        one.ids.extend(two.ids);
        Ok(one.ids)
    }

    /// Refuses a length that the model's positions cannot hold.
    ///
    /// # Errors
    /// [`DataError::Length`] naming `--max-seq-length`, the number and the position table.
    pub fn check_max_tokens(&self, max_tokens: usize) -> Result<(), DataError> {
        if max_tokens <= self.limit {
            return Ok(());
        }
        Err(DataError::Length(LengthFault::BeyondPositions {
            max_tokens,
            limit: self.limit,
            rows: self.positions,
        }))
    }

    /// The tokens of a text or a pair, at most `max_tokens` with the special ones.
    ///
    /// # Errors
    /// [`DataError::Length`] if `max_tokens` is more than the model has positions or leaves no room for text, or if a
    /// token type has no row in the model; [`DataError::Encode`] if the tokenizer cannot read the text.
    pub fn encode(
        &self,
        text_a: &str,
        text_b: Option<&str>,
        max_tokens: usize,
    ) -> Result<Encoding, DataError> {
        let room = self.room(text_b, max_tokens)?;
        self.checked(self.join(text_a, text_b, room)?)
    }

    /// How many tokens of the texts fit beside the special ones.
    pub(super) fn room(&self, text_b: Option<&str>, max_tokens: usize) -> Result<usize, DataError> {
        self.check_max_tokens(max_tokens)?;
        let special = self.special_tokens(text_b);
        if max_tokens <= special {
            return Err(DataError::Length(LengthFault::BelowSpecial {
                max_tokens,
                special,
            }));
        }
        Ok(max_tokens - special)
    }

    /// An encoding whose ids and token types the model has.
    pub(super) fn checked(&self, encoding: Encoding) -> Result<Encoding, DataError> {
        self.check_ids(&encoding.ids)?;
        match encoding.token_types.iter().max() {
            Some(&token_type) if token_type as usize >= self.types => {
                Err(DataError::Length(LengthFault::TokenType {
                    token_type,
                    rows: self.types,
                }))
            }
            _ => Ok(encoding),
        }
    }

    /// The tokens of all examples, in order, on all threads of rayon's pool; the result does not depend on how many.
    ///
    /// # Errors
    /// That of the first example that [`TextEncoder::encode`] refuses.
    pub fn encode_all(&self, examples: &[Example], max_tokens: usize) -> Result<Vec<Encoding>, DataError> {
        let encodings: Vec<Result<Encoding, DataError>> = examples
            .par_iter()
            .map(|example| match &example.words[..] {
                [] => self.encode(&example.text_a, example.text_b.as_deref(), max_tokens),
                words => self.encode_words(words, max_tokens),
            })
            .collect();
        // One thread looks for the error, so that it is the first and not the fastest.
        encodings.into_iter().collect()
    }

    /// The tokens of a text as they are: not cut, without special ones around them.
    ///
    /// # Errors
    /// [`DataError::Encode`] if the tokenizer cannot read the text.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let tokens = self.split(text)?;
        self.check_ids(tokens.get_ids())?;
        Ok(tokens.get_ids().to_vec())
    }

    /// The tokens of a text.
    fn split(&self, text: &str) -> Result<tokenizers::Encoding, DataError> {
        guarded(|| self.tokenizer.encode_fast(text, false)).map_err(|reason| DataError::Encode { reason })
    }

    /// Every id has a row in the word embedding.
    fn check_ids(&self, ids: &[u32]) -> Result<(), DataError> {
        match ids.iter().find(|&&id| id as usize >= self.words) {
            None => Ok(()),
            Some(&id) => Err(DataError::Encode {
                reason: format!(
                    "its token `{}` has id {id}, and the word embedding has {} rows (vocab_size in config.json)",
                    self.tokenizer.id_to_token(id).unwrap_or_default(),
                    self.words
                ),
            }),
        }
    }

    /// The special tokens before and after a single text.
    ///
    /// # Errors
    /// [`DataError::Encode`] if the tokenizer cannot read an empty text.
    pub fn frame(&self) -> Result<(Vec<u32>, Vec<u32>), DataError> {
        let ids = self.join("", None, usize::MAX)?.ids;
        let (before, after) = ids.split_at(ids.len().min(1));
        Ok((before.to_vec(), after.to_vec()))
    }

    /// Every token by its id; empty where an id has none.
    pub fn vocabulary(&self) -> Vec<String> {
        (0..self.words as u32)
            .map(|id| self.tokenizer.id_to_token(id).unwrap_or_default())
            .collect()
    }

    /// The ids of special tokens, in order.
    pub fn special_ids(&self) -> Vec<u32> {
        let added = self.tokenizer.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special);
        let mut ids: Vec<u32> = special.map(|(&id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The id of the mask token, if the tokenizer has one: the folder names it, else the class does, else it is `[MASK]`.
    pub fn mask_id(&self) -> Option<u32> {
        self.id(self.mask.as_deref().unwrap_or("[MASK]"))
    }

    /// The id of the padding token, if the tokenizer has one: as for [`TextEncoder::mask_id`], else it is `[PAD]`.
    pub fn pad_id(&self) -> Option<u32> {
        self.id(self.pad.as_deref().unwrap_or("[PAD]"))
    }

    /// The `tokenizer_class` of the folder's `config.json`, if it decided.
    pub fn class_of_model(&self) -> Option<&str> {
        let class = &self.report.class;
        (class.source == "config.json").then_some(class.value.as_str())
    }

    /// What was understood of the tokenizer's files: class, settings, and which file each came from.
    pub fn report(&self) -> &TokenizerReport {
        &self.report
    }

    /// The names and bytes of the tokenizer's files, as they were when it was loaded, to be saved beside a model:
    /// `tokenizer.json` or `vocab.txt`, and what there is of `tokenizer_config.json`, `special_tokens_map.json`,
    /// `added_tokens.json`, `vocab.json` and `merges.txt`.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// How many special tokens surround a text or a pair.
    fn special_tokens(&self, text_b: Option<&str>) -> usize {
        self.tokenizer
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(text_b.is_some()))
    }

    /// Tokenizes, cuts to `room` tokens, adds the special tokens.
    fn join(&self, text_a: &str, text_b: Option<&str>, room: usize) -> Result<Encoding, DataError> {
        let tokens = |text: &str| self.split(text);
        let (a, b) = (tokens(text_a)?, text_b.map(tokens).transpose()?);
        let (joined, cut) = self.framed(a, b, room)?;
        Ok(self.encoding(&joined, cut))
    }

    /// Tokens cut to `room` of them, with the special ones around them, and whether any was cut off.
    pub(super) fn framed(
        &self,
        a: tokenizers::Encoding,
        b: Option<tokenizers::Encoding>,
        room: usize,
    ) -> Result<(tokenizers::Encoding, bool), DataError> {
        let params = TruncationParams {
            direction: self.side,
            max_length: room,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        let length = |b: &tokenizers::Encoding| b.get_ids().len();
        let cut = length(&a) + b.as_ref().map_or(0, length) > room;
        let (mut a, mut b) = truncate_encodings(a, b, &params).map_err(refused)?;
        // What was cut off is kept by the library as further encodings, and a pair is post-processed in every
        // combination of them: quadratic in the length of the texts, for nothing.
        drop(a.take_overflowing());
        drop(b.as_mut().map(tokenizers::Encoding::take_overflowing));
        let joined = guarded(|| self.tokenizer.post_process(a, b, true));
        let joined = joined.map_err(|reason| DataError::Encode { reason })?;
        Ok((joined, cut))
    }

    /// Ids and types of joined tokens.
    pub(super) fn encoding(&self, joined: &tokenizers::Encoding, cut: bool) -> Encoding {
        let ids = joined.get_ids().to_vec();
        let token_types = if self.token_types {
            joined.get_type_ids().to_vec()
        } else {
            vec![0; ids.len()]
        };
        Encoding {
            ids,
            token_types,
            cut,
            first_tokens: Vec::new(),
        }
    }
}

impl fmt::Debug for TextEncoder {
    /// Without the vocabulary and the bytes of the files, which fill a screen a thousand times.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.files().map(|(name, _)| name).collect();
        f.debug_struct("TextEncoder")
            .field("class", &self.report.class.value)
            .field("files", &files)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// The tokenizers library's error as ours.
pub(super) fn refused(error: tokenizers::Error) -> DataError {
    DataError::Encode {
        reason: error.to_string(),
    }
}
