//! Tokens of a sentence that comes in words, and where each word begins among them.

use tokenizers::{InputSequence, PreTokenizerWrapper, Tokenizer};

use super::encode::{Encoding, TextEncoder};
use super::error::DataError;
use super::tokenizer::guarded;

impl TextEncoder {
    /// The tokens of a sentence in words, each tokenised by itself as the fast tokenizers of transformers do it with
    /// `is_split_into_words`; a byte-level tokenizer sees a blank before every word (`add_prefix_space`, which `run_ner.py` sets).
    ///
    /// # Errors
    /// As [`TextEncoder::encode`].
    pub fn encode_words(&self, words: &[String], max_tokens: usize) -> Result<Encoding, DataError> {
        let room = self.room(None, max_tokens)?;
        let tokenizer = self.tokenizer_of_words();
        let tokens = guarded(|| tokenizer.encode(InputSequence::from(words.to_vec()), false))
            .map_err(|reason| DataError::Encode { reason })?;
        let (joined, cut) = self.framed(tokens, None, room)?;
        let mut encoding = self.encoding(&joined, cut);
        encoding.first_tokens = vec![None; words.len()];
        for (place, word) in joined.get_word_ids().iter().enumerate() {
            if let Some(word) = word {
                encoding.first_tokens[*word as usize].get_or_insert(place);
            }
        }
        self.checked(encoding)
    }

    /// The tokenizer, with a blank before every word if it is byte-level.
    fn tokenizer_of_words(&self) -> &Tokenizer {
        match self.tokenizer.get_pre_tokenizer() {
            Some(PreTokenizerWrapper::ByteLevel(bytes)) if !bytes.add_prefix_space => {
                self.of_words.get_or_init(|| {
                    let mut tokenizer = self.tokenizer.clone();
                    tokenizer.with_pre_tokenizer(Some(bytes.add_prefix_space(true)));
                    tokenizer
                })
            }
            _ => &self.tokenizer,
        }
    }
}
