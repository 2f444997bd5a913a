//! What a pretraining reads: text, vocabulary and model, from the flags of `cwgnc pretrain`.

use super::args::Pretrain;
use crate::checkpoint::{self, LoadReport, Purpose};
use crate::cli::Error;
use crate::data::{
    DataError, LengthFault, TextEncoder, WordPieceSettings, count_words, is_held_out, pack_lines,
    read_paragraphs, train_wordpiece, wordpiece_files,
};
use crate::model::{Activation, Family, MaskedLanguageModel, ModelConfig, Problem, init};
use crate::real::Real;
use crate::train::{MaskedText, Masking, Segments, Vocabulary};
use rayon::prelude::*;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What a run reads.
pub(super) struct Inputs<T> {
    pub(super) config: ModelConfig,
    /// The keys of the model's `config.json`, those unknown here included; empty for a fresh model.
    pub(super) raw_config: Map<String, Value>,
    pub(super) encoder: TextEncoder,
    pub(super) train: MaskedText,
    pub(super) held_out: MaskedText,
    pub(super) model: MaskedLanguageModel<T>,
    /// Of `--model`.
    pub(super) report: Option<LoadReport>,
}

/// The seed of the held-out masking, the same for every run: runs with other seeds answer the same questions.
const HELD_OUT_SEED: u64 = 0;

/// The lines of a paragraph.
type Paragraph = Vec<String>;

impl<T: Real> Inputs<T> {
    /// Reads and checks all of it, so that what can fail fails before the first step.
    pub(super) fn read(args: &Pretrain) -> Result<Self, Error> {
        let (train, held_out) = paragraphs(args)?;
        let (config, raw_config, encoder) = shape(args, &train)?;
        encoder.check_max_tokens(args.max_seq_length)?;
        let vocabulary = vocabulary(&encoder)?;
        let text = |paragraphs: &[Paragraph], seed: u64, what: &str| -> Result<MaskedText, Error> {
            let masking = Masking::new(
                vocabulary.clone(),
                args.mlm_probability,
                args.whole_word_masking,
                seed,
            );
            let mut sequences = sequences(&encoder, paragraphs, args.max_seq_length, config.type_vocab_size)?;
            sequences.retain(|segments| masking.can_mask(&segments.ids));
            if sequences.is_empty() {
                let problem = format!("{what} has no token that the vocabulary knows");
                return Err(Error::Usage(problem));
            }
            Ok(MaskedText { sequences, masking })
        };
        let train = text(&train, args.seed, "the text to train on")?;
        let held_out = text(&held_out, HELD_OUT_SEED, "the held-out text")?;
        let (model, report) = model(args, &config)?;
        Ok(Self {
            config,
            raw_config,
            encoder,
            train,
            held_out,
            model,
            report,
        })
    }
}

/// The paragraphs to train on, and those to evaluate on.
fn paragraphs(args: &Pretrain) -> Result<(Vec<Paragraph>, Vec<Paragraph>), Error> {
    let read = |paths: &[PathBuf]| -> Result<Vec<Paragraph>, Error> {
        let mut all = Vec::new();
        for path in paths {
            all.extend(read_paragraphs(path)?);
        }
        Ok(all)
    };
    let train = read(&args.train_file)?;
    if !args.validation_file.is_empty() {
        return Ok((train, read(&args.validation_file)?));
    }
    let count = train.len();
    let sides: Vec<bool> = train
        .par_iter()
        .map(|paragraph| is_held_out(paragraph, args.validation_share))
        .collect();
    let (mut held_out, mut kept) = (Vec::new(), Vec::new());
    for (paragraph, is_held_out) in train.into_iter().zip(sides) {
        let side = if is_held_out { &mut held_out } else { &mut kept };
        side.push(paragraph);
    }
    let train = kept;
    if train.is_empty() || held_out.is_empty() {
        let side = if train.is_empty() { "all" } else { "none" };
        return Err(Error::Usage(format!(
            "--validation-share {}: {side} of the {count} paragraphs would be held out to evaluate on (a blank line ends \
             a paragraph); give another share, or --validation-file",
            args.validation_share
        )));
    }
    Ok((train, held_out))
}

/// The model's shape and its tokenizer, which is trained on the text if there is none.
fn shape(
    args: &Pretrain,
    train: &[Paragraph],
) -> Result<(ModelConfig, Map<String, Value>, TextEncoder), Error> {
    if let Some(dir) = &args.model {
        let folder = checkpoint::read_config(dir)?;
        let mut config = folder.config;
        if config.family != Family::Bert {
            return Err(Error::Usage(format!(
                "{}: pretraining supports BERT, and this is {}",
                dir.display(),
                config.family.model_type()
            )));
        }
        if let Some(p) = args.dropout {
            config.hidden_dropout_prob = p;
            config.attention_probs_dropout_prob = p;
        }
        let encoder = TextEncoder::from_folder(dir, &config)?;
        return Ok((config, folder.raw, encoder));
    }
    let mut config = fresh_config(args)?;
    if let Some(dir) = &args.tokenizer {
        // As many rows as the vocabulary asks for: found out with more than any has.
        config.vocab_size = u32::MAX as usize;
        let encoder = TextEncoder::from_folder(dir, &config)?;
        config.vocab_size = encoder.largest_id()? as usize + 1;
        let no_pad = || Error::Usage(format!("{}: the tokenizer has no padding token", dir.display()));
        config.pad_token_id = encoder.pad_id().ok_or_else(no_pad)?;
        let encoder = TextEncoder::from_folder(dir, &config)?;
        // The saved config.json must name the class that this folder's names.
        let class = encoder.class_of_model();
        let class = class.map(|class| ("tokenizer_class".to_owned(), class.into()));
        return Ok((config, class.into_iter().collect(), encoder));
    }
    let lines: Vec<&str> = train.iter().flatten().map(String::as_str).collect();
    let words = count_words(&lines, !args.cased)?;
    let settings = wordpiece_settings(args);
    let pieces = train_wordpiece(&words, &settings)?;
    config.vocab_size = pieces.len();
    let files = wordpiece_files(&pieces, !args.cased);
    let encoder = TextEncoder::from_memory(&args.output, files, &config)?;
    Ok((config, Map::new(), encoder))
}

