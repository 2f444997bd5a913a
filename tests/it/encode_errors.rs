//! The exact words of every refusal of the text encoder, and that no tokenizer file makes it panic.

use cwgnc::data::{DataError, Example, TextEncoder};
use cwgnc::model::{Family, ModelConfig};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::encode::{bert, folder, model, shown};
use crate::scratch;

const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\n";

/// The class that takes a tokenizer.json as it is.
const FAST: &str = r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#;

fn tokenizer_json() -> Value {
    let bytes =
        std::fs::read(scratch::fixture("tokenizer/tokenizer.json")).expect("the fixture is committed");
    serde_json::from_slice(&bytes).expect("the fixture is JSON")
}

/// Loads a folder with these files, and compares the message with the folder written as `DIR`.
#[track_caller]
fn refused(files: &[(&str, &str)], config: &ModelConfig, text: &str) {
    let line = std::panic::Location::caller().line();
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes().to_vec()))
        .collect();
    let folder = folder(&format!("encode_error_{line}"), &files);
    let error = TextEncoder::from_folder(&folder, config).expect_err("no good folder");
    assert_eq!(error.to_string().replace(&shown(&folder), "DIR"), text);
}

#[test]
fn folders_without_a_tokenizer() {
    refused(
        &[],
        &bert(),
        "DIR: no tokenizer: neither tokenizer.json nor vocab.txt is there",
    );
    let roberta = model(Family::Roberta, 300);
    refused(
        &[("vocab.txt", VOCABULARY)],
        &roberta,
        "DIR: no tokenizer: neither tokenizer.json nor vocab.json is there",
    );
    refused(
        &[("vocab.json", r#"{"<s>": 0, "</s>": 1}"#)],
        &roberta,
        "DIR: no tokenizer: vocab.json is there, and merges.txt is not",
    );
    refused(
        &[("vocab.txt", VOCABULARY), ("tokenizer_config.json", FAST)],
        &bert(),
        "DIR: no tokenizer: tokenizer.json is not there, and PreTrainedTokenizerFast reads nothing else",
    );
}

#[test]
fn vocabularies() {
    refused(&[("vocab.txt", "")], &bert(), "DIR/vocab.txt: the file is empty");
    refused(
        &[("vocab.txt", "[UNK]\n[CLS]\n[SEP]\ncat\ndog\ncat\n")],
        &bert(),
        "DIR/vocab.txt line 6: token `cat` is already on line 4",
    );
    for token in ["[UNK]", "[CLS]", "[SEP]"] {
        let key = format!("{}_token", token[1..4].to_lowercase());
        refused(
            &[("vocab.txt", &VOCABULARY.replace(token, "x"))],
            &bert(),
            &format!("DIR/vocab.txt: unusable tokenizer: no token `{token}` ({key})"),
        );
    }
    let named = r#"{"sep_token": {"content": "</s>"}}"#;
    refused(
        &[("vocab.txt", VOCABULARY), ("tokenizer_config.json", named)],
        &bert(),
        "DIR/vocab.txt: unusable tokenizer: no token `</s>` (sep_token)",
    );
    let folder = folder(
        "vocabulary_bytes",
        &[("vocab.txt", b"[UNK]\n[CLS]\nca\xff\n".to_vec())],
    );
    let error = TextEncoder::from_folder(&folder, &bert()).expect_err("not UTF-8");
    assert_eq!(
        error.to_string(),
        format!("{}/vocab.txt line 3: invalid UTF-8", shown(&folder))
    );
}

#[test]
fn tokenizer_configs() {
    let with = |config: &str, text: &str| {
        refused(
            &[("vocab.txt", VOCABULARY), ("tokenizer_config.json", config)],
            &bert(),
            text,
        );
    };
    let name = "DIR/tokenizer_config.json: unusable tokenizer:";
    with(
        "{",
        &format!("{name} EOF while parsing an object at line 1 column 1"),
    );
    with(
        r#"{"do_lower_case": "no"}"#,
        &format!("{name} `do_lower_case` is not true, false or null"),
    );
    with(
        r#"{"strip_accents": 1}"#,
        &format!("{name} `strip_accents` is not true, false or null"),
    );
    with(r#"{"cls_token": 3}"#, &format!("{name} `cls_token` is not text"));
    let added = r#"{"added_tokens_decoder": {"0": {"content": "[PAD]"}, "9": {"content": "<e2>"}}}"#;
    with(
        added,
        &format!("{name} it says that the added token `<e2>` has id 9, and the vocabulary makes it 8"),
    );
    for (config, reason) in [
        ("[]", "the file is not a JSON object"),
        (
            r#"{"truncation_side": "middle"}"#,
            "`truncation_side` is neither `left` nor `right`",
        ),
        (r#"{"model_input_names": 3}"#, "`model_input_names` is not a list"),
        (
            r#"{"extra_special_tokens": "<e1>"}"#,
            "`extra_special_tokens` is not a list of tokens",
        ),
        (
            r#"{"added_tokens_decoder": {"8": "x"}}"#,
            "the added token of id 8 is not an object",
        ),
        (
            r#"{"added_tokens_decoder": {"x": {"content": "x"}}}"#,
            "an added token's id is not a whole number",
        ),
        (
            r#"{"cls_token": null}"#,
            "`cls_token` is empty or null, and the tokenizer needs it",
        ),
        (
            r#"{"fast_tokenizer_files": ["tokenizer.json", "tokenizer.4.0.json"]}"#,
            "`fast_tokenizer_files` names \"tokenizer.4.0.json\"; only tokenizer.json is supported",
        ),
        (
            r#"{"tokenizer_class": "BertJapaneseTokenizer"}"#,
            "tokenizer_class `BertJapaneseTokenizer` is not supported; supported: BertTokenizer, RobertaTokenizer and \
             their like, and PreTrainedTokenizerFast with a tokenizer.json",
        ),
    ] {
        with(config, &format!("{name} {reason}"));
    }
}

#[test]
fn tokenizer_files_that_are_none() {
    let name = "DIR/tokenizer.json: unusable tokenizer:";
    refused(
        &[("tokenizer.json", "{]"), ("vocab.txt", VOCABULARY)],
        &bert(),
        &format!("{name} key must be a string at line 1 column 2"),
    );
    // Broken where the library would panic on it: found by the mutations below.
    refused(
        &[("tokenizer.json", "{\"decoder\":!}")],
        &bert(),
        &format!("{name} expected value at line 1 column 12"),
    );
    refused(
        &[("tokenizer.json", "[]")],
        &bert(),
        &format!("{name} the file is not a JSON object"),
    );
    let mut json = tokenizer_json();
    json["post_processor"] = Value::Null;
    refused(
        &[
            ("tokenizer.json", &json.to_string()),
            ("tokenizer_config.json", FAST),
        ],
        &bert(),
        &format!("{name} it puts no special token before a text, and the classifier reads the first token"),
    );
    let mut json = tokenizer_json();
    json["post_processor"]["special_tokens"] = json!({});
    refused(
        &[
            ("tokenizer.json", &json.to_string()),
            ("tokenizer_config.json", FAST),
        ],
        &bert(),
        &format!("{name} its template uses `[CLS]`, which its special_tokens lack"),
    );
    // The library reads a processor without its type as well: found by the mutations below.
    let processor = json["post_processor"].as_object_mut().expect("an object");
    processor.remove("type");
    refused(
        &[
            ("tokenizer.json", &json.to_string()),
            ("tokenizer_config.json", FAST),
        ],
        &bert(),
        &format!("{name} its template uses `[CLS]`, which its special_tokens lack"),
    );
    let mut json = tokenizer_json();
    json["post_processor"]["single"] = json["post_processor"]["pair"].clone();
    refused(
        &[
            ("tokenizer.json", &json.to_string()),
            ("tokenizer_config.json", FAST),
        ],
        &bert(),
        &format!("{name} the template for one text asks for a second"),
    );
}

#[test]
fn a_tokenizer_of_another_model() {
    let text = |name: &str, largest: usize, rows: usize| {
        format!(
            "DIR/{name}: tokenizer has ids up to {largest} but the word embedding has {rows} rows \
             (vocab_size in config.json): tokenizer and model are not of one kind"
        )
    };
    refused(
        &[("vocab.txt", VOCABULARY)],
        &model(Family::Bert, 7),
        &text("vocab.txt", 7, 7),
    );
    let json = tokenizer_json();
    let file = json.to_string();
    refused(
        &[("tokenizer.json", &file)],
        &model(Family::Bert, 100),
        &text("tokenizer.json", 123, 100),
    );
    // An id that only the post-processor writes.
    let mut json = json;
    json["post_processor"]["special_tokens"]["[SEP]"]["ids"] = json!([500]);
    refused(
        &[
            ("tokenizer.json", &json.to_string()),
            ("tokenizer_config.json", FAST),
        ],
        &bert(),
        &text("tokenizer.json", 500, 124),
    );
    // As many rows as ids is enough.
    let folder = folder(
        "vocabulary_fits",
        &[("vocab.txt", VOCABULARY.as_bytes().to_vec())],
    );
    assert!(TextEncoder::from_folder(&folder, &model(Family::Bert, 8)).is_ok());
}

#[track_caller]
fn same(result: Result<impl std::fmt::Debug, DataError>, text: &str) {
    assert_eq!(result.expect_err("a bad length").to_string(), text);
}

#[test]
fn lengths() {
    let folder = folder("lengths", &[("vocab.txt", VOCABULARY.as_bytes().to_vec())]);
    let config = ModelConfig {
        type_vocab_size: 1,
        ..bert()
    };
    let encoder = TextEncoder::from_folder(&folder, &config).expect("a good folder");
    let beyond = "--max-seq-length 129 is more than the 128 tokens this model can take \
                  (its position embedding has 128 rows)";
    same(encoder.encode("cat", None, 129), beyond);
    same(encoder.check_max_tokens(129), beyond);
    assert!(encoder.check_max_tokens(128).is_ok());
    assert_eq!(
        encoder
            .encode(&"cat ".repeat(500), None, 128)
            .expect("the limit")
            .ids
            .len(),
        128
    );
    let below = |max: usize, special: usize| {
        format!("--max-seq-length {max} has no room for text beside the {special} special tokens")
    };
    same(encoder.encode("cat", None, 2), &below(2, 2));
    same(encoder.encode("cat", Some(""), 3), &below(3, 3));
    same(encoder.encode("", None, 0), &below(0, 2));
    assert_eq!(
        encoder.encode("cats cat", None, 3).expect("room for one").ids,
        [2, 6, 3]
    );
    let types = "token type 1 is not in the model: its token-type embedding has 1 row (type_vocab_size in config.json)";
    same(encoder.encode("cat", Some("cat"), 9), types);
    let pair = Example {
        words: Vec::new(),
        text_a: String::new(),
        text_b: Some("cat".to_owned()),
        target: None,
    };
    same(encoder.encode_all(&[pair], 9), types);
}

/// `RoBERTa` counts positions from `pad_token_id + 1`: of 128 rows, 126 serve.
#[test]
fn the_position_offset_of_roberta_counts() {
    let bytes = std::fs::read(scratch::fixture("tokenizer/roberta.json")).expect("the fixture is committed");
    let config = ModelConfig {
        pad_token_id: 1,
        ..model(Family::Roberta, 300)
    };
    let folder = folder("roberta_lengths", &[("tokenizer.json", bytes)]);
    let encoder = TextEncoder::from_folder(&folder, &config).expect("a good folder");
    assert!(encoder.check_max_tokens(126).is_ok());
    let error = encoder.check_max_tokens(127).expect_err("too long");
    assert_eq!(
        error.to_string(),
        "--max-seq-length 127 is more than the 126 tokens this model can take \
         (its position embedding has 128 rows)"
    );
}

/// Loads whatever the files hold and, if that works, encodes: any outcome but a panic is right.
fn holds(name: &str, file: &str, bytes: &[u8]) {
    for config in ["{}", FAST] {
        let files = [
            (file, bytes.to_vec()),
            ("tokenizer_config.json", config.as_bytes().to_vec()),
        ];
        let folder = folder(name, &files);
        if let Ok(encoder) = TextEncoder::from_folder(&folder, &model(Family::Bert, 400)) {
            for b in [None, Some("a [SEP] dog")] {
                drop(encoder.encode("the Cats [MASK] café 中 running", b, 6));
            }
        }
    }
}

/// A few bytes overwritten, cut out or doubled.
fn mutated(original: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6);
    edits.prop_map(move |edits| {
        let mut bytes = original.clone();
        for (index, byte, kind) in edits {
            let at = index.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn no_tokenizer_file_makes_it_panic(bytes in mutated(tokenizer_json().to_string().into_bytes())) {
        holds("mutated_json", "tokenizer.json", &bytes);
    }

    #[test]
    fn no_vocabulary_makes_it_panic(bytes in mutated(VOCABULARY.as_bytes().to_vec())) {
        holds("mutated_vocabulary", "vocab.txt", &bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        holds("random_vocabulary", "vocab.txt", &bytes);
    }
}
