//! The classes of transformers that a tokenizer can be, and what each is by default.

use crate::data::error::DataError;
use crate::model::Family;

use super::report::TokenizerSetting;
use super::settings::{CONFIG, MODEL, Settings};
use super::{DEFAULT, Files};

/// How a class makes its tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `WordPiece` from a vocabulary, all else from settings.
    Bert,
    /// Byte-level BPE from a vocabulary and merges, all else from settings.
    Roberta,
    /// `tokenizer.json` as it is.
    File,
}

/// A class's name, kind and whether it gives token types.
pub(super) type Class = (&'static str, Kind, bool);

/// The classes, without the `Fast` that older names end in; those beside the three are the same code in transformers.
const CLASSES: [Class; 14] = [
    ("BertTokenizer", Kind::Bert, true),
    ("RobertaTokenizer", Kind::Roberta, false),
    ("TokenizersBackend", Kind::File, false),
    ("PreTrainedTokenizer", Kind::File, false),
    ("DistilBertTokenizer", Kind::Bert, false),
    ("ElectraTokenizer", Kind::Bert, true),
    ("ConvBertTokenizer", Kind::Bert, true),
    ("LayoutLMTokenizer", Kind::Bert, true),
    ("LxmertTokenizer", Kind::Bert, true),
    ("MobileBertTokenizer", Kind::Bert, true),
    ("SqueezeBertTokenizer", Kind::Bert, true),
    ("BartTokenizer", Kind::Roberta, false),
    ("LEDTokenizer", Kind::Roberta, false),
    ("LongformerTokenizer", Kind::Roberta, false),
];

impl Kind {
    /// The special tokens that the class has without being told.
    pub(super) fn roles(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::Roberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
            Self::File => &[],
        }
    }

    /// Settings of other kinds, which this one does not look at.
    pub(super) fn unused(self) -> &'static [&'static str] {
        match self {
            Self::Bert => &["add_prefix_space", "do_basic_tokenize", "never_split"],
            Self::Roberta => &["do_lower_case", "strip_accents", "tokenize_chinese_chars"],
            Self::File => &[
                "do_lower_case",
                "strip_accents",
                "tokenize_chinese_chars",
                "add_prefix_space",
            ],
        }
    }
}

/// The class that the folder names: `tokenizer_class` of `tokenizer_config.json`, else of `config.json`; else the model's.
pub(super) fn find(
    settings: &Settings,
    files: &Files,
    family: Family,
) -> Result<(Class, TokenizerSetting), DataError> {
    let own = settings
        .get("tokenizer_class")
        .map(|(value, _)| (value.clone(), CONFIG));
    let own = own.filter(|(value, _)| !value.is_null() && *value != "");
    let model = || files.model_class.clone().map(|value| (value, MODEL));
    let (name, source) = match own.or_else(model) {
        Some((value, source)) => match value.as_str() {
            Some(name) => (name.to_owned(), source),
            None => return Err(settings.unusable(source, "`tokenizer_class` is not text")),
        },
        None => match family {
            Family::Bert => ("BertTokenizer".to_owned(), DEFAULT),
            Family::Roberta => ("RobertaTokenizer".to_owned(), DEFAULT),
        },
    };
    let slow = name.strip_suffix("Fast").unwrap_or(&name);
    let class = CLASSES.into_iter().find(|(known, ..)| *known == slow);
    let Some(class) = class else {
        let reason = format!(
            "tokenizer_class `{name}` is not supported; supported: BertTokenizer, RobertaTokenizer and their like, and \
             PreTrainedTokenizerFast with a tokenizer.json"
        );
        return Err(settings.unusable(source, reason));
    };
    Ok((class, TokenizerSetting::new("tokenizer_class", name, source)))
}
