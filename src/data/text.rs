//! Plain text to read from: files of lines, paragraphs between blank lines, and lines packed into sequences.
//!
//! A line is a sentence, or any stretch of text; a blank line ends a paragraph. Lines of a paragraph that follow each
//! other share a sequence as long as there is room; a line too long for one is cut. A sequence of two lines or more has
//! two segments, as BERT has them. Nothing goes from one paragraph into another, and no token is lost.

use std::path::Path;

use super::error::{DataError, FileFault};
use super::source::Source;
use super::tsv;
use crate::random;

/// The paragraphs of a file; each has at least one line that is not blank.
///
/// # Errors
/// [`DataError`] that names the file: unreadable, not UTF-8, or without a line that is not blank.
pub fn read_paragraphs(path: &Path) -> Result<Vec<Vec<String>>, DataError> {
    let source = Source::open(path, |_| "expected a plain text file".to_owned())?;
    let mut paragraphs = vec![Vec::new()];
    for line in tsv::lines(&source.text) {
        let last = paragraphs.len() - 1;
        if !line.trim().is_empty() {
            paragraphs[last].push(line.to_owned());
        } else if !paragraphs[last].is_empty() {
            paragraphs.push(Vec::new());
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    if paragraphs.is_empty() {
        return Err(source.fault(FileFault::NoText));
    }
    Ok(paragraphs)
}

/// Whether a paragraph belongs to the held-out share, in `[0, 1]`: by a hash of its text, so that neither its place nor
/// what else is there matters, and a paragraph that comes twice is on one side.
pub fn is_held_out(paragraph: &[String], share: f64) -> bool {
    let bytes = paragraph.iter().flat_map(|line| line.bytes().chain([b'\n']));
    let hash = bytes.fold(0, |hash, byte| random::key(&[hash, u64::from(byte)]));
    random::unit(hash) < share
}

/// Packs the tokens of a paragraph's lines, in order, into sequences of at most `room` tokens: each of one segment, or of
/// two where it has two lines or more, the first with half of the lines or one more than half.
///
/// # Panics
/// If `room` is zero.
pub fn pack_lines(lines: &[Vec<u32>], room: usize) -> Vec<(Vec<u32>, Option<Vec<u32>>)> {
    assert!(room > 0, "a sequence has room for a token");
    let mut sequences: Vec<Vec<&[u32]>> = Vec::new();
    for piece in lines.iter().flat_map(|line| line.chunks(room)) {
        let length = |pieces: &Vec<&[u32]>| pieces.iter().map(|piece| piece.len()).sum::<usize>();
        match sequences.last_mut() {
            Some(last) if length(last) + piece.len() <= room => last.push(piece),
            _ => sequences.push(vec![piece]),
        }
    }
    let segments = |pieces: Vec<&[u32]>| {
        let (first, second) = pieces.split_at(pieces.len().div_ceil(2));
        (first.concat(), (!second.is_empty()).then(|| second.concat()))
    };
    sequences.into_iter().map(segments).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Room for five: 2 + 3 fit together, 4 begin anew, 7 are cut in 5 and 2, and 1 + 1 join the 2: of three lines two are
    /// the first segment.
    #[test]
    fn lines_share_a_sequence_while_there_is_room() {
        let lines: Vec<Vec<u32>> = vec![
            vec![1, 2],
            vec![3, 4, 5],
            vec![6, 7, 8, 9],
            vec![],
            (10..17).collect(),
            vec![17],
            vec![18],
        ];
        let expected = [
            (vec![1, 2], Some(vec![3, 4, 5])),
            (vec![6, 7, 8, 9], None),
            (vec![10, 11, 12, 13, 14], None),
            (vec![15, 16, 17], Some(vec![18])),
        ];
        assert_eq!(pack_lines(&lines, 5), expected);
        assert!(pack_lines(&[], 5).is_empty());
    }

    /// Of 4000 paragraphs a quarter is 1000, give or take √(4000 · ¼ · ¾) ≈ 27; the share that is held out grows with it.
    #[test]
    fn the_share_is_what_was_asked_for() {
        let paragraphs: Vec<Vec<String>> = (0..4000).map(|i| vec![format!("line {i}")]).collect();
        let held = |share: f64| -> Vec<bool> { paragraphs.iter().map(|p| is_held_out(p, share)).collect() };
        let count = |held: &[bool]| held.iter().filter(|&&h| h).count();
        assert_eq!((count(&held(0.0)), count(&held(1.0))), (0, 4000));
        assert!(count(&held(0.25)).abs_diff(1000) < 140);
        assert!(held(0.25).iter().zip(held(0.5)).all(|(&a, b)| !a || b));
    }
}