/// The settings of the vocabulary's training.
pub(super) fn wordpiece_settings(args: &Pretrain) -> WordPieceSettings {
    WordPieceSettings {
        vocab_size: args.vocab_size.unwrap_or(8000),
        min_frequency: args.min_frequency.unwrap_or(2) as u64,
        limit_alphabet: args.limit_alphabet.unwrap_or(1000),
    }
}

/// The shape that the flags ask for; the vocabulary is not known yet.
fn fresh_config(args: &Pretrain) -> Result<ModelConfig, Error> {
    let hidden = args.hidden_size.unwrap_or(128);
    let heads = args.num_attention_heads.unwrap_or(2);
    if !hidden.is_multiple_of(heads) {
        return Err(Error::Usage(format!(
            "--hidden-size {hidden} is not divisible by --num-attention-heads {heads}"
        )));
    }
    let dropout = args.dropout.unwrap_or(0.1);
    Ok(ModelConfig {
        family: Family::Bert,
        vocab_size: 0,
        hidden_size: hidden,
        num_hidden_layers: args.num_hidden_layers.unwrap_or(2),
        num_attention_heads: heads,
        intermediate_size: args.intermediate_size.unwrap_or(4 * hidden),
        hidden_act: Activation::Gelu,
        hidden_dropout_prob: dropout,
        attention_probs_dropout_prob: dropout,
        classifier_dropout: None,
        max_position_embeddings: args.max_position_embeddings.unwrap_or(args.max_seq_length),
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        initializer_range: 0.02,
        pad_token_id: 0,
        problem: Problem::Classification,
        labels: vec!["LABEL_0".to_owned(), "LABEL_1".to_owned()],
    })
}

/// What masking has to know of the tokenizer.
fn vocabulary(encoder: &TextEncoder) -> Result<Vocabulary, Error> {
    let no_mask = || Error::Usage("the tokenizer has no mask token".to_owned());
    let mask = encoder.mask_id().ok_or_else(no_mask)?;
    let tokens = encoder.vocabulary();
    let mut is_special: Vec<bool> = tokens.iter().map(String::is_empty).collect();
    let (before, after) = encoder.frame()?;
    for id in encoder
        .special_ids()
        .into_iter()
        .chain(before)
        .chain(after)
        .chain([mask])
    {
        is_special[id as usize] = true;
    }
    Ok(Vocabulary {
        mask,
        is_special,
        continues: tokens.iter().map(|token| token.starts_with("##")).collect(),
    })
}

/// The paragraphs as sequences of at most `max_tokens` tokens, special ones included: `[CLS] A [SEP]`, or `[CLS] A [SEP] B
/// [SEP]` where the model has a token type for B.
fn sequences(
    encoder: &TextEncoder,
    paragraphs: &[Paragraph],
    max_tokens: usize,
    token_types: usize,
) -> Result<Vec<Segments>, Error> {
    let (before, after) = encoder.frame()?;
    let special = before.len() + 2 * after.len();
    if max_tokens <= special {
        let fault = LengthFault::BelowSpecial { max_tokens, special };
        return Err(DataError::Length(fault).into());
    }
    let frame = |(a, b): (Vec<u32>, Option<Vec<u32>>)| match b {
        Some(b) if token_types > 1 => {
            let first = [&before[..], &a, &after].concat();
            Segments {
                second: first.len(),
                ids: [first, b, after.clone()].concat(),
            }
        }
        b => Segments::one([&before[..], &a, &b.unwrap_or_default(), &after].concat()),
    };
    let encode = |paragraph: &Paragraph| -> Result<Vec<Segments>, DataError> {
        let lines: Result<Vec<Vec<u32>>, DataError> =
            paragraph.iter().map(|line| encoder.tokens(line)).collect();
        let packed = pack_lines(&lines?, max_tokens - special);
        Ok(packed.into_iter().map(frame).collect())
    };
    let encoded: Vec<Result<Vec<Segments>, DataError>> = paragraphs.par_iter().map(encode).collect();
    let mut all = Vec::new();
    for sequences in encoded {
        all.extend(sequences?);
    }
    Ok(all)
}

/// The weights to begin with: those of `--model`, with a fresh head if it has none, or all fresh.
fn model<T: Real>(
    args: &Pretrain,
    config: &ModelConfig,
) -> Result<(MaskedLanguageModel<T>, Option<LoadReport>), Error> {
    let zeros = MaskedLanguageModel::zeros;
    let (mut model, report) = match &args.model {
        Some(dir) => {
            let (model, report) = checkpoint::load(dir, config, Purpose::FineTuning, zeros)?;
            (model, Some(report))
        }
        None => (zeros(config), None),
    };
    let fresh = |name: &str| {
        report
            .as_ref()
            .is_none_or(|report| report.to_initialise.iter().any(|chosen| chosen == name))
    };
    init::initialise(&mut model, config.initializer_range, args.seed, fresh);
    Ok((model, report))
}
