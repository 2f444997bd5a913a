//! Packed batches: the real tokens of several sequences, one after the other, without padding.

use crate::random;

/// A packed batch: `n` tokens of `b` sequences.
///
/// Padding is never stored nor computed: sequence `k` is the rows `offsets[k]..offsets[k + 1]` of every activation.
/// The result is that of the padded and masked batch in other libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Token ids, `[n]`.
    pub ids: Vec<u32>,
    /// Token types (segments), `[n]`.
    pub token_types: Vec<u32>,
    /// Where each sequence begins, and the end, `[b + 1]`; strictly increasing from 0.
    pub offsets: Vec<usize>,
    /// The number of the first sequence within the optimiser step: dropout masks follow the sequence, not the row.
    pub first_sequence: u64,
}

impl Batch {
    /// Packs sequences of (token ids, token types).
    ///
    /// # Panics
    /// If a sequence is empty, or has not one type for each token.
    pub fn pack<'a>(
        sequences: impl IntoIterator<Item = (&'a [u32], &'a [u32])>,
        first_sequence: u64,
    ) -> Self {
        let mut batch = Self {
            ids: Vec::new(),
            token_types: Vec::new(),
            offsets: vec![0],
            first_sequence,
        };
        for (ids, token_types) in sequences {
            assert!(!ids.is_empty(), "a sequence has at least one token");
            assert_eq!(
                ids.len(),
                token_types.len(),
                "a sequence has one type for each token"
            );
            batch.ids.extend(ids);
            batch.token_types.extend(token_types);
            batch.offsets.push(batch.ids.len());
        }
        batch
    }

    /// The number `b` of sequences.
    pub fn sequences(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The number `n` of tokens.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// The rows of the first token of each sequence.
    pub fn first_tokens(&self) -> &[usize] {
        &self.offsets[..self.sequences()]
    }

    /// The entries for first tokens of a list with one entry for each token.
    pub fn first_of(&self, keys: &[u64]) -> Vec<u64> {
        self.first_tokens().iter().map(|&row| keys[row]).collect()
    }

    /// The token ids of each sequence.
    pub fn ids_by_sequence(&self) -> impl Iterator<Item = &[u32]> {
        self.offsets.windows(2).map(|span| &self.ids[span[0]..span[1]])
    }

    /// The token ids and token types of each sequence, as [`Batch::pack`] took them.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u32], &[u32])> {
        let spans = self.offsets.windows(2);
        spans.map(|s| (&self.ids[s[0]..s[1]], &self.token_types[s[0]..s[1]]))
    }

    /// A key for each token, from its sequence's number and its position: what its dropout masks depend on.
    pub fn token_keys(&self) -> Vec<u64> {
        let numbered = (self.first_sequence..).zip(self.ids_by_sequence());
        numbered
            .flat_map(|(sequence, ids)| {
                (0..ids.len() as u64).map(move |position| random::key(&[sequence, position]))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing() {
        let batch = Batch::pack([(&[5, 6][..], &[0, 1][..]), (&[7], &[0])], 3);
        assert_eq!(batch.offsets, [0, 2, 3]);
        assert_eq!((batch.sequences(), batch.tokens()), (2, 3));
        assert_eq!(batch.first_tokens(), [0, 2]);
        // The second sequence alone, numbered 4, has the keys it has in the batch.
        let alone = Batch::pack([(&[7][..], &[0][..])], 4);
        assert_eq!(batch.token_keys()[2..], alone.token_keys());
    }
}
